//! Statements that must not run twice although a second run would succeed: RENAME TABLE, where tables
//! change places.
//!
//! Guarantee: such a statement runs exactly once, whatever dies when. Method: a lane has one empty
//! marker table in the meta schema. Its name ends in a hash of the number and the text of the lane's last
//! such statement; the statement itself renames it, in one step with the tables it is about, because a
//! RENAME TABLE happens as a whole or not at all. A marker that bears the statement's hash already says
//! that it has run. The text counts because an operator may have given another statement for the same
//! place meanwhile: that one has not run.

use xxhash_rust::xxh3::xxh3_64;

use super::marks::{Marks, marker_prefix};
use super::session::Session;
use crate::error::Result;
use crate::event::LaneId;
use crate::sql::{push_ident, push_string};

/// The statement with the marker's rename; `None` when it has run already.
pub(super) fn prepare(
    session: &mut Session,
    marks: &Marks,
    task: &str,
    lane: &LaneId,
    number: u64,
    sql: &str,
) -> Result<Option<String>> {
    let prefix = marker_prefix(task, lane);
    let wanted = format!("{prefix}{}", word(number, sql));
    let there = session.value(&question(marks, &prefix))?;
    if there.as_deref() == Some(wanted.as_str()) {
        return Ok(None);
    }
    let have = match there {
        Some(name) => name,
        None => {
            // No hash is as short.
            let name = format!("{prefix}0");
            session.exec(&format!("CREATE TABLE {} (`n` INT PRIMARY KEY)", place(marks, &name)))?;
            name
        }
    };
    // On a line of its own: the statement may end in a comment.
    Ok(Some(format!("{sql}\n, {} TO {}", place(marks, &have), place(marks, &wanted))))
}

/// Drops the marker of a lane that begins anew: its statements are numbered from 1 again.
pub(super) fn forget(session: &mut Session, marks: &Marks, task: &str, lane: &LaneId) -> Result {
    // No such database: nothing was ever written.
    let rows = match session.rows(&question(marks, &marker_prefix(task, lane))) {
        Err(e) if e.server_error() == Some(1049) => return Ok(()),
        rows => rows?,
    };
    for name in rows.into_iter().flatten().flatten() {
        session.exec(&format!("DROP TABLE IF EXISTS {}", place(marks, &name)))?;
    }
    Ok(())
}

/// Asks for the markers with a prefix.
fn question(marks: &Marks, prefix: &str) -> String {
    let mut text = format!("SHOW TABLES FROM {} LIKE ", marks.schema());
    push_string(&mut text, &format!("{}%", prefix.replace('_', "\\_")));
    text
}

/// What a marker says of a statement; with the prefix it is as long as a name may be at most.
fn word(number: u64, sql: &str) -> String {
    format!("{:016x}", xxh3_64(format!("{number}\n{sql}").as_bytes()))
}

fn place(marks: &Marks, name: &str) -> String {
    let mut text = format!("{}.", marks.schema());
    push_ident(&mut text, name);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SourceId;

    #[test]
    fn another_number_or_text_is_another_statement() {
        let one = word(7, "RENAME TABLE a TO b");
        assert_eq!(one, word(7, "RENAME TABLE a TO b"));
        assert_ne!(one, word(8, "RENAME TABLE a TO b"));
        assert_ne!(one, word(7, "RENAME TABLE a TO c"));
    }

    #[test]
    fn a_marker_is_a_name_that_every_server_takes() {
        let lane = LaneId::main(&SourceId::new("a source with a name that is rather long"));
        let name = marker_prefix("task", &lane) + &word(u64::MAX, "RENAME TABLE a TO b");
        assert!(name.len() <= 64, "{name}");
    }
}
