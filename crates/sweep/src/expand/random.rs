//! `random`: seeded draws from distributions.
//!
//! Each setting has a stream of its own, keyed by (seed, path): another setting added to the
//! sweep leaves its draws as they are, and a greater count only adds runs at the end. Real numbers are rounded to six significant digits, so
//! that a last bit of a logarithm, which differs between platforms, never makes another run.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use crate::file::{Location, Node, Path};

/// Random search.
#[derive(Debug, Clone)]
pub struct Random {
    /// How many draws.
    pub count: usize,
    /// Key of the streams.
    pub seed: u64,
    /// Settings and what they are drawn from.
    pub axes: Vec<(Path, Distribution)>,
}

/// What a value is drawn from.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// Its kind.
    pub kind: Kind,
    /// Its place in the file.
    pub at: Location,
}

/// The kinds of distribution.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Evenly between two numbers.
    Uniform(f64, f64),
    /// Evenly in the logarithm, between two positive numbers.
    LogUniform(f64, f64),
    /// A whole number between two, both possible.
    Integer(i64, i64),
    /// One of a list.
    Choice(Vec<Node>),
}

impl Random {
    /// The draws, in order.
    pub fn draw(&self) -> Vec<Vec<(Path, Node)>> {
        let mut streams: Vec<ChaCha8Rng> = self
            .axes
            .iter()
            .map(|(path, _)| stream(self.seed, &path.to_string()))
            .collect();
        let one = |(axis, stream): (&(Path, Distribution), &mut ChaCha8Rng)| {
            (axis.0.clone(), axis.1.draw(stream))
        };
        (0..self.count)
            .map(|_| self.axes.iter().zip(&mut streams).map(one).collect())
            .collect()
    }
}

impl Distribution {
    fn draw(&self, stream: &mut ChaCha8Rng) -> Node {
        // One word of 64 bits a draw, whatever the kind.
        let word = stream.next_u64();
        let share = (word >> 11) as f64 / (1_u64 << 53) as f64;
        match &self.kind {
            Kind::Uniform(low, high) => self.real(low + share * (high - low), *low, *high),
            Kind::LogUniform(low, high) => self.real(
                (low.ln() + share * (high.ln() - low.ln())).exp(),
                *low,
                *high,
            ),
            Kind::Integer(low, high) => {
                let values = i128::from(*high) - i128::from(*low) + 1;
                let offset = (i128::from(word) * values) >> 64;
                Node::plain((i128::from(*low) + offset).to_string(), self.at)
            }
            Kind::Choice(values) => {
                let index = ((u128::from(word) * values.len() as u128) >> 64) as usize;
                values
                    .get(index)
                    .cloned()
                    .unwrap_or_else(|| Node::plain("", self.at))
            }
        }
    }

    /// Six significant digits, never outside the bounds.
    fn real(&self, value: f64, low: f64, high: f64) -> Node {
        let rounded = format!("{value:.5e}").parse().unwrap_or(value);
        Node::plain(f64::clamp(rounded, low, high).to_string(), self.at)
    }
}

fn stream(seed: u64, path: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(b"reslab random sweep");
    hash.update(seed.to_le_bytes());
    hash.update(path.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}
