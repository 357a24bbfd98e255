//! A statement of one dialect in the words of another: what has a counterpart is replaced, what
//! has none is refused by name, everything else stays byte for byte.
//!
//! From MariaDB to MySQL and TiDB: UCA 14.0.0 and NOPAD collations, COMPRESSED columns, JSON (at
//! MariaDB a text that is checked), functions as defaults, options of its own engines, IGNORED
//! keys, SET STATEMENT, ONLINE and how long to wait for a lock. Types that only MariaDB has (INET4, INET6, UUID,
//! XMLTYPE) are refused, and VECTOR where the target is of a version before it. From MySQL to
//! MariaDB: collations of the 0900 family (`collations`). Conditions are not a matter of
//! words alone ([`crate::schema::Tracker::decided`]).
//!
//! Method: edits over the spans of tokens. What stands in comments that the target does not
//! execute is left alone.

mod collations;
mod edits;
mod from_mariadb;
mod from_mysql;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::collations::{to_mariadb, to_mysql};
use self::edits::Edits;
use super::ast::{AlterSpec, ColumnDef, TableElement, TypeKind};
use super::lexer::lex;
use super::server::{Flavor, ServerVersion};
use super::statement::{Body, ParseContext, Statement};
use super::{SqlMode, parse};
use crate::error::{Error, Result, codes};
use crate::sql::quote_ident;

/// The statement as the server `to` takes it.
///
/// `from` is the dialect that it was written in; `None` when it is not known (a printed
/// structure): then only words are replaced that no other dialect has.
///
/// # Errors
///
/// 36067 when the statement cannot be read, 36068 when it uses a type that `to` does not have.
pub fn translate(
    sql: &str,
    mode: SqlMode,
    from: Option<Flavor>,
    to: ServerVersion,
) -> Result<Cow<'_, str>> {
    let context = ParseContext { sql_mode: mode, ..ParseContext::default() };
    let statement = parse(sql, &context)?;
    let lexed = lex(sql, mode, to.comments());
    let mut edits = Edits { sql, mode, lexed, list: Vec::new() };
    let columns = columns(&statement);
    refuse(&columns, to)?;
    match to.flavor {
        Flavor::MariaDb => {
            edits.collations(|name| to_mariadb(name, to.number));
            if from != Some(Flavor::MariaDb) {
                edits.visible_keys();
                edits.printed_visibility(to.number);
                edits.attributes(&columns);
                edits.dropped_checks(&statement);
            }
        }
        Flavor::MySql | Flavor::TiDb => {
            edits.collations(to_mysql);
            if from != Some(Flavor::MySql) {
                edits.columns(&columns, from == Some(Flavor::MariaDb));
                edits.options();
                edits.hints(&statement);
            }
        }
    }
    Ok(edits.applied())
}

/// Every column that a statement defines, in the order of the text.
fn columns(statement: &Statement) -> Vec<&ColumnDef> {
    fn add<'a>(list: &mut Vec<&'a ColumnDef>, elements: &'a [TableElement]) {
        list.extend(elements.iter().filter_map(|e| match e {
            TableElement::Column(column) => Some(column),
            _ => None,
        }));
    }
    let mut list = Vec::new();
    match &statement.body {
        Body::CreateTable(create) => add(&mut list, &create.elements),
        Body::AlterTable(alter) => {
            for clause in &alter.clauses {
                match &clause.spec {
                    AlterSpec::AddColumns { elements, .. } => add(&mut list, elements),
                    AlterSpec::ChangeColumn { column, .. } => list.push(column),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    list
}

fn refuse(columns: &[&ColumnDef], to: ServerVersion) -> Result {
    let mariadb = to.flavor == Flavor::MariaDb;
    for column in columns {
        let (name, instead) = match column.ty.kind {
            TypeKind::Inet4 if !mariadb => ("INET4", "VARCHAR(15)"),
            TypeKind::Inet6 if !mariadb => ("INET6", "VARCHAR(39)"),
            TypeKind::Uuid if !mariadb => ("UUID", "CHAR(36)"),
            TypeKind::Xml if !mariadb => ("XMLTYPE", "LONGTEXT"),
            // Its bytes are the same in a binary column.
            TypeKind::Vector if mariadb && to.number < 110_700 => ("VECTOR", "LONGBLOB"),
            TypeKind::Vector if to.flavor == Flavor::MySql && to.number < 90_000 => {
                ("VECTOR", "LONGBLOB")
            }
            _ => continue,
        };
        return Err(Error::new(
            &codes::SYNC_UNSUPPORTED,
            format!(
                "column {} is of type {name}, which {to} does not have",
                quote_ident(&column.name)
            ),
        )
        .workaround(format!(
            "Create the target table (or add the column) by hand with {instead} in its place, \
             exclude the column by the route's `columns`, or exclude the table; then resume."
        )));
    }
    Ok(())
}
