//! What structural statements say, clause by clause, before any default is filled in.
//!
//! Expressions (defaults, generated columns, checks, functional keys) and partitions stay text:
//! a migration hands them on and never computes them.
mod alter;
mod element;
mod table;
mod types;

pub use alter::{AlterClause, AlterSpec, AlterTable, DropKind, PartitionOp, Position};
pub use element::{
    CheckDef, ColumnDef, ForeignKeyDef, Generated, KeyDef, KeyKind, KeyPart, TableElement,
};
pub use table::{CreateIndex, CreateTable, DatabaseDef, DropIndex, TableOption};
pub use types::{TypeKind, TypeSpec};
