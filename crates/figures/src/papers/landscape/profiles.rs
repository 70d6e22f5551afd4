//! Loss and error along lines: through the network in random directions, or on to another network
//! (Li et al. 2018, Figs 2 and 3).

use std::collections::{BTreeMap, BTreeSet};

use super::{Cut, Study, by_cut, direction, set_name, suffix};
use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::theme::{self, Rgb};

/// From this ratio of highest to lowest on the axis of losses is logarithmic.
const LOG_FROM: f64 = 50.0;
/// How far a single line's colour lies from white.
const FAINT: f64 = 0.35;
const FAINT_WIDTH: f64 = 0.8;

/// One line through a network.
pub(super) type Curve = Vec<(f64, f64)>;
/// Plain or residual, and the set.
type Kind = (bool, String);

/// Curves of loss and of error of one kind of network on one set.
#[derive(Default)]
struct Curves {
    loss: Vec<Curve>,
    error: Vec<Curve>,
}

/// A row of panels: networks of one size, with one kind of statistics.
type Rows = BTreeMap<(i64, String, String), BTreeMap<Kind, Curves>>;

pub(super) fn figures(study: &Study<'_>, figures: &mut Vec<Named>) {
    for (surface, name) in [
        ("line", "landscape-profiles"),
        ("interpolation", "landscape-interpolation"),
    ] {
        let mut cuts: BTreeMap<Cut, Vec<Cut>> = BTreeMap::new();
        let all: Vec<Cut> = by_cut(&study.sheets, surface).into_keys().collect();
        for cut in &all {
            let other_samples = |other: &Cut| {
                other.samples != cut.samples
                    && Cut {
                        samples: cut.samples,
                        ..other.clone()
                    } == *cut
            };
            // Means over lines are over those of as many samples.
            let apart = all.iter().any(other_samples);
            let shared = Cut {
                set: String::new(),
                draw: 0,
                samples: if apart { cut.samples } else { 0 },
                ..cut.clone()
            };
            cuts.entry(shared).or_default().push(cut.clone());
        }
        for (shared, cuts) in cuts {
            let mut suffix = suffix(&shared, &study.sheets);
            if shared.samples > 0 {
                suffix = format!("{suffix}-{}-samples", shared.samples);
            }
            figures.push((format!("{name}{suffix}"), figure(study, &shared, &cuts)));
        }
    }
}

fn figure(study: &Study<'_>, shared: &Cut, cuts: &[Cut]) -> Result<Figure, String> {
    let rows = read(study, cuts);
    let all = |error: bool| {
        let kinds = rows.values().flat_map(BTreeMap::values);
        let curves = kinds.flat_map(move |c| if error { &c.error } else { &c.loss });
        curves.flatten().copied()
    };
    let finite: Vec<(f64, f64)> = all(false).filter(|p| p.1.is_finite()).collect();
    let places: BTreeSet<u64> = finite.iter().map(|p| p.0.to_bits()).collect();
    if places.len() < 2 {
        return Err("no line has two points with a finite loss".into());
    }
    let between = shared.surface == "interpolation";
    let x = direction(
        if between {
            "Place between the networks"
        } else {
            "Place along the line"
        },
        finite.iter().map(|p| p.0),
    );
    let losses = loss_axis(&finite);
    let errors: Vec<f64> = all(true).map(|p| p.1).filter(|v| v.is_finite()).collect();
    let highest = errors.iter().copied().fold(0.0, f64::max);
    let panels = rows.iter().map(|((_, size, statistics), kinds)| {
        let several = rows.len() > 1;
        let panel = |name: &str, y: Axis, curves: fn(&Curves) -> &Vec<Curve>| {
            let mut layers = if between { ends(&y) } else { Vec::new() };
            for ((residual, set), all) in kinds {
                layers.extend(lines(
                    curves(all),
                    theme::kind_color(*residual),
                    set == "test",
                ));
            }
            let title = match (several, statistics.as_str()) {
                (false, _) => name.to_owned(),
                (true, "") => format!("{name}: {size}"),
                (true, _) => format!("{name}: {size}, statistics {statistics}"),
            };
            Panel {
                title,
                x: x.clone(),
                y,
                layers,
            }
        };
        let mut row = vec![panel("Loss", losses.clone(), |c| &c.loss)];
        if !errors.is_empty() {
            row.push(panel(
                "Error",
                Axis::percent("Error (%)", 0.0, (1.05 * highest).clamp(0.01, 1.0)),
                |c| &c.error,
            ));
        }
        row
    });
    Ok(Figure {
        title: "Loss and error along lines through each network".into(),
        rows: panels.collect(),
        panel_size: (300.0, 200.0),
        legend: legend(&rows),
        notes: notes(
            study,
            shared,
            cuts,
            all(false).filter(|p| !p.1.is_finite()).count(),
        ),
    })
}

fn read(study: &Study<'_>, cuts: &[Cut]) -> Rows {
    let mut rows = Rows::new();
    for (key, sheet) in study
        .sheets
        .iter()
        .filter(|(key, _)| cuts.contains(&key.cut))
    {
        let network = &study.networks.all[key.run];
        let row = (network.depth, network.size.clone(), key.statistics.clone());
        let kinds = rows.entry(row).or_default();
        let curves = kinds
            .entry((network.residual, key.cut.set.clone()))
            .or_default();
        let curve = |index: usize| -> Curve {
            let grid = &sheet.grids[index];
            grid.xs
                .iter()
                .copied()
                .zip(grid.values.iter().copied())
                .collect()
        };
        curves.loss.push(curve(0));
        if sheet.grids[1].range().is_some() {
            curves.error.push(curve(1));
        }
    }
    rows
}

pub(super) fn loss_axis(points: &[(f64, f64)]) -> Axis {
    let high = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
    let low = points.iter().map(|p| p.1).fold(f64::MAX, f64::min);
    if low > 0.0 && high / low > LOG_FROM {
        return Axis::log("Loss", 0.8 * low, 1.25 * high);
    }
    Axis::linear("Loss", low.min(0.0), nice_above(high))
}

/// The two networks of an interpolation.
fn ends(y: &Axis) -> Vec<Layer> {
    let upright = |x: f64| Layer::Line {
        points: vec![(x, y.low), (x, y.high)],
        color: theme::QUIET,
        width: theme::THIN_WIDTH,
        dashed: true,
    };
    vec![upright(0.0), upright(1.0)]
}

/// Every curve faint where there are several, their mean over it; gaps where there is no value.
pub(super) fn lines(curves: &[Curve], color: Rgb, dashed: bool) -> Vec<Layer> {
    let line = |points: Curve, color, width| Layer::Line {
        points,
        color,
        width,
        dashed,
    };
    let mut layers = Vec::new();
    if curves.len() > 1 {
        let faint = theme::mixed((255, 255, 255), color, FAINT);
        for curve in curves {
            layers.extend(
                pieces(curve)
                    .into_iter()
                    .map(|piece| line(piece, faint, FAINT_WIDTH)),
            );
        }
    }
    layers.extend(
        pieces(&mean(curves))
            .into_iter()
            .map(|piece| line(piece, color, theme::LINE_WIDTH)),
    );
    layers
}

/// The mean at each place that every curve has.
fn mean(curves: &[Curve]) -> Curve {
    let mut sums: BTreeMap<u64, (f64, f64, usize)> = BTreeMap::new();
    for &(x, value) in curves.iter().flatten() {
        // Places in order: the sign is folded into the bits.
        let bits = x.to_bits();
        let order = if x < 0.0 { !bits } else { bits | (1 << 63) };
        let entry = sums.entry(order).or_insert((x, 0.0, 0));
        entry.1 += value;
        entry.2 += 1;
    }
    let whole = sums
        .into_values()
        .filter(|(_, _, count)| *count == curves.len());
    whole
        .map(|(x, sum, count)| (x, sum / count as f64))
        .collect()
}

/// A curve cut at values that are not finite.
fn pieces(curve: &[(f64, f64)]) -> Vec<Curve> {
    let pieces = curve.split(|p| !p.1.is_finite());
    pieces
        .filter(|piece| piece.len() > 1)
        .map(<[_]>::to_vec)
        .collect()
}

fn legend(rows: &Rows) -> Vec<Section> {
    let kinds: BTreeSet<&Kind> = rows.values().flat_map(BTreeMap::keys).collect();
    // The training set, which is drawn solid, first.
    let mut kinds: Vec<&Kind> = kinds.into_iter().collect();
    kinds.sort_by_key(|(residual, set)| (*residual, set == "test"));
    let entries = kinds.into_iter().map(|(residual, set)| {
        let network = if *residual { "residual" } else { "plain" };
        Entry {
            sample: Sample::Line {
                color: theme::kind_color(*residual),
                dashed: set == "test",
            },
            label: format!("{network}, {}", set_name(set)),
        }
    });
    vec![Section {
        heading: "Networks".into(),
        entries: entries.collect(),
    }]
}

fn notes(study: &Study<'_>, shared: &Cut, cuts: &[Cut], missing: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if shared.surface == "interpolation" {
        notes.push(
            "On the straight line from the network (0) to another (1): dashed lines.".to_owned(),
        );
    } else {
        let normalised = match shared.normalisation.as_deref() {
            Some("none") | None => "without normalisation".to_owned(),
            Some(kind) => format!("normalised by {kind}"),
        };
        let draws: BTreeSet<i64> = cuts.iter().map(|cut| cut.draw).collect();
        notes.push(match draws.len() {
            1 => format!("Along one random direction {normalised} from the network at 0."),
            n => format!(
                "Along {n} random directions {normalised} from the network at 0: each faint, the \
                 mean bold."
            ),
        });
    }
    let samples: BTreeSet<(&str, i64)> = cuts
        .iter()
        .map(|cut| (cut.set.as_str(), cut.samples))
        .collect();
    let samples = samples
        .iter()
        .map(|(set, n)| format!("{n} samples of the {}", set_name(set)));
    let samples = samples.collect::<Vec<_>>().join(", ");
    let kinds =
        super::sheets::statistics(study.sheets.keys().filter(|key| cuts.contains(&key.cut)));
    let kinds = kinds
        .into_iter()
        .filter(|kind| !kind.is_empty())
        .collect::<Vec<_>>()
        .join(" and ");
    notes.push(format!("Evaluated on {samples}."));
    if !kinds.is_empty() {
        notes.push(format!("Batch norms' running statistics {kinds}."));
    }
    if missing > 0 {
        notes.push(format!("{missing} points have no finite loss: gaps."));
    }
    notes.extend(study.networks.notes.iter().cloned());
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_all_curves_in_order_of_place() {
        let curves = [
            vec![(-1.0, 4.0), (0.0, 1.0), (0.5, 2.0)],
            vec![(-1.0, 2.0), (0.0, 3.0)],
        ];
        assert_eq!(mean(&curves), [(-1.0, 3.0), (0.0, 2.0)]);
        assert_eq!(mean(&[vec![(-2.0, 1.0), (-1.0, 1.0), (3.0, 1.0)]]).len(), 3);
    }

    #[test]
    fn curves_break_at_values_that_are_not_finite() {
        let curve = vec![
            (0.0, 1.0),
            (1.0, 2.0),
            (2.0, f64::NAN),
            (3.0, 1.0),
            (4.0, f64::INFINITY),
        ];
        assert_eq!(pieces(&curve), [vec![(0.0, 1.0), (1.0, 2.0)]]);
    }
}
