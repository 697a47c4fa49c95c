//! Every experiment, small: its checks hold, its tables and curves are whole, and its bits do not depend on threads.

use acclip_theory::ensemble::Control;
use acclip_theory::experiments::{Experiment, LEMMAS, Settings};
use acclip_theory::{Cell, Error, Finding};

/// Every experiment, with trajectories and steps that take a second or two.
fn small() -> Vec<(Experiment, Settings)> {
    let all = [
        (Experiment::Table1, 1 << 11, 1 << 10),
        (Experiment::Theorem2, 1 << 9, 1 << 11),
        (Experiment::Theorem4, 1 << 11, 1 << 10),
        (Experiment::Theorem5, 1 << 11, 1 << 9),
        (Experiment::Theorem6, 32, 1 << 8),
        (Experiment::Theorem8, 1 << 8, 1 << 9),
        (Experiment::Remark1, 1 << 17, 1 << 9),
        (Experiment::Dimension, 1 << 9, 1 << 5),
        (Experiment::RmsProp, 1 << 9, 1 << 6),
    ];
    let lemmas = LEMMAS.map(|number| (Experiment::Lemma(number), 1 << 12, 1 << 6));
    let small = |(experiment, trajectories, steps): (Experiment, usize, u64)| {
        let settings = Settings {
            seed: 3,
            alphas: vec![1.5, 2.0],
            trajectories,
            steps,
        };
        (experiment, settings)
    };
    all.into_iter().chain(lemmas).map(small).collect()
}

fn run(experiment: Experiment, settings: &Settings, threads: usize) -> Finding {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| experiment.run(settings, &Control::default()))
        .unwrap()
}

#[test]
fn every_experiment_is_whole_and_its_bits_do_not_depend_on_threads() {
    for (experiment, settings) in small() {
        let finding = run(experiment, &settings, 2);
        let title = &finding.title;
        assert!(
            !finding.claim.is_empty() && finding.settings.contains(&("seed".into(), "3".into())),
            "{title}"
        );
        assert!(!finding.checks.is_empty(), "{title}");
        for check in &finding.checks {
            // Exponents over so few steps are another matter.
            let exponent = check.name.contains("exponent");
            assert!(
                check.holds || exponent,
                "{title}: {}: {}",
                check.name,
                check.detail
            );
        }
        for table in &finding.tables {
            assert!(!table.rows.is_empty(), "{title}: {}", table.caption);
            for row in &table.rows {
                assert_eq!(row.len(), table.header.len(), "{title}: {}", table.caption);
                assert!(
                    row.iter()
                        .all(|cell| !matches!(cell, Cell::Number(x) if x.is_nan())),
                    "{title}: {row:?}"
                );
            }
        }
        for plot in &finding.plots {
            for curve in &plot.curves {
                let name = format!("{title}: {}: {}", plot.title, curve.name);
                assert!(!curve.points.is_empty(), "{name}");
                // Against something that grows; other plots may be of one measured number against another.
                let grows = curve.points.windows(2).all(|pair| pair[0].x < pair[1].x);
                assert!(grows || !plot.log, "{name}");
                assert!(
                    curve.points.iter().all(|point| point.y.is_finite()),
                    "{name}"
                );
                assert!(
                    !plot.log || curve.points.iter().all(|point| point.x > 0.0),
                    "{name}"
                );
            }
        }
        let again = run(experiment, &settings, 3);
        assert_eq!(format!("{finding:?}"), format!("{again:?}"), "{title}");
    }
}

#[test]
fn bounds_hold_for_several_seeds() {
    for seed in 0..3 {
        for experiment in [
            Experiment::Theorem4,
            Experiment::Theorem8,
            Experiment::Theorem5,
        ] {
            let settings = Settings {
                seed,
                alphas: vec![1.2, 1.6],
                trajectories: 1 << 9,
                steps: 1 << 9,
            };
            let finding = run(experiment, &settings, 2);
            for check in finding
                .checks
                .iter()
                .filter(|check| !check.name.contains("exponent"))
            {
                assert!(check.holds, "seed {seed}: {}: {}", check.name, check.detail);
            }
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let good = Experiment::Theorem4.defaults();
    for bad in [
        Settings {
            alphas: vec![],
            ..good.clone()
        },
        Settings {
            alphas: vec![1.0],
            ..good.clone()
        },
        Settings {
            alphas: vec![2.1],
            ..good.clone()
        },
        Settings {
            alphas: vec![f64::NAN],
            ..good.clone()
        },
        Settings {
            trajectories: 0,
            ..good.clone()
        },
        Settings {
            steps: 0,
            ..good.clone()
        },
    ] {
        let refused = Experiment::Theorem4.run(&bad, &Control::default());
        assert!(matches!(refused, Err(Error::OutOfRange { .. })), "{bad:?}");
    }
    assert!(
        Experiment::Lemma(14)
            .run(&good, &Control::default())
            .is_err()
    );
}

/// One trajectory and one step: nothing to estimate from, but no panic.
#[test]
fn the_smallest_settings_do_no_harm() {
    for (experiment, settings) in small() {
        for (trajectories, steps) in [(1, 1), (1, 7), (5, 2)] {
            let settings = Settings {
                trajectories,
                steps,
                ..settings.clone()
            };
            let finding = experiment.run(&settings, &Control::default());
            assert!(!matches!(finding, Err(Error::Stopped)), "{experiment:?}");
        }
    }
}

#[test]
fn an_experiment_can_be_stopped() {
    let control = Control::default();
    control.stop();
    for (experiment, settings) in small() {
        if matches!(experiment, Experiment::Lemma(_) | Experiment::RmsProp) {
            continue; // these take a second
        }
        let stopped = experiment.run(&settings, &control);
        assert_eq!(stopped, Err(Error::Stopped), "{experiment:?}");
    }
}
