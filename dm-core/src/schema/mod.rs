//! Table structures: what they are, how statements change them, how two of them compare.

mod table;

pub use table::{
    Column, ColumnType, ForeignKey, Generated, Key, KeyKind, KeyPart, TableSchema, TypeKind,
};
