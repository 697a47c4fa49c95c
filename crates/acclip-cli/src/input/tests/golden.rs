//! Files as NumPy and safetensors write them: reference/input/generate.py.

use super::*;
use serde_json::Value;

const GOLDEN: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../reference/input/golden.json"
));

fn cases() -> Vec<Value> {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

/// Each character is a byte.
fn bytes(case: &Value) -> Vec<u8> {
    let text = case["bytes"].as_str().unwrap().chars();
    text.map(|c| u8::try_from(c).unwrap()).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|x| x.as_f64().unwrap()).collect()
}

fn asked(case: &Value) -> Options {
    let shape = case["shape"].as_str().map(|shape| match shape {
        "norms" => Shape::Norms,
        "vectors" => Shape::Vectors,
        _ => panic!("{shape}"),
    });
    options(shape, case["column"].as_str())
}

#[test]
fn every_file() {
    let cases = cases();
    assert_eq!(cases.len(), 63);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let found = content(name, &bytes(&case), &asked(&case));
        if let Some(part) = case["error"].as_str() {
            let error = found.expect_err(name);
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
            assert!(error.contains(part), "{error}");
        } else if case["norms"].is_array() {
            assert_eq!(found, Ok(Content::Norms(numbers(&case["norms"]))), "{name}");
        } else {
            let rows = case["rows"].as_array().unwrap().iter().map(numbers);
            let layers = case["layers"].as_array().unwrap().iter();
            let layer = |x: &Value| {
                (
                    x[0].as_str().unwrap().to_owned(),
                    x[1].as_u64().unwrap() as usize,
                )
            };
            let expected = Content::Rows(rows.collect(), layers.map(layer).collect());
            assert_eq!(found, Ok(expected), "{name}");
        }
    }
}

/// A binary file that has been cut is never taken for a whole one, under its name or without; text may be
/// another whole text, but never brings the reader to panic.
#[test]
fn every_prefix() {
    for case in cases() {
        let (name, bytes, asked) = (case["name"].as_str().unwrap(), bytes(&case), asked(&case));
        let is_text = bytes.is_ascii() && !bytes.contains(&0);
        for end in 0..bytes.len() {
            if bytes[end..].starts_with(b"  ") {
                continue; // padding
            }
            for name in [name, "unnamed"] {
                let found = content(name, &bytes[..end], &asked);
                if !is_text && case["error"].is_null() {
                    found.expect_err(&format!("{name} cut to {end} bytes"));
                }
            }
        }
    }
}

/// Every byte of the header, and of what stands before it, changed: an error or numbers, but no panic.
#[test]
fn every_byte_changed() {
    for case in cases() {
        let (name, bytes, asked) = (case["name"].as_str().unwrap(), bytes(&case), asked(&case));
        for at in 0..bytes.len() {
            let padding = bytes[at] == b' ' && bytes.get(at + 1) == Some(&b' ');
            if padding || !case["error"].is_null() {
                continue;
            }
            for after in [b'9', 0xff, bytes[at] ^ 1] {
                let mut bytes = bytes.clone();
                bytes[at] = after;
                let _ = content(name, &bytes, &asked);
            }
        }
    }
}
