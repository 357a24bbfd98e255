//! `dm reset`: forgets what is stored of a stopped task.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use dm_core::Error;
use dm_core::error::codes;
use dm_core::state::{StateReader, StateStore};

use crate::args::ResetArgs;
use crate::files::Failure;
use crate::operate::forget;
use crate::operate::texts::{Texts, task_name};
use crate::out;

pub fn run(args: &ResetArgs) -> Result<ExitCode, Failure> {
    let dir = &args.state.state_dir;
    let name = task_name(&args.task)?;
    let reader = StateReader::open(dir, &name)?;
    if let Some(owner) = StateStore::owner(dir, &name)? {
        let text = format!("task {name:?} is run by another process ({owner})");
        return Err(Error::new(&codes::STATE_OWNED, text).into());
    }
    let mut lines = vec![format!("this removes of task {name}:")];
    for lane in reader.lanes()? {
        if let Some(checkpoint) = lane.checkpoint {
            lines.push(format!("  the position of {}: {}", lane.lane, checkpoint.position));
        }
    }
    lines.push("  the table structures that it followed, its errors and its history".to_owned());
    let kept = reader.task()?.config;
    if args.keep_marks {
        lines.push("its marks at the target stay (--keep-marks)".to_owned());
    } else if kept.is_empty() {
        lines.push(
            "its configuration is not kept, so its marks at the target (in `meta-schema`) stay: \
             `dm start-task FILE --remove-meta` removes them"
                .to_owned(),
        );
    } else {
        let (plan, _) = Texts::from_kept(&kept)?.plan()?;
        let what = dm_core::migration::marks_place(&plan);
        lines.push(format!("  its marks at the target, in {what}"));
    }
    lines.push(
        "the rows at the target stay: a task that copies again wants its tables empty".to_owned(),
    );
    drop(reader);
    out::tell(&lines.join("\n"));
    if !args.yes && !agreed()? {
        out::tell("nothing was removed");
        return Ok(ExitCode::FAILURE);
    }
    match args.keep_marks {
        true => forget::forget_here(dir, &name, |_| Ok(()))?,
        false => forget::forget(dir, &name, None).map_err(unreachable)?,
    }
    out::say(&format!("task {name}: removed"))
}

/// Says what there is to do about a target that is gone.
fn unreachable(failure: Failure) -> Failure {
    match failure {
        Failure::Task(error) => {
            let advice = format!(
                "{} Nothing was removed. When the target is gone for good, `--keep-marks` forgets the task here \
                 alone.",
                error.advice()
            );
            Failure::Task(error.workaround(advice))
        }
        other => other,
    }
}

fn agreed() -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::Usage(
            "nobody can be asked: give --yes to remove it without a question".to_owned(),
        ));
    }
    out::tell("remove it? Type yes:");
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .map_err(|e| Failure::Usage(format!("cannot read standard input: {e}")))?;
    Ok(line.trim() == "yes")
}
