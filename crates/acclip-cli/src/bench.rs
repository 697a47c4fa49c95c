//! `acclip bench optim`: how fast a step of each optimizer is, beside what memory allows.
//!
//! For each optimizer, the step beside each of the others, by turns, so that a noisy neighbour meets both:
//!
//! ```text
//! loop    reads and writes parameters and slots, and reads the gradient, before that once more where a
//!         clip needs its norm: the least that a step must do
//! step    the step in one pass (bad gradients zeroed)
//! check   the default step, which first reads the gradient for its norm and for bad entries
//! chain   the same links, one after the other over all of memory
//! bf16, 8-bit   the step in one pass, with state in fewer bits
//! ```
//!
//! What is printed are medians over rounds of times, and of ratios within a round.

use acclip_optim::{
    Block, Format, Hyper, InstructionSet, Layout, NAMES, NonFinite, Optimizer, State,
};
use acclip_train::Error;
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;

use crate::args::BenchOptim;

/// Those with a kernel of their own.
const DEFAULT: [&str; 8] = [
    "sgd-momentum",
    "gclip",
    "adamw",
    "rmsprop",
    "lion",
    "acclip-paper",
    "acclip",
    "qclip",
];
/// Of the memory that is available, the share that may be used.
const SHARE: f64 = 0.7;
/// Coordinates that a thread of the loop takes at a time.
const CHUNK: usize = 32 * 1024;

/// What was measured, for `--json`.
#[derive(Serialize)]
pub struct BenchReport {
    /// Version of the program.
    version: &'static str,
    /// What the rules computed with.
    instruction_set: String,
    threads: usize,
    params: usize,
    rounds: usize,
    rows: Vec<Row>,
}

/// One optimizer on one layout; times in milliseconds, medians over rounds.
#[derive(Serialize)]
struct Row {
    optimizer: String,
    blocks: usize,
    /// Bytes per parameter that a step must read and write.
    bytes: usize,
    loop_ms: f64,
    step_ms: f64,
    check_ms: f64,
    chain_ms: f64,
    bf16_ms: f64,
    bits8_ms: f64,
    /// loop / step: 1 is what memory allows.
    of_memory: f64,
    /// Least and largest over rounds.
    of_memory_range: (f64, f64),
    /// How many times as long the chain takes.
    chain_over_step: f64,
    /// How many times as fast the step is with state in fewer bits.
    bf16_speedup: f64,
    bits8_speedup: f64,
}

/// Runs the benchmark, and prints it.
pub fn run(args: &BenchOptim, note: &dyn Fn(&str)) -> Result<(), Error> {
    let wrong = |key: &str, problem: String| Error::Config {
        key: key.to_owned(),
        problem,
    };
    if args.params == 0 || args.rounds == 0 {
        let problem = "must be at least 1".to_owned();
        return Err(wrong("--params and --rounds", problem));
    }
    let names: Vec<&str> = match args.optimizers.is_empty() {
        true => DEFAULT.to_vec(),
        false => args.optimizers.iter().map(String::as_str).collect(),
    };
    if let Some(name) = names.iter().find(|name| !NAMES.contains(name)) {
        let problem = format!(
            "no optimizer is called '{name}'; known: {}",
            NAMES.join(", ")
        );
        return Err(wrong("--optimizers", problem));
    }
    let params = fitting(args.params);
    if params < args.params {
        note(&format!(
            "{} parameters would not fit in memory; measuring {params}",
            args.params
        ));
    }
    let mut layouts = vec![1, args.blocks.clamp(1, params)];
    layouts.dedup();
    let mut rows = Vec::new();
    for blocks in layouts {
        let layout = layout(params, blocks).map_err(Error::Optim)?;
        for name in &names {
            rows.push(measure(name, &layout, args.rounds).map_err(Error::Optim)?);
            if !args.json {
                print_row(rows.last().expect("just pushed"), rows.len() == 1);
            }
        }
    }
    let report = BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        instruction_set: format!("{:?}", InstructionSet::widest()),
        threads: rayon::current_num_threads(),
        params,
        rounds: args.rounds,
        rows,
    };
    if args.json {
        let json = serde_json::to_string_pretty(&report).expect("numbers and names");
        println!("{json}");
    } else {
        println!(
            "\n{} parameters, medians of {} rounds, {} threads, {}.\n\
             of memory: loop ÷ step, where the loop moves the same bytes and hardly computes \
             (range over rounds);\ncheck: refuses gradients that are not finite, for which it reads them \
             before the step; chain: link by link;\nbf16, 8-bit: times as fast with state in fewer bits.",
            report.params, report.rounds, report.threads, report.instruction_set
        );
    }
    Ok(())
}

/// The number of parameters, halved until buffers for a rule with three slots fit twice.
fn fitting(mut params: usize) -> usize {
    let Some(available) = acclip_train::available_memory() else {
        return params;
    };
    while params > 1 && 4.0 * 15.0 * params as f64 > SHARE * available {
        params /= 2;
    }
    params
}

/// Blocks of sizes as in a model: every second one is a hundred times as small.
fn layout(params: usize, blocks: usize) -> Result<Layout, acclip_optim::Error> {
    let large = blocks.div_ceil(2);
    let small = (params / blocks / 100).max(1);
    let rest = params - small * (blocks - large);
    let size = |i: usize| match i {
        _ if i % 2 == 1 => small,
        0 => rest - rest / large * (large - 1),
        _ => rest / large,
    };
    Layout::new(
        (0..blocks)
            .map(|i| Block::new(format!("block.{i}"), [size(i)], i % 2 == 0))
            .collect(),
    )
}

/// An optimizer and its state.
struct Subject {
    optimizer: Optimizer,
    state: State<f32>,
}

impl Subject {
    fn new(optimizer: Optimizer, layout: &Layout) -> Self {
        let state = optimizer.init(layout);
        Subject { optimizer, state }
    }

    fn time(
        &mut self,
        layout: &Layout,
        params: &mut [f32],
        grad: &[f32],
    ) -> Result<f64, acclip_optim::Error> {
        let start = Instant::now();
        (self.optimizer).step(1e-4, layout, params, grad, &mut self.state)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }
}

fn measure(name: &str, layout: &Layout, rounds: usize) -> Result<Row, acclip_optim::Error> {
    let checked = Optimizer::new(name, &Hyper::default())?;
    let one_pass = checked.clone().with_non_finite(NonFinite::Zero);
    let slots = checked.coordinate_slots();
    let needs_norm = checked.needs_norm();
    let grad: Vec<f32> = (0..layout.len())
        .map(|i| ((i * 7919) % 1001) as f32 / 500.0 - 0.9)
        .collect();
    let mut params = vec![0.5_f32; layout.len()];

    // Each comparison has its buffers while it runs, or memory would not hold them.
    let loops = {
        let mut buffers = vec![vec![0.5_f32; layout.len()]; slots + 1];
        let mut step = Subject::new(one_pass.clone(), layout);
        let mut rows = Vec::new();
        for round in 0..=rounds {
            let start = Instant::now();
            if needs_norm {
                std::hint::black_box(read(&grad));
            }
            read_modify_write(&mut buffers, &grad);
            let plain = start.elapsed().as_secs_f64() * 1e3;
            let one = step.time(layout, &mut params, &grad)?;
            if round > 0 {
                rows.push([plain, one]);
            }
        }
        rows
    };
    let against = |optimizer: Optimizer, params: &mut [f32]| {
        let mut base = Subject::new(one_pass.clone(), layout);
        let mut other = Subject::new(optimizer, layout);
        let mut rows = Vec::new();
        for round in 0..=rounds {
            let row = [
                base.time(layout, params, &grad)?,
                other.time(layout, params, &grad)?,
            ];
            if round > 0 {
                rows.push(row);
            }
        }
        Ok::<_, acclip_optim::Error>(rows)
    };
    let check = against(checked, &mut params)?;
    let chain = against(one_pass.clone().with_one_pass(false), &mut params)?;
    let bf16 = against(one_pass.clone().with_format(Format::Bf16), &mut params)?;
    let bits8 = against(one_pass.clone().with_format(Format::Bits8), &mut params)?;

    let column = |rows: &[[f64; 2]], which: usize| median(rows.iter().map(|row| row[which]));
    let ratio = |rows: &[[f64; 2]]| median(rows.iter().map(|row| row[0] / row[1]));
    let of_memory = loops.iter().map(|[plain, step]| plain / step);
    Ok(Row {
        optimizer: name.to_owned(),
        blocks: layout.block_count(),
        bytes: 4 * (2 * (slots + 1) + 1 + usize::from(needs_norm)),
        loop_ms: column(&loops, 0),
        step_ms: column(&loops, 1),
        check_ms: column(&check, 1),
        chain_ms: column(&chain, 1),
        bf16_ms: column(&bf16, 1),
        bits8_ms: column(&bits8, 1),
        of_memory: ratio(&loops),
        of_memory_range: (
            of_memory.clone().fold(f64::INFINITY, f64::min),
            of_memory.fold(0.0, f64::max),
        ),
        chain_over_step: 1.0 / ratio(&chain),
        bf16_speedup: ratio(&bf16),
        bits8_speedup: ratio(&bits8),
    })
}

/// The median; NaN has the largest place.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}

fn print_row(row: &Row, first: bool) {
    if first {
        println!(
            "{:<22}{:>7}{:>7}{:>9}{:>9}  {:<20}{:>9}{:>9}{:>7}{:>7}",
            "optimizer",
            "blocks",
            "bytes",
            "loop, ms",
            "step, ms",
            "of memory",
            "check, ms",
            "chain",
            "bf16",
            "8-bit"
        );
    }
    let (least, most) = row.of_memory_range;
    let of_memory = format!("{:.2} ({least:.2}–{most:.2})", row.of_memory);
    println!(
        "{:<22}{:>7}{:>7}{:>9.2}{:>9.2}  {of_memory:<20}{:>9.2}{:>8.2}×{:>6.2}×{:>6.2}×",
        row.optimizer,
        row.blocks,
        row.bytes,
        row.loop_ms,
        row.step_ms,
        row.check_ms,
        row.chain_over_step,
        row.bf16_speedup,
        row.bits8_speedup
    );
}

/// Reads every entry, and hardly computes.
fn read(x: &[f32]) -> u32 {
    let chunk = |x: &[f32]| x.iter().fold(0, |or, x| or | x.to_bits());
    x.par_chunks(CHUNK).map(chunk).reduce(|| 0, |a, b| a | b)
}

/// Reads and writes every buffer once and reads `grad` once, all in one loop, as a step in one pass.
fn read_modify_write(buffers: &mut [Vec<f32>], grad: &[f32]) {
    fn add(x: &mut [f32], g: &[f32]) {
        for (x, g) in x.iter_mut().zip(g) {
            *x = 0.9 * *x + g;
        }
    }
    let chunks = grad.par_chunks(CHUNK);
    match buffers {
        [a] => (a.par_chunks_mut(CHUNK).zip(chunks)).for_each(|(a, g)| add(a, g)),
        [a, b] => (a
            .par_chunks_mut(CHUNK)
            .zip(b.par_chunks_mut(CHUNK))
            .zip(chunks))
        .for_each(|((a, b), g)| {
            for ((a, b), g) in a.iter_mut().zip(b).zip(g) {
                (*a, *b) = (0.9 * *a + g, 0.9 * *b + g);
            }
        }),
        [a, b, c] => (a.par_chunks_mut(CHUNK).zip(b.par_chunks_mut(CHUNK)))
            .zip(c.par_chunks_mut(CHUNK).zip(chunks))
            .for_each(|((a, b), (c, g))| {
                for ((a, b), (c, g)) in a.iter_mut().zip(b).zip(c.iter_mut().zip(g)) {
                    (*a, *b, *c) = (0.9 * *a + g, 0.9 * *b + g, 0.9 * *c + g);
                }
            }),
        [a, b, c, d, ..] => (a.par_chunks_mut(CHUNK).zip(b.par_chunks_mut(CHUNK)))
            .zip(c.par_chunks_mut(CHUNK).zip(d.par_chunks_mut(CHUNK)))
            .zip(chunks)
            .for_each(|(((a, b), (c, d)), g)| {
                for (((a, b), (c, d)), g) in (a.iter_mut().zip(b).zip(c.iter_mut().zip(d))).zip(g) {
                    (*a, *b) = (0.9 * *a + g, 0.9 * *b + g);
                    (*c, *d) = (0.9 * *c + g, 0.9 * *d + g);
                }
            }),
        [] => {}
    }
}
