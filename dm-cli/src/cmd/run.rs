//! `dm run`: a task in the foreground.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dm_core::config::TargetPlan;
use dm_core::sink::sqlite::SqliteSink;
use dm_core::{Migration, Outcome, Until};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::RunArgs;
use crate::files::Failure;
use crate::http;
use crate::operate::changes;
use crate::operate::texts::Texts;
use crate::out;
use crate::progress::{Events, Progress};

/// Exit status of a run that a second signal ended at once: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

pub fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    crate::memory::give_back();
    let until = until(args.until.as_deref())?;
    let mut texts = Texts::read(&args.files)?;
    changes::keep_dumps(&args.files.state.state_dir, &mut texts)?;
    let (mut plan, warnings) = texts.plan()?;
    plan.limits.max_rows_per_second = args.max_rows_per_second.or(plan.limits.max_rows_per_second);
    plan.limits.max_bytes_per_second =
        args.max_bytes_per_second.or(plan.limits.max_bytes_per_second);
    plan.limits.slow_ms = args.slow_ms.or(plan.limits.slow_ms);
    crate::logger::of_task(&plan.name);
    let events = Events::new(args.json);
    events.start(&plan);
    for warning in &warnings {
        out::tell(&format!("warning: {warning}"));
        events.warning(warning);
    }
    let file = match &plan.target {
        TargetPlan::Sqlite(file) if !args.json => Some(file.clone()),
        _ => None,
    };
    let dir = &args.files.state.state_dir;
    changes::check(dir, &plan.name, &texts)?;
    let mut builder = Migration::builder(plan).state_dir(dir).until(until);
    // A text whose passwords cannot be hidden is not kept; then resume-task needs the file.
    if let Ok(kept) = texts.to_kept() {
        builder = builder.keep_config(kept);
    }
    let migration = builder.build();
    // Ends with the run.
    let http = http::serve(&args.http, &migration, &texts.task.raw().unwrap_or_default(), dir)?;
    http.iter().for_each(|server| out::tell(&server.words()));
    let interrupts = Arc::new(AtomicUsize::new(0));
    watch_signals(&interrupts)?;
    match watched(&migration, args.json, &interrupts) {
        Ok(outcome) => {
            events.done(outcome);
            if outcome == Outcome::Stopped {
                out::tell("stopped; the same command goes on where it stood");
                return Ok(ExitCode::SUCCESS);
            }
            file.map_or(Ok(ExitCode::SUCCESS), |file| summary(&file))
        }
        Err(error) => {
            events.error(&error);
            let sources = migration.control().status().sources;
            let failed = sources.iter().find(|s| s.error.is_some());
            Err(match failed {
                Some(source) => Failure::Source(source.source.clone(), error),
                None => Failure::Task(error),
            })
        }
    }
}

/// Runs with somebody watching.
fn watched(
    migration: &Migration,
    json: bool,
    interrupts: &AtomicUsize,
) -> dm_core::Result<Outcome> {
    let control = migration.control();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let progress = Progress::new(json, &control);
        let watcher = scope.spawn(|| progress.watch(&done, interrupts, &control));
        let result = migration.run();
        done.store(true, Ordering::Relaxed);
        // What the watcher draws is worth less than the result.
        let _ = watcher.join();
        result
    })
}

/// Says what a file holds now.
fn summary(file: &Path) -> Result<ExitCode, Failure> {
    /// In larger files counting takes longer than anybody wants to wait for a summary.
    const COUNTED_BYTES: u64 = 256 << 20;
    if std::fs::metadata(file).is_ok_and(|m| m.len() > COUNTED_BYTES) {
        return Ok(ExitCode::SUCCESS);
    }
    let sink = SqliteSink::open(file).map_err(Failure::Task)?;
    let counts = sink.row_counts().map_err(Failure::Task)?;
    let width = counts.iter().map(|(t, _)| t.to_string().chars().count()).max().unwrap_or(0);
    let mut text = format!("{} holds:", file.display());
    for (table, rows) in counts {
        text.push_str(&format!("\n  {:width$}  {rows:>8} rows", table.to_string()));
    }
    out::say(&text)
}

/// The first signal asks to stop, the second ends the process at once: marks at the target make
/// that safe.
fn watch_signals(count: &Arc<AtomicUsize>) -> Result<(), Failure> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Failure::Usage(format!("cannot watch signals: {e}")))?;
    let count = Arc::clone(count);
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if count.fetch_add(1, Ordering::Relaxed) > 0 {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    Ok(())
}

fn until(text: Option<&str>) -> Result<Until, Failure> {
    let Some(text) = text else { return Ok(Until::Stopped) };
    if text.eq_ignore_ascii_case("caught-up") {
        return Ok(Until::CaughtUp);
    }
    if let Some(second) = crate::time::parse(text) {
        return Ok(Until::Time(second));
    }
    let position = super::checkpoint::parse(text, "mysql")
        .or_else(|_| super::checkpoint::parse(text, "mariadb"))
        .map_err(|_| {
            Failure::Usage(format!(
                "--until {text:?} is neither caught-up, nor a position file:offset, nor a GTID \
                 set, nor a time YYYY-MM-DD HH:MM:SS"
            ))
        })?;
    Ok(Until::Position(position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals() {
        assert!(matches!(until(None), Ok(Until::Stopped)));
        assert!(matches!(until(Some("caught-up")), Ok(Until::CaughtUp)));
        assert!(matches!(until(Some("mysql-bin.000003:154")), Ok(Until::Position(_))));
        assert!(matches!(until(Some("0-1-5")), Ok(Until::Position(_))));
        assert!(until(Some("tomorrow")).is_err());
    }
}
