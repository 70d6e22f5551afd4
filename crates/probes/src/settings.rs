//! The instruments that a run asks for, and using those that are due.

use reslab_nn::network::Network;
use reslab_nn::train::{Flow, SettingProblem, TrainSettings};
use reslab_results::Table;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::expressivity::{self, ExpressivitySettings};
use crate::gradients::{self, GradientSettings};
use crate::hessian::{self, HessianSettings};
use crate::identity::{self, IdentitySettings};
use crate::jacobian::{self, JacobianSettings};
use crate::landscape::{self, LandscapeSettings};
use crate::lesion::{self, LesionSettings};
use crate::paths::{self, PathsSettings};
use crate::sharpness::{self, SharpnessSettings};
use crate::shattering::{self, ShatteringSettings};
use crate::smoothness::{self, SmoothnessSettings};
use crate::subject::{ProbeError, Progress, Subject, Watch, is_due};

/// Instruments, each used if its key is there; `{}` means its defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeSettings {
    /// Delete and reorder blocks of the network (Veit et al. 2016).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lesion: Option<LesionSettings>,
    /// Measure the gradient by length of path (Veit et al. 2016).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<PathsSettings>,
    /// Norms of gradients through depth, and by which road they come (He et al. 2016, section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradients: Option<GradientSettings>,
    /// How alike the gradients at different inputs are, by depth (Balduzzi et al. 2017).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shattering: Option<ShatteringSettings>,
    /// Eigenvalues, trace and spectral density of the Hessian (Ghorbani et al. 2019; Yao et al. 2020).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hessian: Option<HessianSettings>,
    /// Norm of each block's branch against its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentitySettings>,
    /// Build networks that equal the trained plain one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expressivity: Option<ExpressivitySettings>,
    /// The loss along lines, planes and the trajectory of training (Li et al. 2018).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landscape: Option<LandscapeSettings>,
    /// Spectra of the Jacobians of blocks and of their products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jacobian: Option<JacobianSettings>,
    /// Loss and gradient along the gradient of mini-batches (Santurkar et al. 2018, section 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothness: Option<SmoothnessSettings>,
    /// Rise of the loss under perturbations of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<SharpnessSettings>,
}

/// A kind of instrument: what all of its settings have in common.
struct Kind<S> {
    name: &'static str,
    field: &'static str,
    epochs: fn(&S) -> &[usize],
    problems: fn(&S, &Network) -> Vec<SettingProblem>,
    measure: fn(&S, &Subject<'_>, &mut Watch<'_>) -> Result<Vec<Table>, ProbeError>,
}

/// What is wrong with settings for a network.
type Problems<'s> = Box<dyn Fn(&Network) -> Vec<SettingProblem> + 's>;

/// An instrument at work: subject and watch in, its tables out.
type Measure<'s> = Box<dyn Fn(&Subject<'_>, &mut Watch<'_>) -> Result<Vec<Table>, ProbeError> + 's>;

/// An instrument with the settings of a run.
struct Instrument<'s> {
    name: &'static str,
    field: &'static str,
    epochs: &'s [usize],
    problems: Problems<'s>,
    measure: Measure<'s>,
}

impl<S> Kind<S> {
    /// The instrument with these settings, if there are any.
    fn asked<'s>(self, settings: Option<&'s S>) -> Option<Instrument<'s>> {
        let settings = settings?;
        Some(Instrument {
            name: self.name,
            field: self.field,
            epochs: (self.epochs)(settings),
            problems: Box::new(move |network| (self.problems)(settings, network)),
            measure: Box::new(move |subject, watch| (self.measure)(settings, subject, watch)),
        })
    }
}

impl ProbeSettings {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is asked for.
    fn instruments(&self) -> Vec<Instrument<'_>> {
        let mut asked = Vec::new();
        let kind = Kind {
            name: "lesion",
            field: "lesion.epochs",
            epochs: |settings: &LesionSettings| &settings.epochs,
            problems: LesionSettings::problems,
            measure: |settings, subject, watch| {
                Ok(vec![lesion::measure(settings, subject, watch)?])
            },
        };
        asked.extend(kind.asked(self.lesion.as_ref()));
        let kind = Kind {
            name: "paths",
            field: "paths.epochs",
            epochs: |settings: &PathsSettings| &settings.epochs,
            problems: PathsSettings::problems,
            measure: |settings, subject, watch| {
                let found = paths::measure(settings, subject, watch)?;
                let summary = paths::summarise(&found)?;
                Ok(vec![found, summary])
            },
        };
        asked.extend(kind.asked(self.paths.as_ref()));
        let kind = Kind {
            name: "gradients",
            field: "gradients.epochs",
            epochs: |settings: &GradientSettings| &settings.epochs,
            problems: GradientSettings::problems,
            measure: |settings, subject, watch| {
                Ok(vec![gradients::measure(settings, subject, watch)?])
            },
        };
        asked.extend(kind.asked(self.gradients.as_ref()));
        let kind = Kind {
            name: "shattering",
            field: "shattering.epochs",
            epochs: |settings: &ShatteringSettings| &settings.epochs,
            problems: ShatteringSettings::problems,
            measure: |settings, subject, watch| {
                Ok(vec![shattering::measure(settings, subject, watch)?])
            },
        };
        asked.extend(kind.asked(self.shattering.as_ref()));
        let kind = Kind {
            name: "hessian",
            field: "hessian.epochs",
            epochs: |settings: &HessianSettings| &settings.epochs,
            problems: HessianSettings::problems,
            measure: hessian::measure,
        };
        asked.extend(kind.asked(self.hessian.as_ref()));
        let kind = Kind {
            name: "identity",
            field: "identity.epochs",
            epochs: |settings: &IdentitySettings| &settings.epochs,
            problems: IdentitySettings::problems,
            measure: |settings, subject, watch| {
                Ok(vec![identity::measure(settings, subject, watch)?])
            },
        };
        asked.extend(kind.asked(self.identity.as_ref()));
        let kind = Kind {
            name: "expressivity",
            field: "expressivity.epochs",
            epochs: |settings: &ExpressivitySettings| &settings.epochs,
            problems: ExpressivitySettings::problems,
            measure: |settings, subject, watch| {
                Ok(vec![expressivity::measure(settings, subject, watch)?])
            },
        };
        asked.extend(kind.asked(self.expressivity.as_ref()));
        let kind = Kind {
            name: "landscape",
            field: "landscape.epochs",
            epochs: |settings: &LandscapeSettings| &settings.epochs,
            problems: LandscapeSettings::problems,
            measure: landscape::measure,
        };
        asked.extend(kind.asked(self.landscape.as_ref()));
        let kind = Kind {
            name: "jacobian",
            field: "jacobian.epochs",
            epochs: |settings: &JacobianSettings| &settings.epochs,
            problems: JacobianSettings::problems,
            measure: jacobian::measure,
        };
        asked.extend(kind.asked(self.jacobian.as_ref()));
        let kind = Kind {
            name: "smoothness",
            field: "smoothness.epochs",
            epochs: |settings: &SmoothnessSettings| &settings.epochs,
            problems: SmoothnessSettings::problems,
            measure: |settings, subject, watch| {
                Ok(vec![smoothness::measure(settings, subject, watch)?])
            },
        };
        asked.extend(kind.asked(self.smoothness.as_ref()));
        let kind = Kind {
            name: "sharpness",
            field: "sharpness.epochs",
            epochs: |settings: &SharpnessSettings| &settings.epochs,
            problems: SharpnessSettings::problems,
            measure: |settings, subject, watch| {
                Ok(vec![sharpness::measure(settings, subject, watch)?])
            },
        };
        asked.extend(kind.asked(self.sharpness.as_ref()));
        asked
    }

    /// Everything that is wrong with the settings for a network and its training; empty when they
    /// can be used.
    pub fn problems(&self, network: &Network, train: &TrainSettings) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        for instrument in self.instruments() {
            found.extend((instrument.problems)(network));
            let field = instrument.field;
            let mut epochs = instrument.epochs.iter();
            if let Some(beyond) = epochs.find(|&&epoch| epoch > train.epochs) {
                let message = format!(
                    "must be epochs from 0 to {}, but {beyond} is one of them.",
                    train.epochs
                );
                found.push(SettingProblem { field, message });
            }
        }
        if let (Some(landscape), true) = (&self.landscape, found.is_empty()) {
            found.extend(landscape.problems_of_training(train));
        }
        found
    }

    /// What a reader of the results should know of the settings: a sentence each.
    pub fn remarks(&self, network: &Network) -> Vec<String> {
        let landscape = self.landscape.iter();
        landscape
            .flat_map(|settings| settings.remarks(network))
            .collect()
    }

    /// Whether the network after `epoch` is to be kept for an instrument that looks back.
    pub fn keeps(&self, epoch: usize, last: usize) -> bool {
        let landscape = self.landscape.as_ref();
        landscape.is_some_and(|settings| settings.keeps(epoch, last))
    }

    /// Whether any instrument is used after `epoch` of a run of `last` epochs.
    pub fn is_due(&self, epoch: usize, last: usize) -> bool {
        let instruments = self.instruments();
        instruments.iter().any(|i| is_due(i.epochs, epoch, last))
    }

    /// The tables of all instruments that are due after the subject's epoch. `tell` is told how far
    /// they are.
    pub fn measure(
        &self,
        subject: &Subject<'_>,
        tell: &mut dyn FnMut(Progress) -> Flow,
    ) -> Result<Vec<Table>, ProbeError> {
        let last = subject.train.epochs;
        let mut tables = Vec::new();
        for instrument in self.instruments() {
            if is_due(instrument.epochs, subject.epoch, last) {
                let mut watch = Watch::new(instrument.name, tell);
                tables.extend((instrument.measure)(subject, &mut watch)?);
            }
        }
        Ok(tables)
    }
}
