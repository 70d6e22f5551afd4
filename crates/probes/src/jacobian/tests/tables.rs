//! The tables that a measurement leaves.

use reslab_nn::train::{Flow, TrainSettings};
use reslab_results::Table;

use super::networks::{digits, network, numbers};
use crate::jacobian::{End, JacobianSettings, Products, Statistics, measure};
use crate::subject::{Subject, Watch};

pub(super) fn measured(model: &str, settings: &JacobianSettings) -> Vec<Table> {
    let dataset = digits();
    let network = network(model, &dataset);
    let (parameters, state) = numbers(&network);
    let train = TrainSettings::default();
    let subject = Subject {
        run_id: "r",
        epoch: 0,
        network: &network,
        parameters: &parameters,
        state: &state,
        dataset: &dataset,
        train: &train,
        seed: 7,
        folder: None,
    };
    assert!(settings.problems(&network).is_empty());
    let mut go_on = |_| Flow::Continue;
    let mut watch = Watch::new("jacobian", &mut go_on);
    measure(settings, &subject, &mut watch).expect("measured")
}

/// The values of a column in rows of a kind, by blocks in it.
fn column(table: &Table, kind: &str, grow: Option<&str>, name: &str) -> Vec<f64> {
    let rows = table.iter();
    rows.filter(|row| row.text("kind") == Some(kind) && row.text("grow") == grow)
        .filter_map(|row| row.real(name))
        .collect()
}

#[test]
fn every_block_and_every_length_has_its_row() {
    let model = r#"{"depth": 8, "width": 2}"#;
    let both = JacobianSettings {
        samples: 2,
        products: Products {
            grow: vec![End::Input, End::Output],
            ..Products::default()
        },
        ..JacobianSettings::default()
    };
    let tables = measured(model, &both);
    let names: Vec<_> = tables.iter().map(|t| t.schema.name.as_str()).collect();
    let expected = [
        "jacobian",
        "jacobian_values",
        "jacobian_exponents",
        "jacobian_theory",
        "jacobian_density",
    ];
    assert_eq!(names, expected);
    // 3 blocks of 3 maps, 3 lengths from 2 ends.
    assert_eq!(tables[0].len(), 2 * (3 * 3 + 3 * 2));
    // The whole product is the same from both ends.
    for name in ["log_max", "log_min", "log_mean", "log_q50", "branch_square"] {
        let from_input = column(&tables[0], "product", Some("input"), name);
        let from_output = column(&tables[0], "product", Some("output"), name);
        for whole in [2, 5] {
            let (a, b) = (from_input[whole], from_output[whole]);
            assert!((a - b).abs() < 1e-9, "{name}: {a} and {b}");
        }
    }
    // A product of one block is the block.
    let one = column(&tables[0], "product", Some("input"), "log_max")[0];
    let block = column(&tables[0], "block", None, "log_max")[0];
    assert!((one - block).abs() < 1e-12);
}

#[test]
fn lanczos_in_full_agrees_with_dense() {
    let model = r#"{"family": "fully-connected", "depth": 4, "width": 24, "activation": "tanh"}"#;
    let dense = measured(model, &JacobianSettings::default());
    let mut settings = JacobianSettings {
        dense: 8,
        ..JacobianSettings::default()
    };
    settings.lanczos.steps = 24;
    let lanczos = measured(model, &settings);
    for (kind, grow) in [("branch", None), ("sum", None), ("product", Some("input"))] {
        for name in [
            "log_max",
            "log_min",
            "gradient_through",
            "first_order_share",
        ] {
            let exact = column(&dense[0], kind, grow, name);
            let found = column(&lanczos[0], kind, grow, name);
            assert_eq!(exact.len(), found.len());
            for (a, b) in exact.iter().zip(&found) {
                assert!((a - b).abs() < 1e-6, "{kind} {name}: {a} and {b}");
            }
        }
        let errors = column(&lanczos[0], kind, grow, "log_mean_se");
        let exact = column(&dense[0], kind, grow, "log_mean");
        let found = column(&lanczos[0], kind, grow, "log_mean");
        for ((a, b), error) in exact.iter().zip(&found).zip(&errors) {
            assert!((a - b).abs() < 8.0 * error, "{kind}: {a}, {b} ± {error}");
        }
    }
}

#[test]
fn the_same_rows_on_any_number_of_threads() {
    let model = r#"{"depth": 8, "width": 2}"#;
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool")
            .install(|| measured(model, &JacobianSettings::default()))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn a_batch_is_one_sample_without_index() {
    let settings = JacobianSettings {
        samples: 3,
        statistics: Statistics::Batch,
        ..JacobianSettings::default()
    };
    let model = r#"{"family": "fully-connected", "depth": 2, "width": 5, "batch_norm": true}"#;
    let tables = measured(model, &settings);
    assert!(tables[0].iter().all(|row| row.integer("sample").is_none()));
    assert!(
        tables[0]
            .iter()
            .all(|row| row.integer("inputs") == Some(15))
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let dataset = digits();
    let network = network(r#"{"depth": 8, "width": 2}"#, &dataset);
    let problems = |text: &str| {
        let settings: JacobianSettings = serde_json::from_str(text).expect("settings");
        let problems = settings.problems(&network);
        problems.into_iter().map(|p| p.field).collect::<Vec<_>>()
    };
    assert_eq!(problems("{}"), [""; 0]);
    assert_eq!(problems(r#"{"samples": 0}"#), ["jacobian.samples"]);
    let batch = r#"{"samples": 1, "statistics": "batch"}"#;
    assert_eq!(problems(batch), ["jacobian.samples"]);
    assert_eq!(problems(r#"{"blocks": [3]}"#), ["jacobian.blocks"]);
    assert_eq!(problems(r#"{"values": 1}"#), ["jacobian.values"]);
    for products in [
        r#"{"first": 3}"#,
        r#"{"last": 3}"#,
        r#"{"first": 2, "last": 1}"#,
    ] {
        let text = format!(r#"{{"products": {products}}}"#);
        assert_eq!(problems(&text), ["jacobian.products"]);
    }
    let lengths = r#"{"products": {"first": 1, "lengths": [3]}}"#;
    assert_eq!(problems(lengths), ["jacobian.products.lengths"]);
}

#[test]
fn eigenvalues_are_kept_in_conjugate_pairs() {
    let model = r#"{"family": "fully-connected", "depth": 2, "width": 30, "activation": "tanh"}"#;
    let few = JacobianSettings {
        samples: 1,
        values: 9,
        ..JacobianSettings::default()
    };
    let tables = measured(model, &few);
    let rows = tables[1]
        .iter()
        .filter(|row| row.text("what") == Some("eigen") && row.integer("first") == Some(0));
    let found: Vec<(i64, f64, f64)> = rows
        .map(|row| {
            let of = |name| row.real(name).expect("a number");
            (row.integer("rank").expect("a rank"), of("re"), of("im"))
        })
        .collect();
    assert!((4..=9).contains(&found.len()), "{found:?}");
    for (rank, re, im) in &found {
        let conjugate = found.iter().any(|(_, r, i)| r == re && *i == -im);
        assert!(conjugate, "{rank}: {re} + {im} i stands alone");
    }
}
