//! Text: what may stand in markup, and how wide it is.

/// Canvas units a CSS pixel: plotters counts in whole units, and a pixel would be too coarse.
pub(crate) const UNIT: i32 = 10;

/// Type size, in canvas units.
pub(crate) const TYPE: i32 = 14 * UNIT;

/// Text without the characters that neither HTML nor XML can hold.
pub(crate) fn plain(text: &str) -> String {
    let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if allowed(c) { c } else { '\u{FFFD}' })
        .collect()
}

/// Text as it may stand between tags or in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// About how wide a text is, in canvas units: on the wide side, since the reader's font is not known here.
pub(crate) fn text_width(text: &str) -> i32 {
    text.chars().map(advance).fold(0, i32::saturating_add)
}

fn advance(c: char) -> i32 {
    let percent = match c {
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '('
        | ')' | ' ' | '·' => 38,
        '⁻' | '⁰' | '¹' | '²' | '³' | '⁴' | '⁵' | '⁶' | '⁷' | '⁸' | '⁹' => 42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 95,
        'A'..='Z' | '−' | '+' | '=' => 72,
        _ if c.is_ascii() => 60,
        _ => 100,
    };
    TYPE * percent / 100
}

/// The text, cut to about `width` canvas units.
pub(crate) fn fitted(text: &str, width: i32) -> String {
    let text = plain(text);
    if text_width(&text) <= width {
        return text;
    }
    let mut left = width - advance('…');
    let fits = |c: &char| {
        left -= advance(*c);
        left >= 0
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_defused() {
        assert_eq!(
            escape("<a href='x'>&\"</a>"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;"
        );
        assert_eq!(plain("a\u{0}b\u{1b}c\nd\te"), "a\u{FFFD}b\u{FFFD}c\nd\te");
    }

    #[test]
    fn a_text_is_cut_to_its_room_and_not_before() {
        let room = text_width("ACClip");
        assert_eq!(fitted("ACClip", room), "ACClip");
        let cut = fitted("ACClip, normalized", room);
        assert!(cut.ends_with('…') && text_width(&cut) <= room, "{cut}");
        assert_eq!(fitted("ACClip", 0), "…");
        assert!(text_width(&"w".repeat(100_000_000)) > 0);
    }
}
