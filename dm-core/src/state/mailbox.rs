//! The mailbox: commands for a running task.
//!
//! Commands are rows of the state file, so they work when the task does not run,
//! survive a crash, and are their own audit log. The running task looks in as often as it likes
//! ([`StateStore::take_commands`]): without a new letter that is one pragma, no query. A command
//! that was taken when its process died is not carried out again, because nobody knows how far it
//! came: the next start marks it `Interrupted`, and whoever waits for the reply may repeat it.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Row};
use serde_json::Value;

use super::db::{Db, Inner, bad, from_json, misuse, now, to_json};
use super::{StateStore, existing};
use crate::error::Result;

/// Answered commands are kept for reading up; older ones make room.
const COMMANDS_KEPT: i64 = 1000;

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandState {
    /// Nobody has read it yet.
    Queued,
    /// The running task has read it.
    Taken,
    /// Carried out.
    Done,
    /// Refused, or it failed; the reply says why.
    Failed,
    /// The process that had taken it ended before it answered.
    Interrupted,
}

impl CommandState {
    const ALL: [Self; 5] = [Self::Queued, Self::Taken, Self::Done, Self::Failed, Self::Interrupted];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Taken => "taken",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// True when no reply will come any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Interrupted)
    }
}

/// A command to a running task.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its number; later ones are larger.
    pub id: i64,
    /// What to do: `pause-task`, `resume-task`, ...
    pub verb: String,
    /// With what.
    pub args: Value,
    /// When it was posted, seconds since the epoch.
    pub created: i64,
    /// How far it has come.
    pub state: CommandState,
    /// The answer, when there is one.
    pub reply: Option<Value>,
}

/// Puts letters into the mailbox of a task, running or not.
///
/// Every method fails with `STATE_BUSY`, `STATE_IO` or `STATE_CORRUPT` when the file cannot be
/// read or written.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub(super) db: Arc<Db>,
}

impl Mailbox {
    pub(super) fn over(db: Arc<Db>) -> Self {
        Self { db }
    }

    /// Opens the mailbox of a task from another process than its owner; takes no lock.
    ///
    /// # Errors
    ///
    /// `TASK_MISSING`, `STATE_FOREIGN`, `STATE_NEWER`, `STATE_BUSY`, `STATE_IO`.
    pub fn open(dir: &Path, task: &str) -> Result<Self> {
        Ok(Self { db: Arc::new(existing::open(dir, task)?) })
    }

    /// Posts a command and returns its number.
    ///
    /// # Errors
    ///
    /// See [`Mailbox`].
    pub fn post(&self, verb: &str, args: &Value) -> Result<i64> {
        let id = self.db.write(|tx| {
            tx.execute(
                "INSERT INTO command (verb, args, created) VALUES (?1, ?2, ?3)",
                (verb, to_json(args)?, now()),
            )?;
            let id = tx.last_insert_rowid();
            forget_old(tx, id)?;
            Ok(id)
        })?;
        self.db.touch();
        Ok(id)
    }

    /// Puts a command that was carried out without the process of the task beside those that it answered.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` when `state` is not a final one; else see [`Mailbox`].
    pub fn record(
        &self,
        verb: &str,
        args: &Value,
        state: CommandState,
        reply: &Value,
    ) -> Result<()> {
        self.db.write(|tx| {
            if !state.is_final() {
                let text = format!("a command that is over cannot be {}", state.as_str());
                return Err(misuse(text));
            }
            tx.execute(
                "INSERT INTO command (verb, args, created, state, reply, replied)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?3)",
                (verb, to_json(args)?, now(), state.as_str(), to_json(reply)?),
            )?;
            forget_old(tx, tx.last_insert_rowid())
        })
    }

    /// A command as it stands; `None` when it is unknown or was cleared away.
    ///
    /// # Errors
    ///
    /// See [`Mailbox`].
    pub fn command(&self, id: i64) -> Result<Option<Command>> {
        self.db.read(|conn| {
            let mut statement = conn.prepare_cached(&format!("{COMMAND} WHERE id = ?1"))?;
            let mut rows = statement.query([id])?;
            rows.next()?.map(command).transpose()
        })
    }

    /// Takes a command back that nobody has read yet; false when it is too late.
    ///
    /// # Errors
    ///
    /// See [`Mailbox`].
    pub fn withdraw(&self, id: i64) -> Result<bool> {
        self.db.write(|tx| {
            let sql = "DELETE FROM command WHERE id = ?1 AND state = 'queued'";
            Ok(tx.execute(sql, [id])? == 1)
        })
    }
}

impl StateStore {
    /// The commands that were posted since the last call, in order; they become `Taken`.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn take_commands(&self) -> Result<Vec<Command>> {
        if !self.db.changed()? {
            return Ok(Vec::new());
        }
        let taken = self.db.read(queued).and_then(|letters| {
            if letters.is_empty() {
                return Ok(letters);
            }
            self.db.write(|tx| {
                // A letter may have come or been withdrawn in between: what counts is this view.
                let letters = queued(tx)?;
                tx.execute("UPDATE command SET state = 'taken' WHERE state = 'queued'", [])?;
                Ok(letters)
            })
        });
        if taken.is_err() {
            // The version was noted as seen, the letters were not.
            self.db.touch();
        }
        Ok(taken?
            .into_iter()
            .map(|letter| Command { state: CommandState::Taken, ..letter })
            .collect())
    }

    /// Answers a command.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` when the command is unknown or `state` is not a final one; else as all
    /// writes.
    pub fn reply(&self, id: i64, state: CommandState, reply: &Value) -> Result<()> {
        self.db.write(|tx| {
            if !state.is_final() {
                return Err(misuse(format!("a reply cannot leave a command {}", state.as_str())));
            }
            let changed = tx.execute(
                "UPDATE command SET state = ?2, reply = ?3, replied = ?4 WHERE id = ?1",
                (id, state.as_str(), to_json(reply)?, now()),
            )?;
            if changed == 0 {
                return Err(misuse(format!("there is no command {id}")));
            }
            Ok(())
        })
    }

    /// What an earlier process had taken and not answered will not be answered any more.
    pub(super) fn interrupt_commands(&self) -> Result<()> {
        self.db.write(|tx| {
            tx.execute(
                "UPDATE command SET state = 'interrupted', replied = ?1 WHERE state = 'taken'",
                [now()],
            )?;
            Ok(())
        })
    }
}

const COMMAND: &str = "SELECT id, verb, args, created, state, reply FROM command";

fn command(row: &Row<'_>) -> Inner<Command> {
    let state: String = row.get(4)?;
    let reply: Option<String> = row.get(5)?;
    Ok(Command {
        id: row.get(0)?,
        verb: row.get(1)?,
        args: from_json("command", &row.get::<_, String>(2)?)?,
        created: row.get(3)?,
        state: CommandState::ALL
            .into_iter()
            .find(|s| s.as_str() == state)
            .ok_or_else(|| bad("state of a command", &state))?,
        reply: reply.as_deref().map(|text| from_json("reply", text)).transpose()?,
    })
}

fn collect_commands(mut rows: rusqlite::Rows<'_>) -> Inner<Vec<Command>> {
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(command(row)?);
    }
    Ok(all)
}

/// Forgets commands that are over and were followed by enough others.
fn forget_old(tx: &Connection, newest: i64) -> Inner<()> {
    tx.execute(
        "DELETE FROM command WHERE id <= ?1 - ?2 AND state NOT IN ('queued', 'taken')",
        (newest, COMMANDS_KEPT),
    )?;
    Ok(())
}

fn queued(conn: &Connection) -> Inner<Vec<Command>> {
    let sql = format!("{COMMAND} WHERE state = 'queued' ORDER BY id");
    collect_commands(conn.prepare_cached(&sql)?.query([])?)
}

pub(super) fn commands(conn: &Connection, limit: u32) -> Inner<Vec<Command>> {
    let sql = format!("{COMMAND} ORDER BY id DESC LIMIT ?1");
    collect_commands(conn.prepare_cached(&sql)?.query([limit])?)
}
