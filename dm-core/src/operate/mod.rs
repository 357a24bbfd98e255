//! What an operator does to a task through its state file: from any process, whether the task runs or
//! not.
//!
//! Each command is about some sources of one task and is carried out for all of them or for none; its
//! answer says for each source what came of it.

mod handle_error;
mod place;
mod structure;
mod structure_at;

use std::collections::BTreeSet;
use std::path::Path;

pub use self::handle_error::{HandleError, Operation};
pub use self::place::parse_place;
pub use self::structure::{
    Deliver, GivenStructure, NewStructure, StructureCommand, structure_of, write_structures,
};
use crate::error::{Error, Result, codes};
use crate::event::{LaneId, SourceId};
use crate::state::{LaneState, SourceRow, StateReader, StoredError};

/// What came of a command for one source.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The source.
    pub source: SourceId,
    /// What there is to say, or why it did not work.
    pub result: Result<String>,
    /// A structure that was taken from the target, and has not been compared with the binlog yet.
    pub assumed: bool,
    /// Where a structure came to be ([`crate::schema::Tracked::since`]), when that is known.
    pub since: Option<String>,
    /// Up to where a structure stood that was asked for at an earlier position.
    pub until: Option<String>,
}

impl Answer {
    fn new(source: &SourceId, result: Result<String>) -> Self {
        Self { source: source.clone(), result, assumed: false, since: None, until: None }
    }
}

/// True when a command was carried out: it is for all sources or for none.
pub fn all_went_well(answers: &[Answer]) -> bool {
    answers.iter().all(|a| a.result.is_ok())
}

/// The answers of a command that is for all sources or for none: where one of them refuses, the others tell that
/// nothing was done.
fn all_or_none(mut answers: Vec<Answer>) -> Vec<Answer> {
    if !all_went_well(&answers) {
        for answer in answers.iter_mut().filter(|a| a.result.is_ok()) {
            let text = "nothing was done, because another source refused";
            answer.result = Err(Error::new(&codes::OPERATOR_NOTHING, text)
                .workaround("Name with `-s` only those that it is to be done for."));
        }
    }
    answers
}

/// What the state file says of one source.
struct Known {
    source: SourceId,
    row: Option<SourceRow>,
    lane: Option<LaneState>,
    /// The error about a statement, or about rows, that it met last, unless it has got behind it.
    stopped: Option<StoredError>,
}

/// The sources that are meant; all of the task when none is named.
fn sources(reader: &StateReader, task: &str, named: &[String]) -> Result<Vec<Known>> {
    let rows = reader.sources()?;
    let lanes = reader.lanes()?;
    let there: BTreeSet<SourceId> = rows
        .iter()
        .map(|r| r.source.clone())
        .chain(lanes.iter().map(|l| l.lane.source.clone()))
        .collect();
    let unknown: Vec<&str> =
        named.iter().map(String::as_str).filter(|n| !there.contains(&SourceId::new(*n))).collect();
    let list = |names: &[&str]| names.join(", ");
    if !unknown.is_empty() {
        let there: Vec<&str> = there.iter().map(SourceId::as_str).collect();
        return Err(Error::new(
            &codes::SUBTASK_MISSING_SOURCES,
            format!("task {task:?} has no source {}; it has {}", list(&unknown), list(&there)),
        ));
    }
    let wanted = |s: &SourceId| named.is_empty() || named.iter().any(|n| n == s.as_str());
    let known = |source: SourceId| -> Result<Known> {
        let lane = lanes.iter().find(|l| l.lane == LaneId::main(&source)).cloned();
        Ok(Known {
            stopped: lane.as_ref().map(|lane| place::stopped(reader, lane)).transpose()?.flatten(),
            row: rows.iter().find(|r| r.source == source).cloned(),
            lane,
            source,
        })
    };
    let known: Vec<Known> = there.into_iter().filter(wanted).map(known).collect::<Result<_>>()?;
    if known.is_empty() {
        return Err(Error::new(&codes::TASK_SYNC_ONLY, format!("task {task:?} has never run"))
            .workaround("Start the task first."));
    }
    Ok(known)
}

/// Opens the state of a task for reading.
fn reader(dir: &Path, task: &str) -> Result<StateReader> {
    StateReader::open(dir, task)
}
