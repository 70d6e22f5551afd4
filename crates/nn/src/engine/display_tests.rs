//! What the engine plans for networks that everybody knows.

use super::Engine;
use super::tests::cifar;
use crate::families::{Placement, build};
use crate::network::Shape;

#[test]
fn the_plan_of_a_resnet20_is_all_fused_direct_kernels() {
    let network = build(&cifar(20, 16, true, true), Shape::new(3, 32, 32), 10).unwrap();
    let engine = Engine::for_training(&network, 16).unwrap();
    let plan = engine.plan().to_string();
    let count = |what: &str| plan.matches(what).count();
    assert_eq!(count("direct convolution"), 19, "{plan}");
    assert_eq!(count("statistics fused"), 19, "{plan}");
    assert_eq!(count(": linear"), 1, "{plan}");
    // The last sum is read by the pool; the stem's output is stored by a sum of one term.
    assert_eq!(count("sum of 2 fused"), 6, "{plan}");
    assert_eq!(count("sum of 2 (subsampled) fused"), 2, "{plan}");
    assert_eq!(count("weight transposed"), 19, "{plan}");
    assert_eq!(count("weight in lanes"), 1, "{plan}");
    // One phase for each convolution forward and one backward, and the one the loss is in.
    assert_eq!(count("phase "), 39, "{plan}");
}

#[test]
fn evaluation_adds_shortcuts_as_convolutions_write() {
    let plan = |placement: Placement| {
        let mut settings = cifar(20, 16, true, true);
        settings.placement = placement;
        let network = build(&settings, Shape::new(3, 32, 32), 10).unwrap();
        Engine::for_evaluation(&network, 16)
            .unwrap()
            .plan()
            .to_string()
    };
    let count = |plan: &str, what: &str| plan.matches(what).count();
    // Nine blocks, of which two change the stage and subsample their shortcut.
    let original = plan(Placement::Original);
    assert_eq!(count(&original, "sum on writing"), 7, "{original}");
    assert_eq!(count(&original, "sum of 2 fused"), 0, "{original}");
    assert_eq!(
        count(&original, "sum of 2 (subsampled) fused"),
        2,
        "{original}"
    );
    let before = plan(Placement::PreActivation);
    assert_eq!(count(&before, "sum on writing"), 7, "{before}");
    // The first layer's output goes through a sum of one term; first layers of seven blocks write
    // what second layers read.
    assert_eq!(count(&original, "ReLU on writing"), 7, "{original}");
    assert!(count(&original, "read in place") > 10, "{original}");
}
