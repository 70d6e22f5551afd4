//! Passes over a compiled program: which gradients are asked for, and which sums are computed inside
//! a convolution.

use reslab_kernels::pointwise::Nonlinearity;

use super::ir::{Adapter, Finish, Op, Program, Sum, View};

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

/// Moves sums and ReLU into the convolutions by tiles that they follow: passes over pixels less.
pub(super) fn finish_convolutions(program: &mut Program) {
    add_in_convolutions(program);
    activate_in_convolutions(program);
}

/// Applies ReLU as a convolution writes, where all that read its output do it.
fn activate_in_convolutions(program: &mut Program) {
    for at in 0..program.ops.len() {
        let Op::Conv(conv) = &program.ops[at] else {
            continue;
        };
        let output = conv.output;
        let shown = |view: &View| view.tensor == output;
        let activated = View {
            activation: Nonlinearity::Relu,
            ..View::plain(output)
        };
        let reads = |op: &Op| op.inputs().iter().any(shown);
        let alike = |op: &Op| match op {
            Op::Conv(reader) => reader.input == activated && reader.finish.add != Some(output),
            _ => false,
        };
        let mut readers = program.ops.iter().filter(|op| reads(op));
        let fits = conv.tiled
            && conv.finish == Finish::default()
            && output != program.logits
            && !program.block_outputs.iter().any(shown)
            && readers.all(alike);
        if !fits {
            continue;
        }
        for op in &mut program.ops {
            match op {
                Op::Conv(conv) if conv.output == output => conv.finish.relu = true,
                Op::Conv(conv) if conv.input == activated => conv.input = View::plain(output),
                _ => {}
            }
        }
    }
}

/// Moves each sum of a convolution by tiles and something that is there already into the
/// convolution, which stores the sum in place of its output.
fn add_in_convolutions(program: &mut Program) {
    let mut ops: Vec<Op> = Vec::with_capacity(program.ops.len());
    let old = std::mem::take(&mut program.ops);
    for op in &old {
        let readers = |tensor: usize| {
            let all = old.iter().flat_map(Op::inputs);
            all.filter(|view| view.tensor == tensor).count()
        };
        if let (Op::Sum(sum), Some(Op::Conv(conv))) = (op, ops.last_mut())
            && let Some(other) = other_term(sum, conv.output)
            && conv.tiled
            && conv.finish.add.is_none()
            && readers(conv.output) == 1
            && conv.output != program.logits
            && !program.block_outputs.contains(&View::plain(conv.output))
        {
            conv.finish = Finish {
                add: Some(other),
                relu: sum.activation == Nonlinearity::Relu,
            };
            conv.output = sum.output;
            continue;
        }
        ops.push(op.clone());
    }
    program.ops = ops;
}

/// The tensor that a sum adds to a convolution's output as it is, if that is all it does.
fn other_term(sum: &Sum, output: usize) -> Option<usize> {
    let [(a, Adapter::Same), (b, Adapter::Same)] = sum.terms[..] else {
        return None;
    };
    let plain = a.is_plain() && b.is_plain() && a.tensor != b.tensor && !sum.flat;
    let other = match (a.tensor == output, b.tensor == output) {
        (true, _) => b.tensor,
        (_, true) => a.tensor,
        _ => return None,
    };
    (plain && sum.activation != Nonlinearity::Tanh).then_some(other)
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
