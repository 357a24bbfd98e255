//! `dm resume-task FILE`: a paused task goes on with a file that was changed meanwhile.
//!
//! The file's rules hold for what is read from then on; what was migrated before follows the old ones, and
//! that is said. What decides where rows and marks are cannot change ([`changes`]). A process has its plan from
//! its start on, so it is ended, and another one begins where it stood; nothing of this happens when the
//! file cannot be used.

use std::path::Path;

use dm_core::Error;
use dm_core::config::RawTask;
use dm_core::error::codes;
use dm_core::migration::{Command, Reply, Verb};
use dm_core::state::{Stage, StateReader, StateStore};

use super::task;
use crate::args::ResumeArgs;
use crate::files::Failure;
use crate::http;
use crate::operate::changes;
use crate::operate::client;
use crate::operate::record;
use crate::operate::texts::Texts;

/// Goes on with a task whose file says something else than it was started with; `None` when it says the
/// same, and the command is one like any other.
pub fn resume(
    dir: &Path,
    file: &Path,
    resume: &ResumeArgs,
    task: &str,
    command: &Command,
) -> Result<Option<Reply>, Failure> {
    let reader = StateReader::open(dir, task)?;
    // Kept by another version, or not at all: then there is nothing to compare with.
    let Ok(old) = Texts::from_kept(&reader.task()?.config) else { return Ok(None) };
    let key = resume.given.key.path().or(old.key_path());
    let new = Texts::gather(file, &resume.given.source_files, key, dir)?.or_sources_of(&old);
    let mut new = new.with_http(&old.http).with_http(&resume.http);
    changes::keep_dumps(dir, &mut new)?;
    if meaning(&old) == meaning(&new) {
        return Ok(None);
    }
    let rows = reader.sources()?;
    drop(reader);
    let runs = StateStore::owner(dir, task)?.is_some();
    let works = |stage: Option<Stage>| stage == Some(Stage::Running);
    if let Some(row) = rows.iter().find(|row| runs && works(row.actual)) {
        let text = format!(
            "{} says something else than task {task:?} was started with, and source {} is not paused",
            file.display(),
            row.source
        );
        return Err(Error::new(&codes::TASK_UPDATE_PAUSED, text).into());
    }
    // Whatever is wrong with the file is told before anything is ended.
    new.plan()?;
    if resume.http.address.is_some()
        && let Err(failure) = http::check(&resume.http, old.http.address)
    {
        return Ok(Some(Reply::refuse(failure.to_string())));
    }
    changes::check(dir, task, &new)?;
    if runs {
        let ended = task::one(dir, task, &Command { verb: Verb::Stop, sources: Vec::new() })?;
        if !ended.is_ok() || !client::wait_ended(dir, task)? {
            let text = "the process of the task does not end; try again in a moment";
            return Ok(Some(Reply::refuse(text)));
        }
    }
    let wanted = resume.http.address.is_some();
    let reply = task::begin_again(dir, task, command, &rows, &new, wanted)?;
    record::command(dir, task, command, "(with another file)", &reply);
    Ok(Some(reply))
}

/// What a task file says, but for its password: that is kept in another form than it is typed.
fn meaning(texts: &Texts) -> Option<RawTask> {
    let mut raw = texts.task.raw()?;
    if let Some(target) = raw.target_database.as_mut() {
        target.server.password = Default::default();
    }
    Some(raw)
}
