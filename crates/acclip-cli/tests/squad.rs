//! `acclip squad-eval`, with numbers by hand.

mod common;

use common::{Place, squad};
use serde_json::Value;

/// Four questions in two articles, of which one has two answers.
const DATA: &str = r#"{"version": "1.1", "data": [
 {"title": "boats", "paragraphs": [{"context": "a red boat lies in the bay of kolm",
  "qas": [
   {"id": "q1", "question": "what", "answers": [{"text": "a red boat", "answer_start": 0}]},
   {"id": "q2", "question": "where", "answers": [{"text": "the bay of kolm", "answer_start": 19}]}]}]},
 {"title": "cats", "paragraphs": [{"context": "mira has nine cats",
  "qas": [
   {"id": "q3", "question": "who", "answers": [{"text": "mira", "answer_start": 0}, {"text": "cats", "answer_start": 14}]},
   {"id": "q4", "question": "how many", "answers": [{"text": "nine", "answer_start": 9}]}]}]}]}"#;

/// q1: the same but for case, article and punctuation: 1 and 1. q2: "bay of kolm" is shared of five and three tokens:
/// P = 3/5, R = 1, F1 = 3/4. q3: the second answer: 1 and 1. q4: no answer.
const ANSWERS: &str =
    r#"{"q1": "Red boat!", "q2": "in the bay of kolm now", "q3": "Cats", "q9": "nothing"}"#;

#[test]
fn scores_are_those_by_hand() {
    let place = Place::new();
    place.write("data.json", DATA.as_bytes());
    place.write("answers.json", ANSWERS.as_bytes());
    let (text, notes) = place.both("squad-eval data.json answers.json --seed 3");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("exact match 50.00  ["), "{text}");
    assert!(lines[1].starts_with("F1          68.75  ["), "{text}");
    assert!(lines[0].ends_with("over articles") && lines[2].starts_with("4 question(s)"));
    assert!(lines[2].ends_with("seed 3"), "{text}");
    let expected = "note: Unanswered question q4 scores 0.\n\
                    note: Predictions for ids that are not in the data, ignored: 1.\n";
    assert_eq!(notes, expected);

    let json = place.good("squad-eval data.json answers.json --seed 3 --json");
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&found["exact_match"], &found["f1"]),
        (&50.0.into(), &68.75.into())
    );
    assert_eq!((&found["total"], &found["seed"]), (&4.into(), &3.into()));
    assert_eq!(found["missing"], serde_json::json!(["q4"]));
    let f1 = found["by_question"].as_array().unwrap().iter();
    let f1: Vec<f64> = f1.map(|one| one["f1"].as_f64().unwrap()).collect();
    for (found, expected) in f1.iter().zip([1.0, 0.75, 1.0, 0.0]) {
        assert!((found - expected).abs() < 1e-12, "{f1:?}");
    }
    for unit in ["over_questions", "over_articles"] {
        let [low, high] = [0, 1].map(|i| found[unit]["f1"][i].as_f64().unwrap());
        assert!(low <= 68.75 && 68.75 <= high && low < high, "{found}");
    }
    // Articles have the means 87.5 and 50, of which a resample has both, or one of them twice.
    assert_eq!(
        found["over_articles"]["f1"],
        serde_json::json!([50.0, 87.5])
    );
    assert_eq!(
        place.good("squad-eval data.json answers.json --seed 3 --json"),
        json
    );

    // All answers of one article: nothing can be said over articles.
    let start = DATA.find(",\n {\"title\": \"cats\"").unwrap();
    place.write("one.json", format!("{}]}}", &DATA[..start]).as_bytes());
    place.write(
        "both.json",
        br#"{"q1": "red boat", "q2": "the bay of kolm"}"#,
    );
    let (text, notes) = place.both("squad-eval one.json both.json");
    assert!(
        text.starts_with("exact match 100.00  [100.00, 100.00] over questions\n"),
        "{text}"
    );
    assert!(
        !text.contains("articles") && notes.is_empty(),
        "{text} {notes}"
    );
}

#[test]
fn malformed_files_are_refused_with_the_place() {
    let place = Place::new();
    place.write("data.json", DATA.as_bytes());
    place.write("answers.json", ANSWERS.as_bytes());
    place.write("cut.json", &DATA.as_bytes()[..200]);
    place.write("twice.json", DATA.replace("q2", "q1").as_bytes());
    place.write("list.json", b"[1, 2]");
    place.write("number.json", b"{\"q1\": \"boat\",\n \"q2\": 7}");
    place.write("latin1.json", b"{\"q1\": \"caf\xe9\"}");
    for (files, says) in [
        ("none.json answers.json", &["none.json"][..]),
        ("data.json none.json", &["none.json"]),
        ("cut.json answers.json", &["cut.json", "line 4"]),
        ("twice.json answers.json", &["twice.json", "q1"]),
        ("list.json answers.json", &["list.json", "line 1"]),
        ("data.json list.json", &["list.json", "line 1"]),
        ("data.json number.json", &["number.json", "line 2"]),
        ("data.json latin1.json", &["latin1.json"]),
    ] {
        place.refused(&format!("squad-eval {files}"), says);
    }
}

/// What training leaves beside its model is what the scorer reads, with the same result.
#[test]
fn predictions_of_a_training_run_score_as_it_says() {
    let place = Place::new();
    squad(&place);
    place.good(
        "train --preset smoke --set task=question-answering --corpus squad.json --vocab vocab.txt \
         --set model.seq_len=32 --set questions.stride=4 --set questions.max_question=8 --set train.steps=30 \
         --set train.eval_batches=50 --set corpus.held_out=0.25 --set optimizer.learning_rate=0.01 --out run",
    );
    let result = place.json("run/summary.json");
    // The data without the articles that were trained on: those that have predictions.
    let answers = place.json("run/model/predictions.json");
    let answers = answers.as_object().unwrap();
    assert_eq!(
        answers.len(),
        8,
        "two articles of eight, four questions each"
    );
    let mut data = place.json("squad.json");
    let articles = data["data"].as_array_mut().unwrap();
    articles.retain(|article| {
        answers.contains_key(&format!("{}-0", article["title"].as_str().unwrap()))
    });
    place.write("held-out.json", data.to_string().as_bytes());
    let (json, notes) = place.both("squad-eval held-out.json run/model/predictions.json --json");
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(notes, "");
    for score in ["exact_match", "f1"] {
        assert_eq!(found[score], result["scores"][score], "{score}");
    }
    assert!(found["f1"].as_f64().unwrap() > 0.0);
}
