//! The reader's loop: events are taken from the source until a stop, an end or a failure; now and
//! then a checkpoint is saved. At the end what was handed out gets a moment to arrive; what does
//! not is read again by the next run.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::meters::{EventKind, SeenEvent};
use super::super::stages::Spent;
use super::ends::Ends;
use super::{Ended, PATIENCE, STOP_PATIENCE, Stream};
use crate::error::Result;
use crate::source::{EventStream, Polled, SourceEvent};

/// Events after which it is looked whether a checkpoint is due.
const LOOK_EVERY: u32 = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Took {
    Event,
    Nothing,
    End,
}

impl Stream<'_> {
    pub(super) fn run(&mut self) -> Result<Ended> {
        // A position taken now lies at or behind everything that is there now.
        let mut goal = self.ctx.until.goal(&*self.ctx.source)?;
        self.save()?;
        let from = self.progress.low().position;
        if let Some(last) = self.history.before() {
            self.ctx.source.check_history(last, &from)?;
        }
        let mut stream = self.ctx.source.open(&from)?;
        if let Some(server) = stream.server() {
            self.history.set_server(server);
        }
        // Places in another server's files tell nothing about this one's end.
        let own = self.history.is_of(&self.ctx.info.server);
        self.ends = Ends::new(stream.is_by_file() && own);
        loop {
            if self.progress.is_over()
                && let Some(failure) = self.progress.failure()
            {
                return Err(failure);
            }
            if self.ctx.stop.load(Ordering::Relaxed) {
                return Ok(Ended::Stopped);
            }
            let polled = self.poll(&mut *stream)?;
            self.release_decided();
            self.look_beside()?;
            if polled == Took::End {
                return self.finish();
            }
            // The clock is not read for every event.
            self.taken = self.taken.wrapping_add(1);
            let looks = polled != Took::Event || self.taken.is_multiple_of(LOOK_EVERY);
            if looks && self.saved.elapsed() >= self.ctx.settings.checkpoint_interval {
                self.save()?;
            }
            let near = !self.group.is_open() && goal.may_be_reached(self);
            if looks || near {
                self.look_at_end()?;
            }
            if !near {
                continue;
            }
            // Everything read must be in before the goal counts as reached.
            self.end_beside()?;
            self.progress.wait_settled(self.ordinal, None)?;
            if goal.is_reached(self, &*self.ctx.source)? {
                return Ok(Ended::Reached);
            }
        }
    }

    /// Recorded files are at their end: what was read of them has to arrive.
    fn finish(&mut self) -> Result<Ended> {
        self.end_beside()?;
        let handed_out = self.ordinal - u64::from(self.group.is_open());
        while !self.ctx.stop.load(Ordering::Relaxed) {
            if self.progress.wait_settled(handed_out, Some(Instant::now() + PATIENCE))? {
                return Ok(Ended::Reached);
            }
        }
        Ok(Ended::Stopped)
    }

    fn poll(&mut self, stream: &mut dyn EventStream) -> Result<Took> {
        self.events_waiting = stream.waiting();
        let stats = &self.ctx.stats;
        let mut waited = Duration::ZERO;
        let polled = match self.events_waiting {
            0 => {
                let (polled, took) =
                    stats.stages.timed(Spent::WaitingForSource, || stream.poll(PATIENCE));
                waited = took;
                polled?
            }
            _ => stream.poll(PATIENCE)?,
        };
        match polled {
            Polled::Event(event) => {
                stats.event();
                let weight = self.sampler.next();
                // One that was there already was taken at once.
                match (waited.is_zero(), weight) {
                    (true, 0) => {}
                    (true, weight) => stats.meters.read.took(waited, weight),
                    (false, _) => stats.meters.read.took(waited, 1),
                }
                self.measured(*event, weight)?;
                Ok(Took::Event)
            }
            Polled::Idle => Ok(Took::Nothing),
            Polled::End => Ok(Took::End),
        }
    }

    /// Handles an event that stands for `weight` such events to those who measure.
    fn measured(&mut self, event: SourceEvent, weight: u64) -> Result {
        if weight == 0 {
            return self.event(event);
        }
        let bytes = if event.start.file == event.end.file {
            event.end.offset.saturating_sub(event.start.offset)
        } else {
            0
        };
        let kind = EventKind::of(&event.body);
        let seen = SeenEvent { kind, bytes, began: Instant::now() };
        let before = (self.group.ordinal, self.group.rows);
        self.event(event)?;
        // Rows that were sent on at once are none any more.
        let rows = match before {
            (ordinal, rows) if ordinal == self.group.ordinal => {
                self.group.rows.saturating_sub(rows)
            }
            _ => 0,
        };
        let carried = kind != EventKind::Rows || rows > 0;
        self.ctx.stats.meters.event(&seen, carried.then_some(rows), weight);
        Ok(())
    }

    /// Ends the run: what was handed out gets a moment to finish, then the workers end. A statement
    /// gets one, too, in a run that has not failed.
    pub(super) fn close(&mut self, in_peace: bool) -> Result {
        // What is open of a large transaction is rolled back by its writer.
        self.large = None;
        let deadline = Instant::now() + STOP_PATIENCE;
        let statement = self.close_beside(if in_peace { deadline } else { Instant::now() });
        // A group whose end was not read is not handed out; it is read again.
        let handed_out = self.ordinal - u64::from(self.group.is_open());
        let finished = self.progress.wait_settled(handed_out, Some(deadline));
        self.progress.stop();
        self.queues.clear();
        self.dispatcher = None;
        let saved = match finished {
            Ok(_) => {
                let low = self.progress.low_ordinal();
                self.save()?;
                // What is prepared is in the state file now and holds nothing back any more.
                if self.progress.low_ordinal() > low { self.save() } else { Ok(()) }
            }
            // The failure is reported by whoever had it; marks make the rest safe.
            Err(_) => Ok(()),
        };
        statement.and(saved)
    }
}
