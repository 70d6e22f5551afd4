//! Tests of shapes and edits.

use super::*;
use crate::error::ShapeError;
use crate::families::{ModelSettings, build, named};

fn network(name: &str) -> Network {
    let settings = ModelSettings {
        width: 4,
        ..named(name).unwrap()
    };
    build(&settings, Shape::new(3, 8, 8), 5).unwrap()
}

fn names(network: &Network) -> Vec<&str> {
    network.blocks.iter().map(|b| b.name.as_str()).collect()
}

#[test]
fn dropping_a_residual_block_empties_its_branches_and_nothing_else() {
    let full = network("resnet20");
    for block in 0..full.blocks.len() {
        let lesion = full.without(block);
        lesion.check().unwrap();
        assert_eq!(lesion.layout, full.layout);
        assert!(lesion.blocks[block].branches.is_empty());
        assert_eq!(lesion.blocks[block].post, full.blocks[block].post);
        let others = |net: &Network| {
            net.blocks
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != block)
                .map(|(_, b)| b.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(others(&lesion), others(&full));
    }
    assert_eq!(full.without(99), full);
}

#[test]
fn dropping_a_plain_block_removes_it() {
    let full = network("plain20");
    let lesion = full.without(1);
    lesion.check().unwrap();
    assert_eq!(names(&lesion)[..2], ["layer1.0", "layer1.2"]);
    assert_eq!(lesion.layout, full.layout);
}

#[test]
fn a_misfit_names_the_block_and_both_shapes() {
    let error = network("plain20")
        .without(3)
        .check()
        .unwrap_err()
        .to_string();
    for part in ["layer2.1", "4×8×8", "8 channels"] {
        assert!(error.contains(part), "{part} in: {error}");
    }
    let mut wrong = network("resnet20");
    wrong.blocks[3].shortcut = Shortcut::Identity;
    let error = wrong.check().unwrap_err().to_string();
    for part in ["layer2.0", "4×8×8", "8×4×4"] {
        assert!(error.contains(part), "{part} in: {error}");
    }
}

#[test]
fn a_kernel_that_does_not_fit_is_refused() {
    let conv = |kernel, stride| Conv2d {
        in_channels: 1,
        out_channels: 2,
        kernel,
        stride,
        padding: 1,
        groups: 1,
        weight: Slot {
            offset: 0,
            len: 2 * kernel * kernel,
        },
        bias: None,
    };
    let input = Shape::new(1, 4, 5);
    assert_eq!(shapes::conv_output_shape(&conv(7, 1), input), None);
    assert_eq!(
        shapes::conv_output_shape(&conv(6, 1), input),
        Some(Shape::new(2, 1, 2))
    );
    assert_eq!(
        shapes::conv_output_shape(&conv(3, 2), input),
        Some(Shape::new(2, 2, 3))
    );
    let layer = Layer {
        name: "conv1".into(),
        op: Op::Conv2d(conv(7, 1)),
    };
    let error = output_shape(&[layer], input).unwrap_err().to_string();
    assert!(
        error.contains("conv1") && error.contains("7×7") && error.contains("1×4×5"),
        "{error}"
    );
}

#[test]
fn an_output_of_another_size_is_refused() {
    let mut net = network("fc-plain2");
    net.outputs = 6;
    assert!(matches!(net.check(), Err(ShapeError::Output { .. })));
}

#[test]
fn reordering_within_a_stage_is_possible_and_across_stages_is_not() {
    let full = network("resnet20");
    let swapped = full.reordered(&[0, 2, 1, 3, 4, 5, 6, 7, 8]).unwrap();
    assert_eq!(names(&swapped)[..3], ["layer1.0", "layer1.2", "layer1.1"]);
    assert_eq!(swapped.layout, full.layout);
    assert!(full.reordered(&[0, 4, 2, 3, 1, 5, 6, 7, 8]).is_err());
    for order in [
        vec![0, 1],
        vec![0, 0, 2, 3, 4, 5, 6, 7, 8],
        vec![1, 2, 3, 4, 5, 6, 7, 8, 9],
    ] {
        assert!(
            matches!(full.reordered(&order), Err(ShapeError::Order { .. })),
            "{order:?}"
        );
    }
}

#[test]
fn the_plain_twin_is_the_plain_network() {
    for (residual, plain) in [("resnet20", "plain20"), ("fc-resnet4", "fc-plain4")] {
        assert_eq!(network(residual).plain_twin(), network(plain));
    }
}

#[test]
fn slots_follow_one_another_without_gaps() {
    let layout = network("resnet20").layout;
    for entries in [&layout.parameters, &layout.state] {
        let mut end = 0;
        for entry in entries {
            assert_eq!(entry.slot.offset, end, "{}", entry.name);
            assert_eq!(
                entry.slot.len,
                entry.shape.iter().product::<usize>(),
                "{}",
                entry.name
            );
            end = entry.slot.range().end;
        }
    }
    let state = layout.initial_state();
    assert_eq!(state.iter().filter(|v| **v == 1.0).count() * 2, state.len());
}
