//! The downhill simplex of Nelder and Mead (1965), for functions of two to four variables whose
//! derivatives cost more than their values.

/// The lowest point found from `start` with first steps of `step`, and its value; stops when the
/// simplex' values agree to `tolerance`, or after `evaluations`.
pub(crate) fn minimize<const N: usize>(
    start: [f64; N],
    step: [f64; N],
    tolerance: f64,
    evaluations: usize,
    mut f: impl FnMut(&[f64; N]) -> f64,
) -> ([f64; N], f64) {
    let mut f = |x: [f64; N]| {
        let value = f(&x);
        (x, if value.is_nan() { f64::INFINITY } else { value })
    };
    let mut simplex = vec![f(start)];
    for i in 0..N {
        let mut x = start;
        x[i] += step[i];
        simplex.push(f(x));
    }
    let mut used = N + 1;
    loop {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst) = (simplex[0], simplex[N]);
        if worst.1 - best.1 <= tolerance || used >= evaluations {
            return best;
        }
        let mut centre = [0.0; N];
        for (x, _) in &simplex[..N] {
            (0..N).for_each(|i| centre[i] += x[i] / N as f64);
        }
        let along = |t: f64| {
            let mut x = [0.0; N];
            (0..N).for_each(|i| x[i] = centre[i] + t * (worst.0[i] - centre[i]));
            x
        };
        let reflected = f(along(-1.0));
        used += 1;
        let next = if reflected.1 < best.1 {
            used += 1;
            let expanded = f(along(-2.0));
            if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            }
        } else if reflected.1 < simplex[N - 1].1 {
            reflected
        } else {
            used += 1;
            let outside = reflected.1 < worst.1;
            f(along(if outside { -0.5 } else { 0.5 }))
        };
        if next.1 < worst.1 {
            simplex[N] = next;
        } else {
            for vertex in &mut simplex[1..] {
                let mut x = vertex.0;
                (0..N).for_each(|i| x[i] = best.0[i] + 0.5 * (x[i] - best.0[i]));
                *vertex = f(x);
            }
            used += N;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valleys_are_followed_to_the_end() {
        let rosenbrock = |x: &[f64; 2]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let (x, value) = minimize([-1.2, 1.0], [0.5, 0.5], 1e-12, 1000, rosenbrock);
        assert!(
            (x[0] - 1.0).abs() < 1e-4 && (x[1] - 1.0).abs() < 1e-4,
            "{x:?}"
        );
        assert!(value < 1e-9);
        let bowl = |x: &[f64; 4]| {
            (0..4)
                .map(|i| (x[i] - i as f64).powi(2) * (i + 1) as f64)
                .sum()
        };
        let (x, _) = minimize([5.0; 4], [1.0; 4], 1e-12, 2000, bowl);
        (0..4).for_each(|i| assert!((x[i] - i as f64).abs() < 1e-4, "{x:?}"));
    }

    #[test]
    fn the_work_is_bounded_and_nan_is_high() {
        let mut used = 0;
        let (x, _) = minimize([1.0, 1.0], [0.5, 0.5], -1.0, 50, |x| {
            used += 1;
            if x[0] < 0.5 {
                f64::NAN
            } else {
                x[0] + x[1] * x[1]
            }
        });
        assert!(used <= 54, "{used}");
        assert!((0.5..0.6).contains(&x[0]), "{x:?}");
    }
}
