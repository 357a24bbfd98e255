//! A task file that is changed while its task is paused.

use crate::place::{DB, PATIENCE, Place, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::{serial, wait};

/// The task file with more lines, for the instance and at the top.
fn change(place: &Place, instance: &str, top: &str) {
    let text = std::fs::read_to_string(place.path().join("task.yaml")).unwrap();
    let list = "    block-allow-list: these\n";
    assert!(text.contains(list), "{text}");
    place.dm.write("task.yaml", &(text.replace(list, &format!("{list}{instance}")) + top));
}

#[test]
fn a_changed_file_is_taken_by_a_resume() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.start(to);
    let owner = place.owner("test");
    let before = std::fs::read_to_string(place.path().join("task.yaml")).unwrap();
    from.run(DB, "DELETE FROM t WHERE id = 1");
    wait_rows(to, "t", 1);

    // While it runs nothing of it may change.
    let rule = "    filter-rules: [keep]\n";
    let rules = format!(
        "filters:\n  keep: {{schema-pattern: {DB}, table-pattern: t, events: [delete], action: Ignore}}\n"
    );
    change(&place, rule, &rules);
    assert!(place.refused(&["resume-task", "task.yaml"]).contains("[code=40052"));
    assert_eq!((place.stage("source-1"), place.owner("test")), ("Running".to_owned(), owner));

    // Paused: what decides where things are may not change, and nothing is ended by asking.
    place.json(&["pause-task", "test"]);
    change(&place, "", "meta-schema: elsewhere\n");
    let said = place.refused(&["resume-task", "task.yaml"]);
    assert!(said.contains("[code=40081") && said.contains("meta-schema"), "{said}");
    place.dm.write("task.yaml", "name: test\nrubbish: 1\n");
    place.dm(&["resume-task", "task.yaml"]).expect_failure(&["rubbish"]);
    assert_eq!((place.stage("source-1"), place.owner("test")), ("Paused".to_owned(), owner));

    // A rule may: it holds from now on, which is said.
    place.dm.write("task.yaml", &before);
    change(&place, rule, &rules);
    from.run(DB, "INSERT INTO t VALUES (3, 'three'); DELETE FROM t WHERE id = 2");
    let resumed = place.dm(&["resume-task", "task.yaml"]).expect_success();
    let said = "filters, mysql-instances changed; what was migrated before follows the old rules";
    assert!(resumed.stderr.contains(said), "{}", resumed.stderr);
    assert!(resumed.stdout.contains("\"op\": \"Resume\""), "{}", resumed.stdout);
    wait_rows(to, "t", 2);
    assert_eq!(to.rows::<u32>(&format!("SELECT id FROM {DB}.t ORDER BY id")), [2, 3]);
    assert!(place.owner("test").is_some() && place.owner("test") != owner, "it has a new process");
    let kept = place.json(&["get-config", "task", "test"]);
    assert!(kept["cfg"].as_str().unwrap().contains("events: [delete]"), "{kept:#}");

    // The same file again is a resume like any other.
    let owner = place.owner("test");
    place.json(&["pause-task", "test"]);
    place.json(&["resume-task", "task.yaml"]);
    assert_eq!(place.owner("test"), owner);
    // Without a process, too.
    place.kill_owner("test");
    place.dm.write("task.yaml", &before);
    place.json(&["resume-task", "task.yaml"]);
    // What the rule kept is of before.
    to.run(DB, "DELETE FROM t WHERE id = 2");
    from.run(DB, "INSERT INTO t VALUES (5, 'five'); DELETE FROM t WHERE id IN (3, 5)");
    wait::until("the old rules hold again", PATIENCE, || {
        to.rows::<u32>(&format!("SELECT id FROM {DB}.t")).is_empty()
    });
    place.json(&["stop-task", "test"]);
    assert_databases_equal(from, Target::Server(to), &[DB]);
}
