//! Where mistakes and doubts about one file are gathered.

use std::collections::HashMap;

use super::keys::join;
use super::problem::{Problem, Span, Warning};
use super::yaml::{Data, Node, SyntaxError};
use crate::error::{Code, codes};

/// A file under examination: where its keys stand, and what is wrong with them.
///
/// The layers above speak of keys by their path (`mysql-instances[0].meta`); only this index knows
/// lines. A configuration that was not read from a file has an empty index.
#[derive(Debug, Default)]
pub(super) struct File {
    name: String,
    places: HashMap<String, Span>,
    /// The text is no YAML at all.
    pub unreadable: bool,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Warning>,
}

impl File {
    pub fn new(name: &str, root: Option<&Node>) -> Self {
        let mut places = HashMap::new();
        if let Some(root) = root {
            index(root, String::new(), &mut places);
        }
        Self { name: name.to_owned(), places, ..Self::default() }
    }

    /// Where a key's value stands, or the nearest thing that holds it.
    fn at(&self, path: &str) -> Option<Span> {
        let mut path = path;
        loop {
            if let Some(at) = self.places.get(path) {
                return Some(*at);
            }
            if path.is_empty() {
                return None;
            }
            path = path.rfind(['.', '[']).and_then(|end| path.get(..end)).unwrap_or("");
        }
    }

    pub fn problem(
        &mut self,
        code: &'static Code,
        path: impl AsRef<str>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        let path = path.as_ref();
        // A value of the wrong form was reported, and counts as absent since.
        let known = |p: &Problem| p.code == &codes::CONFIG_YAML && within(&p.key, path);
        if !self.problems.iter().any(known) {
            self.push(code, self.at(path), path, found.into(), expected.into());
        }
    }

    /// The text is no YAML.
    pub fn syntax_error(&mut self, error: SyntaxError) {
        self.unreadable = true;
        self.push(&codes::CONFIG_YAML, error.at, "", error.message, "YAML".to_owned());
    }

    /// A mistake of the file's form, at a place that has been seen.
    pub fn yaml_problem_at(&mut self, at: Span, path: &str, found: String, expected: String) {
        self.push(&codes::CONFIG_YAML, Some(at), path, found, expected);
    }

    fn push(
        &mut self,
        code: &'static Code,
        at: Option<Span>,
        path: &str,
        found: String,
        expected: String,
    ) {
        let problem =
            Problem { code, file: self.name.clone(), at, key: path.to_owned(), found, expected };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub fn warn(&mut self, path: impl AsRef<str>, message: impl Into<String>) {
        let path = path.as_ref();
        let warning = Warning {
            file: self.name.clone(),
            at: self.at(path),
            key: path.to_owned(),
            message: message.into(),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Puts what was found in the order of lines.
    pub fn sort(&mut self) {
        self.problems.sort_by_key(|p| p.at);
        self.warnings.sort_by_key(|w| w.at);
    }
}

/// Whether a path is the other one or inside it.
fn within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn index(node: &Node, path: String, places: &mut HashMap<String, Span>) {
    match &node.data {
        Data::Scalar { .. } | Data::Foreign => {}
        Data::Seq(items) => {
            for (i, item) in items.iter().enumerate() {
                index(item, format!("{path}[{i}]"), places);
            }
        }
        Data::Map(entries) => {
            for entry in entries {
                index(&entry.value, join(&path, &entry.key), places);
            }
        }
    }
    // Of a key that stands twice, the first place counts.
    places.entry(path).or_insert(node.at);
}
