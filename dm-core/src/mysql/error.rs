//! Errors of the client crate and of servers, as errors of this library.
//!
//! Whether something is tried again is told from the kind of failure and from the server's error
//! number, never from its text.

use std::io;

use crate::error::{Error, codes};

/// Server error numbers that are named in the code.
pub(crate) mod numbers {
    /// Access to a schema denied.
    pub(crate) const DB_ACCESS_DENIED: u16 = 1044;
    /// Access denied for the user.
    pub(crate) const ACCESS_DENIED: u16 = 1045;
    /// The schema does not exist.
    pub(crate) const BAD_DB: u16 = 1049;
    /// A statement on a table is denied.
    pub(crate) const TABLE_ACCESS_DENIED: u16 = 1142;
    /// The table does not exist.
    pub(crate) const NO_SUCH_TABLE: u16 = 1146;
    /// The variable does not exist.
    pub(crate) const UNKNOWN_VARIABLE: u16 = 1193;
    /// Waited too long for a lock.
    pub(crate) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    /// A privilege is missing.
    pub(crate) const SPECIFIC_ACCESS_DENIED: u16 = 1227;
    /// The dump thread cannot go on.
    pub(crate) const MASTER_FATAL_READING_BINLOG: u16 = 1236;
    /// A variable cannot be set that way.
    pub(crate) const INCORRECT_GLOBAL_LOCAL_VAR: u16 = 1238;
}

/// Numbers of server errors that may pass: too many connections, shutdown, network, locks.
const TRANSIENT: &[u16] = &[
    1040, // too many connections
    1042, 1043, // host cannot be resolved, bad handshake
    1053, 1079, // shutdown in progress
    1152, 1153, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, // broken packets and networks
    1184, 1189, 1190, // aborted connections and replication networks
    1203, 1226, // too many connections of the user
    1205, 1213, // lock wait timeout, deadlock
    1317, // the query was interrupted
    1836, // read-only mode of a server that is changing over
    1927, // MariaDB: the connection was killed
    2002, 2003, 2006, 2013, // the client library's numbers, as proxies pass them on
    3032, // the server is in offline mode
    4031, // MySQL: disconnected for idleness
];

/// What went wrong, with `doing` in front: "reading the version".
pub(crate) fn translate(error: ::mysql::Error, doing: &str) -> Error {
    use ::mysql::Error as E;
    match error {
        E::MySqlError(e) => {
            let answer = Error::new(&codes::DB_QUERY, format!("{doing}: {}", e.message))
                .cause(format!("ERROR {} ({})", e.code, e.state))
                .server_number(e.code);
            if TRANSIENT.contains(&e.code) { answer.transient() } else { answer }
        }
        E::IoError(e) => io_error(&e, doing),
        E::CodecError(e) => Error::new(&codes::DB_DRIVER, format!("{doing}: the connection broke"))
            .cause(e)
            .transient(),
        E::DriverError(e) => driver_error(&e, doing),
        E::TlsError(e) => {
            Error::new(&codes::DB_DRIVER, format!("{doing}: no encrypted connection")).cause(e)
        }
        E::UrlError(e) => Error::new(&codes::DB_DRIVER, format!("{doing}: {e}")),
        // Their texts would show values of rows.
        E::FromValueError(_) | E::FromRowError(_) => Error::new(
            &codes::SOURCE_VALUE,
            format!("{doing}: the server's answer has an unexpected form"),
        ),
    }
}

fn io_error(error: &io::Error, doing: &str) -> Error {
    use io::ErrorKind as K;
    let answer =
        Error::new(&codes::DB_DRIVER, format!("{doing}: the connection failed")).cause(error);
    match error.kind() {
        // Bad certificates, keys and names do not get better by trying again.
        K::InvalidInput | K::InvalidData | K::NotFound | K::PermissionDenied => answer,
        _ => answer.transient(),
    }
}

fn driver_error(error: &::mysql::DriverError, doing: &str) -> Error {
    use ::mysql::DriverError as D;
    let answer = Error::new(&codes::DB_DRIVER, format!("{doing}: {error}"));
    match error {
        D::ConnectTimeout
        | D::CouldNotConnect(_)
        | D::Timeout
        | D::SetupError
        | D::PacketOutOfSync
        | D::UnexpectedPacket => answer.transient(),
        _ => answer,
    }
}

/// True when the server says that the user may not do it.
pub(crate) fn is_access_denied(error: &Error) -> bool {
    matches!(
        error.server_error(),
        Some(
            numbers::DB_ACCESS_DENIED
                | numbers::ACCESS_DENIED
                | numbers::TABLE_ACCESS_DENIED
                | numbers::SPECIFIC_ACCESS_DENIED
        )
    )
}

/// True when a lock was not obtained in time.
pub(crate) fn is_lock_timeout(error: &Error) -> bool {
    error.server_error() == Some(numbers::LOCK_WAIT_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16) -> Error {
        let e = ::mysql::MySqlError { state: "HY000".into(), message: "m".into(), code };
        translate(::mysql::Error::MySqlError(e), "doing")
    }

    #[test]
    fn numbers_decide() {
        assert!(server(1205).is_transient());
        assert!(is_lock_timeout(&server(1205)));
        assert!(!server(1064).is_transient());
        assert!(is_access_denied(&server(1227)));
        assert_eq!(server(1412).server_error(), Some(1412));
    }

    #[test]
    fn values_do_not_leak() {
        let e = ::mysql::Error::FromValueError(::mysql::Value::Bytes(b"secret".to_vec()));
        assert!(!format!("{:?}", translate(e, "doing")).contains("secret"));
    }
}
