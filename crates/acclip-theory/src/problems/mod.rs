//! temp
/// f
pub trait Problem: Sync {
    /// d
    fn dim(&self) -> usize;
    /// g
    fn gradient(&self, x: &[f64], grad: &mut [f64]);
    /// gap
    fn gap(&self, x: &[f64], gap: &mut [f64]);
    /// facts
    fn facts(&self) -> Facts;
}
/// facts
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// L
    pub smoothness: Option<f64>,
    /// mu
    pub strong_convexity: f64,
    /// X
    pub domain: Option<Domain>,
    /// x
    pub optimum: Option<Vec<f64>>,
    /// f*
    pub minimum: f64,
    /// G
    pub gradient_bound: Option<f64>,
}
/// dom
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// b
    Ball {
        /// r
        radius: f64,
    },
    /// b
    Box {
        /// l
        lower: f64,
        /// u
        upper: f64,
    },
}
/// temp
pub struct Half {
    /// c
    pub c: f64,
    /// dom
    pub domain: Option<Domain>,
}
impl Problem for Half {
    fn dim(&self) -> usize {
        1
    }
    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        acclip_noise::lanes::vectorised(
            #[inline(always)]
            || {
                for (g, x) in grad.iter_mut().zip(x) {
                    *g = x - self.c;
                }
            },
        )
    }
    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        for (g, x) in gap.iter_mut().zip(x) {
            *g = 0.5 * (x - self.c) * (x - self.c);
        }
    }
    fn facts(&self) -> Facts {
        Facts {
            smoothness: Some(1.0),
            strong_convexity: 1.0,
            domain: self.domain,
            optimum: None,
            minimum: 0.0,
            gradient_bound: None,
        }
    }
}
