//! Where tensors and gradients lie in a shard's arena.
//!
//! A buffer lives from the first step that writes it to the last that reads it; buffers whose
//! lives do not meet may share a place. Places are given in order of size, each the lowest that
//! fits.

use std::collections::HashMap;

use super::backward_plan::{BackwardStep, Gradient};
use super::ir::Program;

/// Size of an arena and the places in it, in floats.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pub len: usize,
    pub gradients: HashMap<Gradient, usize>,
}

/// A buffer's size, and the first and the last step that it must lie in its place for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    pub len: usize,
    /// `usize::MAX` for what is never written, and gets no place.
    pub from: usize,
    pub to: usize,
}

/// Plans an arena for `groups` groups of images and writes the tensors' places into the program.
/// Without backward steps, tensors die after their last reader.
pub(super) fn plan(program: &mut Program, backward: &[BackwardStep], groups: usize) -> Memory {
    let size = |program: &Program, tensor: usize| {
        program.tensors[tensor].shape.len() * groups * reslab_kernels::LANES
    };
    let end = program.ops.len() + 1 + backward.len();
    let mut lives: Vec<Life> = (0..program.tensors.len())
        .map(|t| Life {
            len: size(program, t),
            from: usize::MAX,
            to: 0,
        })
        .collect();
    lives[0].from = 0;
    for (time, op) in program.ops.iter().enumerate() {
        for output in op.outputs() {
            lives[output].from = lives[output].from.min(time);
            lives[output].to = lives[output].to.max(time);
        }
        for view in op.inputs() {
            lives[view.tensor].to = lives[view.tensor].to.max(time);
        }
    }
    lives[program.logits].to = program.ops.len();
    if !backward.is_empty() {
        lives.iter_mut().for_each(|life| life.to = end);
    }
    let mut gradients: Vec<Gradient> = Vec::new();
    let mut touch = |lives: &mut Vec<Life>, gradient: Gradient, time: usize| {
        let at = gradients
            .iter()
            .position(|&g| g == gradient)
            .unwrap_or_else(|| {
                let tensor = match gradient {
                    Gradient::Tensor(tensor) => tensor,
                    Gradient::Norm(norm) => program.norms[norm].tensor,
                };
                lives.push(Life {
                    len: size(program, tensor),
                    from: time,
                    to: time,
                });
                gradients.push(gradient);
                gradients.len() - 1
            });
        let life = &mut lives[program.tensors.len() + at];
        life.to = life.to.max(time);
    };
    if !backward.is_empty() {
        touch(
            &mut lives,
            Gradient::Tensor(program.logits),
            program.ops.len(),
        );
    }
    for (step, time) in backward.iter().zip(program.ops.len() + 1..) {
        touch(&mut lives, step.source(), time);
        step.visit_deliveries(&mut |delivery| {
            let used = delivery.base.into_iter().chain(delivery.store);
            used.for_each(|gradient| touch(&mut lives, gradient, time));
        });
    }
    let (places, len) = place(&lives);
    for (tensor, &offset) in program.tensors.iter_mut().zip(&places) {
        tensor.offset = offset;
    }
    let gradients = gradients
        .into_iter()
        .zip(places[program.tensors.len()..].iter().copied())
        .collect();
    Memory { len, gradients }
}

/// The places of buffers with these lives, and the size of the arena.
pub(crate) fn place(lives: &[Life]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lives[i].len), lives[i].from, i));
    let mut places = vec![0; lives.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut end = 0;
    for &index in &order {
        let life = lives[index];
        if life.from == usize::MAX {
            continue;
        }
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&other| lives[other].from <= life.to && life.from <= lives[other].to)
            .map(|&other| (places[other], places[other] + lives[other].len))
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, stop) in taken {
            if at + life.len <= start {
                break;
            }
            at = at.max(stop);
        }
        places[index] = at;
        placed.push(index);
        end = end.max(at + life.len);
    }
    (places, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_live_at_once_do_not_overlap() {
        let lives: Vec<Life> = (0..40)
            .map(|i| Life {
                len: 1 + i * 7 % 13,
                from: i * 5 % 17,
                to: i * 5 % 17 + i % 6,
            })
            .collect();
        let (places, len) = place(&lives);
        for i in 0..lives.len() {
            assert!(places[i] + lives[i].len <= len);
            for j in 0..i {
                let meet = lives[i].from <= lives[j].to && lives[j].from <= lives[i].to;
                let overlap =
                    places[i] < places[j] + lives[j].len && places[j] < places[i] + lives[i].len;
                assert!(!(meet && overlap), "{i} and {j}");
            }
        }
        let sum: usize = lives.iter().map(|life| life.len).sum();
        assert!(len < sum, "places are shared");
    }
}
