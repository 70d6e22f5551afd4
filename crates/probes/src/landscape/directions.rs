//! Which way a surface goes from the network: random directions, given ones, or another network.
//!
//! A random direction is a standard normal draw for each weight, from a stream of its own for each
//! (seed, draw, axis, tensor), so that no setting changes the draws of another tensor. It is then
//! scaled (Li et al. 2018, section 4, and the released code): a filter `d` of the direction becomes
//! `d ‖θ‖ / (‖d‖ + 1e-10)` with `θ` the same filter of the network. A filter is what makes one output map of a
//! convolution, or one output of a linear layer. Tensors with one dimension, biases and batch norms,
//! do not move unless that is asked for; then each of their numbers is a filter of its own. The two
//! directions of a plane are drawn independently and not made orthogonal.

use std::path::{Path, PathBuf};

use reslab_nn::export;
use reslab_nn::import::WeightsFile;
use reslab_nn::network::{Entry, Network};
use reslab_nn::random::{Purpose, normal, stream};
use sha2::{Digest, Sha256};

use super::settings::Normalisation;
use crate::subject::{ProbeError, Subject};

/// Keeps a filter of zeros from dividing by 0 (the released code's constant).
const TINY: f64 = 1e-10;

/// The way a surface goes, and its fingerprint.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The way.
    pub way: Way,
    /// SHA-256 of its numbers, 64 hexadecimal digits.
    pub sha256: String,
}

/// How a place becomes a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// `θ + x d₁ (+ y d₂)`: one or two vectors of the parameter arena.
    Along(Vec<Vec<f32>>),
    /// `(1 − x) θ + x θ'`, running statistics likewise.
    Towards {
        /// Parameters of the other network.
        parameters: Vec<f32>,
        /// Its running statistics.
        state: Vec<f32>,
    },
}

/// A place on a surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Along the first direction.
    pub x: f64,
    /// Along the second; absent on a line.
    pub y: Option<f64>,
}

impl Course {
    /// A way with its fingerprint.
    pub fn new(way: Way) -> Self {
        let mut hash = Sha256::new();
        let vectors: Vec<&[f32]> = match &way {
            Way::Along(axes) => axes.iter().map(Vec::as_slice).collect(),
            Way::Towards { parameters, state } => {
                hash.update(b"towards");
                vec![parameters, state]
            }
        };
        for vector in vectors {
            hash.update((vector.len() as u64).to_le_bytes());
            vector
                .iter()
                .for_each(|value| hash.update(value.to_le_bytes()));
        }
        Self {
            way,
            sha256: hexadecimal(&hash.finalize()),
        }
    }

    /// The first 16 digits of the fingerprint: what the tables show.
    pub fn short(&self) -> &str {
        &self.sha256[..16]
    }

    /// Parameters at a place, each rounded once.
    pub fn parameters(&self, centre: &[f32], point: Point) -> Vec<f32> {
        let wide = |value: &f32| f64::from(*value);
        match &self.way {
            Way::Along(axes) => {
                let (x, y) = (point.x, point.y.unwrap_or(0.0));
                let first = centre.iter().zip(&axes[0]);
                match axes.get(1) {
                    None => first.map(|(c, d)| (wide(c) + x * wide(d)) as f32).collect(),
                    Some(second) => first
                        .zip(second)
                        .map(|((c, d), e)| (wide(c) + x * wide(d) + y * wide(e)) as f32)
                        .collect(),
                }
            }
            Way::Towards { parameters, .. } => between(centre, parameters, point.x),
        }
    }

    /// Running statistics at a place where none are recomputed. Beyond either network a variance
    /// can come out below 0: it then is 0.
    pub fn state(&self, network: &Network, centre: &[f32], point: Point) -> Vec<f32> {
        let Way::Towards { state, .. } = &self.way else {
            return centre.to_vec();
        };
        let mut found = between(centre, state, point.x);
        for entry in &network.layout.state {
            if entry.role == reslab_nn::network::Role::RunningVar {
                let values = entry.slot.of_mut(&mut found);
                values.iter_mut().for_each(|value| *value = value.max(0.0));
            }
        }
        found
    }
}

/// `(1 − x) from + x to`.
fn between(from: &[f32], to: &[f32], x: f64) -> Vec<f32> {
    let pairs = from.iter().zip(to);
    let mix = |(&a, &b): (&f32, &f32)| ((1.0 - x) * f64::from(a) + x * f64::from(b)) as f32;
    pairs.map(mix).collect()
}

/// Lower-case digits of bytes.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The random directions of a draw: one for a line, two for a plane, whose first is that of the line.
pub fn random(
    subject: &Subject<'_>,
    (normalisation, one_dimensional): (Normalisation, bool),
    draw: usize,
    axes: usize,
) -> Course {
    let along = |axis| {
        let (network, parameters) = (subject.network, subject.parameters);
        let mut direction = vec![0.0; parameters.len()];
        for (index, entry) in network.layout.parameters.iter().enumerate() {
            if entry.shape.len() > 1 || one_dimensional {
                let values = entry.slot.of_mut(&mut direction);
                let key = (draw as u64) << 32 | (axis as u64) << 31 | index as u64;
                let tag = u64::from_le_bytes(*b"landscap");
                let mut rng = stream(subject.seed, Purpose::Probe, tag, key);
                values.fill_with(|| normal(&mut rng) as f32);
                scale(values, entry.slot.of(parameters), entry, normalisation);
            }
        }
        direction
    };
    Course::new(Way::Along((0..axes).map(along).collect()))
}

/// Gives a tensor of a direction, filter by filter, the norms of the network's.
fn scale(direction: &mut [f32], weights: &[f32], entry: &Entry, normalisation: Normalisation) {
    let size = match normalisation {
        Normalisation::None => return,
        Normalisation::Layer => direction.len(),
        Normalisation::Filter => entry.shape.iter().skip(1).product(),
    };
    let size = size.max(1);
    let norm = |values: &[f32]| {
        let squares = values.iter().map(|&v| f64::from(v) * f64::from(v));
        squares.sum::<f64>().sqrt()
    };
    for (direction, weights) in direction.chunks_mut(size).zip(weights.chunks(size)) {
        let factor = norm(weights) / (norm(direction) + TINY);
        for value in direction {
            *value = (factor * f64::from(*value)) as f32;
        }
    }
}

/// Where directions lie in a folder of what is kept.
pub fn path(folder: &Path, course: &Course) -> PathBuf {
    folder.join(format!("directions-{}.safetensors", course.short()))
}

/// Keeps directions so that any point can be visited again: tensors `x.NAME` and `y.NAME` for each
/// parameter; of an interpolation the other network under its own names.
pub fn keep(subject: &Subject<'_>, course: &Course) -> Result<(), ProbeError> {
    let Some(folder) = subject.folder else {
        return Ok(());
    };
    let path = path(folder, course);
    if path.is_file() {
        return Ok(());
    }
    let bytes = match &course.way {
        Way::Along(axes) => {
            let names = ["x", "y"].into_iter().zip(axes.iter().map(Vec::as_slice));
            export::vectors(subject.network, &names.collect::<Vec<_>>())
        }
        Way::Towards { parameters, state } => {
            export::safetensors(subject.network, parameters, state, 0)
        }
    };
    let beside = path.with_extension(format!("tmp-{}", std::process::id()));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&beside, bytes))
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(|error| {
            ProbeError::Unusable(format!("{} could not be written: {error}.", path.display()))
        })
}

/// Directions that were kept: one vector of the parameter arena for each axis. The error is a
/// sentence.
pub fn read(path: &Path, network: &Network) -> Result<Course, String> {
    let file = WeightsFile::read(path).map_err(|error| error.to_string())?;
    let axes = ["x", "y"].map(|axis| file.vector(axis, network));
    let axes: Vec<Vec<f32>> = axes.into_iter().flatten().collect();
    if axes.is_empty() {
        return Err(format!(
            "{} holds no direction of {}.",
            path.display(),
            network.name
        ));
    }
    Ok(Course::new(Way::Along(axes)))
}
