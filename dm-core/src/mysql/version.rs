//! Which server it is, from what it says of itself.

use crate::position::Flavor;

/// The families of servers that speak MySQL's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerKind {
    /// MySQL and its close relatives (Percona Server, Aurora, ...).
    MySql,
    /// MariaDB.
    MariaDb,
    /// TiDB.
    TiDb,
}

/// A server's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// What kind of server it is.
    pub kind: ServerKind,
    /// Its version: MySQL's or MariaDB's, TiDB's own for TiDB.
    pub number: (u16, u16, u16),
    /// The text of `@@version`.
    pub text: String,
}

impl ServerVersion {
    /// Reads `@@version`, with `@@version_comment` where the version alone does not tell.
    ///
    /// MariaDB before 11 puts `5.5.5-` before its own number so that old replicas accept it; TiDB
    /// puts the MySQL version that it stands in for before its own.
    pub fn parse(version: &str, comment: &str) -> Self {
        let lower = version.to_ascii_lowercase();
        let (kind, own) = if let Some(at) = lower.find("-tidb-") {
            (ServerKind::TiDb, version.get(at + 6..).unwrap_or_default().trim_start_matches('v'))
        } else if lower.contains("mariadb") || comment.to_ascii_lowercase().contains("mariadb") {
            (ServerKind::MariaDb, version.strip_prefix("5.5.5-").unwrap_or(version))
        } else {
            (ServerKind::MySql, version)
        };
        Self { kind, number: number(own), text: version.to_owned() }
    }

    /// The flavor of its binlog.
    pub fn flavor(&self) -> Flavor {
        match self.kind {
            ServerKind::MariaDb => Flavor::MariaDb,
            ServerKind::MySql | ServerKind::TiDb => Flavor::MySql,
        }
    }

    /// True for MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.kind == ServerKind::MariaDb
    }

    /// True for MySQL of this version or a later one.
    pub fn is_mysql_from(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.kind == ServerKind::MySql && self.number >= (major, minor, patch)
    }

    /// True for MariaDB of this version or a later one.
    pub fn is_mariadb_from(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.kind == ServerKind::MariaDb && self.number >= (major, minor, patch)
    }
}

/// The first three numbers of a version; what is not there counts as 0.
fn number(text: &str) -> (u16, u16, u16) {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|p| p.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_servers_apart() {
        let cases = [
            ("9.7.4-2", "(Debian)", ServerKind::MySql, (9, 7, 4)),
            ("8.0.36-28", "Percona Server", ServerKind::MySql, (8, 0, 36)),
            ("5.7.mysql_aurora.2.11.1", "", ServerKind::MySql, (5, 7, 0)),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1-log", "", ServerKind::MariaDb, (10, 11, 19)),
            ("11.8.6-MariaDB", "", ServerKind::MariaDb, (11, 8, 6)),
            ("10.6.18", "MariaDB Server", ServerKind::MariaDb, (10, 6, 18)),
            ("8.0.11-TiDB-v8.5.1", "TiDB Server", ServerKind::TiDb, (8, 5, 1)),
        ];
        for (text, comment, kind, number) in cases {
            let version = ServerVersion::parse(text, comment);
            assert_eq!((version.kind, version.number), (kind, number), "{text}");
        }
    }
}
