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
    /// [`Error::Optimizer`] for hyper-parameters out of range; [`Error::OutOfRange`] for thresholds of CClip that are
    /// neither one nor `dim`.
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
                    all if all.len() != dim => {
                        return Err(Error::OutOfRange {
                            name: "number of thresholds",
                            value: all.len().to_string(),
                            range: "1, or the dimension of the problem",
                        });
                    }
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

/// Adam with the decays of its paper.
pub fn adam() -> Update {
    Update::Adam(Adam {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
    })
}

/// RMSProp without momentum.
pub fn rmsprop() -> Update {
    Update::RmsProp(RmsProp {
        beta2: 0.99,
        eps: 1e-8,
        momentum: 0.0,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::strongly_convex::StronglyConvex;

    fn links(update: &Update, dim: usize, domain: Option<Domain>, project: bool) -> Vec<Link> {
        let method = Method {
            project,
            ..Method::constant("m", update.clone(), 0.1)
        };
        method.build(6, dim, domain).unwrap().0.links().to_vec()
    }

    #[test]
    fn step_sizes_are_those_of_the_theorems() {
        let theorem = StronglyConvex::new(1.5, 3.0, 0.4).unwrap();
        let harmonic = Method::harmonic("m", Update::Sgd, 0.4);
        let constant = Method::constant("m", Update::Sgd, 0.3);
        for k in [1, 2, 3, 10, 1000, 1 << 40] {
            let (found, exact) = (harmonic.learning_rate(k), 4.0 / (0.4 * (k as f64 + 1.0)));
            assert!((found / exact - 1.0).abs() < 1e-14, "{k}: {found} {exact}");
            assert!((found / theorem.learning_rate(k) - 1.0).abs() < 1e-14);
            assert_eq!(constant.learning_rate(k), 0.3);
        }
        assert!(harmonic.average == Some(1.0) && harmonic.project);
        assert!(constant.average.is_none() && !constant.project);
    }

    #[test]
    fn in_one_dimension_a_norm_is_an_absolute_value() {
        let gclip = Update::GClip {
            max_norm: 0.7,
            growth: 0.5,
        };
        let cclip = Update::CClip {
            tau: vec![0.7],
            growth: 0.5,
        };
        assert_eq!(links(&gclip, 1, None, false), links(&cclip, 1, None, false));
        assert_ne!(links(&gclip, 2, None, false), links(&cclip, 2, None, false));
        let (ball, interval) = (
            Domain::Ball { radius: 2.0 },
            Domain::Box {
                lower: -2.0,
                upper: 2.0,
            },
        );
        let sgd = |dim, domain| links(&Update::Sgd, dim, Some(domain), true);
        assert_eq!(sgd(1, ball), sgd(1, interval));
        assert_ne!(sgd(2, ball), sgd(2, interval));
    }

    #[test]
    fn every_trajectory_has_norms_of_its_own() {
        for update in [
            Update::GClip {
                max_norm: 1.0,
                growth: 0.0,
            },
            Update::Normalized { beta1: 0.5 },
        ] {
            let method = Method::constant("m", update, 0.1);
            let (_, layout) = method.build(6, 3, None).unwrap();
            assert_eq!((layout.block_count(), layout.len()), (6, 18));
            let (_, layout) = method.build(6, 1, None).unwrap();
            assert_eq!((layout.block_count(), layout.len()), (1, 6));
        }
    }

    #[test]
    fn projection_is_last_and_only_where_it_is_asked_for() {
        let ball = Some(Domain::Ball { radius: 2.0 });
        for dim in [1, 3] {
            let plain = links(&Update::Sgd, dim, ball, false);
            assert_eq!(plain, links(&Update::Sgd, dim, None, true));
            let projected = links(&Update::Sgd, dim, ball, true);
            assert_eq!(projected[..plain.len()], plain);
            assert_eq!(projected.len(), plain.len() + 1);
        }
    }

    #[test]
    fn algorithm_1_has_the_decays_of_the_paper() {
        let Update::AcClip(rule) = acclip(1.3) else {
            panic!()
        };
        assert_eq!(
            (rule.alpha, rule.beta1, rule.beta2, rule.eps),
            (1.3, 0.9, 0.99, 1e-5)
        );
        assert!(rule.form == Form::Paper && !rule.bias_correction);
    }

    #[test]
    fn thresholds_are_one_or_one_for_each_coordinate() {
        let build = |tau: Vec<f64>| {
            let update = Update::CClip { tau, growth: 0.0 };
            Method::constant("m", update, 0.1).build(6, 3, None)
        };
        for count in [0, 2, 4, 18] {
            assert!(
                matches!(build(vec![1.0; count]), Err(Error::OutOfRange { .. })),
                "{count}"
            );
        }
        assert!(build(vec![1.0]).is_ok() && build(vec![1.0, 2.0, 3.0]).is_ok());
        assert!(matches!(
            build(vec![1.0, 0.0, 3.0]),
            Err(Error::Optimizer(_))
        ));
    }
}
