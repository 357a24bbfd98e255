//! Statements: their tokens, their class, the names in them, and what they say of tables.
//!
//! A replication tool may not "mostly" read DDL. Every statement that reaches a binlog is
//! recognised, with all names in it ([`parse()`]); those that change tables are read clause by
//! clause; what goes to the target is the user's own text with only names replaced
//! ([`Statement::splice`]). Text that no rule takes is an error that names the place, never a
//! guess.
//!
//! Expressions are passed over by balanced parentheses: a migration hands them on and never
//! computes them.

mod alter;
mod ast;
mod class;
mod collations;
mod column;
mod cursor;
mod default;
mod dialect;
mod key;
mod lexer;
mod objects;
mod other;
mod own;
mod parse;
mod partitions;
mod pieces;
mod query;
mod script;
mod server;
mod splice;
mod sql_mode;
mod statement;
mod table;
mod types;
mod unconditional;

pub use ast::{
    AlterClause, AlterSpec, AlterTable, CheckDef, ColumnDef, CreateIndex, CreateTable, DatabaseDef,
    DropIndex, DropKind, ForeignKeyDef, Generated, KeyDef, KeyKind, KeyPart, PartitionOp, Position,
    TableElement, TableOption, TypeKind, TypeSpec,
};
pub use dialect::translate;
pub use lexer::{
    Comments, Lexed, Region, RegionKind, Token, TokenKind, lex, quote_string, unquote_ident,
    unquote_string,
};
pub use parse::parse;
pub(crate) use partitions::partition_names;
pub use script::{parse_given, split, without_tail};
pub use server::{Flavor, ServerVersion};
pub use sql_mode::SqlMode;
pub use statement::{Body, NameRef, NameRole, ParseContext, Statement, StatementKind};
pub(crate) use types::literal_bytes;

#[cfg(test)]
mod corpus_tests;
