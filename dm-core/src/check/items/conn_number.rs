//! Enough connections at both ends.

use crate::check::facts::{Facts, ServerFacts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "conn_number",
    reported: "dumper_conn_number_checker",
    when: When::Copy,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "`max_connections` of the source against `threads` + 2",
    repair: "SET GLOBAL max_connections, or lower `threads` of the instance's mydumpers entry",
    ours: false,
    look: Look::Source(source),
};

/// The same at the target, under DM's second name for it.
pub(super) const AT_TARGET: Check = Check {
    name: "conn_number",
    reported: "loader_conn_number_checker",
    when: When::Copy,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "`max_connections` of the target against the connections that write",
    repair: "SET GLOBAL max_connections, or lower `threads` of the mydumpers and `pool-size` of the loaders entries",
    ours: false,
    look: Look::Task(target),
};

/// Connections that the server gives at most, and how many of them are free.
fn room(server: &ServerFacts) -> Option<(u64, u64)> {
    let limit = |name: &str| server.variable(name)?.parse::<u64>().ok().filter(|n| *n > 0);
    let most = limit("max_connections")?;
    let most = limit("max_user_connections").map_or(most, |user| user.min(most));
    Some((most, most.saturating_sub(server.connected)))
}

fn source(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = source.server.as_ref().map(|s| &s.about) else { return Vec::new() };
    let Some((most, free)) = room(server) else { return Vec::new() };
    let need = u64::try_from(source.plan.dump.threads).unwrap_or(u64::MAX).saturating_add(2);
    let repair = format!(
        "SET GLOBAL max_connections = {}, or lower `threads` of the instance's mydumpers entry",
        need.saturating_add(server.connected).max(151)
    );
    let expected = format!("{need} free connections");
    let found = format!("{}: {most} connections at most, {free} of them free", server.address);
    match () {
        () if need > most => vec![Finding::failure(found, expected, repair)],
        () if need > free => vec![Finding::warning(found, expected, repair)],
        () => Vec::new(),
    }
}

fn target(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(server) = &facts.target.server else { return Vec::new() };
    let Some((most, free)) = room(server) else { return Vec::new() };
    let need: usize = facts
        .sources
        .iter()
        .map(|s| s.plan.dump.threads.max(s.plan.sync.workers).saturating_add(1))
        .sum();
    let need = u64::try_from(need).unwrap_or(u64::MAX);
    if need <= free {
        return Vec::new();
    }
    vec![Finding::warning(
        format!("{}: {most} connections at most, {free} of them free", server.address),
        format!("{need} free connections"),
        format!(
            "SET GLOBAL max_connections = {}, or lower `threads` of the mydumpers entries and \
             `worker-count` of the syncers entries",
            need.saturating_add(server.connected).max(151)
        ),
    )]
}
