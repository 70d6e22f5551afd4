//! The observer of a run: gathers its rows, measures its layers, writes its checkpoints, tells
//! how far it is, and answers whether to stop.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reslab_nn::data::Dataset;
use reslab_nn::network::Network;
use reslab_nn::train::{EpochReport, Flow, Observer, StepReport, TrainerView};
use reslab_probes::layers::{LayerProbe, add_rows};
use reslab_probes::{Subject, snapshots};
use reslab_results::{
    Cell, EpochTiming, Metrics, Outcome, RunId, RunRecord, Table, TableError, schema,
};
use serde_json::{Value as Json, json};

use super::run::RunContext;
use super::{probe, reuse};
use crate::Event;

/// Between two events about steps.
const STEP_EVENTS: Duration = Duration::from_millis(100);

/// The rows of a run so far.
pub struct Rows {
    config: Json,
    /// Whole epochs.
    pub epochs: Table,
    /// The part of an epoch before a divergence.
    partial: Table,
    layers: Table,
    /// Tables of instruments, one for each instrument and epoch.
    probes: Vec<Table>,
    /// Wall clock, for the record's neighbour.
    pub timings: Vec<EpochTiming>,
}

impl Rows {
    /// Where they are kept in a checkpoint.
    pub const KEY: &'static str = "rows";

    /// No rows.
    pub fn new(config: Json) -> Self {
        Self {
            config,
            epochs: Table::new(schema::epochs()),
            partial: Table::new(schema::epochs()),
            layers: Table::new(schema::layers()),
            probes: Vec::new(),
            timings: Vec::new(),
        }
    }

    /// The tables of the record.
    pub fn tables(&self) -> Result<Vec<Table>, TableError> {
        let mut epochs = self.epochs.clone();
        for row in &self.partial.rows {
            epochs.push(row.clone())?;
        }
        let mut tables = vec![epochs, self.layers.clone()];
        for found in &self.probes {
            let known = |table: &&mut Table| table.schema == found.schema;
            match tables.iter_mut().find(known) {
                Some(table) => table.rows.extend(found.rows.iter().cloned()),
                None => tables.push(found.clone()),
            }
        }
        Ok(tables)
    }

    /// Adds what instruments found.
    pub fn add_probes(&mut self, tables: Vec<Table>) {
        self.probes.extend(tables);
    }

    /// As text for a checkpoint; reads back to the same bits.
    fn to_text(&self, checksum: &str) -> Result<String, String> {
        let error = |error: &dyn std::fmt::Display| error.to_string();
        let metrics = Metrics {
            dataset_checksum: checksum.to_owned(),
            ..Metrics::default()
        };
        let mut tables = vec![self.epochs.clone(), self.layers.clone()];
        tables.extend(self.probes.iter().cloned());
        let record = RunRecord::new(&self.config, Outcome::Finished, metrics, tables)
            .and_then(|record| record.to_json())
            .map_err(|e| error(&e))?;
        serde_json::to_string(&json!({ "record": record, "timings": self.timings }))
            .map_err(|e| error(&e))
    }

    /// Rows out of a checkpoint; `None` if they cannot be read or were computed on other data.
    pub fn from_text(path: &Path, text: &str, checksum: &str) -> Option<Self> {
        let whole: Json = serde_json::from_str(text).ok()?;
        let record = RunRecord::from_json(path, whole.get("record")?.as_str()?.as_bytes()).ok()?;
        if record.metrics.dataset_checksum != checksum {
            return None;
        }
        let timings = serde_json::from_value(whole.get("timings")?.clone()).ok()?;
        let mut tables = record.tables.into_iter();
        Some(Self {
            epochs: tables.next()?,
            layers: tables.next()?,
            probes: tables.collect(),
            timings,
            ..Self::new(record.config)
        })
    }

    /// The rows of the training of the finished run `id`, as those of this run.
    pub fn of_training(context: &RunContext<'_>, id: &RunId, record: RunRecord) -> Option<Self> {
        let own = |name: &str| {
            let mut table = record.table(name)?.clone();
            let column = table.index("run_id").ok()?;
            for row in &mut table.rows {
                row[column] = context.run.id.as_str().into();
            }
            Some(table)
        };
        let timings = std::fs::read(context.store.paths().timings(id)).ok()?;
        Some(Self {
            epochs: own("epochs")?,
            layers: own("layers")?,
            timings: serde_json::from_slice(&timings).ok()?,
            ..Self::new(context.run.identity.clone())
        })
    }

    fn add_epoch(&mut self, id: &str, report: &EpochReport) -> Result<(), TableError> {
        let table = if report.complete {
            &mut self.epochs
        } else {
            &mut self.partial
        };
        table.push_named([
            ("run_id", id.into()),
            ("epoch", report.epoch.into()),
            ("step", report.total_steps.into()),
            ("lr", report.lr.into()),
            ("train_loss", report.train_loss.into()),
            ("train_error", report.train_error.into()),
            ("test_loss", report.test_loss.into()),
            ("test_error", report.test_error.into()),
            ("running_train_loss", report.train_loss_running.into()),
            ("running_train_error", report.train_error_running.into()),
            (
                "gradient_norm",
                report.gradient_norm.map_or(Cell::Null, Cell::from),
            ),
        ])
    }
}

/// The observer.
pub struct Recorder<'a> {
    context: &'a RunContext<'a>,
    dataset: &'a Dataset,
    layers: LayerProbe<'a>,
    /// Where instruments keep what outlives the run.
    folder: Option<PathBuf>,
    rows: Rows,
    told: Instant,
    saved: Instant,
    /// The first thing that went wrong; ends the run.
    fault: Option<String>,
}

impl<'a> Recorder<'a> {
    /// An observer that goes on from `rows`.
    pub fn new(
        context: &'a RunContext<'a>,
        network: &'a Network,
        dataset: &'a Dataset,
        rows: Rows,
    ) -> Self {
        let config = &context.run.config;
        let now = Instant::now();
        Self {
            context,
            dataset,
            layers: LayerProbe::new(network, dataset, &config.measure, &config.train),
            folder: reuse::folder(context),
            rows,
            told: now,
            saved: now,
            fault: None,
        }
    }

    /// The rows, unless something went wrong.
    pub fn finish(self) -> Result<Rows, String> {
        self.fault.map_or(Ok(self.rows), Err)
    }

    fn flow(&self) -> Flow {
        let stop = self.fault.is_some() || (self.context.stopped)();
        if stop { Flow::Stop } else { Flow::Continue }
    }

    fn record(
        &mut self,
        report: &EpochReport,
        trainer: &mut TrainerView<'_>,
    ) -> Result<(), String> {
        let run = self.context.run;
        let started = Instant::now();
        self.rows
            .add_epoch(run.id.as_str(), report)
            .map_err(|error| error.to_string())?;
        let config = &run.config;
        if report.complete && config.measure.is_due(report.epoch, config.train.epochs) {
            let measured = self
                .layers
                .measure(trainer.engine, trainer.parameters, trainer.state);
            add_rows(
                &mut self.rows.layers,
                run.id.as_str(),
                report.epoch,
                &measured,
            )
            .map_err(|error| error.to_string())?;
        }
        self.rows.timings.push(EpochTiming {
            epoch: report.epoch,
            seconds_train: report.seconds_train,
            seconds_evaluate: report.seconds_evaluate + started.elapsed().as_secs_f64(),
            images_per_s: throughput(report.samples, report.seconds_train),
            threads: self.context.threads,
        });
        let last = report.epoch == config.train.epochs;
        if report.complete && config.probes.keeps(report.epoch, config.train.epochs) {
            self.keep(report.epoch, trainer)?;
        }
        let probed = report.complete && config.probes.is_due(report.epoch, config.train.epochs);
        if probed && !last {
            let subject = Subject {
                run_id: run.id.as_str(),
                epoch: report.epoch,
                network: trainer.network,
                parameters: trainer.parameters,
                state: trainer.state,
                dataset: self.dataset,
                train: &config.train,
                seed: run.seed,
                folder: self.folder.as_deref(),
            };
            match probe::measure(self.context, &subject)? {
                Some(found) => self.rows.add_probes(found),
                None => return Ok(()),
            }
        }
        let due = self.saved.elapsed() >= self.context.options.checkpoint_every
            || (self.context.stopped)();
        // What instruments have to do after the last epoch comes later, and can be interrupted too.
        if due && !last || probed && last {
            self.save(trainer)?;
        }
        Ok(())
    }

    /// Keeps the network for instruments that look back.
    fn keep(&self, epoch: usize, trainer: &TrainerView<'_>) -> Result<(), String> {
        let arenas = (trainer.parameters, trainer.state);
        match &self.folder {
            Some(folder) => snapshots::write(folder, epoch, trainer.network, arenas),
            None => Ok(()),
        }
    }

    /// Writes a checkpoint with the rows so far.
    fn save(&mut self, trainer: &TrainerView<'_>) -> Result<(), String> {
        let Some(mut checkpoint) = trainer.checkpoint() else {
            return Ok(());
        };
        let rows = self.rows.to_text(&self.dataset.checksum)?;
        checkpoint.metadata.insert(Rows::KEY.to_owned(), rows);
        let path = self.context.store.paths().checkpoint(&self.context.run.id);
        checkpoint.save(&path).map_err(|error| error.to_string())?;
        self.saved = Instant::now();
        Ok(())
    }
}

fn throughput(samples: usize, seconds: f64) -> f64 {
    if seconds > 0.0 {
        samples as f64 / seconds
    } else {
        0.0
    }
}

impl Observer for Recorder<'_> {
    fn step(&mut self, report: &StepReport) -> Flow {
        if self.told.elapsed() >= STEP_EVENTS {
            self.told = Instant::now();
            (self.context.sink)(Event::Step {
                run: self.context.index,
                epoch: report.epoch,
                step: report.step,
                steps: report.steps_per_epoch,
                images_per_s: throughput(report.samples, report.seconds),
                train_error: report.train_error_running,
            });
        }
        self.flow()
    }

    fn epoch(&mut self, report: &EpochReport, trainer: &mut TrainerView<'_>) -> Flow {
        if let Err(fault) = self.record(report, trainer) {
            self.fault.get_or_insert(fault);
        }
        if let (Some(train_loss), true) = (report.train_loss, report.complete) {
            (self.context.sink)(Event::Epoch {
                run: self.context.index,
                epoch: report.epoch,
                epochs: self.context.run.config.train.epochs,
                train_loss,
                train_error: report.train_error,
                test_loss: report.test_loss.unwrap_or(f64::NAN),
                test_error: report.test_error,
                images_per_s: throughput(report.samples, report.seconds_train),
            });
        }
        self.flow()
    }

    fn poll(&mut self) -> Flow {
        self.flow()
    }
}
