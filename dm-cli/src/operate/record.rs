//! Commands that were carried out without the process of their task, for `dm history`.

use std::path::Path;

use dm_core::error::codes;
use dm_core::migration::{Answer, Command, Reply};
use dm_core::operate;
use dm_core::state::{CommandState, Mailbox};
use serde_json::{Value, json};

/// Keeps a command to a task and what came of it. It has been carried out: what keeps it from being noted is
/// told in the log only, and a task of which nothing is stored has no history.
pub fn record(dir: &Path, task: &str, verb: &str, args: &Value, reply: &Reply) {
    let state = if reply.is_ok() { CommandState::Done } else { CommandState::Failed };
    let noted = Mailbox::open(dir, task)
        .and_then(|mailbox| mailbox.record(verb, args, state, &reply.to_json()));
    match noted {
        Err(error) if error.code() != &codes::TASK_MISSING => {
            log::warn!("{verb} is not noted in the history of task {task:?}: {error}");
        }
        _ => {}
    }
}

/// The same for a command as processes take it, with what was typed beside its sources.
pub fn command(dir: &Path, task: &str, command: &Command, more: &str, reply: &Reply) {
    let mut args = command.args();
    if let (false, Some(fields)) = (more.is_empty(), args.as_object_mut()) {
        fields.insert("words".to_owned(), more.into());
    }
    record(dir, task, command.verb.as_str(), &args, reply);
}

/// The same for a command about statements, structures or positions.
pub fn answered(dir: &Path, task: &str, verb: &str, words: &str, answers: &[operate::Answer]) {
    let sources: Vec<&str> = answers.iter().map(|a| a.source.as_str()).collect();
    let told = |a: &operate::Answer| Answer {
        source: a.source.as_str().to_owned(),
        ok: a.result.is_ok(),
        message: match &a.result {
            Ok(said) => said.clone(),
            Err(error) => error.to_string(),
        },
    };
    let answers = answers.iter().map(told).collect();
    let reply = Reply { answers, ..Reply::default() };
    record(dir, task, verb, &json!({"sources": sources, "words": words}), &reply);
}
