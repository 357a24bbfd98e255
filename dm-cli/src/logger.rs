//! The log: a line per record on standard error.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::MultiProgress;

struct Stderr;

/// Bars that a line must not run into.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Each line says when.
static TIMED: AtomicBool = AtomicBool::new(false);

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // The client and TLS crates speak of every packet.
        metadata.level() <= log::Level::Warn || metadata.target().starts_with("dm_")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let print = || {
            let mut err = std::io::stderr().lock();
            // Nobody can be told when standard error itself is gone.
            let _ = if TIMED.load(Ordering::Relaxed) {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let time = crate::time::text(now.as_secs());
                writeln!(err, "{time} [{}] {}", record.level(), record.args())
            } else {
                writeln!(err, "[{}] {}", record.level(), record.args())
            };
        };
        match BARS.get() {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }

    fn flush(&self) {}
}

static LOGGER: Stderr = Stderr;

/// Installs the logger.
pub fn install(level: log::LevelFilter) {
    // Only `main` installs one, once.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(level);
}

/// From now on each line begins with the time (UTC): for a log that is read later.
pub fn with_time() {
    TIMED.store(true, Ordering::Relaxed);
}

/// From now on the bars make room for every line.
pub fn beside(bars: MultiProgress) {
    // There is one run in a process, so there are no others.
    let _ = BARS.set(bars);
}
