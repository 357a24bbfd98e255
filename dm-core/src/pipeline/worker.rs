//! A worker of the stream: takes transactions, merges them into batches, applies them with marks.
//!
//! Guarantee: every transaction handed to a worker is applied exactly once, or the stream fails.
//! Obstacle: when a connection breaks, nobody knows whether its last batch was committed. Method:
//! the worker opens a new connection, which waits until the old one can write no more, and reads
//! its own mark: the batch is in, or it is sent again. A restart does the same with all marks.

mod together;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;

pub(crate) use self::together::TOGETHER;
use super::busy::Busy;
use super::dispatch::Job;
use super::progress::{Low, Progress};
use super::rate::Rate;
use super::slow;
use super::split::Split;
use super::stages::Spent;
use super::stats::StreamStats;
use crate::error::{Error, Result, codes};
use crate::event::{Batch, OrdinalSet, StreamMark, Txn, exact};
use crate::position::{Flavor, Gtid, GtidSet, Position, Sid};
use crate::sink::{ApplyStats, Sink, Slot, Writer};

/// Attempts to apply one batch before the stream is given up (and started anew from outside).
const ATTEMPTS: u32 = 6;

/// How much goes into one target transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimit {
    /// Row changes.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
}

impl BatchLimit {
    /// How many transactions a worker has in store. One that runs ahead of the slowest names in its
    /// mark all that it has done since: some batches keep it busy, more only make the marks longer.
    pub fn store(self) -> usize {
        self.rows.saturating_mul(8).max(4 * TOGETHER)
    }
}

/// What a worker works with.
pub(crate) struct Worker {
    pub sink: Arc<dyn Sink>,
    pub slot: Slot,
    pub jobs: Receiver<Job>,
    pub length: Arc<AtomicUsize>,
    pub waiting: Arc<AtomicUsize>,
    pub busy: Arc<Busy>,
    pub progress: Arc<Progress>,
    pub stats: Arc<StreamStats>,
    pub limit: BatchLimit,
    pub rate: Arc<Rate>,
    pub split: Arc<Split>,
}

/// Says where the transactions stand that could not be applied.
fn located(error: Error, batch: &[Arc<Txn>]) -> Error {
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return error };
    let Some(start) = &first.start else { return error };
    let error = error.at_rows(start);
    if error.location().is_some() || error.is_transient() || error.code() == &codes::STOPPED {
        return error;
    }
    let start = Position { binlog: Some(start.clone()), gtid: None };
    error.at(start, &last.end)
}

impl Worker {
    /// Works until the queue is closed. A failure is reported to the others.
    pub fn run(self) {
        let progress = Arc::clone(&self.progress);
        // A panic is a fault of ours; it must not leave the others waiting for this worker.
        match catch_unwind(AssertUnwindSafe(|| self.work())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => progress.fail(error),
            Err(_) => progress.fail(Error::new(&codes::SYNC_PANIC, "a worker panicked")),
        }
    }

    fn work(&self) -> Result {
        let mut writer: Option<Box<dyn Writer>> = None;
        let mut applied = Applied::default();
        let mut next: Option<Job> = None;
        while let Some(first) = next.take().or_else(|| self.jobs.recv().ok()) {
            if self.progress.is_over() {
                return Ok(());
            }
            // What others must commit first; nothing uncommitted is held here.
            if !self.may_begin(&first) {
                self.stats.stages.time(Spent::WaitingForOthers, || {
                    first.wait_for.iter().try_for_each(|&o| self.progress.wait_done(o))
                })?;
            }
            self.taken(&first);
            let batches;
            (batches, next) = self.gather_all(first.txn);
            self.busy.begin();
            self.stats
                .stages
                .time(Spent::Writing, || self.apply_all(&mut writer, &mut applied, &batches))?;
            self.busy.end();
        }
        Ok(())
    }

    fn taken(&self, job: &Job) {
        self.waiting.fetch_sub(job.txn.rows.max(1), Ordering::Relaxed);
    }

    /// Takes what is in the queue, up to the limit; gives back a job that has to wait.
    fn gather(&self, batch: &mut Vec<Arc<Txn>>) -> Option<Job> {
        let mut rows: usize = batch.iter().map(|t| t.rows).sum();
        let mut bytes: usize = batch.iter().map(|t| t.bytes).sum();
        while rows < self.limit.rows && bytes < self.limit.bytes {
            match self.next_job()? {
                Next::Txn(txn) => {
                    rows += txn.rows;
                    bytes += txn.bytes;
                    batch.push(txn);
                }
                Next::Waits(job) => return Some(job),
            }
        }
        None
    }

    /// What is next in the queue, if there is anything.
    fn next_job(&self) -> Option<Next> {
        let job = self.jobs.try_recv().ok()?;
        if !self.may_begin(&job) {
            return Some(Next::Waits(job));
        }
        self.taken(&job);
        Some(Next::Txn(job.txn))
    }

    fn may_begin(&self, job: &Job) -> bool {
        job.wait_for.iter().all(|&ordinal| self.progress.is_done(ordinal))
    }

    /// The mark of this worker, which names nothing yet.
    fn mark(&self, low: &Low) -> StreamMark {
        StreamMark {
            lane: self.slot.lane.clone(),
            epoch: self.slot.epoch,
            worker: self.slot.worker,
            low: low.ordinal,
            low_position: low.position.to_text(),
            applied: OrdinalSet::new(),
        }
    }

    /// Applies a batch; in halves when the target says that it is too large for one transaction.
    fn apply_split(
        &self,
        writer: &mut Option<Box<dyn Writer>>,
        applied: &mut Applied,
        txns: &[Arc<Txn>],
    ) -> Result {
        match self.apply(writer, applied, txns) {
            Err(e) if e.is_too_large() && txns.len() > 1 => {
                let (first, rest) = txns.split_at(txns.len() / 2);
                self.apply_split(writer, applied, first)?;
                self.apply_split(writer, applied, rest)
            }
            Err(e) if e.is_too_large() => {
                // A single one is applied in parts, by who reads it.
                let large = txns.first().filter(|txn| txn.blocks.len() > 1);
                large.inspect(|txn| self.split.refused(txn.bytes));
                Err(e)
            }
            other => other,
        }
    }

    fn apply(
        &self,
        writer: &mut Option<Box<dyn Writer>>,
        applied: &mut Applied,
        txns: &[Arc<Txn>],
    ) -> Result {
        let batch = Batch { lane: self.slot.lane.clone(), txns: txns.to_vec() };
        let low = self.progress.low();
        let with_batch = applied.with(low.ordinal, txns);
        let mark = StreamMark { applied: with_batch, ..self.mark(&low) };
        let (rows, bytes) = txns.iter().fold((0, 0), |(r, b), t| (r + t.rows, b + t.bytes));
        self.rate.pay(rows, bytes, self.progress.over());
        let persist = || self.persist(writer, &batch, &mark);
        let slow = || self.rate.slow().time(persist, || slow::batch(&batch));
        let stats = self.stats.meters.txn.time(slow)?;
        self.stats.meters.batch(self.slot.worker, rows, txns.len());
        applied.add(mark.applied, txns);
        self.stats.applied(Some(self.slot.worker), txns.len(), &stats);
        Ok(())
    }

    fn persist(
        &self,
        writer: &mut Option<Box<dyn Writer>>,
        batch: &Batch,
        mark: &StreamMark,
    ) -> Result<ApplyStats> {
        let last = batch.txns.last().map_or(0, |t| t.ordinal);
        let mut attempt = 0;
        loop {
            let result = match writer.as_mut() {
                Some(w) => w.apply(batch, mark),
                None => self.open(writer, last, attempt).and_then(|found| match found {
                    Found::Applied => Ok(ApplyStats::default()),
                    Found::Ready => match writer.as_mut() {
                        Some(w) => w.apply(batch, mark),
                        None => Ok(ApplyStats::default()),
                    },
                }),
            };
            let error = match result {
                Ok(stats) => return Ok(stats),
                Err(error) => error,
            };
            attempt += 1;
            if !error.is_transient() || attempt >= ATTEMPTS || self.progress.is_over() {
                return Err(error);
            }
            if !self.sink.guarantees().exactly_once && !is_undone(&error) {
                // Nothing can tell: the next run repeats it so that it does no harm.
                return Err(error);
            }
            log::warn!("a batch is applied again after: {error}");
            // The outcome is unknown: only a new connection behind the fence can tell.
            *writer = None;
            self.pause(attempt);
        }
    }

    /// A new connection, and what the mark says that it finds.
    fn asked(&self, writer: &mut Option<Box<dyn Writer>>) -> Result<OrdinalSet> {
        let mut attempt = 0;
        loop {
            let asked = self.fresh(writer).and_then(|fresh| fresh.applied());
            match asked {
                Err(error)
                    if error.is_transient() && attempt < ATTEMPTS && !self.progress.is_over() =>
                {
                    attempt += 1;
                    *writer = None;
                    self.pause(attempt);
                }
                asked => return asked,
            }
        }
    }

    fn open(&self, writer: &mut Option<Box<dyn Writer>>, last: u64, attempt: u32) -> Result<Found> {
        let fresh = self.fresh(writer)?;
        // The first connection of a run has no predecessor whose outcome is open.
        if attempt > 0 && self.sink.guarantees().exactly_once && fresh.applied()?.contains(last) {
            return Ok(Found::Applied);
        }
        Ok(Found::Ready)
    }

    fn fresh<'w>(
        &self,
        writer: &'w mut Option<Box<dyn Writer>>,
    ) -> Result<&'w mut Box<dyn Writer>> {
        let fresh = self.sink.writer(&self.slot, self.progress.over())?;
        // The next run may have asked the marks while this connection was made: it then counts
        // on this worker writing no more. Behind the fence the order of the two is certain.
        if self.progress.is_over() {
            return Err(Error::new(&codes::STOPPED, "the run of this worker is over"));
        }
        Ok(writer.insert(fresh))
    }

    fn pause(&self, attempt: u32) {
        // 50 ms, 100, 200 ...: a deadlock is gone at once, a restarting server is not, and
        // then the whole stream is started anew with longer waits.
        let wait = Duration::from_millis(50 << attempt.min(6));
        let step = Duration::from_millis(50);
        let mut left = wait;
        while !left.is_zero() && !self.progress.is_over() {
            std::thread::sleep(left.min(step));
            left = left.saturating_sub(step);
        }
    }
}

/// True for errors with which a server says that it has undone the transaction: a deadlock, a lock that
/// was not had in time.
fn is_undone(error: &Error) -> bool {
    matches!(error.server_error(), Some(1205 | 1213))
}

/// What one writer has committed beyond the low-water mark.
#[derive(Clone, Default)]
pub(super) struct Applied {
    ordinals: OrdinalSet,
    named: VecDeque<(u64, Option<Gtid>)>,
    /// How the GTIDs of `named` are counted.
    count: Count,
}

/// How GTIDs go with ordinals. Servers number their transactions one after the other, as the reader
/// does: then a set of GTIDs is a set of ordinals, and need not be made of each of them for each
/// batch anew.
#[derive(Clone, Default, PartialEq)]
enum Count {
    /// There is none yet.
    #[default]
    Nothing,
    /// All are of this server, so many numbers ahead of their ordinals.
    Ahead(Sid, i128),
    /// Neither.
    Uneven,
}

impl Count {
    fn add(&mut self, ordinal: u64, gtid: Option<&Gtid>) {
        let gtid = gtid.map(exact);
        let Some(Gtid::MySql { sid, gno }) = gtid.as_deref() else {
            *self = Self::Uneven;
            return;
        };
        let ahead = i128::from(*gno) - i128::from(ordinal);
        match self {
            Self::Nothing => *self = Self::Ahead(sid.clone(), ahead),
            Self::Ahead(of, by) if of == sid && *by == ahead => {}
            Self::Ahead(..) | Self::Uneven => *self = Self::Uneven,
        }
    }

    /// Names the members of a set by their GTIDs; false when they are not counted so.
    fn name(&self, set: &mut OrdinalSet) -> bool {
        let (Self::Ahead(sid, by), Some(first)) = (self, set.first()) else { return false };
        u64::try_from(i128::from(first) + by).is_ok_and(|first| set.set_counted(sid, first))
    }
}

impl Applied {
    /// The set that a batch's mark tells; what is up to `low` is forgotten.
    pub fn with(&mut self, low: u64, txns: &[Arc<Txn>]) -> OrdinalSet {
        self.ordinals.forget_upto(low);
        while self.named.front().is_some_and(|(ordinal, _)| *ordinal <= low) {
            self.named.pop_front();
        }
        if self.named.is_empty() {
            self.count = Count::Nothing;
        }
        let mut set = self.ordinals.clone();
        txns.iter().for_each(|t| set.insert(t.ordinal));
        let mut count = self.count.clone();
        txns.iter().for_each(|t| count.add(t.ordinal, t.gtid.as_ref()));
        if count.name(&mut set) {
            return set;
        }
        let before = self.named.iter().map(|(_, gtid)| gtid);
        let all = before.chain(txns.iter().map(|t| &t.gtid));
        let named: Option<Vec<&Gtid>> = all.map(Option::as_ref).collect();
        set.set_gtids(named.and_then(|named| gtids(named.into_iter())));
        set
    }

    /// Notes that the batch with this mark is in.
    pub fn add(&mut self, set: OrdinalSet, txns: &[Arc<Txn>]) {
        self.ordinals = set;
        for txn in txns {
            self.count.add(txn.ordinal, txn.gtid.as_ref());
            self.named.push_back((txn.ordinal, txn.gtid.clone()));
        }
    }
}

/// GTIDs as an exact set, for a mark; `None` for no GTIDs.
fn gtids<'g>(gtids: impl Iterator<Item = &'g Gtid>) -> Option<GtidSet> {
    let mut set = GtidSet::empty(Flavor::MySql);
    for gtid in gtids {
        set.add(&exact(gtid)).ok()?;
    }
    (!set.is_empty()).then_some(set)
}

/// What is taken from the queue.
enum Next {
    Txn(Arc<Txn>),
    /// Others must commit something before it.
    Waits(Job),
}

enum Found {
    /// The batch is in the target.
    Applied,
    /// The writer is ready to apply it.
    Ready,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn txn(ordinal: u64, gno: Option<u64>) -> Arc<Txn> {
        let sid = Sid::untagged([7; 16]);
        Arc::new(Txn {
            ordinal,
            gtid: gno.map(|gno| Gtid::MySql { sid, gno }),
            start: None,
            end: Position::default(),
            at: 0,
            blocks: Vec::new(),
            rows: 0,
            bytes: 0,
        })
    }

    proptest! {
        /// However the GTIDs are counted, a mark names exactly what lies behind the low-water mark.
        #[test]
        fn marks_name_what_is_in(
            steps in prop::collection::vec((1u64..4, 0u64..40, 0u64..12), 1..40),
            uneven in 0u64..3,
        ) {
            let (mut applied, mut low, mut ordinal) = (Applied::default(), 0, 0);
            let mut all: Vec<Arc<Txn>> = Vec::new();
            for (step, gap, back) in steps {
                ordinal += step;
                let gno = match gap {
                    0 if uneven == 1 => None,
                    1 if uneven == 2 => Some(ordinal + 1_000_000),
                    _ => Some(ordinal + 500),
                };
                let batch = [txn(ordinal, gno)];
                low = low.max(ordinal.saturating_sub(back + 1));
                let set = applied.with(low, &batch);
                all.extend(batch.iter().cloned());
                let behind: Vec<_> = all.iter().filter(|t| t.ordinal > low).collect();
                prop_assert_eq!(set.len(), behind.len() as u64);
                let nameless = behind.iter().any(|t| t.gtid.is_none());
                prop_assert_eq!(set.gtids().is_none(), nameless);
                for t in &behind {
                    prop_assert!(set.has(t.ordinal, t.gtid.as_ref()));
                }
                let named: u64 = match set.gtids() {
                    Some(GtidSet::MySql(set)) => {
                        set.iter().flat_map(|(_, n)| n.iter()).map(|(a, b)| b - a + 1).sum()
                    }
                    _ => behind.len() as u64,
                };
                prop_assert_eq!(named, behind.len() as u64);
                applied.add(set, &batch);
            }
        }
    }
}
