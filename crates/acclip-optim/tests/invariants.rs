//! Every name, and every path through the code, against every invariant: one table, one row each.

mod common;
#[path = "invariants/steps.rs"]
mod steps;

use acclip_optim::{Block, Format, InstructionSet, Layout, Optimizer, State, Tensor};
use common::*;
use half::bf16;

/// Every instruction set, in one pass where it is possible and link by link.
fn ways(optimizer: &Optimizer) -> Vec<(String, Optimizer)> {
    let set = |set| [true, false].map(|one_pass| (set, one_pass));
    let ways = InstructionSet::available().into_iter().flat_map(set);
    let way = |(set, one_pass)| {
        let optimizer = optimizer
            .clone()
            .with_instruction_set(set)
            .with_one_pass(one_pass);
        (
            format!("{} {set:?} one pass {one_pass}", label(&optimizer)),
            optimizer,
        )
    };
    ways.map(way).collect()
}

/// The bytes of coordinate (or block) `i` in every tensor that has `len` entries.
fn entries(tensors: &[Tensor<'_>], len: usize, i: usize) -> Vec<Vec<u8>> {
    let tensors = tensors.iter().filter(|tensor| tensor.len() == len);
    let entry = |tensor: &Tensor<'_>| {
        let size = tensor.bytes.len() / len;
        tensor.bytes[i * size..(i + 1) * size].to_vec()
    };
    tensors.map(entry).collect()
}

#[test]
fn a_buffer_equals_its_coordinates_one_by_one() {
    on_threads(1, || {
        // Lengths around the vector width, the tile on the stack, and the chunk of a thread.
        let lengths: Vec<usize> = (0..=64)
            .chain(255..=257)
            .chain(511..=513)
            .chain(32_767..=32_769)
            .collect();
        let whole = Problem::<f32>::new(one_block(32_769), 3);
        let alone_at: Vec<usize> = (0..=513)
            .chain((514..32_766).step_by(97))
            .chain(32_766..32_769)
            .collect();
        let problems: Vec<_> = lengths
            .iter()
            .map(|&len| whole.part(one_block(len), 0..len))
            .collect();
        for optimizer in variants().into_iter().filter(by_coordinate) {
            let alone: Vec<(usize, u64, Vec<Vec<u8>>)> = (alone_at.iter())
                .map(|&i| {
                    let problem = whole.part(one_block(1), i..i + 1);
                    let mut run = Run::new(&optimizer, &problem.layout, start::<f32>(i..i + 1));
                    run.steps(&optimizer, &problem, 0..3);
                    (i, run.params[0].bits(), entries(&run.state.tensors(), 1, 0))
                })
                .collect();
            for (what, optimizer) in ways(&optimizer) {
                for problem in &problems {
                    let len = problem.layout.len();
                    let all = run::<f32, f32>(&optimizer, problem);
                    let tensors = all.state.tensors();
                    for (i, params, slots) in alone.iter().take_while(|row| row.0 < len) {
                        assert_eq!(all.params[*i].bits(), *params, "{what}: {i} of {len}");
                        assert_eq!(
                            entries(&tensors, len, *i),
                            *slots,
                            "{what}: slots, {i} of {len}"
                        );
                    }
                }
            }
        }
    });
}

#[test]
fn a_layout_equals_its_blocks_one_by_one() {
    let whole = Problem::<f32>::new(groups(true), 4);
    let (len, count) = (whole.layout.len(), whole.layout.block_count());
    for optimizer in variants()
        .into_iter()
        .filter(|o| by_coordinate(o) || by_block(o))
    {
        let whole = whole.fit_for(&optimizer);
        let all = run::<f32, f32>(&optimizer, &whole);
        let tensors = all.state.tensors();
        for (number, (block, range)) in whole.layout.blocks().enumerate() {
            let what = format!("{}, block {}", label(&optimizer), block.name);
            let layout = Layout::new(vec![block.clone()]).unwrap();
            let part = whole.part(layout, range.clone());
            let mut alone = Run::new(&optimizer, &part.layout, start::<f32>(range.clone()));
            alone.steps(&optimizer, &part, 0..4);
            assert_eq!(
                bits(&all.params[range.clone()]),
                bits(&alone.params),
                "{what}"
            );
            for (together, alone) in all.stats.iter().zip(&alone.stats) {
                assert_eq!(together.blocks[number], alone.blocks[0], "{what}");
            }
            let own = alone.state.tensors();
            for (i, at) in range.clone().enumerate().step_by(13) {
                let (one, all) = (entries(&own, range.len(), i), entries(&tensors, len, at));
                assert_eq!(one[..all.len()], all[..], "{what}: {i}");
            }
            let of_block = entries(&tensors, count, number);
            assert!(
                of_block
                    .iter()
                    .all(|x| own.iter().any(|t| t.bytes[..] == x[..])),
                "{what}"
            );
        }
    }
}

/// Several blocks, several chunks: every way of running a chain gives the same bits.
fn every_way_agrees<P, G>(own_l2: bool, format: Format, threads: &[usize])
where
    P: Sample,
    G: Sample<Compute = P::Compute>,
{
    let problem = Problem::<G>::new(groups(own_l2), 4);
    for optimizer in variants()
        .into_iter()
        .map(|optimizer| optimizer.with_format(format))
    {
        let problem = problem.fit_for(&optimizer);
        let [one_pass, chain] = [true, false].map(|one_pass| {
            let optimizer = optimizer.clone().with_one_pass(one_pass);
            let one = run::<P, G>(&optimizer, &problem);
            for set in InstructionSet::available() {
                let other = run(&optimizer.clone().with_instruction_set(set), &problem);
                let what = format!("{}, one pass {one_pass}, {set:?}", label(&optimizer));
                assert_same_run(&one, &other, &problem.layout, &what);
            }
            for &threads in threads {
                let other = on_threads(threads, || run(&optimizer, &problem));
                let what = format!(
                    "{}, one pass {one_pass}, {threads} threads",
                    label(&optimizer)
                );
                assert_same_run(&one, &other, &problem.layout, &what);
            }
            one
        });
        assert_same_run(&one_pass, &chain, &problem.layout, &label(&optimizer));
    }
}

#[test]
fn one_pass_instruction_sets_and_threads_change_no_bit_of_parameters_state_and_stats() {
    every_way_agrees::<f32, f32>(false, Format::Full, &[1, 2, 3, 7]);
}

#[test]
fn nor_do_they_with_an_l2_decay_of_one_block_or_other_types() {
    every_way_agrees::<f32, f32>(true, Format::Full, &[3]);
    every_way_agrees::<f64, f64>(false, Format::Full, &[3]);
    every_way_agrees::<bf16, bf16>(false, Format::Bf16, &[3]);
    every_way_agrees::<bf16, f32>(false, Format::Full, &[]);
    every_way_agrees::<f32, bf16>(false, Format::Bits8, &[]);
}

#[test]
fn norms_over_many_chunks_have_the_same_bits_for_any_number_of_threads() {
    // 40 chunks, 6 gradients: enough for a sum in the thread pool's own order to round differently,
    // which the root often hides.
    let problem = Problem::<f32>::new(one_block(40 * 32 * 1024 - 5), 6);
    for optimizer in [make("sgd", ""), make("sgd", "l2 = 0.1"), make("qclip", "")] {
        let with = |threads| on_threads(threads, || run::<f32, f32>(&optimizer, &problem)).stats;
        let expected = with(1);
        for threads in [2, 3, 7] {
            assert_eq!(
                with(threads),
                expected,
                "{}, {threads} threads",
                label(&optimizer)
            );
        }
    }
}

#[test]
fn a_frozen_block_stays_as_it_is_and_counts_nowhere() {
    let problem = Problem::<f32>::new(groups(false), 4);
    let mut other = Problem::<f32>::new(groups(false), 4);
    let frozen: Vec<_> = other
        .layout
        .blocks()
        .filter(|(b, _)| b.frozen)
        .map(|(_, range)| range)
        .collect();
    for grad in &mut other.grads {
        for range in &frozen {
            grad[range.clone()].iter_mut().for_each(|g| *g = 1e6 - *g);
        }
    }
    for optimizer in variants() {
        for one_pass in [true, false] {
            let optimizer = optimizer.clone().with_one_pass(one_pass);
            let what = format!("{}, one pass {one_pass}", label(&optimizer));
            let (one, other) = (
                run::<f32, f32>(&optimizer, &problem),
                run(&optimizer, &other),
            );
            assert_same_run(&one, &other, &problem.layout, &what);
            let first: Vec<f32> = start(0..one.params.len());
            for range in &frozen {
                assert_eq!(one.params[range.clone()], first[range.clone()], "{what}");
                for i in range.clone() {
                    let slots = entries(&one.state.tensors(), first.len(), i);
                    assert!(
                        slots.iter().flatten().all(|&byte| byte == 0),
                        "{what}: slots of {i}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_restored_state_continues_to_the_same_bits() {
    on_threads(1, || {
        let problem = Problem::<f32>::new(
            Layout::new(vec![
                Block::new("w", [3, 100], true),
                Block::new("b", [17], false),
            ])
            .unwrap(),
            9,
        );
        let layout = &problem.layout;
        for optimizer in variants() {
            for format in [Format::Full, Format::Bf16, Format::Bits8] {
                let optimizer = optimizer.clone().with_format(format);
                let mut expected = Run::new(&optimizer, layout, start::<f32>(0..layout.len()));
                expected.state.seed = 5;
                let mut interrupted = expected.clone();
                expected.steps(&optimizer, &problem, 0..9);
                interrupted.steps(&optimizer, &problem, 0..5);
                let header = interrupted.state.header(layout);
                let mut tensors: Vec<Tensor<'static>> = (interrupted.state.tensors().into_iter())
                    .map(|Tensor { name, dtype, bytes }| Tensor {
                        name: name.into_owned().into(),
                        dtype: ["F32", "F64", "BF16", "U8"]
                            .into_iter()
                            .find(|d| *d == dtype)
                            .unwrap(),
                        bytes: bytes.into_owned().into(),
                    })
                    .collect();
                tensors.reverse(); // order must not matter
                interrupted.state = optimizer.init(layout);
                interrupted.state = State::restore(&optimizer, layout, &header, tensors).unwrap();
                interrupted.steps(&optimizer, &problem, 5..9);
                let what = format!("{} {format:?}", label(&optimizer));
                assert_same_run(&expected, &interrupted, layout, &what);
                assert_eq!(interrupted.state.t, 9);
            }
        }
    });
}
