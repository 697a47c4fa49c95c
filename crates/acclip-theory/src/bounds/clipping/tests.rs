use super::*;
use crate::bounds::laws::{Generator, Law, clip, close, distance, length};

const CASES: usize = 5000;
const SLACK: f64 = 1.0 + 1e-12;

/// The largest ratio of each left side to its bound.
fn largest<const N: usize>(ratios: impl Iterator<Item = [f64; N]>) -> [f64; N] {
    ratios.fold([0.0; N], |worst, ratio| {
        std::array::from_fn(|i| worst[i].max(ratio[i]))
    })
}

/// E‖ĝ‖² and ‖Eĝ − Eg‖².
fn clipped(law: &Law, tau: f64) -> (f64, f64) {
    let second = law.expect(|g| length(&clip(g, tau)).powi(2));
    // The mean of g − ĝ, without cancellation.
    let lost = |g: &[f64]| {
        let excess = (1.0 - tau / length(g)).max(0.0);
        g.iter().map(|g| excess * g).collect::<Vec<f64>>()
    };
    (second, length(&law.mean(lost)).powi(2))
}

#[test]
fn lemma_9_holds() {
    let mut rng = Generator(9);
    let cases = (0..CASES).map(|_| {
        let (dim, alpha) = (rng.whole(1, 5), rng.between(1.0001, 2.0));
        let law = rng.law(dim);
        let tau = rng.decade(-1.0, 2.0);
        let g = law.expect(|g| length(g).powf(alpha)).powf(1.0 / alpha);
        let (second, squared) = clipped(&law, tau);
        [
            second / second_moment(g, alpha, tau).unwrap(),
            squared / squared_bias(g, alpha, tau).unwrap(),
            squared / sharp_squared_bias(g, alpha, tau).unwrap(),
        ]
    });
    let [second, bias, sharp] = largest(cases);
    assert!(
        second <= SLACK && bias <= SLACK && sharp <= SLACK,
        "{second} {bias} {sharp}"
    );
    assert!(second > 0.95 && sharp > 0.95, "{second} {sharp}");
}

#[test]
fn lemma_9_is_attained() {
    for alpha in [1.0001, 1.1, 1.5, 1.9, 2.0] {
        let tau = 3.0;
        // Length τ attains the second moment, length τα/(α − 1) the bias.
        let law = Law(vec![(1.0, vec![0.6 * tau, 0.8 * tau])]);
        assert!(close(
            clipped(&law, tau).0,
            second_moment(tau, alpha, tau).unwrap()
        ));
        let long = tau * alpha / (alpha - 1.0);
        let law = Law(vec![(1.0, vec![-long])]);
        let bias = clipped(&law, tau).1;
        assert!(
            close(bias, sharp_squared_bias(long, alpha, tau).unwrap()),
            "{alpha}"
        );
        let ratio = bias / squared_bias(long, alpha, tau).unwrap();
        assert!(close(ratio, overshoot(alpha).unwrap().powi(2)));
        assert!(alpha > 1.0001 || ratio > 0.99, "{ratio}");
    }
    // 1/4 at α = 2; (1/2)^{1/2}/(3/2)^{3/2} = 2/(3√3) at α = 1.5.
    assert_eq!(overshoot(2.0).unwrap(), 0.25);
    assert!(close(overshoot(1.5).unwrap(), 2.0 / 27_f64.sqrt()));
}

#[test]
fn values_by_hand() {
    // α = 1.5, G = 4, τ = 16: 4^{1.5}·16^{.5} = 32 and 4³/16 = 4.
    assert!(close(second_moment(4.0, 1.5, 16.0).unwrap(), 32.0));
    assert!(close(squared_bias(4.0, 1.5, 16.0).unwrap(), 4.0));
    // ‖∇f‖ = 5, σ = 4: 2·25 + 4·32 = 178 and 4·4 = 16.
    assert!(close(
        second_moment_from_noise(5.0, 4.0, 1.5, 16.0).unwrap(),
        178.0
    ));
    assert!(close(
        squared_bias_from_noise(5.0, 4.0, 1.5, 16.0).unwrap(),
        16.0
    ));
    // 25 + 8·√24; (4/27)·4³/8.
    let sharp = sharp_second_moment_from_noise(5.0, 4.0, 1.5, 16.0).unwrap();
    assert!(close(sharp, 25.0 + 8.0 * 24_f64.sqrt()));
    assert!(close(
        sharp_squared_bias_from_noise(5.0, 4.0, 1.5, 16.0).unwrap(),
        32.0 / 27.0
    ));
    assert_eq!(normalised_gradient(3.0, 0.0), 1.0);
    assert_eq!(normalised_gradient(0.0, 3.0), -8.0);
}

#[test]
fn lemma_10_holds() {
    let mut rng = Generator(10);
    let cases = (0..CASES).map(|_| {
        let (dim, alpha) = (rng.whole(1, 5), rng.between(1.01, 2.0));
        let tau = rng.decade(-1.0, 2.0);
        let norm = 0.5 * tau * rng.uniform();
        let gradient: Vec<f64> = rng.direction(dim).iter().map(|x| x * norm).collect();
        let norm = length(&gradient);
        let law = rng.law(dim).centred(&gradient);
        let sigma = law
            .expect(|g| distance(g, &gradient).powf(alpha))
            .powf(1.0 / alpha);
        // A single atom has no noise.
        let sigma = sigma.max(1e-9);
        let (second, squared) = clipped(&law, tau);
        [
            second / second_moment_from_noise(norm, sigma, alpha, tau).unwrap(),
            second / sharp_second_moment_from_noise(norm, sigma, alpha, tau).unwrap(),
            squared / squared_bias_from_noise(norm, sigma, alpha, tau).unwrap(),
            squared / sharp_squared_bias_from_noise(norm, sigma, alpha, tau).unwrap(),
        ]
    });
    let worst = largest(cases);
    assert!(worst.iter().all(|&ratio| ratio <= SLACK), "{worst:?}");
    assert!(worst[1] > 0.95, "{worst:?}");
}

#[test]
fn lemma_10_is_approached_by_rare_long_noise() {
    for alpha in [1.2, 1.5, 2.0] {
        let (tau, p) = (3.0, 1e-30);
        // ∇f = τ/2; noise `long` with probability p, and the opposite mean otherwise.
        let spike = |long: f64| {
            let law = Law(vec![
                (p, vec![0.5 * tau + long]),
                (1.0 - p, vec![0.5 * tau - p * long]),
            ]);
            let sigma =
                (p * long.abs().powf(alpha) + (p * long.abs()).powf(alpha)).powf(1.0 / alpha);
            (law, sigma)
        };
        // −3τ/2 throws g to −τ. E‖ĝ‖² − ‖∇f‖² = p((τ² − τ²/4) + 2·(τ/2)·(3τ/2)) = p(3τ/2)², from the two atoms.
        let (_, sigma) = spike(-1.5 * tau);
        let gained = p * ((tau * tau - 0.25 * tau * tau) + tau * 1.5 * tau);
        let allowed = sharp_second_moment_from_noise(0.0, sigma, alpha, tau).unwrap();
        let ratio = gained / allowed;
        assert!(ratio > 0.999 && ratio <= SLACK, "{alpha}: {ratio}");
        // The bias is largest at τα/(2(α − 1)).
        let (law, sigma) = spike(0.5 * tau * alpha / (alpha - 1.0));
        let ratio = clipped(&law, tau).1
            / sharp_squared_bias_from_noise(0.5 * tau, sigma, alpha, tau).unwrap();
        assert!(ratio > 0.999 && ratio <= SLACK, "{alpha}: {ratio}");
        let printed = squared_bias_from_noise(0.5 * tau, sigma, alpha, tau).unwrap();
        let sharp = sharp_squared_bias_from_noise(0.5 * tau, sigma, alpha, tau).unwrap();
        assert!(close(
            sharp / printed,
            overshoot(alpha).unwrap().powi(2) * 4_f64.powf(alpha - 2.0)
        ));
    }
    // Without noise the sharp second moment is ‖∇f‖².
    assert!(close(
        sharp_second_moment_from_noise(1.0, 1e-30, 1.5, 3.0).unwrap(),
        1.0
    ));
}

#[test]
fn lemma_11_holds_and_its_infimum_is_attained() {
    let mut rng = Generator(11);
    for _ in 0..CASES {
        let dim = rng.whole(1, 5);
        let gradient = rng.direction(dim);
        let noise = rng.decade(-2.0, 2.0);
        let g: Vec<f64> = rng
            .direction(dim)
            .iter()
            .zip(&gradient)
            .map(|(e, x)| x + noise * e)
            .collect();
        let found = g.iter().zip(&gradient).map(|(g, x)| g * x).sum::<f64>() / length(&g);
        let sharp = sharp_normalised_gradient(1.0, noise);
        assert!(found >= sharp - 1e-12, "{found} {sharp}");
        assert!(sharp >= 1.0 - 2.0 * noise && 1.0 - 2.0 * noise >= normalised_gradient(1.0, noise));
        // ∇f = e₁. Shorter noise at a right angle to g; longer noise straight back.
        let attained = if noise < 1.0 {
            let g = [1.0 - noise * noise, noise * (1.0 - noise * noise).sqrt()];
            assert!((distance(&g, &[1.0, 0.0]) - noise).abs() < 1e-12);
            g[0] / length(&g)
        } else {
            -1.0
        };
        assert!((attained - sharp).abs() < 1e-12, "{noise}");
    }
}

#[test]
fn lemma_12_holds_and_both_ends_are_attained() {
    let mut rng = Generator(12);
    for _ in 0..CASES {
        let (dim, alpha) = (rng.whole(1, 5), rng.between(1.01, 2.0));
        let law = rng.law(dim);
        let b: Vec<f64> = (0..dim)
            .map(|i| law.expect(|g| g[i].abs().powf(alpha)).powf(1.0 / alpha))
            .collect();
        let moment = law.expect(|g| length(g).powf(alpha));
        let range = moment_range(&b, alpha).unwrap();
        assert!(range.lower <= moment * SLACK && moment <= range.upper * SLACK);
        // The printed end is d^{α/2} above, so for d > 1 out of reach.
        assert!(close(
            range.printed_upper,
            (dim as f64).powf(0.5 * alpha) * range.upper
        ));
    }
    // B = (2, 2, 2, 2), α = 1.5: ‖B‖_α^α = 4·2^{1.5}. Equal coordinates: ‖g‖ = 4, 4^{1.5} = 8.
    let range = moment_range(&[2.0; 4], 1.5).unwrap();
    assert!(close(range.lower, 8.0));
    // One coordinate at a time, each a quarter of the time, of length r with r^{1.5}/4 = 2^{1.5}.
    let r = (4.0 * 2_f64.powf(1.5)).powf(1.0 / 1.5);
    assert!(close(range.upper, r.powf(1.5)));
    assert!(close(range.printed_upper, 4_f64.powf(0.75) * r.powf(1.5)));
}

#[test]
fn lemma_13_holds_and_is_attained() {
    let mut rng = Generator(13);
    let cases = (0..CASES).map(|_| {
        let (dim, alpha) = (rng.whole(1, 5), rng.between(1.01, 2.0));
        let law = rng.law(dim);
        let tau: Vec<f64> = (0..dim).map(|_| rng.decade(-1.0, 2.0)).collect();
        let b: Vec<f64> = (0..dim)
            .map(|i| law.expect(|g| g[i].abs().powf(alpha)).powf(1.0 / alpha))
            .collect();
        let moments = coordinate_moments(&b, alpha, &tau).unwrap();
        let ratio = |i: usize| {
            let clip = |g: &[f64]| g[i].clamp(-tau[i], tau[i]);
            let second = law.expect(|g| clip(g).powi(2));
            let bias = law.expect(|g| g[i] - clip(g)).powi(2);
            [
                second / moments[i].second,
                bias / moments[i].squared_bias / overshoot(alpha).unwrap().powi(2),
            ]
        };
        largest((0..dim).map(ratio))
    });
    let [second, bias] = largest(cases);
    assert!(second <= SLACK && bias <= SLACK, "{second} {bias}");
    assert!(second > 0.95 && bias > 0.95, "{second} {bias}");
    // α = 1.5: 4^{1.5}·16^{.5} = 32 and 4³/16 = 4; 1·4^{.5} = 2 and 1/4. A coordinate that is 0 adds nothing.
    let moments = coordinate_moments(&[4.0, 1.0, 0.0], 1.5, &[16.0, 4.0, 1.0]).unwrap();
    let expected = [(32.0, 4.0), (2.0, 0.25), (0.0, 0.0)];
    for (found, (second, squared_bias)) in moments.iter().zip(expected) {
        assert!(close(found.second, second) && close(found.squared_bias, squared_bias));
    }
}

#[test]
fn norms() {
    assert!(close(norm(&[3.0, -4.0], 2.0).unwrap(), 5.0));
    assert!(close(norm(&[1.0, 2.0, -3.0], 1.0).unwrap(), 6.0));
    assert!(close(
        norm(&[4.0, 9.0], 1.5).unwrap(),
        35_f64.powf(2.0 / 3.0)
    ));
    assert!(close(norm(&[3e300, 4e300], 2.0).unwrap(), 5e300));
    assert_eq!(norm(&[1.0, -7.0], f64::INFINITY).unwrap(), 7.0);
    assert_eq!(norm(&[], 2.0).unwrap(), 0.0);
    assert_eq!(norm(&[0.0, 0.0], 2.0).unwrap(), 0.0);
    assert!(norm(&[1.0], 0.5).is_err() && norm(&[f64::NAN], 2.0).is_err());
}

#[test]
fn what_no_lemma_covers_is_refused() {
    for alpha in [1.0, 2.0000001, f64::NAN] {
        assert!(second_moment(1.0, alpha, 1.0).is_err() && squared_bias(1.0, alpha, 1.0).is_err());
        assert!(overshoot(alpha).is_err() && moment_range(&[1.0], alpha).is_err());
        assert!(coordinate_moments(&[1.0], alpha, &[1.0]).is_err());
    }
    for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(second_moment(bad, 1.5, 1.0).is_err() && second_moment(1.0, 1.5, bad).is_err());
        assert!(squared_bias(bad, 1.5, 1.0).is_err() && squared_bias(1.0, 1.5, bad).is_err());
        assert!(coordinate_moments(&[1.0], 1.5, &[bad]).is_err());
    }
    // ‖∇f‖ = τ/2 is allowed, more is not.
    for f in [
        second_moment_from_noise,
        squared_bias_from_noise,
        sharp_second_moment_from_noise,
        sharp_squared_bias_from_noise,
    ] {
        assert!(f(0.5, 1.0, 1.5, 1.0).is_ok() && f(0.500001, 1.0, 1.5, 1.0).is_err());
        assert!(f(-0.1, 1.0, 1.5, 1.0).is_err() && f(f64::NAN, 1.0, 1.5, 1.0).is_err());
    }
    assert!(moment_range(&[], 1.5).is_err() && moment_range(&[-1.0], 1.5).is_err());
    assert!(coordinate_moments(&[1.0, 1.0], 1.5, &[1.0]).is_err());
}

#[test]
fn a_gradient_s_moment_is_at_most_that_of_its_parts() {
    let mut rng = Generator(4);
    for _ in 0..CASES {
        let (dim, alpha) = (rng.whole(1, 5), rng.between(1.0001, 2.0));
        let size = rng.decade(-1.0, 2.0);
        let gradient: Vec<f64> = rng.direction(dim).iter().map(|x| x * size).collect();
        let law = rng.law(dim).centred(&gradient);
        let noise = law.expect(|g| distance(g, &gradient).powf(alpha));
        let moment = |alpha| law.expect(|g| length(g).powf(alpha));
        assert!(
            moment(alpha) <= SLACK * gradient_moment(size, noise, alpha),
            "{alpha}"
        );
        // At α = 2 the squares add up.
        let squares = law.expect(|g| distance(g, &gradient).powi(2));
        let sum = gradient_moment(size, squares, 2.0);
        assert!((moment(2.0) / sum - 1.0).abs() < 1e-9, "{sum}");
    }
    assert_eq!(gradient_moment(0.0, 7.0, 1.3), 7.0);
    // Rare noise −2a leaves ‖a + ξ‖ as it is, and its balance adds 2α for a moment of 2^α: a factor below 2α/2^α, 1 among
    // them, would not do.
    let (p, alpha) = (1e-8, 1.5);
    let balance = 2.0 * p / (1.0 - p);
    let excess = p + (1.0 - p) * f64::powf(1.0 + balance, alpha) - 1.0;
    let noise = p * f64::powf(2.0, alpha) + (1.0 - p) * balance.powf(alpha);
    let needed = excess / noise;
    assert!(
        needed > 1.05 && gradient_moment(1.0, noise, alpha) - 1.0 >= needed * noise,
        "{needed}"
    );
}
