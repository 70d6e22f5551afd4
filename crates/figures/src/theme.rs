//! The look of every figure: colours, sizes and line weights, in one place.
//!
//! Sizes are in logical pixels (96 to the inch); PNG files have twice as many.
//! Colours: kinds of network take Okabe and Ito's palette (2008), made to be told apart with any
//! colour vision; an ordered quantity such as depth takes a ramp whose lightness rises steadily
//! (the dark end of matplotlib's *plasma*), so that the order survives greyscale too.

/// Red, green and blue.
pub type Rgb = (u8, u8, u8);

/// Text and axes.
pub const INK: Rgb = (0x22, 0x22, 0x22);
/// Secondary text: notes under a figure.
pub const QUIET: Rgb = (0x5c, 0x5c, 0x5c);
/// Grid lines.
pub const GRID: Rgb = (0xe4, 0xe4, 0xe4);
/// Plain networks: Okabe and Ito's vermilion.
pub const PLAIN: Rgb = (0xd5, 0x5e, 0x00);
/// Residual networks: Okabe and Ito's blue.
pub const RESIDUAL: Rgb = (0x00, 0x72, 0xb2);

/// Tick labels and legend entries.
pub const TICK_SIZE: f64 = 11.0;
/// Axis labels.
pub const LABEL_SIZE: f64 = 12.0;
/// Panel titles.
pub const TITLE_SIZE: f64 = 12.5;
/// The note under a figure.
pub const NOTE_SIZE: f64 = 10.5;

/// Frame and ticks.
pub const AXIS_WIDTH: f64 = 0.8;
/// Grid lines.
pub const GRID_WIDTH: f64 = 0.6;
/// Curves.
pub const LINE_WIDTH: f64 = 1.7;
/// Curves that stand in the second row, such as training beside test error.
pub const THIN_WIDTH: f64 = 1.3;
/// On and off length of a dashed line.
pub const DASH: (f64, f64) = (4.5, 2.6);
/// Length of a tick.
pub const TICK: f64 = 4.0;
/// Opacity of a band over seeds.
pub const BAND_OPACITY: f64 = 0.16;
/// Opacity of the points of single seeds behind their mean.
pub const SEED_OPACITY: f64 = 0.45;
/// Empty border of a figure.
pub const MARGIN: f64 = 10.0;

/// Samples of the ramp for ordered quantities, from the low end (light) to the high end (dark).
const RAMP: [Rgb; 8] = [
    (0xf2, 0x9b, 0x1d),
    (0xe8, 0x7a, 0x3a),
    (0xda, 0x5b, 0x56),
    (0xc5, 0x3e, 0x74),
    (0xa8, 0x22, 0x90),
    (0x84, 0x0a, 0xa4),
    (0x5a, 0x04, 0xa5),
    (0x1f, 0x0a, 0x86),
];

/// The colour of the `index`-th of `count` ordered values: the first is light, the last dark.
pub fn ordered_color(index: usize, count: usize) -> Rgb {
    if count < 2 {
        return RAMP[RAMP.len() - 1];
    }
    let position = index.min(count - 1) as f64 / (count - 1) as f64 * (RAMP.len() - 1) as f64;
    let low = (position.floor() as usize).min(RAMP.len() - 2);
    mixed(RAMP[low], RAMP[low + 1], position - low as f64)
}

/// Ten equal steps through *viridis* (van der Walt and Smith 2015), dark to light: perceptually
/// uniform, and in order with any colour vision and in grey.
const VIRIDIS: [Rgb; 11] = [
    (0x44, 0x01, 0x54),
    (0x48, 0x24, 0x75),
    (0x41, 0x44, 0x87),
    (0x35, 0x5f, 0x8d),
    (0x2a, 0x78, 0x8e),
    (0x21, 0x91, 0x8c),
    (0x22, 0xa8, 0x84),
    (0x44, 0xbf, 0x70),
    (0x7a, 0xd1, 0x51),
    (0xbd, 0xdf, 0x26),
    (0xfd, 0xe7, 0x25),
];

/// Where a map has no value.
pub const MISSING: Rgb = (0xcc, 0xcc, 0xcc);

/// The colour of a measured height: 0 is the low end (dark), 1 the high end (light); beyond them
/// that of the end.
pub fn height_color(position: f64) -> Rgb {
    let position = position.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let low = (position.floor() as usize).min(VIRIDIS.len() - 2);
    mixed(VIRIDIS[low], VIRIDIS[low + 1], position - low as f64)
}

/// A colour on the way from one to another: `part` 0 is the first.
pub fn mixed(a: Rgb, b: Rgb, part: f64) -> Rgb {
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// The colour of a kind of network.
pub fn kind_color(residual: bool) -> Rgb {
    if residual { RESIDUAL } else { PLAIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance after the sRGB curve (WCAG).
    fn luminance(color: Rgb) -> f64 {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
    }

    #[test]
    fn ramp_darkens_steadily_and_stays_visible_on_white() {
        for count in 2..12 {
            let ramp: Vec<f64> = (0..count)
                .map(|i| luminance(ordered_color(i, count)))
                .collect();
            assert!(ramp.windows(2).all(|pair| pair[1] < pair[0]), "{ramp:?}");
            // Contrast against white of at least 2:1.
            assert!(ramp.iter().all(|l| 1.05 / (l + 0.05) >= 2.0), "{ramp:?}");
        }
    }

    #[test]
    fn heights_lighten_steadily_and_stay_at_the_ends() {
        let heights: Vec<f64> = (0..=40)
            .map(|i| luminance(height_color(f64::from(i) / 40.0)))
            .collect();
        assert!(heights.windows(2).all(|p| p[1] > p[0]), "{heights:?}");
        assert_eq!(height_color(-3.0), height_color(0.0));
        assert_eq!(height_color(f64::INFINITY), height_color(1.0));
    }

    #[test]
    fn text_has_full_contrast() {
        for color in [INK, QUIET] {
            assert!(1.05 / (luminance(color) + 0.05) >= 4.5);
        }
    }
}
