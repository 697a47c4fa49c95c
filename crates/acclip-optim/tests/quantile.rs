//! The clip rate of a quantile threshold under noise whose variance may not exist, and that of other
//! rules beside it.

use acclip_optim::{Block, Hyper, Layout, Optimizer, State};

/// 8 blocks of 64 coordinates: a clip by norm has 8 observations a step, one by coordinate 512.
const BLOCKS: usize = 8;
const WIDTH: usize = 64;
const RATE: f64 = 0.1;
const GAIN: f64 = 0.1;

#[derive(Clone)]
struct Random(u64);

impl Random {
    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
    /// Symmetric α-stable, by the method of Chambers, Mallows and Stuck; N(0, 2) for α = 2.
    fn stable(&mut self, alpha: f64) -> f64 {
        let angle = std::f64::consts::PI * (self.uniform() - 0.5);
        let wait = -self.uniform().ln();
        let tail = ((1.0 - alpha) * angle).cos() / wait;
        (alpha * angle).sin() / angle.cos().powf(1.0 / alpha) * tail.powf((1.0 - alpha) / alpha)
    }
    /// Student's t: a normal over the root of a mean of squares.
    fn student(&mut self, degrees: u32) -> f64 {
        let square = (0..degrees).map(|_| self.normal().powi(2)).sum::<f64>() / f64::from(degrees);
        self.normal() / square.sqrt()
    }
}

#[derive(Clone, Copy, Debug)]
enum Noise {
    Stable(f64),
    Student(u32),
    /// Skewed.
    Pareto(f64),
    /// x ← 0.95 x + stable noise, α = 1.5: dependent in time.
    Autoregressive,
}

const LAWS: [Noise; 9] = [
    Noise::Stable(2.0),
    Noise::Stable(1.7),
    Noise::Stable(1.5),
    Noise::Stable(1.2),
    Noise::Stable(0.8),
    Noise::Student(2),
    Noise::Pareto(1.3),
    Noise::Pareto(0.5),
    Noise::Autoregressive,
];

fn draw(noise: Noise, random: &mut Random, before: f64) -> f64 {
    match noise {
        Noise::Stable(alpha) => random.stable(alpha),
        Noise::Student(degrees) => random.student(degrees),
        Noise::Pareto(alpha) => random.uniform().powf(-1.0 / alpha) - 0.9,
        Noise::Autoregressive => 0.95 * before + random.stable(1.5),
    }
}

fn layout() -> Layout {
    let block = |i| Block::new(format!("block {i}"), [WIDTH], true);
    Layout::new((0..BLOCKS).map(block).collect()).unwrap()
}

fn optimizer(name: &str, hyper: &str) -> Optimizer {
    Optimizer::new(name, &toml::from_str::<Hyper>(hyper).unwrap()).unwrap()
}

/// What came of a run.
struct Run {
    /// Share clipped in each step.
    clipped: Vec<f64>,
    /// Thresholds after the first step and the last; none if the rule has none.
    quantiles: Option<(Vec<f64>, Vec<f64>)>,
}

impl Run {
    /// Over the steps from `from` on.
    fn rate(&self, from: usize) -> f64 {
        let clipped = &self.clipped[from..];
        clipped.iter().sum::<f64>() / clipped.len() as f64
    }
}

/// Steps of several optimizers on the same gradients, scale(t)·noise.
fn run(
    names: &[&str],
    hyper: &str,
    noise: Noise,
    steps: usize,
    scale: impl Fn(usize) -> f64,
) -> Vec<Run> {
    let layout = layout();
    let (mut random, mut x) = (Random(1), vec![0.0; layout.len()]);
    let start = |name: &&str| {
        let optimizer = optimizer(name, hyper);
        let state = optimizer.init::<f64>(&layout);
        (
            optimizer,
            state,
            Run {
                clipped: Vec::new(),
                quantiles: None,
            },
        )
    };
    let mut runs: Vec<_> = names.iter().map(start).collect();
    for t in 0..steps {
        x.iter_mut().for_each(|x| *x = draw(noise, &mut random, *x));
        let grad: Vec<f64> = x.iter().map(|x| scale(t) * x).collect();
        for (optimizer, state, run) in &mut runs {
            let mut params = vec![0.0; layout.len()];
            let stats = optimizer
                .step(0.0, &layout, &mut params, &grad, state)
                .unwrap();
            run.clipped.push(stats.clipped);
            let Some(q) = thresholds(state, &layout) else {
                continue;
            };
            let first = run.quantiles.take().map_or(q.clone(), |(first, _)| first);
            run.quantiles = Some((first, q));
        }
    }
    runs.into_iter().map(|(_, _, run)| run).collect()
}

fn thresholds(state: &State<f64>, layout: &Layout) -> Option<Vec<f64>> {
    ["quantile", "norm_quantile"]
        .into_iter()
        .find_map(|slot| state.values(slot, layout))
}

/// Clipped share = p + (log q_n − log q_0)/(c n), over n steps after the one that sets q_0.
fn assert_identity(run: &Run, what: &str) {
    let (first, last) = run.quantiles.as_ref().unwrap();
    let drift = first
        .iter()
        .zip(last)
        .map(|(first, last)| (last / first).ln())
        .sum::<f64>();
    let n = (run.clipped.len() - 1) as f64;
    let stated = RATE + drift / first.len() as f64 / (GAIN * n);
    let rate = run.rate(1);
    assert!(
        run.clipped[0] == 0.0,
        "{what}: the first gradient was clipped"
    );
    assert!(
        (rate - stated).abs() <= 1e-12,
        "{what}: {rate}, by the identity {stated}"
    );
}

const OURS: [&str; 3] = ["qclip", "qclip-raw", "qclip-block"];
const OTHERS: [&str; 3] = ["zclip", "adamw-coordinate-clip", "acclip"];
const STEPS: usize = 2400;
/// When the thresholds have found the scale.
const SETTLED: usize = 800;
/// Largest distance from the clip rate afterwards. By the identity it is the drift of log q over c·n:
/// with n = 1600 a drift of 0.16 each, or 0.9 for one threshold a block. A drift averages over
/// coordinates, of which there are 512, or 8 blocks.
const OFF: [f64; 3] = [0.001, 0.001, 0.0055];

fn assert_rates(runs: &[Run], from: usize, what: &str) {
    for ((run, name), off) in runs.iter().zip(OURS).zip(OFF) {
        assert_identity(run, &format!("{what}, {name}"));
        let rate = run.rate(from);
        assert!((rate - RATE).abs() <= off, "{what}, {name}: {rate}");
    }
}

#[test]
fn the_clip_rate_is_kept_under_every_law() {
    for noise in LAWS {
        assert_rates(
            &run(&OURS, "", noise, STEPS, |_| 1.0),
            SETTLED,
            &format!("{noise:?}"),
        );
    }
}

#[test]
fn the_clip_rate_is_kept_at_every_scale_and_when_the_scale_jumps() {
    for scale in [1e-8, 1e-3, 1e3, 1e8] {
        let runs = run(&OURS, "", Noise::Stable(1.5), STEPS, |_| scale);
        assert_rates(&runs, SETTLED, &format!("scale {scale}"));
    }
    // Followed within log(1000)/(c(1−p)) = 77 steps upwards, log(1000)/(c p) = 691 downwards, and a few
    // times 1/(c f) ≈ 70 to settle.
    for (jump, followed) in [(1e3, 300), (1e-3, 900)] {
        let at = 1000;
        let runs = run(&OURS, "", Noise::Stable(1.5), at + followed + 1600, |t| {
            if t < at { 1.0 } else { jump }
        });
        assert_rates(&runs, at + followed, &format!("jump {jump}"));
        let during = runs[0].clipped[at + 1..at + 20].iter().sum::<f64>() / 19.0;
        assert!(
            if jump > 1.0 {
                during > 0.9
            } else {
                during < 0.01
            },
            "jump {jump}: {during}"
        );
    }
}

/// By how much the clip rate of other rules grows from α = 2 to α = 1.2, at least.
const MOVES: f64 = 10.0;
/// ZClip's rate for Gaussian noise is below the first, and for α = 1.2 above the second.
const ZCLIP: (f64, f64) = (0.02, 0.15);

#[test]
fn rules_that_need_a_variance_or_a_mean_do_not_keep_theirs() {
    let rates = |alpha| {
        let runs = run(&OTHERS, "", Noise::Stable(alpha), STEPS, |_| 1e-3);
        runs.iter().map(|run| run.rate(SETTLED)).collect::<Vec<_>>()
    };
    let (gaussian, heavy) = (rates(2.0), rates(1.2));
    for ((name, gaussian), heavy) in OTHERS.iter().zip(&gaussian).zip(&heavy) {
        assert!(
            *heavy > MOVES * gaussian && *gaussian > 0.0,
            "{name}: {gaussian} to {heavy}"
        );
    }
    assert!(
        gaussian[0] < ZCLIP.0 && heavy[0] > ZCLIP.1,
        "{gaussian:?} {heavy:?}"
    );
}

#[test]
fn rare_coordinates_keep_the_rate_among_their_gradients() {
    const NONZERO: f64 = 0.01;
    let layout = Layout::new(vec![Block::new("rows", [BLOCKS * WIDTH], true)]).unwrap();
    let optimizer = optimizer("qclip", "");
    let mut state = optimizer.init::<f64>(&layout);
    let mut random = Random(2);
    let (mut clipped, mut nonzero) = (0.0, 0.0);
    for t in 0..60_000 {
        let mut one = |_| {
            if random.uniform() < NONZERO {
                random.stable(1.5)
            } else {
                0.0
            }
        };
        let grad: Vec<f64> = (0..layout.len()).map(&mut one).collect();
        let mut params = vec![0.0; layout.len()];
        let stats = optimizer
            .step(0.0, &layout, &mut params, &grad, &mut state)
            .unwrap();
        if t >= 30_000 {
            clipped += stats.clipped * layout.len() as f64;
            nonzero += grad.iter().filter(|&&g| g != 0.0).count() as f64;
        }
    }
    let rate = clipped / nonzero;
    // 300 gradients a coordinate: a drift of log q by 0.03, in the mean over coordinates.
    assert!((rate - RATE).abs() <= 0.001, "{rate}");
}

#[test]
fn thresholds_are_the_quantile_of_the_magnitude() {
    // Stated spread of log q: √(c p(1−p)/(2f)). For |g| = u^(−1/α), log|g| is exponential with rate α,
    // so that the quantile is p^(−1/α) and f = α p.
    const ALPHA: f64 = 1.3;
    let layout = layout();
    for gain in [0.02, 0.1] {
        let optimizer = optimizer("qclip-raw", &format!("clip_gain = {gain}"));
        let mut state = optimizer.init::<f64>(&layout);
        let mut random = Random(3);
        let scale = |i: usize| 10_f64.powi(i as i32 % 9 - 4);
        for _ in 0..4000 {
            let mut one =
                |i| scale(i) * random.uniform().powf(-1.0 / ALPHA) * random.normal().signum();
            let grad: Vec<f64> = (0..layout.len()).map(&mut one).collect();
            let mut params = vec![0.0; layout.len()];
            optimizer
                .step(0.0, &layout, &mut params, &grad, &mut state)
                .unwrap();
        }
        let q = state.values("quantile", &layout).unwrap();
        let exact = |i| scale(i) * RATE.powf(-1.0 / ALPHA);
        let off: Vec<f64> = q
            .iter()
            .enumerate()
            .map(|(i, q)| (q / exact(i)).ln())
            .collect();
        let n = off.len() as f64;
        let mean = off.iter().sum::<f64>() / n;
        let spread = (off.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let stated = (gain * (1.0 - RATE) / (2.0 * ALPHA)).sqrt();
        // The mean: four standard errors, and a bias of the order of c.
        assert!(
            mean.abs() <= 4.0 * stated / n.sqrt() + gain / 2.0,
            "{gain}: {mean}"
        );
        // The spread: four of its standard errors, 1/√(2n), and the order of c.
        assert!(
            (spread / stated - 1.0).abs() <= 4.0 / (2.0 * n).sqrt() + gain,
            "{gain}: {spread}, {stated}"
        );
    }
}

#[test]
fn thresholds_agree_with_the_empirical_quantile_of_stable_noise() {
    for alpha in [2.0, 1.2] {
        let noise = Noise::Stable(alpha);
        let runs = run(
            &["qclip"],
            "clip_gain = 0.02\nclip_rate = 0.25",
            noise,
            2000,
            |_| 1.0,
        );
        let mut random = Random(9);
        let mut sample: Vec<f64> = (0..200_000).map(|_| random.stable(alpha).abs()).collect();
        sample.sort_by(f64::total_cmp);
        let quantile = sample[150_000];
        let q = &runs[0].quantiles.as_ref().unwrap().1;
        let mean = q.iter().map(|q| (q / quantile).ln()).sum::<f64>() / q.len() as f64;
        // The threshold's spread, 8 %, over √512; a bias of the order of c = 2 %; the sample's 0.4 %.
        assert!(mean.abs() <= 0.02, "{alpha}: {mean}");
    }
}

#[test]
fn each_block_has_the_quantile_of_its_own_norm() {
    let layout = layout();
    let optimizer = optimizer("qclip-block", "clip_gain = 0.02");
    let mut state = optimizer.init::<f64>(&layout);
    let mut random = Random(4);
    let mut norms = vec![Vec::new(); BLOCKS];
    for _ in 0..3000 {
        let mut one = |i: usize| 10_f64.powi((i / WIDTH) as i32 - 4) * random.stable(1.5);
        let grad: Vec<f64> = (0..layout.len()).map(&mut one).collect();
        let mut params = vec![0.0; layout.len()];
        let stats = optimizer
            .step(0.0, &layout, &mut params, &grad, &mut state)
            .unwrap();
        norms
            .iter_mut()
            .zip(stats.blocks)
            .for_each(|(norms, block)| norms.push(block.grad_norm));
    }
    let q = state.values("norm_quantile", &layout).unwrap();
    for (norms, q) in norms.iter_mut().zip(q) {
        norms.sort_by(f64::total_cmp);
        let off = (q / norms[2700]).ln();
        // Four times the spread √(c p(1−p)/(2f)) = 0.08, with f ≈ 1.5·p.
        assert!(off.abs() <= 0.32, "{off}");
    }
}
