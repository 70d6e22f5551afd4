//! The largest and smallest eigenvalue of the Hessian at points of a plane (Li et al. 2018, section 6,
//! Fig. 7): of the mean loss, in evaluation mode, over the weights, which are the parameters with
//! more than one dimension. `|λ_min / λ_max|` near 0 means nearly convex.
//!
//! The released code adds the Hessians of mini-batches' mean losses up; values here are those of the
//! mean over all samples, and the ratio is the same.

use reslab_nn::reference::Mode;
use reslab_nn::train::Flow;
use reslab_results::Table;

use super::directions::Point;
use super::kept::Kept;
use super::points::complete;
use super::rows;
use super::settings::CurvatureSettings;
use super::surface::{Measure, Places, Surface, point_key};
use crate::hessian::{Coordinates, ExtremeSettings, LossHessian, MeanLoss, Precision, extremes};
use crate::subject::{ProbeError, Set, Subject};

/// Samples that are worked on at once: their activations lie in memory.
const BATCH: usize = 32;

/// Both ends of the spectrum at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curvature {
    /// Largest eigenvalue.
    pub largest: f64,
    /// Smallest.
    pub smallest: f64,
    /// Error bounds of the two.
    pub residuals: [f64; 2],
    /// Products with the Hessian.
    pub products: u64,
}

/// What is found at each point of a surface where curvature is asked for; those that are kept are not
/// measured again.
pub fn evaluate(
    settings: &CurvatureSettings,
    (subject, surface, measure): (&Subject<'_>, &Surface, Measure<'_>),
    centre_key: &str,
    told: &mut dyn FnMut(usize) -> Result<(), ProbeError>,
) -> Result<Vec<Curvature>, ProbeError> {
    let train = &subject.dataset.train;
    let samples = settings.samples.min(train.len);
    let what = format!(
        "curvature from gradient {samples} tolerance {} products {} seed {}",
        settings.tolerance, settings.max_products, subject.seed
    );
    let key = point_key(surface, measure, centre_key, &what);
    let mut kept = [Kept::open(subject.folder, "curvature", &key, 5)];
    let places = Places::new(subject, surface, measure);
    let visit =
        |statistics: &mut Option<_>, point: Point, _: &[usize], poll: &mut dyn FnMut() -> Flow| {
            let Some((parameters, state)) = places.network(point, statistics, poll) else {
                return Ok(None);
            };
            let function = MeanLoss {
                network: subject.network,
                parameters: &parameters,
                state: &state,
                split: train,
                samples,
                loss: subject.train.loss.loss(),
                mode: Mode::Evaluation,
                batch_size: BATCH,
                coordinates: Coordinates::Weights,
                precision: Precision::F32,
            };
            match ends(settings, function, subject.seed, poll) {
                Ok(found) => Ok(Some(vec![found.words()])),
                Err(ProbeError::Stopped) => Ok(None),
                Err(error) => Err(error),
            }
        };
    let start = || Ok(places.statistics_engine()?);
    let points = &surface.curved;
    complete(&mut kept, points, &start, &visit, told)?;
    let found = |&point: &Point| kept[0].get(point).map(Curvature::of_words);
    Ok(points.iter().filter_map(found).collect())
}

/// The two ends at one point.
fn ends(
    settings: &CurvatureSettings,
    function: MeanLoss<'_>,
    seed: u64,
    poll: &mut dyn FnMut() -> Flow,
) -> Result<Curvature, ProbeError> {
    let mut go_on = || match poll() {
        Flow::Continue => Ok(()),
        Flow::Stop => Err(ProbeError::Stopped),
    };
    let mut hessian = LossHessian::new(function);
    let dimension = hessian.dimension();
    let wanted = ExtremeSettings {
        top: 1,
        bottom: 1,
        tolerance: settings.tolerance,
        max_products: settings.max_products,
        vectors: false,
    };
    let slope = hessian.slope(&mut go_on)?;
    let mut operator =
        |vector: &[f64], product: &mut [f64]| hessian.product(vector, product, &mut go_on);
    let near = Some(&slope.gradient[..]);
    let found = extremes(&mut operator, dimension, near, &wanted, seed)?;
    let end = |side: &[crate::hessian::Eigenvalue]| {
        let first = side.first();
        first.map_or((f64::NAN, f64::NAN), |found| (found.value, found.residual))
    };
    let ((largest, top), (smallest, bottom)) = (end(&found.top), end(&found.bottom));
    Ok(Curvature {
        largest,
        smallest,
        residuals: [top, bottom],
        products: found.products as u64,
    })
}

impl Curvature {
    fn words(self) -> Vec<u64> {
        let numbers = [
            self.largest,
            self.smallest,
            self.residuals[0],
            self.residuals[1],
        ];
        let numbers = numbers.into_iter().map(f64::to_bits);
        numbers.chain([self.products]).collect()
    }

    fn of_words(words: &[u64]) -> Self {
        let number = |at: usize| f64::from_bits(words[at]);
        Self {
            largest: number(0),
            smallest: number(1),
            residuals: [number(2), number(3)],
            products: words[4],
        }
    }
}

/// The rows of a surface with one kind of statistics.
pub fn add(
    table: &mut Table,
    settings: &CurvatureSettings,
    (subject, surface, measure): (&Subject<'_>, &Surface, Measure<'_>),
    found: &[Curvature],
) -> Result<(), ProbeError> {
    let samples = settings.samples.min(subject.dataset.train.len);
    for (&point, found) in surface.curved.iter().zip(found) {
        let set = (Set::Train, samples);
        let mut row = rows::place(subject, surface, measure.statistics, set, point);
        row.extend([
            ("lambda_max", found.largest.into()),
            ("lambda_min", found.smallest.into()),
            ("ratio", (found.smallest / found.largest).abs().into()),
            ("residual_max", found.residuals[0].into()),
            ("residual_min", found.residuals[1].into()),
            ("products", (found.products as usize).into()),
        ]);
        rows::push(table, row)?;
    }
    Ok(())
}
