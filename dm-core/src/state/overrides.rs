//! Overrides: what an operator wants instead of, or before, single statements of the stream.
//!
//! Guarantee: a word is either kept for all the sources that it was meant for or for none, works
//! for a task that runs and for one that does not, and lasts until it is taken back. Method: each
//! is a row, keyed by source and by where the statement begins; the stream looks for one before it
//! judges a statement. One that was used stays: after a crash the statement may be read again, and
//! the rows are their own audit log.

use rusqlite::{Connection, Row};

use super::StateStore;
use super::db::{Inner, bad, from_json, now, to_json};
use super::mailbox::Mailbox;
use crate::error::Result;
use crate::event::SourceId;
use crate::position::BinlogPos;

/// What happens instead of a statement (`handle-error`, `binlog skip`, ...).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverrideAction {
    /// Nothing.
    Skip,
    /// These statements run instead of it.
    Replace(Vec<String>),
    /// These statements run before it.
    Inject(Vec<String>),
}

impl OverrideAction {
    /// DM's word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Replace(_) => "replace",
            Self::Inject(_) => "inject",
        }
    }

    /// The statements that it brings.
    pub fn statements(&self) -> &[String] {
        match self {
            Self::Skip => &[],
            Self::Replace(sqls) | Self::Inject(sqls) => sqls,
        }
    }
}

/// An operator's word about the statement at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Its number.
    pub id: i64,
    /// The source whose stream it is about.
    pub source: SourceId,
    /// Where the statement starts.
    pub position: BinlogPos,
    /// What to do.
    pub action: OverrideAction,
    /// When it was made, seconds since the epoch.
    pub created: i64,
    /// When it was last used.
    pub used: Option<i64>,
}

impl Mailbox {
    /// Says what happens instead of the statements at these places, each of a source's stream; replaces
    /// earlier words about the same places. All of them or, on an error, none.
    ///
    /// # Errors
    ///
    /// See [`Mailbox`].
    pub fn set_overrides(
        &self,
        places: &[(SourceId, BinlogPos)],
        action: &OverrideAction,
    ) -> Result<()> {
        self.db.write(|tx| {
            for (source, position) in places {
                remove(tx, source, position)?;
                tx.execute(
                    "INSERT INTO override (source, position, action, sqls, created)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    (
                        source.as_str(),
                        position.to_colon_text(),
                        action.as_str(),
                        to_json(action.statements())?,
                        now(),
                    ),
                )?;
            }
            Ok(())
        })
    }

    /// Takes the words about these places back; the number of those that there were.
    ///
    /// # Errors
    ///
    /// See [`Mailbox`].
    pub fn remove_overrides(&self, places: &[(SourceId, BinlogPos)]) -> Result<usize> {
        self.db.write(|tx| {
            let mut removed = 0;
            for (source, position) in places {
                removed += usize::from(remove(tx, source, position)?);
            }
            Ok(removed)
        })
    }
}

impl StateStore {
    /// A number that is another one when an operator's words may have changed: another process has
    /// written to the state file.
    ///
    /// # Errors
    ///
    /// As all reads.
    pub fn version(&self) -> Result<i64> {
        self.db.version()
    }

    /// The operator's word about the statement at a position, noting that it was used.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn use_override(
        &self,
        source: &SourceId,
        position: &BinlogPos,
    ) -> Result<Option<Override>> {
        let Some(mut found) = self.db.read(|conn| find(conn, source, position))? else {
            return Ok(None);
        };
        let used = now();
        self.db.write(|tx| {
            tx.execute("UPDATE override SET used = ?2 WHERE id = ?1", (found.id, used))?;
            Ok(())
        })?;
        found.used = Some(used);
        Ok(Some(found))
    }
}

const OVERRIDE: &str = "SELECT id, source, position, action, sqls, created, used FROM override";

/// Places are compared as such and not as texts: the digits of a file's number may be fewer.
fn find(conn: &Connection, source: &SourceId, position: &BinlogPos) -> Inner<Option<Override>> {
    let mut statement = conn.prepare_cached(&format!("{OVERRIDE} WHERE source = ?1"))?;
    let mut rows = statement.query([source.as_str()])?;
    while let Some(row) = rows.next()? {
        let found = of_row(row)?;
        if found.position == *position {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn remove(conn: &Connection, source: &SourceId, position: &BinlogPos) -> Inner<bool> {
    let Some(old) = find(conn, source, position)? else { return Ok(false) };
    conn.execute("DELETE FROM override WHERE id = ?1", [old.id])?;
    Ok(true)
}

fn of_row(row: &Row<'_>) -> Inner<Override> {
    let word: String = row.get(3)?;
    let sqls: Vec<String> = from_json("list of statements", &row.get::<_, String>(4)?)?;
    let position: String = row.get(2)?;
    Ok(Override {
        id: row.get(0)?,
        source: SourceId::new(row.get::<_, String>(1)?),
        position: position.parse().map_err(|_| bad("position", &position))?,
        action: match word.as_str() {
            "skip" => OverrideAction::Skip,
            "replace" => OverrideAction::Replace(sqls),
            "inject" => OverrideAction::Inject(sqls),
            _ => return Err(bad("override", word)),
        },
        created: row.get(5)?,
        used: row.get(6)?,
    })
}

pub(super) fn all(conn: &Connection) -> Inner<Vec<Override>> {
    let mut statement = conn.prepare_cached(&format!("{OVERRIDE} ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(of_row(row)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(source: &str, text: &str) -> (SourceId, BinlogPos) {
        (SourceId::new(source), text.parse().unwrap())
    }

    #[test]
    fn words_are_found_by_their_place() {
        let store = StateStore::in_memory("t").unwrap();
        let mailbox = store.mailbox();
        let (a, b) = (place("s1", "bin.000003:154"), place("s2", "bin.000003:154"));
        mailbox.set_overrides(&[a.clone(), b.clone()], &OverrideAction::Skip).unwrap();
        let replace = OverrideAction::Replace(vec!["ALTER TABLE d.t ADD c int".into()]);
        mailbox.set_overrides(&[place("s1", "(bin.3, 154)")], &replace).unwrap();
        let found = store.use_override(&a.0, &a.1).unwrap().unwrap();
        assert_eq!((found.action, found.used.is_some()), (replace, true));
        let other = store.use_override(&b.0, &b.1).unwrap().unwrap();
        assert_eq!(other.action, OverrideAction::Skip, "another source's word stays");
        let elsewhere: BinlogPos = "bin.000003:155".parse().unwrap();
        assert_eq!(store.use_override(&a.0, &elsewhere).unwrap(), None);
        let all = store.reader().overrides().unwrap();
        assert_eq!(all.len(), 2, "the second word about a place replaced the first");
        assert_eq!(mailbox.remove_overrides(&[a.clone(), b]).unwrap(), 2);
        assert_eq!(mailbox.remove_overrides(&[a]).unwrap(), 0);
    }
}
