//! Reading task and source files.

use std::fs;
use std::path::Path;

use dm_core::config::{Lookup, Problems, SecretKey, SourceText, TaskPlan, Warning};

use crate::args::FileArgs;

/// What keeps a command from being carried out, ready to be printed.
pub enum Failure {
    /// The files cannot be read or used.
    Usage(String),
    /// The task failed.
    Task(dm_core::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Task(error) => write!(f, "{error}"),
        }
    }
}

impl From<dm_core::Error> for Failure {
    fn from(error: dm_core::Error) -> Self {
        Self::Task(error)
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
pub fn plan(args: &FileArgs) -> Result<Result<(TaskPlan, Vec<Warning>), Problems>, Failure> {
    let task = read(&args.task)?;
    let task_name = args.task.display().to_string();
    let mut sources = Vec::new();
    for path in &args.sources {
        sources.push((path.display().to_string(), read(path)?));
    }
    let texts: Vec<SourceText<'_>> =
        sources.iter().map(|(name, text)| SourceText { name, text }).collect();
    let env = |name: &str| std::env::var(name).ok();
    let file = |path: &str| fs::read_to_string(path);
    let lookup = Lookup { env: &env, file: &file, key: key(args.secret_key_path.as_deref())? };
    let task = SourceText { name: &task_name, text: &task };
    Ok(TaskPlan::from_yaml_with(&task, &texts, &lookup))
}
