//! One pass over a BERT, in the operations of [`crate::ops`]: the encoder, and what each head makes of it.

use crate::by_example::Groups;
use crate::masked_batch::Sequences;
use crate::ops::{self, Heads, Table};
use crate::weights::Weights;
use crate::{BertConfig, Input, Real};
use acclip_kernels::Dropout;
use acclip_kernels::attention::Shape;
use burn::tensor::Tensor;
use std::sync::Arc;

const WORDS: &str = "bert.embeddings.word_embeddings.weight";
const POSITIONS: &str = "bert.embeddings.position_embeddings.weight";
const SEGMENTS: &str = "bert.embeddings.token_type_embeddings.weight";

/// One pass. A clone is the same pass.
#[derive(Clone)]
pub(crate) struct Pass<F> {
    pub weights: Weights<F>,
    config: BertConfig,
    heads: Heads,
    /// Of the dropout masks.
    key: Option<u64>,
    recompute: bool,
}

impl<F: Real> Pass<F> {
    pub fn new(
        config: &BertConfig,
        weights: Weights<F>,
        sequences: &Sequences<F>,
        key: Option<u64>,
        recompute: bool,
    ) -> Self {
        Self {
            weights,
            heads: Heads {
                shape: Shape {
                    batch: sequences.batch,
                    length: sequences.length,
                    heads: config.heads,
                    width: config.hidden / config.heads,
                },
                real: sequences.real.into(),
            },
            key: key.filter(|_| config.dropout > 0.0),
            config: config.clone(),
            recompute,
        }
    }

    /// (B·T, H): the last hidden states.
    pub fn encode(&self, sequences: &Sequences<F>) -> Tensor<2> {
        let mut h = self.embed(sequences);
        for i in 0..self.config.layers {
            h = match self.recompute {
                false => self.block(i, h),
                true => {
                    let pass = self.clone();
                    ops::recompute(&self.weights, h, move |h| pass.block(i, h))
                }
            };
        }
        h
    }

    /// (M, V): a score for every token at the rows `positions` of `h`; `rows` are those of them that belong to each
    /// example.
    pub fn token_logits(&self, h: Tensor<2>, positions: &[u32], rows: &Groups) -> Tensor<2> {
        let h = ops::select_rows(&self.weights, h, positions); // (M, H)
        let w = &self.weights.with_rows(Arc::clone(rows));
        let h = ops::linear_gelu(w, "cls.predictions.transform.dense", h);
        let h = self.norm(w, "cls.predictions.transform.LayerNorm", h);
        ops::tied_decoder(w, WORDS, "cls.predictions.bias", h)
    }

    /// (B, 2): scores for "follows" and "is of another place", from the first position of each sequence.
    pub fn next_logits(&self, h: Tensor<2>) -> Tensor<2> {
        let w = &self.weights;
        let Shape { batch, length, .. } = self.heads.shape;
        let first: Vec<u32> = (0..batch).map(|b| (b * length) as u32).collect();
        let h = ops::select_rows(w, h, &first); // (B, H)
        let pooled = ops::linear_tanh(w, "bert.pooler.dense", h);
        ops::linear(w, "cls.seq_relationship", pooled)
    }

    /// (B·T, 2): scores for a start and an end at every position.
    pub fn span_scores(&self, h: Tensor<2>) -> Tensor<2> {
        ops::linear(&self.weights, "qa_outputs", h)
    }

    /// (B·T, H): Dropout(LN(word + position + segment)).
    fn embed(&self, sequences: &Sequences<F>) -> Tensor<2> {
        let (b, t) = (sequences.batch, sequences.length);
        let positions = (0..b).flat_map(|_| 0..t as u32).collect();
        let segments = sequences
            .segments
            .map_or_else(|| vec![0; b * t].into(), Arc::from);
        let mut tables = vec![
            Table {
                name: POSITIONS,
                ids: positions,
            },
            Table {
                name: SEGMENTS,
                ids: segments,
            },
        ];
        let vectors = match sequences.input {
            Input::Vectors(x) => Some(x),
            Input::Tokens(ids) => {
                tables.insert(
                    0,
                    Table {
                        name: WORDS,
                        ids: ids.into(),
                    },
                );
                None
            }
        };
        let w = &self.weights;
        let sum = ops::embed(w, tables, vectors, [b * t, self.config.hidden]);
        let h = self.norm(w, "bert.embeddings.LayerNorm", sum);
        ops::dropout(w, h, self.dropout(0))
    }

    /// A block: (B·T, H) → (B·T, H).
    fn block(&self, i: usize, mut h: Tensor<2>) -> Tensor<2> {
        let w = &self.weights;
        let layer = format!("bert.encoder.layer.{i}");
        let name = |part: &str| format!("{layer}.{part}");
        let dropout = |j| self.dropout(3 * i + j);
        let norm = |part, h, x, mask| {
            ops::residual_norm(w, &name(part), h, x, mask, self.config.layer_norm_eps)
        };
        if self.config.attention {
            let names = ["query", "key", "value"].map(|q| name(&format!("attention.self.{q}")));
            let qkv = ops::packed_linear(w, &names, h.clone());
            let a = ops::attention(w, &self.heads, qkv, dropout(1));
            let a = ops::linear(w, &name("attention.output.dense"), a);
            h = norm("attention.output.LayerNorm", h, a, dropout(2));
        }
        let f = ops::linear_gelu(w, &name("intermediate.dense"), h.clone());
        let f = ops::linear(w, &name("output.dense"), f);
        norm("output.LayerNorm", h, f, dropout(3))
    }

    fn norm(&self, w: &Weights<F>, name: &str, x: Tensor<2>) -> Tensor<2> {
        ops::layer_norm(w, name, x, self.config.layer_norm_eps)
    }

    /// The dropout at place `op` of the pass.
    fn dropout(&self, op: usize) -> Option<Dropout> {
        self.key
            .map(|key| Dropout::new(self.config.dropout, key, op as u64))
    }
}
