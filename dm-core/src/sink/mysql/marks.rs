//! The mark tables at the target.
//!
//! `dm_apply_mark` holds a row per (lane, epoch, worker): written in the target transaction of
//! each batch. `dm_chunk_mark` holds a row per chunk of the copy: inserted first in the chunk's
//! transaction, so that two processes that load the same chunk exclude each other on its key.
//! `dm_late_key` holds the structures of tables whose keys are made after their rows (`late_keys`).
//! `dm_task` ties a task's name to the state file that runs it.
//!
//! What shuts out earlier writers stands in `fence`.

mod chunks;
mod named_locks;
mod stream;

use xxhash_rust::xxh3::xxh3_128;

pub(super) use self::named_locks::{
    Earlier, GIVE_UP_AFTER, KILL_AFTER, lock_name, pass_lock, take_lock,
};
use super::session::Session;
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::sql::{push_string, quote_ident};

/// The mark tables of a meta schema.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    name: String,
    /// The name, quoted.
    schema: String,
}

/// In place of a worker's number: whoever runs a lane's statements.
pub(super) const STATEMENTS: u32 = u32::MAX;

fn lane_key(task: &str, lane: &LaneId) -> String {
    let text = format!("{task}/{}/{}", lane.source, lane.name);
    if text.chars().count() <= 180 { text } else { format!("{:032x}", xxh3_128(text.as_bytes())) }
}

/// A lane, as the mark tables name it.
pub(super) fn lane_literal(task: &str, lane: &LaneId) -> String {
    literal(&lane_key(task, lane))
}

/// A text as a literal.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::new();
    push_string(&mut out, text);
    out
}

impl Marks {
    /// The schema, quoted.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn new(meta_schema: &str) -> Self {
        Self { name: meta_schema.to_owned(), schema: quote_ident(meta_schema) }
    }

    /// The statements that create the schema and its tables.
    pub fn create(&self) -> Vec<String> {
        let s = &self.schema;
        let name = "VARCHAR(180) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
        let ident = "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
        vec![
            format!("CREATE DATABASE IF NOT EXISTS {s}"),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_task` (`task` {name}, `identity` {name}, \
                 PRIMARY KEY (`task`))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_apply_mark` (`lane` {name}, \
                 `epoch` BIGINT UNSIGNED NOT NULL, `worker` INT UNSIGNED NOT NULL, \
                 `low` BIGINT UNSIGNED NOT NULL, `low_position` LONGTEXT NOT NULL, \
                 `applied` LONGTEXT NOT NULL, `connection` BIGINT UNSIGNED NOT NULL, \
                 PRIMARY KEY (`lane`,`epoch`,`worker`))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_chunk_mark` (`lane` {name}, \
                 `db` {ident}, `tbl` {ident}, `generation` INT UNSIGNED NOT NULL, \
                 `chunk` INT UNSIGNED NOT NULL, `target_db` {ident}, `target_tbl` {ident}, PRIMARY KEY (`lane`,`db`,`tbl`,`generation`,`chunk`))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_late_key` (`lane` {name}, `target_db` {ident}, \
                 `target_tbl` {ident}, `structure` LONGTEXT CHARACTER SET utf8mb4 NOT NULL, \
                 PRIMARY KEY (`lane`,`target_db`,`target_tbl`))"
            ),
        ]
    }

    /// True when the schema and its tables are there.
    ///
    /// Asked before [`Marks::create`], as even `IF NOT EXISTS` waits for the locks of a statement
    /// that an earlier process left running in this schema; a stop would have to wait with it.
    pub fn exist(&self, session: &mut Session) -> Result<bool> {
        Ok(self.count(session)?.as_deref() == Some("4"))
    }

    /// True when none of them is there, or the user may do nothing with any.
    pub fn are_none(&self, session: &mut Session) -> Result<bool> {
        Ok(self.count(session)?.as_deref() == Some("0"))
    }

    fn count(&self, session: &mut Session) -> Result<Option<String>> {
        let found = session.value(&format!(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = {} \
             AND table_name IN ('dm_task', 'dm_apply_mark', 'dm_chunk_mark', 'dm_late_key')",
            literal(&self.name)
        ))?;
        Ok(found)
    }

    /// Ties the task to its state file.
    pub fn claim(&self, session: &mut Session, task: &str, identity: &str) -> Result {
        let s = &self.schema;
        let (task_sql, identity_sql) = (literal(task), literal(identity));
        session.exec(&format!(
            "INSERT IGNORE INTO {s}.`dm_task` VALUES ({task_sql},{identity_sql})"
        ))?;
        let have = session
            .value(&format!("SELECT `identity` FROM {s}.`dm_task` WHERE `task`={task_sql}"))?;
        match have {
            Some(have) if have == identity => Ok(()),
            _ => Err(Error::new(
                &codes::TARGET_FOREIGN,
                format!(
                    "the target was written by a task {task:?} with another state file: it knows \
                     that task under the identity {}, the state file says {identity}",
                    have.as_deref().unwrap_or("(none)")
                ),
            )),
        }
    }

    /// Removes all marks of lanes, and the tie to a state file.
    pub fn forget_task(&self, session: &mut Session, task: &str, lanes: &[LaneId]) -> Result {
        /// No such database, no such table: nothing was ever written.
        const NOTHING: &[u16] = &[1049, 1146];
        let s = &self.schema;
        let mut statements = Vec::new();
        for lane in lanes {
            let lane = literal(&lane_key(task, lane));
            statements.push(format!("DELETE FROM {s}.`dm_apply_mark` WHERE `lane`={lane}"));
            statements.push(format!("DELETE FROM {s}.`dm_chunk_mark` WHERE `lane`={lane}"));
        }
        // The tie goes last: what is interrupted here is still known as this task's.
        statements.push(format!("DELETE FROM {s}.`dm_task` WHERE `task`={}", literal(task)));
        for sql in statements {
            match session.exec(&sql) {
                Err(e) if !e.server_error().is_some_and(|n| NOTHING.contains(&n)) => {
                    return Err(e);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the marks of epochs before `epoch`; with `chunks` those of all chunks.
    pub fn forget(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        epoch: u64,
        chunks: bool,
    ) -> Result {
        let lane = literal(&lane_key(task, lane));
        let s = &self.schema;
        session.exec(&format!(
            "DELETE FROM {s}.`dm_apply_mark` WHERE `lane`={lane} AND `epoch`<{epoch}"
        ))?;
        if chunks {
            session.exec(&format!("DELETE FROM {s}.`dm_chunk_mark` WHERE `lane`={lane}"))?;
        }
        Ok(())
    }
}

fn damaged(what: &str) -> Error {
    Error::new(
        &codes::TARGET_FOREIGN,
        format!("{what} cannot be read: the mark tables at the target were changed by hand"),
    )
}

/// The beginning of the names of a lane's marker tables (see [`super::once`]).
pub(super) fn marker_prefix(task: &str, lane: &LaneId) -> String {
    format!("dm_once_{:032x}_", xxh3_128(lane_key(task, lane).as_bytes()))
}
