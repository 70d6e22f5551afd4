//! How the learning rate changes over a run: a multiple of the base rate for each step.
//!
//! Time is counted in epochs, `t = step / steps_per_epoch`, so that the same settings mean the
//! same curve whatever the batch size; milestones and warm-up may be fractions of an epoch. With
//! `w = warmup_epochs`, `T = epochs`, `f = final_fraction` and `s = warmup_start`, after the
//! warm-up the rate is
//!
//! | kind      | multiple of the base rate                                                      |
//! |-----------|--------------------------------------------------------------------------------|
//! | constant  | 1                                                                              |
//! | step      | `factor^k`, `k` the number of milestones at or before `t`                       |
//! | linear    | `1 − (1 − f) p`, `p = (t − w)/(T − w)`                                          |
//! | cosine    | `f + (1 − f)(1 + cos πp)/2` (Loshchilov and Hutter 2017, one period)            |
//! | one-cycle | a half cosine from `s` up to 1, then one from 1 down to `f` at the last step    |
//!
//! and during the warm-up it rises from `s` to 1 on a line, or stays at `s` (He et al. 2015 for
//! ResNet-110). The one-cycle schedule is PyTorch's `OneCycleLR` without momentum cycling: the
//! warm-up is its rise, 0.3 of the run unless `warmup_epochs` says otherwise.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::SettingProblem;

/// How the learning rate changes over a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// The shape of the curve.
    pub kind: ScheduleKind,
    /// Step: epochs (fractions allowed) from which the rate is multiplied by `factor` again.
    pub milestones: Vec<f64>,
    /// Step: what the rate is multiplied by at each milestone.
    pub factor: f64,
    /// Epochs (fractions allowed) before the rate has its full value.
    pub warmup_epochs: f64,
    /// Fraction of the rate at which the warm-up starts.
    pub warmup_start: f64,
    /// How the rate gets from `warmup_start` to its full value.
    pub warmup: Warmup,
    /// Cosine, linear, one-cycle: fraction of the rate at the end.
    pub final_fraction: f64,
}

/// The shape of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// The same rate throughout.
    Constant,
    /// Multiplied by `factor` at each milestone.
    Step,
    /// Half a cosine down to `final_fraction`.
    Cosine,
    /// A line down to `final_fraction`.
    Linear,
    /// Up by half a cosine, then down by another.
    OneCycle,
}

/// How a warm-up gets to the full rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Warmup {
    /// On a line.
    Linear,
    /// In one jump at its end.
    Constant,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::Constant,
            milestones: Vec::new(),
            factor: 0.1,
            warmup_epochs: 0.0,
            warmup_start: 0.1,
            warmup: Warmup::Linear,
            final_fraction: 0.0,
        }
    }
}

/// Part of a one-cycle run in which the rate rises, where the settings do not say.
const ONE_CYCLE_RISE: f64 = 0.3;

impl Schedule {
    /// Multiple of the base rate at `step`, the number of steps made before it in the whole run.
    pub fn rate(&self, step: usize, steps_per_epoch: usize, epochs: usize) -> f64 {
        if self.kind == ScheduleKind::OneCycle {
            return self.one_cycle(step, steps_per_epoch, epochs);
        }
        let step = step as f64;
        let per_epoch = steps_per_epoch as f64;
        let warmup = self.warmup_epochs * per_epoch;
        let warming = match self.warmup {
            _ if step >= warmup => 1.0,
            Warmup::Linear => self.warmup_start + (1.0 - self.warmup_start) * step / warmup,
            Warmup::Constant => self.warmup_start,
        };
        let progress = ((step - warmup) / (epochs as f64 * per_epoch - warmup)).clamp(0.0, 1.0);
        warming
            * match self.kind {
                ScheduleKind::Constant | ScheduleKind::OneCycle => 1.0,
                ScheduleKind::Step => self.factor.powi(self.passed(step, per_epoch)),
                ScheduleKind::Linear => 1.0 + (self.final_fraction - 1.0) * progress,
                ScheduleKind::Cosine => half_cosine(1.0, self.final_fraction, progress),
            }
    }

    /// Milestones at or before a step. The allowance is for rounding: a milestone at 81.3 epochs
    /// of 10 steps is step 813.
    fn passed(&self, step: f64, per_epoch: f64) -> i32 {
        self.milestones
            .iter()
            .filter(|m| **m * per_epoch <= step + 1e-6)
            .count() as i32
    }

    /// PyTorch's two phases, which end at steps `rise − 1` and `total − 1`.
    fn one_cycle(&self, step: usize, steps_per_epoch: usize, epochs: usize) -> f64 {
        let total = (steps_per_epoch * epochs) as f64;
        let rise = match self.warmup_epochs {
            0.0 => ONE_CYCLE_RISE * total,
            warmup => warmup * steps_per_epoch as f64,
        };
        let (step, peak, end) = (step as f64, rise - 1.0, total - 1.0);
        if step <= peak {
            half_cosine(
                self.warmup_start,
                1.0,
                if peak > 0.0 { step / peak } else { 1.0 },
            )
        } else {
            let progress = if end > peak {
                (step - peak) / (end - peak)
            } else {
                1.0
            };
            half_cosine(1.0, self.final_fraction, progress.clamp(0.0, 1.0))
        }
    }

    /// What is wrong with the schedule of a run of `epochs`.
    pub(super) fn problems(&self, epochs: usize) -> Vec<SettingProblem> {
        let mut found = Vec::new();
        let mut require = |field, holds: bool, message: String| {
            if !holds {
                found.push(SettingProblem { field, message });
            }
        };
        let ascending = self.milestones.is_sorted_by(|a, b| a < b);
        let positive = self.milestones.iter().all(|m| *m > 0.0 && m.is_finite());
        require(
            "schedule.milestones",
            ascending && positive,
            format!(
                "must be ascending epochs above 0, but is {:?}.",
                self.milestones
            ),
        );
        require(
            "schedule.milestones",
            self.kind != ScheduleKind::Step || !self.milestones.is_empty(),
            "must name at least one epoch when `schedule.kind` is step, but is [].".to_owned(),
        );
        require(
            "schedule.factor",
            self.factor > 0.0 && self.factor.is_finite(),
            format!("must be a number above 0, but is {}.", self.factor),
        );
        let warmup = self.warmup_epochs;
        require(
            "schedule.warmup_epochs",
            warmup == 0.0 || (warmup > 0.0 && warmup < epochs as f64),
            format!("must be at least 0 and below `epochs`, which is {epochs}, but is {warmup}."),
        );
        require(
            "schedule.warmup_start",
            (0.0..=1.0).contains(&self.warmup_start),
            format!("must be from 0 to 1, but is {}.", self.warmup_start),
        );
        require(
            "schedule.final_fraction",
            (0.0..=1.0).contains(&self.final_fraction),
            format!("must be from 0 to 1, but is {}.", self.final_fraction),
        );
        found
    }
}

/// From `start` to `end` along half a cosine.
fn half_cosine(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) * (1.0 + (PI * progress).cos()) / 2.0
}

#[cfg(test)]
mod tests {
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
}
