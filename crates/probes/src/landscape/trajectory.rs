//! The plane of the training's trajectory, with all parameters moving, and the place of each of its networks there.

use reslab_results::{Table, schema};

use super::directions::{Course, Way};
use super::principal::{Place, Principal, principal};
use super::settings::{AxisSettings, LandscapeSettings, TrajectorySettings};
use super::surface::Surface;
use super::{grid, unusable};
use crate::snapshots;
use crate::subject::{ProbeError, Subject};

/// The surface, and the table of the trajectory.
pub fn surface(
    settings: &LandscapeSettings,
    trajectory: &TrajectorySettings,
    subject: &Subject<'_>,
    poll: &mut dyn FnMut() -> Result<(), ProbeError>,
) -> Result<(Surface, Table), ProbeError> {
    let Some(folder) = subject.folder else {
        return Err(unusable(
            "The trajectory needs the networks of earlier epochs, and nothing was kept.",
        ));
    };
    let epochs = settings.snapshots(subject.epoch, subject.train.epochs);
    let read = |&epoch: &usize| snapshots::read(folder, epoch, subject.network);
    let networks: Result<Vec<_>, String> = epochs.iter().map(read).collect();
    let networks: Vec<Vec<f32>> = networks
        .map_err(ProbeError::Unusable)?
        .into_iter()
        .map(|kept| kept.parameters)
        .collect();
    let found = principal(&networks, subject.parameters, poll)?;
    let Some(found) = found else {
        return Err(unusable(
            "The networks of the trajectory lie on one line, or are all the same: they have no plane.",
        ));
    };
    let axis = |of: fn(&Place) -> f64, points| {
        range(found.places.iter().map(of), trajectory.margin, points)
    };
    let x = axis(|place| place.x, trajectory.x_points);
    let y = axis(|place| place.y, trajectory.y_points);
    let course = Course::new(Way::Along(found.components.to_vec()));
    let table = table(subject, &epochs, &found, course.short())?;
    let surface = Surface {
        name: "trajectory",
        draw: 0,
        normalisation: None,
        one_dimensional: true,
        course,
        points: grid(&x, Some(&y)),
        curved: Vec::new(),
    };
    Ok((surface, table))
}

/// From the least to the greatest, and beyond by a share of their distance.
fn range(places: impl Iterator<Item = f64>, margin: f64, points: usize) -> AxisSettings {
    let (least, greatest) = places.fold((0.0_f64, 0.0_f64), |(a, b), place| {
        (a.min(place), b.max(place))
    });
    let beyond = margin * (greatest - least);
    AxisSettings {
        from: least - beyond,
        to: greatest + beyond,
        points,
    }
}

fn table(
    subject: &Subject<'_>,
    epochs: &[usize],
    found: &Principal,
    directions: &str,
) -> Result<Table, ProbeError> {
    let mut table = Table::new(schema::trajectory());
    let all = epochs.iter().copied().chain([subject.epoch]);
    for (at_epoch, place) in all.zip(&found.places) {
        let square = place.distance * place.distance;
        let captured = (square > 0.0).then(|| (place.x * place.x + place.y * place.y) / square);
        table.push_named([
            ("run_id", subject.run_id.into()),
            ("epoch", subject.epoch.into()),
            ("directions", directions.into()),
            ("at_epoch", at_epoch.into()),
            ("x", place.x.into()),
            ("y", place.y.into()),
            ("share_x", found.shares[0].into()),
            ("share_y", found.shares[1].into()),
            ("distance", place.distance.into()),
            ("captured", captured.into()),
            ("lr", rate(subject, at_epoch).into()),
        ])?;
    }
    Ok(table)
}

/// Learning rate of an epoch's last step.
fn rate(subject: &Subject<'_>, epoch: usize) -> Option<f64> {
    let train = subject.train;
    let norms = !subject.network.layout.state.is_empty();
    let steps = train.steps_per_epoch(subject.dataset.train.len, norms);
    let last = (epoch * steps).checked_sub(1)?;
    Some(train.lr * train.schedule.rate(last, steps, train.epochs))
}
