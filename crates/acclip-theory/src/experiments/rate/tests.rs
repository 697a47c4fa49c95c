//! Checks pass what is true, and fail what is wrong by little: on curves made for it, and on methods that are wrong.

use acclip_noise::lanes::{centred, mix};

use super::super::{octaves, theorem_4, theorem_5};
use super::*;
use crate::bounds::lower_strongly_convex::{self, HardMean};
use crate::bounds::strongly_convex::StronglyConvex;
use crate::ensemble::{Control, Ensemble, Metric};
use crate::methods::{HARMONIC, Method, Update};
use crate::noise::{Independent, Law, Noise};
use crate::problems::{HardMeanObjective, Problem, Quadratic};

const GROUPS: u64 = 16;

/// Means of groups on c·k^{−r}, each off by up to `width` relative.
fn curve(k: &[u64], c: f64, r: f64, width: f64) -> Vec<Vec<f64>> {
    let group = |k: u64, i| c * (k as f64).powf(-r) * (1.0 + 2.0 * width * centred(mix(k, i)));
    k.iter()
        .map(|&k| (0..GROUPS).map(|i| group(k, i)).collect())
        .collect()
}

fn estimate(value: f64, half: f64) -> Estimate {
    Estimate {
        value,
        low: value - half,
        high: value + half,
        groups: 8,
    }
}

const K: [u64; 8] = [4, 8, 16, 32, 64, 128, 256, 512];

/// What is said of a rate.
fn judged(rate: &Rate, among: usize) -> Finding {
    let mut finding = Finding::new("", "", &theorem_4::defaults());
    rate.judge("r", among, &mut finding);
    finding
}

/// Whether it was judged, and well.
fn holds(rate: &Rate, among: usize) -> bool {
    matches!(judged(rate, among).checks.as_slice(), [check] if check.holds)
}

#[test]
fn a_rate_that_is_as_proved_holds_and_one_off_by_a_twentieth_does_not() {
    let groups = curve(&K, 1.0, 0.6, 1e-3);
    let found = |proved| Rate::new(&K, &groups, proved, 1.0, 0.5);
    let (right, low, high) = (found(0.6), found(0.55), found(0.65));
    assert!(
        (right.measured.value - 0.6).abs() < 1e-3
            && right.measured.high - right.measured.low < 2e-3
    );
    assert!(right.early.is_none() && holds(&right, 1), "{right:?}");
    for wrong in [low, high] {
        assert!(wrong.early.is_none() && !holds(&wrong, 1) && !holds(&wrong, 1000));
    }
    // With groups that differ by nine tenths, the same rate cannot be told from 0.65, and can from 1.
    let groups = curve(&K, 1.0, 0.6, 0.9);
    let wide = |proved| holds(&Rate::new(&K, &groups, proved, 1.0, 0.5), 1);
    assert!(wide(0.6) && wide(0.65) && !wide(1.0));
    // More comparisons allow more; what an interval of no width cannot tell is the same.
    let beyond = Rate::new(&K, &curve(&K, 1.0, 0.6, 0.1), 0.6, 1.0, 2.0);
    let beyond = Rate {
        finite: beyond.measured.value + 1.1 * (beyond.measured.high - beyond.measured.value),
        ..beyond
    };
    assert!(!holds(&beyond, 1) && holds(&beyond, 10), "{beyond:?}");
    let exact = Rate::new(&K, &curve(&K, 1.0, 0.6, 0.0), 0.600_5, 1.0, 2.0);
    assert!(
        holds(&exact, 1)
            && !holds(
                &Rate {
                    finite: 0.602,
                    ..exact
                },
                1
            )
    );
    let root = right.of_root();
    assert!((root.measured.value - 0.3).abs() < 1e-3 && root.proved == 0.3 && holds(&root, 1));
}

#[test]
fn points_above_the_range_are_not_fitted_and_a_curve_that_stays_there_is_early() {
    // Flat at 1 until k = 32, then k^{−1/2} from there; a quarter is reached at 512.
    let k: Vec<u64> = (2..15).map(|i| 1 << i).collect();
    let groups: Vec<Vec<f64>> = curve(&k, 32_f64.sqrt(), 0.5, 1e-4)
        .into_iter()
        .map(|row| row.into_iter().map(|y| y.min(1.0)).collect())
        .collect();
    let found = Rate::new(&k, &groups, 0.5, 1.0, 0.2501);
    assert!(
        found.k[found.from] == 512 && found.early.is_none() && holds(&found, 1),
        "{found:?}"
    );
    // Everything fitted, the exponent is wrong; the interval covers that of the later half, and no more.
    let all = Rate::new(&k, &groups, 0.5, 1.0, 2.0);
    assert!(
        all.from == 0 && all.early.is_none() && all.measured.value < 0.45,
        "{all:?}"
    );
    assert!(
        holds(&all, 1) && (all.measured.high - 0.5).abs() < 1e-3,
        "{all:?}"
    );
    assert!(!holds(&Rate::new(&k, &groups, 0.52, 1.0, 2.0), 1));
    assert!(!holds(&Rate::new(&k, &groups, 0.3, 1.0, 2.0), 1));
    // A point in the range that is followed by one above it is not taken.
    let mut bumpy = groups.clone();
    bumpy[9] = vec![0.9; GROUPS as usize];
    assert_eq!(Rate::new(&k, &bumpy, 0.5, 1.0, 0.2501).from, 10);
    // Two points of thirteen are too few: the second half is fitted, and half the exponent is asked for.
    let early = |proved| Rate::new(&k, &groups, proved, 1.0, 0.0625);
    assert!(early(0.9).from == 6 && holds(&early(0.9), 1) && !holds(&early(1.1), 1));
    let told = judged(&early(0.9), 1);
    let detail = &told.checks[0].detail;
    assert!(
        detail.contains("early: the range begins where the mean is 1/16"),
        "{detail}"
    );
    // The last mean is (32/16384)^{1/2} = 1/22.6 of 1.
    assert!(
        detail.contains("it is 1/23, with 1 of the points in the range"),
        "{detail}"
    );
}

#[test]
fn what_is_not_a_number_holds_nothing() {
    let good = estimate(0.5, 0.01);
    // On x86 the default NaN of an operation has its sign bit set, and the constant has not.
    for nan in [f64::NAN, -f64::NAN] {
        for (value, high) in [(nan, nan), (0.5, nan), (nan, 0.5)] {
            let bad = Estimate {
                value,
                high,
                ..good
            };
            for place in 0..3 {
                let mut means = [good; 3];
                means[place] = bad;
                assert!(
                    !below("b", &[1, 2, 3], &means, |_| 1.0).holds,
                    "{bad:?}, {place}"
                );
                let high_alone = high.is_nan();
                assert!(
                    !high_alone || !above("a", &[1, 2, 3], &means, |_| 0.1).holds,
                    "{bad:?}, {place}"
                );
            }
        }
        for place in 1..=3 {
            let bound = |k| if k == place { nan } else { 0.4 };
            assert!(!above("a", &[1, 2, 3], &[good; 3], bound).holds, "{place}");
            assert!(
                !below("b", &[1, 2, 3], &[good; 3], |k| 2.0 * bound(k)).holds,
                "{place}"
            );
        }
        let mut groups = curve(&K, 1.0, 0.6, 1e-3);
        groups[7][3] = nan;
        let found = Rate::new(&K, &groups, 0.6, 1.0, 0.5);
        assert!(!holds(&found, 1), "{found:?}");
        let found = Rate::new(&K, &curve(&K, 1.0, 0.6, 1e-3), nan, 1.0, 0.5);
        assert!(!holds(&found, 1));
    }
    assert!(below("b", &[1], &[good], |_| 1.0).holds && above("a", &[1], &[good], |_| 0.4).holds);
    assert!(!below("b", &[], &[], |_| 1.0).holds && !above("a", &[], &[], |_| 1.0).holds);
    // A single group has no interval.
    let one = mean(&[0.5]);
    assert!(!below("b", &[1], &[one], |_| 1.0).holds && !above("a", &[1], &[one], |_| 0.1).holds);
}

#[test]
fn a_curve_beyond_its_bound_fails_wherever_it_crosses() {
    let bound = |k: u64| 1.0 / k as f64;
    let means = |at: usize, factor: f64| {
        let mean = |(i, &k): (usize, &u64)| {
            estimate(bound(k), 0.01 * bound(k)).times(if i == at { factor } else { 1.0 })
        };
        K.iter().enumerate().map(mean).collect::<Vec<_>>()
    };
    for (at, k) in K.iter().enumerate() {
        let scaled = |base: f64, factor| -> Vec<Estimate> {
            means(at, factor).iter().map(|m| m.times(base)).collect()
        };
        let under = below("b", &K, &scaled(0.9, 1.05), bound);
        assert!(
            under.holds && under.detail.contains(&format!("k = {k}")),
            "{under:?}"
        );
        assert!(
            under.detail.contains("0.945") && under.detail.contains("0.954"),
            "{under:?}"
        );
        // 0.99·1.01·1.005 > 1: the interval crosses, though the mean does not.
        assert!(!below("b", &K, &scaled(0.9, 0.995 / 0.9), bound).holds);
        assert!(!below("b", &K, &scaled(0.9, 1.2), bound).holds);
        let over = above("a", &K, &scaled(1.1, 0.95), bound);
        assert!(
            over.holds && over.detail.contains(&format!("k = {k}")),
            "{over:?}"
        );
        assert!(above("a", &K, &scaled(1.1, 0.995 / 1.1), bound).holds);
        assert!(!above("a", &K, &scaled(1.1, 0.98 / 1.1), bound).holds);
    }
    // The least ratio is not the only one that counts: its interval reaches the bound, and another's does not.
    let two = [estimate(0.5, 0.7), estimate(0.9, 0.05)];
    let check = above("a", &[1, 2], &two, |_| 1.0);
    assert!(!check.holds && check.detail.contains("k = 2"), "{check:?}");
}

#[test]
fn numbers_of_steps_are_powers_of_two() {
    assert_eq!(octaves(3, 64), [8, 16, 32, 64]);
    assert_eq!(octaves(3, 63), [8, 16, 32]);
    assert_eq!(octaves(0, 1), [1]);
    assert_eq!(octaves(5, 20), [20]);
    assert_eq!(octaves(61, u64::MAX), [1 << 61, 1 << 62]);
    let settings = |steps| Settings {
        steps,
        ..theorem_4::defaults()
    };
    // Counted from the longest.
    assert_eq!(horizons(&settings(1 << 8), 3, 2), [16, 64, 256]);
    assert_eq!(horizons(&settings(1 << 8), 4, 2), [16, 64, 256]);
    assert_eq!(horizons(&settings(100), 2, 1), [4, 8, 16, 32, 64]);
    assert_eq!(horizons(&settings(10), 6, 3), [10]);
}

#[test]
fn lines_go_through_the_middle_with_their_slopes() {
    let found = Rate::new(&K, &curve(&K, 3.0, 0.6, 0.0), 0.5, 3.0, 1.0);
    let [fitted, proved] = found.lines("x");
    for (line, slope) in [(&fitted, 0.6), (&proved, 0.5)] {
        let (first, last) = (line.points[0], line.points[K.len() - 1]);
        let found = (first.y / last.y).ln() / (last.x / first.x).ln();
        assert!((found - slope).abs() < 1e-12, "{}: {found}", line.name);
        // The geometric mean of k is 2^{5.5}.
        let middle = (first.y * last.y).sqrt();
        assert!(
            (middle / (3.0 * 2_f64.powf(-5.5 * 0.6)) - 1.0).abs() < 1e-12,
            "{}",
            line.name
        );
    }
    assert_eq!((fitted.kind, proved.kind), (Kind::Fitted, Kind::Proved));
    assert_eq!(found.curve("x").points.len(), K.len());
}

/// E f(x̄_k) − f* (or of x_k) of a method, and whether it is below Theorem 4's bound.
fn theorem_4_check(
    problem: &dyn Problem,
    noise: &dyn Noise,
    method: &Method,
    theorem: &StronglyConvex,
    rows: usize,
) -> Check {
    let k = [4, 8, 16, 64, 1024];
    let ensemble = Ensemble {
        problem,
        noise,
        method,
        start: &[4.0],
        trajectories: rows,
        checkpoints: &k,
        metrics: &[Metric::AverageGap],
        seed: 1,
    };
    let found = ensemble.run(&Control::default()).unwrap();
    let means: Vec<Estimate> = found.rows(0).iter().map(|row| mean(row)).collect();
    below("bound", &k, &means, |k| theorem.bound(k))
}

#[test]
fn methods_that_are_wrong_cross_the_bound_of_theorem_4() {
    let alpha = 1.8;
    // ½x² on [−4, 4], so that |∇f| ≤ 4; the noise has α-moment 1.
    let problem = Quadratic::half_square(Some(4.0)).unwrap();
    let p = 1e-3_f64;
    let scale = p.powf(-1.0 / alpha);
    let noise = Independent {
        law: Law::Spike { p },
        scales: vec![scale],
    };
    assert!((noise.norm_moment(alpha, 1).at_most() - 1.0).abs() < 1e-12);
    let g = (4_f64.powf(alpha) + 2_f64.powf(2.0 - alpha)).powf(1.0 / alpha);
    let theorem = StronglyConvex::new(alpha, g, 1.0).unwrap();
    let right = theorem_4::gclip(&theorem, alpha);
    let check = |method: &Method| theorem_4_check(&problem, &noise, method, &theorem, 4096);
    assert!(check(&right).holds, "{:?}", check(&right));
    let clip = |max_norm| Method {
        update: Update::GClip {
            max_norm,
            growth: 1.0 / alpha,
        },
        ..right.clone()
    };
    // A threshold a thousand times too small: the steps sum to too little to leave the start.
    let slow = check(&clip(1e-3 * g));
    assert!(!slow.holds && slow.detail.contains("k = 1024"), "{slow:?}");
    // Step sizes a thousand times too small.
    let frozen = Method {
        learning_rate: 2e-3,
        ..right.clone()
    };
    assert!(!check(&frozen).holds);
}

/// On R, where no domain hides it: one step with a spike is enough.
#[test]
fn without_a_clip_a_spike_at_the_last_step_crosses_the_bound() {
    let alpha = 1.2;
    let problem = Quadratic::half_square(None).unwrap();
    let p = 1e-4_f64;
    let noise = Independent {
        law: Law::Spike { p },
        scales: vec![p.powf(-1.0 / alpha)],
    };
    let g = (4_f64.powf(alpha) + 2_f64.powf(2.0 - alpha)).powf(1.0 / alpha);
    let theorem = StronglyConvex::new(alpha, g, 1.0).unwrap();
    let clipped = Method {
        project: false,
        average: None,
        ..theorem_4::gclip(&theorem, alpha)
    };
    let raw = Method {
        update: Update::Sgd,
        ..clipped.clone()
    };
    let run = |method: &Method| {
        let ensemble = Ensemble {
            problem: &problem,
            noise: &noise,
            method,
            start: &[4.0],
            trajectories: 1 << 17,
            checkpoints: &[8],
            metrics: &[Metric::Gap],
            seed: 3,
        };
        let found = mean(ensemble.run(&Control::default()).unwrap().groups(0, 0));
        (
            found,
            below("bound", &[8], &[found], |k| theorem.bound(k)).holds,
        )
    };
    assert!(run(&clipped).1, "{:?}", run(&clipped));
    // By hand: x_8 = −η_8 ξ_8 + …, E ½x_8² = ½ Σ_k c_k² E ξ², c_8 = 4/9; E ξ² = p^{1−2/α} = 464.
    let (found, holds) = run(&raw);
    assert!(
        !holds && found.value > 0.5 * (4.0_f64 / 9.0).powi(2) * 464.0 * 0.8,
        "{found:?}"
    );
}

#[test]
fn an_oracle_that_knows_the_optimum_is_below_the_bound_of_theorem_5() {
    let (alpha, k) = (1.5, 64);
    let hard = HardMean::for_horizon(alpha, k).unwrap();
    let bound = |k| lower_strongly_convex::bound(alpha, k).unwrap();
    let settings = Settings {
        trajectories: 2048,
        steps: k,
        ..theorem_5::defaults()
    };
    for method in theorem_5::methods(alpha).unwrap() {
        let found =
            theorem_4::rate_at(&[k], &method, 0.0, alpha, &settings, &Control::default()).unwrap();
        let check = above("bound", &found.k, &found.means, bound);
        assert!(check.holds, "{}: {check:?}", method.name);
        let best = above("posterior mean", &found.k, &found.means, |k| {
            hard.bayes_gap(k)
        });
        assert!(best.holds, "{}: {best:?}", method.name);
    }
    // It starts at b and hardly moves.
    let cheat = Method {
        schedule: HARMONIC,
        ..Method::constant("knows b", Update::Sgd, 1e-4)
    };
    let gaps = [false, true].map(|nu| {
        let noise = Independent {
            law: Law::TwoPoint {
                p: hard.probability(nu),
            },
            scales: vec![-hard.spike()],
        };
        let ensemble = Ensemble {
            problem: &HardMeanObjective::new(hard.b(nu)).unwrap(),
            noise: &noise,
            method: &cheat,
            start: &[hard.b(nu)],
            trajectories: 2048,
            checkpoints: &[k],
            metrics: &[Metric::Gap],
            seed: 4,
        };
        mean(ensemble.run(&Control::default()).unwrap().groups(0, 0))
    });
    let worse = if gaps[0].value > gaps[1].value {
        gaps[0]
    } else {
        gaps[1]
    };
    assert!(
        worse.value > 0.0 && !above("bound", &[k], &[worse], bound).holds,
        "{worse:?}"
    );
}

#[test]
fn a_curve_beside_a_bound_must_be_proportional_to_it() {
    // k from 4 to 512, so that a difference of 0.05 in the exponents changes the ratio by 128^0.05 = 1.27, and one of
    // 0.1 by 1.62.
    let groups = curve(&K, 3.0, 0.6, 1e-3);
    let beside = |exponent: f64| {
        let bound: Vec<f64> = K.iter().map(|&k| (k as f64).powf(-exponent)).collect();
        Rate::new(&K, &groups, 0.6, 1.0, 2.0).beside(&bound)
    };
    assert!(holds(&beside(0.6), 1) && holds(&beside(0.55), 1) && holds(&beside(0.65), 1));
    assert!(!holds(&beside(0.5), 1) && !holds(&beside(0.7), 1) && !holds(&beside(f64::NAN), 1));
    assert!((beside(0.55).finite - 0.55).abs() < 1e-12);
    let told = judged(&beside(0.5), 1);
    assert!(
        told.checks[0]
            .detail
            .contains("0.5000 of the bound at these k (0.6000 in the limit)"),
        "{told:?}"
    );
}

/// From ½, where the theorem's parameters still give its rate and bound, a method that does not move does not pass.
#[test]
fn gclip_has_the_rate_of_theorem_4_and_standing_still_has_not() {
    let settings = Settings {
        trajectories: 1 << 13,
        steps: 1 << 13,
        ..theorem_4::defaults()
    };
    for alpha in [1.75, 2.0] {
        let theorem = StronglyConvex::new(alpha, 1.0, 1.0).unwrap();
        let right = theorem_4::gclip(&theorem, alpha);
        let still = Method {
            learning_rate: 1e-9,
            ..right.clone()
        };
        let run = |method: &Method| {
            theorem_4::rate(method, alpha, &settings, &Control::default()).unwrap()
        };
        let (right, still) = (run(&right), run(&still));
        assert!(right.early.is_none() && holds(&right, 1), "{right:?}");
        assert!(!holds(&still, 1), "{still:?}");
        let bound = |k| theorem.bound(k);
        assert!(below("b", &right.k, &right.means, bound).holds);
        assert!(!below("b", &still.k, &still.means, bound).holds);
    }
}

#[test]
fn a_bound_that_nothing_can_cross_is_no_test() {
    let mut finding = Finding::new("", "", &theorem_4::defaults());
    let (k, means) = ([1, 10], [estimate(0.5, 0.01), estimate(0.2, 0.01)]);
    judge_below("a", &k, &means, |k| 4.0 / k as f64, 1.0, &mut finding);
    judge_below("b", &k, &means, |k| 40.0 / k as f64, 1.0, &mut finding);
    assert!(
        finding.checks.len() == 1 && finding.checks[0].holds,
        "{finding:?}"
    );
    assert!(
        finding.checks[0].detail.contains("from k = 10"),
        "{finding:?}"
    );
    assert!(
        finding.notes.len() == 1 && finding.notes[0].contains("b: no test"),
        "{finding:?}"
    );
}

#[test]
fn a_coarse_grid_widens_the_interval() {
    // Exponents from 4 to 512: an error of 2 % at one end turns the slope by up to 0.02/ln 128.
    let exact = Rate::new(&K, &curve(&K, 1.0, 0.6, 0.0), 0.6, 1.0, 2.0);
    let wide = exact.clone().resolved(0.02);
    let slack = 0.02 / 128_f64.ln();
    let width = |rate: &Rate| rate.measured.high - rate.measured.low;
    assert!(
        (width(&wide) - width(&exact) - 2.0 * slack).abs() < 1e-12,
        "{wide:?}"
    );
    assert!(wide.measured.value == exact.measured.value);
}
