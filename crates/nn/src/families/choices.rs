//! The words that settings of a network choose among.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::ModelSettings;
use super::{cifar, fully_connected, imagenet};
use crate::network::Shape;

/// The families there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// 3×3 convolutions in three stages (He et al. 2015, section 4.2; He et al. 2016).
    #[default]
    Cifar,
    /// Wide pre-activation networks in three stages (Zagoruyko, Komodakis 2016).
    Wide,
    /// Four stages after a 7×7 stem (He et al. 2015, table 1), as torchvision builds them.
    Imagenet,
    /// The ResNet-18 of the textbook Dive into Deep Learning.
    D2l,
    /// Vectors of one width throughout.
    FullyConnected,
}

/// Layers of a convolutional block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// Two 3×3 convolutions.
    #[default]
    Basic,
    /// 1×1, 3×3 and 1×1 convolution, the last to four times the stage's width.
    Bottleneck,
}

/// Where a block has its batch norms and nonlinearities: He et al. 2016, table 2 and figure 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Batch norm and ReLU after each convolution, the last ReLU after the addition.
    #[default]
    Original,
    /// The last batch norm after the addition too.
    BnAfterAddition,
    /// The last ReLU before the addition too.
    ReluBeforeAddition,
    /// ReLU before each convolution, batch norm after it.
    ReluOnlyPreActivation,
    /// Batch norm and ReLU before each convolution.
    PreActivation,
}

/// The road around a block: options of He et al. 2015, section 4.1, and cases of He et al. 2016,
/// table 1. Where a block changes the shape, the cases of 2016 start from option A (`cifar`) or a
/// projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShortcutKind {
    /// Identity; where the shape changes, every second pixel and zero channels.
    #[default]
    #[serde(rename = "A")]
    A,
    /// Identity; where the shape changes, a 1×1 convolution.
    #[serde(rename = "B")]
    B,
    /// A 1×1 convolution in every block.
    #[serde(rename = "C")]
    C,
    /// Multiplied by a constant; the branch too, if `branch_factor` says so.
    Constant,
    /// `1 − g(x)` on the shortcut and `g(x)` on the branch.
    ExclusiveGate,
    /// `1 − g(x)` on the shortcut.
    ShortcutGate,
    /// Dropout on the shortcut.
    Dropout,
}

/// Which convolution of a bottleneck has the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum StrideOn {
    /// The 3×3 one, as in torchvision.
    #[default]
    #[serde(rename = "3x3")]
    ThreeByThree,
    /// The first 1×1 one, as in He et al. 2015.
    #[serde(rename = "1x1")]
    OneByOne,
}

impl Family {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Cifar => "cifar",
            Family::Wide => "wide",
            Family::Imagenet => "imagenet",
            Family::D2l => "d2l",
            Family::FullyConnected => "fully-connected",
        }
    }

    /// Shape of the samples and number of classes that its papers use.
    pub const fn usual_data(self) -> (Shape, usize) {
        match self {
            Family::Cifar | Family::Wide => (Shape::new(3, 32, 32), 10),
            Family::Imagenet => (Shape::new(3, 224, 224), 1000),
            Family::D2l => (Shape::new(1, 224, 224), 10),
            Family::FullyConnected => (Shape::vector(784), 10),
        }
    }

    /// Its default settings.
    pub const fn defaults(self) -> ModelSettings {
        match self {
            Family::Cifar => cifar::DEFAULTS,
            Family::Wide => cifar::WIDE_DEFAULTS,
            Family::Imagenet => imagenet::DEFAULTS,
            Family::D2l => imagenet::D2L_DEFAULTS,
            Family::FullyConnected => fully_connected::DEFAULTS,
        }
    }
}

impl BlockKind {
    /// The blocks of an ImageNet network of this depth.
    pub const fn of_imagenet(depth: usize) -> Self {
        if depth < 50 {
            Self::Basic
        } else {
            Self::Bottleneck
        }
    }

    /// Weighted layers in its branch.
    pub const fn layers(self) -> usize {
        match self {
            Self::Basic => 2,
            Self::Bottleneck => 3,
        }
    }

    /// Channels out for each channel of the stage's width.
    pub const fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

impl Placement {
    /// Whether a convolution's nonlinearity comes before it.
    pub const fn is_before(self) -> bool {
        matches!(self, Self::ReluOnlyPreActivation | Self::PreActivation)
    }
}
