//! Weights as torchvision has them: one safetensors file, parameters and running statistics by name.
//!
//! Layouts of models of images are torchvision's own (convolutions O × I × K × K), so that nothing is transposed. The counters
//! `num_batches_tracked` play no part here: they are passed over when read, and written as 0, since torchvision asks
//! for them.

use crate::Error;
use crate::files::write_atomic;
use crate::task::Carried;
use acclip_models::Parameter;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const COUNTER: &str = "num_batches_tracked";
const STATISTIC: &str = ".running_mean";

/// The file in a folder of weights.
const FILE: &str = "model.safetensors";

/// What was read of a file.
#[derive(Debug)]
pub(crate) struct Weights {
    pub params: Vec<f32>,
    pub carried: Carried,
    /// The parameters of a head for other classes, which are new.
    pub fresh: Vec<String>,
}

/// Reads parameters, and the arrays that `carried` names, from a file, or from `model.safetensors` in a folder. The last
/// `head` parameters have a row a class; where the file has another number of classes, they are those of `new`.
///
/// # Errors
/// [`Error::Pretrained`] names every tensor that is missing, superfluous, misshaped, of another type than F32, F16 and
/// BF16, or not finite; [`Error::Io`].
pub(crate) fn read(
    path: &Path,
    parameters: &[Parameter],
    carried: &Carried,
    (head, new): (usize, &[f32]),
) -> Result<Weights, Error> {
    let inside = path.join(FILE);
    let path = if path.is_dir() { &inside } else { path };
    let refuse = |problem: String| Error::Pretrained {
        path: path.to_path_buf(),
        problem,
    };
    let file = fs::read(path).map_err(Error::io("read", path))?;
    let tensors = SafeTensors::deserialize(&file)
        .map_err(|error| refuse(format!("is not a safetensors file ({error})")))?;
    let mut rest: BTreeMap<String, TensorView> = tensors
        .iter()
        .filter(|(name, _)| !name.ends_with(COUNTER))
        .map(|(name, view)| (name.to_string(), view))
        .collect();
    let mut wrong = Vec::new();
    // A head for other classes.
    let mut fresh = Vec::new();
    for parameter in &parameters[parameters.len() - head..] {
        let found = rest.get(&parameter.name).map(TensorView::shape);
        if let (Some([classes, found @ ..]), [ours, own @ ..]) = (found, &parameter.shape[..])
            && classes != ours
            && found == own
        {
            fresh.push(parameter.name.clone());
            rest.remove(&parameter.name);
        }
    }
    let mut take = |name: &str, shape: &[usize]| -> Vec<f32> {
        let Some(view) = rest.remove(name) else {
            wrong.push(format!("{name} is missing"));
            return Vec::new();
        };
        if view.shape() != shape {
            let found = view.shape();
            wrong.push(format!("{name} has shape {found:?}, not {shape:?}"));
            return Vec::new();
        }
        let values = numbers(&view).unwrap_or_else(|dtype| {
            wrong.push(format!("{name} is of type {dtype:?}, not F32, F16 or BF16"));
            Vec::new()
        });
        if values.iter().any(|x| !x.is_finite()) {
            wrong.push(format!("{name} has entries that are not finite"));
        }
        if name.ends_with("running_var") && values.iter().any(|x| *x < 0.0) {
            wrong.push(format!("{name} has variances below 0"));
        }
        values
    };
    let mut params = Vec::new();
    let mut start = 0;
    for parameter in parameters {
        let range = start..start + parameter.len();
        start = range.end;
        match fresh.contains(&parameter.name) {
            true => params.extend_from_slice(&new[range]),
            false => params.extend(take(&parameter.name, &parameter.shape)),
        }
    }
    let arrays = carried.0.iter();
    let arrays = arrays.map(|(name, shape, _)| (name.clone(), shape.clone(), take(name, shape)));
    let arrays = arrays.collect();
    wrong.extend(rest.keys().map(|name| format!("{name} is superfluous")));
    match wrong.is_empty() {
        true => Ok(Weights {
            params,
            carried: Carried(arrays),
            fresh,
        }),
        false => Err(refuse(format!(
            "does not fit the configured model: {}",
            wrong.join("; ")
        ))),
    }
}

/// The numbers of a tensor, or its type if that is none of ours.
pub(crate) fn numbers(view: &TensorView) -> Result<Vec<f32>, Dtype> {
    let data = view.data();
    let (halves, singles) = (data.as_chunks::<2>().0, data.as_chunks::<4>().0);
    match view.dtype() {
        Dtype::F32 => Ok(singles.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F16 => Ok(halves
            .iter()
            .map(|b| f16::from_le_bytes(*b).to_f32())
            .collect()),
        Dtype::BF16 => Ok(halves
            .iter()
            .map(|b| bf16::from_le_bytes(*b).to_f32())
            .collect()),
        other => Err(other),
    }
}

/// Writes parameters and running statistics into a file.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn write(
    path: &Path,
    parameters: &[Parameter],
    params: &[f32],
    carried: &Carried,
) -> Result<(), Error> {
    let mut all: Vec<(String, Vec<usize>, Dtype, Vec<u8>)> = Vec::new();
    let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut start = 0;
    for p in parameters {
        let values = &params[start..start + p.len()];
        start += p.len();
        all.push((p.name.clone(), p.shape.clone(), Dtype::F32, bytes(values)));
    }
    for (name, shape, values) in &carried.0 {
        all.push((name.clone(), shape.clone(), Dtype::F32, bytes(values)));
        if let Some(norm) = name.strip_suffix(STATISTIC) {
            let counter = format!("{norm}.{COUNTER}");
            all.push((counter, Vec::new(), Dtype::I64, vec![0; 8]));
        }
    }
    let views = all.iter().map(|(name, shape, dtype, data)| {
        let view = TensorView::new(*dtype, shape.clone(), data);
        (name.as_str(), view.expect("array and shape agree"))
    });
    let metadata = Some([("format".to_string(), "pt".to_string())].into());
    let file = serialize(views, metadata).expect("names and shapes are valid");
    write_atomic(path, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, shape: &[usize]) -> Parameter {
        Parameter {
            name: name.into(),
            shape: shape.to_vec(),
            decay: true,
        }
    }

    #[test]
    fn what_is_written_comes_back_and_everything_wrong_is_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let parameters = [
            parameter("conv1.weight", &[2, 1, 1, 1]),
            parameter("fc.bias", &[1]),
        ];
        let params = [1.5, -0.0, f32::MIN_POSITIVE];
        let arrays = vec![("bn1.running_mean".to_string(), vec![2], vec![3.0, 4.0])];
        let carried = Carried(arrays);
        write(&path, &parameters, &params, &carried).unwrap();
        let none = (0, &[][..]);
        let found = read(&path, &parameters, &carried, none).unwrap();
        assert_eq!((&found.params[..], found.fresh.len()), (&params[..], 0));
        assert_eq!(found.carried, carried);

        // For two classes in place of one the head is new; for two channels nothing is.
        let head = [parameters[0].clone(), parameter("fc.bias", &[2])];
        let new = [9.0, 9.0, 7.0, 8.0];
        let found = read(&path, &head, &carried, (1, &new)).unwrap();
        assert_eq!(found.params, [1.5, -0.0, 7.0, 8.0]);
        assert_eq!(found.fresh, ["fc.bias"]);
        assert!(read(&path, &head, &carried, none).is_err());

        let others = [
            parameter("conv1.weight", &[1, 2, 1, 1]),
            parameter("fc.weight", &[1]),
        ];
        let error = read(&path, &others, &Carried::default(), none)
            .unwrap_err()
            .to_string();
        for problem in [
            "conv1.weight has shape [2, 1, 1, 1], not [1, 2, 1, 1]",
            "fc.weight is missing",
            "fc.bias is superfluous",
            "bn1.running_mean is superfluous",
        ] {
            assert!(error.contains(problem), "{problem}: {error}");
        }
        let arrays = vec![("bn1.running_var".to_string(), vec![2], vec![1.0, -1.0])];
        let negative = Carried(arrays);
        write(&path, &parameters, &params, &negative).unwrap();
        let error = read(&path, &parameters, &negative, none).unwrap_err();
        let says = "bn1.running_var has variances below 0";
        assert!(error.to_string().contains(says), "{error}");
        fs::write(&path, b"no").unwrap();
        let error = read(&path, &others, &Carried::default(), none).unwrap_err();
        assert!(matches!(error, Error::Pretrained { .. }), "{error}");
    }
}
