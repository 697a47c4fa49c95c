//! Lines of text and their fields, with exact line numbers.
//!
//! Numbers need less than all of CSV, and errors need more: fields may be quoted, but a quoted field ends on
//! its line; blank lines and lines that begin with `#` are passed over; a byte-order mark and `\r\n` are
//! understood. (The crate `csv` counts lines wrongly after blank lines, comments and `\r\n`.)

use super::error::Problem;
use std::borrow::Cow;
use std::io::{BufRead, Read};

/// Longer lines are refused: they would have to be held in memory.
const MAX_LINE: u64 = 1 << 30;

/// The lines that hold something.
pub struct Lines<R> {
    reader: R,
    number: u64,
    bytes: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// From the start of a text.
    pub fn new(reader: R) -> Self {
        Lines {
            reader,
            number: 0,
            bytes: Vec::new(),
        }
    }

    /// The next line and its number, from 1; without its end, and without blanks around it.
    pub fn next(&mut self) -> Result<Option<(u64, &str)>, Problem> {
        loop {
            self.bytes.clear();
            let mut line = (&mut self.reader).take(MAX_LINE);
            line.read_until(b'\n', &mut self.bytes)
                .map_err(Problem::io("read"))?;
            if self.bytes.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let line = self.number;
            if self.bytes.len() as u64 == MAX_LINE {
                let what = "is longer than 1 GiB; save the numbers as NPY or safetensors";
                return Err(Problem::Line { line, what });
            }
            if line == 1 && self.bytes.starts_with(b"\xef\xbb\xbf") {
                self.bytes.drain(..3);
            }
            let start = self.bytes.trim_ascii_start();
            if !start.is_empty() && start[0] != b'#' {
                break;
            }
        }
        let line = self.number;
        let text = std::str::from_utf8(&self.bytes).map_err(|_| Problem::NotUtf8 { line })?;
        // Not tabs: between two of them, or behind one, there may be an empty field.
        Ok(Some((line, text.trim_matches([' ', '\r', '\n']))))
    }
}

/// What stands between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `,`, `;` or a tab.
    Char(char),
    /// One or more blanks, as `numpy.savetxt` writes.
    Blanks,
    /// Nothing: one field a line, blanks and all.
    Nothing,
}

impl Separator {
    /// From the first line, and the second if there is one: blanks separate only if they do so in the
    /// second, since the first may be the name `noise norm`.
    pub fn detect(first: &str, second: Option<&str>) -> Separator {
        let body = second.unwrap_or(first);
        let chars = [';', '\t', ','];
        let found = |line: &str| chars.into_iter().find(|&c| line.contains(c));
        match found(body).or_else(|| found(first)) {
            Some(c) => Separator::Char(c),
            None if body.contains(' ') => Separator::Blanks,
            None => Separator::Nothing,
        }
    }

    fn is(self, c: char) -> bool {
        match self {
            Separator::Char(separator) => c == separator,
            Separator::Blanks => c == ' ',
            Separator::Nothing => false,
        }
    }

    /// Gives each field, without quotes and blanks around it, to `each`.
    pub fn split(
        self,
        line: u64,
        text: &str,
        mut each: impl FnMut(&str) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(' ');
            let (field, after) = match rest.strip_prefix('"') {
                Some(quoted) => unquote(quoted).ok_or(Problem::Line {
                    line,
                    what: "a quote is opened and not closed on the line; numbers need no quotes",
                })?,
                None => {
                    let end = rest.find(|c| self.is(c)).unwrap_or(rest.len());
                    (Cow::from(rest[..end].trim()), &rest[end..])
                }
            };
            each(&field)?;
            // Blanks may also stand around the separator.
            let next = after.trim_start_matches(' ');
            rest = match next.chars().next() {
                None => return Ok(()),
                Some(c) if self.is(c) => &next[c.len_utf8()..],
                Some(_) if self == Separator::Blanks && next.len() < after.len() => next,
                Some(_) => {
                    let what = "something stands between a closing quote and the next separator";
                    return Err(Problem::Line { line, what });
                }
            };
        }
    }
}

/// What stands before the closing quote, with `""` for a quote, and what behind it.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut field = Cow::from("");
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        field += part;
        match after.strip_prefix('"') {
            Some(after) => {
                field += "\"";
                rest = after;
            }
            None => return Some((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(separator: Separator, text: &str) -> Result<Vec<String>, String> {
        let mut fields = Vec::new();
        let each = |field: &str| {
            fields.push(field.to_owned());
            Ok(())
        };
        let done = separator.split(1, text, each);
        done.map(|()| fields).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_numbered_as_in_the_file() {
        for end in ["\n", "\r\n"] {
            let text = "\u{feff}a\n\n  \n# c\n 1 \n  #\n\t\n2\t\n3".replace('\n', end);
            let mut lines = Lines::new(text.as_bytes());
            for expected in [(1, "a"), (5, "1"), (8, "2\t"), (9, "3")] {
                assert_eq!(lines.next().unwrap(), Some(expected));
            }
            assert!(lines.next().unwrap().is_none());
            assert!(lines.next().unwrap().is_none());
        }
        let mut lines = Lines::new(&b"1\n\xff\n"[..]);
        lines.next().unwrap();
        let error = lines.next().unwrap_err().to_string();
        assert_eq!(error, "line 2 is not UTF-8 text; save the file as UTF-8");
    }

    #[test]
    fn separators() {
        use Separator::{Blanks, Char, Nothing};
        for (first, second, expected) in [
            ("1", None, Nothing),
            ("noise norm", Some("1.5"), Nothing),
            ("noise norm", Some("1.5 2"), Blanks),
            ("a, b", Some("1, 2"), Char(',')),
            ("a,b", Some("1"), Char(',')),
            ("1,5;2", None, Char(';')),
            ("1,5\t2", Some("1,5\t2"), Char('\t')),
            ("1", Some("1,2"), Char(',')),
        ] {
            assert_eq!(Separator::detect(first, second), expected, "{first}");
        }
    }

    #[test]
    fn fields_of_a_line() {
        use Separator::{Blanks, Char, Nothing};
        for (separator, text, expected) in [
            (Char(','), "1, 2 ,3", vec!["1", "2", "3"]),
            (Char(','), "1,,", vec!["1", "", ""]),
            (Char(','), "\"a,\"\"b\" , \"2\"", vec!["a,\"b", "2"]),
            (Char(','), "\"\",é,\"é\"", vec!["", "é", "é"]),
            (Char('\t'), "1\t\t2 \t", vec!["1", "", "2", ""]),
            (Blanks, "1   2  3", vec!["1", "2", "3"]),
            (
                Blanks,
                "\"noise norm\"  \"b\" 3",
                vec!["noise norm", "b", "3"],
            ),
            (Nothing, "noise norm", vec!["noise norm"]),
            (Nothing, "\"noise norm\"", vec!["noise norm"]),
        ] {
            assert_eq!(fields(separator, text).unwrap(), expected, "{text}");
        }
        for (separator, text) in [
            (Char(','), "\"1"),
            (Char(','), "\"1\"2,3"),
            (Blanks, "\"1\"2 3"),
            (Nothing, "\"1\" 2"),
            (Char(','), "1,\"2\"\""),
        ] {
            assert!(fields(separator, text).is_err(), "{text}");
        }
    }
}
