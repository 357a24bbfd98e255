//! How a table looks now, at its source and at its target.

use std::sync::Arc;

use dm_filter::TableName;

use super::{Migration, build};
use crate::error::Result;
use crate::schema::TableSchema;

impl Migration {
    /// The present structure of a table at its source; `None` when there is no such table.
    ///
    /// # Errors
    ///
    /// When the plan has no such source, or the source cannot be asked.
    pub fn source_structure(
        &self,
        source: &str,
        table: &TableName,
    ) -> Result<Option<Arc<TableSchema>>> {
        Ok(self.source(source)?.describe(table)?.map(|info| info.schema))
    }

    /// The present structure of the target of a source's table, without columns that the route adds;
    /// `None` when there is no such table.
    ///
    /// # Errors
    ///
    /// When the plan has no such source, several routes claim the table, or the target cannot be asked.
    pub fn target_structure(
        &self,
        source: &str,
        table: &TableName,
    ) -> Result<Option<Arc<TableSchema>>> {
        let creator = self.creator(self.source_plan(source)?);
        let target = creator.place(table)?;
        let sink = match &self.parts.sink {
            Some(sink) => Arc::clone(sink),
            None => build::sink(self.plan())?,
        };
        let found = sink.describe(&target)?;
        found.map(|schema| creator.without_extra(table, schema)).transpose()
    }
}
