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

/// Who asked for an answer about statements or structures, and how it is told.
pub struct Asked<'a> {
    /// The command, for people.
    pub what: &'a str,
    /// JSON is wanted, also on a terminal.
    pub json: bool,
    /// What a source said, in words.
    pub words: fn(&Answer, &str) -> String,
}

/// Tells what came of a command about statements or structures; the command as a whole may have been
/// refused, then that is the answer. `then` is done with what came of it.
pub fn told(
    asked: &Asked<'_>,
    result: Result<Vec<Answer>, Failure>,
    then: impl FnOnce(&[Answer]),
) -> Result<ExitCode, Failure> {
    match result {
        Ok(answers) => {
            then(&answers);
            places(asked, &answers)
        }
        Err(failure @ Failure::Usage(_)) => Err(failure),
        Err(failure) => {
            if out::wants_json(asked.json) {
                print(&answer(false, &failure.to_string(), json!({"sources": []})))?;
            }
            Err(failure)
        }
    }
}

/// What came of it for each source; for scripts a refusal is told on standard error as well.
fn places(asked: &Asked<'_>, answers: &[Answer]) -> Result<ExitCode, Failure> {
    let message = |a: &Answer| match &a.result {
        Ok(said) => said.clone(),
        Err(error) => error.to_string(),
    };
    let well = all_went_well(answers);
    if !out::wants_json(asked.json) {
        let one = |a: &Answer| {
            let said = (asked.words)(a, &message(a));
            line(&format!("{}, source {}", asked.what, a.source), a.result.is_ok(), &said)
        };
        out::say(&answers.iter().map(one).collect::<Vec<_>>().join("\n"))?;
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let one = |a: &Answer| {
        let mut one = common(a.result.is_ok(), &message(a), a.source.as_str());
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
    print(&answer(well, &refusals.join("\n"), json!({"sources": sources})))
}

/// A refusal is on standard error beside a script's JSON; for people it stands in the answer itself.
pub fn also_told(failure: &Failure, json: bool) {
    if out::wants_json(json) {
        out::fail(failure);
    }
}

/// Tells an answer of which each source has a part: for scripts as dmctl does, for people a line each.
pub fn show(what: &str, document: &Value, json: bool) -> Result<ExitCode, Failure> {
    if out::wants_json(json) {
        return print(document);
    }
    out::say(&in_words(what, document))?;
    Ok(status(document))
}

fn in_words(what: &str, document: &Value) -> String {
    let one = |what: &str, of: &Value| {
        let text = of.get("msg").and_then(Value::as_str).unwrap_or_default();
        line(what, of.get("result") != Some(&Value::Bool(false)), text)
    };
    let sources = document.get("sources").and_then(Value::as_array);
    let lines: Vec<String> = sources
        .into_iter()
        .flatten()
        .map(|of| {
            let id = of.get("source").and_then(Value::as_str).unwrap_or_default();
            one(&format!("{what}, source {id}"), of)
        })
        .collect();
    if lines.is_empty() { one(what, document) } else { lines.join("\n") }
}

fn line(what: &str, ok: bool, message: &str) -> String {
    let word = if ok { "ok" } else { "not done" };
    let more = match message.chars().next() {
        None => "",
        Some('\n') => ":",
        Some(_) => ": ",
    };
    format!("{what}: {word}{more}{message}")
}

/// One line for people.
pub fn words(what: &str, reply: &Reply) -> String {
    if !reply.refused.is_empty() {
        return format!("{what}: {}", reply.refused);
    }
    let one = |a: &dm_core::migration::Answer| {
        line(&format!("{what}, source {}", a.source), a.ok, &a.message)
    };
    reply.answers.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_lines_for_people() {
        let two = [common(true, "", "a"), common(false, "it broke", "b")];
        let document = answer(false, "", json!({"sources": two}));
        let words = in_words("pause-relay", &document);
        assert_eq!(words, "pause-relay, source a: ok\npause-relay, source b: not done: it broke");
        let whole = answer(false, "no source", json!({"sources": []}));
        assert_eq!(in_words("operate-source", &whole), "operate-source: not done: no source");
    }
}
