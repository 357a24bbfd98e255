//! Tasks in the background and the commands of dmctl, on real servers: every command against a
//! task in every stage, the JSON of the documents, scripts as they were written.
//!
//! A test that starts a task stops it, or its process is killed when the test ends ([`Place`]).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

#[path = "operate/adding.rs"]
mod adding;
#[path = "operate/answers.rs"]
mod answers;
#[path = "operate/changed.rs"]
mod changed;
#[path = "operate/commands.rs"]
mod commands;
#[path = "operate/cost.rs"]
mod cost;
#[path = "operate/faults.rs"]
mod faults;
#[path = "operate/network.rs"]
mod network;
#[path = "operate/place.rs"]
mod place;
#[path = "operate/runbook.rs"]
mod runbook;
#[path = "operate/scenarios.rs"]
mod scenarios;
#[path = "operate/scripts.rs"]
mod scripts;
#[path = "operate/secrets.rs"]
mod secrets;
#[path = "operate/shapes.rs"]
mod shapes;
#[path = "operate/site.rs"]
mod site;
#[path = "operate/stages.rs"]
mod stages;
#[path = "operate/starts.rs"]
mod starts;
#[path = "operate/words.rs"]
mod words;
