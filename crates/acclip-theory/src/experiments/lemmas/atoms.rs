//! Gradients in one dimension with a law on two points, whose clipped moments are sums of two terms.
//!
//! They attain the bounds of Lemmas 9 and 10: rare and long noise on one side, little on the other. Nothing is
//! subtracted that could cancel, so that a probability may be as small as 10⁻³⁰⁰.

/// g = ∇f + `size` with probability `p`, else ∇f − p·`size`/(1 − p).
#[derive(Debug, Clone, Copy)]
pub(super) struct Push {
    /// ∇f.
    pub gradient: f64,
    /// The rare noise.
    pub size: f64,
    /// Its probability, in (0, 1).
    pub p: f64,
}

impl Push {
    /// g = `length` with probability `p`, else 0.
    pub(super) fn rare_gradient(length: f64, p: f64) -> Self {
        Push {
            gradient: p * length,
            size: (1.0 - p) * length,
            p,
        }
    }

    /// E h(ξ).
    fn expect(&self, h: impl Fn(f64) -> f64) -> f64 {
        let usual = -self.p * self.size / (1.0 - self.p);
        self.p * h(self.size) + (1.0 - self.p) * h(usual)
    }

    /// E|g|^α.
    pub(super) fn moment(&self, alpha: f64) -> f64 {
        self.expect(|noise| (self.gradient + noise).abs().powf(alpha))
    }

    /// E|ξ|^α.
    pub(super) fn noise_moment(&self, alpha: f64) -> f64 {
        self.expect(|noise| noise.abs().powf(alpha))
    }

    /// E ĝ² with the threshold `tau`.
    pub(super) fn second(&self, tau: f64) -> f64 {
        self.expect(|noise| (self.gradient + noise).abs().min(tau).powi(2))
    }

    /// E ĝ² − (∇f)².
    pub(super) fn gained(&self, tau: f64) -> f64 {
        let gradient = self.gradient;
        self.expect(|noise| match (gradient + noise).abs() > tau {
            true => (tau - gradient) * (tau + gradient),
            false => (2.0 * gradient + noise) * noise,
        })
    }

    /// (E ĝ − ∇f)².
    pub(super) fn squared_bias(&self, tau: f64) -> f64 {
        let lost = |g: f64| g - g.clamp(-tau, tau);
        self.expect(|noise| lost(self.gradient + noise)).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_hand() {
        // g = 8 with probability ¼, else 0; τ = 2: E g² … = ¼·4, bias ¼·6 = 1.5; ∇f = 2.
        let law = Push::rare_gradient(8.0, 0.25);
        assert_eq!((law.gradient, law.second(2.0)), (2.0, 1.0));
        assert_eq!((law.squared_bias(2.0), law.gained(2.0)), (2.25, -3.0));
        // ¼·8² and ¼·6² + ¾·2².
        assert_eq!((law.moment(2.0), law.noise_moment(2.0)), (16.0, 12.0));
        let law = Push {
            gradient: 0.5,
            size: -4.0,
            p: 0.5,
        };
        // g is −3.5 or 4.5.
        assert_eq!((law.second(4.0), law.gained(4.0)), (14.125, 13.875));
        assert_eq!(law.squared_bias(4.0), 0.0625);
    }
}
