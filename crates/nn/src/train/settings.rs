//! How a network is trained: the settings, their defaults, and what is wrong with them.
//!
//! The defaults are He et al. 2015, section 4.2, where it states a value: SGD with momentum 0.9,
//! weight decay 1e-4 on every parameter, batches of 128, rate 0.1. They are written once, in the
//! `Default` implementations of this file and of [`super::schedule`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::effective::EvaluationBranches;
use super::freeze::FreezeSettings;
use super::schedule::Schedule;
use crate::data::AugmentSettings;
use crate::loss::Loss;

/// Settings of one training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// Passes over the training set. 0 only measures the network before training.
    pub epochs: usize,
    /// Samples in one step.
    pub batch_size: usize,
    /// The rule that turns gradients into steps.
    pub optimizer: Optimizer,
    /// Learning rate, multiplied by the schedule. Adam and AdamW usually need about 0.001.
    pub lr: f64,
    /// Learning rate of everything but the last linear layer, where it is to be another.
    pub lr_backbone: Option<f64>,
    /// What does not learn.
    pub freeze: Option<FreezeSettings>,
    /// Each step trains so many residual blocks, drawn at random, and skips the others (Veit et al.
    /// 2016); all of them if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_per_step: Option<usize>,
    /// With `blocks_per_step`: whether branches are multiplied, at evaluation, by the share of blocks
    /// that a step trains (`scaled`), or stay as they are (`whole`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation_branches: Option<EvaluationBranches>,
    /// SGD: share of the previous step that is kept.
    pub momentum: f64,
    /// SGD: look ahead along the momentum (Nesterov).
    pub nesterov: bool,
    /// Adam and AdamW: decay of the running mean of gradients and of their squares.
    pub betas: [f64; 2],
    /// Adam and AdamW: added to the denominator.
    pub epsilon: f64,
    /// Pull of the parameters towards 0.
    pub weight_decay: f64,
    /// Shrink the parameters by `lr · weight_decay` instead of adding the decay to the gradient.
    /// AdamW always does.
    pub decoupled_decay: bool,
    /// Whether biases and the γ and β of batch norms decay too, as in He et al. 2015.
    pub decay_norm_and_bias: bool,
    /// Scale the gradient down to this norm when it is longer.
    pub clip_norm: Option<f64>,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What is minimised.
    pub loss: LossSettings,
    /// Random changes of the training images.
    pub augment: AugmentSettings,
    /// Leave out the last batch of an epoch if it is smaller than the others.
    pub drop_last: bool,
    /// Measure clean loss and error on both sets every so many epochs; before training and after
    /// the last epoch they are always measured.
    pub evaluate_every: usize,
}

/// The rule that turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Kingma and Ba 2015.
    Adam,
    /// Loshchilov and Hutter 2019: Adam with decoupled weight decay.
    AdamW,
}

/// What is minimised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LossSettings {
    /// Which loss.
    pub kind: LossKind,
    /// Cross-entropy: share of the target that is spread evenly over all classes.
    pub label_smoothing: f64,
}

/// Which loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Softmax cross-entropy, in nats.
    CrossEntropy,
    /// Mean over the outputs of the squared difference (classes become one-hot targets).
    SquaredError,
}

/// A setting that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// Dotted path inside the training settings, such as `schedule.warmup_epochs`.
    pub field: &'static str,
    /// What is accepted and what was given, one sentence.
    pub message: String,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            optimizer: Optimizer::Sgd,
            lr: 0.1,
            lr_backbone: None,
            freeze: None,
            blocks_per_step: None,
            evaluation_branches: None,
            momentum: 0.9,
            nesterov: false,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 1e-4,
            decoupled_decay: false,
            decay_norm_and_bias: true,
            clip_norm: None,
            schedule: Schedule::default(),
            loss: LossSettings::default(),
            augment: AugmentSettings::default(),
            drop_last: false,
            evaluate_every: 1,
        }
    }
}

impl Default for LossSettings {
    fn default() -> Self {
        Self {
            kind: LossKind::CrossEntropy,
            label_smoothing: 0.0,
        }
    }
}

impl LossSettings {
    /// The loss the executors compute.
    pub fn loss(&self) -> Loss {
        match self.kind {
            LossKind::CrossEntropy => Loss::CrossEntropy {
                label_smoothing: self.label_smoothing as f32,
            },
            LossKind::SquaredError => Loss::SquaredError,
        }
    }
}

impl std::fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.field, self.message)
    }
}

impl TrainSettings {
    /// Steps in one epoch over `samples` training samples. `batch_norm` says whether the network
    /// normalises by batch: then a last batch of a single sample, whose variance is nothing, is
    /// left out.
    pub fn steps_per_epoch(&self, samples: usize, batch_norm: bool) -> usize {
        let batch_size = self.batch_size.max(1);
        let rest = samples % batch_size;
        let leave_out = rest == 0 || self.drop_last || (batch_norm && rest == 1);
        samples / batch_size + usize::from(!leave_out)
    }

    /// Everything that is wrong with the settings; empty when they can be used. `batch_norm` says
    /// whether the network normalises by batch.
    pub fn problems(&self, batch_norm: bool) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut require = |field, holds: bool, accepted: &str, given: &dyn std::fmt::Display| {
            if !holds {
                let message = format!("must be {accepted}, but is {given}.");
                found.push(SettingProblem { field, message });
            }
        };
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let share = |x: f64| (0.0..1.0).contains(&x);

        require(
            "batch_size",
            self.batch_size >= 1,
            "at least 1",
            &self.batch_size,
        );
        require(
            "batch_size",
            self.batch_size != 1 || !batch_norm,
            "at least 2, because the network has batch norm",
            &self.batch_size,
        );
        require("lr", positive(self.lr), "a number above 0", &self.lr);
        if let Some(rate) = self.lr_backbone {
            require(
                "lr_backbone",
                positive(rate),
                "a number above 0, or absent",
                &rate,
            );
        }
        require(
            "momentum",
            share(self.momentum),
            "at least 0 and below 1",
            &self.momentum,
        );
        require(
            "nesterov",
            !(self.nesterov && self.optimizer == Optimizer::Sgd && self.momentum == 0.0),
            "false when `momentum` is 0",
            &self.nesterov,
        );
        for beta in self.betas {
            require(
                "betas",
                share(beta),
                "two numbers, each at least 0 and below 1",
                &beta,
            );
        }
        require(
            "epsilon",
            positive(self.epsilon),
            "a number above 0",
            &self.epsilon,
        );
        let decay = self.weight_decay;
        require(
            "weight_decay",
            decay >= 0.0 && decay.is_finite(),
            "0 or a number above",
            &decay,
        );
        if let Some(norm) = self.clip_norm {
            require(
                "clip_norm",
                positive(norm),
                "a number above 0, or absent",
                &norm,
            );
        }
        require(
            "evaluate_every",
            self.evaluate_every >= 1,
            "at least 1",
            &self.evaluate_every,
        );
        if let Some(blocks) = self.blocks_per_step {
            require(
                "blocks_per_step",
                blocks >= 1,
                "at least 1, or absent",
                &blocks,
            );
        } else {
            require(
                "evaluation_branches",
                self.evaluation_branches.is_none(),
                "absent where `blocks_per_step` is",
                &"there",
            );
        }
        let smoothing = self.loss.label_smoothing;
        require(
            "loss.label_smoothing",
            share(smoothing),
            "at least 0 and below 1",
            &smoothing,
        );
        require(
            "loss.label_smoothing",
            self.loss.kind == LossKind::CrossEntropy || smoothing == 0.0,
            "0 when `loss.kind` is squared-error",
            &smoothing,
        );
        found.extend(self.schedule.problems(self.epochs));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(settings: &TrainSettings, batch_norm: bool) -> Vec<&'static str> {
        settings
            .problems(batch_norm)
            .into_iter()
            .map(|p| p.field)
            .collect()
    }

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(TrainSettings::default().problems(true), []);
    }

    #[test]
    fn every_unusable_value_is_named() {
        let broken = |change: &dyn Fn(&mut TrainSettings)| {
            let mut settings = TrainSettings::default();
            change(&mut settings);
            fields(&settings, false)
        };
        assert_eq!(broken(&|s| s.batch_size = 0), ["batch_size"]);
        assert_eq!(broken(&|s| s.lr = 0.0), ["lr"]);
        assert_eq!(broken(&|s| s.lr = f64::NAN), ["lr"]);
        assert_eq!(broken(&|s| s.lr = f64::INFINITY), ["lr"]);
        assert_eq!(broken(&|s| s.lr_backbone = Some(0.0)), ["lr_backbone"]);
        assert_eq!(broken(&|s| s.momentum = 1.0), ["momentum"]);
        assert_eq!(
            broken(&|s| (s.momentum, s.nesterov) = (0.0, true)),
            ["nesterov"]
        );
        assert_eq!(broken(&|s| s.betas = [0.9, 1.0]), ["betas"]);
        assert_eq!(broken(&|s| s.epsilon = 0.0), ["epsilon"]);
        assert_eq!(broken(&|s| s.weight_decay = -1.0), ["weight_decay"]);
        assert_eq!(broken(&|s| s.clip_norm = Some(0.0)), ["clip_norm"]);
        assert_eq!(broken(&|s| s.evaluate_every = 0), ["evaluate_every"]);
        assert_eq!(
            broken(&|s| s.blocks_per_step = Some(0)),
            ["blocks_per_step"]
        );
        assert_eq!(
            broken(&|s| s.evaluation_branches = Some(EvaluationBranches::Whole)),
            ["evaluation_branches"]
        );
        assert_eq!(
            broken(&|s| s.loss.label_smoothing = 1.0),
            ["loss.label_smoothing"]
        );
        let squared = LossSettings {
            kind: LossKind::SquaredError,
            label_smoothing: 0.1,
        };
        assert_eq!(
            broken(&|s| s.loss = squared.clone()),
            ["loss.label_smoothing"]
        );
        assert_eq!(broken(&|s| s.schedule.factor = 0.0), ["schedule.factor"]);
    }

    #[test]
    fn batch_norm_needs_two_samples() {
        let settings = TrainSettings {
            batch_size: 1,
            ..TrainSettings::default()
        };
        assert_eq!(fields(&settings, true), ["batch_size"]);
        assert_eq!(fields(&settings, false), [""; 0]);
        assert_eq!(
            settings.problems(true)[0].to_string(),
            "`batch_size` must be at least 2, because the network has batch norm, but is 1."
        );
    }

    #[test]
    fn steps_count_the_batches_that_are_used() {
        let settings = TrainSettings {
            batch_size: 4,
            ..TrainSettings::default()
        };
        let dropping = TrainSettings {
            drop_last: true,
            ..settings.clone()
        };
        assert_eq!(
            [8, 9, 10].map(|n| settings.steps_per_epoch(n, false)),
            [2, 3, 3]
        );
        assert_eq!(
            [8, 9, 10].map(|n| settings.steps_per_epoch(n, true)),
            [2, 2, 3]
        );
        assert_eq!(
            [8, 9, 10, 3].map(|n| dropping.steps_per_epoch(n, false)),
            [2, 2, 2, 0]
        );
    }

    #[test]
    fn settings_survive_serialisation_and_refuse_unknown_keys() {
        let mut settings = TrainSettings {
            clip_norm: Some(1.5),
            ..TrainSettings::default()
        };
        settings.optimizer = Optimizer::AdamW;
        settings.schedule.milestones = vec![81.9, 122.9];
        let text = serde_json::to_string(&settings).expect("settings are plain data");
        assert!(text.contains("\"optimizer\":\"adamw\""), "{text}");
        assert_eq!(
            serde_json::from_str::<TrainSettings>(&text).expect("written above"),
            settings
        );
        assert!(serde_json::from_str::<TrainSettings>(r#"{"epoch": 3}"#).is_err());
        assert!(serde_json::from_str::<TrainSettings>(r#"{"loss": {"smoothing": 3}}"#).is_err());
    }
}
