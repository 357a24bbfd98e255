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
        let positions = of_task(&reader, &SourceId::new(source))?;
        all.extend(positions.into_iter().map(|position| Need { task: task.clone(), position }));
    }
    Ok(all)
}

fn of_task(reader: &StateReader, source: &SourceId) -> Result<Vec<Position>> {
    let mut all = Vec::new();
    let main = checkpoint(reader, &LaneId::main(source))?;
    if main.is_none() {
        let row = reader.sources()?.into_iter().find(|row| row.source == *source);
        // Only a task that does not follow the binlog finishes without a checkpoint.
        if row.is_none_or(|row| row.actual != Some(Stage::Finished)) {
            all.extend(copied(reader, &LaneId::copy(source))?);
        }
    }
    all.extend(main);
    // A table that is being added is read behind its own copy.
    for table in reader.additions(source)? {
        let followed = checkpoint(reader, &table.stream_lane(source))?;
        let from_copy = copied(reader, &table.copy_lane(source))?;
        all.extend(followed.or(from_copy));
    }
    all.retain(|position| !position.is_empty());
    Ok(all)
}

fn checkpoint(reader: &StateReader, lane: &LaneId) -> Result<Option<Position>> {
    let lane = reader.lane(lane)?;
    Ok(lane.and_then(|lane| lane.checkpoint).map(|checkpoint| checkpoint.position))
}

/// Where a copy began: what follows it is read from there.
fn copied(reader: &StateReader, lane: &LaneId) -> Result<Option<Position>> {
    Ok(reader.copy(lane)?.map(|copy| copy.position))
}
