//! A target that takes structural statements as a TiDB does: an ALTER TABLE of several changes, and
//! DROP COLUMN of a column with a key, are refused with its number.

use dm_core::ddl::{AlterSpec, Body, ParseContext, parse};
use dm_core::error::codes;
use dm_core::sink::{Clauses, DdlOutcome, MemorySink, Sink, TargetDdl};
use dm_core::{Error, Result};

use crate::around::Between;

/// `old` is a target that says beforehand that it takes one change at a time.
pub struct Picky {
    pub old: bool,
}

fn refused(sql: &str) -> Error {
    Error::new(&codes::DB_EXECUTE, format!("unsupported: {sql}")).server_number(8200)
}

pub fn check(tables: &MemorySink, ddl: &TargetDdl) -> Result<()> {
    let statement = parse(&ddl.sql, &ParseContext::default())?;
    let Body::AlterTable(alter) = &statement.body else { return Ok(()) };
    let [clause] = alter.clauses.as_slice() else { return Err(refused(&ddl.sql)) };
    let AlterSpec::DropColumn { name, .. } = &clause.spec else { return Ok(()) };
    let schema = tables.describe(&alter.name)?;
    match schema.is_some_and(|schema| schema.keys.iter().any(|key| key.has_column(name))) {
        true => Err(refused(&ddl.sql)),
        false => Ok(()),
    }
}

impl Between for Picky {
    fn execute(&self, tables: &MemorySink, ddl: &TargetDdl) -> Result<DdlOutcome> {
        check(tables, ddl)?;
        tables.execute_ddl(ddl)
    }

    fn clauses(&self) -> Clauses {
        if self.old { Clauses::OneByOne } else { Clauses::Together }
    }
}
