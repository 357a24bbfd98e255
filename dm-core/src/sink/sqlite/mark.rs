//! Marks and fences in the file.
//!
//! Guarantee: rows and the mark that tells of them are in the file together or not at all, and a
//! writer that has been replaced changes nothing any more. Method: both are written in one SQLite
//! transaction. A writer holds two numbers: the *fence* of its lane, which [`fence`] raises when
//! a new run begins, and the *holder* number of its slot, which each new writer of the slot raises.
//! Every transaction compares both after it has got the file's write lock; since SQLite has one
//! writer, whoever raised a number has waited for the transaction that was open before, and every
//! later one of the replaced writer sees the new number and fails. This holds between processes.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, LaneId, OrdinalSet, StreamMark};
use crate::sink::{Recovered, Slot};
use dm_filter::TableName;

use super::store::{failed, is_duplicate};

/// The numbers that let a writer write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    fence: i64,
    holder: i64,
}

fn sql(e: rusqlite::Error) -> Error {
    failed("the marks of the SQLite target could not be read or written", &e)
}

fn number(v: u64) -> Result<i64> {
    i64::try_from(v).map_err(|_| {
        Error::new(&codes::TARGET_VALUE, format!("the number {v} is too large for a mark"))
    })
}

fn back(v: i64) -> u64 {
    v.unsigned_abs()
}

/// Stores the identity of a task's state, or compares it with the one stored.
///
/// # Errors
///
/// When another state has filled this file under the same task name.
pub fn identify(conn: &Connection, task: &str, identity: &str) -> Result<()> {
    conn.execute("INSERT OR IGNORE INTO _dm_task VALUES (?, ?)", [task, identity]).map_err(sql)?;
    let stored: String = conn
        .query_row("SELECT identity FROM _dm_task WHERE task = ?", [task], |r| r.get(0))
        .map_err(sql)?;
    if stored == identity {
        return Ok(());
    }
    Err(Error::new(
        &codes::TARGET_FOREIGN,
        format!("the target belongs to state {stored} of task {task}, not to {identity}"),
    ))
}

/// Shuts out all writers of a lane that were opened before.
///
/// # Errors
///
/// When the file cannot be written.
pub fn fence(conn: &Connection, task: &str, lane: &LaneId) -> Result<()> {
    conn.execute(
        "INSERT INTO _dm_mark_lane VALUES (?1, ?2, ?3, 1, 0)
         ON CONFLICT DO UPDATE SET fence = fence + 1",
        [task, lane.source.as_str(), &lane.name],
    )
    .map(|_| ())
    .map_err(sql)
}

/// Makes a writer the holder of its slot.
///
/// # Errors
///
/// When a later run of the lane has begun.
pub fn take(conn: &Connection, slot: &Slot) -> Result<Pass> {
    let lane = [slot.task.as_str(), slot.lane.source.as_str(), &slot.lane.name];
    conn.execute("INSERT OR IGNORE INTO _dm_mark_lane VALUES (?, ?, ?, 0, 0)", lane)
        .map_err(sql)?;
    let (fence, epoch): (i64, i64) = conn
        .query_row(
            "SELECT fence, epoch FROM _dm_mark_lane WHERE task = ? AND source = ? AND lane = ?",
            lane,
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .map_err(sql)?;
    let mine = number(slot.epoch)?;
    if mine < epoch {
        return Err(fenced(slot, &format!("run {epoch} has begun, this is run {mine}")));
    }
    if mine > epoch {
        conn.execute(
            "UPDATE _dm_mark_lane SET epoch = ?4 WHERE task = ?1 AND source = ?2 AND lane = ?3",
            params![lane[0], lane[1], lane[2], mine],
        )
        .map_err(sql)?;
    }
    let holder = conn
        .query_row(
            "INSERT INTO _dm_mark_slot VALUES (?1, ?2, ?3, ?4, 1)
             ON CONFLICT DO UPDATE SET holder = holder + 1 RETURNING holder",
            params![lane[0], lane[1], lane[2], slot.worker],
            |r| r.get(0),
        )
        .map_err(sql)?;
    Ok(Pass { fence, holder })
}

/// Fails when the writer has been replaced. Asked inside of each of its transactions.
///
/// # Errors
///
/// [`codes::TARGET_FENCED`].
pub fn check(conn: &Connection, slot: &Slot, pass: Pass) -> Result<()> {
    let now: Option<(i64, i64, i64)> = conn
        .prepare_cached(
            "SELECT l.fence, l.epoch, s.holder FROM _dm_mark_lane l JOIN _dm_mark_slot s
             ON s.task = l.task AND s.source = l.source AND s.lane = l.lane
             WHERE l.task = ? AND l.source = ? AND l.lane = ? AND s.worker = ?",
        )
        .and_then(|mut s| {
            s.query_row(
                params![slot.task, slot.lane.source.as_str(), slot.lane.name.as_ref(), slot.worker],
                |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
            )
            .optional()
        })
        .map_err(sql)?;
    match now {
        Some((fence, epoch, holder))
            if fence == pass.fence && holder == pass.holder && back(epoch) == slot.epoch =>
        {
            Ok(())
        }
        _ => Err(fenced(slot, "a newer writer has been opened")),
    }
}

fn fenced(slot: &Slot, why: &str) -> Error {
    Error::new(
        &codes::TARGET_FENCED,
        format!("writer {} of {} of task {}: {why}", slot.worker, slot.lane, slot.task),
    )
}

/// Writes a worker's mark.
///
/// # Errors
///
/// When the file cannot be written.
pub fn put_stream(conn: &Connection, task: &str, mark: &StreamMark) -> Result<()> {
    let (epoch, low) = (number(mark.epoch)?, number(mark.low)?);
    conn.prepare_cached(
        "INSERT INTO _dm_mark_stream VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         low = excluded.low, low_position = excluded.low_position, applied = excluded.applied",
    )
    .and_then(|mut s| {
        s.execute(params![
            task,
            mark.lane.source.as_str(),
            mark.lane.name.as_ref(),
            epoch,
            mark.worker,
            low,
            mark.low_position,
            mark.applied.to_text(),
        ])
    })
    .map(|_| ())
    .map_err(sql)
}

/// Writes the mark of a statement; false when the lane's mark tells of this statement already. The
/// text is compared as well: another one in its place is an operator's later word.
///
/// # Errors
///
/// When the file cannot be read or written.
pub fn put_ddl(
    conn: &Connection,
    task: &str,
    lane: &LaneId,
    ordinal: u64,
    statement: &str,
) -> Result<bool> {
    conn.execute(
        "INSERT INTO _dm_mark_ddl VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         number = excluded.number, statement = excluded.statement
         WHERE number <> excluded.number OR statement <> excluded.statement",
        params![task, lane.source.as_str(), lane.name.as_ref(), ordinal.to_string(), statement],
    )
    .map(|changed| changed > 0)
    .map_err(sql)
}

/// Writes the mark of a chunk.
///
/// # Errors
///
/// When the chunk has one already.
pub fn put_chunk(
    conn: &Connection,
    task: &str,
    mark: &ChunkMark,
    target: &TableName,
) -> Result<()> {
    let done = conn.execute(
        "INSERT INTO _dm_mark_chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            task,
            mark.lane.source.as_str(),
            mark.lane.name.as_ref(),
            mark.schema,
            mark.table,
            mark.generation,
            mark.chunk,
            target.schema,
            target.table,
        ],
    );
    match done {
        Ok(_) => Ok(()),
        Err(e) if is_duplicate(&e) => Err(Error::new(
            &codes::TARGET_CHUNK_TWICE,
            format!(
                "chunk {} of `{}`.`{}` is in the target already",
                mark.chunk, mark.schema, mark.table
            ),
        )),
        Err(e) => Err(sql(e)),
    }
}

/// True when a chunk's mark is there.
///
/// # Errors
///
/// When the file cannot be read.
pub fn has_chunk(conn: &Connection, task: &str, mark: &ChunkMark) -> Result<bool> {
    conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM _dm_mark_chunk WHERE task = ? AND source = ? AND lane = ?
         AND schema = ? AND name = ? AND generation = ? AND chunk = ?)",
        params![
            task,
            mark.lane.source.as_str(),
            mark.lane.name.as_ref(),
            mark.schema,
            mark.table,
            mark.generation,
            mark.chunk,
        ],
        |r| r.get(0),
    )
    .map_err(sql)
}

fn ordinals(text: &str) -> Result<OrdinalSet> {
    OrdinalSet::from_text(text).ok_or_else(|| {
        Error::new(&codes::TARGET_OPEN, format!("a mark in the target is damaged: {text:?}"))
    })
}

/// What the marks of a lane say together.
///
/// # Errors
///
/// When the file cannot be read or a mark is damaged.
pub fn recovered(conn: &Connection, task: &str, lane: &LaneId) -> Result<Recovered> {
    let mut statement = conn
        .prepare_cached(
            "SELECT epoch, low, low_position, applied FROM _dm_mark_stream
             WHERE task = ? AND source = ? AND lane = ? ORDER BY low, epoch, worker",
        )
        .map_err(sql)?;
    let mut rows = statement.query([task, lane.source.as_str(), &lane.name]).map_err(sql)?;
    let mut out = Recovered::default();
    while let Some(row) = rows.next().map_err(sql)? {
        let get = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, i64, String, String)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        };
        let (epoch, low, position, applied) = get(row).map_err(sql)?;
        out.epoch = out.epoch.max(back(epoch));
        out.applied.union(&ordinals(&applied)?);
        // In the order of `low`: the last one is the highest.
        out.low = Some((back(low), position));
    }
    if let Some((low, _)) = &out.low {
        out.applied.forget_upto(*low);
    }
    Ok(out)
}

/// What a slot has committed in its run.
///
/// # Errors
///
/// When the file cannot be read or a mark is damaged.
pub fn applied(conn: &Connection, slot: &Slot) -> Result<OrdinalSet> {
    let found: Option<(i64, String)> = conn
        .query_row(
            "SELECT low, applied FROM _dm_mark_stream
             WHERE task = ? AND source = ? AND lane = ? AND epoch = ? AND worker = ?",
            params![
                slot.task,
                slot.lane.source.as_str(),
                slot.lane.name.as_ref(),
                number(slot.epoch)?,
                slot.worker
            ],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .optional()
        .map_err(sql)?;
    let Some((low, text)) = found else { return Ok(OrdinalSet::new()) };
    let mut set = ordinals(&text)?;
    set.forget_upto(back(low));
    Ok(set)
}

/// The chunks of a lane.
///
/// # Errors
///
/// When the file cannot be read.
pub fn chunks(conn: &Connection, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT schema, name, generation, chunk FROM _dm_mark_chunk
             WHERE task = ? AND source = ? AND lane = ? ORDER BY schema, name, generation, chunk",
        )
        .map_err(sql)?;
    let rows = statement
        .query_map([task, lane.source.as_str(), &lane.name], |r| {
            Ok(ChunkMark {
                lane: lane.clone(),
                schema: r.get(0)?,
                table: r.get(1)?,
                generation: r.get(2)?,
                chunk: r.get(3)?,
            })
        })
        .map_err(sql)?;
    rows.map(|mark| mark.map_err(sql)).collect()
}

/// Removes everything that is kept of a task.
///
/// # Errors
///
/// When the file cannot be written.
pub fn forget_task(conn: &Connection, task: &str) -> Result<()> {
    for table in ["stream", "chunk", "ddl", "slot", "lane"] {
        conn.execute(&format!("DELETE FROM _dm_mark_{table} WHERE task = ?"), [task])
            .map_err(sql)?;
    }
    conn.execute("DELETE FROM _dm_task WHERE task = ?", [task]).map_err(sql)?;
    Ok(())
}

/// Removes marks as [`crate::sink::Sink::forget`] says.
///
/// # Errors
///
/// When the file cannot be written.
pub fn forget(
    conn: &Connection,
    task: &str,
    lane: &LaneId,
    epoch: u64,
    chunks: bool,
) -> Result<()> {
    conn.execute(
        "DELETE FROM _dm_mark_stream WHERE task = ? AND source = ? AND lane = ? AND epoch < ?",
        // The largest number means all of them.
        params![task, lane.source.as_str(), lane.name.as_ref(), number(epoch).unwrap_or(i64::MAX)],
    )
    .map_err(sql)?;
    if chunks {
        conn.execute(
            "DELETE FROM _dm_mark_chunk WHERE task = ? AND source = ? AND lane = ?",
            [task, lane.source.as_str(), &lane.name],
        )
        .map_err(sql)?;
    }
    Ok(())
}

/// Removes the chunk marks of a lane whose rows went into a target table.
///
/// # Errors
///
/// When the file cannot be written.
pub fn forget_target(
    conn: &Connection,
    task: &str,
    lane: &LaneId,
    target: &TableName,
) -> Result<()> {
    conn.execute(
        "DELETE FROM _dm_mark_chunk WHERE task = ? AND source = ? AND lane = ?
         AND target_schema = ? AND target_name = ?",
        [task, lane.source.as_str(), &lane.name, &target.schema, &target.table],
    )
    .map(|_| ())
    .map_err(sql)
}
