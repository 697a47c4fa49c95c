//! Independent jobs, several at a time. Each job computes on threads of its own, and no result
//! depends on how many there are: a job is a function of its configuration.

use crate::{Control, Error, Outcome};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a job leaves its result.
type Slot<T> = Mutex<Option<Result<Outcome<T>, Error>>>;

/// How many jobs run at once when nothing else was asked for: one for every thread of the program.
pub(crate) fn default_jobs() -> usize {
    rayon::current_num_threads()
}

/// Does every job of the task `name`, `jobs` at a time, and returns the results in the order of the jobs; `Interrupted`
/// if any was. After an error no new job is begun.
pub(crate) fn run<J: Sync, T: Send>(
    name: &str,
    jobs: usize,
    list: &[J],
    control: Control,
    work: impl Fn(&J) -> Result<Outcome<T>, Error> + Sync,
) -> Result<Outcome<Vec<T>>, Error> {
    let jobs = jobs.clamp(1, list.len().max(1));
    let threads = (default_jobs() / jobs).max(1);
    let next = AtomicUsize::new(0);
    let whole = Mutex::new((0, control.progress.begin(name, list.len() as u64)));
    let results: Vec<Slot<T>> = list.iter().map(|_| Mutex::new(None)).collect();
    let worker = || {
        // Where the system gives no more threads, the job computes on its own.
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .ok();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= list.len() || control.stopped() {
                return;
            }
            let result = match &pool {
                Some(pool) => pool.install(|| work(&list[i])),
                None => work(&list[i]),
            };
            if result.is_err() {
                next.store(list.len(), Ordering::Relaxed);
            }
            if let Ok(Outcome::Done(_)) = result {
                let (done, task) = &mut *whole.lock().expect("no job panics while it holds this");
                *done += 1;
                task.update(*done, "");
            }
            *results[i]
                .lock()
                .expect("no job panics while it holds this") = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(worker);
        }
    });
    let mut done = Vec::with_capacity(list.len());
    let mut interrupted = false;
    for result in results {
        match result.into_inner().expect("all workers are gone") {
            Some(Ok(Outcome::Done(value))) => done.push(value),
            Some(Err(error)) => return Err(error),
            Some(Ok(Outcome::Interrupted)) | None => interrupted = true,
        }
    }
    Ok(match interrupted {
        true => Outcome::Interrupted,
        false => Outcome::Done(done),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn results_come_in_order_and_an_error_ends_it() {
        let stop = AtomicBool::new(false);
        let control = Control {
            stop: &stop,
            progress: &Silent,
        };
        let list: Vec<u64> = (0..20).collect();
        for jobs in [1, 3, 50] {
            let squares = run("", jobs, &list, control, |j| Ok(Outcome::Done(j * j))).unwrap();
            assert_eq!(squares, Outcome::Done(list.iter().map(|j| j * j).collect()));
        }
        let failed = run("", 2, &list, control, |j| match j {
            3 => Err(Error::config("x", "y")),
            _ => Ok(Outcome::Done(*j)),
        });
        assert!(failed.is_err());
        stop.store(true, Ordering::Relaxed);
        let stopped = run("", 2, &list, control, |j| Ok(Outcome::Done(*j))).unwrap();
        assert_eq!(stopped, Outcome::Interrupted);
    }
}
