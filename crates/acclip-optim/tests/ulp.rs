//! The one-pass kernels in `f32` against the formulas of the rules in `f64`, one step at a time, in
//! units in the last place (ULP).
//!
//! Every operation of a kernel is rounded to `f32`, so after a cancellation the relative error of a
//! difference has no bound. The oracle therefore carries with each value the *size* that rules its
//! rounding error: the largest of the terms that were added, passed on through products, quotients and
//! roots to first order, and never below the least normal number. Where nothing cancels and nothing is
//! subnormal, the size is the value's own magnitude; the last test keeps to such data and measures in
//! ULP of the value itself.

use std::ops::{Add, Div, Mul, Sub};

use acclip_optim::{Block, Hyper, InstructionSet, Layout, NonFinite, Optimizer, State, Tensor};

/// The largest errors of one rule: of each slot, and of the parameters where |learning_rate·u| is at
/// most |x|/4, at most |x|, and more (which shows the error of u itself).
type Errors = (&'static [f64], [f64; 3]);

/// A rule, its hyper-parameters, and its largest errors in ULP of the size, and, on data where nothing
/// cancels, in ULP of the value. Each number is just above what is reached.
type Row = (&'static str, &'static str, Errors, Errors);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("sgd", "weight_decay = 0.03", (&[], [0.76, 1.6, 2.2]), (&[], [0.77, 1.2, 2.1])),
    ("sgd-momentum", "momentum = 0.87", (&[1.1], [0.82, 1.6, 2.8]), (&[1.1], [0.83, 1.5, 2.7])),
    ("nesterov", "momentum = 0.87", (&[1.1], [0.95, 2.3, 3.7]), (&[1.1], [0.92, 1.5, 4.0])),
    ("gclip", "max_norm = 0.7", (&[], [0.72, 1.3, 2.3]), (&[], [0.82, 1.3, 2.3])),
    ("cclip", "tau = 0.3\nmomentum = 0.8", (&[1.2], [0.88, 1.8, 3.0]), (&[1.2], [0.84, 1.5, 3.0])),
    ("acclip-paper", "alpha = 1.0\nbeta2 = 0.97", (&[1.7, 1.5], [1.1, 2.7, 4.4]), (&[1.4, 1.5], [0.94, 1.8, 4.4])),
    ("acclip-paper", "alpha = 1.5", (&[1.7, 1.9], [0.9, 2.2, 3.9]), (&[1.4, 2.0], [0.96, 1.7, 4.4])),
    ("acclip-paper", "alpha = 2.0\nbias_correction = true", (&[1.7, 1.5], [1.1, 2.3, 4.2]), (&[1.4, 1.9], [1.0, 1.8, 3.9])),
    ("acclip", "alpha = 1.0", (&[1.7, 1.5, 1.9], [1.3, 3.4, 5.2]), (&[1.4, 1.3, 1.8], [1.3, 2.3, 5.5])),
    ("acclip", "alpha = 1.5\nbias_correction = true", (&[1.7, 1.7, 2.0], [1.2, 4.2, 5.6]), (&[1.4, 2.0, 2.0], [1.1, 2.5, 6.3])),
    ("acclip", "alpha = 2.0\nweight_decay = 0.1", (&[1.7, 1.5, 1.9], [1.4, 2.9, 5.2]), (&[1.4, 1.9, 2.0], [1.3, 2.6, 5.7])),
    ("adam", "beta1 = 0.85\nbeta2 = 0.98\neps = 1e-6", (&[1.8, 1.9], [1.2, 2.9, 5.0]), (&[1.8, 2.0], [1.1, 2.4, 5.3])),
    ("adamw", "weight_decay = 0.1", (&[1.7, 2.1], [1.1, 3.2, 4.8]), (&[1.4, 2.1], [1.1, 2.0, 4.6])),
    ("rmsprop", "beta2 = 0.95", (&[1.9], [0.9, 2.2, 3.2]), (&[1.9], [0.91, 1.8, 3.7])),
    ("rmsprop", "momentum = 0.8", (&[1.9, 3.0], [0.98, 2.3, 4.0]), (&[2.0, 3.0], [0.89, 1.8, 4.1])),
    ("lion", "weight_decay = 0.1", (&[1.5], [0.9, 1.6, 2.1]), (&[1.3], [0.64, 1.1, 1.7])),
    ("qclip", "clip_rate = 0.2", (&[1.7, 1.4], [0.88, 2.1, 3.4]), (&[1.4, 1.4], [0.87, 1.5, 3.2])),
    ("qclip-raw", "beta1 = 0.8", (&[1.4, 0.78], [0.88, 1.7, 3.0]), (&[1.3, 0.78], [0.88, 1.6, 3.0])),
];

const LEARNING_RATE: f64 = 0.013;
/// At least this share of a bound is reached, so that the table says what is, not what may be.
const REACHED: f64 = 0.9;

/// A value, and the size that rules its rounding error.
#[derive(Clone, Copy, Debug)]
struct Num {
    value: f64,
    size: f64,
}

fn num(value: f64) -> Num {
    rounded(value, 0.0)
}

fn rounded(value: f64, size: f64) -> Num {
    let least = f64::from(f32::MIN_POSITIVE);
    let size = if value == 0.0 && size == 0.0 {
        0.0
    } else {
        size.max(value.abs()).max(least)
    };
    Num { value, size }
}

impl Add for Num {
    type Output = Num;
    fn add(self, b: Num) -> Num {
        rounded(self.value + b.value, self.size.max(b.size))
    }
}

impl Sub for Num {
    type Output = Num;
    fn sub(self, b: Num) -> Num {
        rounded(self.value - b.value, self.size.max(b.size))
    }
}

impl Mul for Num {
    type Output = Num;
    fn mul(self, b: Num) -> Num {
        let size = (self.value.abs() * b.size).max(self.size * b.value.abs());
        rounded(self.value * b.value, size)
    }
}

/// 0 where the divisor is 0, as the rules have it.
impl Div for Num {
    type Output = Num;
    fn div(self, b: Num) -> Num {
        if b.value == 0.0 {
            return num(0.0);
        }
        let size = (self.size / b.value).max(self.value * b.size / (b.value * b.value));
        rounded(self.value / b.value, size.abs())
    }
}

impl Num {
    fn abs(self) -> Num {
        Num {
            value: self.value.abs(),
            ..self
        }
    }
    fn power(self, alpha: f64) -> Num {
        if self.value == 0.0 {
            return num(0.0);
        }
        let y = self.value.powf(alpha);
        rounded(y, alpha * y * self.size / self.value)
    }
    fn sqrt(self) -> Num {
        self.power(0.5)
    }
}

/// u of one step, written from the formulas in the rules' documentation.
fn oracle(name: &str, h: &Hyper, t: u64, g: Num, slots: &mut [Num]) -> Num {
    let (beta1, beta2) = (h.beta1.unwrap_or(0.0), h.beta2.unwrap_or(0.0));
    let (eps, alpha) = (num(h.eps.unwrap_or(0.0)), h.alpha.unwrap_or(1.0));
    let momentum = h.momentum.unwrap_or(0.0);
    let average = |beta: f64, old: Num, x: Num| num(beta) * old + num(1.0 - beta) * x;
    let corrected = |beta: f64, x: Num| x * num(1.0 / (1.0 - beta.powf(t as f64)));
    match name {
        "sgd" | "sgd-momentum" | "nesterov" | "gclip" | "cclip" => {
            let [m] = slots else { return g };
            *m = num(momentum) * *m + g;
            if name == "nesterov" {
                g + num(momentum) * *m
            } else {
                *m
            }
        }
        "acclip" | "acclip-paper" => {
            slots[0] = average(beta1, slots[0], g);
            slots[1] = average(beta2, slots[1], g.abs().power(alpha));
            let (mut m, mut tau_alpha) = (slots[0], slots[1]);
            if h.bias_correction == Some(true) {
                (m, tau_alpha) = (corrected(beta1, m), corrected(beta2, tau_alpha));
            }
            let (tau, bound) = (tau_alpha.power(1.0 / alpha), m.abs() + eps);
            let clipped = if tau.value < bound.value {
                tau / bound * m
            } else {
                m
            };
            if name == "acclip-paper" {
                return clipped;
            }
            slots[2] = average(beta2, slots[2], g * g);
            clipped / (corrected(beta2, slots[2]).sqrt() + eps)
        }
        "adam" | "adamw" => {
            slots[0] = average(beta1, slots[0], g);
            slots[1] = average(beta2, slots[1], g * g);
            corrected(beta1, slots[0]) / (corrected(beta2, slots[1]).sqrt() + eps)
        }
        "rmsprop" => {
            slots[0] = average(beta2, slots[0], g * g);
            let u = g / (slots[0].sqrt() + eps);
            let [_, m] = slots else { return u };
            *m = num(momentum) * *m + u;
            *m
        }
        "lion" => {
            let mixture = average(beta1, slots[0], g);
            slots[0] = average(beta2, slots[0], g);
            // The sign is known only where the mixture is more than its error.
            let known = mixture.value.abs() > 4.0 * ulp(mixture.size);
            let sign = if mixture.value == 0.0 {
                0.0
            } else {
                mixture.value.signum()
            };
            num(if known || mixture.size == 0.0 {
                sign
            } else {
                f64::NAN
            })
        }
        "qclip" | "qclip-raw" => {
            let (rate, gain) = (h.clip_rate.unwrap(), h.clip_gain.unwrap());
            let first = slots[1].value == 0.0;
            let q = if first { g.abs() } else { slots[1] };
            let hit = g.value.abs() > q.value;
            let clipped = if hit { q * num(g.value.signum()) } else { g };
            slots[0] = average(beta1, slots[0], clipped);
            let change = (gain * (f64::from(u8::from(hit)) - rate)).exp();
            slots[1] = if first || g.value == 0.0 {
                q
            } else {
                q * num(change)
            };
            if name == "qclip" {
                slots[0] / (q + eps)
            } else {
                slots[0]
            }
        }
        _ => unreachable!("{name}"),
    }
}

/// Spacing of the `f32` numbers at this size.
fn ulp(size: f64) -> f64 {
    let exponent = size.log2().floor().max(-126.0);
    (exponent - 23.0).exp2()
}

#[derive(Clone)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }
    /// Skewed and heavy-tailed, about 1 in size.
    fn heavy(&mut self) -> f64 {
        let tail = self.uniform().max(1e-6).powf(-1.0 / 1.3) - 0.7;
        if self.uniform() < 0.35 {
            -0.6 * tail
        } else {
            tail
        }
    }
}

/// Inputs of one step.
struct Data {
    params: Vec<f32>,
    grad: Vec<f32>,
    slots: Vec<Vec<f32>>,
}

/// Coordinates over many magnitudes. Squares of gradients stay below `f32::MAX`; they may be subnormal
/// or 0, and so may gradients and slots. `positive`: nothing cancels and nothing is subnormal.
fn data(random: &mut Random, names: &[String], alpha: f64, len: usize, positive: bool) -> Data {
    let mut data = Data {
        params: vec![],
        grad: vec![],
        slots: vec![vec![]; names.len()],
    };
    for _ in 0..len {
        let lowest = if positive { -50.0 } else { -100.0 };
        let mut scale = random.between(lowest, 42.0).exp2();
        if !positive && random.uniform() < 0.05 {
            scale = random.between(-150.0, -120.0).exp2();
        }
        let mut draw = |zeros: f64| {
            let x = random.heavy() * scale;
            if positive {
                x.abs()
            } else if random.uniform() < zeros {
                0.0
            } else {
                x
            }
        };
        let g = draw(0.05);
        for (slot, name) in data.slots.iter_mut().zip(names) {
            let x = draw(0.05);
            slot.push(match name.as_str() {
                "m" => x as f32,
                "v" => (x * x) as f32,
                "tau_alpha" => x.abs().powf(alpha) as f32,
                _ => x.abs() as f32,
            });
        }
        let x = draw(0.1);
        let x = if random.uniform() < 0.5 { x } else { x / scale };
        let x = x * random.between(-20.0, 20.0).exp2();
        data.params.push(if positive { -x.abs() } else { x } as f32);
        let odd = if positive { 1.0 } else { random.uniform() };
        data.grad.push(match odd {
            x if x < 0.004 => f32::NAN,
            x if x < 0.008 => f32::INFINITY,
            x if x < 0.012 => f32::NEG_INFINITY,
            _ => g as f32,
        });
    }
    data
}

/// The state of `t` steps with these slots.
fn state(optimizer: &Optimizer, layout: &Layout, t: u64, slots: &[Vec<f32>]) -> State<f32> {
    let mut header = optimizer.init::<f32>(layout).header(layout);
    header.insert("t".into(), t.to_string());
    let tensors = optimizer
        .slot_names()
        .into_iter()
        .zip(slots)
        .map(|(name, slot)| Tensor {
            name: name.into(),
            dtype: "F32",
            bytes: bytemuck::cast_slice(slot.as_slice()).into(),
        });
    State::restore(optimizer, layout, &header, tensors).unwrap()
}

/// The largest errors so far.
struct Worst {
    slots: Vec<f64>,
    params: [f64; 3],
    /// Steps by ±1 whose sign is below the error of what it is the sign of.
    unknown: usize,
}

/// Takes one step with each instruction set, which must agree to the bit, and measures the errors.
fn measure(
    row: &Row,
    random: &mut Random,
    (len, t, offset): (usize, u64, usize),
    worst: &mut Worst,
    strict: bool,
) {
    let name = row.0;
    let optimizer = Optimizer::new(name, &toml::from_str(row.1).unwrap()).unwrap();
    let (hyper, names) = (optimizer.hyper(), optimizer.slot_names());
    let data = data(random, &names, hyper.alpha.unwrap_or(1.0), len, strict);
    let layout = Layout::new(vec![Block::new("w", [len], true)]).unwrap();
    let mut results = Vec::new();
    for set in InstructionSet::available() {
        let optimizer = optimizer
            .clone()
            .with_instruction_set(set)
            .with_non_finite(NonFinite::Zero);
        let mut state = state(&optimizer, &layout, t - 1, &data.slots);
        let shifted = |x: &[f32]| [&vec![7.0; offset], x].concat();
        let (mut params, grad) = (shifted(&data.params), shifted(&data.grad));
        optimizer
            .step(
                LEARNING_RATE,
                &layout,
                &mut params[offset..],
                &grad[offset..],
                &mut state,
            )
            .unwrap();
        assert_eq!(params[..offset], grad[..offset]);
        let slots = names
            .iter()
            .map(|name| state.values(name, &layout).unwrap());
        results.push([slots.collect(), vec![params.split_off(offset)]].concat());
    }
    let bits = |x: &[Vec<f32>]| x.concat().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert!(
        results.iter().all(|other| bits(other) == bits(&results[0])),
        "{name}"
    );
    let (params, slots) = results[0].split_last().unwrap();

    let finite = |g: f32| f64::from(if g.is_finite() { g } else { 0.0 });
    let norm = data
        .grad
        .iter()
        .map(|&g| finite(g).powi(2))
        .sum::<f64>()
        .sqrt();
    let scale = hyper
        .max_norm
        .filter(|&max| norm > max)
        .map(|max| num(max / norm));
    for i in 0..len {
        let mut g = num(finite(data.grad[i]));
        g = scale.map_or(g, |scale| scale * g);
        if let Some(tau) = hyper.tau.filter(|&tau| g.value.abs() > tau) {
            g = num(g.value.signum() * tau);
        }
        let mut new: Vec<Num> = data
            .slots
            .iter()
            .map(|slot| num(f64::from(slot[i])))
            .collect();
        let u = oracle(name, &hyper, t, g, &mut new);
        let error = |x: f32, exact: Num| {
            let size = if strict {
                exact.value.abs()
            } else {
                exact.size
            };
            (f64::from(x) - exact.value).abs() / ulp(size)
        };
        for ((worst, slot), exact) in worst.slots.iter_mut().zip(slots).zip(new) {
            *worst = max(*worst, error(slot[i], exact));
        }
        if u.value.is_nan() {
            worst.unknown += 1;
            continue;
        }
        let x = num(f64::from(data.params[i]));
        let moved = num(LEARNING_RATE) * (u + num(hyper.weight_decay.unwrap()) * x);
        let place = usize::from(moved.size > x.size / 4.0) + usize::from(moved.size > x.size);
        worst.params[place] = max(worst.params[place], error(params[i], x - moved));
    }
}

/// The larger, or NaN if one is.
fn max(a: f64, b: f64) -> f64 {
    if a >= b { a } else { b }
}

fn assert_errors(strict: bool) {
    for row in ROWS {
        let bounds = if strict { row.3 } else { row.2 };
        let mut worst = Worst {
            slots: vec![0.0; bounds.0.len()],
            params: [0.0; 3],
            unknown: 0,
        };
        let mut random = Random(row.1.len() as u64);
        let lengths = (0..=64).chain([255, 256, 257, 1023, 1024, 1025, 4096]);
        let mut coordinates = 0;
        for (round, len) in (0..32).flat_map(|round| lengths.clone().map(move |len| (round, len))) {
            let t = [1, 2, 3, 10, 200, 5000, 100_000][round % 7];
            measure(
                row,
                &mut random,
                (len, t, (round + len) % 16),
                &mut worst,
                strict,
            );
            coordinates += len;
        }
        assert!(coordinates > 300_000 && worst.unknown < coordinates / 100);
        let reached = [&worst.slots[..], &worst.params].concat();
        let bounds = [bounds.0, &bounds.1].concat();
        for (reached, bound) in reached.iter().zip(&bounds) {
            let right = REACHED * bound <= *reached && reached <= bound;
            assert!(
                right,
                "{} {}: reached {reached:?}, stated {bounds:?}",
                row.0, row.1
            );
        }
    }
}

#[test]
fn slots_and_parameters_are_within_the_stated_ulp_of_the_formulas() {
    assert_errors(false);
}

#[test]
fn where_nothing_cancels_the_same_holds_in_ulp_of_the_value() {
    assert_errors(true);
}
