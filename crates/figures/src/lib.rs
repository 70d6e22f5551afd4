//! Tables in, figures and verdicts out. Trains nothing and loads no network.

pub mod axes;
pub mod plots;
pub mod render;
pub mod scene;
pub mod text;
pub mod theme;
