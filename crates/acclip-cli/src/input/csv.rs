//! CSV: a column of norms, or a gradient in each row.

use super::array::{check_norm, reserve};
use super::error::{Columns, Place, Problem, clean};
use super::header::{has_fraction, is_header, is_numbered};
use super::text::{Lines, Separator};
use super::{Options, Shape, listed, meaning};
use std::collections::VecDeque;
use std::io::BufRead;

const MEMORY: &str = "; save every tenth norm, or use a machine with more memory";

/// What a text holds.
#[derive(Debug)]
pub enum Contents {
    /// Norms.
    Norms(Vec<f64>),
    /// n rows of d numbers, all checked.
    Rows(usize, usize),
}

/// Reads a text to its end.
pub fn read(reader: impl BufRead, options: &Options, pipe: bool) -> Result<Contents, Problem> {
    let mut table = Table::new(reader, options)?;
    let mut row = Vec::new();
    let d = table.width();
    if d == 1 && options.shape != Some(Shape::Vectors) {
        let mut norms = Vec::new();
        while table.next(&mut row)? {
            check_norm(row[0], || table.place(0))?;
            reserve(&mut norms, 1, MEMORY)?;
            norms.push(row[0]);
        }
        return match norms.is_empty() {
            true => Err(table.empty()),
            false => Ok(Contents::Norms(norms)),
        };
    }
    table.check_names(options)?;
    let mut first = Vec::new();
    let (mut n, mut counted, mut whole) = (0_usize, true, true);
    while table.next(&mut row)? {
        if n == 0 {
            first.clone_from(&row);
        }
        counted &= row[0] == first[0] + n as f64 && [0.0, 1.0].contains(&first[0]);
        whole &= table.whole;
        n += 1;
    }
    if n == 0 {
        return Err(table.empty());
    }
    if meaning(n, d, options.shape)? == Shape::Norms {
        let place = |column| table.place(column);
        (first.iter().enumerate()).try_for_each(|(i, &x)| check_norm(x, || place(i)))?;
        return Ok(Contents::Norms(first));
    }
    if options.shape.is_none() && counted {
        return Err(Problem::Ambiguous(format!(
            "the first of {} only counts the rows; choose the column with the norms with --column \
             (a name, or a number from 1), or say --vectors if each row is a gradient",
            Columns(d)
        )));
    }
    let comma = table.separator == Separator::Char(',') && table.header.is_none();
    if options.shape.is_none() && d == 2 && comma && whole {
        return Err(Problem::Ambiguous(
            "has two columns of whole numbers, which may be norms with decimal commas; write 1.5 for 1,5, \
             or say --vectors if each row is a gradient of two entries"
                .to_owned(),
        ));
    }
    if pipe {
        return Err(Problem::Pipe("holds gradients, which are read twice"));
    }
    Ok(Contents::Rows(n, d))
}

/// Rows of numbers.
pub struct Table<R> {
    lines: Lines<R>,
    /// Lines that have been looked at, and not used.
    pending: VecDeque<(u64, String)>,
    separator: Separator,
    header: Option<Vec<String>>,
    columns: usize,
    /// The first line with columns, and the line of the newest row.
    first: u64,
    line: u64,
    /// The only column to read, from 0.
    selected: Option<usize>,
    /// Whether the newest row holds only digits and signs.
    whole: bool,
}

impl<R: BufRead> Table<R> {
    /// Looks at the first two lines.
    pub fn new(reader: R, options: &Options) -> Result<Self, Problem> {
        let mut lines = Lines::new(reader);
        let mut pending = VecDeque::new();
        while pending.len() < 2
            && let Some((line, text)) = lines.next()?
        {
            pending.push_back((line, text.to_owned()));
        }
        let Some((first, text)) = pending.front() else {
            let problem = "holds only blank lines and comments";
            return Err(Problem::Empty(problem.to_owned()));
        };
        let second = pending.get(1).map(|(_, text)| &text[..]);
        let separator = Separator::detect(text, second);
        let mut names = Vec::new();
        separator.split(*first, text, |name| {
            names.push(name.to_owned());
            Ok(())
        })?;
        if names == ["0"] && second.is_some_and(has_fraction) {
            return Err(Problem::Ambiguous(format!(
                "line {first}: '0' may be a norm, or the header that pandas writes; write header=False, or put \
                 a line with a name, such as noise_norm, above it"
            )));
        }
        let mut table = Table {
            first: *first,
            line: *first,
            columns: names.len(),
            header: is_header(&names, second.unwrap_or_default()).then_some(names),
            lines,
            pending,
            separator,
            selected: None,
            whole: true,
        };
        if table.header.is_some() {
            table.pending.pop_front();
        }
        table.selected = match &options.column {
            Some(name) => Some(table.find(name)?),
            None => None,
        };
        Ok(table)
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        match self.selected {
            Some(_) => 1,
            None => self.columns,
        }
    }

    /// Reads the next row; `false` at the end. Every number in it is finite.
    pub fn next(&mut self, row: &mut Vec<f64>) -> Result<bool, Problem> {
        row.clear();
        self.whole = true;
        let pending = self.pending.pop_front();
        let (line, text) = match &pending {
            Some((line, text)) => (*line, &text[..]),
            None => match self.lines.next()? {
                Some(line) => line,
                None => return Ok(false),
            },
        };
        self.line = line;
        let mut columns = 0;
        let mut wrong = None;
        self.separator.split(line, text, |field| {
            let column = columns;
            columns += 1;
            if self.selected.is_some_and(|selected| selected != column) || wrong.is_some() {
                return Ok(());
            }
            self.whole &= !field.contains(|c: char| !c.is_ascii_digit() && c != '-');
            match field.parse::<f64>() {
                Ok(x) if x.is_finite() => row.push(x),
                parsed => wrong = Some((column, field.to_owned(), parsed.is_ok())),
            }
            Ok(())
        })?;
        if columns != self.columns {
            return Err(Problem::Ragged {
                line,
                columns: Columns(columns),
                first: self.first,
                expected: Columns(self.columns),
                advice: match self.columns == 1 && self.separator == Separator::Char(',') {
                    true => "; with a decimal comma, write 1.5 for 1,5",
                    false => "; every line needs as many",
                },
            });
        }
        let Some((column, text, is_number)) = wrong else {
            return Ok(true);
        };
        let place = self.place(column);
        Err(match is_number {
            true => Problem::NotFinite {
                place,
                value: clean(&text),
            },
            false => Problem::NotANumber {
                place,
                advice: advice(&text),
                text: clean(&text),
            },
        })
    }

    /// Where the number with this index in the newest row stands.
    pub fn place(&self, column: usize) -> Place {
        let column = self.selected.unwrap_or(column);
        Place::Field {
            line: self.line,
            column: column + 1,
            name: self.header.as_ref().map(|names| names[column].clone()),
        }
    }

    fn empty(&self) -> Problem {
        Problem::Empty("holds a header and no numbers".to_owned())
    }

    /// The index of a column, by its name or else by its number from 1.
    fn find(&self, name: &str) -> Result<usize, Problem> {
        let names = self.header.as_deref().unwrap_or_default();
        let mut found = (0..names.len()).filter(|&i| names[i] == name);
        let number = name.parse().ok().filter(|i| (1..=self.columns).contains(i));
        match (found.next(), found.next(), number) {
            (Some(index), None, _) => return Ok(index),
            (None, _, Some(number)) => return Ok(number - 1),
            _ => {}
        }
        let columns = Columns(self.columns);
        Err(Problem::Name {
            what: match names.iter().any(|other| other == name) {
                true => "has several columns",
                false => "has no column",
            },
            name: name.to_owned(),
            known: match &self.header {
                Some(names) => format!("{columns}: {}", listed(names)),
                None => format!("{columns} and no header: give a number from 1"),
            },
        })
    }

    /// Several columns whose names do not count up (x0, x1, …) are hardly the entries of gradients.
    fn check_names(&self, options: &Options) -> Result<(), Problem> {
        match &self.header {
            Some(names) if options.shape.is_none() && !is_numbered(names) => {
                Err(Problem::Ambiguous(format!(
                    "has the columns {}; choose the one with the norms with --column NAME, or say --vectors \
                     if each row is a gradient",
                    listed(names)
                )))
            }
            _ => Ok(()),
        }
    }
}

fn advice(text: &str) -> &'static str {
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    match text {
        "" => "; every row needs a number in each column",
        _ if is_number(&text.replace(',', ".")) => "; with a decimal comma, write 1.5 for 1,5",
        _ if text.contains([',', ';', '\t']) => "; use the same separator in every line",
        _ => "; leave out missing values, and choose a column of numbers with --column",
    }
}
