//! The log: a line per record, on standard error or in a file, as text or as JSON.

mod file;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::MultiProgress;
use serde_json::json;

use self::file::LogFile;
use crate::args::{LogArgs, LogFormat};
use crate::files::Failure;

/// Where lines go, and how they look.
struct Logger {
    format: LogFormat,
    file: Option<Mutex<LogFile>>,
    max_size: u64,
    max_backups: u32,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Bars that a line must not run into.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Each line says when.
static TIMED: AtomicBool = AtomicBool::new(false);

/// The task that this process runs.
static TASK: OnceLock<String> = OnceLock::new();

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // The client and TLS crates speak of every packet.
        metadata.level() <= log::Level::Warn || metadata.target().starts_with("dm")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let source = dm_core::whose::source();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = match self.format {
            LogFormat::Json => {
                as_json(record, now, TASK.get().map(String::as_str), source.as_deref())
            }
            LogFormat::Text if self.file.is_some() || TIMED.load(Ordering::Relaxed) => {
                let time = crate::time::text(now.as_secs());
                format!("{time} {}", as_text(record, source.as_deref()))
            }
            LogFormat::Text => as_text(record, source.as_deref()),
        };
        self.write(&line);
    }

    fn flush(&self) {}
}

impl Logger {
    fn write(&self, line: &str) {
        if let Some(file) = &self.file {
            let written = file.lock().unwrap_or_else(PoisonError::into_inner).line(line);
            if written.is_ok() {
                return;
            }
        }
        let print = || {
            // Nobody can be told when standard error itself is gone.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        };
        match BARS.get() {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

/// A record for people; one that belongs to a source says so, unless it does anyway.
fn as_text(record: &log::Record<'_>, source: Option<&str>) -> String {
    let (level, message) = (record.level(), record.args().to_string());
    match source.filter(|source| !message.contains(&format!("source {source}"))) {
        Some(source) => format!("[{level}] source {source}: {message}"),
        None => format!("[{level}] {message}"),
    }
}

/// A record as DM's log has it: level, time, message, task, source.
fn as_json(
    record: &log::Record<'_>,
    now: Duration,
    task: Option<&str>,
    source: Option<&str>,
) -> String {
    let time = crate::time::text(now.as_secs()).replace(' ', "T");
    let mut line = json!({
        "level": record.level().as_str(),
        "time": format!("{time}.{:03}Z", now.subsec_millis()),
        "message": record.args().to_string(),
        "component": record.target(),
    });
    for (name, value) in [("task", task), ("source", source)] {
        if let (Some(value), Some(fields)) = (value, line.as_object_mut()) {
            fields.insert(name.to_owned(), value.into());
        }
    }
    line.to_string()
}

/// Installs the logger.
///
/// # Errors
///
/// The log file cannot be opened.
pub fn install(level: log::LevelFilter, args: &LogArgs) -> Result<(), Failure> {
    let file = match &args.log_file {
        Some(path) => {
            let file =
                LogFile::open(path, args.log_max_size, args.log_max_backups).map_err(|e| {
                    Failure::Usage(format!("--log-file {}: cannot be opened: {e}", path.display()))
                })?;
            Some(Mutex::new(file))
        }
        None => None,
    };
    // Only `main` installs one, once.
    let logger = LOGGER.get_or_init(|| Logger {
        format: args.log_format,
        file,
        max_size: args.log_max_size,
        max_backups: args.log_max_backups,
    });
    let _ = log::set_logger(logger);
    log::set_max_level(level);
    Ok(())
}

/// From now on each line begins with the time (UTC): for a log that is read later.
pub fn with_time() {
    TIMED.store(true, Ordering::Relaxed);
}

/// From now on every line of JSON names the task.
pub fn of_task(name: &str) {
    // There is one run in a process, so there are no others.
    let _ = TASK.set(name.to_owned());
}

/// From now on the bars make room for every line.
pub fn beside(bars: MultiProgress) {
    let _ = BARS.set(bars);
}

/// True when lines go to a file.
pub fn is_in_file() -> bool {
    LOGGER.get().is_some_and(|logger| logger.file.is_some())
}

/// True when nobody reads standard error: it is the log file of a process in the background.
pub fn is_background() -> bool {
    is_in_file() && TIMED.load(Ordering::Relaxed)
}

/// The arguments by which another process of this program logs in the same way to its own file.
pub fn handed_on(file: &Path) -> Vec<OsString> {
    let Some(logger) = LOGGER.get() else { return Vec::new() };
    let format = match logger.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    let args = [
        ("--log-file", file.as_os_str().to_owned()),
        ("--log-format", format.into()),
        ("--log-max-size", logger.max_size.to_string().into()),
        ("--log-max-backups", logger.max_backups.to_string().into()),
    ];
    args.into_iter().flat_map(|(name, value)| [name.into(), value]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_are_whole() {
        let line = |task, source| {
            let args = format_args!("two\n\"lines\"");
            let record = log::Record::builder()
                .level(log::Level::Warn)
                .target("dm_core::pipeline")
                .args(args)
                .build();
            as_json(&record, Duration::from_millis(1_001), task, source)
        };
        assert_eq!(
            line(Some("shop"), Some("live")),
            "{\"level\":\"WARN\",\"time\":\"1970-01-01T00:00:01.001Z\",\"message\":\"two\\n\\\"lines\\\"\",\
             \"component\":\"dm_core::pipeline\",\"task\":\"shop\",\"source\":\"live\"}"
        );
        let neither = line(None, None);
        assert!(!neither.contains("\"task\"") && !neither.contains("\"source\""));
    }

    #[test]
    fn text_names_the_source_once() {
        let line = |message: &str| {
            let args = format_args!("{message}");
            let record = log::Record::builder().level(log::Level::Warn).args(args).build();
            as_text(&record, Some("live"))
        };
        assert_eq!(line("it is slow"), "[WARN] source live: it is slow");
        assert_eq!(line("relay of source live: gone"), "[WARN] relay of source live: gone");
    }
}
