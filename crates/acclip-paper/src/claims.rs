//! From what was measured to a verdict on each claim of a plan.

use crate::claim::{Claim, Verdict};
use crate::plan::{ClaimPlan, Metric, Plan, Point};
use crate::runner::{Measured, Noise};
use acclip_data::{Purpose, rng};
use acclip_train::compare::stats::{Paired, SIGNIFICANCE, holm};
use acclip_train::compare::summary::Row;
use acclip_train::{Error, RunResult};

/// The stream of the bootstraps.
const BOOTSTRAP: Purpose = Purpose::new("claims");

/// The claims of a plan, judged.
///
/// # Errors
/// None: plans are checked when they are read.
pub fn judged(plan: &Plan, all: &[Measured]) -> Result<Vec<Claim>, Error> {
    let claims = plan.claims.iter().enumerate();
    let claims = claims.map(|(i, claim)| judge(plan, claim, i as u64, all));
    Ok(adjusted(claims.collect()))
}

/// Adjusts p-values for the number of claims that have one (Holm). What is then no longer significant is undecided.
fn adjusted(mut claims: Vec<Claim>) -> Vec<Claim> {
    let p: Vec<f64> = claims.iter().filter_map(|claim| claim.p).collect();
    let tested = claims.iter_mut().filter(|claim| claim.p.is_some());
    for (claim, p) in tested.zip(holm(&p)) {
        claim.p = Some(p);
        let apart = claim
            .estimate
            .is_some_and(|[_, low, high]| low > 0.0 || high < 0.0);
        if apart && p >= SIGNIFICANCE {
            claim.verdict = Verdict::Undecided;
        }
    }
    claims
}

fn judge(plan: &Plan, claim: &ClaimPlan, i: u64, all: &[Measured]) -> Claim {
    let margin = plan.margin;
    match claim {
        ClaimPlan::InfiniteVariance {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, &at(cell, *step), |noise| {
            Claim::infinite_variance(statement, &noise.diagnosis)
        }),
        ClaimPlan::Light {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, &at(cell, *step), |noise| {
            Claim::light(statement, &noise.diagnosis)
        }),
        ClaimPlan::HeavyEntries {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, &at(cell, *step), |noise| {
            let gradients = &noise.measurement.gradients;
            let layer = gradients
                .snapshot_layer
                .map(|layer| &*gradients.layers[layer]);
            let layer = layer.unwrap_or("all layers");
            Claim::heavy_entries(statement, layer, gradients.snapshot.as_ref())
        }),
        ClaimPlan::Heavier {
            statement,
            heavy,
            light,
        } => {
            let (pairs, same) = pairs(all, [heavy, light]);
            let mut generator = rng::stream(seed(all), BOOTSTRAP, i, 0);
            Claim::heavier(statement, &pairs, same, margin, &mut generator).unwrap_or_else(|| {
                Claim::unmeasured(statement, "nothing measured, or too many ties")
            })
        }
        ClaimPlan::Unchanged {
            statement,
            from,
            to,
        } => {
            let (pairs, same) = pairs(all, [from, to]);
            let mut generator = rng::stream(seed(all), BOOTSTRAP, i, 0);
            Claim::unchanged(statement, &pairs, same, margin, &mut generator).unwrap_or_else(|| {
                Claim::unmeasured(statement, "nothing measured, or too many ties")
            })
        }
        ClaimPlan::WiderGap {
            statement,
            better,
            worse,
            wide,
            narrow,
            margin: own,
        } => {
            let margin = own.unwrap_or(margin);
            wider_gap(statement, all, [better, worse], [wide, narrow], margin)
        }
        ClaimPlan::Ahead {
            statement,
            cell,
            better,
            worse,
            metric,
            margin: own,
        } => {
            let margin = own.unwrap_or(margin);
            ahead(statement, all, cell, [better, worse], metric, margin)
        }
    }
}

fn at(cell: &str, step: u64) -> Point {
    Point {
        cell: cell.to_string(),
        step,
    }
}

/// The measurements of a cell at a step, a seed each.
fn noise<'a>(all: &'a [Measured], point: &Point) -> Vec<&'a Noise> {
    let cell = all.iter().filter(|m| m.cell.name == point.cell);
    let noise = cell.flat_map(|m| &m.noise);
    noise.filter(|noise| noise.step == point.step).collect()
}

/// A claim about each seed, as one.
fn over_seeds(
    statement: &str,
    all: &[Measured],
    point: &Point,
    judge: impl Fn(&Noise) -> Claim,
) -> Claim {
    combined(
        statement,
        noise(all, point).into_iter().map(judge).collect(),
    )
}

/// The seed of the first cell, from which bootstraps draw.
fn seed(all: &[Measured]) -> u64 {
    all.first().map_or(0, |m| m.cell.config.seed)
}

/// Norms at two points, a pair a seed; and whether both are of the same batches.
fn pairs<'a>(all: &'a [Measured], [a, b]: [&Point; 2]) -> (Vec<(&'a [f64], &'a [f64])>, bool) {
    let others = noise(all, b);
    let both = noise(all, a).into_iter().filter_map(|a| {
        let b = others.iter().find(|b| b.seed == a.seed)?;
        Some((a.measurement.noise_norms(), b.measurement.noise_norms()))
    });
    let batches = |point: &Point| {
        let cell = all.iter().find(|m| m.cell.name == point.cell);
        cell.map(|m| {
            let c = &m.cell.config;
            (&c.task, &c.corpus, &c.noise, c.model.seq_len)
        })
    };
    (both.collect(), batches(a) == batches(b))
}

/// Claims about several seeds as one: their verdict where they agree, undecided where they do not; the numbers are those
/// of the seed with the estimate in the middle.
fn combined(statement: &str, mut claims: Vec<Claim>) -> Claim {
    let seeds = claims.len();
    let verdicts: Vec<String> = claims
        .iter()
        .map(|claim| claim.verdict.to_string())
        .collect();
    let agree = verdicts.iter().all(|verdict| *verdict == verdicts[0]);
    claims.sort_by(|a, b| {
        let estimate = |claim: &Claim| claim.estimate.map_or(f64::NAN, |e| e[0]);
        estimate(a).total_cmp(&estimate(b))
    });
    if claims.is_empty() {
        return Claim::unmeasured(statement, "nothing was measured");
    }
    let middle = claims.swap_remove(seeds / 2);
    match seeds {
        1 => middle,
        _ => Claim {
            verdict: match agree {
                true => middle.verdict,
                false => Verdict::Undecided,
            },
            of: format!("{}, on each of {seeds} seeds", middle.of),
            test: format!("{}; seed by seed: {}", middle.test, verdicts.join(", ")),
            ..middle
        },
    }
}

/// Whether one optimizer is ahead of another by a metric, paired by seed. For a loss, ahead is below.
fn ahead(
    statement: &str,
    all: &[Measured],
    cell: &str,
    names: [&str; 2],
    metric: &str,
    margin: f64,
) -> Claim {
    let Some(rows) = rows(all, cell, names) else {
        return Claim::unmeasured(statement, "one of the two did not race");
    };
    let Some(leads) = leads(rows, metric) else {
        return diverged(statement, rows);
    };
    let [better, worse] = names;
    let effect = match is_loss(metric) {
        true => format!("{} of {worse} minus that of {better}", words(metric)),
        false => format!("{} of {better} minus that of {worse}", words(metric)),
    };
    above_zero(statement, effect, &leads, margin)
}

/// Whether the lead of one optimizer over another is larger in one place than in another, paired by seed.
fn wider_gap(
    statement: &str,
    all: &[Measured],
    names: [&str; 2],
    [wide, narrow]: [&Metric; 2],
    margin: f64,
) -> Claim {
    let leads = |place: &Metric| leads(rows(all, &place.cell, names)?, &place.metric);
    let (Some(wide_leads), Some(narrow_leads)) = (leads(wide), leads(narrow)) else {
        return Claim::unmeasured(statement, "a run diverged, or one of the two did not race");
    };
    let differences = wide_leads.iter().zip(&narrow_leads).map(|(a, b)| a - b);
    let place = |place: &Metric| format!("{} in {}", words(&place.metric), place.cell);
    let effect = format!(
        "lead of {} over {}: {} minus {}",
        names[0],
        names[1],
        place(wide),
        place(narrow)
    );
    above_zero(statement, effect, &differences.collect::<Vec<_>>(), margin)
}

fn words(metric: &str) -> String {
    metric.replace('_', " ")
}

fn is_loss(metric: &str) -> bool {
    metric.starts_with("loss")
}

fn rows<'a>(all: &'a [Measured], cell: &str, names: [&str; 2]) -> Option<[&'a Row; 2]> {
    let rows = &all.iter().find(|m| m.cell.name == cell)?.rows;
    let row = |name: &str| rows.iter().find(|row| row.optimizer == name);
    Some([row(names[0])?, row(names[1])?])
}

/// By how much the first is ahead of the second on each seed; `None` if a run diverged.
fn leads([better, worse]: [&Row; 2], metric: &str) -> Option<Vec<f64>> {
    let sign = if is_loss(metric) { -1.0 } else { 1.0 };
    let of = |row: &Row, seed: u64| -> Option<f64> {
        let run: &RunResult = row.finals.iter().find(|run| run.seed == seed)?;
        run.metric(metric)
    };
    let seeds = better.finals.iter().map(|run| run.seed);
    let leads = seeds.map(|seed| Some(sign * (of(better, seed)? - of(worse, seed)?)));
    leads.collect()
}

fn above_zero(statement: &str, effect: String, leads: &[f64], margin: f64) -> Claim {
    match Paired::test(leads, &vec![0.0; leads.len()]) {
        Some(paired) => Claim::above_zero(statement, effect, &paired, margin),
        None => Claim::unmeasured(statement, "fewer than two seeds"),
    }
}

/// A comparison in which a run diverged: decided where one diverged on every seed and the other on none.
fn diverged(statement: &str, [better, worse]: [&Row; 2]) -> Claim {
    let lost = |row: &Row| row.diverged_seeds == row.finals.len();
    let whole = |row: &Row| !row.finals.is_empty() && row.diverged_seeds == 0;
    let verdict = match (whole(better), whole(worse)) {
        (true, false) if lost(worse) => Verdict::Reproduced,
        (false, true) if lost(better) => Verdict::NotReproduced,
        _ => Verdict::Undecided,
    };
    let of = |row: &Row| {
        let (name, seeds) = (&row.optimizer, row.finals.len());
        match seeds {
            0 => format!("{name} diverged at every setting"),
            _ => format!("{name} diverged on {} of {seeds} seeds", row.diverged_seeds),
        }
    };
    Claim {
        verdict,
        n: better.finals.len().max(worse.finals.len()),
        of: "seeds".into(),
        ..Claim::unmeasured(statement, format!("{}, {}", of(better), of(worse)))
    }
}
