//! Rows that do not fit the structure of their table: everything that a person needs to repair it.

use dm_filter::TableName;

use super::Stream;
use super::operator::shell_word;
use crate::error::{Error, codes};
use crate::schema::{Tracked, column_clause, create_table};
use crate::sql::quote_table;

/// How a task goes on whose source has stopped.
const THEN: &str = "Then `dm resume-task`, or a new start where no process is left, goes on.";

impl Stream<'_> {
    /// Adds to an error about rows that do not fit (36027) what is tracked, what the target has, and
    /// the commands that repair it.
    pub(super) fn with_picture(&self, error: Error, table: &TableName) -> Error {
        if error.code() != &codes::SYNC_COLUMN_COUNT {
            return error;
        }
        let place = format!(
            "-s {} {} -d {} -t {}",
            shell_word(self.ctx.lane.source.as_str()),
            shell_word(&self.ctx.task),
            shell_word(&table.schema),
            shell_word(&table.table)
        );
        let advice = format!(
            "Write the CREATE TABLE that the table had at this position at the source to a file and give \
             it: `dm operate-schema set {place} FILE` (in place of FILE, `--from-source` takes how the \
             source's table is now, `--from-target` how the target's is); `dm operate-schema get {place}` \
             shows the tracked one. {THEN}"
        );
        self.with_both(error, table).workaround(advice)
    }

    /// Adds the same to an error about rows with columns that the target lacks, and the statement that adds them.
    pub(super) fn with_lacking(&self, error: Error) -> Error {
        let Some((table, names)) = error.lacking() else { return error };
        let Some(tracked) = self.tracked_now(table) else { return error };
        let schema = &tracked.schema;
        let columns = names.iter().map(|name| schema.column(name).map(|(_, column)| column));
        // A column that a route adds is none of the source's.
        let Some(columns) = columns.collect::<Option<Vec<_>>>() else { return error };
        let added: Vec<String> =
            columns.iter().map(|c| format!("ADD COLUMN {}", column_clause(c, schema))).collect();
        let sql = format!("ALTER TABLE {} {}", quote_table(table), added.join(", "));
        let advice = format!(
            "Where the target is to have them, `dm handle-error {} -s {} inject {}` adds them before these rows; where it \
             is not, leave them out with `columns: {{exclude: [...]}}` on the table's route. {THEN}",
            shell_word(&self.ctx.task),
            shell_word(self.ctx.lane.source.as_str()),
            shell_word(&sql)
        );
        let table = table.clone();
        self.with_both(error, &table).workaround(advice)
    }

    /// What is tracked, and what the target has.
    fn with_both(&self, error: Error, table: &TableName) -> Error {
        let tracked = match self.tracked_now(table) {
            Some(t) => {
                let since = t.since.as_ref().map_or(String::new(), |s| format!(" since {s}"));
                let assumed = if t.assumed { ", assumed to be as at the target" } else { "" };
                format!("tracked{since}{assumed}: {}", create_table(table, &t.schema))
            }
            None => "tracked: nothing".to_owned(),
        };
        let target =
            self.tables.target(table).map(|target| match self.ctx.sink.show_create(&target) {
                Ok(Some(text)) => format!("the target has: {text}"),
                Ok(None) => format!("the target has no table {target}"),
                Err(e) => format!("the target does not show {target}: {}", e.message()),
            });
        let error = error.and(one_line(&tracked));
        match target {
            Some(target) => error.and(one_line(&target)),
            None => error,
        }
    }

    fn tracked_now(&self, table: &TableName) -> Option<&Tracked> {
        self.tracker.schema(table, self.group.ordinal)
    }
}

/// A structure on one line, as messages want it.
pub(super) fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}
