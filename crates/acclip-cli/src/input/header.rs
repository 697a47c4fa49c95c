//! Whether the first line of a CSV file is a header.
//!
//! It is if it holds a name, and beside names only whole numbers and empty fields; or, since pandas writes
//! such, if it counts 0, 1, 2, … (after an empty field, or above a line with fractions). So a first line of
//! numbers with a slip of the pen is no header, but an error.

/// Whether these fields, above this line, are a header.
pub fn is_header(fields: &[String], second: &str) -> bool {
    let (index, labels) = match fields.split_first() {
        Some((first, labels)) if first.is_empty() => (true, labels),
        _ => (false, fields),
    };
    let counts = labels.len() > 1 - usize::from(index)
        && (0..).zip(labels).all(|(i, label)| *label == i.to_string());
    let is_whole = |field: &String| field.parse::<u64>().is_ok();
    let fit = |field: &String| field.is_empty() || is_whole(field) || is_name(field);
    counts && (index || has_fraction(second))
        || fields.iter().all(fit) && fields.iter().any(|field| is_name(field))
}

/// Whether a line holds a number that is not whole.
pub fn has_fraction(line: &str) -> bool {
    line.contains(['.', 'e', 'E'])
}

/// Not a number, nor meant as one, nor a word for a missing value.
fn is_name(field: &str) -> bool {
    let missing = ["na", "n/a", "null", "none", "missing"];
    !(field.is_empty()
        || field.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        || field.parse::<f64>().is_ok()
        || missing.contains(&&field.to_ascii_lowercase()[..]))
}

/// Whether the names are a common word with numbers that count up.
pub fn is_numbered(names: &[String]) -> bool {
    let word = names[0].trim_end_matches(|c: char| c.is_ascii_digit());
    let number = |name: &String| name.strip_prefix(word)?.parse::<u64>().ok();
    let start = number(&names[0]);
    (0..)
        .zip(names)
        .all(|(i, name)| number(name).is_some() && number(name) == start.map(|s| s + i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        for (first, second, expected) in [
            ("norm", "1", true),
            ("a,b,7", "1,2,3", true),
            (",x", "a,1", true),
            (",0,1", "0,2,3", true),
            ("0,1", "0.5,1.5", true),
            ("0,1", "2,3", false),
            ("1,2", "0.5,1.5", false),
            (",1", "0.5,1.5", false),
            ("0", "0.5", false),
            ("norm,1.5", "1,2", false),
            ("norm,-1", "1,2", false),
            ("1.5,,2", "1,2,3", false),
            ("NaN", "1", false),
            ("n/a", "1", false),
            ("inf,-Infinity", "1,1", false),
            ("+a", "1", false),
            ("", "1", false),
        ] {
            let fields: Vec<String> = first.split(',').map(str::to_owned).collect();
            assert_eq!(is_header(&fields, second), expected, "{first}");
        }
    }

    #[test]
    fn names_that_count_up() {
        for (names, expected) in [
            ("g0,g1,g2", true),
            ("g7,g8", true),
            ("0,1", true),
            ("a1", true),
            ("a", false),
            ("a,b", false),
            ("g0,g2", false),
            ("g0,h1", false),
            (",0", false),
        ] {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            assert_eq!(is_numbered(&names), expected, "{names:?}");
        }
    }
}
