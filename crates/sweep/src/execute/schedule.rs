//! Two-level parallelism: runs side by side, threads inside a run. Changes no result.

use crate::plan::Run;

/// How the threads are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Runs at one time.
    pub jobs: usize,
    /// Threads inside each.
    pub threads_per_run: usize,
}

impl Layout {
    /// As many runs at one time as there are threads; what is left over goes inside the runs.
    /// Without a wish, `threads` are those of the machine.
    pub fn of(jobs: Option<usize>, threads: Option<usize>, runs: usize) -> Self {
        let machine = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or_else(machine).max(1);
        let jobs = jobs.unwrap_or(threads).clamp(1, runs.max(1));
        Self {
            jobs,
            threads_per_run: (threads / jobs).max(1),
        }
    }
}

/// Longest runs first, so that no long one is left alone at the end; equal ones in plan order.
pub fn order(runs: &[Run], to_do: &[usize]) -> Vec<usize> {
    let mut order = to_do.to_vec();
    order.sort_by(|&a, &b| {
        let cost = |index: usize| runs[index].multiply_adds;
        cost(b).total_cmp(&cost(a)).then(a.cmp(&b))
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(jobs: Option<usize>, threads: usize, runs: usize) -> (usize, usize) {
        let layout = Layout::of(jobs, Some(threads), runs);
        (layout.jobs, layout.threads_per_run)
    }

    #[test]
    fn many_runs_have_one_thread_each_and_few_have_several() {
        assert_eq!(layout(None, 4, 100), (4, 1));
        assert_eq!(layout(None, 4, 2), (2, 2));
        assert_eq!(layout(None, 4, 1), (1, 4));
        assert_eq!(layout(None, 5, 2), (2, 2));
        assert_eq!(layout(None, 2, 0), (1, 2));
    }

    #[test]
    fn wishes_are_followed() {
        assert_eq!(layout(Some(2), 8, 100), (2, 4));
        assert_eq!(layout(Some(8), 2, 100), (8, 1));
        assert_eq!(layout(Some(0), 2, 100), (1, 2));
    }
}
