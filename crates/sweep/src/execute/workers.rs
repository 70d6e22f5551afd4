//! Workers: each takes a run, claims it, does it in threads of its own, and takes the next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};
use reslab_results::{Lookup, Store};

use super::queue::{Next, Queue};
use super::run::{End, RunContext};
use super::schedule::{Layout, order};
use super::{Runner, Sink, status};
use crate::options::RunOptions;
use crate::plan::{Plan, Run};
use crate::{Event, SweepError};

/// Between two looks at a run that another process has.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// All that the workers share.
pub struct Work<'a> {
    pub plan: &'a Plan,
    pub options: &'a RunOptions,
    pub store: &'a Store,
    pub layout: Layout,
    pub sink: Sink<'a>,
    pub stop: &'a AtomicBool,
    pub runner: Runner<'a>,
    pub to_do: &'a [usize],
}

/// How the work ended.
pub struct Ends {
    /// Whether it was told to stop.
    pub interrupted: bool,
}

/// Does the runs. The error is one of the store itself; that of a run is in the store.
pub fn work(work: &Work<'_>) -> Result<Ends, SweepError> {
    let queue = Queue::new(order(&work.plan.runs, work.to_do));
    let halt = AtomicBool::new(false);
    let pools = (0..work.layout.jobs.min(work.to_do.len()))
        .map(|_| pool(work.layout.threads_per_run))
        .collect::<Result<Vec<_>, _>>()?;
    let results: Vec<Result<(), SweepError>> = std::thread::scope(|scope| {
        let worker = |pool: ThreadPool| {
            let (queue, halt) = (&queue, &halt);
            scope.spawn(move || {
                let end = Worker {
                    work,
                    queue,
                    halt,
                    pool,
                }
                .all();
                if end.is_err() {
                    halt.store(true, Ordering::Relaxed);
                }
                end
            })
        };
        let workers: Vec<_> = pools.into_iter().map(worker).collect();
        let crashed = |_| {
            let message = "A worker thread ended unexpectedly.".to_owned();
            Err(SweepError::System { message })
        };
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(crashed))
            .collect()
    });
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(Ends {
        interrupted: work.stop.load(Ordering::Relaxed),
    })
}

fn pool(threads: usize) -> Result<ThreadPool, SweepError> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| {
            let message = format!("No thread pool of {threads} threads could be had: {error}.");
            SweepError::System { message }
        })
}

struct Worker<'a> {
    work: &'a Work<'a>,
    queue: &'a Queue,
    /// Set after a failure with `fail_fast`, or when the store fails.
    halt: &'a AtomicBool,
    pool: ThreadPool,
}

impl Worker<'_> {
    fn stopped(&self) -> bool {
        self.work.stop.load(Ordering::Relaxed) || self.halt.load(Ordering::Relaxed)
    }

    fn all(&self) -> Result<(), SweepError> {
        while !self.stopped() {
            match self.queue.next() {
                Next::Do(run) => {
                    if !self.claim_and_do(run)? {
                        let name = self.run(run).name.clone();
                        (self.work.sink)(Event::RunElsewhere { run, name });
                        self.queue.put_back(run);
                    }
                }
                Next::LookAgain(run) => {
                    std::thread::sleep(LOOK_AGAIN);
                    if !self.ended_elsewhere(run)? && !self.claim_and_do(run)? {
                        self.queue.put_back(run);
                    }
                }
                Next::Nothing => break,
            }
        }
        Ok(())
    }

    fn run(&self, index: usize) -> &Run {
        &self.work.plan.runs[index]
    }

    /// False if another process has the run.
    fn claim_and_do(&self, index: usize) -> Result<bool, SweepError> {
        let Some(_claim) = self.work.store.claim(&self.run(index).id)? else {
            return Ok(false);
        };
        // Between the look at the store and the claim another process may have done it.
        if !self.ended_elsewhere(index)? {
            self.attempt(index)?;
        }
        Ok(true)
    }

    /// Whether the run has come to an end in another process since the sweep began.
    fn ended_elsewhere(&self, index: usize) -> Result<bool, SweepError> {
        let run = self.run(index);
        match self.work.store.lookup(&run.id)? {
            Lookup::Finished(record) => {
                let status = status(&record.outcome).to_owned();
                (self.work.sink)(Event::RunReused {
                    run: index,
                    name: run.name.clone(),
                    status,
                });
                Ok(true)
            }
            Lookup::Failed(failure) if !self.work.options.retry_failed => {
                let (name, message) = (run.name.clone(), failure.message);
                (self.work.sink)(Event::RunFailed {
                    run: index,
                    name,
                    message,
                    earlier: true,
                });
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn attempt(&self, index: usize) -> Result<(), SweepError> {
        let run = self.run(index);
        let stopped = || self.stopped();
        let context = RunContext {
            index,
            run,
            options: self.work.options,
            store: self.work.store,
            threads: self.work.layout.threads_per_run,
            sink: self.work.sink,
            stopped: &stopped,
        };
        let attempt = || self.pool.install(|| (self.work.runner)(&context));
        let end = catch_unwind(AssertUnwindSafe(attempt))
            .unwrap_or_else(|panic| Err(panic_message(panic.as_ref())));
        let (name, sink) = (run.name.clone(), self.work.sink);
        match end {
            Ok(End::Complete(event)) => sink(event),
            Ok(End::Interrupted) => {}
            Err(message) => {
                self.work.store.fail(&run.id, &run.identity, &message)?;
                sink(Event::RunFailed {
                    run: index,
                    name,
                    message,
                    earlier: false,
                });
                if self.work.options.fail_fast {
                    self.halt.store(true, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!(
        "The run broke off inside reslab: {}.",
        text.unwrap_or("no message")
    )
}
