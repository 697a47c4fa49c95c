use super::*;

fn settings() -> Settings {
    Settings {
        alphas: vec![1.5],
        trajectories: 512,
        ..super::super::defaults(15)
    }
}

#[test]
fn the_inequality_holds_and_a_smaller_constant_does_not() {
    let finding = run(&settings(), &Control::default()).unwrap();
    assert!(finding.holds(), "{:?}", finding.checks);
    let hard = HardMean::for_horizon(1.5, HORIZON).unwrap();
    let groups = simulate(&hard, 1.5, &settings(), &Control::default()).unwrap();
    let violations = |factor| -> usize {
        let places = (0..groups[0].len()).step_by(VALUES);
        places.map(|place| violated(&groups, place, factor)).sum()
    };
    assert_eq!(violations(1.0), 0);
    assert!(violations(0.99) > 0);
}

#[test]
fn a_posterior_by_hand() {
    // p_0 = 1/64, p_1 = 1/128: two bits, one spike.
    let hard = HardMean::for_horizon(1.5, HORIZON).unwrap();
    let (a, b) = (63.0 / 64.0 / 64.0, 127.0 / 128.0 / 128.0);
    assert!((posterior(&hard, 2.0, 1.0) - a / (a + b)).abs() < 1e-14);
}

/// GClip's x̄ has the error that the ensemble of the library finds.
#[test]
fn gclip_is_that_of_the_library() {
    let settings = Settings {
        trajectories: 4096,
        ..settings()
    };
    let hard = HardMean::for_horizon(1.5, HORIZON).unwrap();
    let groups = simulate(&hard, 1.5, &settings, &Control::default()).unwrap();
    let here = mean_of(&groups, (2 * ESTIMATES.len() + 4) * VALUES);
    let here = here.times(hard.epsilon().powi(2) / 8.0);
    let theorem = StronglyConvex::new(1.5, 1.0, 1.0).unwrap();
    let method = crate::experiments::theorem_4::gclip(&theorem, 1.5);
    let mut both = 0.0;
    for nu in [false, true] {
        let noise = crate::noise::Independent {
            law: crate::noise::Law::TwoPoint {
                p: hard.probability(nu),
            },
            scales: vec![-hard.spike()],
        };
        let ensemble = crate::ensemble::Ensemble {
            problem: &crate::problems::HardMeanObjective::new(hard.b(nu)).unwrap(),
            noise: &noise,
            method: &method,
            start: &[0.0],
            trajectories: 1 << 16,
            checkpoints: &[64],
            metrics: &[crate::ensemble::Metric::AverageGap],
            seed: 1,
        };
        let groups = ensemble.run(&Control::default()).unwrap();
        both += 0.5 * crate::estimate::mean(groups.groups(0, 0)).value;
    }
    assert!((both / here.value - 1.0).abs() < 0.05, "{both} {here:?}");
    assert!(here.holds_among(both, 10), "{both} {here:?}");
}
