//! The lines that a script keeps for its own sake, and what they add up to.
//!
//! Everything written is a *unit* that ends with a line `-- dm:<word> <json>`. A crash can cut
//! the last unit; whoever opens the file again removes what follows the last such line, so that a
//! unit is there wholly or not at all. Replaying the lines gives back the marks and, from the
//! statements among them, the structures of the tables.

use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::ddl::{ParseContext, SqlMode, parse};
use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, LaneId, OrdinalSet, StreamMark};
use crate::schema::{Defaults, Tracker};
use crate::sink::{Recovered, TargetDdl};

/// What begins a line of ours.
const SIGN: &str = "-- dm:";

/// A line of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// A task's state.
    Task { task: String, identity: String },
    /// The end of a batch of the stream.
    Stream {
        task: String,
        lane: LaneId,
        epoch: u64,
        worker: u32,
        low: u64,
        low_position: String,
        applied: String,
    },
    /// The end of a chunk.
    Chunk {
        task: String,
        lane: LaneId,
        schema: String,
        table: String,
        generation: u32,
        chunk: u32,
        target: (String, String),
    },
    /// A statement; the next `bytes` bytes are its text.
    Ddl {
        sql: String,
        schema: String,
        sql_mode: Option<String>,
        /// Its task, lane and number there: it is not written a second time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        once: Option<(String, LaneId, u64)>,
        bytes: usize,
    },
    /// Marks that are not needed any more.
    Forget { task: String, lane: LaneId, epoch: u64, chunks: bool },
    /// A table that was emptied.
    Empty { task: String, lane: LaneId, target: (String, String) },
    /// The end of what has no other end.
    Done,
}

impl Line {
    /// The mark of a batch.
    pub(super) fn stream(task: &str, mark: &StreamMark) -> Self {
        Self::Stream {
            task: task.to_owned(),
            lane: mark.lane.clone(),
            epoch: mark.epoch,
            worker: mark.worker,
            low: mark.low,
            low_position: mark.low_position.clone(),
            applied: mark.applied.to_text(),
        }
    }

    /// The mark of a chunk.
    pub(super) fn chunk(task: &str, mark: &ChunkMark, target: &TableName) -> Self {
        Self::Chunk {
            task: task.to_owned(),
            lane: mark.lane.clone(),
            schema: mark.schema.clone(),
            table: mark.table.clone(),
            generation: mark.generation,
            chunk: mark.chunk,
            target: (target.schema.clone(), target.table.clone()),
        }
    }

    /// The line, with its line break.
    pub(super) fn text(&self) -> String {
        // Plain data: it always has a JSON form, and that never holds a line break.
        format!("{SIGN}{}\n", serde_json::to_string(self).unwrap_or_default())
    }
}

type Worker = (String, LaneId, u64, u32);

/// What all lines so far add up to.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) tracker: Tracker,
    identities: BTreeMap<String, String>,
    marks: BTreeMap<Worker, (u64, String, OrdinalSet)>,
    chunks: Vec<(String, ChunkMark, TableName)>,
    /// The statements that have a number, with a hash of their text: another text under the same
    /// number is an operator's later word.
    statements: HashSet<(String, LaneId, u64, u64)>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            tracker: Tracker::new(Defaults::default()),
            identities: BTreeMap::new(),
            marks: BTreeMap::new(),
            chunks: Vec::new(),
            statements: HashSet::new(),
        }
    }
}

impl Journal {
    /// Replays a script; how many bytes of it are whole units.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a line of ours is damaged.
    pub(super) fn read(&mut self, file: &mut dyn BufRead) -> Result<u64> {
        let io = |e: std::io::Error| {
            Error::new(&codes::TARGET_OPEN, "the script could not be read").cause(e)
        };
        let (mut at, mut whole) = (0u64, 0u64);
        let mut buffer = Vec::new();
        let mut pending: Option<Line> = None;
        loop {
            buffer.clear();
            let n = file.read_until(b'\n', &mut buffer).map_err(io)?;
            at += n as u64;
            if n == 0 || buffer.last() != Some(&b'\n') {
                return Ok(whole);
            }
            // Zeros are blocks that a dying machine never wrote: strings hold them as escapes.
            if buffer.contains(&0) {
                return Ok(whole);
            }
            let Some(json) = buffer.strip_prefix(SIGN.as_bytes()) else { continue };
            let line: Line = serde_json::from_slice(json).map_err(|e| {
                Error::new(&codes::TARGET_OPEN, format!("the script is damaged before byte {at}"))
                    .cause(e)
            })?;
            if let Line::Ddl { bytes, .. } = &line {
                // The user's text may look like anything, also like a line of ours.
                let mut text = vec![0; *bytes];
                if file.read_exact(&mut text).is_err() {
                    return Ok(whole);
                }
                at += *bytes as u64;
                pending = Some(line);
                continue;
            }
            if let Some(ddl) = pending.take() {
                self.add(&ddl)?;
            }
            self.add(&line)?;
            whole = at;
        }
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// A statement that does not fit the tables, an identity that is another's, damaged marks.
    pub(super) fn add(&mut self, line: &Line) -> Result<()> {
        match line {
            Line::Task { task, identity } => {
                let stored =
                    self.identities.entry(task.clone()).or_insert_with(|| identity.clone());
                if stored != identity {
                    return Err(Error::new(
                        &codes::TARGET_FOREIGN,
                        format!(
                            "the script belongs to state {stored} of task {task}, not to {identity}"
                        ),
                    ));
                }
            }
            Line::Stream { task, lane, epoch, worker, low, low_position, applied } => {
                let set = OrdinalSet::from_text(applied).ok_or_else(|| {
                    Error::new(&codes::TARGET_OPEN, "a mark in the script is damaged")
                })?;
                let key = (task.clone(), lane.clone(), *epoch, *worker);
                self.marks.insert(key, (*low, low_position.clone(), set));
            }
            Line::Chunk { task, lane, schema, table, generation, chunk, target } => {
                let mark = ChunkMark {
                    lane: lane.clone(),
                    schema: schema.clone(),
                    table: table.clone(),
                    generation: *generation,
                    chunk: *chunk,
                };
                self.chunks.push((task.clone(), mark, TableName::new(&*target.0, &*target.1)));
            }
            Line::Ddl { sql, schema, sql_mode, once, .. } => {
                let context = ParseContext {
                    sql_mode: SqlMode::from_names(sql_mode.as_deref().unwrap_or_default()),
                    default_schema: schema.clone(),
                    server: None,
                };
                self.tracker.apply(&parse(sql, &context)?)?;
                self.statements.extend(numbered(once.as_ref(), sql));
            }
            Line::Forget { task, lane, epoch, chunks } => {
                self.marks.retain(|(t, l, e, _), _| t != task || l != lane || e >= epoch);
                if *chunks {
                    self.chunks.retain(|(t, m, _)| t != task || m.lane != *lane);
                }
            }
            Line::Empty { task, lane, target } => {
                let target = TableName::new(&*target.0, &*target.1);
                self.chunks.retain(|(t, m, to)| t != task || m.lane != *lane || *to != target);
            }
            Line::Done => {}
        }
        Ok(())
    }

    /// True for a statement that has its place in the script.
    pub(super) fn has_run(&self, line: &Line) -> bool {
        let Line::Ddl { sql, once, .. } = line else { return false };
        numbered(once.as_ref(), sql).is_some_and(|key| self.statements.contains(&key))
    }

    /// The marks of a lane together.
    pub(super) fn recovered(&self, task: &str, lane: &LaneId) -> Recovered {
        let mut out = Recovered::default();
        for ((t, l, epoch, _), (low, position, applied)) in &self.marks {
            if t != task || l != lane {
                continue;
            }
            out.epoch = out.epoch.max(*epoch);
            out.applied.union(applied);
            if out.low.as_ref().is_none_or(|(have, _)| low >= have) {
                out.low = Some((*low, position.clone()));
            }
        }
        if let Some((low, _)) = &out.low {
            out.applied.forget_upto(*low);
        }
        out
    }

    /// What one worker has committed in its run.
    pub(super) fn applied(&self, task: &str, lane: &LaneId, epoch: u64, worker: u32) -> OrdinalSet {
        match self.marks.get(&(task.to_owned(), lane.clone(), epoch, worker)) {
            Some((low, _, applied)) => {
                let mut applied = applied.clone();
                applied.forget_upto(*low);
                applied
            }
            None => OrdinalSet::new(),
        }
    }

    /// The chunks of a lane.
    pub(super) fn chunks(&self, task: &str, lane: &LaneId) -> Vec<ChunkMark> {
        let mine = |(t, m, _): &&(String, ChunkMark, TableName)| t == task && m.lane == *lane;
        self.chunks.iter().filter(mine).map(|(_, m, _)| m.clone()).collect()
    }
}

fn numbered(once: Option<&(String, LaneId, u64)>, sql: &str) -> Option<(String, LaneId, u64, u64)> {
    let (task, lane, number) = once?;
    Some((task.clone(), lane.clone(), *number, xxh3_64(sql.as_bytes())))
}

/// The line and the text of a statement, as the script has them.
pub(super) fn ddl_unit(ddl: &TargetDdl) -> (Line, String) {
    let mut text = String::new();
    if !ddl.schema.is_empty() {
        text.push_str(&format!("USE {};\n", crate::sql::quote_ident(&ddl.schema)));
    }
    let (before, behind) = super::session::around(ddl);
    text.push_str(&before);
    text.push_str(&ddl.sql);
    text.push_str(";\n");
    text.push_str(&behind);
    let line = Line::Ddl {
        sql: ddl.sql.clone(),
        schema: ddl.schema.clone(),
        sql_mode: ddl.sql_mode.clone(),
        once: ddl.lane.clone().zip(ddl.once).map(|((task, lane), number)| (task, lane, number)),
        bytes: text.len(),
    };
    (line, text)
}
