//! Small batches that go to the target together.
//!
//! Where a batch is a row or two (`batch: 1` makes one target transaction of each source transaction), the way to
//! the target and back costs more than the rows. What waits is sent at once then, each batch with its mark and its
//! commit. Guarantee: as for one batch. Obstacle: when it fails, some of them are in. Method: the target stops at
//! the first statement that it refuses, so those in front of it are in and those behind it untouched; which they
//! are is never guessed: those whose commit was answered count as in at once, and about the others a new
//! connection, which waits until the old one can write no more, asks the mark. What is left goes one by one, with
//! all that is done about a batch that fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Applied, Job, Next, Worker, located};
use crate::error::Result;
use crate::event::{Batch, StreamMark, Txn};
use crate::pipeline::slow;
use crate::sink::{ApplyStats, Writer};

/// Row changes that go to the target together, as far as they wait.
pub(crate) const TOGETHER: usize = 16;
/// And bytes.
const TOGETHER_BYTES: usize = 64 << 10;

impl Worker {
    /// Takes what is in the queue in batches, behind the first one; gives back a job that has to wait.
    pub(super) fn gather_all(&self, first: Arc<Txn>) -> (Vec<Vec<Arc<Txn>>>, Option<Job>) {
        let mut batches = vec![vec![first]];
        loop {
            let Some(batch) = batches.last_mut() else { return (batches, None) };
            if let Some(waits) = self.gather(batch) {
                return (batches, Some(waits));
            }
            let all = || batches.iter().flatten();
            let (rows, bytes) = all()
                .fold((0, 0), |(rows, bytes), txn| (rows + txn.rows.max(1), bytes + txn.bytes));
            let full = rows >= TOGETHER || bytes >= TOGETHER_BYTES;
            if full || self.limit.rows >= TOGETHER || !self.sink.guarantees().exactly_once {
                return (batches, None);
            }
            match self.next_job() {
                None => return (batches, None),
                Some(Next::Waits(job)) => return (batches, Some(job)),
                Some(Next::Txn(txn)) => batches.push(vec![txn]),
            }
        }
    }

    /// Applies batches, together where there are several.
    pub(super) fn apply_all(
        &self,
        writer: &mut Option<Box<dyn Writer>>,
        applied: &mut Applied,
        batches: &[Vec<Arc<Txn>>],
    ) -> Result {
        let (told, in_already) = match (&mut *writer, batches) {
            (Some(open), [_, _, ..]) => {
                let told = self.apply_together(&mut **open, applied, batches);
                if told == batches.len() {
                    return Ok(());
                }
                *writer = None;
                (told, self.known(writer, applied, batches, told)?)
            }
            _ => (0, 0),
        };
        batches.iter().enumerate().skip(in_already).try_for_each(|(number, batch)| {
            self.apply_split(writer, applied, batch).map_err(|e| located(e, batch))?;
            // A target that forgot what it had answered for: nothing counts twice.
            if number >= told {
                self.is_in(batch);
            }
            Ok(())
        })
    }

    /// How many of them are in for certain, from the first one on; of the others nobody knows.
    fn apply_together(
        &self,
        writer: &mut dyn Writer,
        applied: &mut Applied,
        batches: &[Vec<Arc<Txn>>],
    ) -> usize {
        let before = applied.clone();
        let low = self.progress.low();
        let mark = self.mark(&low);
        let mut marked = Vec::with_capacity(batches.len());
        for txns in batches {
            let set = applied.with(low.ordinal, txns);
            applied.add(set.clone(), txns);
            let mark = StreamMark { applied: set, ..mark.clone() };
            marked.push((Batch { lane: self.slot.lane.clone(), txns: txns.clone() }, mark));
        }
        let all = || batches.iter().flatten();
        let (rows, bytes) = (all().map(|t| t.rows).sum(), all().map(|t| t.bytes).sum());
        self.rate.pay(rows, bytes, self.progress.over());
        let (mut left, mut began) = (batches.iter(), Instant::now());
        // Others may wait for the first of them while the last is still written.
        let mut done = |stats: ApplyStats| {
            self.stats.meters.txn.took(std::mem::replace(&mut began, Instant::now()).elapsed(), 1);
            left.next().into_iter().for_each(|txns| {
                let rows = txns.iter().map(|t| t.rows).sum();
                self.stats.meters.batch(self.slot.worker, rows, txns.len());
                self.stats.applied(Some(self.slot.worker), txns.len(), &stats);
                self.is_in(txns);
            });
        };
        let write = || writer.apply_each(&marked, &mut done);
        let first = || marked.first().map(|(batch, _)| slow::batch(batch)).unwrap_or_default();
        let result = self.rate.slow().time(write, first);
        if let Err(error) = result {
            log::debug!("batches are applied one by one after: {error}");
            *applied = before;
        }
        batches.len() - left.len()
    }

    /// A batch is in the target.
    fn is_in(&self, txns: &[Arc<Txn>]) {
        self.length.fetch_sub(txns.len(), Ordering::Relaxed);
        self.progress.done(txns.iter().map(|t| t.ordinal));
    }

    /// How many of them are in, from the first one on, by the mark that a new connection finds; so many have
    /// been `told` of before.
    fn known(
        &self,
        writer: &mut Option<Box<dyn Writer>>,
        applied: &mut Applied,
        batches: &[Vec<Arc<Txn>>],
        told: usize,
    ) -> Result<usize> {
        let found = self.asked(writer)?;
        let is_in = |txns: &Vec<Arc<Txn>>| txns.last().is_some_and(|t| found.contains(t.ordinal));
        let count = batches.iter().take_while(|txns| is_in(txns)).count();
        let low = self.progress.low().ordinal;
        for (number, txns) in batches.iter().take(count).enumerate() {
            let set = applied.with(low, txns);
            applied.add(set, txns);
            if number >= told {
                self.stats.applied(Some(self.slot.worker), txns.len(), &ApplyStats::default());
                self.is_in(txns);
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;
    use dm_filter::{TableName, Value};

    use super::*;
    use crate::config::Limits;
    use crate::ddl::SqlMode;
    use crate::event::{ApplyMode, LaneId, SourceId};
    use crate::pipeline::BatchLimit;
    use crate::pipeline::StreamStats;
    use crate::pipeline::progress::{Low, Progress};
    use crate::pipeline::rate::Rate;
    use crate::position::Position;
    use crate::schema::parse_create_table;
    use crate::sink::{MemorySink, Sink, Slot};
    use crate::testing::build::{block, insert, plan, txn};
    use crate::testing::{Fault, FaultSink, When};

    const TXNS: u64 = 20;
    const LIMITS: Limits = Limits {
        max_rows_per_second: None,
        max_bytes_per_second: None,
        max_memory: 1 << 20,
        slow_ms: None,
    };

    fn target() -> (Arc<MemorySink>, TableName) {
        let (sink, table) = (MemorySink::new(), TableName::new("d", "t"));
        let create = "CREATE TABLE `t` (`a` bigint)";
        let schema = parse_create_table(create, SqlMode::default()).unwrap();
        (Arc::new(sink.with_table(table.clone(), schema)), table)
    }

    /// A worker to which all transactions are handed before it begins: they go together.
    fn work(sink: Arc<dyn Sink>, table: &TableName) -> Result {
        let source = SourceId::new("s");
        let rows = plan(&source, table, table, &["a"]);
        let low = Low { ordinal: 0, position: Position::default(), at: 0 };
        let progress = Arc::new(Progress::new(low, usize::MAX / 2, Arc::default()));
        let stats: Arc<StreamStats> = Arc::default();
        let (jobs, queue) = bounded(TXNS as usize);
        for ordinal in 1..=TXNS {
            let row = insert([Value::Int(ordinal as i64)]);
            let txn = txn(ordinal, vec![block(&rows, ApplyMode::Exact, vec![row])]);
            progress.hand_out(ordinal, Position::default(), 0, 1, &stats.stages).unwrap();
            jobs.send(Job { txn, wait_for: Vec::new() }).unwrap();
        }
        drop(jobs);
        let slot = Slot { task: "t".into(), lane: LaneId::main(&source), worker: 0, epoch: 1 };
        let worker = Worker {
            sink,
            slot,
            jobs: queue,
            length: Arc::new((TXNS as usize).into()),
            waiting: Arc::new((TXNS as usize).into()),
            busy: Arc::default(),
            progress: Arc::clone(&progress),
            stats,
            limit: BatchLimit { rows: 1, bytes: 1 << 20 },
            rate: Arc::new(Rate::new(&LIMITS)),
            split: Arc::default(),
        };
        worker.run();
        progress.failure().map_or(Ok(()), Err)
    }

    /// Whichever call a connection breaks at, before it or behind it: every row is there once.
    #[test]
    fn a_connection_that_breaks_among_them_loses_and_doubles_nothing() {
        let mut broken = 0;
        for at in 1.. {
            for when in [When::Before, When::After] {
                let (inner, table) = target();
                let sink = Arc::new(FaultSink::new(inner.clone(), Fault::Cut { at, when }));
                work(sink.clone(), &table).unwrap();
                assert_eq!(inner.count(&table) as u64, TXNS, "cut {when:?} call {at}");
                if !sink.has_failed() {
                    assert!(broken > 2 * TXNS, "{broken} cuts");
                    return;
                }
                broken += 1;
            }
        }
    }
}
