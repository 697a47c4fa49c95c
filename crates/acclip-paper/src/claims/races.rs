//! Claims about races: one optimizer ahead of another, or further ahead in one place than in another.

use crate::claim::{Claim, Verdict};
use crate::plan::Metric;
use crate::runner::Measured;
use acclip_train::compare::stats::Paired;
use acclip_train::compare::summary::Row;
use acclip_train::{RunResult, is_loss};

/// Whether one optimizer is ahead of another by a metric, paired by seed. For a loss, ahead is below.
pub(super) fn ahead(
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
        return diverged(statement, rows, metric);
    };
    let [better, worse] = names;
    let effect = match is_loss(metric) {
        true => format!("{} of {worse} minus that of {better}", words(metric)),
        false => format!("{} of {better} minus that of {worse}", words(metric)),
    };
    let leads: Vec<f64> = leads.into_iter().map(|(_, lead)| lead).collect();
    above_zero(statement, effect, &leads, margin)
}

/// Whether the lead of one optimizer over another is larger in one place than in another, paired by seed.
pub(super) fn wider_gap(
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
    let on = |seed: u64| narrow_leads.iter().find(|(other, _)| *other == seed);
    let differences = wide_leads
        .iter()
        .filter_map(|(seed, wide)| Some(wide - on(*seed)?.1));
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

fn rows<'a>(all: &'a [Measured], cell: &str, names: [&str; 2]) -> Option<[&'a Row; 2]> {
    let rows = &all.iter().find(|m| m.cell.name == cell)?.rows;
    let row = |name: &str| rows.iter().find(|row| row.optimizer == name);
    Some([row(names[0])?, row(names[1])?])
}

/// Seeds, and by how much the first is ahead of the second on each; `None` if a run diverged, or has no such metric.
fn leads([better, worse]: [&Row; 2], metric: &str) -> Option<Vec<(u64, f64)>> {
    let sign = if is_loss(metric) { -1.0 } else { 1.0 };
    let of = |row: &Row, seed: u64| -> Option<f64> {
        let run: &RunResult = row.finals.iter().find(|run| run.seed == seed)?;
        run.metric(metric)
    };
    if better.finals.is_empty() {
        return None; // it diverged at every setting
    }
    let seeds = better.finals.iter().map(|run| run.seed);
    let leads = seeds.map(|seed| Some((seed, sign * (of(better, seed)? - of(worse, seed)?))));
    leads.collect()
}

pub(super) fn above_zero(statement: &str, effect: String, leads: &[f64], margin: f64) -> Claim {
    match Paired::test(leads, &vec![0.0; leads.len()]) {
        Some(paired) => Claim::above_zero(statement, effect, &paired, margin),
        None => Claim::unmeasured(statement, "fewer than two seeds"),
    }
}

/// A comparison in which a run diverged: decided where one diverged on every seed and the other on none.
fn diverged(statement: &str, [better, worse]: [&Row; 2], metric: &str) -> Claim {
    let lost = |row: &Row| row.diverged_seeds == row.finals.len();
    let whole = |row: &Row| !row.finals.is_empty() && row.diverged_seeds == 0;
    if whole(better) && whole(worse) {
        return Claim::unmeasured(statement, format!("the runs have no {}", words(metric)));
    }
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
