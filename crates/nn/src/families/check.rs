//! Which settings go together.

use super::choices::{BlockKind, Family, Placement, ShortcutKind};
use super::settings::ModelSettings;
use super::{cifar, fully_connected, imagenet};
use crate::error::ModelError;

/// Greatest width, cardinality and factor: products of them still fit.
const MOST: usize = 1 << 16;

impl ModelSettings {
    /// Whether the family has such a network, whatever its input. A setting that would do nothing
    /// is refused.
    pub fn check(&self) -> Result<(), ModelError> {
        let counts = [
            ("width", self.width),
            ("cardinality", self.cardinality),
            ("group_width", self.group_width),
            ("widen", self.widen),
        ];
        for (setting, value) in counts {
            if value == 0 || value > MOST {
                return range(setting, value, "it must be from 1 to 65536");
            }
        }
        let rates = [
            ("dropout", self.dropout),
            ("shortcut_dropout", self.shortcut_dropout),
        ];
        for (setting, value) in rates {
            if !(0.0..1.0).contains(&value) {
                return range(setting, value, "it must be at least 0 and below 1");
            }
        }
        if !(self.stochastic_depth > 0.0 && self.stochastic_depth <= 1.0) {
            let rule = "it must be above 0 and at most 1, where every block survives";
            return range("stochastic_depth", self.stochastic_depth, rule);
        }
        let numbers = [
            ("shortcut_factor", self.shortcut_factor),
            ("branch_factor", self.branch_factor),
            ("gate_bias", self.gate_bias),
        ];
        for (setting, value) in numbers {
            if !value.is_finite() {
                return range(setting, value, "it must be a finite number");
            }
        }
        self.check_dead()?;
        match self.family {
            Family::Cifar | Family::Wide => cifar::check(self),
            Family::Imagenet | Family::D2l => imagenet::check(self),
            Family::FullyConnected => fully_connected::check(self),
        }
    }

    /// Refuses settings that do nothing: first what the family lacks, then what another setting
    /// would have to ask for.
    fn check_dead(&self) -> Result<(), ModelError> {
        let own = self.family.defaults();
        let convolutional = self.family != Family::FullyConnected;
        let free = convolutional && self.family != Family::D2l;
        let bottleneck = free && self.block == BlockKind::Bottleneck;
        let gated = matches!(
            self.shortcut,
            ShortcutKind::ExclusiveGate | ShortcutKind::ShortcutGate
        );
        let constant = self.shortcut == ShortcutKind::Constant;
        // What only shortcuts have is taken back from plain networks when settings are resolved.
        let plain = !self.residual;
        let dead = [
            Dead {
                setting: "branch_layers",
                changed: convolutional && self.branch_layers != own.branch_layers,
                alive: false,
                value: self.branch_layers.to_string(),
                rule: "its blocks always have 2 layers, or 3 with `block: bottleneck`; leave it out",
            },
            Dead {
                setting: "block",
                changed: self.block != own.block && self.family != Family::Imagenet,
                alive: self.family == Family::Cifar,
                value: word(&self.block),
                rule: "it has one kind of block; leave it out",
            },
            Dead {
                setting: "placement",
                changed: self.placement != own.placement,
                alive: match self.family {
                    Family::Cifar | Family::Imagenet => true,
                    Family::FullyConnected => self.placement == Placement::PreActivation,
                    Family::Wide | Family::D2l => false,
                },
                value: word(&self.placement),
                rule: if convolutional {
                    "it has one placement; leave it out"
                } else {
                    "it has `original` and `pre-activation`"
                },
            },
            Dead {
                setting: "shortcut",
                changed: self.shortcut != own.shortcut,
                alive: free || plain && convolutional,
                value: word(&self.shortcut),
                rule: "it has one kind of shortcut; leave it out",
            },
            Dead {
                setting: "shortcut_factor",
                changed: self.shortcut_factor != own.shortcut_factor,
                alive: constant || plain,
                value: self.shortcut_factor.to_string(),
                rule: "it needs `shortcut: constant`",
            },
            Dead {
                setting: "branch_factor",
                changed: self.branch_factor != own.branch_factor,
                alive: constant || plain,
                value: self.branch_factor.to_string(),
                rule: "it needs `shortcut: constant`",
            },
            Dead {
                setting: "gate_bias",
                changed: self.gate_bias != own.gate_bias,
                alive: gated || plain,
                value: self.gate_bias.to_string(),
                rule: "it needs `shortcut: exclusive-gate` or `shortcut-gate`",
            },
            Dead {
                setting: "shortcut_dropout",
                changed: self.shortcut_dropout != own.shortcut_dropout,
                alive: self.shortcut == ShortcutKind::Dropout || plain,
                value: self.shortcut_dropout.to_string(),
                rule: "it needs `shortcut: dropout`",
            },
            Dead {
                setting: "cardinality",
                changed: self.cardinality != own.cardinality,
                alive: bottleneck,
                value: self.cardinality.to_string(),
                rule: "only bottleneck blocks have groups",
            },
            Dead {
                setting: "group_width",
                changed: self.group_width != own.group_width,
                alive: bottleneck,
                value: self.group_width.to_string(),
                rule: "only bottleneck blocks have groups",
            },
            Dead {
                setting: "stride_on",
                changed: self.stride_on != own.stride_on,
                alive: bottleneck,
                value: word(&self.stride_on),
                rule: "only bottleneck blocks have a choice",
            },
            Dead {
                setting: "widen",
                changed: self.widen != own.widen,
                alive: self.family == Family::Wide,
                value: self.widen.to_string(),
                rule: "use `width`, or `family: wide`",
            },
            Dead {
                setting: "dropout",
                changed: self.dropout != own.dropout,
                alive: free,
                value: self.dropout.to_string(),
                rule: "it has no dropout; leave it out",
            },
            Dead {
                setting: "stochastic_depth",
                changed: self.stochastic_depth != own.stochastic_depth,
                alive: free,
                value: self.stochastic_depth.to_string(),
                rule: "its blocks always survive; leave it out",
            },
            Dead {
                setting: "placement",
                changed: matches!(
                    self.placement,
                    Placement::BnAfterAddition | Placement::ReluOnlyPreActivation
                ),
                alive: self.batch_norm,
                value: word(&self.placement),
                rule: "without batch norm it is the same as `original` or `pre-activation`",
            },
        ];
        match dead.into_iter().find(|d| d.changed && !d.alive) {
            None => Ok(()),
            Some(Dead {
                setting,
                value,
                rule,
                ..
            }) => Err(ModelError::NotApplicable {
                setting,
                value,
                family: self.family.name(),
                rule,
            }),
        }
    }
}

/// A setting that may do nothing.
struct Dead {
    setting: &'static str,
    /// Whether it stands at another value than the family's own.
    changed: bool,
    /// Whether it does something.
    alive: bool,
    value: String,
    rule: &'static str,
}

pub(super) fn range(
    setting: &'static str,
    value: impl ToString,
    rule: &'static str,
) -> Result<(), ModelError> {
    Err(ModelError::Range {
        setting,
        value: value.to_string(),
        rule,
    })
}

/// Refuses a depth that is not `layers · n + rest` for stages of n blocks, between `least` and
/// `most`, naming its neighbours.
pub(super) fn check_depth(
    settings: &ModelSettings,
    (layers, rest): (usize, usize),
    rule: &'static str,
) -> Result<(), ModelError> {
    /// Far beyond the paper's 1202.
    const MAX_BLOCKS: usize = 2000;
    let depth = settings.depth;
    let (least, most) = (layers + rest, MAX_BLOCKS * layers + rest);
    if (least..=most).contains(&depth) && depth % layers == rest % layers {
        return Ok(());
    }
    let nearest = if depth > most {
        format!("at most {most}")
    } else {
        let below = (depth.saturating_sub(rest) / layers).max(1) * layers + rest;
        format!("{below} or {}", below + layers)
    };
    Err(ModelError::Depth {
        family: settings.family.name(),
        depth,
        rule,
        nearest,
    })
}

/// A choice as it is written in files.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
