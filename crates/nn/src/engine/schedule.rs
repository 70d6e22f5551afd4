//! Steps in phases: what must be known of the whole batch before the next step can start.
//!
//! A phase is run for each shard of the batch on its own, on any thread. Between phases, in fixed
//! order: batch statistics from the shards' sums, coefficients of batch norms, gradients of weights
//! from the shards' parts.

use super::backward_plan::{BackwardStep, Gradient, Kind};
use super::ir::{Op, Program};

/// One thing a shard does.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The samples, side by side.
    Input,
    /// An op of the program, forward.
    Forward(usize),
    /// The loss, and where there is a backward pass its gradient.
    Loss,
    Backward(Box<BackwardStep>),
}

/// A run of steps without a barrier, and what is done after it.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase {
    pub steps: Vec<Step>,
    /// Stats whose sums are complete.
    pub stats: Vec<usize>,
    /// Norms whose backward sums are complete.
    pub norms: Vec<usize>,
    /// Convolutions whose weight gradient is complete: op, and place among the shard's parts.
    pub weights: Vec<(usize, usize)>,
    /// Floats of a shard's parts.
    pub parts: usize,
}

/// Floats of weight gradient after which a shard's parts are combined.
const MOST_PARTS: usize = 1 << 20;

/// Cuts the steps into phases.
pub(super) fn phases(program: &Program, backward: Vec<BackwardStep>) -> Vec<Phase> {
    let forward = (0..program.ops.len()).map(Step::Forward);
    let steps = [Step::Input]
        .into_iter()
        .chain(forward)
        .chain([Step::Loss])
        .chain(
            backward
                .into_iter()
                .map(|step| Step::Backward(Box::new(step))),
        );
    let mut phases = vec![Phase::default()];
    for step in steps {
        let phase = phases.last_mut().expect("there is a first phase");
        if phase.must_end_before(program, &step) {
            phases.push(Phase::default());
        }
        phases
            .last_mut()
            .expect("there is a last phase")
            .add(program, step);
    }
    phases
}

impl Phase {
    fn must_end_before(&self, program: &Program, step: &Step) -> bool {
        match step {
            Step::Input | Step::Loss => false,
            Step::Forward(op) => {
                let mut norms = program.ops[*op].inputs().into_iter().filter_map(|v| v.norm);
                norms.any(|n| {
                    program.norms[n]
                        .stat
                        .is_some_and(|s| self.stats.contains(&s))
                })
            }
            Step::Backward(step) => match &step.kind {
                Kind::Conv {
                    from: Gradient::Norm(norm),
                    ..
                }
                | Kind::Norm { norm, .. } => self.norms.contains(norm),
                Kind::Conv { op, .. } => {
                    self.parts > 0 && self.parts + parts_of(&program.ops[*op]) > MOST_PARTS
                }
                _ => false,
            },
        }
    }

    fn add(&mut self, program: &Program, step: Step) {
        match &step {
            Step::Input | Step::Loss => {}
            Step::Forward(op) => self.stats.extend(program.ops[*op].stat()),
            Step::Backward(backward) => {
                if let Kind::Conv { op, .. } = &backward.kind {
                    self.weights.push((*op, self.parts));
                    self.parts += parts_of(&program.ops[*op]);
                }
                backward.visit_deliveries(&mut |delivery| {
                    if let Some(Gradient::Norm(norm)) = delivery.store {
                        self.norms.push(norm);
                    }
                });
            }
        }
        self.steps.push(step);
    }
}

/// Floats of a convolution's part of the gradient: weight, then bias.
fn parts_of(op: &Op) -> usize {
    match op {
        Op::Conv(conv) => conv.shape.weight_len() + conv.bias.map_or(0, |bias| bias.len),
        _ => 0,
    }
}
