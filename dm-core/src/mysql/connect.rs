//! Connections.
//!
//! Every connection has a fixed session: UTC, utf8mb4, a sql_mode under which stored values read
//! back as they are. A peer that vanishes without a word is noticed by keepalive probes; a read
//! timeout bounds everything else.

use std::time::Duration;

use ::mysql::consts::CapabilityFlags;
use ::mysql::prelude::Queryable;
use ::mysql::{Conn, Opts, OptsBuilder, Row, Value};

use super::tls::Relay;
use super::{ServerVersion, is_access_denied, numbers, translate};
use crate::config::ConnPlan;
use crate::error::During;
use crate::error::{Error, Result, Scope, codes};
use crate::sql::{quote_ident, quote_text};

/// For reaching a server at one of its addresses.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a server that takes nothing.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(600);
/// When a peer that says nothing is asked whether it is still there.
pub(super) const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), probes: 6 };

/// How a connection's peer is probed.
pub(super) struct Keepalive {
    /// Silence before the first probe.
    pub(super) idle: Duration,
    /// Time between probes.
    pub(super) interval: Duration,
    /// Probes without an answer after which the connection is lost.
    pub(super) probes: u32,
}

/// The largest packet of the protocol's servers; the client crate would otherwise take the
/// server's current setting, which rows and events may exceed.
const MAX_PACKET: usize = 1 << 30;
/// Values read back as they are stored: no padding of CHAR, no quoting rules of other databases,
/// zero dates allowed.
const SQL_MODE: &str = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION";

/// What a connection is for: decides its timeouts and session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Short questions.
    Control,
    /// Long result sets, read as slowly as the target writes.
    Reader,
    /// Writes: an UPDATE counts the rows that it finds, and a statement may take hours.
    Target,
    /// A binlog stream; nothing for this long means that the connection is lost.
    Stream(Duration),
    /// The same of a MariaDB, with the events that only some clients want.
    Annotated(Duration),
}

impl Purpose {
    /// The side that errors of the connection are counted to.
    pub(super) fn scope(self) -> Scope {
        match self {
            Self::Target => Scope::Downstream,
            Self::Control | Self::Reader | Self::Stream(_) | Self::Annotated(_) => Scope::Upstream,
        }
    }
}

/// A connection to a server.
pub(crate) struct Connection {
    conn: Conn,
    version: ServerVersion,
    address: String,
    scope: Scope,
}

impl Connection {
    /// Connects, asks for the version and sets up the session.
    pub(crate) fn open(plan: &ConnPlan, purpose: Purpose) -> Result<Self> {
        let address = plan.address();
        let doing = format!("connecting to {address}");
        let scope = purpose.scope();
        let relay = Relay::start(plan, purpose).map_err(|e| e.context(&doing))?;
        let opts = options(plan, relay.as_ref().map(Relay::path), purpose);
        let conn = Conn::new(opts).map_err(|e| match relay.as_ref().and_then(Relay::failure) {
            Some(cause) => cause.context(&doing),
            None => translate(e, &doing, During::Connect, scope),
        })?;
        let version = ServerVersion::parse("", "");
        let mut this = Self { conn, version, address, scope };
        let row = this.row("SELECT @@version, @@version_comment")?;
        this.version = ServerVersion::parse(&cell(&row, 0), &cell(&row, 1));
        this.set_up(plan, purpose)?;
        Ok(this)
    }

    fn set_up(&mut self, plan: &ConnPlan, purpose: Purpose) -> Result {
        self.run("SET NAMES utf8mb4")?;
        self.run(&format!("SET SESSION time_zone = '+00:00', sql_mode = '{SQL_MODE}'"))?;
        if self.version.is_mysql_from(8, 0, 30) {
            // Rows carry a generated key, whatever the server shows of it.
            match self.try_set("show_gipk_in_create_table_and_information_schema", "1") {
                Err(e) if is_access_denied(&e) => {}
                other => other?,
            }
        }
        for (name, value) in &plan.session {
            self.run(&format!("SET SESSION {} = {}", quote_ident(name), setting(value)))?;
        }
        if purpose != Purpose::Control {
            // A target that stalls must not make the source hang up.
            self.try_set("net_write_timeout", "86400")?;
            self.try_set("net_read_timeout", "86400")?;
            self.try_set("wait_timeout", "31536000")?;
        }
        if purpose == Purpose::Reader {
            self.set_up_reader()?;
        }
        Ok(())
    }

    fn set_up_reader(&mut self) -> Result {
        self.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
        self.try_set("sql_select_limit", "DEFAULT")?;
        self.try_set("sql_big_selects", "1")?;
        if self.version.is_mariadb() {
            // MariaDB lets go of metadata locks at a savepoint only when the session logs nothing.
            // It needs a right that not every user has; without it DDL waits for the reader.
            match self.try_set("sql_log_bin", "0") {
                Err(e) if is_access_denied(&e) => {
                    log::warn!(
                        "{}: statements that change tables will wait for the copy to end, because \
                         the user lacks BINLOG ADMIN",
                        self.address
                    );
                }
                other => other?,
            }
            self.try_set("max_statement_time", "0")?;
            self.try_set("idle_transaction_timeout", "0")?;
            self.try_set("idle_readonly_transaction_timeout", "0")
        } else {
            self.try_set("max_execution_time", "0")
        }
    }

    /// Sets a variable that not every version has.
    pub(crate) fn try_set(&mut self, name: &str, value: &str) -> Result {
        match self.run(&format!("SET SESSION {name} = {value}")) {
            Err(e)
                if matches!(
                    e.server_error(),
                    Some(numbers::UNKNOWN_VARIABLE | numbers::INCORRECT_GLOBAL_LOCAL_VAR)
                ) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// What server this is.
    pub(crate) fn version(&self) -> &ServerVersion {
        &self.version
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The server's id of the connection.
    pub(crate) fn id(&self) -> u32 {
        self.conn.connection_id()
    }

    /// The client crate's connection, for results that are read row by row.
    pub(crate) fn raw(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// Gives up the connection to become a stream.
    pub(crate) fn into_raw(self) -> Conn {
        self.conn
    }

    /// Runs a statement and drops what it answers.
    pub(crate) fn run(&mut self, sql: &str) -> Result {
        let done = self.conn.query_drop(sql);
        done.map_err(|e| self.failed_during(e, sql, During::Execute))
    }

    /// All rows of a query, in text form.
    pub(crate) fn rows(&mut self, sql: &str) -> Result<Vec<Row>> {
        self.conn.query(sql).map_err(|e| self.failed(e, sql))
    }

    /// The only row of a query.
    pub(crate) fn row(&mut self, sql: &str) -> Result<Row> {
        let rows = self.rows(sql)?;
        rows.into_iter().next().ok_or_else(|| {
            Error::new(&codes::DB_QUERY, format!("{}: {sql}: no row came", self.address))
        })
    }

    /// The first column of the only row, as text; `None` for NULL or no row.
    pub(crate) fn scalar(&mut self, sql: &str) -> Result<Option<String>> {
        Ok(self.rows(sql)?.first().and_then(|row| opt_cell(row, 0)))
    }

    /// A global variable; `None` when this server does not have it.
    pub(crate) fn global(&mut self, name: &str) -> Result<Option<String>> {
        match self.scalar(&format!("SELECT @@GLOBAL.{name}")) {
            Err(e) if e.server_error() == Some(numbers::UNKNOWN_VARIABLE) => Ok(None),
            other => other,
        }
    }

    /// Translates an error of a query.
    pub(crate) fn failed(&self, error: ::mysql::Error, doing: &str) -> Error {
        self.failed_during(error, doing, During::Query)
    }

    fn failed_during(&self, error: ::mysql::Error, doing: &str, during: During) -> Error {
        let short: String = doing.chars().take(200).collect();
        translate(error, &format!("{}: {short}", self.address), during, self.scope)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({}, {})", self.address, self.version.text)
    }
}

/// The value of a session variable in a SET: numbers and words bare, everything else quoted.
fn setting(value: &str) -> String {
    let word = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let number = value.parse::<f64>().is_ok();
    if number || (word && value.eq_ignore_ascii_case("default")) {
        value.to_owned()
    } else {
        quote_text(value)
    }
}

/// `socket` is the one of a relay to the server, which encrypts.
fn options(plan: &ConnPlan, socket: Option<&str>, purpose: Purpose) -> Opts {
    let read = match purpose {
        Purpose::Control => Duration::from_secs(600),
        Purpose::Reader => Duration::from_secs(3600),
        Purpose::Target => Duration::from_secs(7 * 86_400),
        Purpose::Stream(silence) | Purpose::Annotated(silence) => silence,
    };
    let capabilities = match purpose {
        Purpose::Target => CapabilityFlags::CLIENT_FOUND_ROWS,
        _ => CapabilityFlags::empty(),
    };
    let builder = OptsBuilder::new();
    #[cfg(target_os = "linux")]
    let interval = u32::try_from(KEEPALIVE.interval.as_secs()).unwrap_or(u32::MAX);
    #[cfg(target_os = "linux")]
    let builder = builder
        .tcp_keepalive_probe_interval_secs(Some(interval))
        .tcp_keepalive_probe_count(Some(KEEPALIVE.probes));
    builder
        .ip_or_hostname(Some(plan.host.clone()))
        .tcp_port(plan.port)
        .user(Some(plan.user.clone()))
        .pass(Some(plan.password.expose().to_owned()))
        // The crate would change over to the server's socket file on the same host.
        .prefer_socket(false)
        .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
        .read_timeout(Some(read))
        .write_timeout(Some(WRITE_TIMEOUT))
        .tcp_keepalive_time_ms(u32::try_from(KEEPALIVE.idle.as_millis()).ok())
        .max_allowed_packet(Some(MAX_PACKET))
        .socket(socket)
        .additional_capabilities(capabilities)
        .stmt_cache_size(Some(0_usize))
        .into()
}

/// A cell of a text row; empty for NULL.
pub(crate) fn cell(row: &Row, index: usize) -> String {
    opt_cell(row, index).unwrap_or_default()
}

/// A cell of a text row; `None` for NULL.
pub(crate) fn opt_cell(row: &Row, index: usize) -> Option<String> {
    match row.as_ref(index)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

/// A cell by the column's name in any case; `None` for NULL or when there is no such column.
pub(crate) fn named_cell(row: &Row, name: &str) -> Option<String> {
    let index = row.columns_ref().iter().position(|c| c.name_str().eq_ignore_ascii_case(name))?;
    opt_cell(row, index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted_as_needed() {
        assert_eq!(setting("1"), "1");
        assert_eq!(setting("0.5"), "0.5");
        assert_eq!(setting("DEFAULT"), "DEFAULT");
        assert_eq!(setting("optimistic"), "'optimistic'");
        assert_eq!(setting("a'; DROP TABLE t"), "'a''; DROP TABLE t'");
    }
}
