//! Jacobian spectra.

pub mod theory;
