//! Transactions that were prepared before the copy and are committed behind it.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "prepared_xa",
    reported: "prepared XA transactions check",
    when: When::CopyAndStream,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "XA RECOVER of the source: the copy waits for a minute until transactions that are prepared before it are decided, and then gives up",
    repair: "commit or roll back the prepared transactions before the start",
    ours: true,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    match server.prepared.as_deref() {
        Some([]) => Vec::new(),
        Some(xids) => vec![Finding::warning(
            format!(
                "{}: {} prepared XA transactions: {}",
                server.about.address,
                xids.len(),
                xids.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
            ),
            "none while a copy begins: it waits for a minute, then it gives up",
            "Let their applications end them, or XA COMMIT or XA ROLLBACK each by hand as their \
             coordinator says; then start again",
        )],
        None => vec![Finding::note(format!(
            "{}: {} may not ask for prepared XA transactions (XA_RECOVER_ADMIN)",
            server.about.address, server.about.account
        ))],
    }
}
