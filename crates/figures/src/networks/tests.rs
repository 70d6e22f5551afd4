//! Which networks stand together, from synthetic sweeps.

use super::*;
use crate::synthetic::{Synthetic, settings};
use crate::tables::Tables;

/// Runs with these settings, `(column, value)`; the depth comes first.
pub(crate) fn sweep(networks: &[(i64, &[(&str, Cell)])]) -> Tables {
    let mut made = Synthetic::default();
    for (depth, others) in networks {
        for seed in 0..2 {
            let base = settings(*depth, true, seed).with("model_family", "cifar");
            let all = others
                .iter()
                .fold(base, |set, (name, value)| set.with(name, value.clone()));
            let error = 0.3 + 0.001 * *depth as f64 + 0.01 * seed as f64;
            made.run(all, "finished", error, error + 0.05);
        }
    }
    made.tables()
}

/// Every comparison as its heading and, block by block, the networks told by all settings.
fn told(tables: &Tables) -> Vec<(String, Vec<Vec<String>>)> {
    let sets = sets(&tables.runs).expect("sets");
    assert_eq!(sets.len(), 1);
    let set = &sets[0];
    let all: Vec<usize> = (0..set.columns.len()).collect();
    comparisons(set)
        .iter()
        .map(|comparison| {
            let names = comparison.settings.iter().map(|&c| set.setting_name(c));
            let name = |&network: &usize| set.describe(&set.networks[network], &all);
            let block = |block: &Vec<usize>| block.iter().map(name).collect();
            let blocks = comparison.blocks.iter().map(block).collect();
            (names.collect::<Vec<_>>().join(" and "), blocks)
        })
        .collect()
}

#[test]
fn a_named_setting_is_compared_and_a_number_leads_from_block_to_block() {
    let placement = |value: &str| [("model_placement", Cell::from(value))];
    let (original, before) = (placement("original"), placement("pre-activation"));
    let tables = sweep(&[
        (20, &original),
        (20, &before),
        (56, &original),
        (56, &before),
    ]);
    assert_eq!(
        told(&tables),
        [(
            "placement".to_string(),
            vec![
                vec![
                    "depth 20, original".to_string(),
                    "depth 20, pre-activation".into()
                ],
                vec![
                    "depth 56, original".into(),
                    "depth 56, pre-activation".into()
                ],
            ]
        )]
    );
}

#[test]
fn settings_that_change_together_are_one_comparison() {
    let width = |value: i64| [("model_width", Cell::from(value))];
    let tables = sweep(&[(56, &width(8)), (32, &width(11)), (20, &width(14))]);
    let told = told(&tables);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "depth and width");
    assert_eq!(told[0].1[0].len(), 3);
}

#[test]
fn a_setting_of_one_choice_does_not_split_the_choices() {
    let shortcut = |value: &str| vec![("model_shortcut", Cell::from(value))];
    let mut scaled = shortcut("constant");
    scaled.push(("model_branch_factor", Cell::from(0.5)));
    let tables = sweep(&[
        (20, &[]),
        (20, &shortcut("B")),
        (20, &shortcut("shortcut-gate")),
        (20, &scaled),
        (56, &[]),
    ]);
    let told = told(&tables);
    let headings: Vec<&str> = told.iter().map(|(heading, _)| heading.as_str()).collect();
    assert_eq!(headings, ["depth", "shortcut and branch factor"]);
    assert_eq!(
        told[1].1,
        [[
            "depth 20, A",
            "depth 20, B",
            "depth 20, constant, branch factor 0.5",
            "depth 20, shortcut-gate"
        ]]
    );
}

#[test]
fn a_far_away_network_is_not_drawn_into_a_comparison() {
    let groups = |cardinality: i64, width: i64| {
        [
            ("model_block", Cell::from("bottleneck")),
            ("model_cardinality", Cell::from(cardinality)),
            ("model_group_width", Cell::from(width)),
        ]
    };
    let tables = sweep(&[
        (29, &groups(1, 64)),
        (29, &groups(2, 40)),
        (29, &groups(8, 14)),
        (20, &[]),
        (56, &[]),
    ]);
    let told = told(&tables);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1].0, "cardinality and group width");
    assert_eq!(told[1].1[0].len(), 3);
}

#[test]
fn other_settings_keep_networks_apart_unless_they_follow_from_them() {
    let mut made = Synthetic::default();
    for width in [8_i64, 16] {
        for data in ["digits", "mnist"] {
            let set = settings(20, true, 0)
                .with("model_width", width)
                .with("data_name", data)
                .with("train_lr", 1.0 / width as f64);
            made.run(set, "finished", 0.1, 0.2);
        }
    }
    let sets = sets(&made.tables().runs).expect("sets");
    let labels: Vec<&str> = sets.iter().map(|set| set.label.as_str()).collect();
    assert_eq!(labels, ["data.name = digits", "data.name = mnist"]);
    assert_eq!(sets[0].caveats, ["train.lr differs with the network."]);
    assert_eq!(sets[0].networks.len(), 2);
}

#[test]
fn depth_and_kind_alone_are_left_to_their_own_figures() {
    let tables = sweep(&[(20, &[]), (56, &[])]);
    assert!(!apply(&tables.runs));
    let width = |value: i64| [("model_width", Cell::from(value))];
    let grid = sweep(&[
        (20, &width(8)),
        (56, &width(8)),
        (20, &width(16)),
        (56, &width(16)),
    ]);
    assert!(apply(&grid.runs) && !stand_alone(&grid.runs));
    let lonely = sweep(&[(20, &width(8)), (56, &width(8)), (20, &width(16))]);
    assert!(stand_alone(&lonely.runs));
}
