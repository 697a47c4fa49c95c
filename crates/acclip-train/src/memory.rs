//! Refuses what would not fit in memory, before the system ends the program for it.

use crate::{Config, Error};

/// An estimate of what one training run or measurement needs, in bytes: parameters, gradient and
/// what a measurement of noise keeps of each entry (32 bytes; a training run's optimizer keeps 12); what the
/// backward pass keeps of every block; the scores of the vocabulary.
///
/// Within a factor of two of the measured peak; config A of a BERT with 4 layers of 256, 16 × 128 tokens
/// and 8192 tokens in the vocabulary comes out at 0.39 GB.
fn estimate(config: &Config, vocab_size: usize) -> Result<f64, Error> {
    let bert = config.bert(vocab_size)?;
    let size = |x: usize| x as f64;
    let (h, t, v) = (size(bert.hidden), size(bert.max_len), size(bert.vocab_size));
    let (layers, heads, ff) = (size(bert.layers), size(bert.heads), size(bert.feed_forward));
    let batch = size(config.train.batch_size.max(config.noise.batch_size));
    // Counted, not listed: the list itself may be what does not fit.
    let parameters = (v + t) * h + layers * (4.0 * h * h + 2.0 * h * ff) + h * h;
    let block = t * (9.0 * h + 2.0 * ff) + heads * t * t;
    let scores = 0.15 * t * v;
    Ok(4.0 * (10.0 * parameters + batch * (layers * block + scores)))
}

/// Refuses a model that `jobs` runs at a time have no memory for.
pub(crate) fn check(config: &Config, vocab_size: usize, jobs: usize) -> Result<(), Error> {
    let Some(available) = available_memory() else {
        return Ok(());
    };
    let needed = estimate(config, vocab_size)? * jobs as f64;
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
        let bytes = estimate(&config(&a), 8192).unwrap();
        assert!(
            (0.5..2.0).contains(&(bytes / (307.0 * 1024.0 * 1024.0))),
            "{bytes}"
        );
    }

    #[test]
    fn what_cannot_fit_is_refused() {
        check(&config(&[]), 2048, 2).unwrap();
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
            let error = check(&large, 2048, 1).unwrap_err().to_string();
            assert!(error.contains("GB"), "{setting}: {error}");
        }
    }
}
