//! Rows of tables: embeddings, and the masked positions of a sequence.

use super::loss::ids;
use super::tape::{Values, read, record, start};
use crate::Real;
use crate::by_example::Decoder;
use crate::weights::{Weights, tensor};
use acclip_kernels::{by_example, embedding as kernel};
use burn::tensor::{Int, Tensor, TensorData};
use std::sync::Arc;

/// An embedding table by name, and the row that each position takes.
pub(crate) struct Table {
    pub name: &'static str,
    pub ids: Arc<[u32]>,
}

/// (N, H): the sum of `vectors` (N, H), where given, and of a row of each table.
pub(crate) fn embed<F: Real>(
    w: &Weights<F>,
    tables: Vec<Table>,
    vectors: Option<&[F]>,
    [n, hidden]: [usize; 2],
) -> Tensor<2> {
    if w.is_stock() {
        let rows = |table: &Table| {
            let ids = indices(&table.ids, w.device());
            w.leaf::<2>(table.name).select(0, ids)
        };
        let vectors = vectors.map(|x| tensor(x.to_vec(), [n, hidden], w.device()));
        let sum = vectors.into_iter().chain(tables.iter().map(rows));
        return sum.reduce(|a, b| a + b).expect("there is a table");
    }
    let mut sum = vectors.map_or_else(|| vec![F::ZERO; n * hidden], <[F]>::to_vec);
    let slots: Vec<_> = (tables.into_iter())
        .map(|table| (w.slot(table.name).expect("fused"), ids(&table.ids)))
        .collect();
    for (slot, ids) in &slots {
        kernel::gather(slot.values(), ids, &mut sum, true);
    }
    let begin = start(vec![F::ZERO].into(), [1], w.device().is_autodiff());
    let (_, node) = read::<F, 1>(begin);
    record([node], sum, [n, hidden], move |d| {
        for (slot, ids) in slots {
            slot.add(|table| kernel::scatter_add(&d, &ids, table));
            if let Some(asked) = slot.asked() {
                let decoder = slot.take();
                let decoder = decoder.as_ref().map(Decoder::view);
                let (rows, along) = (&asked.groups, asked.along(slot.range()));
                let moments = by_example::table(&d, &ids, rows, along, hidden, decoder);
                slot.add_moments(0, moments);
            }
        }
        [None]
    })
}

/// `factor` · x.
pub(crate) fn scale<F: Real>(w: &Weights<F>, x: Tensor<2>, factor: f64) -> Tensor<2> {
    if w.is_stock() {
        return x * factor;
    }
    let (factor, shape) = (F::of(factor), x.dims());
    let scaled = move |x: Values<F>| {
        let mut x = x.into_vec();
        x.iter_mut().for_each(|x| *x *= factor);
        x
    };
    let (x, node) = read::<F, 2>(x);
    record([node], scaled(x), shape, move |dy| [Some(scaled(dy))])
}

/// (M, H): the rows `positions` of `x` (N, H).
pub(crate) fn select_rows<F: Real>(w: &Weights<F>, x: Tensor<2>, positions: &[u32]) -> Tensor<2> {
    if w.is_stock() {
        let ids = indices(positions, w.device());
        return x.select(0, ids);
    }
    let [n, width] = x.dims();
    let (x, node) = read::<F, 2>(x);
    let (ids, shape) = (ids(positions), [positions.len(), width]);
    let mut rows = vec![F::ZERO; ids.len() * width];
    kernel::gather(&x, &ids, &mut rows, false);
    record([node], rows, shape, move |drows| {
        let mut dx = vec![F::ZERO; n * width];
        kernel::scatter_add(&drows, &ids, &mut dx);
        [Some(dx)]
    })
}

/// Ids as an index tensor.
pub(super) fn indices(ids: &[u32], device: &crate::Device) -> Tensor<1, Int> {
    let shape = [ids.len()];
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}
