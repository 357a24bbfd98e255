//! Scripts of dmctl (`fixtures/dmctl/*.sh`), run as they stand; and what they leave behind.

use std::process::Command;

use crate::place::{DB, PATIENCE, Place, fill, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::dm::Process;
use crate::support::server::{Flavor, Server};
use crate::support::{serial, wait, workspace};

/// A password that is found wherever it is written.
const PASSWORD: &str = "s3cr3t-in-no-file";

struct Script {
    place: Place,
}

impl Script {
    fn new(sources: &[&Server], to: &Server) -> Self {
        let mut place = Place::empty(sources, to, "all");
        place.call_as("dmctl");
        std::fs::create_dir(place.path().join("conf")).unwrap();
        let mut task = String::from("name: testdm\ntask-mode: all\ntarget-database:\n");
        task += &login(to, "  ");
        task += "mysql-instances:\n";
        for (at, source) in sources.iter().enumerate() {
            let id = format!("mysql-0{}", at + 1);
            let text = format!("source-id: {id}\nfrom:\n{}", login(source, "  "));
            place.dm.write(&format!("conf/source{}.yaml", at + 1), &text);
            task += &format!("  - source-id: \"{id}\"\n    block-allow-list: \"bw\"\n");
        }
        task += &format!("block-allow-list:\n  bw: {{do-dbs: [\"{DB}\"]}}\n");
        place.dm.write("testdm-task.yaml", &task);
        Self { place }
    }

    fn run(&self, script: &str) {
        run_script(&self.place, script, &[("PASSWORD", PASSWORD)]);
    }
}

/// Runs a script of `fixtures/dmctl` in a place whose program is called by its name there.
pub fn run_script(place: &Place, script: &str, variables: &[(&str, &str)]) {
    let file = workspace().join("fixtures/dmctl").join(script);
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command
        .args(["-eux"])
        .arg(file)
        .current_dir(place.path())
        .env("PATH", format!("{}:{path}", place.path().display()))
        .env("DM_STATE_DIR", place.dm.state())
        .envs(variables.iter().copied());
    let outcome = Process::spawn(command).wait(crate::place::PATIENCE);
    assert!(outcome.status.success(), "{}{}", outcome.stdout, outcome.stderr);
}

fn login(server: &Server, indent: &str) -> String {
    let address = &server.address;
    format!(
        "{indent}host: \"{}\"\n{indent}port: {}\n{indent}user: \"{USER}\"\n{indent}password: \"PASSWORD\"\n",
        address.host, address.port
    )
}

const USER: &str = "operator";

/// An account whose password can be searched for.
fn account(server: &Server) {
    let create = format!(
        "CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}'; \
         GRANT ALL ON *.* TO {USER}@'%'"
    );
    server.run("", &create);
}

/// Every file of a place but those that the user wrote, and what the processes show of themselves.
fn assert_no_password(place: &Place) {
    let mut dirs = vec![place.dm.state(), place.path().join("configs")];
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let text = std::fs::read(&path).unwrap();
            let found = text.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes());
            assert!(!found, "the password stands in {}", path.display());
        }
    }
    let Some(pid) = place.owner("testdm") else { panic!("nobody runs the task") };
    let shown = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!shown.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()));
}

#[test]
fn the_quick_start() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    account(from);
    account(to);
    let script = Script::new(&[from], to);
    script.run("quick-start.sh");
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    assert_no_password(&script.place);
    script.place.json(&["stop-task", "testdm"]);
}

#[test]
fn several_sources() {
    let _one = serial();
    let Some((first, to)) = servers() else { return };
    let Some(second) = Server::shared(Flavor::Mariadb, "src") else { return };
    second.clear();
    fill(second, "u");
    for server in [first, second, to] {
        account(server);
    }
    let script = Script::new(&[first, second], to);
    script.run("several-sources.sh");
    first.run(DB, "INSERT INTO t VALUES (3, 'three')");
    second.run(DB, "INSERT INTO u VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    wait_rows(to, "u", 3);
    assert_no_password(&script.place);
    script.place.json(&["stop-task", "testdm"]);
}

#[test]
fn export_and_import() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    account(from);
    account(to);
    let script = Script::new(&[from], to);
    script.run("config.sh");
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    assert_no_password(&script.place);
    script.place.json(&["stop-task", "testdm"]);
}

#[test]
fn sources_are_registered_together_or_not_at_all() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::empty(&[from], to, "all");
    place.dm.write("wrong.yaml", "source-id: wrong\nfrom: {host: 127.0.0.1, port: 1, user: x}\n");
    let said = place.refused(&["operate-source", "create", "source-1.yaml", "wrong.yaml"]);
    assert!(said.contains("[code=10001"), "{said}");
    place.dm.write("wrong.yaml", "source-id: wrong\nform: {host: h}\n");
    let said = place.refused(&["operate-source", "create", "source-1.yaml", "wrong.yaml"]);
    assert!(said.contains("wrong.yaml:2"), "{said}");
    assert_eq!(place.json(&["operate-source", "show"])["sources"], serde_json::json!([]));
    place.json(&["operate-source", "create", "source-1.yaml"]);
    let said = place.refused(&["operate-source", "create", "source-1.yaml"]);
    assert!(said.contains("46007"), "{said}");
    place.json(&["operate-source", "update", "source-1.yaml"]);
    assert!(place.refused(&["operate-source", "show", "-s", "nobody"]).contains("46008"));
    // Registered sources need not be given to run, validate and explain.
    place.dm(&["validate", "task.yaml"]).expect_success();
    place.dm(&["run", "task.yaml", "--until", "caught-up"]).expect_success();
    wait_rows(to, "t", 2);
    assert!(place.refused(&["operate-source", "stop", "source-1"]).contains("46010"));
    place.json(&["stop-task", "test"]);
    place.json(&["operate-source", "stop", "source-1"]);
    place.dm(&["validate", "task.yaml"]).expect_failure(&["source-1"]);
}

/// A start time takes the place of a position.
#[test]
fn a_start_by_time() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::empty(&[from], to, "incremental");
    place.json(&["operate-source", "create", "source-1.yaml"]);
    to.run("", &format!("CREATE DATABASE {DB}"));
    to.run(DB, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))");
    // The clock has to move on between what is left out and what is taken in.
    let clock = || from.value::<String>("SELECT CAST(UTC_TIMESTAMP() AS CHAR)");
    let before = clock();
    let now = wait::poll(PATIENCE, || Some(clock()).filter(|now| *now > before));
    let now = now.expect("the clock of the source goes on");
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    assert!(place.dm(&["start-task", "task.yaml", "--start-time", "now"]).stderr.contains("now"));
    place.json(&["start-task", "task.yaml", "--start-time", &now]);
    wait_rows(to, "t", 1);
    place.json(&["stop-task", "test"]);
}
