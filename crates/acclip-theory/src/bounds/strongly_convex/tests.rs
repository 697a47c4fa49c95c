use super::*;
use crate::bounds::clipping::{coordinate_moments, second_moment, squared_bias};
use crate::bounds::laws::{Generator, close};

#[test]
fn values_by_hand() {
    // (7 + 1)^{2/3} = 4; 6·1.5·9/(0.5·4) = 40.5; 16·9/(0.5·4) = 72; 3·1.5·9·8/(7·0.5·4).
    let theorem = StronglyConvex::new(1.5, 3.0, 0.5).unwrap();
    assert!(close(theorem.exponent(), 2.0 / 3.0));
    assert!(close(theorem.bound(7), 40.5));
    assert!(close(theorem.printed_bound(7), 72.0));
    assert!(close(theorem.sharper_bound(7), 324.0 / 14.0));
    assert!(close(theorem.threshold(8), 12.0));
    assert!(close(theorem.learning_rate(7), 1.0));
    // α = 2: 12·9/(0.5·2) and 16·9/(0.5·2).
    let theorem = StronglyConvex::new(2.0, 3.0, 0.5).unwrap();
    assert!(close(theorem.bound(1), 108.0) && close(theorem.printed_bound(1), 144.0));
}

/// (2/(k(k + 1))) Σ_j j (‖b‖²/μ + (η_j/2) E‖ĝ‖²), from the bounds on the two moments.
fn telescoped(k: u64, theorem: &StronglyConvex, moments: impl Fn(u64) -> (f64, f64)) -> f64 {
    let term = |j: u64| {
        let (second, squared_bias) = moments(j);
        j as f64 * (squared_bias / theorem.mu + 0.5 * theorem.learning_rate(j) * second)
    };
    2.0 / (k as f64 * (k as f64 + 1.0)) * (1..=k).map(term).sum::<f64>()
}

#[test]
fn the_closed_form_bounds_the_telescoped_sum() {
    for alpha in [1.01, 1.2, 1.5, 1.8, 2.0] {
        let theorem = StronglyConvex::new(alpha, 3.0, 0.7).unwrap();
        let moments = |j| {
            let tau = theorem.threshold(j);
            let second = second_moment(theorem.g, alpha, tau).unwrap();
            (second, squared_bias(theorem.g, alpha, tau).unwrap())
        };
        for k in [1, 2, 3, 10, 100, 100_000] {
            let sum = telescoped(k, &theorem, moments);
            let sharper = theorem.sharper_bound(k);
            assert!(
                sum <= sharper
                    && sharper <= theorem.bound(k)
                    && theorem.bound(k) <= theorem.printed_bound(k)
            );
            // 3α is the constant of the sum: the ratio tends to 1.
            assert!(
                k < 100_000 || sum > 0.999 * sharper,
                "{alpha}: {}",
                sum / sharper
            );
        }
    }
}

#[test]
fn the_distances_telescope() {
    let theorem = StronglyConvex::new(1.4, 2.0, 0.3).unwrap();
    let half = |k: u64| 0.5 / theorem.learning_rate(k);
    assert!((half(1) - 0.25 * theorem.mu).abs() < 1e-15);
    for k in 2..1000 {
        let kept = k as f64 * (half(k) - 0.25 * theorem.mu);
        assert!(close(kept, (k as f64 - 1.0) * half(k - 1)));
    }
}

#[test]
fn coordinates_enter_by_their_norms() {
    let (b, alpha, mu) = ([4.0, 1.0, 0.0, 9.0], 1.5, 0.5);
    // Σ b^{1.5} = 8 + 1 + 27 = 36 and 36^{4/3}; Σ b² = 98. (7 + 1)^{2/3} = 4.
    let gclip = gclip_coordinatewise(&b, alpha, mu).unwrap();
    let squared = 36_f64.powf(4.0 / 3.0);
    assert!(close(gclip.tight.bound(7), 9.0 * squared / 2.0));
    assert!(close(
        gclip.printed.printed_bound(7),
        16.0 * 4.0 * squared / 2.0
    ));
    assert!(close(
        gclip.printed.threshold(8),
        2.0 * squared.sqrt() * 4.0
    ));
    let cclip = cclip(&b, alpha, mu).unwrap();
    assert!(
        close(cclip.bound(7), 9.0 * 98.0 / 2.0) && close(cclip.printed_bound(7), 16.0 * 98.0 / 2.0)
    );
    assert!(
        cclip
            .thresholds(8)
            .zip(b)
            .all(|(tau, b)| close(tau, 4.0 * b))
    );
    assert!(close(dimension_ratio(&b, alpha).unwrap(), squared / 98.0));
    assert!(close(
        gclip.tight.bound(50) / cclip.bound(50),
        squared / 98.0
    ));
}

#[test]
fn theorem_8_is_lemma_13_summed() {
    let b = [4.0, 1.0, 0.3, 9.0];
    for alpha in [1.1, 1.5, 2.0] {
        let theorem = cclip(&b, alpha, 0.7).unwrap();
        let moments = |j| {
            let tau: Vec<f64> = theorem.thresholds(j).collect();
            let each = coordinate_moments(&b, alpha, &tau).unwrap();
            each.iter().fold((0.0, 0.0), |sum, one| {
                (sum.0 + one.second, sum.1 + one.squared_bias)
            })
        };
        for k in [1, 10, 100_000] {
            let sum = telescoped(k, &theorem.rate, moments);
            assert!(
                sum <= theorem.sharper_bound(k) && theorem.sharper_bound(k) <= theorem.bound(k)
            );
            assert!(k < 100_000 || sum > 0.999 * theorem.sharper_bound(k));
        }
    }
}

#[test]
fn the_dimension_ratio_has_its_range() {
    let mut rng = Generator(8);
    for _ in 0..2000 {
        let (d, alpha) = (rng.whole(1, 9), rng.between(1.01, 2.0));
        let b: Vec<f64> = (0..d).map(|_| rng.decade(-3.0, 3.0)).collect();
        let ratio = dimension_ratio(&b, alpha).unwrap();
        let largest = (d as f64).powf(2.0 / alpha - 1.0);
        assert!((1.0 - 1e-12..=largest * (1.0 + 1e-12)).contains(&ratio));
        assert!(close(
            dimension_ratio(&vec![b[0]; d], alpha).unwrap(),
            largest
        ));
    }
    // d^{1/3} at α = 1.5.
    assert!(close(dimension_ratio(&[2.0; 27], 1.5).unwrap(), 3.0));
    assert!(close(dimension_ratio(&[0.0, 2.0, 0.0], 1.5).unwrap(), 1.0));
}

#[test]
fn bad_constants_are_refused() {
    assert!(
        StronglyConvex::new(1.0, 1.0, 1.0).is_err() && StronglyConvex::new(2.1, 1.0, 1.0).is_err()
    );
    for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(
            StronglyConvex::new(1.5, bad, 1.0).is_err()
                && StronglyConvex::new(1.5, 1.0, bad).is_err()
        );
        assert!(
            cclip(&[1.0], 1.5, bad).is_err() && gclip_coordinatewise(&[1.0], 1.5, bad).is_err()
        );
    }
    for b in [&[][..], &[0.0], &[1.0, -1.0], &[f64::NAN]] {
        assert!(cclip(b, 1.5, 1.0).is_err() && gclip_coordinatewise(b, 1.5, 1.0).is_err());
        assert!(dimension_ratio(b, 1.5).is_err());
    }
    assert!(cclip(&[1.0], 1.0, 1.0).is_err() && dimension_ratio(&[1.0], 1.0).is_err());
}
