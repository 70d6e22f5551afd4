//! What the training tests share: small networks and data, and an observer that writes down.

#![allow(dead_code, reason = "each test binary uses a part")]

use reslab_nn::data::{DataName, DataSettings, Dataset, SyntheticKind, SyntheticSettings, load};
use reslab_nn::families::{InitSettings, build, named};
use reslab_nn::network::Network;
use reslab_nn::train::{
    Checkpoint, EpochReport, Flow, Observer, StepReport, TrainSettings, Trained, TrainerView, train,
};

/// Some of the built-in digits.
pub fn digits(train: usize, test: usize) -> Dataset {
    let settings = DataSettings {
        name: DataName::Digits,
        train_limit: Some(train),
        test_limit: Some(test),
        ..DataSettings::default()
    };
    load(&settings).expect("digits are built in")
}

/// A synthetic set of samples of eight numbers.
pub fn synthetic(kind: SyntheticKind) -> Dataset {
    let synthetic = SyntheticSettings {
        kind,
        dimensions: 8,
        train: 130,
        test: 40,
        ..Default::default()
    };
    let settings = DataSettings {
        name: DataName::Synthetic,
        synthetic: Some(synthetic),
        ..DataSettings::default()
    };
    load(&settings).expect("synthetic data need nothing")
}

/// The network of that name for a data set, with another width and batch norm or not.
pub fn network(name: &str, width: usize, batch_norm: bool, dataset: &Dataset) -> Network {
    let mut model = named(name).expect("a network's name");
    model.width = width;
    model.batch_norm = batch_norm;
    build(&model, dataset.shape, dataset.outputs).expect("a small network")
}

/// An observer that writes everything down, and may stop the run.
#[derive(Default)]
pub struct Notes {
    pub steps: Vec<StepReport>,
    pub epochs: Vec<EpochReport>,
    /// One for each complete epoch.
    pub checkpoints: Vec<Checkpoint>,
    /// Whether a checkpoint was refused because the epoch was not complete.
    pub refused: bool,
    pub polls: usize,
    pub stop_at_step: Option<usize>,
    pub stop_at_epoch: Option<usize>,
    pub stop_at_poll: Option<usize>,
}

fn flow(now: usize, stop_at: Option<usize>) -> Flow {
    if Some(now) == stop_at {
        Flow::Stop
    } else {
        Flow::Continue
    }
}

impl Observer for Notes {
    fn step(&mut self, report: &StepReport) -> Flow {
        self.steps.push(*report);
        flow(self.steps.len(), self.stop_at_step)
    }

    fn epoch(&mut self, report: &EpochReport, trainer: &mut TrainerView<'_>) -> Flow {
        // Seconds are no result: without them, equal runs have equal reports.
        let report = EpochReport {
            seconds_train: 0.0,
            seconds_evaluate: 0.0,
            ..report.clone()
        };
        self.epochs.push(report.clone());
        match trainer.checkpoint() {
            Some(checkpoint) => self.checkpoints.push(checkpoint),
            None => self.refused = true,
        }
        flow(report.epoch, self.stop_at_epoch)
    }

    fn poll(&mut self) -> Flow {
        self.polls += 1;
        flow(self.polls, self.stop_at_poll)
    }
}

/// A run with seed 1 and the usual initialisation, onwards from a checkpoint if there is one.
pub fn run(
    network: &Network,
    dataset: &Dataset,
    settings: &TrainSettings,
    resume: Option<Checkpoint>,
    mut notes: Notes,
) -> (Trained, Notes) {
    let init = InitSettings::default();
    let trained = train(network, dataset, settings, &init, 1, resume, &mut notes);
    (trained.expect("settings that fit"), notes)
}

/// The bits of some numbers: for equality that NaN and the sign of zero cannot escape.
pub fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}
