//! One value of a table, and the kinds of value there are.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// The kinds of column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// 64-bit signed integer.
    Integer,
    /// 64-bit floating point; NaN and infinities are values.
    Real,
    /// True or false.
    Boolean,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::Real => "real",
            Kind::Boolean => "boolean",
        })
    }
}

/// One value.
///
/// Equality, order and hash go by bits for reals, so that NaN equals itself and a cell can be a
/// key; 0.0 and −0.0 differ.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A truth value.
    Boolean(bool),
    /// No value.
    Null,
}

impl Cell {
    /// The kind, or `None` for null.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Cell::Text(_) => Some(Kind::Text),
            Cell::Integer(_) => Some(Kind::Integer),
            Cell::Real(_) => Some(Kind::Real),
            Cell::Boolean(_) => Some(Kind::Boolean),
            Cell::Null => None,
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Cell::Null)
    }

    /// The number, an integer converted.
    pub fn as_real(&self) -> Option<f64> {
        match self {
            Cell::Real(value) => Some(*value),
            Cell::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Cell::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Cell::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The truth value.
    pub fn as_boolean(&self) -> Option<bool> {
        match self {
            Cell::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The cell as a value of a column of `kind`; gives it back where it does not fit.
    pub(crate) fn fit(self, kind: Kind) -> Result<Cell, Cell> {
        match (self, kind) {
            (Cell::Integer(value), Kind::Real) => Ok(Cell::Real(value as f64)),
            (cell, kind) if cell.kind().is_none_or(|own| own == kind) => Ok(cell),
            (cell, _) => Err(cell),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Cell::Null => 0,
            Cell::Boolean(_) => 1,
            Cell::Integer(_) => 2,
            Cell::Real(_) => 3,
            Cell::Text(_) => 4,
        }
    }
}

impl Ord for Cell {
    /// Null first, then truth values, integers, reals, texts.
    fn cmp(&self, other: &Cell) -> Ordering {
        match (self, other) {
            (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
            (Cell::Integer(a), Cell::Integer(b)) => a.cmp(b),
            (Cell::Boolean(a), Cell::Boolean(b)) => a.cmp(b),
            (Cell::Real(a), Cell::Real(b)) => a.total_cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Cell) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cell {
    fn eq(&self, other: &Cell) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cell {}

impl Hash for Cell {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Cell::Text(value) => value.hash(state),
            Cell::Integer(value) => value.hash(state),
            Cell::Real(value) => value.to_bits().hash(state),
            Cell::Boolean(value) => value.hash(state),
            Cell::Null => {}
        }
    }
}

impl fmt::Display for Cell {
    /// Numbers in shortest form that reads back to the same bits; null as nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Text(value) => f.write_str(value),
            Cell::Integer(value) => write!(f, "{value}"),
            Cell::Real(value) => f.write_str(&shortest(*value)),
            Cell::Boolean(value) => write!(f, "{value}"),
            Cell::Null => Ok(()),
        }
    }
}

/// The shortest decimal that reads back to the same bits: plain from 1e-5 to 1e17, else with an
/// exponent; `NaN`, `inf`, `-inf`.
pub fn shortest(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() || (1e-5..1e17).contains(&size) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        Cell::Text(value.into())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Integer(value)
    }
}

impl From<usize> for Cell {
    /// Counts beyond 2^63 do not occur; they saturate.
    fn from(value: usize) -> Cell {
        Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Cell {
        Cell::Real(value)
    }
}

impl From<f32> for Cell {
    fn from(value: f32) -> Cell {
        Cell::Real(f64::from(value))
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::Boolean(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}
