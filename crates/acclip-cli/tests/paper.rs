//! `acclip paper` as a user meets it, with experiments shrunk to seconds.

mod common;

use common::{Place, idx, signal, wait_for};
use serde_json::Value;
use std::fs;
use std::process::Stdio;

/// Every cell as small as it can be.
const TINY: &str = "--set model.size=nano --set model.seq_len=16 --set model.hidden=16 --set noise.batches=24 \
    --set noise.batch_size=1 --set train.steps=4 --set train.warmup=1 --set train.batch_size=4 \
    --set train.eval_batches=1 --set compare.seeds=2";

const NAMES: [&str; 12] = [
    "fig1",
    "fig2",
    "fig3",
    "fig4",
    "fig5",
    "table2",
    "table3",
    "appendix-h",
    "appendix-i",
    "scan",
    "rival",
    "table1",
];

#[test]
fn the_list_names_every_experiment() {
    let place = Place::new();
    let list = place.good("paper list");
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(names, NAMES);
    assert!(
        list.lines().all(|line| line.contains(" min ")) && !list.contains("NaN"),
        "{list}"
    );
    for name in ["fig7", "Fig1", ""] {
        let output = place.command("paper").arg(name).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "'{name}'");
        let errors = String::from_utf8(output.stderr).unwrap();
        for name in NAMES {
            assert!(errors.contains(name), "{name}: {errors}");
        }
    }
    assert!(!place.path("runs").exists());
}

/// What is missing or wrong is said before anything is measured, and no folder is left.
#[test]
fn a_refused_experiment_leaves_no_folder() {
    let place = Place::new();
    idx(&place, "images");
    place.write("short.txt", b"Too short.\n\nFar too short.\n");
    for (line, says) in [
        ("fig1", &["resnet", "--images", "IDX"][..]),
        ("table3 --weights .", &["--questions", "SQuAD"]),
        ("table3 --questions text.txt", &["--weights", "config.json"]),
        (
            "table3 --questions text.txt --weights .",
            &["text.txt", "line 1 column 2"],
        ),
        ("fig4 --text none.txt", &["find", "none.txt"]),
        ("fig4 --text short.txt", &["train"]),
        ("fig4 --text text.txt --set train.stebs=1", &["train.steps"]),
        (
            "fig4 --text text.txt --set noise.batches=3",
            &["noise.batches", "20"],
        ),
        (
            "fig4 --text text.txt --set noise.batch_size=4000",
            &["noise.batch_size", "80000"],
        ),
        (
            "rival --text text.txt --set compare.judge=acuracy",
            &["compare.judge", "train_loss"],
        ),
        (
            "rival --text text.txt --set train.frequency_bins=0",
            &["loss_rare_tokens"],
        ),
        (
            "rival --text text.txt",
            &["corpus.max_words", "8208 is more than the "],
        ),
        // Batches of 64 and sequences of 128 come later in the scan than those that fit.
        (
            "scan --text text.txt --set noise.batches=24",
            &["noise.batch_size"],
        ),
        (
            "fig1 --images images --text text.txt --set noise.batches=24 --set model.size=nano",
            &["model.size", "resnet18"],
        ),
        ("table1 --set x=1", &["--set", "table1"]),
        (
            "table1 --text text.txt --images images",
            &["--text, --images", "table1"],
        ),
        ("list --weights .", &["--weights", "list"]),
        ("--resume none", &["none", "run.json"]),
    ] {
        place.refused(&format!("paper {line}"), says);
    }
    // What clap refuses takes several lines.
    for (line, says) in [
        ("fig4 --scale huge", "lab, paper"),
        ("table1 --resume none", "--resume"),
        ("--resume none --scale paper", "--scale"),
        ("", "NAME"),
    ] {
        let output = place.run(&format!("paper {line}"));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {errors}");
        assert!(errors.contains(says), "{line}: {errors}");
    }
    assert!(!place.path("runs").exists());
}

fn claims(finding: &Value) -> &Vec<Value> {
    finding["claims"].as_array().unwrap()
}

#[cfg(unix)]
#[test]
fn figure_4_ends_with_claims_and_a_kill_changes_nothing() {
    let place = Place::new();
    let line = format!("paper fig4 --text text.txt --seed 5 {TINY}");
    let (printed, notes) = place.both(&format!("{line} --out straight --json"));
    assert!(notes.contains("run folder: straight  seed: 5"), "{notes}");
    let finding = place.json("straight/finding.json");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), finding);
    assert_eq!(
        (&finding["name"], &finding["scale"]),
        (&"fig4".into(), &"lab".into())
    );
    assert_eq!(finding["provenance"]["command"], "paper");
    let expected = [
        "Attention on text: infinite variance",
        "Attention on Gaussian input: infinite variance",
        "No attention on text: infinite variance",
        "No attention on Gaussian input: light-tailed",
        "On Gaussian input, attention makes the tail heavier",
        "Without attention, text makes the tail heavier",
    ];
    let stated: Vec<&str> = claims(&finding)
        .iter()
        .map(|claim| claim["statement"].as_str().unwrap())
        .collect();
    assert_eq!(stated, expected);
    for claim in claims(&finding) {
        let verdict = claim["verdict"].as_str().unwrap();
        assert!(
            ["reproduced", "not-reproduced", "undecided"].contains(&verdict),
            "{claim}"
        );
        // Three seeds with 24 batches each: judged one by one, or tested over seeds.
        let over_seeds = claim["of"] == "seeds";
        assert_eq!(claim["n"], if over_seeds { 3 } else { 24 }, "{claim}");
        assert_eq!(claim["p"].is_number(), over_seeds, "{claim}");
        let interval: Vec<f64> = serde_json::from_value(claim["estimate"].clone()).unwrap();
        assert!(
            interval[1] <= interval[0] && interval[0] <= interval[2],
            "{claim}"
        );
        let test = claim["test"].as_str().unwrap();
        assert!(
            test.contains("; seed by seed: ") || test.starts_with("Student's t-tests over seeds"),
            "{claim}"
        );
    }
    let csv = place.read("straight/claims.csv");
    assert_eq!(csv.lines().count(), 7, "{csv}");
    let tables = place.tables("straight");
    // Tables: claims, noise, layers of each cell. Figures: four histograms, growth, Hill plot, entries of each.
    assert_eq!(tables.len(), (1 + 1 + 4) + (4 + 1 + 1 + 4));
    for (name, table) in &tables {
        assert!(table.lines().count() > 1, "{name} is empty");
    }
    let report = place.read("straight/report.html");
    for statement in expected {
        assert!(report.contains(statement), "{statement}");
    }
    let again = "acclip paper fig4 --scale lab --text";
    assert!(
        report.contains(again) && report.contains("--set seed=5"),
        "{again}"
    );

    for (name, after) in [
        ("-KILL", "broken/attention-gaussian"),
        ("-INT", "broken/free-gaussian"),
    ] {
        let line = match place.path("broken").exists() {
            true => "paper --resume broken",
            false => &format!("{line} --out broken"),
        };
        let mut command = place.command(line);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        wait_for(&place.path(after));
        signal(name, &child);
        child.wait().unwrap();
        assert!(
            !place.path("broken/finding.json").exists(),
            "killed too late to test anything"
        );
    }
    let text = place.read("text.txt");
    place.write(
        "text.txt",
        text.replacen("gradient", "gradients", 1).as_bytes(),
    );
    place.refused("paper --resume broken", &["broken", "the data has changed"]);
    place.write("text.txt", text.as_bytes());
    place.refused("compare --resume broken", &["acclip paper --resume"]);
    let printed = place.good("paper --resume broken");
    for word in ["undecided", "scale lab, seed 5", expected[0]] {
        assert!(
            printed.to_lowercase().contains(&word.to_lowercase()),
            "{word}: {printed}"
        );
    }
    let broken = place.json("broken/finding.json");
    assert_eq!(broken["claims"].to_string(), finding["claims"].to_string());
    assert_eq!(place.tables("broken"), tables);
    // All is there: nothing is measured again, and the same is found.
    place.good("paper --resume broken");
    assert_eq!(
        place.json("broken/finding.json")["claims"],
        finding["claims"]
    );
}

/// The first optimizer has sane learning rates, the second such as blow up, the third such as do nothing.
#[test]
fn in_a_race_a_diverging_optimizer_is_a_result() {
    let place = Place::new();
    // As many words as a full batch takes.
    let document = |d: usize| {
        let words = (0..400).map(|i| format!("w{}", (d * 31 + i * i * 7 + i) % 97));
        words.collect::<Vec<_>>().join(" ")
    };
    let documents: Vec<String> = (0..25).map(document).collect();
    place.write("long.txt", documents.join("\n\n").as_bytes());
    let tiny = TINY.replace("--set model.size=nano ", "");
    let line = format!(
        "paper rival --text long.txt {tiny} --set train.steps=12 --set train.accumulate=1 --set train.eval_every=6 \
         --set train.frequency_bins=4 --set compare.grid.adam.learning_rate=[0.003,0.01] \
         --set compare.grid.sgd-momentum.learning_rate=[1e25,1e30] --set compare.grid.signum.learning_rate=[1e-6,1e-7] \
         --set compare.grid.acclip.learning_rate=[0.003,0.01] --out race"
    );
    place.good(&line);
    let finding = place.json("race/finding.json");
    let of = |part: &str| {
        let mut found = claims(&finding).iter();
        found
            .find(|claim| claim["statement"].as_str().unwrap().starts_with(part))
            .unwrap()
    };
    // SGD diverged at every setting, so that no seed of it was run; Adam on none of two.
    let adam = of("Adam is ahead of SGD");
    assert_eq!(
        (&adam["verdict"], &adam["n"]),
        (&"reproduced".into(), &2.into()),
        "{adam}"
    );
    assert_eq!(
        adam["test"],
        "adam diverged on 0 of 2 seeds, sgd-momentum diverged at every setting"
    );
    assert_eq!(of("Sign descent is ahead")["verdict"], "reproduced");
    let gap = of("Adam's lead over SGD is wider on rare");
    assert_eq!(gap["verdict"], "undecided", "{gap}");
    let report = place.read("race/report.html");
    for part in [
        "Full batches: training",
        "Small batches: training",
        "Tokens by frequency: training",
        "loss rare tokens",
    ] {
        assert!(report.contains(part), "{part}");
    }
    let tables = place.tables("race");
    let races: Vec<&String> = tables
        .iter()
        .map(|(_, table)| table)
        .filter(|table| table.starts_with("optimizer,by loss,"))
        .collect();
    assert_eq!(races.len(), 3);
    for race in races {
        let rows: Vec<&str> = race.lines().collect();
        assert_eq!(rows.len(), 5, "{race}");
        assert!(rows[1].contains(",best,"), "{race}");
        assert!(rows[4].starts_with("sgd-momentum,diverged,–"), "{race}");
    }
    let trained = fs::read_dir(place.path("race/mini-batch/final")).unwrap();
    assert_eq!(trained.count(), 3, "sgd-momentum has no final runs");
}

/// Claims of a race in which nothing diverges: paired over seeds, with interval and p-value.
#[test]
fn in_a_race_claims_have_their_tests() {
    let place = Place::new();
    place.good(&format!(
        "paper table2 --text text.txt {TINY} --set compare.optimizers=[\"adamw\",\"acclip\"] \
         --set compare.grid.adamw.learning_rate=[0.003] --set compare.grid.acclip.learning_rate=[0.003] --out race"
    ));
    let finding = place.json("race/finding.json");
    assert_eq!(claims(&finding).len(), 12);
    for claim in claims(&finding) {
        let printed = claim["statement"].as_str().unwrap().contains("as printed");
        match printed {
            true => {
                assert_eq!(claim["test"], "one of the two did not race");
                assert_eq!(claim["verdict"], "undecided");
            }
            false => {
                let interval: Vec<f64> = serde_json::from_value(claim["estimate"].clone()).unwrap();
                assert!(
                    interval[1] <= interval[0] && interval[0] <= interval[2],
                    "{claim}"
                );
                assert_eq!((&claim["n"], &claim["of"]), (&2.into(), &"seeds".into()));
                match claim["p"].as_f64() {
                    Some(p) => assert!((0.0..=1.0).contains(&p), "{claim}"),
                    // So few are right that both seeds have the same.
                    None => assert_eq!(interval[1], interval[2], "{claim}"),
                }
            }
        }
    }
}
