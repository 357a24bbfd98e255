//! `dm handle-error` and `dm binlog`: what happens instead of a statement.

use std::path::Path;
use std::process::ExitCode;

use dm_core::migration::{Command, Safety, Verb};
use dm_core::operate::{Answer, HandleError, Operation, all_went_well, parse_place};
use dm_core::state::{SourceRow, Stage, StateReader, StateStore};
use serde_json::Value;

use crate::args::{BinlogArgs, HandleErrorArgs, StatementOp, StatementPlace};
use crate::files::Failure;
use crate::operate::answers::{self, Asked};
use crate::operate::client::{self, Sent};
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
    let mut result = command.run(dir, &task).map_err(Failure::from);
    let listed = command.operation == Operation::List;
    if let Ok(answers) = result.as_mut()
        && !listed
        && all_went_well(answers)
    {
        go_on(dir, &task, answers);
    }
    answers::told(&asked, result, |answers| {
        if !listed {
            record::answered(dir, &task, "handle-error", &words, answers);
        }
    })
}

/// As in DM, the word is all that it takes: sources that have stopped at an error go on with it. What a person
/// has paused stays so. The word is noted whatever comes of this.
fn go_on(dir: &Path, task: &str, answers: &mut [Answer]) {
    let rows = match StateReader::open(dir, task).and_then(|reader| reader.sources()) {
        Ok(rows) => rows,
        Err(error) => {
            log::warn!("how the sources of task {task:?} stand cannot be read: {error}");
            return;
        }
    };
    for answer in answers {
        let row = rows.iter().find(|row| row.source == answer.source);
        let then = row.and_then(|row| goes_on(dir, task, row));
        if let (Some(then), Ok(said)) = (then, &mut answer.result) {
            said.push_str(&format!("; {then}"));
        }
    }
}

/// What there is to say about a source that stands; `None` for one that works, or that no process has.
fn goes_on(dir: &Path, task: &str, row: &SourceRow) -> Option<String> {
    let runs = matches!(StateStore::owner(dir, task), Ok(Some(_)));
    if row.actual != Some(Stage::Paused) || !runs {
        return None;
    }
    if row.error.is_none() || row.desired == Some(Stage::Paused) {
        return Some("it is paused, `dm resume-task` goes on".to_owned());
    }
    // Rows are as exact as they were.
    let verb = Verb::Resume(Safety::Off);
    let resume = Command { verb, sources: vec![row.source.as_str().to_owned()] };
    Some(match client::send(dir, task, &resume) {
        Ok(Sent::Answered(reply)) if reply.is_ok() => "it goes on".to_owned(),
        Ok(Sent::Answered(reply)) => {
            let refused = reply.answers.into_iter().find(|a| !a.ok).map(|a| a.message);
            format!("it does not go on yet: {}", refused.unwrap_or(reply.refused))
        }
        Ok(Sent::NobodyRuns) => "its process has ended: start the task again".to_owned(),
        Err(failure) => format!("it does not go on yet: {failure}"),
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
        let is = |key: &str| of.get(key) == Some(&Value::Bool(true));
        let mut line = format!("\n  {} at {}", text(of, "op")?, text(of, "binlogPos")?);
        line.push_str(match (is("used"), is("passed")) {
            (true, _) => ", used",
            (false, true) => {
                ", passed without being used: nothing that it could be about begins there"
            }
            (false, false) => ", not used yet",
        });
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
