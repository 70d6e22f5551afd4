//! Names of networks, such as `resnet20`, and the settings they stand for.

use super::choices::{BlockKind, Family, Placement, ShortcutKind};
use super::settings::ModelSettings;

/// Well-known networks, for lists and for guessing what was meant.
pub const EXAMPLES: [&str; 44] = [
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "resnet1202",
    "resnet164",
    "resnet1001",
    "plain20",
    "plain32",
    "plain44",
    "plain56",
    "plain110",
    "preact-resnet20",
    "preact-resnet56",
    "preact-resnet110",
    "preact-resnet164",
    "preact-resnet1001",
    "preact-plain110",
    "wrn-16-4",
    "wrn-28-10",
    "wrn-40-4",
    "wrn-plain-16-4",
    "resnext29_8x64d",
    "resnext29_16x64d",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "plain18",
    "plain34",
    "plain50",
    "preact-resnet152",
    "preact-resnet200",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "plainnext50_32x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "d2l-resnet18",
    "d2l-plain18",
    "fc-resnet32",
    "fc-plain32",
];

/// Depths that mean an ImageNet network; any other is a CIFAR network.
const IMAGENET_DEPTHS: [usize; 6] = [18, 34, 50, 101, 152, 200];
/// Depths of CIFAR networks that He et al. 2016 build of bottlenecks.
const BOTTLENECK_DEPTHS: [usize; 2] = [164, 1001];

/// The settings that a name stands for, or `None` if it is no network's name. The depth is not
/// judged here: `resnet21` is a name, of a network that cannot be built.
pub fn named(name: &str) -> Option<ModelSettings> {
    let (family, rest) = match name.split_once('-') {
        Some(("fc", rest)) => (Some(Family::FullyConnected), rest),
        Some(("d2l", rest)) => (Some(Family::D2l), rest),
        Some(("wrn", rest)) => return wide(rest),
        Some(("preact", rest)) => match rest.strip_prefix("fc-") {
            Some(rest) => (Some(Family::FullyConnected), rest),
            None => (None, rest),
        },
        Some(_) => return None,
        None => (None, name),
    };
    let settings = match family {
        Some(family) => {
            let (residual, depth) = with_depth(rest, "resnet", "plain")?;
            ModelSettings {
                depth: number(depth)?,
                residual,
                ..family.defaults()
            }
        }
        None => convolutional(rest)?,
    };
    if !name.starts_with("preact-") {
        return Some(settings);
    }
    Some(ModelSettings {
        placement: Placement::PreActivation,
        ..settings
    })
}

/// `16-4`, `plain-16-4`.
fn wide(rest: &str) -> Option<ModelSettings> {
    let (residual, rest) = match rest.strip_prefix("plain-") {
        Some(rest) => (false, rest),
        None => (true, rest),
    };
    let (depth, widen) = rest.split_once('-')?;
    Some(ModelSettings {
        depth: number(depth)?,
        widen: number(widen)?,
        residual,
        ..Family::Wide.defaults()
    })
}

/// `resnet20`, `wide_resnet50_2`, `resnext29_8x64d` and their plain twins.
fn convolutional(name: &str) -> Option<ModelSettings> {
    if let Some(rest) = name.strip_prefix("wide_") {
        let (residual, rest) = with_depth(rest, "resnet", "plain")?;
        let (depth, times) = rest.split_once('_')?;
        return Some(ModelSettings {
            depth: number(depth)?,
            residual,
            block: BlockKind::Bottleneck,
            group_width: number(times)?.checked_mul(64)?,
            ..Family::Imagenet.defaults()
        });
    }
    if let Some((residual, rest)) = with_depth(name, "resnext", "plainnext") {
        let (depth, groups) = rest.split_once('_')?;
        let (cardinality, group_width) = groups.strip_suffix('d')?.split_once('x')?;
        return Some(ModelSettings {
            residual,
            width: 64,
            block: BlockKind::Bottleneck,
            shortcut: if residual {
                ShortcutKind::B
            } else {
                by_depth(number(depth)?).shortcut
            },
            cardinality: number(cardinality)?,
            group_width: number(group_width)?,
            ..by_depth(number(depth)?)
        });
    }
    let (residual, depth) = with_depth(name, "resnet", "plain")?;
    let settings = by_depth(number(depth)?);
    let shortcut = match settings.block {
        BlockKind::Bottleneck if residual => ShortcutKind::B,
        _ => settings.shortcut,
    };
    Some(ModelSettings {
        residual,
        shortcut,
        ..settings
    })
}

/// The family's settings for a depth, residual.
fn by_depth(depth: usize) -> ModelSettings {
    if IMAGENET_DEPTHS.contains(&depth) {
        return ModelSettings {
            depth,
            block: BlockKind::of_imagenet(depth),
            ..Family::Imagenet.defaults()
        };
    }
    let block = match BOTTLENECK_DEPTHS.contains(&depth) {
        true => BlockKind::Bottleneck,
        false => BlockKind::Basic,
    };
    ModelSettings {
        depth,
        block,
        ..Family::Cifar.defaults()
    }
}

/// What follows one of the two words, and whether it was the residual one.
fn with_depth<'a>(name: &'a str, residual: &str, plain: &str) -> Option<(bool, &'a str)> {
    match name.strip_prefix(residual) {
        Some(rest) => Some((true, rest)),
        None => Some((false, name.strip_prefix(plain)?)),
    }
}

/// Digits without a leading zero.
fn number(digits: &str) -> Option<usize> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok())?
}

/// The names accepted, in words, for messages.
pub fn names() -> &'static str {
    "`resnetN` and `plainN` (N = 18, 34, 50, 101, 152 for ImageNet, any other 6n+2 for CIFAR: 20, 32, \
     44, 56, 110, ..., and 164 and 1001 of bottlenecks), `preact-resnetN`, `wrn-N-K`, `resnextN_CxWd`, \
     `wide_resnetN_K`, `d2l-resnet18`, `fc-resnetN`, `fc-plainN` and `preact-fc-resnetN` (N blocks); `reslab models` lists \
     them"
}

/// The well-known name that is nearest, if it is near enough to be meant.
pub fn nearest_name(name: &str) -> Option<String> {
    let plain = name.to_lowercase().replace('_', "-");
    let distance = |other: &str| strsim::damerau_levenshtein(&plain, &other.replace('_', "-"));
    let best = EXAMPLES.into_iter().min_by_key(|other| distance(other))?;
    let begins = EXAMPLES
        .into_iter()
        .find(|other| plain.len() > 6 && other.replace('_', "-").starts_with(&plain));
    let near = (distance(best) <= (plain.chars().count() / 4).max(1)).then_some(best);
    begins.or(near).map(str::to_owned)
}

impl ModelSettings {
    /// The short name, such as `resnet20`; says nothing of width and the rest.
    pub fn name(&self) -> String {
        let Self {
            depth, cardinality, ..
        } = self;
        let residual = match self.family {
            Family::FullyConnected => match self.placement {
                Placement::PreActivation => format!("preact-fc-resnet{depth}"),
                _ => format!("fc-resnet{depth}"),
            },
            Family::D2l => format!("d2l-resnet{depth}"),
            Family::Wide => format!("wrn-{depth}-{}", self.widen),
            Family::Cifar | Family::Imagenet => {
                let name = if self.cardinality > 1 {
                    format!("resnext{depth}_{cardinality}x{}d", self.group_width)
                } else if self.group_width > 64 && self.group_width.is_multiple_of(64) {
                    format!("wide_resnet{depth}_{}", self.group_width / 64)
                } else {
                    format!("resnet{depth}")
                };
                match self.placement {
                    Placement::PreActivation => format!("preact-{name}"),
                    _ => name,
                }
            }
        };
        match self.residual {
            true => residual,
            false => crate::network::edit::plain_name(&residual),
        }
    }
}
