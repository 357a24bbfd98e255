//! The task itself: its stages, its sources, their last errors and their status.

use std::fmt;
use std::str::FromStr;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::db::{Durability, Inner, bad, from_json, now, to_json};
use super::{STOPPED_AT, StateStore};
use crate::error::{Error, Result};
use crate::event::{LaneId, SourceId};
use crate::position::BinlogPos;

/// DM's stages of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stage {
    /// Known, never started.
    New,
    /// At work.
    Running,
    /// Stopped by a command or an error; goes on with a resume.
    Paused,
    /// Stopped as a whole.
    Stopped,
    /// Everything that was asked for is done.
    Finished,
}

impl Stage {
    /// DM's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Running => "Running",
            Self::Paused => "Paused",
            Self::Stopped => "Stopped",
            Self::Finished => "Finished",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::New, Self::Running, Self::Paused, Self::Stopped, Self::Finished]
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .ok_or_else(|| format!("unknown stage {text:?}"))
    }
}

/// What is stored of the task as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Name of the task.
    pub name: String,
    /// See [`StateStore::identity`].
    pub identity: String,
    /// The configuration that it was last started with, as the program that started it wrote it
    /// down; empty before the first start.
    pub config: String,
    /// What the operator wants.
    pub desired: Stage,
    /// What the process said last. A process that was killed leaves `Running` here: whether one
    /// runs is told by [`StateStore::owner`].
    pub actual: Stage,
    /// When the state was created, seconds since the epoch.
    pub created: i64,
    /// When the task was last started.
    pub started: Option<i64>,
    /// When one of these fields was last changed.
    pub updated: i64,
}

/// An error as DM's query-status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredError {
    /// Number of the code.
    pub code: u32,
    /// Class of the code.
    pub class: String,
    /// The side it happened on.
    pub scope: String,
    /// How bad it is.
    pub level: String,
    /// What happened.
    pub message: String,
    /// Text of the underlying failure; empty when there is none.
    pub raw_cause: String,
    /// What to do; empty when nothing general can be said.
    pub workaround: String,
    /// The server's own error number, when a server answered with one.
    #[serde(default)]
    pub server: Option<u16>,
    /// When, in seconds since the epoch.
    pub at: i64,
    /// Where the statement begins that it happened at, `file:offset`; empty when it was at none that an
    /// operator could speak of.
    #[serde(default)]
    pub start: String,
    /// Where that statement ends.
    #[serde(default)]
    pub end: String,
    /// Where the rows begin that it happened at; empty when it was at none.
    #[serde(default)]
    pub rows: String,
    /// The statement, shortened.
    #[serde(default)]
    pub statement: String,
}

impl StoredError {
    /// An error as it is kept, with the present time.
    pub fn of(error: &Error) -> Self {
        let message = format!("{}{}", error.place(), error.message());
        let place = |pos: Option<&BinlogPos>| pos.map(BinlogPos::to_colon_text).unwrap_or_default();
        Self {
            code: error.code().number,
            class: error.code().class.to_string(),
            scope: error.error_scope().to_string(),
            level: error.code().level.to_string(),
            message,
            raw_cause: error.raw_cause().unwrap_or_default().to_owned(),
            workaround: error.advice().to_owned(),
            server: error.server_error(),
            at: now(),
            start: place(error.statement_place().map(|(start, _)| start)),
            end: place(error.statement_place().map(|(_, end)| end)),
            rows: place(error.rows_place()),
            statement: error.statement().unwrap_or_default().to_owned(),
        }
    }

    /// An operator may speak of where it happened.
    fn has_place(&self) -> bool {
        !self.start.is_empty() || !self.rows.is_empty()
    }
}

/// What is stored of one source of the task.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRow {
    /// The source.
    pub source: SourceId,
    /// What the operator wants of this source, when it differs from the task.
    pub desired: Option<Stage>,
    /// Its stage as the process said last.
    pub actual: Option<Stage>,
    /// The error that it stopped at.
    pub error: Option<StoredError>,
    /// The status document that the running task wrote last.
    pub status: Option<serde_json::Value>,
    /// When it was written, seconds since the epoch.
    pub status_at: Option<i64>,
}

impl StateStore {
    /// Notes a start: stage Running wanted and reached; with a configuration that is kept for
    /// starting the task again ([`TaskRow::config`]). It must hold no readable password.
    ///
    /// # Errors
    ///
    /// As all writes: `STATE_BUSY`, `STATE_IO`, `STATE_CORRUPT`.
    pub fn set_started(&self, config: Option<&str>) -> Result<()> {
        self.db.write(|tx| {
            tx.execute(
                "UPDATE task SET config = coalesce(?1, config), desired = 'Running',
                     actual = 'Running', started = ?2, updated = ?2",
                (config, now()),
            )?;
            Ok(())
        })
    }

    /// Notes what the operator wants of the whole task.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_desired(&self, stage: Stage) -> Result<()> {
        self.db.write(|tx| {
            let sql = "UPDATE task SET desired = ?1, updated = ?2";
            tx.execute(sql, (stage.as_str(), now()))?;
            Ok(())
        })
    }

    /// Notes the stage that the whole task has reached.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_actual(&self, stage: Stage) -> Result<()> {
        self.db.write(|tx| {
            let sql = "UPDATE task SET actual = ?1, updated = ?2";
            tx.execute(sql, (stage.as_str(), now()))?;
            Ok(())
        })
    }

    /// Notes the stages of one source; `None` for `desired` means as the task.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_source_stage(
        &self,
        source: &SourceId,
        desired: Option<Stage>,
        actual: Stage,
    ) -> Result<()> {
        self.db.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO source (name, desired, actual, updated) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET desired = excluded.desired,
                     actual = excluded.actual, updated = excluded.updated",
            )?
            .execute((
                source.as_str(),
                desired.map(Stage::as_str),
                actual.as_str(),
                now(),
            ))?;
            Ok(())
        })
    }

    /// Notes what the operator wants of one source.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_source_desired(&self, source: &SourceId, desired: Stage) -> Result<()> {
        self.set_source_column("desired", source, desired)
    }

    /// Notes the stage that one source has reached.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_source_actual(&self, source: &SourceId, actual: Stage) -> Result<()> {
        self.set_source_column("actual", source, actual)
    }

    fn set_source_column(&self, column: &str, source: &SourceId, stage: Stage) -> Result<()> {
        self.db.write(|tx| {
            tx.prepare_cached(&format!(
                "INSERT INTO source (name, {column}, updated) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET {column} = excluded.{column},
                     updated = excluded.updated"
            ))?
            .execute((source.as_str(), stage.as_str(), now()))?;
            Ok(())
        })
    }

    /// Keeps the error that a source stopped at, or forgets it.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_error(&self, source: &SourceId, error: Option<&Error>) -> Result<()> {
        let stored = error.map(StoredError::of);
        let text = stored.as_ref().map(to_json);
        self.db.write(|tx| {
            let text = text.transpose()?;
            tx.prepare_cached(
                "INSERT INTO source (name, error, updated) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET error = excluded.error,
                     updated = excluded.updated",
            )?
            .execute((source.as_str(), &text, now()))?;
            if let (Some(text), true) = (text, stored.is_some_and(|e| e.has_place())) {
                tx.execute(
                    "INSERT OR REPLACE INTO note (lane, key, value)
                     SELECT id, ?3, ?4 FROM lane WHERE source = ?1 AND name = ?2",
                    (source.as_str(), &*LaneId::main(source).name, STOPPED_AT, text.into_bytes()),
                )?;
            }
            Ok(())
        })
    }

    /// Keeps the status document of a source, for commands that ask while the task runs or later.
    /// It need not survive a crash of the machine, so it costs no fsync.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn save_status(&self, source: &SourceId, status: &serde_json::Value) -> Result<()> {
        self.db.write_with(Durability::Lazy, |tx| {
            tx.prepare_cached(
                "INSERT INTO source (name, status, status_at, updated) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (name) DO UPDATE SET status = excluded.status,
                     status_at = excluded.status_at, updated = excluded.updated",
            )?
            .execute((source.as_str(), to_json(status)?, now()))?;
            Ok(())
        })
    }
}

fn stage(text: &str) -> Inner<Stage> {
    text.parse().map_err(|e: String| bad("stage", e))
}

pub(super) fn task(conn: &Connection) -> Inner<TaskRow> {
    let (mut row, desired, actual) = conn.query_row(
        "SELECT name, identity, config, desired, actual, created, started, updated FROM task",
        [],
        |r| {
            let row = TaskRow {
                name: r.get(0)?,
                identity: r.get(1)?,
                config: r.get(2)?,
                desired: Stage::New,
                actual: Stage::New,
                created: r.get(5)?,
                started: r.get(6)?,
                updated: r.get(7)?,
            };
            Ok((row, r.get::<_, String>(3)?, r.get::<_, String>(4)?))
        },
    )?;
    row.desired = stage(&desired)?;
    row.actual = stage(&actual)?;
    Ok(row)
}

pub(super) fn sources(conn: &Connection) -> Inner<Vec<SourceRow>> {
    type Text = Option<String>;
    let mut statement = conn.prepare(
        "SELECT name, status_at, desired, actual, error, status FROM source ORDER BY name",
    )?;
    let rows = statement.query_map([], |r| {
        let texts: (Text, Text, Text, Text) = (r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?);
        Ok((r.get::<_, String>(0)?, r.get::<_, Option<i64>>(1)?, texts))
    })?;
    let mut sources = Vec::new();
    for row in rows {
        let (name, status_at, (desired, actual, error, status)) = row?;
        sources.push(SourceRow {
            source: SourceId::new(name),
            desired: desired.as_deref().map(stage).transpose()?,
            actual: actual.as_deref().map(stage).transpose()?,
            error: error.as_deref().map(|t| from_json("error", t)).transpose()?,
            status: status.as_deref().map(|t| from_json("status", t)).transpose()?,
            status_at,
        });
    }
    Ok(sources)
}
