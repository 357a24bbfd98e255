//! XA transactions that were prepared before a copy.
//!
//! Guarantee: what was prepared when a copy began is not lost. Obstacle: its rows are in no
//! snapshot until it is committed, and its XA PREPARE lies in front of the snapshot's position,
//! where the stream would start. Method: where the binlog ends is asked first, then what is
//! prepared; when all of that has been decided, every XA PREPARE in front of that end is over: its
//! rows are visible, or never will be. The stream starts at that end and passes over whatever the
//! snapshot contains. Where nobody uses XA (nothing prepared, nothing prepared meanwhile) it
//! starts at the snapshot, as always. What slips through all the same, because a server showed
//! an XA PREPARE in its binlog before it listed it, is noticed at its XA COMMIT.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, codes};
use crate::position::Position;
use crate::source::Source;

/// How long undecided transactions are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often they are asked for.
const LOOK: Duration = Duration::from_millis(200);

/// What was known before the snapshot was opened.
pub(super) struct Before {
    end: Position,
    count: u64,
    seen: bool,
}

/// Waits until all that is prepared now has been decided; `None` when the source has no XA.
///
/// # Errors
///
/// When it takes too long: the xids are named. When the source cannot be asked, or a stop.
pub(super) fn before(source: &dyn Source, stop: &AtomicBool) -> Result<Option<Before>> {
    before_within(source, stop, PATIENCE)
}

fn before_within(
    source: &dyn Source,
    stop: &AtomicBool,
    patience: Duration,
) -> Result<Option<Before>> {
    let Some(first) = source.prepared()? else { return Ok(None) };
    let end = source.end_position()?;
    let Some(now) = source.prepared()? else { return Ok(None) };
    let deadline = Instant::now() + patience;
    let mut open: BTreeSet<String> = now.xids;
    let seen = !open.is_empty() || !first.xids.is_empty() || now.count != first.count;
    if !open.is_empty() {
        log::warn!("the copy waits for prepared XA transactions: {}", list(&open));
    }
    while !open.is_empty() {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(&codes::STOPPED, "the task was asked to stop"));
        }
        if Instant::now() >= deadline {
            let text = format!("the source has prepared XA transactions: {}", list(&open));
            return Err(Error::new(&codes::DUMP_XA, text));
        }
        std::thread::sleep(LOOK.min(patience));
        let still = source.prepared()?.map(|p| p.xids).unwrap_or_default();
        open.retain(|xid| still.contains(xid));
    }
    Ok(Some(Before { end, count: first.count, seen }))
}

impl Before {
    /// Where the stream has to start instead of at the snapshot, asked when the snapshot is open.
    ///
    /// # Errors
    ///
    /// When the source cannot be asked.
    pub fn start(self, source: &dyn Source) -> Result<Option<Position>> {
        let now = source.prepared()?.unwrap_or_default();
        let used = self.seen || !now.xids.is_empty() || now.count != self.count;
        Ok(used.then_some(self.end))
    }
}

fn list(xids: &BTreeSet<String>) -> String {
    const SHOWN: usize = 10;
    let mut text: Vec<&str> = xids.iter().take(SHOWN).map(String::as_str).collect();
    if xids.len() > SHOWN {
        text.push("...");
    }
    text.join(", ")
}
