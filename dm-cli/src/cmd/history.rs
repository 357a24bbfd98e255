//! `dm history`: the commands that were given to a task.

use std::process::ExitCode;

use dm_core::migration::Reply;
use dm_core::state::StateReader;
use serde_json::{Value, json};

use crate::args::HistoryArgs;
use crate::files::Failure;
use crate::operate::answers;
use crate::operate::texts::task_name;
use crate::out;

pub fn run(args: &HistoryArgs) -> Result<ExitCode, Failure> {
    let name = task_name(&args.task)?;
    let reader = StateReader::open(&args.state.state_dir, &name)?;
    let mut commands = reader.commands(args.limit)?;
    commands.reverse();
    if args.json {
        let all: Vec<Value> = commands
            .iter()
            .map(|c| {
                json!({
                    "id": c.id, "time": c.created, "verb": c.verb, "args": c.args,
                    "state": c.state.as_str(), "reply": c.reply,
                })
            })
            .collect();
        return answers::print(&json!({"task": name, "commands": all}));
    }
    if commands.is_empty() {
        return out::say("no command was given to this task");
    }
    let mut lines = Vec::new();
    for command in commands {
        let when = crate::time::text(u64::try_from(command.created).unwrap_or(0));
        let sources = command.args.get("sources").and_then(Value::as_array);
        let names: Vec<&str> = sources.into_iter().flatten().filter_map(Value::as_str).collect();
        let words = match command.args.get("words").and_then(Value::as_str) {
            Some(words) if !words.is_empty() => format!(" {words}"),
            _ => String::new(),
        };
        let of = if names.is_empty() { String::new() } else { format!(" -s {}", names.join(",")) };
        lines.push(format!("{when}  {}{words}{of}: {}", command.verb, command.state.as_str()));
        let reply = command.reply.as_ref().map(Reply::from_json).unwrap_or_default();
        if !reply.refused.is_empty() {
            lines.push(format!("    {}", reply.refused));
        }
        for answer in reply.answers.iter().filter(|a| !a.message.is_empty()) {
            lines.push(format!("    {}: {}", answer.source, answer.message));
        }
    }
    out::say(&lines.join("\n"))
}
