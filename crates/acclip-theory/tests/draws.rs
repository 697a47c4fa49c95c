//! A draw is a function of its key and index alone, and finite whatever the random words.

use acclip_noise::lanes::mix;
use acclip_theory::noise::Law;

fn every_law() -> [Law; 7] {
    [
        Law::Gaussian,
        Law::StudentT { nu: 1.5 },
        Law::Pareto { index: 1.5 },
        Law::Stable {
            alpha: 1.05,
            beta: 0.9,
        },
        Law::Stable {
            alpha: 1.7,
            beta: -0.4,
        },
        Law::TwoPoint { p: 0.4 },
        Law::Spike { p: 0.4 },
    ]
}

#[test]
fn a_draw_depends_on_its_key_and_index_alone() {
    for law in every_law() {
        let bits = |n: usize, key, first| {
            let mut out = vec![f64::NAN; n];
            law.fill(&mut out, key, first);
            out.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        };
        for first in [0, 1, 1 << 40] {
            let one_by_one: Vec<u64> = (0..40).flat_map(|i| bits(1, 77, first + i)).collect();
            for n in 0..=40 {
                assert_eq!(bits(n, 77, first), one_by_one[..n], "{law:?} {first} {n}");
            }
        }
        // More than one thread's share.
        let (whole, mut parts) = (bits(20_000, 5, 3), bits(8_191, 5, 3));
        parts.extend(bits(11_809, 5, 3 + 8_191));
        assert_eq!(whole, parts, "{law:?}");
        assert_ne!(bits(40, 77, 0), bits(40, 78, 0), "{law:?}");
        assert_ne!(bits(40, 77, 0), bits(40, 77, 1), "{law:?}");
    }
}

/// The first draw of a stream.
fn of(law: Law, key: u64) -> f64 {
    let mut out = [f64::NAN];
    law.fill(&mut out, key, 0);
    out[0]
}

/// The key for which word `i` of its stream is `word`: [`mix`] backwards.
fn key_of(word: u64, i: u64) -> u64 {
    // x ^ (x >> n) is undone by repetition, an odd factor by its inverse modulo 2⁶⁴ (Newton's method).
    let unshift = |x: u64, n: u32| (0..64 / n).fold(x, |y, _| x ^ (y >> n));
    let inverse = |a: u64| {
        (0..6).fold(a, |y, _| {
            y.wrapping_mul(2_u64.wrapping_sub(a.wrapping_mul(y)))
        })
    };
    let z = unshift(word, 31).wrapping_mul(inverse(0x94d0_49bb_1331_11eb));
    let z = unshift(z, 27).wrapping_mul(inverse(0xbf58_476d_1ce4_e5b9));
    unshift(z, 30).wrapping_sub((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[test]
fn the_most_extreme_words_give_finite_draws() {
    let half = 1 << 63;
    for word in [
        0,
        1,
        u64::MAX,
        u64::MAX - 1,
        half,
        half - 1,
        half + 1,
        1 << 12,
        (1 << 12) - 1,
    ] {
        for place in [0, 1] {
            let key = key_of(word, place);
            assert_eq!(mix(key, place), word);
            for law in every_law().into_iter().chain([
                Law::StudentT { nu: 1.001 },
                Law::Pareto { index: 1.001 },
                Law::Stable {
                    alpha: 1.001,
                    beta: 1.0,
                },
                Law::Stable {
                    alpha: 2.0,
                    beta: -1.0,
                },
            ]) {
                let draw = of(law, key);
                assert!(draw.is_finite(), "{law:?} {word:x} {place}: {draw}");
            }
        }
    }
    // By hand: the smallest uniform is 2⁻⁵³, the largest 1 − 2⁻⁵³.
    let first = |law: Law, word| of(law, key_of(word, 0)).abs();
    let largest = first(Law::Pareto { index: 1.25 }, 0);
    assert!(
        (largest / 2_f64.powf(53.0 / 1.25) - 1.0).abs() < 1e-13,
        "{largest}"
    );
    assert_eq!(first(Law::Pareto { index: 1.25 }, u64::MAX), 1.0);
    assert!(first(Law::Gaussian, 0) <= (106.0 * 2_f64.ln()).sqrt());
    assert!(first(Law::Gaussian, u64::MAX) <= 1.5e-8);
}
