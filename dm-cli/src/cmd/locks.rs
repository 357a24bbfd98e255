//! `dm show-ddl-locks`.

use std::process::ExitCode;

use serde_json::json;

use crate::args::LocksArgs;
use crate::files::Failure;
use crate::operate::answers;
use crate::out;

pub fn run(args: &LocksArgs) -> Result<ExitCode, Failure> {
    let of = args.task.as_deref().map(|task| format!(" for task {task}")).unwrap_or_default();
    let from = if args.only.sources.is_empty() {
        String::new()
    } else {
        format!(" of {}", args.only.sources.join(", "))
    };
    let message = format!("no DDL lock exists{of}{from}");
    if !out::wants_json(args.ask.json) {
        return out::say(&message);
    }
    answers::print(&answers::answer(true, &message, json!({"locks": []})))
}
