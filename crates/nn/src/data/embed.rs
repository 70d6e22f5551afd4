//! Small grey images for networks of large coloured ones: padded with black, grey in every channel.

use super::DataError;
use super::raw::{Pixels, Raw};
use crate::network::Shape;

/// Refuses a side that images of this shape do not fit into.
pub(crate) fn check_side(side: usize, shape: Shape) -> Result<(), DataError> {
    const LARGEST: usize = 4096;
    let smallest = shape.height.max(shape.width);
    if (smallest..=LARGEST).contains(&side) {
        return Ok(());
    }
    let message = format!("must be from {smallest}, the images' size, to {LARGEST}, found {side}.");
    Err(DataError::setting("pad", message))
}

/// Channels that images of `own` channels can be given, or why not.
pub(crate) fn check_channels(wanted: usize, own: usize) -> Result<(), DataError> {
    if wanted == own || (own == 1 && wanted == 3) {
        return Ok(());
    }
    let accepted = if own == 1 { "1 or 3" } else { "3" };
    let message = format!("must be {accepted} for these images, found {wanted}.");
    Err(DataError::setting("channels", message))
}

/// Puts every image amid black, `side` × `side`; an odd number of rows or columns leaves one more
/// below, or on the right.
pub(crate) fn pad(raw: &mut Raw, side: usize) {
    let old = raw.shape;
    let new = Shape::new(old.channels, side, side);
    let (top, left) = ((side - old.height) / 2, (side - old.width) / 2);
    let row = old.width * old.channels;
    let place = move |index: usize| {
        let (image, rest) = (index / old.len(), index % old.len());
        let (y, within) = (rest / row, rest % row);
        image * new.len() + ((top + y) * side + left) * old.channels + within
    };
    for split in [&mut raw.train, &mut raw.test] {
        let len = split.len * new.len();
        match &mut split.pixels {
            Pixels::Bytes(values) => *values = scattered(values, len, 0, place),
            Pixels::Reals(values) => *values = scattered(values, len, 0.0, place),
        }
    }
    raw.shape = new;
}

/// Gives every grey image three equal channels.
pub(crate) fn colour(raw: &mut Raw) {
    fn thrice<T: Copy>(values: &[T]) -> Vec<T> {
        values.iter().flat_map(|&value| [value; 3]).collect()
    }
    for split in [&mut raw.train, &mut raw.test] {
        match &mut split.pixels {
            Pixels::Bytes(values) => *values = thrice(values),
            Pixels::Reals(values) => *values = thrice(values),
        }
    }
    raw.shape.channels = 3;
}

/// `len` values, black but where the old ones go.
fn scattered<T: Copy>(old: &[T], len: usize, black: T, place: impl Fn(usize) -> usize) -> Vec<T> {
    let mut new = vec![black; len];
    for (index, &value) in old.iter().enumerate() {
        new[place(index)] = value;
    }
    new
}

#[cfg(test)]
mod tests {
    use super::super::raw::RawSplit;
    use super::*;
    use crate::data::{DataName, DataSettings, Normalize, Targets, load};

    #[test]
    fn images_stand_in_the_middle_and_are_grey_in_colour() {
        let split = |values: &[u8]| RawSplit {
            pixels: Pixels::Bytes(values.to_vec()),
            targets: Targets::Classes(vec![0; values.len() / 2]),
            len: values.len() / 2,
        };
        let mut raw = Raw {
            shape: Shape::new(1, 1, 2),
            white: 255,
            outputs: 1,
            class_names: vec!["one".to_owned()],
            train: split(&[1, 2, 3, 4]),
            test: split(&[]),
        };
        pad(&mut raw, 3);
        assert_eq!(raw.shape, Shape::new(1, 3, 3));
        let Pixels::Bytes(values) = &raw.train.pixels else {
            panic!("bytes stay bytes")
        };
        assert_eq!(
            values,
            &[0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0]
        );
        colour(&mut raw);
        let Pixels::Bytes(values) = &raw.train.pixels else {
            panic!("bytes stay bytes")
        };
        assert_eq!(values[9..15], [1, 1, 1, 2, 2, 2]);
        assert_eq!((raw.shape.channels, values.len()), (3, 2 * 27));
    }

    #[test]
    fn digits_become_colour_images_of_32() {
        let settings = DataSettings {
            pad: Some(32),
            channels: Some(3),
            train_limit: Some(20),
            normalize: Normalize::None,
            ..DataSettings::default()
        };
        let large = load(&settings).expect("digits");
        assert_eq!(large.shape, Shape::new(3, 32, 32));
        let small = load(&DataSettings {
            pad: None,
            channels: None,
            ..settings.clone()
        });
        let small = small.expect("digits");
        let sum = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>();
        assert!((sum(&large.train.inputs) - 3.0 * sum(&small.train.inputs)).abs() < 1e-6);
        assert_ne!(large.checksum, small.checksum);
        for (key, broken) in [
            (
                "data.pad",
                DataSettings {
                    pad: Some(7),
                    ..settings.clone()
                },
            ),
            (
                "data.channels",
                DataSettings {
                    channels: Some(2),
                    ..settings.clone()
                },
            ),
            (
                "data.pad",
                DataSettings {
                    name: DataName::Synthetic,
                    channels: None,
                    ..settings
                },
            ),
        ] {
            let message = load(&broken).expect_err("refused").to_string();
            assert!(message.starts_with(key), "{message}");
        }
    }
}
