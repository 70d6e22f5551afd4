//! The loss at the points of a surface.

use reslab_nn::data::Split;
use reslab_nn::engine::{Engine, instruction_set};
use reslab_nn::error::ShapeError;
use reslab_nn::network::Network;
use reslab_nn::train::{EVALUATION_BATCH, Flow, evaluate_first};
use sha2::{Digest, Sha256};

use super::directions::{Course, Point, hexadecimal};
use super::kept::Kept;
use super::points::complete;
use super::settings::{Normalisation, Statistics};
use crate::subject::{ProbeError, Set, Subject};

/// Most samples of one batch of which statistics are taken: about what trainings use.
const STATISTICS_BATCH: usize = 128;

/// A surface: which way it goes, and where it is looked at.
pub struct Surface {
    /// `line`, `plane`, `trajectory` or `interpolation`.
    pub name: &'static str,
    /// Number of the draw of random directions.
    pub draw: usize,
    /// How random directions were scaled; none elsewhere.
    pub normalisation: Option<Normalisation>,
    /// Whether biases and batch norms move.
    pub one_dimensional: bool,
    /// The way.
    pub course: Course,
    /// Where.
    pub points: Vec<Point>,
    /// Where curvature is measured.
    pub curved: Vec<Point>,
}

/// What is measured at each point.
#[derive(Clone, Copy)]
pub struct Measure<'a> {
    /// What batch norms normalise with.
    pub statistics: Statistics,
    /// Of how many training samples they are recomputed.
    pub statistics_samples: usize,
    /// Sets, and how many of their samples.
    pub sets: &'a [(Set, usize)],
}

/// Sums over the samples of a set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Of the loss; it may be anything but a number.
    pub loss_sum: f64,
    /// Samples not classified right.
    pub wrong: usize,
}

/// What every point depends on: the network and its numbers, the data, the loss, and the machine's
/// instructions.
pub fn centre_key(subject: &Subject<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", subject.network));
    for values in [subject.parameters, subject.state] {
        values
            .iter()
            .for_each(|value| hash.update(value.to_le_bytes()));
    }
    format!(
        "reslab {} {} data {} loss {:?} network {}",
        env!("CARGO_PKG_VERSION"),
        instruction_set(),
        subject.dataset.checksum,
        subject.train.loss.loss(),
        hexadecimal(&hash.finalize()),
    )
}

/// For each set, what is found at each point. Points that are kept are not evaluated again. `told` is
/// called with the number of points that were finished, often with none.
pub fn evaluate(
    subject: &Subject<'_>,
    surface: &Surface,
    measure: Measure<'_>,
    centre_key: &str,
    told: &mut dyn FnMut(usize) -> Result<(), ProbeError>,
) -> Result<Vec<Vec<Found>>, ProbeError> {
    let open = |&(set, samples): &(Set, usize)| {
        let what = format!("set {set:?} {samples}");
        let key = point_key(surface, measure, centre_key, &what);
        Kept::open(subject.folder, "surface", &key, 2)
    };
    let mut kept: Vec<Kept> = measure.sets.iter().map(open).collect();
    let largest = measure.sets.iter().map(|&(_, samples)| samples).max();
    let batch = largest.unwrap_or(1).min(EVALUATION_BATCH);
    let places = Places::new(subject, surface, measure);
    let start = || {
        let engine = Engine::for_evaluation(subject.network, batch)?;
        Ok((engine, places.statistics_engine()?))
    };
    let loss = subject.train.loss.loss();
    let visit = |worker: &mut (Engine, Option<Engine>),
                 point: Point,
                 sets: &[usize],
                 poll: &mut dyn FnMut() -> Flow| {
        let (engine, statistics) = worker;
        let Some((parameters, state)) = places.network(point, statistics, poll) else {
            return Ok(None);
        };
        let mut evaluate = |&set: &usize| {
            let (set, samples) = measure.sets[set];
            let split = set.of(subject.dataset);
            let sums = evaluate_first(engine, &parameters, &state, split, samples, &loss, poll)?;
            Some(vec![sums.loss_sum.to_bits(), sums.wrong as u64])
        };
        Ok(sets.iter().map(&mut evaluate).collect())
    };
    complete(&mut kept, &surface.points, &start, &visit, told)?;
    let found = |kept: &Kept| {
        let of = |&point: &Point| match kept.get(point) {
            Some(&[loss, wrong]) => Found {
                loss_sum: f64::from_bits(loss),
                wrong: wrong as usize,
            },
            _ => unreachable!("every point is finished"),
        };
        surface.points.iter().map(of).collect()
    };
    Ok(kept.iter().map(found).collect())
}

/// The key of what is measured at a surface's points.
pub fn point_key(surface: &Surface, measure: Measure<'_>, centre_key: &str, what: &str) -> String {
    let statistics = match measure.statistics {
        Statistics::Kept => "kept".to_owned(),
        Statistics::Recomputed => format!("recomputed on {}", measure.statistics_samples),
    };
    let directions = &surface.course.sha256;
    format!("{centre_key} directions {directions} {what} statistics {statistics}")
}

/// From points to networks.
pub struct Places<'a> {
    subject: &'a Subject<'a>,
    surface: &'a Surface,
    /// What statistics are recomputed with, and on how many samples.
    recomputed: Option<(Network, usize)>,
}

impl<'a> Places<'a> {
    /// Of a surface.
    pub fn new(subject: &'a Subject<'a>, surface: &'a Surface, measure: Measure<'_>) -> Self {
        let samples = measure.statistics_samples.min(subject.dataset.train.len);
        let recomputed = (measure.statistics == Statistics::Recomputed)
            .then(|| (subject.network.with_batch_statistics(), samples));
        Self {
            subject,
            surface,
            recomputed,
        }
    }

    /// What a thread needs for the statistics, if they are recomputed.
    pub fn statistics_engine(&self) -> Result<Option<Engine>, ShapeError> {
        let recomputed = self.recomputed.as_ref();
        recomputed
            .map(|(network, _)| Engine::for_statistics(network, STATISTICS_BATCH))
            .transpose()
    }

    /// Parameters and running statistics at a point; `None` if `poll` said to stop.
    pub fn network(
        &self,
        point: Point,
        engine: &mut Option<Engine>,
        poll: &mut dyn FnMut() -> Flow,
    ) -> Option<(Vec<f32>, Vec<f32>)> {
        let (subject, course) = (self.subject, &self.surface.course);
        let parameters = course.parameters(subject.parameters, point);
        let mut state = course.state(subject.network, subject.state, point);
        if let (Some(engine), Some((_, samples))) = (engine, &self.recomputed) {
            let train = &subject.dataset.train;
            state = statistics(engine, (&parameters, &state), train, *samples, poll)?;
        }
        Some((parameters, state))
    }
}

/// Running statistics of the first `samples` of `split`: the mean over batches of the mean and the
/// (unbiased) variance of a batch, each sample counting the same. Batches are as even as whole samples
/// allow. `None` if `poll` said to stop. The engine is that of a network
/// [`with_batch_statistics`](Network::with_batch_statistics).
fn statistics(
    engine: &mut Engine,
    (parameters, state): (&[f32], &[f32]),
    split: &Split,
    samples: usize,
    poll: &mut dyn FnMut() -> Flow,
) -> Option<Vec<f32>> {
    let features = split.inputs.len() / split.len.max(1);
    let batches = samples.div_ceil(STATISTICS_BATCH);
    let mut means = vec![0.0_f64; state.len()];
    let mut of_batch = state.to_vec();
    for batch in 0..batches {
        if poll() == Flow::Stop {
            return None;
        }
        let (start, end) = (batch * samples / batches, (batch + 1) * samples / batches);
        engine.pass_statistics(
            parameters,
            &mut of_batch,
            &split.inputs[start * features..end * features],
        );
        let share = (end - start) as f64 / samples as f64;
        for (mean, &value) in means.iter_mut().zip(&of_batch) {
            *mean += share * f64::from(value);
        }
    }
    Some(means.into_iter().map(|mean| mean as f32).collect())
}
