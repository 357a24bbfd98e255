//! A source that lacks what has arrived from it.
//!
//! Guarantee: rows of a transaction that the source does not have are noticed before anything more is written.
//! Obstacle: opening a stream compares the low-water mark with the server, but the target may hold more: what
//! workers have committed beyond it, and what a copied table contains that was read from a later view. A replica
//! that takes the source's place without these may never bring them. Method: by GTID, all of it must be in what
//! the source has executed. The server that was read last may lack it for a moment only (it sends a transaction
//! while it still waits for a replica's word, before it has executed it): it is waited for. Another one is
//! refused at once.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::StreamContext;
use crate::error::{Error, Result, codes};
use crate::event::{OrdinalSet, is_passed};
use crate::position::{GtidSet, Position};
use crate::state::Contained;

/// So long the same server may take to execute what it has sent: longer than it waits for a
/// replica's word by default.
const SAME_SERVER: Duration = Duration::from_secs(15);
/// How often it is asked.
const AGAIN: Duration = Duration::from_millis(200);

/// Makes sure that the source has everything that came from it.
///
/// # Errors
///
/// `SOURCE_GTID_MISSING`, and when the source cannot be asked or the run was stopped.
pub(super) fn check(
    ctx: &StreamContext,
    low: &Position,
    applied: &OrdinalSet,
    contained: &[Contained],
    last_server: Option<&str>,
) -> Result {
    let windows = contained.iter().flat_map(|c| [&c.from, &c.upto]);
    let needed: Vec<&GtidSet> =
        windows.filter_map(|p| p.gtid.as_ref()).chain(applied.gtids()).collect();
    let Some(low) = low.gtid.as_ref().filter(|_| !needed.is_empty()) else { return Ok(()) };
    let until = Instant::now() + SAME_SERVER;
    loop {
        let end = ctx.source.end_position()?;
        let Some(executed) = &end.gtid else { return Ok(()) };
        // What lacks of the low-water mark is told where the stream is opened, with what else may be wrong.
        let judged = low.flavor() == executed.flavor() && low.is_subset(executed);
        let lacking = needed.iter().find(|set| !is_passed(set, executed));
        let Some(lacking) = lacking.filter(|_| judged) else { return Ok(()) };
        let same = last_server == Some(ctx.info.server.as_str());
        if !same || Instant::now() >= until {
            return Err(missing(ctx, lacking, executed));
        }
        if ctx.stop.load(Ordering::Relaxed) {
            return Err(Error::new(&codes::STOPPED, "stopped while waiting for the source"));
        }
        std::thread::sleep(AGAIN);
    }
}

fn missing(ctx: &StreamContext, needed: &GtidSet, executed: &GtidSet) -> Error {
    Error::new(
        &codes::SOURCE_GTID_MISSING,
        format!(
            "the target holds rows of transactions that the source {} does not have: arrived [{needed}], executed \
             there [{executed}]",
            ctx.info.server
        ),
    )
}
