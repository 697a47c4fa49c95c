//! The optimizer of a whole module.

use crate::table::{BlockRule, Table, differences};
use crate::{Error, exchange};
use acclip_optim::{Block, Hyper, Layout, Optimizer, State, Stats};
use burn::module::Module;
use burn::optim::{GradAdaptor, LearningRate};
use std::fmt;
use std::sync::Arc;

/// The optimizer called `name` (one of [`acclip_optim::NAMES`]), for any Burn module.
///
/// # Errors
/// [`Error::Optim`] for an unknown name, or a hyper-parameter that this optimizer does not take or
/// that lies outside its range.
pub fn optimizer(name: &str, hyper: &Hyper) -> Result<ModuleOptimizer, Error> {
    Ok(Optimizer::new(name, hyper)?.into())
}

/// The block that a parameter becomes unless [`ModuleOptimizer::with_blocks`] says otherwise:
/// its path is its name, and it decays if it has two axes or more, as weights have, but biases
/// and gains of normalizations do not.
pub fn default_block(path: &str, shape: &[usize]) -> Block {
    Block::new(path, shape, shape.len() >= 2)
}

/// An acclip optimizer in the place of Burn's `ModuleOptimizer`.
///
/// It treats all parameters of a module that require a gradient as one vector, so a clip by global
/// norm is one by global norm. Its state is acclip's, laid out by the module's paths: see
/// [`state`](Self::state) and [`restore`](Self::restore).
#[derive(Clone)]
pub struct ModuleOptimizer {
    optimizer: Optimizer,
    rule: Arc<BlockRule>,
    memory: Option<(Layout, State<f32>)>,
    stats: Option<Stats>,
    params: Vec<f32>,
    grad: Vec<f32>,
}

impl From<Optimizer> for ModuleOptimizer {
    fn from(optimizer: Optimizer) -> Self {
        ModuleOptimizer {
            optimizer,
            rule: Arc::new(default_block),
            memory: None,
            stats: None,
            params: Vec::new(),
            grad: Vec::new(),
        }
    }
}

impl ModuleOptimizer {
    /// Lets `rule` make the block of each parameter from its path (`encoder.0.weight`) and shape:
    /// its name, whether and how it decays, its share of the learning rate, whether it is frozen,
    /// and, with the same number of coordinates, its shape. The values keep the order that they
    /// have in Burn, where the weight of a `Linear` is [in, out].
    ///
    /// ```
    /// # fn main() -> Result<(), acclip_burn::Error> {
    /// use acclip_burn::{Hyper, default_block};
    /// let optim = acclip_burn::optimizer("adamw", &Hyper::default())?.with_blocks(|path, shape| {
    ///     let mut block = default_block(path, shape);
    ///     if path.starts_with("encoder.") {
    ///         block.learning_rate_scale = 0.1;
    ///     }
    ///     block
    /// });
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_blocks(
        mut self,
        rule: impl Fn(&str, &[usize]) -> Block + Send + Sync + 'static,
    ) -> Self {
        self.rule = Arc::new(rule);
        self
    }

    /// Takes one step and returns the module with its new parameters. `grads` are Burn's
    /// `GradientsParams` or, from several devices, `MultiGradientsParams`.
    ///
    /// A parameter without gradient is one that the loss does not reach: its gradient is zero, so
    /// its momentum goes on and its weight decays. (Burn's own optimizers leave it alone; freeze
    /// it to have that.) A frozen parameter, and a running statistic, is not touched.
    ///
    /// # Errors
    /// Every [`Error`] but those of [`optimizer`]'s arguments. It takes the module with it: where
    /// training may go on, as after a gradient that is not finite, hand in `module.clone()`.
    pub fn step<M: Module>(
        &mut self,
        lr: LearningRate,
        module: M,
        grads: impl Into<GradAdaptor>,
    ) -> Result<M, Error> {
        let table = Table::of(&module, &*self.rule)?;
        if let Some((layout, _)) = &self.memory {
            let differences = differences(layout, &table.layout);
            if !differences.is_empty() {
                return Err(Error::ModuleChanged { differences });
            }
        }
        let (params, grad) = (&mut self.params, &mut self.grad);
        exchange::gather(&module, &table, grads.into(), params, grad)?;

        let layout = &table.layout;
        match &mut self.memory {
            Some((_, state)) => {
                self.stats = Some(self.optimizer.step(lr, layout, params, grad, state)?);
            }
            None => {
                let mut state = self.optimizer.init(layout);
                self.stats = Some(self.optimizer.step(lr, layout, params, grad, &mut state)?);
                self.memory = Some((layout.clone(), state));
            }
        }
        Ok(exchange::scatter(module, &table, params))
    }

    /// The optimizer within: its name and hyper-parameters.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// What the last step did; `None` before the first.
    pub fn stats(&self) -> Option<&Stats> {
        self.stats.as_ref()
    }

    /// What the optimizer remembers, and the layout of its slots; `None` before the first step.
    ///
    /// To save, write [`State::header`], which names the blocks, and [`State::tensors`]. The names
    /// are paths in the module, which are the same in every run; Burn's `ParamId`s, by which its
    /// own records go, are random.
    pub fn state(&self) -> Option<(&Layout, &State<f32>)> {
        self.memory.as_ref().map(|(layout, state)| (layout, state))
    }

    /// Goes on from a saved state, which [`State::restore`] rebuilds for this
    /// [`optimizer`](Self::optimizer) and the module's [`layout`](Self::layout). The next step
    /// compares the layout with the module, and the state with both.
    pub fn restore(&mut self, layout: Layout, state: State<f32>) {
        self.memory = Some((layout, state));
        self.stats = None;
    }

    /// The layout that a module has for this optimizer.
    ///
    /// # Errors
    /// [`Error::NothingToTrain`], [`Error::SharedParameter`], [`Error::DType`],
    /// [`Error::BlockSize`], and [`Error::Optim`] if two blocks have the same name.
    pub fn layout<M: Module>(&self, module: &M) -> Result<Layout, Error> {
        Ok(Table::of(module, &*self.rule)?.layout)
    }
}

impl fmt::Debug for ModuleOptimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleOptimizer")
            .field("optimizer", &self.optimizer)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
