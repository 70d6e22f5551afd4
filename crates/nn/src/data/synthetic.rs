//! Synthetic data sets for theory runs: everything drawn from a seed.
//!
//! With d = `dimensions`, and all draws standard normal unless said otherwise:
//! - `clusters`: the centre of class c is a uniformly random direction times `separation`; sample
//!   i has class i mod `classes` and input centre + `noise` · g, g in R^d.
//! - `teacher`: inputs x in R^d; target W₂ relu(W₁ x) with W₁ of `teacher_width` × d, entries of
//!   variance 2/d, and W₂ of `outputs` × `teacher_width`, entries of variance 1/`teacher_width`
//!   (so that targets have variance about 1), plus `noise` · g on each target.
//! - `teacher-classes`: the same with `classes` outputs; the class is that of the largest noisy
//!   output.
//! - `identity`: inputs x in R^d; the target is the input *as the network sees it*, that is after
//!   normalisation. There is no noise.
//!
//! Training and test samples come from the same distribution; sample i of a split has a stream of
//! its own, so that a larger set begins with the samples of a smaller one.

use super::raw::{Pixels, Raw, RawSplit};
use super::{DataError, SyntheticKind, SyntheticSettings, Targets};
use crate::network::Shape;
use crate::random::{ChaCha8Rng, Purpose, normal, stream};

/// Streams of the generator's own numbers and of the two splits.
const FIXED: u64 = 0;
const TRAIN: u64 = 1;
const TEST: u64 = 2;

/// Numbers or classes that the network has to put out.
pub(crate) fn outputs(settings: &SyntheticSettings) -> usize {
    match settings.kind {
        SyntheticKind::Clusters | SyntheticKind::TeacherClasses => settings.classes,
        SyntheticKind::Teacher => settings.outputs,
        SyntheticKind::Identity => settings.dimensions,
    }
}

/// The noise that is meant where none is given.
fn noise(settings: &SyntheticSettings) -> f64 {
    let usual = if settings.kind == SyntheticKind::Clusters {
        1.0
    } else {
        0.0
    };
    settings.noise.unwrap_or(usual)
}

/// Whether targets are numbers rather than classes.
pub(crate) const fn is_regression(settings: &SyntheticSettings) -> bool {
    matches!(
        settings.kind,
        SyntheticKind::Teacher | SyntheticKind::Identity
    )
}

/// Refuses settings that make no data.
pub(crate) fn check(settings: &SyntheticSettings) -> Result<(), DataError> {
    let at_least = |key: &'static str, found: usize, least: usize| {
        if found >= least {
            return Ok(());
        }
        Err(DataError::setting(
            key,
            format!("must be at least {least}, found {found}."),
        ))
    };
    at_least("synthetic.dimensions", settings.dimensions, 1)?;
    at_least("synthetic.train", settings.train, 1)?;
    at_least("synthetic.test", settings.test, 1)?;
    match settings.kind {
        SyntheticKind::Clusters => at_least("synthetic.classes", settings.classes, 2)?,
        SyntheticKind::TeacherClasses => {
            at_least("synthetic.classes", settings.classes, 2)?;
            at_least("synthetic.teacher_width", settings.teacher_width, 1)?;
        }
        SyntheticKind::Teacher => {
            at_least("synthetic.outputs", settings.outputs, 1)?;
            at_least("synthetic.teacher_width", settings.teacher_width, 1)?;
        }
        SyntheticKind::Identity if settings.noise.is_some_and(|noise| noise != 0.0) => {
            let message = "the identity map has no noise; leave it out.";
            return Err(DataError::setting("synthetic.noise", message));
        }
        SyntheticKind::Identity => {}
    }
    for (key, value) in [
        ("synthetic.noise", noise(settings)),
        ("synthetic.separation", settings.separation),
    ] {
        if !(value.is_finite() && value >= 0.0) {
            let message = format!("must be a finite number of at least 0, found {value}.");
            return Err(DataError::setting(key, message));
        }
    }
    check_size(settings)
}

/// Refuses what no memory holds: samples, centres and weights.
fn check_size(settings: &SyntheticSettings) -> Result<(), DataError> {
    let row = settings.dimensions.saturating_add(outputs(settings));
    let samples = settings.train.saturating_add(settings.test);
    let shared = match settings.kind {
        SyntheticKind::Clusters => ("synthetic.classes", "classes", settings.classes),
        SyntheticKind::Teacher | SyntheticKind::TeacherClasses => (
            "synthetic.teacher_width",
            "hidden units",
            settings.teacher_width,
        ),
        SyntheticKind::Identity => ("synthetic.dimensions", "dimensions", 0),
    };
    for (key, what, count) in [("synthetic.train", "samples", samples), shared] {
        if count.saturating_mul(row) > 1 << 32 {
            let message = format!("{count} {what} of {row} numbers are more than memory is for.");
            return Err(DataError::setting(key, message));
        }
    }
    Ok(())
}

/// Draws both splits.
pub(crate) fn generate(settings: &SyntheticSettings) -> Result<Raw, DataError> {
    check(settings)?;
    let outputs = outputs(settings);
    let generator = Generator::new(settings, outputs);
    let class_names = if is_regression(settings) {
        Vec::new()
    } else {
        (0..outputs).map(|class| class.to_string()).collect()
    };
    Ok(Raw {
        shape: Shape::vector(settings.dimensions),
        outputs,
        class_names,
        white: 1,
        train: generator.split(TRAIN, settings.train),
        test: generator.split(TEST, settings.test),
    })
}

/// The settings and the numbers that all samples share.
struct Generator<'a> {
    settings: &'a SyntheticSettings,
    outputs: usize,
    /// `clusters`: centres, (classes, d). Teachers: W₁, (width, d).
    first: Vec<f64>,
    /// Teachers: W₂, (outputs, width).
    second: Vec<f64>,
}

impl<'a> Generator<'a> {
    fn new(settings: &'a SyntheticSettings, outputs: usize) -> Self {
        let mut rng = stream(settings.seed, Purpose::Synthetic, FIXED, 0);
        let (d, width) = (settings.dimensions, settings.teacher_width);
        let mut draw = |count: usize, std: f64| -> Vec<f64> {
            (0..count).map(|_| std * normal(&mut rng)).collect()
        };
        let (first, second) = match settings.kind {
            SyntheticKind::Clusters => {
                let mut centres = draw(outputs * d, 1.0);
                for centre in centres.chunks_exact_mut(d) {
                    let length = centre.iter().map(|x| x * x).sum::<f64>().sqrt();
                    centre
                        .iter_mut()
                        .for_each(|x| *x *= settings.separation / length);
                }
                (centres, Vec::new())
            }
            SyntheticKind::Teacher | SyntheticKind::TeacherClasses => (
                draw(width * d, (2.0 / d as f64).sqrt()),
                draw(outputs * width, (1.0 / width as f64).sqrt()),
            ),
            SyntheticKind::Identity => (Vec::new(), Vec::new()),
        };
        Self {
            settings,
            outputs,
            first,
            second,
        }
    }

    fn split(&self, part: u64, len: usize) -> RawSplit {
        let mut inputs = Vec::with_capacity(len * self.settings.dimensions);
        let (mut labels, mut values) = (Vec::new(), Vec::new());
        for index in 0..len {
            let mut rng = stream(self.settings.seed, Purpose::Synthetic, part, index as u64);
            match self.settings.kind {
                SyntheticKind::Clusters => {
                    labels.push((index % self.outputs) as u32);
                    inputs.extend(self.around_centre(index % self.outputs, &mut rng));
                }
                SyntheticKind::Identity => {
                    let x = self.standard(&mut rng);
                    values.extend(x.iter().map(|&x| x as f32));
                    inputs.extend(x.iter().map(|&x| x as f32));
                }
                SyntheticKind::Teacher | SyntheticKind::TeacherClasses => {
                    let x = self.standard(&mut rng);
                    let y = self.taught(&x, &mut rng);
                    inputs.extend(x.iter().map(|&x| x as f32));
                    match self.settings.kind {
                        SyntheticKind::Teacher => values.extend(y.iter().map(|&y| y as f32)),
                        _ => labels.push(largest(&y)),
                    }
                }
            }
        }
        let targets = if is_regression(self.settings) {
            Targets::Values {
                dimensions: self.outputs,
                values,
            }
        } else {
            Targets::Classes(labels)
        };
        RawSplit {
            pixels: Pixels::Reals(inputs),
            targets,
            len,
        }
    }

    fn standard(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        (0..self.settings.dimensions).map(|_| normal(rng)).collect()
    }

    fn noise(&self, rng: &mut ChaCha8Rng) -> f64 {
        noise(self.settings) * normal(rng)
    }

    fn around_centre(&self, class: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let d = self.settings.dimensions;
        let centre = &self.first[class * d..(class + 1) * d];
        centre
            .iter()
            .map(|mean| (mean + self.noise(rng)) as f32)
            .collect()
    }

    /// W₂ relu(W₁ x) + noise.
    fn taught(&self, x: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
        let dot = |row: &[f64], x: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        let hidden: Vec<f64> = self
            .first
            .chunks_exact(x.len())
            .map(|row| dot(row, x).max(0.0))
            .collect();
        let rows = self.second.chunks_exact(hidden.len());
        rows.map(|row| dot(row, &hidden) + self.noise(rng))
            .collect()
    }
}

/// Index of the largest number, the first of equals.
fn largest(values: &[f64]) -> u32 {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best as u32
}
