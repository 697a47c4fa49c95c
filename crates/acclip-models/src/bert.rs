//! BERT with its masked-LM head, and the paper's ablations of it.
//!
//! Post-LayerNorm encoder with learned positions, segment embeddings, erf-GELU and a decoder tied to
//! the word embeddings (Devlin et al., *BERT*, NAACL 2019). For a sequence x of token vectors
//!
//! ```text
//! h ← Dropout(LN(word[x] + position + segment))
//! each block:  h ← LN(h + Dropout(Attention(h)))            only if `attention`
//!              h ← LN(h + Dropout(W₂ GELU(W₁ h)))
//! loss = mean over masked positions of −log softmax(E · LN(GELU(W h)) + b)[true token]
//! ```
//!
//! Two switches make the 2 × 2 ablation of Zhang et al. 2020 (§5 of the paper, Figure 4):
//! `attention: false` deletes the self-attention sub-layer with its LayerNorm from every block (what
//! the paper calls its "ResNet"), and a batch may bring [`Input::Vectors`] in place of the word
//! embeddings (its "Gaussian" data). The paper does not say how its Gaussian vectors are normalised
//! nor whether positions stay; here every vector has unit root mean square, and they stay.

use crate::by_example::{ByExample, Groups};
use crate::ops::{self, Heads, Table};
use crate::weights::{self, Weights};
use crate::{BertConfig, Device, Error, Input, MaskedBatch, Parameter, Real};
use acclip_kernels::Dropout;
use acclip_kernels::attention::Shape;
use burn::tensor::Tensor;
use rand::Rng;
use std::sync::Arc;

const WORDS: &str = "bert.embeddings.word_embeddings.weight";
const POSITIONS: &str = "bert.embeddings.position_embeddings.weight";
const SEGMENTS: &str = "bert.embeddings.token_type_embeddings.weight";

/// Loss and hits of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy over the masked positions, in nats.
    pub loss: f64,
    /// How many masked tokens have the highest logit.
    pub correct: usize,
    /// How many masked tokens there are.
    pub masked: usize,
}

/// A finished forward pass, from which the gradient can be taken. One that is dropped instead keeps its memory until a
/// later backward pass, in which Burn frees it.
pub struct Forward<F> {
    /// Mean cross-entropy over the masked positions, in nats.
    pub loss: f64,
    output: Tensor<1>,
    weights: Weights<F>,
    /// The rows of the head that belong to each example, if they are in order.
    heads: Option<Groups>,
}

impl<F: Real> Forward<F> {
    /// Writes ∇loss into `grad`, in the layout of the parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] if `grad` has another length than the parameters.
    pub fn backward(self, grad: &mut Vec<F>) -> Result<(), Error> {
        self.weights.backward(self.output, grad)
    }

    /// Writes ∇loss into `grad`, and gives the squared norm of the gradient of every example, and its product with
    /// `along`, a vector of the parameters' size, for a fraction of the pass.
    ///
    /// # Errors
    /// [`Error::Shape`] if `grad` or `along` has another length than the parameters, or if the masked positions of
    /// the batch do not ascend; [`Error::Unknown`] on another backend than `flex`.
    pub fn backward_by_example(
        self,
        grad: &mut Vec<F>,
        along: Option<&Arc<Vec<F>>>,
    ) -> Result<ByExample, Error> {
        let heads = self.heads.ok_or_else(|| Error::Shape {
            what: "positions",
            problem: "they do not ascend, which the gradients of single examples need".into(),
        })?;
        let weights = &self.weights;
        weights.backward_by_example(self.output, grad, along, &heads)
    }

    /// How many bytes this pass, forward and backward, copies between the flat buffers of parameters and gradient
    /// and the tensors it computes with: 0 on `flex`.
    pub fn copied(&self) -> u64 {
        self.weights.copied()
    }
}

/// A BERT for masked-token prediction: sizes and a device. The parameters stay with the caller.
#[derive(Debug, Clone)]
pub struct Bert {
    config: BertConfig,
    table: Arc<weights::Table>,
    device: Device,
    stock: bool,
    recompute: bool,
}

impl Bert {
    /// Makes the model on a device.
    ///
    /// # Errors
    /// Those of [`BertConfig::validate`].
    pub fn new(config: BertConfig, device: &Device) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            table: Arc::new(weights::Table::new(config.parameters())),
            config,
            device: device.clone(),
            stock: false,
            recompute: false,
        })
    }

    /// With `true`, blocks keep their input alone and run again in the backward pass: less memory, a third more
    /// time, the same numbers.
    #[must_use]
    pub fn with_recomputation(self, recompute: bool) -> Self {
        Self { recompute, ..self }
    }

    /// With `true`, computes with Burn's own operations where there are fused ones: the slow twin, for comparisons.
    #[must_use]
    pub fn with_stock_operations(self, stock: bool) -> Self {
        Self { stock, ..self }
    }

    /// The sizes.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> &[Parameter] {
        self.table.parameters()
    }

    /// The loss of a batch, ready for [`Forward::backward`]. The dropout masks are functions of one number that is
    /// drawn from `dropout`; without a generator, nothing is dropped.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters or the batch do not fit the model.
    pub fn forward<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &MaskedBatch<F>,
        dropout: Option<&mut dyn Rng>,
    ) -> Result<Forward<F>, Error> {
        batch.check(&self.config)?;
        let mut device = self.device.clone().autodiff();
        if self.recompute && !ops::is_fused(&device) {
            device = device.gradient_checkpointing();
        }
        let pass = self.pass(params, batch, dropout.map(|g| g.next_u64()), &device)?;
        let (loss, output) = ops::cross_entropy(&pass.weights, pass.logits(batch), batch.labels);
        Ok(Forward {
            loss,
            output,
            weights: pass.weights,
            heads: batch.positions.is_sorted().then_some(pass.head_rows),
        })
    }

    /// The loss of a batch without dropout, and how many of its masked tokens are found.
    ///
    /// # Errors
    /// As [`Bert::forward`].
    pub fn evaluate<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &MaskedBatch<F>,
    ) -> Result<Evaluation, Error> {
        batch.check(&self.config)?;
        let pass = self.pass(params, batch, None, &self.device)?;
        let (loss, correct) = ops::score::<F>(&pass.weights, pass.logits(batch), batch.labels);
        Ok(Evaluation {
            loss,
            correct,
            masked: batch.labels.len(),
        })
    }

    fn pass<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &MaskedBatch<F>,
        key: Option<u64>,
        device: &Device,
    ) -> Result<Pass<F>, Error> {
        let c = &self.config;
        let t = batch.length;
        let rows = (0..batch.batch).map(|b| b * t..(b + 1) * t).collect();
        Ok(Pass {
            weights: Weights::new(&self.table, params, device, self.stock, rows)?,
            head_rows: batch.head_rows(),
            heads: Heads {
                shape: Shape {
                    batch: batch.batch,
                    length: batch.length,
                    heads: c.heads,
                    width: c.hidden / c.heads,
                },
                real: batch.real.into(),
            },
            key: key.filter(|_| c.dropout > 0.0),
            probability: c.dropout,
            attention: c.attention,
            layers: c.layers,
            recompute: self.recompute,
        })
    }
}

/// One pass over the model.
#[derive(Clone)]
struct Pass<F> {
    weights: Weights<F>,
    head_rows: Groups,
    heads: Heads,
    key: Option<u64>,
    probability: f64,
    attention: bool,
    layers: usize,
    recompute: bool,
}

impl<F: Real> Pass<F> {
    /// (M, V): a score for every token at every masked position.
    fn logits(&self, batch: &MaskedBatch<F>) -> Tensor<2> {
        let w = &self.weights;
        let mut h = self.embed(batch);
        for i in 0..self.layers {
            h = match self.recompute {
                false => self.block(i, h),
                true => {
                    let pass = self.clone();
                    ops::recompute(w, h, move |h| pass.block(i, h))
                }
            };
        }
        let h = ops::select_rows(w, h, batch.positions); // (M, H)
        let w = &w.with_rows(Arc::clone(&self.head_rows));
        let h = ops::linear_gelu(w, "cls.predictions.transform.dense", h);
        let h = ops::layer_norm(w, "cls.predictions.transform.LayerNorm", h);
        ops::tied_decoder(w, WORDS, "cls.predictions.bias", h)
    }

    /// (B·T, H): Dropout(LN(word + position + segment)).
    fn embed(&self, batch: &MaskedBatch<F>) -> Tensor<2> {
        let Shape {
            batch: b,
            length: t,
            ..
        } = self.heads.shape;
        let positions = (0..b).flat_map(|_| 0..t as u32).collect();
        let segments = batch
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
        let vectors = match batch.input {
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
        let sum = ops::embed(
            &self.weights,
            tables,
            vectors,
            [b * t, self.heads.shape.hidden()],
        );
        let h = ops::layer_norm(&self.weights, "bert.embeddings.LayerNorm", sum);
        ops::dropout(&self.weights, h, self.dropout(0))
    }

    /// A block: (B·T, H) → (B·T, H).
    fn block(&self, i: usize, mut h: Tensor<2>) -> Tensor<2> {
        let w = &self.weights;
        let layer = format!("bert.encoder.layer.{i}");
        let name = |part: &str| format!("{layer}.{part}");
        let dropout = |j| self.dropout(3 * i + j);
        if self.attention {
            let names = ["query", "key", "value"].map(|q| name(&format!("attention.self.{q}")));
            let qkv = ops::packed_linear(w, &names, h.clone());
            let a = ops::attention(w, &self.heads, qkv, dropout(1));
            let a = ops::linear(w, &name("attention.output.dense"), a);
            h = ops::residual_norm(w, &name("attention.output.LayerNorm"), h, a, dropout(2));
        }
        let f = ops::linear_gelu(w, &name("intermediate.dense"), h.clone());
        let f = ops::linear(w, &name("output.dense"), f);
        ops::residual_norm(w, &name("output.LayerNorm"), h, f, dropout(3))
    }

    /// The dropout at place `op` of the pass.
    fn dropout(&self, op: usize) -> Option<Dropout> {
        self.key
            .map(|key| Dropout::new(self.probability, key, op as u64))
    }
}
