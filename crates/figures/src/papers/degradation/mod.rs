//! He, Zhang, Ren and Sun (2015), *Deep Residual Learning*: the degradation of plain networks.
//!
//! - [`error_curves`]: error while training, plain beside residual (their Fig. 6);
//! - [`error_by_depth`]: final error against depth;
//! - [`layer_responses`]: standard deviation of the layers' responses (their Fig. 7).

mod by_depth;
mod curves;
mod responses;
#[cfg(test)]
mod tests;

pub use by_depth::error_by_depth;
pub use curves::error_curves;
pub use responses::layer_responses;

use crate::plots::{Entry, Sample, Section};
use crate::scene::Shape;
use crate::study::Group;
use crate::theme;

/// How a diverged run is marked.
const CROSS_RADIUS: f64 = 4.0;

fn kind_name(residual: bool) -> &'static str {
    if residual { "residual" } else { "plain" }
}

/// The kinds of network of a group, plain first.
fn kinds(group: &Group) -> Vec<bool> {
    [false, true]
        .into_iter()
        .filter(|&residual| group.runs.iter().any(|run| run.residual == residual))
        .collect()
}

/// The colour of a depth, the same in all panels and figures of a group.
fn depth_color(group: &Group, depth: i64) -> theme::Rgb {
    let depths = group.depths();
    let index = depths.iter().position(|d| *d == depth).unwrap_or(0);
    theme::ordered_color(index, depths.len())
}

/// The legend's section with one colour a depth.
fn depth_section(group: &Group) -> Section {
    let heading = match group.unit {
        "blocks" => "Blocks",
        _ => "Layers",
    };
    let entries = group.depths().into_iter().map(|depth| Entry {
        sample: Sample::Line {
            color: depth_color(group, depth),
            dashed: false,
        },
        label: depth.to_string(),
    });
    Section {
        heading: heading.into(),
        entries: entries.collect(),
    }
}

/// The legend's entry for diverged runs.
fn diverged_entry() -> Entry {
    Entry {
        sample: Sample::Mark {
            shape: Shape::Cross,
            color: theme::INK,
            radius: CROSS_RADIUS,
            opacity: 1.0,
            line: false,
        },
        label: "diverged".into(),
    }
}

/// `3 seeds`, `2 to 3 seeds`.
fn seeds(group: &Group) -> String {
    match group.seeds() {
        (1, 1) => "one seed".into(),
        (least, most) if least == most => format!("{most} seeds"),
        (least, most) => format!("{least} to {most} seeds"),
    }
}

/// What the notes of every figure end with: the settings, what differs, what is left out.
fn common_notes(group: &Group) -> Vec<String> {
    let mut notes = Vec::new();
    if !group.label.is_empty() {
        notes.push(format!("Runs with {}.", group.label));
    }
    notes.extend(group.caveats.iter().cloned());
    match group.failed {
        0 => {}
        1 => notes.push("One run failed and is left out.".into()),
        n => notes.push(format!("{n} runs failed and are left out.")),
    }
    notes
}

/// Mean, lowest and highest of values.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let low = values.iter().copied().fold(f64::MAX, f64::min);
    let high = values.iter().copied().fold(f64::MIN, f64::max);
    (mean, low, high)
}
