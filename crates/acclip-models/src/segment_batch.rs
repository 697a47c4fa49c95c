//! A batch of segments for language modelling, and what a model remembers between them.

use crate::{Error, Real, TransformerXlConfig};

/// B segments of T tokens, row-major. Row b continues row b of the batch before.
#[derive(Debug, Clone, Copy)]
pub struct SegmentBatch<'a> {
    /// Number of segments, B.
    pub batch: usize,
    /// Tokens in each, T.
    pub length: usize,
    /// The tokens, (B, T).
    pub tokens: &'a [u32],
    /// The token after each, (B, T).
    pub targets: &'a [u32],
}

impl SegmentBatch<'_> {
    /// Refuses a batch that does not fit a model of `config`, naming the argument.
    pub(crate) fn check(&self, config: &TransformerXlConfig) -> Result<(), Error> {
        let places = self.batch.checked_mul(self.length);
        let wrong = |what, problem| Err(Error::Shape { what, problem });
        if self.batch == 0 || self.length == 0 {
            let problem = format!("{} × {} positions: none", self.batch, self.length);
            return wrong("length", problem);
        }
        for (what, ids) in [("tokens", self.tokens), ("targets", self.targets)] {
            if Some(ids.len()) != places {
                let (found, b, t) = (ids.len(), self.batch, self.length);
                return wrong(what, format!("{found} ids for {b} × {t} positions"));
            }
            if let Some(at) = ids.iter().position(|&id| id as usize >= config.vocab_size) {
                let (id, v) = (ids[at], config.vocab_size);
                return wrong(
                    what,
                    format!("id {id} at place {at}, but there are {v} tokens"),
                );
            }
        }
        Ok(())
    }
}

/// The hidden states of the last M positions, as they enter each block: what a segment's attention sees beyond the
/// segment. M grows with each segment up to the configured length. No gradient flows into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory<F> {
    /// B, M and H.
    shape: [usize; 3],
    /// (B, M, H) of each block; none where nothing is remembered.
    layers: Vec<Vec<F>>,
}

impl<F> Default for Memory<F> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<F> Memory<F> {
    /// What there is before the first segment: nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            shape: [0; 3],
            layers: Vec::new(),
        }
    }

    /// Positions that are remembered, M.
    #[must_use]
    pub fn length(&self) -> usize {
        self.shape[1]
    }

    /// (B, M, H) of the hidden states that entered block `i`.
    pub(crate) fn layer(&self, i: usize) -> &[F] {
        self.layers.get(i).map_or(&[], |layer| layer)
    }
}

impl<F: Real> Memory<F> {
    /// As arrays with names and shapes, for a checkpoint: `memory.0`, `memory.1`, and so on, each (B, M, H). An empty
    /// memory has none.
    #[must_use]
    pub fn to_arrays(&self) -> Vec<(String, Vec<usize>, Vec<F>)> {
        let layers = self.layers.iter().enumerate();
        let array = |(i, layer): (usize, &Vec<F>)| {
            (format!("memory.{i}"), self.shape.to_vec(), layer.clone())
        };
        layers.map(array).collect()
    }

    /// The memory of which these are the arrays.
    ///
    /// # Errors
    /// [`Error::Shape`] if they are not `memory.0`, `memory.1`, and so on, in whatever order, all of one shape
    /// (B, M, H) that their numbers fill.
    pub fn from_arrays(mut arrays: Vec<(String, Vec<usize>, Vec<F>)>) -> Result<Self, Error> {
        let mut memory = Self::empty();
        // A file has them by name, memory.10 before memory.2.
        let place = |name: &str| {
            name.strip_prefix("memory.")
                .and_then(|i| i.parse::<usize>().ok())
        };
        arrays.sort_by_key(|(name, ..)| place(name));
        for (i, (name, shape, values)) in arrays.into_iter().enumerate() {
            let wrong = |problem| {
                Err(Error::Shape {
                    what: "memory",
                    problem,
                })
            };
            if name != format!("memory.{i}") {
                return wrong(format!("array '{name}' where memory.{i} should be"));
            }
            let Ok(sizes) = <[usize; 3]>::try_from(&shape[..]) else {
                return wrong(format!("{name} has shape {shape:?}, not three sizes"));
            };
            if i > 0 && sizes != memory.shape {
                return wrong(format!(
                    "{name} has shape {sizes:?}, not {:?}",
                    memory.shape
                ));
            }
            let size = sizes.iter().try_fold(1, |n: usize, s| n.checked_mul(*s));
            if size != Some(values.len()) || values.is_empty() {
                return wrong(format!("{name} has {} numbers for {shape:?}", values.len()));
            }
            memory.shape = sizes;
            memory.layers.push(values);
        }
        Ok(memory)
    }

    /// The memory after a segment: of each block, the last `most` positions of these and of those that entered it now,
    /// `states` (B, T, H).
    pub(crate) fn after(&self, states: Vec<Vec<F>>, [b, t, h]: [usize; 3], most: usize) -> Self {
        let before = self.length();
        let length = (before + t).min(most);
        if length == 0 {
            return Self::empty();
        }
        let (new, old) = (t.min(length), length - t.min(length));
        let layer = |(i, states): (usize, Vec<F>)| {
            let mut layer = Vec::with_capacity(b * length * h);
            for row in 0..b {
                if old > 0 {
                    let kept = &self.layer(i)[row * before * h..(row + 1) * before * h];
                    layer.extend_from_slice(&kept[(before - old) * h..]);
                }
                let states = &states[row * t * h..(row + 1) * t * h];
                layer.extend_from_slice(&states[(t - new) * h..]);
            }
            layer
        };
        Self {
            shape: [b, length, h],
            layers: states.into_iter().enumerate().map(layer).collect(),
        }
    }

    /// Refuses a memory that is not one of a model of `config` with `batch` rows.
    pub(crate) fn check(&self, config: &TransformerXlConfig, batch: usize) -> Result<(), Error> {
        let [b, m, h] = self.shape;
        let fits = (b, h, self.layers.len()) == (batch, config.hidden, config.layers);
        match self.layers.is_empty() || (fits && m <= config.memory_len) {
            true => Ok(()),
            false => Err(Error::Shape {
                what: "memory",
                problem: format!(
                    "{} layers of {b} × {m} × {h}; this model and batch have {} of {batch} × up to {} × {}",
                    self.layers.len(),
                    config.layers,
                    config.memory_len,
                    config.hidden
                ),
            }),
        }
    }
}
