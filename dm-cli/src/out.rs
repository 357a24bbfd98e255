//! What the command says: answers on standard output, everything about them on standard error.
//!
//! A reader that has gone away (`dm ... | head`) is no failure, and is never a panic.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::Failure;
use crate::logger;

/// The program was called as `dmctl`.
static DMCTL: AtomicBool = AtomicBool::new(false);

/// Notes whether the program was called as `dmctl`, whose scripts read JSON.
pub fn set_dmctl(dmctl: bool) {
    DMCTL.store(dmctl, Ordering::Relaxed);
}

/// True when an answer is for a program: asked for, or nobody reads at a terminal.
pub fn wants_json(asked: bool) -> bool {
    for_scripts(asked) || !std::io::stdout().is_terminal()
}

/// True when an answer in words is for a program all the same: asked for, or a script calls `dmctl`.
pub fn for_scripts(asked: bool) -> bool {
    asked || DMCTL.load(Ordering::Relaxed)
}

/// Prints an answer.
pub fn say(text: &str) -> Result<ExitCode, Failure> {
    raw(format!("{text}\n").as_bytes())
}

/// Prints an answer that brings its own line ends.
pub fn raw(text: &[u8]) -> Result<ExitCode, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Usage(format!("cannot write to standard output: {e}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Prints a line for the person at the terminal.
pub fn tell(text: &str) {
    // Nobody can be told when standard error itself is gone.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints why a command failed: in DM's format, and for a person what to do on a line of its own.
pub fn fail(failure: &Failure) {
    if logger::is_in_file() {
        match failure {
            Failure::Source(source, _) => dm_core::whose::of(source, || log::error!("{failure}")),
            _ => log::error!("{failure}"),
        }
    }
    if logger::is_background() {
        return;
    }
    tell(&failure.to_string());
    if let Failure::Task(error) | Failure::Input(error) | Failure::Source(_, error) = failure
        && !error.advice().is_empty()
        && std::io::stderr().is_terminal()
    {
        tell(&format!("What to do: {}", error.advice()));
    }
}
