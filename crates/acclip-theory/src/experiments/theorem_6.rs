//! Theorem 6: no zero-respecting algorithm has E‖∇f‖ below σ^{α/(3α−2)}(F0L/k)^{(α−1)/(3α−2)}, up to a constant.
//!
//! On a chain of T coordinates a gradient shows the next one with probability p, so that the end is out of reach for
//! (T − 1)/(2p) steps. Every method that starts at 0 and leaves a coordinate at 0 until a gradient has shown it is run
//! for that long, with several step sizes; the best of them all is compared with ε.

use super::Settings;
use super::families::{self, UNIT};
use super::rate::{Rate, above};
use crate::Error;
use crate::bounds::lower_non_convex::HardChain;
use crate::bounds::non_convex::NonConvex;
use crate::ensemble::Control;
use crate::estimate::{Estimate, mean};
use crate::finding::{Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update, acclip, adam, rmsprop};

/// With it, p = ½ for the chain of two coordinates, whatever α: 2·46ε/√2 = σ and L = F0 = 1.
const SIGMA: f64 = 0.761_655_8;
/// No gradient is larger: ‖∇f‖ ≤ √(2L F0).
const CEILING: f64 = std::f64::consts::SQRT_2;

pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.1, 1.25, 1.5, 1.75, 2.0],
        trajectories: 64,
        steps: 1 << 12,
    }
}

/// The chains whose budget is at most `steps`, of 3, 4, 6, 8, 12, … coordinates.
fn chains(alpha: f64, steps: u64) -> Result<Vec<HardChain>, Error> {
    let lengths = (1..).flat_map(|i| [3 << (i - 1), 2 << i]);
    let chains = lengths.map(|length| HardChain::for_length(alpha, SIGMA, UNIT, UNIT, length));
    chains
        .take_while(|chain| {
            chain
                .as_ref()
                .map_or(true, |chain| chain.budget() <= steps as f64)
        })
        .collect()
}

/// Methods of every kind, each with several step sizes; those that do not scale with the gradient in units of the
/// chain's length scale λ.
fn methods(alpha: f64, chain: &HardChain, k: u64) -> Result<Vec<Method>, Error> {
    let (tau, learning_rate) = NonConvex::new(alpha, SIGMA, UNIT, UNIT)?.scaled(k, 1.0)?;
    let gclip = Update::GClip {
        max_norm: tau,
        growth: 0.0,
    };
    let cclip = Update::CClip {
        tau: vec![tau],
        growth: 0.0,
    };
    let scale = chain.scale();
    let of_the_gradient = [
        ("SGD", Update::Sgd, 1.0 / UNIT),
        ("GClip", gclip, learning_rate),
        ("CClip", cclip, learning_rate),
        ("ACClip", acclip(1.0), 1.0 / UNIT),
    ];
    let of_the_scale = [
        (
            "normalised SGD",
            Update::Normalized { beta1: 0.9 },
            0.1 * scale,
        ),
        ("Adam", adam(), 0.1 * scale),
        ("RMSProp", rmsprop(), 0.1 * scale),
    ];
    let all = of_the_gradient.into_iter().chain(of_the_scale);
    Ok(all
        .flat_map(|(name, update, rate)| {
            [0.1, 1.0, 10.0].map(|factor| Method::constant(name, update.clone(), factor * rate))
        })
        .collect())
}

/// What the best method reaches, by the number of steps.
pub(super) struct Best {
    /// E‖∇f‖ of the best method, and its exponent.
    pub rate: Rate,
    chains: Vec<HardChain>,
    /// By method: the best of its step sizes at every number of steps.
    methods: Vec<(String, Vec<Estimate>)>,
}

/// Runs all methods on all chains; `None` if no chain's budget is that small.
pub(super) fn best(
    alpha: f64,
    settings: &Settings,
    control: &Control,
) -> Result<Option<Best>, Error> {
    let chains = chains(alpha, settings.steps)?;
    if chains.is_empty() {
        return Ok(None);
    }
    let mut k = Vec::new();
    let mut groups = Vec::new();
    let mut by_method: Vec<(String, Vec<Estimate>)> = Vec::new();
    for (at, chain) in chains.iter().enumerate() {
        let steps = (chain.budget() as u64).max(1);
        let mut least: Option<Vec<f64>> = None;
        for method in methods(alpha, chain, steps)? {
            let found = families::chain(&method, chain, steps, settings, control)?;
            let estimate = mean(&found);
            let place = by_method
                .iter()
                .position(|(name, _)| *name == method.name)
                .unwrap_or_else(|| {
                    by_method.push((method.name.clone(), Vec::new()));
                    by_method.len() - 1
                });
            let means = &mut by_method[place].1;
            match means.get_mut(at) {
                Some(known) if known.value <= estimate.value => {}
                Some(known) => *known = estimate,
                None => means.push(estimate),
            }
            if least
                .as_ref()
                .is_none_or(|least| mean(least).value > estimate.value)
            {
                least = Some(found);
            }
        }
        k.push(steps);
        groups.extend(least);
    }
    let proved = (alpha - 1.0) / (3.0 * alpha - 2.0);
    let bounds: Vec<f64> = chains.iter().map(HardChain::epsilon).collect();
    Ok(Some(Best {
        rate: Rate::new(&k, &groups, proved, CEILING, 1.0).beside(&bounds),
        chains,
        methods: by_method,
    }))
}

impl Best {
    /// ε of the chain that was run for `k` steps.
    pub(super) fn bound(&self, k: u64) -> f64 {
        let place = self.rate.k.iter().position(|&at| at == k);
        place.map_or(f64::NAN, |place| self.chains[place].epsilon())
    }
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "Theorem 6",
        "For every zero-respecting algorithm there is an L-smooth f with f(0) − inf f ≤ F0 and gradients with \
         E‖g − ∇f‖^α ≤ σ^α such that E‖∇f(x_j)‖ ≥ ε for all j ≤ k, with ε of order k^{−(α−1)/(3α−2)}.",
        settings,
    );
    finding.notes.push(format!(
        "L = F0 = 1 and σ = {SIGMA}. Every method is run with three step sizes, a factor of ten apart, and its best is kept \
         at every k; the exponent is that of the best of all methods."
    ));
    let mut rows = Vec::new();
    let mut exponents = Vec::new();
    for &alpha in &settings.alphas {
        let Some(best) = best(alpha, settings, control)? else {
            finding.notes.push(format!(
                "α = {alpha}: the shortest chain takes more than {} steps; give more with --steps.",
                settings.steps
            ));
            continue;
        };
        let k = best.rate.k.clone();
        let name = format!("best method, α = {alpha}");
        let among = settings.alphas.len();
        best.rate
            .judge(&format!("{name}: exponent"), among, &mut finding);
        exponents.push(vec![
            alpha.into(),
            best.rate.measured.into(),
            best.rate.finite.into(),
            best.rate.proved.into(),
        ]);
        let mut curves = Vec::new();
        for (method, means) in &best.methods {
            finding
                .checks
                .push(above(&format!("{method}, α = {alpha}"), &k, means, |k| {
                    best.bound(k)
                }));
            let last = means.len() - 1;
            rows.push(vec![
                alpha.into(),
                method.clone().into(),
                (k[last] as f64).into(),
                (best.chains[last].length() as f64).into(),
                (means[last].value / best.bound(k[last])).into(),
            ]);
            curves.push(Curve::measured(
                method.clone(),
                k.iter().map(|&k| k as f64).zip(means.iter().copied()),
            ));
        }
        let bound = k.iter().map(|&k| (k as f64, best.bound(k)));
        curves.push(Curve::line("lower bound ε", Kind::Lower, bound));
        curves.extend(best.rate.lines("best method"));
        finding.plots.push(Plot {
            title: format!("Chains, α = {alpha}"),
            caption: "E‖∇f(x_k)‖ on the chain whose budget is k; for each method the best of three step sizes.".into(),
            x: "steps k".into(),
            y: "E‖∇f‖".into(),
            log: true,
            curves,
        });
    }
    if exponents.is_empty() {
        return Err(Error::OutOfRange {
            name: "steps",
            value: settings.steps.to_string(),
            range: "as many as the shortest chain takes (--steps)",
        });
    }
    let header = ["α", "measured", "bound, on these chains", "in the limit"];
    finding.tables.push(Table::new(
        "Exponent of E‖∇f‖ in k, of the best method on every chain",
        &header,
        exponents,
    ));
    let header = ["α", "method", "steps k", "coordinates T", "E‖∇f‖ ÷ ε"];
    finding.tables.push(Table::new(
        "Methods at the end of the longest chain's budget",
        &header,
        rows,
    ));
    finding.steps = control.steps();
    Ok(finding)
}
