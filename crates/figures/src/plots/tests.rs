//! Layout: nothing leaves the canvas, nothing covers the data.

use proptest::prelude::*;

use super::*;
use crate::scene::{Item, Scene};

fn panel(title: &str, layers: Vec<Layer>) -> Panel {
    Panel {
        title: title.into(),
        x: Axis::linear("Epoch", 0.0, 100.0),
        y: Axis::percent("Error (%)", 0.0, 1.0),
        layers,
    }
}

fn figure(rows: Vec<Vec<Panel>>, entries: usize, notes: &str) -> Figure {
    Figure {
        title: "test".into(),
        rows,
        panel_size: (240.0, 180.0),
        legend: vec![Section {
            heading: "Layers".into(),
            entries: (0..entries)
                .map(|i| Entry {
                    sample: Sample::Line {
                        color: (0, 0, 0),
                        dashed: i % 2 == 0,
                    },
                    label: format!("{i} layers of a network"),
                })
                .collect(),
        }],
        notes: vec![notes.into()],
    }
}

/// Everything inside the canvas, and no two texts on each other.
pub(crate) fn check(scene: &Scene) {
    let (l, t, r, b) = scene.extent();
    assert!(l >= 0.0 && t >= 0.0, "{l} {t}");
    assert!(
        r <= f64::from(scene.width) && b <= f64::from(scene.height),
        "{r} {b}"
    );
    let boxes: Vec<_> = scene.texts().map(|text| (text, text.extent())).collect();
    for (index, (one, a)) in boxes.iter().enumerate() {
        for (other, b) in &boxes[index + 1..] {
            let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
            assert!(apart, "{:?} covers {:?}", one.words, other.words);
        }
    }
}

fn frames(scene: &Scene) -> Vec<(f64, f64, f64, f64)> {
    scene
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Line { points, .. } if points.len() == 5 && points[0] == points[4] => {
                Some((points[0].0, points[0].1, points[2].0, points[2].1))
            }
            _ => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn content_stays_inside_and_apart(columns in 1usize..4, rows in 1usize..3, entries in 0usize..40, words in 0usize..60) {
        let layers = vec![
            Layer::Line { points: vec![(-50.0, -3.0), (50.0, 9.0), (200.0, 0.5)], color: (1, 2, 3), width: 1.0, dashed: true },
            Layer::Band { points: vec![(-10.0, -1.0, 2.0), (50.0, 0.2, 0.3), (300.0, 0.4, 7.0)], color: (1, 2, 3) },
            Layer::Intervals { points: vec![(40.0, -0.5, 1.5)], color: (1, 2, 3) },
        ];
        let panels = vec![vec![panel("plain", layers); columns]; rows];
        let scene = lay_out(&figure(panels, entries, &"word ".repeat(words)));
        check(&scene);
        // Texts of legend and notes never lie on a panel, and data never leaves one.
        let frames = frames(&scene);
        prop_assert_eq!(frames.len(), rows * columns);
        for text in scene.texts() {
            let t = text.extent();
            prop_assert!(frames.iter().all(|f| t.2 <= f.0 || t.0 >= f.2 || t.3 <= f.1 || t.1 >= f.3), "{}", text.words);
        }
        for item in &scene.items {
            let points = match item {
                Item::Area { points, .. } => points,
                Item::Line { points, color: (1, 2, 3), .. } => points,
                _ => continue,
            };
            prop_assert!(points.iter().all(|p| frames.iter().any(|f| p.0 >= f.0 - 1e-6 && p.0 <= f.2 + 1e-6 && p.1 >= f.1 - 1e-6 && p.1 <= f.3 + 1e-6)));
        }
    }
}

#[test]
fn only_the_first_panel_of_a_row_labels_the_shared_axis() {
    let one = lay_out(&figure(vec![vec![panel("a", vec![])]], 1, ""));
    let two = lay_out(&figure(
        vec![vec![panel("a", vec![]), panel("b", vec![])]],
        1,
        "",
    ));
    let count = |scene: &Scene| scene.texts().filter(|t| t.words == "Error (%)").count();
    assert_eq!((count(&one), count(&two)), (1, 1));
}

#[test]
fn crowded_ticks_lose_labels_but_never_the_last() {
    let depths: Vec<f64> = (20..60).map(f64::from).collect();
    let mut crowded = panel("a", vec![]);
    crowded.x = Axis::of_values("Depth", &depths);
    let scene = lay_out(&figure(vec![vec![crowded]], 1, ""));
    check(&scene);
    assert!(scene.texts().any(|t| t.words == "59"));
    assert!(scene.texts().filter(|t| t.words.len() == 2).count() < 25);
}

#[test]
fn a_mark_beyond_the_axes_stands_on_the_frame() {
    let marks = Layer::Marks {
        points: vec![(50.0, f64::INFINITY)],
        shape: crate::scene::Shape::Cross,
        radius: 4.0,
        color: (0, 0, 0),
        opacity: 1.0,
    };
    let scene = lay_out(&figure(vec![vec![panel("a", vec![marks])]], 1, ""));
    let frame = frames(&scene)[0];
    let at = scene.items.iter().find_map(|item| match item {
        Item::Mark { at, .. } => Some(*at),
        _ => None,
    });
    assert!(at.is_some_and(|at| at.1 > frame.1 && at.1 < frame.1 + 10.0));
}
