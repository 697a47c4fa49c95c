//! `acclip noise --calibrate`: how often is the verdict right?

use crate::args::Noise;
use crate::commands::{machine, show};
use crate::report;
use acclip_noise::verdict::battery::{BATTERY, Score, calibrate};
use acclip_train::{Control, Error};
use serde::Serialize;

/// What `acclip noise --calibrate` found.
#[derive(Serialize)]
pub struct Calibration {
    /// Seed of all samples.
    pub seed: u64,
    /// The program and the machine.
    pub version: &'static str,
    /// Commit of the program.
    pub commit: &'static str,
    /// Where it ran; another machine gives the same numbers but for rounding.
    pub machine: String,
    /// Gradients in a sample.
    pub gradients: usize,
    /// Samples of each law.
    pub samples: usize,
    /// A score for each law.
    pub scores: Vec<Score>,
}

/// Runs the battery.
pub fn run(args: &Noise, control: Control) -> Result<(), Error> {
    let (gradients, samples) = (args.gradients as usize, args.samples as usize);
    let seed = args.common.seed.unwrap_or(0);
    let mut task = control.progress.begin("calibration", BATTERY.len() as u64);
    let scores = calibrate(&BATTERY, gradients, samples, seed, |done| {
        task.update(done as u64, BATTERY[done - 1].name);
        if control.stopped() {
            std::process::exit(i32::from(crate::INTERRUPTED)); // there is nothing to keep
        }
    })?;
    let found = Calibration {
        seed,
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("ACCLIP_COMMIT"),
        machine: machine(),
        gradients,
        samples,
        scores,
    };
    show(&args.common, &found, report::calibration_text)
}
