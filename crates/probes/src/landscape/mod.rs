//! Loss landscapes (Li, Xu, Taylor, Studer, Goldstein 2018).

mod settings;

use reslab_results::Table;

use crate::subject::{ProbeError, Subject, Watch};

pub use settings::{LandscapeSettings, TrajectorySettings};

/// Looks at the surface.
pub fn measure(
    _settings: &LandscapeSettings,
    _subject: &Subject<'_>,
    _watch: &mut Watch<'_>,
) -> Result<Vec<Table>, ProbeError> {
    Ok(Vec::new())
}
