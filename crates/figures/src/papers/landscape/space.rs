//! Surfaces in three dimensions (Li et al. 2018, Figs 1 and 4).

use super::scale::Scale;
use super::{ACROSS, Cut, Panels, cut_note, direction, fitted, with_panels};
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};

pub(super) fn figure(panels: &Panels<'_>, cut: &Cut) -> Result<Figure, String> {
    panels.ready()?;
    let grids = &panels.shared;
    let scale = Scale::of(grids);
    let x = direction("x", grids.iter().flat_map(|g| g.xs.iter().copied()));
    let y = direction("y", grids.iter().flat_map(|g| g.ys.iter().copied()));
    let size = if panels.across() >= ACROSS {
        (265.0, 220.0)
    } else {
        (330.0, 270.0)
    };
    let several = super::sheets::statistics(
        panels
            .rows
            .iter()
            .flat_map(|(_, row)| row.iter().map(|p| p.key)),
    )
    .len()
        > 1;
    let rows = panels.rows.iter().map(|(statistics, places)| {
        let mut z = scale.axis.clone();
        if several {
            z.label = format!("Loss (statistics {statistics})");
        }
        let panel = |place: &super::Place<'_>| Panel {
            title: fitted(&place.title, size.0),
            x: x.clone(),
            y: y.clone(),
            layers: vec![Layer::Space {
                surface: place.grid.clone(),
                z: z.clone(),
            }],
        };
        places.iter().map(panel).collect()
    });
    let mut figure = with_panels("The loss surface around each network", rows.collect(), size);
    figure.legend = vec![Section {
        heading: "Loss".into(),
        entries: vec![Entry {
            sample: Sample::ColorBar {
                low: scale.axis.low,
                high: scale.axis.high,
                log: scale.axis.log,
            },
            label: String::new(),
        }],
    }];
    figure.notes = vec![cut_note(cut, "Loss")];
    figure.notes.push(
        if scale.axis.log {
            "Logarithmic height."
        } else {
            "Linear height."
        }
        .into(),
    );
    if scale.clipped {
        figure
            .notes
            .push("What is higher than 10 is cut off flat, as in the paper.".into());
    }
    figure.notes.extend(panels.notes());
    Ok(figure)
}
