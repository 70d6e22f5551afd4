//! The backward pass as steps: whose gradient goes where, in what order.
//!
//! A stored tensor's gradient gathers the contributions of its readers. What a batch norm is read
//! through has a gradient of its own, after the norm; the convolution before the norm converts it
//! as it reads it, once the batch's sums are known. When the last contribution to a sum arrives
//! row by row, the sum's own backward is done on that row, and an identity shortcut needs no copy:
//! the gradient of its sum's other term is the same numbers, and is read again where it is added.

use reslab_kernels::pointwise::Nonlinearity;

use super::ir::{Adapter, Factor, Op, Program, Sum, View};
use super::passes::wanted_gradients;

/// A gradient buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Gradient {
    /// Of a stored tensor.
    Tensor(usize),
    /// After a batch norm, before its activation.
    Norm(usize),
}

/// Where a gradient that was computed for a view goes.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub view: View,
    /// What came before, to be added.
    pub base: Option<Gradient>,
    /// Where the sum is kept, if it is.
    pub store: Option<Gradient>,
    /// Where to add its squared norm, if the view is a block's output but not as it is stored.
    pub record: Option<usize>,
    /// Where to add the squared norm of the tensor's gradient, if that is complete and the tensor
    /// as it is stored is a block's output.
    pub record_tensor: Option<usize>,
    /// Place of the norm's sums among those of its step, in channels.
    pub lanes: usize,
    /// Backward of the sum that made the view, to be done on the spot.
    pub sum: Option<SumBackward>,
}

/// Backward of a sum: through its activation to each term.
#[derive(Debug, Clone)]
pub(super) struct SumBackward {
    pub output: usize,
    pub activation: Nonlinearity,
    pub flat: bool,
    pub terms: Vec<(Adapter, Delivery)>,
}

/// One step of the backward pass.
#[derive(Debug, Clone)]
pub(super) struct BackwardStep {
    pub kind: Kind,
    /// Channels of norms that it delivers to.
    pub lanes: usize,
}

/// What a step undoes. Convolutions are named by their op.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A convolution: gradients of weight and bias, and of its input if that is wanted. The
    /// gradient it starts from is after the norm, if there is one.
    Conv {
        op: usize,
        from: Gradient,
        deliver: Option<Delivery>,
    },
    /// A batch norm that is not converted by a convolution.
    Norm {
        norm: usize,
        deliver: Delivery,
    },
    Sum(SumBackward),
    Pool {
        output: usize,
        deliver: Delivery,
    },
    Flatten {
        output: usize,
        deliver: Delivery,
    },
    /// A product, named by its op: gradients of what is multiplied and of a gate's logits.
    Product {
        op: usize,
        from: Gradient,
        input: Option<Delivery>,
        logits: Option<Delivery>,
    },
    /// A max pooling, named by its op; `output` is the tensor it starts from.
    MaxPool {
        op: usize,
        output: usize,
        deliver: Delivery,
    },
}

impl BackwardStep {
    /// Calls `visit` with each delivery, those of sums on the spot included.
    pub fn visit_deliveries(&self, visit: &mut impl FnMut(&Delivery)) {
        match &self.kind {
            Kind::Conv { deliver, .. } => deliver.iter().for_each(|d| d.visit(visit)),
            Kind::Norm { deliver, .. }
            | Kind::Pool { deliver, .. }
            | Kind::MaxPool { deliver, .. }
            | Kind::Flatten { deliver, .. } => deliver.visit(visit),
            Kind::Product { input, logits, .. } => {
                logits.iter().chain(input).for_each(|d| d.visit(visit));
            }
            Kind::Sum(sum) => sum.terms.iter().for_each(|(_, d)| d.visit(visit)),
        }
    }

    /// The gradient it starts from.
    pub fn source(&self) -> Gradient {
        match &self.kind {
            Kind::Conv { from, .. } | Kind::Product { from, .. } => *from,
            Kind::Norm { norm, .. } => Gradient::Norm(*norm),
            Kind::Sum(sum) => Gradient::Tensor(sum.output),
            Kind::Pool { output, .. }
            | Kind::Flatten { output, .. }
            | Kind::MaxPool { output, .. } => Gradient::Tensor(*output),
        }
    }
}

impl Delivery {
    fn visit(&self, visit: &mut impl FnMut(&Delivery)) {
        visit(self);
        if let Some(sum) = &self.sum {
            sum.terms.iter().for_each(|(_, d)| d.visit(visit));
        }
    }
}

/// Plans the backward pass. `records` are the places for [`Program::block_outputs`].
pub(super) fn plan(program: &Program, records: &[usize]) -> Vec<BackwardStep> {
    let mut planner = Planner::new(program, records);
    for (index, op) in program.ops.iter().enumerate().rev() {
        for tensor in op.outputs().into_iter().rev() {
            planner.undo_norms(tensor);
        }
        planner.undo(index, op);
    }
    planner.steps
}

struct Planner<'a> {
    program: &'a Program,
    records: &'a [usize],
    steps: Vec<BackwardStep>,
    /// Contributions still to come, for each tensor.
    missing: Vec<usize>,
    /// Where the contributions so far are.
    gathered: Vec<Option<Gradient>>,
    /// Whether a parameter's gradient needs it.
    wanted: Vec<bool>,
    /// Sums whose backward was done on the spot, by output.
    done: Vec<bool>,
    /// Channels of norms the current step delivers to.
    lanes: usize,
}

impl<'a> Planner<'a> {
    fn new(program: &'a Program, records: &'a [usize]) -> Self {
        let count = program.tensors.len();
        let mut planner = Planner {
            program,
            records,
            steps: Vec::new(),
            missing: vec![0; count],
            gathered: vec![None; count],
            wanted: wanted_gradients(program),
            done: vec![false; count],
            lanes: 0,
        };
        for op in &program.ops {
            let inner = match op {
                Op::Conv(c) if c.fused.is_some() => vec![c.input],
                _ => Vec::new(),
            };
            if !matches!(op, Op::Gather { .. }) {
                for view in op.inputs().into_iter().chain(inner) {
                    if view.norm.is_none() {
                        planner.missing[view.tensor] += 1;
                    }
                }
            }
        }
        for (index, norm) in program.norms.iter().enumerate() {
            planner.missing[norm.tensor] += usize::from(!planner.is_direct(index));
        }
        // The loss.
        planner.missing[program.logits] += 1;
        planner.contribute_loss();
        planner
    }

    fn contribute_loss(&mut self) {
        let logits = self.program.logits;
        self.missing[logits] -= 1;
        self.gathered[logits] = Some(Gradient::Tensor(logits));
    }

    /// Whether a norm is the only reader of a convolution's output, so that the convolution
    /// converts its gradient.
    fn is_direct(&self, norm: usize) -> bool {
        let tensor = self.program.norms[norm].tensor;
        let by_conv = self
            .program
            .ops
            .iter()
            .any(|op| matches!(op, Op::Conv(conv) if conv.output == tensor));
        let readers = self
            .program
            .norms
            .iter()
            .filter(|n| n.tensor == tensor)
            .count();
        let plain_readers = self
            .program
            .ops
            .iter()
            .filter(|op| !matches!(op, Op::Gather { .. }))
            .flat_map(|op| op.inputs())
            .any(|view| view.tensor == tensor && view.norm.is_none());
        let recorded = self.program.block_outputs.contains(&View::plain(tensor));
        by_conv && readers == 1 && !plain_readers && !recorded && self.program.logits != tensor
    }

    fn push(&mut self, kind: Kind) {
        self.steps.push(BackwardStep {
            kind,
            lanes: std::mem::take(&mut self.lanes),
        });
    }

    fn undo_norms(&mut self, tensor: usize) {
        for norm in 0..self.program.norms.len() {
            if self.program.norms[norm].tensor == tensor && !self.is_direct(norm) {
                let deliver = self.deliver(View::plain(tensor), true, false);
                self.push(Kind::Norm { norm, deliver });
            }
        }
    }

    fn undo(&mut self, index: usize, op: &Op) {
        match op {
            Op::Gather { .. } => {}
            Op::Conv(conv) => {
                let direct = (0..self.program.norms.len())
                    .find(|&n| self.program.norms[n].tensor == conv.output && self.is_direct(n));
                let from = direct.map(Gradient::Norm).or(self.gathered[conv.output]);
                // An output that nobody reads has no gradient, and neither has its weight.
                if let Some(from) = from {
                    let deliver = conv
                        .propagates
                        .then(|| self.deliver(conv.input, true, conv.flat));
                    self.push(Kind::Conv {
                        op: index,
                        from,
                        deliver,
                    });
                }
                if let Some(sum) = &conv.fused {
                    self.undo_sum(sum);
                }
            }
            Op::Sum(sum) => self.undo_sum(sum),
            Op::Pool { input, output } => {
                if self.wants(*input) && self.gathered[*output].is_some() {
                    let deliver = self.deliver(*input, true, false);
                    self.push(Kind::Pool {
                        output: *output,
                        deliver,
                    });
                }
            }
            Op::Product(product) => {
                if let Some(from) = self.gathered[product.output] {
                    let logits = match product.factor {
                        Factor::Gate { logits, .. } => Some(View::plain(logits)),
                        _ => None,
                    };
                    let mut way = |view: View| {
                        let wanted = self.wants(view);
                        wanted.then(|| self.deliver(view, true, false))
                    };
                    let logits = logits.and_then(&mut way);
                    let input = way(product.input);
                    self.push(Kind::Product {
                        op: index,
                        from,
                        input,
                        logits,
                    });
                }
            }
            Op::MaxPool(pool) => {
                if self.wants(pool.input) && self.gathered[pool.output].is_some() {
                    let deliver = self.deliver(pool.input, true, false);
                    self.push(Kind::MaxPool {
                        op: index,
                        output: pool.output,
                        deliver,
                    });
                }
            }
            Op::Flatten { input, output } => {
                if self.wants(*input) && self.gathered[*output].is_some() {
                    let deliver = self.deliver(*input, true, false);
                    self.push(Kind::Flatten {
                        output: *output,
                        deliver,
                    });
                }
            }
        }
    }

    fn undo_sum(&mut self, sum: &Sum) {
        if !self.done[sum.output] && self.gathered[sum.output].is_some() {
            let backward = self.sum_backward(sum);
            self.push(Kind::Sum(backward));
        }
    }

    fn wants(&self, view: View) -> bool {
        view.norm.is_some() || self.wanted[view.tensor]
    }

    fn sum_made(&self, tensor: usize) -> Option<&'a Sum> {
        self.program.ops.iter().find_map(|op| match op {
            Op::Sum(sum) if sum.output == tensor => Some(sum),
            Op::Conv(conv) => conv.fused.as_ref().filter(|sum| sum.output == tensor),
            _ => None,
        })
    }

    /// The next contribution to a view. With `on_the_spot`, a sum that is complete by it is undone
    /// at once; `flat` says whether the step works on flat rows.
    fn deliver(&mut self, view: View, on_the_spot: bool, flat: bool) -> Delivery {
        let record = |view: View| {
            let block = self.program.block_outputs.iter().position(|&v| v == view);
            block.map(|block| self.records[block])
        };
        let tensor_record = record(View::plain(view.tensor));
        let record = record(view).filter(|_| !view.is_plain());
        let mut delivery = Delivery {
            view,
            base: None,
            store: None,
            record,
            record_tensor: None,
            lanes: self.lanes,
            sum: None,
        };
        if let Some(norm) = view.norm {
            self.lanes += self.program.norms[norm].spec.channels;
            delivery.store = Some(Gradient::Norm(norm));
            return delivery;
        }
        let tensor = view.tensor;
        self.missing[tensor] -= 1;
        let complete = self.missing[tensor] == 0;
        delivery.record_tensor = tensor_record.filter(|_| complete);
        delivery.base = self.gathered[tensor];
        let sum = self.sum_made(tensor).filter(|_| on_the_spot && complete);
        let fits = |sum: &&Sum| {
            sum.flat == flat
                || sum
                    .terms
                    .iter()
                    .all(|(_, adapter)| *adapter == Adapter::Same)
        };
        match sum.filter(fits) {
            Some(sum) => {
                self.done[tensor] = true;
                delivery.sum = Some(self.sum_backward(sum));
            }
            None => {
                self.gathered[tensor] = Some(Gradient::Tensor(tensor));
                delivery.store = Some(Gradient::Tensor(tensor));
            }
        }
        delivery
    }

    fn sum_backward(&mut self, sum: &Sum) -> SumBackward {
        let mut terms: Vec<(Adapter, Delivery)> = Vec::new();
        for &(view, adapter) in &sum.terms {
            if !self.wants(view) {
                continue;
            }
            // The same numbers, kept for another term: read them there instead of a copy.
            let kept = terms.iter().find_map(|(a, d)| match (a, d.store) {
                (Adapter::Same, Some(kept))
                    if d.base.is_none() && d.view.activation == Nonlinearity::Identity =>
                {
                    Some(kept)
                }
                _ => None,
            });
            let first = view.is_plain() && self.gathered[view.tensor].is_none();
            match kept {
                Some(kept)
                    if adapter == Adapter::Same && first && self.missing[view.tensor] > 1 =>
                {
                    self.missing[view.tensor] -= 1;
                    self.gathered[view.tensor] = Some(kept);
                }
                _ => terms.push((adapter, self.deliver(view, false, sum.flat))),
            }
        }
        let Sum {
            output,
            activation,
            flat,
            ..
        } = *sum;
        SumBackward {
            output,
            activation,
            flat,
            terms,
        }
    }
}
