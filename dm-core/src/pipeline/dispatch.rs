//! Who applies what: transactions that touch the same key go to one worker, or wait.
//!
//! Guarantee: of two transactions that share a key, the earlier is committed first. Method: per
//! key the last transaction that touched it is remembered. A transaction that depends on
//! transactions of one worker goes to that worker, whose queue keeps order; one that depends on
//! several goes to one of them and waits for the others to commit. Waits point to earlier ordinals
//! only (to be exact, to transactions that were handed out before), and a worker commits what it
//! holds before it waits, so no circle of waits can arise.
//!
//! Which worker gets a transaction that is free to go anywhere decides the speed only. Transactions
//! that follow each other go to one worker until it has a batch of them waiting (`spread`): large
//! batches, and neighbours, which are most likely to touch the same rows, need not wait for each
//! other.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender, TrySendError};

use super::busy::Busy;
use super::meters::QUEUES;
use super::progress::Progress;
use super::spread::Spread;
use super::stages::Spent;
use super::stats::StreamStats;
use super::worker::TOGETHER;
use crate::error::{Error, Result, codes};
use crate::event::Txn;
use crate::meter::Sampler;
use crate::sink::keys::{Hashed, KeyHash, KeyMap};

/// A transaction for a worker.
pub(crate) struct Job {
    /// The transaction.
    pub txn: Arc<Txn>,
    /// Ordinals that other workers must have committed first.
    pub wait_for: Vec<u64>,
}

/// A worker's queue, seen from outside.
#[derive(Clone)]
pub(crate) struct Queue {
    /// Where jobs go in.
    pub jobs: Sender<Job>,
    /// How many are in it or being worked on.
    pub length: Arc<AtomicUsize>,
    /// Row changes that wait in it.
    pub waiting: Arc<AtomicUsize>,
    /// Whether it is at a batch.
    pub busy: Arc<Busy>,
}

#[derive(Clone, Copy)]
struct Owner {
    ordinal: u64,
    worker: usize,
}

/// What is known of one index: who touched it last, by worker.
#[derive(Default)]
struct IndexState {
    any: Vec<u64>,
    wild: Vec<u64>,
}

/// Hands transactions to workers. See the module documentation.
pub(crate) struct Dispatcher {
    queues: Vec<Queue>,
    progress: Arc<Progress>,
    keys: KeyMap<Owner>,
    indexes: HashMap<u64, IndexState, BuildHasherDefault<Hashed>>,
    spread: Spread,
    stats: Arc<StreamStats>,
    sampler: Sampler,
    purge_at: usize,
    purge_indexes_at: usize,
}

const PURGE_STEP: usize = 65_536;
/// Each has a number for every worker, and there may be 100,000 of them.
const PURGE_INDEXES_STEP: usize = if cfg!(test) { 64 } else { 1_024 };
/// A batch that takes longer is not waited for while another worker is idle.
const SLOW: Duration = Duration::from_millis(20);
/// How often who waits for room in a queue looks whether all is over.
const LOOK: Duration = Duration::from_millis(100);

impl Dispatcher {
    /// A dispatcher to these queues. `batch`: row changes that make a good batch.
    pub fn new(
        queues: Vec<Queue>,
        progress: Arc<Progress>,
        stats: Arc<StreamStats>,
        batch: usize,
    ) -> Self {
        Self {
            stats,
            spread: Spread::new(queues.len(), batch.max(TOGETHER)),
            queues,
            progress,
            keys: KeyMap::default(),
            indexes: HashMap::default(),
            sampler: Sampler::default(),
            purge_at: PURGE_STEP,
            purge_indexes_at: PURGE_INDEXES_STEP,
        }
    }

    /// Hands out the next transaction, which touches `keys`.
    ///
    /// # Errors
    ///
    /// The first failure of a worker, or a stop.
    pub fn dispatch(&mut self, txn: Txn, keys: &[KeyHash]) -> Result {
        let (end, at, bytes) = (txn.end.clone(), txn.at, weight(txn.bytes));
        self.progress.hand_out(txn.ordinal, end, at, bytes, &self.stats.stages)?;
        self.place(txn, keys)
    }

    /// Hands out a transaction that is parked. It must not touch what one behind it that was handed out
    /// has touched.
    ///
    /// # Errors
    ///
    /// As [`Dispatcher::dispatch`].
    pub fn dispatch_parked(&mut self, txn: Txn, keys: &[KeyHash]) -> Result {
        self.progress.unpark(txn.ordinal, weight(txn.bytes), &self.stats.stages)?;
        self.place(txn, keys)
    }

    fn place(&mut self, txn: Txn, keys: &[KeyHash]) -> Result {
        let ordinal = txn.ordinal;
        let meters = Arc::clone(&self.stats.meters);
        let weight = self.sampler.next();
        let began = (weight > 0).then(Instant::now);
        let mut depends = self.depends(keys);
        let waiting =
            |i: usize| self.queues.get(i).map_or(usize::MAX, |q| q.waiting.load(Ordering::Relaxed));
        let slow = |i: usize| self.queues.get(i).is_none_or(|q| q.busy.is_slow(SLOW));
        let worker = match depends.iter().max_by_key(|o| o.ordinal) {
            Some(owner) => owner.worker,
            None => self.spread.choose(waiting, slow),
        };
        depends.retain(|o| o.worker != worker);
        self.spread.placed(!depends.is_empty());
        meters.add(Some(worker), txn.rows);
        self.remember(keys, Owner { ordinal, worker });
        let known = began.map(|began| {
            meters.conflict.took(began.elapsed(), weight);
            Instant::now()
        });
        let handed_out = || {
            let queue = meters.handed_out.get(worker % QUEUES);
            if let (Some(queue), Some(known)) = (queue, known) {
                queue.took(known.elapsed(), weight);
            }
        };
        let job = Job { txn: Arc::new(txn), wait_for: depends.iter().map(|o| o.ordinal).collect() };
        let Some(queue) = self.queues.get(worker) else { return Err(gone()) };
        queue.length.fetch_add(1, Ordering::Relaxed);
        queue.waiting.fetch_add(job.txn.rows.max(1), Ordering::Relaxed);
        let full = match queue.jobs.try_send(job) {
            Ok(()) => {
                handed_out();
                return Ok(());
            }
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => job,
        };
        let sent = self.stats.stages.time(Spent::WaitingForRoom, || self.send(queue, full));
        handed_out();
        sent
    }

    /// Waits for room in a queue.
    fn send(&self, queue: &Queue, mut job: Job) -> Result {
        loop {
            match queue.jobs.send_timeout(job, LOOK) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) => {
                    self.progress.check_running()?;
                    job = back;
                }
                Err(SendTimeoutError::Disconnected(_)) => {
                    return Err(self.progress.failure().unwrap_or_else(gone));
                }
            }
        }
    }

    /// The latest transaction per worker that must come first.
    fn depends(&self, keys: &[KeyHash]) -> Vec<Owner> {
        if keys.is_empty() {
            return Vec::new();
        }
        let low = self.progress.low_ordinal();
        let mut latest = vec![0u64; self.queues.len()];
        let mut need = |worker: usize, ordinal: u64| {
            if ordinal > low && latest.get(worker).is_some_and(|have| *have < ordinal) {
                latest[worker] = ordinal;
            }
        };
        for key in keys {
            if let Some(owner) = self.keys.get(key) {
                need(owner.worker, owner.ordinal);
            }
            let Some(index) = self.indexes.get(&key.index()) else { continue };
            let touched = match key {
                KeyHash::Wild { .. } => &index.any,
                KeyHash::Plain { .. } => &index.wild,
            };
            touched.iter().enumerate().for_each(|(worker, &ordinal)| need(worker, ordinal));
        }
        latest
            .into_iter()
            .enumerate()
            .filter(|&(_, ordinal)| ordinal > 0)
            .map(|(worker, ordinal)| Owner { ordinal, worker })
            .collect()
    }

    fn remember(&mut self, keys: &[KeyHash], owner: Owner) {
        let workers = self.queues.len();
        for key in keys {
            let index = self.indexes.entry(key.index()).or_default();
            set(&mut index.any, workers, owner);
            match key {
                KeyHash::Wild { .. } => set(&mut index.wild, workers, owner),
                KeyHash::Plain { .. } => {
                    self.keys.insert(*key, owner);
                }
            }
        }
        if self.keys.len() >= self.purge_at {
            // The low-water mark may stand still for long, and nobody waits for what is in.
            let (low, done) = self.progress.done_ahead();
            self.keys.retain(|_, o| o.ordinal > low && !done.contains(o.ordinal));
            self.purge_at = self.keys.len() + PURGE_STEP;
        }
        if self.indexes.len() >= self.purge_indexes_at {
            let low = self.progress.low_ordinal();
            let under_way =
                |index: &IndexState| index.any.iter().chain(&index.wild).any(|o| *o > low);
            self.indexes.retain(|_, index| under_way(index));
            self.purge_indexes_at = self.indexes.len() * 2 + PURGE_INDEXES_STEP;
        }
    }
}

fn set(slots: &mut Vec<u64>, workers: usize, owner: Owner) {
    slots.resize(workers, 0);
    if let Some(slot) = slots.get_mut(owner.worker) {
        *slot = owner.ordinal;
    }
}

/// What a transaction counts against the bytes under way. Small ones are merged in batches that are
/// bounded by themselves; of a large one there are its rows, its text and the client's copies.
fn weight(bytes: usize) -> usize {
    const LARGE: usize = 1 << 20;
    if bytes > LARGE { bytes.saturating_mul(8) } else { bytes }
}

fn gone() -> Error {
    Error::new(&codes::SYNC_PANIC, "a worker ended without saying why")
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, unbounded};
    use proptest::prelude::*;

    use super::super::progress::Low;
    use super::*;
    use crate::position::Position;

    fn plain(hash: u64) -> KeyHash {
        KeyHash::Plain { index: 1, hash }
    }

    fn wild() -> KeyHash {
        KeyHash::Wild { index: 1 }
    }

    fn setup(workers: usize) -> (Dispatcher, Vec<Receiver<Job>>, Arc<Progress>) {
        let low = Low { ordinal: 0, position: Position::default(), at: 0 };
        let progress = Arc::new(Progress::new(low, usize::MAX / 2, Arc::default()));
        let (queues, receivers) = (0..workers)
            .map(|_| {
                let (tx, rx) = unbounded();
                (
                    Queue {
                        jobs: tx,
                        length: Arc::default(),
                        waiting: Arc::default(),
                        busy: Arc::default(),
                    },
                    rx,
                )
            })
            .unzip();
        (Dispatcher::new(queues, Arc::clone(&progress), Arc::default(), 2), receivers, progress)
    }

    fn txn(ordinal: u64) -> Txn {
        Txn {
            ordinal,
            gtid: None,
            start: None,
            end: Position::default(),
            at: 0,
            blocks: Vec::new(),
            rows: 0,
            bytes: 1,
        }
    }

    #[test]
    fn one_key_is_one_queue() {
        let (mut d, rx, _) = setup(4);
        for ordinal in 1..=5 {
            d.dispatch(txn(ordinal), &[plain(7)]).unwrap();
        }
        let used: Vec<usize> = rx.iter().map(|r| r.len()).filter(|&n| n > 0).collect();
        assert_eq!(used, [5]);
    }

    #[test]
    fn a_committed_key_binds_nobody() {
        let (mut d, rx, progress) = setup(2);
        d.dispatch(txn(1), &[plain(7)]).unwrap();
        progress.done([1]);
        d.dispatch(txn(2), &[plain(8)]).unwrap();
        d.dispatch(txn(3), &[plain(7)]).unwrap();
        let all: usize = rx.iter().flat_map(|r| r.try_iter()).map(|j| j.wait_for.len()).sum();
        assert_eq!(all, 0);
    }

    #[test]
    fn an_index_is_kept_while_somebody_may_wait_for_it() {
        let (mut d, rx, progress) = setup(2);
        let of = |index: u64| KeyHash::Plain { index, hash: 7 };
        let many = 4 * PURGE_INDEXES_STEP as u64;
        d.dispatch(txn(1), &[of(0)]).unwrap();
        progress.done([1]);
        d.dispatch(txn(2), &[KeyHash::Wild { index: 1 }]).unwrap();
        for ordinal in 3..=many {
            d.dispatch(txn(ordinal), &[of(ordinal)]).unwrap();
            progress.done([ordinal]);
        }
        assert!(!d.indexes.contains_key(&0) && d.indexes.contains_key(&1), "2 is under way");
        d.dispatch(txn(many + 1), &[of(1)]).unwrap();
        let jobs: Vec<Vec<Job>> = rx.iter().map(|r| r.try_iter().collect()).collect();
        let of_two = jobs.iter().find(|jobs| jobs.iter().any(|job| job.txn.ordinal == 2)).unwrap();
        assert_eq!(of_two.last().unwrap().txn.ordinal, many + 1, "behind what may be equal");
        progress.done([2, many + 1]);
        for ordinal in many + 2..3 * many {
            d.dispatch(txn(ordinal), &[of(ordinal)]).unwrap();
            progress.done([ordinal]);
        }
        assert!(d.indexes.len() <= 2 * PURGE_INDEXES_STEP, "{}", d.indexes.len());
    }

    proptest! {
        /// Whatever the keys: a transaction is behind each conflicting earlier one in the same
        /// queue, or waits for it (directly or through one that does).
        #[test]
        fn conflicting_transactions_are_ordered(
            txns in prop::collection::vec(prop::collection::vec(0u64..6, 1..4), 1..40),
            workers in 1usize..5,
        ) {
            let (mut d, rx, _) = setup(workers);
            let keys: Vec<Vec<KeyHash>> = txns
                .iter()
                .map(|t| t.iter().map(|&k| if k == 0 { wild() } else { plain(k) }).collect())
                .collect();
            for (i, k) in keys.iter().enumerate() {
                d.dispatch(txn(i as u64 + 1), k).unwrap();
            }
            // before[t]: all that is certainly committed before t.
            let n = keys.len();
            let mut before: Vec<Vec<bool>> = vec![vec![false; n + 1]; n + 1];
            let mut place = vec![(0, 0); n + 1];
            let mut waits = vec![Vec::new(); n + 1];
            let mut queues: Vec<Vec<usize>> = vec![Vec::new(); workers];
            for (w, r) in rx.iter().enumerate() {
                for job in r.try_iter() {
                    let o = job.txn.ordinal as usize;
                    place[o] = (w, queues[w].len());
                    queues[w].push(o);
                    waits[o] = job.wait_for.iter().map(|&x| x as usize).collect();
                }
            }
            for t in 1..=n {
                let (w, at) = place[t];
                let mut direct = waits[t].clone();
                if at > 0 { direct.push(queues[w][at - 1]); }
                for d in direct {
                    prop_assert!(d < t, "waits point back");
                    let inherited = before[d].clone();
                    for (slot, &b) in before[t].iter_mut().zip(&inherited) { *slot |= b; }
                    before[t][d] = true;
                }
            }
            for later in 0..n {
                for earlier in 0..later {
                    let clash = keys[later].iter().any(|a| keys[earlier].iter().any(|b| {
                        a == b || matches!(a, KeyHash::Wild { .. }) || matches!(b, KeyHash::Wild { .. })
                    }));
                    if clash {
                        prop_assert!(before[later + 1][earlier + 1], "{} before {}", earlier + 1, later + 1);
                    }
                }
            }
        }
    }
}
