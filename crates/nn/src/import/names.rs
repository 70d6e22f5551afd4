//! Other people's names for the layers of the same networks.
//!
//! Names are compared layer by layer, in a canonical form; nothing is known of whole networks.
//!
//! | what                    | written as                                          |
//! |-------------------------|-----------------------------------------------------|
//! | wrappers, dropped       | `module.`, `model.`, `net.`, `network.`, `backbone.`, `features.`, `encoder.` |
//! | the last linear layer   | `fc`, `linear`, `classifier`, `head`, or the network's own name |
//! | the projection shortcut | `downsample.0`, `downsample.1`; `shortcut.0`, `shortcut.1`; `shortcut.conv`, `shortcut.bn` |
//! | a stage                 | `layer1`, `stage1`                                  |
//! | the first layers        | `conv1`, `bn1`; `conv`, `bn`                        |
//! | batch norm              | `bn1`; `norm1`                                      |

/// What a training wrapper or a detector puts before a network's names.
const WRAPPERS: [&str; 7] = [
    "module", "model", "net", "network", "backbone", "features", "encoder",
];

/// Names of the last linear layer.
const HEADS: [&str; 4] = ["fc", "linear", "classifier", "head"];

/// Counters that no forward pass reads: batch norm's, and those of a profiler (thop).
const COUNTERS: [&str; 3] = ["num_batches_tracked", "total_ops", "total_params"];

/// Whether a tensor only counts something.
pub(super) fn is_counter(name: &str) -> bool {
    name.rsplit('.')
        .next()
        .is_some_and(|part| COUNTERS.contains(&part))
}

/// The name itself, then what is left of it without its wrappers, one after the other.
pub(super) fn unwrapped(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        let (first, rest) = name.split_once('.')?;
        WRAPPERS.contains(&first).then_some(rest)
    })
}

/// The form in which names are compared. `head` is the network's own name of its last linear
/// layer.
pub(super) fn canonical(name: &str, head: Option<&str>) -> String {
    let (layer, part) = name.rsplit_once('.').unwrap_or(("", name));
    if head == Some(layer) || (head.is_some() && HEADS.contains(&layer)) {
        return format!("fc.{part}");
    }
    let mut tokens: Vec<String> = Vec::new();
    for token in layer.split('.') {
        let in_shortcut = tokens.last().is_some_and(|last| last == "downsample");
        let first = tokens.is_empty();
        tokens.push(match token {
            "shortcut" => "downsample".to_owned(),
            "conv" if in_shortcut => "0".to_owned(),
            "bn" | "norm" if in_shortcut => "1".to_owned(),
            "conv" if first => "conv1".to_owned(),
            "bn" | "norm" if first => "bn1".to_owned(),
            _ => renumbered(token, "stage", "layer")
                .or_else(|| renumbered(token, "norm", "bn"))
                .unwrap_or_else(|| token.to_owned()),
        });
    }
    tokens.push(part.to_owned());
    tokens.join(".")
}

/// `from7` as `to7`.
fn renumbered(token: &str, from: &str, to: &str) -> Option<String> {
    let number = token.strip_prefix(from)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{to}{number}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::last_linear;
    use super::*;
    use crate::families::{EXAMPLES, build, named};

    #[test]
    fn names_of_the_same_layer_have_one_form() {
        let groups: [&[&str]; 6] = [
            &[
                "fc.weight",
                "linear.weight",
                "classifier.weight",
                "head.weight",
                "out.weight",
            ],
            &[
                "layer2.0.downsample.0.weight",
                "layer2.0.shortcut.0.weight",
                "stage2.0.shortcut.conv.weight",
            ],
            &[
                "layer2.0.downsample.1.running_mean",
                "layer2.0.shortcut.bn.running_mean",
            ],
            &["conv1.weight", "conv.weight"],
            &["bn1.bias", "bn.bias", "norm.bias", "norm1.bias"],
            &["layer1.0.bn2.weight", "stage1.0.norm2.weight"],
        ];
        let forms = groups.map(|group| {
            let forms: Vec<String> = group
                .iter()
                .map(|name| canonical(name, Some("out")))
                .collect();
            assert!(forms.iter().all(|form| *form == forms[0]), "{forms:?}");
            forms[0].clone()
        });
        let distinct: std::collections::BTreeSet<&String> = forms.iter().collect();
        assert_eq!(distinct.len(), forms.len(), "{forms:?}");
    }

    #[test]
    fn the_layers_of_every_family_keep_apart() {
        for name in EXAMPLES {
            let settings = named(name).expect("a known name");
            let (input, classes) = settings.family.usual_data();
            let network = build(&settings, input, classes).expect("its usual data fit");
            let head = last_linear(&network);
            assert!(head.is_some(), "{name}");
            let layout = &network.layout;
            let mut forms = HashMap::new();
            for entry in layout.parameters.iter().chain(&layout.state) {
                let other = forms.insert(canonical(&entry.name, head), &entry.name);
                assert_eq!(other, None, "{} in {name}", entry.name);
            }
        }
    }

    #[test]
    fn the_linear_layers_of_a_block_are_not_the_head() {
        assert_eq!(
            canonical("layers.0.linear1.weight", Some("linear")),
            "layers.0.linear1.weight"
        );
        assert_eq!(
            canonical("layers.0.linear.weight", Some("linear")),
            "layers.0.linear.weight"
        );
    }

    #[test]
    fn wrappers_come_off_one_by_one() {
        let names: Vec<&str> = unwrapped("module.backbone.layer1.0.conv1.weight").collect();
        assert_eq!(names[1], "backbone.layer1.0.conv1.weight");
        assert_eq!(names[2], "layer1.0.conv1.weight");
        assert_eq!(names.len(), 3);
    }
}
