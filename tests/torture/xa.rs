//! Prepared transactions: made, left alone, decided later from another connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql::prelude::Queryable;

use crate::support::random::Random;
use crate::support::server::{Address, Server};
use crate::support::wait;
use crate::support::workload::connect;

/// Keeps the moment of a server's death away from prepared transactions that are just being made or
/// decided. A MariaDB that is killed there may have the decision in its binlog and not in its tables:
/// it is prepared again after the restart, is decided again, and stands in the binlog twice. What is
/// merely prepared is not kept away.
#[derive(Debug, Default)]
pub struct Gate(Mutex<()>);

impl Gate {
    /// Held while a prepared transaction is made or decided, or a server dies.
    fn pass(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills a server, a MariaDB as the gate demands.
    pub fn kill(&self, server: &Server) {
        let _shut = (!server.flavor.is_mysql()).then(|| {
            let shut = self.pass();
            // What is decided is not on disk before a second has passed: it counts on the binlog for
            // that, and does not look there for prepared transactions.
            if let Ok(mut conn) = server.try_conn() {
                let _ = conn.query_drop("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS");
            }
            shut
        });
        server.kill();
    }
}

/// How many are left prepared at a time.
const OPEN: usize = 6;

/// Prepares and decides until it is told to stop; counts the transactions that were decided. With
/// `replicated`, no rows of the table without a key are prepared: a replica looks for rows of such a
/// table in all of it, so it would wait for the locks of what is prepared, and never read the decision.
pub fn prepare_and_decide(
    source: &Address,
    (db, replicated): (&str, bool),
    gate: &Gate,
    seed: u64,
    (stop, done): (&AtomicBool, &AtomicU64),
) {
    let mut random = Random::new(seed ^ 0xA5);
    let mut open: VecDeque<String> = VecDeque::new();
    for serial in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let xid = format!("x{seed}-{serial}");
        if let Some(xid) = prepare(source, (db, replicated), gate, &mut random, &xid) {
            open.push_back(xid);
        }
        while open.len() > OPEN || (!open.is_empty() && random.one_in(2)) {
            let Some(xid) = open.pop_front() else { break };
            if decide(source, gate, &xid, !random.one_in(3)) {
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
        wait::pass(Duration::from_millis(30 + random.below(150)));
    }
}

/// Prepares a transaction on a connection of its own, which then ends; its xid when it is prepared.
fn prepare(
    source: &Address,
    (db, replicated): (&str, bool),
    gate: &Gate,
    random: &mut Random,
    xid: &str,
) -> Option<String> {
    let mut conn = connect(source, db)?;
    let n = random.below(200);
    let mut list = vec![format!("XA START '{xid}'")];
    for _ in 0..=random.below(3) {
        list.push(match random.below(5) {
            0 => format!("DELETE FROM xat WHERE id = {}", random.below(200)),
            1 if !replicated => format!("INSERT INTO nok (t) VALUES ('{xid}'), ('{xid}')"),
            2 => format!("INSERT INTO many2 (v, n) SELECT '{xid}', id FROM par"),
            _ => format!("REPLACE INTO xat VALUES ({n}, {}, '{xid}')", random.below(1000)),
        });
    }
    list.push(format!("XA END '{xid}'"));
    let one_phase = random.one_in(5);
    for statement in &list {
        conn.query_drop(statement).ok()?;
    }
    let open = gate.pass();
    if one_phase {
        let _ = conn.query_drop(format!("XA COMMIT '{xid}' ONE PHASE"));
        return None;
    }
    conn.query_drop(format!("XA PREPARE '{xid}'")).ok()?;
    drop(open);
    let id = conn.connection_id();
    drop(conn);
    wait_for_end(source, id);
    Some(xid.to_owned())
}

/// Waits until a connection is gone. A MariaDB that is told the decision while the connection that
/// prepared is still ending can lose the transaction: its binlog and its replicas have it, its own
/// tables never show it.
fn wait_for_end(source: &Address, id: u32) {
    let ended = || {
        let mut conn = connect(source, "mysql")?;
        let version: String = conn.query_first("SELECT VERSION()").ok()??;
        let asked = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
        // MySQL's list cannot be read while a statement in it has characters of four bytes.
        if !version.contains("MariaDB") {
            return Some(());
        }
        let there: u64 = conn.query_first(asked).ok()??;
        (there == 0).then_some(())
    };
    // A server that is away has ended it, too.
    let _ = wait::poll(Duration::from_secs(5), ended);
}

/// Commits or rolls back; false when it could not be reached (it is then decided at the end).
fn decide(source: &Address, gate: &Gate, xid: &str, commit: bool) -> bool {
    let word = if commit { "COMMIT" } else { "ROLLBACK" };
    let Some(mut conn) = connect(source, "mysql") else { return false };
    let _open = gate.pass();
    conn.query_drop(format!("XA {word} '{xid}'")).is_ok()
}

/// Decides all that is still prepared at a source.
pub fn settle(source: &Address, seed: u64) {
    let mut random = Random::new(seed);
    let decided = wait::poll(Duration::from_secs(60), || {
        let mut conn = connect(source, "mysql")?;
        let rows: Vec<mysql::Row> = conn.query("XA RECOVER").ok()?;
        for row in &rows {
            let xid: String = row.get(3).unwrap_or_default();
            let word = if random.one_in(2) { "COMMIT" } else { "ROLLBACK" };
            let _ = conn.query_drop(format!("XA {word} '{xid}'"));
        }
        rows.is_empty().then_some(())
    });
    assert!(decided.is_some(), "prepared transactions that cannot be decided");
}
