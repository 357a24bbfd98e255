//! `dm handle-error` and `dm binlog`: what happens instead of a statement.

use std::process::ExitCode;

use dm_core::operate::{HandleError, Operation, parse_place};

use crate::args::{BinlogArgs, HandleErrorArgs, StatementOp, StatementPlace};
use crate::files::Failure;
use crate::operate::texts::task_name;
use crate::operate::{answers, record};

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
    let (dir, task) = (&place.state.state_dir, task_name(task)?);
    let words = words(&command);
    answers::told(command.run(dir, &task).map_err(Failure::from), |answers| {
        if command.operation != Operation::List {
            record::answered(dir, &task, "handle-error", &words, answers);
        }
    })
}

/// What was typed, for the history.
fn words(command: &HandleError) -> String {
    let (verb, sql) = match &command.operation {
        Operation::Skip => ("skip", ""),
        Operation::Replace(sql) => ("replace", sql.as_str()),
        Operation::Inject(sql) => ("inject", sql.as_str()),
        Operation::Revert => ("revert", ""),
        _ => ("list", ""),
    };
    let place = command.position.as_ref().map(|at| format!("-b {}", at.to_colon_text()));
    let sql = Some(sql).filter(|sql| !sql.is_empty()).map(|sql| format!("{sql:?}"));
    let words: Vec<String> = [Some(verb.to_owned()), place, sql].into_iter().flatten().collect();
    words.join(" ")
}
