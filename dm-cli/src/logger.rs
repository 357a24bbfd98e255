//! The log: a line per record on standard error.

use std::io::Write;
use std::sync::OnceLock;

use indicatif::MultiProgress;

struct Stderr;

/// Bars that a line must not run into.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

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
            let _ = writeln!(err, "[{}] {}", record.level(), record.args());
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

/// From now on the bars make room for every line.
pub fn beside(bars: MultiProgress) {
    // There is one run in a process, so there are no others.
    let _ = BARS.set(bars);
}
