//! From results to what a reader sees: the HTML report, the tables, and the text on stdout.
//!
//! No number is computed here that a result file does not hold, apart from what a figure needs
//! (histograms, reference draws, means of curves).

mod comparison;
mod noise;
mod paper;
mod text;
mod theory;
mod training;
mod verdict;

pub use comparison::{compare_tables, measurements, of_comparison};
pub use noise::{norms_table, of_noise, of_noise_file};
pub use paper::paper_report;
pub use text::{
    calibration_text, columns, comparison_text, noise_file_text, noise_text, training_text,
};
#[cfg(test)]
pub use theory::theory_example;
pub use theory::{amount, of_theory, theory_tables, theory_text};
pub use training::{curve_table, of_training};

use acclip_report::{Item, Section};
use acclip_train::{Config, CorpusFacts, Provenance, Timing};

/// A number for a reader: four significant digits, without an exponent where that is short.
pub(crate) fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_string(),
        a if (1e-3..1e5).contains(&a) => {
            let decimals = (3 - a.log10().floor() as i32).max(0) as usize;
            let text = format!("{x:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
                false => text,
            }
        }
        _ => format!("{x:.3e}"),
    }
}

/// Mean ± standard deviation.
pub(crate) fn spread(mean: Option<f64>, sd: Option<f64>, scale: f64, decimals: usize) -> String {
    match mean.zip(sd) {
        Some((mean, sd)) => format!("{:.decimals$} ± {:.decimals$}", scale * mean, scale * sd),
        None => "–".to_string(),
    }
}

/// What identifies a run.
fn facts(provenance: &Provenance, corpus: &CorpusFacts) -> Vec<(String, String)> {
    [
        ("seed", provenance.seed.to_string()),
        ("began", provenance.started.clone()),
        (
            "program",
            format!("acclip {} ({})", provenance.version, provenance.commit),
        ),
        ("machine", provenance.machine.clone()),
        ("data", corpus.source.clone()),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .to_vec()
}

/// The data and the model, in a sentence each.
fn setting(corpus: &CorpusFacts, model: &str, parameters: usize) -> Item {
    Item::Text(format!(
        "Data: {} — {}; {} labels; {} training and {} held-out examples.\n\nModel: {model}; {parameters} parameters.",
        corpus.source, corpus.content, corpus.labels, corpus.train_examples, corpus.valid_examples,
    ))
}

/// Tokens per second and where the time goes.
fn speed_text(timing: &Timing) -> String {
    let share = |part: f64| 100.0 * part / timing.seconds().max(f64::MIN_POSITIVE);
    format!(
        "{:.0} tokens/s; time: forward {:.0} %, backward {:.0} %, optimizer {:.1} %, data {:.1} %",
        timing.tokens_per_second(),
        share(timing.forward),
        share(timing.backward),
        share(timing.optimizer),
        share(timing.data)
    )
}

/// How to run it again.
fn again(command: &str, config: &Config) -> Section {
    let flag = if command == "train" { "" } else { "--config " };
    Section {
        title: "Run it again".into(),
        items: vec![
            Item::Text(
                "The resolved configuration lies beside this report as config.toml. On the same \
                 machine the same configuration and program give the same numbers to the last bit, \
                 whatever the number of threads; on another processor the last digits may differ."
                    .into(),
            ),
            Item::Code(format!("acclip {command} {flag}config.toml")),
            Item::Code(config.to_toml()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 1.0, 0.001, 0.03, 12.3456, 54321.9, 1e-5, 2.5e7].map(number);
        assert_eq!(
            shown,
            [
                "0", "1", "0.001", "0.03", "12.35", "54322", "1.000e-5", "2.500e7"
            ]
        );
    }
}
