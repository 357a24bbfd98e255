//! Table structures: what they are, how statements change them, how two of them compare.

mod build;
mod charset;
mod create;
mod default;
mod info;
mod table;

pub use charset::{Defaults, binary_collation, charset_of};
pub use create::parse_create_table;
pub use info::{Chunk, SchemaCopy, TableCopy, TableInfo};
pub use table::{
    Check, Column, ColumnType, ForeignKey, Generated, Key, KeyKind, KeyPart, TableSchema, TypeKind,
    same_name,
};
