//! The header of NPY, a Python literal: `{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 64), }`.
//!
//! The three keys may stand in any order, and there are no others.

/// What the header of an NPY file says.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// As in `'<f4'`, without the quotes; `[` if it is a list of fields.
    pub descr: String,
    /// Whether the first axis varies fastest.
    pub fortran: bool,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
}

impl Header {
    /// Parses the literal; `None` if it is not what NumPy writes.
    pub fn parse(text: &str) -> Option<Header> {
        let mut literal = Literal(text);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        literal.token("{")?;
        while literal.token("}").is_none() {
            let key = literal.string()?;
            literal.token(":")?;
            match key {
                // What follows does not matter: such arrays are refused.
                "descr" if literal.token("[").is_some() => {
                    return Some(Header {
                        descr: "[".to_owned(),
                        fortran: false,
                        shape: Vec::new(),
                    });
                }
                "descr" => descr = Some(literal.string()?.to_owned()),
                "fortran_order" => fortran = Some(literal.boolean()?),
                "shape" => shape = Some(literal.integers()?),
                _ => return None,
            }
            if literal.token(",").is_none() {
                literal.token("}")?;
                break;
            }
        }
        literal.0.trim().is_empty().then_some(Header {
            descr: descr?,
            fortran: fortran?,
            shape: shape?,
        })
    }
}

/// The part of a Python literal that has not been read.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn token(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        self.0 = self.0.trim_start();
        let quote = self.0.chars().next().filter(|c| ['\'', '"'].contains(c))?;
        let (string, rest) = self.0[1..].split_once(quote)?;
        self.0 = rest;
        Some(string)
    }

    fn boolean(&mut self) -> Option<bool> {
        match self.token("True") {
            Some(()) => Some(true),
            None => self.token("False").map(|()| false),
        }
    }

    fn integers(&mut self) -> Option<Vec<usize>> {
        self.token("(")?;
        let (inside, rest) = self.0.split_once(')')?;
        self.0 = rest;
        // Python 2 wrote 3L for 3.
        let integer = |text: &str| text.trim().trim_end_matches('L').parse().ok();
        let inside = inside.trim();
        let inside = inside.strip_suffix(',').unwrap_or(inside);
        match inside {
            "" => Some(Vec::new()),
            _ => inside.split(',').map(integer).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let header = |descr: &str, fortran, shape: &[usize]| {
            Some(Header {
                descr: descr.to_owned(),
                fortran,
                shape: shape.to_vec(),
            })
        };
        let good = [
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n",
                header("<f4", false, &[3, 4]),
            ),
            (
                "{\"shape\":(3,),\"fortran_order\":True,\"descr\":\">f8\"}",
                header(">f8", true, &[3]),
            ),
            (
                "{'descr': '<i8', 'fortran_order': False, 'shape': (3L, 4L)}",
                header("<i8", false, &[3, 4]),
            ),
            (
                "{'descr': '<i8', 'fortran_order': False, 'shape': ()}",
                header("<i8", false, &[]),
            ),
            (
                "{'descr': [('a', '<f4')], 'fortran",
                header("[", false, &[]),
            ),
        ];
        for (text, expected) in good {
            assert_eq!(Header::parse(text), expected, "{text}");
        }
        for text in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f4' 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} 1",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'é': 1}",
        ] {
            assert_eq!(Header::parse(text), None, "{text}");
        }
    }
}
