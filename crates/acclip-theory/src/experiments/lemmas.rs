//! The lemmas, a file each: every inequality on real laws of noise, and the case in which it is nearly an equality.
//!
//! A ratio is the left side of an inequality over its bound. What is sampled has means of bounded quantities only (a
//! clipped gradient is bounded, whatever the tails of the noise), so that 95 % intervals from independent groups are
//! right; the moments that enter a bound are exact, or upper bounds by a closed form. What can be computed without
//! sampling, is.
//!
//! | lemma | sampled | exact |
//! |---|---|---|
//! | 9, 10, 13 | second moment and bias of a clipped gradient | the laws that attain the bounds |
//! | 11 | – | the inequality, for every random case |
//! | 12 | α-moments of laws whose 2α-moment is finite | α-moments in closed form |
//! | 15 | – | the inequality, for every estimate from simulated bits |
//! | 16 | the best test | its success, by the binomial law |
//! | 17, 18 | – | the inequalities, at random points and at the worst that a search finds |

mod atoms;
mod lemma_10;
mod lemma_11;
mod lemma_12;
mod lemma_13;
mod lemma_15;
mod lemma_16;
mod lemma_17;
mod lemma_18;
mod lemma_9;
mod ratio;
mod sample;

use super::Settings;
use crate::ensemble::Control;
use crate::{Error, Finding};

/// Settings with which a lemma takes some seconds.
pub(super) fn defaults(number: u8) -> Settings {
    let trajectories = match number {
        9 | 10 | 12 | 13 => 1 << 17,
        11 => 1 << 18,
        15 | 16 => 1 << 12,
        _ => 1 << 14,
    };
    Settings {
        seed: 0,
        alphas: vec![1.1, 1.25, 1.5, 1.75, 2.0],
        trajectories,
        steps: 1,
    }
}

/// Runs a lemma.
///
/// # Errors
/// [`Error::OutOfRange`] for a number that is not in [`super::LEMMAS`]; [`Error::Stopped`].
pub(super) fn run(number: u8, settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = match number {
        9 => lemma_9::run(settings, control),
        10 => lemma_10::run(settings, control),
        11 => lemma_11::run(settings, control),
        12 => lemma_12::run(settings, control),
        13 => lemma_13::run(settings, control),
        15 => lemma_15::run(settings, control),
        16 => lemma_16::run(settings, control),
        17 => lemma_17::run(settings, control),
        18 => lemma_18::run(settings, control),
        _ => Err(Error::OutOfRange {
            name: "lemma",
            value: number.to_string(),
            range: "9 to 13 or 15 to 18",
        }),
    }?;
    finding.steps = control.steps();
    Ok(finding)
}

/// A finding whose settings say what a lemma makes of them: `cases` is what the trajectories are.
fn start(number: u8, claim: &str, settings: &Settings, cases: &str) -> Finding {
    let mut finding = Finding::new(format!("Lemma {number}"), claim, settings);
    for (name, value) in &mut finding.settings {
        match name.as_str() {
            "trajectories" => *name = cases.to_owned(),
            "steps" => *value = "unused".to_owned(),
            _ => {}
        }
    }
    finding
}

#[cfg(test)]
mod tests;
