//! The matrix products of a step alone.

use acclip_kernels::attention::Shape;
use acclip_kernels::{Matrix, MatrixMut, linear, matmul::Threads, matmul_into};
use acclip_models::BertConfig;
use rayon::prelude::*;
use std::time::Instant;

/// The matrix products of a step: of each linear layer three, and of each head six.
pub struct Products {
    /// Rows, inputs and outputs, and how often.
    linears: Vec<([usize; 3], usize)>,
    attention: Shape,
    layers: usize,
    numbers: Vec<f32>,
    results: Vec<f32>,
}

impl Products {
    /// Of a BERT on a batch of `batch` sequences of `length` tokens; `head` has rows, inputs and outputs of the linear
    /// layers above the encoder.
    pub fn of(c: &BertConfig, batch: usize, length: usize, head: &[[usize; 3]]) -> Self {
        let n = batch * length;
        let (h, ff) = (c.hidden, c.feed_forward);
        let mut linears = vec![
            ([n, h, 3 * h], c.layers),
            ([n, h, h], c.layers),
            ([n, h, ff], c.layers),
            ([n, ff, h], c.layers),
        ];
        linears.extend(head.iter().map(|shape| (*shape, 1)));
        let largest = |[n, i, o]: [usize; 3]| (n * i).max(n * o).max(i * o);
        let sizes = linears.iter().map(|(shape, _)| largest(*shape));
        let numbers = (0..sizes.max().expect("has some")).map(|i| (i % 1001) as f32 / 1e3);
        Self {
            results: vec![0.0; numbers.len()],
            numbers: numbers.collect(),
            linears,
            attention: Shape {
                batch,
                length,
                heads: c.heads,
                width: h / c.heads,
            },
            layers: c.layers,
        }
    }

    /// Milliseconds that all of them take.
    pub fn time(&mut self) -> f64 {
        let start = Instant::now();
        for ([n, inputs, outputs], times) in self.linears.iter().copied() {
            let x = &self.numbers[..n * inputs];
            let w = &self.numbers[..inputs * outputs];
            let dy = &self.numbers[..n * outputs];
            let dw = &mut self.results[..inputs * outputs];
            for _ in 0..times {
                drop(linear::forward(x, w, None, n, inputs, outputs));
                linear::backward_weight(x, dy, dw, false, n, inputs, outputs);
                drop(linear::backward_input(dy, w, n, inputs, outputs));
            }
        }
        for _ in 0..self.layers {
            self.attend();
        }
        start.elapsed().as_secs_f64() * 1e3
    }

    /// Those of a layer's attention.
    fn attend(&mut self) {
        let Shape {
            batch,
            length: t,
            heads,
            width,
        } = self.attention;
        let numbers = &self.numbers;
        let parts = self.results.par_chunks_mut(t * t.max(width)).take(batch);
        parts.for_each(|out| {
            let tall = Matrix::strided(numbers, t, width, heads * width);
            let square = Matrix::new(&numbers[..t * t], t, t);
            for _ in 0..heads {
                for _ in 0..2 {
                    let scores = MatrixMut::new(&mut out[..t * t], t, t);
                    matmul_into(scores, false, 1.0, tall, tall.t(), Threads::One);
                }
                for square in [square, square, square.t(), square.t()] {
                    let mixed = MatrixMut::new(&mut out[..t * width], t, width);
                    matmul_into(mixed, false, 1.0, square, tall, Threads::One);
                }
            }
        });
    }
}
