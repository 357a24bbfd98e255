//! Taking turns: SQLite has one writer at a time.
//!
//! The writers of a process share one connection and stand in line for it, first come first
//! served, instead of polling the file's lock against each other. A turn may last long (a chunk of
//! the copy, a transaction in parts), so the wait is bounded by *progress*: who waits gives up
//! when the holder has done nothing for the patience given.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, codes};

#[derive(Debug, Default)]
struct Line {
    busy: bool,
    next: u64,
    waiting: VecDeque<u64>,
    /// Grows with whatever the holder does.
    progress: u64,
}

/// The line of writers.
#[derive(Debug)]
pub struct Gate {
    line: Mutex<Line>,
    moved: Condvar,
    patience: Duration,
}

/// The right to write; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    gate: Arc<Gate>,
}

impl Gate {
    /// A free gate; `patience` is how long a holder may do nothing before waiters give up.
    pub fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self { line: Mutex::default(), moved: Condvar::new(), patience })
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // The line is consistent after every single assignment.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn.
    ///
    /// # Errors
    ///
    /// Transient when the holder does nothing for too long, or `stop` became true.
    pub fn enter(self: &Arc<Self>, stop: Option<&AtomicBool>) -> Result<Turn> {
        /// How often a waiter looks at `stop`.
        const LOOK: Duration = Duration::from_millis(50);
        let mut line = self.line();
        let ticket = line.next;
        line.next += 1;
        line.waiting.push_back(ticket);
        let mut seen = (line.progress, Instant::now());
        loop {
            if !line.busy && line.waiting.front() == Some(&ticket) {
                line.waiting.pop_front();
                line.busy = true;
                return Ok(Turn { gate: Arc::clone(self) });
            }
            if line.progress != seen.0 {
                seen = (line.progress, Instant::now());
            }
            let stopped = stop.is_some_and(|s| s.load(Ordering::Relaxed));
            if stopped || seen.1.elapsed() >= self.patience {
                line.waiting.retain(|t| *t != ticket);
                drop(line);
                self.moved.notify_all();
                return Err(match stopped {
                    true => Error::new(&codes::STOPPED, "stopped while waiting for another writer"),
                    false => Error::new(
                        &codes::TARGET_BUSY,
                        "another writer of this process does not end its transaction",
                    )
                    .transient(),
                });
            }
            let wait = LOOK.min(self.patience);
            line = self.moved.wait_timeout(line, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Turn {
    /// Says that work goes on.
    pub fn progress(&self) {
        self.gate.line().progress += 1;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.gate.line();
        line.busy = false;
        line.progress += 1;
        drop(line);
        self.gate.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_bounded() {
        let gate = Gate::new(Duration::from_millis(5));
        let turn = gate.enter(None).unwrap();
        let error = gate.enter(None).unwrap_err();
        assert!(error.is_transient());
        let stop = AtomicBool::new(true);
        assert!(gate.enter(Some(&stop)).is_err());
        drop(turn);
        drop(gate.enter(Some(&stop)).unwrap());
    }

    #[test]
    fn everybody_gets_a_turn() {
        let gate = Gate::new(Duration::from_secs(20));
        let count = Arc::new(Mutex::new((0u32, false)));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (gate, count) = (Arc::clone(&gate), Arc::clone(&count));
                std::thread::spawn(move || {
                    for _ in 0..50 {
                        let turn = gate.enter(None).unwrap();
                        assert!(!std::mem::replace(&mut count.lock().unwrap().1, true));
                        turn.progress();
                        let mut held = count.lock().unwrap();
                        held.0 += 1;
                        held.1 = false;
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(count.lock().unwrap().0, 400);
    }
}
