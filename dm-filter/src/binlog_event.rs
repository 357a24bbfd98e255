//! The binlog event filter: which kinds of statements and row changes pass.

/// A kind of event, by the names that DM's filter rules use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EventType {
    /// `insert`
    Insert,
    /// `update`
    Update,
    /// `delete`
    Delete,
}
