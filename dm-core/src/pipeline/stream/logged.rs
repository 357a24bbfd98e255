//! What sessions write that log statements instead of rows (`binlog_format`), and halves of statements.
//!
//! Guarantee: rows that such a session changes are either not carried, or the task stops; what it does to a
//! temporary table never happens to the table of that name at the target; a statement that has begun or failed
//! does not run there. Method: rows that come as a statement are told by its kind. A session that logs rows says
//! nothing of its temporary tables except that they are dropped; one that logs statements does, in the words
//! that a table would have, and marks the event as one of its connection.

use dm_filter::{Change, Filter, TableName, Verdict};

use super::Stream;
use super::outcome::short;
use super::statement::Seen;
use crate::binlog::QueryEvent;
use crate::ddl::{AlterSpec, Body, NameRole, Statement, StatementKind as K, TableElement};
use crate::error::{Error, Result, codes};
use crate::position::BinlogPos;

/// The other reason to mark a statement as one of its connection: it has the connection's number in it.
const OWN_NUMBER: &str = "connection_id";

/// True for a statement on a table that only the session sees which ran it. CREATE and DROP say so themselves.
pub(super) fn is_of_temporary(statement: &Statement, query: &QueryEvent<'_>) -> bool {
    let changes =
        matches!(statement.kind, K::AlterTable | K::TruncateTable | K::CreateIndex | K::DropIndex);
    changes && query.of_its_thread && !statement.sql.to_ascii_lowercase().contains(OWN_NUMBER)
}

impl Stream<'_> {
    /// The first half of an ALTER TABLE, or the end of one that has failed.
    pub(super) fn unfinished_alter(
        &mut self,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        self.begin(None, at);
        let query = QueryEvent::of("", Vec::new());
        self.skip(
            "ALTER TABLE that begins or fails",
            &Seen { query: &query, text: "", start, end, at, in_txn: false },
        )
    }

    /// A change of rows that is logged as its statement: it cannot be followed, unless nothing
    /// that it names is carried.
    pub(super) fn statement_format(&mut self, statement: &Statement, seen: &Seen<'_>) -> Result {
        for table in statement.tables() {
            if self.tables.is_carried(table)? {
                return Err(in_statement_format(
                    &format!("rows of {table} were changed by a logged statement"),
                    statement,
                ));
            }
        }
        self.skip("statement-format change of excluded tables", seen)
    }

    /// A query is logged when a routine that it calls has changed something. What, only some servers tell, by
    /// schemas.
    pub(super) fn logged_query(&mut self, statement: &Statement, seen: &Seen<'_>) -> Result {
        let excluded = |schema: &String| {
            let whole = [TableName::schema_only(schema)];
            let change = Change::ddl(&whole, None, &statement.sql);
            self.ctx.creator.filter.decide(&change) == Verdict::Exclude
        };
        let schemas = seen.query.vars.updated_schemas.as_ref();
        match schemas.filter(|schemas| !schemas.is_empty()) {
            Some(schemas) if schemas.iter().all(excluded) => {
                self.skip("statement-format change of excluded tables", seen)
            }
            _ => Err(in_statement_format(
                "rows were changed by a routine that a logged query called",
                statement,
            )),
        }
    }

    /// A carried table is made with rows, or in a shape, that stand nowhere in the binlog, or its rows get such values.
    ///
    /// # Errors
    ///
    /// `SYNC_STATEMENT_FORMAT` for such a statement.
    pub(super) fn must_be_whole(&self, statement: &Statement, seen: &Seen<'_>) -> Result {
        if let Some((column, default)) = chance(statement) {
            return Err(in_statement_format(
                &format!(
                    "the rows that are there get values of {default} in the new column {column}, others than at the source"
                ),
                statement,
            )
            .workaround(
                "Where the table has no rows, run the statement all the same (`dm binlog replace` with its text, or a \
                 `ddl-rules` entry with `action: warn`). Else do that and copy the values of the column to the target, or \
                 copy the table again.",
            ));
        }
        let Body::CreateTable(create) = &statement.body else { return Ok(()) };
        if create.select.is_some() {
            return Err(in_statement_format("a table was made of a logged query", statement));
        }
        let like = statement.names.iter().find(|n| n.role == NameRole::Like);
        // MariaDB marks CREATE OR REPLACE whatever it is like.
        match like.filter(|_| seen.query.of_its_thread && !create.or_replace) {
            Some(like) => Err(in_statement_format(
                &format!("a table was made like {}, which was a temporary one", like.name),
                statement,
            )),
            None => Ok(()),
        }
    }
}

/// A new column whose default is another one for each row and at each server.
fn chance(statement: &Statement) -> Option<(&str, &str)> {
    const CALLS: &[&str] = &[
        "rand(",
        "uuid(",
        "uuid_v4(",
        "uuid_v7(",
        "uuid_short(",
        "sys_guid(",
        "random_bytes(",
        "nextval(",
        "nextvaluefor",
    ];
    let Body::AlterTable(alter) = &statement.body else { return None };
    let added = alter.clauses.iter().filter_map(|clause| match &clause.spec {
        AlterSpec::AddColumns { elements, .. } => Some(elements),
        _ => None,
    });
    added.flatten().find_map(|element| {
        let TableElement::Column(column) = element else { return None };
        let default = column.default.as_deref().filter(|text| !text.starts_with(['\'', '"']))?;
        let plain: String = default.to_ascii_lowercase().split_whitespace().collect();
        CALLS.iter().any(|call| plain.contains(call)).then_some((column.name.as_str(), default))
    })
}

fn in_statement_format(what: &str, statement: &Statement) -> Error {
    Error::new(&codes::SYNC_STATEMENT_FORMAT, format!("{what}: {}", short(&statement.sql)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{ParseContext, parse};

    #[test]
    fn defaults_that_no_two_servers_have_alike() {
        let found = |sql: &str| {
            let statement = parse(sql, &ParseContext::default()).unwrap();
            chance(&statement).map(|(column, _)| column.to_owned())
        };
        assert_eq!(
            found("ALTER TABLE t ADD c INT, ADD u CHAR(36) DEFAULT (UUID ())").as_deref(),
            Some("u")
        );
        assert_eq!(
            found("ALTER TABLE t ADD (n INT DEFAULT (NEXT VALUE FOR s))").as_deref(),
            Some("n")
        );
        assert_eq!(found("ALTER TABLE t ADD r DOUBLE DEFAULT (1 + Rand())").as_deref(), Some("r"));
        assert_eq!(found("ALTER TABLE t ADD c CHAR(9) DEFAULT 'rand()'"), None);
        assert_eq!(
            found("ALTER TABLE t ADD c INT DEFAULT (1 + 1), ALTER d SET DEFAULT (UUID())"),
            None
        );
        assert_eq!(found("CREATE TABLE t (u CHAR(36) DEFAULT (UUID()))"), None);
    }

    #[test]
    fn what_a_session_does_to_its_own_tables() {
        let is = |sql: &str, of_its_thread| {
            let statement = parse(sql, &ParseContext::default()).unwrap();
            is_of_temporary(
                &statement,
                &QueryEvent { of_its_thread, ..QueryEvent::of("d", sql.as_bytes()) },
            )
        };
        for sql in [
            "TRUNCATE t",
            "ALTER TABLE t ADD c INT",
            "CREATE INDEX i ON t (a)",
            "DROP INDEX i ON t",
        ] {
            assert!(is(sql, true) && !is(sql, false), "{sql}");
        }
        // Servers mark these as well, and mean tables that everybody sees.
        for sql in [
            "DROP TABLE IF EXISTS `t` /* generated by server */",
            "CREATE TABLE `t` (`id` int)",
            "ALTER TABLE t ADD c INT DEFAULT (Connection_ID())",
        ] {
            assert!(!is(sql, true), "{sql}");
        }
    }
}
