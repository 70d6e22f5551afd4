//! What the reference computes with: real numbers and duals of them.

use std::fmt::Debug;
use std::ops::{AddAssign, Neg};

use ndarray::{Array2, ArrayView2, LinalgScalar};

/// A number the reference can run on.
pub trait Scalar:
    LinalgScalar + Neg<Output = Self> + AddAssign + Debug + PartialEq + Send + Sync
{
    /// A constant.
    fn from_f64(value: f64) -> Self;
    /// The value, without any tangent. Every decision (the sign in ReLU, the largest output) is
    /// made on it.
    fn to_f64(self) -> f64;
    /// √x.
    fn sqrt(self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Matrix product `(m, k) · (k, n)`: the one operation that must be fast.
    fn matmul(a: ArrayView2<Self>, b: ArrayView2<Self>) -> Array2<Self>;
}

macro_rules! real {
    ($type:ident) => {
        impl Scalar for $type {
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }
            fn exp(self) -> Self {
                $type::exp(self)
            }
            fn ln(self) -> Self {
                $type::ln(self)
            }
            fn tanh(self) -> Self {
                $type::tanh(self)
            }
            fn matmul(a: ArrayView2<Self>, b: ArrayView2<Self>) -> Array2<Self> {
                a.dot(&b)
            }
        }
    };
}

real!(f32);
real!(f64);
