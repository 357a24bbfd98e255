//! Reading the earlier binlog for the statements of a ghost table whose beginning was missed.
//!
//! The file of the place where following began is read first, from its beginning up to that place,
//! then the one before it, and so on, until the ghost's CREATE is met. What is found is all that
//! changed the ghost, in its order; when it is not found in [`FILES`] files, or a file is gone, the
//! task stops: a part of the statements is worse than none.

use std::sync::atomic::Ordering;

use dm_filter::{TableName, Verdict};

use super::online::beginning_unknown;
use super::{PATIENCE, Stream};
use crate::binlog::QueryEvent;
use crate::ddl::{Statement, parse};
use crate::error::{Error, Result, codes};
use crate::online_ddl::{Change, Names, Trace};
use crate::position::{BinlogFile, BinlogPos, Position};
use crate::source::{Body, Polled};
use crate::state::LANE_START;

/// So many files are read at most.
pub(super) const FILES: u64 = 32;
/// The first event of a file stands behind its magic number.
const FILE_START: u64 = 4;

/// The statements that changed a ghost table before the lane began. `rename` is where it takes its
/// place.
pub(super) fn look_back(
    stream: &Stream<'_>,
    names: &Names,
    ghost: &TableName,
    rename: &BinlogPos,
    judge: &dyn Fn(&TableName, &Statement) -> Verdict,
) -> Result<Vec<Change>> {
    let upto = began(stream)?.filter(|b| b < rename).unwrap_or_else(|| rename.clone());
    log::info!("{ghost}: its beginning was not seen; the binlog before {upto} is read");
    let mut trace = Trace::new(ghost.clone());
    let first = upto.file.seq();
    let last = first.saturating_sub(FILES - 1).max(1);
    for seq in (last..=first).rev() {
        let file = upto.file.with_seq(seq);
        let limit =
            if seq == first { upto.clone() } else { BinlogPos::new(file.with_seq(seq + 1), 0) };
        match read_file(stream, &file, &limit, &mut |query, start, at| {
            heard(stream, names, &mut trace, query, start, at, judge)
        }) {
            Ok(()) => {}
            Err(e) if e.code() == &codes::STOPPED || e.is_transient() => return Err(e),
            Err(e) => {
                return Err(
                    beginning_unknown(ghost, rename, &format!("{file} cannot be read")).cause(e)
                );
            }
        }
        if trace.is_complete() {
            return Ok(trace.into_changes());
        }
        trace.next_file();
    }
    let looked = format!("the files back to {} do not have them", upto.file.with_seq(last));
    Err(beginning_unknown(ghost, rename, &looked))
}

/// Where the lane began, when that is known by file.
fn began(stream: &Stream<'_>) -> Result<Option<BinlogPos>> {
    let Some(note) = stream.ctx.state.reader().note(&stream.ctx.lane, LANE_START)? else {
        return Ok(None);
    };
    Ok(Position::from_text(&String::from_utf8_lossy(&note))?.binlog)
}

type Hear<'h> = dyn FnMut(&QueryEvent<'_>, &BinlogPos, u32) -> Result + 'h;

/// Reads the statements of one file up to a place.
fn read_file(
    stream: &Stream<'_>,
    file: &BinlogFile,
    limit: &BinlogPos,
    hear: &mut Hear<'_>,
) -> Result {
    let from = BinlogPos::new(file.clone(), FILE_START);
    if from >= *limit {
        return Ok(());
    }
    let mut events = stream.ctx.source.open(&Position { binlog: Some(from), gtid: None })?;
    loop {
        if stream.ctx.stop.load(Ordering::Relaxed) {
            return Err(Error::new(&codes::STOPPED, "the task was asked to stop"));
        }
        let event = match events.poll(PATIENCE)? {
            Polled::Event(event) => event,
            Polled::Idle => continue,
            Polled::End => return Ok(()),
        };
        if event.start >= *limit {
            return Ok(());
        }
        if let Body::Query(query) = &event.body {
            hear(query, &event.start, event.at)?;
        }
        if event.end >= *limit {
            return Ok(());
        }
    }
}

fn heard(
    stream: &Stream<'_>,
    names: &Names,
    trace: &mut Trace,
    query: &QueryEvent<'_>,
    start: &BinlogPos,
    at: u32,
    judge: &dyn Fn(&TableName, &Statement) -> Verdict,
) -> Result {
    let text = query.text()?;
    if !trace.may_concern(&text) {
        return Ok(());
    }
    let mut change = Change::new(&text, query, at, start.to_string());
    // What cannot be read is no statement of a tool.
    let Ok(statement) = parse(&text, &change.context(Some(stream.server))) else { return Ok(()) };
    let reals = statement.subject().map(|s| names.candidates(&s.name)).unwrap_or_default();
    let verdicts = reals.iter().map(|real| judge(real, &statement));
    change.filtered = verdicts.into_iter().find(|v| *v != Verdict::Exclude) == Some(Verdict::Drop);
    trace.statement(names, &statement, change)
}
