//! Vocabularies from files: what they make of a text, and what is wrong with a bad one.

use acclip_data::{Document, Error, Specials, Tokenizer};
use std::fs;
use tokenizers::{
    AddedToken, Tokenizer as Pipeline, TruncationParams,
    models::{bpe::BPE, wordpiece::WordPiece},
    normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

/// A made-up vocabulary, in another order than a trained one. [PAD] is id 2.
const VOCAB: &str =
    "[UNK]\n[MASK]\n[PAD]\n[CLS]\n[SEP]\nun\n##aff\n##able\ncafe\n中\n,\n[\n]\nmask\n##s\n🙂\na\n";

/// Loads a vocabulary file with this name and text.
fn load(name: &str, text: &str) -> Result<Tokenizer, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    Tokenizer::load(path)
}

fn made_up() -> Tokenizer {
    load("vocab.txt", VOCAB).unwrap()
}

/// The library's own tokenizer for the made-up vocabulary.
fn made_up_pipeline() -> Pipeline {
    let vocab = WordPiece::read_bytes(VOCAB.as_bytes()).unwrap();
    let mut pipeline = Pipeline::new(WordPiece::builder().vocab(vocab).build().unwrap());
    pipeline.with_normalizer(Some(BertNormalizer::default()));
    pipeline.with_pre_tokenizer(Some(BertPreTokenizer));
    pipeline
}

#[test]
fn a_made_up_vocabulary_by_hand() {
    let tokenizer = made_up();
    assert_eq!(tokenizer.vocab_size(), 17);
    let expected = Specials {
        pad: 2,
        unk: 0,
        cls: 3,
        sep: 4,
        mask: 1,
    };
    assert_eq!(tokenizer.specials(), expected);
    assert_eq!(
        (tokenizer.token(6), tokenizer.token(17)),
        (Some("##aff"), None)
    );
    for (text, ids) in [
        ("unaffable", vec![5, 6, 7]),
        ("UnAffAble,a", vec![5, 6, 7, 10, 16]),
        ("Café masks", vec![8, 13, 14]),
        ("cafe\u{301}", vec![8]),  // the accent as a character of its own
        ("中中a", vec![9, 9, 16]), // each Chinese character is a word
        ("🙂 a", vec![15, 16]),
        ("unaffablez a", vec![0, 16]), // one unknown piece makes the whole word unknown
        ("a\u{0}\u{200b}\u{a0}a", vec![16, 16]), // controls vanish, other spaces are spaces
        ("", vec![]),
        (" \n\t", vec![]),
    ] {
        assert_eq!(tokenizer.encode(text).unwrap(), ids, "{text:?}");
    }
}

/// The text of a corpus never makes a special token.
#[test]
fn special_names_in_the_text_are_text() {
    assert_eq!(made_up().encode("[MASK] a").unwrap(), [11, 13, 12, 16]);
    assert_eq!(made_up().encode("[CLS]").unwrap(), [11, 0, 12]);
}

#[test]
fn very_long_words_are_unknown() {
    let vocab = format!("{VOCAB}##a\n");
    let tokenizer = load("vocab.txt", &vocab).unwrap();
    assert_eq!(tokenizer.encode(&"a".repeat(100)).unwrap().len(), 100);
    assert_eq!(tokenizer.encode(&"a".repeat(101)).unwrap(), [0]);
}

#[test]
fn documents_are_encoded_in_order() {
    let tokenizer = made_up();
    let documents: Vec<Document> = (0..150)
        .map(|i| Document::new("", "a ".repeat(i) + "mask"))
        .collect();
    let ids = tokenizer
        .encode_documents(&documents.iter().collect::<Vec<_>>())
        .unwrap();
    assert_eq!(ids.len(), 150);
    for (document, ids) in documents.iter().zip(ids) {
        assert_eq!(ids, tokenizer.encode(&document.text).unwrap());
    }
}

#[test]
fn windows_line_ends_and_a_missing_last_one() {
    let reference = made_up();
    for text in [
        VOCAB.replace('\n', "\r\n"),
        VOCAB.trim_end().to_owned(),
        format!("\u{feff}{VOCAB}"),
    ] {
        let tokenizer = load("vocab.txt", &text).unwrap();
        assert_eq!(tokenizer.vocab_size(), 17);
        assert!((0..17).all(|id| tokenizer.token(id) == reference.token(id)));
        assert_eq!(
            tokenizer.encode("unaffable masks").unwrap(),
            [5, 6, 7, 13, 14]
        );
    }
}

#[test]
fn malformed_vocabularies_are_errors() {
    let message = |name, text: &str| load(name, text).unwrap_err().to_string();
    for token in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] {
        let text = VOCAB.replace(token, "other");
        assert!(message("vocab.txt", &text).contains(&format!("has no {token}")));
    }
    assert!(message("vocab.txt", &format!("{VOCAB}b\n\nc\n")).contains("line 19 is blank"));
    assert!(message("vocab.txt", "").contains("line 1 is blank"));
    assert!(
        message("vocab.txt", &format!("{VOCAB}cafe\n"))
            .contains("lines 9 and 18 are both \"cafe\"")
    );
    assert!(message("tokenizer.json", VOCAB).contains("not a tokenizer.json"));
    assert!(message("tokenizer.json", "{}").contains("not a tokenizer.json"));
    let error = Tokenizer::load("/nowhere/vocab.txt").unwrap_err();
    assert!(matches!(error, Error::Missing { .. }));
}

/// A `tokenizer.json` is used with its own rules, but without its padding and truncation, and without
/// special tokens from the text.
#[test]
fn a_tokenizer_json() {
    let mut pipeline = made_up_pipeline();
    let added = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[NEW]"];
    pipeline.add_special_tokens(&added.map(|token| AddedToken::from(token, true)));
    let truncation = TruncationParams {
        max_length: 2,
        ..Default::default()
    };
    pipeline.with_truncation(Some(truncation)).unwrap();
    pipeline.with_padding(Some(Default::default()));
    let json = pipeline.to_string(false).unwrap();

    let tokenizer = load("tokenizer.json", &json).unwrap();
    assert_eq!(tokenizer.specials(), made_up().specials());
    assert_eq!(
        (tokenizer.vocab_size(), tokenizer.token(17)),
        (18, Some("[NEW]"))
    );
    assert_eq!(
        tokenizer.encode("Café [MASK] a").unwrap(),
        [8, 11, 13, 12, 16]
    );
    let short_and_long = [Document::new("", "a"), Document::new("", "a a a")];
    let ids = tokenizer
        .encode_documents(&short_and_long.iter().collect::<Vec<_>>())
        .unwrap();
    assert_eq!(ids, [vec![16], vec![16, 16, 16]]);

    let cased = json.replace("\"lowercase\":true", "\"lowercase\":false");
    assert_eq!(
        load("tokenizer.json", &cased)
            .unwrap()
            .encode("a A")
            .unwrap(),
        [16, 0]
    );

    let message = |json: &str| load("tokenizer.json", json).unwrap_err().to_string();
    assert!(message(&json.replace("[MASK]", "<mask>")).contains("has no [MASK]"));
    assert!(message(&json.replace("\"🙂\":15", "\"🙂\":30")).contains("for id 15"));
    let bpe = Pipeline::new(BPE::default()).to_string(false).unwrap();
    assert!(message(&bpe).contains("not WordPiece"));
}

#[test]
fn an_unwritable_place_is_an_error() {
    let error = made_up().save_vocab("/nowhere/vocab.txt").unwrap_err();
    assert!(matches!(
        error,
        Error::Io {
            action: "write",
            ..
        }
    ));
    assert!(
        error
            .to_string()
            .contains("/nowhere/vocab.txt: cannot write it")
    );
}

/// Accents and blanks are dropped from the text but not from the count; the rest of the ids are `encode`'s.
#[test]
fn offsets_are_bytes_of_the_text() {
    let tokenizer = made_up();
    let texts = ["Unaffable,\u{a0}CAFÉ cafe\u{301}s", "", "🙂中🙂 xyz"];
    let encoded = tokenizer.encode_with_offsets(&texts).unwrap();
    for (text, (ids, offsets)) in texts.iter().zip(&encoded) {
        assert_eq!(*ids, tokenizer.encode(text).unwrap());
        assert_eq!(ids.len(), offsets.len());
    }
    let pieces = |i: usize| -> Vec<&str> {
        let offsets = encoded[i].1.iter();
        offsets.map(|range| &texts[i][range.clone()]).collect()
    };
    assert_eq!(pieces(0), ["Un", "aff", "able", ",", "CAFÉ", "cafe", "s"]);
    assert!(pieces(1).is_empty());
    assert_eq!(pieces(2), ["🙂", "中", "🙂", "xyz"]);

    // More texts than are tokenised at once keep their order.
    let many: Vec<String> = (0..150).map(|i| "a ".repeat(i)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let lengths = tokenizer.encode_with_offsets(&many).unwrap();
    assert!(lengths.iter().map(|(ids, _)| ids.len()).eq(0..150));
}
