//! A server that is a replica of another one, for failovers.

use super::dm::DEADLINE;
use super::server::{Address, Server};
use super::wait;

/// A replica of the source by GTID.
pub fn replica_of(source: &Server, name: &str, options: &[&str]) -> Option<&'static Server> {
    let replica = Server::shared_with(source.flavor, name, options)?;
    end_replication(replica);
    replica.clear();
    replica.reset_binlog();
    begin_replication(replica, source);
    Some(replica)
}

/// Makes a server a replica of another one, from where it stands.
pub fn begin_replication(replica: &Server, source: &Address) {
    let Address { host, port, user, password, .. } = source;
    if source.flavor.is_mysql() {
        replica.run("", &format!("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}, SOURCE_USER = '{user}', SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA"));
    } else {
        let stands = replica.value::<String>("SELECT @@GLOBAL.gtid_binlog_pos");
        replica.run("", &format!("SET GLOBAL gtid_slave_pos = '{stands}'; CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}, MASTER_USER = '{user}', MASTER_PASSWORD = '{password}', MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos; START SLAVE"));
    }
}

/// From now on it is a server of its own.
pub fn end_replication(replica: &Server) {
    let words = if replica.flavor.is_mysql() {
        "STOP REPLICA; RESET REPLICA ALL"
    } else {
        "STOP SLAVE; RESET SLAVE ALL"
    };
    replica.run("", words);
}

/// Waits until a replica has all that its source has now, as long as it gets on.
pub fn follows(source: &Server, replica: &Server) {
    if let Err(stood) = catches_up(source, replica) {
        panic!("the replica lacks some of what {source:?} has: {stood:#?}");
    }
}

/// The same; where the replica stands when it does not get on. One that looks for each row of a large
/// event in a table without a key shows nothing of it for minutes.
pub fn catches_up(source: &Server, replica: &Server) -> Result<(), Vec<String>> {
    let wanted = source.position().gtid;
    let mysql = source.flavor.is_mysql();
    let has_all = || {
        if mysql {
            let asked = format!("SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)");
            replica.value::<i32>(&asked) == 1
        } else {
            replica.value::<String>("SELECT @@gtid_current_pos") == wanted
        }
    };
    loop {
        let stood = stands(replica);
        if wait::poll(DEADLINE, || has_all().then_some(())).is_some() {
            return Ok(());
        }
        if stands(replica) == stood {
            return Err(stood);
        }
    }
}

/// What a replica says of itself: where it is, and its errors.
fn stands(replica: &Server) -> Vec<String> {
    let asked = if replica.flavor.is_mysql() { "SHOW REPLICA STATUS" } else { "SHOW SLAVE STATUS" };
    let telling = |name: &str| {
        ["_Error", "_Running", "Log_Pos", "Gtid_", "Running_State"].iter().any(|w| name.contains(w))
    };
    let rows: Vec<mysql::Row> = replica.rows(asked);
    let told = |row: &mysql::Row| {
        let columns = row.columns();
        let value = |at: usize| row.as_ref(at).map(|v| v.as_sql(true)).unwrap_or_default();
        let all = columns.iter().enumerate().map(|(at, c)| (c.name_str().into_owned(), value(at)));
        all.filter(|(name, _)| telling(name)).map(|(n, v)| format!("{n}: {v}")).collect::<Vec<_>>()
    };
    rows.iter().flat_map(told).collect()
}
