//! What an instrument is given, and how it tells how far it is.

use std::path::Path;

use reslab_nn::data::{Dataset, Split};
use reslab_nn::error::ShapeError;
use reslab_nn::network::Network;
use reslab_nn::tangent::TangentError;
use reslab_nn::train::{Flow, TrainSettings};
use reslab_results::TableError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use reslab_dense::DenseError;

/// A network with its numbers, the data it belongs to and the settings it was trained with.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The run, for the tables.
    pub run_id: &'a str,
    /// Epochs of training done.
    pub epoch: usize,
    /// The network.
    pub network: &'a Network,
    /// Its parameters, in the layout of the network.
    pub parameters: &'a [f32],
    /// Its running statistics.
    pub state: &'a [f32],
    /// The data.
    pub dataset: &'a Dataset,
    /// How it was or will be trained: the loss and the size of batches.
    pub train: &'a TrainSettings,
    /// Seed of the run: random choices of an instrument are drawn from it.
    pub seed: u64,
    /// A folder that outlives the run, and is that of every run with the same training: what an
    /// instrument keeps there it finds again after a stop, and with other settings of its own. It
    /// may not exist yet; `None` where nothing can be kept.
    pub folder: Option<&'a Path>,
}

/// Which set an instrument looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Set {
    /// The training set, un-augmented.
    Train,
    /// The test set.
    #[default]
    Test,
}

impl Set {
    /// The samples.
    pub fn of(self, dataset: &Dataset) -> &Split {
        match self {
            Set::Train => &dataset.train,
            Set::Test => &dataset.test,
        }
    }
}

/// Why an instrument gave no table.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It was told to stop. Nothing is kept; the same call gives the same table later.
    #[error("The measurement was interrupted.")]
    Stopped,
    /// An edited network does not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The network cannot be linearised.
    #[error(transparent)]
    Tangent(#[from] TangentError),
    /// A row does not fit its table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A matrix has no decomposition.
    #[error("The spectrum could not be computed: {0}.")]
    Dense(#[from] DenseError),
    /// The instrument cannot be used here.
    #[error("{0}")]
    Unusable(String),
}

/// How far a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Name of the instrument.
    pub instrument: &'static str,
    /// Pieces of work done.
    pub done: usize,
    /// Pieces of work in all.
    pub total: usize,
}

/// The way from an instrument to whoever waits for it.
pub struct Watch<'w> {
    instrument: &'static str,
    tell: &'w mut dyn FnMut(Progress) -> Flow,
}

impl<'w> Watch<'w> {
    /// A watch over `instrument` that tells `tell` and asks it whether to go on.
    pub fn new(instrument: &'static str, tell: &'w mut dyn FnMut(Progress) -> Flow) -> Self {
        Self { instrument, tell }
    }

    /// Tells how much is done; the error says to stop. To be called often, many times a second.
    pub fn at(&mut self, done: usize, total: usize) -> Result<(), ProbeError> {
        let instrument = self.instrument;
        let progress = Progress {
            instrument,
            done,
            total,
        };
        match (self.tell)(progress) {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(ProbeError::Stopped),
        }
    }
}

/// Whether an instrument with this list of epochs is used after `epoch` of a run of `last`: without
/// a list, after the last one.
pub fn is_due(epochs: &[usize], epoch: usize, last: usize) -> bool {
    match epochs {
        [] => epoch == last,
        chosen => chosen.contains(&epoch),
    }
}
