//! The loss at the points of a surface.

use reslab_nn::data::Split;
use reslab_nn::engine::{Engine, instruction_set};
use reslab_nn::error::ShapeError;
use reslab_nn::network::Network;
use reslab_nn::train::{EVALUATION_BATCH, Flow, evaluate_first};
use sha2::{Digest, Sha256};

use super::directions::{Course, Point, hexadecimal};
use super::kept::Kept;
use super::settings::{Normalisation, Statistics};
use super::workers::in_parallel;
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

/// A point that is to be evaluated, and on which of the sets.
struct Missing {
    index: usize,
    sets: Vec<usize>,
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
    let mut kept: Vec<Kept> = measure
        .sets
        .iter()
        .map(|set| open(subject, surface, measure, centre_key, *set))
        .collect();
    let lacks = |index: usize| {
        let lacking = |set: &usize| kept[*set].get(surface.points[index]).is_none();
        let sets: Vec<usize> = (0..kept.len()).filter(lacking).collect();
        (!sets.is_empty()).then_some(Missing { index, sets })
    };
    let missing: Vec<Missing> = (0..surface.points.len()).filter_map(lacks).collect();
    told(surface.points.len() - missing.len())?;
    let again = measure.statistics == Statistics::Recomputed;
    let batch_network = again.then(|| subject.network.with_batch_statistics());
    let largest = measure.sets.iter().map(|&(_, samples)| samples).max();
    let start = || {
        Worker::new(
            subject.network,
            batch_network.as_ref(),
            largest.unwrap_or(1),
        )
    };
    let work = |worker: &mut Worker, piece: usize, poll: &mut dyn FnMut() -> Flow| {
        let Missing { index, sets } = &missing[piece];
        Ok(worker.visit(
            subject,
            surface,
            measure,
            (surface.points[*index], sets),
            poll,
        ))
    };
    in_parallel(missing.len(), &start, &work, &mut |finished| {
        let Some((piece, found)) = finished else {
            return told(0);
        };
        let Missing { index, sets } = &missing[piece];
        for (&set, found) in sets.iter().zip(found) {
            let values = [found.loss_sum.to_bits(), found.wrong as u64];
            kept[set].keep(surface.points[*index], &values)?;
        }
        told(1)
    })?;
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

fn open(
    subject: &Subject<'_>,
    surface: &Surface,
    measure: Measure<'_>,
    centre_key: &str,
    (set, samples): (Set, usize),
) -> Kept {
    let statistics = match measure.statistics {
        Statistics::Kept => "kept".to_owned(),
        Statistics::Recomputed => format!("recomputed on {}", measure.statistics_samples),
    };
    let directions = &surface.course.sha256;
    let key = format!(
        "{centre_key} directions {directions} set {set:?} {samples} statistics {statistics}"
    );
    Kept::open(subject.folder, "surface", &key, 2)
}

/// What a thread works with.
struct Worker {
    evaluation: Engine,
    statistics: Option<Engine>,
}

impl Worker {
    fn new(
        network: &Network,
        batch_network: Option<&Network>,
        samples: usize,
    ) -> Result<Self, ProbeError> {
        let batch = samples.min(EVALUATION_BATCH);
        let statistics = |network| Engine::for_statistics(network, STATISTICS_BATCH);
        let statistics: Result<_, ShapeError> = batch_network.map(statistics).transpose();
        Ok(Self {
            evaluation: Engine::for_evaluation(network, batch)?,
            statistics: statistics?,
        })
    }

    /// What is found at a point on some of the sets; `None` if it was told to stop.
    fn visit(
        &mut self,
        subject: &Subject<'_>,
        surface: &Surface,
        measure: Measure<'_>,
        (point, sets): (Point, &[usize]),
        poll: &mut dyn FnMut() -> Flow,
    ) -> Option<Vec<Found>> {
        let course = &surface.course;
        let parameters = course.parameters(subject.parameters, point);
        let mut state = course.state(subject.network, subject.state, point);
        if let Some(engine) = &mut self.statistics {
            let train = &subject.dataset.train;
            let samples = measure.statistics_samples.min(train.len);
            state = statistics(engine, (&parameters, &state), train, samples, poll)?;
        }
        let loss = subject.train.loss.loss();
        let mut evaluate = |&set: &usize| {
            let (set, samples) = measure.sets[set];
            let (engine, split) = (&mut self.evaluation, set.of(subject.dataset));
            let sums = evaluate_first(engine, &parameters, &state, split, samples, &loss, poll)?;
            Some(Found {
                loss_sum: sums.loss_sum,
                wrong: sums.wrong,
            })
        };
        sets.iter().map(&mut evaluate).collect()
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
