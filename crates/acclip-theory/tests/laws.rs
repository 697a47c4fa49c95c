//! Draws of the laws of noise against the distributions in the golden file.

mod golden;

use acclip_theory::noise::Law;
use golden::{golden, law, number, numbers};
use serde_json::Value;

/// Draws for the statistic of Kolmogorov and Smirnov.
const BULK: usize = 200_000;
/// What √n·sup|F_n − F| exceeds with probability 0.001.
const KOLMOGOROV: f64 = 1.95;
/// Draws for the tails: 200 beyond each point of probability 10⁻⁴.
const TAIL: usize = 2_000_000;

fn fill(law: Law, n: usize, key: u64) -> Vec<f64> {
    let mut out = vec![0.0; n];
    law.fill(&mut out, key, 0);
    out
}

/// √n·sup|F_n − F| over the points of the golden file.
fn kolmogorov(mut draws: Vec<f64>, row: &Value) -> f64 {
    draws.sort_by(f64::total_cmp);
    let n = draws.len() as f64;
    let points = numbers(&row["x"]).into_iter().zip(numbers(&row["cdf"]));
    let distance =
        |(x, p): (f64, f64)| (draws.partition_point(|&draw| draw <= x) as f64 / n - p).abs();
    n.sqrt() * points.map(distance).fold(0.0, f64::max)
}

/// The law with each of its parameters a little off.
fn wrong(law: Law) -> Vec<Law> {
    match law {
        Law::Gaussian => vec![Law::StudentT { nu: 15.0 }],
        Law::StudentT { nu } => vec![Law::StudentT {
            nu: nu + 0.07 * nu * nu,
        }],
        Law::Pareto { index } => vec![Law::Pareto {
            index: 1.05 * index,
        }],
        Law::Stable { alpha, beta } => {
            let (less, other) = (
                alpha - 0.04 * alpha.powi(2),
                if beta > 0.0 { beta - 0.1 } else { beta + 0.1 },
            );
            let tail = Law::Stable {
                alpha: less.max(1.01),
                beta,
            };
            if alpha == 2.0 || alpha == 1.05 {
                vec![tail]
            } else {
                vec![tail, Law::Stable { alpha, beta: other }]
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn draws_have_the_distribution_of_scipy_and_that_of_other_parameters_is_seen() {
    let golden = golden();
    for (key, row) in (1..).zip(golden["distributions"].as_array().unwrap()) {
        let law = law(row);
        let draws = fill(law, BULK, key);
        let wide: Vec<f64> = draws.iter().map(|x| 1.03 * x).collect();
        let found = kolmogorov(draws, row);
        assert!(found < KOLMOGOROV, "{law:?}: {found}");
        assert!(kolmogorov(wide, row) > KOLMOGOROV, "{law:?}, too wide");
        for wrong in wrong(law) {
            let found = kolmogorov(fill(wrong, BULK, key), row);
            assert!(found > KOLMOGOROV, "{wrong:?} as {law:?}: {found}");
        }
    }
}

/// How many standard errors the number of draws beyond a point of the tail is off.
fn tail_error(draws: &[f64], tail: &Value) -> f64 {
    let (x, p) = (number(&tail["x"]), number(&tail["beyond"]));
    let beyond = draws
        .iter()
        .filter(|&&draw| if x < 0.0 { draw < x } else { draw > x });
    let expected = p * draws.len() as f64;
    (beyond.count() as f64 - expected) / expected.sqrt()
}

#[test]
fn tails_are_as_heavy_as_scipy_says() {
    let golden = golden();
    for (key, row) in (100..).zip(golden["distributions"].as_array().unwrap()) {
        let law = law(row);
        let draws = fill(law, TAIL, key);
        let tails = row["tails"].as_array().unwrap();
        assert_eq!(tails.len(), 2);
        for tail in tails {
            assert!(
                tail_error(&draws, tail).abs() < 3.3,
                "{law:?} {tail}: {}",
                tail_error(&draws, tail)
            );
        }
        if matches!(law, Law::Pareto { .. } | Law::StudentT { .. }) {
            let other = fill(wrong(law)[0], TAIL, key);
            assert!(
                tails.iter().all(|tail| tail_error(&other, tail) < -3.3),
                "{law:?}"
            );
        }
    }
}

#[test]
fn means_are_zero() {
    let n = BULK as f64;
    let light = [
        Law::Gaussian,
        Law::StudentT { nu: 4.0 },
        Law::Pareto { index: 3.0 },
        Law::Stable {
            alpha: 2.0,
            beta: 0.0,
        },
        Law::TwoPoint { p: 0.01 },
        Law::TwoPoint { p: 0.7 },
        Law::Spike { p: 0.2 },
    ];
    for law in light {
        let mean = fill(law, BULK, 9).iter().sum::<f64>() / n;
        let allowed = 4.0 * (law.absolute_moment(2.0) / n).sqrt();
        assert!(mean.abs() < allowed, "{law:?}: {mean} {allowed}");
    }
    // The mean of n stable draws, times n^{1 − 1/α}, has the law of one of them if the location is the mean; the
    // location of S0 would shift it by β tan(πα/2) n^{1 − 1/α}.
    for row in golden()["distributions"].as_array().unwrap() {
        let law = law(row);
        if let Law::Stable { alpha, .. } = law {
            let x = numbers(&row["x"]);
            let mean = fill(law, BULK, 9).iter().sum::<f64>() / n.powf(1.0 / alpha);
            assert!(x[0] < mean && mean < x[x.len() - 1], "{law:?}: {mean}");
        }
    }
}

/// √(n/2)·sup|F − G| of the first half and of the second with its sign turned.
fn asymmetry(draws: &[f64]) -> f64 {
    let (first, second) = draws.split_at(draws.len() / 2);
    let mut values: Vec<(f64, f64)> = first.iter().map(|&x| (x, 1.0)).collect();
    values.extend(second.iter().map(|&x| (0.0 - x, -1.0)));
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut largest) = (0.0_f64, 0.0_f64);
    for (i, (x, step)) in values.iter().enumerate() {
        sum += step;
        // Between equal values the difference means nothing.
        if values.get(i + 1).is_none_or(|next| next.0 > *x) {
            largest = largest.max(sum.abs());
        }
    }
    let half = first.len() as f64;
    (0.5 * half).sqrt() * largest / half
}

#[test]
fn symmetric_laws_are_and_skewed_ones_are_not() {
    let symmetric = [
        Law::Gaussian,
        Law::StudentT { nu: 1.3 },
        Law::Pareto { index: 1.3 },
        Law::Stable {
            alpha: 1.3,
            beta: 0.0,
        },
        Law::TwoPoint { p: 0.5 },
        Law::Spike { p: 0.3 },
    ];
    for law in symmetric {
        let found = asymmetry(&fill(law, BULK, 4));
        assert!(found < KOLMOGOROV, "{law:?}: {found}");
    }
    for law in [
        Law::Stable {
            alpha: 1.3,
            beta: 0.05,
        },
        Law::TwoPoint { p: 0.48 },
    ] {
        let found = asymmetry(&fill(law, BULK, 4));
        assert!(found > KOLMOGOROV, "{law:?}: {found}");
    }
}

#[test]
fn two_points_and_spikes_come_as_often_as_they_should() {
    let share = |draws: &[f64], value: f64| {
        draws.iter().filter(|&&x| x == value).count() as f64 / draws.len() as f64
    };
    for (key, p) in (1..).zip([0.002, 0.3, 0.9, 1.0]) {
        let close =
            |found: f64, p: f64| (found - p).abs() <= 3.5 * (p * (1.0 - p) / BULK as f64).sqrt();
        let draws = fill(Law::TwoPoint { p }, BULK, key);
        let pushed = share(&draws, 1.0 - p);
        assert!(
            close(pushed, p) && (pushed + share(&draws, -p) - 1.0).abs() < 1e-9,
            "{p}: {pushed}"
        );
        let draws = fill(Law::Spike { p }, BULK, key);
        let (up, down) = (share(&draws, 1.0), share(&draws, -1.0));
        assert!(
            close(up, 0.5 * p) && close(down, 0.5 * p),
            "{p}: {up} {down}"
        );
        assert!((up + down + share(&draws, 0.0) - 1.0).abs() < 1e-9);
    }
}
