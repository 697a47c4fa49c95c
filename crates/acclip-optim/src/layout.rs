//! Where each block of parameters lies in the flat buffer.
//!
//! All parameters of a model stand back to back in one buffer, and gradient and state stand in
//! buffers of the same length. A [`Layout`] is the table beside them: name, shape and position of
//! each block. Only weight decay and error messages look at it; the rules see plain coordinates.

use std::collections::HashSet;
use std::ops::Range;

use crate::Error;

/// One parameter tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Name, unique within a layout.
    pub name: String,
    /// Shape; the block has as many coordinates as the product of its entries (one if empty).
    pub shape: Vec<usize>,
    /// Whether weight decay acts on this block (usually not on biases and LayerNorm).
    pub decay: bool,
}

impl Block {
    /// A block of this name and shape.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, decay: bool) -> Self {
        Block {
            name: name.into(),
            shape: shape.into(),
            decay,
        }
    }
}

/// Blocks, back to back, in one flat buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    blocks: Vec<(Block, Range<usize>)>,
    len: usize,
}

impl Layout {
    /// Lays the blocks out in the order given.
    ///
    /// # Errors
    /// [`Error::DuplicateBlock`] if two blocks share a name, [`Error::LayoutTooLarge`] if the
    /// number of coordinates overflows.
    pub fn new(blocks: Vec<Block>) -> Result<Self, Error> {
        let mut layout = Layout::default();
        let mut names = HashSet::new();
        for block in blocks {
            let end = (block.shape.iter())
                .try_fold(1, |n: usize, &side| n.checked_mul(side))
                .and_then(|n| layout.len.checked_add(n))
                .ok_or_else(|| Error::LayoutTooLarge {
                    name: block.name.clone(),
                })?;
            if !names.insert(block.name.clone()) {
                return Err(Error::DuplicateBlock { name: block.name });
            }
            layout.blocks.push((block, layout.len..end));
            layout.len = end;
        }
        Ok(layout)
    }

    /// Number of coordinates.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no coordinates.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The blocks, each with its range in the flat buffer.
    pub fn blocks(&self) -> impl Iterator<Item = (&Block, Range<usize>)> {
        self.blocks
            .iter()
            .map(|(block, range)| (block, range.clone()))
    }

    /// The flat buffer cut into pieces of at most `size` coordinates, each within one block:
    /// length and whether to decay. The cut depends on nothing but the layout and `size`.
    pub(crate) fn chunks(&self, size: usize) -> impl Iterator<Item = (usize, bool)> {
        self.blocks().flat_map(move |(block, range)| {
            let decay = block.decay;
            let end = range.end;
            range
                .step_by(size)
                .map(move |start| (size.min(end - start), decay))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stand_back_to_back() {
        let layout = Layout::new(vec![
            Block::new("weight", [3, 4], true),
            Block::new("scale", [], false),
            Block::new("none", [5, 0], true),
            Block::new("bias", [4], false),
        ])
        .unwrap();
        let ranges: Vec<_> = layout.blocks().map(|(b, r)| (b.name.as_str(), r)).collect();
        assert_eq!(
            ranges,
            [
                ("weight", 0..12),
                ("scale", 12..13),
                ("none", 13..13),
                ("bias", 13..17)
            ]
        );
        assert_eq!(layout.len(), 17);
        let chunks: Vec<_> = layout.chunks(5).collect();
        assert_eq!(
            chunks,
            [(5, true), (5, true), (2, true), (1, false), (4, false)]
        );
    }

    #[test]
    fn bad_layouts_are_refused() {
        let twice = vec![Block::new("w", [1], true), Block::new("w", [2], true)];
        assert_eq!(
            Layout::new(twice),
            Err(Error::DuplicateBlock { name: "w".into() })
        );
        let huge = vec![Block::new("w", [usize::MAX, 2], true)];
        assert_eq!(
            Layout::new(huge),
            Err(Error::LayoutTooLarge { name: "w".into() })
        );
        let sum = vec![
            Block::new("a", [usize::MAX], true),
            Block::new("b", [1], true),
        ];
        assert_eq!(
            Layout::new(sum),
            Err(Error::LayoutTooLarge { name: "b".into() })
        );
    }
}
