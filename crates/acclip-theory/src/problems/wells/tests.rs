//! The constants of the wells, on grids and by hand.

use super::*;

/// The second derivative from the gradient, by differences of the fourth order.
fn second(f: &dyn Problem, x: f64) -> f64 {
    let h = 1e-3;
    let at = |x: f64| {
        let mut grad = [0.0];
        f.gradient(&[x], &mut grad);
        grad[0]
    };
    (8.0 * (at(x + h) - at(x - h)) - (at(x + 2.0 * h) - at(x - 2.0 * h))) / (12.0 * h)
}

/// The least and the largest second derivative on a grid of step 10⁻⁴.
fn range(f: &dyn Problem) -> (f64, f64) {
    let grid = (-100_000..=100_000).map(|i| second(f, 1e-4 * f64::from(i)));
    grid.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), s| {
        (low.min(s), high.max(s))
    })
}

#[test]
fn curvatures_attain_the_smoothness() {
    let (low, high) = range(&GemanMcClure::new(1).unwrap());
    assert!(
        (low + 0.5).abs() < 1e-6 && (high - 2.0).abs() < 1e-6,
        "{low} {high}"
    );
    // At c = 0 by hand −6 and 4.
    for tilt in [0.0, 0.3, 1.0, 2.5, 4.0] {
        let f = DoubleWell::new(1, tilt).unwrap();
        let (low, high) = range(&f);
        let smoothness = f.facts().smoothness.unwrap();
        assert!(
            (low + smoothness).abs() < 1e-6,
            "{tilt}: {low} {smoothness}"
        );
        let angle = 0.25 * (std::f64::consts::PI - (0.5 * tilt).atan());
        let highest = 2.0 + 4.0 * (4.0 + tilt * tilt).sqrt() * angle.cos().powi(4);
        assert!(
            (high - highest).abs() < 1e-6 && high < -low,
            "{tilt}: {high} {highest}"
        );
        if tilt == 0.0 {
            assert!(
                (low + 6.0).abs() < 1e-6 && (high - 4.0).abs() < 1e-6,
                "{low} {high}"
            );
        }
    }
}

#[test]
fn the_bound_of_the_gradient_is_attained() {
    let f = GemanMcClure::new(1).unwrap();
    let bound = f.facts().gradient_bound.unwrap();
    let x: Vec<f64> = (-100_000..=100_000).map(|i| 1e-4 * f64::from(i)).collect();
    let mut grad = vec![0.0; x.len()];
    f.gradient(&x, &mut grad);
    let largest = grad.iter().fold(0.0_f64, |a, g| a.max(g.abs()));
    assert!(
        largest <= bound && largest > bound * (1.0 - 1e-8),
        "{largest} {bound}"
    );
    let mut at = [0.0; 3];
    let f = GemanMcClure::new(3).unwrap();
    f.gradient(&[1.0 / 3.0_f64.sqrt(); 3], &mut at);
    let norm = super::super::norm(&at);
    assert!((norm / f.facts().gradient_bound.unwrap() - 1.0).abs() < 1e-15);
}

#[test]
fn stationary_points_have_the_stated_values() {
    for tilt in [0.0, 0.3, 1.0, 2.5, 4.0] {
        let f = DoubleWell::new(1, tilt).unwrap();
        let (mut grad, mut gap) = ([0.0; 3], [0.0; 3]);
        f.gradient(&f.stationary(), &mut grad);
        f.gap(&f.stationary(), &mut gap);
        assert!(grad.iter().all(|g| g.abs() < 1e-15), "{tilt}: {grad:?}");
        assert!((gap[0] - 2.0 * tilt).abs() < 1e-15 && gap[2] == 0.0);
        assert!(gap[1] >= gap[0]);
        let [bad, top, good] = f.stationary().map(|x| second(&f, x));
        assert!((good - 4.0 - tilt).abs() < 1e-8 && (bad - 4.0 + tilt).abs() < 1e-8);
        assert!(if tilt < 4.0 {
            top < 0.0
        } else {
            top.abs() < 1e-8
        });
    }
    // Through the saddle that is not strict, f' keeps its sign.
    let f = DoubleWell::new(1, 4.0).unwrap();
    let mut grad = [0.0; 2];
    f.gradient(&[-1.001, -0.999], &mut grad);
    assert!(grad[0] < -1e-6 && grad[1] < -1e-6, "{grad:?}");
}

#[test]
fn far_away_the_functions_are_at_their_limits() {
    for x in [1e80, -1e120, 1e200, -1e300] {
        let (mut grad, mut gap) = ([f64::NAN], [f64::NAN]);
        let f = GemanMcClure::new(1).unwrap();
        f.gradient(&[x], &mut grad);
        f.gap(&[x], &mut gap);
        assert!(grad[0].abs() <= 1e-200 && gap[0] == 1.0, "{x}");
        let f = DoubleWell::new(1, 1.0).unwrap();
        f.gradient(&[x], &mut grad);
        f.gap(&[x], &mut gap);
        assert!((grad[0] / x - 2.0).abs() < 1e-15, "{x}: {grad:?}");
        assert!(
            gap[0] == x * x || (gap[0] / x / x - 1.0).abs() < 1e-15,
            "{x}: {gap:?}"
        );
        // What is not a number does not pass for one.
        f.gap(&[f64::NAN], &mut gap);
        assert!(gap[0].is_nan());
    }
}

#[test]
fn bad_parameters_are_refused() {
    assert!(GemanMcClure::new(0).is_err());
    assert!(DoubleWell::new(0, 1.0).is_err());
    for tilt in [-0.1, 4.1, f64::NAN] {
        assert!(DoubleWell::new(1, tilt).is_err(), "{tilt}");
    }
}
