//! Windows of contexts: by hand, against transformers' port of `run_squad.py` (reference/squad/generate.py), and
//! against what must hold for any text.

use acclip_data::{
    Error, Purpose, Tokenizer, rng,
    squad::{Squad, Window, WindowOptions, Windows},
};
use rand::{Rng, RngExt, seq::IndexedRandom};
use serde_json::{Value, json};
use std::fs;

fn tokenizer(vocab: &[&str]) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocab.txt");
    fs::write(&path, vocab.join("\n") + "\n").unwrap();
    Tokenizer::load(path).unwrap()
}

/// Ids 0 to 4 are [PAD] [UNK] [CLS] [SEP] [MASK], 5 is `?`, 6 to 31 are the letters, 32 to 57 `##` and a letter.
fn letters() -> Tokenizer {
    let mut vocab: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?"]
        .map(String::from)
        .into();
    vocab.extend(('a'..='z').map(String::from));
    vocab.extend(('a'..='z').map(|c| format!("##{c}")));
    tokenizer(&vocab.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A file of one paragraph; a question has a text and an answer with its offset.
fn squad(context: &str, questions: &[(&str, &str, usize)]) -> Squad {
    let qas: Vec<Value> = questions
        .iter()
        .enumerate()
        .map(|(i, (question, text, start))| {
            let answers = json!([{"text": text, "answer_start": start}]);
            json!({"id": i.to_string(), "question": question, "answers": answers})
        })
        .collect();
    let paragraphs = json!([{"context": context, "qas": qas}]);
    let file = json!({"version": "1.1", "data": [{"title": "T", "paragraphs": paragraphs}]});
    Squad::from_json(&file.to_string(), "made up").unwrap()
}

fn options(max_len: usize, stride: usize, max_question: usize) -> WindowOptions {
    WindowOptions {
        max_len,
        stride,
        max_question,
    }
}

fn max_contexts(window: &Window) -> Vec<usize> {
    let places = 0..window.tokens.len() + 2;
    places
        .filter(|&place| window.is_max_context(place))
        .collect()
}

/// The context that the places of a span stand for.
fn covered<'a>(window: &Window, context: &'a str, [start, end]: [u32; 2]) -> &'a str {
    let [start, end] = [start, end].map(|place| window.offset(place as usize).unwrap());
    &context[start.start..end.end]
}

/// Ten one-letter words, a question cut to one token: 9 − 1 − 3 = 5 of them in a window, every 3.
#[test]
fn windows_by_hand() {
    let context = "a b c d e f g h i j";
    //             a: 0, b: 2, …, j: 18
    let squad = squad(
        context,
        &[("q r", "d e", 6), ("q", "g", 12), ("q", "a b c d e f", 0)],
    );
    let windows = Windows::for_training(&squad, &letters(), &options(9, 3, 1)).unwrap();
    assert_eq!(windows.len(), 9);
    let tokens: Vec<&[u32]> = windows.all.iter().map(|w| w.tokens.as_slice()).collect();
    let q = 6 + 16;
    let first = [
        &[2, q, 3, 6, 7, 8, 9, 10, 3][..],
        &[2, q, 3, 9, 10, 11, 12, 13, 3],
        &[2, q, 3, 12, 13, 14, 15, 3],
    ];
    for question in 0..3 {
        assert_eq!(tokens[3 * question..][..3], first);
        assert!(
            windows.all[3 * question..][..3]
                .iter()
                .all(|w| w.question == question)
        );
    }
    let spans: Vec<[u32; 2]> = windows.all.iter().map(|w| w.span.unwrap()).collect();
    let expected = [
        [6, 7],
        [3, 4],
        [0, 0],
        [0, 0],
        [6, 6],
        [3, 3],
        [0, 0],
        [0, 0],
        [0, 0],
    ];
    assert_eq!(spans, expected);
    assert_eq!(
        (windows.outside.as_slice(), windows.mismatched.len()),
        (&[2][..], 0)
    );

    // Pieces 0..5, 3..8, 6..10. d (3): 1 to its right in the first, 0 to its left in the second. e (4): 0 and 1.
    // g (6): 1 (to its right) and 0; h (7): 0 and 1.
    let places: Vec<Vec<usize>> = windows.all[..3].iter().map(max_contexts).collect();
    assert_eq!(places, [vec![3, 4, 5, 6], vec![4, 5, 6], vec![4, 5, 6]]);

    let window = &windows.all[1];
    assert_eq!(window.document(), 3..8);
    let offsets: Vec<_> = (0..10).map(|place| window.offset(place)).collect();
    let mut expected = vec![None; 10];
    for (i, offset) in expected[3..8].iter_mut().enumerate() {
        *offset = Some(6 + 2 * i..7 + 2 * i);
    }
    assert_eq!(offsets, expected);
    let segments: Vec<u32> = (0..9).map(|place| window.segment(place)).collect();
    assert_eq!(segments, [0, 0, 0, 1, 1, 1, 1, 1, 1]);
}

/// 6 tokens, 4 in a window, every 2: 0..4 and 2..6. Token 2 has 1 to its right, and 0 to its left in the second;
/// token 3 has 0, and 1. With 7 tokens, every 2, and 5 in a window (0..5, 2..7) token 3 has 1 on either side.
#[test]
fn ties_of_maximum_context_and_borders() {
    let squad_of = |text: &str| squad(text, &[("q", "a", 0)]);
    let tokenizer = letters();
    let all = |text: &str, options| -> Vec<Vec<usize>> {
        let windows = Windows::for_prediction(&squad_of(text), &tokenizer, &options).unwrap();
        windows.all.iter().map(max_contexts).collect()
    };
    assert_eq!(
        all("a b c d e f", options(8, 2, 1)),
        [vec![3, 4, 5], vec![4, 5, 6]]
    );
    // The first window wins the tie of token 3, place 6.
    assert_eq!(
        all("a b c d e f g", options(9, 2, 1)),
        [vec![3, 4, 5, 6], vec![5, 6, 7]]
    );
    // A last window of other size: 0..5, 3..6. Token 4: 0 + 0.05 against 1 + 0.03; token 3: 1.05 against 0.03.
    assert_eq!(
        all("a b c d e f", options(9, 3, 1)),
        [vec![3, 4, 5, 6], vec![4, 5]]
    );
    // With equal context the larger window wins: 0..5, 4..6 have token 4 with 0 on one side.
    assert_eq!(
        all("a b c d e f", options(9, 4, 1)),
        [vec![3, 4, 5, 6, 7], vec![4]]
    );
    // As many tokens as fit, and one more.
    assert_eq!(all("a b c d e", options(9, 3, 1)), [vec![3, 4, 5, 6, 7]]);
    // 210 tokens as 0..200 and 190..210, whose sizes weigh 2 and 0.2. Token 195 has 4 + 2 against 5 + 0.2, token 196
    // has 3 + 2 against 6 + 0.2.
    let wide = all(&"a ".repeat(210), options(204, 190, 1));
    assert_eq!(wide, [(3..=198).collect::<Vec<_>>(), (9..=22).collect()]);
    // A stride beyond the window leaves no gap.
    assert_eq!(
        all("a b c d e f", options(9, 100, 1)),
        [vec![3, 4, 5, 6, 7], vec![3]]
    );
}

/// An answer within a word takes the pieces that it touches, and no punctuation that it does not.
#[test]
fn answers_within_words_and_multi_byte_characters() {
    let tokenizer = tokenizer(&[
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "q", "(", "18", "##95", "-", ")", ".",
        "japan", "##ese", "zu", "##rich", "cafe", "中", "国", "ᄀ", "##ᅡ", "the",
    ]);
    //             0123456789…                                            in code points
    let context = "(1895-1895). Japanese Zürich 🙂 cafe\u{301} 中国 가 \u{7f}the";
    let expected = [
        ("1895", 1, "1895"),
        ("95", 3, "95"),
        ("1895-1895", 1, "1895-1895"),
        ("(1895", 0, "(1895"),
        ("Japan", 13, "Japan"),
        ("apanes", 14, "Japanese"),
        ("Zürich", 22, "Zürich"),
        ("ü", 23, "Zü"),
        ("🙂", 29, "🙂"),
        ("中", 37, "中"),
        ("国", 38, "国"),
        ("가", 40, "가"),
        ("the", 43, "the"),
        (" 🙂 ", 28, "🙂"),
    ];
    let questions = expected.map(|(text, start, _)| ("q", text, start));
    let squad = squad(context, &questions);
    assert_eq!(squad.mismatched_answers(), 0);
    let windows = Windows::for_training(&squad, &tokenizer, &options(64, 10, 8)).unwrap();
    assert_eq!((windows.len(), windows.outside.len()), (expected.len(), 0));
    for (window, (_, _, text)) in windows.all.iter().zip(expected) {
        assert_eq!(covered(window, context, window.span.unwrap()), text);
    }
    // Both letters of the syllable stand for the whole of it.
    let [start, end] = windows.all[11].span.unwrap();
    assert_eq!(end, start + 1);
}

#[test]
fn questions_without_a_place_are_left_out_of_training_alone() {
    let context = "a b c \u{7f}";
    let questions = [
        ("q", "b", 0),
        ("q", "b", 2),
        ("q", "\u{7f}", 6),
        ("q", "c", 99),
    ];
    let squad = squad(context, &questions);
    let tokenizer = letters();
    let training = Windows::for_training(&squad, &tokenizer, &options(9, 3, 1)).unwrap();
    assert_eq!(training.mismatched, [0, 3]);
    // A control character is no token: the answer is nowhere.
    assert_eq!(training.outside, [2]);
    let spans: Vec<_> = training.all.iter().map(|w| (w.question, w.span)).collect();
    assert_eq!(spans, [(1, Some([4, 4])), (2, Some([0, 0]))]);

    let prediction = Windows::for_prediction(&squad, &tokenizer, &options(9, 3, 1)).unwrap();
    assert_eq!(
        (
            prediction.len(),
            prediction.mismatched.len(),
            prediction.outside.len()
        ),
        (4, 0, 0)
    );
    assert!(prediction.all.iter().all(|window| window.span.is_none()));
}

#[test]
fn the_first_of_several_answers_is_the_label() {
    let mut squad = squad("a b c", &[("q", "b", 2)]);
    let mut other = squad.questions[0].answers[0].clone();
    (other.text, other.start, other.bytes) = ("c".into(), 4, Some(4..5));
    squad.questions[0].answers.push(other);
    for expected in [[4, 4], [5, 5]] {
        let windows = Windows::for_training(&squad, &letters(), &options(9, 3, 1)).unwrap();
        assert_eq!(windows.all[0].span, Some(expected));
        squad.questions[0].answers.swap(0, 1);
    }
}

#[test]
fn batches_are_padded_to_the_full_length() {
    let squad = squad("a b c d e f", &[("q", "f", 10), ("q q", "a", 0)]);
    let windows = Windows::for_training(&squad, &letters(), &options(9, 4, 2)).unwrap();
    assert_eq!((windows.len(), windows.max_len()), (4, 9));
    let batch = windows.batch(&[3, 1]);
    assert_eq!((batch.batch_size, batch.seq_len), (2, 9));
    let q = 6 + 16;
    assert_eq!(
        batch.tokens,
        [2, q, q, 3, 10, 11, 3, 0, 0, 2, q, 3, 10, 11, 3, 0, 0, 0]
    );
    assert_eq!(
        batch.segments,
        [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    );
    let real: Vec<usize> = (0..18).filter(|&i| batch.real[i]).collect();
    assert_eq!(real, [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14]);
    assert_eq!((batch.starts, batch.ends), (vec![0, 4], vec![0, 4]));

    let prediction = Windows::for_prediction(&squad, &letters(), &options(9, 4, 2)).unwrap();
    let batch = prediction.batch(&[0, 1, 2]);
    assert_eq!((batch.batch_size, batch.tokens.len()), (3, 27));
    assert!(batch.starts.is_empty() && batch.ends.is_empty());
}

#[test]
fn bad_settings_and_contexts_are_refused() {
    let squad_of = |context| squad(context, &[("q", context, 0)]);
    let refuse = |context, options| {
        Windows::for_training(&squad_of(context), &letters(), &options).unwrap_err()
    };
    for (bad, setting) in [
        (options(9, 0, 1), "stride"),
        (options(9, 3, 0), "max_question"),
        (options(9, 3, 6), "max_len"),
        (options(0, 3, 6), "max_len"),
        (options(9, 3, usize::MAX), "max_len"),
    ] {
        let error = refuse("a", bad);
        assert!(
            matches!(error, Error::Setting { name, .. } if name == setting),
            "{error}"
        );
    }
    assert!(Windows::for_training(&squad_of("a"), &letters(), &options(9, 3, 5)).is_ok());
    let message = refuse("\u{7f}", options(9, 3, 1)).to_string();
    assert_eq!(
        message,
        "article \"T\", question \"0\": its context has no tokens; take it out"
    );
    let nowhere = squad("a b", &[("q", "b", 0)]);
    let error = Windows::for_training(&nowhere, &letters(), &options(9, 3, 1)).unwrap_err();
    assert!(error.to_string().contains("nothing to train on"), "{error}");
}

/// Tokens, segments, padding, maximum contexts and labels of every window, for four settings.
#[test]
fn the_reference_implementation_makes_the_same_windows() {
    let golden = include_str!("../../../reference/squad/golden.json");
    let golden: Value = serde_json::from_str::<Value>(golden).unwrap()["windows"].take();
    let vocab: Vec<&str> = golden["vocab"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    let tokenizer = tokenizer(&vocab);
    let squad = Squad::from_json(&golden["data"].to_string(), "golden").unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let options = options(number("max_len"), number("stride"), number("max_question"));
        let windows = Windows::for_training(&squad, &tokenizer, &options).unwrap();
        let prediction = Windows::for_prediction(&squad, &tokenizer, &options).unwrap();
        let expected = case["windows"].as_array().unwrap();
        assert_eq!(
            (windows.len(), prediction.len()),
            (expected.len(), expected.len())
        );
        for (i, expected) in expected.iter().enumerate() {
            let window = &windows.all[i];
            let batch = windows.batch(&[i]);
            let real: Vec<u32> = batch.real.iter().map(|&real| real.into()).collect();
            let ours = json!({
                "question": window.question,
                "tokens": batch.tokens,
                "segments": batch.segments,
                "real": real,
                "max_context": max_contexts(window),
                "span": [batch.starts[0], batch.ends[0]],
            });
            assert_eq!(&ours, expected, "window {i} of {options:?}");
            assert_eq!(max_contexts(window), max_contexts(&prediction.all[i]));
            assert_eq!(window.tokens, prediction.all[i].tokens);
        }
    }
}

/// A text of characters of one to four bytes, blanks, punctuation, signs that the tokenizer drops, and words that
/// it cannot spell.
fn random_text(rng: &mut impl Rng) -> Vec<char> {
    let characters: Vec<char> = "abcxyz  .,-'éüİß中国가🙂ﬁ\u{a0}\u{301}\u{7f}\u{200b}\t"
        .chars()
        .collect();
    let n = rng.random_range(1..60);
    (0..n).map(|_| *characters.choose(rng).unwrap()).collect()
}

/// For 2,000 random contexts and answers: the label's tokens cover every character of the answer that belongs to a
/// token, begin and end with one that touches the answer, and are found in every window that holds them.
#[test]
fn labels_cover_the_answer() {
    let tokenizer = letters();
    let (mut whole, mut nowhere) = (0, 0);
    for case in 0..2_000 {
        let mut rng = rng::stream(5, Purpose::new("squad"), case, 0);
        let text = random_text(&mut rng);
        let start = rng.random_range(0..text.len());
        let end = rng.random_range(start..text.len()) + 1;
        let [context, answer]: [String; 2] =
            [&text[..], &text[start..end]].map(|part| part.iter().collect());
        if answer.trim().is_empty() || context.trim().is_empty() {
            continue;
        }
        let squad = squad(&context, &[("q", &answer, start)]);
        let bytes = squad.questions[0].answers[0].bytes.clone().unwrap();
        assert_eq!(context[bytes.clone()], answer);
        let wide = Windows::for_training(&squad, &tokenizer, &options(256, 7, 1));
        let Ok(wide) = wide else {
            assert!(wide.unwrap_err().to_string().contains("no tokens"));
            continue;
        };
        let window = &wide.all[0];
        let touching: Vec<_> = window
            .document()
            .filter(|&place| {
                let token = window.offset(place).unwrap();
                token.clone().any(|byte| bytes.contains(&byte))
            })
            .collect();
        let span = window.span.unwrap();
        let (Some(&first), Some(&last)) = (touching.first(), touching.last()) else {
            assert_eq!((span, wide.outside.as_slice()), ([0, 0], &[0][..]));
            nowhere += 1;
            continue;
        };
        assert_eq!(span, [first, last].map(|place| place as u32));
        let slice = covered(window, &context, span);
        if !answer.contains(['\u{301}', '\u{7f}', '\u{200b}']) {
            assert!(slice.contains(answer.trim()), "{answer:?} in {slice:?}");
            whole += 1;
        }

        // Windows of six tokens, every two: the same tokens, or the label of their absence.
        let narrow = Windows::for_training(&squad, &tokenizer, &options(10, 2, 1)).unwrap();
        let mut counted = 0;
        for (i, piece) in narrow.all.iter().enumerate() {
            let begin = window.document().start + 2 * i;
            let document = begin..begin + piece.document().len();
            let held = document.contains(&first) && document.contains(&last);
            let expected = [first, last].map(|place| (place + 3).wrapping_sub(begin) as u32);
            assert_eq!(piece.span, Some(if held { expected } else { [0, 0] }));
            assert!(
                document
                    .map(|place| window.offset(place))
                    .eq(piece.document().map(|place| piece.offset(place)))
            );
            counted += max_contexts(piece).len();
        }
        assert_eq!(counted, window.document().len());
        let found = narrow.all.iter().any(|piece| piece.span != Some([0, 0]));
        assert_eq!(found, narrow.outside.is_empty());
    }
    assert!(whole > 900 && nowhere > 5, "{whole}, {nowhere}");
}
