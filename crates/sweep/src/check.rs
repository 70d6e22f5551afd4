//! Everything that can be known to fail is found here, before the first run starts: data,
//! shapes, ranges, batches that do not fit.

use std::collections::HashMap;
use std::path::Path;

use reslab_nn::data::{self, DataError, DataShape};
use reslab_nn::error::ModelError;
use reslab_nn::families;
use reslab_nn::network::Network;
use reslab_nn::train::{LossKind, effective};

use crate::cost::run_multiply_adds;
use crate::file::{Mistake, Node};
use crate::options::MissingData;
use crate::resolve::{RunConfig, model_mistake};
use crate::weights::Weights;

/// Checks runs, remembering what it has looked up.
pub struct Checker {
    missing_data: MissingData,
    shapes: HashMap<String, Option<DataShape>>,
    weights: Weights,
    /// Remarks gathered.
    pub notes: Vec<String>,
}

/// What checking a run brings to light.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Checked {
    /// Multiply-adds of the run; 0 if the data are not there to count.
    pub multiply_adds: f64,
    /// Training samples; 0 if unknown.
    pub train_len: usize,
}

impl Checker {
    /// A checker that has seen nothing; `folder` is that of the experiment file.
    pub fn new(missing_data: MissingData, folder: &Path) -> Self {
        Self {
            missing_data,
            shapes: HashMap::new(),
            weights: Weights::new(folder, missing_data),
            notes: Vec::new(),
        }
    }

    /// Finds the weights a run starts from or is interpolated to, if any; they belong to its identity.
    pub fn find_weights(&mut self, config: &mut RunConfig, tree: &Node) -> Result<(), Mistake> {
        if let Err(error) = config.init.check() {
            let setting = match &error {
                ModelError::Range { setting, .. } => setting,
                _ => "weights",
            };
            let at = tree.locate(&format!("init.{setting}"));
            return Err(Mistake::new(at, format!("`init`: {error}")));
        }
        let notes = self.weights.find(config, tree)?;
        self.note(notes);
        Ok(())
    }

    /// Adds remarks that have not been made yet.
    fn note(&mut self, notes: Vec<String>) {
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Checks one run; `tree` is what was written of it, for the places of mistakes.
    pub fn check(&mut self, config: &RunConfig, tree: &Node) -> Result<Checked, Mistake> {
        ranges(config, tree)?;
        let Some(shape) = self.shape(config, tree)? else {
            return Ok(Checked::default());
        };
        targets(config, &shape, tree)?;
        batches(config, &shape, tree)?;
        let network = families::build(&config.model, shape.shape, shape.outputs)
            .map_err(|error| model_mistake(tree, &error))?;
        freezing(config, &network, tree)?;
        blocks_of_a_step(config, &network, tree)?;
        probes(config, &network, tree)?;
        self.note(config.probes.remarks(&network));
        self.weights.check(config, &network, tree)?;
        let multiply_adds =
            run_multiply_adds(&network, &config.train, shape.train_len, shape.test_len);
        Ok(Checked {
            multiply_adds,
            train_len: shape.train_len,
        })
    }

    fn shape(&mut self, config: &RunConfig, tree: &Node) -> Result<Option<DataShape>, Mistake> {
        let key = serde_json::to_string(&config.data).unwrap_or_default();
        if let Some(known) = self.shapes.get(&key) {
            return Ok(known.clone());
        }
        let shape = match data::describe(&config.data) {
            Ok(shape) => Some(shape),
            Err(error @ DataError::Missing { .. }) if self.missing_data == MissingData::Note => {
                self.notes.push(format!("Shapes are not checked: {error}"));
                None
            }
            Err(error) => return Err(data_mistake(tree, &error)),
        };
        self.shapes.insert(key, shape.clone());
        Ok(shape)
    }
}

fn data_mistake(tree: &Node, error: &DataError) -> Mistake {
    let path = match error {
        DataError::Setting { key, .. } => format!("data.{key}"),
        _ => "data.name".to_owned(),
    };
    Mistake::new(tree.locate(&path), error.to_string())
}

/// What the settings say of themselves.
fn ranges(config: &RunConfig, tree: &Node) -> Result<(), Mistake> {
    if let Some(problem) = config.train.problems(config.model.batch_norm).first() {
        let at = tree.locate(&format!("train.{}", problem.field));
        return Err(Mistake::new(
            at,
            format!("`train.{}` {}", problem.field, problem.message),
        ));
    }
    let gain = config.init.gain;
    if !(gain > 0.0 && gain.is_finite()) {
        let message = format!("`init.gain` must be a number above 0, but is {gain}.");
        return Err(Mistake::new(tree.locate("init.gain"), message));
    }
    if let Some(problem) = config.measure.problems().first() {
        let at = tree.locate(&format!("measure.{}", problem.field));
        return Err(Mistake::new(
            at,
            format!("`measure.{}` {}", problem.field, problem.message),
        ));
    }
    Ok(())
}

/// What instruments say of their settings.
fn probes(config: &RunConfig, network: &Network, tree: &Node) -> Result<(), Mistake> {
    match config.probes.problems(network, &config.train).first() {
        None => Ok(()),
        Some(problem) => {
            let at = tree.locate(&format!("probes.{}", problem.field));
            let message = format!("`probes.{}` {}", problem.field, problem.message);
            Err(Mistake::new(at, message))
        }
    }
}

/// No more blocks are frozen than there are.
fn freezing(config: &RunConfig, network: &Network, tree: &Node) -> Result<(), Mistake> {
    let (available, name) = (network.blocks.len(), &network.name);
    match config.train.freeze {
        Some(freeze) if freeze.blocks > available => {
            let message = format!(
                "`train.freeze.blocks` is {}, but `{name}` has {available} blocks.",
                freeze.blocks
            );
            Err(Mistake::new(tree.locate("train.freeze.blocks"), message))
        }
        _ => Ok(()),
    }
}

/// No more blocks are trained in a step than there are.
fn blocks_of_a_step(config: &RunConfig, network: &Network, tree: &Node) -> Result<(), Mistake> {
    match effective::problem(network, &config.train) {
        None => Ok(()),
        Some(problem) => {
            let at = tree.locate(&format!("train.{}", problem.field));
            let message = format!("`train.{}` {}", problem.field, problem.message);
            Err(Mistake::new(at, message))
        }
    }
}

/// Cross-entropy needs classes.
fn targets(config: &RunConfig, shape: &DataShape, tree: &Node) -> Result<(), Mistake> {
    if shape.regression && config.train.loss.kind == LossKind::CrossEntropy {
        let message = "`cross-entropy` needs classes, but the targets of these data are numbers.";
        let mistake = Mistake::new(tree.locate("train.loss.kind"), message);
        return Err(mistake.advise("`train: {loss: {kind: squared-error}}`"));
    }
    Ok(())
}

fn batches(config: &RunConfig, shape: &DataShape, tree: &Node) -> Result<(), Mistake> {
    let steps = config
        .train
        .steps_per_epoch(shape.train_len, config.model.batch_norm);
    if steps == 0 {
        let message = format!(
            "The training set of {} samples gives no batch of {}.",
            shape.train_len, config.train.batch_size
        );
        return Err(Mistake::new(tree.locate("train.batch_size"), message));
    }
    Ok(())
}
