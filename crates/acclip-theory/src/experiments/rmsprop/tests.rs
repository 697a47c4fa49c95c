use super::*;
use crate::bounds::rmsprop::h_rms;

fn small() -> Settings {
    Settings {
        alphas: vec![1.5],
        trajectories: 128,
        steps: 256,
        ..defaults()
    }
}

#[test]
fn the_range_holds_with_the_same_bits_for_any_number_of_threads() {
    let run = || run(&small(), &Control::default()).unwrap();
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let found = run();
    assert!(found.holds(), "{:?}", found.checks);
    assert_eq!(found, one.install(run));
    let control = Control::default();
    control.stop();
    assert_eq!(super::run(&small(), &control).err(), Some(Error::Stopped));
}

/// The optimizer's step is the formula's, to some units in the last place.
#[test]
fn the_step_is_that_of_the_formula() {
    let (optimizer, layout) = optimizer(0.9, 1e-2, 3).unwrap();
    let mut state = optimizer.init::<f64>(&layout);
    let mut v = [0.0; 3];
    for step in 0..20 {
        let g = [0.3, -2.0, 1e-3].map(|g| g * f64::from(step % 7 + 1));
        let mut x = [0.0; 3];
        optimizer
            .step(0.5, &layout, &mut x, &g, &mut state)
            .unwrap();
        for i in 0..3 {
            let exact = -h_rms(0.5, v[i], g[i], 0.9, 1e-2) * g[i];
            assert!((x[i] / exact - 1.0).abs() < ROUNDING, "{x:?} {exact}");
            v[i] = 0.9 * v[i] + 0.1 * g[i] * g[i];
        }
    }
}

#[test]
fn another_range_is_not_that_of_the_steps() {
    let cases = [(0.0, 0.9), (1e-2, 0.9), (1e-8, 0.999)];
    let all = cases.map(|(eps, beta2)| {
        let law = Law::StudentT { nu: 1.5 };
        ratios("", &law, beta2, eps, &small(), &Control::default()).unwrap()
    });
    for (c, holds) in [(1.0, true), (0.97, false), (1.03, false), (2.0, false)] {
        let mut finding = Finding::new("", "", &small());
        judge(&mut finding, &all, c).unwrap();
        assert_eq!(finding.holds(), holds, "{c}: {:?}", finding.checks);
    }
}
