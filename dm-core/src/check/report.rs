//! What the checks found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Check;
use crate::error::{Error, Result, codes};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong; something could not be looked at.
    Note,
    /// The task can run, and may not do what was meant.
    Warning,
    /// The task would fail or go wrong, and is refused.
    Failure,
}

impl Severity {
    /// DM's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "success",
            Self::Warning => "warn",
            Self::Failure => "fail",
        }
    }
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// What would be right.
    pub expected: String,
    /// How to repair it.
    pub repair: String,
}

impl Finding {
    fn new(severity: Severity, found: String, expected: String, repair: String) -> Self {
        Self { severity, found, expected, repair }
    }

    pub(crate) fn failure(
        found: impl Into<String>,
        expected: impl Into<String>,
        repair: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Failure, found.into(), expected.into(), repair.into())
    }

    pub(crate) fn warning(
        found: impl Into<String>,
        expected: impl Into<String>,
        repair: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, found.into(), expected.into(), repair.into())
    }

    /// Says that something could not be looked at.
    pub(crate) fn note(found: impl Into<String>) -> Self {
        Self::new(Severity::Note, found.into(), String::new(), String::new())
    }

    fn sentence(&self) -> String {
        let mut text = self.found.clone();
        if !self.expected.is_empty() {
            let _ = write!(text, "; expected: {}", self.expected);
        }
        text
    }
}

/// What one check found at one source, or in the whole task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckResult {
    /// The check.
    pub check: &'static Check,
    /// `source-id`; `None` for what concerns the whole task.
    pub source: Option<String>,
    /// What it found; empty when all is well.
    pub findings: Vec<Finding>,
}

impl CheckResult {
    /// The worst of the findings.
    pub fn state(&self) -> Severity {
        self.findings.iter().map(|f| f.severity).max().unwrap_or(Severity::Note)
    }

    fn place(&self) -> String {
        self.source.as_ref().map_or_else(|| "task".to_owned(), |s| format!("source {s}"))
    }
}

/// What all checks found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Sources or the target that could not be asked: their checks were not made.
    pub unreachable: Vec<Error>,
    /// One entry per check and source.
    pub results: Vec<CheckResult>,
}

impl Report {
    pub(super) fn new(unreachable: Vec<Error>) -> Self {
        Self { unreachable, results: Vec::new() }
    }

    pub(super) fn add(&mut self, check: &'static Check, source: Option<&str>, found: Vec<Finding>) {
        let source = source.map(str::to_owned);
        self.results.push(CheckResult { check, source, findings: found });
    }

    /// True when nothing speaks against starting the task.
    pub fn passed(&self) -> bool {
        self.unreachable.is_empty() && self.count(Severity::Failure) == 0
    }

    fn count(&self, state: Severity) -> usize {
        self.results.iter().filter(|r| r.state() == state).count()
    }

    /// Every finding of a severity, as a line: `source s1: binlog_format: ...`.
    pub fn lines(&self, severity: Severity) -> Vec<String> {
        self.lines_of_sources(severity).into_iter().map(|(_, line)| line).collect()
    }

    /// The same, each with the source that it is about; `None` for what concerns the whole task.
    pub fn lines_of_sources(&self, severity: Severity) -> Vec<(Option<&str>, String)> {
        let mut lines = Vec::new();
        for result in &self.results {
            for finding in result.findings.iter().filter(|f| f.severity == severity) {
                let mut line =
                    format!("{}: {}: {}", result.place(), result.check.name, finding.sentence());
                if !finding.repair.is_empty() {
                    let _ = write!(line, ". {}", finding.repair);
                }
                lines.push((result.source.as_deref(), line));
            }
        }
        lines
    }

    /// Refuses what cannot run.
    ///
    /// # Errors
    ///
    /// The error of a server that cannot be reached; 26005 with every failure.
    pub fn verdict(&self) -> Result {
        if let Some(error) = self.unreachable.first() {
            return Err(error.clone());
        }
        let failures = self.lines(Severity::Failure);
        if failures.is_empty() {
            return Ok(());
        }
        let message = match failures.as_slice() {
            [one] => one.clone(),
            many => format!("{} checks failed:\n  {}", many.len(), many.join("\n  ")),
        };
        Err(Error::new(&codes::CHECK_FAILED, message))
    }

    /// DM's `msg` of check-task and `checkResult` of start-task: a word, with the document as text behind it
    /// where something was found.
    pub fn message(&self, errors: usize, warnings: usize) -> String {
        let detail = self.to_json(errors, warnings);
        let clean = detail.get("results").and_then(Value::as_array).is_none_or(Vec::is_empty);
        match self.verdict() {
            Ok(()) if clean => "check pass!!!".to_owned(),
            Ok(()) => format!("check pass with warnings: {detail:#}"),
            Err(error) => format!("{error}\n detail: {detail:#}"),
        }
    }

    /// DM's document: `passed`, `results` of those that did not succeed, `summary`. No more than
    /// so many errors and warnings are listed, over all results.
    pub fn to_json(&self, errors: usize, warnings: usize) -> Value {
        let mut left = (errors, warnings);
        let mut results: Vec<Value> =
            self.unreachable.iter().enumerate().map(|(at, e)| unreachable(at, e)).collect();
        for result in &self.results {
            let mut listed = Vec::new();
            for finding in &result.findings {
                let room = match finding.severity {
                    Severity::Note => continue,
                    Severity::Warning => &mut left.1,
                    Severity::Failure => &mut left.0,
                };
                if *room > 0 {
                    *room -= 1;
                    listed.push(result.error_json(finding));
                }
            }
            if !listed.is_empty() {
                results.push(result.to_json(results.len(), listed));
            }
        }
        let failed = self.count(Severity::Failure) + self.unreachable.len();
        json!({
            "passed": self.passed(),
            "results": results,
            "summary": {
                "passed": self.passed(),
                "total": self.results.len() + self.unreachable.len(),
                "successful": self.count(Severity::Note),
                "failed": failed,
                "warning": self.count(Severity::Warning),
            },
        })
    }

    /// For people: what was found, and a line that sums it up. No more than so many errors and
    /// warnings are printed.
    pub fn to_text(&self, errors: usize, warnings: usize) -> String {
        let mut text = String::new();
        let mut part = |word: &str, lines: Vec<String>, most: usize| {
            for line in lines.iter().take(most) {
                let _ = writeln!(text, "{word}: {line}");
            }
            if let Some(more) = lines.len().checked_sub(most).filter(|n| *n > 0) {
                let _ = writeln!(text, "{word}: and {more} more");
            }
        };
        let reached = self.unreachable.iter().map(ToString::to_string).collect();
        part("failure", reached, errors);
        part("failure", self.lines(Severity::Failure), errors);
        part("warning", self.lines(Severity::Warning), warnings);
        part("note", self.lines(Severity::Note), usize::MAX);
        let failed = self.count(Severity::Failure) + self.unreachable.len();
        let _ = write!(
            text,
            "{} of {} checks passed, {} with warnings, {failed} failed",
            self.count(Severity::Note) + self.count(Severity::Warning),
            self.results.len() + self.unreachable.len(),
            self.count(Severity::Warning),
        );
        text
    }
}

fn unreachable(at: usize, error: &Error) -> Value {
    json!({
        "id": at, "name": "connection", "desc": "whether the servers can be reached",
        "state": "fail",
        "errors": [{
            "severity": "fail", "short_error": error.message(), "self": "", "other": "",
            "instruction": error.advice(),
        }],
        "instruction": error.advice(), "extra": "",
    })
}

impl CheckResult {
    fn error_json(&self, finding: &Finding) -> Value {
        json!({
            "severity": finding.severity.as_str(),
            "short_error": finding.found,
            "self": self.place(),
            "other": finding.expected,
            "instruction": finding.repair,
        })
    }

    fn to_json(&self, id: usize, errors: Vec<Value>) -> Value {
        let worst = self.findings.iter().max_by_key(|f| f.severity);
        json!({
            "id": id,
            "name": self.check.reported,
            "desc": self.check.looks_at,
            "state": self.state().as_str(),
            "errors": errors,
            "instruction": worst.map_or("", |f| f.repair.as_str()),
            "extra": self.source.as_ref().map_or_else(String::new, |s| format!("source {s}")),
        })
    }
}
