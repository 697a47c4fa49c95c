//! What a SQuAD file becomes, and what is said about a bad one.

use acclip_data::{
    Error,
    squad::{Squad, read_predictions},
};
use serde_json::{Value, json};
use std::fs;

/// One article, two paragraphs, three questions. In code points: 🙂 is at 0, `Łódź` at 2, `é` (two points) at 15.
fn good() -> Value {
    json!({"version": "1.1", "data": [{"title": "Łódź", "paragraphs": [
        {"context": "🙂 Łódź is a cite\u{301} in Poland.", "qas": [
            {"id": "one", "question": "Which?", "answers": [
                {"text": "Łódź", "answer_start": 2},
                {"text": "Łódź is", "answer_start": 2}]},
            {"id": "two", "question": "Where?", "answers": [{"text": "in Poland", "answer_start": 18}]}]},
        {"context": "Boats.", "qas": [
            {"id": "three", "question": "What?", "answers": [{"text": "Boats.", "answer_start": 0}]}]}]}]})
}

fn read(value: &Value) -> Result<Squad, Error> {
    Squad::from_json(&value.to_string(), "dev.json")
}

/// The message about `good()` with the value at `pointer` replaced, or removed if it is `None`.
fn message(pointer: &str, value: Option<Value>) -> String {
    let mut file = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = file.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Some(value)) => _ = fields.insert(name.into(), value),
        (Value::Object(fields), None) => _ = fields.remove(name).unwrap(),
        _ => panic!("not a field"),
    }
    let error = read(&file).unwrap_err();
    assert!(matches!(error, Error::Squad { .. }));
    error.to_string()
}

#[test]
fn a_good_file_by_hand() {
    let squad = read(&good()).unwrap();
    assert_eq!((squad.version.as_str(), squad.questions.len()), ("1.1", 3));
    assert_eq!(squad.mismatched_answers(), 0);
    let [one, two, three] = squad.questions.as_slice() else {
        panic!("three questions");
    };
    assert_eq!((one.id.as_str(), one.question.as_str()), ("one", "Which?"));
    assert_eq!((&*one.article, &*three.context), ("Łódź", "Boats."));
    // 🙂 has 4 bytes, Ł, ó and ź have 2 each.
    assert_eq!(one.answers[0].bytes, Some(5..12));
    assert_eq!(one.answers[1].bytes, Some(5..15));
    for question in &squad.questions {
        for answer in &question.answers {
            assert_eq!(question.context[answer.bytes.clone().unwrap()], answer.text);
        }
    }
    assert_eq!((two.answers[0].start, two.answers.len()), (18, 1));
    assert!(std::sync::Arc::ptr_eq(&one.context, &two.context));
}

#[test]
fn offsets_that_lead_elsewhere_are_kept_without_a_place() {
    // One too far, as counted in UTF-16; in bytes; behind the end; at the end.
    for start in [3, 5, 1000, 28, usize::MAX] {
        let mut file = good();
        file["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] = start.into();
        let squad = read(&file).unwrap();
        assert_eq!(squad.mismatched_answers(), 1);
        let answer = &squad.questions[0].answers[0];
        assert_eq!((answer.text.as_str(), answer.start), ("Łódź", start));
        assert_eq!(answer.bytes, None);
    }
}

#[test]
fn missing_and_wrong_fields_are_named() {
    let qa = "/data/0/paragraphs/0/qas/1";
    for (pointer, place, field) in [
        ("/version".to_owned(), "dev.json: missing field", "version"),
        ("/data".to_owned(), "dev.json: missing field", "data"),
        ("/data/0/title".to_owned(), "dev.json: data[0]: ", "title"),
        ("/data/0/paragraphs".to_owned(), "data[0]: ", "paragraphs"),
        (
            "/data/0/paragraphs/1/context".to_owned(),
            "data[0].paragraphs[1]: ",
            "context",
        ),
        (
            "/data/0/paragraphs/1/qas".to_owned(),
            "data[0].paragraphs[1]: ",
            "qas",
        ),
        (format!("{qa}/id"), "data[0].paragraphs[0].qas[1]: ", "id"),
        (
            format!("{qa}/question"),
            "data[0].paragraphs[0].qas[1]: ",
            "question",
        ),
        (
            format!("{qa}/answers"),
            "data[0].paragraphs[0].qas[1]: ",
            "answers",
        ),
        (
            format!("{qa}/answers/0/text"),
            "data[0].paragraphs[0].qas[1].answers[0]: ",
            "text",
        ),
        (
            format!("{qa}/answers/0/answer_start"),
            "qas[1].answers[0]: ",
            "answer_start",
        ),
    ] {
        let message = message(&pointer, None);
        let missing = format!("missing field `{field}` at line 1 column ");
        assert!(
            message.contains(place) && message.contains(&missing),
            "{message}"
        );
        assert!(message.ends_with("; correct the file"), "{message}");
    }
    let start = format!("{qa}/answers/0/answer_start");
    for value in [json!(-1), json!(1.5), json!("18"), json!(null)] {
        let message = message(&start, Some(value));
        let place = "dev.json: data[0].paragraphs[0].qas[1].answers[0].answer_start: invalid ";
        assert!(message.starts_with(place), "{message}");
    }
}

#[test]
fn blank_missing_and_double_things_are_named() {
    let place = "dev.json: data[0].paragraphs[0].qas[1] (article \"Łódź\", question \"two\"): ";
    let qa = "/data/0/paragraphs/0/qas/1";
    let none = message(&format!("{qa}/answers"), Some(json!([])));
    assert!(
        none.starts_with(&format!("{place}it has no answers; SQuAD v1.1")),
        "{none}"
    );
    let blank = message(&format!("{qa}/answers/0/text"), Some(json!(" \t")));
    assert!(
        blank.starts_with(&format!("{place}answers[0] is blank")),
        "{blank}"
    );
    let context = message("/data/0/paragraphs/1/context", Some(json!(" \n")));
    let expected = "dev.json: data[0].paragraphs[1] (article \"Łódź\"): its context is blank";
    assert!(context.starts_with(expected), "{context}");
    let double = message("/data/0/paragraphs/1/qas/0/id", Some(json!("one")));
    let expected = "dev.json: data[0].paragraphs[1].qas[0] (article \"Łódź\", question \"one\"): \
                    data[0].paragraphs[0].qas[0] has the same id";
    assert!(double.starts_with(expected), "{double}");
    let empty = message("/data", Some(json!([])));
    assert!(
        empty.starts_with("dev.json: there is no question in it"),
        "{empty}"
    );
}

#[test]
fn what_is_not_json_is_named_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dev.json");
    for (text, expected) in [
        ("{\"version\": \"1.1\",\n \"data\": [}", "line 2 column 11"),
        (
            "{\"version\": \"1.1\", \"data\": []} x",
            "trailing characters at line 1 column 32",
        ),
        ("", "line 1 column 0"),
        ("[]", "line 1 column "),
        ("\u{feff}\n{", "line 2 column 1"),
    ] {
        fs::write(&path, text).unwrap();
        let message = Squad::read(&path).unwrap_err().to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
    fs::write(&path, b"{\"version\": \"\xff").unwrap();
    assert!(matches!(
        Squad::read(&path),
        Err(Error::NotUtf8 { byte: 13, .. })
    ));
    let nowhere = folder.path().join("nowhere.json");
    assert!(matches!(Squad::read(&nowhere), Err(Error::Missing { path }) if path == nowhere));
}

#[test]
fn predictions_are_an_object_of_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.json");
    fs::write(&path, "{\"b\": \"\u{1f642}\", \"a\": \"\"}").unwrap();
    let predictions = read_predictions(&path).unwrap();
    let pairs: Vec<_> = predictions
        .iter()
        .map(|(id, text)| (id.as_str(), text.as_str()))
        .collect();
    assert_eq!(pairs, [("a", ""), ("b", "\u{1f642}")]);
    for (text, expected) in [
        (
            "[\"a\"]",
            "predictions.json: invalid type: sequence, expected a map at line 1",
        ),
        (
            "{\"a\": \"x\",\n\"b\": 3}",
            "predictions.json: b: invalid type: integer `3`, expected a string at line 2",
        ),
        ("{\"a\": null}", "predictions.json: a: invalid type: null"),
        ("{\"a\": \"x\"", "at line 1 column 9"),
    ] {
        fs::write(&path, text).unwrap();
        let message = read_predictions(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
