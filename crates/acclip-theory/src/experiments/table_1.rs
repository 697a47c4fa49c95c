//! Table 1 of the paper, measured: an exponent with its interval in every cell, beside the proved one.
//!
//! A cell is the exponent of a method's error in the number of steps, on the worst problem of a family at each number
//! (`families.rs`). The cells of SGD for α < 2 say "N/A" in the paper, since a second moment is infinite; here stands how
//! fast the mean over n runs grows with n. Projected SGD has a column of its own: it converges.

use super::rate::{above, horizons, judge_below};
use super::{Settings, remark_1, theorem_2, theorem_4, theorem_5, theorem_6};
use crate::Error;
use crate::bounds::lower_strongly_convex;
use crate::bounds::strongly_convex::StronglyConvex;
use crate::ensemble::Control;
use crate::finding::{Cell, Curve, Finding, Kind, Plot, Table};
use crate::methods::{Method, Update};

/// Checks of exponents for one α, for intervals that hold together.
const CELLS: usize = 7;

pub(super) fn defaults() -> Settings {
    Settings {
        seed: 0,
        alphas: vec![1.1, 1.25, 1.5, 1.75, 2.0],
        trajectories: 1 << 14,
        steps: 1 << 16,
    }
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = Finding::new(
        "Table 1",
        "Rates of SGD and GClip, and the lower bounds that no algorithm beats: E f − f* of order k^{−2(α−1)/α} for strongly \
         convex f, and ‖∇f‖ of order k^{−(α−1)/(3α−2)} for smooth f.",
        settings,
    );
    finding.notes.push(
        "Each cell is an exponent r of k^{−r} with its 95 % interval, measured on the worst problem of a family at every \
         number of steps; the worst is chosen on the runs that are shown. Checks allow for the number of cells. ‖∇f‖ is the \
         root of its mean square over a run, and for the best method E‖∇f(x_k)‖ on the chains of Theorem 6."
            .into(),
    );
    finding.notes.push(
        "SGD, α < 2: the second moment is infinite, and what is shown is the growth of the mean over n runs with n. This is \
         what N/A in the paper means. On a bounded domain, projected, SGD converges: on Theorem 5's pair, where the clip \
         hardly acts, at the rate of GClip; on others slower, unless its steps are larger (`remark1`)."
            .into(),
    );
    finding.notes.push(
        "\"early\": not yet in its range. Near α = 1 exponents are near 0, and more steps than can be run go by until the \
         error is small beside the domain (or beside F0); until then that decides. Only half the exponent is asked for."
            .into(),
    );
    finding.notes.push(
        "\"× bound\": the exponent differs from the bound's, over a short range of k, because the constant does: the curve \
         stays within the two multiples of the bound that are shown."
            .into(),
    );
    let (mut convex, mut smooth) = (Vec::new(), Vec::new());
    for &alpha in &settings.alphas {
        let among = CELLS * settings.alphas.len();
        convex.push(strongly_convex(
            alpha,
            among,
            settings,
            control,
            &mut finding,
        )?);
        smooth.push(non_convex(alpha, among, settings, control, &mut finding)?);
    }
    let header = [
        "α",
        "SGD",
        "SGD, projected, on this pair",
        "GClip",
        "proved",
        "best of 6 methods",
        "lower bound",
    ];
    finding.tables.push(Table::new(
        "Strongly convex: exponent of E f − f*",
        &header,
        convex,
    ));
    let header = [
        "α",
        "SGD",
        "GClip",
        "proved",
        "best of 7 methods",
        "lower bound, these k",
    ];
    finding.tables.push(Table::new(
        "Smooth, not convex: exponent of ‖∇f‖",
        &header,
        smooth,
    ));
    finding.steps = control.steps();
    Ok(finding)
}

/// The longest run of many methods: a sixteenth, but enough for a slope.
fn shorter(steps: u64) -> u64 {
    (steps / 16).max(steps.min(512))
}

/// The row of α in the strongly convex table.
fn strongly_convex(
    alpha: f64,
    among: usize,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<Vec<Cell>, Error> {
    let theorem = StronglyConvex::new(alpha, 1.0, 1.0)?;
    let gclip = theorem_4::rate(&theorem_4::gclip(&theorem, alpha), alpha, settings, control)?;
    let sgd = Method::harmonic("SGD, projected", Update::Sgd, 1.0);
    let projected = theorem_4::rate(&sgd, alpha, settings, control)?;
    let k = horizons(
        &Settings {
            steps: shorter(settings.steps),
            ..settings.clone()
        },
        6,
        1,
    );
    let best = theorem_5::best(alpha, &k, settings, control)?;

    let name = |what: &str| format!("strongly convex, α = {alpha}, {what}");
    let lower = |k| lower_strongly_convex::bound(alpha, k).unwrap_or(f64::NAN);
    gclip.judge(&name("GClip: exponent"), among, finding);
    projected.judge(&name("projected SGD: exponent"), among, finding);
    best.judge(&name("best method: exponent"), among, finding);
    judge_below(
        &name("GClip: the upper bound"),
        &gclip.k,
        &gclip.means,
        |k| theorem.bound(k),
        theorem_4::CEILING,
        finding,
    );
    finding.checks.push(above(
        &name("best method: the lower bound"),
        &best.k,
        &best.means,
        lower,
    ));
    let mut curves = vec![
        gclip.curve("GClip"),
        projected.curve("SGD, projected"),
        best.curve("best of 6 methods"),
    ];
    let line = |name: &str, kind, f: &dyn Fn(u64) -> f64| {
        Curve::line(name, kind, gclip.k.iter().map(|&k| (k as f64, f(k))))
    };
    curves.push(line("upper bound", Kind::Upper, &|k| theorem.bound(k)));
    curves.push(line("lower bound", Kind::Lower, &lower));
    curves.extend(gclip.lines("GClip"));
    finding.plots.push(Plot {
        title: format!("Strongly convex, α = {alpha}"),
        caption: "E f − f* on the worse of Theorem 5's two functions for k steps.".into(),
        x: "steps k".into(),
        y: "E f − f*".into(),
        log: true,
        curves,
    });

    let alone = if alpha < 2.0 {
        divergence(alpha, among, settings, control, finding)?
    } else {
        let free = Method {
            project: false,
            ..Method::harmonic("SGD", Update::Sgd, 1.0)
        };
        let rate = theorem_4::rate(&free, alpha, settings, control)?;
        rate.judge(&name("SGD: exponent"), among, finding);
        rate.cell()
    };
    Ok(vec![
        alpha.into(),
        alone,
        projected.cell(),
        gclip.cell(),
        gclip.proved.into(),
        best.cell(),
        best.finite.into(),
    ])
}

/// The row of α in the table of smooth functions.
fn non_convex(
    alpha: f64,
    among: usize,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<Vec<Cell>, Error> {
    let slopes = Settings {
        trajectories: settings.trajectories.div_ceil(8),
        ..settings.clone()
    };
    let gclip = theorem_2::rate(alpha, 1.0, true, &slopes, control)?;

    let name = |what: &str| format!("not convex, α = {alpha}, {what}");
    let root = gclip.clone().of_root();
    root.judge(&name("GClip: exponent"), among, finding);
    let guarded = Settings {
        steps: settings.steps / 4,
        ..slopes.clone()
    };
    theorem_2::guarded(alpha, &guarded, control, finding)?;
    let mut curves = vec![gclip.curve("GClip")];
    curves.extend(theorem_2::own(alpha, &slopes, control, finding)?);
    curves.extend(gclip.lines("GClip"));
    curves.push(theorem_2::lower(alpha, &gclip.k));
    let sgd = if alpha < 2.0 {
        Cell::from("N/A, as on the left")
    } else {
        let rate = theorem_2::rate(alpha, 1.0, false, &slopes, control)?;
        curves.push(rate.curve("SGD"));
        let root = rate.of_root();
        root.judge(&name("SGD: exponent"), among, finding);
        root.cell()
    };
    finding.plots.push(Plot {
        title: format!("Smooth, not convex, α = {alpha}"),
        caption: "Mean square gradient over a run, on the worst of a family of slopes for K steps."
            .into(),
        x: "steps K".into(),
        y: "mean of E min{‖∇f‖², τ‖∇f‖}".into(),
        log: true,
        curves,
    });
    let [best, bound] = chains(alpha, among, settings, control, finding)?;
    Ok(vec![
        alpha.into(),
        sgd,
        root.cell(),
        root.proved.into(),
        best,
        bound,
    ])
}

/// The best method on the chains of Theorem 6: its exponent and that of the bound on the same chains.
fn chains(
    alpha: f64,
    among: usize,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<[Cell; 2], Error> {
    let settings = Settings {
        trajectories: settings.trajectories.div_ceil(256),
        steps: shorter(settings.steps),
        ..settings.clone()
    };
    let Some(best) = theorem_6::best(alpha, &settings, control)? else {
        return Ok([Cell::Empty, Cell::Empty]);
    };
    let (rate, k) = (&best.rate, &best.rate.k);
    let name = |what: &str| format!("not convex, α = {alpha}, best method: {what}");
    rate.judge(&name("exponent"), among, finding);
    finding
        .checks
        .push(above(&name("the lower bound"), k, &rate.means, |k| {
            best.bound(k)
        }));
    let [fitted, proved] = rate.lines("best of 7 methods");
    finding.plots.push(Plot {
        title: format!("Chains, α = {alpha}"),
        caption: "E‖∇f(x_k)‖ of the best of 7 methods with three step sizes each, on the chain for k steps.".into(),
        x: "steps k".into(),
        y: "E‖∇f‖".into(),
        log: true,
        curves: vec![
            rate.curve("best of 7 methods"),
            fitted,
            proved,
            Curve::line("lower bound", Kind::Lower, k.iter().map(|&k| (k as f64, best.bound(k)))),
        ],
    });
    Ok([rate.cell(), rate.finite.into()])
}

/// "N/A", with the growth of the mean over n runs.
fn divergence(
    alpha: f64,
    among: usize,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<Cell, Error> {
    let many = Settings {
        trajectories: settings.trajectories * 64,
        ..settings.clone()
    };
    let growth = remark_1::growth(alpha, &many, control)?;
    finding.checks.push(remark_1::growth_check(
        &format!("α = {alpha}"),
        growth,
        alpha,
        among,
    ));
    Ok(format!("N/A: mean ∝ n^{:.2}", growth.value).into())
}
