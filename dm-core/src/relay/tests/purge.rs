use std::sync::Arc;

use super::super::writer::tests::recorded;
use super::*;
use crate::config::{SourceText, TaskPlan};
use crate::event::{LaneId, SourceId};
use crate::position::Position;
use crate::state::{CopyBegin, StateStore};

/// A relay log of four files in two parts, in a state directory.
fn relay(purge: &str) -> (tempfile::TempDir, RelayConfig, RelayDir) {
    let temp = tempfile::tempdir().unwrap();
    let text = format!("{{source-id: live, from: {{host: 127.0.0.1, user: dm}}, purge: {purge}}}");
    let task = "name: t\ntask-mode: all\ntarget-database: {sqlite: x.db}\nmysql-instances: \
                [{source-id: live}]";
    let (plan, _) = TaskPlan::from_yaml(
        &SourceText { name: "task.yaml", text: task },
        &[SourceText { name: "source.yaml", text: &text }],
        &|_| None,
    )
    .unwrap();
    let config = crate::migration::relay_config(&plan.sources[0], Some(temp.path())).unwrap();
    let dir = config.directory();
    let file = recorded("us/binlog", "shop.000003");
    for (server, names) in
        [("one", ["shop.000002", "shop.000003"]), ("two", ["b.000001", "b.000002"])]
    {
        let sub = dir.begin(server).unwrap();
        for name in names {
            std::fs::write(dir.sub(&sub).join(name), &file).unwrap();
        }
    }
    (temp, config, dir)
}

/// A task that copies from this position.
fn task(state_dir: &Path, name: &str, position: &str) {
    let state = Arc::new(StateStore::open(state_dir, name).unwrap());
    let position = Position::at(position.parse().unwrap());
    let begin = CopyBegin {
        position: &position,
        contained_upto: None,
        means: "",
        schemas: &[],
        tables: &[],
    };
    state.begin_copy(&LaneId::copy(&SourceId::new("live")), &begin).unwrap();
}

fn left(dir: &RelayDir) -> Vec<String> {
    all(dir).unwrap().iter().map(|old| format!("{}/{}", old.sub.server, old.file)).collect()
}

#[test]
fn nothing_is_removed_when_nobody_knows_what_is_needed() {
    let (temp, config, dir) = relay("{expires: 1}");
    let refused = before(&config, "b.000002", None).unwrap_err();
    assert_eq!(refused.code(), &codes::RELAY_PURGE_NO_ACTIVE);
    task(temp.path(), "lost", "b.000009:4");
    task(temp.path(), "older", "a.000001:4");
    let refused = before(&config, "b.000002", None).unwrap_err();
    assert!(refused.message().contains("older"), "{refused}");
    assert_eq!(left(&dir).len(), 4);
}

#[test]
fn what_a_task_needs_stays() {
    let (temp, config, dir) = relay("{expires: 1}");
    task(temp.path(), "t", "b.000001:4");
    let said = before(&config, "b.000002", None).unwrap();
    assert!(said.contains("removed 2 files") && said.contains("1 more"), "{said}");
    assert_eq!(left(&dir), ["two/b.000001", "two/b.000002"]);
    assert_eq!(dir.subdirs().unwrap().len(), 1);
    assert!(dir.begin("three").unwrap().number == 3);
}

#[test]
fn a_file_is_named_within_its_part() {
    let (temp, config, dir) = relay("{expires: 1}");
    task(temp.path(), "t", "b.000002:4");
    for (file, sub) in [("b.000007", None), ("b.000002", Some("one.000001")), ("x.1", Some("no"))] {
        let refused = before(&config, file, sub).unwrap_err();
        assert_eq!(refused.code(), &codes::RELAY_PURGE_FORBIDDEN, "{file}");
    }
    before(&config, "shop.000003", Some("one.000001")).unwrap();
    assert_eq!(left(&dir), ["one/shop.000003", "two/b.000001", "two/b.000002"]);
    let busy = dir.purge_lock().unwrap();
    assert_eq!(before(&config, "b.000002", None).unwrap_err().code(), &codes::RELAY_PURGING);
    drop(busy);
}

#[test]
fn age_and_room_decide_by_themselves() {
    let (temp, config, dir) = relay("{expires: 1, remain-space: 0}");
    task(temp.path(), "t", "b.000002:4");
    assert_eq!(by_rules(&config, &dir).unwrap(), "", "they are new");
    let old = SystemTime::now() - Duration::from_secs(7_200);
    for file in all(&dir).unwrap().iter().take(1) {
        let file = std::fs::File::options().write(true).open(&file.path).unwrap();
        file.set_modified(old).unwrap();
    }
    by_rules(&config, &dir).unwrap();
    assert_eq!(left(&dir), ["one/shop.000003", "two/b.000001", "two/b.000002"]);
    // No disk has so much room.
    let (temp, config, dir) = relay("{remain-space: 900000000}");
    task(temp.path(), "t", "b.000002:4");
    by_rules(&config, &dir).unwrap();
    assert_eq!(left(&dir), ["two/b.000002"]);
    let (_temp, config, dir) = relay("{remain-space: 0}");
    assert_eq!(by_rules(&config, &dir).unwrap(), "", "no rule, no purge");
    assert!(free_bytes(dir.path()).is_some());
}
