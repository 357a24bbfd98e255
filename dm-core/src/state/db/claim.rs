//! Whose file it is: made for a task, recognised as that task's, refused when it is another's, damaged or newer.
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Db, Fail, Inner, named, now, shown};
use crate::error::{Code, Error, Result, codes};
use crate::state::tables::{CREATE, MIGRATIONS, VERSION};
/// `dmst` in ASCII: what the header of our files says (SQLite's `application_id`).
const APPLICATION: i32 = 0x646d_7374;

/// What another process than the owner finds in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::state) enum Form {
    /// The state of a task, as this version writes it.
    Complete,
    /// That of an earlier version.
    Older,
    /// Nothing yet: it is being made, or whoever made it was killed.
    Empty,
}

impl Db {
    /// Opens a file for another process than the owner, and tells whether it is complete.
    ///
    /// Not as read-only in SQLite's sense: when the owner was killed, the first to open the file
    /// has to bring it in order from its -wal file.
    pub(in crate::state) fn open_existing(path: &Path) -> Result<(Self, Form)> {
        let db = Self::open_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let form = match db.read(|conn| Ok(header(conn)?))? {
            (APPLICATION, VERSION) => Form::Complete,
            (APPLICATION, version) if version > VERSION => return Err(db.newer(version)),
            (APPLICATION, _) => Form::Older,
            (0, 0) if db.read(is_empty)? => Form::Empty,
            _ => return Err(db.other_program()),
        };
        Ok((db, form))
    }

    /// Makes the file a state file of this task or checks that it is one; returns its identity.
    pub(in crate::state) fn create(&self, task: &str) -> Result<String> {
        let (application, version) = self.read(|conn| Ok(header(conn)?))?;
        match (application, version) {
            (0, 0) if self.read(is_empty)? => {}
            (APPLICATION, 1..=VERSION) => self.check()?,
            (APPLICATION, version) => return Err(self.newer(version)),
            _ => return Err(self.other_program()),
        }
        self.set_journal()?;
        self.write(|tx| {
            if version == 0 {
                tx.execute_batch(CREATE)?;
                tx.pragma_update(None, "application_id", APPLICATION)?;
                tx.execute(
                    "INSERT INTO task (id, name, identity, created, updated)
                     VALUES (1, ?1, lower(hex(randomblob(16))), ?2, ?2)",
                    (task, now()),
                )?;
            } else {
                for step in MIGRATIONS.iter().skip(usize::try_from(version - 1).unwrap_or(0)) {
                    tx.execute_batch(step)?;
                }
            }
            tx.pragma_update(None, "user_version", VERSION)?;
            Ok(())
        })?;
        let (name, identity): (String, String) = self.read(|conn| {
            Ok(conn
                .query_row("SELECT name, identity FROM task", [], |r| Ok((r.get(0)?, r.get(1)?)))?)
        })?;
        if name != task {
            return Err(self.foreign(&format!("it belongs to the task {name:?}")));
        }
        Ok(identity)
    }

    fn check(&self) -> Result<()> {
        let verdict: String =
            self.read(|conn| Ok(conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?))?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(self.wrong(&codes::STATE_CORRUPT, "it is damaged").cause(verdict))
    }

    fn set_journal(&self) -> Result<()> {
        if self.path.is_none() {
            return Ok(());
        }
        let guarded = self.lock();
        let set = || -> rusqlite::Result<String> {
            let mode =
                guarded
                    .conn
                    .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            guarded.conn.pragma_update(None, "synchronous", "FULL")?;
            // Keeps the -wal file from staying large after a reader had held it up.
            guarded.conn.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |row| {
                row.get::<_, i64>(0)
            })?;
            Ok(mode)
        };
        let mode = set().map_err(|e| named(self.path(), Fail::Sql(e)))?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        Err(self.wrong(&codes::STATE_DIR, "its file system does not allow SQLite's WAL mode"))
    }

    fn wrong(&self, code: &'static Code, what: &str) -> Error {
        Error::new(code, format!("state file {}: {what}", shown(self.path())))
    }

    fn foreign(&self, what: &str) -> Error {
        self.wrong(&codes::STATE_FOREIGN, what)
    }

    fn other_program(&self) -> Error {
        self.foreign("it is a SQLite file of another program")
    }

    /// Nobody but the owner may make it complete, and the owner does not.
    pub(in crate::state) fn incomplete(&self, form: Form) -> Error {
        let (what, advice) = match form {
            Form::Older => (
                "its task runs with an older version of this program",
                "Ask with that version, or end the task's process and start it with this one.",
            ),
            _ => ("it is being made", "Try again in a moment."),
        };
        self.wrong(&codes::STATE_BUSY, what).workaround(advice)
    }

    fn newer(&self, version: i32) -> Error {
        let what = format!("it has version {version}, this program knows versions up to {VERSION}");
        self.wrong(&codes::STATE_NEWER, &what)
    }
}
fn header(conn: &Connection) -> rusqlite::Result<(i32, i32)> {
    let application = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((application, version))
}

fn is_empty(conn: &Connection) -> Inner<bool> {
    Ok(conn.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?)
}
