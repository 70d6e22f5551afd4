//! What the instrument writes, and what it refuses.

use reslab_probes::hessian::{DensitySettings, HessianSettings, Samples, TraceSettings, measure};

use crate::cases::*;
use crate::support::with_subject;

#[test]
fn the_tables_hold_what_was_asked_for_whatever_the_threads() {
    let case = &small_networks()[3];
    let settings = HessianSettings {
        samples: Samples::First(40),
        batch_size: 16,
        top: 2,
        trace: Some(TraceSettings { draws: 5 }),
        density: Some(DensitySettings {
            draws: 2,
            steps: 10,
            points: 50,
            width: None,
        }),
        ..HessianSettings::default()
    };
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let numbers = (&case.parameters[..], &case.state[..]);
        pool.expect("threads").install(|| {
            with_subject(&case.network, &case.dataset, numbers, |subject, watch| {
                measure(&settings, subject, watch).expect("tables")
            })
        })
    };
    let tables = on(1);
    assert_eq!(tables, on(3));
    let quantities: Vec<_> = tables[0].iter().map(|row| row.text("quantity")).collect();
    assert_eq!(
        quantities,
        ["top", "top", "bottom", "trace"].map(Some).to_vec()
    );
    for row in tables[0].iter() {
        assert_eq!(row.integer("samples"), Some(40));
        assert_eq!(row.integer("dimension"), Some(case.parameters.len() as i64));
    }
    assert_eq!(tables[1].len(), 50);
    let share = tables[0]
        .iter()
        .next()
        .and_then(|row| row.real("gradient_share"));
    assert!(share.is_some_and(|share| (0.0..=1.0).contains(&share)));
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let network = &small_networks()[0].network;
    let refused = |text: &str| -> Vec<&'static str> {
        let settings: HessianSettings = serde_json::from_str(text).expect("settings");
        let problems = settings.problems(network);
        problems.iter().map(|problem| problem.field).collect()
    };
    assert!(refused("{}").is_empty());
    assert!(refused(r#"{"samples": "all", "mode": "training"}"#).is_empty());
    assert_eq!(
        refused(r#"{"samples": 0, "batch_size": 0, "max_steps": 1, "tolerance": 1}"#),
        [
            "hessian.samples",
            "hessian.batch_size",
            "hessian.max_steps",
            "hessian.tolerance"
        ]
    );
    assert_eq!(
        refused(r#"{"samples": 129, "mode": "training"}"#),
        ["hessian.batch_size"]
    );
    assert_eq!(
        refused(
            r#"{"trace": {"draws": 1}, "density": {"draws": 0, "steps": 1, "points": 2, "width": 0}}"#
        ),
        [
            "hessian.trace.draws",
            "hessian.density.draws",
            "hessian.density.steps",
            "hessian.density.points",
            "hessian.density.width"
        ]
    );
    assert_eq!(refused(r#"{"top": 0, "bottom": 0}"#), ["hessian"]);
    for wrong in [r#"{"samples": "some"}"#, r#"{"samples": -3}"#] {
        let error = serde_json::from_str::<HessianSettings>(wrong).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("a number of samples, or all"), "{message}");
    }
}
