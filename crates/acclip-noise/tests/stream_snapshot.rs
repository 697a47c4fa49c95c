//! A snapshot across entries against its definition, and what it tells apart.

use acclip_noise::Error;
use acclip_noise::pictures::moments::Summary;
use acclip_noise::stable::SymmetricStable;
use acclip_noise::stream::{CoordinateSnapshot, Layers, MeanGradient, Noise};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::{LogNormal, StandardNormal};

fn measure(layers: Layers, gradients: &[Vec<f64>]) -> Noise {
    let mut mean = MeanGradient::new(layers.dimension());
    gradients.iter().for_each(|g| mean.push(g).unwrap());
    let mut noise = Noise::with_entries(layers, mean.finalize().unwrap()).unwrap();
    gradients.iter().for_each(|g| noise.push(g).unwrap());
    noise
}

fn vectors(n: usize, scales: &[f64], law: impl Distribution<f64>, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut vector = || scales.iter().map(|s| s * law.sample(&mut rng)).collect();
    (0..n).map(|_| vector()).collect()
}

#[test]
fn leaving_out_equals_measuring_the_others() {
    let scales: Vec<f64> = (0..50).map(|j| 1.0 + f64::from(j)).collect();
    let mut gradients = vectors(9, &scales, SymmetricStable::new(1.5).unwrap(), 51);
    gradients.iter_mut().flatten().for_each(|x| *x += 30.0);
    let noise = measure(Layers::whole(50), &gradients);
    for i in 0..9 {
        let mut others = gradients.clone();
        let gradient = others.remove(i);
        let others = measure(Layers::whole(50), &others);
        let found = CoordinateSnapshot::of_member(&gradient, &noise, None, 50).unwrap();
        let expected = CoordinateSnapshot::of_newcomer(&gradient, &others, None, 50).unwrap();
        assert_eq!((found.others, expected.others), (8, 8));
        for (j, t) in found.standardised_sample.iter().enumerate() {
            // The definition, with the others at hand.
            let others = || {
                (0..9)
                    .filter(|&other| other != i)
                    .map(|other| gradients[other][j])
            };
            let mean = others().sum::<f64>() / 8.0;
            let variance = others().map(|g| (g - mean).powi(2)).sum::<f64>() / 7.0;
            let slow = (gradient[j] - mean) / (variance * 9.0 / 8.0).sqrt();
            assert!((t - slow).abs() < 1e-9 * slow.abs().max(1.0), "{t} {slow}");
            assert!((expected.standardised_sample[j] - slow).abs() < 1e-9 * slow.abs().max(1.0));
        }
    }
}

#[test]
fn unequal_scales_and_heavy_noise_are_told_apart() {
    let mut rng = ChaCha8Rng::seed_from_u64(52);
    let unequal: Vec<f64> = LogNormal::new(0.0, 2.0)
        .unwrap()
        .sample_iter(&mut rng)
        .take(50_000)
        .collect();
    let kurtoses = |gradients: &[Vec<f64>]| {
        let noise = measure(Layers::whole(50_000), gradients);
        let found = CoordinateSnapshot::of_member(&gradients[3], &noise, None, 1).unwrap();
        let kurtosis = |summary: Summary| summary.excess_kurtosis.unwrap();
        let expected = found.gaussian_excess_kurtosis.unwrap();
        (
            kurtosis(found.raw),
            kurtosis(found.standardised.unwrap()),
            expected,
        )
    };
    let (raw, standardised, expected) = kurtoses(&vectors(32, &unequal, StandardNormal, 53));
    println!("unequal scales: raw {raw:.1}, standardised {standardised:.3}, Student {expected:.3}");
    assert!((expected - 6.0 / 26.0).abs() < 1e-15);
    assert!(raw > 100.0 && (standardised - expected).abs() < 0.1);
    // Equal scales: the raw entries are Gaussian as well.
    let equal = vec![1.0; 50_000];
    let (raw, standardised, _) = kurtoses(&vectors(32, &equal, StandardNormal, 54));
    assert!(raw.abs() < 0.1 && (standardised - expected).abs() < 0.1);
    // Heavy noise, with equal and unequal scales.
    for scales in [&equal, &unequal] {
        let heavy = SymmetricStable::new(1.5).unwrap();
        let (raw, standardised, _) = kurtoses(&vectors(32, scales, heavy, 55));
        println!("stable: raw {raw:.1}, standardised {standardised:.1}");
        assert!(raw > 100.0 && standardised > 100.0);
    }
}

#[test]
fn entries_without_a_scale_are_counted() {
    // Entry 0 never moves, 1 is constant, 2 moves in the first gradient only, 3 in all.
    let gradients: Vec<Vec<f64>> = (0..7)
        .map(|i| {
            vec![
                0.0,
                0.1,
                f64::from(i32::from(i == 0)) * 1e-3,
                f64::from(i * i),
            ]
        })
        .collect();
    let noise = measure(Layers::new([("a", 0..3), ("b", 3..4)]).unwrap(), &gradients);
    let first = CoordinateSnapshot::of_member(&gradients[0], &noise, None, 9).unwrap();
    assert_eq!((first.still, first.alone), (2, 1));
    assert_eq!(first.standardised_sample.len(), 1);
    let second = CoordinateSnapshot::of_member(&gradients[1], &noise, None, 9).unwrap();
    assert_eq!((second.still, second.alone), (2, 0));
    let layer = CoordinateSnapshot::of_member(&gradients[0], &noise, Some(0), 9).unwrap();
    assert_eq!((layer.raw.n, layer.standardised), (3, None));
    let late = [0.0, 0.5, 0.0, 1.0];
    let late = CoordinateSnapshot::of_newcomer(&late, &noise, None, 2).unwrap();
    assert_eq!((late.still, late.alone, late.raw_sample.len()), (1, 1, 2));
}

#[test]
fn an_entry_that_moves_once_is_alone_whatever_its_size() {
    // One entry each, so that rounding falls out differently.
    let sizes: Vec<f64> = (1..500).map(|j| f64::from(j).sqrt() * 1e-3).collect();
    for n in 3..12 {
        let mut gradients = vec![vec![0.0; sizes.len()]; n];
        gradients[1].clone_from(&sizes);
        let noise = measure(Layers::whole(sizes.len()), &gradients);
        let found = CoordinateSnapshot::of_member(&sizes, &noise, None, 1).unwrap();
        assert_eq!((found.alone, found.still), (499, 0), "{n}");
        let other = CoordinateSnapshot::of_member(&gradients[0], &noise, None, 1).unwrap();
        assert_eq!((other.alone, other.still), (0, 0), "{n}");
    }
}

#[test]
fn bad_input() {
    let gradients = vectors(3, &[1.0; 4], StandardNormal, 56);
    let layers = Layers::new([("a", 0..4), ("none", 4..4)]).unwrap();
    let noise = measure(layers.clone(), &gradients);
    let g = &gradients[0];
    let of = |g: &[f64], layer, points| CoordinateSnapshot::of_member(g, &noise, layer, points);
    let few = of(g, None, 1).unwrap();
    assert_eq!((few.others, few.gaussian_excess_kurtosis), (2, None));
    assert!(matches!(
        of(g, Some(1), 1),
        Err(Error::TooFew { found: 0, .. })
    ));
    assert!(matches!(
        of(g, Some(2), 1),
        Err(Error::Parameter { name: "layer", .. })
    ));
    assert!(matches!(
        of(g, None, 0),
        Err(Error::Parameter { name: "points", .. })
    ));
    assert!(matches!(of(&g[1..], None, 1), Err(Error::Length { .. })));
    assert!(matches!(
        of(&[0.0, f64::NAN, 0.0, 0.0], None, 1),
        Err(Error::NotFinite { index: 1, .. })
    ));
    assert!(of(&[1e75, -1e75, 0.0, 5e-324], None, 4).is_ok());
    let two = measure(layers.clone(), &gradients[..2]);
    assert!(matches!(
        CoordinateSnapshot::of_member(g, &two, None, 1),
        Err(Error::TooFew {
            needed: 2,
            found: 1,
            ..
        })
    ));
    assert!(CoordinateSnapshot::of_newcomer(g, &two, None, 1).is_ok());
    let mut mean = MeanGradient::new(4);
    gradients.iter().for_each(|g| mean.push(g).unwrap());
    let mut norms_only = Noise::new(layers, mean.finalize().unwrap()).unwrap();
    gradients.iter().for_each(|g| norms_only.push(g).unwrap());
    assert!(matches!(
        CoordinateSnapshot::of_member(g, &norms_only, None, 1),
        Err(Error::Parameter { name: "noise", .. })
    ));
}
