//! Training that was done already: a run that differs from a finished one only in its instruments
//! takes over that one's network, so that a changed instrument costs no training.
//!
//! A finished run without instruments is found by its own id. One with instruments leaves a note
//! under the id that it would have without them. Training ends in the same bits whenever it is
//! done, so the tables are those of a run that was trained anew.

use std::path::PathBuf;

use reslab_nn::data::Dataset;
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::network::Network;
use reslab_nn::train::{Outcome, Trained};
use reslab_probes::snapshots;
use reslab_results::{Lookup, Outcome as Recorded, RunId, RunRecord};
use serde_json::Value as Json;

use super::recorder::Rows;
use super::run::RunContext;

/// A network and the rows of its training.
pub struct Reused {
    pub trained: Trained,
    pub rows: Rows,
}

/// The network of a finished run with the same training, if there is one and every instrument of
/// this run waits for the end. What cannot be read is trained anew.
pub fn find(context: &RunContext<'_>, network: &Network, dataset: &Dataset) -> Option<Reused> {
    let config = &context.run.config;
    let last = config.train.epochs;
    if (0..last).any(|epoch| config.probes.is_due(epoch, last)) {
        return None;
    }
    let training = training(&context.run.identity);
    let key = RunId::of(&training).ok()?;
    let kept = context.store.paths().kept(&key);
    let missing = |epoch| !snapshots::path(&kept, epoch).is_file();
    if (0..=last).any(|epoch| config.probes.keeps(epoch, last) && missing(epoch)) {
        return None;
    }
    let noted = context.store.trained_as(&key);
    let others = std::iter::once(key).chain(noted);
    let mut others = others.filter(|id| *id != context.run.id);
    others.find_map(|id| take_over(context, &id, &training, network, dataset))
}

/// Where the instruments of a run keep what every run with the same training may use.
pub fn folder(context: &RunContext<'_>) -> Option<PathBuf> {
    let key = RunId::of(&training(&context.run.identity)).ok()?;
    Some(context.store.paths().kept(&key))
}

/// Leaves the note by which [`find`] finds this run. Without it the next one trains anew, so that
/// a failure to write it is none.
pub fn note(context: &RunContext<'_>) {
    if context.run.config.probes.is_empty() {
        return;
    }
    if let Ok(key) = RunId::of(&training(&context.run.identity)) {
        let _ = context.store.note_trained(&key, &context.run.id);
    }
}

/// The settings without the instruments.
fn training(identity: &Json) -> Json {
    let mut training = identity.clone();
    if let Some(settings) = training.as_object_mut() {
        settings.remove("probes");
    }
    training
}

fn take_over(
    context: &RunContext<'_>,
    id: &RunId,
    wanted: &Json,
    network: &Network,
    dataset: &Dataset,
) -> Option<Reused> {
    let Ok(Lookup::Finished(record)) = context.store.lookup(id) else {
        return None;
    };
    let same = RunId::of(&training(&record.config)).ok() == RunId::of(wanted).ok()
        && record.outcome == Recorded::Finished
        && record.metrics.dataset_checksum == dataset.checksum;
    if !same {
        return None;
    }
    let layout = &network.layout;
    let mut parameters = vec![0.0; layout.parameter_count()];
    let mut state = layout.initial_state();
    let weights = WeightsFile::read(&context.store.paths().parameters(id)).ok()?;
    weights
        .assign(network, Head::Keep, &mut parameters, &mut state)
        .ok()?;
    Some(Reused {
        trained: Trained {
            parameters,
            state,
            outcome: Outcome::Finished,
            total_steps: steps(&record)?,
        },
        rows: Rows::of_training(context, id, *record)?,
    })
}

/// Steps of the whole run.
fn steps(record: &RunRecord) -> Option<usize> {
    let epochs = record.table("epochs")?;
    let last = epochs.iter().last()?.integer("step")?;
    usize::try_from(last).ok()
}
