//! Applies the clauses of one ALTER TABLE to a structure.
//!
//! The servers do not run the clauses one after the other: they make a new table out of the old
//! one and the whole list. First the columns (dropped, changed, kept, then the new and the moved
//! ones in the order written), then the keys, whose parts follow their columns by the *old* names,
//! then the new keys. That is why `CHANGE a b INT, CHANGE b a INT` swaps two names and why `DROP
//! COLUMN a, ADD COLUMN a INT` keeps `a` in its keys. The same is done here.

mod columns;
mod keys;

use super::build::{self, Builder};
use super::charset::Defaults;
use super::condition::is_void;
use super::rename::rename_in_expression;
use super::table::{Column, TableSchema, same_name};
use crate::ddl::{AlterClause, AlterSpec, Flavor, PartitionOp, SqlMode, TableElement, TableOption};
use crate::error::{Error, Result, codes};

/// What an ALTER TABLE did besides changing the structure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Altered {
    /// Columns with another name: old and new.
    pub renamed: Vec<(String, String)>,
    /// What the statement named and the structure does not have.
    pub notes: Vec<String>,
}

/// What an ALTER TABLE is applied with.
pub(super) struct AlterContext<'a> {
    pub defaults: &'a Defaults,
    pub mode: SqlMode,
    pub table: &'a str,
    pub sql: &'a str,
    /// Character set and collation of the schema, for CONVERT TO ... DEFAULT.
    pub schema: (&'a str, &'a str),
}

/// A column of the new table, and the old column that it comes from.
#[derive(Clone)]
struct NewColumn {
    column: Column,
    old: Option<String>,
}

/// Applies all clauses of one statement.
pub(super) fn alter(
    old: &TableSchema,
    clauses: &[AlterClause],
    context: &AlterContext<'_>,
) -> Result<(TableSchema, Altered)> {
    let mut work = Work::new(old, clauses, context);
    work.options();
    work.columns()?;
    work.keys();
    work.constraints();
    work.finish()
}

struct Work<'a> {
    old: &'a TableSchema,
    clauses: Vec<&'a AlterClause>,
    context: &'a AlterContext<'a>,
    builder: Builder<'a>,
    convert: Option<(String, String)>,
    columns: Vec<NewColumn>,
    new: TableSchema,
    out: Altered,
}

impl<'a> Work<'a> {
    fn new(
        old: &'a TableSchema,
        clauses: &'a [AlterClause],
        context: &'a AlterContext<'a>,
    ) -> Self {
        let inherited = (old.charset.as_str(), old.collation.as_str());
        let builder = Builder::new(context.defaults, context.mode, context.table, inherited);
        let clauses = clauses.iter().filter(|c| !is_void(old, &c.spec)).collect();
        let mut new = old.clone();
        new.columns.clear();
        new.keys.clear();
        Self {
            old,
            clauses,
            context,
            builder,
            convert: None,
            columns: Vec::new(),
            new,
            out: Altered::default(),
        }
    }

    fn specs(&self) -> impl Iterator<Item = &'a AlterSpec> + use<'a> {
        self.clauses.clone().into_iter().map(|c| &c.spec)
    }

    fn missing(&mut self, what: &str, name: &str) {
        self.out.notes.push(format!("{what} `{name}` is not there"));
    }

    /// The table's character set and collation: what an option says goes before CONVERT.
    fn table_charset(&mut self) -> (String, String) {
        let defaults = self.context.defaults;
        let mut settled = (self.old.charset.clone(), self.old.collation.clone());
        let (mut charset, mut collation) = (None, None);
        let mut said = None;
        for spec in self.specs() {
            match spec {
                AlterSpec::Convert { charset: to, collation: with } => {
                    said = with.as_deref().zip(to.as_deref());
                    let schema = self.context.schema;
                    // DEFAULT is the schema's character set; MariaDB takes the collation that is
                    // compiled in for it, whatever the schema or the server say.
                    let compiled = defaults.compiled_collation_of(schema.0);
                    let mariadb = defaults.server.flavor == Flavor::MariaDb;
                    let inherited = if mariadb { (schema.0, compiled.as_str()) } else { schema };
                    settled = defaults.resolve(to.as_deref(), with.as_deref(), inherited);
                    self.convert = Some(settled.clone());
                }
                AlterSpec::Option(TableOption::Charset(c)) => charset = Some(c.as_str()),
                AlterSpec::Option(TableOption::Collate(c)) => collation = Some(c.as_str()),
                _ => {}
            }
        }
        // To MySQL a collation that CONVERT names goes with the character set, wherever that is said again.
        let said =
            said.filter(|(_, to)| charset == Some(*to) && defaults.server.flavor == Flavor::MySql);
        let of_convert = said.map(|(with, _)| with);
        let (collation, above) = (collation.or(of_convert), self.context.schema.0);
        defaults.resolve_under(charset, collation, (&settled.0, &settled.1), above)
    }

    /// Table options: they count for the columns of the same statement.
    fn options(&mut self) {
        let settled = self.table_charset();
        (self.builder.charset, self.builder.collation) = settled.clone();
        (self.new.charset, self.new.collation) = settled;
        for spec in self.specs() {
            if let AlterSpec::Option(option) = spec {
                build::apply_option(&mut self.new, option);
            }
        }
        for clause in self.clauses.clone() {
            match &clause.spec {
                AlterSpec::Partition(PartitionOp::Define) => {
                    self.new.partitioning =
                        self.context.sql.get(clause.span.clone()).map(str::to_owned);
                }
                AlterSpec::Partition(PartitionOp::Remove) => self.new.partitioning = None,
                AlterSpec::AddSystemVersioning => self.new.system_versioned = true,
                AlterSpec::DropSystemVersioning => {
                    self.new.system_versioned = false;
                    self.new.periods.retain(|p| !same_name(&p.0, "SYSTEM_TIME"));
                }
                AlterSpec::DropPeriod(name) => {
                    self.new.periods.retain(|p| !same_name(&p.0, name));
                }
                AlterSpec::Add(TableElement::Period { name, start, end })
                    if !self.new.periods.iter().any(|p| same_name(&p.0, name)) =>
                {
                    self.new.periods.push((name.clone(), start.clone(), end.clone()));
                }
                _ => {}
            }
        }
    }

    fn conflict(&self, what: &str) -> Error {
        Error::new(
            &codes::SCHEMA_DDL,
            format!("the tracked structure of table `{}` does not fit: {what}", self.context.table),
        )
    }

    fn finish(mut self) -> Result<(TableSchema, Altered)> {
        let renamed = &self.out.renamed;
        let new_name = |name: &mut String| {
            if let Some((_, new)) = renamed.iter().find(|(old, _)| same_name(old, name)) {
                name.clone_from(new);
            }
        };
        self.new.foreign_keys.iter_mut().flat_map(|k| &mut k.columns).for_each(new_name);
        for (_, start, end) in &mut self.new.periods {
            new_name(start);
            new_name(end);
        }
        self.new.columns =
            std::mem::take(&mut self.columns).into_iter().map(|c| c.column).collect();
        for column in &mut self.new.columns {
            if let Some(generated) = &mut column.generated {
                generated.expr = rename_in_expression(&generated.expr, renamed);
            }
        }
        self.check_keys()?;
        self.builder.finish(&mut self.new, false);
        Ok((self.new, self.out))
    }
}
