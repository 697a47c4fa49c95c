//! Names and hyper-parameters: defaults, ranges, messages, and the way through JSON and TOML.

use acclip_optim::{Error, Hyper, NAMES, Optimizer};

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let error = Optimizer::new("adam", &Hyper::default()).unwrap_err();
    assert_eq!(
        error,
        Error::UnknownOptimizer {
            name: "adam".into()
        }
    );
    let message = error.to_string();
    assert!(NAMES.iter().all(|name| message.contains(name)), "{message}");
}

#[test]
fn the_resolved_hyper_parameters_rebuild_the_optimizer() {
    for name in NAMES {
        let optimizer = Optimizer::new(name, &Hyper::default()).unwrap();
        assert_eq!(optimizer.name(), name);
        let json = serde_json::to_string(&optimizer.hyper()).unwrap();
        assert!(!json.contains("null"), "{json}");
        let read: Hyper = serde_json::from_str(&json).unwrap();
        assert_eq!(Optimizer::new(name, &read).unwrap(), optimizer);
        let read: Hyper = toml::from_str(&toml::to_string(&optimizer.hyper()).unwrap()).unwrap();
        assert_eq!(Optimizer::new(name, &read).unwrap(), optimizer);
        assert_eq!(
            optimizer.threshold(),
            optimizer.hyper().max_norm.or(optimizer.hyper().tau)
        );
    }
    assert!(
        toml::from_str::<Hyper>("beta3 = 0.5")
            .unwrap_err()
            .to_string()
            .contains("beta3")
    );
}

#[test]
fn a_hyper_parameter_of_another_rule_is_refused() {
    let error = Optimizer::new(
        "gclip",
        &Hyper {
            tau: Some(1.0),
            ..Hyper::default()
        },
    )
    .unwrap_err();
    let allowed = vec!["momentum", "weight_decay", "max_norm"];
    assert_eq!(
        error,
        Error::UnusedHyper {
            optimizer: "gclip",
            field: "tau",
            allowed
        }
    );
    assert_eq!(
        error.to_string(),
        "optimizer `gclip` has no hyper-parameter `tau`; it takes: momentum, weight_decay, max_norm"
    );
    for (name, hyper) in [
        (
            "sgd",
            Hyper {
                max_norm: Some(1.0),
                ..Hyper::default()
            },
        ),
        (
            "adamw",
            Hyper {
                max_norm: Some(1.0),
                ..Hyper::default()
            },
        ),
        (
            "adamw-clip",
            Hyper {
                alpha: Some(1.0),
                ..Hyper::default()
            },
        ),
        (
            "acclip",
            Hyper {
                momentum: Some(0.9),
                ..Hyper::default()
            },
        ),
    ] {
        assert!(
            matches!(Optimizer::new(name, &hyper), Err(Error::UnusedHyper { .. })),
            "{name}"
        );
    }
}

#[test]
fn every_range_has_its_ends() {
    type Set = fn(f64) -> Hyper;
    let none = Hyper::default();
    assert_eq!(none, serde_json::from_str("{}").unwrap());
    let table: [(&str, Set, &[f64], &[f64]); 8] = [
        (
            "sgd",
            |x| Hyper {
                momentum: Some(x),
                ..Hyper::default()
            },
            &[0.0, 0.999],
            &[-0.1, 1.0],
        ),
        (
            "adamw",
            |x| Hyper {
                beta1: Some(x),
                ..Hyper::default()
            },
            &[0.0, 0.999],
            &[-0.1, 1.0],
        ),
        (
            "acclip",
            |x| Hyper {
                beta2: Some(x),
                ..Hyper::default()
            },
            &[0.0, 0.999],
            &[-0.1, 1.0],
        ),
        (
            "acclip",
            |x| Hyper {
                eps: Some(x),
                ..Hyper::default()
            },
            &[0.0, 10.0],
            &[-1e-9, f64::INFINITY],
        ),
        (
            "acclip",
            |x| Hyper {
                alpha: Some(x),
                ..Hyper::default()
            },
            &[1e-3, 2.0],
            &[0.0, -1.0, 2.001],
        ),
        (
            "sgd",
            |x| Hyper {
                weight_decay: Some(x),
                ..Hyper::default()
            },
            &[0.0, 5.0],
            &[-0.1, f64::INFINITY],
        ),
        (
            "gclip",
            |x| Hyper {
                max_norm: Some(x),
                ..Hyper::default()
            },
            &[1e-9, f64::MAX],
            &[0.0, -1.0, f64::INFINITY],
        ),
        (
            "cclip",
            |x| Hyper {
                tau: Some(x),
                ..Hyper::default()
            },
            &[1e-9, f64::MAX],
            &[0.0, -1.0, f64::INFINITY],
        ),
    ];
    for (name, set, inside, outside) in table {
        for &x in inside {
            assert!(Optimizer::new(name, &set(x)).is_ok(), "{name} {x}");
        }
        for &x in outside.iter().chain(&[f64::NAN, f64::NEG_INFINITY]) {
            let error = Optimizer::new(name, &set(x)).unwrap_err();
            assert!(
                matches!(error, Error::HyperOutOfRange { .. }),
                "{name} {x}: {error}"
            );
        }
    }
    let error = Optimizer::new(
        "acclip",
        &Hyper {
            alpha: Some(3.0),
            ..none
        },
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "hyper-parameter `alpha` of optimizer `acclip` is 3; it must be in (0, 2]"
    );
}
