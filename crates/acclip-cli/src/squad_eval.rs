//! `acclip squad-eval`: the official score of a file of predictions.

use crate::args::SquadEval;
use crate::commands::{note, print};
use acclip_data::squad::{Intervals, Score, Unit, evaluate_files};
use acclip_train::Error;
use serde::Serialize;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 1000;

/// The score, and how sure it is.
#[derive(Serialize)]
struct Scored {
    #[serde(flatten)]
    score: Score,
    /// Intervals of 95 % over questions, and over articles where there are several.
    over_questions: Intervals,
    over_articles: Option<Intervals>,
    seed: u64,
}

/// Scores, and prints.
pub fn run(args: &SquadEval) -> Result<(), Error> {
    let score = evaluate_files(&args.data, &args.predictions)?;
    for text in &score.notes {
        note(&format!("note: {text}"));
    }
    let articles = score.by_question.windows(2);
    let several = articles
        .into_iter()
        .any(|pair| pair[0].article != pair[1].article);
    let scored = Scored {
        over_questions: score.bootstrap(RESAMPLES, args.seed, Unit::Question)?,
        over_articles: several
            .then(|| score.bootstrap(RESAMPLES, args.seed, Unit::Article))
            .transpose()?,
        seed: args.seed,
        score,
    };
    print(&match args.json {
        true => {
            serde_json::to_string_pretty(&scored).expect("our own records are valid JSON") + "\n"
        }
        false => text(&scored),
    })
}

fn text(scored: &Scored) -> String {
    let Scored { score, .. } = scored;
    let line = |name: &str, value: f64, pick: fn(&Intervals) -> [f64; 2]| {
        let of = |intervals: &Intervals| {
            let [low, high] = pick(intervals);
            format!("[{low:.2}, {high:.2}]")
        };
        let articles = scored.over_articles.as_ref().map(of);
        format!(
            "{name:<12}{value:.2}  {} over questions{}\n",
            of(&scored.over_questions),
            articles.map_or(String::new(), |text| format!(", {text} over articles"))
        )
    };
    format!(
        "{}{}{} question(s); 95 % intervals of {RESAMPLES} bootstrap resamples, seed {}\n",
        line("exact match", score.exact_match, |i| i.exact_match),
        line("F1", score.f1, |i| i.f1),
        score.total,
        scored.seed
    )
}
