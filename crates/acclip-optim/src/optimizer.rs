//! An optimizer: a chain of links, and how it is run.

use std::borrow::Cow;

use crate::alias::ALIASES;
use crate::clips::Norms;
use crate::clips::coordinate::Clamped;
use crate::hyper::{Field, Value};
use crate::pass::{self, Pass};
use crate::real::{Values, ValuesMut};
use crate::rules::WithKernel;
use crate::rules::sgd::Plain;
use crate::simd::InstructionSet;
use crate::state::check_length;
use crate::stats::{BlockStats, NonFinite, Stats, Sums};
use crate::storage::Dice;
use crate::{Element, Error, Format, Hyper, Layout, Link, Real, State, chain, project};

/// An optimizer with its hyper-parameters; it holds nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    name: Cow<'static, str>,
    links: Vec<Link>,
    format: Format,
    non_finite: NonFinite,
    set: InstructionSet,
    one_pass: bool,
}

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

/// What a state must hold.
pub(crate) struct Names {
    /// Name of each slot, and whether its values can be negative.
    pub slots: Vec<(String, bool)>,
    /// Name and length of each memory.
    pub memories: Vec<(String, usize)>,
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
    /// The optimizer called `name` (one of [`NAMES`](crate::NAMES)), with its defaults except
    /// where `hyper` has a value.
    ///
    /// # Errors
    /// [`Error::UnknownOptimizer`]; [`Error::UnusedHyper`] for a hyper-parameter that this
    /// optimizer does not take; [`Error::HyperOutOfRange`].
    pub fn new(name: &str, hyper: &Hyper) -> Result<Self, Error> {
        let (name, links) = (ALIASES.iter().find(|row| row.0 == name))
            .copied()
            .ok_or_else(|| Error::UnknownOptimizer {
                name: name.to_owned(),
            })?;
        let mut optimizer = Optimizer::of(Cow::Borrowed(name), links.to_vec());
        for (field, value) in hyper.given() {
            if !optimizer.set_hyper(field, value) {
                return Err(Error::UnusedHyper {
                    optimizer: name.to_owned(),
                    field: field.name(),
                    allowed: optimizer
                        .fields()
                        .into_iter()
                        .map(|(field, _)| field.name())
                        .collect(),
                });
            }
        }
        optimizer.check()?;
        Ok(optimizer)
    }

    /// A chain of one's own. The gradient goes through the links in their order; what comes out is the
    /// direction u of x ← x − learning_rate·u.
    ///
    /// # Errors
    /// [`Error::HyperOutOfRange`]; [`Error::LinkAfterProjection`], since projections act on the
    /// parameters when the step has been taken.
    ///
    /// ```
    /// use acclip_optim::{Adam, ClipCoordinate, Link, Optimizer, Sgd};
    ///
    /// let adam = Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
    /// let clipped = Optimizer::chain("cclip-adamw", vec![
    ///     Link::ClipCoordinate(ClipCoordinate { tau: 0.01 }),
    ///     Link::Adam(adam),
    ///     Link::WeightDecay(0.01),
    /// ])?;
    /// # Ok::<(), acclip_optim::Error>(())
    /// ```
    pub fn chain(name: impl Into<String>, links: Vec<Link>) -> Result<Self, Error> {
        let optimizer = Optimizer::of(Cow::Owned(name.into()), links);
        optimizer.check()?;
        Ok(optimizer)
    }

    fn of(name: Cow<'static, str>, links: Vec<Link>) -> Self {
        Optimizer {
            name,
            links,
            format: Format::default(),
            non_finite: NonFinite::default(),
            set: InstructionSet::default(),
            one_pass: true,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let mut projections = false;
        for link in &self.links {
            link.check(&self.name)?;
            let projection = matches!(link, Link::ProjectBall(_) | Link::ProjectBox(_));
            if projections && !projection {
                return Err(Error::LinkAfterProjection {
                    optimizer: self.name.to_string(),
                });
            }
            projections = projection;
        }
        Ok(())
    }

    /// Keeps new states in this format; [`Format::Full`] unless set.
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Treats gradients that are not finite so; [`NonFinite::Error`] unless set.
    pub fn with_non_finite(mut self, policy: NonFinite) -> Self {
        self.non_finite = policy;
        self
    }

    /// Uses these instructions, if the processor has them; the widest unless set. Results do not
    /// depend on it.
    pub fn with_instruction_set(mut self, set: InstructionSet) -> Self {
        self.set = set;
        self
    }

    /// Whether a chain that fits into one pass over memory is run so, which is the default; otherwise
    /// link by link, with the same bits. For tests and measurements.
    pub fn with_one_pass(mut self, one_pass: bool) -> Self {
        self.one_pass = one_pass;
        self
    }

    /// The name it was made by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The links, in order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The format of new states.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its hyper-parameters, defaults filled in: a value in exactly the fields that it takes.
    pub fn hyper(&self) -> Hyper {
        let mut hyper = Hyper::default();
        for (field, value) in self.clone().fields() {
            hyper.set(field, value);
        }
        hyper
    }

    /// The fixed threshold of its clip, `max_norm` or `tau`; `None` without a clip or if it adapts.
    pub fn threshold(&self) -> Option<f64> {
        self.links.iter().find_map(|link| match link {
            Link::ClipNorm(clip) => Some(clip.max_norm),
            Link::ClipCoordinate(clip) => Some(clip.tau),
            _ => None,
        })
    }

    /// How many values the state holds for each coordinate.
    pub fn coordinate_slots(&self) -> usize {
        self.links.iter().map(|link| link.slots().len()).sum()
    }

    /// Whether a clip needs norms, so that a step reads the gradient before it begins.
    pub fn needs_norm(&self) -> bool {
        self.links.iter().any(|link| link.norm_clip().is_some())
    }

    /// Names of what the state holds: a value for each coordinate (`m`: momentum; `v`: average of g²;
    /// `tau_alpha`: ACClip's τ^α; …), or a few numbers of a clip. A name that an earlier link of the
    /// chain has is followed by the number of the link: `m.2`.
    pub fn slot_names(&self) -> Vec<String> {
        let Names { slots, memories } = self.names(0);
        let slots = slots.into_iter().map(|(name, _)| name);
        slots
            .chain(memories.into_iter().map(|(name, _)| name))
            .collect()
    }

    /// What its states hold, for this number of blocks.
    pub(crate) fn names(&self, blocks: usize) -> Names {
        let (mut slots, mut memories) = (Vec::new(), Vec::new());
        let mut taken: Vec<String> = Vec::new();
        let mut name = |number: usize, name: &str| {
            let mut name = name.to_owned();
            if taken.contains(&name) {
                name = format!("{name}.{}", number + 1);
            }
            taken.push(name.clone());
            name
        };
        for (number, link) in self.links.iter().enumerate() {
            for &(slot, signed) in link.slots() {
                slots.push((name(number, slot), signed));
            }
            let memory = link.norm_clip().map(|clip| clip.memory(blocks));
            for (memory, len) in memory.into_iter().flatten() {
                memories.push((name(number, memory), len));
            }
        }
        Names { slots, memories }
    }

    /// The state before the first step.
    pub fn init<F: Real>(&self, layout: &Layout) -> State<F> {
        State::zeros(self, layout)
    }

    /// Takes one step: updates `params` and `state` (whose `t` grows by one) from the gradient
    /// `grad` of the loss at `params`. Both slices have one value per coordinate of `layout`; each
    /// holds `f32` or `bf16` with a `State<f32>`, or `f64` with a `State<f64>`.
    ///
    /// # Cost
    /// A chain of at most one clip by norm, one by coordinate (before SGD), one coordinate-wise rule
    /// and one decoupled decay, in this order, is run in **one pass** that reads and writes parameters
    /// and slots once; all names but `nsgd-momentum`, `agc` and `stable-adamw` are such chains, unless
    /// there is L2 decay. The policies [`NonFinite::Error`] and [`NonFinite::Skip`], and clips by norm,
    /// read the gradient once more before: 4 bytes per `f32` coordinate, beside 12 (SGD) to 36
    /// (`acclip`) of the pass. Other chains go over memory once a link.
    ///
    /// # Errors
    /// [`Error::LearningRate`], [`Error::Length`], [`Error::StateRule`] and [`Error::StateSlots`] (a
    /// state of another optimizer), [`Error::UnusedDecay`], [`Error::NonFiniteGradient`],
    /// [`Error::GradientOverflow`]; after any of them `params` and `state` are as before.
    pub fn step<P, G>(
        &self,
        learning_rate: f64,
        layout: &Layout,
        params: &mut [P],
        grad: &[G],
        state: &mut State<P::Compute>,
    ) -> Result<Stats, Error>
    where
        P: Element,
        G: Element<Compute = P::Compute>,
    {
        if !(0.0..f64::INFINITY).contains(&learning_rate) {
            return Err(Error::LearningRate {
                value: learning_rate,
            });
        }
        check_length("params", layout.len(), params.len())?;
        check_length("grad", layout.len(), grad.len())?;
        state.check(self, layout)?;
        self.check_links(layout)?;
        let (params, grad) = (P::values_mut(params), G::values(grad));
        P::Compute::step(self, learning_rate, layout, params, grad, state)
    }

    pub(crate) fn step_values<F: Real>(
        &self,
        learning_rate: f64,
        layout: &Layout,
        mut params: ValuesMut<'_, F>,
        grad: Values<'_, F>,
        state: &mut State<F>,
    ) -> Result<Stats, Error> {
        let plan = self.plan(layout).filter(|_| self.one_pass);
        let zero = self.non_finite == NonFinite::Zero;
        let clips_first = plan.as_ref().is_none_or(|plan| plan.norm_clip.is_some());
        let mut measured = None;
        if !zero || clips_first {
            let sums = pass::measure(self.set, layout, grad);
            if !zero && sums.iter().any(|sums| sums.zeroed > 0) {
                if self.non_finite == NonFinite::Skip {
                    state.skipped += 1;
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
        let stats = summary(layout, learning_rate, &sums);
        state.zeroed += stats.zeroed;
        Ok(stats)
    }

    /// The chain as one pass, if it is one.
    fn plan(&self, layout: &Layout) -> Option<OnePass<'_>> {
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
                    let none = |(b, _): (&crate::Block, _)| b.decay_by(b.l2, *all) == 0.0;
                    if !layout.blocks().all(none) {
                        return None;
                    }
                    continue;
                }
                Link::ClipCoordinate(clip) => {
                    plan.tau = Some(clip.tau);
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
            if let Link::ClipCoordinates(tau) = link {
                check_length("tau", layout.len(), tau.len())?;
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
                        optimizer: self.name.to_string(),
                        block: block.name.clone(),
                        field,
                    });
                }
            }
        }
        Ok(())
    }

    /// Its hyper-parameters; of two links with the same one, the first's.
    fn fields(&self) -> Vec<(Field, Value)> {
        let mut fields: Vec<(Field, Value)> = Vec::new();
        for mut link in self.links.clone() {
            for (field, place) in link.places() {
                if fields.iter().all(|(known, _)| *known != field) {
                    fields.push((field, place.get()));
                }
            }
        }
        fields
    }

    /// Sets a hyper-parameter of the first link that has it.
    fn set_hyper(&mut self, field: Field, value: Value) -> bool {
        let places = self.links.iter_mut().flat_map(Link::places);
        match places.into_iter().find(|(known, _)| *known == field) {
            Some((_, mut place)) => {
                place.set(value);
                true
            }
            None => false,
        }
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
    use crate::storage::TILE;
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
        let mut buffer = [F::zero(); crate::storage::TILE];
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

fn summary(layout: &Layout, learning_rate: f64, sums: &[Sums]) -> Stats {
    let mut all = Sums::default();
    sums.iter().for_each(|&sums| all += sums);
    let block = |sums: &Sums| BlockStats {
        grad_norm: sums.grad.sqrt(),
        update_norm: learning_rate * sums.update.sqrt(),
        clipped: sums.clipped,
        zeroed: sums.zeroed,
    };
    Stats {
        grad_norm: all.grad.sqrt(),
        update_norm: learning_rate * all.update.sqrt(),
        clipped: all.clipped as f64 / layout.trainable().max(1) as f64,
        zeroed: all.zeroed,
        skipped: false,
        blocks: sums.iter().map(block).collect(),
    }
}
