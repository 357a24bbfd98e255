//! Statements that must not run twice although a second run would succeed: RENAME TABLE, where tables
//! change places.
//!
//! Guarantee: such a statement runs exactly once, whatever dies when. Method: a lane has one empty
//! marker table in the meta schema. Its name ends in the number of the lane's last such
//! statement; the statement itself renames it, in one step with the tables it is about, because a
//! RENAME TABLE happens as a whole or not at all. A marker that bears the statement's number
//! already says that it has run.

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
    let wanted = format!("{prefix}{number}");
    let mut question = format!("SHOW TABLES FROM {} LIKE ", marks.schema());
    push_string(&mut question, &format!("{}%", prefix.replace('_', "\\_")));
    let there = session.value(&question)?;
    if there.as_deref() == Some(wanted.as_str()) {
        return Ok(None);
    }
    let have = match there {
        Some(name) => name,
        None => {
            // Statements are numbered from 1.
            let name = format!("{prefix}0");
            session.exec(&format!("CREATE TABLE {} (`n` INT PRIMARY KEY)", place(marks, &name)))?;
            name
        }
    };
    // On a line of its own: the statement may end in a comment.
    Ok(Some(format!("{sql}\n, {} TO {}", place(marks, &have), place(marks, &wanted))))
}

fn place(marks: &Marks, name: &str) -> String {
    let mut text = format!("{}.", marks.schema());
    push_ident(&mut text, name);
    text
}
