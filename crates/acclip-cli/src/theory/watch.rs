//! Ctrl-C for an experiment, and its progress on stderr.

use crate::commands::note;
use crate::report;
use acclip_theory::ensemble;
use acclip_train::Control;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two looks at Ctrl-C and at the number of steps.
const GLANCE: Duration = Duration::from_millis(100);
/// Between two lines of progress where stderr is no terminal.
const QUIET: Duration = Duration::from_secs(10);

/// Runs `work`, while another thread hands Ctrl-C on to it and shows how many steps it has taken.
pub(super) fn watched<T>(
    name: &str,
    control: Control,
    work: impl FnOnce(&ensemble::Control) -> T,
) -> T {
    let inner = ensemble::Control::default();
    let (working, over) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let inner = &inner;
        // Dropped here even if `work` panics: the other thread ends, and the scope with it.
        let _working = working;
        scope.spawn(move || {
            let mut steps = Steps::new(name);
            while over.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
                if control.stop.load(Ordering::Relaxed) {
                    inner.stop();
                }
                steps.show(inner.steps());
            }
        });
        work(inner)
    })
}

/// Progress of work whose length nobody knows: steps so far, and how fast.
struct Steps<'a> {
    name: &'a str,
    began: Instant,
    last: Instant,
    /// On a terminal.
    spinner: Option<ProgressBar>,
}

impl<'a> Steps<'a> {
    fn new(name: &'a str) -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {spinner} {elapsed}  {wide_msg}");
            ProgressBar::new_spinner()
                .with_style(style.expect("a valid template"))
                .with_prefix(name.to_string())
        });
        Self {
            name,
            began: Instant::now(),
            last: Instant::now(),
            spinner,
        }
    }

    fn show(&mut self, steps: u64) {
        let rate = steps as f64 / self.began.elapsed().as_secs_f64();
        let [steps, rate] = [steps as f64, rate].map(report::amount);
        let message = format!("{steps} steps, {rate} steps/s");
        if let Some(spinner) = &self.spinner {
            spinner.set_message(message);
            spinner.tick();
        } else if self.last.elapsed() >= QUIET {
            self.last = Instant::now();
            note(&format!("{}: {message}", self.name));
        }
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
