//! Random finite laws, under which every expectation is a finite sum.

/// SplitMix64 (Steele, Lea & Flood, 2014).
pub(super) struct Generator(pub u64);

impl Generator {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Uniform on (low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// 10^U with U uniform on (low, high).
    pub fn decade(&mut self, low: f64, high: f64) -> f64 {
        10_f64.powf(self.between(low, high))
    }

    /// Uniform on low, …, high.
    pub fn whole(&mut self, low: usize, high: usize) -> usize {
        low + (self.bits() % (high - low + 1) as u64) as usize
    }

    /// A point of the unit sphere in `dim` dimensions (not uniform, but any can occur).
    pub fn direction(&mut self, dim: usize) -> Vec<f64> {
        let x: Vec<f64> = (0..dim).map(|_| self.between(-1.0, 1.0).powi(3)).collect();
        let norm = length(&x);
        x.iter().map(|x| x / norm).collect()
    }

    /// A law on 1 to 6 atoms in `dim` dimensions; lengths and probabilities over several decades.
    pub fn law(&mut self, dim: usize) -> Law {
        let n = self.whole(1, 6);
        let weights: Vec<f64> = (0..n).map(|_| self.decade(-4.0, 0.0)).collect();
        let total: f64 = weights.iter().sum();
        let atom = |weight: &f64| {
            let length = self.decade(-1.0, 2.0);
            let atom = self.direction(dim).iter().map(|x| x * length).collect();
            (weight / total, atom)
        };
        Law(weights.iter().map(atom).collect())
    }
}

/// Probabilities and atoms.
pub(super) struct Law(pub Vec<(f64, Vec<f64>)>);

impl Law {
    /// E f(g).
    pub fn expect(&self, f: impl Fn(&[f64]) -> f64) -> f64 {
        self.0.iter().map(|(p, g)| p * f(g)).sum()
    }

    /// E f(g) for vectors.
    pub fn mean(&self, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let mut mean = vec![0.0; self.0[0].1.len()];
        for (p, g) in &self.0 {
            for (mean, x) in mean.iter_mut().zip(f(g)) {
                *mean += p * x;
            }
        }
        mean
    }

    /// The law of g − E g + `shift`.
    pub fn centred(self, shift: &[f64]) -> Law {
        let mean = self.mean(<[f64]>::to_vec);
        let moved = |g: Vec<f64>| (0..g.len()).map(|i| g[i] - mean[i] + shift[i]).collect();
        Law(self.0.into_iter().map(|(p, g)| (p, moved(g))).collect())
    }
}

/// ‖x‖.
pub(super) fn length(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// ‖x − y‖.
pub(super) fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter()
        .zip(y)
        .map(|(x, y)| (x - y).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// min{τ/‖g‖, 1} g.
pub(super) fn clip(g: &[f64], tau: f64) -> Vec<f64> {
    let norm = length(g);
    let factor = if norm > tau { tau / norm } else { 1.0 };
    g.iter().map(|g| factor * g).collect()
}

/// Whether `found` is `expected` to a relative 10⁻¹².
pub(super) fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs()
}

#[test]
fn a_wrong_value_is_not_close() {
    assert!(close(1.0, 1.0 + 1e-13) && !close(1.0, 1.0 + 1e-11) && !close(1e-300, 0.0));
}
