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

/// Waits until a replica has all that its source has now.
pub fn follows(source: &Server, replica: &Server) {
    let wanted = source.position().gtid;
    wait::until("the replica has it all", DEADLINE, || {
        if source.flavor.is_mysql() {
            replica.value::<i32>(&format!("SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)"))
                == 1
        } else {
            replica.value::<String>("SELECT @@gtid_current_pos") == wanted
        }
    });
}
