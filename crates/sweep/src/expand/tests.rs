//! Properties of expansion: count, uniqueness, order; and each operator by example.

use proptest::prelude::*;

use super::Sweep;
use crate::file::parse::parse;

fn sweep(yaml: &str) -> Sweep {
    let node = parse(yaml, 0).expect("valid YAML").expect("a document");
    Sweep::read(&node).unwrap_or_else(|mistake| panic!("{}", mistake.message))
}

/// Each assignment as `path=value` words.
fn words(sweep: &Sweep) -> Vec<String> {
    sweep
        .expand()
        .iter()
        .map(|assignment| {
            let word = |(path, node): &(crate::file::Path, crate::file::Node)| {
                format!("{}={}", path.last(), node.text().unwrap_or("?"))
            };
            assignment
                .values
                .iter()
                .map(word)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn grid_varies_the_last_key_fastest() {
    let sweep = sweep("grid: {model.depth: [8, 20], model.residual: [true, false]}");
    assert_eq!(
        words(&sweep),
        [
            "depth=8 residual=true",
            "depth=8 residual=false",
            "depth=20 residual=true",
            "depth=20 residual=false"
        ]
    );
}

#[test]
fn zip_pairs_and_list_is_taken_as_written() {
    let zip = sweep("zip: {model.depth: [8, 20], train.lr: [0.1, 0.01]}");
    assert_eq!(words(&zip), ["depth=8 lr=0.1", "depth=20 lr=0.01"]);
    let list = sweep("list: [{model.depth: 8, train.lr: 1}, {train.lr: 2}, {}]");
    assert_eq!(words(&list), ["depth=8 lr=1", "lr=2", ""]);
}

#[test]
fn operators_nest() {
    let product = sweep(
        "product: [{grid: {model.depth: [8, 20]}}, {zip: {train.lr: [1, 2], train.momentum: [0, 0.9]}}]",
    );
    assert_eq!(
        words(&product),
        [
            "depth=8 lr=1 momentum=0",
            "depth=8 lr=2 momentum=0.9",
            "depth=20 lr=1 momentum=0",
            "depth=20 lr=2 momentum=0.9"
        ]
    );
    let beside =
        sweep("grid: {model.depth: [8, 20]}\nzip: {train.lr: [1, 2], train.momentum: [0, 0.9]}");
    assert_eq!(words(&beside), words(&product));
    let union = sweep("- grid: {model.depth: [8]}\n- list: [{train.lr: 1}]");
    assert_eq!(words(&union), ["depth=8", "lr=1"]);
    assert_eq!(words(&Sweep::nothing()), [""]);
}

#[test]
fn random_is_seeded_by_path_and_grows_at_the_end() {
    let with = |count: usize, more: &str| {
        words(&sweep(&format!(
            "random: {{count: {count}, seed: 7, train.lr: {{log_uniform: [1e-3, 1]}}{more}}}"
        )))
    };
    let five = with(5, "");
    assert_eq!(five, with(5, ""));
    assert_eq!(five[..], with(9, "")[..5]);
    let wider = with(5, ", model.depth: {integer: [1, 3]}");
    for (narrow, wide) in five.iter().zip(&wider) {
        assert!(
            wide.starts_with(narrow.as_str()),
            "{wide} does not begin with {narrow}"
        );
    }
    // A regression of these numbers would change the identity of every random run.
    assert_eq!(
        five[0], "lr=0.00388164",
        "the stream or its rounding changed"
    );
}

#[test]
fn random_values_stay_within_their_bounds() {
    let sweep = sweep(
        "random: {count: 200, train.lr: {log_uniform: [1e-3, 1]}, train.momentum: {uniform: [0.5, 0.9]}, \
         model.depth: {integer: [-1, 1]}, model.width: {choice: [16, 32]}}",
    );
    let mut depths = std::collections::BTreeSet::new();
    for assignment in sweep.expand() {
        let value = |i: usize| assignment.values[i].1.text().expect("a scalar").to_owned();
        let number = |i: usize| value(i).parse::<f64>().expect("a number");
        assert!((1e-3..=1.0).contains(&number(0)));
        assert!((0.5..=0.9).contains(&number(1)));
        depths.insert(value(2));
        assert!(["16", "32"].contains(&value(3).as_str()));
    }
    assert_eq!(depths.len(), 3, "{depths:?}");
}

/// A sweep of nested operators over paths that nobody else uses, as YAML, and its count.
fn sweeps() -> impl Strategy<Value = (String, usize)> {
    let leaf = (0..3_usize, prop::collection::vec(1..4_usize, 1..3));
    let tree = leaf.prop_map(|(kind, sizes)| Tree::Leaf { kind, sizes });
    let tree = tree.prop_recursive(3, 12, 3, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 1..4))
            .prop_map(|(product, parts)| Tree::Parts { product, parts })
    });
    tree.prop_map(|tree| {
        let mut next = 0;
        tree.yaml(&mut next)
    })
}

#[derive(Debug, Clone)]
enum Tree {
    Leaf { kind: usize, sizes: Vec<usize> },
    Parts { product: bool, parts: Vec<Tree> },
}

impl Tree {
    fn yaml(&self, next: &mut usize) -> (String, usize) {
        match self {
            Tree::Leaf { kind, sizes } => {
                let zip = *kind == 1;
                let length = |size: usize| if zip { sizes[0] } else { size };
                let axes: Vec<String> = sizes
                    .iter()
                    .map(|&size| {
                        *next += 1;
                        let values: Vec<String> =
                            (0..length(size)).map(|v| format!("v{next}x{v}")).collect();
                        format!("train.p{next}: [{}]", values.join(", "))
                    })
                    .collect();
                let count = if zip {
                    sizes[0]
                } else {
                    sizes.iter().product()
                };
                let name = if zip { "zip" } else { "grid" };
                (format!("{{{name}: {{{}}}}}", axes.join(", ")), count)
            }
            Tree::Parts { product, parts } => {
                let parts: Vec<(String, usize)> =
                    parts.iter().map(|part| part.yaml(next)).collect();
                let counts = parts.iter().map(|(_, count)| count);
                let count = if *product {
                    counts.product()
                } else {
                    counts.sum()
                };
                let name = if *product { "product" } else { "union" };
                let texts: Vec<&str> = parts.iter().map(|(text, _)| text.as_str()).collect();
                (format!("{{{name}: [{}]}}", texts.join(", ")), count)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn count_uniqueness_and_order((yaml, expected) in sweeps()) {
        let sweep = sweep(&yaml);
        let all = words(&sweep);
        prop_assert_eq!(sweep.count(), Some(expected), "{}", yaml);
        prop_assert_eq!(all.len(), expected);
        let once: std::collections::HashSet<&String> = all.iter().collect();
        prop_assert_eq!(once.len(), expected, "every value is its own, so every assignment is");
        prop_assert_eq!(words(&sweep), all, "expansion is a function of the sweep");
    }

    #[test]
    fn grids_are_in_the_order_of_counting(sizes in prop::collection::vec(1..5_usize, 1..4)) {
        let axes: Vec<String> = sizes
            .iter()
            .enumerate()
            .map(|(i, &n)| format!("train.p{i}: [{}]", (0..n).map(|v| v.to_string()).collect::<Vec<_>>().join(", ")))
            .collect();
        let sweep = sweep(&format!("grid: {{{}}}", axes.join(", ")));
        for (place, assignment) in sweep.expand().iter().enumerate() {
            let digits = assignment.values.iter().map(|(_, node)| node.text().expect("a scalar").parse::<usize>().expect("a digit"));
            let number = digits.zip(&sizes).fold(0, |number, (digit, size)| number * size + digit);
            prop_assert_eq!(number, place);
        }
    }
}
