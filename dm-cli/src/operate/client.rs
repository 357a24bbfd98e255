//! Commands to a task: to the process that runs it, or, when none does, to its state file.

use std::path::Path;
use std::time::{Duration, Instant};

use dm_core::error::codes;
use dm_core::event::SourceId;
use dm_core::migration::{Answer, Command, Reply, Verb, refusal};
use dm_core::state::{CommandState, Mailbox, SourceRow, Stage, StateReader, StateStore};

use crate::files::Failure;

/// The running process answers within 12 s, with how far it is when it has come no further.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks for the answer.
const LOOK: Duration = Duration::from_millis(10);
/// How long a process may take to end after its last source has stopped.
const END_PATIENCE: Duration = Duration::from_secs(8);

/// What became of a command.
pub enum Sent {
    /// The process that runs the task answered.
    Answered(Reply),
    /// No process runs the task; the command was not carried out.
    NobodyRuns,
}

/// Sends a command to the process that runs a task.
///
/// A task that does not exist is told as `TASK_MISSING`.
pub fn send(dir: &Path, task: &str, command: &Command) -> Result<Sent, Failure> {
    let mailbox = Mailbox::open(dir, task)?;
    let deadline = Instant::now() + PATIENCE;
    // A process that begins answers letters of before with "interrupted": then it is asked again.
    while StateStore::owner(dir, task)?.is_some() {
        let id = mailbox.post(command.verb.as_str(), &command.args())?;
        match wait(dir, task, &mailbox, id, deadline)? {
            Some(reply) => return Ok(Sent::Answered(reply)),
            None if Instant::now() >= deadline => {
                return Err(dm_core::Error::new(
                    &codes::COMMAND_UNANSWERED,
                    format!(
                        "the process that runs {task:?} has not answered {}",
                        command.verb.as_str()
                    ),
                )
                .into());
            }
            None => {}
        }
    }
    Ok(Sent::NobodyRuns)
}

/// The reply; `None` when the process ended, or was only beginning.
fn wait(
    dir: &Path,
    task: &str,
    mailbox: &Mailbox,
    id: i64,
    deadline: Instant,
) -> Result<Option<Reply>, Failure> {
    loop {
        let letter = mailbox.command(id)?;
        let Some(letter) = letter else { return Ok(None) };
        match letter.state {
            CommandState::Done | CommandState::Failed => {
                return Ok(letter.reply.as_ref().map(Reply::from_json));
            }
            CommandState::Interrupted => return Ok(None),
            _ => {}
        }
        if StateStore::owner(dir, task)?.is_none() || Instant::now() >= deadline {
            // What nobody has read is not carried out later behind our back.
            if mailbox.withdraw(id)? || StateStore::owner(dir, task)?.is_none() {
                // It may have been answered with the process's last breath.
                let last = mailbox.command(id)?.and_then(|letter| letter.reply);
                return Ok(last.as_ref().map(Reply::from_json));
            }
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// Notes what is wanted of the sources of a task that no process runs.
pub fn note(dir: &Path, task: &str, command: &Command) -> Result<Reply, Failure> {
    let rows = StateReader::open(dir, task)?.sources()?;
    let chosen = match choose(task, &rows, &command.sources) {
        Ok(chosen) => chosen,
        Err(why) => return Ok(Reply::refuse(why)),
    };
    // Takes the owner's lock: nobody starts the task in between.
    let state = StateStore::open(dir, task)?;
    let stage = if command.verb == Verb::Stop { Stage::Stopped } else { Stage::Paused };
    let mut reply = Reply::default();
    for row in chosen {
        let (ok, message) = if stage == Stage::Stopped {
            (true, String::new())
        } else if row.actual == Some(Stage::Finished) {
            (false, refusal::finished(&command.verb).to_string())
        } else if row.desired == Some(Stage::Stopped) {
            (false, refusal::stopped(&command.verb).to_string())
        } else {
            (true, "no process ran it; it is noted as paused".to_owned())
        };
        if ok {
            state.set_source_desired(&row.source, stage)?;
            state.set_source_actual(&row.source, stage)?;
        }
        let source = row.source.as_str().to_owned();
        reply.answers.push(Answer { source, ok, message });
    }
    let after = state.reader().sources()?;
    if after.iter().all(|row| row.desired == Some(stage)) {
        state.set_desired(stage)?;
        state.set_actual(stage)?;
    }
    Ok(reply)
}

/// The sources of a task that a command names; all when it names none.
pub fn choose<'r>(
    task: &str,
    rows: &'r [SourceRow],
    names: &[String],
) -> Result<Vec<&'r SourceRow>, String> {
    let unknown: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !rows.iter().any(|row| row.source == SourceId::new(*name)))
        .collect();
    if !unknown.is_empty() {
        return Err(refusal::no_part(task, &unknown).to_string());
    }
    let wanted =
        |row: &&SourceRow| names.is_empty() || names.iter().any(|name| name == row.source.as_str());
    Ok(rows.iter().filter(wanted).collect())
}

/// Waits until no process runs the task any more; false when one still does.
pub fn wait_ended(dir: &Path, task: &str) -> Result<bool, Failure> {
    let deadline = Instant::now() + END_PATIENCE;
    while StateStore::owner(dir, task)?.is_some() {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(LOOK);
    }
    Ok(true)
}
