//! The rights to copy.
//!
//! A user that may not read a table does not see it: a task without SELECT would copy nothing and
//! call itself finished.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::config::Consistency;
use crate::sql::{quote_ident, quote_table};

pub(super) const CHECK: Check = Check {
    name: "dump_privilege",
    reported: "source db dump privilege checker",
    when: When::Copy,
    again: true,
    alone: false,
    worst: Severity::Failure,
    looks_at: "the rights to copy: SELECT on the tables; RELOAD (or FLUSH_TABLES) for consistency `flush`, better also for `auto`; LOCK TABLES for `lock`",
    repair: "GRANT SELECT ON the migrated schemas, GRANT RELOAD ON *.* to the user of `from`",
    ours: false,
    look: Look::Source(look),
};

fn look(facts: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    let about = &server.about;
    let Some(grants) = about.grants.as_ref().filter(|_| facts.plan.mode.dumps()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let lacks = |right: &str, on: &str, what: String| {
        Finding::failure(
            format!("{}: {} lacks {right}: it may not {what}", about.address, about.account),
            format!("{right} on {on}"),
            format!("GRANT {right} ON {on} TO {}", about.account),
        )
    };
    if !grants.anywhere("SELECT") {
        let idle = match grants.idle_roles.as_slice() {
            [] => String::new(),
            roles => format!(" (its roles {} are not active: SET DEFAULT ROLE)", roles.join(", ")),
        };
        found.push(lacks("SELECT", "*.*", format!("read any table{idle}")));
    } else {
        for table in source.tables.iter().filter(|t| !grants.on_table("SELECT", &t.name)) {
            let on = quote_table(&table.name);
            found.push(lacks("SELECT", &on, format!("read {}", table.name)));
        }
        if source.fresh && source.tables.is_empty() && !grants.global("SELECT") {
            found.push(Finding::warning(
                format!("{}: {} sees no table of the task", about.address, about.account),
                "at least one table",
                format!(
                    "Compare the block-allow-list with the names at the source; a user sees only \
                     tables that it has a right on: GRANT SELECT ON {}.* TO {}",
                    quote_ident("schema"),
                    about.account
                ),
            ));
        }
    }
    let flush = grants.global_any(&["RELOAD", "FLUSH_TABLES", "FLUSH TABLES"]);
    let schemas = |right: &str| source.tables.iter().all(|t| grants.on_schema(right, &t.name.schema));
    match source.plan.dump.consistency {
        Consistency::Flush if !flush => {
            found.push(lacks("RELOAD", "*.*", "FLUSH TABLES WITH READ LOCK".to_owned()));
        }
        Consistency::Lock if !schemas("LOCK TABLES") => {
            found.push(lacks("LOCK TABLES", "*.*", "lock the tables for a moment".to_owned()));
        }
        Consistency::Auto if !flush => found.push(Finding::warning(
            format!("{}: {} lacks RELOAD", about.address, about.account),
            "RELOAD on *.*",
            format!(
                "Another way to a consistent copy is taken, which may wait for longer; better: \
                 GRANT RELOAD ON *.* TO {}",
                about.account
            ),
        )),
        _ => {}
    }
    found
}
