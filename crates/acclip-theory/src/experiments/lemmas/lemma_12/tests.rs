use super::*;

fn settings() -> Settings {
    Settings {
        alphas: vec![1.2, 2.0],
        trajectories: 1 << 13,
        ..super::super::defaults(12)
    }
}

#[test]
fn the_range_holds_and_a_narrower_one_does_not() {
    let finding = run(&settings(), &Control::default()).unwrap();
    assert!(finding.holds(), "{:?}", finding.checks);
    let (alpha, dim) = (1.2, 5);
    let mut all: Vec<Found> = laws(alpha, dim)
        .iter()
        .map(|(case, light)| find(case, *light, alpha, &settings(), &Control::default()).unwrap())
        .collect();
    let holds = |all: &[Found]| {
        let mut finding = start(12, "", &settings(), "");
        judge(&mut finding, all);
        finding.holds()
    };
    assert!(holds(&all));
    // Both ends, moved by 2 %, are crossed.
    all.iter_mut().for_each(|found| found.lower *= 1.02);
    assert!(!holds(&all));
    all.iter_mut().for_each(|found| {
        found.lower /= 1.02;
        found.exact = found.exact.map(|x| 1.02 * x);
    });
    assert!(!holds(&all));
}

/// Four independent spikes with p = 0.02: E n^{α/2} over the binomial number of them.
#[test]
fn a_measured_moment_is_that_by_hand() {
    let spikes = Case::new("", 4, independent(Law::Spike { p: 0.02 }, vec![1.0]));
    let settings = Settings {
        trajectories: 1 << 16,
        ..settings()
    };
    let found = find(&spikes, true, 1.2, &settings, &Control::default()).unwrap();
    let mass = [
        4.0 * 0.98_f64.powi(3) * 0.02,
        6.0 * (0.98_f64 * 0.02).powi(2),
        4.0 * 0.98 * 8e-6,
    ];
    let exact: f64 = mass
        .iter()
        .enumerate()
        .map(|(i, p)| p * (i as f64 + 1.0).powf(0.6))
        .sum();
    let measured = found.measured.unwrap();
    assert!(measured.holds_among(exact / 0.08, 1), "{measured:?}");
    assert!(measured.high - measured.low < 0.1);
    assert!((found.lower - 4_f64.powf(-0.4)).abs() < 1e-12);
    assert!((found.printed - 4_f64.powf(0.6)).abs() < 1e-12);
}
