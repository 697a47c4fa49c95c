//! How a step is run: checks, the norms that clips need, one pass or link by link, and statistics.

use crate::clips::Norms;
use crate::clips::coordinate::Clamped;
use crate::pass::{self, Pass};
use crate::real::{Values, ValuesMut};
use crate::rounding::Dice;
use crate::rules::WithKernel;
use crate::rules::sgd::Plain;
use crate::simd::InstructionSet;
use crate::state::check_length;
use crate::stats::{BlockStats, NonFinite, Stats, Sums};
use crate::storage::TILE;
use crate::{Block, Error, Layout, Link, Optimizer, Real, State, chain, project};

/// What the links of one step are told.
pub(crate) struct Prepared<'a> {
    pub t: u64,
    pub learning_rate: f64,
    pub layout: &'a Layout,
    pub set: InstructionSet,
    seed: u64,
}

impl Prepared<'_> {
    /// Random bits for rounding: 0 for the parameters, then the slots.
    pub(crate) fn dice(&self, buffer: usize) -> Dice {
        Dice::new(self.seed, self.t, buffer)
    }

    /// How many of the state's small memories belong to a link.
    pub(crate) fn memory_count(&self, link: &Link) -> usize {
        link.norm_clip()
            .map_or(0, |clip| clip.memory(self.layout.block_count()).len())
    }
}

/// The links of a chain that fits into one pass: each at most once, and in this order.
#[derive(Default)]
struct OnePass<'a> {
    norm_clip: Option<&'a Link>,
    tau: Option<f64>,
    rule: Option<&'a Link>,
    weight_decay: f64,
}

impl Optimizer {
    /// [`Optimizer::step`], on buffers of any type.
    pub(crate) fn step_values<F: Real>(
        &self,
        learning_rate: f64,
        layout: &Layout,
        mut params: ValuesMut<'_, F>,
        grad: Values<'_, F>,
        state: &mut State<F>,
    ) -> Result<Stats, Error> {
        if !(0.0..f64::INFINITY).contains(&learning_rate) {
            return Err(Error::LearningRate {
                value: learning_rate,
            });
        }
        let moving = layout.blocks().filter(|(block, _)| !block.frozen);
        let mut rates = moving.map(|(block, _)| learning_rate * block.learning_rate_scale);
        if let Some(value) = rates.find(|&rate| !F::narrow(rate).is_finite()) {
            return Err(Error::LearningRate { value });
        }
        check_length("params", layout.len(), params.len())?;
        check_length("grad", layout.len(), grad.len())?;
        state.check(self, layout)?;
        self.check_links(layout)?;
        let plan = self
            .plan(layout, state.t.saturating_add(1))
            .filter(|_| self.one_pass);
        let zero = self.non_finite == NonFinite::Zero;
        let clips_first = plan.as_ref().is_none_or(|plan| plan.norm_clip.is_some());
        let mut measured = None;
        if !zero || clips_first {
            let sums = pass::measure(self.set, layout, grad);
            if !zero && sums.iter().any(|sums| sums.zeroed > 0) {
                if self.non_finite == NonFinite::Skip {
                    state.skipped = state.skipped.saturating_add(1);
                    return Ok(skipped(layout));
                }
                return Err(first_bad(layout, grad));
            }
            if !sums.iter().map(|sums| sums.grad).sum::<f64>().is_finite() {
                return Err(Error::GradientOverflow);
            }
            measured = Some(sums);
        }

        let at = Prepared {
            t: state.t.saturating_add(1),
            learning_rate,
            layout,
            set: self.set,
            seed: state.seed,
        };
        let mut sums = match plan {
            Some(plan) => run_one_pass(&plan, &at, &mut params, grad, state, measured.as_deref()),
            None => {
                let mut u = state.take_scratch(layout.len());
                fill(&mut u, grad);
                let sums = chain::run(&at, &self.links, &mut u, &mut params, state);
                state.return_scratch(u);
                sums
            }
        };
        for link in &self.links {
            project::project(link, &at, &mut params);
        }
        if let Some(measured) = measured {
            for (sums, measured) in sums.iter_mut().zip(measured) {
                (sums.grad, sums.zeroed) = (measured.grad, measured.zeroed);
            }
        }
        state.t = at.t;
        let stats = summary::<F>(layout, learning_rate, &sums);
        state.zeroed = state.zeroed.saturating_add(stats.zeroed);
        Ok(stats)
    }

    /// The chain as one pass, if it is one, for step `t`.
    fn plan(&self, layout: &Layout, t: u64) -> Option<OnePass<'_>> {
        let mut plan = OnePass::default();
        let mut stage = 0;
        for link in &self.links {
            let place = match link {
                Link::Normalize(_)
                | Link::StableAdam(_)
                | Link::Agc(_)
                | Link::ClipCoordinates(_) => {
                    return None;
                }
                Link::L2(all) => {
                    let none = |(b, _): (&Block, _)| b.decay_by(b.l2, *all) == 0.0;
                    if !layout.blocks().all(none) {
                        return None;
                    }
                    continue;
                }
                Link::ClipCoordinate(clip) => {
                    plan.tau = Some(clip.at(t));
                    2
                }
                Link::WeightDecay(coefficient) => {
                    plan.weight_decay = *coefficient;
                    4
                }
                Link::ProjectBall(_) | Link::ProjectBox(_) => continue,
                clip if clip.norm_clip().is_some() => {
                    plan.norm_clip = Some(clip);
                    1
                }
                rule => {
                    plan.rule = Some(rule);
                    3
                }
            };
            if place <= stage {
                return None;
            }
            stage = place;
        }
        if plan.tau.is_some() && plan.rule.is_some_and(|rule| !matches!(rule, Link::Sgd(_))) {
            return None; // every pair would be a kernel of its own
        }
        Some(plan)
    }

    /// Whether links and layout fit together.
    fn check_links(&self, layout: &Layout) -> Result<(), Error> {
        for link in &self.links {
            if let Link::ClipCoordinates(clip) = link {
                check_length("tau", layout.len(), clip.tau.len())?;
            }
        }
        let has = |kind: fn(&Link) -> bool| self.links.iter().any(kind);
        let (l2, weight_decay) = (
            has(|link| matches!(link, Link::L2(_))),
            has(|link| matches!(link, Link::WeightDecay(_))),
        );
        for (block, _) in layout.blocks() {
            for (field, own, has) in [
                ("l2", block.l2, l2),
                ("weight_decay", block.weight_decay, weight_decay),
            ] {
                if own.is_some() && !has {
                    return Err(Error::UnusedDecay {
                        optimizer: self.name().to_owned(),
                        block: block.name.clone(),
                        field,
                    });
                }
            }
        }
        Ok(())
    }
}

fn run_one_pass<F: Real>(
    plan: &OnePass<'_>,
    at: &Prepared<'_>,
    params: &mut ValuesMut<'_, F>,
    grad: Values<'_, F>,
    state: &mut State<F>,
    measured: Option<&[Sums]>,
) -> Vec<Sums> {
    let layout = at.layout;
    let scales = match plan.norm_clip.and_then(Link::norm_clip) {
        Some(clip) => {
            let squares: Vec<f64> = measured
                .unwrap_or_default()
                .iter()
                .map(|s| s.grad)
                .collect();
            let memories = 0..clip.memory(layout.block_count()).len();
            clip.factors(
                at.t,
                &Norms::from_squares(&squares),
                &mut state.memories(memories),
            )
        }
        None => vec![1.0; layout.block_count()],
    };
    let slots = state.views(0..plan.rule.map_or(0, |rule| rule.slots().len()));
    let pass = Pass {
        set: at.set,
        layout,
        params: params.reborrow(),
        grad,
        dice: (0..=slots.len()).map(|buffer| at.dice(buffer)).collect(),
        slots,
        scales: scales.clone(),
        learning_rate: at.learning_rate,
        weight_decay: (layout.blocks())
            .map(|(block, _)| block.decay_by(block.weight_decay, plan.weight_decay))
            .collect(),
        measure: measured.is_none(),
        bad: match measured {
            Some(measured) => measured.iter().map(|sums| sums.zeroed > 0).collect(),
            None => vec![false; layout.block_count()],
        },
    };
    let planned =
        "only coordinate-wise rules are planned for one pass, and with a clip of coordinates SGD";
    let mut sums = match (plan.tau, plan.rule) {
        (None, None) => pass.with(&Plain),
        (None, Some(rule)) => rule.with_kernel(at.t, pass).expect(planned),
        (Some(tau), None) => Clamped { tau, then: pass }.with(&Plain),
        (Some(tau), Some(Link::Sgd(rule))) => rule.with(Clamped { tau, then: pass }),
        (Some(_), Some(_)) => unreachable!("{planned}"),
    };
    for (((block, range), sums), scale) in layout.blocks().zip(&mut sums).zip(scales) {
        if scale < 1.0 && !block.frozen {
            sums.clipped = range.len() as u64;
        }
    }
    sums
}

/// Copies the gradient, with what is not finite as 0.
fn fill<F: Real>(u: &mut [F], grad: Values<'_, F>) {
    let mut buffer = [F::zero(); TILE];
    for (tile, u) in u.chunks_mut(TILE).enumerate() {
        let grad = grad.tile(tile * TILE, u.len(), &mut buffer);
        for (u, &g) in u.iter_mut().zip(grad) {
            *u = if g.is_finite() { g } else { F::zero() };
        }
    }
}

fn skipped(layout: &Layout) -> Stats {
    Stats {
        grad_norm: f64::NAN,
        skipped: true,
        blocks: vec![BlockStats::default(); layout.block_count()],
        ..Stats::default()
    }
}

/// The first entry that is not finite, of a gradient that has one.
fn first_bad<F: Real>(layout: &Layout, grad: Values<'_, F>) -> Error {
    for (block, range) in layout.blocks().filter(|(block, _)| !block.frozen) {
        let mut buffer = [F::zero(); TILE];
        for index in range.clone() {
            if !grad.tile(index, 1, &mut buffer)[0].is_finite() {
                return Error::NonFiniteGradient {
                    block: block.name.clone(),
                    index: index - range.start,
                };
            }
        }
    }
    Error::GradientOverflow
}

fn summary<F: Real>(layout: &Layout, learning_rate: f64, sums: &[Sums]) -> Stats {
    let mut all = Sums::default();
    sums.iter().for_each(|&sums| all += sums);
    // A norm within the range of F bounds every coordinate of the step; beyond it, some may be infinite.
    let norm = |sums: &Sums| match learning_rate * sums.update.sqrt() {
        norm if norm <= F::max_value().widen() => norm,
        _ => f64::INFINITY,
    };
    let block = |sums: &Sums| BlockStats {
        grad_norm: sums.grad.sqrt(),
        update_norm: norm(sums),
        clipped: sums.clipped,
        zeroed: sums.zeroed,
    };
    Stats {
        grad_norm: all.grad.sqrt(),
        update_norm: norm(&all),
        clipped: all.clipped as f64 / layout.trainable().max(1) as f64,
        zeroed: all.zeroed,
        skipped: false,
        blocks: sums.iter().map(block).collect(),
    }
}
