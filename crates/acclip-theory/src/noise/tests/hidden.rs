//! The noise of Theorem 6.

use super::*;

#[test]
fn the_hidden_coordinate_is_unbiased_and_the_others_are_exact() {
    let (p, alpha) = (0.1, 1.5);
    for scale in [1.0, 0.2] {
        let chain = ZeroChain::new(4, 1.5, scale).unwrap();
        let noise = HiddenCoordinate { chain, p };
        // At the second point the derivative is all but the largest possible.
        for point in [[0.9, -0.8, 0.1, 0.0], [1e3, 0.0, 0.0, 0.0]].map(|x| x.map(|x| scale * x)) {
            let x: Vec<f64> = point.iter().copied().cycle().take(4 * ROWS).collect();
            let (mut exact, mut grad) = ([0.0; 4], vec![0.0; x.len()]);
            chain.gradient(&point, &mut exact);
            chain.gradient(&x, &mut grad);
            noise.perturb(
                Draws { key: KEY, first: 7 },
                4,
                &x,
                &mut grad,
                &mut Vec::new(),
            );
            let hidden = crate::problems::prog(&point, 0.25 * scale);
            for (i, &exact) in exact.iter().enumerate() {
                let mut own = grad.iter().skip(i).step_by(4);
                if i == hidden {
                    assert_mean(own.clone().map(|g| g / exact), 1.0, "hidden");
                    let error = own.clone().map(|g| (g - exact).abs().powf(alpha));
                    let factor = p * (1.0 / p - 1.0).powf(alpha) + 1.0 - p;
                    assert_mean(error, exact.abs().powf(alpha) * factor, "moment");
                    let stated = at(noise.norm_moment(alpha, 4));
                    let part = exact.abs().powf(alpha) * factor / stated;
                    assert!(
                        part < 1.0 && (point[0] < 100.0 * scale || part > 0.999),
                        "{part}"
                    );
                    assert!(
                        noise
                            .coordinate_moments(alpha, 4)
                            .iter()
                            .all(|&b| b == stated)
                    );
                } else {
                    assert!(own.all(|&g| g == exact), "coordinate {i}");
                }
            }
        }
        // With all coordinates found there is nothing to hide.
        let (point, mut exact) = ([1.0; 4].map(|x| x * scale), [0.0; 4]);
        chain.gradient(&point, &mut exact);
        let mut grad = exact;
        noise.perturb(
            Draws { key: 1, first: 0 },
            4,
            &point,
            &mut grad,
            &mut Vec::new(),
        );
        assert_eq!(grad, exact);
    }
}
