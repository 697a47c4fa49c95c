//! Maximum likelihood for each family, and what the fits say together.

use super::cells::Cells;
use super::laws::{Theta, logistic, outside, probabilities, two_groups};
use super::{Fit, Mixing, Mixtures};
use crate::interval::{LEVEL, Z};
use crate::optimize::minimize;
use crate::sample::{check_norms, sorted};
use crate::{Error, Interval};
use rayon::prelude::*;

/// The simplex stops when its values agree to this many nats.
const TOLERANCE: f64 = 1e-3;
/// Most likelihoods in one search.
const EVALUATIONS: usize = 300;

/// One search: a family, whether it has two groups of coordinates, and where to begin.
struct Search {
    mixing: Mixing,
    groups: bool,
    /// Number of parameters.
    free: usize,
    /// Added to a first guess of log d; shapes.
    start: [f64; 3],
}

/// Every search. Heavy laws are tried from two dimensions: much of the spread may be the factor's.
const SEARCHES: [Search; 13] = {
    use Mixing::{Gaussian, Lognormal, Pareto, Stable, Student, TwoScales};
    const fn from(mixing: Mixing, free: usize, start: [f64; 3]) -> Search {
        Search {
            mixing,
            groups: false,
            free,
            start,
        }
    }
    const fn groups(logit: f64, log_e: f64) -> Search {
        Search {
            mixing: Gaussian,
            groups: true,
            free: 4,
            start: [0.0, logit, log_e],
        }
    }
    [
        from(Gaussian, 2, [0.0, 0.0, 0.0]),
        groups(-3.0, 4.0),
        groups(1.0, 5.0),
        from(TwoScales, 4, [0.0, -2.0, 1.0]),
        from(TwoScales, 4, [3.0, -2.0, 1.0]),
        from(Lognormal, 3, [0.0, -1.0, 0.0]),
        from(Lognormal, 3, [3.0, -1.0, 0.0]),
        from(Student, 3, [0.0, 1.2, 0.0]),
        from(Student, 3, [3.0, 1.2, 0.0]),
        from(Stable, 3, [0.0, 1.2, 0.0]),
        from(Stable, 3, [3.0, 0.6, 0.0]),
        from(Pareto, 3, [0.0, 0.7, 0.0]),
        from(Pareto, 3, [3.0, 0.4, 0.0]),
    ]
};

/// First steps of a search: log s, log d, shapes.
const STEPS: Theta = [0.2, 0.7, 0.7, 0.5];

impl Search {
    fn law(&self, cells: &Cells, t: &Theta) -> Vec<f64> {
        match self.groups {
            true => two_groups(cells, t),
            false => probabilities(cells, self.mixing, t),
        }
    }

    /// Minus the log-likelihood, extended beyond the ranges of the parameters.
    fn cost(&self, cells: &Cells, t: &Theta) -> f64 {
        cells.cost(&self.law(cells, t)) + 100.0 * outside(self.mixing, t).powi(2)
    }

    /// The best parameters and their cost.
    fn run(&self, cells: &Cells, log_s: f64, log_d: f64) -> (Theta, f64) {
        let [more, q, r] = self.start;
        let start = [log_s, log_d + more, q, r];
        // The simplex moves the first `free` parameters and leaves the others where they are.
        let full = |x: &[f64]| {
            let mut t = start;
            t[..x.len()].copy_from_slice(x);
            t
        };
        macro_rules! over {
            ($n:literal) => {{
                let first = |x: Theta| -> [f64; $n] { std::array::from_fn(|i| x[i]) };
                let (x, cost) = minimize(first(start), first(STEPS), TOLERANCE, EVALUATIONS, |x| {
                    self.cost(cells, &full(x))
                });
                (full(&x), cost)
            }};
        }
        match self.free {
            2 => over!(2),
            3 => over!(3),
            _ => over!(4),
        }
    }

    /// Standard error of the shape q, from the profile likelihood at q ± 0.1.
    fn shape_error(&self, cells: &Cells, t: &Theta, cost: f64) -> Option<f64> {
        const DELTA: f64 = 0.1;
        let profile = |q: f64| {
            let steps = [0.05, 0.1];
            minimize([t[0], t[1]], steps, 1e-4, 80, |x| {
                self.cost(cells, &[x[0], x[1], q, t[3]])
            })
            .1
        };
        let curvature =
            (profile(t[2] + DELTA) + profile(t[2] - DELTA) - 2.0 * cost) / DELTA.powi(2);
        (curvature > 0.0).then(|| curvature.sqrt().recip())
    }

    fn finish(&self, cells: &Cells, t: &Theta, cost: f64) -> Fit {
        let tail_index = |q: f64| match self.mixing {
            Mixing::Student | Mixing::Pareto => q.exp(),
            _ => 2.0 * logistic(q),
        };
        let heavy = matches!(
            self.mixing,
            Mixing::Student | Mixing::Stable | Mixing::Pareto
        );
        let alpha = heavy.then(|| {
            let reach = self.shape_error(cells, t, cost).map(|error| Z * error);
            let reach = reach.unwrap_or(f64::INFINITY);
            Interval {
                low: tail_index(t[2] - reach),
                estimate: tail_index(t[2]),
                high: tail_index(t[2] + reach),
                level: LEVEL,
            }
        });
        let [shape, second_shape] = match self.mixing {
            Mixing::Gaussian if !self.groups => [0.0, 0.0],
            Mixing::Gaussian => [logistic(t[2]), t[3].exp()],
            Mixing::TwoScales => [0.5 * logistic(t[2]), 1.0 + t[3].exp()],
            Mixing::Stable => [tail_index(t[2]), 0.0],
            _ => [t[2].exp(), 0.0],
        };
        Fit {
            mixing: self.mixing,
            scale: t[0].exp(),
            dimension: t[1].exp(),
            shape,
            second_shape,
            alpha,
            log_likelihood: -cost,
            delta_aic: 2.0 * (cost + self.free as f64),
            weight: 0.0,
            distance: cells.n.sqrt() * cells.distance(&self.law(cells, t)),
        }
    }
}

pub(super) fn fit(norms: &[f64]) -> Result<Mixtures, Error> {
    const WHAT: &str = "a comparison of noise laws";
    check_norms(WHAT, norms, 20)?;
    let cells = Cells::new(&sorted(norms)).ok_or(Error::Constant { what: WHAT })?;
    // The logarithm of χ_d/√d has variance 1/(2d), nearly.
    let log_d = (0.5 * (1.35 / cells.iqr).powi(2)).ln().clamp(-0.7, 16.0);
    let found: Vec<(Theta, f64)> = SEARCHES
        .par_iter()
        .map(|search| search.run(&cells, cells.median, log_d))
        .collect();
    let best = |mixing: Mixing| {
        let all = SEARCHES.iter().zip(&found);
        all.filter(|(search, _)| search.mixing == mixing)
            .min_by(|a, b| (a.1.1 + a.0.free as f64).total_cmp(&(b.1.1 + b.0.free as f64)))
            .expect("each family is searched")
    };
    let best = Mixing::ALL.map(best);
    let mut fits: Vec<Fit> = best
        .par_iter()
        .map(|(search, (t, cost))| search.finish(&cells, t, *cost))
        .collect();
    let least = fits
        .iter()
        .map(|f| f.delta_aic)
        .fold(f64::INFINITY, f64::min);
    let relative = |f: &Fit| (-0.5 * (f.delta_aic - least)).exp();
    let sum: f64 = fits.iter().map(relative).sum();
    for fit in &mut fits {
        fit.weight = relative(fit) / sum;
        fit.delta_aic -= least;
    }
    Ok(Mixtures {
        infinite_variance: infinite_variance(&fits),
        alpha: alpha(&fits),
        fits,
    })
}

/// The weight of laws with a tail index below 2.
fn infinite_variance(fits: &[Fit]) -> f64 {
    let below = |f: &&Fit| f.alpha.is_some_and(|alpha| alpha.estimate < 2.0);
    fits.iter().filter(below).map(|f| f.weight).sum()
}

/// α of the best fit, and the union of the intervals of all that are plausible.
fn alpha(fits: &[Fit]) -> Option<Interval> {
    let best = fits.iter().find(|f| f.delta_aic == 0.0)?.alpha?;
    let plausible = fits.iter().filter(|f| f.delta_aic <= Mixtures::PLAUSIBLE);
    Some(plausible.fold(best, |union, fit| match fit.alpha {
        Some(alpha) => Interval {
            low: union.low.min(alpha.low),
            high: union.high.max(alpha.high),
            ..union
        },
        None => Interval {
            high: f64::INFINITY,
            ..union
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(mixing: Mixing, delta_aic: f64, alpha: Option<(f64, f64, f64)>) -> Fit {
        Fit {
            mixing,
            scale: 1.0,
            dimension: 1.0,
            shape: 0.0,
            second_shape: 0.0,
            alpha: alpha.map(|(low, estimate, high)| Interval {
                low,
                estimate,
                high,
                level: LEVEL,
            }),
            log_likelihood: 0.0,
            delta_aic,
            weight: (-0.5 * delta_aic).exp(),
            distance: 0.5,
        }
    }

    #[test]
    fn the_interval_is_the_union_of_what_is_plausible() {
        let mut fits = vec![
            fitted(Mixing::Lognormal, 6.1, None),
            fitted(Mixing::Student, 5.9, Some((1.9, 2.2, 2.6))),
            fitted(Mixing::Stable, 0.0, Some((1.3, 1.5, 1.7))),
            fitted(Mixing::Pareto, 6.1, Some((1.0, 1.1, 9.0))),
        ];
        let union = alpha(&fits).unwrap();
        assert_eq!((union.low, union.estimate, union.high), (1.3, 1.5, 2.6));
        // Laws of infinite variance: by the estimate, not the interval.
        let expected = 1.0 + (-3.05_f64).exp();
        assert!((infinite_variance(&fits) - expected).abs() < 1e-12);
        fits[0].delta_aic = 5.9;
        assert_eq!(alpha(&fits).unwrap().high, f64::INFINITY);
        fits[2].delta_aic = 1.0;
        fits[0].delta_aic = 0.0;
        assert_eq!(alpha(&fits), None);
    }

    /// Akaike's penalty is one nat a parameter.
    #[test]
    fn every_parameter_costs() {
        let sample: Vec<f64> = (1..400)
            .map(|i| (f64::from(i * 37 % 401) / 100.0).exp())
            .collect();
        let found = fit(&sample).unwrap();
        let of = |mixing| {
            let fit = found.of(mixing);
            0.5 * fit.delta_aic + fit.log_likelihood
        };
        let (two_scales, student, stable) = (
            of(Mixing::TwoScales),
            of(Mixing::Student),
            of(Mixing::Stable),
        );
        assert!((two_scales - student - 1.0).abs() < 1e-9);
        assert!((stable - student).abs() < 1e-9);
    }
}
