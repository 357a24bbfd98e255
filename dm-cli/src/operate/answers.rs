//! Answers in the form of DM's dmctl: key names, value types and indentation.

use std::process::ExitCode;

use dm_core::migration::Reply;
use dm_core::operate::{Answer, all_went_well};
use serde_json::{Map, Value, json};

use crate::files::Failure;
use crate::out;

/// What stands where DM names the worker that a source is bound to: this host.
pub const WORKER: &str = "local";

/// Prints a document as dmctl does; the exit status tells `result`.
pub fn print(document: &Value) -> Result<ExitCode, Failure> {
    let mut text = String::new();
    // A line break inside of a JSON text is escaped: every line begins with its indentation.
    for line in format!("{document:#}").lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        text.extend(std::iter::repeat_n(' ', indent));
        text.push_str(line);
        text.push('\n');
    }
    out::raw(text.as_bytes())?;
    Ok(status(document))
}

/// Success when `result` is true.
pub fn status(document: &Value) -> ExitCode {
    match document.get("result") {
        Some(Value::Bool(false)) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// `{result, msg}` and more.
pub fn answer(result: bool, message: &str, more: Value) -> Value {
    let mut map = Map::new();
    map.insert("result".to_owned(), result.into());
    map.insert("msg".to_owned(), message.into());
    if let Value::Object(more) = more {
        map.extend(more);
    }
    Value::Object(map)
}

/// DM's `CommonWorkerResponse`.
pub fn common(result: bool, message: &str, source: &str) -> Value {
    answer(result, message, json!({"source": source, "worker": WORKER}))
}

/// The `sources` of a reply.
fn sources(reply: &Reply) -> Vec<Value> {
    reply.answers.iter().map(|a| common(a.ok, &a.message, &a.source)).collect()
}

/// DM's `StartTaskResponse`.
pub fn start_task(reply: &Reply) -> Value {
    // As in DM, each source has its own result; the whole is false only when it was refused.
    let good = reply.refused.is_empty() && reply.answers.iter().any(|a| a.ok);
    let more = json!({"sources": sources(reply), "checkResult": reply.checked.text});
    answer(good, &reply.refused, more)
}

/// DM's `OperateTaskResponse`; `op` is `Stop`, `Pause` or `Resume`.
pub fn operate_task(op: &str, reply: &Reply) -> Value {
    let mut map = Map::new();
    map.insert("op".to_owned(), op.into());
    let good = reply.is_ok() && !reply.answers.is_empty();
    if let Value::Object(rest) = answer(good, &reply.refused, json!({"sources": sources(reply)})) {
        map.extend(rest);
    }
    Value::Object(map)
}

/// The same where the command as a whole may have been refused: then that is the answer, on standard error as
/// well. `then` is done with what came of it.
pub fn told(
    result: Result<Vec<Answer>, Failure>,
    then: impl FnOnce(&[Answer]),
) -> Result<ExitCode, Failure> {
    match result {
        Ok(answers) => {
            then(&answers);
            places(&answers)
        }
        Err(failure @ Failure::Usage(_)) => Err(failure),
        Err(failure) => {
            print(&answer(false, &failure.to_string(), json!({"sources": []})))?;
            Err(failure)
        }
    }
}

/// Prints what came of a command about statements or structures for each source; a refusal is told
/// on standard error as well.
pub fn places(answers: &[Answer]) -> Result<ExitCode, Failure> {
    let one = |a: &Answer| {
        let message = match &a.result {
            Ok(said) => said.clone(),
            Err(error) => error.to_string(),
        };
        let mut one = common(a.result.is_ok(), &message, a.source.as_str());
        let more = [
            ("assumed", a.assumed.then_some(Value::Bool(true))),
            ("since", a.since.clone().map(Value::String)),
            ("until", a.until.clone().map(Value::String)),
        ];
        for (key, value) in more {
            if let (Some(fields), Some(value)) = (one.as_object_mut(), value) {
                fields.insert(key.to_owned(), value);
            }
        }
        one
    };
    let sources: Vec<Value> = answers.iter().map(one).collect();
    let refusals: Vec<String> =
        answers.iter().filter_map(|a| a.result.as_ref().err()).map(ToString::to_string).collect();
    for line in &refusals {
        out::tell(line);
    }
    let well = all_went_well(answers);
    print(&answer(well, &refusals.join("\n"), json!({"sources": sources})))
}

/// One line for people.
pub fn words(what: &str, reply: &Reply) -> String {
    if !reply.refused.is_empty() {
        return format!("{what}: {}", reply.refused);
    }
    let mut lines = Vec::new();
    for answer in &reply.answers {
        let word = if answer.ok { "ok" } else { "not done" };
        let more = if answer.message.is_empty() { "" } else { ": " };
        lines.push(format!("{what}, source {}: {word}{more}{}", answer.source, answer.message));
    }
    lines.join("\n")
}
