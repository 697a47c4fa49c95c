use super::*;
use acclip_theory::Check;
use acclip_train::Silent;
use std::sync::atomic::AtomicBool;

fn options() -> TheoryOptions {
    TheoryOptions {
        alpha: Vec::new(),
        trajectories: None,
        steps: None,
        seed: None,
        out: None,
        json: false,
    }
}

fn defaults() -> Settings {
    Settings {
        seed: 5,
        alphas: vec![1.5, 2.0],
        trajectories: 1024,
        steps: 4096,
    }
}

#[test]
fn an_option_replaces_one_setting() {
    assert_eq!(resolve(defaults(), &options()), defaults());
    let given = TheoryOptions {
        alpha: vec![1.25],
        ..options()
    };
    let expected = Settings {
        alphas: vec![1.25],
        ..defaults()
    };
    assert_eq!(resolve(defaults(), &given), expected);
    let given = TheoryOptions {
        trajectories: Some(7),
        ..options()
    };
    let expected = Settings {
        trajectories: 7,
        ..defaults()
    };
    assert_eq!(resolve(defaults(), &given), expected);
    let given = TheoryOptions {
        steps: Some(8),
        seed: Some(9),
        ..options()
    };
    let expected = Settings {
        steps: 8,
        seed: 9,
        ..defaults()
    };
    assert_eq!(resolve(defaults(), &given), expected);
}

/// What is printed as the way to run it again is read back as the same settings.
#[test]
fn the_command_line_gives_the_settings() {
    use crate::args::{Cli, Command};
    use clap::Parser;
    let settings = Settings {
        alphas: vec![1.1, 1.0 + f64::EPSILON, 2.0],
        ..defaults()
    };
    let line = command_line("theorem 4", &settings);
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let Command::Theory(args) = cli.command else {
        panic!("{line}")
    };
    assert_eq!(
        chosen(&args.what),
        (Experiment::Theorem4, "theorem 4".into())
    );
    let other = Settings {
        seed: 0,
        alphas: vec![],
        trajectories: 1,
        steps: 1,
    };
    assert_eq!(resolve(other, &args.options), settings);
}

#[test]
fn the_help_names_the_default_seed() {
    assert_eq!(Experiment::Remark1.defaults().seed, 0);
}

#[test]
fn a_failed_check_is_exit_status_one() {
    let mut summary = crate::report::theory_example();
    for (holds, ended, status) in [(true, Ended::Done, 0), (false, Ended::CheckFailed, 1)] {
        summary.finding.checks = vec![
            Check {
                name: "first".into(),
                holds: true,
                detail: String::new(),
            },
            Check {
                name: "second".into(),
                holds,
                detail: String::new(),
            },
        ];
        summary.holds = summary.finding.holds();
        assert_eq!(summary.ended(), ended);
        assert_eq!(summary.ended().status(), status);
    }
}

#[test]
fn ctrl_c_reaches_the_experiment() {
    let stop = AtomicBool::new(true);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    let settings = Settings {
        trajectories: 1 << 20,
        steps: 1 << 40,
        ..defaults()
    };
    let found = watched("remark1", control, |inner| {
        Experiment::Remark1.run(&settings, inner)
    });
    assert_eq!(found, Err(TheoryError::Stopped));
}

#[test]
fn the_watcher_ends_with_a_panic() {
    let stop = AtomicBool::new(false);
    let control = Control {
        stop: &stop,
        progress: &Silent,
    };
    let work = || watched::<()>("nothing", control, |_| panic!("on purpose"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    assert!(caught.is_err());
}

#[test]
fn a_claimed_folder_goes_again_unless_something_is_written() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("new");
    let folder = Folder::claim(&path).unwrap();
    assert!(path.exists());
    drop(folder);
    assert!(!path.exists());
    // A folder that was there before stays.
    drop(Folder::claim(place.path()).unwrap());
    assert!(place.path().exists());
    let folder = Folder::claim(&path).unwrap();
    folder.write("finding.json", "{}").unwrap();
    drop(folder);
    assert_eq!(
        std::fs::read_to_string(path.join("finding.json")).unwrap(),
        "{}"
    );
    let refused = Folder::claim(&path).err().unwrap().to_string();
    assert!(refused.contains("not empty"), "{refused}");
    let below = path.join("finding.json").join("deeper");
    let refused = Folder::claim(&below).err().unwrap().to_string();
    assert!(refused.contains("deeper"), "{refused}");
}
