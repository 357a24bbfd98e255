//! What other processes read of a task, and what they say to it.

use serde_json::json;

use super::*;
use crate::error::{Error, codes};
#[test]
fn stages_errors_and_status_are_read_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = StateStore::open(dir.path(), "t").unwrap();
    store.set_started(Some("digest")).unwrap();
    store.set_actual(Stage::Paused).unwrap();
    store.set_source_stage(&source(), Some(Stage::Running), Stage::Paused).unwrap();
    let error = Error::new(&codes::DB_DRIVER, "gone").cause("reset").at("(a, 4)", "(a, 9)");
    store.set_error(&source(), Some(&error)).unwrap();
    store.save_status(&source(), &json!({"rows": 5})).unwrap();

    let reader = StateReader::open(dir.path(), "t").unwrap();
    let task = reader.task().unwrap();
    assert_eq!((task.desired, task.actual), (Stage::Running, Stage::Paused));
    assert_eq!((task.config.as_str(), task.name.as_str()), ("digest", "t"));
    let rows = reader.sources().unwrap();
    let stored = rows[0].error.clone().unwrap();
    assert_eq!((stored.code, stored.raw_cause.as_str()), (10001, "reset"));
    assert_eq!(stored.message, "startLocation: [(a, 4)], endLocation: [(a, 9)]: gone");
    assert_eq!(rows[0].desired, Some(Stage::Running));
    assert_eq!(rows[0].status, Some(json!({"rows": 5})));

    store.set_error(&source(), None).unwrap();
    let rows = reader.sources().unwrap();
    assert_eq!(rows[0].error, None);
    assert_eq!(rows[0].status, Some(json!({"rows": 5})), "other columns stay");
    // Commits after a lazy one are durable again.
    store.set_started(Some("again")).unwrap();
    assert_eq!(store.db.synchronous().unwrap(), 2);
}

#[test]
fn commands_go_from_another_process_to_the_task_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = StateStore::open(dir.path(), "t").unwrap();
    assert_eq!(store.take_commands().unwrap(), []);
    let mailbox = Mailbox::open(dir.path(), "t").unwrap();
    let first = mailbox.post("pause-task", &json!({"source": "s1"})).unwrap();
    let second = mailbox.post("resume-task", &json!({})).unwrap();
    let gone = mailbox.post("stop-task", &json!({})).unwrap();
    assert!(mailbox.withdraw(gone).unwrap());
    let taken = store.take_commands().unwrap();
    assert_eq!(taken.iter().map(|c| c.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!((taken[0].verb.as_str(), &taken[0].args), ("pause-task", &json!({"source": "s1"})));
    assert!(!mailbox.withdraw(first).unwrap());
    // What was carried out without the task is nothing to it, and no open command is recorded.
    let none = json!({});
    mailbox.record("checkpoint", &none, CommandState::Done, &none).unwrap();
    assert!(mailbox.record("checkpoint", &none, CommandState::Queued, &none).is_err());
    assert_eq!(store.take_commands().unwrap(), []);
    let recorded = store.reader().commands(1).unwrap().remove(0).id;

    store.reply(first, CommandState::Done, &json!({"result": true})).unwrap();
    let answered = mailbox.command(first).unwrap().unwrap();
    assert_eq!(
        (answered.state, answered.reply),
        (CommandState::Done, Some(json!({"result": true})))
    );
    assert!(store.reply(first, CommandState::Taken, &json!({})).is_err());
    assert!(store.reply(999, CommandState::Done, &json!({})).is_err());

    // Our own checkpoints do not look like letters, our own letters do.
    store.set_actual(Stage::Running).unwrap();
    assert!(!store.db.changed().unwrap());
    let own = store.mailbox().post("x", &json!(1)).unwrap();
    assert_eq!(store.take_commands().unwrap()[0].id, own);
    let late = mailbox.post("late", &json!({})).unwrap();
    drop(store);
    let store = StateStore::open(dir.path(), "t").unwrap();
    let states: Vec<_> =
        store.reader().commands(4).unwrap().iter().map(|c| (c.id, c.state)).collect();
    assert_eq!(
        states,
        [
            (late, CommandState::Queued),
            (own, CommandState::Interrupted),
            (recorded, CommandState::Done),
            (second, CommandState::Interrupted)
        ]
    );
    assert_eq!(store.take_commands().unwrap()[0].id, late);
}
