//! The tables reslab writes, column by column, with units and meanings.
//!
//! `docs/tables.md` is printed from here ([`markdown`]); a test keeps it current.

mod epochs;
mod expressivity;
mod gradients;
mod hessian;
mod identity;
mod jacobian;
mod jacobian_theory;
mod landscape;
mod layers;
mod lesion;
mod paths;
mod runs;
mod settings;
mod sharpness;
mod shattering;
mod smoothness;
#[cfg(test)]
mod tests;
mod timings;

pub use epochs::epochs;
pub use expressivity::expressivity;
pub use gradients::gradients;
pub use hessian::{hessian, hessian_density};
pub use identity::identity;
pub use jacobian::{jacobian, jacobian_exponents, jacobian_values};
pub use jacobian_theory::{jacobian_density, jacobian_theory};
pub use landscape::{landscape, landscape_curvature, trajectory};
pub use layers::layers;
pub use lesion::lesion;
pub use paths::{path_summary, paths};
pub use runs::{
    DEFAULT_METRICS, LOSS_METRICS, is_instrument_setting, is_setting, runs, runs_fixed,
};
pub use settings::{Settings, flatten};
pub use sharpness::sharpness;
pub use shattering::shattering;
pub use smoothness::smoothness;
pub use timings::timings;

use std::fmt::Write;

use crate::table::{ColumnSpec, Schema};

/// Version of the tables: raised when a column changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// Every table, in the order they are documented. `runs` without its settings columns.
pub fn all() -> Vec<Schema> {
    let mut all = vec![runs_fixed(), epochs(), layers(), timings()];
    all.extend(instruments());
    all
}

/// The tables of instruments, which are there where an experiment has used them.
pub fn instruments() -> Vec<Schema> {
    vec![
        lesion(),
        paths(),
        path_summary(),
        identity(),
        expressivity(),
        gradients(),
        shattering(),
        landscape(),
        landscape_curvature(),
        trajectory(),
        jacobian(),
        jacobian_values(),
        jacobian_exponents(),
        jacobian_theory(),
        jacobian_density(),
        hessian(),
        hessian_density(),
        smoothness(),
        sharpness(),
    ]
}

/// The schema of the table called `name`.
pub fn by_name(name: &str) -> Option<Schema> {
    all().into_iter().find(|schema| schema.name == name)
}

/// One line on what a row of the table is.
fn row_meaning(name: &str) -> &'static str {
    match name {
        "runs" => {
            "One row a run. Every setting is a column too, named by its dotted path with `_` for \
             the dots (`train.lr` is `train_lr`; lists are JSON text), between `status` and the \
             final metrics."
        }
        "epochs" => "One row a run and epoch; epoch 0 is the network before training.",
        "layers" => {
            "One row a run, epoch and block (`kind` = `block`) or layer (`kind` = `layer`), \
             measured on a fixed batch of the training set."
        }
        "timings" => {
            "One row a run and epoch: the only table with wall-clock time and the machine in it, \
             and the only one that differs between two executions."
        }
        "identity" => "One row a run, epoch and block (`probes.identity`).",
        "expressivity" => {
            "One row a run, epoch and network built from the run's (`probes.expressivity`)."
        }
        "paths" => "One row a run, epoch and length of path (`probes.paths`).",
        "path_summary" => {
            "One row a run, epoch and way to measure the profile over lengths (`probes.paths`)."
        }
        "lesion" => "One row a run, epoch, kind of statistics and lesion (`probes.lesion`).",
        "gradients" => {
            "One row a run, epoch and place: the stem's output, each block's, and the fit over all \
             of them (`probes.gradients`)."
        }
        "landscape" => {
            "One row a run, epoch, surface, kind of statistics, set and point (`probes.landscape`)."
        }
        "landscape_curvature" => {
            "One row a run, epoch, surface and point at which the Hessian was looked at \
             (`probes.landscape`)."
        }
        "trajectory" => {
            "One row a run and snapshot of its training (`probes.landscape.trajectory`)."
        }
        "jacobian" => {
            "One row a run, epoch, sample and Jacobian: of a block or of a product of blocks \
             (`probes.jacobian`)."
        }
        "jacobian_values" => {
            "One row a singular value or eigenvalue of a Jacobian (`probes.jacobian`)."
        }
        "jacobian_exponents" => {
            "One row a Lyapunov exponent of a product of blocks (`probes.jacobian`)."
        }
        "jacobian_theory" => {
            "One row a run, epoch, sample, product of blocks and law (`probes.jacobian`)."
        }
        "jacobian_density" => {
            "One row a run, epoch, sample, product of blocks, law and bin or outlier \
             (`probes.jacobian`)."
        }
        "shattering" => "One row a run, epoch and number of blocks (`probes.shattering`).",
        "hessian" => "One row a run, epoch and quantity (`probes.hessian`).",
        "hessian_density" => {
            "One row a run, epoch and point of the grid (`probes.hessian.density`)."
        }
        "smoothness" => {
            "One row a run, epoch, mini-batch and multiple of the learning rate \
             (`probes.smoothness`)."
        }
        "sharpness" => {
            "One row a run, epoch, rescaling of the weights, kind of perturbation, radius and draw \
             (`probes.sharpness`)."
        }
        _ => "",
    }
}

/// The documentation of all tables: what `docs/tables.md` holds.
pub fn markdown() -> String {
    let mut page = String::from(
        "# The tables\n\n\
         Each experiment leaves these Parquet files in `results/NAME/`. They are tidy, one row an \
         observation, and are joined by `run_id`. Units and meanings are also in the files \
         themselves, as JSON under the key `reslab.columns` of the Parquet metadata; the name and \
         version of the schema are under `reslab.schema` and `reslab.schema_version`, and \
         `reslab.sha256` is the SHA-256 of the file with 64 zeros in its own place. A missing \
         value is null; NaN and infinities are values that were measured. All tables but `timings` \
         are the same bytes however often and on however many threads an experiment is run.\n\n\
         This page is printed by `cargo run --release -p reslab-results --example tables_page`; a \
         test compares it.\n",
    );
    for schema in all() {
        let _ = writeln!(
            page,
            "\n## {}\n\n{}\n",
            schema.name,
            row_meaning(&schema.name)
        );
        page.push_str("| column | kind | unit | meaning |\n| --- | --- | --- | --- |\n");
        for ColumnSpec {
            name,
            kind,
            unit,
            meaning,
        } in &schema.columns
        {
            let _ = writeln!(page, "| `{name}` | {kind} | {unit} | {meaning} |");
        }
    }
    page
}
