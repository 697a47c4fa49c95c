//! The law of the number of ones among k independent bits, where its mass is.
//!
//! Masses come from the recursion P(n + 1)/P(n) = (k − n)/(n + 1) · p/(1 − p), upwards and downwards from the
//! mode until they fall below 10⁻¹⁸ of it, and are divided by their sum: no factorials, whose
//! logarithms are too large to be exact. Probabilities are within 10⁻¹³ (absolute) up to
//! k = 10⁷. Time and memory O(√(kp)).

/// Masses below this part of the largest are left out.
const CUT: f64 = 1e-18;

/// Bin(k, p) on the window of n where it is not negligible.
pub(super) struct Binomial {
    first: u64,
    mass: Vec<f64>,
}

impl Binomial {
    /// The law of the number of ones among `k` bits, each 1 with probability `p` in [0, 1].
    pub fn new(k: u64, p: f64) -> Self {
        let odds = p / (1.0 - p);
        let mode = (((k as f64 + 1.0) * p) as u64).min(k);
        let (mut below, mut term, mut n) = (Vec::new(), 1.0, mode);
        while n > 0 {
            term *= n as f64 / ((k - n + 1) as f64 * odds);
            if term < CUT {
                break;
            }
            n -= 1;
            below.push(term);
        }
        let first = n;
        below.reverse();
        let mut mass = below;
        mass.push(1.0);
        (term, n) = (1.0, mode);
        while n < k {
            term *= (k - n) as f64 / (n + 1) as f64 * odds;
            if term < CUT {
                break;
            }
            n += 1;
            mass.push(term);
        }
        let total: f64 = mass.iter().sum();
        for mass in &mut mass {
            *mass /= total;
        }
        Self { first, mass }
    }

    /// Pairs of masses of one n, over all n at which neither is negligible.
    pub fn overlap<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (f64, f64)> {
        let first = self.first.max(other.first);
        let from = |law: &'a Self| {
            let skipped = usize::try_from(first - law.first).unwrap_or(usize::MAX);
            law.mass.iter().copied().skip(skipped)
        };
        from(self).zip(from(other))
    }

    /// P(n ≥ `from`).
    #[cfg(test)]
    pub fn at_least(&self, from: u64) -> f64 {
        let masses = (self.first..).zip(&self.mass);
        masses
            .filter(|&(n, _)| n >= from)
            .map(|(_, mass)| mass)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{BinomialError, Discrete};

    #[test]
    fn masses_are_those_of_the_formula() -> Result<(), BinomialError> {
        for (k, p) in [
            (0, 0.3),
            (1, 0.3),
            (7, 0.0),
            (7, 1.0),
            (20, 0.5),
            (40, 0.9),
            (170, 0.01),
        ] {
            let law = Binomial::new(k, p);
            let slow = statrs::distribution::Binomial::new(p, k)?;
            let mut seen = 0.0;
            for (n, &mass) in (law.first..).zip(&law.mass) {
                assert!((mass - slow.pmf(n)).abs() < 1e-13, "{k} {p} {n}: {mass}");
                seen += mass;
            }
            assert!((seen - 1.0).abs() < 1e-14);
        }
        // C(4, 2) 0.25² 0.75² = 54/256.
        let law = Binomial::new(4, 0.25);
        assert!((law.mass[(2 - law.first) as usize] - 54.0 / 256.0).abs() < 1e-15);
        Ok(())
    }

    /// mpmath at 40 digits: the sum over n ≥ `from` of exp(ln k! − ln n! − ln (k − n)! + n ln p + (k − n) ln(1 − p)),
    /// by `loggamma`. (The incomplete beta function of statrs is off by 10⁻⁶ at the third line.)
    #[test]
    fn tails_of_long_sequences_are_those_at_40_digits() {
        let golden = [
            (10_000_000_u64, 1e-7, 1, 0.632_120_577_222_53),
            (10_000_000, 1e-7, 2, 0.264_241_117_657_115),
            (10_000_000, 1e-7, 4, 0.018_988_150_744_829_7),
            (10_000_000, 0.3, 2_998_551, 0.841_405_244_361_492),
            (10_000_000, 0.3, 3_000_001, 0.499_843_998_754_117),
            (10_000_000, 0.3, 3_004_348, 0.001_351_262_323_237_31),
            (10_000_000, 3e-5, 283, 0.843_926_087_557_638),
            (10_000_000, 3e-5, 301, 0.484_651_242_735_349),
            (10_000_000, 3e-5, 352, 0.001_846_493_394_832_54),
            (1000, 0.2, 188, 0.838_451_106_584_601),
            (1000, 0.2, 201, 0.481_088_564_441_257),
            (1000, 0.2, 238, 0.001_816_798_072_809_64),
        ];
        for (k, p, from, exact) in golden {
            let found = Binomial::new(k, p).at_least(from);
            assert!((found - exact).abs() < 1e-13, "{k} {p} {from}: {found}");
        }
    }

    #[test]
    fn overlaps_are_aligned() {
        let (a, b) = (Binomial::new(1000, 0.3), Binomial::new(1000, 0.4));
        assert!(a.first != b.first);
        // Σ min(P, Q) = 1 − Σ (P − Q)₊, and P > Q from below up to one n.
        let shared: f64 = a.overlap(&b).map(|(a, b)| a.min(b)).sum();
        let best = (0..1000)
            .map(|n| b.at_least(n) - a.at_least(n))
            .fold(0.0, f64::max);
        assert!((shared - (1.0 - best)).abs() < 1e-13);
        assert_eq!(
            Binomial::new(1000, 0.01)
                .overlap(&Binomial::new(1000, 0.99))
                .count(),
            0
        );
    }
}
