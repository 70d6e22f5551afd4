//! Where parameters and running statistics lie: two flat arenas with named views.
//!
//! A momentum buffer, a gradient, a landscape direction and a Hessian vector are all vectors of
//! the parameter arena.

/// A range of an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// First element.
    pub offset: usize,
    /// Elements.
    pub len: usize,
}

impl Slot {
    /// The range it covers.
    pub const fn range(self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len
    }

    /// Its part of an arena.
    pub fn of<T>(self, arena: &[T]) -> &[T] {
        &arena[self.range()]
    }

    /// Its part of an arena, to write.
    pub fn of_mut<T>(self, arena: &mut [T]) -> &mut [T] {
        &mut arena[self.range()]
    }
}

/// What an entry is for; decides initialisation and weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Weight of a convolution, `(out, in / groups, kernel, kernel)`.
    ConvWeight,
    /// Weight of a linear layer, `(out, in)`.
    LinearWeight,
    /// Bias of a convolution or linear layer.
    Bias,
    /// γ of a batch norm.
    NormWeight,
    /// β of a batch norm.
    NormBias,
    /// Running mean (state arena).
    RunningMean,
    /// Running variance (state arena).
    RunningVar,
}

/// One named tensor of an arena.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Full name, such as `layer2.0.conv1.weight`.
    pub name: String,
    /// Index into [`super::Network::blocks`] as built, or `None` for stem and head.
    pub block: Option<usize>,
    /// What it is for.
    pub role: Role,
    /// Dimensions, PyTorch's layout.
    pub shape: Vec<usize>,
    /// Where it lies.
    pub slot: Slot,
    /// Whether this is what a residual branch ends with, a γ or a weight: what zero-γ and scaled initialisation act on.
    pub ends_branch: bool,
    /// What a bias starts from: 0, but for the bias of a gate.
    pub start: f64,
}

/// Both arenas of a network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    /// Trained parameters, in order of execution.
    pub parameters: Vec<Entry>,
    /// Running statistics.
    pub state: Vec<Entry>,
}

impl Layout {
    /// Numbers in the parameter arena.
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |e| e.slot.range().end)
    }

    /// Numbers in the state arena.
    pub fn state_count(&self) -> usize {
        self.state.last().map_or(0, |e| e.slot.range().end)
    }

    /// A fresh state arena: running means 0, running variances 1.
    pub fn initial_state(&self) -> Vec<f32> {
        let mut state = vec![0.0; self.state_count()];
        for entry in self.state.iter().filter(|e| e.role == Role::RunningVar) {
            entry.slot.of_mut(&mut state).fill(1.0);
        }
        state
    }
}
