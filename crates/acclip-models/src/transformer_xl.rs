//! Transformer-XL: a language model that reads a long text segment by segment and remembers.
//!
//! For a segment of T tokens x, and with mᵢ the states that entered block i at the positions before it, at most
//! `memory_len` of them,
//!
//! ```text
//! h ← Dropout(√H · embedding[x])
//! block i:  [q, k, v] of [mᵢ; h] = W_qkv [mᵢ; h]          r = W_r Dropout(R)
//!           a = softmax over the past of ((q + u)·k + (q + v)·r[distance]) / √D, times v
//!           h ← LN(h + Dropout(W_o a))
//!           h ← LN(h + Dropout(W₂ Dropout(relu(W₁ h + b₁)) + b₂))
//! loss = mean over the T positions of −log softmax(embedding · Dropout(h) + b)[next token]
//! ```
//!
//! R holds a sinusoid a distance: sin(pᵢ), then cos(pᵢ), for p = distance · 10000^(−2i/H). No gradient flows into the
//! memory. (Dai et al., *Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context*, ACL 2019. The form is
//! that of the authors' PyTorch code with `attn_type` 0, `div_val` 1 and LayerNorm after the sum, which Zhang et al. 2020
//! train on Penn Treebank; the parameters have the names of transformers' `TransfoXLLMHeadModel`.)
//!
//! Memory begins empty and grows, as in the authors' code; `TransfoXLLMHeadModel` begins with zeros, to which it
//! attends. Queries of the memory are computed with its keys and values, and not used: a twentieth of the
//! multiplications at the paper's size.

use crate::ops::{self, Names, Table};
use crate::weights::{self, Weights, tensor, values};
use crate::{Device, Error, Memory, Parameter, Real, SegmentBatch, TransformerXlConfig};
use acclip_kernels::Dropout;
use acclip_kernels::relative_attention::Shape;
use burn::tensor::Tensor;
use rand::Rng;
use std::sync::Arc;

const EMBEDDINGS: &str = "transformer.word_emb.emb_layers.0.weight";
const OUTPUT: &str = "crit.out_layers.0.weight";
const OUTPUT_BIAS: &str = "crit.out_layers.0.bias";

/// Added to the variance in every LayerNorm (PyTorch's default).
const EPS: f64 = 1e-5;

/// Places of dropout before the blocks, and in each.
const FIRST: usize = 3;
const IN_BLOCK: usize = 4;

/// A finished forward pass over a segment, from which the gradient can be taken.
pub struct SegmentForward<F> {
    /// Mean cross-entropy over the positions, in nats.
    pub loss: f64,
    /// What is remembered after the segment.
    pub memory: Memory<F>,
    output: Tensor<1>,
    weights: Weights<F>,
}

impl<F: Real> SegmentForward<F> {
    /// Writes ∇loss into `grad`, in the layout of the parameters, and returns the memory.
    ///
    /// # Errors
    /// [`Error::Shape`] if `grad` has another length than the parameters.
    pub fn backward(self, grad: &mut Vec<F>) -> Result<Memory<F>, Error> {
        self.weights.backward(self.output, grad)?;
        Ok(self.memory)
    }

    /// As [`crate::Forward::copied`].
    pub fn copied(&self) -> u64 {
        self.weights.copied()
    }
}

/// A Transformer-XL language model: sizes and a device. The parameters stay with the caller, and so does the memory.
#[derive(Debug, Clone)]
pub struct TransformerXl {
    config: TransformerXlConfig,
    table: Arc<weights::Table>,
    device: Device,
    stock: bool,
}

impl TransformerXl {
    /// Makes the model on a device.
    ///
    /// # Errors
    /// Those of [`TransformerXlConfig::validate`].
    pub fn new(config: TransformerXlConfig, device: &Device) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            table: Arc::new(weights::Table::new(config.parameters())),
            config,
            device: device.clone(),
            stock: false,
        })
    }

    /// As [`crate::Bert::with_stock_operations`].
    #[must_use]
    pub fn with_stock_operations(self, stock: bool) -> Self {
        Self { stock, ..self }
    }

    /// The sizes.
    pub fn config(&self) -> &TransformerXlConfig {
        &self.config
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> &[Parameter] {
        self.table.parameters()
    }

    /// The loss of a batch of segments that follow `memory`, ready for [`SegmentForward::backward`]. The dropout masks
    /// are functions of one number that is drawn from `dropout`; without a generator, nothing is dropped.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters, the batch or the memory do not fit the model.
    pub fn forward<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &SegmentBatch,
        memory: &Memory<F>,
        dropout: Option<&mut dyn Rng>,
    ) -> Result<SegmentForward<F>, Error> {
        let key = dropout.map(|g| g.next_u64());
        let pass = self.pass(params, batch, memory, key, &self.device.clone().autodiff())?;
        let (h, memory) = pass.hidden(batch.tokens, memory);
        let (loss, output) = pass.loss(h, batch.targets);
        Ok(SegmentForward {
            loss,
            memory,
            output,
            weights: pass.weights,
        })
    }

    /// The mean loss of a batch of segments without dropout, in nats per token, and the memory after it.
    ///
    /// # Errors
    /// As [`TransformerXl::forward`].
    pub fn evaluate<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &SegmentBatch,
        memory: &Memory<F>,
    ) -> Result<(f64, Memory<F>), Error> {
        let pass = self.pass(params, batch, memory, None, &self.device)?;
        let (h, memory) = pass.hidden(batch.tokens, memory);
        let (loss, _) = pass.loss(h, batch.targets);
        Ok((loss, memory))
    }

    fn pass<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &SegmentBatch,
        memory: &Memory<F>,
        key: Option<u64>,
        device: &Device,
    ) -> Result<Pass<'_, F>, Error> {
        let c = &self.config;
        batch.check(c)?;
        memory.check(c, batch.batch)?;
        Ok(Pass {
            weights: Weights::new(&self.table, params, device, self.stock, [].into())?,
            config: c,
            shape: Shape {
                batch: batch.batch,
                length: batch.length,
                memory: memory.length(),
                heads: c.heads,
                width: c.head_width,
            },
            key,
        })
    }
}

/// One pass over the model.
struct Pass<'a, F> {
    weights: Weights<F>,
    config: &'a TransformerXlConfig,
    shape: Shape,
    key: Option<u64>,
}

impl<F: Real> Pass<'_, F> {
    /// (B·T, H): the states that leave the last block, and the memory after the segment.
    fn hidden(&self, tokens: &[u32], memory: &Memory<F>) -> (Tensor<2>, Memory<F>) {
        let (w, c) = (&self.weights, self.config);
        let size = [self.shape.batch, self.shape.length, c.hidden];
        let table = Table {
            name: EMBEDDINGS,
            ids: tokens.into(),
        };
        let h = ops::embed(w, vec![table], None, [size[0] * size[1], size[2]]);
        let h = ops::scale(w, h, (c.hidden as f64).sqrt());
        let mut h = ops::dropout(w, h, self.dropout(0));
        let positions = self.positions();
        let mut states = Vec::new();
        for i in 0..c.layers {
            if c.memory_len > 0 {
                states.push(values::<F, 2>(h.clone()));
            }
            h = self.block(i, h, positions.clone(), memory.layer(i));
        }
        let h = ops::dropout(w, h, self.dropout(1));
        (h, memory.after(states, size, c.memory_len))
    }

    /// Dropout(R), (K, H): the sinusoids of the distances K − 1 to 0.
    fn positions(&self) -> Tensor<2> {
        let (w, hidden, keys) = (&self.weights, self.config.hidden, self.shape.keys());
        let entry = |distance: usize, i: usize| {
            let frequency = 10_000.0_f64.powf(-2.0 * (i % (hidden / 2)) as f64 / hidden as f64);
            let angle = distance as f64 * frequency;
            F::of(if i < hidden / 2 {
                angle.sin()
            } else {
                angle.cos()
            })
        };
        let rows = (0..keys).rev();
        let numbers = rows.flat_map(|distance| (0..hidden).map(move |i| entry(distance, i)));
        let r = tensor(numbers.collect(), [keys, hidden], w.device());
        // On the tape, or W_r would get no gradient.
        let r = match w.device().is_autodiff() {
            true => r.require_grad(),
            false => r,
        };
        ops::dropout(w, r, self.dropout(2))
    }

    /// A block: (B·T, H) → (B·T, H).
    fn block(&self, i: usize, h: Tensor<2>, positions: Tensor<2>, memory: &[F]) -> Tensor<2> {
        let (w, c) = (&self.weights, self.config);
        let layer = format!("transformer.layers.{i}");
        let name = |part: &str| format!("{layer}.{part}");
        let dropout = |j| self.dropout(FIRST + IN_BLOCK * i + j);
        let biases = ["r_w_bias", "r_r_bias"].map(|bias| match c.untie_r {
            true => name(&format!("dec_attn.{bias}")),
            false => format!("transformer.{bias}"),
        });
        let all = ops::after_memory(w, memory, h.clone(), self.shape.batch);
        let qkv = ops::unbiased_linear(w, &name("dec_attn.qkv_net.weight"), all);
        let r = ops::unbiased_linear(w, &name("dec_attn.r_net.weight"), positions);
        let mask = self.mask(FIRST + IN_BLOCK * i, c.attention_dropout);
        let a = ops::relative_attention(w, self.shape, &biases, qkv, r, mask);
        let a = ops::unbiased_linear(w, &name("dec_attn.o_net.weight"), a);
        let h = ops::residual_norm(w, &name("dec_attn.layer_norm"), h, a, dropout(1), EPS);
        let f = ops::linear_relu(w, &name("pos_ff.CoreNet.0"), h.clone(), dropout(2));
        let f = ops::linear(w, &name("pos_ff.CoreNet.3"), f);
        ops::residual_norm(w, &name("pos_ff.layer_norm"), h, f, dropout(3), EPS)
    }

    /// Mean of −log p(target), and the same on the tape.
    fn loss(&self, h: Tensor<2>, targets: &[u32]) -> (f64, Tensor<1>) {
        let (w, c) = (&self.weights, self.config);
        let table = if c.tied { EMBEDDINGS } else { OUTPUT };
        if c.cutoffs.is_empty() {
            let logits = ops::tied_decoder(w, table, OUTPUT_BIAS, h);
            return ops::cross_entropy(w, logits, targets);
        }
        let names = Names {
            table,
            bias: OUTPUT_BIAS,
            clusters: "crit.cluster_weight",
            cluster_bias: "crit.cluster_bias",
        };
        ops::adaptive_softmax(w, &names, &c.cutoffs, h, targets)
    }

    /// The dropout of hidden states at place `op` of the pass.
    fn dropout(&self, op: usize) -> Option<Dropout> {
        self.mask(op, self.config.dropout)
    }

    fn mask(&self, op: usize, probability: f64) -> Option<Dropout> {
        let key = self.key.filter(|_| probability > 0.0)?;
        Some(Dropout::new(probability, key, op as u64))
    }
}
