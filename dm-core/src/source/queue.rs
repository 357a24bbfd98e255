//! The stream that a pipeline polls: a thread reads and translates, a bounded queue holds.
//! Servers and files are read the same way.
//!
//! The queue is bounded in events and in bytes. When the pipeline stands still the thread stops
//! reading, then a server stops sending; its timeout for that was raised when the connection was
//! made. What was polled last counts as long as nothing further is asked for, and behind a large
//! event the thread reads on only when that has been worked off: otherwise two of them, with all
//! the forms that they take on their way, would be in memory at a time. A stream that is dropped ends its thread with the next event or heartbeat.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{Body, EventStream, Polled, RowsBody, SourceEvent};
use crate::error::{Error, Result, codes};

/// Events that wait at most.
const EVENTS: usize = 8_192;
/// Bytes of rows and statements that wait at most, unless one event alone is larger.
const BYTES: usize = 8 << 20;
/// An event of more bytes is large.
const LARGE: usize = 1 << 20;
/// What an event costs beside its rows or text.
const OVERHEAD: usize = 256;

/// What both sides share: how many bytes wait, and whether anybody still wants them.
#[derive(Default)]
struct Shared {
    waiting: Mutex<usize>,
    less: Condvar,
    closed: AtomicBool,
}

impl Shared {
    /// Waits for room. False when nobody polls any more.
    fn acquire(&self, bytes: usize) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while *waiting > 0 && *waiting + bytes > BYTES && !self.is_closed() {
            waiting = self.less.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        *waiting += bytes;
        !self.is_closed()
    }

    fn release(&self, bytes: usize) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = waiting.saturating_sub(bytes);
        self.less.notify_one();
    }

    /// Waits until nothing is under way, or nobody polls any more.
    fn wait_empty(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while *waiting > 0 && !self.is_closed() {
            waiting = self.less.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        // Under the lock, so that a thread about to wait cannot miss it.
        let _waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Relaxed);
        self.less.notify_all();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// Where a step of reading puts its events.
pub(super) type Out<'a> = &'a mut dyn FnMut(SourceEvent) -> Result<()>;

/// A stream that a thread of its own reads.
pub(super) struct QueuedStream {
    /// `None` is the end.
    queue: Receiver<Result<Option<SourceEvent>>>,
    shared: Arc<Shared>,
    /// What the event cost that was polled last.
    last: usize,
    ended: bool,
    spent: bool,
}

impl QueuedStream {
    /// Starts the thread. It calls `step` again and again, which waits for the next event and
    /// hands out what it says; false means that nothing can follow any more.
    pub(super) fn spawn(
        name: &str,
        step: impl FnMut(Out<'_>) -> Result<bool> + Send + 'static,
    ) -> Result<Self> {
        let (sender, queue) = bounded(EVENTS);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name(format!("dm-binlog-{name}"))
            .spawn(move || read(step, &sender, &theirs))
            .map_err(|e| {
                Error::new(&codes::SYNC_PANIC, "the thread of a stream could not start").cause(e)
            })?;
        Ok(Self { queue, shared, last: 0, ended: false, spent: false })
    }
}

/// Reads until the stream ends or fails or nobody wants more.
fn read(
    mut step: impl FnMut(Out<'_>) -> Result<bool>,
    queue: &Sender<Result<Option<SourceEvent>>>,
    shared: &Shared,
) {
    let closed = || Error::new(&codes::SYNC_READ, "the stream was closed");
    let last = loop {
        let mut large = false;
        let more = step(&mut |event| {
            let bytes = cost(&event);
            large |= bytes > LARGE;
            if !shared.acquire(bytes) {
                return Err(closed());
            }
            queue.send(Ok(Some(event))).map_err(|_| closed())
        });
        if large {
            shared.wait_empty();
        }
        if shared.is_closed() {
            return;
        }
        match more {
            Ok(true) => {}
            Ok(false) => break Ok(None),
            Err(e) => break Err(e),
        }
    };
    // The receiver may be gone by now; then nobody needs to know.
    let _ = queue.send(last);
}

fn cost(event: &SourceEvent) -> usize {
    OVERHEAD
        + match &event.body {
            Body::Rows(RowsBody::Binlog(rows)) => rows.byte_len(),
            Body::Query(query) => query.sql.len(),
            Body::RowsQuery(text) => text.len(),
            _ => 0,
        }
}

impl EventStream for QueuedStream {
    fn poll(&mut self, patience: Duration) -> Result<Polled> {
        let spent = || Error::new(&codes::SYNC_READ, "the stream has failed before");
        if self.spent {
            return Err(spent());
        }
        if self.ended {
            return Ok(Polled::End);
        }
        self.shared.release(std::mem::take(&mut self.last));
        match self.queue.recv_timeout(patience) {
            Ok(Ok(None)) => {
                self.ended = true;
                Ok(Polled::End)
            }
            Ok(Ok(Some(event))) => {
                self.last = cost(&event);
                Ok(Polled::Event(Box::new(event)))
            }
            Ok(Err(e)) => {
                self.spent = true;
                Err(e)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Polled::Idle),
            Err(RecvTimeoutError::Disconnected) => {
                self.spent = true;
                Err(Error::new(&codes::SYNC_PANIC, "the thread of a stream ended unexpectedly"))
            }
        }
    }
}

impl Drop for QueuedStream {
    fn drop(&mut self) {
        self.shared.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_but_never_too_small_for_one() {
        let shared = Shared::default();
        assert!(shared.acquire(BYTES * 2));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| shared.acquire(1));
            shared.release(BYTES * 2);
            assert!(waiter.join().unwrap());
        });
    }

    #[test]
    fn behind_a_large_event_nothing_is_read_until_it_is_worked_off() {
        let (read, was_read) = bounded(10);
        let mut events = 0;
        let mut stream = QueuedStream::spawn("test", move |out| {
            events += 1;
            let _ = read.send(events);
            let sql = "x".repeat(if events == 1 { LARGE } else { 1 });
            let at: crate::position::BinlogPos = "b.000001:4".parse()?;
            let body = Body::RowsQuery(sql);
            out(SourceEvent { start: at.clone(), end: at, at: 0, body })?;
            Ok(events < 3)
        })
        .unwrap();
        let patience = Duration::from_secs(20);
        assert!(matches!(stream.poll(patience).unwrap(), Polled::Event(_)));
        assert_eq!((was_read.recv(), was_read.try_recv().ok()), (Ok(1), None));
        assert!(matches!(stream.poll(patience).unwrap(), Polled::Event(_)));
        assert_eq!(was_read.recv_timeout(patience), Ok(2));
    }

    #[test]
    fn closing_wakes_a_reader_that_waits_for_room() {
        let shared = Shared::default();
        assert!(shared.acquire(BYTES));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| shared.acquire(1));
            shared.close();
            assert!(!waiter.join().unwrap());
        });
    }
}
