//! Which server it is.

use crate::check::facts::{Facts, ServerFacts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::mysql::ServerKind;

pub(super) const CHECK: Check = Check {
    name: "version",
    reported: "mysql_version",
    when: When::Always,
    again: true,
    alone: true,
    worst: Severity::Warning,
    looks_at: "the version of the source's server: MySQL 5.6 to 9.7, MariaDB 10.1.2 to 11.8",
    repair: "use a server of a version that was tried, or try the migration on a copy first",
    ours: false,
    look: Look::Source(look),
};

/// What to say about a version: too old, newer than all that was tried, another product.
pub(super) fn judge(server: &ServerFacts, side: &str) -> Vec<Finding> {
    let (oldest, newest, name) = match server.version.kind {
        ServerKind::MySql => ((5, 6, 0), (9, 7), "MySQL 5.6 to 9.7"),
        ServerKind::MariaDb => ((10, 1, 2), (11, 8), "MariaDB 10.1.2 to 11.8"),
        ServerKind::TiDb if side == "target" => return Vec::new(),
        ServerKind::TiDb => {
            return vec![Finding::warning(
                format!("{} is TiDB", server.address),
                "MySQL or MariaDB",
                "TiDB writes no binlog of MySQL's kind: it can be copied, not followed; use `task-mode: full`",
            )];
        }
    };
    let number = server.version.number;
    let product = server.product();
    if number < oldest {
        return vec![Finding::warning(
            format!("{} is {product}", server.address),
            name,
            "This version is older than the oldest that is supported: try the migration on a copy first",
        )];
    }
    if (number.0, number.1) > newest {
        return vec![Finding::warning(
            format!("{} is {product}, newer than all versions that were tried", server.address),
            name,
            "Try the migration on a copy first, and compare both sides",
        )];
    }
    Vec::new()
}

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    source.server.as_ref().map(|s| judge(&s.about, "source")).unwrap_or_default()
}
