//! Lesions: what a trained network still knows when blocks are deleted or reordered (Veit, Wilber,
//! Belongie 2016, section 4).
//!
//! The network is edited ([`without`](reslab_nn::network::Network::without),
//! [`reordered`](reslab_nn::network::Network::reordered)) and evaluated with the
//! parameters it has; nothing is trained again. Of a residual block the branches go and the shortcut
//! stays, of a plain block everything goes, which is possible where the block keeps its shape.
//!
//! | `kind` | lesion | in the paper |
//! |--------|--------|--------------|
//! | `none` | the whole network | the baseline |
//! | `delete` | one block, each in turn | section 4.1, Fig. 3 |
//! | `delete-layer` | one layer of a branch, with its batch norm and nonlinearity | the same on VGG |
//! | `delete-random` | k random blocks | section 4.2, Fig. 5 (a) |
//! | `reorder` | k swaps of two random blocks of a stage | section 4.3, Fig. 5 (b) |
//!
//! As a control every lesion can be done again with the batch norms' running statistics estimated
//! anew for the network that is left: what damage goes away was that of statistics which belong to
//! another network.

mod edits;
mod settings;
mod study;
#[cfg(test)]
mod tests;

use reslab_nn::data::Targets;
use reslab_nn::engine::BatchResult;
use reslab_nn::network::Block;
use reslab_results::{Cell, Table, schema};

use crate::subject::{ProbeError, Subject, Watch};
use edits::{Edit, Lesion};
use study::pieces;

pub use edits::kendall_tau;
pub use settings::{LesionSettings, RandomSettings, ReorderSettings};

/// Does the study: the whole network first, then each lesion; then all again with statistics
/// estimated anew, if that is asked for.
pub fn measure(
    settings: &LesionSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Table, ProbeError> {
    let lesions = edits::lesions(settings, subject.network, subject.seed);
    let split = settings.set.of(subject.dataset);
    let total = settings.samples.unwrap_or(split.len).min(split.len);
    if total == 0 {
        return Err(ProbeError::Unusable(
            "The lesions' set is empty.".to_owned(),
        ));
    }
    let train = &subject.dataset.train;
    let again = settings.reestimate.map(|samples| samples.min(train.len));
    let once = pieces(lesions.len(), total);
    let all = once + again.map_or(0, |samples| once + pieces(lesions.len(), samples));
    let mut done = 0;
    let mut poll = || {
        done += 1;
        watch.at(done, all)
    };
    let mut table = Table::new(schema::lesion());
    let kept = |_: usize| subject.state;
    let found = study::evaluate(subject, &lesions, &kept, (split, total), &mut poll)?;
    add(&mut table, subject, &lesions, ("kept", &found[..], total))?;
    if let Some(samples) = again {
        let states = study::statistics(subject, &lesions, (train, samples), &mut poll)?;
        let new = |lesion: usize| states[lesion].as_slice();
        let found = study::evaluate(subject, &lesions, &new, (split, total), &mut poll)?;
        add(
            &mut table,
            subject,
            &lesions,
            ("re-estimated", &found[..], total),
        )?;
    }
    Ok(table)
}

/// The rows of all lesions with one kind of statistics.
fn add(
    table: &mut Table,
    subject: &Subject<'_>,
    lesions: &[Lesion],
    (statistics, found, total): (&str, &[BatchResult], usize),
) -> Result<(), ProbeError> {
    let classes = matches!(subject.dataset.train.targets, Targets::Classes(_));
    let share = |wrong: usize| classes.then(|| wrong as f64 / total as f64);
    let whole = found.first().and_then(|result| share(result.wrong));
    for (lesion, result) in lesions.iter().zip(found) {
        let (edit, error) = (&lesion.edit, share(result.wrong));
        let block = match (lesion.kind, edit) {
            ("delete", Edit::Blocks(blocks)) => blocks.first().copied(),
            _ => edit.block(),
        };
        let of = |part: fn(&Block) -> Cell| {
            block.map_or(Cell::Null, |index| part(&subject.network.blocks[index]))
        };
        let name: Cell = match edit {
            Edit::Layers { name, .. } => name.as_str().into(),
            _ => of(|block| block.name.as_str().into()),
        };
        let tau = match edit {
            Edit::Order(order) => Some(kendall_tau(order)),
            _ => None,
        };
        table.push_named([
            ("run_id", subject.run_id.into()),
            ("epoch", subject.epoch.into()),
            ("kind", lesion.kind.into()),
            ("statistics", statistics.into()),
            ("stage", of(|block| block.stage.into())),
            ("block", block.into()),
            ("name", name),
            ("downsampling", of(|block| block.is_downsampling().into())),
            ("k", lesion.k.into()),
            ("sample", lesion.sample.into()),
            ("blocks", blocks(edit)),
            ("kendall_tau", tau.into()),
            ("wrong", result.wrong.into()),
            ("total", total.into()),
            ("loss", (result.loss_sum / total as f64).into()),
            ("error", error.into()),
            (
                "error_increase",
                error.zip(whole).map(|(error, whole)| error - whole).into(),
            ),
        ])?;
    }
    Ok(())
}

/// The blocks deleted, or all in their new order.
fn blocks(edit: &Edit) -> Cell {
    match edit {
        Edit::Blocks(blocks) | Edit::Order(blocks) => {
            let names: Vec<String> = blocks.iter().map(ToString::to_string).collect();
            names.join(" ").as_str().into()
        }
        Edit::Layers { block, .. } => block.to_string().as_str().into(),
        Edit::None => Cell::Null,
    }
}
