//! What must be so at a source before a task starts.
//!
//! A user that may not read a table does not see it: without these checks such a task would copy
//! nothing and call itself finished. Settings that make the binlog useless are found before the
//! hours of a copy, not behind them.

use super::SourceWants;
use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, cell, is_access_denied};

/// Makes the checks.
pub(super) fn check(conn: &mut Connection, wants: &SourceWants<'_>) -> Result {
    if wants.stream {
        binlog(conn, wants)?;
    }
    let grants = match conn.rows("SHOW GRANTS") {
        Ok(rows) => Grants(rows.iter().map(|row| cell(row, 0)).collect()),
        // A server without grant tables lets everybody do everything.
        Err(e) if !e.is_transient() => return Ok(()),
        Err(e) => return Err(e),
    };
    if wants.stream
        && !wants.ignored.contains("replication_privilege")
        && !grants.may("REPLICATION SLAVE")
        && !grants.may("REPLICATION REPLICA")
    {
        return Err(lacking(conn, "REPLICATION SLAVE", "follow the binlog"));
    }
    if wants.copy && !wants.ignored.contains("dump_privilege") && !grants.may("SELECT") {
        return Err(lacking(conn, "SELECT", "read any table"));
    }
    if wants.stream && !wants.ignored.contains("replication_privilege") {
        client(conn)?;
    }
    Ok(())
}

fn binlog(conn: &mut Connection, wants: &SourceWants<'_>) -> Result {
    let must = [
        (
            "binlog_enable",
            "log_bin",
            ["1", "ON"],
            "Set log_bin in the server's option file and restart it.",
        ),
        (
            "binlog_format",
            "binlog_format",
            ["ROW", "ROW"],
            "SET GLOBAL binlog_format = 'ROW' and let the applications connect anew: a session \
             keeps the format that it began with.",
        ),
    ];
    for (item, variable, good, advice) in must {
        if wants.ignored.contains(item) {
            continue;
        }
        // A variable that the server does not have cannot be set wrongly.
        let Some(value) = conn.global(variable)? else { continue };
        if !good.iter().any(|good| value.eq_ignore_ascii_case(good)) {
            let [_, good] = good;
            return Err(Error::new(
                &codes::CHECK_FAILED,
                format!("{}: {variable} is {value}, following needs {good}", conn.address()),
            )
            .workaround(advice));
        }
    }
    Ok(())
}

/// Where the binlog stands is told with REPLICATION CLIENT (MariaDB: BINLOG MONITOR) only.
fn client(conn: &mut Connection) -> Result {
    match super::position::end(conn) {
        Err(e) if is_access_denied(&e) || e.server_error() == Some(1227) => {
            Err(lacking(conn, "REPLICATION CLIENT", "ask for the end of the binlog"))
        }
        other => other.map(|_| ()),
    }
}

fn lacking(conn: &Connection, right: &str, to: &str) -> Error {
    Error::new(
        &codes::CHECK_FAILED,
        format!("{}: the user may not {to}: it lacks {right}", conn.address()),
    )
    .workaround(format!("GRANT {right} ON *.* to the user of `from` in the source's file."))
}

/// The answer of SHOW GRANTS.
struct Grants(Vec<String>);

impl Grants {
    /// True when a right is given somewhere, or might come with a role.
    fn may(&self, right: &str) -> bool {
        self.0.iter().any(|line| {
            let line = line.to_ascii_uppercase();
            let Some(rights) = line.strip_prefix("GRANT ") else { return false };
            match rights.split_once(" ON ") {
                Some((rights, _)) => {
                    rights.starts_with("ALL")
                        || rights
                            .split(',')
                            .any(|r| r.split('(').next().is_some_and(|r| r.trim() == right))
                }
                // A role: what it brings is for the server to say.
                None => true,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(lines: &[&str], right: &str) -> bool {
        Grants(lines.iter().map(|l| (*l).to_owned()).collect()).may(right)
    }

    #[test]
    fn rights_are_found_in_the_servers_words() {
        assert!(may(&["GRANT ALL PRIVILEGES ON *.* TO `a`@`%`"], "SELECT"));
        assert!(may(&["GRANT SELECT, RELOAD ON *.* TO `a`@`%`"], "SELECT"));
        assert!(may(
            &["GRANT USAGE ON *.* TO `a`@`%`", "GRANT SELECT (`c`) ON `d`.`t` TO `a`@`%`"],
            "SELECT"
        ));
        assert!(!may(&["GRANT SELECT, RELOAD ON *.* TO `a`@`%`"], "REPLICATION SLAVE"));
        assert!(!may(&["GRANT USAGE ON *.* TO `a`@`%`"], "SELECT"));
        assert!(may(&["GRANT `reader`@`%` TO `a`@`%`"], "SELECT"));
    }
}
