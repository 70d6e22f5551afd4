//! The instruments that a run asks for, and using those that are due.

use reslab_nn::network::Network;
use reslab_nn::train::{Flow, SettingProblem, TrainSettings};
use reslab_results::Table;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lesion::{self, LesionSettings};
use crate::paths::{self, PathsSettings};
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
}

/// An instrument at work: subject and watch in, its rows out.
type Measure<'s> = Box<dyn Fn(&Subject<'_>, &mut Watch<'_>) -> Result<Table, ProbeError> + 's>;

/// An instrument with the settings of a run.
struct Instrument<'s> {
    name: &'static str,
    epochs: &'s [usize],
    measure: Measure<'s>,
}

impl ProbeSettings {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is asked for.
    fn instruments(&self) -> Vec<Instrument<'_>> {
        let mut asked = Vec::new();
        if let Some(settings) = &self.lesion {
            asked.push(Instrument {
                name: "lesion",
                epochs: &settings.epochs,
                measure: Box::new(move |subject, watch| lesion::measure(settings, subject, watch)),
            });
        }
        if let Some(settings) = &self.paths {
            asked.push(Instrument {
                name: "paths",
                epochs: &settings.epochs,
                measure: Box::new(move |subject, watch| paths::measure(settings, subject, watch)),
            });
        }
        asked
    }

    /// Everything that is wrong with the settings for a network and its training; empty when they
    /// can be used.
    pub fn problems(&self, network: &Network, train: &TrainSettings) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        if let Some(settings) = &self.lesion {
            found.extend(settings.problems(network));
        }
        if let Some(settings) = &self.paths {
            found.extend(settings.problems(network));
        }
        let fields = [
            self.lesion.as_ref().map(|s| ("lesion.epochs", &s.epochs)),
            self.paths.as_ref().map(|s| ("paths.epochs", &s.epochs)),
        ];
        for (field, epochs) in fields.into_iter().flatten() {
            if let Some(beyond) = epochs.iter().find(|&&epoch| epoch > train.epochs) {
                let message = format!(
                    "must be epochs from 0 to {}, but {beyond} is one of them.",
                    train.epochs
                );
                found.push(SettingProblem { field, message });
            }
        }
        found
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
        let instruments = self.instruments();
        let due = instruments
            .iter()
            .filter(|i| is_due(i.epochs, subject.epoch, last));
        let mut tables = due
            .map(|instrument| {
                let mut watch = Watch::new(instrument.name, tell);
                (instrument.measure)(subject, &mut watch)
            })
            .collect::<Result<Vec<Table>, ProbeError>>()?;
        if let Some(found) = tables.iter().find(|table| table.schema.name == "paths") {
            let summary = paths::summarise(found)?;
            tables.push(summary);
        }
        Ok(tables)
    }
}
