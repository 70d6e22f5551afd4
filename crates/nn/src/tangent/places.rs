//! Where the values of a group of sixteen images lie, their tangents, and the gradients at them.
//!
//! A product with the Hessian needs nearly all values again, and each has a place of its own. One
//! with the Jacobian needs of a ReLU a bit an image, of tanh its output, of a convolution nothing:
//! what is read no more gives its place away, and an arena stays near the processor.

use std::ops::Range;

use reslab_kernels::LANES;
use reslab_kernels::pointwise::Nonlinearity;

use super::program::{Kind, Op, Program};
use crate::engine::memory::{Life, place};

/// The place of each value of a program in an arena; empty for what it does not hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub ranges: Vec<Range<usize>>,
    /// Size of the arena.
    pub len: usize,
}

/// The arenas that passes choose from.
#[derive(Debug)]
pub(super) struct Arenas {
    /// All values, for what multiplies with them again.
    pub full: Places,
    /// Values, of which those that products with the Jacobian read outlive the pass.
    pub values: Places,
    /// Whether there is one.
    pub keeps_values: bool,
    /// Tangents, of which none outlives its last reader.
    pub tangents: Places,
    /// Gradients and tangents of gradients, none of which outlives its last reader.
    pub gradients: Places,
    /// Bits of the outputs of ReLUs, in numbers of sixteen.
    pub masks: Places,
}

impl Arenas {
    pub fn new(program: &Program) -> Self {
        let kept = kept(program);
        let nothing = vec![false; program.values.len()];
        Self {
            full: one_by_one(program, LANES, |_| true),
            keeps_values: kept.contains(&true),
            values: of_lives(program, &forward_lives(program, &kept)),
            tangents: of_lives(program, &forward_lives(program, &nothing)),
            gradients: of_lives(program, &backward_lives(program)),
            masks: one_by_one(program, 1, |value| {
                program
                    .ops
                    .iter()
                    .any(|op| op.output == value && is_relu(op))
            }),
        }
    }
}

fn is_relu(op: &Op) -> bool {
    matches!(
        op.kind,
        Kind::Affine {
            f: Nonlinearity::Relu,
            ..
        }
    )
}

/// A place of its own for each value that has one.
fn one_by_one(program: &Program, lanes: usize, has: impl Fn(usize) -> bool) -> Places {
    let mut len = 0;
    let place = |(value, shape): (usize, &crate::network::Shape)| {
        let start = len;
        len += if has(value) { shape.len() * lanes } else { 0 };
        start..len
    };
    let ranges = program.values.iter().enumerate().map(place).collect();
    Places { ranges, len }
}

fn of_lives(program: &Program, lives: &[Life]) -> Places {
    let (starts, len) = place(lives);
    let range = |(life, start): (&Life, usize)| match life.from {
        usize::MAX => 0..0,
        _ => start..start + life.len,
    };
    debug_assert_eq!(lives.len(), program.values.len());
    let ranges = lives.iter().zip(starts).map(range).collect();
    Places { ranges, len }
}

/// Values that a product with the Jacobian reads.
fn kept(program: &Program) -> Vec<bool> {
    let mut kept = vec![false; program.values.len()];
    for op in &program.ops {
        match op.kind {
            Kind::Affine { norm, f } => {
                kept[op.output] |= f == Nonlinearity::Tanh;
                kept[op.input] |= norm.is_some_and(|norm| program.norms[norm].of_batch);
            }
            Kind::Gate { gate, .. } => {
                (kept[op.input], kept[gate]) = (true, true);
            }
            Kind::MaxPool { places, .. } => kept[places] = true,
            _ => {}
        }
    }
    kept
}

fn unwritten(program: &Program) -> Vec<Life> {
    let life = |shape: &crate::network::Shape| Life {
        len: shape.len() * LANES,
        from: usize::MAX,
        to: 0,
    };
    program.values.iter().map(life).collect()
}

fn meets(lives: &mut [Life], value: usize, time: usize) {
    let life = &mut lives[value];
    (life.from, life.to) = (life.from.min(time), life.to.max(time));
}

/// Lives in a forward pass, of which some do not end. Time runs with the ops.
fn forward_lives(program: &Program, kept: &[bool]) -> Vec<Life> {
    let end = program.ops.len();
    let mut lives = unwritten(program);
    meets(&mut lives, 0, 0);
    for (time, op) in program.ops.iter().enumerate() {
        meets(&mut lives, op.input, time);
        op.other
            .into_iter()
            .for_each(|other| meets(&mut lives, other, time));
        meets(&mut lives, op.output, time);
        let own = match op.kind {
            Kind::Gate { gate, .. } => Some(gate),
            Kind::MaxPool { places, .. } => Some(places),
            _ => None,
        };
        own.into_iter().for_each(|own| meets(&mut lives, own, time));
        if op.pairs {
            // The two go row by row.
            let next = &program.ops[time + 1];
            meets(&mut lives, next.output, time);
            next.other
                .into_iter()
                .for_each(|other| meets(&mut lives, other, time));
        }
    }
    for (time, op) in program.ops.iter().enumerate() {
        if op.pairs && !kept[op.output] {
            // It is read row by row as it is made.
            debug_assert!(lives[op.output].from == time);
            lives[op.output].from = usize::MAX;
        }
    }
    meets(&mut lives, program.output, end);
    for (life, &kept) in lives.iter_mut().zip(kept) {
        if kept {
            life.to = end;
        }
    }
    lives
}

/// Lives of gradients in a backward pass, the last op first.
fn backward_lives(program: &Program) -> Vec<Life> {
    let mut lives = unwritten(program);
    meets(&mut lives, program.output, 0);
    for (time, op) in program.ops.iter().rev().enumerate() {
        meets(&mut lives, op.output, time);
        meets(&mut lives, op.input, time);
        op.other
            .into_iter()
            .for_each(|other| meets(&mut lives, other, time));
        if op.pairs {
            // A cotangent may pass both at once, after the affine op's own time.
            let next = &program.ops[program.ops.len() - time];
            meets(&mut lives, next.output, time);
            next.other
                .into_iter()
                .for_each(|other| meets(&mut lives, other, time));
        }
    }
    meets(&mut lives, 0, program.ops.len());
    lives
}
