//! Places in the binlog of a source that an operator speaks of.

use super::Known;
use crate::error::{Error, Result, codes};
use crate::position::BinlogPos;
use crate::state::{LaneState, STOPPED_AT, StateReader, StoredError};

/// Before it a binlog file has only the mark that makes it one.
const FIRST_EVENT: u64 = 4;

/// A place in a binlog as people write it: `file:offset`, maybe in quotes, maybe with the number of a
/// relay log's directory, or as error messages print it.
///
/// # Errors
///
/// 36223 for anything else.
pub fn parse_place(text: &str) -> Result<BinlogPos> {
    let bare = text.trim().trim_matches(['"', '\'', '`']).trim();
    let pos: BinlogPos = bare.parse().map_err(|e| {
        Error::new(&codes::OPERATOR_PLACE, format!("{text:?} is no position file:offset")).cause(e)
    })?;
    Ok(BinlogPos::new(pos.file.without_relay(), pos.offset))
}

/// Where a source stands, when that is a place in a file.
///
/// # Errors
///
/// 40056 for one that does not follow its binlog yet.
pub(super) fn checkpoint(known: &Known) -> Result<Option<BinlogPos>> {
    match known.lane.as_ref().and_then(|lane| lane.checkpoint.as_ref()) {
        Some(checkpoint) => Ok(checkpoint.position.binlog.clone()),
        None => Err(Error::new(
            &codes::TASK_SYNC_ONLY,
            format!("source {} does not follow its binlog yet", known.source),
        )
        .workaround("Wait until the copy is done.")),
    }
}

/// The error about a statement, or about rows, that a lane met last; `None` when it has got behind it.
pub(super) fn stopped(reader: &StateReader, lane: &LaneState) -> Result<Option<StoredError>> {
    let Some(note) = reader.note(&lane.lane, STOPPED_AT)? else { return Ok(None) };
    let error: StoredError = serde_json::from_slice(&note).map_err(|e| {
        Error::new(&codes::STATE_VALUE, "the state holds a bad error of a source").cause(e)
    })?;
    let stands = lane.checkpoint.as_ref().and_then(|c| c.position.binlog.as_ref());
    let place = if error.start.is_empty() { &error.rows } else { &error.start };
    let ahead = stands.is_none_or(|stands| parse_place(place).is_ok_and(|place| place >= *stands));
    Ok(ahead.then_some(error))
}

/// The places of a source's binlog that the task has heard of: where it stands, where it has stopped, and where
/// the binlog ended when the source was last asked.
fn heard_of(known: &Known) -> Vec<BinlogPos> {
    let mut heard: Vec<BinlogPos> = checkpoint(known).ok().flatten().into_iter().collect();
    if let Some(row) = &known.row {
        let stopped = row.error.iter().chain(&known.stopped);
        let stopped = stopped.flat_map(|e| [e.start.as_str(), e.end.as_str(), &e.rows]);
        let end = row.status.as_ref().and_then(|status| status["sync"]["masterBinlog"].as_str());
        heard.extend(stopped.chain(end).filter_map(|text| parse_place(text).ok()));
    }
    heard
}

/// Refuses a place that no statement of the source can have: it would be noted and never met.
pub(super) fn check_file(known: &Known, place: &BinlogPos) -> Result<()> {
    let (source, at) = (&known.source, place.to_colon_text());
    if place.offset < FIRST_EVENT {
        let text = format!("nothing begins at {at}: the first event of a file is at {FIRST_EVENT}");
        return Err(Error::new(&codes::OPERATOR_PLACE, text));
    }
    let heard = heard_of(known);
    let Some(own) = heard.first() else { return Ok(()) };
    if heard.iter().any(|heard| heard.file.base() == place.file.base()) {
        return Ok(());
    }
    let text = format!(
        "source {source} has no binlog file {}: its files are called as in {}, where it stands",
        place.file,
        own.to_colon_text()
    );
    Err(Error::new(&codes::OPERATOR_PLACE, text))
}

/// What is worth knowing about a place behind all that the task has heard of, as words behind an answer.
pub(super) fn behind_the_end(known: &Known, place: &BinlogPos) -> String {
    let heard = heard_of(known).into_iter();
    let of_place = heard.filter(|heard| heard.file.base() == place.file.base());
    let last = of_place.max_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    match last {
        Some(last) if *place > last => format!(
            "; the source's binlog ended at {} when it was last asked, so this waits for what is still to be written",
            last.to_colon_text()
        ),
        _ => String::new(),
    }
}
