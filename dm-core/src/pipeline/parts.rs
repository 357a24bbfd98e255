//! The writer of transactions in parts, on a thread of its own: while the target takes one part, the
//! next one is read and planned.
//!
//! Guarantee: parts arrive in their order, and a commit or a rollback behind all of them. Obstacle: a
//! part that fails is heard of only when the next one is there. Method: one part is under way at most,
//! and whatever is asked next gets its error first; nothing is sent behind a part that has failed, so
//! that no later one begins a transaction of its own. Who waits here looks for a stop: the thread may be
//! behind a network that swallows packets, and is then ended like a worker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::progress::Progress;
use crate::error::{Error, Result, codes};
use crate::event::{RowBlock, StreamMark};
use crate::sink::{ApplyStats, Writer};
use crate::whose::carried;

/// How often who waits looks whether all is over.
const LOOK: Duration = Duration::from_millis(100);

enum Order {
    Part(Vec<RowBlock>),
    Commit(Box<StreamMark>),
    RollBack,
}

/// A writer that takes parts while the next one is made.
pub(crate) struct Parts {
    orders: Sender<Order>,
    answers: Receiver<Result<ApplyStats>>,
    /// Says when all is over.
    progress: Arc<Progress>,
    under_way: bool,
    failed: Option<Error>,
}

impl Parts {
    /// Gives a writer its thread. `alive` is dropped when that ends.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(
        writer: Box<dyn Writer>,
        progress: Arc<Progress>,
        alive: Sender<()>,
    ) -> Result<Self> {
        let (orders, given) = bounded(1);
        let (tell, answers) = bounded(1);
        std::thread::Builder::new()
            .name("dm-parts".to_owned())
            .spawn(carried(move || {
                let _alive = alive;
                work(writer, &given, &tell);
            }))
            .map_err(|e| Error::new(&codes::SYNC_PANIC, "a writer could not start").cause(e))?;
        Ok(Self { orders, answers, progress, under_way: false, failed: None })
    }

    /// Sends a part, behind the one that is under way.
    ///
    /// # Errors
    ///
    /// What an earlier part failed with: then this one is not sent. The failure of a worker, or a stop.
    pub fn send(&mut self, blocks: Vec<RowBlock>) -> Result {
        self.settle()?;
        self.order(Order::Part(blocks))
    }

    /// Waits for the part that is under way; what it did.
    ///
    /// # Errors
    ///
    /// What it, or an earlier one, failed with. The failure of a worker, or a stop.
    pub fn settle(&mut self) -> Result<ApplyStats> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while self.under_way {
            match self.answers.recv_timeout(LOOK) {
                Ok(answer) => {
                    self.under_way = false;
                    return answer.inspect_err(|e| self.failed = Some(e.clone()));
                }
                Err(RecvTimeoutError::Timeout) => self.progress.check_running()?,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
        Ok(ApplyStats::default())
    }

    /// Commits what was sent, with its mark.
    ///
    /// # Errors
    ///
    /// As [`Parts::settle`], and as [`Writer::commit_part`].
    pub fn commit(&mut self, mark: StreamMark) -> Result {
        self.settle()?;
        self.order(Order::Commit(Box::new(mark)))?;
        self.settle().map(|_| ())
    }

    /// Undoes what was sent.
    ///
    /// # Errors
    ///
    /// As [`Parts::settle`], and as [`Writer::rollback`].
    pub fn roll_back(&mut self) -> Result {
        self.settle()?;
        self.order(Order::RollBack)?;
        self.settle().map(|_| ())
    }

    fn order(&mut self, order: Order) -> Result {
        self.orders.send(order).map_err(|_| gone())?;
        self.under_way = true;
        Ok(())
    }
}

fn work(mut writer: Box<dyn Writer>, given: &Receiver<Order>, tell: &Sender<Result<ApplyStats>>) {
    let mut open = false;
    while let Ok(order) = given.recv() {
        let begins = matches!(order, Order::Part(_));
        let done = catch_unwind(AssertUnwindSafe(|| match order {
            Order::Part(blocks) => writer.apply_part(&blocks),
            Order::Commit(mark) => writer.commit_part(&mark).map(|()| ApplyStats::default()),
            Order::RollBack => writer.rollback().map(|()| ApplyStats::default()),
        }));
        let answer = done
            .unwrap_or_else(|_| Err(Error::new(&codes::SYNC_PANIC, "a writer of parts panicked")));
        // A part that failed was rolled back by the writer itself.
        open = begins && answer.is_ok();
        if tell.send(answer).is_err() {
            break;
        }
    }
    if open {
        // A target whose connection is gone does it by itself.
        let _ = writer.rollback();
    }
}

fn gone() -> Error {
    Error::new(&codes::SYNC_PANIC, "the writer of a large transaction ended without saying why")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::progress::Low;
    use super::*;
    use crate::event::{Batch, ChunkMark, OrdinalSet};
    use crate::position::Position;
    use crate::sink::{BlockStream, LoadStats, LoadTarget};

    /// Notes what it is told; its n-th part fails.
    struct Notes {
        told: Sender<&'static str>,
        fails_at: usize,
        parts: usize,
    }

    impl Writer for Notes {
        fn load(
            &mut self,
            _: &LoadTarget,
            _: &mut dyn BlockStream,
            _: &ChunkMark,
        ) -> Result<LoadStats> {
            Err(gone())
        }

        fn apply(&mut self, _: &Batch, _: &StreamMark) -> Result<ApplyStats> {
            Err(gone())
        }

        fn apply_part(&mut self, _: &[RowBlock]) -> Result<ApplyStats> {
            self.parts += 1;
            if self.parts == self.fails_at {
                return Err(Error::new(&codes::DB_EXECUTE, "refused"));
            }
            let _ = self.told.send("part");
            Ok(ApplyStats { inserted: 1, ..ApplyStats::default() })
        }

        fn commit_part(&mut self, _: &StreamMark) -> Result<()> {
            let _ = self.told.send("commit");
            Ok(())
        }

        fn rollback(&mut self) -> Result<()> {
            let _ = self.told.send("rollback");
            Ok(())
        }

        fn applied(&mut self) -> Result<OrdinalSet> {
            Ok(OrdinalSet::new())
        }

        fn is_loaded(&mut self, _: &ChunkMark) -> Result<bool> {
            Ok(false)
        }

        fn connection_id(&self) -> u64 {
            0
        }
    }

    fn progress() -> Arc<Progress> {
        let low = Low { ordinal: 0, position: Position::default(), at: 0 };
        Arc::new(Progress::new(low, usize::MAX, Arc::new(AtomicBool::new(false))))
    }

    /// Parts with such a writer; what it was told, once its thread has ended.
    fn parts(fails_at: usize) -> (Parts, Receiver<&'static str>, Receiver<()>) {
        let (told, notes) = bounded(100);
        let (alive, ended) = bounded(0);
        let writer = Box::new(Notes { told, fails_at, parts: 0 });
        (Parts::start(writer, progress(), alive).unwrap(), notes, ended)
    }

    fn mark() -> StreamMark {
        StreamMark {
            lane: crate::event::LaneId::main(&crate::event::SourceId::new("s")),
            epoch: 1,
            worker: 0,
            low: 0,
            low_position: String::new(),
            applied: OrdinalSet::new(),
        }
    }

    fn all(notes: &Receiver<&'static str>, ended: &Receiver<()>) -> Vec<&'static str> {
        assert!(ended.recv().is_err(), "the thread has ended");
        notes.try_iter().collect()
    }

    #[test]
    fn parts_come_in_order_and_the_commit_behind_them() {
        let (mut parts, notes, ended) = parts(0);
        parts.send(Vec::new()).unwrap();
        parts.send(Vec::new()).unwrap();
        assert_eq!(parts.settle().unwrap().inserted, 1);
        parts.commit(mark()).unwrap();
        drop(parts);
        assert_eq!(all(&notes, &ended), ["part", "part", "commit"]);
    }

    #[test]
    fn nothing_is_sent_behind_a_part_that_failed() {
        let (mut parts, notes, ended) = parts(2);
        parts.send(Vec::new()).unwrap();
        parts.send(Vec::new()).unwrap();
        let refused = |done: Result| assert_eq!(done.unwrap_err().code(), &codes::DB_EXECUTE);
        refused(parts.send(Vec::new()));
        refused(parts.commit(mark()));
        refused(parts.roll_back());
        drop(parts);
        assert_eq!(all(&notes, &ended), ["part"]);
    }

    #[test]
    fn what_is_open_at_the_end_is_taken_back() {
        let (mut parts, notes, ended) = parts(0);
        parts.send(Vec::new()).unwrap();
        drop(parts);
        assert_eq!(all(&notes, &ended), ["part", "rollback"]);
    }
}
