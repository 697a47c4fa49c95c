//! Claims of plans, judged from measurements made up for the purpose.

use super::*;
use crate::plan::Cell;
use crate::scan::Scanned;
use crate::testing::{cell, even, measured, noise, pareto, plan, row, snapshot};

const SURE: [Option<f64>; 3] = [Some(1.0), Some(1.1), Some(0.9)];
const BEHIND: [Option<f64>; 3] = [Some(2.0), Some(2.2), Some(1.9)];
const LOST: [Option<f64>; 3] = [None; 3];

/// What is claimed of one race, `x` against `y`.
fn claim(x: &[Option<f64>], y: &[Option<f64>], metric: &str) -> Claim {
    let here = cell("a", &[]);
    let mut found = measured(&here);
    found.rows = vec![row("y", y), row("x", x)];
    let lines = format!(
        "[[claims]]\nkind = \"ahead\"\nstatement = \"x is ahead\"\ncell = \"a\"\nbetter = \"x\"\nworse = \"y\"\n\
         metric = \"{metric}\"\n"
    );
    judged(&plan(&lines), &[found]).remove(0)
}

#[test]
fn ahead_is_below_for_a_loss_and_above_for_a_score() {
    use Verdict::*;
    for (metric, verdict, sign) in [
        ("loss", Reproduced, 1.0),
        ("masked_loss", Reproduced, 0.5),
        ("accuracy", NotReproduced, -0.25),
        ("next_accuracy", NotReproduced, -0.1),
    ] {
        let found = claim(&SURE, &BEHIND, metric);
        assert_eq!(found.verdict, verdict, "{metric}");
        // (1.0 + 1.1 + 1.0) / 3, in the unit of the metric.
        let [mean, low, high] = found.estimate.unwrap();
        assert!((mean - sign * 3.1 / 3.0).abs() < 1e-12, "{metric}: {mean}");
        assert!(low < mean && mean < high && found.p.unwrap() < 0.01);
        assert_eq!((found.n, found.of.as_str()), (3, "seeds"));
    }
    let [mean, ..] = claim(&SURE, &BEHIND, "perplexity").estimate.unwrap();
    let all = SURE.iter().zip(&BEHIND);
    let expected: f64 = all.map(|(x, y)| y.unwrap().exp() - x.unwrap().exp()).sum();
    assert!((mean - expected / 3.0).abs() < 1e-12);
    assert_eq!(
        claim(&SURE, &BEHIND, "loss").effect,
        "loss of y minus that of x"
    );
    assert_eq!(
        claim(&SURE, &BEHIND, "next_accuracy").effect,
        "next accuracy of x minus that of y"
    );
    assert_eq!(claim(&BEHIND, &SURE, "loss").verdict, NotReproduced);
    let mixed = [Some(0.5), Some(2.5), Some(0.9)];
    assert_eq!(claim(&SURE, &mixed, "loss").verdict, Undecided);
    let none = claim(&SURE, &BEHIND, "f1");
    assert_eq!(
        (none.verdict, none.test.as_str()),
        (Undecided, "the runs have no f1")
    );
    assert_eq!(
        claim(&SURE[..1], &BEHIND[..1], "loss").test,
        "fewer than two seeds"
    );
}

#[test]
fn a_divergence_decides_where_one_lost_every_seed_and_the_other_none() {
    use Verdict::*;
    let some = [Some(1.0), None, Some(1.0)];
    let never: [Option<f64>; 0] = [];
    for (x, y, verdict, n, test) in [
        (
            &SURE[..],
            &LOST[..],
            Reproduced,
            3,
            "x diverged on 0 of 3 seeds, y diverged on 3 of 3 seeds",
        ),
        (
            &SURE,
            &never,
            Reproduced,
            3,
            "x diverged on 0 of 3 seeds, y diverged at every setting",
        ),
        (
            &SURE,
            &some,
            Undecided,
            3,
            "x diverged on 0 of 3 seeds, y diverged on 1 of 3 seeds",
        ),
        (
            &LOST,
            &SURE,
            NotReproduced,
            3,
            "x diverged on 3 of 3 seeds, y diverged on 0 of 3 seeds",
        ),
        (
            &never,
            &SURE,
            NotReproduced,
            3,
            "x diverged at every setting, y diverged on 0 of 3 seeds",
        ),
        (
            &some,
            &SURE,
            Undecided,
            3,
            "x diverged on 1 of 3 seeds, y diverged on 0 of 3 seeds",
        ),
        (
            &some,
            &LOST,
            Undecided,
            3,
            "x diverged on 1 of 3 seeds, y diverged on 3 of 3 seeds",
        ),
        (
            &LOST,
            &LOST,
            Undecided,
            3,
            "x diverged on 3 of 3 seeds, y diverged on 3 of 3 seeds",
        ),
        (
            &never,
            &never,
            Undecided,
            0,
            "x diverged at every setting, y diverged at every setting",
        ),
    ] {
        let found = claim(x, y, "loss");
        assert_eq!(
            (found.verdict, found.n, found.test.as_str()),
            (verdict, n, test)
        );
        assert_eq!((found.estimate, found.p), (None, None), "{test}");
    }
}

#[test]
fn a_wider_gap_is_a_difference_of_leads() {
    let (a, b) = (cell("a", &[]), cell("b", &[]));
    let gap = |narrow: &[Option<f64>], metric: &str| {
        let [mut wide, mut small] = [measured(&a), measured(&b)];
        wide.rows = vec![row("x", &SURE), row("y", &BEHIND)];
        small.rows = vec![row("x", &SURE), row("y", narrow)];
        let lines = format!(
            "[[claims]]\nkind = \"wider-gap\"\nstatement = \"wider\"\nbetter = \"x\"\nworse = \"y\"\n\
             wide = {{ cell = \"a\", metric = \"{metric}\" }}\nnarrow = {{ cell = \"b\", metric = \"{metric}\" }}\n"
        );
        judged(&plan(&lines), &[wide, small]).remove(0)
    };
    // Leads of 1.0, 1.1, 1.0 against 0.1, 0.1, 0.2: differences of 0.9, 1.0, 0.8.
    let close = [Some(1.1), Some(1.2), Some(1.1)];
    let found = gap(&close, "loss");
    assert_eq!(found.verdict, Verdict::Reproduced);
    assert!(
        (found.estimate.unwrap()[0] - 0.9).abs() < 1e-12,
        "{found:?}"
    );
    assert_eq!(found.effect, "lead of x over y: loss in a minus loss in b");
    assert_eq!(gap(&close, "accuracy").verdict, Verdict::NotReproduced);
    let far = [Some(4.0), Some(4.2), Some(4.1)];
    assert_eq!(gap(&far, "loss").verdict, Verdict::NotReproduced);
    assert_eq!(gap(&BEHIND, "loss").estimate.unwrap()[0], 0.0);
    let lost = gap(&[Some(1.0), None, Some(1.0)], "loss");
    assert_eq!(lost.verdict, Verdict::Undecided);
    assert!(lost.test.contains("diverged"), "{lost:?}");
}

/// Two p-values of 0.03 are 0.06 together, and their claims undecided; one of them alone stands.
#[test]
fn p_values_are_adjusted_for_their_number_and_decide() {
    use Verdict::*;
    let tested = |holds: f64, fails: f64| Claim {
        sides: Some([holds, fails]),
        ..Claim::unmeasured("", "")
    };
    let seen = |claims: Vec<Claim>| -> Vec<(Verdict, Option<f64>)> {
        adjusted(claims).iter().map(|c| (c.verdict, c.p)).collect()
    };
    let untested = Claim::unmeasured("", "");
    let found = seen(vec![tested(0.03, 0.9), untested, tested(0.03, 0.8)]);
    let lost = (Undecided, Some(0.06));
    assert_eq!(found, [lost, (Undecided, None), lost]);
    assert_eq!(seen(vec![tested(0.03, 0.9)]), [(Reproduced, Some(0.03))]);
    // What is surely too small needs the same evidence.
    assert_eq!(seen(vec![tested(0.7, 0.04)]), [(NotReproduced, Some(0.04))]);
    let found = seen(vec![tested(0.7, 0.04), tested(0.7, 0.01)]);
    assert_eq!(
        found,
        [(NotReproduced, Some(0.04)), (NotReproduced, Some(0.02))]
    );
    // Surely above 0 and surely below the margin: it counts however small it is.
    assert_eq!(seen(vec![tested(0.01, 0.001)])[0].0, Reproduced);
}

#[test]
fn most_seeds_decide_unless_one_says_the_contrary() {
    let (yes, no, open) = (
        Verdict::Reproduced,
        Verdict::NotReproduced,
        Verdict::Undecided,
    );
    for (seeds, verdict) in [
        (&[yes, yes, yes][..], yes),
        (&[yes, open, yes], yes),
        (&[open, yes, open], open),
        (&[yes, open], open),
        (&[yes, no, yes], open),
        (&[no, no, open], no),
        (&[no, no, yes], open),
        (&[open, open, open], open),
    ] {
        assert_eq!(majority(seeds), verdict, "{seeds:?}");
    }
}

/// The cells with the noise of these seeds at step 5, heavy or light.
fn noisy<'a>(cells: &'a [Cell; 2], seeds: [&[(u64, bool)]; 2]) -> Vec<Measured<'a>> {
    let of = |(cell, seeds): (&'a Cell, &[(u64, bool)])| {
        let mut found = measured(cell);
        for &(seed, heavy) in seeds {
            // Seeds differ a little.
            let tail = pareto(1.2 + 1e-4 * seed as f64, 2000);
            let norms = if heavy { tail.clone() } else { even(2000) };
            found.noise.push(noise(5, seed, &norms, &[]));
            // The other step says the opposite.
            let norms = if heavy { even(2000) } else { tail };
            found.noise.push(noise(0, seed, &norms, &[]));
        }
        found
    };
    cells.iter().zip(seeds).map(of).collect()
}

#[test]
fn seeds_that_agree_decide_and_contrary_ones_do_not() {
    let cells = ["a", "b"].map(|name| cell(name, &[0, 5]));
    let lines = "[[claims]]\nkind = \"infinite-variance\"\nstatement = \"heavy\"\ncell = \"a\"\nstep = 5\n\
                 [[claims]]\nkind = \"light\"\nstatement = \"light\"\ncell = \"a\"\nstep = 5\n\
                 [[claims]]\nkind = \"infinite-variance\"\nstatement = \"at the start\"\ncell = \"a\"\n";
    let of = |seeds: &[(u64, bool)]| judged(&plan(lines), &noisy(&cells, [seeds, &[]]));
    let verdicts = |claims: &[Claim]| claims.iter().map(|c| c.verdict).collect::<Vec<_>>();
    let agree = of(&[(3, true), (4, true), (5, true)]);
    use Verdict::*;
    assert_eq!(verdicts(&agree), [Reproduced, NotReproduced, NotReproduced]);
    assert_eq!(
        (agree[0].n, agree[0].of.as_str()),
        (2000, "batches, on each of 3 seeds")
    );
    let by_seed = "; seed by seed: reproduced, reproduced, reproduced";
    assert!(agree[0].test.ends_with(by_seed), "{:?}", agree[0]);
    let disagree = of(&[(3, true), (4, false), (5, true)]);
    assert_eq!(verdicts(&disagree), [Undecided; 3]);
    let by_seed = "; seed by seed: reproduced, not reproduced, reproduced";
    assert!(disagree[0].test.ends_with(by_seed), "{:?}", disagree[0]);
    // Of ξ, the middle: two seeds have that of the heavy law.
    let xi = |claims: &[Claim]| claims[0].estimate.unwrap()[0];
    assert!((xi(&disagree) - xi(&agree)).abs() < 1e-3);
    let one = of(&[(3, true)]);
    assert_eq!(
        (one[0].verdict, one[0].n, one[0].of.as_str()),
        (Reproduced, 2000, "batches")
    );
    // Of three that were planned one is no majority, and two are; that of the third diverged.
    let mut planned = plan(lines);
    planned.noise_seeds = 3;
    for (seeds, verdict) in [
        (&[(3, true)][..], Undecided),
        (&[(3, true), (4, true)], Reproduced),
    ] {
        let found = judged(&planned, &noisy(&cells, [seeds, &[]]));
        assert_eq!(found[0].verdict, verdict, "{:?}", found[0]);
        assert!(found[0].test.ends_with(", undecided"), "{:?}", found[0]);
    }
    // The numbers are those of one that decides.
    let of = |verdict, xi: f64| Claim {
        verdict,
        estimate: Some([xi; 3]),
        ..Claim::unmeasured("", "")
    };
    let claims = vec![
        of(Undecided, 0.5),
        of(Reproduced, 0.9),
        of(Reproduced, 0.4),
        of(Reproduced, 0.45),
    ];
    let most = combined("", claims, 4);
    assert_eq!((most.verdict, most.estimate), (Reproduced, Some([0.45; 3])));
    let of = |seeds: &[(u64, bool)]| judged(&plan(lines), &noisy(&cells, [seeds, &[]]));
    let none = of(&[]);
    assert_eq!(
        (none[0].verdict, none[0].test.as_str()),
        (Undecided, "nothing was measured")
    );
}

#[test]
fn samples_are_compared_seed_by_seed() {
    let cells = ["a", "b"].map(|name| cell(name, &[0, 5]));
    let lines = "[[claims]]\nkind = \"heavier\"\nstatement = \"a is heavier\"\n\
                 heavy = { cell = \"a\", step = 5 }\nlight = { cell = \"b\", step = 5 }\n\
                 [[claims]]\nkind = \"unchanged\"\nstatement = \"a is like b\"\n\
                 from = { cell = \"a\", step = 5 }\nto = { cell = \"b\", step = 5 }\n";
    let of = |a: &[(u64, bool)], b: &[(u64, bool)]| judged(&plan(lines), &noisy(&cells, [a, b]));
    let found = of(&[(3, true), (4, true)], &[(3, false), (4, false)]);
    assert_eq!(found[0].verdict, Verdict::Reproduced, "{:?}", found[0]);
    assert_eq!(found[1].verdict, Verdict::NotReproduced);
    assert_eq!((found[0].n, found[0].of.as_str()), (2, "seeds"));
    let found = of(&[(3, false), (4, false)], &[(3, true), (4, true)]);
    assert_eq!(found[0].verdict, Verdict::NotReproduced);
    // The training of `a` diverged on seed 3: what is left is seed 4, on which both are heavy.
    let found = of(&[(4, true)], &[(3, false), (4, true)]);
    assert_eq!((found[0].n, found[0].estimate.unwrap()[0]), (2000, 0.0));
    // The cells have the same batches, so that equal norms differ in no resample.
    assert_eq!(found[0].estimate, Some([0.0; 3]));
    assert_eq!(found[0].of, "batches of each, of one seed");
    let found = of(&[(4, true)], &[(3, false)]);
    assert_eq!(found[0].test, "nothing measured, or too many ties");
    // Of several seeds one is left: it says nothing of the others.
    let mut planned = plan(lines);
    planned.noise_seeds = 2;
    for claim in judged(&planned, &noisy(&cells, [&[(4, true)], &[(4, false)]])) {
        assert_eq!(claim.test, "training diverged on all seeds but one");
        assert_eq!(claim.verdict, Verdict::Undecided);
    }
    let again = of(&[(4, true)], &[(4, false)]);
    assert_eq!(
        again,
        of(&[(4, true)], &[(4, false)]),
        "the bootstrap is keyed"
    );
}

#[test]
fn scans_are_compared_setting_by_setting_and_tested_over_seeds() {
    let cells = ["a", "b"].map(|name| cell(name, &[]));
    let axis = |key: &str| format!("[[axes]]\ntitle = \"\"\nkey = \"{key}\"\nvalues = [1, 8]\n");
    let lines = axis("noise.batch_size")
        + &axis("model.layers")
        + "[[claims]]\nkind = \"heavier-on-average\"\nstatement = \"\"\nheavy = \"a\"\nlight = \"b\"\n";
    let scanned = |axis: usize, value: &str, alphas: &[(u64, f64)]| Scanned {
        cell: String::new(),
        axis,
        value: value.into(),
        noise: (alphas.iter())
            .map(|(seed, alpha)| noise(0, *seed, &pareto(*alpha, 2000), &[]))
            .collect(),
    };
    let of = |a: Vec<Scanned>, b: Vec<Scanned>| {
        let mut all = cells.each_ref().map(measured);
        (all[0].scanned, all[1].scanned) = (a, b);
        judged(&plan(&lines), &all).remove(0)
    };
    let heavy = [(3, 1.2), (4, 1.25), (5, 1.3)];
    let light = [(3, 3.0), (4, 3.0), (5, 3.0)];
    let xi = |alpha: f64| {
        let found = noise(0, 0, &pareto(alpha, 2000), &[]).diagnosis;
        found.evidence.moment.unwrap().xi.estimate
    };
    let heavier = [(3, 1.1), (4, 1.15), (5, 1.2)];
    // The value 8 of the other axis says the opposite, and counts as much; its value 1 is the setting that was before.
    let found = of(
        vec![
            scanned(0, "1", &heavy),
            scanned(0, "8", &heavier),
            scanned(1, "1", &heavy),
            scanned(1, "8", &light),
        ],
        vec![
            scanned(1, "8", &heavy),
            scanned(1, "1", &light),
            scanned(0, "8", &light),
            scanned(0, "1", &light),
        ],
    );
    assert_eq!((found.verdict, found.n), (Verdict::Reproduced, 3));
    let expected = (xi(1.1) + xi(1.15) + xi(1.2)) / 9.0 - xi(3.0) / 3.0;
    assert!(
        (found.estimate.unwrap()[0] - expected).abs() < 1e-12,
        "{found:?}"
    );
    assert!(
        found.effect.ends_with("mean over 3 settings"),
        "{}",
        found.effect
    );
    // What only one of the two has is left out: a value, a seed.
    let found = of(
        vec![scanned(0, "1", &heavy), scanned(0, "8", &light)],
        vec![scanned(0, "8", &heavy[1..]), scanned(1, "1", &light)],
    );
    assert_eq!((found.verdict, found.n), (Verdict::NotReproduced, 2));
    assert_eq!(of(vec![], vec![]).test, "fewer than two seeds");
}

#[test]
fn entries_are_of_every_seed_or_not_judged() {
    let here = cell("a", &[0]);
    let lines = "[[claims]]\nkind = \"heavy-entries\"\nstatement = \"heavy\"\ncell = \"a\"\n";
    let of = |excess: &[Option<f64>]| {
        let mut found = measured(&here);
        for (seed, excess) in (0..).zip(excess) {
            let mut one = noise(0, seed, &even(99), &[]);
            one.measurement.gradients.snapshot = excess.map(snapshot);
            found.noise.push(one);
        }
        judged(&plan(lines), &[found]).remove(0)
    };
    let all = of(&[Some(100.0), Some(120.0), Some(90.0)]);
    assert_eq!((all.verdict, all.n), (Verdict::Reproduced, 3));
    assert!(
        all.effect
            .contains("of all layers; excess kurtosis 100.00, 120.00, 90.00"),
        "{}",
        all.effect
    );
    let some = of(&[Some(100.0), None, Some(90.0)]);
    assert_eq!(some.test, "no entries were kept of a gradient");
    assert_eq!(of(&[]).test, "nothing was measured");
}
