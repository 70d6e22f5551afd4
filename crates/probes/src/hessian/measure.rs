//! The instrument: eigenvalues, trace and density of one network, as two tables.

use reslab_results::{Cell, Table, TableError, schema};

use super::density::{self, Density};
use super::extremes::{Eigenvalue, ExtremeSettings, extremes};
use super::operator::{LossHessian, MeanLoss, Precision, Slope};
use super::settings::{HessianSettings, Mode};
use super::trace;
use crate::lanczos::{dot, norm};
use crate::subject::{ProbeError, Set, Subject, Watch};

/// One number that is found.
struct Found {
    quantity: &'static str,
    rank: Option<usize>,
    value: f64,
    error: f64,
    converged: Option<bool>,
    gradient_share: Option<f64>,
    products: usize,
}

/// Measures: the tables `hessian` and `hessian_density`.
pub fn measure(
    settings: &HessianSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Table>, ProbeError> {
    let split = settings.set.of(subject.dataset);
    let mut hessian = LossHessian::new(MeanLoss {
        network: subject.network,
        parameters: subject.parameters,
        state: subject.state,
        split,
        samples: settings.samples.of(split.len),
        loss: subject.train.loss.loss(),
        mode: settings.mode.of_executor(),
        batch_size: settings.batch_size,
        coordinates: settings.parameters,
        precision: settings.precision,
    });
    let total = hessian.batches() * (1 + products(settings, hessian.dimension()));
    let mut done = 0;
    let mut poll = || {
        done = (done + 1).min(total);
        watch.at(done, total)
    };
    let slope = hessian.slope(&mut poll)?;
    let dimension = hessian.dimension();
    let seed = subject.seed;
    // The lower end, deep in the bulk, takes many products from wherever one starts.
    let near = match (settings.top, settings.bottom) {
        (1.., 0) => hessian.near_top(&slope, settings.top, seed, &mut poll)?,
        _ => slope.gradient.clone(),
    };
    let mut operator =
        |vector: &[f64], product: &mut [f64]| hessian.product(vector, product, &mut poll);
    let mut found = Vec::new();
    if settings.top + settings.bottom > 0 {
        let wanted = ExtremeSettings {
            top: settings.top,
            bottom: settings.bottom,
            tolerance: settings.tolerance,
            max_products: settings.max_steps,
            vectors: true,
        };
        let ends = extremes(&mut operator, dimension, Some(&near), &wanted, seed)?;
        let sides = [("top", &ends.top), ("bottom", &ends.bottom)];
        for (quantity, side) in sides {
            let rows = side.iter().enumerate();
            found.extend(rows.map(|(rank, eigenvalue)| Found {
                quantity,
                rank: Some(rank + 1),
                value: eigenvalue.value,
                error: eigenvalue.residual,
                converged: Some(eigenvalue.converged),
                gradient_share: gradient_share(eigenvalue, &slope),
                products: ends.products,
            }));
        }
    }
    if let Some(asked) = &settings.trace {
        let trace = trace::trace(&mut operator, dimension, asked.draws, seed)?;
        found.push(Found {
            quantity: "trace",
            rank: None,
            value: trace.value,
            error: trace.error,
            converged: None,
            gradient_share: None,
            products: trace.draws,
        });
    }
    let mut densities = Table::new(schema::hessian_density());
    if let Some(asked) = &settings.density {
        let size = (asked.draws, asked.steps);
        let quadrature = density::quadrature(&mut operator, dimension, size, seed)?;
        if let Some(density) = quadrature.smoothed(asked.points, asked.width) {
            add_density(&mut densities, subject, settings, &density)?;
        }
    }
    let mut table = Table::new(schema::hessian());
    for row in &found {
        add(&mut table, subject, settings, (&hessian, &slope), row)?;
    }
    Ok(vec![table, densities])
}

/// Products at most.
fn products(settings: &HessianSettings, dimension: usize) -> usize {
    let ends = match settings.top + settings.bottom {
        0 => 0,
        _ => settings.max_steps.min(dimension),
    };
    let trace = settings.trace.as_ref().map_or(0, |trace| trace.draws);
    let density = settings.density.as_ref();
    ends + trace + density.map_or(0, |d| d.draws * d.steps.min(dimension))
}

/// Squared cosine between the eigenvector and the gradient.
fn gradient_share(eigenvalue: &Eigenvalue, slope: &Slope) -> Option<f64> {
    let vector = eigenvalue.vector.as_ref()?;
    let length = norm(&slope.gradient);
    (length > 0.0).then(|| (dot(vector, &slope.gradient) / length).powi(2))
}

fn add(
    table: &mut Table,
    subject: &Subject<'_>,
    settings: &HessianSettings,
    (hessian, slope): (&LossHessian<'_>, &Slope),
    found: &Found,
) -> Result<(), TableError> {
    table.push_named([
        ("run_id", subject.run_id.into()),
        ("epoch", subject.epoch.into()),
        ("quantity", found.quantity.into()),
        ("rank", found.rank.into()),
        ("value", found.value.into()),
        ("error", found.error.into()),
        ("converged", found.converged.map_or(Cell::Null, Cell::from)),
        ("gradient_share", found.gradient_share.into()),
        ("products", found.products.into()),
        ("loss", slope.loss.into()),
        ("gradient_norm", norm(&slope.gradient).into()),
        ("dimension", hessian.dimension().into()),
        ("samples", hessian.samples().into()),
        ("set", set_name(settings.set).into()),
        ("mode", mode_name(settings.mode).into()),
        ("batch_size", settings.batch_size.into()),
        ("tolerance", settings.tolerance.into()),
        ("precision", precision_name(settings.precision).into()),
    ])
}

fn set_name(set: Set) -> &'static str {
    match set {
        Set::Train => "train",
        Set::Test => "test",
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Evaluation => "evaluation",
        Mode::Training => "training",
    }
}

fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    }
}

fn add_density(
    table: &mut Table,
    subject: &Subject<'_>,
    settings: &HessianSettings,
    density: &Density,
) -> Result<(), TableError> {
    let (draws, steps) = settings
        .density
        .as_ref()
        .map_or((0, 0), |d| (d.draws, d.steps));
    for (point, eigenvalue) in density.eigenvalues.iter().enumerate() {
        table.push_named([
            ("run_id", subject.run_id.into()),
            ("epoch", subject.epoch.into()),
            ("eigenvalue", (*eigenvalue).into()),
            ("density", density.density[point].into()),
            (
                "density_se",
                Some(density.error[point]).filter(|_| draws > 1).into(),
            ),
            ("kernel_width", density.width.into()),
            ("draws", draws.into()),
            ("steps", steps.into()),
        ])?;
    }
    Ok(())
}
