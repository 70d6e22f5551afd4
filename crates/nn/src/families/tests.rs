//! Tests of the families: parameter counts, shapes, names, settings, initial numbers.

use super::*;
use crate::network::builder::option_a;
use crate::network::{Activation, Role, Shortcut};

const CIFAR: Shape = Shape::new(3, 32, 32);

fn network(name: &str) -> Network {
    build(&named(name).unwrap(), CIFAR, 10).unwrap()
}

fn read(json: &str) -> Result<ModelSettings, String> {
    serde_json::from_str(json).map_err(|e| e.to_string())
}

#[test]
fn cifar_networks_have_the_papers_parameter_counts() {
    let counts = [
        (20, 269_722),
        (32, 464_154),
        (44, 658_586),
        (56, 853_018),
        (110, 1_727_962),
    ];
    for (depth, count) in counts {
        assert_eq!(
            network(&format!("resnet{depth}")).layout.parameter_count(),
            count
        );
        assert_eq!(
            network(&format!("plain{depth}")).layout.parameter_count(),
            count
        );
    }
}

#[test]
fn cifar_stages_halve_the_image_and_double_the_channels() {
    let shapes = network("resnet20").block_shapes().unwrap();
    let outputs: Vec<Shape> = shapes
        .iter()
        .step_by(3)
        .map(|(_, output)| *output)
        .collect();
    let expected = [
        Shape::new(16, 32, 32),
        Shape::new(32, 16, 16),
        Shape::new(64, 8, 8),
    ];
    assert_eq!(outputs, expected);
    let net = network("resnet20");
    let pad = option_a("layer2.0.shortcut", 16, 32, 2);
    assert_eq!(net.blocks[3].shortcut, Shortcut::Layers(vec![pad]));
    assert!(net.blocks[3].is_downsampling() && !net.blocks[4].is_downsampling());
}

#[test]
fn cifar_names_are_those_of_pytorch_code() {
    let names: Vec<String> = network("resnet20")
        .layout
        .parameters
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert_eq!(
        &names[..4],
        [
            "conv1.weight",
            "bn1.weight",
            "bn1.bias",
            "layer1.0.conv1.weight"
        ]
    );
    assert!(names.iter().any(|n| n == "layer3.2.bn2.bias"));
    assert_eq!(names.last().unwrap(), "linear.bias");
}

#[test]
fn cifar_without_batch_norm_has_biases_instead() {
    let settings = ModelSettings {
        batch_norm: false,
        ..named("resnet8").unwrap()
    };
    let net = build(&settings, CIFAR, 10).unwrap();
    assert_eq!(net.layout.state_count(), 0);
    let biases = net
        .layout
        .parameters
        .iter()
        .filter(|e| e.role == Role::Bias)
        .count();
    assert_eq!(biases, 8);
}

#[test]
fn cifar_is_built_for_any_input() {
    for input in [
        Shape::new(1, 8, 8),
        Shape::new(3, 1, 1),
        Shape::new(2, 7, 5),
    ] {
        for width in [1, 3, 8] {
            let settings = ModelSettings {
                width,
                ..named("resnet8").unwrap()
            };
            build(&settings, input, 4).unwrap();
        }
    }
}

#[test]
fn fully_connected_counts_and_names() {
    let settings = ModelSettings {
        width: 5,
        branch_layers: 2,
        ..named("fc-resnet3").unwrap()
    };
    let net = build(&settings, Shape::new(1, 2, 2), 2).unwrap();
    assert_eq!(
        net.layout.parameter_count(),
        (4 * 5 + 5) + 3 * 2 * (25 + 5) + (5 * 2 + 2)
    );
    assert_eq!(net.layout.parameters[2].name, "layers.0.linear1.weight");
    let ends: Vec<&str> = net
        .layout
        .parameters
        .iter()
        .filter(|e| e.ends_branch)
        .map(|e| e.name.as_str())
        .collect();
    assert_eq!(ends[0], "layers.0.linear2.weight");
    assert_eq!(ends.len(), 3);
}

#[test]
fn fully_connected_pre_activation_normalises_before_each_layer() {
    let settings = ModelSettings {
        width: 5,
        batch_norm: true,
        ..named("preact-fc-plain2").unwrap()
    };
    assert_eq!(settings.name(), "preact-fc-plain2");
    let net = build(&settings, Shape::new(1, 2, 2), 2).unwrap();
    let names = |layers: &[crate::network::Layer]| -> Vec<String> {
        layers.iter().map(|layer| layer.name.clone()).collect()
    };
    assert_eq!(names(&net.stem), ["flatten", "stem"]);
    assert_eq!(
        names(&net.blocks[1].branches[0]),
        ["layers.1.bn1", "layers.1.activation1", "layers.1.linear1"]
    );
    assert_eq!(names(&net.head), ["bn", "activation", "linear"]);
    assert_eq!(
        net.layout.parameter_count(),
        (4 * 5 + 5) + 2 * (2 * 5 + 25) + 2 * 5 + (5 * 2 + 2)
    );
}

#[test]
fn a_wrong_depth_is_refused_with_its_neighbours() {
    let error = build(&named("resnet21").unwrap(), CIFAR, 10)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("depth 21") && error.contains("20 or 26"),
        "{error}"
    );
    let error = build(&named("plain3").unwrap(), CIFAR, 10)
        .unwrap_err()
        .to_string();
    assert!(error.contains("8 or 14"), "{error}");
    let error = build(&named("fc-plain10001").unwrap(), CIFAR, 10)
        .unwrap_err()
        .to_string();
    assert!(error.contains("10000"), "{error}");
}

#[test]
fn absurd_sizes_are_refused_not_attempted() {
    let wide = ModelSettings {
        width: 65_536,
        depth: 1202,
        ..ModelSettings::default()
    };
    assert!(matches!(
        build(&wide, CIFAR, 10),
        Err(ModelError::TooLarge { .. })
    ));
    let huge = Shape::new(usize::MAX / 4, 1, 1);
    assert!(matches!(
        build(&named("fc-plain1").unwrap(), huge, 1),
        Err(ModelError::TooLarge { .. })
    ));
    let flat = Shape::new(3, 0, 32);
    assert!(matches!(
        build(&named("resnet20").unwrap(), flat, 10),
        Err(ModelError::Shape(_))
    ));
    assert!(matches!(
        build(&named("resnet20").unwrap(), CIFAR, 0),
        Err(ModelError::NoOutputs)
    ));
}

#[test]
fn names_are_read_strictly() {
    for name in [
        "resnet",
        "resnet020",
        "resnet+20",
        "Resnet20",
        "resnet20x",
        "fc-20",
        "plain-20",
    ] {
        assert_eq!(named(name), None, "{name}");
    }
    assert_eq!(named("fc-plain32").unwrap().name(), "fc-plain32");
}

#[test]
fn written_settings_are_filled_in_by_name_and_family() {
    let settings = read(r#"{"name": "resnet56", "width": 8}"#).unwrap();
    assert_eq!(
        settings,
        ModelSettings {
            depth: 56,
            width: 8,
            ..ModelSettings::default()
        }
    );
    let settings = read(r#"{"family": "fully-connected", "activation": "tanh"}"#).unwrap();
    assert_eq!((settings.width, settings.batch_norm), (64, false));
    assert_eq!(settings.activation, Activation::Tanh);
    // What is written of a resolved network reads back as the same network.
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(read(&text).unwrap(), settings);
    assert!(!text.contains("null") && text.contains("branch_layers"));
}

#[test]
fn settings_that_do_nothing_are_refused() {
    let error = read(r#"{"name": "resnet20", "branch_layers": 1}"#).unwrap_err();
    assert!(error.contains("branch_layers: 1"), "{error}");
    assert!(read(r#"{"name": "resnet20", "family": "fully-connected"}"#).is_err());
    assert!(
        read(r#"{"name": "resnet20", "widht": 8}"#)
            .unwrap_err()
            .contains("widht")
    );
    assert!(
        read(r#"{"name": "vgg16"}"#)
            .unwrap_err()
            .contains("resnetN")
    );
    assert!(read(r#"{"family": "fully-connected", "branch_layers": 3}"#).is_err());
    let init = InitSettings {
        zero_gamma: true,
        ..InitSettings::default()
    };
    assert_eq!(
        init.resolved_for(&named("plain20").unwrap()),
        InitSettings::default()
    );
    assert_eq!(init.resolved_for(&named("resnet20").unwrap()), init);
    assert!(init.check().is_ok());
    for gain in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(
            InitSettings {
                gain,
                ..init.clone()
            }
            .check()
            .is_err()
        );
    }
}

fn deviation(values: &[f32]) -> f64 {
    let squares: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    (squares / values.len() as f64).sqrt()
}

#[test]
fn weights_are_drawn_with_the_schemes_deviation() {
    let net = network("resnet20");
    let entry = net
        .layout
        .parameters
        .iter()
        .find(|e| e.name == "layer3.0.conv1.weight")
        .unwrap();
    let schemes = [
        (InitScheme::He, 2.0 / (32.0 * 9.0)),
        (InitScheme::HeFanOut, 2.0 / (64.0 * 9.0)),
        (InitScheme::Xavier, 2.0 / (96.0 * 9.0)),
        (InitScheme::Orthogonal, 1.0 / (32.0 * 9.0)),
    ];
    for (scheme, variance) in schemes {
        let settings = InitSettings {
            scheme,
            gain: 3.0,
            ..InitSettings::default()
        };
        let drawn = initialize(&net, &settings, 7);
        let ratio = deviation(entry.slot.of(&drawn)) / (3.0 * f64::sqrt(variance));
        assert!((ratio - 1.0).abs() < 0.02, "{scheme:?}: {ratio}");
    }
}

#[test]
fn plain_and_residual_twins_start_from_the_same_numbers() {
    let (residual, plain) = (network("resnet20"), network("plain20"));
    assert_eq!(residual.plain_twin(), plain);
    let settings = InitSettings::default();
    let drawn = initialize(&residual, &settings, 3);
    assert_eq!(drawn, initialize(&plain, &settings, 3));
    assert_ne!(drawn, initialize(&residual, &settings, 4));
    let zero = InitSettings {
        zero_gamma: true,
        ..settings
    };
    assert_eq!(
        initialize(&plain, &zero, 3),
        drawn,
        "a plain network has no branches to zero"
    );
}

#[test]
fn branches_can_start_at_zero_or_scaled() {
    let net = network("resnet20");
    let gamma = |settings: &InitSettings, name: &str| {
        let drawn = initialize(&net, settings, 0);
        let entry = net
            .layout
            .parameters
            .iter()
            .find(|e| e.name == name)
            .unwrap();
        entry.slot.of(&drawn)[0]
    };
    let zero = InitSettings {
        zero_gamma: true,
        ..InitSettings::default()
    };
    assert_eq!(
        (
            gamma(&zero, "layer1.0.bn2.weight"),
            gamma(&zero, "layer1.0.bn1.weight")
        ),
        (0.0, 1.0)
    );
    let scaled = |branch_scale| InitSettings {
        branch_scale,
        ..InitSettings::default()
    };
    let third = scaled(BranchScale::InverseSqrtDepth);
    assert!((gamma(&third, "layer3.2.bn2.weight") - 1.0 / 3.0).abs() < 1e-7);
    let ninth = scaled(BranchScale::InverseDepth);
    assert!((gamma(&ninth, "layer3.2.bn2.weight") - 1.0 / 9.0).abs() < 1e-7);
}

#[test]
fn the_schema_describes_what_a_user_writes() {
    let schema = schemars::schema_for!(ModelSettings).to_value();
    let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    for key in [
        "name",
        "family",
        "depth",
        "residual",
        "width",
        "batch_norm",
        "activation",
    ] {
        assert!(keys.iter().any(|k| *k == key), "{key} in {keys:?}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema.get("required").is_none());
}
