//! The command itself: what it says, where, and with which exit status. No server is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A directory with files of a task, and the command in it.
struct Place {
    dir: tempfile::TempDir,
}

/// What a command said.
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn out(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part), "{part:?} is not in\n{}", self.out);
        }
        self
    }

    #[track_caller]
    fn err(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in\n{}", self.err);
        }
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{}", self.out))
    }
}

const SOURCE: &str = "source-id: a\nfrom: {host: 127.0.0.1, port: 1, user: dm, password: ''}\n";
const TASK: &str = "
name: shop
task-mode: all
target-database: {sqlite: target.db}
routes:
  merge: {schema-pattern: 'shop_?', table-pattern: 't_*', target-schema: shop, target-table: t}
filters:
  quiet: {schema-pattern: 'shop_?', table-pattern: 't_*', events: [truncate table], action: Ignore}
block-allow-list:
  main: {ignore-tables: [{db-name: shop_1, tbl-name: log}]}
mysql-instances:
- {source-id: a, route-rules: [merge], filter-rules: [quiet], block-allow-list: main}
";

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.write("task.yaml", TASK);
        place.write("a.yaml", SOURCE);
        place
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dm"));
        command.args(args).current_dir(self.path());
        for variable in ["DM_LOG", "DM_STATE_DIR", "DM_MASTER_ADDR"] {
            command.env_remove(variable);
        }
        command
    }

    fn dm(&self, args: &[&str]) -> Said {
        self.fed(args, "")
    }

    fn fed(&self, args: &[&str], input: &str) -> Said {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        let output = command.write_stdin(input).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said {
            status: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// A command on a terminal of its own, whose keys and whose screen the child has; `None` where there is
    /// no program that makes one.
    fn on_a_terminal(&self, args: &str) -> Option<Child> {
        let program = self.command(&[]).get_program().to_string_lossy().into_owned();
        let mut script = Command::new("script");
        script.args(["-qec", &format!("'{program}' {args} --state-dir dm-state"), "/dev/null"]);
        script.current_dir(self.path()).stdin(Stdio::piped());
        let child = script.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok();
        if child.is_none() {
            eprintln!("no program `script`: the terminal is left out");
        }
        child
    }

    /// A task that has run before, as its state file tells.
    fn with_state(&self) {
        use dm_core::event::{LaneId, SourceId};
        use dm_core::position::Position;
        use dm_core::state::{Checkpoint, LaneChanges, StateStore};
        let store = StateStore::open(&self.path().join("dm-state"), "shop").unwrap();
        store.set_started(None).unwrap();
        let source = SourceId::new("a");
        store.set_source_stage(&source, None, dm_core::state::Stage::Paused).unwrap();
        let error = dm_core::Error::new(&dm_core::error::codes::DB_DRIVER, "it broke");
        store.set_error(&source, Some(&error)).unwrap();
        let lane = LaneId::main(&source);
        let epoch = store.begin_run(&lane, 0).unwrap().epoch;
        let position = Position::at("mysql-bin.000003:154".parse().unwrap());
        let checkpoint = Checkpoint { ordinal: 7, position, epoch, event_at: 0 };
        store.save_checkpoint(&lane, &checkpoint, &LaneChanges::default()).unwrap();
    }
}

#[test]
fn no_command_is_wrong_usage_and_shows_help() {
    Place::new().dm(&[]).status(2).err(&["Usage: dm", "dm sample source"]);
    Place::new().dm(&["frobnicate"]).status(2).err(&["frobnicate"]);
    Place::new().dm(&["run"]).status(2).err(&["<TASK>"]);
    Place::new().dm(&["--version"]).status(0).out(&["dm 0.1.0"]);
}

#[test]
fn help_teaches_by_example() {
    for command in ["run", "validate", "explain", "checkpoint", "encrypt", "sample"] {
        Place::new()
            .dm(&[command, "--help"])
            .status(0)
            .out(&["Examples:", &format!("dm {command}")]);
    }
    Place::new().dm(&["run", "--help"]).out(&["Exit status: 0", "130"]);
}

#[test]
fn the_samples_validate() {
    let place = Place::new();
    for kind in ["task", "source"] {
        let sample = place.dm(&["sample", kind]).status(0);
        place.write(&format!("{kind}.yaml"), &sample.out);
    }
    let files = ["validate", "task.yaml", "--source", "source.yaml"];
    place.dm(&files).status(0).out(&["\"my-task\" is right", "0 warnings"]);
    place.dm(&["sample", "nothing"]).status(2).err(&["task", "source"]);
}

#[test]
fn validate_tells_all_problems_at_once_with_their_places() {
    let place = Place::new();
    place.dm(&["validate", "task.yaml", "-s", "a.yaml"]).status(0).out(&["\"shop\" is right"]);
    let wrong = TASK
        .replace("task-mode: all", "task-mode: al")
        .replace("route-rules: [merge]", "route-rules: [marge]")
        .replace("name: shop", "nome: shop");
    place.write("task.yaml", &wrong);
    let said = place.dm(&["validate", "task.yaml", "-s", "a.yaml"]).status(2);
    let parts = [
        "task.yaml:2:1",
        "unknown key `nome`",
        "task.yaml:3:12",
        "`marge` is not defined",
        "expected",
    ];
    let said = said.err(&parts);
    assert!(said.err.lines().count() >= 4, "{}", said.err);
    assert_eq!(said.out, "");
    place.dm(&["validate", "none.yaml"]).status(2).err(&["cannot read none.yaml"]);
}

#[test]
fn validate_warns_of_what_may_not_be_meant() {
    let place = Place::new();
    place.write("task.yaml", &TASK.replace("shop_?", "shop_[0-63]"));
    let said = place.dm(&["validate", "task.yaml", "-s", "a.yaml"]).status(0);
    said.out(&["warning: task.yaml:", "[0-63]"]);
}

#[test]
fn explain_says_what_becomes_of_a_table() {
    let place = Place::new();
    let explain =
        |table: &str| place.dm(&["explain", "task.yaml", "-s", "a.yaml", "--table", table]);
    explain("shop_1.t_9").status(0).out(&[
        "`shop_1`.`t_9` of source a",
        "target: `shop`.`t` (route `merge`)",
        "truncate table (`events` of filter `quiet`)",
    ]);
    explain("shop_1.log").status(0).out(&["copied: no", "ignore-tables"]);
    explain("mysql.user").status(0).out(&["system schemas"]);
    explain("shop").status(2).err(&["schema.table"]);
}

#[test]
fn explain_has_an_answer_for_programs() {
    let place = Place::new();
    let args = ["explain", "task.yaml", "-s", "a.yaml", "-t", "shop_1.t_1", "-t", "x.y", "--json"];
    let json = place.dm(&args).status(0).json();
    assert_eq!(json["task"], "shop");
    assert_eq!(json["tables"][0]["target"]["schema"], "shop");
    assert_eq!(json["tables"][1]["target"]["rule"], Value::Null);
}

#[test]
fn explain_without_servers_works_on_the_rules_and_says_so() {
    let place = Place::new();
    let offline = place.dm(&["explain", "task.yaml", "-s", "a.yaml", "--offline"]).status(0);
    offline.out(&["No source was asked", "routes `merge`: shop_?.t_* -> shop.t", "`shop_1`.`log`"]);
    // Nobody listens at the source's port.
    let away = place.dm(&["explain", "task.yaml", "-s", "a.yaml"]).status(0);
    away.out(&["source a cannot be asked", "[code=", "routes `merge`"]);
    let json = place.dm(&["explain", "task.yaml", "-s", "a.yaml", "--json"]).status(0).json();
    assert_eq!(json["unreachableSources"][0]["source"], "a");
}

#[test]
fn explain_fails_where_routes_contradict_each_other() {
    let place = Place::new();
    let more = "routes:\n  also: {schema-pattern: shop_1, table-pattern: '*', target-schema: x}\n";
    let task = TASK.replace("routes:\n", more).replace("[merge]", "[merge, also]");
    place.write("task.yaml", &task);
    let said = place.dm(&["explain", "task.yaml", "-s", "a.yaml", "-t", "shop_1.t_1"]).status(2);
    said.out(&["several routes claim it: merge, also"]);
}

#[test]
fn passwords_go_in_and_out() {
    let place = Place::new();
    place.write("key.hex", &"0123456789abcdef".repeat(4));
    for key in [&[][..], &["--secret-key-path", "key.hex"]] {
        let encrypt = [&["encrypt"], key].concat();
        let text = place.fed(&encrypt, "s3cret\n").status(0).out;
        assert!(!text.contains("s3cret"));
        let decrypt = [&["decrypt"], key].concat();
        assert_eq!(place.fed(&decrypt, &text).status(0).out, "s3cret\n");
    }
    place.fed(&["decrypt"], "no such text").status(2).err(&["[code=11050:", "Workaround: "]);
    // Encrypted under another key.
    let text = place.fed(&["encrypt", "--secret-key-path", "key.hex"], "s3cret").out;
    place.fed(&["decrypt"], &text).status(2).err(&["[code=20010:class=config"]);
    place.write("key.hex", "short");
    place.fed(&["encrypt", "--secret-key-path", "key.hex"], "x").status(2);
}

#[test]
fn codes_are_explained() {
    let place = Place::new();
    place.dm(&["explain-error", "10001"]).status(0).out(&["10001 db-driver", "What to do:"]);
    place.dm(&["explain-error", "db-driver"]).status(0).out(&["class database"]);
    place.dm(&["explain-error", "1062"]).status(0).out(&["waits for a person", "What to do:"]);
    place.dm(&["explain-error", "4"]).status(2).err(&["is no error code"]);
}

#[test]
fn completions_and_manual_pages_are_rendered() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        place.dm(&["completions", shell]).status(0).out(&["explain-error"]);
    }
    place.dm(&["man"]).status(0).out(&[".TH dm 1", "Exit status"]);
    place.dm(&["man", "run"]).status(0).out(&[".TH dm-run 1", "max\\-rows\\-per\\-second"]);
    place.dm(&["man", "walk"]).status(2).err(&["there is no command \"walk\""]);
}

#[test]
fn positions_are_shown_and_moved() {
    let place = Place::new();
    place.with_state();
    place.dm(&["checkpoint", "show", "shop"]).status(0).out(&["mysql-bin.000003, 154"]);
    let set = |position: &str| place.dm(&["checkpoint", "set", "shop", "--source", "a", position]);
    set("mysql-bin.000002:4").status(0).out(&["mysql-bin.000002, 4", "applied idempotently until"]);
    place.dm(&["checkpoint", "show", "shop"]).status(0).out(&["mysql-bin.000002, 4"]);
    set("nonsense").status(2).err(&["neither a position file:offset nor a GTID set"]);
    place.dm(&["checkpoint", "show", "other"]).status(1).err(&["[code="]);
}

#[test]
fn the_status_of_a_task_is_told_whether_it_runs_or_not() {
    let place = Place::new();
    let none = place.dm(&["query-status"]).status(0).json();
    assert_eq!(none["tasks"].as_array().map(Vec::len), Some(0));
    place.with_state();
    let json = place.dm(&["query-status", "shop"]).status(0).json();
    let task = &json["sources"][0]["subTaskStatus"][0];
    assert_eq!((&task["name"], &task["stage"]), (&"shop".into(), &"Paused".into()));
    assert_eq!(task["result"]["errors"][0]["ErrCode"], 10001);
    let short = place.dm(&["query-status"]).status(0).json();
    assert_eq!(short["tasks"][0]["taskName"], "shop");
    let status = short["tasks"][0]["taskStatus"].as_str().unwrap();
    assert!(status.contains("Please run `query-status shop` to get more details."), "{status}");
    let other = place.dm(&["query-status", "other"]).status(1).err(&["[code="]).json();
    assert_eq!(other["result"], false);
}

/// A picture where nothing can be drawn anew; on a terminal one after the other, until somebody types q.
#[test]
fn watch_draws_tasks() {
    let place = Place::new();
    place.dm(&["watch"]).status(0).out(&["no task in this state directory"]);
    place.with_state();
    place.dm(&["watch", "shop"]).status(0).out(&["shop", "source a", "it broke"]);
    let Some(mut child) = place.on_a_terminal("watch --interval 0.2") else { return };
    let mut shown = String::new();
    let mut screen = BufReader::new(child.stdout.take().unwrap());
    // Each picture begins with an empty screen.
    while shown.matches("\u{1b}[2J").count() < 3 {
        let read = screen.read_line(&mut shown).unwrap();
        assert!(read > 0, "it ended by itself: {shown}");
    }
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"q\n").unwrap();
    screen.read_to_string(&mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("q and Enter ends") && shown.contains("it broke"), "{shown}");
}

/// What a command that ends by itself shows on a terminal, and whether it went well.
fn shown(place: &Place, args: &str) -> Option<(bool, String)> {
    let mut child = place.on_a_terminal(args)?;
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// On a terminal, too, a source that is named is the only one that is shown.
#[test]
fn words_are_of_the_sources_that_are_named() {
    let place = Place::new();
    place.with_state();
    let shown = |args: &str| shown(&place, args);
    let Some((well, said)) = shown("query-status -s a") else { return };
    assert!(
        well && said.contains("task shop: Error") && said.contains("source a: Paused"),
        "{said}"
    );
    let (well, said) = shown("query-status -s a,nobody").unwrap();
    assert!(!well && said.contains("no source nobody is registered"), "{said}");
    let (well, said) = shown("query-status shop -s nobody").unwrap();
    assert!(!well && said.contains("[code=46034"), "{said}");
}

/// Every answer is in words for a person at a terminal, and DM's JSON when that is asked for.
#[test]
fn answers_on_a_terminal_are_words() {
    let place = Place::new();
    place.with_state();
    let source = "source-id: a\nfrom: {host: db, port: 3307, user: me, password: x}\n";
    let registry = dm_core::state::Registry::new(place.path().join("dm-state"));
    registry.create(&[("a".to_owned(), source.to_owned())].into()).unwrap();
    for (args, well, words) in [
        ("operate-source show", true, "source a: me@db:3307, task shop"),
        ("operate-source show nobody", false, "[code=46008"),
        ("get-config source a", true, "source-id: a"),
        ("handle-error shop list", true, "source a: ok: nothing is noted"),
        ("handle-error shop skip -b mysql-bin.000009:4", true, "source a: ok: skip at mysql-bin."),
        ("binlog list shop", true, "skip at mysql-bin.000009:4, not used yet"),
        (
            "operate-schema get shop -d d -t t",
            false,
            "operate-schema get, source a: not done: [code=44005",
        ),
        ("stop-relay -s a", false, "stop-relay, source a: not done: [code=40039"),
        ("purge-relay -s a -f b.000001", false, "purge-relay, source a: not done: [code=40039"),
        ("show-ddl-locks", true, "no DDL lock exists"),
        ("list-member", false, "there are no masters"),
    ] {
        let Some((ok, said)) = shown(&place, args) else { return };
        assert!(
            ok == well && said.contains(words) && !said.contains("\"result\""),
            "{args}: {said}"
        );
        let (ok, said) = shown(&place, &format!("{args} --json")).unwrap();
        assert!(ok == well && said.contains("\"result\": "), "{args}: {said}");
    }
}

/// What is removed is told, and nothing is removed before somebody has said yes.
#[test]
fn reset_asks() {
    let place = Place::new();
    place.with_state();
    let state = place.path().join("dm-state/shop.db");
    place.dm(&["reset", "shop"]).status(2).err(&["mysql-bin.000003, 154", "give --yes"]);
    for (answer, said) in [("no", "nothing was removed"), ("yes", "task shop: removed")] {
        assert!(state.exists(), "before {answer}");
        let Some(mut child) = place.on_a_terminal("reset shop") else { return };
        child.stdin.take().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), answer == "yes", "{shown}");
        for words in ["this removes of task shop", "the rows at the target stay", said] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
    }
    assert!(!state.exists());
}

/// What says how to reach a cluster is taken anywhere, and told with one line.
#[test]
fn flags_of_a_cluster_are_ignored_with_a_line() {
    let place = Place::new();
    let line = |said: &str| {
        said.lines().filter(|l| l.contains("ignored, there is no cluster to reach")).count()
    };
    let said = place.dm(&[
        "--master-addr",
        "127.0.0.1:8261",
        "query-status",
        "--rpc-timeout=1m",
        "--ssl-ca",
        "ca.pem",
        "--ssl-cert",
        "cert.pem",
        "--ssl-key=key.pem",
    ]);
    let said =
        said.status(0).err(&["--master-addr, --rpc-timeout, --ssl-ca, --ssl-cert, --ssl-key"]);
    assert_eq!((line(&said.err), &said.json()["result"]), (1, &Value::from(true)), "{}", said.err);
    let mut command = place.command(&["query-status"]);
    let output = command.env("DM_MASTER_ADDR", "127.0.0.1:8261").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && line(&err) == 1 && err.contains("DM_MASTER_ADDR"), "{err}");
}

#[test]
fn a_run_that_fails_says_why_on_both_outputs() {
    let place = Place::new();
    let said = place.dm(&["run", "task.yaml", "-s", "a.yaml", "--json"]).status(1);
    let said = said.err(&["[code=", "Workaround: "]);
    let events: Vec<Value> = said.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[0]["task"]), (&"start".into(), &"shop".into()));
    assert!(events.iter().any(|e| e["event"] == "status" && e["source"] == "a"));
    let last = events.last().unwrap();
    assert_eq!(last["event"], "error");
    assert!(last["ErrCode"].is_u64() && last["time"].is_f64());
}

#[test]
fn wrong_arguments_of_a_run_are_wrong_usage() {
    let place = Place::new();
    let run = |more: &[&str]| place.dm(&[&["run", "task.yaml", "-s", "a.yaml"], more].concat());
    run(&["--until", "tomorrow"]).status(2).err(&["--until \"tomorrow\""]);
    run(&["--max-rows-per-second", "0"]).status(2);
    run(&["--max-bytes-per-second", "much"]).status(2).err(&["such as 10MiB"]);
    place.dm(&["run", "task.yaml"]).status(2).err(&["no source has the id `a`"]);
}

/// A reader that has gone away is no failure, and above all no panic.
#[test]
fn a_closed_pipe_is_no_panic() {
    let place = Place::new();
    for args in [
        &["man"][..],
        &["completions", "bash"],
        &["sample", "task"],
        &["validate", "task.yaml", "-s", "a.yaml"],
        &["explain", "task.yaml", "-s", "a.yaml", "--offline"],
        &["run", "task.yaml", "-s", "a.yaml", "--json"],
    ] {
        let mut child = place
            .command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("panicked"), "{args:?}: {err}");
        assert_ne!(output.status.code(), Some(101), "{args:?}: {err}");
        assert_ne!(output.status.code(), None, "{args:?} was killed: {err}");
    }
}
