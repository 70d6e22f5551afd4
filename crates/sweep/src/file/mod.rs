//! What the user wrote, with every value's place, and nothing resolved.

pub mod located;
pub mod nearest;
pub mod node;
pub mod parse;
pub mod path;
pub mod scalar;
pub mod written;

pub use located::{LocatedError, from_node};
pub use node::{Key, Location, Mistake, Node, Sources, Value};
pub use path::Path;
pub use written::Written;
