//! `dm checkpoint`: the stored positions of a task.

use std::path::Path;
use std::process::ExitCode;

use dm_core::event::{LaneId, SourceId};
use dm_core::position::{Flavor, GtidSet, Position};
use dm_core::state::{StateReader, StateStore};

use crate::args::CheckpointCommand;
use crate::files::Failure;

pub fn run(command: &CheckpointCommand) -> Result<ExitCode, Failure> {
    match command {
        CheckpointCommand::Show { task, state } => show(&state.state_dir, task),
        CheckpointCommand::Set { task, source, position, flavor, state } => {
            set(&state.state_dir, task, source, position, flavor)
        }
    }
}

fn show(dir: &Path, task: &str) -> Result<ExitCode, Failure> {
    for lane in StateReader::open(dir, task)?.lanes()? {
        match &lane.checkpoint {
            Some(c) => println!("{}: {}", lane.lane, c.position),
            None => println!("{}: no position yet", lane.lane),
        }
        if let Some(until) = &lane.idempotent_until {
            println!("{}: applied idempotently until {until}", lane.lane);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn set(
    dir: &Path,
    task: &str,
    source: &str,
    position: &str,
    flavor: &str,
) -> Result<ExitCode, Failure> {
    let to = parse(position, flavor)?;
    // Opening for writing takes the owner's lock: a running task refuses.
    let state = StateStore::open(dir, task)?;
    let lane = LaneId::main(&SourceId::new(source));
    let moved = state.move_checkpoint(&lane, &to)?;
    println!("{lane}: {to}");
    if let Some(until) = moved.idempotent_until {
        println!("{lane}: applied idempotently until {until}");
    }
    Ok(ExitCode::SUCCESS)
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
