//! How long work shows itself, and how it is asked to stop. The trainer only reports; terminals,
//! signals and clocks on the wall are the caller's.

use std::sync::atomic::{AtomicBool, Ordering};

/// Hears how far the work is. Several tasks may run at the same time.
pub trait Progress: Sync {
    /// A task of `total` units begins.
    fn begin(&self, name: &str, total: u64) -> Box<dyn Task + Send>;
    /// Something happened that a reader should know, such as a damaged checkpoint.
    fn warn(&self, text: &str);
}

/// One running task; dropping it ends it.
pub trait Task {
    /// `done` units of the task are finished; `message` is its state in a few words.
    fn update(&mut self, done: u64, message: &str);
}

/// What a long computation takes with it.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Set from outside (Ctrl-C): finish the step, save, and return.
    pub stop: &'a AtomicBool,
    /// Hears how far the work is.
    pub progress: &'a dyn Progress,
}

impl Control<'_> {
    /// Whether to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Hears nothing: for tests and for callers without a terminal.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) -> Box<dyn Task + Send> {
        Box::new(Silent)
    }
    fn warn(&self, _: &str) {}
}

impl Task for Silent {
    fn update(&mut self, _: u64, _: &str) {}
}
