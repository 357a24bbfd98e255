//! Rows that do not fit the structure of their table: everything that a person needs to repair it.

use dm_filter::TableName;

use super::Stream;
use super::operator::shell_word;
use crate::error::{Error, codes};
use crate::schema::create_table;

impl Stream<'_> {
    /// Adds to an error about rows that do not fit (36027) what is tracked, what the target has, and
    /// the commands that repair it.
    pub(super) fn with_picture(&self, error: Error, table: &TableName) -> Error {
        if error.code() != &codes::SYNC_COLUMN_COUNT {
            return error;
        }
        let tracked = match self.tracker.schema(table, self.group.ordinal) {
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
             shows the tracked one. Then start the task again."
        );
        let mut error = error.and(one_line(&tracked));
        if let Some(target) = target {
            error = error.and(one_line(&target));
        }
        error.workaround(advice)
    }
}

/// A structure on one line, as messages want it.
pub(super) fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}
