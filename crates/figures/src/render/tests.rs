//! What both back ends must do with a scene.

use super::*;
use crate::scene::{Anchor, Item, Shape, Text};
use crate::text::Weight;

fn words(text: &str, at: (f64, f64), upwards: bool) -> Item {
    Item::Text(Text {
        words: text.into(),
        at,
        anchor: Anchor::Middle,
        size: 20.0,
        weight: Weight::Regular,
        color: (0, 0, 0),
        upwards,
    })
}

fn scene(items: Vec<Item>) -> Scene {
    Scene {
        title: "a < b & c".into(),
        width: 60,
        height: 40,
        items,
    }
}

fn decode(file: &[u8]) -> image::RgbImage {
    image::load_from_memory(file).unwrap().to_rgb8()
}

/// The box of all pixels that are not white: left, top, right, bottom, in logical pixels.
fn inked(picture: &image::RgbImage) -> (f64, f64, f64, f64) {
    let mut ink = (f64::MAX, f64::MAX, f64::MIN, f64::MIN);
    for (x, y, pixel) in picture.enumerate_pixels() {
        if pixel.0.iter().any(|&v| v < 200) {
            let (x, y) = (f64::from(x) / 2.0, f64::from(y) / 2.0);
            ink = (ink.0.min(x), ink.1.min(y), ink.2.max(x), ink.3.max(y));
        }
    }
    ink
}

#[test]
fn texts_are_drawn_inside_the_box_they_report() {
    for upwards in [false, true] {
        let item = words("pH", (30.0, 20.0), upwards);
        let Item::Text(text) = &item else {
            unreachable!()
        };
        let (l, t, r, b) = text.extent();
        let ink = inked(&decode(&png(&scene(vec![item.clone()])).unwrap()));
        assert!(ink.0 >= l - 0.5 && ink.2 <= r + 0.5, "{ink:?} {l} {r}");
        assert!(ink.1 >= t - 0.5 && ink.3 <= b + 0.5, "{ink:?} {t} {b}");
        let (wide, tall) = (ink.2 - ink.0, ink.3 - ink.1);
        assert_eq!(wide > tall, !upwards, "{wide} x {tall}");
    }
}

#[test]
fn holes_of_letters_stay_open_in_both_files() {
    // A large O has white at its centre in the PNG, and its SVG polygon winds to zero there.
    let mut item = words("O", (30.0, 20.0), false);
    if let Item::Text(text) = &mut item {
        text.size = 36.0;
    }
    let picture = decode(&png(&scene(vec![item.clone()])).unwrap());
    assert_eq!(picture.get_pixel(60, 40).0, [255, 255, 255]);
    let Item::Text(text) = &item else {
        unreachable!()
    };
    let polygon = &super::glyphs::polygons(text, 0.02)[0];
    assert_eq!(winding(polygon, (30.0, 20.0)), 0);
    let stem = (30.0 - 0.30 * 36.0, 20.0);
    assert_ne!(winding(polygon, stem), 0);
}

fn winding(polygon: &[(f64, f64)], at: (f64, f64)) -> i32 {
    let mut turns = 0;
    for i in 0..polygon.len() {
        let (a, b) = (polygon[i], polygon[(i + 1) % polygon.len()]);
        let side = (b.0 - a.0) * (at.1 - a.1) - (b.1 - a.1) * (at.0 - a.0);
        if a.1 <= at.1 && b.1 > at.1 && side > 0.0 {
            turns += 1;
        } else if a.1 > at.1 && b.1 <= at.1 && side < 0.0 {
            turns -= 1;
        }
    }
    turns
}

#[test]
fn shapes_take_their_place_and_colour() {
    let items = vec![
        Item::Area {
            points: vec![(10.0, 10.0), (50.0, 10.0), (50.0, 30.0), (10.0, 30.0)],
            color: (0, 0, 200),
            opacity: 0.5,
        },
        Item::Line {
            points: vec![(0.0, 5.0), (60.0, 5.0)],
            color: (200, 0, 0),
            width: 2.0,
            dash: None,
        },
        Item::Mark {
            at: (30.0, 35.0),
            shape: Shape::Square,
            radius: 3.0,
            color: (0, 160, 0),
            opacity: 1.0,
        },
    ];
    let picture = decode(&png(&scene(items)).unwrap());
    assert_eq!(picture.get_pixel(60, 10).0, [200, 0, 0]);
    assert_eq!(picture.get_pixel(60, 70).0, [0, 160, 0]);
    let band = picture.get_pixel(60, 40).0;
    assert!((120..=135).contains(&band[0]) && band[2] > 200, "{band:?}");
}

#[test]
fn svg_states_its_size_and_escapes_its_title() {
    let file = svg(&scene(vec![words("Ab", (30.0, 20.0), false)])).unwrap();
    assert!(file.starts_with("<svg width=\"60\" height=\"40\" viewBox=\"0 0 1200 800\""));
    assert!(file.contains("<title>a &lt; b &amp; c</title>"));
    assert!(!file.contains("<text"), "texts are outlines");
    assert!(file.trim_end().ends_with("</svg>"));
}

#[test]
fn same_scene_same_bytes() {
    let picture = scene(vec![words("Depth", (30.0, 20.0), true)]);
    assert_eq!(svg(&picture).unwrap(), svg(&picture).unwrap());
    assert_eq!(png(&picture).unwrap(), png(&picture).unwrap());
}
