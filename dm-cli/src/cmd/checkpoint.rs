//! `dm checkpoint`: the stored positions of a task.

use std::path::Path;
use std::process::ExitCode;

use dm_core::event::{LaneId, SourceId};
use dm_core::migration::{Reply, refusal};
use dm_core::position::{Flavor, GtidSet, Position};
use dm_core::state::{LaneState, StateReader, StateStore};

use serde_json::json;

use crate::args::CheckpointCommand;
use crate::files::Failure;
use crate::operate::record;
use crate::operate::texts::task_name;
use crate::out;

pub fn run(command: &CheckpointCommand) -> Result<ExitCode, Failure> {
    match command {
        CheckpointCommand::Show { task, state } => show(&state.state_dir, &task_name(task)?),
        CheckpointCommand::Set { task, source, position, flavor, state } => {
            set(&state.state_dir, &task_name(task)?, source, position, flavor)
        }
    }
}

fn show(dir: &Path, task: &str) -> Result<ExitCode, Failure> {
    let mut lines = Vec::new();
    for lane in StateReader::open(dir, task)?.lanes()? {
        lines.push(match &lane.checkpoint {
            Some(c) => format!("{}: {}", lane.lane, c.position),
            None => format!("{}: no position yet", lane.lane),
        });
        lines.extend(idempotent(&lane));
    }
    if lines.is_empty() {
        lines.push("no position yet".to_owned());
    }
    out::say(&lines.join("\n"))
}

fn set(
    dir: &Path,
    task: &str,
    source: &str,
    position: &str,
    flavor: &str,
) -> Result<ExitCode, Failure> {
    let to = parse(position, flavor)?;
    let known = StateReader::open(dir, task)?.sources()?;
    if !known.iter().any(|row| row.source.as_str() == source) {
        return Err(refusal::no_part(task, &[source]).into());
    }
    // Opening for writing takes the owner's lock: a running task refuses.
    let state = StateStore::open(dir, task)?;
    let lane = LaneId::main(&SourceId::new(source));
    let moved = state.move_checkpoint(&lane, &to)?;
    drop(state);
    let args = json!({"sources": [source], "words": format!("set {position}")});
    record::record(dir, task, "checkpoint", &args, &Reply::default());
    let mut lines = vec![format!("{lane}: {to}")];
    lines.extend(idempotent(&moved));
    out::say(&lines.join("\n"))
}

fn idempotent(lane: &LaneState) -> Option<String> {
    let until = lane.idempotent_until.as_ref()?;
    Some(format!("{}: applied idempotently until {until}", lane.lane))
}

/// A position as people write it: `file:offset`, or a GTID set.
pub fn parse(text: &str, flavor: &str) -> Result<Position, Failure> {
    if let Ok(pos) = text.parse() {
        return Ok(Position::at(pos));
    }
    let usage = |e: dm_core::position::PositionError| Failure::Usage(e.to_string());
    let flavor: Flavor = flavor.parse().map_err(usage)?;
    let set = GtidSet::parse(flavor, text).map_err(|_| {
        Failure::Usage(format!("{text:?} is neither a position file:offset nor a GTID set"))
    })?;
    Ok(Position::of_gtid(set))
}
