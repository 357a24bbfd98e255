//! Reading task and source files, and what keeps a command from being carried out.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use dm_core::config::{Lookup, Problems, SecretKey, SourceText, TaskPlan, Warning};
use dm_core::error::Class;

use crate::args::FileArgs;
use crate::operate::texts::Texts;

/// Exit status for a task that failed.
const FAILED: u8 = 1;
/// Exit status for wrong usage and wrong configuration, the same that the argument parser uses.
const USAGE: u8 = 2;

/// What keeps a command from being carried out, ready to be printed.
pub enum Failure {
    /// The command line or a file that it names cannot be used.
    Usage(String),
    /// The configuration is wrong.
    Config(Problems),
    /// What was given cannot be used.
    Input(dm_core::Error),
    /// The task failed.
    Task(dm_core::Error),
    /// A source of the task failed.
    Source(String, dm_core::Error),
}

impl Failure {
    /// The exit status.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Input(_) => ExitCode::from(USAGE),
            Self::Task(error) | Self::Source(_, error) if error.code().class == Class::Config => {
                ExitCode::from(USAGE)
            }
            Self::Task(_) | Self::Source(..) => ExitCode::from(FAILED),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Config(problems) => {
                for warning in &problems.warnings {
                    writeln!(f, "warning: {warning}")?;
                }
                write!(f, "{problems}")
            }
            Self::Input(error) | Self::Task(error) | Self::Source(_, error) => {
                write!(f, "{error}")
            }
        }
    }
}

impl From<dm_core::Error> for Failure {
    fn from(error: dm_core::Error) -> Self {
        Self::Task(error)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

/// Reads a file that the command line names.
pub fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|e| Failure::Usage(format!("cannot read {}: {e}", path.display())))
}

/// The key of encrypted passwords.
pub fn key(path: Option<&Path>) -> Result<SecretKey, Failure> {
    match path {
        None => Ok(SecretKey::built_in()),
        Some(path) => Ok(SecretKey::from_hex(read(path)?.trim())?),
    }
}

/// Reads and resolves the files of a task.
pub fn plan(args: &FileArgs) -> Result<(TaskPlan, Vec<Warning>), Failure> {
    Texts::read(args)?.plan()
}

/// Reads and resolves a source file alone.
pub fn sources_plan(
    path: &Path,
    secret_key: Option<&Path>,
) -> Result<(TaskPlan, Vec<Warning>), Failure> {
    let (name, text) = (path.display().to_string(), read(path)?);
    let env = |name: &str| std::env::var(name).ok();
    let file = |path: &str| fs::read_to_string(path);
    let lookup = Lookup { env: &env, file: &file, key: key(secret_key)? };
    Ok(TaskPlan::of_sources(&[SourceText { name: &name, text: &text }], &lookup)?)
}
