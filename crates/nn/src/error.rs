//! What can be wrong with a network: its shapes, or the settings it is built from.

use crate::network::Shape;

/// Two shapes that do not fit. Names the block and both shapes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A layer cannot read what it is given.
    #[error("Layer `{layer}` reads {expected}, but is given {found}.")]
    Layer {
        /// The layer's full name.
        layer: String,
        /// What it reads, in words.
        expected: String,
        /// What it is given.
        found: Shape,
    },
    /// Something is wrong inside a block.
    #[error("Block `{block}` cannot be applied to its input of {input}: {cause}")]
    Block {
        /// The block's name.
        block: String,
        /// Shape of the block's input.
        input: Shape,
        /// What is wrong with it.
        #[source]
        cause: Box<ShapeError>,
    },
    /// The shortcut and a branch cannot be added.
    #[error(
        "The shortcut gives {shortcut}, but branch {branch} gives {found}: they cannot be added."
    )]
    Addition {
        /// What comes through the shortcut.
        shortcut: Shape,
        /// Which branch, from 0.
        branch: usize,
        /// What comes through the branch.
        found: Shape,
    },
    /// The gate and what it gates differ in shape.
    #[error("The shortcut gives {shortcut}, but its gate gives {found}.")]
    Gate {
        /// What comes through the shortcut.
        shortcut: Shape,
        /// What the gate's layers give.
        found: Shape,
    },
    /// A plain block needs exactly one branch.
    #[error("A block without a shortcut needs exactly one branch, but has {branches}.")]
    PlainBranches {
        /// Branches found.
        branches: usize,
    },
    /// The network ends in another shape than its outputs.
    #[error("The network should put out {expected}, but its head gives {found}.")]
    Output {
        /// A vector of the network's outputs.
        expected: Shape,
        /// What the head gives.
        found: Shape,
    },
    /// A sample without numbers.
    #[error("An input of {input} holds no numbers: every dimension must be at least 1.")]
    EmptyInput {
        /// The input's shape.
        input: Shape,
    },
    /// An order that is not a permutation of the blocks.
    #[error("{order:?} is not an order of {blocks} blocks: each of 0..{blocks} must occur once.")]
    Order {
        /// The order asked for.
        order: Vec<usize>,
        /// Blocks there are.
        blocks: usize,
    },
    /// A range of blocks that the network does not have.
    #[error("There are no blocks {range:?}: the network has {blocks}.")]
    Range {
        /// Blocks there are.
        blocks: usize,
        /// The range asked for.
        range: std::ops::Range<usize>,
    },
    /// A batch of another shape than what is executed reads.
    #[error("Samples should be {expected}, but are {found}.")]
    Input {
        /// What is read.
        expected: Shape,
        /// What was given.
        found: Shape,
    },
    /// An array of another length than the network asks for.
    #[error("The {what} should hold {expected} numbers, but hold {found}.")]
    Length {
        /// What the array is, in the plural.
        what: &'static str,
        /// Numbers expected.
        expected: usize,
        /// Numbers found.
        found: usize,
    },
    /// A class that the network has no output for.
    #[error("A target is class {class}, but the network has {outputs} outputs.")]
    Class {
        /// The class found.
        class: u32,
        /// Outputs of the network.
        outputs: usize,
    },
}

/// Settings from which no network can be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A name that is no network's.
    #[error(
        "There is no network `{name}`{}; accepted are {accepted}.",
        meant(nearest)
    )]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The well-known name nearest to it.
        nearest: Option<String>,
        /// The patterns accepted.
        accepted: String,
    },
    /// A depth the family does not have.
    #[error(
        "A network of the family `{family}` cannot have depth {depth}: {rule}; {nearest} would do."
    )]
    Depth {
        /// The family.
        family: &'static str,
        /// The depth asked for.
        depth: usize,
        /// What the family's depths are.
        rule: &'static str,
        /// The valid depths that are near.
        nearest: String,
    },
    /// A setting with a value out of its range.
    #[error("`{setting}` cannot be {value}: {rule}.")]
    Range {
        /// The setting.
        setting: &'static str,
        /// Its value, as written.
        value: String,
        /// What is accepted.
        rule: &'static str,
    },
    /// A setting that does not apply to the family.
    #[error("`{setting}: {value}` does not apply to the family `{family}`: {rule}.")]
    NotApplicable {
        /// The setting.
        setting: &'static str,
        /// Its value, as written.
        value: String,
        /// The family.
        family: &'static str,
        /// Why, and what to write.
        rule: &'static str,
    },
    /// More parameters than an arena can hold.
    #[error(
        "`{name}` of width {width} on inputs of {input} has more than {limit} parameters: make it narrower or shallower."
    )]
    TooLarge {
        /// The network's name.
        name: String,
        /// Its width.
        width: usize,
        /// Shape of its input.
        input: Shape,
        /// The greatest number of parameters.
        limit: usize,
    },
    /// A network without outputs.
    #[error("A network needs at least one output.")]
    NoOutputs,
    /// Shapes that do not fit.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// A guess at what was meant, if there is one.
fn meant(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!(" (did you mean `{name}`?)"),
        None => String::new(),
    }
}
