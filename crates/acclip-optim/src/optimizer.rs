//! An optimizer: a chain of links with their hyper-parameters. How a step is run is in `step.rs`.

use std::borrow::Cow;

use crate::alias::ALIASES;
use crate::hyper::{Field, Value};
use crate::{
    Element, Error, Format, Hyper, InstructionSet, Layout, Link, NonFinite, Real, State, Stats,
};

/// An optimizer with its hyper-parameters; it holds nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    name: Cow<'static, str>,
    pub(crate) links: Vec<Link>,
    format: Format,
    pub(crate) non_finite: NonFinite,
    pub(crate) set: InstructionSet,
    pub(crate) one_pass: bool,
}

/// What a state must hold.
pub(crate) struct Names {
    /// Name of each slot, and whether its values can be negative.
    pub slots: Vec<(String, bool)>,
    /// Name and length of each memory.
    pub memories: Vec<(String, usize)>,
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
    ///     Link::ClipCoordinate(ClipCoordinate { tau: 0.01, growth: 0.0 }),
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

    /// The threshold of its clip in the first step, `max_norm` or `tau`; `None` without a clip or if it adapts.
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
        let (params, grad) = (P::values_mut(params), G::values(grad));
        P::Compute::step(self, learning_rate, layout, params, grad, state)
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
