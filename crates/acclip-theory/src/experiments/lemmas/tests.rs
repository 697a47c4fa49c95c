//! What all lemmas have in common.

use super::*;
use crate::experiments::LEMMAS;

fn small(number: u8) -> Settings {
    Settings {
        alphas: vec![1.3, 2.0],
        trajectories: match number {
            15 | 16 => 64,
            _ => 1024,
        },
        ..defaults(number)
    }
}

#[test]
fn all_lemmas_hold_with_the_same_bits_for_any_number_of_threads() {
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    for number in LEMMAS {
        let run = || run(number, &small(number), &Control::default()).unwrap();
        let (many, alone) = (run(), one.install(run));
        assert_eq!(format!("{many:?}"), format!("{alone:?}"), "{number}");
        assert!(
            many.holds() && many.steps > 0,
            "{number}: {:?}",
            many.checks
        );
        assert!(many.checks.len() >= 2 && !many.tables.is_empty());
        for table in &many.tables {
            assert!(!table.rows.is_empty());
            assert!(
                table.rows.iter().all(|row| row.len() == table.header.len()),
                "{number}"
            );
        }
        let other = Settings {
            seed: 1,
            ..small(number)
        };
        let other = super::run(number, &other, &Control::default()).unwrap();
        assert!(
            (&other.tables, &other.plots) != (&many.tables, &many.plots),
            "{number}"
        );
    }
}

#[test]
fn a_lemma_stops_when_told_to() {
    for number in LEMMAS {
        let control = Control::default();
        control.stop();
        assert_eq!(
            run(number, &small(number), &control).err(),
            Some(Error::Stopped),
            "{number}"
        );
    }
}

#[test]
fn other_numbers_are_refused() {
    for number in [0, 8, 14, 19] {
        let refused = run(number, &defaults(9), &Control::default());
        assert!(matches!(
            refused,
            Err(Error::OutOfRange { name: "lemma", .. })
        ));
    }
}
