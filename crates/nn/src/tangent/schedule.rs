//! The steps of a pass, cut where something must be known of the whole batch.

use super::program::{Kind, Op, Program};

/// One thing that is done for a group of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The samples, or their tangents, side by side.
    Input,
    /// The sums that a batch norm takes its statistics, or their tangents, from.
    Gather(usize),
    Forward(usize),
    /// What comes out is handed on.
    Output,
    /// The gradient at the outputs, or its tangent.
    Loss,
    /// The sums of a batch norm's backward pass.
    GatherBackward(usize),
    Backward(usize),
    /// The gradient at the input is handed on.
    InputGradient,
}

/// Steps without a barrier, and the op whose sums are complete after them.
#[derive(Debug, Default)]
pub(super) struct Phase {
    pub steps: Vec<Step>,
    pub complete: Option<Step>,
}

/// Which steps a pass has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passes {
    pub forward: bool,
    pub backward: bool,
    /// Whether the input's gradient is what is asked for.
    pub input_gradient: bool,
}

/// The phases of a pass.
pub(super) fn phases(program: &Program, passes: Passes) -> Vec<Phase> {
    let mut phases = vec![Phase::default()];
    let mut push = |step: Step| {
        let phase = phases.last_mut().expect("there is a first phase");
        phase.steps.push(step);
        if matches!(step, Step::Gather(_) | Step::GatherBackward(_)) {
            phase.complete = Some(step);
            phases.push(Phase::default());
        }
    };
    if passes.forward {
        push(Step::Input);
        for (at, op) in program.ops.iter().enumerate() {
            if uses_batch(program, op) {
                push(Step::Gather(at));
            }
            // What runs with the convolution before it has run.
            if at == 0 || !program.ops[at - 1].pairs {
                push(Step::Forward(at));
            }
        }
        push(Step::Output);
    }
    if passes.backward {
        push(Step::Loss);
        for (at, op) in program.ops.iter().enumerate().rev() {
            if uses_batch(program, op) {
                push(Step::GatherBackward(at));
            }
            if !passes.input_gradient || !program.is_pulled(at) {
                push(Step::Backward(at));
            }
        }
        if passes.input_gradient {
            push(Step::InputGradient);
        }
    }
    phases
}

fn uses_batch(program: &Program, op: &Op) -> bool {
    match op.kind {
        Kind::Affine {
            norm: Some(norm), ..
        } => program.norms[norm].of_batch,
        _ => false,
    }
}
