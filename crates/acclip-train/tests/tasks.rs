//! Every task trains, measures noise, and continues to the same bits after interruptions.

use acclip_train::{
    Config, Control, Dataset, Measurement, Outcome, Progress, RunResult, Silent, Task, export,
    measure, train,
};
use safetensors::SafeTensors;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A text of sentences in documents.
fn text() -> String {
    const WORDS: [&str; 12] = [
        "noise", "tail", "heavy", "light", "clip", "norm", "step", "the", "a", "of", "is", "and",
    ];
    let mut state = 1_u64;
    let mut draw = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % n
    };
    let mut text = String::new();
    for document in 0..30 {
        for _ in 0..12 {
            let words: Vec<&str> = (0..5 + draw(6)).map(|_| WORDS[draw(12)]).collect();
            text += &format!("The {} {document}. ", words.join(" "));
        }
        text += "\n\n";
    }
    text
}

/// Files of the IDX format: squares and stripes of some size, in two classes.
fn idx(folder: &Path) {
    for (part, n) in [("train", 48_u32), ("t10k", 16)] {
        let mut images = vec![0, 0, 8, 3];
        let mut labels = vec![0, 0, 8, 1];
        images.extend([n, 8, 8].iter().flat_map(|x| x.to_be_bytes()));
        labels.extend(n.to_be_bytes());
        for i in 0..n {
            let class = i % 2;
            labels.push(class as u8);
            for pixel in 0..64 {
                let (row, column) = (pixel / 8, pixel % 8);
                let bright = match class {
                    0 => (row + i) % 4 < 2,
                    _ => (row + i) % 4 < 2 && (column + i / 2) % 4 < 2,
                };
                images.push(if bright { 200 + (i % 50) as u8 } else { 10 });
            }
        }
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// A SQuAD file of made-up questions in eight articles, and a vocabulary for it.
fn squad(folder: &Path) {
    let mut articles = Vec::new();
    for a in 0..8 {
        let mut questions = Vec::new();
        let context =
            format!("mira has {a} cats and a red boat in the bay of kolm near the old mill");
        for (i, (question, answer)) in [
            ("what has mira in the bay", "a red boat"),
            ("where is the boat", "the bay of kolm"),
            ("what is near the bay", "the old mill"),
            ("who has cats", "mira"),
            ("which colour has the boat", "red"),
            ("how is the mill", "old"),
        ]
        .into_iter()
        .enumerate()
        {
            let start = context.find(answer).unwrap();
            questions.push(format!(
                r#"{{"id": "{a}-{i}", "question": "{question}", "answers": [{{"text": "{answer}", "answer_start": {start}}}]}}"#
            ));
        }
        articles.push(format!(
            r#"{{"title": "article {a}", "paragraphs": [{{"context": "{context}", "qas": [{}]}}]}}"#,
            questions.join(",")
        ));
    }
    let json = format!(r#"{{"version": "1.1", "data": [{}]}}"#, articles.join(","));
    fs::write(folder.join("squad.json"), json).unwrap();
    let words = "mira has cats and a red boat in the bay of kolm near old mill what where is who which colour how";
    let letters = ('a'..='z').chain('0'..='9').map(String::from);
    let mut vocab: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        .map(String::from)
        .to_vec();
    vocab.extend(letters.filter(|letter| letter != "a"));
    vocab.extend(words.split(' ').map(String::from));
    fs::write(folder.join("vocab.txt"), vocab.join("\n")).unwrap();
}

/// The data of a task in `folder`, and its configuration.
fn config(folder: &Path, task: &str, more: &[&str]) -> Config {
    fs::create_dir_all(folder).unwrap();
    let path = match task {
        "image-classification" => {
            idx(folder);
            folder.to_path_buf()
        }
        "question-answering" => {
            squad(folder);
            folder.join("squad.json")
        }
        _ => {
            fs::write(folder.join("corpus.txt"), text()).unwrap();
            folder.join("corpus.txt")
        }
    };
    let of_task: &[&str] = match task {
        "image-classification" => &[
            "model.size=resnet18",
            "model.width=4",
            "images.augment=cifar",
        ],
        "question-answering" => &[
            "model.seq_len=32",
            "questions.stride=4",
            "questions.max_question=8",
        ],
        "language-model" => &[
            "model.size=lab",
            "model.layers=2",
            "model.memory_len=12",
            "model.seq_len=8",
        ],
        _ => &[],
    };
    let mut all = vec![
        format!("task={task}"),
        format!("corpus.path={:?}", path.to_str().unwrap()),
    ];
    if task == "question-answering" {
        let vocab = folder.join("vocab.txt");
        all.push(format!("corpus.vocab={:?}", vocab.to_str().unwrap()));
    }
    let settings = of_task.iter().chain(more);
    all.extend(settings.map(|setting| setting.to_string()));
    Config::resolve(Some("smoke"), None, &all).unwrap()
}

const TASKS: [&str; 5] = [
    "masked-lm",
    "pretraining",
    "question-answering",
    "language-model",
    "image-classification",
];

/// Stops after some units of a task.
struct StopAfter(u64, Arc<AtomicBool>);

impl Progress for StopAfter {
    fn begin(&self, _: &str, _: u64) -> Box<dyn Task + Send> {
        Box::new(StopAfter(self.0, Arc::clone(&self.1)))
    }
    fn warn(&self, text: &str) {
        panic!("unexpected warning: {text}");
    }
}

impl Task for StopAfter {
    fn update(&mut self, done: u64, _: &str) {
        self.1.store(done == self.0, Ordering::Relaxed);
    }
}

fn run(config: &Config, dataset: &Dataset, folder: &Path, stop_after: u64) -> Option<RunResult> {
    let stop = Arc::new(AtomicBool::new(false));
    let progress = StopAfter(stop_after, Arc::clone(&stop));
    let control = Control {
        stop: &stop,
        progress: &progress,
    };
    match train(config, dataset, folder, control).unwrap() {
        Outcome::Done(result) => Some(result),
        Outcome::Interrupted => None,
    }
}

fn measured(config: &Config, dataset: &Dataset, folder: &Path) -> Measurement {
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    match measure(config, dataset, "", folder, control).unwrap() {
        Outcome::Done(measurement) => measurement,
        Outcome::Interrupted => panic!("it was not interrupted"),
    }
}

#[test]
fn every_task_continues_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for task in TASKS {
        let steps = [
            "train.steps=12",
            "train.checkpoint_every=5",
            "train.accumulate=2",
            "train.keep=[0, 3]",
        ];
        let config = config(&folder.path().join(task), task, &steps);
        let dataset = Dataset::load(&config, None).unwrap();
        let [straight, broken] = ["a", "b"].map(|name| folder.path().join(task).join(name));
        let result = run(&config, &dataset, &straight, 0).unwrap();
        for stop_after in [1, 4, 9] {
            assert!(
                run(&config, &dataset, &broken, stop_after).is_none(),
                "{task}"
            );
        }
        assert!(run(&config, &dataset, &broken, 0).is_some());
        for step in [0, 3, 10, 12] {
            let file = format!("checkpoints/step-{step:012}.safetensors");
            let read = |folder: &Path| fs::read(folder.join(&file)).unwrap();
            assert!(read(&straight) == read(&broken), "{task}: {file} differs");
        }
        let read = |folder: &Path| fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        assert_eq!(read(&straight), read(&broken), "{task}");
        assert!(result.valid_loss.unwrap() > 0.0, "{task}: {result:?}");
        assert!(
            result.curve.iter().skip(1).all(|v| v.train_loss.is_some()),
            "{task}"
        );
    }
}

#[test]
fn every_task_learns_what_can_be_learned() {
    let folder = tempfile::tempdir().unwrap();
    for (task, steps) in [
        ("pretraining", 150),
        ("question-answering", 150),
        ("language-model", 100),
        ("image-classification", 60),
    ] {
        let steps = format!("train.steps={steps}");
        let more = [
            &steps[..],
            "train.eval_every=1000",
            "train.checkpoint_every=1000",
            "optimizer.name=adamw",
            "optimizer.learning_rate=0.003",
            "corpus.held_out=0.25",
            "train.eval_batches=50",
            "train.batch_size=8",
            "model.hidden=32",
        ];
        let (_, common) = more.split_last().unwrap();
        let more = match task {
            "question-answering" | "pretraining" => &more[..],
            _ => common,
        };
        let config = config(&folder.path().join(task), task, more);
        let dataset = Dataset::load(&config, None).unwrap();
        let result = run(&config, &dataset, &folder.path().join(task).join("run"), 0).unwrap();
        let (first, last) = (&result.curve[0], result.curve.last().unwrap());
        assert!(
            last.loss < 0.9 * first.loss,
            "{task}: {first:?} to {last:?}"
        );
        match task {
            "question-answering" => assert!(last.scores["f1"] > first.scores["f1"], "{result:?}"),
            "image-classification" => assert!(last.accuracy > Some(0.9), "{result:?}"),
            "language-model" => {
                assert!((last.scores["perplexity"] / last.loss.exp() - 1.0).abs() < 1e-12);
            }
            _ => assert!(last.scores["next_accuracy"] > 0.0),
        }
    }
}

#[test]
fn every_task_s_noise_is_measured_and_is_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    for task in TASKS {
        let more = [
            "noise.batches=20",
            "noise.batch_size=1",
            "corpus.held_out=0.25",
        ];
        let config = config(&folder.path().join(task), task, &more);
        let dataset = Dataset::load(&config, None).unwrap();
        let once = measured(&config, &dataset, &folder.path().join("state"));
        let again = measured(&config, &dataset, &folder.path().join("state"));
        assert_eq!(once.noise_norms(), again.noise_norms(), "{task}");
        assert!(once.noise_norms().iter().all(|norm| *norm > 0.0), "{task}");
        let whole: usize = once.gradients.layer_sizes.iter().sum();
        assert_eq!(whole, once.gradients.dimension, "{task}");
    }
}

/// Without dropout and with windows of equal length, two halves of a batch have the gradient of the whole.
#[test]
fn accumulation_equals_the_large_batch() {
    let folder = tempfile::tempdir().unwrap();
    let first = |settings: &[&str]| {
        let more = [
            &["train.steps=1", "train.warmup=0", "model.dropout=0.0"],
            settings,
        ]
        .concat();
        let config = config(folder.path(), "image-classification", &more);
        let dataset = Dataset::load(&config, None).unwrap();
        let run_folder = tempfile::tempdir().unwrap();
        run(&config, &dataset, run_folder.path(), 0).unwrap();
        let log = fs::read_to_string(run_folder.path().join("metrics.jsonl")).unwrap();
        let line: serde_json::Value = serde_json::from_str(log.lines().nth(1).unwrap()).unwrap();
        ["loss", "grad_norm"].map(|key| line[key].as_f64().unwrap())
    };
    let alexnet = ["model.size=alexnet", "model.width=4", "images.augment=none"];
    let whole = first(&[&alexnet[..], &["train.batch_size=8"]].concat());
    let halves = first(&[&alexnet[..], &["train.batch_size=4", "train.accumulate=2"]].concat());
    for (a, b) in whole.iter().zip(halves) {
        assert!((a / b - 1.0).abs() < 1e-5, "{whole:?} {halves:?}");
    }
}

/// A whole pass a step, without dropout: every step has the same batch, and steps too small to count see the same loss.
#[test]
fn a_step_can_be_a_whole_pass_over_the_first_words() {
    let folder = tempfile::tempdir().unwrap();
    // Two columns of 33 words: 4 segments of 8.
    let more = [
        "corpus.max_words=66",
        "train.batch_size=2",
        "train.accumulate=4",
        "train.steps=3",
        "train.eval_every=1",
        "model.dropout=0.0",
        "optimizer.learning_rate=1e-12",
    ];
    let losses = |more: &[&str]| -> Vec<f64> {
        let config = config(folder.path(), "language-model", more);
        let dataset = Dataset::load(&config, None).unwrap();
        let run_folder = tempfile::tempdir().unwrap();
        let result = run(&config, &dataset, run_folder.path(), 0).unwrap();
        let losses = result.curve.iter().filter_map(|v| v.train_loss).collect();
        assert_eq!(result.metric("train_loss"), result.curve[3].train_loss);
        losses
    };
    let apart = |x: &[f64]| x.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1e-6);
    let whole = losses(&more);
    assert!(whole.len() == 3 && !apart(&whole), "{whole:?}");
    assert!(apart(&losses(
        &[&more[..], &["train.accumulate=1"]].concat()
    )));
    assert!(apart(&losses(
        &[&more[..], &["corpus.max_words=1000"]].concat()
    )));
    let too_many = ["corpus.max_words=1000000"];
    let too_many = config(folder.path(), "language-model", &too_many);
    let problem = Dataset::load(&too_many, None).err().unwrap().to_string();
    assert!(problem.contains("1000000 is more than the "), "{problem}");
}

/// Of a folder as SQuAD is published, the development file is held out, whatever share was asked for.
#[test]
fn a_folder_of_questions_has_its_own_development_file() {
    let folder = tempfile::tempdir().unwrap();
    let whole = config(
        folder.path(),
        "question-answering",
        &["train.eval_batches=1000"],
    );
    let text = fs::read_to_string(folder.path().join("squad.json")).unwrap();
    let articles = |wanted: std::ops::Range<usize>| {
        let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let all = file["data"].as_array().unwrap()[wanted].to_vec();
        file["data"] = all.into();
        file.to_string()
    };
    let published = folder.path().join("published");
    fs::create_dir(&published).unwrap();
    let mut config = whole.clone();
    config.corpus.path = published.to_str().map(String::from);
    fs::write(published.join("train-v1.1.json"), articles(0..5)).unwrap();
    let missing = Dataset::load(&config, None).err().unwrap().to_string();
    assert!(missing.contains("dev-v1.1.json"), "{missing}");
    fs::write(published.join("dev-v1.1.json"), articles(5..8)).unwrap();
    let facts = Dataset::load(&config, None).unwrap().facts;
    let of_file = Dataset::load(&whole, None).unwrap().facts;
    // Of the file, one article of the eight alike is held out.
    assert_eq!(facts.train_examples, of_file.train_examples / 7 * 5);
    assert_eq!(facts.valid_examples, of_file.valid_examples * 3);
    fs::write(published.join("train-v1.1.json"), articles(0..6)).unwrap();
    fs::write(published.join("dev-v1.1.json"), articles(6..8)).unwrap();
    let other = Dataset::load(&config, None).unwrap().facts;
    assert_ne!(facts.crc32, other.crc32, "another split of the same");
}

#[test]
fn a_stalled_run_ends_early_and_at_the_same_step_after_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    // Steps so small that nothing changes.
    let more = [
        "train.steps=60",
        "train.eval_every=2",
        "train.patience=3",
        "train.checkpoint_every=50",
        "optimizer.name=sgd",
        "optimizer.learning_rate=1e-30",
        "train.warmup=0",
    ];
    let config = config(folder.path(), "masked-lm", &more);
    let dataset = Dataset::load(&config, None).unwrap();
    let result = run(&config, &dataset, &folder.path().join("a"), 0).unwrap();
    assert!(
        result.steps < 60 && result.diverged_at.is_none(),
        "{result:?}"
    );
    assert!(run(&config, &dataset, &folder.path().join("b"), 5).is_none());
    let resumed = run(&config, &dataset, &folder.path().join("b"), 0).unwrap();
    assert_eq!(resumed.curve, result.curve);
}

/// A run that is first good and then bad: what is exported is what was good, after a resume as well.
#[test]
fn with_patience_the_best_model_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    let more = [
        "train.steps=40",
        "train.eval_every=2",
        "train.patience=3",
        "train.checkpoint_every=4",
        "train.schedule=constant",
        "train.warmup=30",
        "optimizer.name=sgd-momentum",
        "optimizer.learning_rate=3",
    ];
    let config = config(folder.path(), "masked-lm", &more);
    let dataset = Dataset::load(&config, None).unwrap();
    let [straight, broken] = ["a", "b"].map(|name| folder.path().join(name));
    let result = run(&config, &dataset, &straight, 0).unwrap();
    let best = result.curve.iter().min_by(|a, b| a.loss.total_cmp(&b.loss));
    let best = best.unwrap().step;
    assert!(result.steps > best && best > 0, "{result:?}");
    let told = result.curve.iter().find(|v| v.step == best).unwrap();
    assert_eq!(result.valid_step, Some(best));
    assert_eq!(result.metric("loss"), Some(told.loss));
    assert_eq!(result.metric("accuracy"), told.accuracy);
    assert_eq!(result.metric("train_loss"), told.train_loss);
    assert_ne!(told.train_loss, result.curve.last().unwrap().train_loss);
    let mut of_best = config.clone();
    (of_best.train.steps, of_best.train.patience) = (best, 0);
    let short = folder.path().join("short");
    run(&of_best, &dataset, &short, 0).unwrap();
    let model = |config: &Config, folder: &Path| {
        let (model, all) = export(config, &dataset, folder, control).unwrap();
        assert_eq!(all.step, best);
        fs::read(model.join("model.safetensors")).unwrap()
    };
    let expected = model(&of_best, &short);
    assert!(model(&config, &straight) == expected);
    assert!(run(&config, &dataset, &broken, best + 1).is_none());
    run(&config, &dataset, &broken, 0).unwrap();
    assert!(model(&config, &broken) == expected);
    // Worse from the start: the best is what the run began with.
    let mut worse = config.clone();
    (worse.optimizer.learning_rate, worse.train.warmup) = (1e3, 0);
    let folder = folder.path().join("worse");
    let result = run(&worse, &dataset, &folder, 0).unwrap();
    let mut later = result.curve.iter().skip(1);
    assert!(later.all(|v| v.loss > result.curve[0].loss));
    assert_eq!(
        export(&worse, &dataset, &folder, control).unwrap().1.step,
        0
    );
}

/// The gradient of a segment depends neither on its company nor on where in the text it stands: each has as many words
/// before it.
#[test]
fn batches_of_words_are_independent() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["noise.batches=40", "noise.batch_size=1"];
    let single = config(folder.path(), "language-model", &more);
    let dataset = Dataset::load(&single, None).unwrap();
    // 12 remembered words are two segments of 8, which the first example has before it.
    let words = dataset.facts.train_examples;
    let longer = config(folder.path(), "language-model", &["model.memory_len=0"]);
    let all = Dataset::load(&longer, None).unwrap().facts.train_examples;
    assert_eq!(words + 2, all);
    let norms = measured(&single, &dataset, &folder.path().join("state"));
    let typical = norms.grad_norms().iter().sum::<f64>() / 40.0;
    let largest = norms.grad_norms().iter().copied().fold(0.0, f64::max);
    assert!(largest < 3.0 * typical, "{largest} {typical}");
}

#[test]
fn what_is_exported_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    for task in ["pretraining", "question-answering", "image-classification"] {
        let at = folder.path().join(task);
        let first = config(&at, task, &[]);
        let dataset = Dataset::load(&first, None).unwrap();
        let trained = run(&first, &dataset, &at.join("run"), 0).unwrap();
        let (model, _) = export(&first, &dataset, &at.join("run"), control).unwrap();
        let weights = match task {
            "image-classification" => model.join("model.safetensors"),
            _ => model.clone(),
        };
        let setting = format!("model.weights={:?}", weights.to_str().unwrap());
        let mut second = config(&at, task, &[&setting]);
        second.corpus.vocab = None;
        let dataset = Dataset::load(&second, None).unwrap();
        let result = run(&second, &dataset, &at.join("again"), 0).unwrap();
        // The second run starts where the first ended.
        let start = &result.curve[0];
        let end = trained.curve.last().unwrap();
        assert_eq!(
            (start.loss, &start.scores),
            (end.loss, &end.scores),
            "{task}"
        );
        if task == "question-answering" {
            let text = fs::read_to_string(model.join("predictions.json")).unwrap();
            let answers: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(answers.as_object().unwrap().len(), 6);
        }
    }
}

/// Weights of a model of two classes, on images of three: all but the head is theirs.
#[test]
fn a_head_for_other_classes_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    let first = config(folder.path(), "image-classification", &[]);
    let dataset = Dataset::load(&first, None).unwrap();
    run(&first, &dataset, &folder.path().join("run"), 0).unwrap();
    let (model, _) = export(&first, &dataset, &folder.path().join("run"), control).unwrap();
    let setting = format!("model.weights={:?}", model.to_str().unwrap());
    let mut second = config(folder.path(), "image-classification", &[&setting]);
    for part in ["train", "t10k"] {
        let file = folder.path().join(format!("{part}-labels-idx1-ubyte"));
        let mut labels = fs::read(&file).unwrap();
        for (i, label) in labels[8..].iter_mut().enumerate() {
            *label = (i % 3) as u8;
        }
        fs::write(&file, labels).unwrap();
    }
    second.optimizer.learning_rate = 1e-30;
    let dataset = Dataset::load(&second, None).unwrap();
    let (described, _) = dataset.describe(&second).unwrap();
    assert!(
        described.ends_with("new, for other classes: fc.weight, fc.bias"),
        "{described}"
    );
    run(&second, &dataset, &folder.path().join("again"), 0).unwrap();
    let (again, all) = export(&second, &dataset, &folder.path().join("again"), control).unwrap();
    assert!(all.loss.is_finite());
    let weight = |folder: &Path, name: &str| {
        let file = fs::read(folder.join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let view = tensors.tensor(name).unwrap();
        (view.shape().to_vec(), view.data().to_vec())
    };
    let name = "layer4.1.conv2.weight";
    assert!(weight(&model, name) == weight(&again, name));
    assert_eq!(weight(&again, "fc.bias").0, [3]);
}

/// Whatever a training is followed by, the model that is exported is judged by everything.
#[test]
fn what_is_exported_is_judged_by_all_held_out_data() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    for task in TASKS {
        let at = folder.path().join(task);
        let judged = |batches: &str| {
            let more = [
                &format!("train.eval_batches={batches}")[..],
                "train.batch_size=3",
            ];
            let config = config(&at, task, &more);
            let dataset = Dataset::load(&config, None).unwrap();
            let run_folder = at.join(batches);
            let result = run(&config, &dataset, &run_folder, 0).unwrap();
            let (model, all) = export(&config, &dataset, &run_folder, control).unwrap();
            if task == "question-answering" {
                let text = fs::read_to_string(model.join("predictions.json")).unwrap();
                let answers: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(answers.as_object().unwrap().len(), 6);
            }
            (result.valid_loss.unwrap(), all)
        };
        let ((few, a), (many, b)) = (judged("1"), judged("1000"));
        assert_eq!(a, b, "{task}");
        assert_eq!(a.step, 6, "{task}");
        assert!(few != many && few != a.loss, "{task}: {few} {many} {a:?}");
        // Up to a last batch that is not whole, or the order of the sum.
        assert!((many / a.loss - 1.0).abs() < 0.05, "{task}: {many} {a:?}");
    }
}

/// Of a folder with a test text its perplexity is told at the end.
#[test]
fn a_test_text_is_judged_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    let mut config = config(folder.path(), "language-model", &[]);
    let ptb = folder.path().join("ptb");
    fs::create_dir(&ptb).unwrap();
    let words: Vec<String> = text().split_whitespace().map(String::from).collect();
    let part = |range: std::ops::Range<usize>| words[range].join(" ") + "\n";
    for (name, text) in [
        ("train", part(0..2000)),
        ("valid", part(2000..2400)),
        ("test", part(2400..2700)),
    ] {
        fs::write(ptb.join(format!("ptb.{name}.txt")), text).unwrap();
    }
    config.corpus.path = Some(ptb.to_string_lossy().into_owned());
    let dataset = Dataset::load(&config, None).unwrap();
    let run_folder = folder.path().join("run");
    run(&config, &dataset, &run_folder, 0).unwrap();
    let (_, all) = export(&config, &dataset, &run_folder, control).unwrap();
    let test = all.scores["test_loss"];
    assert_eq!(all.scores["test_perplexity"], test.exp());
    assert_ne!(test, all.loss);
    // The same model on the test text as if it were for validation.
    fs::copy(ptb.join("ptb.test.txt"), ptb.join("ptb.valid.txt")).unwrap();
    let dataset = Dataset::load(&config, None).unwrap();
    let (_, all) = export(&config, &dataset, &run_folder, control).unwrap();
    assert_eq!(all.loss, test);
}

#[test]
fn data_that_does_not_fit_a_task_is_refused_with_a_remedy() {
    let problem = |task: &str, more: &[&str]| {
        let mut settings = vec![format!("task={task}")];
        settings.extend(more.iter().map(|s| s.to_string()));
        let config = Config::resolve(Some("smoke"), None, &settings);
        let dataset = config.and_then(|config| Dataset::load(&config, None));
        dataset.err().expect(task).to_string()
    };
    assert!(problem("question-answering", &[]).contains("corpus.path"));
    assert!(problem("image-classification", &["model.size=resnet18"]).contains("corpus.path"));
    assert!(problem("image-classification", &["model.size=nano"]).contains("resnet18"));
    assert!(problem("language-model", &["model.size=nano"]).contains("lab"));
    let folder = tempfile::tempdir().unwrap();
    squad(folder.path());
    let path = format!(
        "corpus.path={:?}",
        folder.path().join("squad.json").to_str().unwrap()
    );
    assert!(problem("question-answering", &[&path]).contains("corpus.vocab"));
    // Of a development file whose offsets are all wrong there is no loss.
    let text = fs::read_to_string(folder.path().join("squad.json")).unwrap();
    let published = folder.path().join("published");
    fs::create_dir(&published).unwrap();
    fs::write(published.join("train-v1.1.json"), &text).unwrap();
    let wrong = text.replace("\"answer_start\": ", "\"answer_start\": 1");
    fs::write(
        published.join("dev-v1.1.json"),
        wrong.replace("\"id\": \"", "\"id\": \"d"),
    )
    .unwrap();
    let vocab = folder.path().join("vocab.txt");
    let settings = [("corpus.path", published), ("corpus.vocab", vocab)]
        .map(|(key, path)| format!("{key}={:?}", path.to_str().unwrap()));
    let lost = problem("question-answering", &[&settings[0], &settings[1]]);
    assert!(
        lost.contains("no question of a validation has its answer"),
        "{lost}"
    );
    let words = problem("masked-lm", &["corpus.max_words=1000"]);
    assert!(
        words.contains("corpus.max_words") && words.contains("leave it out"),
        "{words}"
    );
}
