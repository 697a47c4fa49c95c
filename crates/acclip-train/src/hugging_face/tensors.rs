//! Which tensor of a checkpoint is which parameter.

use crate::weights_file::numbers;
use acclip_models::{BertConfig, Head};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::BTreeMap;

/// Beginnings of the names of parameters that are no part of the encoder.
const HEADS: [&str; 4] = ["cls.", "qa_outputs.", "classifier.", "bert.pooler."];

/// The decoder's copies, and what they are copies of.
const TIED: [(&str, &str); 2] = [
    (
        "cls.predictions.decoder.weight",
        "bert.embeddings.word_embeddings.weight",
    ),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
];

/// What the tensors of a checkpoint are to a model.
pub(super) struct Taken {
    /// All parameters, 0 where fresh.
    pub params: Vec<f32>,
    /// What the checkpoint lacks.
    pub fresh: Vec<String>,
    /// What the model has no use for.
    pub unused: Vec<String>,
}

impl Taken {
    /// Finds every parameter of a model among `tensors`; or everything that is wrong.
    pub fn find(tensors: SafeTensors, config: &BertConfig) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut found: BTreeMap<String, TensorView> = BTreeMap::new();
        for (name, view) in tensors.iter() {
            if name.ends_with("embeddings.position_ids") {
                continue; // 0, 1, 2, …
            }
            if found.insert(our_name(name), view).is_some() {
                problems.push(format!("{} is there under two names", our_name(name)));
            }
        }
        for (copy, of) in TIED {
            let Some(view) = found.remove(copy) else {
                continue;
            };
            match found.get(of) {
                None => {
                    found.insert(of.to_string(), view);
                }
                Some(original) => {
                    let tied =
                        view.shape() == original.shape() && numbers(&view) == numbers(original);
                    if config.head != Head::Span && !tied {
                        problems.push(format!("{copy} is not {of}, as it must be"));
                    }
                }
            }
        }
        let (mut params, mut fresh) = (Vec::new(), Vec::new());
        for parameter in &config.parameters() {
            let name = &parameter.name;
            match found.remove(name) {
                None if is_head(name) => fresh.push(name.clone()),
                None => problems.push(format!("{name} is missing")),
                Some(view) if view.shape() != parameter.shape => problems.push(format!(
                    "{name} has shape {:?} and must have {:?}",
                    view.shape(),
                    parameter.shape
                )),
                Some(view) => match numbers(&view) {
                    Ok(numbers) if numbers.iter().all(|x| x.is_finite()) => params.extend(numbers),
                    Ok(_) => problems.push(format!("{name} has numbers that are not finite")),
                    Err(dtype) => {
                        problems.push(format!("{name} is of type {dtype:?}, not F32, F16 or BF16"))
                    }
                },
            }
            // Room is made for a head once the encoder was there: sizes in a file may be any.
            if problems.is_empty() && fresh.last() == Some(name) {
                params.resize(params.len() + parameter.len(), 0.0);
            }
        }
        let (unused, strange): (Vec<_>, Vec<_>) = found.into_keys().partition(|name| is_head(name));
        problems.extend(
            strange
                .iter()
                .map(|name| format!("{name} is no part of this BERT")),
        );
        match problems.is_empty() {
            true => Ok(Self {
                params,
                fresh,
                unused,
            }),
            false => Err(problems),
        }
    }
}

/// The name that a parameter has with us.
fn our_name(name: &str) -> String {
    let name = match name.rsplit_once('.') {
        Some((layer, "gamma")) => format!("{layer}.weight"),
        Some((layer, "beta")) => format!("{layer}.bias"),
        _ => name.to_string(),
    };
    let bare = ["embeddings.", "encoder.", "pooler."];
    match bare.iter().any(|part| name.starts_with(part)) {
        true => format!("bert.{name}"),
        false => name,
    }
}

fn is_head(name: &str) -> bool {
    HEADS.iter().any(|head| name.starts_with(head))
}
