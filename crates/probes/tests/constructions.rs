//! The instruments `identity` and `expressivity` against closed forms.

use reslab_nn::data::{DataName, DataSettings, Dataset, SyntheticKind, SyntheticSettings, load};
use reslab_nn::families::{InitSettings, ModelSettings, build, initialize, named};
use reslab_nn::network::{Activation, Network};
use reslab_nn::train::{Flow, TrainSettings};
use reslab_probes::expressivity::{self, ExpressivitySettings};
use reslab_probes::identity::{self, IdentitySettings};
use reslab_probes::{Progress, Set, Subject, Watch};
use reslab_results::Table;

fn digits() -> Dataset {
    load(&DataSettings {
        name: DataName::Digits,
        train_limit: Some(90),
        test_limit: Some(40),
        ..DataSettings::default()
    })
    .expect("digits are built in")
}

fn vectors(dimensions: usize) -> Dataset {
    load(&DataSettings {
        name: DataName::Synthetic,
        synthetic: Some(SyntheticSettings {
            kind: SyntheticKind::Identity,
            dimensions,
            train: 300,
            test: 10,
            ..SyntheticSettings::default()
        }),
        ..DataSettings::default()
    })
    .expect("drawn data")
}

fn with<T>(
    network: &Network,
    dataset: &Dataset,
    parameters: &[f32],
    run: impl Fn(&Subject<'_>, &mut Watch<'_>) -> T,
) -> T {
    let state = network.layout.initial_state();
    let train = TrainSettings::default();
    let subject = Subject {
        run_id: "run",
        epoch: 0,
        network,
        parameters,
        state: &state,
        dataset,
        train: &train,
        seed: 0,
        folder: None,
    };
    let mut tell = |_: Progress| Flow::Continue;
    run(&subject, &mut Watch::new("test", &mut tell))
}

fn ratios(network: &Network, dataset: &Dataset, parameters: &[f32]) -> Table {
    let settings = IdentitySettings {
        samples: 256,
        ..IdentitySettings::default()
    };
    with(network, dataset, parameters, |subject, watch| {
        identity::measure(&settings, subject, watch).expect("a table")
    })
}

#[test]
fn zero_gamma_makes_every_block_the_identity() {
    let dataset = vectors(8);
    let settings = ModelSettings {
        depth: 4,
        width: 12,
        branch_layers: 2,
        ..named("fc-resnet4").expect("a name")
    };
    let network = build(&settings, dataset.shape, dataset.outputs).expect("a network");
    let zero = InitSettings {
        zero_gamma: true,
        ..InitSettings::default()
    };
    for row in ratios(&network, &dataset, &initialize(&network, &zero, 1)).iter() {
        assert_eq!(
            (row.real("ratio"), row.real("drift")),
            (Some(0.0), Some(0.0))
        );
        assert_eq!(row.real("cosine"), None);
    }
    let he = initialize(&network, &InitSettings::default(), 1);
    for row in ratios(&network, &dataset, &he).iter() {
        assert!(row.real("ratio").expect("a ratio") > 0.1);
    }
}

/// A branch of one linear layer `W = a I` without activation has the ratio a, the cosine ±1, and
/// after l blocks the stack is (1 + a)^l.
#[test]
fn a_scaled_identity_has_its_factor_as_ratio() {
    let dataset = vectors(6);
    let settings = ModelSettings {
        depth: 3,
        width: 6,
        activation: Activation::Identity,
        ..named("fc-resnet3").expect("a name")
    };
    let network = build(&settings, dataset.shape, dataset.outputs).expect("a network");
    let a = -0.25_f32;
    let mut parameters = initialize(&network, &InitSettings::default(), 0);
    for entry in &network.layout.parameters {
        if entry.name.starts_with("layers.") {
            let values = entry.slot.of_mut(&mut parameters);
            values.fill(0.0);
            if entry.shape.len() == 2 {
                values.iter_mut().step_by(7).for_each(|x| *x = a);
            }
        }
    }
    let table = ratios(&network, &dataset, &parameters);
    for (block, row) in table.iter().enumerate() {
        let near = |column: &str, expected: f64| {
            let found = row.real(column).expect("a number");
            assert!(
                (found - expected).abs() < 1e-12,
                "{column}: {found} {expected}"
            );
        };
        near("ratio", 0.25);
        near("cosine", -1.0);
        near("drift", 1.0 - 0.75_f64.powi(block as i32 + 1));
    }
}

#[test]
fn built_networks_get_the_same_answers() {
    let dataset = digits();
    let settings = ModelSettings {
        width: 6,
        ..named("plain20").expect("a name")
    };
    let network = build(&settings, dataset.shape, dataset.outputs).expect("a network");
    let parameters = initialize(&network, &InitSettings::default(), 2);
    let settings = ExpressivitySettings {
        added: vec![2, 6],
        ..ExpressivitySettings::default()
    };
    assert_eq!(settings.problems(&network), []);
    let table = with(&network, &dataset, &parameters, |subject, watch| {
        expressivity::measure(&settings, subject, watch).expect("a table")
    });
    let texts = |column: &str| -> Vec<String> {
        let cells = table.iter().filter_map(|row| row.text(column));
        cells.map(str::to_owned).collect()
    };
    let integers =
        |column: &str| -> Vec<i64> { table.iter().filter_map(|row| row.integer(column)).collect() };
    assert_eq!(texts("kind"), ["given", "deeper", "deeper", "residual"]);
    assert_eq!(integers("layers"), [20, 32, 56, 20]);
    assert_eq!(integers("total"), [90; 4]);
    let wrong = integers("wrong");
    assert_eq!(wrong, [wrong[0]; 4]);
    assert_eq!(table.real(0, "largest_difference"), Some(0.0));
    for row in 1..4 {
        let found = table.real(row, "largest_difference").expect("a number");
        assert!(found > 0.0 && found < 2e-5, "{found:e}");
    }
}

#[test]
fn settings_name_what_is_wrong() {
    let dataset = digits();
    let network = |name: &str| {
        let settings = ModelSettings {
            width: 4,
            ..named(name).expect("a name")
        };
        build(&settings, dataset.shape, dataset.outputs).expect("a network")
    };
    let found = ExpressivitySettings::default().problems(&network("resnet20"));
    let fields: Vec<_> = found.iter().map(|p| p.field).collect();
    assert_eq!(fields, ["expressivity.added", "expressivity.residual"]);
    assert!(
        found[0].message.contains("not plain"),
        "{}",
        found[0].message
    );
    let one = IdentitySettings {
        samples: 1,
        set: Set::Test,
        ..IdentitySettings::default()
    };
    assert_eq!(
        one.problems(&network("resnet20"))[0].field,
        "identity.samples"
    );
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let dataset = digits();
    let network = build(&named("plain20").expect("a name"), dataset.shape, 10).expect("a network");
    let parameters = initialize(&network, &InitSettings::default(), 2);
    let tables: Vec<(Table, Table)> = [1, 2, 3]
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool").install(|| {
                with(&network, &dataset, &parameters, |subject, watch| {
                    (
                        identity::measure(&IdentitySettings::default(), subject, watch)
                            .expect("a table"),
                        expressivity::measure(&ExpressivitySettings::default(), subject, watch)
                            .expect("a table"),
                    )
                })
            })
        })
        .into();
    assert!(tables[0] == tables[1] && tables[0] == tables[2]);
}
