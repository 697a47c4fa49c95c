//! Theorem 5: no algorithm has an error below k^{−2(α−1)/α}/512 on both of two functions.
//!
//! Every method of the library that has a place here is run on both, for each number of steps on the pair made for it,
//! and the worse of the two is drawn. The theorem's constant is what its proof can show; the posterior mean, whose error
//! is computed exactly from the law of the bits, is the best that any algorithm can do on this pair.

use super::Settings;
use super::rate::{Rate, above, horizons};
use super::{families, theorem_4};
use crate::Error;
use crate::bounds::lower_strongly_convex::{self, HardMean};
use crate::bounds::strongly_convex::StronglyConvex;
use crate::ensemble::Control;
use crate::estimate::mean;
use crate::finding::{Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update, acclip, adam, rmsprop};
pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.1, 1.25, 1.5, 1.75, 2.0],
        trajectories: 1 << 13,
        steps: 1 << 14,
    }
}

/// Methods of every kind, with step sizes that fall like 1/k, averaged and projected. A method whose step does not scale
/// with the gradient begins with steps of half the domain.
pub(super) fn methods(alpha: f64) -> Result<Vec<Method>, Error> {
    let sized = |name: &str, update| Method {
        learning_rate: 0.25,
        ..Method::harmonic(name, update, 1.0)
    };
    Ok(vec![
        Method::harmonic("SGD", Update::Sgd, 1.0),
        theorem_4::gclip(&StronglyConvex::new(alpha, 1.0, 1.0)?, alpha),
        Method::harmonic("ACClip", acclip(1.0), 1.0),
        sized("normalised SGD", Update::Normalized { beta1: 0.9 }),
        sized("Adam", adam()),
        sized("RMSProp", rmsprop()),
    ])
}

/// The least error of all methods at each k, beside the bound.
pub(super) fn best(
    alpha: f64,
    k: &[u64],
    settings: &Settings,
    control: &Control,
) -> Result<Rate, Error> {
    let mut least: Vec<Vec<f64>> = Vec::new();
    for method in methods(alpha)? {
        for (at, &k) in k.iter().enumerate() {
            let found = families::hard_mean(&method, 0.0, alpha, k, settings, control)?;
            match least.get_mut(at) {
                Some(known) if mean(known).value <= mean(&found).value => {}
                Some(known) => *known = found,
                None => least.push(found),
            }
        }
    }
    let bounds = k.iter().map(|&k| lower_strongly_convex::bound(alpha, k));
    let proved = lower_strongly_convex::exponent(alpha)?;
    let rate = Rate::new(k, &least, proved, theorem_4::CEILING, 1.0);
    Ok(rate.beside(&bounds.collect::<Result<Vec<_>, _>>()?))
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "Theorem 5",
        "For every algorithm and every k ≥ 2^α, one of two 1-strongly convex functions on [0, ½] with E|g|^α ≤ 1 has \
         E f(x_k) − f* ≥ k^{−2(α−1)/α}/512.",
        settings,
    );
    finding.notes.push(
        "In one dimension CClip is GClip. All methods are projected onto [0, ½] and averaged. A method that starts at 0 and \
         hardly moves does well here, since both optima are near 0: the theorem is about the worse of two functions, and \
         says nothing of others."
            .into(),
    );
    let mut rows = Vec::new();
    for &alpha in &settings.alphas {
        let k = horizons(settings, 4, 2);
        let bound = |k| lower_strongly_convex::bound(alpha, k).unwrap_or(f64::NAN);
        let best = |k| HardMean::for_horizon(alpha, k).map_or(f64::NAN, |hard| hard.bayes_gap(k));
        let line = |name: &str, kind, f: &dyn Fn(u64) -> f64| {
            Curve::line(name, kind, k.iter().map(|&k| (k as f64, f(k))))
        };
        let mut curves = Vec::new();
        for method in methods(alpha)? {
            let found = theorem_4::rate_at(&k, &method, 0.0, alpha, settings, control)?;
            let name = format!("{}, α = {alpha}", method.name);
            finding.checks.push(above(
                &format!("{name}: the bound"),
                &found.k,
                &found.means,
                bound,
            ));
            finding.checks.push(above(
                &format!("{name}: the posterior mean"),
                &found.k,
                &found.means,
                best,
            ));
            let last = found.means.len() - 1;
            rows.push(vec![
                alpha.into(),
                method.name.clone().into(),
                found.measured.into(),
                found.proved.into(),
                (found.means[last].value / bound(k[last])).into(),
                (found.means[last].value / best(k[last])).into(),
            ]);
            curves.push(found.curve(&method.name));
            if method.name == "GClip" {
                curves.extend(found.lines("GClip"));
            }
        }
        curves.push(line("posterior mean", Kind::Lower, &best));
        curves.push(line("lower bound, 1/512", Kind::Lower, &bound));
        finding.plots.push(Plot {
            title: format!("The worse of two functions, α = {alpha}"),
            caption: "E f − f* of every method; each point is a pair of functions of its own."
                .into(),
            x: "steps k".into(),
            y: "E f − f*".into(),
            log: true,
            curves,
        });
    }
    let header = [
        "α",
        "method",
        "measured exponent",
        "proved",
        "error ÷ bound",
        "error ÷ posterior mean's",
    ];
    finding.tables.push(Table::new(
        "Methods on the worse of two functions, at the largest k",
        &header,
        rows,
    ));
    finding.steps = control.steps();
    Ok(finding)
}
