//! Small plans from the first batch to the finding.

use acclip_paper::plan::Cell;
use acclip_paper::{Data, Finding, Plan, Verdict, runner};
use acclip_report::Item;
use acclip_train::{Control, Outcome, Silent};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What both plans have.
const DEFAULTS: &str = r#"
    minutes = 1
    margin = 0.1
    noise_seeds = 2
    [defaults]
    seed = 3
    model = { size = "nano", seq_len = 16, hidden = 16 }
    train = { steps = 8, batch_size = 4, eval_every = 4, eval_batches = 2, warmup = 0 }
    noise = { batches = 24, batch_size = 2 }
    optimizer = { name = "adamw", learning_rate = 0.01 }
"#;

const CELLS: &str = r#"
    [cells.sane]
    title = "Sane"
    data = "text"
    noise_at = [0, 6]
    [cells.wild]
    title = "Wild"
    data = "text"
    noise_at = [0, 6]
    config = { optimizer = { name = "sgd", learning_rate = 1e30 } }
    [[claims]]
    kind = "unchanged"
    statement = "Training changes nothing"
    from = { cell = "sane" }
    to = { cell = "sane", step = 6 }
    [[claims]]
    kind = "heavier"
    statement = "A wild start is heavier than a sane one"
    heavy = { cell = "wild" }
    light = { cell = "sane" }
    [[claims]]
    kind = "light"
    statement = "Wild noise is light"
    cell = "wild"
    step = 6
"#;

const AXES: &str = r#"
    [cells.a]
    title = "A"
    data = "text"
    [[axes]]
    title = "batch size"
    key = "noise.batch_size"
    values = [1, 2]
    [[axes]]
    title = "length"
    key = "model.seq_len"
    values = [16, 32]
    [[axes]]
    title = "step"
    key = "step"
    values = [0, 3, 5]
"#;

fn cells(plan: &Plan, folder: &Path) -> Vec<Cell> {
    let words = ["noise", "tail", "heavy", "light", "clip", "norm", "step"];
    let word = |i: usize| {
        let end = if i % 50 == 49 { "\n\n" } else { " " };
        format!("{}{end}", words[i * i % 7])
    };
    let path = folder.join("text.txt");
    fs::write(&path, (0..4000).map(word).collect::<String>()).unwrap();
    let data = Data {
        text: Some(path),
        ..Data::default()
    };
    plan.cells(&data, &[]).unwrap()
}

fn run(lines: &str, folder: &Path) -> Finding {
    let plan = Plan::parse("plan", &format!("{DEFAULTS}{lines}")).unwrap();
    let cells = cells(&plan, folder);
    runner::check(&plan, &cells).unwrap();
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    match runner::run(&plan, &cells, &folder.join("run"), control).unwrap() {
        Outcome::Done(finding) => finding,
        Outcome::Interrupted => panic!("nobody interrupts it"),
    }
}

/// Training with absurd steps diverges on both seeds, and the noise from before it did counts.
#[test]
fn a_training_that_diverges_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let finding = run(CELLS, folder.path());
    let seen: Vec<(usize, bool)> = (finding.claims.iter())
        .map(|claim| (claim.n, claim.estimate.is_some()))
        .collect();
    assert_eq!(seen, [(2, true), (2, true), (0, false)]);
    assert_eq!(finding.claims[2].verdict, Verdict::Undecided);
    assert_eq!(finding.claims[2].test, "nothing was measured");
    assert_eq!(finding.remarks.len(), 2);
    for (remark, seed) in finding.remarks.iter().zip([3, 4]) {
        let says = format!("Wild: on seed {seed} training diverged at step ");
        assert!(remark.starts_with(&says), "{remark}");
    }
    // Both start from the same weights and see the same batches.
    assert_eq!(finding.claims[1].estimate.unwrap()[0], 0.0);
    assert_ne!(finding.claims[0].estimate.unwrap()[0], 0.0);
}

#[test]
fn a_scan_measures_every_value_on_every_seed_and_finds_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let finding = run(AXES, folder.path());
    assert!(finding.claims.is_empty());
    let says = "No setting of the scan has noise of infinite variance on every seed.";
    assert_eq!(finding.words(), [says]);
    let titles: Vec<&str> = finding.sections.iter().map(|s| s.title.as_str()).collect();
    assert_eq!(titles, ["Where tails begin", "The settings"]);
    let tables = (finding.sections[0].items.iter()).filter_map(|item| match item {
        Item::Table(table) => Some(table),
        _ => None,
    });
    // The value, and ξ with its interval.
    let rows: Vec<(&str, &str)> = tables
        .flat_map(|table| &table.rows)
        .map(|row| (row[1].as_str(), row[3].as_str()))
        .collect();
    let values: Vec<&str> = rows.iter().map(|(value, _)| *value).collect();
    assert_eq!(values, ["1", "2", "16", "32", "0", "3", "5"]);
    // Batches of 2, sequences of 16 and step 0 are the cell as it is; no other two are the same.
    let xi = |i: usize| rows[i].1;
    assert!(xi(1) == xi(2) && xi(2) == xi(4), "{rows:?}");
    let mut others: Vec<&str> = [0, 1, 3, 5, 6].map(xi).to_vec();
    others.sort_unstable();
    others.dedup();
    assert_eq!(others.len(), 5, "{rows:?}");
    // One training run a seed goes through all steps; other axes have none.
    let at = folder.path().join("run/a/scan");
    for seed in [3, 4] {
        let trained = |axis: &str| {
            at.join(format!("{axis}/seed-{seed}/train/result.json"))
                .exists()
        };
        assert!(trained("step") && !trained("model.seq_len=32"));
    }
    let file = at.join("step/seed-4/noise/step-5.json");
    let written = || fs::metadata(&file).unwrap().modified().unwrap();
    let before = written();
    assert_eq!(run(AXES, folder.path()), finding);
    assert_eq!(written(), before, "it was measured again");
}

#[test]
fn a_scan_is_refused_whole_if_one_value_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to, says) in [
        ("values = [1, 2]", "values = [1, 500]", "noise.batch_size"),
        ("[0, 3, 5]", "[0, 0.5]", "0.5 is no training step"),
        ("noise.batch_size", "noise.batchsize", "noise.batch_size"),
        ("[16, 32]", "[16, 4]", "model.seq_len"),
    ] {
        let lines = AXES.replace(from, to);
        let plan = Plan::parse("plan", &format!("{DEFAULTS}{lines}")).unwrap();
        let error = runner::check(&plan, &cells(&plan, folder.path())).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
    }
}
