//! Methods: rules of `acclip-optim` with step sizes, thresholds and averages that follow the step.
//!
//! One optimizer runs many trajectories at once. A coordinate-wise rule does so by itself; a rule or a projection with
//! a norm has a block for every trajectory. In one dimension the norm is the absolute value, so GClip is CClip there, and
//! normalised SGD the sign of the average.

use acclip_optim::{
    AcClip, Adam, Block, ClipCoordinate, ClipCoordinates, ClipNorm, Ema, Form, Layout, Link,
    Normalize, Optimizer, ProjectBall, ProjectBox, RmsProp, Schedule, Sgd,
};

use crate::Error;
use crate::problems::Domain;

/// What is done with a stochastic gradient.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// Nothing.
    Sgd,
    /// The norm is clipped at max_norm·t^growth.
    GClip {
        /// Threshold of the first step.
        max_norm: f64,
        /// Exponent of its growth.
        growth: f64,
    },
    /// Each coordinate is clipped at τ_i·t^growth.
    CClip {
        /// Thresholds of the first step: one for all coordinates, or one for each.
        tau: Vec<f64>,
        /// Exponent of their growth.
        growth: f64,
    },
    /// Algorithm 1, or its normalised form.
    AcClip(AcClip),
    /// The average of gradients with decay `beta1`, divided by its norm.
    Normalized {
        /// Decay of the average; 0 normalises the gradient itself.
        beta1: f64,
    },
    /// Adam.
    Adam(Adam),
    /// RMSProp.
    RmsProp(RmsProp),
}

/// A method with everything that its theorem prescribes.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// Its name in tables and figures.
    pub name: String,
    /// What is done with a stochastic gradient.
    pub update: Update,
    /// Step size of the first step, in (0, ∞).
    pub learning_rate: f64,
    /// Step sizes after that, as factors.
    pub schedule: Schedule,
    /// Degree of the weights of the averaged iterate x̄, if there is one: 1 in Theorems 4 and 8.
    pub average: Option<f64>,
    /// Whether iterates are projected onto the problem's domain.
    pub project: bool,
}

/// A constant step size.
pub const CONSTANT: Schedule = Schedule::Constant { warm_up: 0 };
/// 2/(k + 1) at step k.
pub const HARMONIC: Schedule = Schedule::Power {
    shift: 1,
    exponent: 1.0,
};

impl Method {
    /// A method with a constant step size, without average or projection.
    pub fn constant(name: impl Into<String>, update: Update, learning_rate: f64) -> Self {
        Method {
            name: name.into(),
            update,
            learning_rate,
            schedule: CONSTANT,
            average: None,
            project: false,
        }
    }

    /// A method with the step sizes and the average of Theorems 4 and 8: η_k = 4/(μ(k+1)),
    /// x̄_k = 2/(k(k+1)) Σ j x_{j−1}, projected.
    pub fn harmonic(name: impl Into<String>, update: Update, strong_convexity: f64) -> Self {
        Method {
            name: name.into(),
            update,
            learning_rate: 2.0 / strong_convexity,
            schedule: HARMONIC,
            average: Some(1.0),
            project: true,
        }
    }

    /// η_k at step k = 1, 2, ….
    pub fn learning_rate(&self, k: u64) -> f64 {
        self.learning_rate * self.schedule.factor(k)
    }

    /// The optimizer for `rows` trajectories of `dim` coordinates, and how they lie in memory.
    ///
    /// # Errors
    /// [`Error::Optimizer`] for hyper-parameters out of range.
    pub(crate) fn build(
        &self,
        rows: usize,
        dim: usize,
        domain: Option<Domain>,
    ) -> Result<(Optimizer, Layout), Error> {
        let one = dim == 1;
        let plain = Link::Sgd(Sgd {
            momentum: 0.0,
            nesterov: false,
        });
        let mut links = match &self.update {
            Update::Sgd => vec![plain],
            &Update::GClip {
                max_norm: tau,
                growth,
            } if one => {
                vec![Link::ClipCoordinate(ClipCoordinate { tau, growth }), plain]
            }
            &Update::GClip { max_norm, growth } => {
                let clip = ClipNorm {
                    max_norm,
                    growth,
                    by_block: true,
                };
                vec![Link::ClipNorm(clip), plain]
            }
            Update::CClip { tau, growth } => {
                let growth = *growth;
                let clip = match tau.as_slice() {
                    &[tau] => Link::ClipCoordinate(ClipCoordinate { tau, growth }),
                    _ => Link::ClipCoordinates(ClipCoordinates {
                        tau: tau.iter().copied().cycle().take(rows * dim).collect(),
                        growth,
                    }),
                };
                vec![clip, plain]
            }
            Update::AcClip(rule) => vec![Link::AcClip(*rule)],
            &Update::Normalized { beta1 } if one => vec![Link::Ema(Ema { beta1, sign: true })],
            &Update::Normalized { beta1 } => vec![
                Link::Ema(Ema { beta1, sign: false }),
                Link::Normalize(Normalize { by_block: true }),
            ],
            Update::Adam(rule) => vec![Link::Adam(*rule)],
            Update::RmsProp(rule) => vec![Link::RmsProp(*rule)],
        };
        links.extend(domain.filter(|_| self.project).map(|domain| match domain {
            Domain::Ball { radius } if !one => Link::ProjectBall(ProjectBall {
                radius,
                by_block: true,
            }),
            Domain::Ball { radius } => Link::ProjectBox(ProjectBox {
                lower: -radius,
                upper: radius,
            }),
            Domain::Box { lower, upper } => Link::ProjectBox(ProjectBox { lower, upper }),
        }));
        let by_row = |link: &Link| {
            matches!(
                link,
                Link::ClipNorm(_) | Link::Normalize(_) | Link::ProjectBall(_)
            )
        };
        let blocks = if links.iter().any(by_row) {
            (0..rows)
                .map(|row| Block::new(row.to_string(), [dim], false))
                .collect()
        } else {
            vec![Block::new("trajectories", [rows * dim], false)]
        };
        Ok((
            Optimizer::chain(self.name.clone(), links)?,
            Layout::new(blocks)?,
        ))
    }
}

/// Algorithm 1 as printed, with exponent `alpha` and the decays of the paper's experiments.
pub fn acclip(alpha: f64) -> Update {
    Update::AcClip(AcClip {
        form: Form::Paper,
        alpha,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-5,
        bias_correction: false,
    })
}
