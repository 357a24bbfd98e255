//! The named locks of slots: how a successor waits for whoever holds one, and when it kills it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_128;

use super::super::session::Session;
use super::{lane_key, literal};
use crate::error::{Error, Result, codes};
use crate::event::LaneId;

/// How long a successor waits before it kills the connection that holds its slot.
pub(in crate::sink::mysql) const KILL_AFTER: Duration = Duration::from_secs(3);
/// How long it waits in all: a killed statement may roll back for a while.
pub(in crate::sink::mysql) const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// The name of a slot's lock: short enough for every server, the same for every process.
pub(in crate::sink::mysql) fn lock_name(task: &str, lane: &LaneId, worker: u32) -> String {
    format!("dm:{:032x}", xxh3_128(format!("{}/{worker}", lane_key(task, lane)).as_bytes()))
}

/// What becomes of the connection that holds a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Earlier {
    /// It is killed after a while: what it writes is rolled back.
    Killed,
    /// It is waited for, however long it takes: a statement that changes structures.
    Waited,
}

/// Takes a slot's lock, waiting for the connection that holds it.
///
/// # Errors
///
/// When it cannot be had in time, or `stop` became true.
pub(in crate::sink::mysql) fn take_lock(
    session: &mut Session,
    name: &str,
    earlier: Earlier,
    stop: &AtomicBool,
) -> Result {
    let began = Instant::now();
    let name = literal(name);
    let mut killed = None;
    loop {
        if session.value(&format!("SELECT GET_LOCK({name},1)"))?.as_deref() == Some("1") {
            return Ok(());
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(&codes::STOPPED, "stopped while waiting for an earlier writer"));
        }
        let waited = began.elapsed();
        if earlier == Earlier::Waited {
            continue;
        }
        if waited > GIVE_UP_AFTER {
            return Err(Error::new(
                &codes::FENCE_HELD,
                format!(
                    "another connection (id {}) still holds the writer's lock after {} s",
                    killed.as_deref().unwrap_or("unknown"),
                    waited.as_secs()
                ),
            ));
        }
        if waited > KILL_AFTER
            && killed.is_none()
            && let Some(id) = session.value(&format!("SELECT IS_USED_LOCK({name})"))?
        {
            log::warn!("killing connection {id} at the target: an earlier writer of this task");
            // It may be gone by now, or not ours to kill: the lock decides.
            let _ = session.exec(&format!("KILL {id}"));
            killed = Some(id);
        }
    }
}

/// Waits until nobody holds a lock.
///
/// # Errors
///
/// As [`take_lock`].
pub(in crate::sink::mysql) fn pass_lock(
    session: &mut Session,
    name: &str,
    earlier: Earlier,
    stop: &AtomicBool,
) -> Result {
    take_lock(session, name, earlier, stop)?;
    session.value(&format!("SELECT RELEASE_LOCK({})", literal(name)))?;
    Ok(())
}
