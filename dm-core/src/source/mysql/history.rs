//! Whether a server still has what was read from it.
//!
//! Guarantee: a server that took back a transaction that was read, and wrote another one in its place,
//! is not followed as if nothing had been. Obstacle: identity and GTID sets look the same on a server
//! that was restored from a copy, or that lost its last transactions in a crash, once it has written as
//! many again; a file of the same name may be longer than before. Method: the last event of the last
//! group before the checkpoint is read again from where it stood, and compared. Its time, its
//! number in the server's life and its size would all have to be the same by chance.
//!
//! By GTID a server may have been reset on purpose and told what it has executed: its files are new
//! and begin behind what was read. So there the file has to begin before the group, else nothing is
//! known. Nothing can be compared on another server either (a replica writes its own events), nor
//! when the file has been purged; then the GTID sets are all there is to go by.

use super::dump::Dump;
use super::position;
use super::start::{Start, free_server_id};
use crate::config::ConnPlan;
use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, numbers};
use crate::position::{BinlogFile, BinlogPos, Flavor, GtidSet};
use crate::source::{LastGroup, SourceEvent, Translator};

/// Fails when something else than the last group stands where it was read.
pub(super) fn check(
    plan: &ConnPlan,
    conn: &mut Connection,
    last: &LastGroup,
    by_gtid: bool,
) -> Result<()> {
    if position::identity(conn)? != last.server || last.start.offset > u64::from(u32::MAX) {
        return Ok(());
    }
    let named = |(name, size): (String, u64)| Some((name.parse::<BinlogFile>().ok()?, size));
    let files = position::files(conn)?;
    let file = files.into_iter().filter_map(named).find(|(file, _)| *file == last.end.file);
    let Some((_, size)) = file else { return Ok(()) };
    if by_gtid && begins_behind(plan, conn, last)? {
        return Ok(());
    }
    if size < last.end.offset {
        let why = format!("the file ends at {size}");
        return Err(differs(conn, last, &why));
    }
    // The server may end one of its dump threads for other reasons with the same number.
    let found = match read_again(plan, conn, last) {
        Err(e) if is_refusal(&e) => read_again(plan, conn, last),
        other => other,
    };
    match found {
        Ok(Some(found)) if found.end == last.end && found.print == Some(last.print) => Ok(()),
        Ok(Some(found)) => {
            let why = format!("an event of the second {} ends at {}", found.at, found.end);
            Err(differs(conn, last, &why))
        }
        Ok(None) => Err(differs(conn, last, "nothing follows there")),
        Err(e) if is_refusal(&e) || is_nonsense(&e) => {
            Err(differs(conn, last, "no event can be read there").cause(e))
        }
        Err(e) => Err(e),
    }
}

/// True when the file begins behind the group: it says so itself, or MySQL was told so when it was
/// reset.
fn begins_behind(plan: &ConnPlan, conn: &mut Connection, last: &LastGroup) -> Result<bool> {
    let Some(gtid) = &last.gtid else { return Ok(true) };
    if position::purged(conn)?.is_some_and(|purged| gtid.is_subset(&purged)) {
        return Ok(true);
    }
    let start = BinlogPos::new(last.end.file.clone(), 4);
    let before = match conn.version().flavor() {
        Flavor::MariaDb => position::at(conn, start, "")?.gtid,
        Flavor::MySql => Some(before_file(plan, conn, start)?),
    };
    Ok(before.is_none_or(|before| gtid.is_subset(&before)))
}

/// What MySQL says at the start of a file of all that was executed before.
fn before_file(plan: &ConnPlan, conn: &mut Connection, start: BinlogPos) -> Result<GtidSet> {
    let id = free_server_id(conn)?;
    let mut dump = Dump::open(plan, &Start::File(start.clone()), id, conn)?;
    let mut translator = Translator::new(Flavor::MySql, start, true);
    let mut event = None;
    while event.is_none() {
        translator.event(dump.next()?, &mut |e| {
            event = Some(e);
            Ok(())
        })?;
        if let Some(before) = translator.before_file() {
            return Ok(before.clone());
        }
    }
    Ok(GtidSet::empty(Flavor::MySql))
}

/// The event that now ends where the group ended, or the first one beyond.
fn read_again(
    plan: &ConnPlan,
    conn: &mut Connection,
    last: &LastGroup,
) -> Result<Option<SourceEvent>> {
    let id = free_server_id(conn)?;
    let mut dump = Dump::open(plan, &Start::File(last.start.clone()), id, conn)?;
    let mut translator = Translator::new(conn.version().flavor(), last.start.clone(), true);
    loop {
        let mut found: Option<SourceEvent> = None;
        translator.event(dump.next()?, &mut |event| {
            // Of a compressed transaction all events end there, and any of them will do.
            found = Some(event);
            Ok(())
        })?;
        let place = translator.position();
        if let Some(event) = found
            && (event.end >= last.end || event.end.file != last.end.file)
        {
            return Ok(Some(event));
        }
        if place.file != last.end.file || place.offset > last.end.offset {
            return Ok(None);
        }
    }
}

/// The server cannot read its own file from there.
fn is_refusal(error: &Error) -> bool {
    error.server_error() == Some(numbers::MASTER_FATAL_READING_BINLOG)
}

/// What the server sends is no event.
fn is_nonsense(error: &Error) -> bool {
    let codes = [&codes::BINLOG_CHECKSUM, &codes::SYNC_EVENT, &codes::SYNC_EVENT_TYPE];
    codes.contains(&error.code())
}

fn differs(conn: &Connection, last: &LastGroup, why: &str) -> Error {
    let gtid = last.gtid.as_ref().map(|set| format!(" ({set})")).unwrap_or_default();
    Error::new(
        &codes::SOURCE_HISTORY,
        format!("{} had a group{gtid} that ended at {}: now {why}", conn.address(), last.end),
    )
}
