//! The runs to do, shared by the workers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A queue of runs. A run that another process has comes back to its end.
pub struct Queue {
    state: Mutex<State>,
}

struct State {
    waiting: VecDeque<usize>,
    /// Runs found at another process, which are looked at again when nothing else is left.
    elsewhere: VecDeque<usize>,
}

/// What a worker is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Do this run.
    Do(usize),
    /// Wait a little, then see whether this run is free or done.
    LookAgain(usize),
    /// Nothing is left.
    Nothing,
}

impl Queue {
    /// The runs in the order in which they are to be begun.
    pub fn new(order: Vec<usize>) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: order.into(),
                elsewhere: VecDeque::new(),
            }),
        }
    }

    /// The next run.
    pub fn next(&self) -> Next {
        let mut state = self.lock();
        if let Some(run) = state.waiting.pop_front() {
            return Next::Do(run);
        }
        state
            .elsewhere
            .pop_front()
            .map_or(Next::Nothing, Next::LookAgain)
    }

    /// Puts back a run that another process has.
    pub fn put_back(&self, run: usize) {
        self.lock().elsewhere.push_back(run);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A queue is whole between any two of its calls, so a panic elsewhere did not harm it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
