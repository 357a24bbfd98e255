//! The thread that pulls: one attempt after the other, with the lock held over all of them.

use std::time::{Duration, Instant};

use super::super::begin::begin;
use super::super::writer::{Taken, Writer};
use super::attend::write_status;
use super::{LOOK, Shared};
use crate::error::{Error, Result};
use crate::meter::Sampler;
use crate::position::BinlogPos;
use crate::source::mysql::BinlogServer;
use crate::state::Stage;

/// First and longest wait before another attempt.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// An attempt that lasted longer makes the next wait short again.
const LASTED: Duration = Duration::from_secs(60);

/// The thread that pulls.
pub(super) fn pull(shared: &Shared) {
    let mut wait = WAIT_MIN;
    while !shared.is_over() {
        if shared.stage() == Stage::Stopped {
            shared.pause(LOOK);
            continue;
        }
        let lock = match shared.dir.lock() {
            Ok(Some(lock)) => lock,
            // Another process pulls; this one takes over when that ends.
            Ok(None) => {
                shared.pause(5 * LOOK);
                continue;
            }
            Err(error) => {
                failed(shared, &error);
                shared.pause(wait);
                continue;
            }
        };
        shared.lock().pulls = true;
        while !shared.is_over() && shared.stage() != Stage::Stopped {
            if shared.stage() == Stage::Paused {
                shared.pause(LOOK);
                continue;
            }
            let began = Instant::now();
            shared.lock().kicked = false;
            match attempt(shared) {
                Ok(()) => shared.lock().error = None,
                Err(error) => {
                    if began.elapsed() >= LASTED {
                        wait = WAIT_MIN;
                    }
                    failed(shared, &error);
                    wait_again(shared, wait);
                    wait = (wait * 2).min(WAIT_MAX);
                }
            }
        }
        // Written while the lock is held: afterwards the status is another one's to write.
        write_status(shared);
        shared.lock().pulls = false;
        drop(lock);
    }
}

fn failed(shared: &Shared, error: &Error) {
    log::warn!("relay of source {}: {error}", shared.config.source);
    shared.meters.failed(error);
    shared.lock().error = Some(error.clone());
    shared.changed.notify_all();
}

fn wait_again(shared: &Shared, wait: Duration) {
    let deadline = Instant::now() + wait;
    while shared.goes_on() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || shared.lock().kicked {
            return;
        }
        shared.pause(left);
    }
}

/// Pulls until something else is wanted, or it fails.
fn attempt(shared: &Shared) -> Result<()> {
    let config = &shared.config;
    let mut server = BinlogServer::open(&config.conn)?;
    let hint = shared.lock().hint.clone();
    let begun = begin(config, &shared.dir, &mut server, hint.as_ref())?;
    let (mut writer, from) = (begun.writer, begun.from);
    note_progress(shared, &writer);
    let mut binlog = server.dump(&from, config.server_id)?;
    let early = binlog.begins_early();
    drop(server);
    writer.reconnect()?;
    let mut passed = super::super::writer::FIRST;
    let mut sampler = Sampler::default();
    while shared.goes_on() {
        let weight = sampler.next();
        let asked = (weight > 0).then(Instant::now);
        let event = binlog.next()?;
        if early && skips(event, &from, &mut passed) {
            continue;
        }
        let came = asked.map(|asked| (asked.elapsed(), Instant::now()));
        // Behind it what is told of the last groups would stay as it is until the next one.
        let idle = is_heartbeat(event);
        let taken = writer.event(event)?;
        if let Some((waited, began)) = came {
            shared.meters.event(event.len(), waited, began.elapsed(), taken, weight);
        }
        if taken == Taken::Written || idle || shared.lock().error.is_some() {
            note_progress(shared, &writer);
        }
    }
    let (sub, done, end) = (writer.sub().clone(), writer.done().clone(), writer.whole());
    writer.close()?;
    let mut inner = shared.lock();
    (inner.end, inner.progress) = (end, Some((sub, done)));
    drop(inner);
    shared.grow();
    Ok(())
}

/// The protocol has 32 bits for an offset: a file in which more is here already is read from its start,
/// and what is here is passed over.
fn skips(event: &[u8], from: &BinlogPos, passed: &mut u64) -> bool {
    use crate::binlog::{EventHeader, EventType};
    let Ok(header) = EventHeader::parse(event) else { return false };
    let describes = matches!(
        header.event_type,
        EventType::ROTATE
            | EventType::FORMAT_DESCRIPTION
            | EventType::HEARTBEAT
            | EventType::HEARTBEAT_V2
    );
    if *passed >= from.offset {
        return false;
    }
    *passed = header.end_offset(*passed).unwrap_or(*passed);
    !describes && *passed <= from.offset
}

/// What a server says each second that it has nothing to say in.
fn is_heartbeat(event: &[u8]) -> bool {
    use crate::binlog::{EventHeader, EventType};
    EventHeader::parse(event).is_ok_and(|header| {
        matches!(header.event_type, EventType::HEARTBEAT | EventType::HEARTBEAT_V2)
    })
}

fn note_progress(shared: &Shared, writer: &Writer) {
    let mut inner = shared.lock();
    inner.error = None;
    inner.end = writer.end();
    if inner.due || inner.progress.is_none() {
        inner.due = false;
        inner.progress = Some((writer.sub().clone(), writer.done().clone()));
    }
    drop(inner);
    shared.grow();
}
