//! The experiments by name, and where their plans are.

use crate::plan::Plan;
use acclip_train::Error;

/// How large an experiment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Minutes to an hour on two cores, on real data.
    Lab,
    /// The sizes and hyper-parameters of the paper, for a GPU.
    Paper,
}

/// A figure or table of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experiment {
    /// Its name on the command line, and that of its folder under `experiments/`.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    lab: &'static str,
    paper: &'static str,
}

/// The experiment in a folder of `experiments/`.
macro_rules! experiment {
    ($name:literal, $title:literal) => {
        Experiment {
            name: $name,
            title: $title,
            lab: include_str!(concat!("../../../experiments/", $name, "/lab.toml")),
            paper: include_str!(concat!("../../../experiments/", $name, "/paper.toml")),
        }
    };
}

/// All that have a plan, in the order of the paper; then two that ask further.
pub const EXPERIMENTS: [Experiment; 11] = [
    experiment!(
        "fig1",
        "Noise and training: ResNet on images beside BERT on text"
    ),
    experiment!("fig2", "The noise as training goes on"),
    experiment!(
        "fig3",
        "SGD, GClip, CClip, ACClip and Adam: Transformer-XL and BERT"
    ),
    experiment!("fig4", "Attention or not, text or Gaussian input"),
    experiment!(
        "fig5",
        "AlexNet: norms of the noise, and its single coordinates"
    ),
    experiment!("table2", "BERT pre-training with Adam and with ACClip"),
    experiment!("table3", "Fine-tuning on SQuAD with Adam and with ACClip"),
    experiment!("appendix-h", "Tail indices of BERT and ResNet"),
    experiment!("appendix-i", "ResNet on images with SGD, Adam and ACClip"),
    experiment!(
        "scan",
        "Where tails begin: batch size, depth, width, length, initialisation, training"
    ),
    experiment!(
        "rival",
        "The rival explanations: full batches, and rare tokens"
    ),
];

impl Experiment {
    /// The one of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        EXPERIMENTS.iter().find(|one| one.name == name)
    }

    /// Its plan.
    ///
    /// # Errors
    /// None: a test reads them all.
    pub fn plan(&self, scale: Scale) -> Result<Plan, Error> {
        let (name, text) = match scale {
            Scale::Lab => ("lab.toml", self.lab),
            Scale::Paper => ("paper.toml", self.paper),
        };
        Plan::parse(&format!("experiments/{}/{name}", self.name), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Data;

    #[test]
    fn every_plan_resolves_with_equal_budgets_and_claims_about_what_is_measured() {
        let weights = tempfile::tempdir().unwrap();
        for cell in ["layers-6", "layers-12", "layers-24"] {
            std::fs::create_dir(weights.path().join(cell)).unwrap();
        }
        let data = Data {
            text: None,
            words: None,
            images: Some("images".into()),
            questions: Some("questions.json".into()),
            weights: Some(weights.path().into()),
        };
        for one in &EXPERIMENTS {
            for scale in [Scale::Lab, Scale::Paper] {
                let plan = one
                    .plan(scale)
                    .unwrap_or_else(|e| panic!("{}: {e}", one.name));
                let cells = plan.cells(&data, &[]);
                let cells = cells.unwrap_or_else(|e| panic!("{} {scale:?}: {e}", one.name));
                for cell in cells.iter().filter(|cell| cell.name == "full-batch") {
                    // Every step is a whole pass over the words.
                    let (c, train) = (&cell.config, &cell.config.train);
                    let words = c.corpus.max_words.unwrap();
                    let column = 1 + train.accumulate * c.model.seq_len;
                    assert_eq!(words, train.batch_size * column, "{scale:?}");
                    // So is what the training loss of the small batches is a mean of.
                    assert_eq!(train.eval_every % train.accumulate as u64, 0);
                    assert_eq!(train.steps % train.eval_every, 0);
                }
                for cell in cells.iter().filter(|cell| cell.race) {
                    let raced = &cell.config.compare.optimizers;
                    for claim in &plan.claims {
                        if let crate::plan::ClaimPlan::Ahead {
                            cell: of,
                            better,
                            worse,
                            ..
                        } = claim
                            && *of == cell.name
                        {
                            assert!(raced.contains(better) && raced.contains(worse), "{claim:?}");
                        }
                    }
                }
            }
        }
    }
}
