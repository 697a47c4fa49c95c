//! `acclip theory` as a user meets it: results, files, and wrong input.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Small enough for a moment.
const SMALL: &str = "theory remark1 --alpha 1.5,2 --trajectories 20000 --steps 64 --seed 11";

fn acclip(place: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acclip"));
    let command = command.current_dir(place).args(line.split_whitespace());
    command.output().unwrap()
}

/// Status and stdout of a run that is no error.
fn ran(place: &Path, line: &str) -> (i32, String) {
    let output = acclip(place, line);
    let errors = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code().unwrap_or(-1);
    assert!(
        [0, 1].contains(&status),
        "acclip {line}: {status}: {errors}"
    );
    (status, String::from_utf8(output.stdout).unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// What may differ between two runs of one experiment is taken out.
fn without_times(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    let map = value.as_object_mut().unwrap();
    for key in ["threads", "started", "seconds", "steps_per_second"] {
        assert!(map.remove(key).is_some(), "{key}");
    }
    value
}

#[test]
fn the_text_names_settings_checks_and_speed_and_writes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (status, text) = ran(place.path(), SMALL);
    assert!(text.starts_with("Remark 1\n"), "{text}");
    assert!(
        text.contains("\nseed: 11  α: 1.5, 2  trajectories: 20000  steps: 64\n"),
        "{text}"
    );
    let failed = text.lines().filter(|line| line.starts_with("✗ ")).count();
    let hold = text.lines().filter(|line| line.starts_with("✓ ")).count();
    assert!(hold + failed >= 2, "{text}");
    assert_eq!(status, i32::from(failed > 0), "{text}");
    assert!(text.ends_with(" trajectory·steps/s\n"), "{text}");
    assert_eq!(names(place.path()), [""; 0]);
}

/// The exit status is that of the checks, whichever way they come out. One trajectory shows nothing; of five seeds,
/// each right with a probability of 95 %, one is.
#[test]
fn the_exit_status_says_whether_the_checks_hold() {
    let place = tempfile::tempdir().unwrap();
    let status = |line: &str| {
        let (status, text) = ran(place.path(), line);
        let found: Value = serde_json::from_str(&text).unwrap();
        let checks = found["checks"].as_array().unwrap();
        let hold = checks.iter().all(|check| check["holds"] == true);
        assert_eq!(found["holds"], hold);
        assert_eq!(status, i32::from(!hold), "{line}: {checks:?}");
        status
    };
    let nothing = "theory remark1 --alpha 1.2 --trajectories 1 --steps 1 --json";
    assert_eq!(status(nothing), 1);
    let light = "theory remark1 --alpha 2 --trajectories 300000 --steps 64 --json";
    let mut seeds = 0..5;
    assert!(seeds.any(|seed| status(&format!("{light} --seed {seed}")) == 0));
}

#[test]
fn json_has_the_seed_and_the_same_bits_on_any_number_of_threads() {
    let place = tempfile::tempdir().unwrap();
    let (_, one) = ran(place.path(), &format!("{SMALL} --json --threads 1"));
    let (_, two) = ran(place.path(), &format!("{SMALL} --json --threads 2"));
    assert_eq!(without_times(&one), without_times(&two));
    let found: Value = serde_json::from_str(&two).unwrap();
    assert_eq!((&found["seed"], &found["threads"]), (&11.into(), &2.into()));
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    let number = |name: &str| found[name].as_f64().unwrap();
    let steps = number("steps");
    assert!(steps >= 64.0 * 20_000.0, "{steps}");
    let rate = number("seconds") * number("steps_per_second");
    assert!((rate / steps - 1.0).abs() < 1e-12, "{rate} {steps}");
    let command = found["command"].as_str().unwrap();
    assert_eq!(
        command,
        "acclip theory remark1 --alpha 1.5,2 --trajectories 20000 --steps 64 --seed 11"
    );
    // The command line in the result gives the result; another seed gives another.
    let (_, again) = ran(
        place.path(),
        &format!("{} --json", &command["acclip ".len()..]),
    );
    assert_eq!(without_times(&again), without_times(&one));
    let (_, other) = ran(
        place.path(),
        &format!("{} --json", SMALL.replace("11", "12")),
    );
    let tables = |text: &str| without_times(text)["tables"].clone();
    assert_ne!(tables(&other), tables(&one));
}

#[test]
fn a_folder_holds_the_report_the_finding_and_a_csv_for_each_table_and_figure() {
    let place = tempfile::tempdir().unwrap();
    let (_, text) = ran(place.path(), &format!("{SMALL} --json --out some/where"));
    let folder = place.path().join("some/where");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("finding.json"), text);
    let found: Value = serde_json::from_str(&text).unwrap();
    let (tables, plots) = (
        found["tables"].as_array().unwrap(),
        found["plots"].as_array().unwrap(),
    );
    let mut expected = vec!["finding.json".to_string(), "report.html".to_string()];
    expected.extend((1..=tables.len()).map(|i| format!("table-{i}.csv")));
    expected.extend((1..=plots.len()).map(|i| format!("figure-{i}.csv")));
    expected.sort();
    assert_eq!(names(&folder), expected);
    let html = read("report.html");
    for (i, plot) in plots.iter().enumerate() {
        let title = plot["title"].as_str().unwrap();
        assert!(html.contains(title), "no {title}");
        assert!(html.contains(&format!("<b>Figure {}.</b>", i + 1)));
        let points = plot["curves"].as_array().unwrap().iter();
        let points: usize = points
            .map(|curve| curve["points"].as_array().unwrap().len())
            .sum();
        let csv = read(&format!("figure-{}.csv", i + 1));
        assert_eq!(csv.lines().count(), points + 1);
    }
    assert_eq!(html.matches("<svg class=\"wide\"").count(), plots.len());
    assert!(!html.contains("class=\"problem\""));
    let csv = read("table-1.csv");
    assert_eq!(
        csv.lines().count(),
        tables[0]["rows"].as_array().unwrap().len() + 1
    );
    // Results are not written over.
    let output = acclip(place.path(), &format!("{SMALL} --out some/where"));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
    assert_eq!(read("finding.json"), text);
}

/// Each wrong input ends with status 2, says what is wrong, and leaves nothing behind.
#[test]
fn wrong_input_is_answered_clearly() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "x").unwrap();
    let cases: [(&str, &[&str]); 13] = [
        (
            "theory",
            &[
                "table1",
                "theorem",
                "lemma",
                "remark1",
                "dimension",
                "rmsprop",
            ],
        ),
        ("theory theorem", &["<NUMBER>"]),
        ("theory theorem 3", &["'3'", "known: 2, 4, 5, 6, 8"]),
        ("theory theorem four", &["'four'", "known: 2, 4, 5, 6, 8"]),
        ("theory lemma 14", &["'14'", "known: 9, 10, 11"]),
        ("theory remark2", &["remark2", "remark1"]),
        (
            "theory remark1 --alpha 1.5,1",
            &["'1'", "--alpha", "above 1 and at most 2"],
        ),
        (
            "theory remark1 --alpha heavy",
            &["'heavy'", "above 1 and at most 2"],
        ),
        (
            "theory remark1 --trajectories 0",
            &["'0'", "--trajectories"],
        ),
        ("theory remark1 --steps -1", &["-1"]),
        ("theory remark1 --seed 1.5", &["--seed"]),
        (
            "theory remark1 --trajectories 1 --steps 1 --out file",
            &["file"],
        ),
        (
            "theory remark1 --trajectories 1 --steps 1 --out file/below",
            &["file/below"],
        ),
    ];
    for (line, says) in cases {
        let output = acclip(place.path(), line);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "acclip {line}: {errors}");
        assert!(output.stdout.is_empty(), "acclip {line}");
        assert!(!errors.contains("panicked"), "acclip {line}: {errors}");
        for part in says {
            assert!(
                errors.contains(part),
                "acclip {line}: no '{part}' in: {errors}"
            );
        }
    }
    assert_eq!(names(place.path()), ["file"]);
}

/// Stopped: status 130, and no folder of results that are not there.
#[cfg(unix)]
#[test]
fn ctrl_c_stops_it_and_leaves_nothing() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    let place = tempfile::tempdir().unwrap();
    let long = "theory remark1 --trajectories 1000000 --steps 1000000000 --out run";
    let child = Command::new(env!("CARGO_BIN_EXE_acclip"))
        .current_dir(place.path())
        .args(long.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !place.path().join("run").exists() {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(output.stdout.is_empty());
    assert!(errors.contains("nothing is kept"), "{errors}");
    assert_eq!(names(place.path()), [""; 0]);
}
