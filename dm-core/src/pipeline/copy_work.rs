//! What the threads of a copy share: the queue of work, and the blocks on their way from a reader
//! to a writer.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::copy_moved::ReadEnds;
use super::rate::Rate;
use crate::error::{Error, Result, codes};
use crate::event::CopyBlock;
use crate::schema::Chunk;
use crate::sink::BlockStream;
use crate::state::ChunkDone;

/// What a thread of the copy does next.
pub(super) enum Work {
    /// Many small tables at once: their plans are one commit of the state file.
    Plan(Range<usize>),
    /// A chunk of a table, by its place in the list.
    Chunk(usize, Chunk),
}

/// The work of all threads.
pub(super) struct Queue {
    pub work: VecDeque<Work>,
    pub open: usize,
    pub failure: Option<Error>,
}

/// What the threads of one round share.
pub(super) struct Shared {
    pub queue: Mutex<Queue>,
    pub changed: Condvar,
    pub notes: Mutex<Vec<ChunkDone>>,
    /// Where the source stood when tables had been read, if that matters.
    pub ends: Option<ReadEnds>,
}

impl Shared {
    /// The next work; `None` when all is done.
    pub fn take(&self, stop: &AtomicBool) -> Result<Option<Work>> {
        let mut queue = lock(&self.queue);
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            if queue.failure.is_some() || queue.open == 0 {
                return Ok(None);
            }
            if let Some(work) = queue.work.pop_front() {
                return Ok(Some(work));
            }
            // Others may still find chunks.
            queue = match self.changed.wait_timeout(queue, Duration::from_millis(200)) {
                Ok((queue, _)) => queue,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Adds the chunks of a planned table, before the tables that are not planned yet: their
    /// number stays small.
    pub fn add(&self, work: Vec<Work>) {
        let mut queue = lock(&self.queue);
        for w in work.into_iter().rev() {
            queue.work.push_front(w);
            queue.open += 1;
        }
        self.changed.notify_all();
    }

    pub fn close_one(&self) {
        let mut queue = lock(&self.queue);
        queue.open = queue.open.saturating_sub(1);
        self.changed.notify_all();
    }

    pub fn fail(&self, error: Error) {
        let mut queue = lock(&self.queue);
        if queue.failure.is_none() {
            queue.failure = Some(error);
        }
        self.changed.notify_all();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reader thread's blocks as the sink takes them.
pub(super) struct Blocks<'s, 'h> {
    pub blocks: Receiver<CopyBlock>,
    pub rate: &'s Rate,
    pub stop: &'s AtomicBool,
    pub reading: Option<std::thread::ScopedJoinHandle<'h, Result<()>>>,
    pub source: Option<Error>,
}

impl Blocks<'_, '_> {
    /// Waits for the reader; its error, unless it only found that nobody listens any more.
    pub fn end(mut self) -> Option<Error> {
        let reading = self.reading.take();
        let source = self.source.take();
        drop(self.blocks);
        match reading.map(std::thread::ScopedJoinHandle::join) {
            None => source,
            Some(Ok(Ok(()))) => source,
            Some(Ok(Err(error))) if error.code() == &codes::STOPPED => source,
            Some(Ok(Err(error))) => Some(error),
            Some(Err(_)) => Some(Error::new(&codes::SYNC_PANIC, "the reader of a chunk panicked")),
        }
    }
}

impl BlockStream for Blocks<'_, '_> {
    fn next_block(&mut self) -> Result<Option<CopyBlock>> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        if let Ok(block) = self.blocks.recv() {
            self.rate.pay(block.rows(), block.bytes(), self.stop);
            return Ok(Some(block));
        }
        // The end, or the reader failed: then the chunk must not be committed.
        match self.reading.take().map(std::thread::ScopedJoinHandle::join) {
            Some(Ok(Ok(()))) | None => Ok(None),
            Some(Ok(Err(error))) => {
                self.source = Some(error.clone());
                Err(error)
            }
            Some(Err(_)) => {
                let error = Error::new(&codes::SYNC_PANIC, "the reader of a chunk panicked");
                self.source = Some(error.clone());
                Err(error)
            }
        }
    }
}

pub(super) fn stopped() -> Error {
    Error::new(&codes::STOPPED, "the task was asked to stop")
}
