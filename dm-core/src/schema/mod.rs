//! Table structures: what they are, how statements change them, how two of them compare.

mod info;
mod table;

pub use info::{Chunk, SchemaInfo, TableCopy, TableInfo};
pub use table::{
    Column, ColumnType, ForeignKey, Generated, Key, KeyKind, KeyPart, TableSchema, TypeKind,
};
