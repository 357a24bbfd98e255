//! Connections to the target, and the two kinds of sessions on them.
//!
//! Rows are written in one fixed session, whatever the source's session was: our own text must be
//! read as we wrote it, an id of 0 must stay 0, and what does not fit must be an error. The
//! source's sql_mode, time zone and collation belong to statements only, on a connection of
//! their own.

use std::collections::BTreeMap;
use std::io::Write as _;

use ::mysql::prelude::Queryable;
use ::mysql::{Conn, LocalInfileHandler};
use dm_filter::TableName;

use crate::error::{During, Error, Result, Scope};
use crate::mysql::shown;
use crate::sql::quote_table;

/// sql_mode of the sessions that write rows.
pub(super) const ROW_SQL_MODE: &str =
    "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION";

/// The same without strictness, for rows that only a lenient session takes.
pub(super) const LOOSE_SQL_MODE: &str =
    "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION";

/// A connection, and what the server on it is.
pub(super) struct Session {
    conn: Conn,
}

/// What one statement of a packet reported.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported {
    /// Affected rows; with found-rows counting, rows matched by an UPDATE.
    pub rows: u64,
}

/// What a LOAD DATA reported.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loaded {
    /// Affected rows: a replaced one counts twice.
    pub rows: u64,
    /// How much the server had to say about them; more than 65,535 are told as these.
    pub warnings: u16,
}

impl Session {
    /// Wraps a fresh connection.
    pub fn new(conn: Conn) -> Self {
        Self { conn }
    }

    /// The server's id of the connection.
    pub fn id(&self) -> u64 {
        u64::from(self.conn.connection_id())
    }

    /// Runs statements joined by `;` and gives what each reported.
    ///
    /// # Errors
    ///
    /// The first failure; later statements did not run. The number says which one failed.
    pub fn run(&mut self, sql: &str) -> Result<Vec<Reported>, (usize, Error)> {
        let mut reported = Vec::new();
        self.run_each(sql, &mut |one| reported.push(one))?;
        Ok(reported)
    }

    /// Runs statements joined by `;` and tells what each reported, those that were carried out alone.
    ///
    /// # Errors
    ///
    /// As [`Session::run`].
    pub fn run_each(
        &mut self,
        sql: &str,
        told: &mut dyn FnMut(Reported),
    ) -> Result<(), (usize, Error)> {
        let fail = |at: usize, e| (at, db_error(e));
        let mut result = self.conn.query_iter(sql).map_err(|e| fail(0, e))?;
        let mut at = 0;
        while let Some(mut set) = result.iter() {
            let rows = set.affected_rows();
            // What has failed looks like an answer until it has been read to its end, which is also the step to
            // the next answer: each is told when that is there.
            for row in set.by_ref() {
                row.map_err(|e| fail(at, e))?;
            }
            told(Reported { rows });
            at += 1;
        }
        Ok(())
    }

    /// Runs one statement.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn exec(&mut self, sql: &str) -> Result<u64> {
        self.run(sql).map(|r| r.first().map_or(0, |r| r.rows)).map_err(|(_, e)| e)
    }

    /// Runs one statement with these texts or bytes for its `?`.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn exec_bound(&mut self, sql: &str, values: Vec<Vec<u8>>) -> Result<Reported> {
        let statement = self.conn.prep(sql).map_err(db_error)?;
        let values: Vec<::mysql::Value> = values.into_iter().map(::mysql::Value::Bytes).collect();
        let rows = self.conn.exec_iter(&statement, values).map(|done| done.affected_rows());
        // After an error of the statement the connection is as good as before.
        let closed = self.conn.close(statement);
        let rows = rows.map_err(db_error)?;
        closed.map_err(db_error)?;
        Ok(Reported { rows })
    }

    /// Runs a LOAD DATA LOCAL INFILE, whose file is these bytes.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn load_file(&mut self, sql: &str, file: Vec<u8>) -> Result<Loaded> {
        // A server that asks twice gets nothing the second time.
        let mut file = Some(file);
        let handler = LocalInfileHandler::new(move |_, out| match file.take() {
            Some(file) => out.write_all(&file),
            None => Ok(()),
        });
        self.conn.set_local_infile_handler(Some(handler));
        let done = self
            .conn
            .query_iter(sql)
            .map(|done| Loaded { rows: done.affected_rows(), warnings: done.warnings() });
        self.conn.set_local_infile_handler(None);
        done.map_err(db_error)
    }

    /// The rows of a query, each cell as text; NULL is `None`.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let rows: Vec<::mysql::Row> = self.conn.query(sql).map_err(db_error)?;
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }

    /// A table's structure, in the server's words.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn show_create(&mut self, table: &TableName) -> Result<Option<String>> {
        let sql = format!("SHOW CREATE TABLE {}", quote_table(table));
        let row: Option<::mysql::Row> = self.conn.query_first(sql).map_err(db_error)?;
        Ok(row.and_then(text_of_table))
    }

    /// These columns of a query's rows, by their names; one that the answer does not have is `None`.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn columns<const N: usize>(
        &mut self,
        sql: &str,
        names: [&str; N],
    ) -> Result<Vec<[Option<String>; N]>> {
        let rows: Vec<::mysql::Row> = self.conn.query(sql).map_err(db_error)?;
        let cell = |row: &mut ::mysql::Row, name: &str| {
            let at = row.columns_ref().iter().position(|c| c.name_str().eq_ignore_ascii_case(name));
            row.take::<::mysql::Value, _>(at?).and_then(text)
        };
        Ok(rows.into_iter().map(|mut row| names.map(|name| cell(&mut row, name))).collect())
    }

    /// The first cell of a query's first row.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn value(&mut self, sql: &str) -> Result<Option<String>> {
        Ok(self.rows(sql)?.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }
}

/// A table as the server shows it.
fn text_of_table(row: ::mysql::Row) -> Option<String> {
    match row.unwrap().into_iter().nth(1) {
        Some(::mysql::Value::Bytes(bytes)) => Some(shown(&bytes).into_owned()),
        _ => None,
    }
}

fn text(value: ::mysql::Value) -> Option<String> {
    match value {
        ::mysql::Value::NULL => None,
        ::mysql::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

/// An error of the target.
pub(super) fn db_error(error: ::mysql::Error) -> Error {
    Error::from_mysql(error, During::Execute, Scope::Downstream)
}

/// The statement that makes a session write rows, over whatever the task's `session` says.
pub(super) fn row_session() -> String {
    format!(
        "SET NAMES utf8mb4, SESSION sql_mode='{ROW_SQL_MODE}', SESSION time_zone='+00:00', \
         SESSION foreign_key_checks=0, SESSION transaction_isolation='READ-COMMITTED', \
         SESSION sql_notes=1"
    )
}

/// What rows need at a TiDB beside that; `own` are the variables that the task's `session` sets. As
/// DM does, transactions are optimistic unless the task says otherwise: no statement waits for a
/// lock, a conflict is an error of the COMMIT, and the batch is applied again.
pub(super) fn tidb_session(own: &BTreeMap<String, String>) -> Vec<&'static str> {
    let told = |name: &str| own.keys().any(|own| own.eq_ignore_ascii_case(name));
    // An AUTO_RANDOM column takes the source's value only where this is allowed.
    [
        ("tidb_txn_mode", "SET SESSION tidb_txn_mode='optimistic'"),
        ("allow_auto_random_explicit_insert", "SET SESSION allow_auto_random_explicit_insert=1"),
        // A transaction that the server repeated by itself would not look at its mark again.
        ("tidb_disable_txn_auto_retry", "SET SESSION tidb_disable_txn_auto_retry=1"),
    ]
    .into_iter()
    .filter(|(name, _)| !told(name))
    .map(|(_, sql)| sql)
    .collect()
}

/// Older servers know the isolation level by another name.
pub(super) fn row_session_old() -> String {
    row_session().replace("transaction_isolation", "tx_isolation")
}
