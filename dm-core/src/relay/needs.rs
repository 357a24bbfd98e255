//! What the tasks of a source still need of its binlog.
//!
//! Every task that the state directory knows counts, also one that is stopped: it may be started again. A
//! task needs everything behind its checkpoint; one that copies needs everything behind the position of
//! its copy; one that has finished needs nothing.

use std::path::Path;

use crate::error::{Result, codes};
use crate::event::{LaneId, SourceId};
use crate::position::Position;
use crate::state::{Stage, StateReader, list_tasks};

/// A place in the binlog, and who needs what lies behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Need {
    pub task: String,
    pub position: Position,
}

/// The needs of all tasks of a source.
///
/// A task whose state cannot be read is an error: nobody knows what it needs.
pub(super) fn of_source(state_dir: &Path, source: &str) -> Result<Vec<Need>> {
    let mut all = Vec::new();
    for task in list_tasks(state_dir)? {
        let reader = match StateReader::open(state_dir, &task) {
            Ok(reader) => reader,
            // It was removed meanwhile.
            Err(error) if error.code() == &codes::TASK_MISSING => continue,
            Err(error) => return Err(error),
        };
        let position = of_task(&reader, &SourceId::new(source))?;
        all.extend(position.map(|position| Need { task, position }));
    }
    Ok(all)
}

fn of_task(reader: &StateReader, source: &SourceId) -> Result<Option<Position>> {
    let main = reader.lane(&LaneId::main(source))?.and_then(|lane| lane.checkpoint);
    if let Some(checkpoint) = main {
        return Ok(Some(checkpoint.position).filter(|p| !p.is_empty()));
    }
    let Some(copy) = reader.copy(&LaneId::copy(source))? else { return Ok(None) };
    let row = reader.sources()?.into_iter().find(|row| row.source == *source);
    // Only a task that does not follow the binlog finishes without a checkpoint.
    let finished = row.is_some_and(|row| row.actual == Some(Stage::Finished));
    Ok(Some(copy.position).filter(|p| !finished && !p.is_empty()))
}
