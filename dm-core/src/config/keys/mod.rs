//! The table of all keys: what may stand in a task file and in a source file.
//!
//! One table serves twice: a file is checked against it (unknown keys, keys given twice, wrong
//! types, deprecated keys), and the manual's page on the configuration is rendered from it. A key that
//! is not in the table cannot be read, and one that is in the table is documented.

mod reference;
mod sample;
mod source;
// A table is read by columns.
#[rustfmt::skip]
mod task;

#[cfg(test)]
mod tests;

pub use reference::reference;
pub use sample::{sample_source, sample_task};
pub(super) use source::SOURCE;
pub(super) use task::TASK;

use super::context::File;
use super::yaml::{Data, Entry, Node};

/// Keys that stand together.
#[derive(Debug)]
pub(super) struct Group {
    /// How the manual calls them.
    pub title: &'static str,
    /// What they are about.
    pub intro: &'static str,
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// What holds without it, as it would be written; empty when there is no default.
    pub default: &'static str,
    /// DM's version that brought it, or `ours`.
    pub since: &'static str,
    pub meaning: &'static str,
    pub standing: Standing,
}

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Bool,
    Int,
    UInt,
    /// A list of texts.
    Texts,
    /// Names of the user's choice, each with a text.
    TextMap,
    /// Bytes: a text, or a list of numbers.
    Bytes,
    One(&'static Group),
    List(&'static Group),
    /// Names of the user's choice, each with such a group.
    Named(&'static Group),
    /// Anything; not looked into.
    Any,
}

/// What becomes of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Used,
    /// Read, and without effect here; the text says why.
    Ignored(&'static str),
    /// Still used; the text says what to write instead.
    Deprecated(&'static str),
}

pub(super) const OURS: &str = "ours";

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    since: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, kind, default, since, meaning, standing: Standing::Used }
}

impl Key {
    pub(super) const fn ignored(mut self, why: &'static str) -> Self {
        self.standing = Standing::Ignored(why);
        self
    }

    pub(super) const fn deprecated(mut self, instead: &'static str) -> Self {
        self.standing = Standing::Deprecated(instead);
        self
    }
}

impl Key {
    /// Whether a value is what holds without the key.
    fn is_default(&self, node: &Node) -> bool {
        match (self.kind, &node.data) {
            (Kind::Bool, _) => node.as_bool().is_some_and(|b| b.to_string() == self.default),
            (_, Data::Scalar { text, .. }) => text == self.default,
            _ => false,
        }
    }
}

impl Kind {
    /// What a user should have written.
    fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::UInt => "a whole number, not below zero",
            Self::Texts => "a list of texts",
            Self::TextMap => "a mapping of names to texts",
            Self::Bytes => "a text or a list of numbers from 0 to 255",
            Self::One(_) => "a mapping",
            Self::List(_) => "a list of mappings",
            Self::Named(_) => "a mapping of names to mappings",
            Self::Any => "anything",
        }
    }
}

/// Checks a whole file against a group.
pub(super) fn check(file: &mut File, root: &Node, group: &'static Group) {
    // What is no mapping at all says nothing about any key.
    file.unreadable = !matches!(root.data, Data::Map(_)) && !root.is_null();
    let mut checker = Checker { file };
    checker.group(root, group, "");
}

struct Checker<'a> {
    file: &'a mut File,
}

impl Checker<'_> {
    fn group(&mut self, node: &Node, group: &'static Group, path: &str) {
        let Some(entries) = self.mapping(node, Kind::One(group), path) else { return };
        self.duplicates(entries, path);
        for entry in entries {
            let inner = join(path, &entry.key);
            match group.keys.iter().find(|k| k.name == entry.key) {
                Some(key) => {
                    self.standing(key, entry, &inner);
                    self.value(&entry.value, key.kind, &inner);
                }
                None => {
                    self.file.yaml_problem_at(
                        entry.key_at,
                        &inner,
                        format!("unknown key `{}`", entry.key),
                        suggestion(&entry.key, group),
                    );
                }
            }
        }
    }

    fn standing(&mut self, key: &Key, entry: &Entry, path: &str) {
        // The value that holds anyway is no reason for a word: DM's own templates are full of them.
        if entry.value.is_null() || key.is_default(&entry.value) {
            return;
        }
        match key.standing {
            Standing::Used => {}
            Standing::Ignored(why) => self.file.warn(path, format!("has no effect: {why}")),
            Standing::Deprecated(instead) => {
                self.file.warn(path, format!("is deprecated: {instead}"));
            }
        }
    }

    fn value(&mut self, node: &Node, kind: Kind, path: &str) {
        if node.is_null() {
            return;
        }
        match kind {
            Kind::Any => {}
            Kind::Text => self.require(matches!(node.data, Data::Scalar { .. }), node, kind, path),
            Kind::Bool => self.require(node.as_bool().is_some(), node, kind, path),
            Kind::Int => self.require(node.as_int().is_some(), node, kind, path),
            Kind::UInt => self.require(node.as_int().is_some_and(|n| n >= 0), node, kind, path),
            Kind::Texts => self.list(node, kind, path, |c, item, path| {
                c.require(matches!(item.data, Data::Scalar { .. }), item, Kind::Text, path);
            }),
            Kind::Bytes => self.require(node.as_bytes().is_some(), node, kind, path),
            Kind::TextMap => self.named(node, kind, path, Kind::Text),
            Kind::One(group) => self.group(node, group, path),
            Kind::Named(group) => self.named(node, kind, path, Kind::One(group)),
            Kind::List(group) => self.list(node, kind, path, |c, item, path| {
                c.value(item, Kind::One(group), path);
            }),
        }
    }

    fn list(
        &mut self,
        node: &Node,
        kind: Kind,
        path: &str,
        mut each: impl FnMut(&mut Self, &Node, &str),
    ) {
        let Data::Seq(items) = &node.data else {
            return self.require(false, node, kind, path);
        };
        for (i, item) in items.iter().enumerate() {
            each(self, item, &format!("{path}[{i}]"));
        }
    }

    fn named(&mut self, node: &Node, kind: Kind, path: &str, inner: Kind) {
        let Some(entries) = self.mapping(node, kind, path) else { return };
        self.duplicates(entries, path);
        for entry in entries {
            self.value(&entry.value, inner, &join(path, &entry.key));
        }
    }

    fn mapping<'n>(&mut self, node: &'n Node, kind: Kind, path: &str) -> Option<&'n [Entry]> {
        if let Data::Map(entries) = &node.data {
            return Some(entries);
        }
        if !node.is_null() {
            self.require(false, node, kind, path);
        }
        None
    }

    fn require(&mut self, right: bool, node: &Node, kind: Kind, path: &str) {
        if !right {
            let found = match kind {
                Kind::Bool | Kind::Int | Kind::UInt => node.describe(),
                _ => node.describe_kind().to_owned(),
            };
            self.file.yaml_problem_at(node.at, path, found, kind.expected().to_owned());
        }
    }

    fn duplicates(&mut self, entries: &[Entry], path: &str) {
        for (i, entry) in entries.iter().enumerate() {
            if let Some(first) = entries.iter().take(i).find(|e| e.key == entry.key) {
                self.file.yaml_problem_at(
                    entry.key_at,
                    &join(path, &entry.key),
                    format!(
                        "key `{}` stands twice, first in line {}",
                        entry.key, first.key_at.line
                    ),
                    "each key once".to_owned(),
                );
            }
        }
    }
}

/// The path of a key inside a path.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A known key that resembles a wrong one, or all known ones.
fn suggestion(wrong: &str, group: &Group) -> String {
    let near = group
        .keys
        .iter()
        .map(|k| (distance(wrong, k.name), k.name))
        .min()
        .filter(|(d, name)| *d <= 1 + name.len() / 4);
    match near {
        Some((_, name)) => format!("perhaps `{name}`"),
        None => {
            let names: Vec<_> = group.keys.iter().map(|k| k.name).collect();
            format!("one of {}", names.join(", "))
        }
    }
}

/// How many letters have to change to make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().replace('_', "-").chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().replace('_', "-").chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let change = row.get(j).copied().unwrap_or(0) + usize::from(ca != *cb);
            let delete = row.get(j + 1).copied().unwrap_or(0) + 1;
            let insert = next.last().copied().unwrap_or(0) + 1;
            next.push(change.min(delete).min(insert));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
