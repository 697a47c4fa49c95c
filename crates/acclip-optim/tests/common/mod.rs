//! What the tests share: optimizers from a line of text, heavy-tailed gradients, runs and their
//! comparison to the bit.
#![allow(dead_code)] // each test file takes its part

mod runs;

use std::fmt::Debug;
use std::ops::Range;

use acclip_optim::{Block, Element, Hyper, Layout, Link, NAMES, Optimizer, Real, State};
use half::bf16;
#[allow(unused_imports)]
pub use runs::*;

/// Hyper-parameters from a line such as `momentum = 0.8, nesterov = true`.
pub fn hyper(line: &str) -> Hyper {
    toml::from_str(&line.replace(", ", "\n")).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// The optimizer of this name, with these hyper-parameters.
pub fn make(name: &str, line: &str) -> Optimizer {
    Optimizer::new(name, &hyper(line)).unwrap_or_else(|error| panic!("{error}"))
}

/// Names of which each coordinate stands alone.
pub fn by_coordinate(optimizer: &Optimizer) -> bool {
    !by_block(optimizer) && !NORM_OF_ALL.contains(&optimizer.name())
}

/// Names of which each block stands alone, but not each coordinate.
pub fn by_block(optimizer: &Optimizer) -> bool {
    ["gclip-block", "qclip-block", "agc", "stable-adamw"].contains(&optimizer.name())
}

const NORM_OF_ALL: [&str; 7] = [
    "gclip",
    "adamw-clip",
    "proj-gclip",
    "nsgd-momentum",
    "adagc",
    "zclip",
    "autoclip",
];

/// Hyper-parameters that take another path through the code than the defaults.
const PATHS: [(&str, &str); 22] = [
    ("sgd", "weight_decay = 0.1"),
    ("sgd-momentum", "nesterov = true, weight_decay = 0.1"),
    ("nesterov", "momentum = 0"),
    ("gclip", "momentum = 0.8, weight_decay = 0.1"),
    ("gclip-block", "momentum = 0.8, nesterov = true"),
    ("cclip", "momentum = 0.8, weight_decay = 0.1"),
    ("cclip", "momentum = 0.8, nesterov = true, tau = 1"),
    ("acclip-paper", "alpha = 2, weight_decay = 0.1"),
    ("acclip-paper", "alpha = 1.5, weight_decay = 0.1"),
    ("acclip-paper", "bias_correction = true"),
    ("acclip-paper", "alpha = 0.7, bias_correction = true"),
    ("acclip", "alpha = 2, weight_decay = 0.1"),
    ("acclip", "alpha = 1.5, weight_decay = 0.1"),
    ("acclip", "bias_correction = true"),
    ("acclip", "alpha = 1.5, bias_correction = true"),
    ("rmsprop", "momentum = 0.7"),
    ("lion", "weight_decay = 0.1"),
    (
        "qclip",
        "clip_rate = 0.5, clip_gain = 1, weight_decay = 0.1",
    ),
    ("qclip-block", "momentum = 0, clip_gain = 1"),
    ("adagc", "warm_up = 1, max_norm = 100"),
    ("zclip", "warm_up = 2, max_norm = 1000, z_score = 0.5"),
    ("agc", "nesterov = true, clip_factor = 1"),
];

/// Every hyper-parameter but L2 decay, off its default.
const OFF: &str = "momentum = 0.7, nesterov = true, beta1 = 0.8, beta2 = 0.95, eps = 1e-3, alpha = 1.3, \
    bias_correction = true, weight_decay = 0.2, max_norm = 2, tau = 0.3, threshold_growth = 0.3, clip_factor = 1.5, \
    clip_decay = 0.9, clip_rate = 0.2, clip_gain = 0.3, z_score = 1.5, percentile = 40, warm_up = 3, \
    floor = 0.1, radius = 2";

/// The optimizer of this name with all its hyper-parameters but L2 decay off their defaults.
pub fn off_default(name: &str) -> Optimizer {
    let taken = toml::to_string(&make(name, "").hyper()).unwrap();
    let field = |line: &str| line.split(' ').next().unwrap().to_owned();
    let taken: Vec<String> = taken.lines().map(field).collect();
    let lines: Vec<&str> = OFF
        .split(", ")
        .filter(|line| taken.contains(&field(line)))
        .collect();
    assert_eq!(
        lines.len() + usize::from(taken.contains(&"l2".to_owned())),
        taken.len(),
        "{name}"
    );
    make(name, &lines.join(", "))
}

/// Every name with its defaults, with others, with other code paths, and with L2 decay where it takes
/// it.
pub fn variants() -> Vec<Optimizer> {
    let mut all: Vec<_> = NAMES.iter().map(|name| make(name, "")).collect();
    all.extend(NAMES.iter().map(|name| off_default(name)));
    all.extend(PATHS.iter().map(|(name, line)| make(name, line)));
    let l2 = hyper("l2 = 0.05, weight_decay = 0.1");
    all.extend(
        NAMES
            .iter()
            .filter_map(|name| Optimizer::new(name, &l2).ok()),
    );
    all
}

/// Name and hyper-parameters, for messages.
pub fn label(optimizer: &Optimizer) -> String {
    let hyper = serde_json::to_string(&optimizer.hyper()).unwrap();
    format!("{} {hyper}", optimizer.name())
}

/// A number type of parameters and gradients.
pub trait Sample: Element + Debug + PartialEq {
    /// The nearest value.
    fn of(x: f64) -> Self;
    /// The value as an integer, different for +0 and −0.
    fn bits(self) -> u64;
}

macro_rules! sample {
    ($type:ty, $of:expr) => {
        impl Sample for $type {
            fn of(x: f64) -> Self {
                $of(x)
            }
            fn bits(self) -> u64 {
                self.to_bits().into()
            }
        }
    };
}
sample!(f32, |x| x as f32);
sample!(f64, |x| x);
sample!(bf16, bf16::from_f64);

/// The bits of all values.
pub fn bits<P: Sample>(values: &[P]) -> Vec<u64> {
    values.iter().map(|x| x.bits()).collect()
}

/// Uniform in [0, 1), the same for the same arguments.
pub fn uniform(stream: u64, i: u64) -> f64 {
    let mut z = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (stream + 1).wrapping_mul(0xd1b5_4a32_d192_ed03);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Asymmetric, with tails of index 3/2, never 0.
pub fn heavy(i: u64, t: u64) -> f64 {
    let w = uniform(2 * t, i);
    let size = (0.01 + w) / (1.0 - w).cbrt().powi(2);
    if uniform(2 * t + 1, i) < 0.35 {
        -0.5 * size
    } else {
        size
    }
}

/// Coordinate `i` of the gradient of step `t`: heavy-tailed, one in seven is 0, and the scale changes
/// from step to step, so that clips by norm act in some steps and not in others.
pub fn gradient(i: u64, t: u64) -> f64 {
    let scale = [1.0, 1.0 / 4096.0, 8.0, 1.0 / 64.0, 1.0 / 65536.0][(t % 5) as usize];
    if uniform(t + 1_000_000, i) < 1.0 / 7.0 {
        0.0
    } else {
        scale * heavy(i, t)
    }
}

/// A layout, and the gradients of some steps.
pub struct Problem<G> {
    pub layout: Layout,
    pub grads: Vec<Vec<G>>,
}

impl<G: Sample> Problem<G> {
    pub fn new(layout: Layout, steps: u64) -> Self {
        let len = layout.len() as u64;
        let grad = |t| (0..len).map(|i| G::of(gradient(i, t))).collect();
        let grads = (0..steps).map(grad).collect();
        Problem { layout, grads }
    }

    /// The same, without coefficients of blocks for a decay that the optimizer does not have.
    pub fn fit_for(&self, optimizer: &Optimizer) -> Self {
        let has = |kind: fn(&Link) -> bool| optimizer.links().iter().any(kind);
        let l2 = has(|link| matches!(link, Link::L2(_)));
        let decay = has(|link| matches!(link, Link::WeightDecay(_)));
        let fit = |(block, _): (&Block, _)| Block {
            l2: block.l2.filter(|_| l2),
            weight_decay: block.weight_decay.filter(|_| decay),
            ..block.clone()
        };
        let blocks = self.layout.blocks().map(fit);
        self.part(Layout::new(blocks.collect()).unwrap(), 0..self.layout.len())
    }

    /// The part of some coordinates, with a layout of its own.
    pub fn part(&self, layout: Layout, range: Range<usize>) -> Self {
        let grads = self
            .grads
            .iter()
            .map(|grad| grad[range.clone()].to_vec())
            .collect();
        Problem { layout, grads }
    }
}

/// The values of a slot or memory.
pub fn slot<F: Real>(state: &State<F>, name: &str, layout: &Layout) -> Vec<F> {
    state
        .values(name, layout)
        .unwrap_or_else(|| panic!("no slot {name}"))
}

/// The state before the first step, but with these values in one slot.
pub fn init_with(optimizer: &Optimizer, layout: &Layout, name: &str, values: &[f64]) -> State<f64> {
    let state: State<f64> = optimizer.init(layout);
    let mut tensors = state.tensors();
    let tensor = tensors
        .iter_mut()
        .find(|tensor| tensor.name == name)
        .unwrap();
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_ne_bytes()).collect();
    tensor.bytes = bytes.into();
    State::restore(optimizer, layout, &state.header(layout), tensors).unwrap()
}

/// One block, which decays.
pub fn one_block(len: usize) -> Layout {
    Layout::new(vec![Block::new("w", [len], true)]).unwrap()
}

/// Blocks of every kind; one has more than one chunk of 32 Ki. With `own_l2`, one has an L2 decay of
/// its own.
pub fn groups(own_l2: bool) -> Layout {
    let head = Block {
        weight_decay: Some(0.3),
        l2: own_l2.then_some(0.02),
        ..Block::new("head", [33_001], false)
    };
    let frozen = |name, shape: &[usize]| Block {
        frozen: true,
        ..Block::new(name, shape, true)
    };
    let scaled = |name, shape: &[usize], learning_rate_scale| Block {
        learning_rate_scale,
        ..Block::new(name, shape, true)
    };
    Layout::new(vec![
        Block::new("embedding", [30, 130], true),
        frozen("frozen", &[300]),
        Block::new("bias", [17], false),
        Block::new("empty", [0], true),
        scaled("slow", &[65, 9], 0.3),
        head,
        scaled("gain", &[], 2.0),
        frozen("last", &[3, 3]),
    ])
    .unwrap()
}

/// Runs `f` on a thread pool with this many threads. With one, small steps do not wait for others.
pub fn on_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(f)
}

/// A chain of links, under a name of its own.
pub fn chain(links: Vec<Link>) -> Optimizer {
    Optimizer::chain("chain", links).unwrap()
}
