//! Small batches that go to the target together.
//!
//! Where a batch is a row or two (`batch: 1` makes one target transaction of each source transaction), the way to
//! the target and back costs more than the rows. What waits is sent at once then, each batch with its mark and its
//! commit. Guarantee: as for one batch. Obstacle: when it fails, some of them are in. Method: the target stops at
//! the first statement that it refuses, so those in front of it are in and those behind it untouched; which they
//! are is never guessed: a new connection, which waits until the old one can write no more, reads the mark. What
//! is left goes one by one, with all that is done about a batch that fails.

use std::sync::Arc;
use std::time::Instant;

use super::{Applied, Job, Worker, located};
use crate::error::Result;
use crate::event::{Batch, StreamMark, Txn};
use crate::pipeline::slow;
use crate::sink::Writer;

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
            match self.jobs.try_recv() {
                Err(_) => return (batches, None),
                Ok(job) if !job.wait_for.iter().all(|&o| self.progress.is_done(o)) => {
                    return (batches, Some(job));
                }
                Ok(job) => {
                    self.taken(&job);
                    batches.push(vec![job.txn]);
                }
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
        let in_already = match (&mut *writer, batches) {
            (Some(open), [_, _, ..]) => {
                if self.apply_together(&mut **open, applied, batches) {
                    return Ok(());
                }
                *writer = None;
                self.known(writer, applied, batches)?
            }
            _ => 0,
        };
        batches.iter().skip(in_already).try_for_each(|batch| {
            self.apply_split(writer, applied, batch).map_err(|e| located(e, batch))
        })
    }

    /// True when all are in; else nobody knows which are.
    fn apply_together(
        &self,
        writer: &mut dyn Writer,
        applied: &mut Applied,
        batches: &[Vec<Arc<Txn>>],
    ) -> bool {
        let before = applied.clone();
        let low = self.progress.low();
        let low_position = low.position.to_text();
        let mut marked = Vec::with_capacity(batches.len());
        for txns in batches {
            let set = applied.with(low.ordinal, txns);
            applied.add(set.clone(), txns);
            let mark = StreamMark {
                lane: self.slot.lane.clone(),
                epoch: self.slot.epoch,
                worker: self.slot.worker,
                low: low.ordinal,
                low_position: low_position.clone(),
                applied: set,
            };
            marked.push((Batch { lane: self.slot.lane.clone(), txns: txns.clone() }, mark));
        }
        let rows = |txns: &[Arc<Txn>]| txns.iter().map(|t| t.rows).sum::<usize>();
        let all = || batches.iter().flatten();
        let bytes = all().map(|t| t.bytes).sum();
        self.rate.pay(all().map(|t| t.rows).sum(), bytes, self.progress.over());
        let began = Instant::now();
        let write = || writer.apply_each(&marked);
        let first = || marked.first().map(|(batch, _)| slow::batch(batch)).unwrap_or_default();
        match self.rate.slow().time(write, first) {
            Ok(stats) => {
                let count = batches.len() as u32;
                self.stats.meters.txn.took(began.elapsed() / count.max(1), u64::from(count));
                for (txns, stats) in batches.iter().zip(&stats) {
                    self.stats.meters.batch(self.slot.worker, rows(txns), txns.len());
                    self.stats.applied(Some(self.slot.worker), txns.len(), stats);
                }
                true
            }
            Err(error) => {
                log::debug!("batches are applied one by one after: {error}");
                *applied = before;
                false
            }
        }
    }

    /// How many of them are in, from the first one on, by the mark that a new connection finds.
    fn known(
        &self,
        writer: &mut Option<Box<dyn Writer>>,
        applied: &mut Applied,
        batches: &[Vec<Arc<Txn>>],
    ) -> Result<usize> {
        let found = self.asked(writer)?;
        let is_in = |txns: &Vec<Arc<Txn>>| txns.last().is_some_and(|t| found.contains(t.ordinal));
        let count = batches.iter().take_while(|txns| is_in(txns)).count();
        let low = self.progress.low().ordinal;
        for txns in batches.iter().take(count) {
            let set = applied.with(low, txns);
            applied.add(set, txns);
            self.stats.applied(Some(self.slot.worker), txns.len(), &Default::default());
        }
        Ok(count)
    }
}
