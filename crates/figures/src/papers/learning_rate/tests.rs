//! Bands by hand, what the figures show, and what the verdict says.

use super::band::{Band, TOLERANCE, usable};
use super::{applies, figures};
use crate::claims::{self, Status};
use crate::plots::{check, lay_out};
use crate::synthetic::{Synthetic, settings};
use crate::tables::Tables;

#[test]
fn ends_are_interpolated_in_log_rate() {
    let errors = [(0.01, Some(0.5)), (0.1, Some(0.2)), (1.0, Some(0.6))];
    let band = usable(&errors, 0.3).expect("a band");
    // From 0.2 at 0.1: a third of a decade to 0.5, a quarter to 0.6.
    assert!(
        (band.low.log10() + 1.0 + 1.0 / 3.0).abs() < 1e-12,
        "{band:?}"
    );
    assert!((band.high.log10() + 0.75).abs() < 1e-12, "{band:?}");
    assert!(!band.censored());
    let expected = (1.0 / 3.0 + 0.25) * 10f64.log2();
    assert!((band.octaves() - expected).abs() < 1e-12);
}

#[test]
fn beside_divergence_it_ends_half_way_and_at_the_end_of_the_range_it_is_open() {
    let errors = [
        (0.01, Some(0.25)),
        (0.1, Some(0.2)),
        (1.0, None),
        (10.0, Some(0.2)),
    ];
    let band = usable(&errors, 0.3).expect("a band");
    let expected = Band {
        low: 0.01,
        high: (0.1_f64 * 1.0).sqrt(),
        open_below: true,
        open_above: false,
    };
    assert_eq!(band, expected);
    assert_eq!(usable(&errors, 0.1), None);
    assert_eq!(usable(&[(0.1, None)], 0.1), None);
}

#[test]
fn only_the_stretch_around_the_best_rate_counts() {
    let errors = [
        (1.0, Some(0.3)),
        (10.0, Some(0.9)),
        (100.0, Some(0.25)),
        (1000.0, Some(0.9)),
    ];
    let band = usable(&errors, 0.25 + TOLERANCE).expect("a band");
    assert!(band.low > 10.0 && band.high < 1000.0);
}

/// Errors with a valley of `octaves` to the limit on each side of rate 1; seeds differ a little.
fn valley(made: &mut Synthetic, residual: bool, octaves: f64) {
    for seed in 0..3 {
        for place in -4..=4 {
            let rate = 2f64.powi(place);
            let wide = octaves + 0.1 * f64::from(seed);
            let error = 0.3 + TOLERANCE * f64::from(place.abs()) / wide;
            let set = settings(20, residual, i64::from(seed)).with("train_lr", rate);
            let diverges = !residual && place == 4;
            let status = if diverges { "diverged" } else { "finished" };
            made.run(set, status, if diverges { f64::NAN } else { error }, 0.5);
        }
    }
}

fn tables(plain: f64, residual: f64) -> Tables {
    let mut made = Synthetic::default();
    valley(&mut made, false, plain);
    valley(&mut made, true, residual);
    made.tables()
}

#[test]
fn a_wider_band_is_supported_and_an_equal_one_is_not() {
    let wider = tables(1.0, 2.5);
    assert!(applies(&wider));
    let found = &claims::fitting(&wider)[0];
    assert_eq!(
        (found.claim.as_str(), found.status),
        ("learning-rate", Status::Supported)
    );
    assert!(
        (found.effect.expect("an effect") - 3.0).abs() < 1e-9,
        "{found:?}"
    );
    assert_eq!(found.n, 3);
    assert!(
        found.sentence.contains("+3.0 octaves"),
        "{}",
        found.sentence
    );
    let better = "By the standard of the better kind: residual 5.2 octaves, plain 2.2 octaves.";
    assert!(found.sentence.contains(better), "{}", found.sentence);
    let equal = &claims::fitting(&tables(1.5, 1.5))[0];
    assert_eq!(equal.status, Status::NotSupported, "{equal:?}");
}

#[test]
fn censored_bands_never_speak_for_what_was_not_seen() {
    // The plain band reaches both ends: no pair is left.
    let plain = &claims::fitting(&tables(9.0, 2.0))[0];
    assert_eq!((plain.status, plain.n), (Status::Undecided, 0));
    // The residual band does: a lower bound can support.
    let residual = &claims::fitting(&tables(1.0, 9.0))[0];
    assert_eq!(residual.status, Status::Supported);
    assert!(
        residual.sentence.contains("at least"),
        "{}",
        residual.sentence
    );
}

#[test]
fn both_figures_are_drawn_and_readable() {
    for (name, figure) in figures(&tables(1.0, 2.0)) {
        let figure = figure.unwrap_or_else(|reason| panic!("{name}: {reason}"));
        check(&lay_out(&figure));
    }
}

#[test]
fn few_rates_are_no_sweep() {
    let mut made = Synthetic::default();
    for rate in [0.1, 0.2, 0.4] {
        made.run(
            settings(20, true, 0).with("train_lr", rate),
            "finished",
            0.1,
            0.2,
        );
    }
    assert!(!applies(&made.tables()));
}
