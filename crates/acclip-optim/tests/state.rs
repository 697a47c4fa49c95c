//! Saving and restoring a state: the round trip through a safetensors file, and what is refused.

use std::collections::{BTreeMap, HashMap};

use acclip_optim::{
    Block, Element, Error, Format, Hyper, Layout, NAMES, Optimizer, Real, State, Tensor,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

const FORMATS: [Format; 3] = [Format::Full, Format::Bf16, Format::Bits8];

type Header = BTreeMap<String, String>;

fn layout() -> Layout {
    let blocks = [
        ("weight", vec![3, 100]),
        ("bias", vec![5]),
        ("scale", vec![]),
    ];
    Layout::new(
        blocks
            .map(|(name, shape)| Block::new(name, shape, name == "weight"))
            .into(),
    )
    .unwrap()
}

fn optimizer(name: &str, format: Format) -> Optimizer {
    Optimizer::new(name, &Hyper::default())
        .unwrap()
        .with_format(format)
}

/// `n` steps on skewed gradients; the parameters.
fn steps<F: Real + Element<Compute = F>>(
    optimizer: &Optimizer,
    layout: &Layout,
    state: &mut State<F>,
    n: u64,
) -> Vec<F> {
    let mut params = vec![F::narrow(0.25); layout.len()];
    for _ in 0..n {
        let entry = |i: usize| {
            let k = (i as u64 * 2654435761 + state.t * 40503) % 1009;
            1.0 / (k as f64 - 300.3)
        };
        let grad: Vec<F> = (0..layout.len()).map(|i| F::narrow(entry(i))).collect();
        optimizer
            .step(0.01, layout, &mut params, &grad, state)
            .unwrap();
    }
    params
}

fn used(name: &str, format: Format) -> (Optimizer, Layout, State<f32>) {
    let (optimizer, layout) = (optimizer(name, format), layout());
    let mut state = optimizer.init(&layout);
    steps(&optimizer, &layout, &mut state, 4);
    (optimizer, layout, state)
}

/// The bytes of a safetensors file with this state.
fn save<F: Real>(state: &State<F>, layout: &Layout) -> Vec<u8> {
    let dtype = |name: &str| match name {
        "F32" => Dtype::F32,
        "F64" => Dtype::F64,
        "BF16" => Dtype::BF16,
        "U8" => Dtype::U8,
        _ => panic!("safetensors has no type {name}"),
    };
    let tensors = state.tensors();
    let view = |t: &Tensor| {
        (
            t.name.to_string(),
            dtype(t.dtype),
            vec![t.len()],
            t.bytes.to_vec(),
        )
    };
    let owned: Vec<_> = tensors.iter().map(view).collect();
    let views = owned.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let metadata: HashMap<String, String> = state.header(layout).into_iter().collect();
    safetensors::serialize(views, Some(metadata)).unwrap()
}

fn load<F: Real>(optimizer: &Optimizer, layout: &Layout, file: &[u8]) -> Result<State<F>, Error> {
    let (_, metadata) = SafeTensors::read_metadata(file).unwrap();
    let header = metadata.metadata().clone().unwrap().into_iter().collect();
    let file = SafeTensors::deserialize(file).unwrap();
    // safetensors orders by type and name, so never as the state does.
    let tensors = file.iter().map(|(name, view)| Tensor {
        name: name.to_owned().into(),
        dtype: match view.dtype() {
            Dtype::F32 => "F32",
            Dtype::F64 => "F64",
            Dtype::BF16 => "BF16",
            _ => "U8",
        },
        bytes: view.data().into(),
    });
    State::restore(optimizer, layout, &header, tensors)
}

fn assert_round_trip<F: Real + Element<Compute = F>>(name: &str, format: Format) {
    let (optimizer, layout) = (optimizer(name, format), layout());
    let mut state = optimizer.init::<F>(&layout);
    (state.seed, state.skipped, state.zeroed) = (u64::MAX, 3, 1 << 40);
    steps(&optimizer, &layout, &mut state, 5);
    let mut back = load::<F>(&optimizer, &layout, &save(&state, &layout)).unwrap();
    assert!(back == state, "{name} {format:?}");
    assert_eq!(
        (back.t, back.seed, back.skipped, back.zeroed),
        (5, u64::MAX, 3, 1 << 40)
    );
    // The format is the state's own, whatever that of new states is.
    let other = optimizer.clone().with_format(Format::Full);
    assert!(
        load::<F>(&other, &layout, &save(&state, &layout)).unwrap() == state,
        "{name} {format:?}"
    );
    let (a, b) = (
        steps(&optimizer, &layout, &mut state, 3),
        steps(&optimizer, &layout, &mut back, 3),
    );
    assert!(a == b && state == back, "{name} {format:?}");
}

#[test]
fn a_safetensors_file_brings_back_every_state() {
    for name in NAMES {
        for format in FORMATS {
            assert_round_trip::<f32>(name, format);
            assert_round_trip::<f64>(name, format);
        }
    }
}

#[test]
fn the_order_of_tensors_does_not_matter() {
    for format in FORMATS {
        let (optimizer, layout, state) = used("acclip", format);
        let mut tensors = state.tensors();
        tensors.reverse();
        assert!(
            State::restore(&optimizer, &layout, &state.header(&layout), tensors).unwrap() == state
        );
    }
}

/// The error of restoring what `change` makes of a saved state of `adamw`.
fn refused(format: Format, change: impl Fn(&mut Header, &mut Vec<Tensor>)) -> Error {
    let (optimizer, layout, state) = used("adamw", format);
    let (mut header, mut tensors) = (state.header(&layout), state.tensors());
    change(&mut header, &mut tensors);
    State::<f32>::restore(&optimizer, &layout, &header, tensors).unwrap_err()
}

#[test]
fn another_rule_is_refused_by_name() {
    let (_, layout, state) = used("adam", Format::Full);
    let adamw = optimizer("adamw", Format::Full);
    let refused = State::<f32>::restore(&adamw, &layout, &state.header(&layout), state.tensors());
    let expected = Error::StateRule {
        optimizer: "adamw".into(),
        made_by: "adam".into(),
    };
    assert_eq!(refused, Err(expected.clone()));
    let message = expected.to_string();
    assert!(
        message.contains("`adamw`") && message.contains("`adam`"),
        "{message}"
    );
    // The same in a step, with the parameters untouched.
    let mut params = vec![1.0_f32; layout.len()];
    let mut other = state.clone();
    let grad = vec![1.0_f32; layout.len()];
    assert_eq!(
        adamw.step(0.1, &layout, &mut params, &grad, &mut other),
        Err(expected)
    );
    assert!(params.iter().all(|&x| x == 1.0) && other == state);
}

#[test]
fn headers_that_cannot_be_read_are_refused_with_their_entry() {
    let keys = [
        "acclip_state",
        "optimizer",
        "format",
        "t",
        "seed",
        "skipped",
        "zeroed",
        "blocks",
    ];
    let (_, layout, state) = used("adamw", Format::Full);
    assert!(
        state
            .header(&layout)
            .keys()
            .all(|key| keys.contains(&key.as_str()))
    );
    let of = |error: Error| match error {
        Error::StateHeader { key, .. } => key,
        other => panic!("{other}"),
    };
    for key in keys {
        let error = refused(Format::Full, |header, _| drop(header.remove(key)));
        assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
        assert_eq!(of(error), key);
    }
    for (key, value) in [
        ("acclip_state", "2"),
        ("acclip_state", ""),
        ("format", "fp4"),
        ("format", "Full"),
        ("t", "-1"),
        ("t", "1.5"),
        ("t", "18446744073709551616"),
        ("seed", "x"),
        ("skipped", ""),
        ("zeroed", " 1"),
    ] {
        let error = refused(Format::Full, |header, _| {
            drop(header.insert(key.into(), value.into()))
        });
        assert!(error.to_string().contains(&format!("`{value}`")), "{error}");
        assert_eq!(of(error), key);
    }
}

fn tensor<'t, 'a>(tensors: &'t mut [Tensor<'a>], name: &str) -> &'t mut Tensor<'a> {
    tensors
        .iter_mut()
        .find(|tensor| tensor.name == name)
        .unwrap()
}

#[test]
fn tensors_that_do_not_fit_are_refused_with_their_names() {
    for format in FORMATS {
        let slots = |missing: &[&str], unexpected: &[&str]| Error::StateSlots {
            optimizer: "adamw".into(),
            missing: missing.iter().map(|name| name.to_string()).collect(),
            unexpected: unexpected.iter().map(|name| name.to_string()).collect(),
        };
        let error = refused(format, |_, tensors| tensors.retain(|t| t.name != "m"));
        assert_eq!(error, slots(&["m"], &[]), "{format:?}");
        let error = refused(format, |_, tensors| {
            let m = tensor(tensors, "m");
            m.name = "tau_alpha".into();
        });
        assert_eq!(error, slots(&["m"], &["tau_alpha"]), "{format:?}");
        let error = refused(format, |_, tensors| tensors.push(tensors[0].clone()));
        assert_eq!(error, slots(&[], &["m"]), "{format:?}");

        let error = refused(format, |_, tensors| {
            let v = tensor(tensors, "v");
            let short = v.bytes.len() - v.bytes.len() / v.len();
            v.bytes = v.bytes[..short].to_vec().into();
        });
        let expected = Error::Length {
            what: "state tensor v".into(),
            expected: 306,
            found: 305,
        };
        assert_eq!(error, expected, "{format:?}");

        let error = refused(format, |_, tensors| {
            tensor(tensors, "v").dtype = "I64";
        });
        let expected = match format {
            Format::Bf16 => "BF16",
            Format::Bits8 => "U8",
            _ => "F32",
        };
        let (name, found) = ("v".into(), "I64".into());
        assert_eq!(
            error,
            Error::StateType {
                name,
                expected,
                found
            },
            "{format:?}"
        );
    }
    let error = refused(Format::Bits8, |_, tensors| {
        tensors.retain(|t| t.name != "v.scale")
    });
    assert!(matches!(error, Error::StateSlots { missing, .. } if missing == ["v.scale"]));
    // Half an entry less, which is no whole number of entries.
    let error = refused(Format::Full, |_, tensors| {
        tensors[0].bytes = tensors[0].bytes[..1222].to_vec().into()
    });
    assert!(matches!(&error, Error::Length { .. }), "{error}");
    // A state of another precision.
    let (optimizer, layout, state) = used("adamw", Format::Full);
    let error = State::<f64>::restore(&optimizer, &layout, &state.header(&layout), state.tensors());
    assert!(matches!(
        error,
        Err(Error::StateType {
            expected: "F64",
            ..
        })
    ));
}

#[test]
fn blocks_that_differ_are_refused_with_name_and_shape() {
    let (optimizer, _, state) = used("adamw", Format::Full);
    let header = state.header(&layout());
    let refused = |blocks: &[(&str, &[usize])]| {
        let blocks = blocks
            .iter()
            .map(|(name, shape)| Block::new(*name, *shape, true));
        let layout = Layout::new(blocks.collect()).unwrap();
        match State::<f32>::restore(&optimizer, &layout, &header, state.tensors()) {
            Err(Error::StateLayout {
                missing,
                unexpected,
            }) => (missing.join("; "), unexpected.join("; ")),
            other => panic!("{other:?}"),
        }
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let (weight, bias, scale): (&[usize], &[usize], &[usize]) = (&[3, 100], &[5], &[]);
    let renamed = refused(&[("w", weight), ("bias", bias), ("scale", scale)]);
    assert_eq!(renamed, pair(r#""w" [3, 100]"#, r#""weight" [3, 100]"#));
    let transposed = refused(&[("weight", &[100, 3]), ("bias", bias), ("scale", scale)]);
    assert_eq!(
        transposed,
        pair(r#""weight" [100, 3]"#, r#""weight" [3, 100]"#)
    );
    let reordered = refused(&[("bias", bias), ("weight", weight), ("scale", scale)]);
    assert_eq!(reordered, pair("", ""));
    let fewer = refused(&[("weight", weight), ("bias", bias)]);
    assert_eq!(fewer, pair("", r#""scale" []"#));
}

#[test]
fn garbage_is_an_error_or_a_state_but_never_a_panic() {
    let mut seed = 1_u64;
    let mut random = move || {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        seed >> 33
    };
    for format in FORMATS {
        for name in NAMES {
            let (optimizer, layout, state) = used(name, format);
            // Any bytes of the right length are a state: steps go on, whatever they give.
            let mut tensors = state.tensors();
            for tensor in &mut tensors {
                tensor.bytes = (0..tensor.bytes.len()).map(|_| random() as u8).collect();
            }
            let mut header = state.header(&layout);
            for t in [u64::MAX, u64::MAX - 1, 0] {
                header.insert("t".into(), t.to_string());
                let mut state =
                    State::<f32>::restore(&optimizer, &layout, &header, tensors.clone()).unwrap();
                steps(&optimizer, &layout, &mut state, 2);
                assert_eq!(state.t, t.saturating_add(2), "{name}");
            }
            // Text and bytes of any length.
            for _ in 0..20 {
                let mut header = header.clone();
                for value in header.values_mut() {
                    if random() % 4 == 0 {
                        *value = (0..random() % 9)
                            .filter_map(|_| char::from_u32(random() as u32 % 0x3000))
                            .collect();
                    }
                }
                let mut tensors = tensors.clone();
                for tensor in &mut tensors {
                    let len = if random() % 2 == 0 {
                        0
                    } else {
                        random() as usize % 3000
                    };
                    tensor.bytes = vec![random() as u8; len].into();
                }
                let _ = State::<f32>::restore(&optimizer, &layout, &header, tensors);
            }
            let nothing: [Tensor; 0] = [];
            assert!(State::<f32>::restore(&optimizer, &layout, &Header::new(), nothing).is_err());
        }
    }
}

#[test]
fn a_tensor_with_some_bytes_too_many_or_too_few_is_refused() {
    let (optimizer, layout, state) = used("adamw", Format::Full);
    for change in [-3_i64, -1, 1, 3, 4] {
        let mut tensors = state.tensors();
        let len = tensors[0].bytes.len() as i64 + change;
        let bytes = tensors[0].bytes.iter().copied().chain([0; 8]);
        let bytes: Vec<u8> = bytes.take(len as usize).collect();
        tensors[0].bytes = bytes.into();
        let restored = State::<f32>::restore(&optimizer, &layout, &state.header(&layout), tensors);
        assert!(matches!(restored, Err(Error::Length { .. })), "{change}");
    }
}

#[test]
fn blocks_cut_elsewhere_are_refused_by_a_step() {
    let cut = |a, b| {
        let blocks = [("a", a), ("b", b)].map(|(name, len)| Block::new(name, [len], true));
        Layout::new(blocks.into()).unwrap()
    };
    let (ours, other) = (cut(257, 255), cut(255, 257));
    let optimizer = Optimizer::new("adamw", &Hyper::default()).unwrap();
    let mut state = optimizer.init::<f32>(&ours);
    let (mut params, grad) = ([1.0_f32; 512], [1.0_f32; 512]);
    let error = optimizer.step(0.1, &other, &mut params, &grad, &mut state);
    assert!(matches!(error, Err(Error::StateLayout { .. })));
    assert_eq!((params, state.t), ([1.0; 512], 0));
    assert!(state.values("m", &other).is_none() && state.values("m", &ours).is_some());
}
