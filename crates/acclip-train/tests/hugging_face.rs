//! Checkpoints that `transformers` wrote, read to the last digit; what is wrong with one, named; and ours, read back.
//!
//! Oracle: `reference/bert/checkpoint.py` (its versions stand in `tiny-checkpoint/expected.json`). There weights are `f32`
//! and computed with in `f64`, and so they are here: the tolerance is 1e-12.

use acclip_data::Tokenizer;
use acclip_models::{Backend, Bert, BertConfig, Head, Input, MaskedBatch, len};
use acclip_train::{Error, Pretrained, read_bert, write_bert};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const TOLERANCE: f64 = 1e-12;
const WORDS: &str = "bert.embeddings.word_embeddings.weight";

fn reference(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder
        .join("../../reference/bert/tiny-checkpoint")
        .join(name)
}

/// What transformers computed.
struct Expected {
    tokens: Vec<u32>,
    real: Vec<bool>,
    shape: [usize; 3],
    hidden: Vec<f64>,
    logits: Vec<f64>,
    sentences: Vec<String>,
}

impl Expected {
    fn new() -> Self {
        let file: Value =
            serde_json::from_slice(&fs::read(reference("expected.json")).unwrap()).unwrap();
        fn get<T: serde::de::DeserializeOwned>(file: &Value, name: &str) -> T {
            serde_json::from_value(file[name].clone()).unwrap()
        }
        let mask: Vec<u32> = get(&file, "attention_mask");
        Self {
            tokens: get(&file, "input_ids"),
            real: mask.iter().map(|real| *real == 1).collect(),
            shape: get(&file, "shape"),
            hidden: get(&file, "last_hidden_state"),
            logits: get(&file, "logits"),
            sentences: get(&file, "sentences"),
        }
    }

    /// Demands these hidden states of a model.
    fn check_hidden(&self, found: &Pretrained) {
        let [batch, length, _] = self.shape;
        let (bert, params) = model(found);
        let hidden = bert
            .encode(&params, &self.tokens, None, &self.real, batch, length)
            .unwrap();
        assert_eq!(hidden.len(), self.hidden.len());
        for (i, (h, expected)) in hidden.iter().zip(&self.hidden).enumerate() {
            assert!((h - expected).abs() < TOLERANCE, "{i}: {h} for {expected}");
        }
    }

    /// And these logits, through the loss of one position after the other.
    fn check_logits(&self, found: &Pretrained) {
        let [batch, length, _] = self.shape;
        let (bert, params) = model(found);
        let vocabulary = found.config.vocab_size;
        for position in 0..(batch * length) as u32 {
            let label = position * 5 % vocabulary as u32;
            let evaluation = bert
                .evaluate(
                    &params,
                    &MaskedBatch {
                        batch,
                        length,
                        input: Input::Tokens(&self.tokens),
                        segments: None,
                        real: &self.real,
                        positions: &[position],
                        labels: &[label],
                        next: None,
                    },
                )
                .unwrap();
            let row = &self.logits[position as usize * vocabulary..][..vocabulary];
            let sum: f64 = row.iter().map(|x| x.exp()).sum();
            let expected = sum.ln() - row[label as usize];
            assert!((evaluation.loss - expected).abs() < TOLERANCE, "{position}");
        }
    }
}

/// In `f64`.
fn model(found: &Pretrained) -> (Bert, Arc<Vec<f64>>) {
    let device = Backend::Flex.device().unwrap();
    let bert = Bert::new(found.config.clone(), &device).unwrap();
    let params = found.params.iter().map(|x| f64::from(*x)).collect();
    (bert, Arc::new(params))
}

/// A checkpoint that can be changed.
struct Checkpoint {
    folder: TempDir,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
    config: Value,
}

impl Checkpoint {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(reference(name)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let file = fs::read(folder.path().join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let tensors = tensors.iter().map(|(name, view)| {
            let (shape, data) = (view.shape().to_vec(), view.data().to_vec());
            (name.to_string(), (view.dtype(), shape, data))
        });
        let config = fs::read(folder.path().join("config.json")).unwrap();
        Self {
            tensors: tensors.collect(),
            config: serde_json::from_slice(&config).unwrap(),
            folder,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes it and reads it.
    fn read(&self, head: Head) -> Result<Pretrained, Error> {
        fs::write(self.path().join("config.json"), self.config.to_string()).unwrap();
        let views = self.tensors.iter().map(|(name, (dtype, shape, data))| {
            (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        fs::write(
            self.path().join("model.safetensors"),
            serialize(views, None).unwrap(),
        )
        .unwrap();
        read_bert(self.path(), head, 1)
    }

    #[track_caller]
    fn refused(&self, head: Head) -> String {
        match self.read(head) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("accepted"),
        }
    }
}

#[test]
fn a_masked_lm() {
    let expected = Expected::new();
    let found = read_bert(&reference("masked-lm"), Head::MaskedLm, 1).unwrap();
    let config = BertConfig {
        vocab_size: 21,
        hidden: 8,
        layers: 2,
        heads: 2,
        feed_forward: 12,
        max_len: 16,
        segments: 2,
        dropout: 0.25,
        attention: true,
        layer_norm_eps: 1e-5,
        head: Head::MaskedLm,
    };
    assert_eq!(found.config, config);
    assert!(found.fresh.is_empty() && found.unused.is_empty());
    expected.check_hidden(&found);
    expected.check_logits(&found);
    assert!(found.vocab.ends_with("vocab.txt"));
}

/// Names without `bert.`, a pooler that is not asked for, and no head.
#[test]
fn an_encoder() {
    let expected = Expected::new();
    let read = |head, seed| read_bert(&reference("encoder"), head, seed).unwrap();
    let found = read(Head::MaskedLm, 1);
    expected.check_hidden(&found);
    let pooler = ["bert.pooler.dense.bias", "bert.pooler.dense.weight"];
    assert_eq!(found.unused, pooler);
    let head = [
        "cls.predictions.transform.dense.weight",
        "cls.predictions.transform.dense.bias",
        "cls.predictions.transform.LayerNorm.weight",
        "cls.predictions.transform.LayerNorm.bias",
        "cls.predictions.bias",
    ];
    assert_eq!(found.fresh, head);
    assert_eq!(read(Head::MaskedLm, 1), found);
    assert_ne!(read(Head::MaskedLm, 2).params, found.params);

    let found = read(Head::Pretraining, 1);
    expected.check_hidden(&found);
    assert!(found.unused.is_empty());
    assert_eq!(found.fresh.len(), 7);
    assert!(!found.fresh.iter().any(|name| name.contains("pooler")));

    let found = read(Head::Span, 1);
    expected.check_hidden(&found);
    assert_eq!(found.fresh, ["qa_outputs.weight", "qa_outputs.bias"]);
    let mut start = 0;
    for parameter in found.config.parameters() {
        let values = &found.params[start..start + parameter.len()];
        start += parameter.len();
        match parameter.name.as_str() {
            "qa_outputs.weight" => assert!(values.iter().all(|x| *x != 0.0 && x.abs() <= 0.04)),
            "qa_outputs.bias" => assert!(values.iter().all(|x| *x == 0.0)),
            _ => {}
        }
    }
    assert_eq!(start, found.params.len());
}

/// Both vocabularies cut a text as transformers did; `[MASK]` in a text is plain text with us.
#[test]
fn vocabularies() {
    let expected = Expected::new();
    for name in ["masked-lm", "encoder"] {
        let found = read_bert(&reference(name), Head::Span, 1).unwrap();
        let tokenizer = Tokenizer::load(&found.vocab).unwrap();
        let specials = tokenizer.specials();
        for (sentence, row) in [0, 2].map(|i| (&expected.sentences[i], i * expected.shape[1])) {
            let ids = tokenizer.encode(sentence).unwrap();
            let ids = [&[specials.cls], &ids[..], &[specials.sep]].concat();
            assert_eq!(
                ids,
                expected.tokens[row..row + ids.len()],
                "{name}: {sentence}"
            );
            let rest = row + ids.len()..row + expected.shape[1];
            assert!(expected.real[rest].iter().all(|real| !real));
        }
    }
}

/// Old names, copies of the decoder and position ids change nothing.
#[test]
fn old_checkpoints() {
    let mut old = Checkpoint::of("masked-lm");
    let expected = old.read(Head::MaskedLm).unwrap();
    let tensors = std::mem::take(&mut old.tensors).into_iter();
    old.tensors = tensors
        .map(|(name, tensor)| {
            let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
            (name.replace("LayerNorm.bias", "LayerNorm.beta"), tensor)
        })
        .collect();
    assert!(
        old.tensors
            .contains_key("bert.encoder.layer.1.output.LayerNorm.gamma")
    );
    let ids: Vec<u8> = (0..16_i64).flat_map(i64::to_le_bytes).collect();
    let name = "bert.embeddings.position_ids".to_string();
    old.tensors.insert(name, (Dtype::I64, vec![1, 16], ids));
    for (copy, of) in [("weight", WORDS), ("bias", "cls.predictions.bias")] {
        let tensor = old.tensors[of].clone();
        old.tensors
            .insert(format!("cls.predictions.decoder.{copy}"), tensor);
    }
    let found = |old: &Checkpoint| old.read(Head::MaskedLm).unwrap().params;
    assert!(found(&old) == expected.params);
    // The decoder's copy may be the only one.
    old.tensors.remove("cls.predictions.bias");
    old.tensors.remove(WORDS);
    assert!(found(&old) == expected.params);
}

/// Sixteenths are exact in all three types.
#[test]
fn half_precision() {
    let mut checkpoint = Checkpoint::of("masked-lm");
    let bytes = |singles: &[f32], encode: &dyn Fn(u32) -> u16| -> Vec<u8> {
        singles
            .iter()
            .flat_map(|x| encode(x.to_bits()).to_le_bytes())
            .collect()
    };
    // Sign, exponent and mantissa, the last two cut short; 0 apart.
    let bf16 = |bits: u32| (bits >> 16) as u16;
    let f16 = |bits: u32| match bits << 1 {
        0 => 0,
        _ => {
            ((bits >> 31) << 15 | (((bits >> 23) & 0xff) - 112) << 10 | (bits >> 13) & 0x3ff) as u16
        }
    };
    let mut singles = BTreeMap::new();
    for (name, (_, _, data)) in &mut checkpoint.tensors {
        let numbers = data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b));
        let numbers: Vec<f32> = numbers.map(|x| (x * 16.0).round() / 16.0).collect();
        *data = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        singles.insert(name.clone(), numbers);
    }
    let exact = checkpoint.read(Head::MaskedLm).unwrap();
    for (half, encode) in [
        (Dtype::F16, &f16 as &dyn Fn(u32) -> u16),
        (Dtype::BF16, &bf16),
    ] {
        for (name, (dtype, _, data)) in &mut checkpoint.tensors {
            (*dtype, *data) = (half, bytes(&singles[name], encode));
        }
        assert_eq!(checkpoint.read(Head::MaskedLm).unwrap(), exact, "{half:?}");
    }
}

/// Everything that is wrong with the tensors is in one message.
#[test]
fn wrong_tensors_are_named_all_together() {
    let mut bad = Checkpoint::of("masked-lm");
    let zeros = |n: usize| (Dtype::F32, vec![n], vec![0; 4 * n]);
    let first = "bert.encoder.layer.0.attention.self.query";
    bad.tensors.remove(&format!("{first}.weight"));
    bad.tensors.remove("bert.embeddings.LayerNorm.bias");
    bad.tensors.insert(format!("{first}.bias"), zeros(7));
    bad.tensors.insert("cls.predictions.bias".into(), zeros(20));
    bad.tensors
        .insert("bert.encoder.layer.2.output.dense.bias".into(), zeros(8));
    bad.tensors.insert("lstm.bias".into(), zeros(8));
    bad.tensors
        .insert("encoder.layer.0.output.dense.bias".into(), zeros(8));
    bad.tensors.insert(
        "bert.encoder.layer.1.intermediate.dense.bias".into(),
        (Dtype::F64, vec![12], vec![0; 96]),
    );
    let nan = (0..8).flat_map(|_| f32::NAN.to_le_bytes()).collect();
    let name = "bert.encoder.layer.1.output.dense.bias";
    bad.tensors.insert(name.into(), (Dtype::F32, vec![8], nan));
    let decoder = (Dtype::F32, vec![21, 8], vec![0; 4 * 21 * 8]);
    bad.tensors
        .insert("cls.predictions.decoder.weight".into(), decoder);
    let error = bad.refused(Head::MaskedLm);
    for problem in [
        "model.safetensors: does not fit config.json: ",
        "self.query.weight is missing",
        "bert.embeddings.LayerNorm.bias is missing",
        "self.query.bias has shape [7] and must have [8]",
        "cls.predictions.bias has shape [20] and must have [21]",
        "bert.encoder.layer.2.output.dense.bias is no part of this BERT",
        "lstm.bias is no part of this BERT",
        "bert.encoder.layer.0.output.dense.bias is there under two names",
        "layer.1.intermediate.dense.bias is of type F64, not F32, F16 or BF16",
        "layer.1.output.dense.bias has numbers that are not finite",
        "cls.predictions.decoder.weight is not bert.embeddings.word_embeddings.weight",
    ] {
        assert!(error.contains(problem), "{problem} is not in: {error}");
    }
    assert_eq!(error.matches("; ").count(), 9, "{error}");
}

#[test]
fn a_decoder_of_its_own_is_refused_where_it_counts() {
    let mut checkpoint = Checkpoint::of("masked-lm");
    let decoder = (Dtype::F32, vec![21], vec![0; 4 * 21]);
    checkpoint
        .tensors
        .insert("cls.predictions.decoder.bias".into(), decoder);
    assert!(
        checkpoint
            .refused(Head::MaskedLm)
            .contains("cls.predictions.decoder.bias")
    );
    checkpoint.config["tie_word_embeddings"] = json!(false);
    assert!(checkpoint.read(Head::Span).is_ok());
}

#[test]
fn unsupported_fields_are_named() {
    let edits = [
        ("model_type", json!("roberta")),
        ("hidden_act", json!("relu")),
        ("hidden_act", json!("gelu_new")),
        ("position_embedding_type", json!("relative_key")),
        ("is_decoder", json!(true)),
        ("add_cross_attention", json!(true)),
        ("tie_word_embeddings", json!(false)),
        ("pruned_heads", json!({"0": [1]})),
        ("attention_probs_dropout_prob", json!(0.1)),
        ("hidden_size", json!("eight")),
        ("num_hidden_layers", json!(-1)),
        ("vocab_size", Value::Null),
        ("layer_norm_eps", json!(0.0)),
    ];
    for (field, value) in edits {
        let mut checkpoint = Checkpoint::of("masked-lm");
        checkpoint.config[field] = value;
        let error = checkpoint.refused(Head::MaskedLm);
        assert!(
            error.contains("config.json") && error.contains(field),
            "{error}"
        );
    }
    for field in ["vocab_size", "intermediate_size", "hidden_act"] {
        let mut checkpoint = Checkpoint::of("masked-lm");
        checkpoint.config.as_object_mut().unwrap().remove(field);
        let error = checkpoint.refused(Head::MaskedLm);
        assert!(
            error.contains(&format!("missing field `{field}`")),
            "{error}"
        );
    }
    // Files that were converted from Google's do not have these.
    let mut checkpoint = Checkpoint::of("masked-lm");
    let whole = checkpoint.read(Head::MaskedLm).unwrap();
    for field in ["model_type", "type_vocab_size", "layer_norm_eps"] {
        checkpoint.config.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(
        checkpoint.read(Head::MaskedLm).unwrap().params,
        whole.params
    );
    // Sizes that no memory holds, and three heads for a width of 8.
    let mut checkpoint = Checkpoint::of("masked-lm");
    checkpoint.config["hidden_size"] = json!(1 << 20);
    checkpoint.config["vocab_size"] = json!(1 << 20);
    assert!(
        checkpoint
            .refused(Head::Pretraining)
            .contains("must have [1048576, 1048576]")
    );
    let mut checkpoint = Checkpoint::of("masked-lm");
    checkpoint.config["num_attention_heads"] = json!(3);
    assert!(
        checkpoint
            .refused(Head::MaskedLm)
            .contains("multiple of heads")
    );
}

#[test]
fn files_that_are_missing_or_malformed() {
    let refused = |folder: &Path| {
        read_bert(folder, Head::MaskedLm, 1)
            .unwrap_err()
            .to_string()
    };
    type Damage = fn(&Path);
    let cases: [(Damage, &str); 7] = [
        (
            |f| fs::remove_file(f.join("config.json")).unwrap(),
            "config.json",
        ),
        (
            |f| fs::write(f.join("config.json"), "{").unwrap(),
            "config.json",
        ),
        (
            |f| fs::remove_file(f.join("model.safetensors")).unwrap(),
            "save_pretrained",
        ),
        (
            |f| fs::write(f.join("model.safetensors"), "short").unwrap(),
            "model.safetensors",
        ),
        (
            |f| fs::remove_file(f.join("vocab.txt")).unwrap(),
            "has neither tokenizer.json nor vocab.txt",
        ),
        (
            |f| fs::write(f.join("vocab.txt"), "[PAD]\n\n").unwrap(),
            "vocab.txt",
        ),
        (
            |f| {
                fs::write(
                    f.join("tokenizer_config.json"),
                    r#"{"do_lower_case": false}"#,
                )
                .unwrap()
            },
            "do_lower_case",
        ),
    ];
    for (damage, part) in cases {
        let checkpoint = Checkpoint::of("masked-lm");
        damage(checkpoint.path());
        let error = refused(checkpoint.path());
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    // A vocabulary with one token too many; one with too few is fine.
    let checkpoint = Checkpoint::of("masked-lm");
    let vocab = checkpoint.path().join("vocab.txt");
    let words = fs::read_to_string(&vocab).unwrap();
    fs::write(&vocab, format!("{words}more\n")).unwrap();
    assert!(refused(checkpoint.path()).contains("22 tokens for 21 embeddings"));
    fs::write(&vocab, words.strip_suffix("that\n").unwrap()).unwrap();
    assert!(read_bert(checkpoint.path(), Head::MaskedLm, 1).is_ok());
}

/// What is written comes back bit for bit, and from the other kind of vocabulary nothing is left.
#[test]
fn there_and_back() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("new/model");
    for (source, vocab) in [("masked-lm", "vocab.txt"), ("encoder", "tokenizer.json")] {
        for head in [Head::MaskedLm, Head::Pretraining, Head::Span] {
            let found = read_bert(&reference(source), head, 1).unwrap();
            let text = fs::read_to_string(&found.vocab).unwrap();
            write_bert(&out, &found.config, &found.params, &text).unwrap();
            let again = read_bert(&out, head, 2).unwrap();
            assert_eq!(
                (&again.config, &again.params),
                (&found.config, &found.params)
            );
            assert!(again.fresh.is_empty() && again.unused.is_empty());
            let mut files: Vec<_> = (fs::read_dir(&out).unwrap())
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let mut expected = ["config.json", "model.safetensors", vocab];
            expected.sort();
            assert_eq!(files, expected);
            assert_eq!(fs::read_to_string(out.join(vocab)).unwrap(), text);
        }
    }
    let file = fs::read(out.join("model.safetensors")).unwrap();
    let (_, about) = SafeTensors::read_metadata(&file).unwrap();
    assert_eq!(about.metadata().as_ref().unwrap()["format"], "pt");
    let config: Value =
        serde_json::from_slice(&fs::read(out.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["architectures"], json!(["BertForQuestionAnswering"]));
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let ours = |name: &&str| name.starts_with("bert.") || name.starts_with("qa_outputs.");
    assert!(tensors.names().iter().all(|name| ours(&&**name)));
}

#[test]
fn what_cannot_be_written() {
    let out = tempfile::tempdir().unwrap();
    let found = read_bert(&reference("masked-lm"), Head::MaskedLm, 1).unwrap();
    let text = fs::read_to_string(&found.vocab).unwrap();
    let refused = |config: &BertConfig, params: &[f32], text: &str| {
        let error = write_bert(out.path(), config, params, text).unwrap_err();
        assert!(!out.path().join("config.json").exists());
        error.to_string()
    };
    let error = refused(&found.config, &found.params[1..], &text);
    assert!(error.contains("params"), "{error}");
    let error = refused(&found.config, &found.params, &format!("{text}more\n"));
    assert!(error.contains("22 tokens for 21 embeddings"), "{error}");
    let free = BertConfig {
        attention: false,
        ..found.config.clone()
    };
    let params = vec![0.0; len(&free.parameters())];
    let error = refused(&free, &params, &text);
    assert!(error.contains("without attention"), "{error}");
    let impossible = BertConfig {
        heads: 3,
        ..found.config.clone()
    };
    assert!(refused(&impossible, &found.params, &text).contains("heads"));
}
