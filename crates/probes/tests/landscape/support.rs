//! A network with numbers and data, a folder, and looking at its surface.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reslab_nn::data::{DataName, DataSettings, Dataset, SyntheticKind, SyntheticSettings, load};
use reslab_nn::engine::Engine;
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::builder::Builder;
use reslab_nn::network::{Layer, Network, Op, Role};
use reslab_nn::random::{Purpose, normal, stream};
use reslab_nn::train::{
    EVALUATION_BATCH, Flow, LossKind, LossSettings, TrainSettings, evaluate_first,
};
use reslab_probes::landscape::{
    AxisSettings, Course, LandscapeSettings, PlaneSettings, Point, directions_path, measure,
    read_directions,
};
use reslab_probes::{ProbeError, Progress, Set, Subject, Watch};
use reslab_results::Table;

/// All that a surface depends on.
#[derive(Clone)]
pub struct Case {
    pub network: Network,
    pub dataset: Dataset,
    pub parameters: Vec<f32>,
    pub state: Vec<f32>,
    pub train: TrainSettings,
    pub seed: u64,
    pub epoch: usize,
    pub folder: Option<Arc<Folder>>,
}

/// A folder that goes with the last that knows it.
pub struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What came of looking.
pub struct Look {
    pub tables: Result<Vec<Table>, ProbeError>,
    /// Points that were there already, over all surfaces.
    pub kept: usize,
    /// Points that were finished, those included.
    pub done: usize,
}

impl Look {
    /// The table `landscape`.
    pub fn table(self) -> Table {
        self.tables.expect("not stopped").swap_remove(0)
    }
}

impl Case {
    /// A convolutional network on handwritten digits, with statistics that are not the initial ones.
    pub fn digits(name: &str) -> Self {
        let dataset = load(&DataSettings {
            name: DataName::Digits,
            train_limit: Some(300),
            test_limit: Some(40),
            ..DataSettings::default()
        });
        let dataset = dataset.expect("digits are built in");
        let mut model = named(name).expect("a name");
        model.width = 4;
        let network = build(&model, dataset.shape, dataset.outputs).expect("a small network");
        let parameters = initialize(&network, &InitSettings::default(), 3);
        Self::new(network, dataset, parameters, LossKind::CrossEntropy)
    }

    /// `outputs` linear functions with offsets, of synthetic data: regression or classes.
    pub fn linear(kind: SyntheticKind, loss: LossKind) -> Self {
        let dataset = load(&DataSettings {
            name: DataName::Synthetic,
            synthetic: Some(SyntheticSettings {
                kind,
                dimensions: 5,
                classes: 3,
                outputs: 3,
                train: 300,
                test: 20,
                ..SyntheticSettings::default()
            }),
            ..DataSettings::default()
        });
        let dataset = dataset.expect("drawn data");
        let mut builder = Builder::new();
        let flatten = Layer {
            name: "flatten".to_owned(),
            op: Op::Flatten,
        };
        let linear = builder.linear("linear", dataset.shape.len(), dataset.outputs, true);
        let network = Network {
            name: "linear".to_owned(),
            input: dataset.shape,
            outputs: dataset.outputs,
            stem: vec![flatten],
            blocks: Vec::new(),
            head: vec![linear],
            layout: builder.finish(),
        };
        let mut rng = stream(1, Purpose::Test, 0, 0);
        let count = network.layout.parameter_count();
        let parameters = (0..count).map(|_| normal(&mut rng) as f32).collect();
        Self::new(network, dataset, parameters, loss)
    }

    fn new(network: Network, dataset: Dataset, parameters: Vec<f32>, kind: LossKind) -> Self {
        let mut state = network.layout.initial_state();
        let mut rng = stream(2, Purpose::Test, 0, 0);
        for entry in &network.layout.state {
            for value in entry.slot.of_mut(&mut state) {
                let noise = 0.2 * normal(&mut rng) as f32;
                let variance = entry.role == Role::RunningVar;
                *value += if variance { noise.abs() } else { noise };
            }
        }
        let train = TrainSettings {
            epochs: 0,
            loss: LossSettings {
                kind,
                ..LossSettings::default()
            },
            ..TrainSettings::default()
        };
        Self {
            network,
            dataset,
            parameters,
            state,
            train,
            seed: 11,
            epoch: 0,
            folder: None,
        }
    }

    /// With an empty folder of its own.
    pub fn keeping(mut self, name: &str) -> Self {
        let name = format!("reslab-landscape-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        self.folder = Some(Arc::new(Folder(folder)));
        self
    }

    /// The folder, which is there.
    pub fn folder(&self) -> &Path {
        self.folder
            .as_ref()
            .map(|folder| folder.0.as_path())
            .expect("a folder")
    }

    pub fn subject(&self) -> Subject<'_> {
        Subject {
            run_id: "run",
            epoch: self.epoch,
            network: &self.network,
            parameters: &self.parameters,
            state: &self.state,
            dataset: &self.dataset,
            train: &self.train,
            seed: self.seed,
            folder: self.folder.as_ref().map(|folder| folder.0.as_path()),
        }
    }

    /// Looks until `go_on` says no, which is asked with the number of points done.
    pub fn look_while(
        &self,
        settings: &LandscapeSettings,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Look {
        let (mut kept, mut done, mut first) = (0, 0, true);
        let mut tell = |progress: Progress| {
            // The first call of a surface brings those that are kept, later ones bring single points.
            if first || progress.done > done + 1 {
                kept += progress.done - done;
            }
            (done, first) = (progress.done, false);
            if go_on(done) {
                Flow::Continue
            } else {
                Flow::Stop
            }
        };
        let tables = measure(
            settings,
            &self.subject(),
            &mut Watch::new("landscape", &mut tell),
        );
        Look { tables, kept, done }
    }

    pub fn look(&self, settings: &LandscapeSettings) -> Look {
        self.look_while(settings, &mut |_| true)
    }

    /// The table `landscape`.
    pub fn table(&self, settings: &LandscapeSettings) -> Table {
        self.look(settings).table()
    }

    /// The directions of a table's row, from the folder.
    pub fn course(&self, table: &Table, row: usize) -> Course {
        let named = table.text(row, "directions").expect("a name");
        let of = |path: PathBuf| path.to_str().is_some_and(|path| path.contains(named));
        let path = std::fs::read_dir(self.folder())
            .expect("a folder")
            .flatten();
        let path = path.map(|entry| entry.path()).find(|path| of(path.clone()));
        let course = read_directions(&path.expect("directions were kept"), &self.network);
        let course = course.expect("they are whole");
        assert_eq!(course.short(), named);
        assert!(directions_path(self.folder(), &course).is_file());
        course
    }

    /// Mean loss of an engine of its own.
    pub fn loss(&self, parameters: &[f32], state: &[f32], set: Set, samples: usize) -> f64 {
        let mut engine = Engine::for_evaluation(&self.network, EVALUATION_BATCH).expect("it fits");
        let (split, loss) = (set.of(&self.dataset), self.train.loss.loss());
        let mut go_on = || Flow::Continue;
        let sums = evaluate_first(
            &mut engine,
            parameters,
            state,
            split,
            samples,
            &loss,
            &mut go_on,
        );
        sums.expect("not stopped").loss_sum / samples as f64
    }
}

/// A plane, not square and not symmetric.
pub fn plane(x: usize, y: usize) -> LandscapeSettings {
    LandscapeSettings {
        plane: Some(PlaneSettings {
            x: AxisSettings {
                from: -1.0,
                to: 2.0,
                points: x,
            },
            y: AxisSettings {
                from: -0.75,
                to: 0.5,
                points: y,
            },
            ..PlaneSettings::default()
        }),
        ..LandscapeSettings::default()
    }
}

/// The place of a row.
pub fn point(table: &Table, row: usize) -> Point {
    Point {
        x: table.real(row, "x").expect("a number"),
        y: table.real(row, "y"),
    }
}

/// Whether two numbers are within a share of the second.
pub fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * expected.abs()
}
