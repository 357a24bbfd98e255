//! `dm pause-task`, `dm resume-task`, `dm stop-task`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dm_core::error::codes;
use dm_core::migration::{Answer, Command, Reply, Safety, Verb, refusal};
use dm_core::state::{SourceRow, Stage, StateReader, list_tasks};

use super::start::{HTTP_IGNORED, with_note};
use crate::args::{HttpArgs, ResumeArgs, TaskArgs};
use crate::files::Failure;
use crate::operate::answers;
use crate::operate::client::{self, Sent};
use crate::operate::launch::Launch;
use crate::operate::record;
use crate::operate::texts::{Texts, task_name};
use crate::out;

pub fn pause(args: &TaskArgs) -> Result<ExitCode, Failure> {
    run(args, "Pause", &Verb::Pause)
}

pub fn stop(args: &TaskArgs) -> Result<ExitCode, Failure> {
    run(args, "Stop", &Verb::Stop)
}

pub fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    let safety = match (&args.safe_mode, args.no_safe_mode) {
        (Some(text), _) => safety(text)?,
        (None, true) => Safety::Off,
        (None, false) => Safety::Auto,
    };
    if args.task.task.is_none() && args.http.address.is_some() {
        return Err(Failure::Usage("--http is the address of one task: name the task".to_owned()));
    }
    run_with(&args.task, Some(args), "Resume", &Verb::Resume(safety))
}

/// A span of time or a position.
fn safety(text: &str) -> Result<Safety, Failure> {
    if let Some(span) = span(text) {
        return Ok(Safety::For(span));
    }
    super::checkpoint::parse(text, "mysql")
        .or_else(|_| super::checkpoint::parse(text, "mariadb"))
        .map(Safety::Upto)
        .map_err(|_| {
            Failure::Usage(format!(
                "--safe-mode {text:?} is neither a span such as 10m, nor a position file:offset, \
                 nor a GTID set"
            ))
        })
}

/// A span as DM's keys have it: `90s`, `10m`, `1h30m`.
fn span(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let seconds = match unit.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = unit.get(1..)?;
    }
    (total > 0).then(|| Duration::from_secs(total))
}

fn run(args: &TaskArgs, op: &str, verb: &Verb) -> Result<ExitCode, Failure> {
    run_with(args, None, op, verb)
}

/// `given` is there for a command that takes a file that was changed.
fn run_with(
    args: &TaskArgs,
    given: Option<&ResumeArgs>,
    op: &str,
    verb: &Verb,
) -> Result<ExitCode, Failure> {
    let dir = args.ask.dir();
    let command = Command { verb: verb.clone(), sources: args.only.sources.clone() };
    let reply = match &args.task {
        Some(task) => named(dir, task, given, &command),
        None => everywhere(dir, &command),
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(Failure::Task(error)) => {
            let refused = if error.code() == &codes::TASK_MISSING {
                let task = args.task.as_deref().unwrap_or_default();
                format!(
                    "task {task} has no source or does not exist, please check its name: {error}"
                )
            } else {
                error.to_string()
            };
            Reply::refuse(refused)
        }
        Err(other) => return Err(other),
    };
    let document = answers::operate_task(op, &reply);
    if out::wants_json(args.ask.json) {
        return answers::print(&document);
    }
    out::say(&answers::words(verb.as_str(), &reply))?;
    Ok(answers::status(&document))
}

/// The command to a task that is named as such or by its file.
fn named(
    dir: &Path,
    task: &str,
    given: Option<&ResumeArgs>,
    command: &Command,
) -> Result<Reply, Failure> {
    let name = task_name(task)?;
    let file = Path::new(task);
    if let (Some(given), true) = (given, file.is_file())
        && let Some(reply) = super::changed::resume(dir, file, given, &name, command)?
    {
        return Ok(reply);
    }
    one_with(dir, &name, command, given.map(|given| &given.http))
}

/// The command to all tasks that have a part for one of its sources.
fn everywhere(dir: &Path, command: &Command) -> Result<Reply, Failure> {
    let mut all = Reply::default();
    for task in list_tasks(dir)? {
        let rows = StateReader::open(dir, &task)?.sources()?;
        let has = |name: &String| {
            let part = rows.iter().find(|r| r.source.as_str() == name);
            part.is_some_and(|r| r.desired != Some(Stage::Stopped))
        };
        let sources: Vec<String> = command.sources.iter().filter(|s| has(s)).cloned().collect();
        if sources.is_empty() {
            continue;
        }
        let reply = one(dir, &task, &Command { verb: command.verb.clone(), sources })?;
        if !reply.refused.is_empty() {
            return Ok(reply);
        }
        all.answers.extend(reply.answers.into_iter().map(|answer| {
            let more = if answer.message.is_empty() { "" } else { ": " };
            let message = format!("task {task}{more}{}", answer.message);
            Answer { message, ..answer }
        }));
    }
    if all.answers.is_empty() {
        let names = command.sources.join(", ");
        let text = format!("no task has a part for the source(s) {names}");
        let error = dm_core::Error::new(&codes::SUBTASK_MISSING_SOURCES, text);
        return Ok(Reply::refuse(error.to_string()));
    }
    Ok(all)
}

/// The command to one task, whether a process runs it or not.
pub fn one(dir: &Path, task: &str, command: &Command) -> Result<Reply, Failure> {
    one_with(dir, task, command, None)
}

/// The same with an HTTP interface for a process that it starts.
fn one_with(
    dir: &Path,
    task: &str,
    command: &Command,
    http: Option<&HttpArgs>,
) -> Result<Reply, Failure> {
    let http = http.filter(|http| http.address.is_some());
    for _ in 0..3 {
        match client::send(dir, task, command)? {
            Sent::Answered(reply) => {
                if command.verb == Verb::Stop && nothing_left(dir, task)? {
                    client::wait_ended(dir, task)?;
                }
                if http.is_some() {
                    return Ok(with_note(reply, HTTP_IGNORED));
                }
                return Ok(reply);
            }
            Sent::NobodyRuns => {}
        }
        let done = match command.verb {
            Verb::Resume(_) => restart(dir, task, command, http),
            Verb::Add(_) | Verb::CancelAdd(_) => super::add_table::note(dir, task, command),
            _ => client::note(dir, task, command),
        };
        match done {
            // Somebody started it in between: then it is asked.
            Err(Failure::Task(error)) if error.code() == &codes::STATE_OWNED => {}
            Ok(reply) => {
                record::command(dir, task, command, "", &reply);
                return Ok(reply);
            }
            failed => return failed,
        }
    }
    Ok(Reply::refuse(refusal::contended().to_string()))
}

fn nothing_left(dir: &Path, task: &str) -> Result<bool, Failure> {
    let rows = StateReader::open(dir, task)?.sources()?;
    Ok(rows.iter().all(|r| r.desired == Some(Stage::Stopped)))
}

/// Goes on with a task that no process runs.
fn restart(
    dir: &Path,
    task: &str,
    command: &Command,
    http: Option<&HttpArgs>,
) -> Result<Reply, Failure> {
    let reader = StateReader::open(dir, task)?;
    let rows = reader.sources()?;
    let kept = reader.task()?.config;
    if kept.is_empty() {
        return Ok(Reply::refuse(
            "no process runs the task, and its configuration is not kept: give its file to \
             start-task",
        ));
    }
    drop(reader);
    let mut texts = Texts::from_kept(&kept)?;
    if let Some(http) = http {
        texts = texts.with_http(http);
    }
    begin_again(dir, task, command, &rows, &texts, http.is_some())
}

/// Starts a process that goes on with those sources that a resume names, with these texts. `rows` is how
/// the sources stand; `http_wanted` is what [`Launch`] says.
pub fn begin_again(
    dir: &Path,
    task: &str,
    command: &Command,
    rows: &[SourceRow],
    texts: &Texts,
    http_wanted: bool,
) -> Result<Reply, Failure> {
    let Verb::Resume(safety) = &command.verb else { return Ok(Reply::refuse("not a resume")) };
    let chosen = match client::choose(task, rows, &command.sources) {
        Ok(chosen) => chosen,
        Err(why) => return Ok(Reply::refuse(why)),
    };
    let refused: Vec<Answer> =
        chosen.iter().filter_map(|row| cannot_go_on(row, &command.verb)).collect();
    let named = !command.sources.is_empty();
    if refused.len() == chosen.len() || (named && !refused.is_empty()) {
        return Ok(Reply { answers: refused, ..Reply::default() });
    }
    let begins = |row: &SourceRow| {
        let resumed = chosen.iter().any(|c| c.source == row.source)
            && cannot_go_on(row, &command.verb).is_none();
        match row.desired {
            _ if resumed => Stage::Running,
            Some(stage @ (Stage::Paused | Stage::Stopped)) => stage,
            _ => Stage::Running,
        }
    };
    let stages = rows.iter().map(|row| (row.source.as_str().to_owned(), begins(row))).collect();
    let resume = Some(safety.clone());
    Launch { texts, task, stages, resume, start_time: None, http_wanted }.start(dir)
}

fn cannot_go_on(row: &SourceRow, verb: &Verb) -> Option<Answer> {
    let why = if row.desired == Some(Stage::Stopped) {
        refusal::stopped(verb)
    } else if row.actual == Some(Stage::Finished) {
        refusal::finished(verb)
    } else {
        return None;
    };
    let source = row.source.as_str().to_owned();
    Some(Answer { source, ok: false, message: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h30m", 5_400), ("2d", 172_800)] {
            assert_eq!(span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "10", "m", "0s", "1x", "99999999999999999999h", "b.000001:4"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
        assert!(matches!(safety("b.000001:4"), Ok(Safety::Upto(_))));
        assert!(matches!(safety("0-1-5"), Ok(Safety::Upto(_))));
        assert!(safety("soon").is_err());
    }
}
