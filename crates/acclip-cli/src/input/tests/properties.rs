//! What is written is read again, whatever the type and the order; and large files in little memory.

use super::*;
use ::safetensors::tensor::{Dtype as Stored, TensorView};
use half::{bf16, f16};

/// Numbers that tell every entry from every other, in a type that holds only some.
fn value(index: usize, dtype: &str) -> f64 {
    let scale = if dtype.starts_with('u') { 1.0 } else { -1.0 };
    let x = scale * (index % 97) as f64;
    match dtype {
        "f2" => f16::from_f64(x * 0.37).to_f64(),
        "bf" => bf16::from_f64(x * 1e30).to_f64(),
        "f4" => f64::from((x * 1e-38) as f32),
        "f8" => x * 0.1,
        _ => x,
    }
}

/// In little-endian bytes, as the language writes them.
fn encode(x: f64, dtype: &str) -> Vec<u8> {
    match dtype {
        "f2" => f16::from_f64(x).to_le_bytes().to_vec(),
        "bf" => bf16::from_f64(x).to_le_bytes().to_vec(),
        "f4" => (x as f32).to_le_bytes().to_vec(),
        "f8" => x.to_le_bytes().to_vec(),
        "i1" | "i2" | "i4" | "i8" => (x as i64).to_le_bytes()[..size(dtype)].to_vec(),
        _ => (x as u64).to_le_bytes()[..size(dtype)].to_vec(),
    }
}

fn size(dtype: &str) -> usize {
    match dtype {
        "bf" => 2,
        _ => usize::from(dtype.as_bytes()[1] - b'0'),
    }
}

fn npy(dtype: &str, big_endian: bool, fortran: bool, shape: &[usize]) -> Vec<u8> {
    let total: usize = shape.iter().product();
    let order = if big_endian { '>' } else { '<' };
    let python = if fortran { "True" } else { "False" };
    let shape_text: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let header = format!(
        "{{'descr': '{order}{dtype}', 'fortran_order': {python}, 'shape': ({shape_text}), }}\n"
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    let mut place = vec![0; shape.len()];
    for at in 0..total {
        // The axes of the entry that stands here, and from them its index in C order.
        let mut left = at;
        let axes: Vec<usize> = match fortran {
            true => (0..shape.len()).collect(),
            false => (0..shape.len()).rev().collect(),
        };
        for axis in axes {
            place[axis] = left % shape[axis];
            left /= shape[axis];
        }
        let index = place
            .iter()
            .zip(shape)
            .fold(0, |index, (i, axis)| index * axis + i);
        let mut number = encode(value(index, dtype), dtype);
        if big_endian {
            number.reverse();
        }
        bytes.extend(number);
    }
    bytes
}

const TYPES: [(&str, Stored); 12] = [
    ("f2", Stored::F16),
    ("bf", Stored::BF16),
    ("f4", Stored::F32),
    ("f8", Stored::F64),
    ("i1", Stored::I8),
    ("i2", Stored::I16),
    ("i4", Stored::I32),
    ("i8", Stored::I64),
    ("u1", Stored::U8),
    ("u2", Stored::U16),
    ("u4", Stored::U32),
    ("u8", Stored::U64),
];

fn expected(dtype: &str, n: usize, d: usize) -> Vec<Vec<f64>> {
    let row = |i| {
        (i * d..(i + 1) * d)
            .map(|index| value(index, dtype))
            .collect()
    };
    (0..n).map(row).collect()
}

#[test]
fn npy_of_every_type_and_order() {
    let asked = options(Some(Shape::Vectors), None);
    for (dtype, _) in TYPES {
        for (big_endian, fortran) in [(false, false), (false, true), (true, false), (true, true)] {
            for shape in [
                &[5][..],
                &[1, 7],
                &[7, 1],
                &[5, 7],
                &[3, 2, 4],
                &[2, 3, 2, 5],
            ] {
                if dtype == "bf" {
                    continue; // NumPy has no such type
                }
                let bytes = npy(dtype, big_endian, fortran, shape);
                let found = content("a.npy", &bytes, &asked);
                let d = shape[1..].iter().product();
                let layers = vec![("all".to_owned(), d)];
                let rows = expected(dtype, shape[0], d);
                let what = format!("{dtype} {big_endian} {fortran} {shape:?}");
                assert_eq!(found, Ok(Content::Rows(rows, layers)), "{what}");
            }
        }
    }
}

/// All types beside each other, and rows longer than a piece and a block.
#[test]
fn safetensors_of_every_type() {
    for (n, d) in [(1, 3), (4, 1), (5, 7), (3, 70_000), (40_000, 2)] {
        let tensors: Vec<_> = (TYPES.iter())
            .map(|(dtype, stored)| {
                let encoded = (0..n * d).flat_map(|index| encode(value(index, dtype), dtype));
                (*dtype, *stored, encoded.collect::<Vec<u8>>())
            })
            .collect();
        let views = (tensors.iter()).map(|(name, stored, data)| {
            (*name, TensorView::new(*stored, vec![n, d], data).unwrap())
        });
        let bytes = ::safetensors::serialize(views, None).unwrap();
        let asked = options(Some(Shape::Vectors), None);
        let Ok(Content::Rows(rows, layers)) = content("a", &bytes, &asked) else {
            panic!("{n} {d}")
        };
        assert_eq!(layers.len(), TYPES.len());
        let mut start = 0;
        for (dtype, length) in layers {
            assert_eq!(length, d);
            let part = |row: &Vec<f64>| row[start..start + d].to_vec();
            let found: Vec<Vec<f64>> = rows.iter().map(part).collect();
            assert!(found == expected(&dtype, n, d), "{dtype} {n} {d}");
            start += d;
        }
    }
}

/// Text in the shortest form that gives the same number again, under every separator and end of line.
#[test]
fn csv_of_every_separator() {
    for (n, d) in [(1, 1), (5, 1), (2, 2), (5, 7), (3, 4_000)] {
        let values = |i: usize| {
            (0..d).map(move |j| 1e-3 + value(7 * i + j, "f8") * f64::powi(10.0, j as i32 % 9))
        };
        let rows: Vec<Vec<f64>> = (0..n).map(|i| values(i).collect()).collect();
        for separator in [",", ";", "\t", " ", " , ", "  "] {
            for end in ["\n", "\r\n", "\n\n# a comment\n"] {
                let line = |row: &Vec<f64>| {
                    let fields: Vec<String> = row.iter().map(f64::to_string).collect();
                    fields.join(separator)
                };
                let lines: Vec<String> = rows.iter().map(line).collect();
                let names: Vec<String> = (0..d).map(|j| format!("g{j}")).collect();
                for text in [
                    lines.join(end),
                    lines.join(end) + end,
                    format!("\u{feff}{}{end}{}", names.join(separator), lines.join(end)),
                ] {
                    let asked = options(Some(Shape::Vectors), None);
                    let found = content("a.csv", text.as_bytes(), &asked);
                    let layers = vec![("all".to_owned(), d)];
                    assert!(
                        found == Ok(Content::Rows(rows.clone(), layers)),
                        "{n} {d} {separator:?}"
                    );
                }
            }
        }
    }
}

/// Norms are read as they were written; 10⁵ of them.
#[test]
fn many_norms() {
    let norms: Vec<f64> = (1..100_000).map(|i| f64::from(i % 1_013) * 0.7).collect();
    let text: String = norms.iter().map(|x| format!("{x}\n")).collect();
    let found = content("a.csv", text.as_bytes(), &Options::default());
    assert!(found == Ok(Content::Norms(norms.clone())));
    let view = |data| TensorView::new(Stored::F64, vec![norms.len()], data).unwrap();
    let data: Vec<u8> = norms.iter().flat_map(|x| x.to_le_bytes()).collect();
    let bytes = ::safetensors::serialize([("norms", view(&data))], None).unwrap();
    let found = content("a", &bytes, &Options::default());
    assert!(found == Ok(Content::Norms(norms.clone())));
}
