//! `dm validate`: what is wrong or doubtful in task and source files.

use std::process::ExitCode;

use crate::args::FileArgs;
use crate::files::{self, Failure};

pub fn run(args: &FileArgs) -> Result<ExitCode, Failure> {
    match files::plan(args)? {
        Ok((plan, warnings)) => {
            for warning in &warnings {
                println!("warning: {warning}");
            }
            let sources = plan.sources.len();
            println!(
                "{}: task {:?} is right: mode {}, {sources} source{}, {} warning{}",
                args.task.display(),
                plan.name,
                plan.mode,
                if sources == 1 { "" } else { "s" },
                warnings.len(),
                if warnings.len() == 1 { "" } else { "s" },
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            eprintln!("{problems}");
            Ok(ExitCode::from(super::USAGE))
        }
    }
}
