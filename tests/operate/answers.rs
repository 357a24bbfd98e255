//! `query-status` and a stop answer whatever the task is waiting for.

use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;

use crate::faults::{place, through};
use crate::place::{DB, PATIENCE, Place, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::{serial, wait};

/// What a stop may take in any state.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The task is asked how it stands, then stopped, while it waits.
fn answers_and_stops(place: &Place) {
    let asked = Instant::now();
    let status = place.json(&["query-status", "test"]);
    assert_eq!(status["sources"][0]["subTaskStatus"][0]["stage"], "Running", "{status:#}");
    assert!(asked.elapsed() < wait::promised(STOP_LIMIT), "an answer took {:?}", asked.elapsed());
    let asked = Instant::now();
    place.json(&["stop-task", "test"]);
    wait::until("the process has ended", PATIENCE, || place.owner("test").is_none());
    assert!(asked.elapsed() < wait::promised(2 * STOP_LIMIT), "a stop took {:?}", asked.elapsed());
}

/// Waits until the target shows a connection with such a statement or state.
fn seen_at(to: &Server, condition: &str) {
    let asked = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND ({condition})"
    );
    wait::until(condition, PATIENCE, || to.value::<u64>(&asked) > 0);
}

/// Somebody holds the row that is to be written; then the table that a statement changes. The statement
/// runs on behind the stop, and the next start finds out what became of it.
#[test]
fn it_answers_while_a_lock_is_held_and_while_a_statement_runs() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = place(&from.address, &to.address);
    place.start(to);
    let mut holder = to.conn();
    holder.query_drop("BEGIN").unwrap();
    holder.query_drop(format!("SELECT * FROM {DB}.t WHERE id = 1 FOR UPDATE")).unwrap();
    from.run(DB, "UPDATE t SET v = 'held' WHERE id = 1");
    seen_at(to, &format!("info LIKE '%UPDATE `{DB}`.`t`%'"));
    answers_and_stops(&place);
    holder.query_drop("ROLLBACK").unwrap();
    place.json(&["start-task", "task.yaml"]);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    holder.query_drop("BEGIN").unwrap();
    holder.query_drop(format!("SELECT * FROM {DB}.t")).unwrap();
    from.run(DB, "ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 4");
    seen_at(to, "state LIKE '%metadata lock%'");
    answers_and_stops(&place);
    holder.query_drop("COMMIT").unwrap();
    from.run(DB, "INSERT INTO t VALUES (4, 'four', 5)");
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 4);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}

/// Nothing comes from the source any more, and nobody says that it is gone.
#[test]
fn it_answers_while_the_source_is_silent() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let proxy = Proxy::start(&from.address.host, from.address.port);
    let place = place(&through(&proxy, from), &to.address);
    place.start(to);
    proxy.black_hole(true);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    answers_and_stops(&place);
    proxy.black_hole(false);
    proxy.cut();
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 3);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}
