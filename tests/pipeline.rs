//! Whole migrations without a server: a scripted source, the real pipeline, a target in memory.
//!
//! The crash tests kill a migration at its k-th call to the target, for every k, and start it
//! again on what target and state file then hold. What a source holds at the end of its script is
//! what the target must hold, whatever happened in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "pipeline/adding.rs"]
mod adding;
#[path = "pipeline/around.rs"]
mod around;
#[path = "pipeline/behind.rs"]
mod behind;
#[path = "pipeline/beside.rs"]
mod beside;
#[path = "pipeline/beside_behind.rs"]
mod beside_behind;
#[path = "pipeline/beside_given.rs"]
mod beside_given;
#[path = "pipeline/beside_names.rs"]
mod beside_names;
#[path = "pipeline/beside_pieces.rs"]
mod beside_pieces;
#[path = "pipeline/commands.rs"]
mod commands;
#[path = "pipeline/crash.rs"]
mod crash;
#[path = "pipeline/ddl.rs"]
mod ddl;
#[path = "pipeline/held.rs"]
mod held;
#[path = "pipeline/logged.rs"]
mod logged;
#[path = "pipeline/nasty.rs"]
mod nasty;
#[path = "pipeline/operator.rs"]
mod operator;
#[path = "pipeline/panics.rs"]
mod panics;
#[path = "pipeline/past.rs"]
mod past;
#[path = "pipeline/picky.rs"]
mod picky;
#[path = "pipeline/prepared.rs"]
mod prepared;
#[path = "pipeline/remembered.rs"]
mod remembered;
#[path = "pipeline/rules.rs"]
mod rules;
#[path = "pipeline/running.rs"]
mod running;
#[path = "pipeline/script.rs"]
mod script;
#[path = "pipeline/shards.rs"]
mod shards;
#[path = "pipeline/spoken.rs"]
mod spoken;
#[path = "pipeline/sqlite.rs"]
mod sqlite;
#[path = "pipeline/unmarked.rs"]
mod unmarked;
