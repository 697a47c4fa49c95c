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

use crate::layers::{Dropout, cross_entropy, layer_norm, linear};
use crate::parameters::{Leaves, Real, tensor, values};
use crate::{BertConfig, Device, Error, Parameter};
use burn::tensor::{Bool, Int, Tensor, TensorData, activation};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Added to the variance in every LayerNorm (Devlin et al.'s code).
const LAYER_NORM_EPS: f64 = 1e-12;
/// What stands at the model's input.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a, F> {
    /// Token ids, (B, T) row-major: the word embeddings are looked up.
    Tokens(&'a [u32]),
    /// Vectors in place of the word embeddings, (B, T, H) row-major.
    Vectors(&'a [F]),
}

/// `n` Gaussian vectors of `width` entries, each scaled to unit root mean square, row-major: what
/// stands in place of word embeddings in the paper's "Gaussian" data.
pub fn gaussian_vectors(n: usize, width: usize, generator: &mut dyn Rng) -> Vec<f32> {
    let mut vectors = Vec::with_capacity(n * width);
    let mut vector = vec![0.0_f64; width];
    for _ in 0..n {
        vector.fill_with(|| StandardNormal.sample(generator));
        let mean_square = vector.iter().map(|x| x * x).sum::<f64>() / width as f64;
        vectors.extend(vector.iter().map(|x| (x / mean_square.sqrt()) as f32));
    }
    vectors
}

/// A batch for masked-token prediction: B sequences of T positions, row-major.
#[derive(Debug, Clone, Copy)]
pub struct MaskedBatch<'a, F> {
    /// Number of sequences, B.
    pub batch: usize,
    /// Positions in each, T.
    pub length: usize,
    /// The input, with its tokens already masked.
    pub input: Input<'a, F>,
    /// Segment ids, (B, T); `None` is segment 0 everywhere.
    pub segments: Option<&'a [u32]>,
    /// `true` where a token is, `false` on padding, (B, T).
    pub real: &'a [bool],
    /// Flat indices b·T + t of the masked positions, (M).
    pub positions: &'a [u32],
    /// The true tokens there, (M).
    pub labels: &'a [u32],
}

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

/// A finished forward pass, from which the gradient can be taken.
pub struct Forward<F> {
    /// Mean cross-entropy over the masked positions, in nats.
    pub loss: f64,
    output: Tensor<1>,
    leaves: Leaves,
    real: std::marker::PhantomData<F>,
}

impl<F: Real> Forward<F> {
    /// Writes ∇loss into `grad`, in the layout of the parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] if `grad` has another length than the parameters.
    pub fn backward(self, grad: &mut [F]) -> Result<(), Error> {
        self.leaves.gather(self.output.backward(), grad)
    }
}

/// A BERT for masked-token prediction: sizes and a device. The parameters stay with the caller.
#[derive(Debug, Clone)]
pub struct Bert {
    config: BertConfig,
    parameters: Vec<Parameter>,
    device: Device,
}

impl Bert {
    /// Makes the model on a device.
    ///
    /// # Errors
    /// Those of [`BertConfig::validate`].
    pub fn new(config: BertConfig, device: &Device) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            parameters: config.parameters(),
            config,
            device: device.clone(),
        })
    }

    /// The sizes.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The loss of a batch, ready for [`Forward::backward`]. `dropout` is the generator of the
    /// dropout masks; without one, nothing is dropped.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters or the batch do not fit the model.
    pub fn forward<F: Real>(
        &self,
        params: &[F],
        batch: &MaskedBatch<F>,
        dropout: Option<&mut dyn Rng>,
    ) -> Result<Forward<F>, Error> {
        self.check(batch)?;
        let device = self.device.clone().autodiff();
        let leaves = Leaves::upload(&self.parameters, params, &device)?;
        let logits = self.logits(&leaves, batch, dropout, &device);
        let output = cross_entropy(logits, indices(batch.labels, &device));
        Ok(Forward {
            loss: scalar::<F>(output.clone()),
            output,
            leaves,
            real: std::marker::PhantomData,
        })
    }

    /// The loss of a batch without dropout, and how many of its masked tokens are found.
    ///
    /// # Errors
    /// As [`Bert::forward`].
    pub fn evaluate<F: Real>(
        &self,
        params: &[F],
        batch: &MaskedBatch<F>,
    ) -> Result<Evaluation, Error> {
        self.check(batch)?;
        let leaves = Leaves::upload(&self.parameters, params, &self.device)?;
        let logits = self.logits(&leaves, batch, None, &self.device);
        let best: Vec<i64> = logits.clone().argmax(1).into_data().iter::<i64>().collect();
        let found = best.iter().zip(batch.labels);
        Ok(Evaluation {
            loss: scalar::<F>(cross_entropy(logits, indices(batch.labels, &self.device))),
            correct: found.filter(|(b, l)| **b == i64::from(**l)).count(),
            masked: batch.labels.len(),
        })
    }

    /// (M, V): a score for every token at every masked position.
    fn logits<F: Real>(
        &self,
        p: &Leaves,
        batch: &MaskedBatch<F>,
        dropout: Option<&mut dyn Rng>,
        device: &Device,
    ) -> Tensor<2> {
        let mut dropout = Dropout {
            probability: self.config.dropout,
            generator: dropout,
        };
        let mut h = self.embed(p, batch, device); // (B·T, H)
        h = dropout.apply::<F, 2>(h);
        let padding = self.padding(batch, device);
        for i in 0..self.config.layers {
            let layer = format!("bert.encoder.layer.{i}");
            if self.config.attention {
                let a = self.attend(p, &layer, h.clone(), &padding, &mut dropout, batch);
                let a = dropout.apply::<F, 2>(a);
                let norm = format!("{layer}.attention.output.LayerNorm");
                h = layer_norm(p, &norm, h + a, LAYER_NORM_EPS);
            }
            let f = activation::gelu(linear(p, &format!("{layer}.intermediate.dense"), h.clone()));
            let f = dropout.apply::<F, 2>(linear(p, &format!("{layer}.output.dense"), f));
            h = layer_norm(
                p,
                &format!("{layer}.output.LayerNorm"),
                h + f,
                LAYER_NORM_EPS,
            );
        }
        let h = h.select(0, indices(batch.positions, device)); // (M, H)
        let h = activation::gelu(linear(p, "cls.predictions.transform.dense", h));
        let h = layer_norm(p, "cls.predictions.transform.LayerNorm", h, LAYER_NORM_EPS);
        let words = p.matrix("bert.embeddings.word_embeddings.weight");
        h.matmul(words.transpose()) + p.vector("cls.predictions.bias").unsqueeze()
    }

    /// (B·T, H): LN(word + position + segment).
    fn embed<F: Real>(&self, p: &Leaves, batch: &MaskedBatch<F>, device: &Device) -> Tensor<2> {
        let (b, t) = (batch.batch, batch.length);
        let rows = |name: &str, ids: &[u32]| {
            p.matrix(&format!("bert.embeddings.{name}_embeddings.weight"))
                .select(0, indices(ids, device))
        };
        let words = match batch.input {
            Input::Tokens(ids) => rows("word", ids),
            Input::Vectors(x) => tensor(x.to_vec(), [b * t, self.config.hidden], device),
        };
        let places: Vec<u32> = (0..b).flat_map(|_| 0..t as u32).collect();
        let segments = match batch.segments {
            Some(ids) => rows("token_type", ids),
            None => rows("token_type", &vec![0; b * t]),
        };
        let sum = words + rows("position", &places) + segments;
        layer_norm(p, "bert.embeddings.LayerNorm", sum, LAYER_NORM_EPS)
    }

    /// (B, heads, T, T): true where a key is padding, which no query may attend to.
    fn padding<F>(&self, batch: &MaskedBatch<F>, device: &Device) -> Tensor<4, Bool> {
        let (b, t) = (batch.batch, batch.length);
        let padding: Vec<bool> = batch.real.iter().map(|real| !real).collect();
        Tensor::<4, Bool>::from_data(TensorData::new(padding, [b, 1, 1, t]), device).expand([
            b,
            self.config.heads,
            t,
            t,
        ])
    }

    /// Multi-head self-attention with its output projection: (B·T, H) → (B·T, H).
    fn attend<F: Real>(
        &self,
        p: &Leaves,
        layer: &str,
        h: Tensor<2>,
        padding: &Tensor<4, Bool>,
        dropout: &mut Dropout,
        batch: &MaskedBatch<F>,
    ) -> Tensor<2> {
        let (b, t) = (batch.batch, batch.length);
        let (heads, width) = (self.config.heads, self.config.hidden / self.config.heads);
        let split = |name: &str| {
            linear(p, &format!("{layer}.attention.self.{name}"), h.clone())
                .reshape([b, t, heads, width])
                .swap_dims(1, 2) // (B, heads, T, width)
        };
        let (q, k, v) = (split("query"), split("key"), split("value"));
        let scores = q.matmul(k.transpose()) / (width as f64).sqrt();
        let weights = activation::softmax(scores.mask_fill(padding.clone(), -1e30), 3);
        let mixed = dropout.apply::<F, 4>(weights).matmul(v);
        let mixed = mixed.swap_dims(1, 2).reshape([b * t, heads * width]);
        linear(p, &format!("{layer}.attention.output.dense"), mixed)
    }

    /// Refuses a batch that does not fit, naming the argument.
    fn check<F>(&self, batch: &MaskedBatch<F>) -> Result<(), Error> {
        let places = batch.batch * batch.length;
        let expect = |what, ok: bool, problem: String| match ok {
            true => Ok(()),
            false => Err(Error::Shape { what, problem }),
        };
        let below = |ids: &[u32], limit: usize| ids.iter().all(|&id| (id as usize) < limit);
        let vocabulary = self.config.vocab_size;
        expect(
            "length",
            (1..=self.config.max_len).contains(&batch.length) && batch.batch > 0,
            format!(
                "{} × {} positions; a model of max_len {} takes 1 to {0} sequences of 1 to {2}",
                batch.batch, batch.length, self.config.max_len
            ),
        )?;
        match batch.input {
            Input::Tokens(ids) => expect(
                "input",
                ids.len() == places && below(ids, vocabulary),
                format!(
                    "{} tokens for {places} positions, or an id ≥ {vocabulary}",
                    ids.len()
                ),
            )?,
            Input::Vectors(x) => expect(
                "input",
                x.len() == places * self.config.hidden,
                format!("{} numbers for {places} × {}", x.len(), self.config.hidden),
            )?,
        }
        if let Some(ids) = batch.segments {
            expect(
                "segments",
                ids.len() == places && below(ids, self.config.segments),
                format!(
                    "{} ids for {places} positions, or an id too large",
                    ids.len()
                ),
            )?;
        }
        expect(
            "real",
            batch.real.len() == places,
            format!("{} flags for {places} positions", batch.real.len()),
        )?;
        let masked = batch.positions.len();
        expect(
            "positions",
            masked > 0 && masked == batch.labels.len() && below(batch.positions, places),
            format!(
                "{masked} positions and {} labels in {places} places",
                batch.labels.len()
            ),
        )?;
        expect(
            "labels",
            below(batch.labels, vocabulary),
            format!("a label ≥ {vocabulary}"),
        )
    }
}

/// Ids as an index tensor.
fn indices(ids: &[u32], device: &Device) -> Tensor<1, Int> {
    let shape = [ids.len()];
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}

/// The value of a one-entry tensor.
fn scalar<F: Real>(x: Tensor<1>) -> f64 {
    values::<F, 1>(x)[0].to_f64()
}
