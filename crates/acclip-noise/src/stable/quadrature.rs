//! Quadrature of a positive function over the whole line.
//!
//! First choice: trapezoidal sums in v with τ = ±(v + 1 − e^{−v})/slope, in the way of double
//! exponential formulas (Takahasi & Mori 1974, Publ. RIMS 9): where the integrand goes like g e^{−g}
//! with g = e^{∓slope·τ}, it falls doubly exponentially on either side, and 30 to 60 nodes give 13
//! digits. The step is halved until two sums agree.
//!
//! If they do not (g has a plateau between two steep parts), panels that grow from the centre are
//! bisected until a 21-point Kronrod and a 10-point Gauss rule agree. All loops are bounded.

/// Parts of the integral below this fraction are left out.
const NEGLIGIBLE: f64 = 1e-17;
/// Step of the first trapezoidal sum.
const STEP: f64 = 0.32;
/// How often the step may be halved.
const HALVINGS: usize = 2;
/// Nodes on one side of the centre at one step.
const MAX_NODES: u32 = 60;
/// Relative difference at which the finer of two trapezoidal sums is taken.
const TRAPEZOIDS_AGREE: f64 = 1e-11;
/// The two rules agree to this fraction of the whole; the larger one is exact to about its square.
const RULES_AGREE: f64 = 1e-8;
/// Bound on the number of panels.
const MAX_PANELS: usize = 400;
/// Bound on |τ|.
const TAU_MAX: f64 = 1400.0;

/// ∫ of `f` over the line. `f` returns its value and a bound on the integral from there away from
/// 0. Towards `sign` it falls like e^{−slope·|τ|}, on the other side like exp(−e^{slope·|τ|});
/// `unit` is the width of the first panels.
pub(super) fn whole_line(f: impl Fn(f64) -> (f64, f64), sign: f64, slope: f64, unit: f64) -> f64 {
    trapezoid(&f, sign, slope).unwrap_or_else(|| panels(&f, unit))
}

fn trapezoid(f: impl Fn(f64) -> (f64, f64), sign: f64, slope: f64) -> Option<f64> {
    let half_line = |start: f64, step: f64| {
        let mut sum = 0.0;
        for i in 0..MAX_NODES {
            let v = start + step * f64::from(i);
            let e = (-v).exp();
            let (value, bound) = f(-sign * (v + (1.0 - e)) / slope);
            sum += value * (1.0 + e) / slope;
            if bound <= NEGLIGIBLE * sum {
                return Some(sum);
            }
        }
        None
    };
    let mut h = STEP;
    let mut sum = half_line(0.0, h)? + half_line(-h, -h)?;
    for _ in 0..HALVINGS {
        let more = half_line(0.5 * h, h)? + half_line(-0.5 * h, -h)?;
        let agree = (more - sum).abs() <= TRAPEZOIDS_AGREE * (sum + more);
        sum += more;
        h *= 0.5;
        if agree {
            return Some(h * sum);
        }
    }
    None
}

fn panels(f: impl Fn(f64) -> (f64, f64), unit: f64) -> f64 {
    let enough = NEGLIGIBLE * f(0.0).0 * unit;
    let mut open = Vec::new();
    for sign in [-1.0, 1.0] {
        let (mut from, mut width) = (0.0, unit);
        loop {
            let to = from + width;
            let (low, high) = if sign < 0.0 { (-to, -from) } else { (from, to) };
            let (fine, coarse) = rules(&f, low, high);
            open.push((low, high, fine, coarse));
            if f(sign * to).1 <= enough || to > TAU_MAX {
                break;
            }
            (from, width) = (to, 1.5 * width);
        }
    }
    let whole: f64 = open.iter().map(|panel| panel.2).sum();
    let mut used = open.len();
    let mut done = 0.0;
    while let Some((low, high, fine, coarse)) = open.pop() {
        if (fine - coarse).abs() <= RULES_AGREE * whole || used >= MAX_PANELS {
            done += fine;
            continue;
        }
        let middle = 0.5 * (low + high);
        for (low, high) in [(low, middle), (middle, high)] {
            let (fine, coarse) = rules(&f, low, high);
            open.push((low, high, fine, coarse));
            used += 1;
        }
    }
    done
}

/// The 21-point Kronrod and the 10-point Gauss rule.
fn rules(f: impl Fn(f64) -> (f64, f64), low: f64, high: f64) -> (f64, f64) {
    let (centre, half) = (0.5 * (low + high), 0.5 * (high - low));
    let mut kronrod = KRONROD_CENTRE * f(centre).0;
    let mut gauss = 0.0;
    for (i, &(node, weight)) in KRONROD.iter().enumerate() {
        let pair = f(centre - half * node).0 + f(centre + half * node).0;
        kronrod += weight * pair;
        if i % 2 == 1 {
            gauss += GAUSS[i / 2] * pair;
        }
    }
    (kronrod * half, gauss * half)
}

/// Weight of the centre in the 21-point rule.
const KRONROD_CENTRE: f64 = 0.1494455540029169;
/// Positive nodes and weights of the 21-point rule; every second node belongs to Gauss' rule.
const KRONROD: [(f64, f64); 10] = [
    (0.9956571630258081, 0.011694638867371874),
    (0.9739065285171717, 0.032558162307964725),
    (0.9301574913557082, 0.054755896574351995),
    (0.8650633666889845, 0.07503967481091996),
    (0.7808177265864169, 0.0931254545836976),
    (0.6794095682990244, 0.10938715880229764),
    (0.5627571346686047, 0.12349197626206584),
    (0.4333953941292472, 0.13470921731147334),
    (0.2943928627014602, 0.14277593857706009),
    (0.14887433898163122, 0.14773910490133849),
];
/// Weights of the 10-point Gauss rule.
const GAUSS: [f64; 5] = [
    0.06667134430868814,
    0.1494513491505806,
    0.21908636251598204,
    0.26926671930999635,
    0.29552422471475287,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// g e^{−g} with g = e^{−τ}: the integral is 1, what lies beyond is e^{−g} or 1 − e^{−g}.
    fn f(tau: f64) -> (f64, f64) {
        let g = (-tau).exp();
        let rest = if tau < 0.0 { (-g).exp() } else { g };
        (g * (-g).exp(), rest)
    }

    #[test]
    fn both_ways_give_gamma_of_one() {
        assert!((trapezoid(f, 1.0, 1.0).unwrap() - 1.0).abs() < 1e-14);
        assert!((panels(f, 0.5) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn two_bumps_are_left_to_the_panels() {
        let two = |tau: f64| {
            let (value, rest) = f(tau);
            let (other, beyond) = f(40.0 * (tau - 9.0));
            (value + other, rest + beyond)
        };
        assert_eq!(trapezoid(two, 1.0, 1.0), None);
        assert!((whole_line(two, 1.0, 1.0, 0.5) - 1.025).abs() < 1e-12);
    }

    #[test]
    fn garbage_ends() {
        assert!(whole_line(|_| (f64::NAN, f64::NAN), 1.0, 1.0, 1e-9).is_nan());
    }
}
