//! The page: template, style, scripts and data in one file.

use serde::Serialize;

use super::Surface;
use crate::contours::Grid;
use crate::papers::landscape::scale::Scale;
use crate::papers::landscape::trajectory::Step;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPTS: [&str; 3] = [
    include_str!("page/scene.js"),
    include_str!("page/page.js"),
    include_str!("page/selftest.js"),
];

#[derive(Serialize)]
struct Data {
    surfaces: Vec<Entry>,
    /// Places of those shown at first, left and right.
    first: Vec<usize>,
    log: bool,
    cap: Option<f64>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    network: String,
    about: String,
    labels: [String; 2],
    x: Vec<f64>,
    y: Vec<f64>,
    /// Row by row, x fastest; null where not finite.
    loss: Vec<f64>,
    path: Option<Vec<Step>>,
}

pub(super) fn html(surfaces: &[Surface<'_>]) -> String {
    let grids: Vec<&Grid> = surfaces.iter().map(|surface| surface.loss).collect();
    let scale = Scale::of(&grids);
    let data = Data {
        surfaces: surfaces.iter().map(entry).collect(),
        first: first(surfaces),
        log: scale.axis.log,
        cap: scale.clipped.then_some(scale.axis.high),
    };
    // Plain data: serialising it cannot fail. Within a script, "</" would end it.
    let data = serde_json::to_string(&data)
        .unwrap_or_default()
        .replace("</", "<\\/");
    TEMPLATE
        .replace("{{style}}", STYLE)
        .replace("{{script}}", &SCRIPTS.concat())
        .replace("{{data}}", &data)
}

fn entry(surface: &Surface<'_>) -> Entry {
    Entry {
        name: surface.name.clone(),
        network: surface.network.clone(),
        about: surface.about.clone(),
        labels: surface.labels.clone(),
        x: surface.loss.xs.clone(),
        y: surface.loss.ys.clone(),
        loss: surface.loss.values.clone(),
        path: surface.path.as_ref().map(|path| path.steps.clone()),
    }
}

/// Of the networks with the first surface's cut and statistics the last plain one beside the last
/// residual one: the deepest.
fn first(surfaces: &[Surface<'_>]) -> Vec<usize> {
    let Some(one) = surfaces.first() else {
        return Vec::new();
    };
    let last = |residual: bool| {
        surfaces.iter().rposition(|other| {
            other.residual == residual
                && other.key.cut == one.key.cut
                && other.key.statistics == one.key.statistics
        })
    };
    [last(false), last(true)].into_iter().flatten().collect()
}
