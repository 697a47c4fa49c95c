//! Refuses what would not fit in memory, before the system ends the program for it.

use crate::config::TaskKind;
use crate::hugging_face::read_sizes;
use crate::{Config, Error};
use acclip_models::{Backend, Head, Stem};
use std::path::Path;

/// An estimate of what one training run or measurement needs, in bytes: parameters, gradient and
/// what a measurement of noise keeps of each entry (32 bytes; a training run's optimizer keeps 12); what the
/// backward pass keeps of every block; the scores of the vocabulary.
///
/// Within a factor of two of the measured peak; config A of a BERT with 4 layers of 256, 16 × 128 tokens
/// and 8192 tokens in the vocabulary comes out at 0.39 GB.
///
/// `side` is that of the images, if there are such.
fn estimate(config: &Config, labels: usize, side: usize) -> Result<f64, Error> {
    let (parameters, example) = match config.task {
        TaskKind::MaskedLm | TaskKind::Pretraining | TaskKind::QuestionAnswering => {
            bert(config, labels)?
        }
        TaskKind::LanguageModel => transformer_xl(config, labels)?,
        TaskKind::ImageClassification => image_model(config, labels, side)?,
    };
    let batch = config.train.batch_size.max(config.noise.batch_size) as f64;
    Ok(4.0 * (10.0 * parameters + batch * example))
}

/// Numbers in the parameters, and numbers that are kept of an example. They are counted, not listed: the list itself may
/// be what does not fit.
type Numbers = (f64, f64);

fn bert(config: &Config, vocab_size: usize) -> Result<Numbers, Error> {
    let bert = match &config.model.weights {
        None => config.bert(vocab_size, Head::MaskedLm)?,
        Some(folder) => read_sizes(Path::new(folder), Head::MaskedLm)?,
    };
    let size = |x: usize| x as f64;
    let (h, t, v) = (
        size(bert.hidden),
        size(config.model.seq_len),
        size(bert.vocab_size),
    );
    let (layers, heads, ff) = (size(bert.layers), size(bert.heads), size(bert.feed_forward));
    let parameters = (v + size(bert.max_len)) * h + layers * (4.0 * h * h + 2.0 * h * ff) + h * h;
    let block = t * (9.0 * h + 2.0 * ff) + heads * t * t;
    let scores = 0.15 * t * v;
    Ok((parameters, layers * block + scores))
}

fn transformer_xl(config: &Config, words: usize) -> Result<Numbers, Error> {
    let xl = config.transformer_xl(words)?;
    let size = |x: usize| x as f64;
    let (h, t, v) = (size(xl.hidden), size(xl.target_len), size(words));
    let (layers, ff) = (size(xl.layers), size(xl.feed_forward));
    let (all, inner) = (t + size(xl.memory_len), size(xl.heads * xl.head_width));
    let parameters = v * h + layers * (5.0 * h * inner + 2.0 * h * ff);
    let block = all * 3.0 * inner + t * (9.0 * h + 2.0 * ff) + 2.0 * size(xl.heads) * t * all;
    Ok((parameters, layers * block + t * v))
}

/// Of a ResNet-18 with the small stem, what is kept is about 60 times the pixels times the channels of the first stage;
/// the large stem keeps a sixteenth of it.
fn image_model(config: &Config, classes: usize, side: usize) -> Result<Numbers, Error> {
    const KEPT: f64 = 60.0;
    let model = config.image_model(3, classes)?;
    let parameters = acclip_models::len(&model.parameters()) as f64;
    let side = side as f64;
    let pixels = match config.model.stem {
        Stem::Small => side * side,
        Stem::Large => side * side / 16.0,
    };
    let width = config.model.width.unwrap_or(64) as f64;
    Ok((parameters, KEPT * pixels * width))
}

/// Refuses a model that `jobs` runs at a time have no memory for.
pub(crate) fn check(config: &Config, labels: usize, side: usize, jobs: usize) -> Result<(), Error> {
    // What a GPU has is not known here.
    if config.model.backend != Backend::Flex {
        return Ok(());
    }
    let Some(available) = available_memory() else {
        return Ok(());
    };
    let needed = estimate(config, labels, side)? * jobs as f64;
    match needed <= available {
        true => Ok(()),
        false => Err(Error::config(
            "model",
            format!(
                "{jobs} run(s) at a time need about {:.1} GB, and {:.1} GB are available; make \
                 model.seq_len, the batch size, the model or compare.jobs smaller",
                needed / 1e9,
                available / 1e9
            ),
        )),
    }
}

/// Memory that can be used without swapping, in bytes; `None` where the system does not say.
pub fn available_memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024.0 * kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[&str]) -> Config {
        let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        Config::resolve(None, None, &settings).unwrap()
    }

    #[test]
    fn a_measured_peak_is_met_within_a_factor_of_two() {
        // 307 MiB: the peak of `acclip bench train --config A`, which is such a model with Adam's two slots.
        let a = ["model.size=mini", "model.seq_len=128"];
        let bytes = estimate(&config(&a), 8192, 0).unwrap();
        assert!(
            (0.5..2.0).contains(&(bytes / (307.0 * 1024.0 * 1024.0))),
            "{bytes}"
        );
    }

    #[test]
    fn what_cannot_fit_is_refused() {
        check(&config(&[]), 2048, 0, 2).unwrap();
        for setting in [
            "model.hidden=262144",
            "model.seq_len=65536",
            "model.layers=1000",
        ] {
            let large = config(&[
                "model.size=large",
                "model.heads=16",
                setting,
                "train.batch_size=10000",
            ]);
            let error = check(&large, 2048, 0, 1).unwrap_err().to_string();
            assert!(error.contains("GB"), "{setting}: {error}");
        }
    }
}
