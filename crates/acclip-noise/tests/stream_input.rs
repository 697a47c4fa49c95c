//! Bad input to the accumulators of `stream`: a typed error, and nothing has changed.

use acclip_noise::Error;
use acclip_noise::stream::{Layers, Mean, MeanGradient, Noise, PairDifferences, Projections};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn layers() -> Layers {
    Layers::new([("a", 0..2), ("b", 2..3)]).unwrap()
}

fn mean() -> Mean {
    let mut mean = MeanGradient::new(3);
    mean.push(&[1.0, 2.0, 3.0]).unwrap();
    mean.push(&[3.0, 2.0, 1.0]).unwrap();
    mean.finalize().unwrap()
}

/// Every bad gradient gives its error and leaves `state` as it was.
fn refuses<T: Clone + PartialEq + std::fmt::Debug>(
    mut state: T,
    push: impl Fn(&mut T, &[f64]) -> Result<(), Error>,
) {
    push(&mut state, &[1.0, 2.0, 3.0]).unwrap();
    // For pair differences: with and without a gradient that waits.
    for _ in 0..2 {
        let before = state.clone();
        for wrong in [&[][..], &[1.0, 2.0], &[1.0; 4]] {
            let error = push(&mut state, wrong).unwrap_err();
            assert!(
                matches!(error, Error::Length { expected: 3, found, .. } if found == wrong.len())
            );
        }
        for index in 0..3 {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut g = [1.0, 2.0, 3.0];
                g[index] = bad;
                let error = push(&mut state, &g).unwrap_err();
                assert!(matches!(error, Error::NotFinite { index: found, .. } if found == index));
            }
            for large in [1e76, -1e300, f64::MAX] {
                let mut g = [1.0, 2.0, 3.0];
                g[index] = large;
                let error = push(&mut state, &g).unwrap_err();
                assert!(matches!(error, Error::TooLarge { index: found, .. } if found == index));
            }
        }
        assert_eq!(state, before);
        push(&mut state, &[3.0, 2.0, 1.0]).unwrap();
    }
    // Extreme but good.
    for good in [
        [1e75, -1e75, 1e75],
        [5e-324, -1e-310, 0.0],
        [0.0; 3],
        [-0.0, 1e-200, -1e8],
    ] {
        push(&mut state, &good).unwrap();
    }
}

#[test]
fn bad_gradients() {
    refuses(MeanGradient::new(3), |state, g| state.push(g));
    refuses(Noise::new(layers(), mean()).unwrap(), |state, g| {
        state.push(g)
    });
    refuses(
        Noise::with_entries(layers(), mean()).unwrap(),
        |state, g| state.push(g),
    );
    refuses(PairDifferences::new(layers()), |state, g| state.push(g));
    refuses(Projections::new(layers(), 3, 1).unwrap(), |state, g| {
        state.push(g)
    });
}

#[test]
fn extreme_values_finish() {
    let mut mean = MeanGradient::new(3);
    let mut pairs = PairDifferences::new(layers());
    let mut projections = Projections::new(layers(), 9, 1).unwrap();
    let all = [
        [1e75, -1e75, 1e75],
        [-1e75, 1e75, -1e75],
        [5e-324, 0.0, 1e8],
    ];
    for g in &all {
        mean.push(g).unwrap();
        pairs.push(g).unwrap();
        projections.push(g).unwrap();
    }
    let mut noise = Noise::with_entries(layers(), mean.finalize().unwrap()).unwrap();
    all.iter().for_each(|g| noise.push(g).unwrap());
    let norms = noise.finalize().unwrap().norms.whole;
    assert!(norms.iter().all(|norm| norm.is_finite()));
    assert!(
        noise
            .excess_kurtoses()
            .unwrap()
            .all(|kurtosis| kurtosis.unwrap().is_finite())
    );
    assert!(pairs.finalize().unwrap().norms.whole[0].is_finite());
    let projected = projections.finalize().unwrap();
    assert!(projected.whole.iter().flatten().all(|c| c.is_finite()));
    // Largest and smallest f32.
    let mut narrow = MeanGradient::new(2);
    narrow.push(&[f32::MAX, f32::from_bits(1)]).unwrap();
    assert_eq!(narrow.finalize().unwrap().norms, [f64::from(f32::MAX)]);
}

#[test]
fn too_few() {
    let few = |error| matches!(error, Err(Error::TooFew { .. }));
    assert!(few(MeanGradient::new(3).finalize().map(drop)));
    let mut one = MeanGradient::new(1);
    one.push(&[2.0]).unwrap();
    assert_eq!(one.finalize().unwrap().gradient, [2.0]);
    assert!(few(
        Noise::new(Layers::whole(1), one.finalize().unwrap()).map(drop)
    ));
    let mut pairs = PairDifferences::new(layers());
    assert!(few(pairs.finalize().map(drop)));
    pairs.push(&[0.0; 3]).unwrap();
    assert!(few(pairs.finalize().map(drop)));
    let mut projections = Projections::new(layers(), 1, 1).unwrap();
    projections.push(&[0.0; 3]).unwrap();
    assert!(few(projections.finalize().map(drop)));
    for k in [0, 4097] {
        assert!(matches!(
            Projections::new(layers(), k, 1),
            Err(Error::Parameter { name: "k", .. })
        ));
    }
    // Gradients without entries.
    let mut empty = PairDifferences::<f32>::new(Layers::whole(0));
    empty.push(&[]).unwrap();
    empty.push(&[]).unwrap();
    assert_eq!(empty.finalize().unwrap().norms.whole, [0.0]);
}

#[test]
fn the_second_pass_must_fit_the_first() {
    assert!(matches!(
        Noise::new(Layers::whole(4), mean()),
        Err(Error::Length { .. })
    ));
    for bad in [f64::NAN, 1e76] {
        let mut mean = mean();
        mean.gradient[1] = bad;
        assert!(Noise::new(layers(), mean).is_err());
    }
    let mut noise = Noise::with_entries(layers(), mean()).unwrap();
    for n in 0..4 {
        let complete = noise.finalize();
        match complete {
            Err(Error::Length {
                expected, found, ..
            }) => assert_eq!((expected, found), (2, n)),
            other => assert!(other.is_ok() && n == 2),
        }
        assert_eq!(noise.variances().is_some(), n == 2);
        noise.push(&[1.0, 2.0, 3.0]).unwrap();
    }
}

#[test]
fn different_accumulators_do_not_merge() {
    let unlike = |result, expected| match result {
        Err(Error::Unlike { field, .. }) => assert_eq!(field, expected),
        other => panic!("{other:?}"),
    };
    unlike(
        MeanGradient::new(3).merge(&MeanGradient::new(2)),
        "dimensions",
    );
    let other = Layers::new([("a", 0..1), ("b", 1..3)]).unwrap();
    let mut noise = Noise::with_entries(layers(), mean()).unwrap();
    noise.push(&[1.0; 3]).unwrap();
    let before = noise.clone();
    unlike(
        noise.merge(&Noise::with_entries(other.clone(), mean()).unwrap()),
        "layers",
    );
    let mut shifted = mean();
    shifted.gradient[2] += 1e-15;
    unlike(
        noise.merge(&Noise::with_entries(layers(), shifted).unwrap()),
        "means",
    );
    unlike(
        noise.merge(&Noise::new(layers(), mean()).unwrap()),
        "moments of entries",
    );
    assert_eq!(noise, before);
    let mut pairs = PairDifferences::<f32>::new(layers());
    unlike(pairs.merge(&PairDifferences::new(other.clone())), "layers");
    let of = |layers, k, seed| Projections::new(layers, k, seed).unwrap();
    let mut projections = of(layers(), 3, 1);
    unlike(projections.merge(&of(other, 3, 1)), "layers");
    unlike(
        projections.merge(&of(layers(), 4, 1)),
        "numbers of projections",
    );
    unlike(projections.merge(&of(layers(), 3, 2)), "seeds");
}

/// `state` with one field of its saved form replaced.
fn damaged<T: Serialize + DeserializeOwned>(state: &T, field: &str, value: Value) -> T {
    let mut saved = serde_json::to_value(state).unwrap();
    assert!(saved.get(field).is_some(), "no field {field}");
    saved[field] = value;
    serde_json::from_value(saved).unwrap()
}

#[test]
fn damaged_states_are_noticed() {
    let is_damaged =
        |result: Result<(), Error>| assert!(matches!(result, Err(Error::Damaged { .. })));
    let ones = || Value::from(vec![1.0; 5]);
    let g = [1.0, 2.0, 3.0];
    let noise = Noise::with_entries(layers(), mean()).unwrap();
    for field in ["mean", "squares", "second", "fourth"] {
        let mut bad = damaged(&noise, field, ones());
        is_damaged(bad.push(&g));
        is_damaged(bad.finalize().map(drop));
        is_damaged(bad.merge(&noise));
        is_damaged(noise.clone().merge(&bad));
        assert!(bad.variances().is_none() && bad.excess_kurtoses().is_none());
    }
    let pairs = PairDifferences::<f64>::new(layers());
    for field in ["pending", "squares", "products"] {
        let mut bad = damaged(&pairs, field, ones());
        is_damaged(bad.push(&g));
        is_damaged(bad.finalize().map(drop));
        is_damaged(pairs.clone().merge(&bad));
    }
    let projections = Projections::new(layers(), 3, 1).unwrap();
    for (field, value) in [("k", 0.into()), ("squares", ones()), ("values", ones())] {
        let mut bad = damaged(&projections, field, value);
        is_damaged(bad.push(&g));
        is_damaged(bad.finalize().map(drop));
        is_damaged(projections.clone().merge(&bad));
    }
}
