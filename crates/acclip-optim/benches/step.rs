//! `cargo bench -p acclip-optim`: one step, by rule, size, instruction set and format of state.
//!
//! 16 Ki parameters stay in the second-level cache of a core, 4 Mi do not stay in any. Times are of one
//! thread but for `memory`, which uses all. For ratios to what memory allows: `acclip bench optim`.

use acclip_optim::{Block, Format, Hyper, InstructionSet, Layout, NonFinite, Optimizer};
use divan::{Bencher, counter::ItemsCount};

const RULES: [&str; 9] = [
    "sgd",
    "sgd-momentum",
    "adamw",
    "rmsprop",
    "lion",
    "acclip-paper",
    "acclip",
    "qclip",
    "amsgrad",
];
const CACHED: usize = 16 * 1024;
const LARGE: usize = 4 * 1024 * 1024;

fn main() {
    divan::main();
}

fn optimizer(name: &str) -> Optimizer {
    Optimizer::new(name, &Hyper::default())
        .expect("a name")
        .with_non_finite(NonFinite::Zero)
}

/// Times steps on `len` parameters. A buffer of one chunk, such as [`CACHED`], needs one thread.
fn step(bencher: Bencher, optimizer: Optimizer, len: usize) {
    let layout = Layout::new(vec![Block::new("w", [len], true)]).expect("a layout");
    let grad: Vec<f32> = (0..len)
        .map(|i| (i * 7919 % 1001) as f32 / 500.0 - 0.9)
        .collect();
    let (mut params, mut state) = (vec![0.5_f32; len], optimizer.init(&layout));
    bencher.counter(ItemsCount::new(len)).bench_local(|| {
        optimizer
            .step(1e-4, &layout, &mut params, &grad, &mut state)
            .expect("a step")
    });
}

#[divan::bench(args = RULES)]
fn cached(bencher: Bencher, name: &str) {
    step(bencher, optimizer(name), CACHED);
}

#[divan::bench(args = RULES)]
fn memory(bencher: Bencher, name: &str) {
    step(bencher, optimizer(name), LARGE);
}

#[divan::bench(args = RULES)]
fn memory_chain(bencher: Bencher, name: &str) {
    step(bencher, optimizer(name).with_one_pass(false), LARGE);
}

#[divan::bench(args = [0.5, 1.0, 1.5, 2.0])]
fn acclip_alpha(bencher: Bencher, alpha: f64) {
    let hyper = Hyper {
        alpha: Some(alpha),
        ..Hyper::default()
    };
    let optimizer = Optimizer::new("acclip-paper", &hyper).expect("a name");
    step(bencher, optimizer.with_non_finite(NonFinite::Zero), CACHED);
}

#[divan::bench(args = InstructionSet::available())]
fn adamw_set(bencher: Bencher, set: InstructionSet) {
    step(
        bencher,
        optimizer("adamw").with_instruction_set(set),
        CACHED,
    );
}

#[divan::bench(args = [Format::Full, Format::Bf16, Format::Bits8])]
fn adamw_state(bencher: Bencher, format: Format) {
    step(bencher, optimizer("adamw").with_format(format), CACHED);
}
