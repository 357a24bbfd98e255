//! The stream that a pipeline polls: a thread reads and translates, a bounded queue holds.
//! Servers and files are read the same way.
//!
//! The queue is bounded in events and in bytes. When the pipeline stands still the thread stops
//! reading, then a server stops sending; its timeout for that was raised when the connection was
//! made. What was polled last counts as long as nothing further is asked for, and behind a large
//! event the thread reads on only when that has been worked off: otherwise two of them, with all
//! the forms that they take on their way, would be in memory at a time. A stream that is dropped ends its thread with the next event or heartbeat.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Body, EventStream, Polled, RowsBody, SourceEvent};
use crate::error::{Error, Result, codes};

/// Events that wait at most, on each side.
const EVENTS: usize = 4_096;
/// Bytes of rows and statements that wait at most on each side, unless one event alone is larger.
const BYTES: usize = 4 << 20;
/// An event of more bytes is large.
const LARGE: usize = 1 << 20;
/// What an event costs beside its rows or text.
const OVERHEAD: usize = 256;

/// What both sides share. The reading side appends; the polling side takes all at once, so that
/// the two meet seldom.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    less: Condvar,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<SourceEvent>,
    bytes: usize,
    /// How the stream ended, behind the events.
    end: Option<Result<()>>,
    /// The reading thread is gone.
    left: bool,
    /// Nobody polls any more.
    closed: bool,
    /// The polling side sleeps.
    asleep: bool,
    /// It has events that it has not worked off.
    in_hand: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room, then appends. False when nobody polls any more.
    fn append(&self, event: SourceEvent) -> bool {
        let bytes = cost(&event);
        let mut waiting = self.lock();
        while !waiting.has_room(bytes) && !waiting.closed {
            waiting = self.less.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.bytes += bytes;
        waiting.events.push_back(event);
        if waiting.asleep {
            self.more.notify_one();
        }
        !waiting.closed
    }

    /// Takes all that waits; waits for something, at most until `deadline`.
    fn take(&self, into: &mut VecDeque<SourceEvent>, deadline: Instant) -> Taken {
        let mut waiting = self.lock();
        if std::mem::take(&mut waiting.in_hand) {
            // Who asks for more has worked off what it had.
            self.less.notify_one();
        }
        loop {
            if !waiting.events.is_empty() {
                std::mem::swap(into, &mut waiting.events);
                waiting.bytes = 0;
                waiting.in_hand = true;
                self.less.notify_one();
                return Taken::Events;
            }
            if let Some(end) = waiting.end.take() {
                return Taken::End(end);
            }
            if waiting.left {
                return Taken::Left;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            waiting.asleep = true;
            waiting = match self.more.wait_timeout(waiting, left) {
                Ok((waiting, _)) => waiting,
                Err(poisoned) => poisoned.into_inner().0,
            };
            waiting.asleep = false;
        }
    }

    /// Waits until nothing is under way, or nobody polls any more.
    fn wait_empty(&self) {
        let mut waiting = self.lock();
        while !waiting.closed && (waiting.in_hand || !waiting.events.is_empty()) {
            waiting = self.less.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.less.notify_all();
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The reading side ends, in whatever way.
    fn leave(&self, end: Option<Result<()>>) {
        let mut waiting = self.lock();
        waiting.left = true;
        waiting.end = end;
        self.more.notify_all();
    }
}

impl Waiting {
    fn has_room(&self, bytes: usize) -> bool {
        self.events.is_empty() || (self.bytes + bytes <= BYTES && self.events.len() < EVENTS)
    }
}

enum Taken {
    Events,
    Nothing,
    End(Result<()>),
    Left,
}

/// Where a step of reading puts its events.
pub(crate) type Out<'a> = &'a mut dyn FnMut(SourceEvent) -> Result<()>;

/// A stream that a thread of its own reads.
pub(crate) struct QueuedStream {
    taken: VecDeque<SourceEvent>,
    shared: Arc<Shared>,
    ended: bool,
    spent: bool,
    server: Option<String>,
    by_file: bool,
}

impl QueuedStream {
    /// Starts the thread. It calls `step` again and again, which waits for the next event and
    /// hands out what it says; false means that nothing can follow any more.
    pub(crate) fn spawn(
        name: &str,
        step: impl FnMut(Out<'_>) -> Result<bool> + Send + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut leaving = Leaving { shared: Arc::clone(&shared), end: None };
        std::thread::Builder::new()
            .name(format!("dm-binlog-{name}"))
            .spawn(crate::whose::carried(move || {
                let end = read(step, &leaving.shared);
                leaving.ends(end);
            }))
            .map_err(|e| {
                Error::new(&codes::SYNC_PANIC, "the thread of a stream could not start").cause(e)
            })?;
        Ok(Self {
            taken: VecDeque::new(),
            shared,
            ended: false,
            spent: false,
            server: None,
            by_file: false,
        })
    }

    /// The same, of this server, by file and offset or by GTID.
    pub(crate) fn of(mut self, server: String, by_file: bool) -> Self {
        (self.server, self.by_file) = (Some(server), by_file);
        self
    }
}

/// Tells the polling side that the thread has ended, also when it panicked.
struct Leaving {
    shared: Arc<Shared>,
    end: Option<Result<()>>,
}

impl Leaving {
    fn ends(&mut self, end: Option<Result<()>>) {
        self.end = end;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.shared.leave(self.end.take());
    }
}

/// Reads until the stream ends or fails (how), or nobody wants more.
fn read(mut step: impl FnMut(Out<'_>) -> Result<bool>, shared: &Shared) -> Option<Result<()>> {
    let closed = || Error::new(&codes::SYNC_READ, "the stream was closed");
    loop {
        let mut large = false;
        let more = step(&mut |event| {
            large |= cost(&event) > LARGE;
            match shared.append(event) {
                true => Ok(()),
                false => Err(closed()),
            }
        });
        if large {
            shared.wait_empty();
        }
        if shared.is_closed() {
            return None;
        }
        match more {
            Ok(true) => {}
            Ok(false) => return Some(Ok(())),
            Err(e) => return Some(Err(e)),
        }
    }
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
    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    fn is_by_file(&self) -> bool {
        self.by_file
    }

    fn waiting(&self) -> usize {
        match self.taken.len() {
            0 => self.shared.lock().events.len(),
            taken => taken,
        }
    }

    fn poll(&mut self, patience: Duration) -> Result<Polled> {
        let spent = || Error::new(&codes::SYNC_READ, "the stream has failed before");
        if self.spent {
            return Err(spent());
        }
        if self.ended {
            return Ok(Polled::End);
        }
        if let Some(event) = self.taken.pop_front() {
            return Ok(Polled::Event(Box::new(event)));
        }
        match self.shared.take(&mut self.taken, Instant::now() + patience) {
            Taken::Events => match self.taken.pop_front() {
                Some(event) => Ok(Polled::Event(Box::new(event))),
                None => Ok(Polled::Idle),
            },
            Taken::Nothing => Ok(Polled::Idle),
            Taken::End(Ok(())) => {
                self.ended = true;
                Ok(Polled::End)
            }
            Taken::End(Err(e)) => {
                self.spent = true;
                Err(e)
            }
            Taken::Left => {
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
    use crossbeam_channel::bounded;

    use super::*;

    fn event(bytes: usize) -> SourceEvent {
        let pos = crate::position::BinlogPos::new("b.000001".parse().unwrap(), 4);
        let body = Body::RowsQuery("x".repeat(bytes));
        SourceEvent { start: pos.clone(), end: pos, at: 0, body, print: None }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn room_is_bounded_but_never_too_small_for_one() {
        let shared = Shared::default();
        assert!(shared.append(event(BYTES * 2)));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| shared.append(event(1)));
            let mut taken = VecDeque::new();
            assert!(matches!(shared.take(&mut taken, soon()), Taken::Events));
            assert!(waiter.join().unwrap());
            assert_eq!(taken.len(), 1, "the second one did not fit");
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
            out(SourceEvent { start: at.clone(), end: at, at: 0, body, print: None })?;
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
        assert!(shared.append(event(BYTES)));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| shared.append(event(1)));
            shared.close();
            assert!(!waiter.join().unwrap());
        });
    }

    #[test]
    fn the_end_comes_behind_all_events_and_a_panic_is_told() {
        let mut sent = 0;
        let mut stream = QueuedStream::spawn("test", move |out| {
            sent += 1;
            out(event(10))?;
            Ok(sent < 3)
        })
        .unwrap();
        let mut events = 0;
        loop {
            match stream.poll(Duration::from_secs(10)).unwrap() {
                Polled::Event(_) => events += 1,
                Polled::Idle => {}
                Polled::End => break,
            }
        }
        assert_eq!(events, 3);
        let mut broken = QueuedStream::spawn("test", |_| panic!("on purpose")).unwrap();
        assert!(broken.poll(Duration::from_secs(10)).is_err());
    }
}
