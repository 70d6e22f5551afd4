//! Dual numbers `a + ε a'` with `ε² = 0`: a value and its derivative along one direction.
//!
//! Any function computed on duals carries its exact directional derivative with it:
//! `f(a + ε a') = f(a) + ε f'(a) a'`.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use ndarray::{Array2, ArrayView2, Zip};
use num_traits::{One, Zero};

use super::Scalar;

/// A value and its tangent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dual<T> {
    /// a
    pub value: T,
    /// a', the coefficient of ε.
    pub tangent: T,
}

impl<T: Scalar> Dual<T> {
    /// `value + ε tangent`.
    pub fn new(value: T, tangent: T) -> Self {
        Self { value, tangent }
    }

    /// A constant: its tangent is 0.
    pub fn constant(value: T) -> Self {
        Self {
            value,
            tangent: T::zero(),
        }
    }
}

impl<T: Scalar> Add for Dual<T> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.value + other.value, self.tangent + other.tangent)
    }
}

impl<T: Scalar> Sub for Dual<T> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.value - other.value, self.tangent - other.tangent)
    }
}

impl<T: Scalar> Mul for Dual<T> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let tangent = self.tangent * other.value + self.value * other.tangent;
        Self::new(self.value * other.value, tangent)
    }
}

impl<T: Scalar> Div for Dual<T> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        Self::new(
            quotient,
            (self.tangent - quotient * other.tangent) / other.value,
        )
    }
}

impl<T: Scalar> Neg for Dual<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(-self.value, -self.tangent)
    }
}

impl<T: Scalar> AddAssign for Dual<T> {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<T: Scalar> Zero for Dual<T> {
    fn zero() -> Self {
        Self::constant(T::zero())
    }
    fn is_zero(&self) -> bool {
        self.value.is_zero() && self.tangent.is_zero()
    }
}

impl<T: Scalar> One for Dual<T> {
    fn one() -> Self {
        Self::constant(T::one())
    }
}

impl<T: Scalar> Scalar for Dual<T> {
    fn from_f64(value: f64) -> Self {
        Self::constant(T::from_f64(value))
    }

    fn to_f64(self) -> f64 {
        self.value.to_f64()
    }

    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        Self::new(root, self.tangent / (root + root))
    }

    fn exp(self) -> Self {
        let value = self.value.exp();
        Self::new(value, value * self.tangent)
    }

    fn ln(self) -> Self {
        Self::new(self.value.ln(), self.tangent / self.value)
    }

    fn tanh(self) -> Self {
        let value = self.value.tanh();
        Self::new(value, (T::one() - value * value) * self.tangent)
    }

    /// `(A + εA')(B + εB') = AB + ε(A'B + AB')`: three real products.
    fn matmul(a: ArrayView2<Self>, b: ArrayView2<Self>) -> Array2<Self> {
        let (a_value, a_tangent) = (a.map(|d| d.value), a.map(|d| d.tangent));
        let (b_value, b_tangent) = (b.map(|d| d.value), b.map(|d| d.tangent));
        let value = T::matmul(a_value.view(), b_value.view());
        let first = T::matmul(a_tangent.view(), b_value.view());
        let second = T::matmul(a_value.view(), b_tangent.view());
        Zip::from(&value)
            .and(&first)
            .and(&second)
            .map_collect(|&value, &first, &second| Self::new(value, first + second))
    }
}
