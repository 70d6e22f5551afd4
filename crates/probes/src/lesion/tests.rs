//! Sharing changes no number, and statistics estimated anew are those of the reference.

use reslab_nn::data::{DataName, DataSettings, Dataset, load};
use reslab_nn::engine::Engine;
use reslab_nn::families::{BlockKind, Family, ModelSettings, Placement, ShortcutKind};
use reslab_nn::families::{InitSettings, build, initialize, named};
use reslab_nn::network::{Network, Role};
use reslab_nn::random::{Purpose, normal, stream};
use reslab_nn::reference::{Mode, forward, lift, tensor};
use reslab_nn::train::{EVALUATION_BATCH, Flow, TrainSettings, evaluate_first};

use super::edits::{Edit, Lesion, lesions};
use super::settings::{LesionSettings, RandomSettings, ReorderSettings};
use super::study;
use crate::subject::{ProbeError, Subject};

/// More than one batch, the last not a whole one.
const SAMPLES: usize = EVALUATION_BATCH + 44;

/// A network with numbers, and data.
struct Case {
    network: Network,
    dataset: Dataset,
    parameters: Vec<f32>,
    state: Vec<f32>,
    train: TrainSettings,
}

impl Case {
    fn new(model: &ModelSettings) -> Self {
        let settings = DataSettings {
            name: DataName::Digits,
            train_limit: Some(SAMPLES),
            test_limit: Some(SAMPLES),
            ..DataSettings::default()
        };
        let dataset = load(&settings).expect("digits are built in");
        let network = build(model, dataset.shape, dataset.outputs).expect("a small network");
        let mut rng = stream(7, Purpose::Test, 0, 0);
        let mut parameters = initialize(&network, &InitSettings::default(), 7);
        for value in &mut parameters {
            *value += 0.05 * normal(&mut rng) as f32;
        }
        let mut state = network.layout.initial_state();
        for entry in &network.layout.state {
            for value in entry.slot.of_mut(&mut state) {
                let noise = 0.3 * normal(&mut rng) as f32;
                *value += if entry.role == Role::RunningVar {
                    noise.abs()
                } else {
                    noise
                };
            }
        }
        let train = TrainSettings::default();
        Self {
            network,
            dataset,
            parameters,
            state,
            train,
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            run_id: "r",
            epoch: 0,
            network: &self.network,
            parameters: &self.parameters,
            state: &self.state,
            dataset: &self.dataset,
            train: &self.train,
            seed: 5,
            folder: None,
        }
    }

    fn lesions(&self) -> Vec<Lesion> {
        let settings = LesionSettings {
            layers: true,
            random: Some(RandomSettings {
                k: vec![2],
                samples: 3,
                downsampling: false,
            }),
            reorder: Some(ReorderSettings {
                swaps: vec![1, 3],
                samples: 2,
            }),
            ..LesionSettings::default()
        };
        lesions(&settings, &self.network, 5)
    }
}

/// Networks of all families and kinds of block.
fn models() -> Vec<(String, ModelSettings)> {
    let name = |name: &str| {
        let settings = ModelSettings {
            width: 6,
            ..named(name).expect("a name")
        };
        (name.to_owned(), settings)
    };
    let mut models: Vec<_> = [
        "resnet20",
        "plain20",
        "preact-resnet20",
        "fc-resnet5",
        "fc-plain5",
        "wrn-16-1",
    ]
    .map(name)
    .into();
    for residual in [true, false] {
        for placement in [Placement::Original, Placement::PreActivation] {
            let settings = ModelSettings {
                depth: 29,
                width: 4,
                block: BlockKind::Bottleneck,
                placement,
                residual,
                ..Family::Cifar.defaults()
            };
            models.push((format!("bottleneck {placement:?} {residual}"), settings));
        }
    }
    for placement in [Placement::BnAfterAddition, Placement::ReluOnlyPreActivation] {
        let settings = ModelSettings {
            width: 4,
            placement,
            shortcut: ShortcutKind::ExclusiveGate,
            gate_bias: -0.5,
            stochastic_depth: 0.5,
            ..named("resnet20").expect("a name")
        };
        models.push((format!("gated {placement:?}"), settings));
    }
    models
}

fn go_on() -> Result<(), ProbeError> {
    Ok(())
}

#[test]
fn sharing_gives_what_each_edited_network_gives_alone() {
    for (name, model) in models() {
        let case = Case::new(&model);
        let (subject, lesions) = (case.subject(), case.lesions());
        let (split, loss) = (&case.dataset.test, case.train.loss.loss());
        let kept = |_: usize| subject.state;
        let shared = study::evaluate(&subject, &lesions, &kept, (split, SAMPLES), &mut go_on);
        let shared = shared.expect("not interrupted");
        let mut distinct = std::collections::BTreeSet::new();
        for (lesion, shared) in lesions.iter().zip(&shared) {
            let edited = lesion.edit.apply(&case.network).expect("it fits");
            let mut engine = Engine::for_evaluation(&edited, EVALUATION_BATCH).expect("it fits");
            let alone = evaluate_first(
                &mut engine,
                &case.parameters,
                &case.state,
                split,
                SAMPLES,
                &loss,
                &mut || Flow::Continue,
            )
            .expect("not interrupted");
            assert_eq!(shared.wrong, alone.wrong, "{name}: {:?}", lesion.edit);
            let apart = (shared.loss_sum - alone.loss_sum).abs();
            assert!(
                apart <= 1e-6 * alone.loss_sum,
                "{name}: {:?}: {apart}",
                lesion.edit
            );
            distinct.insert(alone.loss_sum.to_bits());
        }
        // The lesions do something: nearly all of them make other losses.
        assert!(
            2 * distinct.len() > lesions.len(),
            "{name}: {}",
            distinct.len()
        );
    }
}

#[test]
fn statistics_estimated_anew_are_those_of_the_reference() {
    for (name, model) in models() {
        // The reference drops branches in training, statistics do not.
        let model = ModelSettings {
            stochastic_depth: 1.0,
            ..model
        };
        let case = Case::new(&model);
        if case.state.is_empty() {
            continue;
        }
        let (subject, lesions) = (case.subject(), case.lesions());
        let split = &case.dataset.train;
        let found = study::statistics(&subject, &lesions, (split, SAMPLES), &mut go_on);
        let found = found.expect("not interrupted");
        let parameters: Vec<f64> = lift(&case.parameters);
        let before: Vec<f64> = lift(&case.state);
        for (lesion, found) in lesions.iter().zip(&found).step_by(4) {
            let edited = lesion.edit.apply(&case.network.with_batch_statistics());
            let edited = edited.expect("it fits");
            let mut expected = vec![0.0; case.state.len()];
            for (start, end) in [(0, EVALUATION_BATCH), (EVALUATION_BATCH, SAMPLES)] {
                let features = case.dataset.shape.len();
                let inputs = &split.inputs[start * features..end * features];
                let inputs = tensor::<f64>(inputs, case.dataset.shape).expect("whole samples");
                let pass = forward(&edited, &parameters, &before, Mode::Training, &inputs);
                let pass = pass.expect("it fits");
                let share = (end - start) as f64 / SAMPLES as f64;
                for (mean, value) in expected.iter_mut().zip(&pass.state) {
                    *mean += share * value;
                }
            }
            // Norms of a plain block that went keep what they had, in either.
            for (at, (&found, expected)) in found.iter().zip(&expected).enumerate() {
                let apart = (f64::from(found) - expected).abs();
                assert!(
                    apart <= 2e-4 * expected.abs().max(0.1),
                    "{name}: {:?}: place {at} is {found}, not {expected}",
                    lesion.edit
                );
            }
        }
    }
}

// A lesion at the last block leaves all other statistics alone; one at the first changes them.
#[test]
fn statistics_before_a_lesion_are_those_of_the_whole_network() {
    let case = Case::new(&models()[0].1);
    let subject = case.subject();
    let delete = |block| Lesion {
        kind: "delete",
        edit: Edit::Blocks(vec![block]),
        k: 1,
        sample: None,
    };
    let whole = Lesion {
        kind: "none",
        edit: Edit::None,
        k: 0,
        sample: None,
    };
    let lesions = [delete(8), whole, delete(0)];
    let train = &case.dataset.train;
    let found = study::statistics(&subject, &lesions, (train, 64), &mut go_on).expect("done");
    let last = case
        .network
        .layout
        .state
        .iter()
        .find(|e| e.block == Some(8));
    let end = last.expect("it has norms").slot.offset;
    assert_eq!(found[0][..end], found[1][..end]);
    assert_ne!(found[0][..end], found[2][..end]);
    assert_ne!(found[1][..end], case.state[..end]);
}
