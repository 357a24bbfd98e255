//! The disk that holds the state is full. A small file system of its own stands in for it, which
//! takes the right to mount one; without it the tests are left out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

#[path = "operate/place.rs"]
#[allow(dead_code)] // what other tests of tasks in the background use
mod place;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use place::{DB, Place, servers, wait_rows};
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Task};
use support::{leave_out, serial, wait};

/// What a stop may take in any state.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A file system of a few MiB; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one in the place of a directory.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=12m,mode=700", "dm-test"]).arg(at);
        let output = command.output().ok().filter(|o| o.status.success());
        if output.is_none() {
            leave_out("a full disk", "a file system of its own cannot be mounted here");
        }
        output.map(|_| Self(at.to_owned()))
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let block = [b'x'; 4096];
        while file.write_all(&block).is_ok() {}
    }

    /// Gives it back.
    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while a killed process still lets go of its files.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A run in the foreground ends with what is wrong; what had arrived is neither lost nor doubled.
#[test]
fn a_run_ends_when_its_state_has_no_room() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    from.run(DB, "CREATE TABLE loose (v INT); INSERT INTO loose VALUES (1), (1)");
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    let Some(disk) = SmallDisk::mount(&dm.state()) else { return };
    dm.catch_up().expect_success();
    let process = dm.start(&[]);
    from.run(DB, "INSERT INTO loose VALUES (2), (2)");
    wait_rows(to, "loose", 4);
    disk.fill();
    from.run(DB, "INSERT INTO loose VALUES (3), (3)");
    let ended = process.wait(DEADLINE).expect_code(24_108);
    assert!(ended.stderr.contains("the disk is full"), "{}", ended.stderr);
    // What has been said last can still be read, and a start says the same.
    let state = dm.state().display().to_string();
    let status = dm.other(&["query-status", "test", "--state-dir", &state]);
    assert!(status.stdout.contains("source-1"), "{}{}", status.stdout, status.stderr);
    from.run(DB, "INSERT INTO loose VALUES (4), (4)");
    dm.catch_up().expect_code(24_108);
    disk.free();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// A task in the background is paused, answers, and goes on by itself when there is room again.
#[test]
fn a_task_waits_for_room_and_answers_meanwhile() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    from.run(DB, "CREATE TABLE loose (v INT)");
    let sources = [&from.address];
    let place = Place::of(&Task::new("all", &sources, Target::Server(to), &[DB]));
    let Some(disk) = SmallDisk::mount(&place.dm.state()) else { return };
    place.json(&["operate-source", "create", "source-1.yaml"]);
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    disk.fill();
    from.run(DB, "INSERT INTO loose VALUES (1), (1)");
    let status = place.wait_stage("source-1", "Paused");
    let error = &status["result"]["errors"][0];
    assert_eq!(error["ErrCode"], 24_108, "{status:#}");
    assert!(error["Workaround"].as_str().unwrap().contains("free space"), "{error:#}");
    disk.free();
    from.run(DB, "INSERT INTO loose VALUES (2), (2)");
    place.wait_stage("source-1", "Running");
    wait_rows(to, "loose", 4);
    disk.fill();
    from.run(DB, "INSERT INTO loose VALUES (3), (3)");
    place.wait_stage("source-1", "Paused");
    let asked = Instant::now();
    place.json(&["stop-task", "test"]);
    wait::until("the process has ended", DEADLINE, || place.owner("test").is_none());
    assert!(asked.elapsed() < wait::promised(STOP_LIMIT), "a stop took {:?}", asked.elapsed());
    disk.free();
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "loose", 6);
    place.wait_stage("source-1", "Running");
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
    drop(place);
}
