//! Loss landscapes (Li, Xu, Taylor, Studer, Goldstein 2018): the loss along lines and planes of
//! random directions, on the plane of the optimiser's trajectory, and on the way to another network.
//!
//! A point is `θ + x d₁ + y d₂`, computed in `f64` and rounded once, evaluated without augmentation
//! and with running statistics. See `directions` for how directions are drawn and scaled, `principal`
//! for the trajectory's components.
//!
//! | `surface` | directions | in the paper |
//! |-----------|------------|--------------|
//! | `line` | one random direction | section 5, Fig. 3 |
//! | `plane` | two | sections 6 and 7, Figs. 1, 4, 5, 6 |
//! | `trajectory` | principal components of the networks of the training | section 8, Fig. 9 |
//! | `interpolation` | to another network, running statistics as well | section 3, Fig. 2 |
//!
//! Along a plane the largest and smallest eigenvalues of the Hessian can be measured at fewer points
//! (see `curvature`; the paper's Fig. 7).
//!
//! Points are the unit of parallel work and of resuming: each is computed by one thread, and kept as
//! soon as it is finished. What is kept of a point belongs to everything it depends on, so that no
//! stale one is ever used, and a finer grid over the same range takes over those it meets.

mod curvature;
mod directions;
mod kept;
mod points;
mod principal;
mod problems;
mod rows;
mod settings;
mod surface;
mod trajectory;
mod workers;

use reslab_nn::import::{Head, WeightsFile};
use reslab_results::{Table, schema};

use crate::snapshots;
use crate::subject::{ProbeError, Set, Subject, Watch};
use surface::{Measure, Surface};

pub use directions::{Course, Point, Way, path as directions_path, read as read_directions};
pub use settings::{
    AxisSettings, CurvatureSettings, InterpolationSettings, LandscapeSettings, LineSettings,
    Normalisation, PlaneSettings, Statistics, TrajectorySettings,
};

/// Looks at every surface that is asked for: the tables `landscape` and, where asked for, `trajectory`
/// and `landscape_curvature`.
pub fn measure(
    settings: &LandscapeSettings,
    subject: &Subject<'_>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Table>, ProbeError> {
    let sets = sets(settings, subject)?;
    let mut surfaces = random(settings, subject);
    let mut tables = vec![Table::new(schema::landscape())];
    if let Some(trajectory) = &settings.trajectory {
        let mut poll = || watch.at(0, 1);
        let (surface, table) = trajectory::surface(settings, trajectory, subject, &mut poll)?;
        surfaces.push(surface);
        tables.push(table);
    }
    if let Some(interpolation) = &settings.interpolation {
        surfaces.push(towards(interpolation, subject)?);
    }
    let pieces = |surface: &Surface| {
        let points = surface.points.len() + surface.curved.len();
        points * of_surface(settings, surface).len()
    };
    let (mut done, total) = (0, surfaces.iter().map(pieces).sum());
    let key = surface::centre_key(subject);
    let curvature = settings.plane().and_then(|plane| plane.curvature);
    let mut curvatures = Table::new(schema::landscape_curvature());
    for surface in &surfaces {
        directions::keep(subject, &surface.course)?;
        for statistics in of_surface(settings, surface) {
            let measure = Measure {
                statistics,
                statistics_samples: settings.statistics_samples,
                sets: &sets,
            };
            let mut told = |points| {
                done += points;
                watch.at(done, total)
            };
            let found = surface::evaluate(subject, surface, measure, &key, &mut told)?;
            rows::add(&mut tables[0], subject, surface, measure, &found)?;
            if let (Some(settings), false) = (&curvature, surface.curved.is_empty()) {
                let place = (subject, surface, measure);
                let found = curvature::evaluate(settings, place, &key, &mut told)?;
                curvature::add(&mut curvatures, settings, place, &found)?;
            }
        }
    }
    if curvature.is_some() {
        tables.push(curvatures);
    }
    Ok(tables)
}

fn unusable(sentence: &str) -> ProbeError {
    ProbeError::Unusable(sentence.to_owned())
}

/// Which samples are evaluated.
fn sets(
    settings: &LandscapeSettings,
    subject: &Subject<'_>,
) -> Result<Vec<(Set, usize)>, ProbeError> {
    let (train, test) = (&subject.dataset.train, &subject.dataset.test);
    let samples = settings.samples.unwrap_or(train.len).min(train.len);
    let mut sets = vec![(Set::Train, samples)];
    if settings.test_samples > 0 {
        sets.push((Set::Test, settings.test_samples.min(test.len)));
    }
    match sets.iter().find(|&&(_, samples)| samples == 0) {
        Some(_) => Err(unusable(
            "A set that the loss surface is to be evaluated on is empty.",
        )),
        None => Ok(sets),
    }
}

/// The kinds of statistics of a surface. On the way to another network those between the two take the
/// place of those that are kept, and are always there.
fn of_surface(settings: &LandscapeSettings, surface: &Surface) -> Vec<Statistics> {
    let chosen = &settings.statistics;
    match surface.course.way {
        Way::Towards { .. } if !chosen.contains(&Statistics::Kept) => {
            vec![Statistics::Kept, Statistics::Recomputed]
        }
        _ => chosen.clone(),
    }
}

/// The places of a line or, row by row, of a plane.
fn grid(x: &AxisSettings, y: Option<&AxisSettings>) -> Vec<Point> {
    let line = |y| x.places().into_iter().map(move |x| Point { x, y });
    match y {
        None => line(None).collect(),
        Some(y) => y.places().into_iter().flat_map(|y| line(Some(y))).collect(),
    }
}

/// Lines and planes of random directions.
fn random(settings: &LandscapeSettings, subject: &Subject<'_>) -> Vec<Surface> {
    let kind = (settings.normalisation, settings.one_dimensional);
    let surface = |name, draw, points: Vec<Point>| {
        let axes = if points[0].y.is_some() { 2 } else { 1 };
        Surface {
            name,
            draw,
            normalisation: Some(settings.normalisation),
            one_dimensional: settings.one_dimensional,
            course: directions::random(subject, kind, draw, axes),
            points,
            curved: Vec::new(),
        }
    };
    let mut surfaces = Vec::new();
    if let Some(line) = &settings.line {
        let points = grid(&line.axis(), None);
        surfaces.extend((0..line.draws).map(|draw| surface("line", draw, points.clone())));
    }
    if let Some(plane) = settings.plane() {
        let points = grid(&plane.x, Some(&plane.y));
        let curved = plane.curvature.as_ref().map(|settings| {
            let x = plane.x.divided(settings.x_points);
            grid(&x, Some(&plane.y.divided(settings.y_points)))
        });
        surfaces.extend((0..plane.draws).map(|draw| Surface {
            curved: curved.clone().unwrap_or_default(),
            ..surface("plane", draw, points.clone())
        }));
    }
    surfaces
}

/// The line to another network.
fn towards(
    interpolation: &InterpolationSettings,
    subject: &Subject<'_>,
) -> Result<Surface, ProbeError> {
    let way = match (&interpolation.weights, interpolation.to_epoch) {
        (Some(path), _) => {
            let layout = &subject.network.layout;
            let (mut parameters, mut state) =
                (vec![0.0; layout.parameter_count()], layout.initial_state());
            let file = WeightsFile::read(path);
            file.and_then(|file| {
                file.assign(subject.network, Head::Keep, &mut parameters, &mut state)
            })
            .map_err(|error| ProbeError::Unusable(error.to_string()))?;
            Way::Towards { parameters, state }
        }
        (None, Some(epoch)) => {
            let Some(folder) = subject.folder else {
                return Err(unusable(
                    "An interpolation to an earlier epoch needs its network, and nothing was kept.",
                ));
            };
            let kept =
                snapshots::read(folder, epoch, subject.network).map_err(ProbeError::Unusable)?;
            Way::Towards {
                parameters: kept.parameters,
                state: kept.state,
            }
        }
        (None, None) => return Err(unusable("An interpolation needs another network.")),
    };
    Ok(Surface {
        name: "interpolation",
        draw: 0,
        normalisation: None,
        one_dimensional: true,
        course: Course::new(way),
        points: grid(&interpolation.axis(), None),
        curved: Vec::new(),
    })
}
