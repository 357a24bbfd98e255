//! A copy that ends in time when it is paused or stopped, whatever the servers do.
//!
//! Guarantee: a copy whose flag is raised returns within seconds. Obstacle: its threads wait for servers,
//! and one behind a network that swallows packets answers neither them nor a KILL. Method: the copy
//! works on a thread of its own. It gets time to end by itself, then its connections are killed at
//! the target, then it is left behind. That is safe: its flag stays raised, so it begins nothing more
//! when it wakes up; what is still under way at the target commits together with its mark or not at
//! all; and whoever goes on with the copy waits behind the fence, then asks the marks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::panicked;
use crate::error::{Error, Result, codes};
use crate::pipeline::Copy;
use crate::position::Position;
use crate::whose::carried;

/// How often it is looked whether the flag was raised.
const LOOK: Duration = Duration::from_millis(50);
/// After so long the connections are killed at the target.
const KILL_AFTER: Duration = Duration::from_secs(3);
/// After so long the copy is left behind.
const LEAVE_AFTER: Duration = Duration::from_secs(6);

/// Runs a copy to its end, or until its flag was raised for so long that it is left behind.
///
/// # Errors
///
/// Those of the copy; that of a stop.
pub(super) fn run(copy: Copy) -> Result<Position> {
    let (stop, sink) = (Arc::clone(&copy.stop), Arc::clone(&copy.sink));
    let (task, lane) = (copy.task.clone(), copy.lane.clone());
    let (tell, told) = bounded(1);
    std::thread::Builder::new()
        .name("dm-copy".to_owned())
        .spawn(carried(move || {
            let result = catch_unwind(AssertUnwindSafe(|| copy.run()));
            // What it holds is let go of before it counts as ended.
            drop(copy);
            let _ = tell.send(result.unwrap_or_else(|_| Err(panicked())));
        }))
        .map_err(|e| Error::new(&codes::NOT_SET, "cannot start a thread").cause(e))?;
    let mut asked: Option<Instant> = None;
    let mut killed = false;
    loop {
        match told.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err(panicked()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !stop.load(Ordering::Relaxed) {
            continue;
        }
        let since = asked.get_or_insert_with(Instant::now).elapsed();
        if since >= KILL_AFTER && !std::mem::replace(&mut killed, true) {
            let (sink, task, lane) = (Arc::clone(&sink), task.clone(), lane.clone());
            // On a thread of its own: the target may not answer this connection either.
            let _ = std::thread::Builder::new()
                .name("dm-interrupt".to_owned())
                .spawn(carried(move || sink.interrupt(&task, &lane)));
        }
        if since >= LEAVE_AFTER {
            log::warn!("lane {lane}: a server does not answer; its copy is left behind");
            return Err(Error::new(&codes::STOPPED, "the task was asked to stop"));
        }
    }
}
