//! The binlog event filter: which kinds of statements and row changes pass.

mod event_type;

pub use event_type::{EventSelector, EventType, UnknownEvent};
