//! The three forms of a ResNeXt block (Xie et al. 2017, figure 3) are one function: (a) separate
//! paths, summed; (b) paths concatenated before the last convolution; (c) a grouped convolution.
//! Batch norm and ReLU follow each convolution as in (c), the last norm after the aggregation.

use crate::support::cases::{draw, tensor};
use reslab_nn::families::{ModelSettings, build, named};
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::{
    BatchNorm, Block, Conv2d, Entry, Layer, Network, Op, Role, Shape, Shortcut, Slot, SubsamplePad,
};
use reslab_nn::noise::Noise;
use reslab_nn::reference::derivatives::gradient;
use reslab_nn::reference::{Mode, Problem, lift};

const CARDINALITY: usize = 3;
/// Channels of one path: 4 channels of width, 64 of each 64.
const WIDTH: usize = 4;

/// A ResNeXt with 3 paths in each block, form (c).
fn grouped(placement: &str) -> Network {
    let settings = ModelSettings {
        width: WIDTH,
        depth: 11,
        placement: serde_json::from_str(&format!("\"{placement}\"")).unwrap(),
        ..named(&format!("resnext29_{CARDINALITY}x64d")).unwrap()
    };
    build(&settings, Shape::new(2, 8, 8), 3).unwrap()
}

fn part(slot: Slot, index: usize) -> Slot {
    let len = slot.len / CARDINALITY;
    Slot {
        offset: slot.offset + index * len,
        len,
    }
}

/// Path `index` of a layer whose outputs are cut into paths.
fn path_of(layer: &Layer, index: usize) -> Layer {
    let op = match &layer.op {
        Op::Conv2d(conv) => Op::Conv2d(Conv2d {
            in_channels: conv.in_channels / conv.groups,
            out_channels: conv.out_channels / CARDINALITY,
            groups: 1,
            weight: part(conv.weight, index),
            ..conv.clone()
        }),
        Op::BatchNorm(norm) => Op::BatchNorm(BatchNorm {
            channels: norm.channels / CARDINALITY,
            weight: part(norm.weight, index),
            bias: part(norm.bias, index),
            running_mean: part(norm.running_mean, index),
            running_var: part(norm.running_var, index),
            ..norm.clone()
        }),
        op => op.clone(),
    };
    Layer {
        name: format!("{}.path{index}", layer.name),
        op,
    }
}

/// Where a branch has its last convolution, and what stands before its first.
fn cut(branch: &[Layer]) -> (usize, usize) {
    let is_conv = |layer: &Layer| matches!(layer.op, Op::Conv2d(_));
    (
        branch.iter().position(is_conv).unwrap(),
        branch.iter().rposition(is_conv).unwrap(),
    )
}

/// Form (a): the last convolutions' weights, whose columns are not contiguous, are copies at the
/// end of the arena. Gives the network and, for each copy, the weight and the path it is of.
fn summed(network: &Network) -> (Network, Vec<(Slot, Slot, usize)>) {
    let mut network = network.clone();
    let mut copies = Vec::new();
    for block in &mut network.blocks {
        let branch = block.branches.remove(0);
        let (first, last) = cut(&branch);
        let Op::Conv2d(aggregate) = branch[last].op.clone() else {
            unreachable!("found as a convolution")
        };
        let mut paths = Vec::new();
        for index in 0..CARDINALITY {
            let mut path = branch[..first].to_vec();
            path.extend(branch[first..last].iter().map(|l| path_of(l, index)));
            let end = network.layout.parameter_count();
            let len = aggregate.weight.len / CARDINALITY;
            let slot = Slot { offset: end, len };
            network.layout.parameters.push(Entry {
                name: format!("{}.{index}", branch[last].name),
                block: None,
                role: Role::ConvWeight,
                shape: vec![len],
                slot,
                ends_branch: false,
                start: 0.0,
            });
            copies.push((slot, aggregate.weight, index));
            path.push(Layer {
                name: format!("{}.{index}", branch[last].name),
                op: Op::Conv2d(Conv2d {
                    in_channels: aggregate.in_channels / CARDINALITY,
                    weight: slot,
                    ..aggregate.clone()
                }),
            });
            paths.push(path);
        }
        aggregate_paths(block, paths, branch[last + 1..].to_vec());
    }
    (network, copies)
}

/// Form (b): each path in channels of its own, added up, is a concatenation.
fn concatenated(network: &Network) -> Network {
    let mut network = network.clone();
    for block in &mut network.blocks {
        let branch = block.branches.remove(0);
        let (first, last) = cut(&branch);
        let paths = (0..CARDINALITY).map(|index| {
            let mut path = branch[..first].to_vec();
            path.extend(branch[first..last].iter().map(|l| path_of(l, index)));
            let planes = (CARDINALITY * WIDTH) << block.stage;
            let each = planes / CARDINALITY;
            path.push(Layer {
                name: format!("{}.place{index}", block.name),
                op: Op::SubsamplePad(SubsamplePad {
                    stride: 1,
                    pad_before: index * each,
                    pad_after: planes - (index + 1) * each,
                }),
            });
            path
        });
        let paths = paths.collect();
        aggregate_paths(block, paths, branch[last..].to_vec());
    }
    network
}

/// The block as far as the aggregation: the first path in the shortcut's place, and after the sum
/// what followed it in the branch.
fn aggregate_paths(block: &mut Block, mut paths: Vec<Vec<Layer>>, after: Vec<Layer>) {
    block.shortcut = Shortcut::Layers(paths.remove(0));
    block.branches = paths;
    block.post.splice(0..0, after);
}

struct Found {
    loss: f64,
    outputs: Vec<f64>,
    parameters: Vec<f64>,
    inputs: Vec<f64>,
    state: Vec<f64>,
}

fn run(network: &Network, parameters: &[f64]) -> Found {
    let state: Vec<f64> = lift(&network.layout.initial_state());
    let problem = Problem {
        network,
        state: &state,
        mode: Mode::Training,
        noise: Noise::default(),
        inputs: &tensor(5, 0, (4, 8, 8, 2)),
        targets: TargetsRef::Classes(&[0, 2, 1, 1]),
        loss: Loss::default(),
    };
    let found = gradient(&problem, parameters).unwrap();
    Found {
        loss: found.loss,
        outputs: found.pass.output.iter().copied().collect(),
        parameters: found.gradients.parameters,
        inputs: found.gradients.input.iter().copied().collect(),
        state: found.pass.state,
    }
}

fn assert_equal(what: &str, found: &[f64], want: &[f64]) {
    assert_eq!(found.len(), want.len(), "{what}");
    let size = want.iter().fold(1e-3_f64, |most, x| most.max(x.abs()));
    for (at, (a, b)) in found.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= 1e-11 * size, "{what}[{at}]: {a} and {b}");
    }
}

/// Columns of path `index` of a 1×1 weight `(out, in)` and where they are.
fn columns(weight: Slot, rows: usize, index: usize) -> impl Iterator<Item = usize> {
    let all = weight.len / rows;
    let each = all / CARDINALITY;
    (0..rows * each).map(move |at| weight.offset + at / each * all + index * each + at % each)
}

fn check(network: &Network) {
    // All three without the shortcut, for which there is no place beside the paths.
    let mut network = network.clone();
    for block in &mut network.blocks {
        block.shortcut = Shortcut::None;
    }
    let count = network.layout.parameter_count();
    let parameters: Vec<f64> = draw(5, 1, count).iter().map(|v| 0.5 + 0.5 * v).collect();
    let want = run(&network, &parameters);

    let found = run(&concatenated(&network), &parameters);
    assert_equal("outputs of (b)", &found.outputs, &want.outputs);
    assert_equal("loss of (b)", &[found.loss], &[want.loss]);
    assert_equal("gradient of (b)", &found.parameters, &want.parameters);
    assert_equal("input gradient of (b)", &found.inputs, &want.inputs);
    assert_equal("state of (b)", &found.state, &want.state);

    let (form, copies) = summed(&network);
    let mut more = parameters.clone();
    for &(slot, weight, index) in &copies {
        let rows = rows_of(&network, weight);
        assert_eq!(slot.offset, more.len());
        more.extend(columns(weight, rows, index).map(|at| parameters[at]));
    }
    let mut found = run(&form, &more);
    // The copies' gradients go back to where they were copied from.
    for &(slot, weight, index) in &copies {
        let rows = rows_of(&network, weight);
        for (at, from) in columns(weight, rows, index).zip(slot.range()) {
            assert_eq!(found.parameters[at], 0.0);
            found.parameters[at] = found.parameters[from];
        }
    }
    found.parameters.truncate(count);
    assert_equal("outputs of (a)", &found.outputs, &want.outputs);
    assert_equal("gradient of (a)", &found.parameters, &want.parameters);
    assert_equal("input gradient of (a)", &found.inputs, &want.inputs);
    assert_equal("state of (a)", &found.state, &want.state);
}

fn rows_of(network: &Network, weight: Slot) -> usize {
    let entry = network.layout.parameters.iter().find(|e| e.slot == weight);
    entry.unwrap().shape[0]
}

#[test]
fn the_three_forms_agree_with_norms_after_convolutions() {
    check(&grouped("original"));
}

#[test]
fn the_three_forms_agree_with_pre_activation() {
    check(&grouped("pre-activation"));
}

/// With pre-activation nothing follows the aggregation, so the paths are a block's branches and
/// the shortcut has its place.
#[test]
fn paths_are_branches_of_a_residual_block() {
    let network = grouped("pre-activation");
    let parameters = draw(6, 1, network.layout.parameter_count());
    let want = run(&network, &parameters);
    let (mut form, copies) = summed(&network);
    for (block, original) in form.blocks.iter_mut().zip(&network.blocks) {
        let Shortcut::Layers(path) =
            std::mem::replace(&mut block.shortcut, original.shortcut.clone())
        else {
            unreachable!("the first path stands there")
        };
        block.branches.insert(0, path);
    }
    form.check().unwrap();
    assert!(form.blocks.iter().all(|b| b.branches.len() == CARDINALITY));
    let mut more = parameters.clone();
    for &(_, weight, index) in &copies {
        let rows = rows_of(&network, weight);
        more.extend(columns(weight, rows, index).map(|at| parameters[at]));
    }
    let found = run(&form, &more);
    assert_equal("outputs", &found.outputs, &want.outputs);
    assert_equal("input gradient", &found.inputs, &want.inputs);
}
