//! The experiments behind `acclip theory`, a file each.
//!
//! Each takes [`Settings`] and returns a [`Finding`]. The same settings give the same bits, whatever the number of
//! threads.

mod dimension;
mod families;
mod lemmas;
mod rate;
mod remark_1;
mod rmsprop;
mod table_1;
mod theorem_2;
mod theorem_4;
mod theorem_5;
mod theorem_6;
mod theorem_8;

use acclip_noise::lanes::mix;

use crate::ensemble::Control;
use crate::{Error, Finding};

/// What can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Experiment {
    /// Table 1: measured exponents beside proved ones.
    Table1,
    /// Theorem 2: GClip on smooth non-convex functions.
    Theorem2,
    /// Theorem 4: projected GClip on strongly convex functions.
    Theorem4,
    /// Theorem 5: the lower bound for strongly convex functions.
    Theorem5,
    /// Theorem 6: the lower bound for non-convex functions.
    Theorem6,
    /// Theorem 8: CClip, and Corollary 7.
    Theorem8,
    /// A lemma, by its number in the paper.
    Lemma(u8),
    /// Remark 1: why E f of SGD does not settle.
    Remark1,
    /// GClip against CClip as the dimension grows.
    Dimension,
    /// RMSProp as adaptive clipping.
    RmsProp,
}

/// Lemmas that can be run.
pub const LEMMAS: [u8; 9] = [9, 10, 11, 12, 13, 15, 16, 17, 18];

/// How large an experiment is; [`Experiment::defaults`] has what each is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Random numbers are a function of it.
    pub seed: u64,
    /// Tail indices α, each in (1, 2].
    pub alphas: Vec<f64>,
    /// Trajectories for every point (random cases, for a lemma); rounded up to whole groups.
    pub trajectories: usize,
    /// The longest run, in steps.
    pub steps: u64,
}

impl Experiment {
    /// Settings with which it takes seconds, or some minutes for [`Experiment::Table1`].
    pub fn defaults(&self) -> Settings {
        match self {
            Experiment::Table1 => table_1::defaults(),
            Experiment::Theorem2 => theorem_2::defaults(),
            Experiment::Theorem4 => theorem_4::defaults(),
            Experiment::Theorem5 => theorem_5::defaults(),
            Experiment::Theorem6 => theorem_6::defaults(),
            Experiment::Theorem8 => theorem_8::defaults(),
            Experiment::Lemma(number) => lemmas::defaults(*number),
            Experiment::Remark1 => remark_1::defaults(),
            Experiment::Dimension => dimension::defaults(),
            Experiment::RmsProp => rmsprop::defaults(),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for settings that it cannot take; [`Error::Stopped`].
    pub fn run(&self, settings: &Settings, control: &Control) -> Result<Finding, Error> {
        settings.check()?;
        match self {
            Experiment::Table1 => table_1::run(settings, control),
            Experiment::Theorem2 => theorem_2::run(settings, control),
            Experiment::Theorem4 => theorem_4::run(settings, control),
            Experiment::Theorem5 => theorem_5::run(settings, control),
            Experiment::Theorem6 => theorem_6::run(settings, control),
            Experiment::Theorem8 => theorem_8::run(settings, control),
            Experiment::Lemma(number) => lemmas::run(*number, settings, control),
            Experiment::Remark1 => remark_1::run(settings, control),
            Experiment::Dimension => dimension::run(settings, control),
            Experiment::RmsProp => rmsprop::run(settings, control),
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        use crate::error::check;
        for &alpha in &self.alphas {
            check("alpha", alpha, "in (1, 2]", |a| a > 1.0 && a <= 2.0)?;
        }
        check(
            "number of alphas",
            self.alphas.len() as f64,
            "at least 1",
            |n| n >= 1.0,
        )?;
        check(
            "trajectories",
            self.trajectories as f64,
            "at least 1",
            |n| n >= 1.0,
        )?;
        check("steps", self.steps as f64, "at least 1", |n| n >= 1.0)?;
        Ok(())
    }

    /// The seed of one part of an experiment: parts that differ in name or number share no random numbers.
    fn stream(&self, part: &str, number: f64) -> u64 {
        let key = part
            .bytes()
            .fold(mix(self.seed, 0), |key, byte| mix(key, u64::from(byte)));
        mix(key, number.to_bits())
    }

    /// Name and value of each setting.
    pub(crate) fn describe(&self) -> Vec<(String, String)> {
        let alphas: Vec<String> = self.alphas.iter().map(f64::to_string).collect();
        [
            ("seed", self.seed.to_string()),
            ("α", alphas.join(", ")),
            ("trajectories", self.trajectories.to_string()),
            ("steps", self.steps.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// 2^first, 2^(first + 1), … up to the last power of two that is at most `last`; `last` alone, or 1, if there is none.
fn octaves(first: u32, last: u64) -> Vec<u64> {
    let powers: Vec<u64> = (first..63)
        .map(|i| 1 << i)
        .take_while(|&k| k <= last)
        .collect();
    if powers.is_empty() {
        vec![last.max(1)]
    } else {
        powers
    }
}
