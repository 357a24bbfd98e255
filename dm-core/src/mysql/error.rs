//! Server errors that connections, snapshots and streams tell apart, by number.

use crate::error::During;
use crate::error::{Error, Scope};

/// Server error numbers that are named in the code.
pub(crate) mod numbers {
    /// Somebody killed the statement.
    pub(crate) const QUERY_INTERRUPTED: u16 = 1317;
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

/// What went wrong, with `doing` in front: "127.0.0.1:3306: reading the version".
pub(crate) fn translate(error: ::mysql::Error, doing: &str, during: During, scope: Scope) -> Error {
    Error::from_mysql(error, during, scope).context(doing)
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
        translate(::mysql::Error::MySqlError(e), "doing", During::Query, Scope::Upstream)
    }

    #[test]
    fn numbers_decide() {
        assert!(is_lock_timeout(&server(1205)) && server(1205).is_transient());
        assert!(is_access_denied(&server(1227)) && !server(1227).is_transient());
        assert_eq!(server(1412).server_error(), Some(1412));
        assert!(server(1412).message().starts_with("doing: "));
    }
}
