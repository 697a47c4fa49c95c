//! The program `acclip`: reads the command line, prepares a run folder, runs, and reports.

mod allocator;
mod args;
mod bench;
mod bench_noise;
mod bench_train;
mod calibration;
mod commands;
mod input;
mod noise_file;
mod paper;
mod progress;
mod report;
mod squad_eval;
mod theory;

use acclip_train::Control;
use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    let cli = args::Cli::parse();
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let handler = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED)); // asked twice: at once
        }
        commands::note("stopping after this step; press Ctrl-C again to stop at once");
    });
    if let Err(error) = handler {
        commands::note(&format!("warning: Ctrl-C will not save: {error}"));
    }
    let threads = rayon::ThreadPoolBuilder::new().num_threads(usize::from(cli.threads));
    if let Err(error) = threads.build_global() {
        commands::note(&format!(
            "error: cannot start {} threads: {error}",
            cli.threads
        ));
        return ExitCode::from(2);
    }
    let progress = progress::for_stderr();
    let control = Control {
        stop: &stop,
        progress: &*progress,
    };
    match commands::run(cli.command, control) {
        Ok(ended) => ExitCode::from(ended.status()),
        Err(error) => {
            commands::note(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}
