//! `acclip bench noise`: how long the statistics of noise take.
//!
//! The samples are made here from a seed: draws of the symmetric stable law with α = 1.5, and
//! Pareto draws with α = 1.5. Each task runs once for warm-up; printed are median, least and largest time.

use crate::args::BenchNoise;
use crate::commands::{machine, print};
use acclip_noise::diagnose;
use acclip_noise::fit::Symmetry;
use acclip_noise::fit::likelihood::{Location, maximum_likelihood};
use acclip_noise::fit::mcculloch::mcculloch;
use acclip_noise::stable::{LogDensity, S0, Stable};
use acclip_noise::tail::power_law::fit_continuous;
use acclip_train::Error;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;

/// What was measured.
#[derive(Serialize)]
struct BenchReport {
    version: &'static str,
    machine: String,
    threads: usize,
    rounds: usize,
    rows: Vec<Row>,
}

/// One task on n values; seconds.
#[derive(Serialize)]
struct Row {
    task: &'static str,
    n: usize,
    median: f64,
    least: f64,
    largest: f64,
}

/// A task by its name, the number of values, and what is done with them.
type Task = (&'static str, usize, fn(&[f64]));

const TASKS: [Task; 8] = [
    ("log-density", 2_000, log_density),
    ("log-density", 1_000_000, log_density),
    ("maximum likelihood", 200, likelihood),
    ("maximum likelihood", 1_000_000, likelihood),
    ("quantile fit", 1_000_000, |x| {
        black_box(mcculloch(x, Symmetry::Free).ok());
    }),
    ("power law", 10_000, power_law),
    ("power law", 5_000_000, power_law),
    ("verdict", 10_000, |x| {
        let norms: Vec<f64> = x.iter().map(|x| x.abs()).collect();
        black_box(diagnose(&norms).ok());
    }),
];

fn law() -> Stable {
    Stable::try_from(S0 {
        alpha: 1.5,
        beta: 0.0,
        scale: 1.0,
        location: 0.0,
    })
    .expect("a law")
}

fn log_density(x: &[f64]) {
    black_box(LogDensity::new(&law()).of(x));
}

fn likelihood(x: &[f64]) {
    black_box(maximum_likelihood(x, Symmetry::Free, Location::Free).ok());
}

/// From draws of a stable law to a power law: |x|, which is one in the tail.
fn power_law(x: &[f64]) {
    let norms: Vec<f64> = x.iter().map(|x| x.abs()).collect();
    black_box(fit_continuous(&norms).ok());
}

/// Runs the benchmark, and prints it.
pub fn run(args: &BenchNoise) -> Result<(), Error> {
    let rounds = usize::from(args.rounds);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draws = vec![0.0; 5_000_000];
    let row = |task, n, mut work: Box<dyn FnMut() + '_>| {
        work();
        let mut times: Vec<f64> = (0..rounds)
            .map(|_| {
                let start = Instant::now();
                work();
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        Row {
            task,
            n,
            median: times[times.len() / 2],
            least: times[0],
            largest: times[times.len() - 1],
        }
    };
    let sampling = row(
        "sampling",
        5_000_000,
        Box::new(|| law().fill(&mut draws, &mut rng)),
    );
    let mut rows = vec![sampling];
    for (task, n, work) in TASKS {
        let values = &draws[..n];
        rows.push(row(task, n, Box::new(move || work(values))));
    }
    let report = BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        machine: machine(),
        threads: rayon::current_num_threads(),
        rounds,
        rows,
    };
    if args.json {
        let json = serde_json::to_string_pretty(&report).expect("our own records are valid JSON");
        return print(&(json + "\n"));
    }
    let mut text = format!(
        "{}, {} threads, {} rounds; milliseconds\n{:<20} {:>9} {:>10} {:>10} {:>10}\n",
        report.machine, report.threads, report.rounds, "task", "n", "median", "least", "largest"
    );
    for r in &report.rows {
        let [median, least, largest] = [r.median, r.least, r.largest].map(|s| 1e3 * s);
        text.push_str(&format!(
            "{:<20} {:>9} {median:>10.2} {least:>10.2} {largest:>10.2}\n",
            r.task, r.n
        ));
    }
    print(&text)
}
