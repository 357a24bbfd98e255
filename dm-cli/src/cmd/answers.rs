//! What the commands about the sources of a task have in common: the task's name, and DM's form of
//! the answer.

use std::path::Path;
use std::process::ExitCode;

use dm_core::config::{RawTask, SourceText};
use dm_core::operate::{Answer, all_went_well};
use serde_json::{Value, json};

use crate::files::{self, Failure};
use crate::out;

/// The task that an argument names: itself, or the one of the task file that it is.
pub fn task_name(argument: &str) -> Result<String, Failure> {
    let path = Path::new(argument);
    if !path.is_file() {
        return Ok(argument.to_owned());
    }
    let text = files::read(path)?;
    Ok(RawTask::from_yaml(&SourceText { name: argument, text: &text })?.name)
}

/// Prints what came of a command for each source, as DM prints it; a refusal is told on standard error
/// as well.
pub fn print(answers: &[Answer]) -> Result<ExitCode, Failure> {
    let sources: Vec<Value> = answers
        .iter()
        .map(|a| {
            let mut one = json!({
                "result": a.result.is_ok(),
                "msg": match &a.result {
                    Ok(said) => said.clone(),
                    Err(error) => error.to_string(),
                },
                "source": a.source.as_str(),
                "worker": "",
            });
            if a.assumed
                && let Some(fields) = one.as_object_mut()
            {
                fields.insert("assumed".to_owned(), Value::Bool(true));
            }
            one
        })
        .collect();
    let well = all_went_well(answers);
    let refusals = answers.iter().filter_map(|a| a.result.as_ref().err());
    let msg: Vec<String> = refusals.map(ToString::to_string).collect();
    let text = json!({ "result": well, "msg": msg.join("\n"), "sources": sources });
    out::say(&format!("{text:#}"))?;
    if well {
        return Ok(ExitCode::SUCCESS);
    }
    for line in msg {
        out::tell(&line);
    }
    Ok(ExitCode::FAILURE)
}
