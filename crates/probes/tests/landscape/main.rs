//! Loss surfaces: closed forms, the invariance filters are normalised for, what is kept and when it
//! is used again, trajectories and interpolations.

mod closed_forms;
mod curvature;
mod keeping;
mod networks;
mod statistics;
mod support;
