//! The marks of the copy: the chunks that are in the target.

use dm_filter::TableName;

use super::super::session::Session;
use super::{Marks, damaged, lane_key, literal};
use crate::error::Result;
use crate::event::{ChunkMark, LaneId};

impl Marks {
    /// The statement that marks a chunk; it fails with a duplicate key when the chunk is there.
    pub fn write_chunk(&self, task: &str, mark: &ChunkMark, target: &TableName) -> String {
        format!(
            "INSERT INTO {}.`dm_chunk_mark` VALUES ({},{},{},{},{},{},{})",
            self.schema,
            literal(&lane_key(task, &mark.lane)),
            literal(&mark.schema),
            literal(&mark.table),
            mark.generation,
            mark.chunk,
            literal(&target.schema),
            literal(&target.table),
        )
    }

    /// The statement that removes the marks of a target table's chunks.
    pub fn forget_target(&self, task: &str, lane: &LaneId, target: &TableName) -> String {
        format!(
            "DELETE FROM {}.`dm_chunk_mark` WHERE `lane`={} AND `target_db`={} AND `target_tbl`={}",
            self.schema,
            literal(&lane_key(task, lane)),
            literal(&target.schema),
            literal(&target.table),
        )
    }

    /// True when a chunk is there.
    pub fn has_chunk(&self, session: &mut Session, task: &str, mark: &ChunkMark) -> Result<bool> {
        let found = session.value(&format!(
            "SELECT 1 FROM {}.`dm_chunk_mark` WHERE `lane`={} AND `db`={} AND `tbl`={} AND \
             `generation`={} AND `chunk`={}",
            self.schema,
            literal(&lane_key(task, &mark.lane)),
            literal(&mark.schema),
            literal(&mark.table),
            mark.generation,
            mark.chunk,
        ))?;
        Ok(found.is_some())
    }

    /// The chunks that are there.
    pub fn chunks(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
    ) -> Result<Vec<ChunkMark>> {
        let rows = session.rows(&format!(
            "SELECT `db`,`tbl`,`generation`,`chunk` FROM {}.`dm_chunk_mark` WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        rows.into_iter()
            .map(|row| {
                let mut cells = row.into_iter().flatten();
                let mut next = || cells.next().ok_or_else(|| damaged("a row of dm_chunk_mark"));
                let (schema, table) = (next()?, next()?);
                let mut number =
                    || next()?.parse().map_err(|_| damaged("a number of dm_chunk_mark"));
                let (generation, chunk) = (number()?, number()?);
                Ok(ChunkMark { lane: lane.clone(), schema, table, generation, chunk })
            })
            .collect()
    }
}
