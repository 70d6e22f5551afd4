//! Schedules against closed forms and PyTorch's numbers.

use super::*;

fn assert_rates(schedule: &Schedule, steps_per_epoch: usize, epochs: usize, known: &[f64]) {
    for (step, &expected) in known.iter().enumerate() {
        let rate = schedule.rate(step, steps_per_epoch, epochs);
        assert!(
            (rate - expected).abs() < 1e-12,
            "step {step}: {rate}, not {expected}"
        );
    }
}

// The numbers below are `optimizer.param_groups[0]["lr"]` of PyTorch 2 before each of the
// steps, the schedulers built on SGD([p], lr=1.0) as the comments say, stepped once a step.
#[test]
fn step_equals_pytorch() {
    // MultiStepLR(o, [3, 5], 0.1)
    let milestones = vec![3.0, 5.0];
    let schedule = Schedule {
        kind: ScheduleKind::Step,
        milestones,
        ..Schedule::default()
    };
    assert_rates(
        &schedule,
        1,
        8,
        &[1.0, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01, 0.01],
    );
}

#[test]
fn linear_equals_pytorch() {
    // LinearLR(o, 1.0, 0.2, total_iters=8)
    let kind = ScheduleKind::Linear;
    let schedule = Schedule {
        kind,
        final_fraction: 0.2,
        ..Schedule::default()
    };
    assert_rates(
        &schedule,
        4,
        2,
        &[1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2],
    );
}

#[test]
fn cosine_equals_pytorch() {
    // CosineAnnealingLR(o, T_max=8, eta_min=0.1)
    let kind = ScheduleKind::Cosine;
    let schedule = Schedule {
        kind,
        final_fraction: 0.1,
        ..Schedule::default()
    };
    let known = [
        1.0,
        0.9657457896300791,
        0.8681980515339464,
        0.7222075445642905,
        0.55,
        0.3777924554357097,
        0.2318019484660537,
        0.134254210369921,
    ];
    assert_rates(&schedule, 4, 2, &known);
}

#[test]
fn warmup_then_cosine_equals_pytorch() {
    // SequentialLR(o, [LinearLR(o, 0.25, 1.0, 3), CosineAnnealingLR(o, 5, 0.0)], [3])
    let schedule = Schedule {
        kind: ScheduleKind::Cosine,
        warmup_epochs: 0.75,
        warmup_start: 0.25,
        ..Schedule::default()
    };
    let known = [
        0.25,
        0.5,
        0.75,
        1.0,
        0.9045084971874737,
        0.6545084971874737,
        0.3454915028125263,
        0.09549150281252632,
    ];
    assert_rates(&schedule, 4, 2, &known);
}

#[test]
fn one_cycle_equals_pytorch() {
    // OneCycleLR(o, 1.0, total_steps=10, pct_start=0.3, div_factor=25, final_div_factor=1e4)
    let mut schedule = Schedule {
        kind: ScheduleKind::OneCycle,
        warmup_start: 0.04,
        final_fraction: 4e-6,
        ..Schedule::default()
    };
    let known = [
        0.04,
        0.52,
        1.0,
        0.9504846320134737,
        0.8117456539497631,
        0.6112620219362893,
        0.38874197806371075,
        0.18825834605023697,
        0.049519367986526286,
        4e-6,
    ];
    assert_rates(&schedule, 5, 2, &known);
    // The same with pct_start=0.25, div_factor=10, final_div_factor=10.
    schedule.warmup_epochs = 0.5;
    schedule.warmup_start = 0.1;
    schedule.final_fraction = 0.01;
    let known = [
        0.1,
        0.775,
        0.9891830623632338,
        0.905463412215599,
        0.7525,
        0.5567415893174885,
        0.35203658778440106,
        0.17378034985236535,
        0.05279499846691252,
        0.01,
    ];
    assert_rates(&schedule, 5, 2, &known);
}

#[test]
fn milestones_may_be_fractions_of_an_epoch() {
    // He et al. 2015: 391 steps an epoch, drops after 32k and 48k steps, stop at 64k.
    let schedule = Schedule {
        kind: ScheduleKind::Step,
        milestones: vec![32_000.0 / 391.0, 48_000.0 / 391.0],
        ..Schedule::default()
    };
    let rate = |step| schedule.rate(step, 391, 164);
    let powers = [31_999, 32_000, 47_999, 48_000].map(rate);
    assert_eq!(powers, [1.0, 0.1, 0.1, 0.1f64.powi(2)]);
    let awkward = Schedule {
        milestones: vec![81.3],
        ..schedule.clone()
    };
    assert_eq!(awkward.rate(812, 10, 100), 1.0);
    assert_eq!(awkward.rate(813, 10, 100), 0.1);
}

#[test]
fn warmup_rises_on_a_line_or_jumps_and_the_fall_starts_at_its_end() {
    let mut schedule = Schedule {
        kind: ScheduleKind::Linear,
        warmup_epochs: 0.5,
        warmup_start: 0.2,
        ..Schedule::default()
    };
    // 4 steps an epoch, 2 epochs: 2 steps of warm-up, 6 of fall.
    assert_rates(&schedule, 4, 2, &[0.2, 0.6, 1.0, 5.0 / 6.0, 4.0 / 6.0]);
    schedule.warmup = Warmup::Constant;
    assert_rates(&schedule, 4, 2, &[0.2, 0.2, 1.0, 5.0 / 6.0, 4.0 / 6.0]);
    schedule.kind = ScheduleKind::Cosine;
    assert_eq!(schedule.rate(2, 4, 2), 1.0);
    assert!((schedule.rate(5, 4, 2) - 0.5).abs() < 1e-12);
    schedule.kind = ScheduleKind::Constant;
    assert_rates(&schedule, 4, 2, &[0.2, 0.2, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
}

#[test]
fn one_cycle_of_one_step_is_finite() {
    let schedule = Schedule {
        kind: ScheduleKind::OneCycle,
        ..Schedule::default()
    };
    assert!(schedule.rate(0, 1, 1).is_finite());
}

#[test]
fn unusable_values_are_named() {
    let fields = |schedule: Schedule| -> Vec<_> {
        schedule.problems(3).into_iter().map(|p| p.field).collect()
    };
    let usual = Schedule::default;
    assert_eq!(fields(usual()), [""; 0]);
    let milestones = vec![2.0, 1.0];
    assert_eq!(
        fields(Schedule {
            milestones,
            ..usual()
        }),
        ["schedule.milestones"]
    );
    assert_eq!(
        fields(Schedule {
            kind: ScheduleKind::Step,
            ..usual()
        }),
        ["schedule.milestones"]
    );
    for warmup_epochs in [3.0, -1.0, f64::NAN] {
        let schedule = Schedule {
            warmup_epochs,
            ..usual()
        };
        assert_eq!(fields(schedule), ["schedule.warmup_epochs"]);
    }
    assert_eq!(
        fields(Schedule {
            warmup_start: 1.5,
            ..usual()
        }),
        ["schedule.warmup_start"]
    );
    assert_eq!(
        fields(Schedule {
            final_fraction: f64::NAN,
            ..usual()
        }),
        ["schedule.final_fraction"]
    );
}
