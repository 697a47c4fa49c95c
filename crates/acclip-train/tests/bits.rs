//! The same seed gives the same bits: after kills and resumes, and for any number of threads.

use acclip_train::{Config, Control, Dataset, Outcome, Progress, RunResult, Silent, Task, train};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A text of some 900 different words, from a small linear congruential generator.
fn text() -> String {
    const SYLLABLES: [&str; 10] = [
        "gra", "di", "ent", "noi", "se", "tail", "clip", "norm", "he", "vy",
    ];
    let mut state = 1_u64;
    let mut draw = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % n
    };
    let mut text = String::new();
    for i in 0..6000 {
        for _ in 0..=draw(3) {
            text.push_str(SYLLABLES[draw(10)]);
        }
        text.push_str(if i % 300 == 299 { ".\n\n" } else { " " });
    }
    text
}

/// A configuration on that text, written to `folder`.
fn config(folder: &Path, settings: &[&str]) -> Config {
    let corpus = folder.join("corpus.txt");
    std::fs::write(&corpus, text()).unwrap();
    let mut all = vec![format!("corpus.path={:?}", corpus.to_str().unwrap())];
    all.extend(settings.iter().map(|s| s.to_string()));
    Config::resolve(Some("smoke"), None, &all).unwrap()
}

/// Stops the run in good order after some steps, or breaks off in the middle of the loop by a panic:
/// nothing is saved then, and lines of `metrics.jsonl` stand beyond the last checkpoint. (What a real
/// `kill -9` leaves is tested with the program.)
struct Interrupt {
    after: u64,
    kill: bool,
    stop: Arc<AtomicBool>,
}

impl Progress for Interrupt {
    fn begin(&self, _: &str, _: u64) -> Box<dyn Task + Send> {
        Box::new(Interrupt {
            stop: Arc::clone(&self.stop),
            ..*self
        })
    }
    fn warn(&self, text: &str) {
        panic!("unexpected warning: {text}");
    }
}

impl Task for Interrupt {
    fn update(&mut self, done: u64, _: &str) {
        if done == self.after {
            assert!(!self.kill, "killed");
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs `config` in `folder` until step `after`, and says whether it came to its end.
fn run_until(config: &Config, dataset: &Dataset, folder: &Path, after: u64, kill: bool) -> bool {
    let interrupt = Interrupt {
        after,
        kill,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let control = Control {
        stop: &interrupt.stop,
        progress: &interrupt,
    };
    let run = AssertUnwindSafe(|| train(config, dataset, folder, control).unwrap());
    matches!(catch_unwind(run), Ok(Outcome::Done(_)))
}

/// Runs `config` in `folder` to its end, whatever that is.
fn finished(config: &Config, dataset: &Dataset, folder: &Path) -> RunResult {
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    match train(config, dataset, folder, control).unwrap() {
        Outcome::Done(result) => result,
        Outcome::Interrupted => panic!("it was not interrupted"),
    }
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

/// Trains `config` in a new folder; returns the bytes of its last checkpoint, parameters and
/// optimizer state.
fn trained(config: &Config, dataset: &Dataset) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    assert!(run_until(config, dataset, folder.path(), u64::MAX, false));
    bytes(
        folder.path(),
        &format!("checkpoints/step-{:012}.safetensors", config.train.steps),
    )
}

#[test]
fn three_interruptions_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    for name in acclip_optim::NAMES {
        let settings = [
            &format!("optimizer.name={name}")[..],
            "train.steps=60",
            "train.checkpoint_every=7",
            "train.eval_every=20",
        ];
        let config = config(folder.path(), &settings);
        let dataset = Dataset::load(&config, None).unwrap();
        let (straight, broken) = (
            folder.path().join("a").join(name),
            folder.path().join("b").join(name),
        );
        assert!(run_until(&config, &dataset, &straight, u64::MAX, false));
        // Killed before the first checkpoint, killed between two, stopped in good order between two.
        assert!(!run_until(&config, &dataset, &broken, 5, true));
        assert!(!run_until(&config, &dataset, &broken, 25, true));
        assert!(!run_until(&config, &dataset, &broken, 41, false));
        assert!(run_until(&config, &dataset, &broken, u64::MAX, false));
        for file in ["checkpoints/step-000000000060.safetensors", "metrics.jsonl"] {
            assert!(
                bytes(&straight, file) == bytes(&broken, file),
                "{name}: {file} differs"
            );
        }
    }
}

#[test]
fn one_two_and_four_threads_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    // Large enough that every parallel path of the backend and of the optimizer is taken.
    let sizes = [
        "model.size=tiny",
        "model.hidden=256",
        "model.heads=2",
        "model.seq_len=64",
        "train.batch_size=16",
        "train.steps=3",
        "train.eval_batches=1",
        "corpus.held_out=0.5",
        "corpus.vocab_size=2000",
    ];
    let config = config(folder.path(), &sizes);
    let dataset = Dataset::load(&config, None).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| trained(&config, &dataset))
    };
    let one = on(1);
    assert!(one == on(2), "two threads differ from one");
    assert!(one == on(4), "four threads differ from one");
}

#[test]
fn recomputation_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let configs = ["model.recompute=false", "model.recompute=true"]
        .map(|setting| config(folder.path(), &[setting, "train.steps=5"]));
    let dataset = Dataset::load(&configs[0], None).unwrap();
    assert!(trained(&configs[0], &dataset) == trained(&configs[1], &dataset));
}

#[test]
fn another_seed_gives_other_bits() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = ["seed=0", "seed=1"].map(|seed| config(folder.path(), &[seed]));
    let dataset = Dataset::load(&seeds[0], None).unwrap();
    assert!(trained(&seeds[0], &dataset) != trained(&seeds[1], &dataset));
}

#[test]
fn a_learning_rate_that_diverges_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "optimizer.name=sgd",
        "optimizer.learning_rate=1e12",
        "train.steps=50",
    ];
    let config = config(folder.path(), &settings);
    let dataset = Dataset::load(&config, None).unwrap();
    let result = finished(&config, &dataset, &folder.path().join("run"));
    assert!(
        result.diverged_at.is_some_and(|step| step < 50),
        "{result:?}"
    );
    assert_eq!(result.valid_loss, None);
}

/// The last update may be the one that ruins the parameters; the validation sees it.
#[test]
fn a_run_that_diverges_at_its_last_step_is_not_a_success() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "optimizer.name=adamw",
        "optimizer.learning_rate=1e10",
        "train.steps=1",
        "train.warmup=0",
    ];
    let config = config(folder.path(), &settings);
    let dataset = Dataset::load(&config, None).unwrap();
    let run = || finished(&config, &dataset, &folder.path().join("run"));
    let result = run();
    assert_eq!((result.diverged_at, result.valid_loss), (Some(1), None));
    assert!(result.curve.iter().all(|point| point.loss.is_finite()));
    assert_eq!(run(), result, "read back from its file");
}
