//! Reading values out of a checked tree.
//!
//! The tree has been checked against the table of keys; a value of the wrong type was reported
//! there and counts as absent here.

use std::collections::BTreeMap;

use crate::config::yaml::{Data, Node};

/// A value that may be absent.
#[derive(Clone, Copy)]
pub(in crate::config) struct View<'a>(Option<&'a Node>);

impl<'a> View<'a> {
    pub fn new(node: &'a Node) -> Self {
        Self(Some(node))
    }

    fn node(self) -> Option<&'a Node> {
        self.0.filter(|n| !n.is_null())
    }

    /// The value of a key.
    pub fn get(self, key: &str) -> View<'a> {
        let Some(Data::Map(entries)) = self.node().map(|n| &n.data) else { return View(None) };
        View(entries.iter().find(|e| e.key == key).map(|e| &e.value))
    }

    /// A text; numbers and booleans count as the text that was typed.
    pub fn text(self) -> Option<String> {
        match &self.node()?.data {
            Data::Scalar { text, .. } => Some(text.clone()),
            _ => None,
        }
    }

    pub fn bool(self) -> Option<bool> {
        self.node()?.as_bool()
    }

    pub fn int(self) -> Option<i64> {
        i64::try_from(self.node()?.as_int()?).ok()
    }

    pub fn uint(self) -> Option<u64> {
        u64::try_from(self.node()?.as_int()?).ok()
    }

    pub fn bytes(self) -> Option<Vec<u8>> {
        self.node()?.as_bytes()
    }

    pub fn texts(self) -> Vec<String> {
        self.list(|v| v.text().unwrap_or_default())
    }

    pub fn text_map(self) -> BTreeMap<String, String> {
        self.named(|v| v.text().unwrap_or_default())
    }

    /// Each item of a list.
    pub fn list<T>(self, mut each: impl FnMut(View<'a>) -> T) -> Vec<T> {
        match self.node().map(|n| &n.data) {
            Some(Data::Seq(items)) => items.iter().map(|n| each(View(Some(n)))).collect(),
            _ => Vec::new(),
        }
    }

    /// Each value under names of the user's choice.
    pub fn named<T>(self, mut each: impl FnMut(View<'a>) -> T) -> BTreeMap<String, T> {
        let Some(Data::Map(entries)) = self.node().map(|n| &n.data) else {
            return BTreeMap::new();
        };
        entries.iter().rev().map(|e| (e.key.clone(), each(View(Some(&e.value))))).collect()
    }

    /// A group of keys, `None` when it is absent or empty.
    pub fn one<T>(self, read: impl FnOnce(View<'a>) -> T) -> Option<T> {
        self.node().map(|n| read(View(Some(n))))
    }
}
