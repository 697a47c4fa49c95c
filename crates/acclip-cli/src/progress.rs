//! Progress on stderr: bars with the time left on a terminal, plain lines elsewhere.

use crate::commands::note;
use acclip_train::{Progress, Task};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// The right kind of progress for this stderr.
pub fn for_stderr() -> Box<dyn Progress> {
    match std::io::stderr().is_terminal() {
        true => Box::new(Bars(MultiProgress::new())),
        false => Box::new(Lines),
    }
}

struct Bars(MultiProgress);

impl Progress for Bars {
    fn begin(&self, name: &str, total: u64) -> Box<dyn Task + Send> {
        let style = "{prefix:30!} {bar:10} {pos}/{len}, {eta} left  {wide_msg}";
        let bar = ProgressBar::new(total)
            .with_style(ProgressStyle::with_template(style).expect("a valid template"))
            .with_prefix(name.to_string());
        Box::new(Bar(self.0.add(bar)))
    }

    fn warn(&self, text: &str) {
        // A terminal that has gone away must not end the run.
        let _ = self.0.println(format!("warning: {text}"));
    }
}

struct Bar(ProgressBar);

impl Task for Bar {
    fn update(&mut self, done: u64, message: &str) {
        self.0.set_position(done);
        if !message.is_empty() {
            self.0.set_message(message.to_string());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Between two lines of one task.
const QUIET: Duration = Duration::from_secs(10);

struct Lines;

impl Progress for Lines {
    fn begin(&self, name: &str, total: u64) -> Box<dyn Task + Send> {
        Box::new(Line {
            name: name.to_string(),
            total,
            message: String::new(),
            began: Instant::now(),
            last: Instant::now(),
            from: None,
        })
    }

    fn warn(&self, text: &str) {
        note(&format!("warning: {text}"));
    }
}

struct Line {
    name: String,
    total: u64,
    message: String,
    began: Instant,
    last: Instant,
    /// Where a resumed task began.
    from: Option<u64>,
}

impl Task for Line {
    fn update(&mut self, done: u64, message: &str) {
        let from = *self.from.get_or_insert(done.saturating_sub(1));
        if !message.is_empty() {
            self.message = message.to_string();
        }
        if done >= self.total {
            let seconds = self.began.elapsed().as_secs_f64();
            note(&format!(
                "{}: done in {seconds:.1} s  {}",
                self.name, self.message
            ));
        } else if self.last.elapsed() >= QUIET {
            self.last = Instant::now();
            let rate = (done - from) as f64 / self.began.elapsed().as_secs_f64();
            let left = (self.total - done) as f64 / rate;
            note(&format!(
                "{}: {done}/{}, {left:.0} s left  {}",
                self.name, self.total, self.message
            ));
        }
    }
}
