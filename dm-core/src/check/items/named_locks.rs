//! Named locks keep two writers apart; a proxy that shares connections breaks them.

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};

const REPAIR: &str = "Let `target-database` name the server itself, or switch multiplexing of \
     connections off at the proxy for this user";

pub(super) const CHECK: Check = Check {
    name: "named_locks",
    reported: "named locks check",
    when: When::Always,
    again: true,
    alone: false,
    worst: Severity::Failure,
    looks_at: "GET_LOCK and the numbers of connections at the target: they keep a writer of an earlier run out, and do so only when each connection is one of the server's",
    repair: REPAIR,
    ours: true,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.target.fenced_by_marks {
        return vec![Finding::note(
            "the target has no named locks (TiDB has them since 6.2): writers of earlier runs are kept out by \
             the marks, which takes one more round trip for each batch",
        )];
    }
    let (Some(server), Some(wrong)) = (&facts.target.server, &facts.target.locks) else {
        return Vec::new();
    };
    vec![Finding::failure(
        format!("{}: {wrong}", server.address),
        "connections that go to one server connection each",
        REPAIR,
    )]
}
