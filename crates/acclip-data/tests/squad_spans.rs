//! The best span: by hand, against a search of all spans, and against transformers' port of `run_squad.py`
//! (reference/squad/generate.py).

use acclip_data::{
    Error, Purpose, Tokenizer, rng,
    squad::{
        Predictions, Span, SpanOptions, Squad, Window, WindowOptions, Windows, best_span, predict,
    },
};
use rand::RngExt;
use serde_json::{Value, json};
use std::{cmp::Reverse, fs};

const GOLDEN: &str = include_str!("../../../reference/squad/golden.json");

fn tokenizer(vocab: &[&str]) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocab.txt");
    fs::write(&path, vocab.join("\n") + "\n").unwrap();
    Tokenizer::load(path).unwrap()
}

/// A question `q` about nine words, five of them in a window, every three: words 0..5, 3..8, 6..9 from place 3 on.
/// Maximum contexts: places 3 to 6, 4 to 6, and 4 to 5.
fn nine() -> (Squad, Windows) {
    let vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "q"];
    let answers = json!([{"text": "One", "answer_start": 0}]);
    let qas = json!([{"id": "x", "question": "q", "answers": answers}]);
    let context = "One, Zwei  dréi vier five six 🙂 eight";
    let paragraphs = json!([{"context": context, "qas": qas}]);
    let file = json!({"version": "1.1", "data": [{"title": "T", "paragraphs": paragraphs}]});
    let squad = Squad::from_json(&file.to_string(), "nine").unwrap();
    let options = WindowOptions {
        max_len: 9,
        stride: 3,
        max_question: 1,
    };
    let windows = Windows::for_prediction(&squad, &tokenizer(&vocab), &options).unwrap();
    assert_eq!(
        windows.all.iter().map(Window::document).collect::<Vec<_>>(),
        [3..8, 3..8, 3..6]
    );
    (squad, windows)
}

/// Logits of 3 windows of 9 places: 0 but at these (window, place, value).
fn logits(values: &[(usize, usize, f32)]) -> Vec<f32> {
    let mut logits = vec![0.0; 27];
    for &(window, place, value) in values {
        logits[9 * window + place] = value;
    }
    logits
}

fn answer(
    starts: &[(usize, usize, f32)],
    ends: &[(usize, usize, f32)],
    n_best: usize,
    max_answer: usize,
) -> Predictions {
    let (squad, windows) = nine();
    let options = SpanOptions { n_best, max_answer };
    predict(&squad, &windows, &logits(starts), &logits(ends), &options).unwrap()
}

#[test]
fn spans_by_hand() {
    let text = |starts, ends, n_best, max_answer| {
        let predictions = answer(starts, ends, n_best, max_answer);
        assert_eq!(predictions.answers.len(), 1);
        predictions.answers["x"].clone()
    };
    // Words and places of the first window: One 3, `,` 4, Zwei 5, dréi 6, vier 7; of the second: dréi 3, vier 4, five 5,
    // six 6, 🙂 7; of the third: six 3, 🙂 4, eight 5. The text is the context's own, blanks included.
    assert_eq!(text(&[(0, 5, 3.0)], &[(0, 6, 3.0)], 20, 30), "Zwei  dréi");
    assert_eq!(text(&[(0, 3, 3.0)], &[(0, 5, 3.0)], 20, 30), "One, Zwei");
    assert_eq!(text(&[(2, 4, 3.0)], &[(2, 5, 3.0)], 20, 30), "🙂 eight");
    // Where a word does not have its maximum context, no span begins; one may end there.
    assert_eq!(
        text(&[(1, 3, 9.0), (1, 5, 1.0)], &[(1, 7, 9.0)], 20, 30),
        "five six 🙂"
    );
    // [CLS], the question, [SEP] and padding do not count, and the end is not before the start.
    let places = [
        (0, 0, 9.0),
        (0, 1, 9.0),
        (0, 2, 9.0),
        (0, 8, 9.0),
        (2, 6, 9.0),
        (2, 7, 9.0),
        (2, 8, 9.0),
    ];
    assert_eq!(text(&places, &places, 20, 30), "One");
    assert_eq!(
        text(&[(0, 6, 3.0)], &[(0, 5, 2.0), (0, 7, 1.0)], 20, 30),
        "dréi vier"
    );
    // No longer than max_answer.
    let ends = [(0, 7, 3.0), (0, 6, 2.0)];
    assert_eq!(text(&[(0, 3, 3.0)], &ends, 20, 5), "One, Zwei  dréi vier");
    assert_eq!(text(&[(0, 3, 3.0)], &ends, 20, 4), "One, Zwei  dréi");
    // Of the n best alone: [CLS] is the best start of the first window, and takes the only place.
    assert_eq!(
        text(
            &[(0, 0, 5.0), (0, 3, 4.0), (1, 4, 1.0)],
            &[(0, 3, 1.0), (1, 4, 1.0)],
            1,
            30
        ),
        "vier"
    );
    // Ties: the first window, the larger start logit, the earlier start, the earlier end.
    assert_eq!(text(&[], &[], 20, 30), "One");
    assert_eq!(text(&[(1, 4, 1.0), (2, 4, 1.0)], &[], 20, 30), "vier");
    assert_eq!(
        text(
            &[(0, 3, 1.0), (0, 6, 2.0)],
            &[(0, 4, 2.0), (0, 7, 1.0)],
            20,
            30
        ),
        "dréi vier"
    );
    assert_eq!(text(&[(0, 3, -0.0)], &[], 20, 30), "One");
}

#[test]
fn no_span_is_an_empty_answer_and_counted() {
    let every = |value| -> Vec<(usize, usize, f32)> { (0..3).map(|w| (w, 0, value)).collect() };
    let predictions = answer(&every(1.0), &every(1.0), 1, 30);
    assert_eq!(predictions.answers["x"], "");
    assert_eq!(predictions.without_span, [0]);
    assert_eq!(predictions.to_json(), "{\n  \"x\": \"\"\n}\n");
    assert!(answer(&[], &[], 20, 30).without_span.is_empty());
}

#[test]
fn predictions_json_is_read_back() {
    let predictions = answer(&[(2, 4, 3.0)], &[(2, 4, 3.0)], 20, 30);
    let read: Value = serde_json::from_str(&predictions.to_json()).unwrap();
    assert_eq!(read, json!({"x": "🙂"}));
}

#[test]
fn bad_logits_and_settings_are_named() {
    let (squad, windows) = nine();
    let good = logits(&[]);
    let default = SpanOptions::default();
    let message = |starts: &[f32], ends: &[f32]| {
        let error = predict(&squad, &windows, starts, ends, &default).unwrap_err();
        assert!(matches!(error, Error::Logits { .. }));
        error.to_string()
    };
    let short = message(&good[1..], &good);
    assert!(
        short.starts_with("26 start logits; 3 windows of 9 places need 27;"),
        "{short}"
    );
    assert!(message(&[0.0; 28], &good).starts_with("28 start logits"));
    assert!(message(&good, &[]).starts_with("0 end logits"));
    for bad in [f32::NAN, f32::INFINITY] {
        let message = message(&good, &logits(&[(1, 4, bad)]));
        let expected = format!("end logit {bad} at place 4 of window 1 (question \"x\"); give");
        assert!(message.starts_with(&expected), "{message}");
    }
    let hidden = logits(&[(0, 3, f32::NEG_INFINITY), (0, 4, 1.0)]);
    assert_eq!(
        predict(&squad, &windows, &hidden, &good, &default)
            .unwrap()
            .answers["x"],
        ","
    );
    for (n_best, max_answer, setting) in [(0, 1, "n_best"), (1, 0, "max_answer")] {
        let options = SpanOptions { n_best, max_answer };
        let error = predict(&squad, &windows, &good, &good, &options).unwrap_err();
        assert!(matches!(error, Error::Setting { name, .. } if name == setting));
    }
}

/// All spans of all windows, sorted by the rule.
fn slow_twin(rows: &[(&Window, &[f32], &[f32])], options: &SpanOptions) -> Option<Span> {
    let rank = |logits: &[f32], i: usize| {
        let before = |&j: &usize| logits[j] > logits[i] || (logits[j] == logits[i] && j < i);
        (0..logits.len()).filter(before).count()
    };
    let mut spans = Vec::new();
    for (index, &(window, starts, ends)) in rows.iter().enumerate() {
        for start in 0..starts.len() {
            for end in start..ends.len() {
                let allowed = rank(starts, start) < options.n_best
                    && rank(ends, end) < options.n_best
                    && window.offset(start).is_some()
                    && window.offset(end).is_some()
                    && window.is_max_context(start)
                    && end - start < options.max_answer;
                if allowed {
                    let score = f64::from(starts[start]) + f64::from(ends[end]);
                    let key = (
                        Reverse((score * 4.0) as i64),
                        index,
                        rank(starts, start),
                        rank(ends, end),
                    );
                    spans.push((
                        key,
                        Span {
                            window: index,
                            start,
                            end,
                            score,
                        },
                    ));
                }
            }
        }
    }
    spans
        .into_iter()
        .min_by_key(|(key, _)| *key)
        .map(|(_, span)| span)
}

/// 3,000 random rows with many ties (quarters between −h and h), every setting of n_best and max_answer up to 9.
#[test]
fn the_search_finds_what_trying_all_spans_finds() {
    let (_, windows) = nine();
    let mut none = 0;
    for case in 0..3_000 {
        let mut rng = rng::stream(8, Purpose::new("squad"), case, 0);
        let high = rng.random_range(1..12);
        let mut draw = || -> Vec<f32> {
            (0..27)
                .map(|_| rng.random_range(-high..=high) as f32 / 4.0)
                .collect()
        };
        let (starts, ends) = (draw(), draw());
        let options = SpanOptions {
            n_best: 1 + case as usize % 9,
            max_answer: 1 + case as usize / 9 % 9,
        };
        let rows: Vec<_> = (0..3)
            .map(|i| (&windows.all[i], &starts[9 * i..][..9], &ends[9 * i..][..9]))
            .collect();
        let expected = slow_twin(&rows, &options);
        assert_eq!(best_span(rows, &options), expected, "case {case}");
        none += usize::from(expected.is_none());
    }
    assert!(none > 50, "{none}");
}

/// The same best score for every question, and the same text where no word has pieces (the article `Plain`).
#[test]
fn the_reference_implementation_finds_the_same_answers() {
    let golden: Value = serde_json::from_str::<Value>(GOLDEN).unwrap()["windows"].take();
    let vocab: Vec<&str> = golden["vocab"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    let tokenizer = tokenizer(&vocab);
    let squad = Squad::from_json(&golden["data"].to_string(), "golden").unwrap();
    let (mut texts, mut empty) = (0, 0);
    for case in golden["cases"].as_array().unwrap() {
        let number = |value: &Value| value.as_u64().unwrap() as usize;
        let options = WindowOptions {
            max_len: number(&case["max_len"]),
            stride: number(&case["stride"]),
            max_question: number(&case["max_question"]),
        };
        let windows = Windows::for_prediction(&squad, &tokenizer, &options).unwrap();
        let [starts, ends] = ["starts", "ends"].map(|name| -> Vec<f32> {
            let quarters = case[name].as_array().unwrap().iter();
            quarters.map(|x| x.as_f64().unwrap() as f32 / 4.0).collect()
        });
        for expected in case["predictions"].as_array().unwrap() {
            let options = SpanOptions {
                n_best: number(&expected["n_best"]),
                max_answer: number(&expected["max_answer"]),
            };
            let predictions = predict(&squad, &windows, &starts, &ends, &options).unwrap();
            let mut row = 0;
            for group in windows.all.chunk_by(|a, b| a.question == b.question) {
                let t = windows.max_len();
                let rows = group.iter().enumerate().map(|(i, window)| {
                    let at = (row + i) * t;
                    (window, &starts[at..at + t], &ends[at..at + t])
                });
                let question = &squad.questions[group[0].question];
                let text = &expected["texts"][&question.id];
                match best_span(rows, &options) {
                    Some(span) => assert_eq!(json!(span.score), expected["scores"][&question.id]),
                    None => {
                        assert_eq!(text, "empty");
                        assert_eq!(predictions.answers[&question.id], "");
                        empty += 1;
                    }
                }
                if &*question.article == "Plain" && text != "empty" {
                    assert_eq!(&json!(predictions.answers[&question.id]), text);
                    texts += 1;
                }
                row += group.len();
            }
        }
    }
    assert!(texts > 20 && empty > 20, "{texts} {empty}");
}
