//! What is wrong, or doubtful, in configuration files.
//!
//! Reading a configuration does not stop at the first mistake: a [`Problems`] holds all of them,
//! each with file, line, key, what was found and what was expected.

use std::fmt;

use crate::error::{Code, Error};

/// A configuration file's text and the name that messages give it.
#[derive(Clone, Copy, Debug)]
pub struct SourceText<'a> {
    /// Usually the path. Relative paths in the text are relative to the process's working directory.
    pub name: &'a str,
    /// The YAML text.
    pub text: &'a str,
}

/// A place in a configuration file; lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Its code.
    pub code: &'static Code,
    /// The file; empty when the configuration was not read from one.
    pub file: String,
    /// Where in the file.
    pub at: Option<Span>,
    /// The key: `mysql-instances[0].route-rules[1]`.
    pub key: String,
    /// What is wrong: what was found.
    pub found: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.file, self.at, &self.key)?;
        write!(f, "[code={}] {}", self.code.number, self.found)?;
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected)?;
        }
        Ok(())
    }
}

/// Something that works, but may not be what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The file; empty when the configuration was not read from one.
    pub file: String,
    /// Where in the file.
    pub at: Option<Span>,
    /// The key.
    pub key: String,
    /// What it means as it stands, and what to do.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.file, self.at, &self.key)?;
        f.write_str(&self.message)
    }
}

fn place(f: &mut fmt::Formatter<'_>, file: &str, at: Option<Span>, key: &str) -> fmt::Result {
    if !file.is_empty() {
        write!(f, "{file}:")?;
        if let Some(Span { line, column }) = at {
            write!(f, "{line}:{column}:")?;
        }
        f.write_str(" ")?;
    }
    if !key.is_empty() {
        write!(f, "{key}: ")?;
    }
    Ok(())
}

/// Everything that is wrong with a configuration, at least one thing; and what is doubtful in it.
#[derive(Clone, Debug)]
pub struct Problems {
    /// The mistakes, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// The doubts.
    pub warnings: Vec<Warning>,
}

impl fmt::Display for Problems {
    /// One line for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    /// One error with the first mistake's code and all mistakes in its message.
    fn from(problems: Problems) -> Self {
        let code = problems.problems.first().map_or(&crate::error::codes::CONFIG_YAML, |p| p.code);
        Error::new(code, problems.to_string())
    }
}
