//! The program as a user meets it: whole runs, interruptions, and wrong input.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A text of 40 documents with some structure.
fn write_corpus(path: &Path) {
    const WORDS: [&str; 12] = [
        "gradient", "noise", "tail", "heavy", "light", "clip", "the", "of", "norm", "step", "and",
        "a",
    ];
    let mut state = 7_u64;
    let mut text = String::new();
    for i in 0..8000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.push_str(WORDS[(state >> 33) as usize % 3 + 3 * (i % 4)]);
        text.push_str(if i % 200 == 199 { ".\n\n" } else { " " });
    }
    fs::write(path, text).unwrap();
}

/// A folder with a corpus in it, in which the program is run.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_corpus(&folder.path().join("text.txt"));
        Place(folder)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acclip"));
        command
            .current_dir(self.0.path())
            .args(line.split_whitespace());
        command
    }

    /// Runs to the end.
    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs to the end, which must be a good one; returns stdout.
    fn good(&self, line: &str) -> String {
        let output = self.run(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "acclip {line}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }
}

/// Removes what may differ between two runs of the same configuration: times and the place.
fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            for key in ["timing", "speed", "provenance"] {
                map.remove(key);
            }
            let entries = std::mem::take(map).into_iter();
            *map = entries
                .map(|(key, value)| (key, without_times(value)))
                .collect();
        }
        Value::Array(list) => {
            *list = std::mem::take(list)
                .into_iter()
                .map(without_times)
                .collect();
        }
        _ => {}
    }
    value
}

/// Waits until a running program has made a file.
fn wait_for(path: &Path) {
    for _ in 0..1200 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{} does not appear", path.display());
}

const COMPARE: &str = "compare --preset smoke --corpus text.txt --set noise.batches=40";

#[test]
fn a_comparison_leaves_a_whole_run_folder() {
    let place = Place::new();
    let printed = place.good(&format!("{COMPARE} --out run --json"));
    let summary = place.json("run/summary.json");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), summary);
    assert_eq!(summary["optimizers"].as_array().unwrap().len(), 8);
    assert_eq!(summary["budget"]["settings"], 6);
    let cells = summary["noise"].as_array().unwrap();
    assert_eq!(
        cells.len(),
        6,
        "four cells at initialisation, two checkpoints later"
    );
    for cell in cells {
        let verdict = cell["diagnosis"]["verdict"].as_str().unwrap();
        let known = [
            "light",
            "heavy-finite-variance",
            "infinite-variance",
            "undecided",
        ];
        assert!(known.contains(&verdict), "{verdict}");
    }
    let run = place.json("run/run.json");
    for key in ["seed", "commit", "machine", "version", "started"] {
        assert!(!run[key].is_null(), "{key}");
    }
    for name in [
        "optimizers.csv",
        "noise.csv",
        "curves.csv",
        "tuning.csv",
        "vocab.txt",
    ] {
        assert!(
            place.read(&format!("run/{name}")).lines().count() > 5,
            "{name}"
        );
    }

    let report = place.read("run/report.html");
    for sentence in summary["verdict"].as_array().unwrap() {
        // Up to the first character that HTML writes otherwise.
        let start = sentence
            .as_str()
            .unwrap()
            .split(['\'', '<'])
            .next()
            .unwrap();
        assert!(report.contains(start), "the report lacks: {start}");
    }
    for outside in ["<script", "src=\"http", "href=\"http", "@import"] {
        assert!(!report.contains(outside), "{outside}");
    }

    // The configuration in the folder makes the same run again, with other jobs and threads.
    place.good("compare --config run/config.toml --jobs 1 --threads 1 --out again");
    let mut again = place.json("again/summary.json");
    again["jobs"] = summary["jobs"].clone();
    assert_eq!(without_times(again), without_times(summary));
}

/// Sends a signal to a running program.
#[cfg(unix)]
fn signal(name: &str, child: &std::process::Child) {
    let process = child.id().to_string();
    let sent = Command::new("kill").args([name, &process]).status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[test]
fn kills_and_resumes_change_nothing() {
    let place = Place::new();
    let line = format!("{COMPARE} --set train.steps=60 --set train.checkpoint_every=20");
    place.good(&format!("{line} --out straight"));
    let begun = place.0.path().join("broken/run.json");
    for (name, milliseconds) in [("-KILL", 100), ("-INT", 400), ("-KILL", 400), ("-INT", 300)] {
        let line = match begun.exists() {
            true => "compare --resume broken",
            false => &format!("{line} --out broken"),
        };
        let mut command = place.command(line);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&begun);
        std::thread::sleep(Duration::from_millis(milliseconds));
        signal(name, &child); // KILL: no chance to save; INT: saves between two checkpoints
        child.wait().unwrap();
    }
    assert!(
        !place.0.path().join("broken/summary.json").exists(),
        "killed too late to test anything"
    );
    place.good("compare --resume broken");
    let [straight, broken] =
        ["straight", "broken"].map(|run| place.json(&format!("{run}/summary.json")));
    assert_eq!(without_times(straight), without_times(broken));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let place = Place::new();
    let line = "train --preset smoke --corpus text.txt --set train.steps=100000 --out run";
    let child = place.command(line).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&place.0.path().join("run/metrics.jsonl"));
    signal("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("acclip train --resume run"), "{errors}");
    assert_eq!(
        fs::read_dir(place.0.path().join("run/checkpoints"))
            .unwrap()
            .count()
            % 2,
        0
    );
    assert!(
        fs::read_dir(place.0.path().join("run/checkpoints"))
            .unwrap()
            .count()
            > 0
    );
}

#[test]
fn training_and_noise_from_a_file() {
    let place = Place::new();
    let config =
        "[corpus]\npath = \"text.txt\"\n[optimizer]\nname = \"adamw\"\nlearning_rate = 0.01\n";
    fs::write(place.0.path().join("my.toml"), config).unwrap();
    place.good("train my.toml --preset smoke --set train.steps=4 --out trained");
    let result = place.json("trained/summary.json");
    assert_eq!(result["optimizer"], "adamw");
    assert_eq!(
        result["curve"].as_array().unwrap().last().unwrap()["step"],
        4
    );
    let steps = place.read("trained/metrics.jsonl");
    assert_eq!(
        steps
            .lines()
            .filter(|line| line.contains("grad_norm"))
            .count(),
        4
    );

    place.good("noise --weights trained --set noise.batches=60 --out noise");
    let noise = place.json("noise/summary.json");
    assert_eq!(
        (&noise["step"], &noise["evidence"]["n"]),
        (&4.into(), &60.into())
    );
    assert!(noise["verdict"].is_string());
    let layers = noise["layers"].as_array().unwrap();
    let share: f64 = layers
        .iter()
        .map(|l| l["noise_share"].as_f64().unwrap())
        .sum();
    assert!(layers.len() > 10 && (share - 1.0).abs() < 1e-9);
    assert_eq!(noise["causes"].as_array().unwrap().len(), 4);
    let report = place.read("noise/report.html");
    assert!(report.contains("Hill plot") && report.contains("By layer"));
}

/// Files as other programs write them: norms as CSV, gradients as NPY.
#[test]
fn noise_from_files_of_other_programs() {
    let place = Place::new();
    let write = |name: &str, content: &[u8]| fs::write(place.0.path().join(name), content).unwrap();
    // Quantiles of a half-normal law, nearly, in a scrambled order: light.
    let place_of = |i: u32| f64::from(i * 387 % 1000) + 0.5;
    let light: String = (0..1000)
        .map(|i| {
            format!(
                "{i},{}\n",
                (-2.0 * (1.0 - place_of(i) / 1000.0).ln()).sqrt()
            )
        })
        .collect();
    write("light.csv", format!("step,norm\n{light}").as_bytes());
    let text = place.good("noise light.csv --column norm --out light");
    assert!(text.starts_with("verdict: light\n"), "{text}");
    assert_eq!(place.json("light/summary.json")["source"]["n"], 1000);
    assert!(place.read("light/report.html").contains("Six laws"));

    // 600 gradients of 4 entries along one direction, sizes of a power law with α = 1.3.
    let mut npy = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (600, 4), }";
    npy.extend(format!("{header:<69}\n").bytes());
    for i in 0..600_u32 {
        let place = f64::from(i * 287 % 600) + 0.5;
        let size = (place / 600.0).powf(-1.0 / 1.3) * if i % 2 == 0 { 1.0 } else { -1.0 };
        for direction in [0.5, -0.5, 0.1, 0.7] {
            npy.extend(((size * direction) as f32).to_le_bytes());
        }
    }
    write("heavy.npy", &npy);
    write("counts.txt", b"1000000\n30\n20\n10\n");
    let found = place.good("noise heavy.npy --counts counts.txt --steps 500 --json --out heavy");
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found, place.json("heavy/summary.json"));
    assert_eq!(found["verdict"], "infinite-variance");
    let alpha = |end: &str| found["alpha"][end].as_f64().unwrap();
    assert!(alpha("low") < 1.3 && 1.3 < alpha("high") && alpha("estimate") < 2.0);
    assert_eq!(found["advice"]["clip"], "global-norm-then-coordinate");
    assert!(found["advice"]["threshold"]["max_norm"].as_f64().unwrap() > 1.0);
    assert_eq!(found["coordinates"]["verdict"], "infinite-variance");
    assert_eq!(found["frequencies"]["classes"], 4);
    let csv = place.read("heavy/noise.csv");
    assert_eq!(csv.lines().count(), 601);
    // What it wrote, it reads; and a folder with results is not written over.
    place.good("noise heavy/noise.csv --column noise_norm --out again");
    assert_eq!(
        place.json("again/summary.json")["verdict"],
        "infinite-variance"
    );
    let output = place.run("noise light.csv --column norm --out heavy");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
}

#[test]
fn the_calibration_counts_its_samples() {
    let place = Place::new();
    let text = place.good("noise --calibrate --samples 2 --gradients 60 --seed 3 --json");
    let found: Value = serde_json::from_str(&text).unwrap();
    let scores = found["scores"].as_array().unwrap();
    assert!(scores.len() > 20);
    for score in scores {
        let share = |name: &str| score[name].as_f64().unwrap();
        let sum = share("light")
            + share("heavy_finite_variance")
            + share("infinite_variance")
            + share("undecided");
        assert!((sum - 1.0).abs() < 1e-12, "{score}");
    }
    let again = place.good("noise --calibrate --samples 2 --gradients 60 --seed 3 --json");
    assert_eq!(again, text);
    let table = place.good("noise --calibrate --samples 1 --gradients 60");
    assert!(
        table.contains("covered") && table.contains("seed 0"),
        "{table}"
    );
}

/// A reader that goes away does not end the run.
#[cfg(unix)]
#[test]
fn closed_pipes_are_no_panic() {
    let place = Place::new();
    let line = "train --preset smoke --corpus text.txt --json --out run";
    let mut child = place
        .command(line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(place.0.path().join("run/summary.json").exists());
}

/// Each wrong input ends with status 2 and one line that says what is wrong and what to do.
#[test]
fn wrong_input_is_answered_clearly() {
    let place = Place::new();
    let write = |name: &str, content: &[u8]| fs::write(place.0.path().join(name), content).unwrap();
    write("empty.txt", b" \n\n ");
    write("latin1.txt", b"caf\xe9 au lait\n\nand more text\n");
    write(
        "short.txt",
        b"one short document\n\nanother short document\n",
    );
    write("broken.toml", b"[train\nsteps = 3\n");
    write("file", b"x");
    let smoke = "train --preset smoke";
    let cases: [(String, &[&str]); 28] = [
        ("noise none.csv".into(), &["none.csv", "no such file"]),
        ("noise empty.txt".into(), &["empty.txt"]),
        (
            "noise text.txt --norms".into(),
            &["text.txt", "is not a number"],
        ),
        (format!("{smoke} --corpus none.txt"), &["none.txt"]),
        (format!("{smoke} --corpus empty.txt"), &["empty.txt"]),
        (
            format!("{smoke} --corpus latin1.txt"),
            &["latin1.txt", "byte 3"],
        ),
        (format!("{smoke} --corpus short.txt"), &[]),
        (
            format!("{smoke} --corpus text.txt --set train.batch_size=100000"),
            &["train.batch_size", "smaller"],
        ),
        (
            format!("{smoke} --set optimizer.name=acclipp"),
            &["did you mean 'acclip'?"],
        ),
        (
            format!("{smoke} --set optimizer.lerning_rate=1"),
            &["did you mean 'optimizer.learning_rate'?"],
        ),
        (
            format!("{smoke} --set train.steps=-1"),
            &["train.steps", "u64"],
        ),
        (format!("{smoke} --set train=5"), &["train: is a table"]),
        (
            format!("{smoke} --corpus text.txt --set model.hidden=100000"),
            &["GB"],
        ),
        ("noise --weights .".into(), &["has no checkpoints"]),
        ("train --preset quik".into(), &["did you mean 'quick'?"]),
        ("train broken.toml".into(), &["broken.toml", "line 1"]),
        ("bench optim --params 0".into(), &["--params", "at least 1"]),
        ("bench train --dropout 1.5".into(), &["dropout", "[0, 1)"]),
        ("bench train --backend cpu".into(), &["flex, cuda, wgpu"]),
        (
            "bench train --config G --by-example".into(),
            &["--by-example", "A, B and H"],
        ),
        (
            "bench train --config D --recompute".into(),
            &["--recompute", "A, B, G and H"],
        ),
        (
            "bench optim --optimizers aclip".into(),
            &["aclip", "acclip"],
        ),
        ("train none.toml".into(), &["none.toml"]),
        ("train --resume none".into(), &["none", "run.json"]),
        (format!("{smoke} --corpus text.txt --out file"), &["file"]),
        (
            format!("{smoke} --corpus text.txt --out ."),
            &["not empty", "--out"],
        ),
        (
            format!("{smoke} --corpus text.txt --vocab text.txt"),
            &["text.txt"],
        ),
        (
            "compare --preset smoke --set compare.optimizers=[\"aclip\"]".into(),
            &["did you mean 'acclip'?"],
        ),
    ];
    for (line, says) in cases {
        let output = place.run(&line);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "acclip {line}: {errors}");
        assert!(errors.contains("error: "), "acclip {line}: {errors}");
        assert!(!errors.contains("panicked"), "acclip {line}: {errors}");
        for part in says {
            assert!(
                errors.contains(part),
                "acclip {line}: no '{part}' in: {errors}"
            );
        }
    }
    let leftover = fs::read_dir(place.0.path()).unwrap();
    let names: Vec<_> = leftover.map(|entry| entry.unwrap().file_name()).collect();
    let left = |name: &str| names.iter().any(|found| found == name);
    assert!(
        !left("runs") && !left("lock"),
        "a refused run leaves nothing: {names:?}"
    );
}

#[test]
fn a_folder_is_used_by_one_run_and_one_command() {
    let place = Place::new();
    place.good("train --preset smoke --corpus text.txt --out run");
    let refused = |line: &str, says: &str| {
        let output = place.run(line);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {errors}");
        assert!(errors.contains(says), "{line}: {errors}");
    };
    refused(
        "train --preset smoke --corpus text.txt --out run",
        "--resume",
    );
    refused("compare --resume run", "acclip train --resume");
    let lock = fs::File::create(place.0.path().join("run/lock")).unwrap();
    lock.lock().unwrap();
    refused("train --resume run", "another process");
    lock.unlock().unwrap();
    let edit = |name: &str, content: &str| fs::write(place.0.path().join(name), content).unwrap();
    let ours = place.read("run/run.json");
    edit(
        "run/run.json",
        &ours.replacen("\"format\": ", "\"format\": 99", 1),
    );
    refused("train --resume run", "is of format 99");
    edit("run/run.json", &ours);
    place.good("train --resume run");
    let config = place.read("run/config.toml");
    edit(
        "run/config.toml",
        &config.replace("warmup = 2", "warmup = 1"),
    );
    refused("train --resume run", "config.toml was edited");
    edit("run/config.toml", &config);
    edit("text.txt", &(place.read("text.txt") + "more"));
    refused("train --resume run", "the data has changed");
}

/// A step of the smaller BERT, with what the JSON promises; the ratios are for the documentation.
#[test]
fn bench_train_reports_a_step() {
    let place = Place::new();
    let output = place.run("bench train --config B --steps 1 --warmup 1 --by-example --json");
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| report[name].as_f64().unwrap_or(f64::NAN);
    assert_eq!(report["config"], "B");
    assert_eq!((number("params"), number("batch")), (21_168_896.0, 512.0));
    assert_eq!(number("copied_bytes"), 0.0);
    let parts =
        ["forward", "backward", "optimizer"].map(|part| report["parts_ms"][part].as_f64().unwrap());
    let step = report["step_ms"][0].as_f64().unwrap();
    assert!(
        parts.iter().all(|part| *part > 0.0) && (parts.iter().sum::<f64>() - step).abs() < 1e-6
    );
    assert!(number("products_ms") > 0.0 && number("by_example_ratio") > 0.0);
    // A new model guesses: ln 8192 = 9.01; it has learnt a little since.
    assert!((7.0..9.3).contains(&number("loss")), "{report}");
    let stock = place.run("bench train --config B --steps 1 --warmup 0 --stock --json");
    let report: Value = serde_json::from_slice(&stock.stdout).unwrap();
    // Parameters up, gradient down.
    assert_eq!(report["copied_bytes"], 2 * 4 * 21_168_896);
}

/// The other models: their sizes are those of the models in `reference/train/models.py`, and a new one guesses. What a
/// new ResNet-50 guesses depends on its draw.
#[test]
fn bench_train_knows_every_model() {
    let place = Place::new();
    for (config, params, batch, guess, within) in [
        ("D", 19_510_720, 8 * 128, 10_000_f64.ln(), 0.2),
        ("E", 23_528_522, 16, 10_f64.ln(), 0.4),
        ("F", 57_044_810, 16, 10_f64.ln(), 0.03),
        ("G", 5_430_786, 16 * 128, 8192_f64.ln() + 2_f64.ln(), 0.1),
        ("H", 13_942_274, 4 * 384, 384_f64.ln(), 0.2),
    ] {
        let line = format!("bench train --config {config} --steps 1 --warmup 0 --json");
        let output = place.run(&line);
        assert!(output.status.success(), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["params"], &report["batch"]),
            (&params.into(), &batch.into())
        );
        assert_eq!(
            report["products_ms"].is_f64(),
            "GH".contains(config),
            "{report}"
        );
        let loss = report["loss"].as_f64().unwrap();
        assert!(
            (loss - guess).abs() < within,
            "{config}: {loss}, not {guess}"
        );
    }
}
