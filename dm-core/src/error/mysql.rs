//! Errors of the MySQL client become errors of ours: here, once, and nowhere else.
//!
//! What matters later is decided here, by kind and by the server's error number and never by text:
//! the code (10001 for the connection, 10005 and 10006 for a query or a statement that the server
//! refused), whether trying again may help ([`Error::is_transient`]), and whether a person has to
//! act before it can ([`Error::needs_person`]).
//!
//! A broken connection leaves the outcome of what was sent unknown. *Transient* therefore means
//! "open a new connection, find out by the marks what arrived, go on", not "send it again".

use std::io;

use super::codes;
use super::{Code, Error, Scope};

/// What was being done when the client failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// Opening a connection.
    Connect,
    /// A query.
    Query,
    /// A statement that changes something.
    Execute,
}

/// Server errors that may be gone at the next attempt, in the order of numbers. Not among them: 1153 (a
/// packet that is too large stays so) and 1317 (somebody interrupted the statement on purpose; a server that
/// shuts down says it, too, and is gone then, which is what counts).
const TRANSIENT: &[(u16, &str)] = &[
    (
        1020,
        "MariaDB: the row changed since the snapshot was taken; the transaction was rolled back",
    ),
    (1040, "too many connections at the moment"),
    (1053, "the server is shutting down"),
    (1077, "the server is shutting down"),
    (1079, "the server has shut down"),
    (1080, "the server closes connections while it shuts down"),
    (1152, "the server gave the connection up"),
    (1154, "the server could not read from a pipe"),
    (1155, "the server could not wait for the network"),
    (1156, "the server received packets out of order"),
    (1157, "the server could not unpack a packet"),
    (1158, "the server could not read from the network"),
    (1159, "the server waited too long for the network"),
    (1160, "the server could not write to the network"),
    (1161, "the server waited too long to write to the network"),
    (1184, "the server gave a new connection up"),
    (1189, "a server could not read from the network while replicating"),
    (1190, "a server could not write to the network while replicating"),
    (1203, "too many connections of this user at the moment"),
    (1205, "a lock was not had in time"),
    (1213, "a deadlock; the server rolled this transaction back"),
    (1226, "a limit per hour of this user was reached"),
    (1615, "the structure changed while the statement was prepared"),
    (1637, "too many transactions at the moment"),
    (1689, "the wait for a lock was given up in favour of another session"),
    (1836, "the server is read-only while it changes over"),
    (1927, "MariaDB: the connection was killed"),
    (2002, "a proxy could not reach the server"),
    (2003, "a proxy could not reach the server"),
    (2006, "a proxy lost the server"),
    (2013, "a proxy lost the server during a query"),
    (3032, "the server is offline for the moment"),
    (3101, "the group of servers rolled the transaction back at commit"),
    (4031, "the server closed a connection that was idle for long"),
    (8002, "TiDB: the transaction met a conflict and was rolled back"),
    (8005, "TiDB: write conflict"),
    (8022, "TiDB: the commit failed and may be repeated"),
    (8027, "TiDB: this server's structures are out of date at the moment"),
    (8028, "TiDB: a structure changed during the transaction"),
    (8229, "TiDB: the transaction was given up because it took too long"),
    (8245, "TiDB: the lease of the structures ran out"),
    (8501, "TiDB: it is not known whether the commit went through"),
    (9001, "TiDB: the placement driver did not answer in time"),
    (9002, "TiDB: storage did not answer in time"),
    (9003, "TiDB: storage is busy"),
    (9004, "TiDB: a lock was not resolved in time"),
    (9005, "TiDB: a region is not available at the moment"),
    (9006, "TiDB: what the transaction read was cleaned up meanwhile"),
    (9007, "TiDB: write conflict"),
    (9008, "TiDB: storage takes no more requests at the moment"),
    (9010, "TiDB: a request came to storage too late"),
    (9011, "TiDB: storage is not yet in step with the clock"),
    (9012, "TiDB: a column store did not answer in time"),
    (9013, "TiDB: a column store is busy"),
];

/// Server errors that stay until a person acts, in the order of numbers. DM keeps such a task
/// paused rather than resuming it by itself; where DM compares texts we compare numbers.
const NEEDS_PERSON: &[(u16, &str)] = &[
    (1059, "a name is too long for the target"),
    (1062, "a row with this key is there already"),
    (1064, "the target cannot read a statement"),
    (1067, "the target does not accept a column's default"),
    (1069, "more keys than the target allows"),
    (1071, "a key is too long for the target"),
    (1115, "the target does not know a character set"),
    (1117, "more columns than the target allows"),
    (1235, "the target does not carry out what a statement asks for"),
    (1236, "the source no longer has the binlog that is needed"),
    (1273, "the target does not know a collation"),
    (1286, "the target does not have a storage engine"),
    (1366, "a value does not fit its column"),
    (1406, "a value is too long for its column"),
    (1789, "the source has purged transactions that are needed"),
    (8004, "TiDB: a transaction is larger than it takes"),
    (8025, "TiDB: a row is larger than storage takes"),
    (8175, "TiDB: a transaction needs more memory than it may have"),
    (8200, "TiDB: it does not carry out this kind of DDL"),
    (8214, "TiDB: somebody cancelled the DDL"),
];

fn listed(list: &[(u16, &str)], number: u16) -> bool {
    list.binary_search_by_key(&number, |(n, _)| *n).is_ok()
}

/// What helps against a server's error, in the order of numbers.
const ADVICE: &[(u16, &str)] = &[
    (1044, "Grant the user the right to use this database."),
    (
        1045,
        "Check user and password; a password encrypted by DM needs the key it was encrypted with.",
    ),
    (
        1048,
        "The target column is NOT NULL and the source's is not: let the target column be NULL, then resume.",
    ),
    (1054, "Bring the columns of the target table to those of the source, then resume."),
    (
        1062,
        "Find out who else writes to the target table, or which other source has a row with this key; remove the row that is wrong, then resume.",
    ),
    (1114, "The target's table or disk is full: make room, then resume."),
    (1142, "Grant the user this right on the target table, then resume."),
    (
        1146,
        "Create the table at the target with the structure that it has at the source, then resume.",
    ),
    (
        1153,
        "Raise `max_allowed_packet` of the server above the size of the largest row, then resume.",
    ),
    (1227, "Grant the user the right that the message names, then resume."),
    (1264, "Let the target column hold the range of the source's, then resume."),
    (1265, "Let the target column have the type of the source's, then resume."),
    (
        1273,
        "The target does not know this collation: create the target table with one that it knows, then resume.",
    ),
    (1292, "Let the target column have the type of the source's, then resume."),
    (
        1364,
        "The target column has no default and the source does not have it: give it a default, then resume.",
    ),
    (1366, "Let the target column have the type and character set of the source's, then resume."),
    (1406, "Let the target column be as long as the source's, then resume."),
    (1698, "Check user and password; this account may only connect in another way."),
    (
        8004,
        "Raise `performance.txn-total-size-limit` (and, from TiDB 6.5 on, `tidb_mem_quota_query`) of the target above the size of the source's transaction, then resume.",
    ),
    (
        8025,
        "Raise `performance.txn-entry-size-limit` of the target (and `raft-entry-max-size` of its storage) above the size of the row, then resume.",
    ),
    (
        8175,
        "Raise `tidb_mem_quota_query` of the target above what a transaction of this size needs, then resume.",
    ),
    (
        8200,
        "TiDB does not carry out this statement: carry out at the target what comes to the same (a new column and a key, one statement each), then let the task pass the statement.",
    ),
    (
        8214,
        "The DDL was cancelled at the target (`ADMIN SHOW DDL JOBS` tells when): resume to run it again.",
    ),
];

/// A transaction is larger than the target takes: 8004 by its size, 8175 (TiDB from 6.5 on) by the
/// memory that it needs there.
const TOO_LARGE: &[u16] = &[8004, 8175];

/// What a server's error of this number means to a task: what it is, what becomes of the task, what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError {
    /// What it is; empty where only the server's own text says so.
    pub meaning: &'static str,
    /// It may be gone at the next attempt.
    pub transient: bool,
    /// It stays until a person acts.
    pub needs_person: bool,
    /// What to do; empty where only the message can say it.
    pub workaround: &'static str,
}

/// What is known of a server's error with this number; `None` for one that is treated like any other.
pub fn server_error(number: u16) -> Option<ServerError> {
    let text = |list: &[(u16, &'static str)]| {
        let at = list.binary_search_by_key(&number, |(n, _)| *n).ok()?;
        list.get(at).map(|(_, text)| *text)
    };
    let (passes, stays, advice) = (text(TRANSIENT), text(NEEDS_PERSON), text(ADVICE));
    passes.or(stays).or(advice)?;
    Some(ServerError {
        meaning: passes.or(stays).unwrap_or_default(),
        transient: passes.is_some(),
        needs_person: stays.is_some(),
        workaround: advice.unwrap_or_default(),
    })
}

/// True when a server's error with this number may be gone at the next attempt.
pub fn is_transient_number(number: u16) -> bool {
    listed(TRANSIENT, number)
}

/// True when a server's error with this number stays until a person acts.
pub fn needs_person_number(number: u16) -> bool {
    listed(NEEDS_PERSON, number)
}

impl Error {
    /// An error of the MySQL client: what it happened during, and at which side.
    pub(crate) fn from_mysql(error: mysql::Error, during: During, scope: Scope) -> Self {
        match error {
            mysql::Error::MySqlError(e) => from_server(&e, during).scope(scope),
            mysql::Error::IoError(e) => from_io(&e, during).scope(scope),
            mysql::Error::CodecError(e) => Error::new(broken(during), "a packet cannot be read")
                .cause(e)
                .transient()
                .scope(scope),
            mysql::Error::DriverError(e) => from_driver(&e, during).scope(scope),
            mysql::Error::UrlError(e) => {
                Error::new(&codes::DB_OTHER, "the connection's address is wrong")
                    .cause(e)
                    .scope(scope)
            }
            // The value and the row are data of the user's; they do not belong in a message.
            mysql::Error::FromValueError(_) | mysql::Error::FromRowError(_) => {
                Error::new(&codes::DB_OTHER, "the server's answer is of an unexpected type")
                    .scope(scope)
            }
        }
    }

    /// True when the target refused a transaction because of its size: in smaller ones its rows may
    /// be taken.
    pub fn is_too_large(&self) -> bool {
        self.error_scope() == Scope::Downstream
            && self.server_error().is_some_and(|n| TOO_LARGE.contains(&n))
    }

    /// True when the task stays where it is until a person has acted: trying again by itself would
    /// only meet the same again, or come in the way of whoever repairs it.
    pub fn needs_person(&self) -> bool {
        self.code().needs_person() || self.server_error().is_some_and(needs_person_number)
    }
}

/// The code of a connection that failed or broke.
fn broken(during: During) -> &'static Code {
    match during {
        During::Connect => &codes::DB_DRIVER,
        During::Query | During::Execute => &codes::DB_INVALID_CONN,
    }
}

fn from_server(error: &mysql::MySqlError, during: During) -> Error {
    let (code, what) = match during {
        During::Connect => (&codes::DB_DRIVER, "the server refused the connection"),
        During::Query => (&codes::DB_QUERY, "the server refused a query"),
        During::Execute => (&codes::DB_EXECUTE, "the server refused a statement"),
    };
    let error_ = Error::new(code, what)
        .cause(format_args!("Error {} ({}): {}", error.code, error.state, error.message))
        .server_number(error.code);
    let error_ = match ADVICE.binary_search_by_key(&error.code, |(n, _)| *n) {
        Ok(at) => error_.workaround(ADVICE.get(at).map_or("", |(_, advice)| *advice)),
        Err(_) => error_,
    };
    if is_transient_number(error.code) { error_.transient() } else { error_ }
}

fn from_io(error: &io::Error, during: During) -> Error {
    let what = match during {
        During::Connect => "the server cannot be reached",
        During::Query | During::Execute => "the connection broke",
    };
    let translated = Error::new(broken(during), what).cause(error);
    match error.kind() {
        // Wrong names, wrong paths, no right to open a socket: the same next time.
        io::ErrorKind::InvalidInput
        | io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::Unsupported => translated,
        _ => translated.transient(),
    }
}

fn from_driver(error: &mysql::DriverError, during: During) -> Error {
    use mysql::DriverError as E;
    match error {
        E::ConnectTimeout | E::Timeout | E::CouldNotConnect(Some(_)) => {
            Error::new(&codes::DB_DRIVER, "the server cannot be reached").cause(error).transient()
        }
        E::PacketOutOfSync | E::UnexpectedPacket => {
            Error::new(broken(during), "the connection is out of step").cause(error).transient()
        }
        E::TlsNotSupported => {
            Error::new(&codes::TLS_CONFIG, "the server offers no encrypted connection")
                .cause(error)
                .workaround("Turn encryption on at the server, or remove `security`.")
        }
        E::UnknownAuthPlugin(_) | E::OldMysqlPasswordDisabled | E::CleartextPluginDisabled => {
            Error::new(
                &codes::DB_DRIVER,
                "the server wants a way of logging in that is not offered",
            )
            .cause(error)
            .workaround("Give the user the plugin caching_sha2_password or mysql_native_password.")
        }
        _ => Error::new(&codes::DB_OTHER, "the database client failed").cause(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16) -> mysql::Error {
        mysql::Error::MySqlError(mysql::MySqlError {
            state: "HY000".into(),
            message: "text".into(),
            code,
        })
    }

    #[test]
    fn advice_is_sorted() {
        assert!(ADVICE.is_sorted_by_key(|(n, _)| *n));
    }

    #[test]
    fn lists_are_sorted_and_disjoint() {
        for list in [TRANSIENT, NEEDS_PERSON] {
            assert!(list.windows(2).all(|w| w[0].0 < w[1].0));
        }
        assert!(!TRANSIENT.iter().any(|(n, _)| needs_person_number(*n)));
    }

    #[test]
    fn numbers_decide() {
        let deadlock = Error::from_mysql(server(1213), During::Execute, Scope::Downstream);
        assert_eq!(deadlock.code().number, 10006);
        assert!(deadlock.is_transient() && !deadlock.needs_person());
        assert_eq!(deadlock.error_scope(), Scope::Downstream);
        assert_eq!(deadlock.server_error(), Some(1213));

        let duplicate = Error::from_mysql(server(1062), During::Execute, Scope::Downstream);
        assert!(!duplicate.is_transient() && duplicate.needs_person());

        let denied = Error::from_mysql(server(1045), During::Connect, Scope::Upstream);
        assert_eq!(denied.code().number, 10001);
        assert!(!denied.is_transient() && !denied.needs_person());
    }

    #[test]
    fn a_broken_connection_is_worth_another_try() {
        let reset = || mysql::Error::IoError(io::ErrorKind::ConnectionReset.into());
        let error = Error::from_mysql(reset(), During::Execute, Scope::Downstream);
        assert_eq!(error.code().number, 10003);
        assert!(error.is_transient());
        let error = Error::from_mysql(reset(), During::Connect, Scope::Upstream);
        assert_eq!(error.code().number, 10001);
        let wrong = mysql::Error::IoError(io::ErrorKind::InvalidInput.into());
        assert!(!Error::from_mysql(wrong, During::Connect, Scope::Upstream).is_transient());
    }

    #[test]
    fn values_stay_out_of_messages() {
        let error = mysql::Error::FromValueError(mysql::Value::Bytes(b"private".to_vec()));
        let text = Error::from_mysql(error, During::Query, Scope::Upstream).to_string();
        assert!(!text.contains("private"), "{text}");
    }
}
