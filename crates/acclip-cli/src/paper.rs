//! `acclip paper`: the figures and tables of the paper as experiments.

use crate::args::{Paper, Theory, TheoryOptions, TheoryWhat};
use crate::commands::{Ended, default_folder, note, print, provenance};
use crate::report::{columns, paper_report};
use crate::theory;
use acclip_paper::{Claim, Data, EXPERIMENTS, Experiment, Finding, Plan, Scale, runner};
use acclip_train::{Control, Error, Outcome, Provenance, RunFolder};
use jiff::Zoned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What determines an experiment: the content of its `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// `lab` or `paper`.
    pub scale: String,
    /// `key=value`, over every cell's configuration.
    pub settings: Vec<String>,
    /// The data.
    pub data: Data,
    /// What is run.
    pub plan: Plan,
}

/// What an experiment found, and how: the content of `finding.json`.
#[derive(Serialize)]
pub struct PaperSummary {
    /// Its name.
    pub name: String,
    /// `lab` or `paper`.
    pub scale: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The commit of the program that judged the claims.
    pub judged: &'static str,
    /// Wall time of all calls that were not killed, in seconds.
    pub seconds: f64,
    /// The claims, judged.
    pub claims: Vec<Claim>,
    /// What was found beside them, a sentence each.
    pub remarks: Vec<String>,
    #[serde(skip)]
    pub finding: Finding,
}

/// Runs, continues or lists experiments.
pub fn run(args: &Paper, control: Control) -> Result<Ended, Error> {
    match args.name.as_deref() {
        Some("list") => {
            refuse_data(args, "list", "shows what there is")?;
            return print(&list()).map(|()| Ended::Done);
        }
        Some("table1") => return table_1(args, control),
        _ => {}
    }
    let (folder, request) = match &args.resume {
        Some(path) => resumed(path)?,
        None => begun(args)?,
    };
    let (clock, before) = (Instant::now(), seconds(&folder));
    let cells = request.plan.cells(&request.data, &request.settings)?;
    let outcome = runner::run(&request.plan, &cells, folder.path(), control)?;
    let seconds = before + clock.elapsed().as_secs_f64();
    folder.write(SECONDS, seconds.to_string().as_bytes())?;
    let Outcome::Done(finding) = outcome else {
        let path = folder.path().display();
        note(&format!(
            "stopped; continue with: acclip paper --resume {path}"
        ));
        return Ok(Ended::Interrupted);
    };
    let summary = PaperSummary {
        name: request.name.clone(),
        scale: request.scale.clone(),
        provenance: folder.provenance.clone(),
        judged: env!("ACCLIP_COMMIT"),
        seconds,
        claims: finding.claims.clone(),
        remarks: finding.remarks.clone(),
        finding,
    };
    folder.write_json("finding.json", &summary)?;
    for (name, table) in summary.finding.tables() {
        folder.write(&name, acclip_report::to_csv(&table).as_bytes())?;
    }
    let report = paper_report(&request, &summary);
    folder.write("report.html", acclip_report::to_html(&report).as_bytes())?;
    note(&format!(
        "report: {}",
        folder.path().join("report.html").display()
    ));
    print(&match args.json {
        true => {
            serde_json::to_string_pretty(&summary).expect("our own records are valid JSON") + "\n"
        }
        false => text(&request, &summary),
    })?;
    Ok(Ended::Done)
}

/// The file that holds the wall time of the calls so far.
const SECONDS: &str = "seconds";

/// Wall time of the calls before this one, 0 where it is not known.
fn seconds(folder: &RunFolder) -> f64 {
    let text = fs::read_to_string(folder.path().join(SECONDS));
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// What there is, and how long it takes.
fn list() -> String {
    let mut text = String::new();
    for one in &EXPERIMENTS {
        let minutes = |scale| one.plan(scale).map_or(f64::NAN, |plan| plan.minutes);
        text += &format!(
            "{:<12}{}; lab: {} min on two cores\n",
            one.name,
            one.title,
            minutes(Scale::Lab)
        );
    }
    text + "table1      Rates of SGD and GClip, and lower bounds: `acclip theory table1`; lab: 2 min on two cores\n"
}

/// Table 1 is a theorem's: the command for theorems runs it, at the paper's scale with four times the steps.
fn table_1(args: &Paper, control: Control) -> Result<Ended, Error> {
    refuse_data(
        args,
        "table1",
        "is about functions and takes no data or configuration",
    )?;
    let options = TheoryOptions {
        alpha: Vec::new(),
        trajectories: None,
        steps: (args.scale == "paper").then_some(1 << 18),
        seed: args.seed,
        out: args.out.clone(),
        json: args.json,
    };
    let what = TheoryWhat::Table1;
    theory::run(&Theory { what, options }, control)
}

/// Refuses options that `name` would pass over.
fn refuse_data(args: &Paper, name: &str, why: &str) -> Result<(), Error> {
    let given = [
        ("--text", args.text.is_some()),
        ("--words", args.words.is_some()),
        ("--images", args.images.is_some()),
        ("--questions", args.questions.is_some()),
        ("--weights", args.weights.is_some()),
        ("--set", !args.set.is_empty()),
    ];
    let given: Vec<&str> = (given.iter().filter(|(_, given)| *given))
        .map(|(option, _)| *option)
        .collect();
    match given.is_empty() {
        true => Ok(()),
        false => Err(Error::Config {
            key: given.join(", "),
            problem: format!("{name} {why}; leave it out"),
        }),
    }
}

/// A new experiment and its folder.
fn begun(args: &Paper) -> Result<(RunFolder, Request), Error> {
    let name = args.name.clone().expect("clap asks for it");
    let scale = match args.scale.as_str() {
        "paper" => Scale::Paper,
        _ => Scale::Lab,
    };
    let experiment = Experiment::find(&name).expect("clap knows the names");
    let plan = experiment.plan(scale)?;
    let mut settings = args.set.clone();
    settings.extend(args.seed.map(|seed| format!("seed={seed}")));
    let whole = |path: &Option<PathBuf>| -> Result<Option<PathBuf>, Error> {
        // A resumed run must find its files from wherever it is started.
        let find = |path: &PathBuf| {
            fs::canonicalize(path).map_err(|source| Error::Io {
                action: "find",
                path: path.clone(),
                source,
            })
        };
        path.as_ref().map(find).transpose()
    };
    let data = Data {
        text: whole(&args.text)?,
        words: whole(&args.words)?,
        images: whole(&args.images)?,
        questions: whole(&args.questions)?,
        weights: whole(&args.weights)?,
    };
    let request = Request {
        name: name.clone(),
        scale: args.scale.clone(),
        settings,
        data,
        plan,
    };
    let cells = request.plan.cells(&request.data, &request.settings)?;
    let crc32 = runner::check(&request.plan, &cells)?;
    let seed = cells.first().map_or(0, |cell| cell.config.seed);
    let now = Zoned::now();
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| default_folder(&name, &now));
    let text = toml::to_string(&request).expect("a request is valid TOML");
    let folder = RunFolder::create(&path, provenance("paper", &now, seed, crc32), &text)?;
    let time = match request.scale.as_str() {
        "lab" => format!("about {} minutes on two cores", request.plan.minutes),
        _ => "at the paper's size, for a GPU".to_string(),
    };
    note(&format!(
        "run folder: {}  seed: {seed}  {time}",
        path.display()
    ));
    Ok((folder, request))
}

/// The experiment in a folder, and the folder.
fn resumed(path: &Path) -> Result<(RunFolder, Request), Error> {
    let (folder, text) = RunFolder::open(path, "paper")?;
    let request: Request = toml::from_str(&text).map_err(|error| Error::RunFolder {
        path: path.to_path_buf(),
        problem: format!("config.toml cannot be understood: {error}"),
    })?;
    let cells = request.plan.cells(&request.data, &request.settings)?;
    let warn = |text: &str| note(&format!("warning: {text}"));
    let crc32 = runner::check(&request.plan, &cells)?;
    folder.check(crc32, env!("ACCLIP_COMMIT"), &warn)?;
    Ok((folder, request))
}

/// The claims, for a terminal.
fn text(request: &Request, summary: &PaperSummary) -> String {
    let mut text = String::new();
    for word in summary.finding.words() {
        text += &format!("{word}\n");
    }
    let claims = match summary.claims.is_empty() {
        true => String::new(),
        false => format!("\n{}", columns(&summary.finding.claims_table())),
    };
    let recalled = request.plan.recalled.as_ref().map(|recalled| {
        let table = recalled.table();
        format!("\n{}\n{}", table.caption, columns(&table))
    });
    format!(
        "{text}{claims}{}\nscale {}, seed {}; {:.0} s\n",
        recalled.unwrap_or_default(),
        summary.scale,
        summary.provenance.seed,
        summary.seconds
    )
}
