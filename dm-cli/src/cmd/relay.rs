//! `dm start-relay`, `stop-relay`, `pause-relay`, `resume-relay`, `purge-relay`.

use std::path::Path;
use std::process::ExitCode;

use dm_core::error::codes;
use dm_core::relay::{self, RelayDir};
use dm_core::state::Stage;
use serde_json::{Map, Value, json};

use crate::args::{PurgeRelayArgs, RelayArgs};
use crate::files::Failure;
use crate::operate::answers;
use crate::operate::relay::{config, launch, texts, wait_for};

pub fn start(args: &RelayArgs) -> Result<ExitCode, Failure> {
    each(args, ("start-relay", "StartRelayV2"), &|source| start_one(args, source))
}

pub fn resume(args: &RelayArgs) -> Result<ExitCode, Failure> {
    each(args, ("resume-relay", "ResumeRelay"), &|source| {
        let dir = known(&args.ask.state.state_dir, source)?;
        if dir.wanted()?.is_some_and(|wanted| wanted.stage == Stage::Stopped) {
            return Err(wrong_stage(format!(
                "the relay of source {source} is stopped: start-relay"
            )));
        }
        start_one(args, source)
    })
}

pub fn pause(args: &RelayArgs) -> Result<ExitCode, Failure> {
    each(args, ("pause-relay", "PauseRelay"), &|source| {
        let dir = known(&args.ask.state.state_dir, source)?;
        if dir.puller()?.is_none() {
            return Err(wrong_stage(format!("the relay of source {source} does not run")));
        }
        dir.want(Stage::Paused)?;
        done(wait_for(&dir, Stage::Paused)?)
    })
}

pub fn stop(args: &RelayArgs) -> Result<ExitCode, Failure> {
    each(args, ("stop-relay", "StopRelayV2"), &|source| {
        let dir = known(&args.ask.state.state_dir, source)?;
        dir.want(Stage::Stopped)?;
        done(wait_for(&dir, Stage::Stopped)?)
    })
}

pub fn purge(args: &PurgeRelayArgs) -> Result<ExitCode, Failure> {
    let state_dir = &args.ask.state.state_dir;
    let purged = texts(state_dir, &args.source, args.key.path())
        .and_then(|texts| known(state_dir, &args.source).map(|_| texts))
        .and_then(|texts| config(state_dir, &texts))
        .and_then(|config| {
            Ok(relay::purge_before(&config, &args.filename, args.sub_dir.as_deref())?)
        });
    let (good, message) = match purged {
        Ok(said) => (true, said),
        Err(failure @ Failure::Usage(_)) => return Err(failure),
        Err(failure) => {
            answers::also_told(&failure, args.ask.json);
            (false, failure.to_string())
        }
    };
    let sources = json!({"sources": [answers::common(good, &message, &args.source)]});
    let refused = if good { "" } else { &message };
    let document = answers::answer(good, refused, sources);
    answers::show("purge-relay", &document, args.ask.json)
}

/// Starts it, or tries again at once when a process keeps it already.
fn start_one(args: &RelayArgs, source: &str) -> Result<String, Failure> {
    let state_dir = &args.ask.state.state_dir;
    let texts = texts(state_dir, source, args.key.path())?;
    let dir = config(state_dir, &texts)?.directory();
    dir.want(Stage::Running)?;
    if dir.puller()?.is_none() {
        launch(state_dir, source, &texts)?;
    }
    done(wait_for(&dir, Stage::Running)?)
}

fn done(trouble: Option<String>) -> Result<String, Failure> {
    match trouble {
        None => Ok(String::new()),
        Some(why) => Err(dm_core::Error::new(&codes::RELAY_STAGE, why).into()),
    }
}

/// The relay log that a source has.
fn known(state_dir: &Path, source: &str) -> Result<RelayDir, Failure> {
    relay::find(state_dir, source)?.ok_or_else(|| {
        wrong_stage(format!(
            "source {source} has no relay log in this state directory; `dm start-relay` makes one"
        ))
    })
}

fn wrong_stage(text: String) -> Failure {
    dm_core::Error::new(&codes::RELAY_STAGE, text).into()
}

/// Does the same for each source, and answers in DM's form.
fn each(
    args: &RelayArgs,
    (what, op): (&str, &str),
    one: &dyn Fn(&str) -> Result<String, Failure>,
) -> Result<ExitCode, Failure> {
    let mut good = true;
    let mut sources = Vec::new();
    for source in &args.sources {
        let (result, message) = match one(source) {
            Ok(said) => (true, said),
            Err(failure @ Failure::Usage(_)) => return Err(failure),
            Err(failure) => {
                answers::also_told(&failure, args.ask.json);
                (false, failure.to_string())
            }
        };
        good &= result;
        sources.push(answers::common(result, &message, source));
    }
    let mut document = Map::new();
    document.insert("op".to_owned(), op.into());
    if let Value::Object(rest) = answers::answer(good, "", json!({"sources": sources})) {
        document.extend(rest);
    }
    answers::show(what, &Value::Object(document), args.ask.json)
}
