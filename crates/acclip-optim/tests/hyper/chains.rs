//! A name is nothing but a chain, and chains of one's own.

use acclip_optim::{
    AcClip, Adam, Block, ClipCoordinate, ClipCoordinates, ClipNorm, Ema, Error, Form, Layout, Link,
    Normalize, Optimizer, ProjectBall, ProjectBox, Sgd,
};

use crate::common::*;

const ADAM: Adam = Adam {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
};

#[test]
fn a_name_is_nothing_but_its_chain() {
    let problem = Problem::<f32>::new(groups(true), 4);
    for optimizer in variants() {
        let (what, problem) = (label(&optimizer), problem.fit_for(&optimizer));
        let by_name = Optimizer::chain(optimizer.name(), optimizer.links().to_vec()).unwrap();
        assert_eq!(by_name, optimizer);
        assert_eq!(by_name.slot_names(), optimizer.slot_names(), "{what}");
        let chained = chain(optimizer.links().to_vec());
        let (expected, other) = (
            run::<f32, f32>(&optimizer, &problem),
            run(&chained, &problem),
        );
        assert_same_path(&expected, &other, &what);
        assert_eq!(expected.state.tensors(), other.state.tensors(), "{what}");
    }
}

#[test]
fn a_chain_written_by_hand_is_the_name() {
    let problem = Problem::<f32>::new(groups(false), 5);
    let clip = |by_block| {
        Link::ClipNorm(ClipNorm {
            max_norm: 1.0,
            growth: 0.0,
            by_block,
        })
    };
    let sgd = |momentum, nesterov| Link::Sgd(Sgd { momentum, nesterov });
    let (m, decay) = (
        Ema {
            beta1: 0.9,
            sign: false,
        },
        Link::WeightDecay(0.01),
    );
    let bias_correction = true;
    let (alpha, eps) = (1.5, 1e-5);
    let acclip = AcClip {
        form: Form::Paper,
        alpha,
        beta1: 0.9,
        beta2: 0.99,
        eps,
        bias_correction,
    };
    let none = "weight_decay = 0.01";
    for (name, line, links) in [
        ("sgd", none, vec![decay.clone()]),
        ("nesterov", none, vec![sgd(0.9, true), decay.clone()]),
        (
            "cclip",
            none,
            vec![
                Link::ClipCoordinate(ClipCoordinate {
                    tau: 0.1,
                    growth: 0.0,
                }),
                decay.clone(),
            ],
        ),
        (
            "gclip",
            "momentum = 0.5",
            vec![clip(false), sgd(0.5, false)],
        ),
        ("gclip-block", none, vec![clip(true), decay.clone()]),
        (
            "adamw-clip",
            "",
            vec![clip(false), Link::Adam(ADAM), decay.clone()],
        ),
        (
            "acclip-paper",
            "alpha = 1.5, bias_correction = true",
            vec![Link::AcClip(acclip)],
        ),
        (
            "nsgd-momentum",
            "",
            vec![Link::Ema(m), Link::Normalize(Normalize { by_block: false })],
        ),
        ("adam", "l2 = 0.01", vec![Link::L2(0.01), Link::Adam(ADAM)]),
    ] {
        let (name, chained) = (make(name, line), chain(links));
        let problem = problem.fit_for(&chained);
        let expected = run::<f32, f32>(&name, &problem);
        for one_pass in [true, false] {
            let other = run(&chained.clone().with_one_pass(one_pass), &problem);
            assert_same_path(&expected, &other, &label(&name));
            assert_eq!(
                expected.state.tensors(),
                other.state.tensors(),
                "{}",
                label(&name)
            );
        }
    }
}

#[test]
fn two_rules_in_one_chain_keep_their_slots_apart() {
    let (average, heavy) = (
        Ema {
            beta1: 0.8,
            sign: false,
        },
        Sgd {
            momentum: 0.5,
            nesterov: false,
        },
    );
    let both = chain(vec![Link::Ema(average), Link::Sgd(heavy), Link::Adam(ADAM)]);
    assert_eq!(both.slot_names(), ["m", "m.2", "m.3", "v"]);
    let norms = Link::QuantileNorm(acclip_optim::QuantileNorm {
        clip_rate: 0.5,
        clip_gain: 0.1,
    });
    let twice = chain(vec![norms.clone(), Link::Ema(average), norms]);
    assert_eq!(
        twice.slot_names(),
        ["m", "norm_quantile", "norm_quantile.3"]
    );

    // The chain is the one rule after the other: from 0 with the learning rate 1, a step gives −u.
    let problem = Problem::<f64>::new(one_block(23), 12);
    let layout = &problem.layout;
    let (first, second) = (
        chain(vec![Link::Ema(average)]),
        chain(vec![Link::Sgd(heavy)]),
    );
    let both = chain(vec![Link::Ema(average), Link::Sgd(heavy)]);
    let (mut a, mut b) = (first.init(layout), second.init(layout));
    let mut ab = both.init(layout);
    for grad in &problem.grads {
        let step = |optimizer: &Optimizer, grad: &[f64], state: &mut _| {
            let mut x = vec![0.0; 23];
            optimizer.step(1.0, layout, &mut x, grad, state).unwrap();
            x.iter().map(|x| -x).collect::<Vec<_>>()
        };
        let u = step(&first, grad, &mut a);
        assert_eq!(step(&second, &u, &mut b), step(&both, grad, &mut ab));
    }
    assert_eq!(slot(&ab, "m", layout), slot(&a, "m", layout));
    assert_eq!(slot(&ab, "m.2", layout), slot(&b, "m", layout));
    assert_ne!(slot(&a, "m", layout), slot(&b, "m", layout));
}

#[test]
fn a_chain_that_cannot_be_is_refused() {
    let ball = Link::ProjectBall(ProjectBall {
        radius: 1.0,
        by_block: false,
    });
    let cube = |lower, upper| Link::ProjectBox(ProjectBox { lower, upper });
    let sgd = Link::Sgd(Sgd {
        momentum: 0.9,
        nesterov: false,
    });
    let new =
        |links: &[&Link]| Optimizer::chain("mine", links.iter().map(|&l| l.clone()).collect());
    for links in [
        [&ball, &sgd],
        [&cube(0.0, 1.0), &sgd],
        [&ball, &Link::WeightDecay(0.1)],
    ] {
        let error = Error::LinkAfterProjection {
            optimizer: "mine".into(),
        };
        assert_eq!(new(&links).unwrap_err(), error);
    }
    assert!(new(&[&sgd, &ball, &cube(0.0, 1.0)]).is_ok());
    let tau = |tau: &[f64]| {
        Link::ClipCoordinates(ClipCoordinates {
            tau: tau.into(),
            growth: 0.0,
        })
    };
    for bad in [
        &cube(1.0, 0.0),
        &cube(f64::NAN, 1.0),
        &tau(&[1.0, 0.0]),
        &tau(&[f64::NAN]),
    ] {
        let error = new(&[bad]).unwrap_err();
        assert!(
            matches!(error, Error::HyperOutOfRange { .. }),
            "{bad:?}: {error}"
        );
    }
    let bad = Sgd {
        momentum: 1.0,
        nesterov: false,
    };
    assert!(matches!(
        new(&[&Link::Sgd(bad)]),
        Err(Error::HyperOutOfRange { .. })
    ));

    let optimizer = new(&[&tau(&[1.0, 2.0])]).unwrap();
    let layout = one_block(3);
    let (mut params, mut state) = ([1.0_f32; 3], optimizer.init(&layout));
    let error = optimizer
        .step(0.1, &layout, &mut params, &[1.0_f32; 3], &mut state)
        .unwrap_err();
    assert_eq!(
        error,
        Error::Length {
            what: "tau".into(),
            expected: 3,
            found: 2
        }
    );
    assert_eq!((params, state.t), ([1.0; 3], 0));
}

#[test]
fn chains_of_ones_own_give_the_same_bits_in_one_pass_and_link_by_link() {
    let norm = Link::ClipNorm(ClipNorm {
        max_norm: 50.0,
        growth: 0.0,
        by_block: true,
    });
    let tau = Link::ClipCoordinate(ClipCoordinate {
        tau: 0.5,
        growth: 0.0,
    });
    let acclip = |form| {
        let (alpha, eps) = (1.0, 1e-5);
        Link::AcClip(AcClip {
            form,
            alpha,
            beta1: 0.9,
            beta2: 0.99,
            eps,
            bias_correction: false,
        })
    };
    let decay = Link::WeightDecay(0.1);
    let problem = Problem::<f32>::new(groups(false), 6);
    for links in [
        vec![],
        vec![decay.clone()],
        vec![tau.clone()],
        vec![norm.clone(), tau.clone(), decay.clone()],
        vec![norm.clone(), acclip(Form::Normalized), decay.clone()],
        vec![tau.clone(), Link::Adam(ADAM)],
        vec![tau.clone(), acclip(Form::Paper), decay.clone()],
        vec![norm, tau, acclip(Form::Normalized), decay],
    ] {
        let optimizer = chain(links);
        let problem = problem.fit_for(&optimizer);
        let expected = run::<f32, f32>(&optimizer, &problem);
        let other = run(&optimizer.clone().with_one_pass(false), &problem);
        assert_same_run(
            &expected,
            &other,
            &problem.layout,
            &format!("{:?}", optimizer.links()),
        );
    }
}

/// A chain with growing thresholds or norms by block takes the steps of its definition, in one pass and
/// link by link.
#[test]
fn thresholds_grow_and_norms_are_those_of_each_block() {
    let layout = Layout::new(vec![
        Block::new("a", [3], false),
        Block::new("b", [2], false),
    ])
    .unwrap();
    let grad = [3.0, -4.0, 12.0, 0.3, 0.4];
    let plain = Sgd {
        momentum: 0.0,
        nesterov: false,
    };
    let norm = |by_block| {
        Link::ClipNorm(ClipNorm {
            max_norm: 2.0,
            growth: 0.5,
            by_block,
        })
    };
    let one = Link::ClipCoordinate(ClipCoordinate {
        tau: 1.0,
        growth: 0.75,
    });
    let each = Link::ClipCoordinates(ClipCoordinates {
        tau: [1.0, 2.0, 3.0, 0.1, 0.2].into(),
        growth: 0.75,
    });
    let ball = Link::ProjectBall(ProjectBall {
        radius: 0.25,
        by_block: true,
    });
    let unit = Link::Normalize(Normalize { by_block: true });
    // The update of coordinate i in step t, of blocks with norms 13 and ½.
    type Update = fn(usize, f64, f64) -> f64;
    let cases: [(Vec<Link>, Update); 5] = [
        (vec![norm(true)], |i, g, t| {
            g * (2.0 * t.sqrt() / if i < 3 { 13.0 } else { 0.5 }).min(1.0)
        }),
        (vec![norm(false)], |_, g, t| {
            g * (2.0 * t.sqrt() / 169.25_f64.sqrt()).min(1.0)
        }),
        (vec![one], |_, g, t| g.clamp(-t.powf(0.75), t.powf(0.75))),
        (vec![each], |i, g, t| {
            let tau = [1.0, 2.0, 3.0, 0.1, 0.2][i] * t.powf(0.75);
            g.clamp(-tau, tau)
        }),
        (vec![unit, ball.clone()], |i, g, _| {
            g / if i < 3 { 13.0 } else { 0.5 }
        }),
    ];
    for (links, update) in cases {
        let projected = links.contains(&ball);
        let mut chain: Vec<Link> = links;
        let place = chain.len() - usize::from(projected);
        chain.insert(place, Link::Sgd(plain));
        for one_pass in [true, false] {
            let optimizer = Optimizer::chain("grows", chain.clone())
                .unwrap()
                .with_one_pass(one_pass);
            let mut state = optimizer.init::<f64>(&layout);
            let mut x = [0.0; 5];
            let mut expected = [0.0; 5];
            for t in 1..=60 {
                optimizer
                    .step(0.1, &layout, &mut x, &grad, &mut state)
                    .unwrap();
                for (i, e) in expected.iter_mut().enumerate() {
                    *e -= 0.1 * update(i, grad[i], t as f64);
                }
                if projected {
                    for block in [0..3, 3..5] {
                        let norm = expected[block.clone()]
                            .iter()
                            .map(|x| x * x)
                            .sum::<f64>()
                            .sqrt();
                        expected[block]
                            .iter_mut()
                            .for_each(|x| *x *= (0.25 / norm).min(1.0));
                    }
                }
                for (x, e) in x.iter().zip(expected) {
                    assert!(
                        (x - e).abs() <= 1e-13 * e.abs().max(1.0),
                        "{chain:?} {t}: {x} {e}"
                    );
                }
            }
        }
    }
}
