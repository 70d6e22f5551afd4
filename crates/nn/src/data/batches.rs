//! The order of an epoch, and filling a batch without allocating.

use super::augment::Change;
use super::{AugmentSettings, Split};
use crate::network::Shape;
use crate::random::{Purpose, shuffle, stream};

/// The order in which an epoch visits the `n` training samples.
pub fn epoch_order(seed: u64, epoch: usize, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    shuffle(
        &mut stream(seed, Purpose::Order, epoch as u64, 0),
        &mut order,
    );
    order
}

/// Copies the samples at `indices` to `inputs`, `(n, H, W, C)`, each changed by `augment`
/// (settings, seed, epoch) if there is any. Allocates nothing.
///
/// # Panics
/// If an index is not below `split.len` or `inputs` is not as long as the samples.
pub fn fill_batch(
    split: &Split,
    shape: Shape,
    indices: &[u32],
    augment: Option<(&AugmentSettings, u64, usize)>,
    inputs: &mut [f32],
) {
    let sample = shape.len();
    assert_eq!(
        inputs.len(),
        indices.len() * sample,
        "inputs must hold exactly the batch"
    );
    let changes = augment.filter(|(settings, ..)| settings.flip || settings.crop_padding > 0);
    for (&index, output) in indices.iter().zip(inputs.chunks_exact_mut(sample)) {
        let image = &split.inputs[index as usize * sample..][..sample];
        match changes {
            None => output.copy_from_slice(image),
            Some((settings, seed, epoch)) => {
                Change::draw(settings, seed, epoch, index).apply(image, shape, output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Targets;

    fn split(shape: Shape, len: usize) -> Split {
        let inputs = (0..len * shape.len()).map(|v| v as f32).collect();
        Split {
            inputs,
            targets: Targets::Classes(vec![0; len]),
            len,
        }
    }

    #[test]
    fn an_epoch_visits_every_sample_once_in_an_order_of_its_own() {
        let (first, second) = (epoch_order(1, 1, 100), epoch_order(1, 2, 100));
        assert_ne!(first, second);
        assert_ne!(first, epoch_order(2, 1, 100));
        assert_eq!(first, epoch_order(1, 1, 100));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn what_happens_to_a_sample_does_not_depend_on_its_batch() {
        let shape = Shape::new(3, 5, 5);
        let data = split(shape, 8);
        let settings = AugmentSettings {
            crop_padding: 2,
            flip: true,
        };
        let fill = |indices: &[u32], epoch: usize| {
            let mut inputs = vec![f32::NAN; indices.len() * shape.len()];
            fill_batch(
                &data,
                shape,
                indices,
                Some((&settings, 9, epoch)),
                &mut inputs,
            );
            inputs
        };
        let together = fill(&[0, 1, 2, 3, 4, 5, 6, 7], 4);
        let alone = fill(&[6], 4);
        assert_eq!(together[6 * shape.len()..7 * shape.len()], alone);
        assert_ne!(together, fill(&[0, 1, 2, 3, 4, 5, 6, 7], 5));
    }

    #[test]
    fn without_augmentation_samples_are_copied() {
        let shape = Shape::new(1, 2, 2);
        let mut inputs = vec![0.0; 8];
        let off = AugmentSettings::default();
        fill_batch(
            &split(shape, 3),
            shape,
            &[2, 0],
            Some((&off, 0, 0)),
            &mut inputs,
        );
        assert_eq!(inputs, [8.0, 9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0]);
    }
}
