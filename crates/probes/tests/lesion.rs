//! The lesion study as a whole: its table, any number of threads, and a published network.

use reslab_nn::data::{self, DataName, DataSettings, Dataset, Normalize, Places};
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::network::Network;
use reslab_nn::train::{Flow, TrainSettings};
use reslab_probes::lesion::{
    LesionSettings, RandomSettings, ReorderSettings, kendall_tau, measure,
};
use reslab_probes::{ProbeError, Subject, Watch};
use reslab_results::Table;

struct Case {
    network: Network,
    dataset: Dataset,
    parameters: Vec<f32>,
    state: Vec<f32>,
}

fn digits(name: &str) -> Case {
    let settings = DataSettings {
        name: DataName::Digits,
        train_limit: Some(100),
        test_limit: Some(300),
        ..DataSettings::default()
    };
    let dataset = data::load(&settings).expect("digits are built in");
    let mut model = named(name).expect("a name");
    model.width = 6;
    let network = build(&model, dataset.shape, dataset.outputs).expect("a small network");
    Case {
        parameters: initialize(&network, &InitSettings::default(), 1),
        state: network.layout.initial_state(),
        network,
        dataset,
    }
}

fn everything() -> LesionSettings {
    LesionSettings {
        layers: true,
        random: Some(RandomSettings {
            k: vec![1, 3],
            samples: 4,
            downsampling: false,
        }),
        reorder: Some(ReorderSettings {
            swaps: vec![1, 2],
            samples: 3,
        }),
        reestimate: Some(90),
        ..LesionSettings::default()
    }
}

fn study(
    case: &Case,
    settings: &LesionSettings,
    tell: &mut dyn FnMut() -> Flow,
) -> Result<Table, ProbeError> {
    let train = TrainSettings::default();
    let subject = Subject {
        run_id: "r",
        epoch: 3,
        network: &case.network,
        parameters: &case.parameters,
        state: &case.state,
        dataset: &case.dataset,
        train: &train,
        seed: 11,
        folder: None,
    };
    let mut last = 0;
    let mut tell = |progress: reslab_probes::Progress| {
        assert!(progress.done == last + 1 && progress.done <= progress.total);
        last = progress.done;
        tell()
    };
    measure(settings, &subject, &mut Watch::new("lesion", &mut tell))
}

fn measured(case: &Case, settings: &LesionSettings) -> Table {
    study(case, settings, &mut || Flow::Continue).expect("it fits and is not interrupted")
}

fn count(table: &Table, kind: &str, statistics: &str) -> usize {
    let wanted = |row: &reslab_results::table::Row<'_>| {
        row.text("kind") == Some(kind) && row.text("statistics") == Some(statistics)
    };
    table.iter().filter(wanted).count()
}

#[test]
fn the_table_has_a_row_for_each_lesion_and_kind_of_statistics() {
    for (name, deleted, layers) in [("resnet20", 9, 16), ("plain20", 7, 16)] {
        let case = digits(name);
        let table = measured(&case, &everything());
        for statistics in ["kept", "re-estimated"] {
            let count = |kind| count(&table, kind, statistics);
            assert_eq!(count("none"), 1);
            assert_eq!(count("delete"), deleted, "{name}");
            assert_eq!(count("delete-layer"), layers, "{name}");
            assert_eq!((count("delete-random"), count("reorder")), (8, 6));
        }
        let marked: Vec<i64> = table
            .iter()
            .filter(|row| row.text("kind") == Some("delete"))
            .filter(|row| row.boolean("downsampling") == Some(true))
            .filter_map(|row| row.integer("block"))
            .collect();
        let expected: &[i64] = if name == "resnet20" {
            &[3, 6, 3, 6]
        } else {
            &[]
        };
        assert_eq!(marked, expected);
    }
}

#[test]
fn columns_agree_with_each_other() {
    let table = measured(&digits("resnet20"), &everything());
    let mut whole = 0.0;
    for row in table.iter() {
        let error = row.real("error").expect("classes");
        let wrong = row.integer("wrong").expect("counted") as f64;
        assert_eq!(row.integer("total"), Some(300));
        assert!((error - wrong / 300.0).abs() < 1e-15);
        if row.text("kind") == Some("none") {
            whole = error;
        }
        assert_eq!(row.real("error_increase"), Some(error - whole));
        let blocks = row.text("blocks").unwrap_or_default();
        let blocks: Vec<usize> = blocks
            .split_whitespace()
            .map(|b| b.parse().unwrap())
            .collect();
        match row.text("kind") {
            Some("reorder") => assert_eq!(row.real("kendall_tau"), Some(kendall_tau(&blocks))),
            Some("delete-random") => assert_eq!(row.integer("k"), Some(blocks.len() as i64)),
            Some("delete") => assert_eq!(row.integer("block"), Some(blocks[0] as i64)),
            _ => assert_eq!(row.real("kendall_tau"), None),
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_table() {
    for name in ["preact-resnet20", "plain20"] {
        let case = digits(name);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().expect("threads can be started");
            pool.install(|| measured(&case, &everything()))
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(3));
    }
}

#[test]
fn a_study_stops_when_it_is_told_to() {
    let mut left = 5;
    let mut tell = || {
        left -= 1;
        if left == 0 {
            Flow::Stop
        } else {
            Flow::Continue
        }
    };
    let found = study(&digits("resnet20"), &everything(), &mut tell);
    assert!(matches!(found, Err(ProbeError::Stopped)));
    assert_eq!(left, 0);
}

#[test]
fn impossible_settings_are_refused_in_a_sentence() {
    let network = digits("plain20").network;
    let problems = |change: &dyn Fn(&mut LesionSettings)| {
        let mut settings = everything();
        change(&mut settings);
        let found = settings.problems(&network);
        found
            .iter()
            .map(|p| format!("{}: {}", p.field, p.message))
            .collect::<Vec<_>>()
    };
    assert!(problems(&|_| {}).is_empty());
    let with_k = |k: usize| {
        problems(&move |settings: &mut LesionSettings| {
            settings.random.as_mut().expect("there").k = vec![2, k];
        })
    };
    assert!(with_k(7).is_empty());
    let message = with_k(8).join("");
    assert!(
        message.contains("lesion.random.k: must be numbers from 1 to 7"),
        "{message}"
    );
    assert_eq!(with_k(0).len(), 1);
    assert_eq!(problems(&|s| s.samples = Some(0)).len(), 1);
    assert_eq!(problems(&|s| s.reestimate = Some(0)).len(), 1);
    let swaps = problems(&|s| s.reorder.as_mut().expect("there").swaps = vec![0]);
    assert_eq!(swaps.len(), 1);
    let bare = digits("fc-plain1").network;
    let fields: Vec<&str> = everything()
        .problems(&bare)
        .iter()
        .map(|p| p.field)
        .collect();
    assert_eq!(
        fields,
        ["lesion.random.k", "lesion.reorder", "lesion.reestimate"]
    );
}

/// The file of a network's weights, or `None` after saying so.
fn real(prefix: &str) -> Option<std::path::PathBuf> {
    let found = || {
        let root = Places::from_environment().reslab_data?;
        let files = std::fs::read_dir(root.join("weights")).ok()?;
        let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
        let named = |path: &std::path::PathBuf| {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            name.is_some_and(|name| name.starts_with(prefix))
        };
        paths
            .find(named)
            .filter(|_| root.join("cifar-10-batches-bin").is_dir())
    };
    let path = found();
    if path.is_none() {
        println!("skipped: RESLAB_DATA names no folder with CIFAR-10 and weights/{prefix}*.th");
    }
    path
}

/// akamaster's ResNet-20 on the first 2,000 test images: wrong answers without each block, counted
/// by PyTorch (the block puts out the ReLU of its shortcut).
#[test]
fn deleting_blocks_of_a_published_network_makes_the_errors_that_pytorch_counts() {
    let Some(path) = real("resnet20-") else {
        return;
    };
    let settings = DataSettings {
        name: DataName::Cifar10,
        train_limit: Some(1),
        normalize: Normalize::Imagenet,
        ..DataSettings::default()
    };
    let dataset = data::load(&settings).expect("the real files");
    let model = named("resnet20").expect("a name");
    let network = build(&model, dataset.shape, dataset.outputs).expect("it fits");
    let mut parameters = vec![f32::NAN; network.layout.parameter_count()];
    let mut state = vec![f32::NAN; network.layout.state_count()];
    let file = WeightsFile::read(&path).expect("weights");
    file.assign(&network, Head::Keep, &mut parameters, &mut state)
        .expect("they are its own");
    let case = Case {
        network,
        dataset,
        parameters,
        state,
    };
    let settings = LesionSettings {
        samples: Some(2000),
        ..LesionSettings::default()
    };
    let table = measured(&case, &settings);
    let deleted = table
        .iter()
        .filter(|row| row.text("kind") == Some("delete"));
    let wrong: Vec<i64> = deleted.filter_map(|row| row.integer("wrong")).collect();
    println!("wrong answers: {wrong:?}");
    let expected = [476, 412, 790, 1316, 477, 307, 1224, 530, 797];
    assert_eq!(wrong.len(), expected.len());
    let near = |(found, expected): (&i64, i64)| (found - expected).abs() <= 2;
    assert!(wrong.iter().zip(expected).all(near), "{wrong:?}");
}
