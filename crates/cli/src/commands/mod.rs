//! One file a command (or a pair of sisters): call the library, show what it says.

pub mod bench;
pub mod data;
pub mod ending;
pub mod eval;
pub mod explain;
pub mod export;
pub mod figures;
pub mod models;
pub mod plan;
pub mod results;
pub mod run;
pub mod shell;
pub mod status;
pub mod stored;
