use super::*;

#[test]
fn the_constants_hold_and_smaller_ones_do_not() {
    let settings = Settings {
        trajectories: 1 << 12,
        ..super::super::defaults(17)
    };
    let control = Control::default();
    let all: Vec<Found> = [3, 16]
        .map(|t| find(t, &settings, &control).unwrap())
        .into();
    let judged = |constants| {
        let mut finding = start(17, "", &settings, "");
        judge(&mut finding, &all, constants);
        finding
            .checks
            .iter()
            .map(|check| check.holds)
            .collect::<Vec<_>>()
    };
    assert!(
        judged(CONSTANTS).iter().all(|holds| *holds),
        "{:?}",
        judged(CONSTANTS)
    );
    // 10.66 for T = 16; 133.8; 21.39; 1.
    let smaller = judged([10.5, 133.0, 21.3, 0.99]);
    assert_eq!(smaller, [false, false, false, false, true, true]);
}

#[test]
fn values_by_hand() {
    let chain = ZeroChain::new(3, SMOOTHNESS, 1.0).unwrap();
    let v = [0.0, 1.0, 0.0];
    let at = |x: [f64; 3]| [x, v].concat();
    // The largest second derivative and partial, from the tests of the chain.
    let curvature = value(&chain, 1, &at([0.0, 0.760_425_827_310_688, 50.0]), 1e-5);
    assert!((curvature - 133.845_261_4).abs() < 1e-4, "{curvature}");
    let partial = value(&chain, 2, &at([1e9, 0.904_284_452_321_381, 50.0]), 0.0);
    assert!((partial - SHARP_GRADIENT).abs() < 1e-12);
    // ∂_T = −Ψ(1)Φ'(1) = −1, but x_{T−1} must be above 1. For i < T, with the worst x_{i+1} = −1: 1/1.3376.
    let inverse = value(&chain, 3, &at([0.0, 1.0 + 1e-9, 1.0]), 0.0);
    assert!((inverse - 1.0).abs() < 1e-8 && inverse < 1.0, "{inverse}");
    let earlier = (0..1000).map(|i| at([1.0 + 1e-9, 1e-3 * f64::from(i), -1.0]));
    let largest = earlier
        .map(|z| value(&chain, 3, &z, 0.0))
        .fold(0.0, f64::max);
    assert!(
        (1.0 / largest - 1.337_641).abs() < 1e-5,
        "{}",
        1.0 / largest
    );
    assert_eq!(value(&chain, 3, &at([0.0, 0.0, 2.0]), 0.0), 0.0);
    let gap = value(&chain, 0, &at([1e9; 3]), 0.0);
    assert!((3.0 * gap - chain.initial_gap()).abs() < 1e-12);
}
