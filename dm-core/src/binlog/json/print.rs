//! Documents as text, and where they hold what text cannot say.

use std::borrow::Cow;
use std::fmt::Write;

use dm_filter::{Json, JsonTyped};

use super::diff::Tree;
use super::view::View;
use super::{MAX_DEPTH, Result, malformed, scalar};

/// A step from a container to a member.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Prints one document.
pub(super) struct Printer<'a> {
    out: String,
    typed: Vec<JsonTyped>,
    path: Vec<Step<'a>>,
    /// Bytes that may still be printed from: each byte of the document is good for one.
    budget: usize,
}

impl<'a> Printer<'a> {
    pub(super) fn new(document: usize) -> Self {
        // One more, for the empty document prints too.
        Self {
            out: String::with_capacity(document + document / 4),
            typed: Vec::new(),
            path: Vec::new(),
            budget: document + 1,
        }
    }

    pub(super) fn finish(self) -> Json<'static> {
        Json { text: Cow::Owned(self.out), typed: self.typed }
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        let left = self.budget.checked_sub(bytes + 1);
        self.budget = left.ok_or_else(|| malformed("parts of a JSON document overlap"))?;
        Ok(())
    }

    fn enter(&mut self, step: Step<'a>) -> Result<()> {
        if self.path.len() >= MAX_DEPTH {
            return Err(malformed("a JSON document is nested too deeply"));
        }
        self.path.push(step);
        Ok(())
    }

    /// Starts a member: separator and key.
    fn member(&mut self, index: usize, key: Option<&'a str>) -> Result<()> {
        if index > 0 {
            self.out.push_str(", ");
        }
        match key {
            None => self.enter(Step::Index(index)),
            Some(key) => {
                self.budget = self.budget.saturating_sub(key.len());
                scalar::quoted(key, &mut self.out);
                self.out.push_str(": ");
                self.enter(Step::Key(key))
            }
        }
    }

    /// Prints a value of the binary form.
    pub(super) fn view(&mut self, view: &View<'a>) -> Result<()> {
        self.spend(0)?;
        match view {
            View::Null => self.out.push_str("null"),
            View::Bool(true) => self.out.push_str("true"),
            View::Bool(false) => self.out.push_str("false"),
            // Writing to a string cannot fail.
            View::Int(n) => drop(write!(self.out, "{n}")),
            View::UInt(n) => drop(write!(self.out, "{n}")),
            View::Double(n) => scalar::double(*n, &mut self.out)?,
            View::Str(text) => {
                self.spend(text.len())?;
                scalar::quoted(text, &mut self.out);
            }
            View::Opaque(sql_type, data) => {
                self.spend(data.len())?;
                let sql = scalar::opaque(*sql_type, data, &mut self.out)?;
                self.typed.push(JsonTyped { path: path_text(&self.path), sql });
            }
            View::Array(array) => {
                self.out.push('[');
                for i in 0..array.count() {
                    self.member(i, None)?;
                    self.view(&array.value(i)?)?;
                    self.path.pop();
                }
                self.out.push(']');
            }
            View::Object(object) => {
                self.out.push('{');
                for i in 0..object.count() {
                    self.member(i, Some(object.key(i)?))?;
                    self.view(&object.value(i)?)?;
                    self.path.pop();
                }
                self.out.push('}');
            }
        }
        Ok(())
    }

    /// Prints a document that has been taken apart.
    pub(super) fn tree(&mut self, tree: &'a Tree<'a>) -> Result<()> {
        match tree {
            Tree::Leaf(view) => self.view(view)?,
            Tree::Array(members) => {
                self.out.push('[');
                for (i, member) in members.iter().enumerate() {
                    self.member(i, None)?;
                    self.tree(member)?;
                    self.path.pop();
                }
                self.out.push(']');
            }
            Tree::Object(members) => {
                self.out.push('{');
                for (i, (key, member)) in members.iter().enumerate() {
                    self.member(i, Some(key))?;
                    self.tree(member)?;
                    self.path.pop();
                }
                self.out.push('}');
            }
        }
        Ok(())
    }
}

/// A path as MySQL writes it; keys that are no plain identifiers in quotes.
fn path_text(path: &[Step<'_>]) -> String {
    let mut out = String::from("$");
    for step in path {
        match step {
            Step::Index(index) => drop(write!(out, "[{index}]")),
            Step::Key(key) => {
                out.push('.');
                let mut chars = key.bytes();
                let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_');
                if first && chars.all(|c| c.is_ascii_alphanumeric() || c == b'_') {
                    out.push_str(key);
                } else {
                    scalar::quoted(key, &mut out);
                }
            }
        }
    }
    out
}
