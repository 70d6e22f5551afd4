//! The reference at the size instruments need: ResNet-20 on full CIFAR images, in f64.

use crate::support::cases::{dot, norm, tensor};
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::loss::{Loss, TargetsRef};
use reslab_nn::network::Shape;
use reslab_nn::noise::Noise;
use reslab_nn::reference::derivatives::{Direction, hvp};
use reslab_nn::reference::{Mode, Problem, lift};

/// The Hessian is symmetric and the loss is that of a network that knows nothing yet: a few nats
/// around ln 10. Takes a second or two.
#[test]
fn a_hessian_vector_product_of_resnet20() {
    let network = build(&named("resnet20").unwrap(), Shape::new(3, 32, 32), 10).unwrap();
    let parameters: Vec<f64> = lift(&initialize(&network, &InitSettings::default(), 0));
    let state: Vec<f64> = lift(&network.layout.initial_state());
    let batch = 8;
    let classes: Vec<u32> = (0..batch).collect();
    let problem = Problem {
        network: &network,
        state: &state,
        mode: Mode::Training,
        noise: Noise::default(),
        inputs: &tensor(0, 0, (batch as usize, 32, 32, 3)),
        targets: TargetsRef::Classes(&classes),
        loss: Loss::default(),
    };
    let along = |direction| Direction {
        parameters: Some(direction),
        inputs: None,
    };
    let (u, v) = (
        lift(&initialize(&network, &InitSettings::default(), 1)),
        parameters.clone(),
    );
    let first = hvp(&problem, &parameters, along(&v)).unwrap();
    let second = hvp(&problem, &parameters, along(&u)).unwrap();
    assert!(first.loss > 1.0 && first.loss < 6.0, "{}", first.loss);
    let difference = dot(&first.parameters, &u) - dot(&second.parameters, &v);
    let size = norm(&first.parameters) * norm(&u);
    assert!(
        difference.abs() <= 1e-10 * size,
        "{difference:e} of {size:e}"
    );
}
