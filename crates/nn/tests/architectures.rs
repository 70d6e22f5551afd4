//! Every family against what is published of it: parameters to the last digit, multiply-adds,
//! shapes, names; and the settings that describe it.

use reslab_nn::families::{EXAMPLES, Family, ModelSettings, WrittenModel, build, named};
use reslab_nn::network::census::{Census, census};
use reslab_nn::network::{Network, Op, Shape, Shortcut};

const CIFAR: (Shape, usize) = (Shape::new(3, 32, 32), 10);
const IMAGENET: (Shape, usize) = (Shape::new(3, 224, 224), 1000);

fn read(text: &str) -> Result<ModelSettings, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn built(settings: &ModelSettings) -> Network {
    let (input, outputs) = settings.family.usual_data();
    build(settings, input, outputs).unwrap_or_else(|e| panic!("{}: {e}", settings.name()))
}

fn network(name: &str) -> Network {
    built(&named(name).unwrap_or_else(|| panic!("{name} is no name")))
}

fn counted(network: &Network) -> Census {
    let census = census(network).unwrap();
    assert_eq!(
        census.parameters,
        network.layout.parameter_count(),
        "{}: the census misses parameters",
        network.name
    );
    census
}

#[test]
fn parameters_are_the_published_ones() {
    let counts = [
        ("resnet20", 269_722),
        ("resnet32", 464_154),
        ("resnet44", 658_586),
        ("resnet56", 853_018),
        ("resnet110", 1_727_962),
        ("plain110", 1_727_962),
        ("resnet1202", 19_421_274),
        ("preact-resnet110", 1_727_962),
        ("preact-plain110", 1_727_962),
        ("preact-resnet164", 1_703_258),
        ("preact-resnet1001", 10_327_706),
        ("wrn-40-1", 563_930),
        ("wrn-40-2", 2_243_546),
        ("wrn-40-4", 8_949_210),
        ("wrn-40-8", 35_748_314),
        ("wrn-28-10", 36_479_194),
        ("wrn-28-12", 52_517_850),
        ("wrn-22-8", 17_158_106),
        ("wrn-22-10", 26_797_914),
        ("wrn-16-8", 10_961_370),
        ("wrn-16-10", 17_116_634),
        ("wrn-16-4", 2_748_890),
        ("resnext29_1x64d", 4_914_250),
        ("resnext29_8x64d", 34_426_698),
        ("resnext29_16x64d", 68_155_210),
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        ("resnext50_32x4d", 25_028_904),
        ("resnext101_32x8d", 88_791_336),
        ("wide_resnet50_2", 68_883_240),
        ("wide_resnet101_2", 126_886_696),
    ];
    for (name, count) in counts {
        assert_eq!(counted(&network(name)).parameters, count, "{name}");
    }
    // With projections instead of option A.
    let projected = [
        (20, 272_474),
        (32, 466_906),
        (44, 661_338),
        (56, 855_770),
        (110, 1_730_714),
        (1202, 19_424_026),
    ];
    for (depth, count) in projected {
        let settings = read(&format!(r#"{{"depth": {depth}, "shortcut": "B"}}"#)).unwrap();
        assert_eq!(counted(&built(&settings)).parameters, count, "{depth}");
    }
}

/// He et al. 2015, table 1, in units of 10⁹ and to the digits printed there.
#[test]
fn multiply_adds_are_the_papers() {
    let printed = [(18, 1.8), (34, 3.6), (50, 3.8), (101, 7.6), (152, 11.3)];
    for (depth, billions) in printed {
        let mut settings = named(&format!("resnet{depth}")).unwrap();
        if depth >= 50 {
            settings.stride_on = reslab_nn::families::StrideOn::OneByOne;
        }
        let found = counted(&built(&settings)).multiply_adds as f64 / 1e9;
        // The paper's 50 layers count 3.86 · 10⁹ and print 3.8.
        assert!((found - billions).abs() < 0.07, "{depth}: {found}");
    }
    // torchvision's own table: 4.09 · 10⁹ with the stride on the 3×3 convolution.
    let found = counted(&network("resnet50")).multiply_adds as f64 / 1e9;
    assert!((found - 4.09).abs() < 0.005, "{found}");
    let found = counted(&network("resnext50_32x4d")).multiply_adds as f64 / 1e9;
    assert!((found - 4.23).abs() < 0.005, "{found}");
    // 41 million, as commonly reported.
    let found = counted(&network("resnet20")).multiply_adds as f64 / 1e6;
    assert!((40.0..41.5).contains(&found), "{found}");
}

#[test]
fn a_resnext_block_costs_what_the_paper_says() {
    // C (256 d + 9 d² + 256 d), without batch norms.
    for (cardinality, width, count) in [(1, 64, 69_632), (32, 4, 70_144)] {
        let name = format!("resnext50_{cardinality}x{width}d");
        let census = counted(&network(&name));
        let weights = |row: &&reslab_nn::network::census::Row| {
            row.block == Some(1) && row.kind.starts_with("conv")
        };
        let found: usize = census
            .rows
            .iter()
            .filter(weights)
            .map(|r| r.parameters)
            .sum();
        assert_eq!(found, count, "{name}");
    }
}

#[test]
fn imagenet_names_are_torchvisions() {
    let names = |network: &Network| -> Vec<String> {
        let layout = &network.layout;
        layout.parameters.iter().map(|e| e.name.clone()).collect()
    };
    let found = names(&network("resnet50"));
    let first = [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "layer1.0.conv1.weight",
        "layer1.0.bn1.weight",
        "layer1.0.bn1.bias",
        "layer1.0.conv2.weight",
        "layer1.0.bn2.weight",
        "layer1.0.bn2.bias",
        "layer1.0.conv3.weight",
        "layer1.0.bn3.weight",
        "layer1.0.bn3.bias",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.weight",
        "layer1.0.downsample.1.bias",
        "layer1.1.conv1.weight",
    ];
    assert_eq!(found[..first.len()], first);
    assert_eq!(found[found.len() - 2..], ["fc.weight", "fc.bias"]);
    assert!(!found.contains(&"layer2.1.downsample.0.weight".to_owned()));
    let found = names(&network("resnet18"));
    assert!(!found.contains(&"layer1.0.downsample.0.weight".to_owned()));
    assert!(found.contains(&"layer2.0.downsample.0.weight".to_owned()));
    // The stage's stride is that of the 3×3 convolution.
    let network = network("resnet50");
    let strides: Vec<usize> = network.blocks[3].branches[0]
        .iter()
        .filter_map(|layer| match &layer.op {
            Op::Conv2d(conv) => Some(conv.stride),
            _ => None,
        })
        .collect();
    assert_eq!(strides, [1, 2, 1]);
}

#[test]
fn the_textbooks_resnet18_has_its_table_of_shapes() {
    let network = network("d2l-resnet18");
    assert_eq!(
        (network.input, network.outputs),
        (Shape::new(1, 224, 224), 10)
    );
    let blocks = network.block_shapes().unwrap();
    let mut shapes = vec![blocks[0].0];
    shapes.extend(blocks.iter().skip(1).step_by(2).map(|(_, output)| *output));
    let expected = [
        Shape::new(64, 56, 56),
        Shape::new(64, 56, 56),
        Shape::new(128, 28, 28),
        Shape::new(256, 14, 14),
        Shape::new(512, 7, 7),
    ];
    assert_eq!(shapes, expected);
    let census = counted(&network);
    let pooled = census.rows.iter().find(|row| row.kind == "average pool");
    assert_eq!(pooled.unwrap().output, Shape::vector(512));
    assert_eq!(census.rows.last().unwrap().output, Shape::vector(10));
    // torchvision's with one channel in and ten classes, and: biases of 17 convolutions in place
    // of three batch norms after projections, which have 2 numbers where a bias has 1.
    let biases = 64 * 5 + (128 + 256 + 512) * 4;
    let norms = 128 + 256 + 512;
    let torchvision = 11_689_512 - 2 * 64 * 49 - 990 * 513;
    assert_eq!(census.parameters, torchvision + biases + norms - 2 * norms);
}

#[test]
fn names_lead_to_settings_and_back() {
    for name in EXAMPLES {
        let settings = named(name).unwrap_or_else(|| panic!("{name} is no name"));
        settings.check().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(settings.name(), name);
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(read(&text).unwrap(), settings, "{text}");
        assert_eq!(read(&format!(r#"{{"name": "{name}"}}"#)).unwrap(), settings);
    }
    for name in [
        "wrn-16",
        "wrn-16-",
        "wrn-016-4",
        "resnext29",
        "resnext29_8x64",
        "wide_resnet50",
        "preact-wrn-16-4",
        "preact-d2l-resnet18",
        "d2l-18",
    ] {
        assert_eq!(named(name), None, "{name}");
    }
    // Depths with two meanings are reached by the family.
    assert_eq!(named("resnet50").unwrap().family, Family::Imagenet);
    let cifar = read(r#"{"family": "cifar", "depth": 50}"#).unwrap();
    assert_eq!(built(&cifar).blocks.len(), 24);
    let bottlenecks = read(r#"{"family": "cifar", "depth": 29, "block": "bottleneck"}"#).unwrap();
    assert_eq!(built(&bottlenecks).blocks.len(), 9);
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    for (wrong, meant) in [
        ("resnext50", "resnext50_32x4d"),
        ("Resnet20", "resnet20"),
        ("wide-resnet50-2", "wide_resnet50_2"),
        ("wrn_28_10", "wrn-28-10"),
        ("pract-resnet110", "preact-resnet110"),
    ] {
        let error = read(&format!(r#"{{"name": "{wrong}"}}"#)).unwrap_err();
        assert!(
            error.contains(&format!("did you mean `{meant}`")),
            "{error}"
        );
    }
    let error = read(r#"{"name": "vgg16"}"#).unwrap_err();
    assert!(
        !error.contains("did you mean") && error.contains("reslab models"),
        "{error}"
    );
}

/// Runs are known by their settings: what was written of networks before there were other
/// families is written still.
#[test]
fn the_identity_of_older_networks_is_what_it_was() {
    let written = |name: &str| serde_json::to_string(&named(name).unwrap()).unwrap();
    assert_eq!(
        written("resnet20"),
        r#"{"family":"cifar","depth":20,"residual":true,"width":16,"batch_norm":true,"activation":"relu","branch_layers":2}"#
    );
    assert_eq!(
        written("fc-plain3"),
        r#"{"family":"fully-connected","depth":3,"residual":false,"width":64,"batch_norm":false,"activation":"relu","branch_layers":1}"#
    );
    assert!(written("wrn-16-4").contains(r#""widen":4"#));
}

#[test]
fn dead_settings_are_refused_and_say_why() {
    let refused = [
        (r#"{"widen": 4}"#, "family: wide"),
        (r#"{"cardinality": 4}"#, "bottleneck"),
        (r#"{"stride_on": "1x1"}"#, "bottleneck"),
        (r#"{"shortcut_factor": 0.25}"#, "shortcut: constant"),
        (r#"{"gate_bias": -3}"#, "exclusive-gate"),
        (
            r#"{"shortcut": "C", "shortcut_dropout": 0.1}"#,
            "shortcut: dropout",
        ),
        (
            r#"{"family": "fully-connected", "shortcut": "B"}"#,
            "shortcut: B",
        ),
        (
            r#"{"family": "fully-connected", "dropout": 0.1}"#,
            "dropout",
        ),
        (
            r#"{"family": "fully-connected", "placement": "relu-before-addition"}"#,
            "`original` and `pre-activation`",
        ),
        (
            r#"{"family": "d2l", "placement": "pre-activation"}"#,
            "one placement",
        ),
        (
            r#"{"family": "wide", "block": "bottleneck"}"#,
            "one kind of block",
        ),
        (r#"{"name": "resnet50", "block": "basic"}"#, "50 and more"),
        (
            r#"{"name": "resnet50", "family": "cifar"}"#,
            "another family",
        ),
        (
            r#"{"batch_norm": false, "placement": "bn-after-addition"}"#,
            "without batch norm",
        ),
        (r#"{"dropout": 1.0}"#, "below 1"),
        (r#"{"stochastic_depth": 0}"#, "above 0"),
        (r#"{"depth": 26, "block": "bottleneck"}"#, "9n+2"),
        (r#"{"name": "wrn-17-4"}"#, "6n+4"),
        (r#"{"family": "imagenet", "depth": 20}"#, "18 would do"),
        (r#"{"name": "d2l-resnet34"}"#, "18 would do"),
    ];
    for (text, part) in refused {
        let error = read(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    // A plain twin shares its file with the residual network.
    let plain = read(
        r#"{"depth": 20, "residual": false, "shortcut": "exclusive-gate", "gate_bias": -3, "stochastic_depth": 0.5}"#,
    );
    assert_eq!(plain.unwrap(), named("plain20").unwrap());
}

#[test]
fn plain_twins_have_the_same_layers_without_the_shortcuts() {
    for name in EXAMPLES {
        let residual = named(name).unwrap();
        if !residual.residual || built(&residual).blocks.len() > 60 {
            continue;
        }
        let written = WrittenModel {
            residual: Some(false),
            ..residual.clone().into()
        };
        let plain = built(&written.resolve().unwrap());
        assert!(plain.blocks.iter().all(|b| b.shortcut == Shortcut::None));
        let weights = |network: &Network| -> Vec<(String, usize)> {
            let projection = |name: &str| {
                ["shortcut", "downsample", ".conv3."]
                    .iter()
                    .any(|p| name.contains(p))
            };
            let entries = network.layout.parameters.iter();
            let kept = entries.filter(|e| e.shape.len() > 1 && !projection(&e.name));
            kept.map(|e| (e.name.clone(), e.slot.len)).collect()
        };
        assert_eq!(weights(&built(&residual)), weights(&plain), "{name}");
    }
}

#[test]
fn every_variant_of_he_2016_is_built() {
    let shortcuts = [
        "A",
        "B",
        "C",
        "constant",
        "exclusive-gate",
        "shortcut-gate",
        "dropout",
    ];
    let placements = [
        "original",
        "bn-after-addition",
        "relu-before-addition",
        "relu-only-pre-activation",
        "pre-activation",
    ];
    for shortcut in shortcuts {
        for placement in placements {
            for (depth, block) in [(14, "basic"), (20, "bottleneck")] {
                let text = format!(
                    r#"{{"depth": {depth}, "block": "{block}", "shortcut": "{shortcut}", "placement": "{placement}"}}"#
                );
                let network = built(&read(&text).unwrap());
                network.check().unwrap();
                counted(&network);
                // Every block has a branch that ends in something to scale.
                let ends = network.layout.parameters.iter().filter(|e| e.ends_branch);
                assert_eq!(ends.count(), network.blocks.len(), "{text}");
                let gated = network.blocks.iter().filter(|b| b.gate.is_some()).count();
                let expected = if shortcut.ends_with("gate") {
                    network.blocks.len()
                } else {
                    0
                };
                assert_eq!(gated, expected, "{text}");
            }
        }
    }
}

#[test]
fn gates_start_where_they_are_told_and_blocks_survive_less_with_depth() {
    let settings = read(
        r#"{"depth": 14, "shortcut": "exclusive-gate", "gate_bias": -3, "stochastic_depth": 0.4}"#,
    )
    .unwrap();
    let network = built(&settings);
    let drawn = reslab_nn::families::initialize(&network, &Default::default(), 0);
    let gates = network
        .layout
        .parameters
        .iter()
        .filter(|e| e.name.ends_with("gate.bias"));
    assert_eq!(gates.clone().count(), 6);
    for gate in gates {
        assert!(
            gate.slot.of(&drawn).iter().all(|&b| b == -3.0),
            "{}",
            gate.name
        );
    }
    let survival: Vec<f64> = network
        .blocks
        .iter()
        .map(|block| block.survival.unwrap().probability)
        .collect();
    for (index, p) in survival.iter().enumerate() {
        assert!((p - (1.0 - (index + 1) as f64 / 6.0 * 0.6)).abs() < 1e-12);
    }
}

#[test]
fn the_usual_data_are_the_papers() {
    assert_eq!(Family::Cifar.usual_data(), CIFAR);
    assert_eq!(Family::Wide.usual_data(), CIFAR);
    assert_eq!(Family::Imagenet.usual_data(), IMAGENET);
}
