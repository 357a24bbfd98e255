//! Table structures: what they are, how statements change them, how two of them compare.

mod alter;
mod build;
mod charset;
mod compare;
mod condition;
mod convert;
mod create;
mod decided;
mod default;
mod event;
mod info;
mod keys;
mod list;
mod pieces;
mod prefix;
mod print;
mod rename;
mod table;
mod tracker;

#[cfg(test)]
mod fuzz_tests;

pub use charset::{Defaults, binary_collation, charset_of};
pub use compare::{differences, same_columns};
pub(crate) use create::created;
pub use create::parse_create_table;
pub use event::event_type;
pub(crate) use event::integer_range;
pub use info::{Chunk, SchemaCopy, TableCopy, TableInfo};
pub use list::List;
pub(crate) use list::Pool;
pub use print::create_table;
pub(crate) use print::{column_clause, foreign_key_clause, key_clause};
pub use table::{
    Check, Column, ColumnType, ForeignKey, Generated, Key, KeyKind, KeyPart, TableSchema, TypeKind,
    same_name,
};
pub(crate) use tracker::fold;
pub use tracker::{
    Effects, HistoryStart, Older, OlderIs, Place, SchemaHistory, SchemaInfo, Settled, Stands,
    Stood, TableChange, Timeline, Tracked, Tracker,
};
