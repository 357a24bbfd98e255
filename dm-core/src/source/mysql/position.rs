//! Where a server's binlog stands.

use std::time::{Duration, Instant};

use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, ServerKind, cell, is_access_denied, named_cell};
use crate::position::{BinlogPos, Flavor, GtidSet, Position};
use crate::sql::quote_text;

/// The end of the binlog, with the GTID set there when the server's GTIDs can be relied on.
pub(super) fn end(conn: &mut Connection) -> Result<Position> {
    let sql = status_statement(conn);
    let rows = conn.rows(sql)?;
    let row = rows.first().ok_or_else(|| no_binlog(conn))?;
    let file = named_cell(row, "File").unwrap_or_default();
    let offset = named_cell(row, "Position").unwrap_or_default();
    let set = named_cell(row, "Executed_Gtid_Set").unwrap_or_default();
    let pos = binlog_pos(&file, &offset)?;
    at(conn, pos, &set)
}

/// The end of the binlog with a set that has everything that any session could see when this was
/// called. MySQL shows a transaction's rows before it counts it as executed: what is owned by a
/// session now is waited for, for a moment, and taken in when it takes longer.
pub(super) fn end_of_visible(conn: &mut Connection) -> Result<Position> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let until = Instant::now() + PATIENCE;
    let mut owned = owned(conn)?;
    loop {
        let mut end = end(conn)?;
        let Some(executed) = &mut end.gtid else { return Ok(end) };
        owned = owned.minus(executed)?;
        if owned.is_empty() || Instant::now() >= until {
            executed.union(&owned)?;
            return Ok(end);
        }
        std::thread::sleep(Duration::from_millis(20));
        // Of those that are not owned any more, the next answer has what was committed.
        let gone = owned.minus(&self::owned(conn)?)?;
        owned = owned.minus(&gone)?;
    }
}

/// The transactions that sessions are about to commit. MariaDB counts by what is in its binlog.
fn owned(conn: &mut Connection) -> Result<GtidSet> {
    let flavor = conn.version().flavor();
    let text = match flavor {
        Flavor::MySql => conn.global("gtid_owned")?.unwrap_or_default(),
        Flavor::MariaDb => String::new(),
    };
    Ok(GtidSet::parse(flavor, &without_owners(&text))?)
}

/// `uuid:7#12:9#14#15`: each number is followed by the threads that own it.
fn without_owners(text: &str) -> String {
    let mut owner = false;
    text.chars()
        .filter(|c| {
            owner = *c == '#' || owner && c.is_ascii_digit();
            !owner
        })
        .collect()
}

/// True when the server writes no binlog, or does not tell this user about it.
pub(super) fn is_untold(error: &Error) -> bool {
    is_access_denied(error) || error.code() == &codes::NO_MASTER_STATUS
}

fn no_binlog(conn: &Connection) -> Error {
    Error::new(&codes::NO_MASTER_STATUS, format!("{} writes no binlog", conn.address())).workaround(
        "Switch the source's binlog on (log_bin), or use a user that has REPLICATION CLIENT \
             (BINLOG MONITOR on MariaDB).",
    )
}

/// The words changed with MySQL 8.2; MariaDB kept the old ones.
fn status_statement(conn: &Connection) -> &'static str {
    if conn.version().is_mysql_from(8, 2, 0) {
        "SHOW BINARY LOG STATUS"
    } else {
        "SHOW MASTER STATUS"
    }
}

/// A file and offset as the server prints them.
pub(super) fn binlog_pos(file: &str, offset: &str) -> Result<BinlogPos> {
    Ok(format!("{file}:{offset}").parse::<BinlogPos>()?)
}

/// A position by file and offset, with its GTID set: MariaDB is asked for it, MySQL's is `set`.
pub(super) fn at(conn: &mut Connection, pos: BinlogPos, set: &str) -> Result<Position> {
    let gtid = if conn.version().is_mariadb() {
        let sql = format!(
            "SELECT BINLOG_GTID_POS({}, {})",
            quote_text(&pos.file.to_string()),
            pos.offset
        );
        match conn.scalar(&sql)? {
            Some(set) => Some(GtidSet::parse(Flavor::MariaDb, &set)?),
            None => None,
        }
    } else if gtids_on(conn)? {
        Some(GtidSet::parse(Flavor::MySql, set)?)
    } else {
        None
    };
    Ok(Position { binlog: Some(pos), gtid })
}

/// True when every transaction has a GTID. MariaDB always gives them. ON_PERMISSIVE is not enough:
/// the server then serves nobody by GTID, and file and offset are used.
pub(super) fn gtids_on(conn: &mut Connection) -> Result<bool> {
    match conn.version().kind {
        ServerKind::MariaDb => Ok(true),
        ServerKind::TiDb => Ok(false),
        ServerKind::MySql => {
            Ok(conn.global("gtid_mode")?.is_some_and(|mode| mode.eq_ignore_ascii_case("ON")))
        }
    }
}

/// Everything that the server has executed and that its storage shows.
pub(super) fn executed(conn: &mut Connection) -> Result<GtidSet> {
    let flavor = conn.version().flavor();
    let name = match flavor {
        Flavor::MySql => "gtid_executed",
        // What it wrote itself, and what it got as a replica that does not log it.
        Flavor::MariaDb => "gtid_binlog_state",
    };
    let text = conn.global(name)?.unwrap_or_default();
    let mut set = GtidSet::parse(flavor, &text)?;
    if flavor == Flavor::MariaDb {
        let slave = conn.global("gtid_slave_pos")?.unwrap_or_default();
        set.union(&GtidSet::parse(flavor, &slave)?)?;
    }
    Ok(set)
}

/// What the server has executed but no longer has in its binlog files.
pub(super) fn purged(conn: &mut Connection) -> Result<Option<GtidSet>> {
    match conn.version().flavor() {
        Flavor::MySql => match conn.global("gtid_purged")? {
            Some(text) => Ok(Some(GtidSet::parse(Flavor::MySql, &text)?)),
            None => Ok(None),
        },
        // The list at the start of the oldest file.
        Flavor::MariaDb => {
            let files = files(conn)?;
            let Some(oldest) = files.first() else { return Ok(None) };
            let sql = format!("SELECT BINLOG_GTID_POS({}, 4)", quote_text(&oldest.0));
            match conn.scalar(&sql)? {
                Some(set) => Ok(Some(GtidSet::parse(Flavor::MariaDb, &set)?)),
                None => Ok(None),
            }
        }
    }
}

/// The binlog files and their sizes, oldest first.
pub(super) fn files(conn: &mut Connection) -> Result<Vec<(String, u64)>> {
    let rows = conn.rows("SHOW BINARY LOGS")?;
    Ok(rows.iter().map(|row| (cell(row, 0), cell(row, 1).parse().unwrap_or(0))).collect())
}

/// Which server it is: its UUID, or on MariaDB, which has none, domain and server id.
pub(super) fn identity(conn: &mut Connection) -> Result<String> {
    if conn.version().is_mariadb() {
        let row = conn.row("SELECT @@GLOBAL.gtid_domain_id, @@GLOBAL.server_id")?;
        return Ok(format!("{}-{}", cell(&row, 0), cell(&row, 1)));
    }
    Ok(conn.global("server_uuid")?.unwrap_or_default())
}

/// `performance_schema.log_status`: end of the binlog and GTID set of one instant at which no
/// commit is half done. `None` when the server or the user's rights do not offer it.
pub(super) fn log_status(conn: &mut Connection) -> Result<Option<Position>> {
    if !conn.version().is_mysql_from(8, 0, 11) {
        return Ok(None);
    }
    let local = match conn.scalar("SELECT LOCAL FROM performance_schema.log_status") {
        Ok(local) => local,
        Err(e) if e.is_transient() => return Err(e),
        Err(_) => return Ok(None),
    };
    let Some(local) = local else { return Ok(None) };
    let local: serde_json::Value = serde_json::from_str(&local)
        .map_err(|e| Error::new(&codes::SOURCE_VALUE, "log_status cannot be read").cause(e))?;
    let field = |name: &str| local.get(name).and_then(serde_json::Value::as_str);
    let offset = local.get("binary_log_position").and_then(serde_json::Value::as_u64);
    let (Some(file), Some(offset)) = (field("binary_log_file"), offset) else { return Ok(None) };
    let pos = binlog_pos(file, &offset.to_string())?;
    at(conn, pos, field("gtid_executed").unwrap_or_default()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_left_out() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let text = format!("{uuid}:7#12:9#14#15,\n{uuid}:tag:1#3");
        assert_eq!(without_owners(&text), format!("{uuid}:7:9,\n{uuid}:tag:1"));
        assert!(GtidSet::parse(Flavor::MySql, &without_owners(&text)).is_ok());
        assert!(GtidSet::parse(Flavor::MySql, &without_owners("")).unwrap().is_empty());
    }
}
