//! BERT checkpoints of Hugging Face: folders that `transformers` reads and writes.
//!
//! ```text
//! config.json         sizes; what this model does not have is refused by the name of its field
//! model.safetensors   parameters by name, in f32, f16 or bf16
//! tokenizer.json, vocab.txt   the vocabulary; the first that is there
//! ```
//!
//! The names of our parameters are Hugging Face's, so a checkpoint is a matter of copying. What differs between
//! checkpoints is taken care of here: names begin with `bert.` or not (`BertModel`); LayerNorm's `weight` and `bias` are
//! called `gamma` and `beta` in old ones; a copy of the tied decoder may be there, `position_ids` may be. A head that the
//! checkpoint lacks begins at random, one that we do not ask for is left out, and both are told. The encoder must be
//! there to the last number.
//!
//! Hugging Face keeps two probabilities of dropout, of hidden states and of attention weights. Ours is one, so the two
//! must agree.
//!
//! Reference: <https://huggingface.co/docs/transformers/model_doc/bert>.

mod hub_config;
mod tensors;

use crate::Error;
use crate::files::{read, write_atomic, write_json};
use acclip_data::{Purpose, Tokenizer, rng};
use acclip_models::{BertConfig, Head, len};
use hub_config::HubConfig;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use tensors::Taken;

/// The stream of parameters that a checkpoint lacks.
const FRESH: Purpose = Purpose::new("fresh");

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// The files of a vocabulary, the more faithful first: `vocab.txt` does not say how text is normalised.
const VOCABULARIES: [&str; 2] = ["tokenizer.json", "vocab.txt"];

/// A pretrained BERT.
#[derive(Debug, Clone, PartialEq)]
pub struct Pretrained {
    /// Its sizes, with the head that was asked for.
    pub config: BertConfig,
    /// Its parameters, in the order of [`BertConfig::parameters`].
    pub params: Vec<f32>,
    /// The parameters that the checkpoint lacks, and which are as in a new model: all of heads.
    pub fresh: Vec<String>,
    /// The checkpoint's parameters that the head has no use for: all of other heads.
    pub unused: Vec<String>,
    /// Its vocabulary, for [`Tokenizer::load`].
    pub vocab: PathBuf,
}

fn refuse(path: &Path, problem: impl Into<String>) -> Error {
    Error::Pretrained {
        path: path.to_path_buf(),
        problem: problem.into(),
    }
}

/// Reads the checkpoint in `folder`, for a model with `head`. Parameters of the head that the checkpoint lacks are drawn
/// from `seed` as those of a new model.
///
/// # Errors
/// [`Error::Pretrained`] names the field of `config.json` that is not supported, or every parameter that is missing,
/// superfluous, misshaped or not finite; [`Error::Io`]; [`Error::Data`] for a malformed vocabulary.
pub fn read_bert(folder: &Path, head: Head, seed: u64) -> Result<Pretrained, Error> {
    let config = HubConfig::read(&folder.join(CONFIG), head)?;
    let vocab = vocabulary_file(folder)?;
    check_case(folder, &vocab)?;
    check_vocab(&vocab, config.vocab_size)?;
    let weights = folder.join(WEIGHTS);
    if !weights.exists() {
        let problem = "has no model.safetensors; load it with transformers and save it in one file, with \
                       save_pretrained(folder, max_shard_size=\"100GB\")";
        return Err(refuse(folder, problem));
    }
    let file = fs::read(&weights).map_err(Error::io("read", &weights))?;
    let tensors = SafeTensors::deserialize(&file)
        .map_err(|error| refuse(&weights, format!("{error}; download it again")))?;
    let taken = Taken::find(tensors, &config).map_err(|problems| {
        let all = problems.join("; ");
        refuse(&weights, format!("does not fit {CONFIG}: {all}"))
    })?;
    let mut params = taken.params;
    if !taken.fresh.is_empty() {
        let new: Vec<f32> = config.init(&mut rng::stream(seed, FRESH, 0, 0));
        let mut start = 0;
        for parameter in config.parameters() {
            let range = start..start + parameter.len();
            start = range.end;
            if taken.fresh.contains(&parameter.name) {
                params[range.clone()].copy_from_slice(&new[range]);
            }
        }
    }
    Ok(Pretrained {
        config,
        params,
        fresh: taken.fresh,
        unused: taken.unused,
        vocab,
    })
}

/// Refuses a list of cased words, which would be read as uncased.
fn check_case(folder: &Path, vocab: &Path) -> Result<(), Error> {
    let path = folder.join("tokenizer_config.json");
    if vocab.ends_with("tokenizer.json") || !path.exists() {
        return Ok(());
    }
    let config: Value = serde_json::from_str(&read(&path)?)
        .map_err(|error| refuse(&path, format!("not JSON: {error}")))?;
    if config["do_lower_case"] == Value::Bool(false) {
        let problem = "do_lower_case = false: a vocab.txt is read as uncased; save the tokenizer as a \
                       tokenizer.json, with transformers, and put it beside";
        return Err(refuse(&path, problem));
    }
    Ok(())
}

/// Refuses a vocabulary with more tokens than embeddings. Fewer are fine: some models round their number up.
fn check_vocab(vocab: &Path, embeddings: usize) -> Result<(), Error> {
    let tokens = Tokenizer::load(vocab)?.vocab_size();
    if tokens > embeddings {
        let problem = format!(
            "has {tokens} tokens for {embeddings} embeddings (vocab_size of {CONFIG}); take the vocabulary \
             that the model was trained with"
        );
        return Err(refuse(vocab, problem));
    }
    Ok(())
}

/// The sizes of the model in `folder`, with `head`.
pub(crate) fn read_sizes(folder: &Path, head: Head) -> Result<BertConfig, Error> {
    HubConfig::read(&folder.join(CONFIG), head)
}

/// The vocabulary in `folder`: its `tokenizer.json` or `vocab.txt`.
pub(crate) fn vocabulary_file(folder: &Path) -> Result<PathBuf, Error> {
    let name = VOCABULARIES.iter().find(|name| folder.join(name).exists());
    let name = name.ok_or_else(|| {
        let problem = "has neither tokenizer.json nor vocab.txt; copy the model's vocabulary there";
        refuse(folder, problem)
    })?;
    Ok(folder.join(name))
}

/// Writes a model into `folder`, for `from_pretrained` and for [`read_bert`]. `tokenizer_text` is the content of a
/// `vocab.txt` or of a `tokenizer.json`. Each file is whole or not there, and `config.json` comes last.
///
/// # Errors
/// [`Error::Pretrained`] for a model without attention, which Hugging Face does not have, or a vocabulary that does not
/// fit; [`Error::Model`] for parameters of another model; [`Error::Data`] for a malformed vocabulary; [`Error::Io`].
pub fn write_bert(
    folder: &Path,
    config: &BertConfig,
    params: &[f32],
    tokenizer_text: &str,
) -> Result<(), Error> {
    config.validate()?;
    if !config.attention {
        let problem = "a model without attention has no place in Hugging Face's format";
        return Err(refuse(folder, problem));
    }
    let parameters = config.parameters();
    if params.len() != len(&parameters) {
        let problem = format!(
            "{} numbers, but the model has {}",
            params.len(),
            len(&parameters)
        );
        let what = "params";
        return Err(acclip_models::Error::Shape { what, problem }.into());
    }
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let is_json = serde_json::from_str::<Map<String, Value>>(tokenizer_text).is_ok();
    let [json, txt] = VOCABULARIES.map(|name| folder.join(name));
    let (vocab, other) = if is_json { (json, txt) } else { (txt, json) };
    write_atomic(&vocab, tokenizer_text.as_bytes())?;
    check_vocab(&vocab, config.vocab_size)?;
    if other.exists() {
        fs::remove_file(&other).map_err(Error::io("remove", &other))?;
    }

    let bytes: Vec<u8> = params.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut rest = &bytes[..];
    let views = parameters.into_iter().map(|parameter| {
        let (data, tail) = rest.split_at(size_of::<f32>() * parameter.len());
        rest = tail;
        let view = TensorView::new(Dtype::F32, parameter.shape, data);
        (parameter.name, view.expect("numbers and shape agree"))
    });
    // Without this, transformers takes the file for one of another framework.
    let about = HashMap::from([("format".to_string(), "pt".to_string())]);
    let file = serialize(views, Some(about)).expect("names and shapes are valid");
    write_atomic(&folder.join(WEIGHTS), &file)?;

    write_json(&folder.join(CONFIG), &HubConfig::new(config))
}
