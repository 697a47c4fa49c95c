//! The root of an increasing function, by Newton steps that never leave a bracket.

/// Number of evaluations after which the best bracket is returned.
const MAX_STEPS: usize = 200;

/// The root in (−`limit`, `limit`) of `f`, which returns its value and its slope, from 0 on; to
/// `tolerance`, relative to |root| or to `floor` if that is larger.
pub(super) fn increasing_root(
    limit: f64,
    tolerance: f64,
    floor: f64,
    mut f: impl FnMut(f64) -> (f64, f64),
) -> f64 {
    let (mut low, mut high) = (-limit, limit);
    let mut x = 0.0_f64;
    let mut width = 2.0;
    for _ in 0..MAX_STEPS {
        let (value, slope) = f(x);
        if value == 0.0 {
            break;
        }
        if value > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let middle = 0.5 * (low + high);
        let newton = x - value / slope;
        let next = if newton > low && newton < high && (newton - x).abs() < 2.0 * width {
            newton
        } else if value > 0.0 {
            (x - width).max(middle)
        } else {
            (x + width).min(middle)
        };
        let step = (next - x).abs();
        width *= if step < 0.5 * width { 0.5 } else { 2.0 };
        x = next;
        if step <= tolerance * x.abs().max(floor) {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_steep_and_distant_roots() {
        let cube = increasing_root(700.0, 1e-15, 0.1, |x| {
            ((x - 3.0).powi(3), 3.0 * (x - 3.0).powi(2))
        });
        assert!((cube - 3.0).abs() < 1e-4);
        let exp = increasing_root(700.0, 1e-15, 0.1, |x| (x.exp() - 1e280, x.exp()));
        assert!((exp - 280.0 * 10.0_f64.ln()).abs() < 1e-12);
        let steep = increasing_root(700.0, 1e-15, 0.1, |x| (1e12 * (x + 0.3), 1e12));
        assert!((steep + 0.3).abs() < 1e-15);
    }

    #[test]
    fn without_a_root_it_ends_at_the_limit() {
        assert!(increasing_root(700.0, 1e-15, 0.1, |_| (-1.0, 0.0)) > 699.0);
        assert!(increasing_root(700.0, 1e-15, 0.1, |_| (f64::NAN, f64::NAN)).abs() <= 700.0);
    }
}
