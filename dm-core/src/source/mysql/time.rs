//! Positions by time, and the GTID set that belongs to a position: both are found by reading
//! binlog files.

use super::dump::Dump;
use super::position;
use super::start::{Start, free_server_id};
use crate::config::ConnPlan;
use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, Purpose};
use crate::position::{BinlogPos, Flavor, GtidSet, Position};
use crate::source::{Body, Translator};

/// A place found by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimePosition {
    /// Where to start.
    pub position: Position,
    /// The time lies before everything that the source still has.
    pub before_all: bool,
}

/// The place of the first transaction that began at `at` or later.
pub(super) fn find(plan: &ConnPlan, at: u32) -> Result<TimePosition> {
    let mut conn = Connection::open(plan, Purpose::Control)?;
    let files = position::files(&mut conn)?;
    let starts: Vec<BinlogPos> =
        files.iter().filter_map(|(name, _)| Some(BinlogPos::new(name.parse().ok()?, 4))).collect();
    let first = starts.first().cloned().ok_or_else(|| {
        Error::new(&codes::NO_MASTER_STATUS, format!("{} has no binlog files", plan.address()))
    })?;
    // The last file that began before the time: the place is in it or at the start of the next.
    let mut low = 0;
    let mut high = starts.len();
    while low < high {
        let middle = low + (high - low) / 2;
        let Some(pos) = starts.get(middle) else { break };
        if written_at(plan, &mut conn, pos)? < at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let Some(file) = low.checked_sub(1).and_then(|i| starts.get(i)) else {
        let position = complete(plan, &mut conn, first)?;
        return Ok(TimePosition { position, before_all: true });
    };
    let end = position::end(&mut conn)?;
    let found = scan(plan, &mut conn, file, &mut |pos, body, written| {
        let begins =
            matches!(body, Body::Gtid { .. } | Body::Begin | Body::Query(_)) && written >= at;
        let over = end.binlog.as_ref().is_some_and(|end| pos >= end);
        if begins {
            Step::Found
        } else if over {
            Step::End
        } else {
            Step::On
        }
    })?;
    match found {
        Some(pos) => {
            let position = complete(plan, &mut conn, pos)?;
            Ok(TimePosition { position, before_all: false })
        }
        None => Err(Error::new(
            &codes::CONFIG_START_TIME,
            format!("no transaction of {} began at or after the time {at}", plan.address()),
        )),
    }
}

/// When a file was begun.
fn written_at(plan: &ConnPlan, conn: &mut Connection, file: &BinlogPos) -> Result<u32> {
    let start = Start::File(file.clone());
    let id = free_server_id(conn)?;
    let mut dump = Dump::open(plan, &start, id, conn)?;
    loop {
        let bytes = dump.next()?;
        let header = crate::binlog::EventHeader::parse(bytes)?;
        if !header.is_artificial() && header.timestamp > 0 {
            return Ok(header.timestamp);
        }
    }
}

enum Step {
    On,
    Found,
    End,
}

/// Reads on from the start of a file until `judge` says what to do; the place of what was found.
fn scan(
    plan: &ConnPlan,
    conn: &mut Connection,
    file: &BinlogPos,
    judge: &mut dyn FnMut(&BinlogPos, &Body, u32) -> Step,
) -> Result<Option<BinlogPos>> {
    let start = Start::File(file.clone());
    let id = free_server_id(conn)?;
    let mut dump = Dump::open(plan, &start, id, conn)?;
    let mut translator = Translator::new(conn.version().flavor(), file.clone(), true);
    let mut result = None;
    while result.is_none() {
        let bytes = dump.next()?;
        translator.event(bytes, &mut |event| {
            if result.is_none() {
                match judge(&event.start, &event.body, event.at) {
                    Step::Found => result = Some(Some(event.start)),
                    Step::End => result = Some(None),
                    Step::On => {}
                }
            }
            Ok(())
        })?;
    }
    Ok(result.flatten())
}

/// Adds the GTID set to a place.
fn complete(plan: &ConnPlan, conn: &mut Connection, pos: BinlogPos) -> Result<Position> {
    let gtid = if position::gtids_on(conn)? { Some(set_at(plan, conn, &pos)?) } else { None };
    Ok(Position { binlog: Some(pos), gtid })
}

/// The GTID set that belongs to a place.
pub(super) fn gtid_at(plan: &ConnPlan, pos: &BinlogPos) -> Result<GtidSet> {
    let mut conn = Connection::open(plan, Purpose::Control)?;
    Start::File(pos.clone()).check(&mut conn)?;
    set_at(plan, &mut conn, pos)
}

pub(super) fn set_at(plan: &ConnPlan, conn: &mut Connection, pos: &BinlogPos) -> Result<GtidSet> {
    if conn.version().flavor() == Flavor::MariaDb {
        return position::at(conn, pos.clone(), "")?.gtid.ok_or_else(|| {
            Error::new(&codes::SOURCE_PURGED, format!("{} has no {pos}", plan.address()))
        });
    }
    // What was executed before the file, and every group of the file that begins before the place.
    let start = BinlogPos::new(pos.file.clone(), 4);
    let id = free_server_id(conn)?;
    let mut dump = Dump::open(plan, &Start::File(start.clone()), id, conn)?;
    let mut translator = Translator::new(Flavor::MySql, start, true);
    let mut seen = GtidSet::empty(Flavor::MySql);
    let mut before: Option<GtidSet> = None;
    let mut done = false;
    while !done {
        let bytes = dump.next()?;
        translator.event(bytes, &mut |event| {
            done |= event.start.file != pos.file || event.start.offset >= pos.offset;
            if let (Body::Gtid { gtid: Some(gtid), .. }, false) = (&event.body, done) {
                seen.add(gtid)?;
            }
            // Nothing may come behind the place for a long time: a heartbeat says that it is
            // the end.
            done |= matches!(event.body, Body::Heartbeat | Body::Rotate);
            Ok(())
        })?;
        if before.is_none() {
            before = translator.before_file().cloned();
            done |= before.is_some() && translator.position().offset >= pos.offset;
        }
    }
    seen.union(&before.unwrap_or_else(|| GtidSet::empty(Flavor::MySql)))?;
    Ok(seen)
}
