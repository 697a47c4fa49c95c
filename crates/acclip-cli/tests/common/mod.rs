//! What the tests of the program share: a folder with data in it, in which the program is run.

#![allow(dead_code, reason = "no test file uses all of it")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// A folder in which the program is run.
pub struct Place(tempfile::TempDir);

impl Place {
    /// With a text of some structure, `text.txt`.
    pub fn new() -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        place.write("text.txt", text().as_bytes());
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_acclip"));
        let words = line.split_whitespace();
        command.current_dir(self.0.path()).args(words);
        command
    }

    /// Runs to the end.
    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs to the end, which must be a good one; returns stdout and stderr.
    pub fn both(&self, line: &str) -> (String, String) {
        let output = self.run(line);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "acclip {line}: {errors}");
        (String::from_utf8(output.stdout).unwrap(), errors)
    }

    /// Runs to the end, which must be a good one; returns stdout.
    pub fn good(&self, line: &str) -> String {
        self.both(line).0
    }

    /// Runs to an end with status 2 and one line that says all of `says`.
    pub fn refused(&self, line: &str, says: &[&str]) {
        let output = self.run(line);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "acclip {line}: {errors}");
        assert!(errors.starts_with("error: "), "acclip {line}: {errors}");
        assert_eq!(errors.lines().count(), 1, "acclip {line}: {errors}");
        assert!(output.stdout.is_empty(), "acclip {line}");
        for part in says {
            assert!(
                errors.contains(part),
                "acclip {line}: no '{part}' in: {errors}"
            );
        }
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Every CSV file in a folder, with its content, by name.
    pub fn tables(&self, folder: &str) -> Vec<(String, String)> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".csv")).collect();
        names.sort();
        let read = |name: String| {
            let content = self.read(&format!("{folder}/{name}"));
            (name, content)
        };
        names.into_iter().map(read).collect()
    }
}

/// Documents of sentences whose words follow one another by a rule, more or less.
fn text() -> String {
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
        text += WORDS[(state >> 33) as usize % 3 + 3 * (i % 4)];
        text += match i % 200 {
            199 => ".\n\n",
            i if i % 10 == 9 => ". ",
            _ => " ",
        };
    }
    text
}

/// IDX files: squares and stripes of 8 × 8, in two classes.
pub fn idx(place: &Place, folder: &str) {
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
                let stripe = (row + i) % 4 < 2;
                let bright = stripe && (class == 0 || (column + i / 2) % 4 < 2);
                images.push(if bright { 200 + (i % 50) as u8 } else { 10 });
            }
        }
        place.write(&format!("{folder}/{part}-images-idx3-ubyte"), &images);
        place.write(&format!("{folder}/{part}-labels-idx1-ubyte"), &labels);
    }
}

/// A SQuAD file of made-up questions in eight articles, `squad.json`, and a vocabulary for it, `vocab.txt`.
pub fn squad(place: &Place) {
    let mut articles = Vec::new();
    for a in 0..8 {
        let context =
            format!("mira has {a} cats and a red boat in the bay of kolm near the old mill");
        let questions = [
            ("what has mira in the bay", "a red boat"),
            ("where is the boat", "the bay of kolm"),
            ("what is near the bay", "the old mill"),
            ("who has cats", "mira"),
        ];
        let questions = questions.iter().enumerate().map(|(i, (question, answer))| {
            let start = context.find(answer).unwrap();
            let answer = serde_json::json!([{"text": answer, "answer_start": start}]);
            serde_json::json!({"id": format!("{a}-{i}"), "question": question, "answers": answer})
        });
        let questions: Vec<Value> = questions.collect();
        let paragraph = serde_json::json!({"context": context, "qas": questions});
        articles.push(serde_json::json!({"title": a.to_string(), "paragraphs": [paragraph]}));
    }
    let all = serde_json::json!({"version": "1.1", "data": articles});
    place.write("squad.json", all.to_string().as_bytes());
    let mut vocab = vec!["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    vocab.extend("mira has cats and a red boat in the bay of kolm near old mill".split(' '));
    vocab.extend("what where is who 0 1 2 3 4 5 6 7".split(' '));
    place.write("vocab.txt", vocab.join("\n").as_bytes());
}

/// Waits until a running program has made a file.
pub fn wait_for(path: &Path) {
    for _ in 0..4800 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{} does not appear", path.display());
}

/// Sends a signal to a running program.
#[cfg(unix)]
pub fn signal(name: &str, child: &std::process::Child) {
    let process = child.id().to_string();
    let sent = Command::new("kill").args([name, &process]).status();
    assert!(sent.unwrap().success());
}
