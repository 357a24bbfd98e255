//! Which worker a transaction goes to that depends on nothing under way.
//!
//! The order of changes is kept by whoever depends on whom (`dispatch`); this is about speed alone.
//! Five rules:
//!
//! - The present worker gets transactions until a batch of them waits for it, then the next one
//!   does. At a low load that is one worker, whose target transaction takes in what came while
//!   the last one was on its way; under load every worker has full batches.
//! - A worker that has been at one batch for long (`SLOW`) is passed by while another is idle.
//! - Where transactions have to wait for several workers (a few rows are changed again and again),
//!   fewer workers are used: each such wait cuts a batch short and costs a commit.
//! - More are tried again after a while, and after a longer one each time it did not help.
//! - No more are used than the target gets more done with (`climb`).

use super::climb::Climb;

/// Transactions after which the number of workers is looked at.
const WINDOW: u32 = 256;
/// Of those, how many may wait for another worker.
const CROSSING: u32 = 8;
/// Windows until more workers are tried: the first time, and at most.
const FIRST_TRY: u32 = 4;
const LAST_TRY: u32 = 256;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Spread {
    workers: usize,
    /// Workers that get transactions without dependencies.
    active: usize,
    current: usize,
    climb: Climb,
    batch: usize,
    placed: u32,
    crossing: u32,
    /// Windows until more workers are tried.
    patience: u32,
    /// What `patience` begins with after the next bad window.
    try_again: u32,
}

impl Spread {
    /// Over so many workers; `batch` row changes make a batch.
    pub fn new(workers: usize, batch: usize) -> Self {
        let workers = workers.max(1);
        Self {
            workers,
            active: workers,
            current: 0,
            climb: Climb::new(workers),
            batch: batch.max(1),
            placed: 0,
            crossing: 0,
            patience: 0,
            try_again: FIRST_TRY,
        }
    }

    /// The worker for a transaction that depends on nothing. `waiting` says how many row changes
    /// wait for a worker, `slow` whether it has been at one batch for long.
    pub fn choose(
        &mut self,
        waiting: impl Fn(usize) -> usize,
        slow: impl Fn(usize) -> bool,
    ) -> usize {
        let workers = self.active.min(self.climb.workers());
        let enough = |i: usize| waiting(i) >= self.batch;
        let mut full = enough(self.current);
        if full || self.current >= workers || (self.active > 1 && slow(self.current)) {
            let behind = |i: usize| (i + self.active - self.current - 1) % self.active;
            let least = |i: &usize| (waiting(*i), behind(*i));
            // One that is slow does not count: what it waits for may be a lock.
            let quick = (0..self.active).filter(|&i| !slow(i)).take(workers).min_by_key(least);
            let any = || (0..self.active).min_by_key(least);
            self.current = quick.or_else(any).unwrap_or_default();
            full = enough(self.current);
        }
        self.climb.placed(full);
        self.current
    }

    /// A transaction was placed; `crosses` says that it waits for another worker than its own.
    pub fn placed(&mut self, crosses: bool) {
        self.placed += 1;
        self.crossing += u32::from(crosses);
        if self.placed < WINDOW {
            return;
        }
        let bad = self.crossing > CROSSING;
        self.placed = 0;
        self.crossing = 0;
        if bad && self.active > 1 {
            self.active = (self.active / 2).max(1);
            self.current %= self.active;
            self.patience = self.try_again;
            self.try_again = (self.try_again * 2).min(LAST_TRY);
        } else if self.active < self.workers {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.active += 1;
                self.patience = FIRST_TRY;
            }
        } else {
            self.try_again = FIRST_TRY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_is_filled_before_the_next() {
        let mut spread = Spread::new(3, 2);
        let mut waiting = [0; 3];
        let mut order = Vec::new();
        for _ in 0..8 {
            let worker = spread.choose(|i| waiting[i], |_| false);
            waiting[worker] += 1;
            order.push(worker);
        }
        assert_eq!(order[..6], [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn one_that_hangs_is_passed_by_also_where_one_is_enough() {
        let mut spread = Spread::new(4, 2);
        spread.climb = Climb::at(1, 4);
        assert_eq!(spread.choose(|_| 5, |_| false), 0);
        assert_eq!(spread.choose(|_| 5, |i| i == 0), 1);
        assert_eq!(spread.choose(|_| 5, |i| i < 2), 2);
        assert_eq!(spread.choose(|i| 5 - i, |_| true), 3);
        assert_eq!(spread.choose(|_| 5, |_| false), 0);
    }

    #[test]
    fn waits_across_workers_bring_their_number_down_and_it_comes_back() {
        let mut spread = Spread::new(8, 1);
        for _ in 0..WINDOW * 3 {
            spread.placed(true);
        }
        assert_eq!(spread.active, 1);
        assert_eq!(spread.choose(|_| 5, |_| true), 0);
        for _ in 0..WINDOW * 200 {
            spread.placed(false);
        }
        assert_eq!(spread.active, 8);
    }
}
