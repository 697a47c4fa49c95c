//! The scorer against the official `evaluate-v1.1.py`: reference/squad/generate.py ran it on made-up questions.

use acclip_data::{
    Error,
    squad::{Squad, Unit, evaluate_files, normalize_answer, score},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

const GOLDEN: &str = include_str!("../../../reference/squad/golden.json");

fn golden() -> Value {
    serde_json::from_str::<Value>(GOLDEN).unwrap()["scorer"].take()
}

fn data(golden: &Value) -> Squad {
    Squad::from_json(&golden["data"].to_string(), "golden").unwrap()
}

fn predictions(run: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(run["predictions"].clone()).unwrap()
}

/// Every score of every question, and the means, to the bit.
#[test]
fn the_official_scores() {
    let golden = golden();
    let squad = data(&golden);
    assert_eq!((squad.questions.len(), squad.mismatched_answers()), (26, 0));
    let runs = golden["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4);
    for run in runs {
        let score = score(&squad, &predictions(run));
        for (question, expected) in score
            .by_question
            .iter()
            .zip(run["by_question"].as_array().unwrap())
        {
            let ours = json!([f64::from(question.exact_match), question.f1]);
            assert_eq!(&ours, expected, "question {}", question.id);
        }
        assert_eq!(json!(score.exact_match), run["exact_match"]);
        assert_eq!(json!(score.f1), run["f1"]);
        assert_eq!(score.total, 26);
    }
}

#[test]
fn the_official_normalisation() {
    let golden = golden();
    let texts = golden["normalized"].as_object().unwrap();
    assert!(texts.len() > 60);
    for (text, expected) in texts {
        assert_eq!(&json!(normalize_answer(text)), expected, "{text:?}");
    }
}

#[test]
fn missing_and_unknown_ids_are_said() {
    let golden = golden();
    let squad = data(&golden);
    let first = score(&squad, &predictions(&golden["runs"][0]));
    assert_eq!(
        (first.missing.as_slice(), first.unknown),
        (&["q22".to_owned()][..], 1)
    );
    assert_eq!(first.notes.len(), 2);
    assert_eq!(first.notes[0], "Unanswered question q22 scores 0.");
    assert!(first.notes[1].ends_with("ignored: 1."));
    let gold = score(&squad, &predictions(&golden["runs"][3]));
    assert!(gold.missing.is_empty() && gold.unknown == 0 && gold.notes.is_empty());

    let none = score(&squad, &BTreeMap::new());
    assert_eq!(
        (none.exact_match, none.f1, none.missing.len()),
        (0.0, 0.0, 26)
    );
    assert!(none.f1.is_sign_positive());

    let mut other = data(&golden);
    other.version = "v2.0".into();
    let notes = score(&other, &predictions(&golden["runs"][3])).notes;
    assert_eq!(
        notes,
        ["The data say version \"v2.0\"; this is the scorer of version 1.1."]
    );
}

#[test]
fn files_are_scored_as_their_contents() {
    let golden = golden();
    let folder = tempfile::tempdir().unwrap();
    let [data_file, predictions_file] =
        ["data.json", "p.json"].map(|name| folder.path().join(name));
    fs::write(&data_file, golden["data"].to_string()).unwrap();
    fs::write(
        &predictions_file,
        golden["runs"][1]["predictions"].to_string(),
    )
    .unwrap();
    let scored = evaluate_files(&data_file, &predictions_file).unwrap();
    assert_eq!(
        scored,
        score(&data(&golden), &predictions(&golden["runs"][1]))
    );
    assert!(matches!(
        evaluate_files(&data_file, folder.path().join("none")),
        Err(Error::Missing { .. })
    ));
    fs::write(&predictions_file, "{\"q00\": []}").unwrap();
    assert!(matches!(
        evaluate_files(&data_file, &predictions_file),
        Err(Error::Squad { .. })
    ));
}

/// n questions in articles of `size`; the first `right` of them are answered.
fn simple(n: usize, size: usize, right: usize) -> acclip_data::squad::Score {
    let articles: Vec<Value> = (0..n / size)
        .map(|article| {
            let qas: Vec<Value> = (article * size..(article + 1) * size)
                .map(|i| {
                    let answers = json!([{"text": "yes", "answer_start": 0}]);
                    json!({"id": format!("{i}"), "question": "?", "answers": answers})
                })
                .collect();
            json!({"title": format!("{article}"), "paragraphs": [{"context": "yes", "qas": qas}]})
        })
        .collect();
    let file = json!({"version": "1.1", "data": articles});
    let squad = Squad::from_json(&file.to_string(), "simple").unwrap();
    let predictions = (0..n).map(|i| {
        (
            i.to_string(),
            if i < right { "yes" } else { "yes no" }.to_owned(),
        )
    });
    score(&squad, &predictions.collect())
}

/// Of 400 independent questions 100 are right: the standard error is √(¼ · ¾ / 400) = 2.165 %. The binomial
/// law's 2.5 % and 97.5 % points are 83/400 and 117/400, and the bootstrap's law is that one. F1 is 1 or ⅔.
#[test]
fn the_bootstrap_of_a_share_is_binomial() {
    let score = simple(400, 1, 100);
    let near = |got: [f64; 2], expected: [f64; 2]| {
        assert!(
            (got[0] - expected[0]).abs() <= 0.5,
            "{got:?}, not {expected:?}"
        );
        assert!(
            (got[1] - expected[1]).abs() <= 0.5,
            "{got:?}, not {expected:?}"
        );
    };
    let intervals = score.bootstrap(10_000, 3, Unit::Question).unwrap();
    near(intervals.exact_match, [20.75, 29.25]);
    let f1 = |share: f64| 100.0 * 2.0 / 3.0 + share / 3.0;
    near(intervals.f1, [f1(20.75), f1(29.25)]);

    // Articles of 100 that are all right or all wrong: as 4 questions, of which 1 is right. Of Binomial(4, ¼),
    // P(0) = 0.316 and P(≥ 4) = 0.004, P(≥ 3) = 0.051: the interval is [0, 3/4].
    let clustered = simple(400, 100, 100)
        .bootstrap(10_000, 3, Unit::Article)
        .unwrap();
    assert_eq!(clustered.exact_match, [0.0, 75.0]);
}

#[test]
fn the_bootstrap_is_a_function_of_its_seed() {
    let score = simple(60, 3, 20);
    let draw = |seed| score.bootstrap(40, seed, Unit::Article).unwrap();
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let error = score.bootstrap(39, 1, Unit::Question).unwrap_err();
    assert!(matches!(
        error,
        Error::Setting {
            name: "resamples",
            ..
        }
    ));
}
