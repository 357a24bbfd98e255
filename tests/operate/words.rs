//! What an operator says about a statement while the task's process lives: the word is all that it takes, as
//! in DM's manual.

use std::process::Command;

use crate::place::{DB, PATIENCE, Place, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::dm::Process;
use crate::support::serial;
use crate::support::server::Server;

/// Stops the source at a statement, for good: rows of the target have a value twice.
fn stop_at_a_key(place: &Place, from: &Server, to: &Server, column: &str) {
    to.run(DB, "REPLACE INTO t (id, v) VALUES (90, 'twin'), (91, 'twin')");
    from.run(DB, &format!("ALTER TABLE t ADD UNIQUE KEY {column} ({column})"));
    let status = place.wait_stage("source-1", "Paused");
    assert!(status["result"]["errors"][0]["RawCause"].to_string().contains("1062"), "{status:#}");
}

fn said(place: &Place, args: &[&str]) -> String {
    place.json(args)["sources"][0]["msg"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_word_is_all_that_a_stopped_source_needs() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.start(to);
    stop_at_a_key(&place, from, to, "v");
    let skip = said(&place, &["handle-error", "test", "skip"]);
    assert!(skip.starts_with("skip at ") && skip.ends_with("; it goes on"), "{skip}");
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 5);
    // Nothing else was changed by it: rows are written as exactly as before.
    assert_eq!(place.status("source-1")["safeMode"]["on"], false);

    // What a person has paused stays so.
    from.run(DB, "ALTER TABLE t DROP KEY v, ADD COLUMN w INT");
    let status = place.wait_stage("source-1", "Paused");
    assert!(status["result"]["errors"][0]["RawCause"].to_string().contains("1091"), "{status:#}");
    place.json(&["pause-task", "test"]);
    let sql = "ALTER TABLE op.t ADD COLUMN w INT";
    let replace = said(&place, &["handle-error", "test", "replace", sql]);
    assert!(replace.ends_with("; it is paused, `dm resume-task` goes on"), "{replace}");
    assert_eq!(place.stage("source-1"), "Paused");
    place.json(&["resume-task", "test"]);
    from.run(DB, "INSERT INTO t VALUES (4, 'four', 4)");
    wait_rows(to, "t", 6);

    // Without a process there is none that could go on.
    stop_at_a_key(&place, from, to, "v");
    place.kill_owner("test");
    let skip = said(&place, &["handle-error", "test", "skip"]);
    assert!(skip.ends_with("; start the task again"), "{skip}");
    place.json(&["resume-task", "test"]);
    place.wait_sync("source-1");
    place.json(&["stop-task", "test"]);
}

/// The error names the command that repairs it, and the command works as it is printed.
#[test]
fn a_column_that_the_target_lacks_is_added_by_the_command_that_the_error_names() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.start(to);
    to.run(DB, "ALTER TABLE t DROP COLUMN v");
    from.run(DB, "ALTER TABLE t ADD COLUMN `it's` VARCHAR(9) NOT NULL DEFAULT 'a;b'");
    from.run(DB, "INSERT INTO t VALUES (3, 'three', 'x')");
    let status = place.wait_stage("source-1", "Paused");
    let error = &status["result"]["errors"][0];
    assert_eq!(error["ErrCode"], 36027, "{status:#}");
    let (message, advice) =
        (error["Message"].as_str().unwrap(), error["Workaround"].as_str().unwrap());
    for text in ["column `v` of source table", "tracked since ", "the target has: CREATE TABLE `t`"]
    {
        assert!(message.contains(text), "{text:?} is not in {message}");
    }
    let (_, command) = advice.split_once("`dm ").unwrap();
    let (command, _) = command.split_once("` adds them").unwrap();
    let dm = place.dm.command(&[]).get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.args(["-euc", &format!("\"$DM\" {command}")]).env("DM", dm);
    shell.current_dir(place.path()).env("DM_STATE_DIR", place.dm.state());
    Process::spawn(shell).wait(PATIENCE).expect_success();
    wait_rows(to, "t", 3);
    to.run(DB, "UPDATE t SET v = IF(id = 1, 'one', 'two') WHERE id < 3");
    to.run(DB, "ALTER TABLE t MODIFY v VARCHAR(20) AFTER id");
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}
