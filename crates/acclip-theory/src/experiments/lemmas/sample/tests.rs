use super::*;

/// In one dimension the interval is Student's, in five of equal noise it is too wide, never too narrow.
#[test]
fn intervals_of_a_norm_cover() {
    for (dim, shift, range) in [
        (1, 2.0, 0.93..=0.97),
        (1, 0.0, 0.93..=0.97),
        (5, 0.1, 0.97..=1.0),
    ] {
        let mut covered = 0;
        let trials = 2000;
        for trial in 0..trials {
            let mut random = Random::new(mix(5, trial));
            let group = |_| (0..dim).map(|_| random.normal() + shift).collect();
            let groups: Vec<Vec<f64>> = (0..GROUPS).map(group).collect();
            let truth = shift * f64::from(dim).sqrt();
            covered += u32::from(norm_of(&groups, 0..dim as usize).holds_among(truth, 1));
        }
        let share = f64::from(covered) / trials as f64;
        assert!(range.contains(&share), "{dim} {shift}: {share}");
    }
    // Means (1, 2), (5, 4), (3, 9): (3, 5), squares 4 + 9, 4 + 1, 0 + 16; 34/6, Student's quantile 4.302653.
    let groups = [
        vec![9.0, 1.0, 2.0],
        vec![9.0, 5.0, 4.0],
        vec![9.0, 3.0, 9.0],
    ];
    let found = norm_of(&groups, 1..3);
    assert!((found.value - 34_f64.sqrt()).abs() < 1e-14, "{found:?}");
    assert!((found.high - found.value - 4.302_652_7 * (34_f64 / 6.0).sqrt()).abs() < 1e-6);
}

#[test]
fn samples_are_the_noise_for_any_number_of_threads() {
    let case = &panel(1.5)[7];
    let add = |row: &[f64], sums: &mut [f64]| {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += x.abs().min(10.0);
        }
    };
    let run = || means(case, 40_000, 3, DIM, &Control::default(), add);
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let (many, alone) = (run().unwrap(), one.install(run).unwrap());
    assert_eq!(many, alone);
    // Groups of one chunk and of two: the second is not the first again.
    let first = means(case, 512 * GROUPS, 3, DIM, &Control::default(), add).unwrap();
    let second = means(case, 1024 * GROUPS, 3, DIM, &Control::default(), add).unwrap();
    for (one, two) in first.iter().zip(&second) {
        assert!(one.iter().zip(two).all(|(a, b)| (a / b - 1.0).abs() > 1e-9));
    }
    // Pareto with index a = 1.7: E min(s|X|, 10) = s + ∫_s^10 (x/s)^{−a} dx.
    for (place, scale) in [1.0_f64, 2.0, 0.5, 4.0, 0.25].into_iter().enumerate() {
        let integral = scale.powf(1.7) * (scale.powf(-0.7) - 10_f64.powf(-0.7)) / 0.7;
        let found = mean_of(&many, place);
        assert!(found.holds_among(scale + integral, 10), "{found:?}");
    }
}

#[test]
fn every_law_of_the_panel_has_an_alpha_moment() {
    for alpha in [1.01, 1.5, 1.9, 2.0] {
        for case in panel(alpha) {
            let moment = case.noise.norm_moment(alpha, case.dim).at_most();
            assert!(moment > 0.0 && moment.is_finite(), "{} {alpha}", case.name);
        }
    }
    assert!((length(&direction(5)) - 1.0).abs() < 1e-15);
}
