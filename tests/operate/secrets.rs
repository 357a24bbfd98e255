//! No password is anywhere but in the files that were given: a search of everything that a whole life
//! of a task leaves behind or shows, and who may read it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::place::{DB, PATIENCE, Place, servers, wait_rows};
use crate::support::compare::Target;
use crate::support::dm::{Process, Task};
use crate::support::server::{Address, Flavor, Server};
use crate::support::{http, serial};

/// Words of nothing else.
const SOURCE: &str = "Zq7-of-the-source-Kx2";
const TARGET: &str = "Yw4-of-the-target-Rb9";

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The arguments of every process that can be seen.
fn command_lines() -> Vec<Vec<u8>> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok()).collect()
}

fn holds(text: &[u8]) -> Option<&'static str> {
    let found = |word: &&str| text.windows(word.len()).any(|w| w == word.as_bytes());
    [SOURCE, TARGET].into_iter().find(found)
}

#[track_caller]
fn clean(what: &str, text: &[u8]) {
    assert_eq!(holds(text), None, "{what} holds a password");
}

/// The same server as a user of its own.
fn user(server: &Server, name: &str, password: &str) -> Address {
    server.run(
        "",
        &format!(
            "DROP USER IF EXISTS {name}; CREATE USER {name} IDENTIFIED BY '{password}'; \
             GRANT ALL ON *.* TO {name}"
        ),
    );
    let (name, password) = (name.to_owned(), password.to_owned());
    Address { user: name, password, ..server.address.clone() }
}

/// Runs a command, whatever becomes of it, and looks at what it says.
fn quiet(place: &Place, args: &[&str]) {
    let outcome = place.dm(args);
    clean(&format!("{args:?}"), outcome.stdout.as_bytes());
    clean(&format!("{args:?}"), outcome.stderr.as_bytes());
    for line in command_lines() {
        clean("a command line", &line);
    }
}

#[test]
fn no_password_is_told_or_kept_in_clear() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let (source, target) = (user(from, "secret_from", SOURCE), user(to, "secret_to", TARGET));
    let sources = [&source];
    let place = Place::of(&Task::new("all", &sources, Target::Server(&target), &[DB]));
    let given: Vec<PathBuf> = ["task.yaml", "source-1.yaml"].map(|f| place.path().join(f)).to_vec();
    assert!(given.iter().any(|f| holds(&std::fs::read(f).unwrap()).is_some()), "the test is blind");

    let trace = ["--log-level", "trace"];
    for args in [
        &["validate", "task.yaml", "--source", "source-1.yaml"][..],
        &["check-task", "task.yaml", "--source", "source-1.yaml"],
        &["explain", "task.yaml", "--source", "source-1.yaml"],
        &["operate-source", "create", "source-1.yaml"],
        &["operate-source", "show"],
        &["start-task", "task.yaml"],
    ] {
        quiet(&place, &[&trace[..], args].concat());
    }
    wait_rows(to, "t", 2);
    for args in [
        &["query-status"][..],
        &["query-status", "test", "--more"],
        &["get-config", "task", "test"],
        &["get-config", "source", "source-1"],
        &["config", "export", "--dir", "exported"],
        &["pause-task", "test"],
        &["resume-task", "test"],
        &["history", "test"],
        &["checkpoint", "show", "test"],
    ] {
        quiet(&place, args);
    }
    // A process that keeps a relay log, and its files.
    for args in [
        &["start-relay", "-s", "source-1"][..],
        &["query-status", "-s", "source-1"],
        &["stop-relay", "-s", "source-1"],
    ] {
        quiet(&place, args);
    }
    // The HTTP interface of a run that logs everything.
    quiet(&place, &["stop-task", "test"]);
    let args = ["run", "task.yaml", "--http", "127.0.0.1:0", "--log-level", "trace"];
    let run = Process::spawn(place.command(&args));
    let site = http::place_of(&run);
    place.wait_sync("source-1");
    for path in [
        "/",
        "/status",
        "/metrics",
        "/health",
        "/api/v1/tasks",
        "/api/v1/sources?with_status=true",
        "/api/v1/tasks/test/status",
    ] {
        clean(path, http::get(&site, path).as_bytes());
    }
    for line in command_lines() {
        clean("a command line", &line);
    }
    run.interrupt();
    let ended = run.wait(PATIENCE);
    clean("a run", format!("{}{}", ended.stdout, ended.stderr).as_bytes());
    quiet(&place, &["start-task", "task.yaml"]);
    place.wait_sync("source-1");
    // Errors: a statement that the target refuses, a password that is no longer right.
    to.run(DB, "DROP TABLE t");
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    place.wait_stage("source-1", "Paused");
    quiet(&place, &["query-status", "test"]);
    quiet(&place, &["stop-task", "test"]);
    from.run("", "ALTER USER secret_from IDENTIFIED BY 'another'");
    quiet(&place, &["start-task", "task.yaml"]);
    quiet(&place, &["run", "task.yaml", "--source", "source-1.yaml", "--state-dir", "second"]);
    quiet(&place, &["stop-task", "test"]);

    let mut left = Vec::new();
    files(place.path(), &mut left);
    left.retain(|f| !given.contains(f));
    assert!(left.len() > 3, "{left:?}");
    for file in left {
        // A process that ends at this moment takes its own files along.
        let Ok(text) = std::fs::read(&file) else { continue };
        clean(&file.display().to_string(), &text);
        let Ok(about) = std::fs::metadata(&file) else { continue };
        let mode = about.permissions().mode() & 0o777;
        if file.starts_with(place.dm.state()) {
            assert_eq!(mode, 0o600, "{}", file.display());
        }
    }
    let state = std::fs::metadata(place.dm.state()).unwrap();
    assert_eq!(state.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_state_directory_that_others_can_write_is_refused() {
    let nowhere = Address {
        host: "127.0.0.1".to_owned(),
        port: 1,
        user: "none".to_owned(),
        password: String::new(),
        flavor: Flavor::Mysql,
    };
    let sources = [&nowhere];
    let place = Place::of(&Task::new("full", &sources, Target::Sqlite(Path::new("x.db")), &[DB]));
    let state = place.dm.state();
    std::fs::create_dir(&state).unwrap();
    for (mode, who, advice) in
        [(0o777, "everybody", "chmod go-w"), (0o770, "its group", "chmod g-w")]
    {
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(mode)).unwrap();
        for args in [
            &["run", "task.yaml", "--source", "source-1.yaml"][..],
            &["start-task", "task.yaml", "--source-file", "source-1.yaml"],
        ] {
            let outcome = place.dm(args);
            let said = format!("{}{}", outcome.stdout, outcome.stderr);
            let refused = !outcome.status.success() && said.contains("[code=24");
            assert!(refused && said.contains(who) && said.contains(advice), "{args:?}: {said}");
        }
    }
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0, "something was put there");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
}
