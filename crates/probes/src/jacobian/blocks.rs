//! A network linearised at a sample, and the Jacobians of its blocks written down.
//!
//! Row i of a Jacobian is the vector–Jacobian product with the i-th unit vector, by the reference in
//! `f64`, many rows at a time: the block is run on as many copies of its input. A block
//! `post(shortcut(u) + F(u))`, `u = pre(x)`, has three of them:
//!
//! | kind     | map                              | where                              |
//! |----------|----------------------------------|------------------------------------|
//! | `branch` | ∂F/∂x, F the sum of the branches | blocks without a gate              |
//! | `sum`    | ∂(shortcut + F)/∂x               | residual blocks                    |
//! | `block`  | ∂(post(shortcut + F))/∂x         | blocks with layers after the addition |

use rayon::prelude::*;
use reslab_nn::error::ShapeError;
use reslab_nn::network::{Block, Network, Op, Shape, Shortcut};
use reslab_nn::reference::{Mode, Part, Pass, Tensor, derivatives::part_jvp, forward_part};

use reslab_dense::Matrix;

/// Rows that are computed together. Fixed, so that sums do not depend on threads.
const TOGETHER: usize = 64;

/// A network with its numbers in `f64`, and how it is run.
pub struct Linearisation {
    /// The network.
    pub network: Network,
    /// The same without what follows the additions.
    sums: Network,
    /// Its parameters.
    pub parameters: Vec<f64>,
    /// Its running statistics.
    pub state: Vec<f64>,
    /// Which statistics batch norms use.
    pub mode: Mode,
}

/// Which of a block's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The branches alone.
    Branch,
    /// Shortcut and branches before an outer nonlinearity.
    Sum,
    /// The whole block.
    Block,
}

impl Kind {
    /// As it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Branch => "branch",
            Kind::Sum => "sum",
            Kind::Block => "block",
        }
    }
}

impl Linearisation {
    /// Of a network in a mode.
    pub fn new(network: Network, parameters: Vec<f64>, state: Vec<f64>, mode: Mode) -> Self {
        let mut sums = network.clone();
        for block in &mut sums.blocks {
            block.post.clear();
        }
        Self {
            network,
            sums,
            parameters,
            state,
            mode,
        }
    }

    /// A part of the network, run on an activation.
    pub fn run(&self, part: Part, input: &Tensor<f64>) -> Result<Pass<f64>, ShapeError> {
        self.run_on(&self.network, part, input)
    }

    fn run_on(
        &self,
        network: &Network,
        part: Part,
        input: &Tensor<f64>,
    ) -> Result<Pass<f64>, ShapeError> {
        let (parameters, state) = (&self.parameters, &self.state);
        forward_part(network, part, parameters, state, self.mode, input)
    }

    /// The kinds of maps that a block has; the last is the whole block.
    pub fn kinds(&self, block: usize) -> Vec<Kind> {
        let block = &self.network.blocks[block];
        let mut kinds = Vec::new();
        if block.gate.is_none() {
            kinds.push(Kind::Branch);
        }
        if block.shortcut != Shortcut::None {
            kinds.push(Kind::Sum);
        }
        if !block.post.is_empty() {
            kinds.push(Kind::Block);
        }
        kinds
    }

    /// The Jacobians of all of a block's maps at its input, out × in.
    pub fn all(
        &self,
        block: usize,
        input: &Tensor<f64>,
    ) -> Result<Vec<(Kind, Matrix)>, ShapeError> {
        let mut found: Vec<(Kind, Matrix)> = Vec::new();
        for kind in self.kinds(block) {
            let jacobian = match (kind, found.last()) {
                (Kind::Sum, Some((Kind::Branch, branch))) if self.is_clean(block) => {
                    branch.plus_identity()
                }
                (Kind::Block, Some((before, sum))) if self.is_elementwise(block) => {
                    let factors = self.factors(block, *before, input)?;
                    sum.with_rows_scaled(&factors)
                }
                _ => self.dense(block, kind, input)?,
            };
            found.push((kind, jacobian));
        }
        Ok(found)
    }

    /// Whether the shortcut is the block's input itself.
    fn is_clean(&self, block: usize) -> bool {
        let block = &self.network.blocks[block];
        block.shortcut == Shortcut::Identity && block.pre.is_empty()
    }

    /// Whether what follows the addition treats every number by itself.
    fn is_elementwise(&self, block: usize) -> bool {
        let fixed = self.mode == Mode::Evaluation;
        let mut post = self.network.blocks[block].post.iter();
        post.all(|layer| match layer.op {
            Op::Activation(_) | Op::Scale(_) => true,
            Op::BatchNorm(_) | Op::Dropout(_) => fixed,
            _ => false,
        })
    }

    /// The derivatives of what follows the addition, one for each number.
    fn factors(
        &self,
        block: usize,
        before: Kind,
        input: &Tensor<f64>,
    ) -> Result<Vec<f64>, ShapeError> {
        let sum = self.pass((block, block + 1), before, input)?.output;
        let (_, height, width, channels) = sum.dim();
        let shape = Shape::new(channels, height, width);
        let mut after = self.network.blocks[block].clone();
        after.pre.clear();
        after.branches.clear();
        (after.shortcut, after.gate, after.survival) = (Shortcut::Identity, None, None);
        let network = Network {
            input: shape,
            outputs: shape.len(),
            stem: Vec::new(),
            blocks: vec![after],
            head: Vec::new(),
            ..self.network.clone()
        };
        let numbers = (&self.parameters[..], &self.state[..]);
        let ones = Tensor::from_elem(sum.dim(), 1.0);
        let part = (&network, Part::blocks(0..1));
        let (_, factors) = part_jvp(part, numbers, self.mode, &sum, &ones)?;
        Ok(factors.iter().copied().collect())
    }

    /// The Jacobian of one of a block's maps at its input, out × in.
    pub fn dense(
        &self,
        block: usize,
        kind: Kind,
        input: &Tensor<f64>,
    ) -> Result<Matrix, ShapeError> {
        let whole = self.network_of(kind);
        let part = || Part::blocks(block..block + 1);
        let output = self.run_on(whole, part(), input)?.output.dim();
        let (samples, rest) = (output.0, output.1 * output.2 * output.3);
        // Batch statistics tie samples together: there one pass serves all rows, else a pass of many
        // copies serves many rows.
        let alone = self.mode == Mode::Training;
        let together = if alone { 1 } else { TOGETHER };
        let shared = match alone {
            true => Some(self.run_on(whole, part(), input)?),
            false => None,
        };
        let rows = samples * rest;
        let chunks = (0..rows.div_ceil(together)).into_par_iter().map(|chunk| {
            let members = chunk * together..rows.min((chunk + 1) * together);
            let copies = match alone {
                true => samples,
                false => members.len(),
            };
            let mut cotangent = Tensor::zeros((copies, output.1, output.2, output.3));
            let flat = cotangent.as_slice_mut().expect("a new tensor is in order");
            for (copy, row) in members.clone().enumerate() {
                flat[copy * rest + row] = 1.0;
            }
            let mut own = None;
            let pass = match &shared {
                Some(pass) => pass,
                None => own.insert(self.run_on(whole, part(), &repeated(input, copies))?),
            };
            let place = (whole, (block, block + 1));
            let grad = self.back_through(pass, place, kind, cotangent);
            Ok(grad.iter().copied().collect::<Vec<f64>>())
        });
        let chunks: Vec<Vec<f64>> = chunks.collect::<Result<_, ShapeError>>()?;
        // Rows one after the other are the columns of the transpose.
        Ok(Matrix::new(input.len(), rows, chunks.concat()).transposed())
    }

    fn network_of(&self, kind: Kind) -> &Network {
        match kind {
            Kind::Block => &self.network,
            Kind::Branch | Kind::Sum => &self.sums,
        }
    }

    /// Through one block of a pass, by one of its maps.
    fn back(
        &self,
        pass: &Pass<f64>,
        (network, block): (&Network, usize),
        kind: Kind,
        grad: &Tensor<f64>,
    ) -> Tensor<f64> {
        let by_shortcut = (kind != Kind::Branch).then_some(grad);
        let numbers = (network, &self.parameters[..]);
        pass.backward_by_roads(numbers, block, by_shortcut, Some(grad))
    }

    /// J v of the blocks `first..end`, or of one map of a single block.
    pub fn apply(
        &self,
        (first, end): (usize, usize),
        kind: Kind,
        input: &Tensor<f64>,
        vector: &[f64],
    ) -> Result<Vec<f64>, ShapeError> {
        let tangent = shaped(vector, input.dim());
        let jvp = |network: &Network| {
            let numbers = (&self.parameters[..], &self.state[..]);
            let part = (network, Part::blocks(first..end));
            let (_, tangent) = part_jvp(part, numbers, self.mode, input, &tangent)?;
            Ok(tangent.iter().copied().collect())
        };
        match kind {
            Kind::Branch => jvp(&self.branch_alone(first)),
            Kind::Sum => jvp(&self.sums),
            Kind::Block => jvp(&self.network),
        }
    }

    /// Jᵀ u of the same.
    pub fn apply_transposed(
        &self,
        (first, end): (usize, usize),
        kind: Kind,
        pass: &Pass<f64>,
        vector: &[f64],
    ) -> Vec<f64> {
        let cotangent = shaped(vector, pass.output.dim());
        let network = self.network_of(kind);
        self.back_through(pass, (network, (first, end)), kind, cotangent)
            .iter()
            .copied()
            .collect()
    }

    fn back_through(
        &self,
        pass: &Pass<f64>,
        (network, (first, end)): (&Network, (usize, usize)),
        kind: Kind,
        cotangent: Tensor<f64>,
    ) -> Tensor<f64> {
        let gated = |block: usize| network.blocks[block].gate.is_some();
        if (first..end).any(gated) {
            // Its roads cannot be told apart; parameters' gradients come along for nothing.
            return pass.backward(network, &self.parameters, &cotangent).input;
        }
        let blocks = (first..end).rev();
        blocks.fold(cotangent, |grad, block| {
            self.back(pass, (network, block), kind, &grad)
        })
    }

    /// A pass of one of a block's maps, or of a range of blocks, for [`Self::apply_transposed`].
    pub fn pass(
        &self,
        (first, end): (usize, usize),
        kind: Kind,
        input: &Tensor<f64>,
    ) -> Result<Pass<f64>, ShapeError> {
        self.run_on(self.network_of(kind), Part::blocks(first..end), input)
    }

    fn branch_alone(&self, block: usize) -> Network {
        let mut network = self.sums.clone();
        let Block { shortcut, .. } = &mut network.blocks[block];
        *shortcut = Shortcut::None;
        network
    }
}

/// A sample, so many times.
fn repeated(input: &Tensor<f64>, copies: usize) -> Tensor<f64> {
    let (_, h, w, c) = input.dim();
    let values: Vec<f64> = input.iter().copied().collect();
    shaped(&values.repeat(copies), (copies, h, w, c))
}

/// Numbers in a row as an activation.
pub fn shaped(values: &[f64], shape: (usize, usize, usize, usize)) -> Tensor<f64> {
    Tensor::from_shape_vec(shape, values.to_vec()).expect("as many numbers as the shape has")
}
