//! What is under way: which transactions were handed out, which are in the target, how far
//! everything is in (the low-water mark), and how many bytes are held.
//!
//! The reader hands transactions out in ordinal order and waits here when too many bytes are
//! under way; workers report here when a batch is committed, in any order. What is in does not
//! count as held any more, but how many transactions may be ahead of the low-water mark is bounded,
//! too: marks name them all. Nobody holds the lock
//! while talking to a server. Who waits here also hears of a stop.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stages::{Spent, Stages};
use crate::error::{Error, Result, codes};
use crate::event::OrdinalSet;
use crate::position::{BinlogPos, GtidSet, Position};

/// Everything up to a place is in the target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Low {
    /// The last ordinal of the unbroken run.
    pub ordinal: u64,
    /// The position behind it.
    pub position: Position,
    /// When it was committed at the source, seconds since the epoch; 0 when not known.
    pub at: u32,
}

struct Pending {
    ordinal: u64,
    end: Position,
    at: u32,
    bytes: usize,
}

struct Inner {
    low: Low,
    done: OrdinalSet,
    /// Prepared XA transactions that wait for their decision, a statement that runs beside rows and what
    /// waits for it: they hold the low-water mark, but nobody waits for them here.
    parked: HashSet<u64>,
    pending: VecDeque<Pending>,
    bytes: usize,
    failure: Option<Error>,
    stopped: bool,
}

/// See the module documentation.
pub(crate) struct Progress {
    inner: Mutex<Inner>,
    changed: Condvar,
    low: AtomicU64,
    max_bytes: usize,
    stop: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

/// Transactions that were read and are ahead of the low-water mark at most, except where one that is
/// parked holds it: then who parked it sees to that.
pub(crate) const MOST_AHEAD: usize = 100_000;
/// How often who waits looks whether a stop was asked for.
const LOOK: Duration = Duration::from_millis(100);

impl Progress {
    /// Nothing under way behind `low`; at most `max_bytes` may be. `stop` ends waiting.
    pub fn new(low: Low, max_bytes: usize, stop: Arc<AtomicBool>) -> Self {
        Self {
            low: AtomicU64::new(low.ordinal),
            inner: Mutex::new(Inner {
                low,
                done: OrdinalSet::new(),
                parked: HashSet::new(),
                pending: VecDeque::new(),
                bytes: 0,
                failure: None,
                stopped: false,
            }),
            changed: Condvar::new(),
            max_bytes,
            stop,
            over: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers the next transaction, waiting while too much is under way. One that is larger
    /// than the whole budget is let in alone.
    ///
    /// # Errors
    ///
    /// The first failure of a worker, or a stop.
    pub fn hand_out(
        &self,
        ordinal: u64,
        end: Position,
        at: u32,
        bytes: usize,
        stages: &Stages,
    ) -> Result {
        let mut inner = self.with_room(bytes, stages)?;
        inner.bytes += bytes;
        inner.pending.push_back(Pending { ordinal, end, at, bytes });
        Ok(())
    }

    fn with_room(&self, bytes: usize, stages: &Stages) -> Result<MutexGuard<'_, Inner>> {
        let mut inner = self.lock();
        loop {
            self.check(&inner)?;
            let few = inner.pending.len() < MOST_AHEAD || !inner.parked.is_empty();
            if few && (inner.bytes == 0 || inner.bytes + bytes <= self.max_bytes) {
                return Ok(inner);
            }
            inner = stages.time(Spent::WaitingForRoom, || self.wait(inner, LOOK));
        }
    }

    /// Makes a parked transaction one that is handed out, waiting as [`Progress::hand_out`] does.
    ///
    /// # Errors
    ///
    /// As [`Progress::hand_out`].
    pub fn unpark(&self, ordinal: u64, bytes: usize, stages: &Stages) -> Result {
        let mut inner = self.with_room(bytes, stages)?;
        inner.parked.remove(&ordinal);
        if let Some(at) = inner.find(ordinal) {
            inner.bytes += bytes;
            inner.pending.iter_mut().skip(at).take(1).for_each(|p| p.bytes = bytes);
        }
        Ok(())
    }

    /// Registers a transaction or statement that nobody works on yet, or none of the workers: done when
    /// that is said, or handed out by [`Progress::unpark`].
    pub fn park(&self, ordinal: u64, end: Position, at: u32) {
        let mut inner = self.lock();
        inner.parked.insert(ordinal);
        inner.pending.push_back(Pending { ordinal, end, at, bytes: 0 });
    }

    /// Registers a transaction of which nothing is to be written.
    pub fn pass(&self, ordinal: u64, end: Position, at: u32) {
        let mut inner = self.lock();
        inner.pending.push_back(Pending { ordinal, end, at, bytes: 0 });
        inner.done.insert(ordinal);
        self.advance(&mut inner);
    }

    /// Reports transactions as committed at the target.
    pub fn done(&self, ordinals: impl IntoIterator<Item = u64>) {
        let mut inner = self.lock();
        for ordinal in ordinals {
            inner.parked.remove(&ordinal);
            inner.done.insert(ordinal);
            if let Some(at) = inner.find(ordinal)
                && let Some(pending) = inner.pending.get_mut(at)
            {
                let freed = std::mem::take(&mut pending.bytes);
                inner.bytes = inner.bytes.saturating_sub(freed);
            }
        }
        self.advance(&mut inner);
        self.changed.notify_all();
    }

    fn advance(&self, inner: &mut Inner) {
        let run = inner.done.run_after(inner.low.ordinal);
        while inner.pending.front().is_some_and(|p| p.ordinal <= run) {
            if let Some(p) = inner.pending.pop_front() {
                inner.bytes = inner.bytes.saturating_sub(p.bytes);
                inner.low = Low { ordinal: p.ordinal, position: p.end, at: p.at };
            }
        }
        let low = inner.low.ordinal;
        inner.done.forget_upto(low);
        self.low.store(low, Ordering::Release);
    }

    /// Positions at this place and behind it contain this set.
    ///
    /// # Errors
    ///
    /// When the set is of another flavor.
    pub fn has_executed(&self, place: &BinlogPos, set: &GtidSet) -> Result {
        let mut inner = self.lock();
        let Inner { low, pending, .. } = &mut *inner;
        let ends = pending.iter_mut().map(|p| &mut p.end);
        for position in ends.chain([&mut low.position]) {
            if let Position { binlog: Some(pos), gtid: Some(executed) } = position
                && *pos >= *place
            {
                executed.union(set)?;
            }
        }
        Ok(())
    }

    /// The low-water ordinal, without waiting.
    pub fn low_ordinal(&self) -> u64 {
        self.low.load(Ordering::Acquire)
    }

    /// The low-water ordinal, and what is in beyond it.
    pub fn done_ahead(&self) -> (u64, OrdinalSet) {
        let inner = self.lock();
        (inner.low.ordinal, inner.done.clone())
    }

    /// The low-water mark.
    pub fn low(&self) -> Low {
        self.lock().low.clone()
    }

    /// When the oldest transaction under way was committed at the source.
    pub fn oldest_at(&self) -> Option<u32> {
        self.lock().pending.front().map(|p| p.at)
    }

    /// Bytes and transactions under way.
    pub fn under_way(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.bytes, inner.pending.len())
    }

    /// Waits until an ordinal is in the target. For workers: what was handed out may finish when a
    /// stop was asked for, until [`Progress::stop`].
    ///
    /// # Errors
    ///
    /// The first failure of a worker, or the end of the run.
    pub fn wait_done(&self, ordinal: u64) -> Result {
        let mut inner = self.lock();
        while inner.low.ordinal < ordinal && !inner.done.contains(ordinal) {
            match &inner.failure {
                Some(failure) => return Err(failure.clone()),
                None if inner.stopped => return Err(stopped()),
                None => inner = self.wait(inner, Duration::from_secs(1)),
            }
        }
        Ok(())
    }

    /// True when an ordinal is in the target.
    pub fn is_done(&self, ordinal: u64) -> bool {
        let inner = self.lock();
        inner.low.ordinal >= ordinal || inner.done.contains(ordinal)
    }

    /// True when everything behind `after` up to `upto` is in the target.
    pub fn is_done_between(&self, after: u64, upto: u64) -> bool {
        let inner = self.lock();
        let first = after.max(inner.low.ordinal) + 1;
        (first..=upto).all(|ordinal| inner.done.contains(ordinal))
    }

    /// Waits until everything up to an ordinal is in the target, except what is parked; at most
    /// until `deadline`; false when it is not. With a deadline a stop does not end the wait.
    ///
    /// # Errors
    ///
    /// The first failure of a worker; a stop.
    pub fn wait_settled(&self, ordinal: u64, deadline: Option<Instant>) -> Result<bool> {
        let mut inner = self.lock();
        while !inner.is_settled(ordinal) {
            if let Some(failure) = &inner.failure {
                return Err(failure.clone());
            }
            let patience = match deadline {
                None => {
                    self.check(&inner)?;
                    LOOK
                }
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => left,
                    _ => return Ok(false),
                },
            };
            inner = self.wait(inner, patience);
        }
        Ok(true)
    }

    /// Reports a failure: everybody who waits here, now or later, gets it. Who hears that the run is over
    /// and says so has not failed: the cause is somewhere else, and may be one that passes.
    pub fn fail(&self, error: Error) {
        let mut inner = self.lock();
        let echo = inner.stopped && error.code() == &codes::STOPPED;
        if inner.failure.is_none() && !echo {
            inner.failure = Some(error);
        }
        self.over.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Asks everybody who waits for more room or for other workers to stop.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.over.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// True when nothing more is to be begun: after a failure or the end of the run.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// The flag behind [`Progress::is_over`].
    pub fn over(&self) -> &AtomicBool {
        &self.over
    }

    /// # Errors
    ///
    /// The first failure of a worker, or a stop.
    pub fn check_running(&self) -> Result {
        self.check(&self.lock())
    }

    fn check(&self, inner: &Inner) -> Result {
        match &inner.failure {
            Some(failure) => Err(failure.clone()),
            None if inner.stopped || self.stop.load(Ordering::Relaxed) => Err(stopped()),
            None => Ok(()),
        }
    }

    /// The first failure, if there was one.
    pub fn failure(&self) -> Option<Error> {
        self.lock().failure.clone()
    }

    fn wait<'g>(&self, guard: MutexGuard<'g, Inner>, patience: Duration) -> MutexGuard<'g, Inner> {
        match self.changed.wait_timeout(guard, patience) {
            Ok((guard, _)) => guard,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }
}

impl Inner {
    /// Where a transaction stands among those that are registered, which are in order.
    fn find(&self, ordinal: u64) -> Option<usize> {
        self.pending.binary_search_by_key(&ordinal, |p| p.ordinal).ok()
    }

    fn is_settled(&self, ordinal: u64) -> bool {
        self.low.ordinal >= ordinal
            || (!self.parked.is_empty()
                && self
                    .pending
                    .iter()
                    .take_while(|p| p.ordinal <= ordinal)
                    .all(|p| self.done.contains(p.ordinal) || self.parked.contains(&p.ordinal)))
    }
}

fn stopped() -> Error {
    Error::new(&codes::STOPPED, "the task was asked to stop")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Progress {
        Progress::new(
            Low { ordinal: 10, position: Position::default(), at: 0 },
            100,
            Arc::default(),
        )
    }

    #[test]
    fn who_hears_of_the_end_has_not_failed() {
        let p = start();
        p.stop();
        p.fail(stopped());
        assert!(p.failure().is_none());
        p.fail(Error::new(&codes::DB_DRIVER, "the cause"));
        assert_eq!(p.failure().unwrap().code(), &codes::DB_DRIVER);
    }

    #[test]
    fn low_water_waits_for_the_slowest() {
        let p = start();
        for ordinal in 11..=14 {
            p.hand_out(ordinal, Position::default(), ordinal as u32, 10, &Stages::default())
                .unwrap();
        }
        p.done([12, 14]);
        assert_eq!(p.low().ordinal, 10);
        assert_eq!(p.under_way(), (20, 4));
        p.done([11]);
        assert_eq!((p.low().ordinal, p.low().at), (12, 12));
        assert_eq!(p.under_way(), (10, 2));
        p.pass(15, Position::default(), 15);
        p.done([13]);
        assert_eq!(p.low().ordinal, 15);
        assert_eq!(p.under_way(), (0, 0));
    }

    #[test]
    fn too_much_waits_until_something_is_done() {
        let p = start();
        p.hand_out(11, Position::default(), 0, 500, &Stages::default()).unwrap();
        std::thread::scope(|s| {
            let waiter = s.spawn(|| p.hand_out(12, Position::default(), 0, 1, &Stages::default()));
            p.done([11]);
            assert!(waiter.join().unwrap().is_ok());
        });
        assert_eq!(p.under_way(), (1, 1));
    }

    #[test]
    fn a_failure_reaches_everybody() {
        let p = start();
        p.hand_out(11, Position::default(), 0, 1, &Stages::default()).unwrap();
        p.fail(Error::new(&codes::LOAD_COUNT, "x"));
        assert!(p.wait_done(11).is_err());
        assert!(p.wait_settled(11, None).is_err());
        assert!(p.hand_out(12, Position::default(), 0, 1, &Stages::default()).is_err());
    }

    #[test]
    fn stop_ends_waiting_for_room_but_not_for_the_end() {
        let p = start();
        p.hand_out(11, Position::default(), 0, 100, &Stages::default()).unwrap();
        p.stop();
        assert!(p.hand_out(12, Position::default(), 0, 1, &Stages::default()).is_err());
        let soon = Instant::now() + Duration::from_millis(1);
        assert!(!p.wait_settled(11, Some(soon)).unwrap());
        p.done([11]);
        assert!(p.wait_settled(11, Some(soon)).unwrap());
    }

    #[test]
    fn a_stop_from_outside_ends_all_waiting() {
        let stop = Arc::new(AtomicBool::new(false));
        let low = Low { ordinal: 10, position: Position::default(), at: 0 };
        let p = Progress::new(low, 100, Arc::clone(&stop));
        p.hand_out(11, Position::default(), 0, 100, &Stages::default()).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert!(p.hand_out(12, Position::default(), 0, 1, &Stages::default()).is_err());
        assert!(p.wait_settled(11, None).is_err());
        p.stop();
        assert!(p.wait_done(11).is_err());
    }

    #[test]
    fn what_is_in_leaves_room_though_the_mark_stands_still() {
        let p = start();
        let stages = Stages::default();
        p.park(11, Position::default(), 11);
        for ordinal in 12..=40 {
            p.hand_out(ordinal, Position::default(), 0, 90, &stages).unwrap();
            p.done([ordinal]);
        }
        assert_eq!((p.low().ordinal, p.under_way()), (10, (0, 30)));
        let (low, done) = p.done_ahead();
        assert!(low == 10 && !done.contains(11) && done.contains(12) && done.contains(40));
        p.unpark(11, 50, &stages).unwrap();
        assert_eq!(p.under_way(), (50, 30));
        assert!(!p.wait_settled(40, Some(Instant::now())).unwrap(), "it is waited for now");
        p.done([11]);
        assert_eq!((p.low().ordinal, p.under_way()), (40, (0, 0)));
    }

    #[test]
    fn a_parked_transaction_holds_the_mark_but_nobody_waits_for_it() {
        let p = start();
        p.park(11, Position::default(), 11);
        p.pass(12, Position::default(), 12);
        p.hand_out(13, Position::default(), 13, 1, &Stages::default()).unwrap();
        assert!(p.wait_settled(12, None).unwrap());
        assert!(!p.wait_settled(13, Some(Instant::now())).unwrap());
        p.done([13]);
        assert!(p.wait_settled(13, None).unwrap());
        assert_eq!(p.low().ordinal, 10);
        p.done([11]);
        assert_eq!(p.low().ordinal, 13);
    }
}
