//! What a failover has to wait for.

use std::time::Duration;

use crate::support::server::Server;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until the statements of writers whose connections were cut are over: a server goes on with
/// what it has begun, and commits it.
pub fn wait_for_writers(source: &Server) {
    let writes = format!(
        "SELECT COUNT(*) FROM {} WHERE id <> CONNECTION_ID() AND info IS NOT NULL \
         AND info NOT LIKE 'SELECT%' AND info NOT LIKE 'SHOW%' \
         AND user NOT IN ('system user', 'event_scheduler')",
        // The other table of MySQL cannot show a statement with characters of four bytes.
        if source.flavor.is_mysql() {
            "performance_schema.processlist"
        } else {
            "information_schema.processlist"
        }
    );
    // One that was sent in the last moment may not have been read yet.
    let mut quiet = 0;
    let ended = wait::poll(PATIENCE, || {
        quiet = if source.value::<u64>(&writes) == 0 { quiet + 1 } else { 0 };
        (quiet >= 10).then_some(())
    });
    assert!(ended.is_some(), "statements at {} do not end", source.name);
}
