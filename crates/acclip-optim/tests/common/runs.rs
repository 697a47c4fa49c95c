//! Runs, and their comparison.

use std::ops::Range;

use acclip_optim::{Element, Layout, Optimizer, State, Stats};

use super::{Problem, Sample, label};

/// Where a coordinate starts: within [−1, 1].
pub fn start<P: Sample>(range: Range<usize>) -> Vec<P> {
    range
        .map(|i| P::of((i * 37 % 101) as f64 / 50.0 - 1.0))
        .collect()
}

/// What a run has left.
#[derive(Clone)]
pub struct Run<P: Element> {
    pub params: Vec<P>,
    pub state: State<P::Compute>,
    pub stats: Vec<Stats>,
}

/// The learning rate of runs.
pub const LEARNING_RATE: f64 = 0.01;

impl<P: Sample> Run<P> {
    /// Before the first step.
    pub fn new(optimizer: &Optimizer, layout: &Layout, params: Vec<P>) -> Self {
        let (state, stats) = (optimizer.init(layout), Vec::new());
        Run {
            params,
            state,
            stats,
        }
    }

    /// Takes these steps of a problem.
    pub fn steps<G>(&mut self, optimizer: &Optimizer, problem: &Problem<G>, steps: Range<usize>)
    where
        G: Sample<Compute = P::Compute>,
    {
        for grad in &problem.grads[steps] {
            let (params, state) = (&mut self.params, &mut self.state);
            let stats = optimizer.step(LEARNING_RATE, &problem.layout, params, grad, state);
            self.stats
                .push(stats.unwrap_or_else(|error| panic!("{}: {error}", label(optimizer))));
        }
    }

    /// Everything that a state is saved as.
    pub fn saved(&self, layout: &Layout) -> Saved {
        let tensor =
            |t: acclip_optim::Tensor| (t.name.into_owned(), t.dtype.to_owned(), t.bytes.into());
        let tensors = self.state.tensors().into_iter().map(tensor).collect();
        (self.state.header(layout).into_iter().collect(), tensors)
    }
}

type Saved = (Vec<(String, String)>, Vec<(String, String, Vec<u8>)>);

/// All steps of a problem.
pub fn run<P, G>(optimizer: &Optimizer, problem: &Problem<G>) -> Run<P>
where
    P: Sample,
    G: Sample<Compute = P::Compute>,
{
    let mut run = Run::new(optimizer, &problem.layout, start(0..problem.layout.len()));
    run.steps(optimizer, problem, 0..problem.grads.len());
    run
}

/// Parameters and statistics are the same, to the bit.
pub fn assert_same_path<P: Sample>(a: &Run<P>, b: &Run<P>, what: &str) {
    assert_eq!(a.params.len(), b.params.len(), "{what}");
    let differs = a
        .params
        .iter()
        .zip(&b.params)
        .position(|(x, y)| x.bits() != y.bits());
    let values = differs.map(|i| (i, a.params[i], b.params[i]));
    assert!(
        values.is_none(),
        "{what}: parameters differ, first at {values:?}"
    );
    assert_eq!(a.stats, b.stats, "{what}");
}

/// Parameters, state and statistics are the same, to the bit.
pub fn assert_same_run<P: Sample>(a: &Run<P>, b: &Run<P>, layout: &Layout, what: &str) {
    assert_same_path(a, b, what);
    let ((a_header, a_tensors), (b_header, b_tensors)) = (a.saved(layout), b.saved(layout));
    assert_eq!(a_header, b_header, "{what}");
    assert_eq!(a_tensors.len(), b_tensors.len(), "{what}");
    for (a, b) in a_tensors.iter().zip(&b_tensors) {
        let differs = a.2.iter().zip(&b.2).position(|(x, y)| x != y);
        assert!(
            a == b,
            "{what}: {} and {} differ, first in byte {differs:?}",
            a.0,
            b.0
        );
    }
}
