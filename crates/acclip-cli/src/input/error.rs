//! What can be wrong with a file of noise: each message says what, where, and what to do.

use std::fmt;
use std::path::PathBuf;

/// A file that could not be read as a sample of noise.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", shown(.path))]
pub struct InputError {
    /// The file; `-` is the standard input.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: Problem,
}

fn shown(path: &std::path::Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// There is no such file.
    #[error("there is no such file; check the name, and the folder that you are in")]
    NotFound,
    /// A folder.
    #[error("is a folder; name the CSV, NPY or safetensors file in it")]
    Directory,
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// No numbers.
    #[error("{0}; a sample needs at least one number")]
    Empty(String),
    /// Neither CSV nor NPY nor safetensors.
    #[error("{0}; the formats are CSV text, NPY (numpy.save) and safetensors")]
    UnknownFormat(&'static str),
    /// Text in another encoding.
    #[error("line {line} is not UTF-8 text; save the file as UTF-8")]
    NotUtf8 {
        /// From 1.
        line: u64,
    },
    /// A field that is no number.
    #[error("{place}: '{text}' is not a number{advice}")]
    NotANumber {
        /// Where it stands.
        place: Place,
        /// The field, cut if it is long.
        text: String,
        /// What to do, with its semicolon.
        advice: &'static str,
    },
    /// NaN or an infinity.
    #[error(
        "{place}: {value} is not finite; leave such values out, and find out which batch they come from"
    )]
    NotFinite {
        /// Where it stands.
        place: Place,
        /// NaN, an infinity, or the text that is too large for f64.
        value: String,
    },
    /// A norm below zero.
    #[error(
        "{place}: {value} is negative, and a norm cannot be; if these are gradients of a single \
         parameter and not norms, say --vectors"
    )]
    Negative {
        /// Where it stands.
        place: Place,
        /// The number.
        value: f64,
    },
    /// A line with another number of columns.
    #[error("line {line} has {columns}, line {first} has {expected}{advice}")]
    Ragged {
        /// From 1.
        line: u64,
        /// How many columns it has.
        columns: Columns,
        /// The first line with columns, from 1.
        first: u64,
        /// How many columns that has.
        expected: Columns,
        /// What to do, with its semicolon.
        advice: &'static str,
    },
    /// A line of text that cannot be divided into fields.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// Numbers that may mean two things.
    #[error("{0}")]
    Ambiguous(String),
    /// Numbers that cannot be what was asked for.
    #[error("{0}")]
    Unfit(String),
    /// No column or tensor of that name, or two.
    #[error("{what} '{name}'; it has {known}")]
    Name {
        /// `no column` and the like.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A file that breaks its own format.
    #[error("is not a valid {format} file: {problem}; write it again")]
    Broken {
        /// `NPY` or `safetensors`.
        format: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Numbers of a type that is not read.
    #[error("{array}holds {dtype}; {advice}")]
    Dtype {
        /// `tensor 'x' ` or nothing.
        array: String,
        /// The type, in words where we know it.
        dtype: String,
        /// What to do.
        advice: &'static str,
    },
    /// A file that ends too early, or too late.
    #[error("its header promises {promised} bytes, and the file has {found}; {advice}")]
    Size {
        /// Header and data, in bytes.
        promised: u64,
        /// Size of the file.
        found: u64,
        /// What to do.
        advice: &'static str,
    },
    /// Tensors with different first axes.
    #[error(
        "tensor '{first}' has {n} rows and tensor '{other}' has {m}; as layers of the same n gradients \
         they need the same first axis: choose one tensor with --column NAME, or save the others elsewhere"
    )]
    Lengths {
        /// A tensor.
        first: String,
        /// Its rows.
        n: u64,
        /// Another tensor.
        other: String,
        /// Its rows.
        m: u64,
    },
    /// A pipe can be read only once.
    #[error("{0}; a pipe gives only norms as CSV: save it as a file and name that")]
    Pipe(&'static str),
    /// The file is not what it was when it was first read.
    #[error("has changed while it was being read; wait until whatever writes it is done")]
    Changed,
    /// The system has not enough memory.
    #[error("needs {bytes} bytes of memory, which the system refuses{advice}")]
    Memory {
        /// How many bytes.
        bytes: u64,
        /// What to do, with its semicolon.
        advice: &'static str,
    },
}

impl Problem {
    /// For `map_err` on a file operation.
    pub(super) fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> Problem {
        move |source| match source.kind() {
            // The size was checked, so whoever wrote the file has cut it since.
            std::io::ErrorKind::UnexpectedEof => Problem::Changed,
            _ => Problem::Io { action, source },
        }
    }

    pub(super) fn broken(format: &'static str, problem: impl Into<String>) -> Problem {
        let problem = problem.into();
        Problem::Broken { format, problem }
    }
}

/// Text from a file for a message: cut if it is long, without control characters.
pub(super) fn clean(text: &str) -> String {
    const SHOWN: usize = 60;
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(visible).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Where a number stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In text; both count from 1.
    Field {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// The name of the column, if there is a header.
        name: Option<String>,
    },
    /// In an array; both count from 0, as in Python.
    Entry {
        /// The name of the tensor, if it has one.
        tensor: Option<String>,
        /// Index along the first axis.
        row: u64,
        /// Index in the row, flattened; `None` for a list of norms.
        entry: Option<usize>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Place::Field { line, column, name } => {
                write!(f, "line {line}, column {column}")?;
                (name.iter()).try_for_each(|name| write!(f, " ('{}')", clean(name)))
            }
            Place::Entry { tensor, row, entry } => {
                if let Some(name) = tensor {
                    write!(f, "tensor '{}', ", clean(name))?;
                }
                write!(f, "index {row}")?;
                (entry.iter()).try_for_each(|entry| write!(f, " of the first axis, entry {entry}"))
            }
        }
    }
}

/// A number of columns, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns(pub usize);

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} column{plural}", self.0)
    }
}
