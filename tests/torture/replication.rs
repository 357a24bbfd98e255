//! A replica by GTID that can take its source's place.

use std::time::Duration;

use crate::support::server::{Address, Server};
use crate::support::wait;

/// A replica has so long to come level with its source when nobody writes any more.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes a server a replica of another one, from where it stands.
pub fn begin(replica: &Server, source: &Address) {
    let (host, port, user, password) = (&source.host, source.port, &source.user, &source.password);
    let words = if replica.flavor.is_mysql() {
        format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}, SOURCE_USER = '{user}', SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA"
        )
    } else {
        let stands = replica.value::<String>("SELECT @@GLOBAL.gtid_binlog_pos");
        format!(
            "SET GLOBAL gtid_slave_pos = '{stands}'; CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}, MASTER_USER = '{user}', MASTER_PASSWORD = '{password}', MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos; START SLAVE"
        )
    };
    replica.run("", &words);
}

/// Ends it; nothing happens to a server that is none.
pub fn end(replica: &Server) {
    let words = if replica.flavor.is_mysql() {
        "STOP REPLICA; RESET REPLICA ALL"
    } else {
        "STOP SLAVE; RESET SLAVE ALL"
    };
    replica.run("", words);
}

/// Waits until the statements of writers whose connections were cut are over: a server goes on with
/// what it has begun, and commits it.
pub fn wait_for_writers(source: &Server) {
    const WRITES: &str = "SELECT COUNT(*) FROM information_schema.processlist \
        WHERE id <> CONNECTION_ID() AND info IS NOT NULL AND info NOT LIKE 'SELECT%' \
        AND info NOT LIKE 'SHOW%' AND user NOT IN ('system user', 'event_scheduler')";
    // One that was sent in the last moment may not have been read yet.
    let mut quiet = 0;
    let ended = wait::poll(PATIENCE, || {
        quiet = if source.value::<u64>(WRITES) == 0 { quiet + 1 } else { 0 };
        (quiet >= 10).then_some(())
    });
    assert!(ended.is_some(), "statements at {} do not end", source.name);
}

/// Waits until a replica has all that its source has, which nobody writes to any more.
pub fn wait_for(replica: &Server, source: &Server) {
    let level = wait::poll(PATIENCE, || {
        let wanted = source.position().gtid;
        let level = if source.flavor.is_mysql() {
            let subset = format!("SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)");
            replica.value::<i32>(&subset) == 1
        } else {
            replica.value::<String>("SELECT @@GLOBAL.gtid_binlog_pos") == wanted
        };
        level.then_some(())
    });
    assert!(
        level.is_some(),
        "the replica {} does not come level: {}",
        replica.name,
        state(replica)
    );
}

/// What a replica says of itself.
fn state(replica: &Server) -> String {
    let words = if replica.flavor.is_mysql() { "SHOW REPLICA STATUS" } else { "SHOW SLAVE STATUS" };
    let rows: Vec<mysql::Row> = replica.rows(words);
    format!("{rows:?}")
}
