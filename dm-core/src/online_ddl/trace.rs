//! What the binlog before the place where following began says about a ghost table.

use dm_filter::TableName;

use super::follower::push;
use super::names::Names;
use super::record::Change;
use super::steps::{Step, read};
use crate::ddl::Statement;
use crate::error::Result;

/// Collects the statements that changed one ghost table. Files are traced from the last to the
/// first, each from its beginning to its end, until the ghost's own beginning is met.
#[derive(Clone, Debug)]
pub struct Trace {
    ghost: TableName,
    /// Of the file that is being read.
    begun: bool,
    changes: Vec<Change>,
    /// Of the files behind it.
    later: Vec<Change>,
}

impl Trace {
    /// A trace of a ghost table.
    pub fn new(ghost: TableName) -> Self {
        Self { ghost, begun: false, changes: Vec::new(), later: Vec::new() }
    }

    /// True when a text may name the ghost: others need not be read.
    pub fn may_concern(&self, text: &str) -> bool {
        let name = self.ghost.table.as_bytes();
        // A name with a quote in it is written with two.
        name.contains(&b'`')
            || text.as_bytes().windows(name.len().max(1)).any(|w| w.eq_ignore_ascii_case(name))
            || !name.is_ascii()
    }

    /// Reads one statement.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn statement(&mut self, names: &Names, statement: &Statement, change: Change) -> Result {
        for step in read(names, statement)?.unwrap_or_default() {
            match step {
                Step::Begin(ghost) | Step::Forget(ghost) | Step::Finish { ghost, .. }
                    if names.same(&ghost, &self.ghost) =>
                {
                    self.begun = true;
                    self.changes.clear();
                }
                Step::Remember(ghost) if names.same(&ghost, &self.ghost) => {
                    push(&mut self.changes, change.clone());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// True when the file that was read holds the ghost's beginning: no earlier one is needed.
    pub fn is_complete(&self) -> bool {
        self.begun
    }

    /// The file has been read; an earlier one follows.
    pub fn next_file(&mut self) {
        self.later = self.take();
        self.begun = false;
    }

    fn take(&mut self) -> Vec<Change> {
        let mut all = std::mem::take(&mut self.changes);
        all.append(&mut self.later);
        all
    }

    /// The statements that changed the ghost, in their order.
    pub fn into_changes(mut self) -> Vec<Change> {
        self.take()
    }
}
