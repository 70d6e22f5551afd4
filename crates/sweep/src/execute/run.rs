//! One run: data, network, training with its observer, and the commit to the store.

use std::sync::Arc;
use std::time::Instant;

use reslab_nn::data::Dataset;
use reslab_nn::network::Network;
use reslab_nn::train::{self, Checkpoint, Outcome, Trained};
use reslab_nn::{export, families};
use reslab_probes::Subject;
use reslab_results::{Metrics, Outcome as Recorded, Provenance, RunRecord, Store};

use super::Sink;
use super::datasets::Datasets;
use super::probe;
use super::recorder::{Recorder, Rows};
use super::reuse::{self, Reused};
use crate::Event;
use crate::options::RunOptions;
use crate::plan::Run;

/// What a run is done with.
pub struct RunContext<'a> {
    /// Place in the plan.
    pub index: usize,
    /// The run.
    pub run: &'a Run,
    /// The choices of the caller.
    pub options: &'a RunOptions,
    /// Where the result goes.
    pub store: &'a Store,
    /// Threads of the pool it is done in.
    pub threads: usize,
    /// Where events go.
    pub sink: Sink<'a>,
    /// Whether to stop.
    pub stopped: &'a (dyn Fn() -> bool + Sync),
}

/// How a run ended.
pub enum End {
    /// It is in the store; the event says how it went.
    Complete(Event),
    /// It was told to stop, and goes on from its checkpoint next time.
    Interrupted,
}

/// Does a run, from its checkpoint if there is one. The error is a sentence.
pub fn run(context: &RunContext<'_>, datasets: &Datasets) -> Result<End, String> {
    let started = Instant::now();
    let config = &context.run.config;
    let dataset = datasets.get(&config.data)?;
    let network =
        families::build(&config.model, dataset.shape, dataset.outputs).map_err(sentence)?;
    let instruction_set = reslab_nn::engine::instruction_set();
    let provenance = Provenance::start(&instruction_set, context.threads, &dataset.checksum);

    let Some((trained, mut rows)) = train(context, &network, &dataset)? else {
        return Ok(End::Interrupted);
    };
    if trained.outcome == Outcome::Finished {
        let folder = reuse::folder(context);
        let evaluated = train::effective::evaluated(&network, &config.train);
        let subject = Subject {
            run_id: context.run.id.as_str(),
            epoch: config.train.epochs,
            network: &evaluated,
            parameters: &trained.parameters,
            state: &trained.state,
            dataset: &dataset,
            train: &config.train,
            seed: config.seed,
            folder: folder.as_deref(),
        };
        match probe::measure(context, &subject)? {
            Some(found) => rows.add_probes(found),
            None => return Ok(End::Interrupted),
        }
    }
    let metrics = commit(context, &network, &dataset, &trained, &rows, provenance)?;
    Ok(End::Complete(event(
        context,
        &trained,
        &metrics,
        started.elapsed().as_secs_f64(),
    )))
}

/// Trains the network, onwards from a checkpoint or not at all where another run has done it; its
/// rows so far. `None` if it was told to stop.
fn train(
    context: &RunContext<'_>,
    network: &Network,
    dataset: &Arc<Dataset>,
) -> Result<Option<(Trained, Rows)>, String> {
    let config = &context.run.config;
    let epochs = config.train.epochs;
    let (rows, checkpoint) = begun(context, dataset)?;
    let reused = match checkpoint {
        None => reuse::find(context, network, dataset),
        Some(_) => None,
    };
    let done = checkpoint
        .as_ref()
        .map_or(0, |c| c.next_epoch.saturating_sub(1));
    (context.sink)(Event::RunStarted {
        run: context.index,
        name: context.run.name.clone(),
        epochs,
        epochs_done: if reused.is_some() { epochs } else { done },
    });
    if let Some(Reused { trained, rows }) = reused {
        return Ok(Some((trained, rows)));
    }
    let mut recorder = Recorder::new(context, network, dataset, rows);
    let trained = train::train(
        network,
        dataset,
        &config.train,
        &config.init,
        config.seed,
        checkpoint,
        &mut recorder,
    )
    .map_err(sentence)?;
    let rows = recorder.finish()?;
    Ok((trained.outcome != Outcome::Interrupted).then_some((trained, rows)))
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Rows and checkpoint of an earlier attempt. A checkpoint that cannot be used costs time, not
/// the run: it is begun anew.
fn begun(
    context: &RunContext<'_>,
    dataset: &Arc<Dataset>,
) -> Result<(Rows, Option<Checkpoint>), String> {
    let path = context.store.paths().checkpoint(&context.run.id);
    let anew = || Rows::new(context.run.identity.clone());
    let Ok(Some(checkpoint)) = Checkpoint::load(&path) else {
        return Ok((anew(), None));
    };
    let known = checkpoint.metadata.get(Rows::KEY);
    let rows = known.and_then(|text| Rows::from_text(&path, text, &dataset.checksum));
    Ok(match rows {
        Some(rows) => (rows, Some(checkpoint)),
        None => (anew(), None),
    })
}

fn commit(
    context: &RunContext<'_>,
    network: &Network,
    dataset: &Dataset,
    trained: &Trained,
    rows: &Rows,
    provenance: Provenance,
) -> Result<Metrics, String> {
    let outcome = match trained.outcome {
        Outcome::Diverged { step, epoch } => Recorded::Diverged { step, epoch },
        Outcome::Finished | Outcome::Interrupted => Recorded::Finished,
    };
    let parameters = network.layout.parameter_count();
    let metrics =
        Metrics::from_epochs(&rows.epochs, parameters, &dataset.checksum).map_err(sentence)?;
    let tables = rows.tables().map_err(sentence)?;
    let record = RunRecord::new(&context.run.identity, outcome, metrics.clone(), tables)
        .map_err(sentence)?;
    let writer = context.store.begin(&context.run.id).map_err(sentence)?;
    let batches = trained.total_steps as u64;
    let weights = export::safetensors(network, &trained.parameters, &trained.state, batches);
    let path = writer.parameters_path();
    std::fs::write(&path, weights)
        .map_err(|error| format!("{} could not be written: {error}.", path.display()))?;
    writer
        .commit(&record, &rows.timings, &provenance.finish())
        .map_err(sentence)?;
    reuse::note(context);
    Ok(metrics)
}

fn event(context: &RunContext<'_>, trained: &Trained, metrics: &Metrics, seconds: f64) -> Event {
    let (run, name) = (context.index, context.run.name.clone());
    match trained.outcome {
        Outcome::Diverged { step, epoch } => Event::RunDiverged {
            run,
            name,
            epoch,
            step,
            seconds,
        },
        _ => Event::RunFinished {
            run,
            name,
            train_loss: metrics.final_train_loss.unwrap_or(f64::NAN),
            train_error: metrics.final_train_error,
            test_loss: metrics.final_test_loss.unwrap_or(f64::NAN),
            test_error: metrics.final_test_error,
            seconds,
        },
    }
}
