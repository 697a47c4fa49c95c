//! What an experiment runs: a TOML file under `experiments/`, with a part for all cells and one for each.
//!
//! ```toml
//! minutes = 12                 # on two cores
//! margin = 0.05                # an effect that is surely smaller does not matter
//! [defaults]                   # keys of `acclip train --print-config`, for every cell
//! seed = 0
//! [cells.bert]                 # what this cell has besides
//! title = "BERT"
//! data = "text"                # which of --text, --words, --images, --questions it is measured on
//! noise_at = [0]               # steps of its training at which the noise is measured
//! race = true                  # whether the optimizers of `compare` race
//! config = { model.size = "tiny" }
//! [[claims]]                   # what the paper says of it
//! kind = "ahead"
//! statement = "Adam is ahead of SGD on BERT"
//! cell = "bert"
//! better = "adam"
//! worse = "sgd-momentum"
//! ```

use acclip_report::Table as Shown;
use acclip_train::{Config, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::Table;

/// Which data a cell is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataKind {
    /// Text: a file or folder; the embedded corpus where none is given.
    Text,
    /// Words: a folder of Penn Treebank, WikiText or the like; as text, where none is given.
    Words,
    /// Images: a folder of classes, CIFAR binaries or IDX files.
    Images,
    /// Questions: a SQuAD v1.1 file, or the folder of the two published ones.
    Questions,
}

/// The data that was given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Data {
    /// `--text`.
    pub text: Option<PathBuf>,
    /// `--words`.
    #[serde(default)]
    pub words: Option<PathBuf>,
    /// `--images`.
    pub images: Option<PathBuf>,
    /// `--questions`.
    pub questions: Option<PathBuf>,
    /// `--weights`: a pre-trained BERT; where several cells take one, a folder with a subfolder for each of them.
    pub weights: Option<PathBuf>,
}

/// A plan as it stands in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How long it takes, in minutes.
    pub minutes: f64,
    /// An effect that is surely smaller than this does not matter.
    pub margin: f64,
    /// Seeds on which the noise of each cell is measured.
    #[serde(default = "one")]
    pub noise_seeds: u64,
    /// What the paper says.
    #[serde(default)]
    pub claims: Vec<ClaimPlan>,
    /// What is varied, one at a time, in every cell that measures noise at the start.
    #[serde(default)]
    pub axes: Vec<Axis>,
    /// The numbers of the paper, from memory.
    pub recalled: Option<Recalled>,
    /// Keys of a configuration, for every cell.
    #[serde(default)]
    pub defaults: Table,
    /// The cells by name.
    pub cells: BTreeMap<String, CellPlan>,
}

/// Numbers of the paper that are recalled and were not verified: they are never shown without that word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recalled {
    /// Of what.
    pub caption: String,
    /// Column names.
    pub header: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<String>>,
}

impl Recalled {
    /// As a table that says so.
    #[must_use]
    pub fn table(&self) -> Shown {
        Shown {
            caption: format!(
                "The paper's numbers, recalled, not verified: {}.",
                self.caption
            ),
            header: self.header.clone(),
            rows: self.rows.clone(),
            numeric: (1..self.header.len()).collect(),
            highlight: None,
        }
    }
}

/// A key that is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// What to call it, with its unit.
    pub title: String,
    /// The key of the configuration; `step` is the training step.
    pub key: String,
    /// Its values.
    pub values: Vec<toml::Value>,
}

/// A cell as it stands in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellPlan {
    /// What to call it.
    pub title: String,
    /// What it is measured on.
    pub data: DataKind,
    /// Steps of its training at which the noise is measured; 0 is the start.
    #[serde(default)]
    pub noise_at: Vec<u64>,
    /// Whether the optimizers of `compare.optimizers` race.
    #[serde(default)]
    pub race: bool,
    /// Keys of its configuration.
    #[serde(default)]
    pub config: Table,
}

/// A claim of the paper about the cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClaimPlan {
    /// The variance of the noise is infinite.
    InfiniteVariance {
        /// In words.
        statement: String,
        /// Of which cell.
        cell: String,
        /// At which step.
        #[serde(default)]
        step: u64,
    },
    /// The noise is light-tailed.
    Light {
        /// In words.
        statement: String,
        /// Of which cell.
        cell: String,
        /// At which step.
        #[serde(default)]
        step: u64,
    },
    /// The noise of one cell has a heavier tail than that of another.
    Heavier {
        /// In words.
        statement: String,
        /// The heavier one.
        heavy: Point,
        /// The lighter one.
        light: Point,
    },
    /// The noise of one cell has a heavier tail than that of another, on average over the settings of the axes.
    HeavierOnAverage {
        /// In words.
        statement: String,
        /// The heavier cell.
        heavy: String,
        /// The lighter cell.
        light: String,
    },
    /// The tail does not change from one step to another.
    Unchanged {
        /// In words.
        statement: String,
        /// The one.
        from: Point,
        /// The other.
        to: Point,
    },
    /// Entries of one gradient's noise look heavy-tailed when thrown together.
    HeavyEntries {
        /// In words.
        statement: String,
        /// Of which cell.
        cell: String,
        /// At which step.
        #[serde(default)]
        step: u64,
    },
    /// The gap between two optimizers is wider in one place than in another.
    WiderGap {
        /// In words.
        statement: String,
        /// The one that is ahead.
        better: String,
        /// The one that is behind.
        worse: String,
        /// Where the gap is wider.
        wide: Metric,
        /// Where it is narrower.
        narrow: Metric,
        /// A margin of its own.
        margin: Option<f64>,
    },
    /// One optimizer is ahead of another.
    Ahead {
        /// In words.
        statement: String,
        /// In which cell.
        cell: String,
        /// The one that is ahead.
        better: String,
        /// The one that is behind.
        worse: String,
        /// By which metric: `loss`, `accuracy` or a score of the task.
        #[serde(default = "loss")]
        metric: String,
        /// A margin of its own, in the unit of the metric.
        margin: Option<f64>,
    },
}

impl ClaimPlan {
    /// Its own margin, where it has one.
    fn margin(&self) -> Option<f64> {
        match self {
            Self::Ahead { margin, .. } | Self::WiderGap { margin, .. } => *margin,
            _ => None,
        }
    }

    /// The cells whose runs it compares, and by what.
    fn metrics(&self) -> Vec<(&String, &String)> {
        match self {
            Self::Ahead { cell, metric, .. } => vec![(cell, metric)],
            Self::WiderGap { wide, narrow, .. } => {
                [wide, narrow].map(|m| (&m.cell, &m.metric)).to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// Refuses a claim about what is not measured.
    fn check(&self, plan: &Plan) -> Result<(), String> {
        let find = |name: &String| {
            let found = plan.cells.get(name);
            found.ok_or_else(|| format!("a claim is about the cell '{name}', which is not there"))
        };
        let measured = |cell: &String, step: u64| match find(cell)?.noise_at.contains(&step) {
            true => Ok(()),
            false => Err(format!(
                "the noise of '{cell}' is not measured at step {step}"
            )),
        };
        let raced = |cell: &String| match find(cell)?.race {
            true => Ok(()),
            false => Err(format!("no optimizers race in '{cell}'")),
        };
        match self {
            Self::InfiniteVariance { cell, step, .. }
            | Self::Light { cell, step, .. }
            | Self::HeavyEntries { cell, step, .. } => measured(cell, *step),
            Self::Heavier {
                heavy: a, light: b, ..
            }
            | Self::Unchanged { from: a, to: b, .. } => {
                measured(&a.cell, a.step).and_then(|()| measured(&b.cell, b.step))
            }
            Self::HeavierOnAverage { .. } if plan.axes.is_empty() => {
                Err("a claim is about all settings of the axes, and there are no axes".into())
            }
            Self::HeavierOnAverage { heavy, light, .. } => {
                find(heavy).and_then(|_| find(light)).map(drop)
            }
            Self::Ahead { cell, .. } => raced(cell),
            Self::WiderGap { wide, narrow, .. } => {
                raced(&wide.cell).and_then(|()| raced(&narrow.cell))
            }
        }
    }
}

/// A metric of the runs of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The cell.
    pub cell: String,
    /// `loss`, `accuracy` or a score of the task.
    #[serde(default = "loss")]
    pub metric: String,
}

/// A cell at a step of its training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The cell.
    pub cell: String,
    /// The step.
    #[serde(default)]
    pub step: u64,
}

fn one() -> u64 {
    1
}

fn loss() -> String {
    "loss".into()
}

/// A cell with its resolved configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its name, and the name of its folder.
    pub name: String,
    /// What to call it.
    pub title: String,
    /// Steps at which its noise is measured.
    pub noise_at: Vec<u64>,
    /// Whether optimizers race.
    pub race: bool,
    /// What is run.
    pub config: Config,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`Error::Config`] with the key that is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Config {
            key: name.to_string(),
            problem,
        };
        let plan: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        for claim in &plan.claims {
            claim.check(&plan).map_err(wrong)?;
        }
        let own = plan.claims.iter().filter_map(ClaimPlan::margin);
        for margin in own.chain([plan.margin]) {
            if !(margin.is_finite() && margin >= 0.0) {
                return Err(wrong(format!("margin is {margin}; it must be 0 or above")));
            }
        }
        Ok(plan)
    }

    /// The cells, each with its configuration: defaults, what the cell has besides, the data, and then `settings`
    /// (`key=value`).
    ///
    /// # Errors
    /// [`Error::Config`] for a key or value that is wrong, and where data is needed that was not given.
    pub fn cells(&self, data: &Data, settings: &[String]) -> Result<Vec<Cell>, Error> {
        let cell = |(name, plan): (&String, &CellPlan)| {
            let table = self.table(plan);
            let text = toml::to_string(&table).expect("a table is valid TOML");
            let mut all = self.paths(name, plan, &table, data)?;
            all.extend_from_slice(settings);
            Ok(Cell {
                name: name.clone(),
                title: plan.title.clone(),
                noise_at: plan.noise_at.clone(),
                race: plan.race,
                config: Config::resolve(None, Some((name, &text)), &all)?,
            })
        };
        let cells = (self.cells.iter().map(cell)).collect::<Result<Vec<Cell>, Error>>()?;
        let metrics = self.claims.iter().flat_map(ClaimPlan::metrics);
        for (name, metric) in metrics {
            for cell in cells.iter().filter(|cell| cell.name == *name) {
                cell.config.check_metric(&format!("cells.{name}"), metric)?;
            }
        }
        Ok(cells)
    }

    /// The keys of a cell: the defaults, and what it has besides.
    fn table(&self, cell: &CellPlan) -> Table {
        let mut table = self.defaults.clone();
        merge(&mut table, &cell.config);
        table
    }

    /// The cells that begin with weights from elsewhere.
    fn pretrained(&self) -> impl Iterator<Item = &String> {
        let cells = self.cells.iter();
        let pretrained = cells.filter(|(_, cell)| is_pretrained(&self.table(cell)));
        pretrained.map(|(name, _)| name)
    }

    /// The settings that name the data of a cell.
    fn paths(
        &self,
        name: &str,
        plan: &CellPlan,
        table: &Table,
        data: &Data,
    ) -> Result<Vec<String>, Error> {
        let (given, flag, what) = match plan.data {
            DataKind::Text => (&data.text, "", ""),
            DataKind::Words if data.words.is_some() => (&data.words, "", ""),
            DataKind::Words => (&data.text, "", ""),
            DataKind::Images => (&data.images, "--images", IMAGES),
            DataKind::Questions => (&data.questions, "--questions", QUESTIONS),
        };
        let mut settings = Vec::new();
        let mut set = |key: &str, path: &PathBuf| {
            let path = acclip_train::config::quoted(&path.to_string_lossy());
            settings.push(format!("{key}={path}"));
        };
        match given {
            Some(path) => set("corpus.path", path),
            None if matches!(plan.data, DataKind::Text | DataKind::Words) => {}
            None => {
                return Err(Error::Config {
                    key: format!("cells.{name}"),
                    problem: format!("needs {flag}: {what}"),
                });
            }
        }
        match (&data.weights, is_pretrained(table)) {
            (Some(path), true) if self.pretrained().count() == 1 => set("model.weights", path),
            (Some(path), true) => {
                let own = path.join(name);
                if !own.is_dir() {
                    return Err(Error::Config {
                        key: format!("cells.{name}"),
                        problem: format!(
                            "has weights of its own: {} is no folder; give one with a subfolder for each of {}",
                            own.display(),
                            self.pretrained().cloned().collect::<Vec<_>>().join(", ")
                        ),
                    });
                }
                set("model.weights", &own);
            }
            (None, true) => {
                return Err(Error::Config {
                    key: format!("cells.{name}"),
                    problem: format!("needs --weights: {WEIGHTS}"),
                });
            }
            (_, false) => {}
        }
        Ok(settings)
    }
}

const IMAGES: &str = "a folder with a subfolder of JPEG or PNG files for each class, CIFAR-10 in its binary form, or \
    IDX files (the Debian package dataset-fashion-mnist has such)";
const QUESTIONS: &str = "a SQuAD v1.1 file in JSON, of which articles are held out, or a folder with train-v1.1.json \
    and dev-v1.1.json";
const WEIGHTS: &str = "a folder with the config.json, model.safetensors and vocab.txt of a BERT, as Hugging Face has \
    it, or one with such a subfolder for each cell";

/// Whether a cell begins with weights from elsewhere.
fn is_pretrained(table: &Table) -> bool {
    let model = table.get("model").and_then(|model| model.as_table());
    model.is_some_and(|model| model.contains_key("weights"))
}

/// Lays `over` on `table`, key by key.
fn merge(table: &mut Table, over: &Table) {
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, value) => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "
        minutes = 1
        margin = 0.1
        [defaults]
        seed = 3
        model.size = \"nano\"
        [cells.a]
        title = \"A\"
        data = \"text\"
        [cells.b]
        title = \"B\"
        data = \"text\"
        config = { model.layers = 5 }
    ";

    #[test]
    fn a_cell_has_the_defaults_and_what_it_has_besides() {
        let plan = Plan::parse("plan", PLAN).unwrap();
        let data = Data {
            text: Some("a b.txt".into()),
            ..Data::default()
        };
        let cells = plan.cells(&data, &["seed=4".into()]).unwrap();
        let seen = cells.iter().map(|c| {
            let model = &c.config.model;
            (
                c.title.as_str(),
                model.size.as_str(),
                model.layers,
                c.config.seed,
            )
        });
        let expected = [("A", "nano", None, 4), ("B", "nano", Some(5), 4)];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(cells[0].config.corpus.path.as_deref(), Some("a b.txt"));
    }

    #[test]
    fn several_cells_have_weights_of_their_own_and_one_takes_those_that_are_given() {
        let one = PLAN.replace("model.layers = 5", "model.weights = \"\"");
        let both = one.replace(
            "title = \"A\"",
            "title = \"A\"\nconfig = { model.weights = \"\" }",
        );
        let folder = tempfile::tempdir().unwrap();
        let data = Data {
            weights: Some(folder.path().into()),
            ..Data::default()
        };
        let weights = |text: &str| {
            let cells = Plan::parse("plan", text).unwrap().cells(&data, &[])?;
            Ok(cells.into_iter().map(|c| c.config.model.weights).collect())
        };
        let path = |name: &str| Some(folder.path().join(name).to_str().unwrap().to_string());
        let found: Result<Vec<_>, Error> = weights(&one);
        let given = folder.path().to_str().map(String::from);
        assert_eq!(found.unwrap(), [None, given]);
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let missing = weights(&both).unwrap_err().to_string();
        assert!(
            missing.contains("cells.b: ") && missing.contains("for each of a, b"),
            "{missing}"
        );
        std::fs::create_dir(folder.path().join("b")).unwrap();
        assert_eq!(weights(&both).unwrap(), [path("a"), path("b")]);
    }

    #[test]
    fn recalled_numbers_say_so() {
        let recalled = "[recalled]\ncaption = \"loss\"\nheader = [\"\", \"6\"]\nrows = [[\"Adam\", \"1.9\"]]\n[defaults]";
        let plan = Plan::parse("plan", &PLAN.replacen("[defaults]", recalled, 1)).unwrap();
        let table = plan.recalled.unwrap().table();
        assert!(
            table.caption.contains("recalled, not verified"),
            "{}",
            table.caption
        );
        assert_eq!(table.rows, [["Adam", "1.9"]]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let problem = |text: &str| {
            let plan = Plan::parse("my plan", text);
            let cells = plan.and_then(|plan| plan.cells(&Data::default(), &[]));
            cells.unwrap_err().to_string()
        };
        let images = PLAN.replacen("\"text\"", "\"images\"", 1);
        assert!(problem(&images).contains("cells.a: needs --images"));
        let weights = PLAN.replace("model.layers = 5", "model.weights = \"\"");
        assert!(problem(&weights).contains("cells.b: needs --weights"));
        let on_average = |light: &str| {
            format!(
                "{PLAN}\n[[claims]]\nkind = \"heavier-on-average\"\nstatement = \"\"\nheavy = \"a\"\nlight = \"{light}\"\n"
            )
        };
        assert!(problem(&on_average("b")).contains("there are no axes"));
        let axes = "\n[[axes]]\ntitle = \"\"\nkey = \"step\"\nvalues = [0]";
        assert!(problem(&(on_average("c") + axes)).contains("the cell 'c', which is not there"));
        assert!(problem(&PLAN.replace("margin", "margn")).contains("my plan"));
        assert!(problem(&PLAN.replace("layers", "lajers")).contains("model.layers"));
    }
}
