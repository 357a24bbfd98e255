//! `dm handle-error` and `dm binlog`: what happens instead of a statement.

use std::process::ExitCode;

use dm_core::operate::{Answer, HandleError, Operation, parse_place};
use serde_json::Value;

use crate::args::{BinlogArgs, HandleErrorArgs, StatementOp, StatementPlace};
use crate::files::Failure;
use crate::operate::answers::{self, Asked};
use crate::operate::record;
use crate::operate::texts::task_name;

pub fn handle_error(args: &HandleErrorArgs) -> Result<ExitCode, Failure> {
    run(&args.task, args.operation, &args.sql, &args.place)
}

pub fn binlog(args: &BinlogArgs) -> Result<ExitCode, Failure> {
    run(&args.task, args.operation, &args.sql, &args.place)
}

fn run(
    task: &str,
    operation: StatementOp,
    sql: &[String],
    place: &StatementPlace,
) -> Result<ExitCode, Failure> {
    // As in DM: a statement need not be in quotes.
    let sql = sql.join(" ");
    let wants_sql = matches!(operation, StatementOp::Replace | StatementOp::Inject);
    if wants_sql && sql.trim().is_empty() {
        return Err(Failure::Usage("replace and inject need the statements to run".to_owned()));
    }
    if !wants_sql && !sql.trim().is_empty() {
        return Err(Failure::Usage(format!("{sql:?}: only replace and inject take statements")));
    }
    let position = place.binlog_pos.as_deref().map(parse_place).transpose();
    let command = HandleError {
        sources: place.sources.clone(),
        position: position.map_err(Failure::Input)?,
        operation: match operation {
            StatementOp::Skip => Operation::Skip,
            StatementOp::Replace => Operation::Replace(sql),
            StatementOp::Inject => Operation::Inject(sql),
            StatementOp::Revert => Operation::Revert,
            StatementOp::List => Operation::List,
        },
    };
    let (dir, task) = (place.ask.dir(), task_name(task)?);
    let words = words(&command);
    let what = format!("handle-error {}", verb(&command.operation).0);
    let asked = Asked { what: &what, json: place.ask.json, words: in_words };
    answers::told(&asked, command.run(dir, &task).map_err(Failure::from), |answers| {
        if command.operation != Operation::List {
            record::answered(dir, &task, "handle-error", &words, answers);
        }
    })
}

/// What a source said, for people; the list of words comes as JSON.
fn in_words(_: &Answer, message: &str) -> String {
    let Ok(Value::Array(noted)) = serde_json::from_str(message) else { return message.to_owned() };
    if noted.is_empty() {
        return "nothing is noted".to_owned();
    }
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    let one = |of: &Value| {
        let sqls = of.get("sqls").and_then(Value::as_array).into_iter().flatten();
        let sqls: Vec<&str> = sqls.filter_map(Value::as_str).collect();
        let used = of.get("used") == Some(&Value::Bool(true));
        let mut line = format!("\n  {} at {}", text(of, "op")?, text(of, "binlogPos")?);
        line.push_str(if used { ", used" } else { ", not used yet" });
        if !sqls.is_empty() {
            line.push_str(&format!(": {}", sqls.join("; ")));
        }
        Some(line)
    };
    noted.iter().filter_map(one).collect()
}

/// The word of an operation, and its statements.
fn verb(operation: &Operation) -> (&'static str, &str) {
    match operation {
        Operation::Skip => ("skip", ""),
        Operation::Replace(sql) => ("replace", sql.as_str()),
        Operation::Inject(sql) => ("inject", sql.as_str()),
        Operation::Revert => ("revert", ""),
        _ => ("list", ""),
    }
}

/// What was typed, for the history.
fn words(command: &HandleError) -> String {
    let (verb, sql) = verb(&command.operation);
    let place = command.position.as_ref().map(|at| format!("-b {}", at.to_colon_text()));
    let sql = Some(sql).filter(|sql| !sql.is_empty()).map(|sql| format!("{sql:?}"));
    let words: Vec<String> = [Some(verb.to_owned()), place, sql].into_iter().flatten().collect();
    words.join(" ")
}
