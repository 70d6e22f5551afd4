//! Data sets, loaded once and shared by the runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use reslab_nn::data::{self, DataSettings, Dataset};

type Slot = Arc<OnceLock<Result<Arc<Dataset>, String>>>;

/// The data sets of a sweep.
#[derive(Default)]
pub struct Datasets {
    slots: Mutex<HashMap<String, Slot>>,
}

impl Datasets {
    /// The data set of these settings; the first who asks loads it, the others wait.
    pub fn get(&self, settings: &DataSettings) -> Result<Arc<Dataset>, String> {
        let key = serde_json::to_string(settings).map_err(|error| error.to_string())?;
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(key).or_default())
        };
        let load = || {
            data::load(settings)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        slot.get_or_init(load).clone()
    }
}
