//! Text cut into sentences by a rule.
//!
//! Next-sentence prediction cuts its segments at the ends of sentences. The original wants a file with one
//! sentence a line, and leaves the splitting to other tools; here the rule is built in:
//!
//! 1. A blank line ends a sentence. So does the end of a line, where more than half of the text's lines
//!    end as a sentence does: such a text has a sentence, a verse or a paragraph a line. In any other text
//!    a line end is a space, for the lines are only wrapped.
//! 2. Within a line, a sentence ends at a run of `.`, `?`, `!` or `…`, with the closing quotes and brackets
//!    after it, if white space follows and then, behind any opening quotes and brackets, a letter that is
//!    not lower case, or a digit. The wide `。`, `？`, `！` need nothing after them.
//! 3. A single `.` ends nothing after a title (`Mr.`), a month (`Sept.`), a single capital other than `I`
//!    (`John F. Kennedy`), single letters with stops between them (`U.S.`), or a word that announces a
//!    number that does follow (`No. 5`); nor where no letter stands before it (`1. The first`).
//!
//! So a sentence that ends in `U.S.` runs on into the next one. That is the cheaper of the two mistakes:
//! it makes a longer sentence, not two halves.

/// Marks that end a sentence if what follows fits.
const MARKS: [char; 4] = ['.', '?', '!', '…'];
/// Marks that always end a sentence.
const WIDE_MARKS: [char; 3] = ['。', '？', '！'];
/// Belongs to the sentence before it.
const CLOSERS: [char; 9] = ['"', '\'', '”', '’', ')', ']', '»', '」', '』'];
/// Belongs to the sentence after it.
const OPENERS: [char; 9] = ['"', '\'', '“', '‘', '(', '[', '«', '「', '『'];

/// In lower case; after them a stop is not an end.
const ABBREVIATIONS: [&str; 34] = [
    "mr", "mrs", "ms", "messrs", "dr", "prof", "st", "rev", "hon", "gen", "col", "maj", "capt",
    "lt", "sgt", "adm", "gov", "sen", "rep", "pres", "vs", "viz", "jan", "feb", "mar", "apr",
    "aug", "sept", "oct", "nov", "dec", "cf", "v", "brig",
];
/// In lower case; after them a stop is not an end where a digit follows.
const BEFORE_NUMBERS: [&str; 11] = [
    "no", "nos", "art", "sec", "fig", "vol", "ch", "p", "pp", "stat", "c",
];

/// The sentences of a text, in order: trimmed, none of them blank, everything else kept.
///
/// ```
/// let text = "Mr. Smith came. \"Why?\" asked\nAnn. He did not\nsay.";
/// let expected = ["Mr. Smith came.", "\"Why?\" asked\nAnn.", "He did not\nsay."];
/// assert_eq!(acclip_data::sentences(text), expected);
/// ```
pub fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    if has_a_sentence_a_line(text) {
        text.split('\n').for_each(|line| cut(line, &mut sentences));
    } else {
        paragraphs(text).for_each(|paragraph| cut(paragraph, &mut sentences));
    }
    sentences
}

/// Whether more than half of the lines that are not blank end with a mark.
fn has_a_sentence_a_line(text: &str) -> bool {
    let marks = [MARKS.as_slice(), &WIDE_MARKS].concat();
    let (mut lines, mut ends) = (0, 0);
    for line in text.split('\n').map(str::trim_end) {
        if !line.is_empty() {
            lines += 1;
            ends += usize::from(line.trim_end_matches(CLOSERS).ends_with(&marks[..]));
        }
    }
    2 * ends > lines
}

/// The runs of lines between blank lines.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            end += line.len();
            if line.trim().is_empty() {
                break;
            }
        }
        let paragraph;
        (paragraph, rest) = rest.split_at(end);
        Some(paragraph)
    })
}

/// Rules 2 and 3 on a text in which line ends are spaces.
fn cut<'a>(text: &'a str, sentences: &mut Vec<&'a str>) {
    let mut start = 0; // of the open sentence
    let mut seen = 0; // the end of the last run of marks
    for (i, mark) in text.char_indices() {
        let is_wide = WIDE_MARKS.contains(&mark);
        if i < seen || !(is_wide || MARKS.contains(&mark)) {
            continue;
        }
        let after_marks = text[i..].trim_start_matches(if is_wide {
            WIDE_MARKS.as_slice()
        } else {
            MARKS.as_slice()
        });
        seen = text.len() - after_marks.len();
        let after = after_marks.trim_start_matches(CLOSERS);
        let next = after.trim_start();
        let first = next.trim_start_matches(OPENERS).chars().next();
        let begins = next.len() < after.len()
            && first.is_some_and(|c| c.is_alphanumeric() && !c.is_lowercase());
        let single_stop = &text[i..seen] == ".";
        if is_wide || begins && !(single_stop && is_abbreviation(&text[start..i], first)) {
            let end = text.len() - after.len();
            sentences.push(text[start..end].trim());
            start = text.len() - next.len();
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        sentences.push(last);
    }
}

/// Rule 3: whether the stop after `sentence`, before the character `next`, belongs to its last word.
fn is_abbreviation(sentence: &str, next: Option<char>) -> bool {
    let word = sentence.rsplit(char::is_whitespace).next().unwrap_or("");
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_lowercase();
    let is_letter = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
    };
    let is_initial = is_letter(word) && word != "I" && word != lower;
    let has_inner_stops = word.contains('.') && word.split('.').all(is_letter);
    is_initial
        || has_inner_stops
        || ABBREVIATIONS.contains(&lower.as_str())
        || next.is_some_and(|c| c.is_ascii_digit()) && BEFORE_NUMBERS.contains(&lower.as_str())
        || !sentence.contains(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_end_a_sentence_before_a_capital_or_a_digit() {
        let text = "One two. Three? Four! 5 came… Six?! seven. eight .9 Ten";
        let expected = [
            "One two.",
            "Three?",
            "Four!",
            "5 came…",
            "Six?! seven. eight .9 Ten",
        ];
        assert_eq!(sentences(text), expected);
        assert_eq!(sentences("No space.Here"), ["No space.Here"]);
        assert_eq!(sentences("Él vino. Ésta no."), ["Él vino.", "Ésta no."]);
    }

    #[test]
    fn quotes_and_brackets_go_with_their_sentence() {
        let text = "He said: “Go.” ‘Why?’ (So I asked.) \"Because!\" 'Well.' [End.]";
        let expected = [
            "He said: “Go.”",
            "‘Why?’",
            "(So I asked.)",
            "\"Because!\"",
            "'Well.'",
            "[End.]",
        ];
        assert_eq!(sentences(text), expected);
        assert_eq!(sentences("“Go!” he said."), ["“Go!” he said."]);
    }

    #[test]
    fn abbreviations_and_initials_end_nothing() {
        for whole in [
            "Dr. Who met Mrs. Hall.",
            "On Sept. 11 it rained.",
            "John F. Kennedy spoke.",
            "The U.S. Senate met at 5 p.m. Monday.",
            "See No. 5 and (pp. 6 to 7).",
            "1. The first point.",
            "Built c. 1890, as in Roe v. Wade.",
            "The (Hon. Member) rose.",
        ] {
            assert_eq!(sentences(whole), [whole]);
        }
        assert_eq!(sentences("So do I. We go."), ["So do I.", "We go."]);
        assert_eq!(sentences("He said no. We go."), ["He said no.", "We go."]);
        assert_eq!(sentences("Plan b. We go."), ["Plan b.", "We go."]);
        // Only a single stop belongs to a word.
        assert_eq!(sentences("Mr.? We go."), ["Mr.?", "We go."]);
    }

    #[test]
    fn wrapped_lines_are_joined_and_blank_lines_are_not() {
        let text = "A Heading\n\nWrapped text goes\non. And\nthen it\nends.\n \t\nNew one\n";
        let expected = [
            "A Heading",
            "Wrapped text goes\non.",
            "And\nthen it\nends.",
            "New one",
        ];
        assert_eq!(sentences(text), expected);
    }

    /// Two lines of three end in a mark: each is its own. One of two: they are one sentence.
    #[test]
    fn lines_are_sentences_where_most_end_in_a_mark() {
        assert_eq!(
            sentences("first verse,\nsecond verse.\nthird. And 4.\n"),
            ["first verse,", "second verse.", "third.", "And 4."]
        );
        assert_eq!(
            sentences("first verse,\nsecond."),
            ["first verse,\nsecond."]
        );
        assert_eq!(
            sentences("“one.”\n(two)\n‘three?’"),
            ["“one.”", "(two)", "‘three?’"]
        );
    }

    #[test]
    fn wide_marks_need_no_space() {
        assert_eq!(
            sentences("他来了。“走！”她说？"),
            ["他来了。", "“走！”", "她说？"]
        );
    }

    #[test]
    fn nothing_gives_nothing_and_no_text_is_lost() {
        assert!(sentences("").is_empty());
        assert!(sentences(" \n\n\t").is_empty());
        assert_eq!(sentences("..."), ["..."]);
        let letters = |text: &str| -> String { text.split_whitespace().collect() };
        for text in [
            ". A",
            "A.\n\nB. C",
            "a. . B?? (C",
            "…\n…",
            "A.” ”B. é",
            "。。」X。",
        ] {
            let joined: String = sentences(text).concat();
            assert_eq!(letters(&joined), letters(text), "{text:?}");
            assert!(sentences(text).iter().all(|s| !s.trim().is_empty()));
        }
    }
}
