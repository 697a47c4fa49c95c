//! Ratios of left sides to bounds over a grid: tables, figures and checks.

use crate::estimate::Estimate;
use crate::finding::{Check, Curve, Finding, Plot, Table};

/// Relative rounding that an exact ratio may have.
pub(super) const ROUNDING: f64 = 1e-12;

/// Left sides over their bounds, of N inequalities at one place of the grid.
#[derive(Debug, Clone)]
pub(super) struct Ratios<const N: usize> {
    /// α.
    pub alpha: f64,
    /// Law of the noise.
    pub law: &'static str,
    /// The rest of the place, in words.
    pub place: String,
    /// Abscissa in a figure, if it is drawn.
    pub x: Option<f64>,
    /// One for each inequality.
    pub ratios: [Estimate; N],
}

/// Adds tables by law and by α, a check for each inequality, and figures of those that are `drawn`, whose horizontal
/// axis is `x`.
pub(super) fn report<const N: usize>(
    finding: &mut Finding,
    names: [&str; N],
    drawn: &[usize],
    x: &str,
    found: &[Ratios<N>],
) {
    let mut laws: Vec<&str> = Vec::new();
    let mut alphas: Vec<f64> = Vec::new();
    for ratios in found {
        if !laws.contains(&ratios.law) {
            laws.push(ratios.law);
        }
        if !alphas.contains(&ratios.alpha) {
            alphas.push(ratios.alpha);
        }
    }
    let largest = |inside: &dyn Fn(&Ratios<N>) -> bool, i: usize| {
        let all = found.iter().filter(|ratios| inside(ratios));
        let estimates = all.map(|ratios| ratios.ratios[i]);
        estimates.max_by(|a, b| a.value.total_cmp(&b.value))
    };
    let cells = |inside: &dyn Fn(&Ratios<N>) -> bool| {
        (0..N)
            .filter_map(|i| largest(inside, i).map(Into::into))
            .collect::<Vec<_>>()
    };
    let by_law = laws.iter().map(|law| {
        let mut row = vec![(*law).into()];
        row.extend(cells(&|ratios| ratios.law == *law));
        row
    });
    let by_alpha = alphas.iter().map(|&alpha| {
        let mut row = vec![alpha.into()];
        row.extend(cells(&|ratios| ratios.alpha == alpha));
        row
    });
    let header = |first| std::iter::once(first).chain(names).collect::<Vec<_>>();
    finding.tables.push(Table::new(
        "Largest ratio of a left side to its bound, by law of the noise",
        &header("law"),
        by_law.collect(),
    ));
    finding.tables.push(Table::new(
        "Largest ratio, by tail index",
        &header("α"),
        by_alpha.collect(),
    ));
    for &alpha in &alphas {
        for (i, name) in names.iter().enumerate().filter(|(i, _)| drawn.contains(i)) {
            let curve = |law: &&str| {
                let points = found.iter().filter(|r| r.alpha == alpha && r.law == *law);
                Curve::measured(*law, points.filter_map(|r| Some((r.x?, r.ratios[i]))))
            };
            finding.plots.push(Plot {
                title: format!("{name}, α = {alpha}"),
                caption: "1 would be the bound.".into(),
                x: x.into(),
                y: "ratio".into(),
                log: false,
                curves: laws
                    .iter()
                    .map(curve)
                    .filter(|c| !c.points.is_empty())
                    .collect(),
            });
        }
    }
    for (i, name) in names.iter().enumerate() {
        let ratios: Vec<_> = found
            .iter()
            .map(|r| {
                (
                    format!("{}, α = {}, {}", r.law, r.alpha, r.place),
                    r.ratios[i],
                )
            })
            .collect();
        finding
            .checks
            .push(below(&format!("{name}: nowhere above 1"), &ratios, N));
    }
}

/// Whether no ratio is above 1 beyond doubt: with probability 95 % none of them is, all together, if their intervals,
/// widened for the number of them times `kinds` (Bonferroni), reach down to 1. They may reach above it, since some laws
/// make an inequality an equality: at α = 2, E‖ĝ‖² = G² without a clip.
pub(super) fn below(name: &str, ratios: &[(String, Estimate)], kinds: usize) -> Check {
    let others = ratios.len() * kinds;
    let inside = |e: &Estimate| e.value <= 1.0 || e.holds_among(1.0, others);
    let holds = ratios.iter().all(|(_, ratio)| inside(ratio));
    let reach = ratios.iter().filter(|(_, ratio)| ratio.high > 1.0).count();
    match ratios.iter().max_by(|a, b| a.1.value.total_cmp(&b.1.value)) {
        Some((
            place,
            Estimate {
                value, low, high, ..
            },
        )) => Check::new(
            name,
            holds,
            format!(
                "largest {value:.4} [{low:.4}, {high:.4}] ({place}); of {} intervals {reach} reach above 1",
                ratios.len()
            ),
        ),
        None => Check::new(name, false, "nothing was measured"),
    }
}

/// Whether an exact ratio is in [1 − `short`, 1]: the bound is attained, or approached, and not exceeded.
pub(super) fn attained(name: &str, ratios: &[(String, f64)], short: f64) -> Check {
    let inside = |ratio: f64| ratio >= 1.0 - short && ratio <= 1.0 + ROUNDING;
    let holds = !ratios.is_empty() && ratios.iter().all(|&(_, ratio)| inside(ratio));
    let distance = |ratio: f64| (ratio - 1.0).abs();
    let worst = ratios
        .iter()
        .max_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    let detail = worst.map_or("nothing was computed".into(), |(place, ratio)| {
        format!("1 − ratio is {:.1e} at most ({place})", 1.0 - ratio)
    });
    Check::new(name, holds, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::mean;

    #[test]
    fn a_ratio_above_one_is_found() {
        let place = |values: &[f64]| ("here".to_owned(), mean(values));
        let low = place(&[0.5, 0.6, 0.55, 0.52]);
        assert!(below("", std::slice::from_ref(&low), 1).holds);
        for bad in [
            &[1.1, 1.1, 1.1001][..],
            &[1.01, 1.01, 1.01],
            &[0.5, f64::NAN],
        ] {
            assert!(!below("", &[low.clone(), place(bad)], 1).holds, "{bad:?}");
        }
        // 1.1 with a standard error of 0.0153: 6.5 of them above 1. With one of 0.0577, not beyond doubt.
        let values = |n: i32| {
            (0..n)
                .map(|i| 1.0 + 0.1 * f64::from(i % 3))
                .collect::<Vec<_>>()
        };
        assert!(!below("", &[place(&values(30))], 1).holds);
        assert!(below("", &[place(&values(3))], 1).holds);
        // And 2.3 of them above 1 are too much for one, but not for one of a hundred.
        let near = place(&values(30).iter().map(|x| x - 0.065).collect::<Vec<_>>());
        assert!(!below("", std::slice::from_ref(&near), 1).holds);
        assert!(below("", &[near], 100).holds);
        assert!(!below("", &[], 1).holds);
    }

    #[test]
    fn a_bound_that_is_not_attained_is_found() {
        let check = |ratio| attained("", &[("here".to_owned(), ratio)], 1e-3).holds;
        assert!(check(1.0) && check(0.9995));
        assert!(!check(0.99) && !check(1.0 + 1e-9) && !check(f64::NAN));
        assert!(!attained("", &[], 1.0).holds);
    }
}
