//! Pieces of work of which each is done by one thread: points of a surface.
//!
//! Each thread has a pool of one of its own to work in, so that an engine inside it never shares a
//! batch out. What a piece gives then depends on the piece alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use reslab_nn::train::Flow;

use crate::subject::ProbeError;

/// How long the caller is left alone where nothing gets finished.
const PATIENCE: Duration = Duration::from_millis(30);

/// How a thread begins.
pub type Start<'a, W> = dyn Fn() -> Result<W, ProbeError> + Sync + 'a;

/// How it does a piece; `None` if it was told to stop meanwhile.
pub type Work<'a, W, R> =
    dyn Fn(&mut W, usize, &mut dyn FnMut() -> Flow) -> Result<Option<R>, ProbeError> + Sync + 'a;

/// Does the pieces from 0 to `count` on as many threads as the caller's pool has. `done` is told of each
/// that is finished, in any order, and of nothing many times a second; its error stops all threads.
pub fn in_parallel<W, R: Send>(
    count: usize,
    start: &Start<'_, W>,
    work: &Work<'_, W, R>,
    done: &mut dyn FnMut(Option<(usize, R)>) -> Result<(), ProbeError>,
) -> Result<(), ProbeError> {
    let threads = rayon::current_num_threads().min(count);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (send, receive) = channel();
    let run = |send: &dyn Fn(Result<(usize, R), ProbeError>)| {
        let mut poll = || match stop.load(Ordering::Relaxed) {
            true => Flow::Stop,
            false => Flow::Continue,
        };
        let mut worker = start()?;
        while poll() == Flow::Continue {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            match work(&mut worker, index, &mut poll)? {
                Some(found) => send(Ok((index, found))),
                None => break,
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (send, run) = (send.clone(), &run);
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
                let ended = match pool {
                    // The receiver outlives the threads, and wants nothing more once it stopped them.
                    Ok(pool) => pool.install(|| {
                        run(&|found| {
                            let _ = send.send(found);
                        })
                    }),
                    Err(error) => Err(ProbeError::Unusable(format!(
                        "No thread could be started: {error}."
                    ))),
                };
                if let Err(error) = ended {
                    let _ = send.send(Err(error));
                }
            });
        }
        drop(send);
        let mut follow = || {
            loop {
                match receive.recv_timeout(PATIENCE) {
                    Ok(found) => done(Some(found?))?,
                    Err(RecvTimeoutError::Timeout) => done(None)?,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
        };
        let ended = follow();
        stop.store(true, Ordering::Relaxed);
        ended
    })
}
