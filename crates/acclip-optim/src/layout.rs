//! Where each block of parameters lies in the flat buffer.
//!
//! All parameters of a model stand back to back in one buffer, and gradient and state stand in
//! buffers of the same length. A [`Layout`] is the table beside them: name, shape and position of
//! each block, and what is particular to it: decay, learning-rate scale, frozen or not. Most rules
//! see plain coordinates; norms of single blocks are the exception.

use std::collections::HashSet;
use std::ops::Range;

use crate::Error;

/// One parameter tensor, and how it is treated: the fields after `shape` make parameter groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Name, unique within a layout.
    pub name: String,
    /// Shape; the block has as many coordinates as the product of its entries (one if empty).
    pub shape: Vec<usize>,
    /// Whether the optimizer's weight decay, `l2` or decoupled, acts on this block (usually not on
    /// biases and LayerNorm).
    pub decay: bool,
    /// Factor of the learning rate on this block; 1 unless set.
    pub learning_rate_scale: f64,
    /// Whether this block stays as it is: it does not move, its slots stay zero, and its gradient
    /// enters no norm.
    pub frozen: bool,
    /// Coefficient of L2 decay on this block, instead of what `decay` says.
    pub l2: Option<f64>,
    /// Coefficient of decoupled weight decay on this block, instead of what `decay` says.
    pub weight_decay: Option<f64>,
}

impl Block {
    /// A block of this name and shape, with learning-rate scale 1, not frozen.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, decay: bool) -> Self {
        Block {
            name: name.into(),
            shape: shape.into(),
            decay,
            learning_rate_scale: 1.0,
            frozen: false,
            l2: None,
            weight_decay: None,
        }
    }

    /// The coefficient of decay here: `own`, one of the two above, or the optimizer's.
    pub(crate) fn decay_by(&self, own: Option<f64>, optimizer: f64) -> f64 {
        own.unwrap_or(if self.decay { optimizer } else { 0.0 })
    }

    fn check(&self) -> Result<(), Error> {
        let not_negative = |x: f64| (0.0..f64::INFINITY).contains(&x);
        for (field, value) in [
            ("learning_rate_scale", Some(self.learning_rate_scale)),
            ("l2", self.l2),
            ("weight_decay", self.weight_decay),
        ] {
            if let Some(value) = value.filter(|&value| !not_negative(value)) {
                let block = self.name.clone();
                return Err(Error::Block {
                    block,
                    field,
                    value,
                });
            }
        }
        Ok(())
    }
}

/// Blocks, back to back, in one flat buffer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    blocks: Vec<(Block, Range<usize>)>,
    len: usize,
}

impl Layout {
    /// Lays the blocks out in the order given.
    ///
    /// # Errors
    /// [`Error::DuplicateBlock`] if two blocks share a name, [`Error::LayoutTooLarge`] if the
    /// number of coordinates overflows, [`Error::Block`] if a factor is negative or not finite.
    pub fn new(blocks: Vec<Block>) -> Result<Self, Error> {
        let mut layout = Layout::default();
        let mut names = HashSet::new();
        for block in blocks {
            block.check()?;
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

    /// The block of this number.
    pub(crate) fn block(&self, number: usize) -> &Block {
        &self.blocks[number].0
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Number of coordinates that are not frozen.
    pub fn trainable(&self) -> usize {
        let blocks = self.blocks().filter(|(block, _)| !block.frozen);
        blocks.map(|(_, range)| range.len()).sum()
    }

    /// The flat buffer cut into pieces of at most `size` coordinates, each within one block: number
    /// of the block and range. The cut depends on nothing but the layout and `size`.
    pub(crate) fn chunks(&self, size: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let blocks = self.blocks.iter().enumerate();
        blocks.flat_map(move |(number, (_, range))| {
            let end = range.end;
            let starts = range.clone().step_by(size);
            starts.map(move |start| (number, start..end.min(start + size)))
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
            [(0, 0..5), (0, 5..10), (0, 10..12), (1, 12..13), (3, 13..17)]
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
