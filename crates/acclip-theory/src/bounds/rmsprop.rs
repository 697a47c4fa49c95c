//! RMSProp against a clip: the Discussion of the paper.
//!
//! RMSProp steps by h_rms g with the second moment v *before* it sees g, a clip with the same state by h_clip g:
//!
//! ```text
//! h_rms  = lr/(ε + √(β2 v + (1 − β2) g²))
//! h_clip = η min{τ/|g|, 1}      η = c·lr/(ε + √(β2 v))      τ = (ε + √(β2 v))/√(1 − β2)
//! 1/(2c) ≤ h_rms/h_clip ≤ 1/c
//! ```
//!
//! *Proof.* With s = ε + √(β2 v) and u = √(1 − β2)|g|, h_clip = c·lr/max{s, u}, and
//! max{s, u} ≤ ε + √(β2 v + u²) ≤ s + u ≤ 2 max{s, u}. The right end is attained at g = 0, the left one
//! at v = 0, u = ε. Without ε the left end is 1/(√2 c), at s = u.
//!
//! Departure from the print: the paper claims ½ h_clip ≤ h_rms ≤ 2h_clip. That holds for c = 1, where even
//! h_rms ≤ h_clip; for the factor c = 2 that is recalled from the paper's η the ratio is between ¼ and ½, and the
//! claim is false.
//!
//! All arguments are per coordinate: `v` and `eps` at least 0, `beta2` in [0, 1). Where s and g are both 0 the
//! factors are infinite.
//!
//! Reference: the paper, Discussion; T. Tieleman, G. Hinton, *Lecture 6.5: RMSProp*, 2012.

use super::positive;
use crate::error::Error;

/// What RMSProp multiplies g by: lr/(ε + √(β2 v + (1 − β2) g²)).
pub fn h_rms(learning_rate: f64, v: f64, g: f64, beta2: f64, eps: f64) -> f64 {
    learning_rate / (eps + (beta2 * v + (1.0 - beta2) * g * g).sqrt())
}

/// What the clip multiplies g by, with the factor `c` in its step size: c·lr/max{ε + √(β2 v), √(1 − β2)|g|}.
pub fn h_clip(c: f64, learning_rate: f64, v: f64, g: f64, beta2: f64, eps: f64) -> f64 {
    c * learning_rate / (eps + (beta2 * v).sqrt()).max((1.0 - beta2).sqrt() * g.abs())
}

/// η and τ of that clip: (c·lr/(ε + √(β2 v)), (ε + √(β2 v))/√(1 − β2)).
pub fn clip_parameters(c: f64, learning_rate: f64, v: f64, beta2: f64, eps: f64) -> (f64, f64) {
    let s = eps + (beta2 * v).sqrt();
    (c * learning_rate / s, s / (1.0 - beta2).sqrt())
}

/// The range of h_rms/h_clip: [1/(2c), 1/c].
///
/// # Errors
/// If `c` is not positive and finite.
pub fn ratio_range(c: f64) -> Result<(f64, f64), Error> {
    let c = positive("c", c)?;
    Ok((0.5 / c, 1.0 / c))
}

/// The same for ε = 0: [1/(√2 c), 1/c].
///
/// # Errors
/// If `c` is not positive and finite.
pub fn ratio_range_without_eps(c: f64) -> Result<(f64, f64), Error> {
    let c = positive("c", c)?;
    Ok((std::f64::consts::FRAC_1_SQRT_2 / c, 1.0 / c))
}

#[cfg(test)]
mod tests {
    use super::super::laws::{Generator, close};
    use super::*;

    /// Smallest and largest h_rms/h_clip over random states.
    fn extremes(c: f64, with_eps: bool) -> (f64, f64) {
        let mut rng = Generator(5);
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for _ in 0..100_000 {
            let (rate, beta2) = (rng.decade(-4.0, 0.0), 1.0 - rng.decade(-4.0, -0.01));
            let (v, g) = (
                rng.decade(-8.0, 4.0),
                rng.between(-1.0, 1.0) * rng.decade(-4.0, 4.0),
            );
            let eps = if with_eps { rng.decade(-4.0, 4.0) } else { 0.0 };
            let clip = h_clip(c, rate, v, g, beta2, eps);
            let (eta, tau) = clip_parameters(c, rate, v, beta2, eps);
            assert!(close(clip, eta * (tau / g.abs()).min(1.0)));
            let ratio = h_rms(rate, v, g, beta2, eps) / clip;
            (low, high) = (low.min(ratio), high.max(ratio));
        }
        (low, high)
    }

    #[test]
    fn the_ratio_fills_its_range() {
        for c in [0.3, 1.0, 2.0] {
            for (with_eps, range) in [(true, ratio_range(c)), (false, ratio_range_without_eps(c))] {
                let ((low, high), (from, to)) = (extremes(c, with_eps), range.unwrap());
                assert!(
                    from * (1.0 - 1e-12) <= low && high <= to * (1.0 + 1e-12),
                    "{c}: {low} {high}"
                );
                assert!(low < 1.01 * from && high > 0.999 * to, "{c}: {low} {high}");
            }
        }
        assert_eq!(ratio_range(1.0).unwrap(), (0.5, 1.0));
        assert_eq!(ratio_range(2.0).unwrap(), (0.25, 0.5));
    }

    #[test]
    fn both_ends_are_attained() {
        // β2 = 3/4: u = |g|/2. v = 0, ε = u = 1: 1/2 against 1.
        let (rms, clip) = (
            h_rms(1.0, 0.0, 2.0, 0.75, 1.0),
            h_clip(1.0, 1.0, 0.0, 2.0, 0.75, 1.0),
        );
        assert_eq!((rms, clip), (0.5, 1.0));
        // g = 0: both lr/(ε + √(β2 v)) = 6/(1 + √(¾·12)).
        let (rms, clip) = (
            h_rms(6.0, 12.0, 0.0, 0.75, 1.0),
            h_clip(1.0, 6.0, 12.0, 0.0, 0.75, 1.0),
        );
        assert_eq!((rms, clip), (1.5, 1.5));
        // ε = 0, s = u = 3: 1/√18 against 1/3.
        let (rms, clip) = (
            h_rms(1.0, 12.0, -6.0, 0.75, 0.0),
            h_clip(1.0, 1.0, 12.0, -6.0, 0.75, 0.0),
        );
        assert!(close(rms, 18_f64.sqrt().recip()) && close(clip, 1.0 / 3.0));
    }

    #[test]
    fn the_recalled_factor_two_breaks_the_claim() {
        // ½ h_clip ≤ h_rms fails for every state but those with ratio ½.
        let (rms, clip) = (
            h_rms(1.0, 0.0, 2.0, 0.75, 1.0),
            h_clip(2.0, 1.0, 0.0, 2.0, 0.75, 1.0),
        );
        assert!(rms < 0.5 * clip);
        assert!(extremes(2.0, true).0 < 0.26);
    }

    #[test]
    fn a_bad_factor_is_refused() {
        for c in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            assert!(ratio_range(c).is_err() && ratio_range_without_eps(c).is_err());
        }
    }
}
