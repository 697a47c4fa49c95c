//! The memory of an ensemble does not grow with the number of steps: counted at the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use acclip_theory::ensemble::{Control, Ensemble, Metric};
use acclip_theory::methods::{Method, Update, acclip};
use acclip_theory::noise::{Independent, Law, Noise, SharedScale};
use acclip_theory::problems::Quadratic;

/// Bytes in use, and the most since [`peak_of`] began.
static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(used, Ordering::Relaxed);
        // SAFETY: the caller's promises are the callee's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: likewise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes that `run` needs at most, beyond those in use before.
fn peak_of(run: impl FnOnce()) -> usize {
    let before = USED.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    run();
    PEAK.load(Ordering::Relaxed) - before
}

// One test: another would allocate at the same time.
#[test]
fn memory_does_not_grow_with_the_steps() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let clip = Update::GClip {
        max_norm: 2.0,
        growth: 0.5,
    };
    let average = Method {
        average: Some(1.0),
        ..Method::constant("GClip", clip, 0.01)
    };
    let methods = [average, Method::constant("ACClip", acclip(1.5), 0.01)];
    for dim in [1, 4] {
        let problem = Quadratic::new(vec![1.0; dim], vec![0.0; dim], None).unwrap();
        let law = Law::Pareto { index: 1.5 };
        let noises: [Box<dyn Noise>; 2] = [
            Box::new(Independent {
                law,
                scales: vec![1.0],
            }),
            Box::new(SharedScale {
                law,
                scale: 1.0,
                correlation: 0.5,
            }),
        ];
        for (method, noise) in methods.iter().zip(&noises) {
            let peak = |steps: u64| {
                let ensemble = Ensemble {
                    problem: &problem,
                    noise: &**noise,
                    method,
                    start: &vec![1.0; dim],
                    trajectories: 1024,
                    checkpoints: &[steps],
                    metrics: &[
                        Metric::AverageGap,
                        Metric::MeanTruncatedGradient { tau: 1.0 },
                    ],
                    seed: 1,
                };
                peak_of(|| {
                    pool.install(|| ensemble.run(&Control::default())).unwrap();
                })
            };
            // The first run fills what the libraries keep.
            peak(10);
            let (short, long) = (peak(10), peak(5000));
            // A step of one value a group would add 40 kB.
            assert!(
                long <= short + 1024,
                "{} d = {dim}: {short} bytes, then {long}",
                method.name
            );
            assert!(short > 4096, "{short}");
        }
    }
}
