//! What an experiment found: claims with their verdicts, and what a report shows.

use crate::claim::{Claim, Verdict};
use acclip_report::{Figure, Item, Mark, Section, Table};
use serde::Serialize;

/// The result of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The claims of the paper, and what became of them.
    pub claims: Vec<Claim>,
    /// What was found beside them, a sentence each.
    pub remarks: Vec<String>,
    /// Tables and figures.
    #[serde(skip)]
    pub sections: Vec<Section>,
}

impl Finding {
    /// The claims as a table.
    #[must_use]
    pub fn claims_table(&self) -> Table {
        let row = |claim: &Claim| {
            let number = |x: f64| format!("{x:.3}");
            let estimate = claim.estimate.map_or("–".into(), |[x, low, high]| {
                format!("{} [{}, {}]", number(x), number(low), number(high))
            });
            vec![
                claim.statement.clone(),
                claim.verdict.to_string(),
                claim.effect.clone(),
                estimate,
                claim.p.map_or("–".into(), |p| format!("{p:.2e}")),
                format!("{} {}", claim.n, claim.of),
                claim.test.clone(),
            ]
        };
        Table {
            caption: "What the paper says, and what was found of it at this scale: estimate with its 95 % interval.".into(),
            header: ["claim", "verdict", "effect", "estimate", "p", "n", "test"]
                .map(String::from)
                .to_vec(),
            rows: self.claims.iter().map(row).collect(),
            numeric: vec![3, 4],
            highlight: None,
        }
    }

    /// One sentence a verdict, and the remarks.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let of = |verdict: Verdict| -> Vec<&str> {
            let claims = self.claims.iter().filter(|c| c.verdict == verdict);
            claims.map(|c| c.statement.as_str()).collect()
        };
        [
            (Verdict::Reproduced, "Reproduced"),
            (Verdict::NotReproduced, "Not reproduced"),
            (Verdict::Undecided, "Undecided"),
        ]
        .into_iter()
        .map(|(verdict, name)| (name, of(verdict)))
        .filter(|(_, claims)| !claims.is_empty())
        .map(|(name, claims)| format!("{name}: {}.", claims.join("; ")))
        .chain(self.remarks.iter().cloned())
        .collect()
    }

    /// Every table and figure under a file name, numbered as in the report.
    #[must_use]
    pub fn tables(&self) -> Vec<(String, Table)> {
        let mut found = vec![("claims.csv".to_string(), self.claims_table())];
        let (mut tables, mut figures) = (0, 0);
        let mut add = |item: &Item, found: &mut Vec<(String, Table)>| match item {
            Item::Table(table) => {
                tables += 1;
                found.push((format!("table-{tables}.csv"), table.clone()));
            }
            Item::Figure(figure) => {
                figures += 1;
                found.push((format!("figure-{figures}.csv"), points(figure)));
            }
            Item::Grid { figures: grid, .. } => {
                for figure in grid {
                    figures += 1;
                    found.push((format!("figure-{figures}.csv"), points(figure)));
                }
            }
            Item::Text(_) | Item::Code(_) => {}
        };
        for item in self.sections.iter().flat_map(|section| &section.items) {
            add(item, &mut found);
        }
        found
    }
}

/// The numbers of a figure, a row a point.
fn points(figure: &Figure) -> Table {
    let mut rows = Vec::new();
    for series in &figure.series {
        for (i, (x, y)) in series.points.iter().enumerate() {
            let upper = match &series.mark {
                Mark::Band { upper } => upper.get(i).map_or(String::new(), f64::to_string),
                _ => String::new(),
            };
            rows.push(vec![
                series.name.clone(),
                x.to_string(),
                y.to_string(),
                upper,
            ]);
        }
    }
    Table {
        caption: figure.title.clone(),
        header: ["series", "x", "y", "upper"].map(String::from).to_vec(),
        rows,
        ..Table::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use acclip_report::{Axis, Series};

    fn finding() -> Finding {
        let mut claims = vec![
            Claim::unmeasured("a", "diverged"),
            Claim::unmeasured("b", ""),
        ];
        claims[1].verdict = Verdict::Reproduced;
        let figure = Figure {
            title: "f".into(),
            caption: String::new(),
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            series: vec![
                Series::line("l", vec![(1.0, 2.0)]),
                Series::band("b", &[(3.0, 4.0, 5.0)]),
            ],
        };
        let grid = Item::Grid {
            caption: String::new(),
            columns: 2,
            figures: vec![figure.clone(), figure.clone()],
        };
        let items = vec![Item::Figure(figure), Item::Table(Table::default()), grid];
        Finding {
            claims,
            remarks: vec!["By the way.".into()],
            sections: vec![Section {
                title: String::new(),
                items,
            }],
        }
    }

    #[test]
    fn words_go_by_verdict_and_leave_out_what_is_empty() {
        assert_eq!(
            finding().words(),
            ["Reproduced: b.", "Undecided: a.", "By the way."]
        );
    }

    #[test]
    fn every_table_and_figure_has_its_file() {
        let tables = finding().tables();
        let names: Vec<&str> = tables.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "claims.csv",
            "figure-1.csv",
            "table-1.csv",
            "figure-2.csv",
            "figure-3.csv",
        ];
        assert_eq!(names, expected);
        assert_eq!(
            tables[1].1.rows,
            [["l", "1", "2", ""], ["b", "3", "4", "5"]]
        );
    }
}
