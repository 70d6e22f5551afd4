//! Passes over a compiled program: which gradients are asked for, and which sums are computed inside
//! a convolution.

use super::ir::{Op, Program, View};

/// Marks the convolutions whose input's gradient is asked for: all but those that read the
/// network's input (or what only it makes).
pub(super) fn mark_propagation(program: &mut Program) {
    let wanted = wanted_gradients(program);
    for op in &mut program.ops {
        if let Op::Conv(conv) = op {
            conv.propagates = conv.input.norm.is_some() || wanted[conv.input.tensor];
        }
    }
}

/// For each tensor, whether its gradient is asked for: it depends on a parameter, or is what a
/// block puts out.
pub(super) fn wanted_gradients(program: &Program) -> Vec<bool> {
    let mut wanted = vec![false; program.tensors.len()];
    for op in &program.ops {
        let reaches = op
            .inputs()
            .iter()
            .any(|view| view.norm.is_some() || wanted[view.tensor]);
        let recorded = |tensor: usize| program.block_outputs.contains(&View::plain(tensor));
        match op {
            Op::Conv(conv) => {
                if let Some(sum) = &conv.fused {
                    wanted[sum.output] = reaches || recorded(sum.output);
                }
                wanted[conv.output] = true;
            }
            _ => op
                .outputs()
                .into_iter()
                .for_each(|t| wanted[t] = reaches || recorded(t)),
        }
    }
    wanted
}

/// Moves each sum into the convolution that reads it next.
pub(super) fn fuse_sums(program: &mut Program) {
    let mut ops: Vec<Op> = Vec::with_capacity(program.ops.len());
    for mut op in std::mem::take(&mut program.ops) {
        if let (Op::Conv(conv), Some(Op::Sum(sum))) = (&mut op, ops.last())
            && conv.input == View::plain(sum.output)
            && conv.flat == sum.flat
        {
            conv.fused = Some(sum.clone());
            ops.pop();
        }
        ops.push(op);
    }
    program.ops = ops;
}
