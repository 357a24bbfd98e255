//! Why a command cannot be carried out in the stage that a source or its task is in, with DM's codes.
//!
//! A task that a process runs and one that nobody runs give the same answers: both ask here.

use super::command::Verb;
use crate::error::{Code, Error, codes};

/// The code of what a command needs: that the source runs, that it is paused, or that it is not started.
fn needs(verb: &Verb) -> &'static Code {
    match verb {
        Verb::Start => &codes::TASK_EXISTS,
        Verb::Resume(_) => &codes::TASK_NOT_PAUSED,
        _ => &codes::TASK_NOT_RUNNING,
    }
}

/// A start of what is started.
pub fn started() -> Error {
    Error::new(&codes::TASK_EXISTS, "it is started already")
        .workaround("`dm resume-task` goes on after a pause, `dm stop-task` ends it.")
}

/// A command to a source that has nothing left to do.
pub fn finished(verb: &Verb) -> Error {
    Error::new(needs(verb), "it is finished").workaround(
        "`dm stop-task` removes it from the list; `dm start-task` after that begins where it ended.",
    )
}

/// A command to a source that `stop-task` has stopped.
pub fn stopped(verb: &Verb) -> Error {
    Error::new(needs(verb), "it is stopped").workaround("`dm start-task` starts it.")
}

/// A command to sources that are no part of the task.
pub fn no_part(task: &str, sources: &[&str]) -> Error {
    let text = format!("task {task:?} has no part for the source(s) {}", sources.join(", "));
    Error::new(&codes::SUBTASK_MISSING_SOURCES, text)
}

/// A command to go on that meets a process which is ending.
pub fn ending() -> Error {
    Error::new(&codes::TASK_NOT_STARTED, "the process that runs the task is ending")
        .workaround("Give the command again in a moment.")
}

/// A command to go on, behind which another one came that says the opposite.
pub fn superseded() -> Error {
    Error::new(&codes::TASK_NOT_STARTED, "another command came after this one")
        .workaround("`dm history` tells which; `dm resume-task` goes on.")
}

/// A command that found now a process and now none, each time the other way round than a moment before.
pub fn contended() -> Error {
    Error::new(&codes::TASK_NOT_STARTED, "the task is being started and ended by others")
        .workaround("Give the command again.")
}

/// A command that was left for a process, when there was none.
pub fn nobody() -> Error {
    let text = "no process ran the task when this command was given";
    Error::new(&codes::TASK_NOT_STARTED, text)
        .workaround("Look at `dm query-status` and give the command again.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Safety;

    #[test]
    fn each_stage_has_dms_number() {
        let resume = Verb::Resume(Safety::Auto);
        for (error, number) in [
            (started(), 46_014),
            (finished(&Verb::Start), 46_014),
            (finished(&Verb::Pause), 40_050),
            (finished(&resume), 40_051),
            (stopped(&Verb::Pause), 40_050),
            (stopped(&resume), 40_051),
            (no_part("t", &["a", "b"]), 46_034),
            (ending(), 38_058),
            (superseded(), 38_058),
            (contended(), 38_058),
            (nobody(), 38_058),
        ] {
            assert_eq!(error.code().number, number, "{error}");
            assert!(!error.advice().is_empty(), "{error}");
        }
    }
}
