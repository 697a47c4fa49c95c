//! Every problem against every property. A new problem is one more row of [`cases`].

use super::*;

/// SplitMix64.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In [−1, 1).
    pub(super) fn signed(&mut self) -> f64 {
        2.0 * self.uniform() - 1.0
    }

    /// A uniform direction, of length `radius`.
    pub(super) fn on_sphere(&mut self, dim: usize, radius: f64) -> Vec<f64> {
        let normal = |_| {
            (-2.0 * (1.0 - self.uniform()).ln()).sqrt()
                * (std::f64::consts::TAU * self.uniform()).cos()
        };
        let x: Vec<f64> = (0..dim).map(normal).collect();
        let length = norm(&x);
        x.into_iter().map(|x| x * radius / length).collect()
    }
}

type Value = Box<dyn Fn(&[f64]) -> f64>;

/// A problem with f as printed, and where to look at it.
struct Case {
    name: &'static str,
    problem: Box<dyn Problem>,
    /// f(x), written out from its definition.
    value: Value,
    /// Coordinates are drawn from (−width, width).
    width: f64,
    /// Where each coordinate has a kink.
    kinks: Vec<f64>,
    /// Whether L is the least constant, and seen at points of that width.
    sharp: bool,
}

fn case(
    name: &'static str,
    problem: impl Problem + 'static,
    width: f64,
    value: impl Fn(&[f64]) -> f64 + 'static,
) -> Case {
    Case {
        name,
        problem: Box::new(problem),
        value: Box::new(value),
        width,
        kinks: vec![],
        sharp: true,
    }
}

fn quadratic(curvature: &'static [f64], center: &'static [f64], radius: Option<f64>) -> Case {
    let f = Quadratic::new(curvature.to_vec(), center.to_vec(), radius).unwrap();
    case("quadratic", f, 1.5, move |x| {
        let pairs = x.iter().zip(curvature).zip(center);
        pairs.map(|((x, l), c)| l * (x - c).powi(2)).sum::<f64>() / 2.0
    })
}

fn non_smooth(mu: f64, lambda: f64, kinks: &'static [f64]) -> Case {
    let f = NonSmooth::new(mu, lambda, kinks.to_vec(), 2.0).unwrap();
    let value = move |x: &[f64]| {
        let pairs = x.iter().zip(kinks);
        pairs
            .map(|(x, c)| mu / 2.0 * x * x + lambda * (x - c).abs())
            .sum()
    };
    Case {
        kinks: kinks.to_vec(),
        ..case("non-smooth", f, 2.0, value)
    }
}

fn wells(dim: usize, tilt: f64) -> Case {
    // From the partial fractions x² − 3 + 4/(1 + x²) + c(1 − 2x/(1 + x²)), not the product.
    case(
        "double well",
        DoubleWell::new(dim, tilt).unwrap(),
        3.0,
        move |x| {
            let term = |x: &f64| {
                let q = 1.0 + x * x;
                x * x - 3.0 + 4.0 / q + tilt * (1.0 - 2.0 * x / q)
            };
            x.iter().map(term).sum()
        },
    )
}

fn geman_mcclure(dim: usize) -> Case {
    case("Geman-McClure", GemanMcClure::new(dim).unwrap(), 3.0, |x| {
        x.iter().map(|x| 1.0 - 1.0 / (1.0 + x * x)).sum()
    })
}

fn zero_chain(length: usize, smoothness: f64, scale: f64) -> Case {
    let value = move |x: &[f64]| {
        let x: Vec<f64> = x.iter().map(|x| x / scale).collect();
        smoothness * scale * scale / 152.0 * zero_chain::tests::chain(&x)
    };
    Case {
        sharp: false,
        ..case(
            "zero chain",
            ZeroChain::new(length, smoothness, scale).unwrap(),
            3.0 * scale,
            value,
        )
    }
}

fn cases() -> Vec<Case> {
    let hard = HardMeanObjective::new(0.2).unwrap();
    vec![
        case(
            "half square",
            Quadratic::half_square(None).unwrap(),
            2.0,
            |x| x[0] * x[0] / 2.0,
        ),
        quadratic(&[2.5], &[-0.7], Some(2.0)),
        quadratic(&[0.5, 3.0, 1.0], &[0.3, -0.2, 0.0], Some(1.0)),
        quadratic(&[0.5, 3.0], &[0.3, -4.0], None),
        non_smooth(1.0, 0.5, &[0.0]),
        non_smooth(1.5, 0.5, &[1.2]),
        non_smooth(1.5, 1.0, &[0.0, 0.4, 0.9, -1.1, -0.6]),
        geman_mcclure(1),
        geman_mcclure(4),
        wells(1, 0.0),
        wells(1, 4.0),
        wells(3, 1.3),
        case("hard mean", hard, 0.5, |x| (x[0] - 0.2).powi(2) / 2.0),
        zero_chain(1, 152.0, 1.0),
        zero_chain(6, 152.0, 1.0),
        zero_chain(5, 3.0, 0.4),
    ]
}

impl Case {
    fn point(&self, random: &mut Random) -> Vec<f64> {
        (0..self.problem.dim())
            .map(|_| self.width * random.signed())
            .collect()
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let mut grad = vec![f64::NAN; x.len()];
        self.problem.gradient(x, &mut grad);
        grad
    }

    fn gap(&self, x: &[f64]) -> f64 {
        let mut gap = [f64::NAN];
        self.problem.gap(x, &mut gap);
        gap[0]
    }

    /// f(y) − f(x) − ⟨∇f(x), y − x⟩, with the points.
    fn bregman(&self, x: &[f64], y: &[f64]) -> f64 {
        let grad = self.gradient(x);
        let inner: f64 = grad
            .iter()
            .zip(x.iter().zip(y))
            .map(|(g, (x, y))| g * (y - x))
            .sum();
        self.gap(y) - self.gap(x) - inner
    }
}

#[test]
fn gradients_are_those_of_the_values() {
    let mut random = Random(1);
    for case in cases() {
        // The width of the stencil follows that of the function.
        let h = 2e-4 * case.width;
        let mut seen = 0;
        for _ in 0..2000 {
            let x = case.point(&mut random);
            let grad = case.gradient(&x);
            for i in 0..x.len() {
                if case
                    .kinks
                    .get(i)
                    .is_some_and(|c| (x[i] - c).abs() < 3.0 * h)
                {
                    continue;
                }
                let at = |shift: f64| {
                    let mut x = x.clone();
                    x[i] += shift;
                    (case.value)(&x)
                };
                let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                let error = (slope - grad[i]).abs() / (1.0 + grad[i].abs());
                assert!(error < 2e-8, "{} {x:?} {i}: {} {slope}", case.name, grad[i]);
                seen += 1;
            }
        }
        assert!(seen > 1900);
    }
}

#[test]
fn gaps_are_the_values_less_the_minimum() {
    let mut random = Random(2);
    for case in cases() {
        let minimum = case.problem.facts().minimum;
        for _ in 0..2000 {
            let x = case.point(&mut random);
            let (gap, value) = (case.gap(&x), (case.value)(&x));
            assert!(gap >= 0.0);
            let error = (gap - (value - minimum)).abs() / (1.0 + value.abs());
            assert!(
                error < 1e-14 * (1.0 + x.len() as f64),
                "{} {x:?}: {gap} {value}",
                case.name
            );
        }
    }
}

#[test]
fn gaps_vanish_at_the_optimum_and_only_there() {
    let mut random = Random(3);
    for case in cases() {
        let facts = case.problem.facts();
        let Some(optimum) = facts.optimum else {
            continue;
        };
        assert_eq!(case.gap(&optimum), 0.0, "{}", case.name);
        let length = norm(&optimum);
        match facts.domain {
            Some(Domain::Ball { radius }) => assert!(length <= radius),
            Some(Domain::Box { lower, upper }) => {
                assert!(optimum.iter().all(|x| (lower..=upper).contains(x)))
            }
            None => {}
        }
        // Near it, the gap is ½⟨∇f, x − x*⟩ where f is smooth: no figure is lost to cancellation.
        for _ in 0..100 {
            let x: Vec<f64> = optimum.iter().map(|x| x + 1e-7 * random.signed()).collect();
            let gap = case.gap(&x);
            assert!(gap > 0.0, "{}", case.name);
            if facts.smoothness.is_some() {
                let steps = x.iter().zip(&optimum).map(|(x, o)| x - o);
                let half: f64 = case
                    .gradient(&x)
                    .iter()
                    .zip(steps)
                    .map(|(g, u)| 0.5 * g * u)
                    .sum();
                assert!(
                    (gap / half - 1.0).abs() < 1e-6,
                    "{} {gap} {half}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn smoothness_is_the_lipschitz_constant_of_the_gradient() {
    let mut random = Random(4);
    for case in cases() {
        let Some(smoothness) = case.problem.facts().smoothness else {
            continue;
        };
        let mut largest: f64 = 0.0;
        for pair in 0..40_000 {
            let x = case.point(&mut random);
            // Far, and near in one coordinate.
            let y = if pair % 4 == 0 {
                case.point(&mut random)
            } else {
                let mut y = x.clone();
                let i = pair % y.len();
                y[i] += 1e-3 * case.width * (0.5 + random.uniform());
                y
            };
            let distance = |a: &[f64], b: &[f64]| {
                norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
            };
            let ratio = distance(&case.gradient(&x), &case.gradient(&y)) / distance(&x, &y);
            largest = largest.max(ratio / smoothness);
        }
        assert!(largest <= 1.0 + 1e-9, "{} {largest}", case.name);
        assert!(!case.sharp || largest > 0.9999, "{} {largest}", case.name);
    }
}

#[test]
fn strong_convexity_is_the_largest_constant() {
    let mut random = Random(5);
    for case in cases() {
        let mu = case.problem.facts().strong_convexity;
        let mut least = f64::INFINITY;
        for pair in 0..40_000 {
            let x = case.point(&mut random);
            let mut y = x.clone();
            let i = pair % y.len();
            y[i] = case.width * random.signed();
            let square = (y[i] - x[i]).powi(2);
            if square < 1e-2 * case.width.powi(2) {
                continue;
            }
            least = least.min(case.bregman(&x, &y) / (0.5 * square));
        }
        if mu > 0.0 {
            assert!(
                (least / mu - 1.0).abs() < 1e-11,
                "{} {least} {mu}",
                case.name
            );
        } else {
            assert!(least < -0.01, "{}: not convex, but {least}", case.name);
        }
    }
}

#[test]
fn gradients_stay_below_their_bound_on_the_domain() {
    let mut random = Random(6);
    for case in cases() {
        let facts = case.problem.facts();
        let Some(bound) = facts.gradient_bound else {
            continue;
        };
        for _ in 0..5000 {
            let x = match facts.domain {
                Some(Domain::Ball { radius }) => random.on_sphere(case.problem.dim(), radius),
                Some(Domain::Box { lower, upper }) => {
                    vec![lower + (upper - lower) * random.uniform()]
                }
                None => case.point(&mut random),
            };
            assert!(
                norm(&case.gradient(&x)) <= bound * (1.0 + 1e-12),
                "{} {x:?}",
                case.name
            );
        }
    }
}

#[test]
fn a_row_of_a_batch_is_the_same_row_alone() {
    let mut random = Random(7);
    for case in cases() {
        let dim = case.problem.dim();
        for rows in 0..40 {
            let x: Vec<f64> = (0..rows).flat_map(|_| case.point(&mut random)).collect();
            let grad = case.gradient(&x);
            let mut gap = vec![f64::NAN; rows];
            case.problem.gap(&x, &mut gap);
            for (i, row) in x.chunks_exact(dim).enumerate() {
                let same = case
                    .gradient(row)
                    .iter()
                    .zip(&grad[i * dim..])
                    .all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{} {rows} {i}", case.name);
                assert_eq!(
                    case.gap(row).to_bits(),
                    gap[i].to_bits(),
                    "{} {rows} {i}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn rows_without_room_are_left_out() {
    for case in cases() {
        let dim = case.problem.dim();
        let x = vec![0.1; 3 * dim];
        let (mut grad, mut gap) = (vec![f64::NAN; 2 * dim], vec![f64::NAN; 4]);
        case.problem.gradient(&x, &mut grad);
        case.problem.gap(&x, &mut gap);
        assert_eq!(grad, case.gradient(&x[..2 * dim]), "{}", case.name);
        assert!(
            gap[3].is_nan() && gap[..3].iter().all(|g| g.is_finite()),
            "{}",
            case.name
        );
    }
}
