//! Backward of a block's sum, in one pass.

use super::{IDENTITY, Nonlinearity, RELU, TANH, check, masked_output};
use crate::vector::{Vector, dispatch};
use crate::{Isa, LANES};

/// Backward of a block's sum, up to its activation: `gradient = (gradient + base) · f′`, with `f′`
/// found from the output `y = f(x)`, and before that `squares[lane] += Σ (gradient + base)²`.
///
/// Cost: three slices read, one written.
pub fn sum_backward(
    isa: Isa,
    gradient: &mut [f32],
    base: Option<&[f32]>,
    f: Nonlinearity,
    output: &[f32],
    squares: &mut [f32; LANES],
) {
    assert_eq!(output.len(), gradient.len(), "one gradient an output");
    assert!(
        base.is_none_or(|b| b.len() == gradient.len()),
        "as many numbers to add"
    );
    check(1, output.len());
    with_nonlinearity!(f, isa, summed_backward(gradient: &mut [f32], base: Option<&[f32]>,
        output: &[f32], squares: &mut [f32; LANES]));
}

#[inline(always)]
unsafe fn summed_backward<V: Vector, const F: u8>(
    gradient: &mut [f32],
    base: Option<&[f32]>,
    output: &[f32],
    squares: &mut [f32; LANES],
) {
    for lane in (0..LANES).step_by(V::LANES) {
        let mut square = V::zero();
        for at in (lane..output.len()).step_by(LANES) {
            let y = V::load(output.as_ptr().add(at));
            let to = gradient.as_mut_ptr().add(at);
            let mut g = V::load(to);
            if let Some(base) = base {
                g = g.add(V::load(base.as_ptr().add(at)));
            }
            square = g.mul_add(g, square);
            masked_output::<V, F>(g, y).store(to);
        }
        let to = squares.as_mut_ptr().add(lane);
        V::load(to).add(square).store(to);
    }
}
