//! Learning-rate schedules: factors of the peak learning rate.
//!
//! All but [`Schedule::Step`] and [`Schedule::Power`] can begin with a linear warm-up, t/warm_up at step t ≤ warm_up, so that
//! the first step already moves. Steps count from 1, as in the optimizers.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How the learning rate changes over a run. Lengths are in steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// 1 after the warm-up.
    Constant {
        /// Steps of linear warm-up.
        warm_up: u64,
    },
    /// Falls linearly and would reach 0 at step `total` + 1; BERT's schedule.
    Linear {
        /// Steps of linear warm-up.
        warm_up: u64,
        /// Steps of the whole run.
        total: u64,
    },
    /// Falls along half a cosine and would reach `floor` at step `total` + 1.
    /// Loshchilov & Hutter 2017, one cycle.
    Cosine {
        /// Steps of linear warm-up.
        warm_up: u64,
        /// Steps of the whole run.
        total: u64,
        /// The factor in the end, in [0, 1].
        floor: f64,
    },
    /// √(warm_up/t) after the warm-up; without one, 1/√t. Vaswani et al. 2017.
    InverseSqrt {
        /// Steps of linear warm-up.
        warm_up: u64,
    },
    /// ((1 + shift)/(t + shift))^exponent. The theorems' 4/(μ(k + 1)) is that with shift 1 and exponent
    /// 1, from 2/μ.
    Power {
        /// Steps that are counted as if taken before.
        shift: u64,
        /// How fast it falls, in [0, ∞).
        exponent: f64,
    },
    /// `factor`^⌊(t−1)/every⌋.
    Step {
        /// Steps between two falls, at least 1.
        every: u64,
        /// The factor of each fall, in [0, 1].
        factor: f64,
    },
    /// Warm-up, then 1, then over the last `decay` steps linearly towards 0, which step `total` + 1
    /// would reach ("WSD").
    WarmUpStableDecay {
        /// Steps of linear warm-up.
        warm_up: u64,
        /// Steps of the fall at the end.
        decay: u64,
        /// Steps of the whole run.
        total: u64,
    },
}

impl Schedule {
    /// Whether the lengths fit together and the factors are in range.
    ///
    /// # Errors
    /// [`Error::Schedule`] with what is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |problem: String| Err(Error::Schedule { problem });
        let unit = 0.0..=1.0;
        match *self {
            Schedule::Linear { warm_up, total } | Schedule::Cosine { warm_up, total, .. }
                if warm_up > total =>
            {
                refuse(format!(
                    "warm_up is {warm_up}, but total is {total}; make total larger"
                ))
            }
            Schedule::WarmUpStableDecay {
                warm_up,
                decay,
                total,
            } if warm_up.checked_add(decay).is_none_or(|sum| sum > total) => refuse(format!(
                "warm_up {warm_up} and decay {decay} exceed total {total}; make total larger"
            )),
            Schedule::Cosine { floor, .. } if !unit.contains(&floor) => {
                refuse(format!("floor is {floor}; it must be in [0, 1]"))
            }
            Schedule::Power { exponent, .. } if !(0.0..f64::INFINITY).contains(&exponent) => {
                refuse(format!("exponent is {exponent}; it must be in [0, inf)"))
            }
            Schedule::Step { factor, .. } if !unit.contains(&factor) => {
                refuse(format!("factor is {factor}; it must be in [0, 1]"))
            }
            Schedule::Step { every: 0, .. } => {
                refuse("every is 0; it must be at least 1".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The factor at step `t` = 1, 2, …, in [0, 1]; 0 after the end of a schedule that ends at 0.
    pub fn factor(&self, t: u64) -> f64 {
        let t = t.max(1);
        let warm_up = match *self {
            Schedule::Step { .. } | Schedule::Power { .. } => 0,
            Schedule::Constant { warm_up }
            | Schedule::InverseSqrt { warm_up }
            | Schedule::Linear { warm_up, .. }
            | Schedule::Cosine { warm_up, .. }
            | Schedule::WarmUpStableDecay { warm_up, .. } => warm_up,
        };
        if t <= warm_up {
            return t as f64 / warm_up as f64;
        }
        // Of the steps after `begin`, with one beyond the end, the share that is left at step t.
        let left = |begin: u64, total: u64| {
            let end = total.saturating_add(1);
            end.saturating_sub(t) as f64 / end.saturating_sub(begin).max(1) as f64
        };
        match *self {
            Schedule::Constant { .. } => 1.0,
            Schedule::Linear { total, .. } => left(warm_up, total),
            Schedule::Cosine { total, floor, .. } => {
                let done = 1.0 - left(warm_up, total);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
            Schedule::InverseSqrt { .. } => (warm_up.max(1) as f64 / t as f64).sqrt(),
            Schedule::Power { shift, exponent } => {
                let (first, now) = (1.0 + shift as f64, t as f64 + shift as f64);
                (first / now).powf(exponent)
            }
            Schedule::Step { every, factor } => factor.powf(((t - 1) / every.max(1)) as f64),
            Schedule::WarmUpStableDecay { decay, total, .. } => {
                left(total.saturating_sub(decay), total).min(1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(schedule: Schedule, steps: impl IntoIterator<Item = u64>) -> Vec<f64> {
        schedule.check().unwrap();
        steps.into_iter().map(|t| schedule.factor(t)).collect()
    }

    #[test]
    fn schedules_by_hand() {
        let warm_up = 2;
        assert_eq!(
            factors(Schedule::Constant { warm_up }, 1..=4),
            [0.5, 1.0, 1.0, 1.0]
        );
        assert_eq!(
            factors(Schedule::Constant { warm_up: 0 }, 1..=2),
            [1.0, 1.0]
        );
        let linear = Schedule::Linear { warm_up, total: 5 };
        assert_eq!(
            factors(linear, 1..=7),
            [0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
        );
        let step = Schedule::Step {
            every: 2,
            factor: 0.1,
        };
        assert_eq!(
            factors(step, 1..=5),
            [1.0, 1.0, 0.1, 0.1, 0.1_f64.powf(2.0)]
        );
        let stable = Schedule::WarmUpStableDecay {
            warm_up: 2,
            decay: 3,
            total: 7,
        };
        assert_eq!(
            factors(stable, 1..=9),
            [0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
        );
        let root = Schedule::InverseSqrt { warm_up: 4 };
        assert_eq!(factors(root, [2, 4, 16, 64]), [0.5, 1.0, 0.5, 0.25]);
        assert_eq!(
            factors(Schedule::InverseSqrt { warm_up: 0 }, [1, 4]),
            [1.0, 0.5]
        );
    }

    #[test]
    fn a_power_is_the_step_size_of_theorem_4() {
        let mu = 0.5;
        let power = Schedule::Power {
            shift: 1,
            exponent: 1.0,
        };
        for (k, factor) in (1..=50).zip(factors(power, 1..=50)) {
            let exact = 4.0 / (mu * (k as f64 + 1.0));
            assert!((2.0 / mu * factor / exact - 1.0).abs() < 1e-15, "{k}");
        }
        let root = Schedule::Power {
            shift: 3,
            exponent: 0.5,
        };
        assert_eq!(factors(root, [1, 13, 61]), [1.0, 0.5, 0.25]);
    }

    #[test]
    fn a_cosine_falls_from_one_to_its_floor() {
        let cosine = Schedule::Cosine {
            warm_up: 1,
            total: 4,
            floor: 0.2,
        };
        let expected = [1.0, 0.2 + 0.8 * (0.5 + 0.5_f64.sqrt() / 2.0), 0.6];
        for (factor, expected) in factors(cosine, 1..=3).iter().zip(expected) {
            assert!((factor - expected).abs() < 1e-15, "{factor} {expected}");
        }
        assert!((cosine.factor(5) - 0.2).abs() < 1e-15 && (cosine.factor(99) - 0.2).abs() < 1e-15);
    }

    #[test]
    fn schedules_that_do_not_fit_are_refused() {
        for bad in [
            Schedule::Linear {
                warm_up: 3,
                total: 2,
            },
            Schedule::Cosine {
                warm_up: 3,
                total: 2,
                floor: 0.0,
            },
            Schedule::Cosine {
                warm_up: 0,
                total: 2,
                floor: f64::NAN,
            },
            Schedule::Power {
                shift: 1,
                exponent: -0.5,
            },
            Schedule::Power {
                shift: 1,
                exponent: f64::INFINITY,
            },
            Schedule::Step {
                every: 0,
                factor: 0.5,
            },
            Schedule::Step {
                every: 1,
                factor: 1.5,
            },
            Schedule::WarmUpStableDecay {
                warm_up: u64::MAX,
                decay: 1,
                total: 5,
            },
        ] {
            assert!(
                matches!(bad.check(), Err(Error::Schedule { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn huge_lengths_do_no_harm() {
        for schedule in [
            Schedule::Linear {
                warm_up: 0,
                total: u64::MAX,
            },
            Schedule::Cosine {
                warm_up: 0,
                total: 0,
                floor: 0.0,
            },
            Schedule::WarmUpStableDecay {
                warm_up: 0,
                decay: u64::MAX,
                total: u64::MAX,
            },
            Schedule::Power {
                shift: u64::MAX,
                exponent: f64::MAX,
            },
        ] {
            for t in [0, 1, u64::MAX] {
                assert!(
                    (0.0..=1.0).contains(&schedule.factor(t)),
                    "{schedule:?} at {t}"
                );
            }
        }
    }
}
