//! Every task through `train`, `noise` and `compare`, and what does not fit one.

mod common;

use common::{Place, idx, squad};
use std::fs;

/// A task with its data and its smallest settings.
const TASKS: [(&str, &str); 5] = [
    ("masked-lm", "--corpus text.txt"),
    (
        "pretraining",
        "--corpus text.txt --set train.frequency_bins=3",
    ),
    (
        "question-answering",
        "--corpus squad.json --vocab vocab.txt --set model.seq_len=32 --set questions.stride=4 \
         --set questions.max_question=8 --set corpus.held_out=0.25",
    ),
    (
        "language-model",
        "--corpus text.txt --set model.size=lab --set model.layers=2 --set model.hidden=16 --set model.memory_len=12 \
         --set model.seq_len=8",
    ),
    (
        "image-classification",
        "--corpus images --set model.size=resnet18 --set model.width=4 --set images.augment=cifar",
    ),
];

/// What every run here has.
const SMOKE: &str = "--preset smoke --set train.steps=4 --set train.eval_batches=50 --set noise.batches=24 \
    --set noise.batch_size=1";

/// A `tokenizer.json` of BERT's with these tokens.
fn tokenizer_json<'a>(tokens: impl Iterator<Item = &'a str>) -> String {
    let vocab: serde_json::Map<_, _> = tokens
        .enumerate()
        .map(|(id, token)| (token.to_string(), id.into()))
        .collect();
    serde_json::json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab
        }
    })
    .to_string()
}

fn place() -> Place {
    let place = Place::new();
    idx(&place, "images");
    squad(&place);
    place
}

#[test]
fn a_trained_model_is_trained_on_and_measured() {
    let place = place();
    for (task, settings) in TASKS {
        let line = format!("train {SMOKE} --set task={task} {settings}");
        place.good(&format!("{line} --out {task}"));
        for name in [
            "summary.json",
            "curve.csv",
            "report.html",
            "model/model.safetensors",
        ] {
            assert!(
                place.path(&format!("{task}/{name}")).exists(),
                "{task}: {name}"
            );
        }
        // The second run starts where the first ended, with the vocabulary of the model.
        let line = line.replace("--vocab vocab.txt", "");
        let again = format!("{task}-again");
        place.good(&format!(
            "{line} --set model.weights={task}/model --out {again}"
        ));
        let curve = |run: &str| place.json(&format!("{run}/summary.json"))["curve"].clone();
        let (first, second) = (curve(task), curve(&again));
        let end = first.as_array().unwrap().last().unwrap();
        for value in ["valid_loss", "scores"] {
            assert_eq!(second[0][value], end[value], "{task}: {value}");
        }
        assert_ne!(first[0]["valid_loss"], end["valid_loss"], "{task}");

        // Noise at the checkpoint of the first run, and at the start of the second, whose weights are the same.
        place.good(&format!("noise --weights {task} --out {task}-noise"));
        let at = place.json(&format!("{task}-noise/summary.json"));
        assert_eq!(
            (&at["step"], &at["evidence"]["n"]),
            (&4.into(), &24.into()),
            "{task}"
        );
        let file = format!("{again}/config.toml");
        place.good(&format!("noise --config {file} --out {again}-noise"));
        let norms = |run: &str| place.read(&format!("{run}/noise.csv"));
        assert_eq!(
            norms(&format!("{again}-noise")),
            norms(&format!("{task}-noise")),
            "{task}"
        );
        place.good(&format!("noise --resume {task}-noise"));
    }
    // A language model knows its own words alone.
    let text = place.read("text.txt").replace("gradient", "slope");
    place.write("other.txt", text.as_bytes());
    let settings = TASKS[3].1.replace("text.txt", "other.txt");
    place.refused(
        &format!("train {SMOKE} --set task=language-model {settings} --set model.weights=language-model/model"),
        &["language-model/model/vocab.txt", "words of the text"],
    );
}

/// What is exported is scored on everything that is held out, however little a training is followed by; a run that has
/// lost the vocabulary it was given has its own.
#[test]
fn a_run_ends_with_scores_of_all_held_out_data() {
    let place = place();
    place.good(&format!("train {SMOKE} --corpus text.txt --out bert"));
    let tokens = place.read("bert/model/vocab.txt");
    let tokenizer = tokenizer_json(tokens.lines());
    place.write("my.json", tokenizer.as_bytes());
    let line = format!(
        "train {SMOKE} --corpus text.txt --vocab my.json --set train.eval_batches=1 --out mine"
    );
    let (text, notes) = place.both(&line);
    let scores = place.json("mine/scores.json");
    assert_eq!(scores["step"], 4);
    let loss = scores["valid_loss"].as_f64().unwrap();
    let said =
        format!("model of step 4 on all held-out data: loss {loss:.4} nats per masked token");
    assert!(text.contains(&said), "{text}");
    assert!(place.read("mine/report.html").contains(&said[1..]));
    assert!(
        notes.contains("data: ") && notes.contains("model: BERT"),
        "{notes}"
    );
    let followed = place.json("mine/summary.json")["valid_loss"]
        .as_f64()
        .unwrap();
    assert_ne!(loss, followed);
    fs::remove_file(place.path("my.json")).unwrap();
    fs::remove_dir_all(place.path("mine/model")).unwrap();
    place.good("train --resume mine");
    assert_eq!(place.read("mine/model/tokenizer.json"), tokenizer);
    assert_eq!(place.json("mine/scores.json"), scores);
}

/// Checkpoints of an interrupted run hold what a task carries; here the run is cut off before its last step.
#[test]
fn noise_is_measured_at_any_kept_checkpoint() {
    let place = place();
    for (task, settings) in &TASKS[3..] {
        let line = format!("train {SMOKE} --set task={task} {settings} --set train.keep=[0,2]");
        place.good(&format!("{line} --out {task}"));
        let at = |step: u64, out: &str| {
            let file = format!("noise --config {task}/config.toml --set noise.weights={task}");
            place.good(&format!(
                "{file} --set noise.weights_step={step} --out {out}"
            ));
            place.read(&format!("{out}/noise.csv"))
        };
        let measured = [0, 2, 4].map(|step| at(step, &format!("{task}-{step}")));
        assert!(
            measured[0] != measured[1] && measured[1] != measured[2],
            "{task}"
        );
        // Step 0 is the start, as if nothing had been trained.
        place.good(&format!(
            "noise --config {task}/config.toml --out {task}-start"
        ));
        assert_eq!(
            measured[0],
            place.read(&format!("{task}-start/noise.csv")),
            "{task}"
        );
        place.refused(
            &format!("noise --config {task}/config.toml --set noise.weights={task} --set noise.weights_step=1 --out x"),
            &["has no checkpoint of step 1", "[0, 2, 3, 4]"],
        );
    }
    place.refused(
        "noise --weights image-classification --set model.width=8 --out x",
        &[
            "image-classification/checkpoints",
            "does not fit the configuration",
        ],
    );
    assert!(!place.path("x").exists());
}

#[test]
fn a_comparison_measures_the_noise_of_the_model_it_trains() {
    let place = place();
    for ((task, settings), batch, cell) in [
        (TASKS[2], 1, "bert-init"),
        (TASKS[3], 2, "transformer-xl-init"),
        (TASKS[4], 2, "resnet18-init"),
    ] {
        let line = format!(
            "compare {SMOKE} --set task={task} {settings} --set compare.optimizers=[\"adamw\",\"gclip\"] \
             --set compare.grid.adamw.learning_rate=[0.001] --set compare.grid.gclip.learning_rate=[0.1] \
             --set compare.grid.gclip.threshold=[1.0] --set train.batch_size={batch} --set train.checkpoint_every=2"
        );
        let text = place.good(&format!("{line} --out {task}"));
        let summary = place.json(&format!("{task}/summary.json"));
        let cells = summary["noise"].as_array().unwrap();
        let names: Vec<&str> = cells
            .iter()
            .map(|cell| cell["name"].as_str().unwrap())
            .collect();
        let model = cell.strip_suffix("-init").unwrap();
        assert_eq!(
            names,
            [cell, &format!("{model}-step-2"), &format!("{model}-step-4")]
        );
        assert_eq!(summary["task"], task);
        assert!(
            summary["attention"].is_null() && cells[0]["attention"].is_null(),
            "{task}"
        );
        let report = place.read(&format!("{task}/report.html"));
        let words = summary["verdict"].to_string();
        for no in ["attention", "Gaussian input", "masked token"] {
            assert!(!text.contains(no) && !words.contains(no), "{task}: {no}");
            // The caveats name attention models.
            assert!(no == "attention" || !report.contains(no), "{task}: {no}");
        }
        let score = match task {
            "question-answering" => "exact match",
            "language-model" => "perplexity",
            _ => "top5",
        };
        assert!(text.contains(score), "{task}: {text}");
        place.good(&format!("compare --resume {task}"));
    }
}

/// Each ends with status 2 and one line, and leaves no folder.
#[test]
fn what_does_not_fit_a_task_is_refused_before_it_begins() {
    let place = place();
    place.good(&format!("train {SMOKE} --corpus text.txt --out bert"));
    place.good(&format!(
        "train {SMOKE} --set task={} {} --out resnet",
        TASKS[4].0, TASKS[4].1
    ));
    let weights = |name: &str| fs::read(place.path(name)).unwrap();
    let cut = |name: &str, out: &str| {
        let whole = weights(name);
        place.write(out, &whole[..whole.len() / 2]);
    };
    for name in ["config.json", "vocab.txt"] {
        let content = weights(&format!("bert/model/{name}"));
        place.write(&format!("cut/{name}"), &content);
        place.write(&format!("grown/{name}"), &content);
    }
    cut("bert/model/model.safetensors", "cut/model.safetensors");
    cut("resnet/model/model.safetensors", "cut.safetensors");
    place.write(
        "grown/model.safetensors",
        &weights("bert/model/model.safetensors"),
    );
    let words = place.read("bert/model/vocab.txt");
    place.write(
        "grown/vocab.txt",
        format!("{}\nextra\nmore\n", words.trim_end()).as_bytes(),
    );
    place.write(
        "grown.txt",
        format!("{}\nextra\nmore\n", words.trim_end()).as_bytes(),
    );
    // Two classes of small images, of which one file is none, one has another size, one folder is empty.
    let png = png();
    for (folder, class) in [("broken", "b"), ("mixed", "b"), ("hole", "a")] {
        for i in 0..4 {
            place.write(&format!("{folder}/a/{i}.png"), &png[0]);
            place.write(&format!("{folder}/{class}/{i}.png"), &png[0]);
        }
    }
    place.write("broken/b/9.jpg", b"\xff\xd8\xff\xe0 no picture");
    place.write("mixed/b/9.png", &png[1]);
    fs::create_dir(place.path("hole/empty")).unwrap();

    let images = "--set task=image-classification --set model.size=resnet18 --set model.width=4";
    for (line, says) in [
        ("--corpus none.txt", &["none.txt"][..]),
        ("--set model.weights=none", &["none"]),
        (
            "--corpus text.txt --set model.weights=cut",
            &["cut/model.safetensors", "download it again"],
        ),
        (
            "--corpus text.txt --set model.weights=grown",
            &["grown/vocab.txt", "embeddings"],
        ),
        (
            "--corpus text.txt --set model.weights=bert/model --vocab grown.txt",
            &["corpus.vocab", "embeddings"],
        ),
        (
            "--corpus text.txt --set model.weights=bert/model --set model.seq_len=64",
            &["model.seq_len", "16 positions"],
        ),
        (
            "--set task=image-classification --set model.size=nano",
            &["model.size", "'nano'", "resnet18", "set it"],
        ),
        (
            "--set task=language-model --set model.size=nano",
            &["model.size", "'nano'", "lab", "set it"],
        ),
        ("--set task=question-answering", &["corpus.path", "SQuAD"]),
        (
            "--set task=question-answering --corpus squad.json",
            &["corpus.vocab", "model.weights"],
        ),
        (
            "--set task=question-answering --corpus text.txt --vocab vocab.txt",
            &["text.txt", "line 1"],
        ),
        (
            "--set task=question-answering --corpus /dev/null --vocab vocab.txt",
            &["/dev/null", "not a file"],
        ),
        ("--set task=painting", &["task", "image-classification"]),
        (
            "--corpus text.txt --set model.weights=bert/model --set model.attention=false",
            &["model.attention", "bert/model", "leave one of the two out"],
        ),
        ("--set model.init_std=nan", &["model.init_std", "positive"]),
        (
            "--set task=language-model --set model.size=lab --set model.attention=false",
            &["model.attention", "pretraining"],
        ),
        (
            "--set task=language-model --set model.size=lab --vocab vocab.txt",
            &["corpus.vocab", "leave it out"],
        ),
        ("--set compare.judge=f1", &["compare.judge", "accuracy"]),
    ] {
        for command in ["train", "noise", "compare"] {
            place.refused(&format!("{command} --preset smoke {line}"), says);
        }
    }
    for (line, says) in [
        ("", &["corpus.path", "subfolder"][..]),
        ("--corpus none", &["none"]),
        ("--corpus text.txt", &["text.txt"]),
        ("--corpus broken", &["broken/b/9.jpg"]),
        ("--corpus mixed", &["9.png", "images.size"]),
        ("--corpus hole", &["hole", "in empty"]),
        (
            "--corpus images --set model.size=resnet19",
            &["resnet19", "resnet18"],
        ),
        (
            "--corpus images --set model.weights=cut.safetensors",
            &["cut.safetensors", "not a safetensors file"],
        ),
        (
            "--corpus images --set model.weights=resnet",
            &["resnet", "has no model.safetensors", "model/"],
        ),
        (
            "--corpus images --set model.weights=resnet/model --set model.width=8",
            &["conv1.weight"],
        ),
        (
            "--corpus images --set model.weights=bert/model",
            &["conv1.weight is missing"],
        ),
        (
            "--corpus images --set model.input=gaussian",
            &["model.input", "masked-lm"],
        ),
        (
            "--corpus images --set model.size=resnet50 --set model.stem=large --set images.size=0",
            &["size"],
        ),
    ] {
        place.refused(&format!("train --preset smoke {images} {line}"), says);
    }
    assert!(!place.path("runs").exists());
}

/// Grey pictures of 12 × 12 and 9 × 12.
fn png() -> [Vec<u8>; 2] {
    [12, 9].map(|height| {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 12, height);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        let pixels: Vec<u8> = (0..12 * height).map(|i| (i % 251) as u8).collect();
        writer.write_image_data(&pixels).unwrap();
        writer.finish().unwrap();
        file
    })
}
