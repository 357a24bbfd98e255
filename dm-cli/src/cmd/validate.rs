//! `dm validate`: what is wrong or doubtful in task and source files.

use std::process::ExitCode;

use crate::args::FileArgs;
use crate::files::{self, Failure};
use crate::out;

pub fn run(args: &FileArgs) -> Result<ExitCode, Failure> {
    let (plan, warnings) = files::plan(args)?;
    let mut text = String::new();
    for warning in &warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let (sources, doubts) = (plan.sources.len(), warnings.len());
    text.push_str(&format!(
        "{}: task {:?} is right: mode {}, {sources} source{}, {doubts} warning{}",
        args.task.display(),
        plan.name,
        plan.mode,
        s(sources),
        s(doubts),
    ));
    out::say(&text)
}
