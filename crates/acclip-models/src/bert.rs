//! BERT with its heads, and the paper's ablations of it.
//!
//! Post-LayerNorm encoder with learned positions, segment embeddings, erf-GELU and a decoder tied to
//! the word embeddings (Devlin et al., *BERT*, NAACL 2019). For a sequence x of token vectors
//!
//! ```text
//! h ← Dropout(LN(word[x] + position + segment))
//! each block:  h ← LN(h + Dropout(Attention(h)))            only if `attention`
//!              h ← LN(h + Dropout(W₂ GELU(W₁ h)))
//! ```
//!
//! and a loss for each [`Head`], CE being −log softmax(logits)\[label\]:
//!
//! ```text
//! masked-lm    mean over masked positions of CE(E · LN(GELU(W h)) + b, true token)
//! pretraining  the same + mean over sequences of CE(Wₙ tanh(Wₚ h[CLS]), 0 or 1)
//! span         mean over sequences of [CE over T((W h)₁, start) + CE over T((W h)₂, end)] / 2
//! ```
//!
//! As in Hugging Face's `BertForQuestionAnswering`, the softmax of `span` runs over all T positions, padding too. Its
//! labels are positions of the sequence; there is no label for "not in this window" (Hugging Face ignores a position
//! ≥ T): a window without an answer has `[CLS]`, position 0.
//!
//! Two switches make the 2 × 2 ablation of Zhang et al. 2020 (§5 of the paper, Figure 4):
//! `attention: false` deletes the self-attention sub-layer with its LayerNorm from every block (what
//! the paper calls its "ResNet"), and a batch may bring [`Input::Vectors`] in place of the word
//! embeddings (its "Gaussian" data). The paper does not say how its Gaussian vectors are normalised
//! nor whether positions stay; here every vector has unit root mean square, and they stay.

use crate::bert_pass::Pass;
use crate::by_example::{ByExample, Groups};
use crate::masked_batch::Sequences;
use crate::ops;
use crate::weights::{self, Weights, values};
use crate::{BertConfig, Device, Error, Head, Input, MaskedBatch, Parameter, Real, SpanBatch};
use burn::tensor::Tensor;
use rand::Rng;
use std::sync::Arc;

/// Loss and hits of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy over the M masked positions, in nats.
    pub loss: f64,
    /// The cross-entropy of each (M).
    pub losses: Vec<f64>,
    /// How many masked tokens have the highest logit.
    pub correct: usize,
    /// The same of the next sentence, with [`Head::Pretraining`].
    pub next: Option<NextEvaluation>,
}

/// Loss and hits of a batch's pairs of sentences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextEvaluation {
    /// Mean cross-entropy over the pairs, in nats.
    pub loss: f64,
    /// How many pairs are told right.
    pub correct: usize,
    /// How many pairs there are.
    pub pairs: usize,
}

/// A finished forward pass, from which the gradient can be taken. One that is dropped instead keeps its memory until a
/// later backward pass, in which Burn frees it.
pub struct Forward<F> {
    /// The head's loss, in nats.
    pub loss: f64,
    output: Tensor<1>,
    weights: Weights<F>,
    /// The rows of the head that belong to each example, or why single examples cannot be looked at.
    heads: Result<Groups, Error>,
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
    /// the batch do not ascend; [`Error::Unknown`] on another backend than `flex`, and with [`Head::Pretraining`].
    pub fn backward_by_example(
        self,
        grad: &mut Vec<F>,
        along: Option<&Arc<Vec<F>>>,
    ) -> Result<ByExample, Error> {
        let weights = &self.weights;
        weights.backward_by_example(self.output, grad, along, &self.heads?)
    }

    /// How many bytes this pass, forward and backward, copies between the flat buffers of parameters and gradient
    /// and the tensors it computes with: 0 on `flex`.
    pub fn copied(&self) -> u64 {
        self.weights.copied()
    }
}

/// A BERT with its head: sizes and a device. The parameters stay with the caller.
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
    /// [`Error::Shape`] if the parameters or the batch do not fit the model; [`Error::Config`] with [`Head::Span`].
    pub fn forward<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &MaskedBatch<F>,
        dropout: Option<&mut dyn Rng>,
    ) -> Result<Forward<F>, Error> {
        self.check_masked(batch)?;
        let sequences = batch.sequences();
        let pass = self.pass(params, &sequences, Mode::Train(dropout))?;
        let h = pass.encode(&sequences);
        let w = &pass.weights;
        let next =
            (batch.next).map(|labels| ops::cross_entropy(w, pass.next_logits(h.clone()), labels));
        let logits = pass.token_logits(h, batch.positions, &batch.head_rows());
        let (mut loss, mut output) = ops::cross_entropy(w, logits, batch.labels);
        let heads = match next {
            Some((next_loss, next_output)) => {
                loss += next_loss;
                output = output + next_output;
                Err(Error::Unknown {
                    what: "way to look at single examples",
                    name: "with the head pretraining".to_string(),
                    known: "masked-lm, span".to_string(),
                })
            }
            None if batch.positions.is_sorted() => Ok(batch.head_rows()),
            None => Err(Error::Shape {
                what: "positions",
                problem: "they do not ascend, which the gradients of single examples need".into(),
            }),
        };
        Ok(Forward {
            loss,
            output,
            weights: pass.weights,
            heads,
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
        self.check_masked(batch)?;
        let sequences = batch.sequences();
        let pass = self.pass(params, &sequences, Mode::Evaluate)?;
        let h = pass.encode(&sequences);
        let next = batch.next.map(|labels| {
            let logits = pass.next_logits(h.clone());
            let score = ops::score(&pass.weights, logits, labels);
            NextEvaluation {
                loss: score.loss,
                correct: score.correct,
                pairs: labels.len(),
            }
        });
        let logits = pass.token_logits(h, batch.positions, &batch.head_rows());
        let score = ops::score(&pass.weights, logits, batch.labels);
        Ok(Evaluation {
            loss: score.loss,
            losses: score.losses,
            correct: score.correct,
            next,
        })
    }

    /// The loss of a batch of [`Head::Span`], ready for [`Forward::backward`]; `dropout` as for [`Bert::forward`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters or the batch do not fit the model; [`Error::Config`] with another head.
    pub fn forward_spans<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &SpanBatch,
        dropout: Option<&mut dyn Rng>,
    ) -> Result<Forward<F>, Error> {
        self.check_head(&[Head::Span])?;
        batch.check(&self.config)?;
        let sequences = batch.sequences();
        let pass = self.pass(params, &sequences, Mode::Train(dropout))?;
        let scores = pass.span_scores(pass.encode(&sequences));
        // (2B, T): the starts and ends of a sequence, which count alike, are rows of one cross-entropy.
        let logits = scores
            .reshape([batch.batch, batch.length, 2])
            .swap_dims(1, 2)
            .reshape([2 * batch.batch, batch.length]);
        let (loss, output) = ops::cross_entropy(&pass.weights, logits, &batch.labels());
        Ok(Forward {
            loss,
            output,
            weights: pass.weights,
            heads: Ok((0..batch.batch).map(|b| 2 * b..2 * b + 2).collect()),
        })
    }

    /// The scores of [`Head::Span`] without dropout, (B, T, 2) row-major: that an answer starts at a position, and that
    /// one ends there. The `starts` and `ends` of the batch are not looked at, and may be empty.
    ///
    /// # Errors
    /// As [`Bert::forward_spans`].
    pub fn spans<F: Real>(&self, params: &Arc<Vec<F>>, batch: &SpanBatch) -> Result<Vec<F>, Error> {
        self.check_head(&[Head::Span])?;
        let sequences = batch.sequences();
        sequences.check(&self.config)?;
        let pass = self.pass(params, &sequences, Mode::Evaluate)?;
        Ok(values(pass.span_scores(pass.encode(&sequences))))
    }

    /// The last hidden states of `batch` sequences of `length` tokens, (B·T, H) row-major, without dropout: what stands
    /// below every head. `tokens`, `segments` and `real` are (B, T), as in [`MaskedBatch`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters or the sequences do not fit the model.
    pub fn encode<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        tokens: &[u32],
        segments: Option<&[u32]>,
        real: &[bool],
        batch: usize,
        length: usize,
    ) -> Result<Vec<F>, Error> {
        let sequences = Sequences {
            batch,
            length,
            input: Input::Tokens(tokens),
            segments,
            real,
        };
        sequences.check(&self.config)?;
        let pass = self.pass(params, &sequences, Mode::Evaluate)?;
        Ok(values(pass.encode(&sequences)))
    }

    fn check_masked<F: Real>(&self, batch: &MaskedBatch<F>) -> Result<(), Error> {
        self.check_head(&[Head::MaskedLm, Head::Pretraining])?;
        batch.check(&self.config)
    }

    /// Refuses what the model's head cannot do.
    fn check_head(&self, able: &[Head]) -> Result<(), Error> {
        let head = self.config.head;
        match able.contains(&head) {
            true => Ok(()),
            false => Err(Error::Config {
                field: "head",
                value: format!("{head:?}"),
                problem: format!("this batch needs one of {able:?}"),
            }),
        }
    }

    fn pass<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        sequences: &Sequences<F>,
        mode: Mode,
    ) -> Result<Pass<F>, Error> {
        let (device, key) = match mode {
            Mode::Evaluate => (self.device.clone(), None),
            Mode::Train(dropout) => {
                let device = self.device.clone().autodiff();
                let device = match self.recompute && !ops::is_fused(&device) {
                    true => device.gradient_checkpointing(),
                    false => device,
                };
                (device, dropout.map(|g| g.next_u64()))
            }
        };
        let t = sequences.length;
        let rows = (0..sequences.batch).map(|b| b * t..(b + 1) * t).collect();
        let weights = Weights::new(&self.table, params, &device, self.stock, rows)?;
        Ok(Pass::new(
            &self.config,
            weights,
            sequences,
            key,
            self.recompute,
        ))
    }
}

/// What a pass is for.
enum Mode<'a> {
    /// A gradient, with dropout from a generator where there is one.
    Train(Option<&'a mut dyn Rng>),
    /// Numbers alone.
    Evaluate,
}
