//! Commands to a running migration, through both doors: the embedding service's and the letters
//! of other processes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dm_core::event::SourceId;
use dm_core::migration::{Command, Reply, Verb, refusal};
use dm_core::sink::{MemorySink, Sink};
use dm_core::source::Source;
use dm_core::state::{CommandState, Mailbox, SourceRow, Stage, StateReader};
use dm_core::testing::build::insert;
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Control, Migration, Outcome, Waited};
use serde_json::json;

use crate::script::{int, name, plan, text};

const PATIENCE: Duration = Duration::from_secs(60);

/// Two sources with a table each, and a service that follows both.
struct Two {
    a: ScriptedSource,
    b: ScriptedSource,
    sink: MemorySink,
    dir: tempfile::TempDir,
}

fn source(id: &str, table: &str) -> ScriptedSource {
    let source = ScriptedSource::new(id);
    source.ddl("", "CREATE DATABASE db").unwrap();
    source.ddl("db", &format!("CREATE TABLE {table} (id int primary key, v varchar(20))")).unwrap();
    source.commit(vec![(name(table), vec![insert([int(1), text("copied")])])]).unwrap();
    source
}

impl Two {
    fn new() -> Self {
        Self {
            a: source("a", "ta"),
            b: source("b", "tb"),
            sink: MemorySink::new(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn builder(&self) -> dm_core::MigrationBuilder {
        self.over(Arc::new(self.sink.clone()))
    }

    fn over(&self, sink: Arc<dyn Sink>) -> dm_core::MigrationBuilder {
        Migration::builder(plan("all", &["a", "b"], "", ""))
            .source("a", Arc::new(self.a.clone()))
            .source("b", Arc::new(self.b.clone()))
            .sink(sink)
            .state_dir(self.dir.path())
            .stays(true)
    }

    fn write(&self, source: &ScriptedSource, table: &str, id: i64) {
        source.commit(vec![(name(table), vec![insert([int(id), text("new")])])]).unwrap();
    }

    fn arrives(&self, control: &Control, id: &str, source: &ScriptedSource) -> bool {
        let end = source.end_position().unwrap();
        control.wait_for(id, &end, PATIENCE) == Waited::Reached
    }

    fn row(&self, source: &str) -> SourceRow {
        let rows = StateReader::open(self.dir.path(), "t").unwrap().sources().unwrap();
        rows.into_iter().find(|r| r.source == SourceId::new(source)).unwrap()
    }
}

fn to(verb: Verb, sources: &[&str]) -> Command {
    Command { verb, sources: sources.iter().map(|s| (*s).to_owned()).collect() }
}

fn messages(reply: &Reply) -> Vec<(&str, bool, &str)> {
    let answers = reply.answers.iter();
    answers.map(|a| (a.source.as_str(), a.ok, a.message.as_str())).collect()
}

#[test]
fn pausing_one_source_leaves_the_other_running() {
    let two = Two::new();
    let running = two.builder().build().spawn().unwrap();
    let control = running.control();
    assert!(control.wait_begun(PATIENCE).unwrap().is_ok());
    let reply = control.command(&to(Verb::Pause, &["a"]), PATIENCE);
    assert_eq!(messages(&reply), [("a", true, "")]);
    assert_eq!(
        (two.row("a").desired, two.row("a").actual),
        (Some(Stage::Paused), Some(Stage::Paused))
    );
    assert_eq!(two.row("b").desired, Some(Stage::Running));
    two.write(&two.a, "ta", 2);
    two.write(&two.b, "tb", 2);
    assert!(two.arrives(&control, "b", &two.b));
    let end = two.a.end_position().unwrap();
    assert_eq!(control.wait_for("a", &end, Duration::ZERO), Waited::TimedOut);
    // Twice is as once.
    assert!(control.command(&to(Verb::Pause, &["a"]), PATIENCE).is_ok());
    assert!(control.command(&to(Verb::Resume(Default::default()), &["a"]), PATIENCE).is_ok());
    assert!(two.arrives(&control, "a", &two.a));
    assert_eq!(two.row("a").actual, Some(Stage::Running));
    assert_eq!(running.stop().unwrap(), Outcome::Stopped);
    // The process ended; what is wanted of the task did not change.
    assert_eq!(two.row("a").desired, Some(Stage::Running));
}

#[test]
fn the_run_ends_when_the_last_source_is_stopped() {
    let two = Two::new();
    let running = two.builder().build().spawn().unwrap();
    let control = running.control();
    assert!(control.wait_begun(PATIENCE).unwrap().is_ok());
    assert!(control.command(&to(Verb::Stop, &["a"]), PATIENCE).is_ok());
    let resume = control.command(&to(Verb::Resume(Default::default()), &["a"]), PATIENCE);
    let why = refusal::stopped(&Verb::Resume(Default::default())).to_string();
    assert_eq!(messages(&resume), [("a", false, why.as_str())]);
    // A command to all means those that it can mean.
    let pause = control.command(&Command::to_all(Verb::Pause), PATIENCE);
    assert_eq!(messages(&pause), [("b", true, "")]);
    two.write(&two.a, "ta", 2);
    assert!(control.command(&to(Verb::Start, &["a"]), PATIENCE).is_ok());
    assert!(two.arrives(&control, "a", &two.a));
    let again = control.command(&to(Verb::Start, &["a"]), PATIENCE);
    assert!(!again.is_ok() && again.answers[0].message.contains("[code=46014"));
    assert!(control.command(&Command::to_all(Verb::Stop), PATIENCE).is_ok());
    assert_eq!(running.join().unwrap(), Outcome::Stopped);
    assert_eq!(two.row("b").actual, Some(Stage::Stopped));
}

#[test]
fn unknown_sources_are_refused() {
    let two = Two::new();
    let control = two.builder().build().control();
    let reply = control.command(&to(Verb::Pause, &["a", "x", "y"]), PATIENCE);
    assert!(reply.answers.is_empty() && reply.refused.contains("x, y"), "{}", reply.refused);
}

#[test]
fn what_is_wanted_before_a_run_holds_in_it() {
    let two = Two::new();
    let migration = two.builder().begin_as("b", Stage::Stopped).build();
    let control = migration.control();
    let command = to(Verb::Pause, &["a"]);
    assert!(control.command(&command, PATIENCE).is_ok());
    let running = migration.spawn().unwrap();
    assert!(control.command(&to(Verb::Start, &["b"]), PATIENCE).is_ok());
    assert!(two.arrives(&control, "b", &two.b));
    assert_eq!(two.sink.tables(), [name("tb")]);
    assert!(control.command(&to(Verb::Resume(Default::default()), &["a"]), PATIENCE).is_ok());
    assert!(two.arrives(&control, "a", &two.a));
    running.stop().unwrap();
}

fn letter(dir: &Path, verb: &str, args: &serde_json::Value) -> (CommandState, Reply) {
    let mailbox = Mailbox::open(dir, "t").unwrap();
    let id = mailbox.post(verb, args).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let letter = mailbox.command(id).unwrap().unwrap();
        if letter.state.is_final() {
            return (letter.state, Reply::from_json(&letter.reply.unwrap()));
        }
        assert!(std::time::Instant::now() < deadline, "nobody answers");
        std::thread::yield_now();
    }
}

#[test]
fn letters_of_other_processes_are_answered() {
    let two = Two::new();
    let running = two.builder().build().spawn().unwrap();
    assert!(running.control().wait_begun(PATIENCE).unwrap().is_ok());
    let dir = two.dir.path();
    let (state, reply) = letter(dir, "pause-task", &json!({"sources": ["b"]}));
    assert_eq!((state, messages(&reply)), (CommandState::Done, vec![("b", true, "")]));
    let (state, reply) = letter(dir, "pause-task", &json!({"sources": ["nobody"]}));
    assert!(state == CommandState::Failed && reply.refused.contains("nobody"));
    let (state, reply) = letter(dir, "dance", &json!({}));
    assert!(state == CommandState::Failed && reply.refused.contains("[code=66001"));
    // Two at once: each is answered, and the last word holds.
    std::thread::scope(|scope| {
        let words = ["pause-task", "resume-task", "pause-task", "resume-task"];
        let threads = words.map(|verb| scope.spawn(move || letter(dir, verb, &json!({}))));
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let (state, _) = letter(dir, "resume-task", &json!({}));
    assert_eq!(state, CommandState::Done);
    assert!(two.arrives(&running.control(), "a", &two.a));
    // The last letter is answered although it ends the run.
    let (state, reply) = letter(dir, "stop-task", &json!({}));
    assert_eq!((state, reply.answers.len()), (CommandState::Done, 2));
    assert_eq!(running.join().unwrap(), Outcome::Stopped);
}

#[test]
fn a_letter_of_before_the_start_is_not_carried_out() {
    let two = Two::new();
    drop(dm_core::state::StateStore::open(two.dir.path(), "t").unwrap());
    let mailbox = Mailbox::open(two.dir.path(), "t").unwrap();
    let id = mailbox.post("stop-task", &json!({})).unwrap();
    let running = two.builder().build().spawn().unwrap();
    assert!(running.control().wait_begun(PATIENCE).unwrap().is_ok());
    assert_eq!(mailbox.command(id).unwrap().unwrap().state, CommandState::Interrupted);
    assert!(!running.is_finished());
    running.stop().unwrap();
}

/// A target that answers no more fails the run's sources one by one; without `stays` the first
/// failure ends the run, with it the run stays for commands.
#[test]
fn the_run_stays_when_everything_failed() {
    let two = Two::new();
    let dead = Fault::Die { at: 3, when: When::Before };
    let sink = Arc::new(FaultSink::new(Arc::new(two.sink.clone()), dead));
    let error = two.over(Arc::clone(&sink) as Arc<dyn Sink>).stays(false).build().run();
    assert!(error.is_err() && sink.has_failed());
    // Behind what is asked before the start, which would end the run.
    let dead = Fault::Die { at: 12, when: When::Before };
    let sink = Arc::new(FaultSink::new(Arc::new(two.sink.clone()), dead));
    let running = two.over(sink).build().spawn().unwrap();
    let control = running.control();
    let begun = control.wait_begun(PATIENCE).unwrap();
    let resumed = control.command(&to(Verb::Resume(Default::default()), &["a"]), PATIENCE);
    for reply in [begun, resumed] {
        let dead = reply.answers.iter().any(|a| a.message.contains("[code=10001"));
        assert!(reply.is_ok() || dead, "{reply:?}");
    }
    assert!(!running.is_finished());
    assert!(control.command(&Command::to_all(Verb::Stop), PATIENCE).is_ok());
    assert_eq!(running.join().unwrap(), Outcome::Stopped);
}
