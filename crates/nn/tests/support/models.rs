//! Small networks of every family, for property tests of both executors.

use proptest::prelude::*;
use reslab_nn::families::{BlockKind, Family, ModelSettings, Placement, ShortcutKind, StrideOn};
use reslab_nn::network::Activation;

/// Small networks of all kinds.
pub fn any_model() -> impl Strategy<Value = ModelSettings> {
    let shape = prop_oneof![
        2 => fully_connected(),
        6 => cifar(),
        2 => wide(),
        1 => imagenet(),
    ];
    let activation = prop_oneof![3 => Just(Activation::Relu), 1 => Just(Activation::Tanh)];
    let norm = prop_oneof![2 => Just(true), 1 => Just(false)];
    (shape, 2..5_usize, any::<bool>(), norm, activation)
        .prop_map(
            |(settings, width, residual, batch_norm, activation)| ModelSettings {
                width,
                residual,
                batch_norm,
                activation,
                ..settings
            },
        )
        .prop_filter("settings that go together", |settings| {
            settings.check().is_ok()
        })
}

fn fully_connected() -> BoxedStrategy<ModelSettings> {
    let placements = [Placement::Original, Placement::PreActivation];
    (
        1..5_usize,
        1..3_usize,
        proptest::sample::select(placements.to_vec()),
    )
        .prop_map(|(depth, branch_layers, placement)| ModelSettings {
            depth,
            branch_layers,
            placement,
            ..Family::FullyConnected.defaults()
        })
        .boxed()
}

fn cifar() -> BoxedStrategy<ModelSettings> {
    let placements = [
        Placement::Original,
        Placement::BnAfterAddition,
        Placement::ReluBeforeAddition,
        Placement::ReluOnlyPreActivation,
        Placement::PreActivation,
    ];
    (
        prop_oneof![Just(8_usize), Just(14), Just(11)],
        proptest::sample::select(placements.to_vec()),
        shortcut(),
        noise(),
        groups(),
    )
        .prop_map(|(depth, placement, shortcut, noise, groups)| {
            let block = match depth {
                11 => BlockKind::Bottleneck,
                _ => BlockKind::Basic,
            };
            let settings = ModelSettings {
                depth,
                block,
                placement,
                ..Family::Cifar.defaults()
            };
            with_groups(with_noise(with_shortcut(settings, shortcut), noise), groups)
        })
        .boxed()
}

fn wide() -> BoxedStrategy<ModelSettings> {
    (1..3_usize, noise())
        .prop_map(|(widen, noise)| {
            let settings = ModelSettings {
                depth: 10,
                widen,
                ..Family::Wide.defaults()
            };
            with_noise(settings, noise)
        })
        .boxed()
}

fn imagenet() -> BoxedStrategy<ModelSettings> {
    // Fifty layers whose last norms see three numbers each are too steep for differences; they have a
    // test of their own, with more pixels.
    let depth = Just(18_usize);
    let placement = prop_oneof![Just(Placement::Original), Just(Placement::PreActivation)];
    (depth, placement, shortcut(), groups(), any::<bool>())
        .prop_map(|(depth, placement, shortcut, groups, textbook)| {
            if textbook {
                return Family::D2l.defaults();
            }
            let settings = ModelSettings {
                depth,
                block: BlockKind::of_imagenet(depth),
                placement,
                ..Family::Imagenet.defaults()
            };
            with_groups(with_shortcut(settings, shortcut), groups)
        })
        .boxed()
}

fn shortcut() -> BoxedStrategy<ShortcutKind> {
    prop_oneof![
        3 => Just(ShortcutKind::A),
        1 => Just(ShortcutKind::B),
        1 => Just(ShortcutKind::C),
        1 => Just(ShortcutKind::Constant),
        1 => Just(ShortcutKind::ExclusiveGate),
        1 => Just(ShortcutKind::ShortcutGate),
        1 => Just(ShortcutKind::Dropout),
    ]
    .boxed()
}

fn with_shortcut(settings: ModelSettings, shortcut: ShortcutKind) -> ModelSettings {
    let settings = ModelSettings {
        shortcut,
        ..settings
    };
    match shortcut {
        ShortcutKind::Constant => ModelSettings {
            branch_factor: 0.75,
            ..settings
        },
        // Near 0, where a gate has both sides.
        ShortcutKind::ExclusiveGate | ShortcutKind::ShortcutGate => ModelSettings {
            gate_bias: -0.5,
            ..settings
        },
        _ => settings,
    }
}

/// Dropout and survival.
fn noise() -> BoxedStrategy<(f64, f64)> {
    (
        prop_oneof![Just(0.0), Just(0.3)],
        prop_oneof![2 => Just(1.0), 1 => Just(0.4)],
    )
        .boxed()
}

fn with_noise(settings: ModelSettings, (dropout, survival): (f64, f64)) -> ModelSettings {
    ModelSettings {
        dropout,
        stochastic_depth: survival,
        ..settings
    }
}

fn groups() -> BoxedStrategy<(usize, usize, StrideOn)> {
    let stride_on = prop_oneof![Just(StrideOn::ThreeByThree), Just(StrideOn::OneByOne)];
    (1..4_usize, prop_oneof![Just(64_usize), Just(32)], stride_on).boxed()
}

fn with_groups(
    settings: ModelSettings,
    (cardinality, group_width, stride_on): (usize, usize, StrideOn),
) -> ModelSettings {
    match settings.block {
        BlockKind::Basic => settings,
        BlockKind::Bottleneck => ModelSettings {
            cardinality,
            group_width,
            stride_on,
            ..settings
        },
    }
}
