//! Names, hyper-parameters and chains: defaults, ranges, messages, the way through JSON and TOML, and
//! that a name is nothing but a chain.

#[path = "hyper/chains.rs"]
mod chains;
mod common;

use std::collections::HashSet;

use acclip_optim::{Error, Hyper, NAMES, Optimizer};
use common::*;

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let error = Optimizer::new("adamax", &Hyper::default()).unwrap_err();
    assert_eq!(
        error,
        Error::UnknownOptimizer {
            name: "adamax".into()
        }
    );
    let message = error.to_string();
    assert!(
        NAMES
            .iter()
            .all(|name| message.contains(&format!(" {name}"))),
        "{message}"
    );
    assert_eq!(HashSet::from(NAMES).len(), 27);
}

#[test]
fn the_resolved_hyper_parameters_rebuild_the_optimizer() {
    for optimizer in variants() {
        let (name, hyper) = (optimizer.name(), optimizer.hyper());
        let json = serde_json::to_string(&hyper).unwrap();
        assert!(!json.contains("null"), "{json}");
        let read: Hyper = serde_json::from_str(&json).unwrap();
        assert_eq!(Optimizer::new(name, &read).unwrap(), optimizer);
        let read: Hyper = toml::from_str(&toml::to_string(&hyper).unwrap()).unwrap();
        assert_eq!(Optimizer::new(name, &read).unwrap(), optimizer);
        let fixed = match name {
            "adagc" | "zclip" => None, // theirs adapts
            _ => hyper.max_norm.or(hyper.tau),
        };
        assert_eq!(optimizer.threshold(), fixed, "{name}");
    }
    assert_eq!(Hyper::default(), hyper(""));
    let error = toml::from_str::<Hyper>("beta3 = 0.5").unwrap_err();
    assert!(error.to_string().contains("beta3"), "{error}");
}

#[test]
fn a_hyper_parameter_of_another_rule_is_refused() {
    let error = Optimizer::new("gclip", &hyper("tau = 1")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "optimizer `gclip` has no hyper-parameter `tau`; it takes: max_norm, threshold_growth, l2, momentum, \
         nesterov, weight_decay"
    );
    // Every name takes exactly the fields of its resolved hyper-parameters.
    let all = "momentum beta1 beta2 eps alpha weight_decay l2 max_norm tau threshold_growth clip_factor clip_decay \
               clip_rate clip_gain z_score percentile floor radius";
    let lines = all.split_whitespace().map(|field| format!("{field} = 0.5"));
    let flags = ["nesterov = true", "bias_correction = true", "warm_up = 5"].map(String::from);
    for line in lines.chain(flags) {
        let field = line.split(' ').next().unwrap();
        for name in NAMES {
            let taken = toml::to_string(&make(name, "").hyper()).unwrap();
            let taken = taken
                .lines()
                .any(|line| line.starts_with(&format!("{field} = ")));
            match Optimizer::new(name, &hyper(&line)) {
                Ok(optimizer) => {
                    assert!(taken, "{name} {line}");
                    let resolved = toml::to_string(&optimizer.hyper()).unwrap();
                    assert!(resolved.contains(&line), "{name} {line}: {resolved}");
                }
                Err(Error::UnusedHyper {
                    optimizer,
                    field: refused,
                    allowed,
                }) => {
                    assert!(!taken, "{name} {line}");
                    assert_eq!((optimizer.as_str(), refused), (name, field));
                    assert!(
                        !allowed.contains(&field) && !allowed.is_empty(),
                        "{name} {line}"
                    );
                }
                Err(error) => panic!("{name} {line}: {error}"),
            }
        }
    }
}

#[test]
fn every_range_has_its_ends() {
    let unit = ["0", "0.999", "-0.1", "1"];
    let not_negative = ["0", "10", "-1e-9", "inf"];
    let positive = ["1e-9", "1.7976931348623157e308", "0", "inf"];
    // Field, an optimizer that has it, and two values inside and two outside.
    let table = [
        ("momentum", "sgd", unit),
        ("beta1", "adamw", unit),
        ("beta2", "acclip", unit),
        ("clip_decay", "zclip", unit),
        ("eps", "acclip", not_negative),
        ("weight_decay", "sgd", not_negative),
        ("l2", "sgd", not_negative),
        ("max_norm", "gclip", positive),
        ("tau", "cclip", positive),
        ("threshold_growth", "gclip", not_negative),
        ("clip_factor", "agc", positive),
        ("floor", "agc", positive),
        ("z_score", "zclip", positive),
        ("radius", "proj-gclip", positive),
        ("alpha", "acclip", ["1e-3", "2", "0", "2.001"]),
        ("clip_rate", "qclip", ["1e-9", "0.999", "0", "1"]),
        ("clip_gain", "qclip-block", ["1e-9", "1", "0", "1.001"]),
        ("percentile", "autoclip", ["0", "100", "-1e-9", "100.001"]),
    ];
    for (field, name, [low, high, below, above]) in table {
        let new = |value: &str| Optimizer::new(name, &hyper(&format!("{field} = {value}")));
        for value in [low, high] {
            assert!(new(value).is_ok(), "{name}: {field} = {value}");
        }
        for value in [below, above, "nan", "-inf", "-1"] {
            let refused = new(value).unwrap_err();
            let right = matches!(&refused, Error::HyperOutOfRange { field: f, .. } if *f == field);
            assert!(right, "{name}: {field} = {value}: {refused}");
        }
    }
    let tested = |field: &str| table.iter().any(|row| row.0 == field);
    for name in NAMES {
        let hyper = serde_json::to_value(make(name, "").hyper()).unwrap();
        let fields = hyper
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| value.is_f64());
        fields.for_each(|(field, _)| assert!(tested(field), "{name}: {field} is in no row"));
    }
    assert!(Optimizer::new("zclip", &hyper("warm_up = 1")).is_ok());
    let message = |name, line| Optimizer::new(name, &hyper(line)).unwrap_err().to_string();
    assert_eq!(
        message("adagc", "warm_up = 0"),
        "hyper-parameter `warm_up` of optimizer `adagc` is 0; it must be in 1, 2, ..."
    );
    assert_eq!(
        message("acclip", "alpha = 3"),
        "hyper-parameter `alpha` of optimizer `acclip` is 3; it must be in (0, 2]"
    );
}
