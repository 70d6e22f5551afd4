//! Standard deviation of the layers' responses (He et al. 2015, Fig. 7): in order of the layers
//! above, sorted below.
//!
//! A response is a layer's output after batch norm and before activation and addition; with batch
//! statistics its deviation is the learned scale of the batch norm, √(mean γ² + var β).

use std::collections::BTreeMap;

use reslab_results::Table;

use super::{common_notes, depth_color, depth_section, kind_name, kinds, seeds, spread};
use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::study::Group;
use crate::tables::Tables;
use crate::theme;

/// A ratio of largest to smallest response above which the axis is logarithmic.
const LOG_FROM: f64 = 50.0;

/// The responses of the runs of one network: for each layer, one value a seed.
struct Responses {
    residual: bool,
    depth: i64,
    in_order: Vec<Vec<f64>>,
    sorted: Vec<Vec<f64>>,
}

/// The responses of every layer at the end of training.
pub fn layer_responses(tables: &Tables, group: &Group) -> Result<Figure, String> {
    let layers = tables.layers.as_ref().ok_or("there is no table 'layers'")?;
    for column in ["run_id", "epoch", "kind", "response_std"] {
        layers.index(column).map_err(|error| error.to_string())?;
    }
    let all = read(layers, group);
    let values: Vec<f64> = all
        .iter()
        .flat_map(|r| r.in_order.iter().flatten())
        .copied()
        .collect();
    if values.is_empty() {
        return Err("no finished run has layer responses (is `measure.layers` off?)".into());
    }
    let (_, low, high) = spread(&values);
    let y = if low > 0.0 && high / low > LOG_FROM {
        Axis::log("Std. of responses", low / 1.2, high * 1.2)
    } else {
        Axis::linear("Std. of responses", 0.0, nice_above(1.05 * high))
    };
    let rows = [
        (false, "Layer, in order"),
        (true, "Layer, sorted by response"),
    ]
    .into_iter()
    .map(|(sorted, x_label)| {
        kinds(group)
            .into_iter()
            .map(|residual| {
                let title = if sorted { "" } else { kind_name(residual) };
                panel(group, &all, (residual, sorted), (title, x_label), &y)
            })
            .collect()
    })
    .collect();
    Ok(Figure {
        title: "Standard deviation of layer responses, plain and residual networks".into(),
        rows,
        panel_size: (275.0, 155.0),
        legend: legend(group),
        notes: notes(group),
    })
}

fn read(layers: &Table, group: &Group) -> Vec<Responses> {
    let mut runs: BTreeMap<&str, (i64, Vec<f64>)> = BTreeMap::new();
    for row in layers
        .iter()
        .filter(|row| row.text("kind") == Some("layer"))
    {
        let std = row.real("response_std").filter(|value| value.is_finite());
        let (Some(id), Some(epoch), Some(std)) = (row.text("run_id"), row.integer("epoch"), std)
        else {
            continue;
        };
        let (latest, stds) = runs.entry(id).or_insert((epoch, Vec::new()));
        if epoch > *latest {
            (*latest, *stds) = (epoch, Vec::new());
        }
        if epoch == *latest {
            stds.push(std);
        }
    }
    let mut all: BTreeMap<(bool, i64), Responses> = BTreeMap::new();
    for run in group.runs.iter().filter(|run| !run.diverged) {
        let Some((_, stds)) = runs.get(run.id.as_str()) else {
            continue;
        };
        let responses = all
            .entry((run.residual, run.depth))
            .or_insert_with(|| Responses {
                residual: run.residual,
                depth: run.depth,
                in_order: Vec::new(),
                sorted: Vec::new(),
            });
        let mut sorted = stds.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        append(&mut responses.in_order, stds);
        append(&mut responses.sorted, &sorted);
    }
    all.into_values().collect()
}

/// Adds a run's values to the lists of its layers.
fn append(layers: &mut Vec<Vec<f64>>, values: &[f64]) {
    layers.resize(layers.len().max(values.len()), Vec::new());
    for (layer, value) in layers.iter_mut().zip(values) {
        layer.push(*value);
    }
}

fn panel(
    group: &Group,
    all: &[Responses],
    (residual, sorted): (bool, bool),
    (title, x_label): (&str, &str),
    y: &Axis,
) -> Panel {
    let longest = all.iter().map(|r| r.in_order.len()).max().unwrap_or(1);
    let mut bands = Vec::new();
    let mut lines = Vec::new();
    for responses in all.iter().filter(|r| r.residual == residual) {
        let layers = if sorted {
            &responses.sorted
        } else {
            &responses.in_order
        };
        let color = depth_color(group, responses.depth);
        let spreads: Vec<(f64, (f64, f64, f64))> = layers
            .iter()
            .enumerate()
            .map(|(index, values)| ((index + 1) as f64, spread(values)))
            .collect();
        if layers.iter().any(|values| values.len() > 1) {
            bands.push(Layer::Band {
                points: spreads
                    .iter()
                    .map(|&(x, (_, low, high))| (x, low, high))
                    .collect(),
                color,
            });
        }
        lines.push(Layer::Line {
            points: spreads.iter().map(|&(x, (mean, _, _))| (x, mean)).collect(),
            color,
            width: theme::LINE_WIDTH,
            dashed: false,
        });
    }
    Panel {
        title: title.into(),
        x: Axis::linear(x_label, 0.0, longest as f64 + 1.0),
        y: y.clone(),
        layers: bands.into_iter().chain(lines).collect(),
    }
}

fn legend(group: &Group) -> Vec<Section> {
    let mut sections = vec![depth_section(group)];
    if group.seeds().1 > 1 {
        sections.push(Section {
            heading: String::new(),
            entries: vec![Entry {
                sample: Sample::Band { color: theme::INK },
                label: "range of seeds".into(),
            }],
        });
    }
    sections
}

fn notes(group: &Group) -> Vec<String> {
    let mut notes = vec![
        "Output of each layer after its batch norm and before activation and addition, at the end of training."
            .to_string(),
    ];
    if group.seeds().1 > 1 {
        notes.push(format!(
            "Lines: mean over {}; bands: lowest to highest.",
            seeds(group)
        ));
    } else {
        notes.push("One seed.".into());
    }
    match group.diverged() {
        0 => {}
        1 => notes.push("One diverged run is left out.".into()),
        n => notes.push(format!("{n} diverged runs are left out.")),
    }
    notes.extend(common_notes(group));
    notes
}
