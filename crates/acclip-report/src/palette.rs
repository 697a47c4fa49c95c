//! Which colour and which marker stand for a name.
//!
//! The colours are those of Okabe and Ito, which readers with any of the common forms of colour blindness can tell
//! apart, with one departure: their yellow is unreadable as a line on white, and is darkened on a light page.
//! Colour is never the only difference: a name also has a marker and a dash pattern of its own.
//!
//! Reference: M. Okabe and K. Ito, "Color Universal Design", 2002.

use std::collections::{BTreeMap, BTreeSet};

use crate::Figure;

/// One colour, on a light and on a dark page.
pub(crate) struct Swatch {
    /// Red, green, blue on a light page; the colour written into the SVG.
    pub light: (u8, u8, u8),
    /// CSS colour on a dark page.
    pub dark: &'static str,
}

const fn swatch(light: (u8, u8, u8), dark: &'static str) -> Swatch {
    Swatch { light, dark }
}

/// The colours in the order in which names get them.
pub(crate) const PALETTE: [Swatch; 8] = [
    swatch((0x00, 0x72, 0xB2), "#4aa8e0"), // blue
    swatch((0xD5, 0x5E, 0x00), "#f2813a"), // vermilion
    swatch((0x00, 0x9E, 0x73), "#2fc79b"), // bluish green
    swatch((0xCC, 0x79, 0xA7), "#e09ac2"), // reddish purple
    swatch((0x00, 0x00, 0x00), "#f2f2f2"), // black
    swatch((0xE6, 0x9F, 0x00), "#f5b942"), // orange
    swatch((0x56, 0xB4, 0xE9), "#9ad6f7"), // sky blue
    swatch((0x9A, 0x8B, 0x00), "#f0e442"), // yellow
];

/// How a name looks: indices of its colour in [`PALETTE`] and of its marker and dash pattern in [`crate::marker`] and [`crate::pen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub color: usize,
    pub marker: usize,
}

/// The looks of all names in a set of figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Looks(BTreeMap<String, Look>);

impl Looks {
    /// Gives every series name a look, in order of appearance. The first eight names get colours of their own; a
    /// later one reuses the first colour that no name has with which it shares a figure, as long as there is one.
    pub fn assign<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> Self {
        let mut order: Vec<&str> = Vec::new();
        let mut neighbours: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for figure in figures {
            let names: BTreeSet<&str> = figure
                .series
                .iter()
                .map(|series| series.name.as_str())
                .collect();
            for series in &figure.series {
                let name = series.name.as_str();
                if !neighbours.contains_key(name) {
                    order.push(name);
                }
                neighbours.entry(name).or_default().extend(&names);
            }
        }

        let mut looks = Self::default();
        for (i, &name) in order.iter().enumerate() {
            let taken: BTreeSet<usize> = neighbours[name]
                .iter()
                .filter_map(|other| looks.0.get(*other))
                .map(|look| look.color)
                .collect();
            let free = (0..PALETTE.len()).find(|color| !taken.contains(color));
            let color = if i < PALETTE.len() {
                i
            } else {
                free.unwrap_or(i % PALETTE.len())
            };
            looks.0.insert(
                name.to_owned(),
                Look {
                    color,
                    marker: color + i / PALETTE.len(),
                },
            );
        }
        looks
    }

    /// The look of a name; that of the first name if it was not among the figures.
    pub fn of(&self, name: &str) -> Look {
        self.0.get(name).copied().unwrap_or(Look {
            color: 0,
            marker: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Series};

    fn figure(names: &[&str]) -> Figure {
        Figure {
            title: String::new(),
            caption: String::new(),
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            series: names
                .iter()
                .map(|&name| Series::line(name, vec![(0.0, 0.0)]))
                .collect(),
        }
    }

    #[test]
    fn the_first_eight_names_have_eight_colours_and_markers() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let looks = Looks::assign([&figure(&names[..3]), &figure(&names)]);
        let colors: BTreeSet<usize> = names.iter().map(|name| looks.of(name).color).collect();
        let markers: BTreeSet<usize> = names.iter().map(|name| looks.of(name).marker % 8).collect();
        assert_eq!((colors.len(), markers.len()), (8, 8));
    }

    #[test]
    fn eight_names_have_eight_colours_even_if_they_never_meet() {
        let figures: Vec<Figure> = ["a", "b", "c", "d", "e", "f", "g", "h"]
            .map(|name| figure(&[name]))
            .into();
        let looks = Looks::assign(&figures);
        let colors: Vec<usize> = ["a", "b", "c", "d", "e", "f", "g", "h"]
            .map(|name| looks.of(name).color)
            .into();
        assert_eq!(colors, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_ninth_name_takes_a_colour_that_its_figure_does_not_use() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let looks = Looks::assign([&figure(&names), &figure(&["a", "b", "i", "j"])]);
        assert_eq!((looks.of("i").color, looks.of("j").color), (2, 3));
    }

    #[test]
    fn names_beyond_the_palette_differ_by_marker() {
        let names: Vec<String> = (0..20).map(|i| format!("name {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let looks = Looks::assign([&figure(&names)]);
        let pairs: BTreeSet<(usize, usize)> = names
            .iter()
            .map(|name| (looks.of(name).color, looks.of(name).marker % 8))
            .collect();
        assert_eq!(pairs.len(), 20);
    }
}
