//! `dm watch`: tasks live, on a terminal.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use dm_core::state::list_tasks;

use crate::args::WatchArgs;
use crate::files::Failure;
use crate::operate::status::{Task, words};
use crate::operate::texts::task_name;
use crate::out;

/// Clears the screen and goes to its corner (ECMA-48).
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

pub fn run(args: &WatchArgs) -> Result<ExitCode, Failure> {
    let only = args.task.as_deref().map(task_name).transpose()?;
    let interval = Duration::try_from_secs_f64(args.interval.clamp(0.2, 3_600.0))
        .map_err(|_| Failure::Usage("--interval is a number of seconds".to_owned()))?;
    let terminal = std::io::stdout().is_terminal();
    let (quit, quits) = channel();
    // Without a terminal at the input nobody can type anything, and its end means nothing.
    let listens = std::io::stdin().is_terminal();
    std::thread::spawn(move || {
        if !listens {
            std::thread::park();
        }
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if line.trim().eq_ignore_ascii_case("q") {
                break;
            }
        }
        // Whoever watches may be gone already.
        let _ = quit.send(());
    });
    loop {
        let picture = picture(args, only.as_deref())?;
        if !terminal {
            // Nothing can be drawn anew: one picture, then it is over.
            return out::say(&picture);
        }
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        let time = crate::time::text(now);
        out::raw(format!("{CLEAR}{time} UTC, q and Enter ends\n\n{picture}\n").as_bytes())?;
        match quits.recv_timeout(interval) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn picture(args: &WatchArgs, only: Option<&str>) -> Result<String, Failure> {
    let dir = &args.state.state_dir;
    let names = match only {
        Some(name) => vec![name.to_owned()],
        None => list_tasks(dir)?,
    };
    let mut texts = Vec::new();
    for name in names {
        texts.push(words(&Task::read(dir, &name)?));
    }
    if texts.is_empty() {
        texts.push(super::status::no_task(dir));
    }
    Ok(texts.join("\n\n"))
}
