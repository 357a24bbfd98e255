//! A directory with a task, its sources and its state; the processes in it end with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::compare::Target;
use crate::support::dm::{Dm, Outcome, Process, Task, source_yaml};
use crate::support::server::{Flavor, Server};
use crate::support::wait;

pub const DB: &str = "op";
/// Long enough for any machine; what takes so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Place {
    pub dm: Dm,
    /// Another program to call than the one just built.
    program: Option<PathBuf>,
}

impl Place {
    /// A task `test` that migrates [`DB`] of each source to a MySQL target, sources registered.
    pub fn new(sources: &[&Server], target: &Server) -> Self {
        let place = Self::empty(sources, target, "all");
        let files: Vec<String> = (1..=sources.len()).map(|n| format!("source-{n}.yaml")).collect();
        let mut args = vec!["operate-source", "create"];
        args.extend(files.iter().map(String::as_str));
        place.json(&args);
        place
    }

    /// The same, and nothing is registered.
    pub fn empty(sources: &[&Server], target: &Server, mode: &str) -> Self {
        let addresses: Vec<_> = sources.iter().map(|s| &s.address).collect();
        let task = Task::new(mode, &addresses, Target::Server(&target.address), &[DB]);
        Self::of(&task)
    }

    /// A directory without files.
    pub fn nothing() -> Self {
        Self { dm: Dm::new(), program: None }
    }

    /// The files of a task.
    pub fn of(task: &Task<'_>) -> Self {
        let addresses = task.sources;
        let dm = Dm::new();
        dm.write("task.yaml", &task.yaml());
        for (at, source) in addresses.iter().enumerate() {
            let text = source_yaml(at + 1, source, false);
            dm.write(&format!("source-{}.yaml", at + 1), &text);
        }
        Self { dm, program: None }
    }

    /// Starts the task in the background and waits until it follows, the two rows of `t` copied.
    pub fn start(&self, to: &Server) {
        self.json(&["start-task", "task.yaml"]);
        wait_rows(to, "t", 2);
        self.wait_sync("source-1");
    }

    /// Calls the program by another name from now on.
    pub fn call_as(&mut self, name: &str) {
        let link = self.dm.path().join(name);
        let built = self.dm.command(&[]).get_program().to_owned();
        std::os::unix::fs::symlink(built, &link).unwrap();
        self.program = Some(link);
    }

    pub fn path(&self) -> &Path {
        self.dm.path()
    }

    /// A command in this directory with its state.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = match &self.program {
            None => self.dm.command(args),
            Some(program) => {
                let mut command = Command::new(program);
                command.args(args).current_dir(self.dm.path()).stdin(std::process::Stdio::null());
                command
            }
        };
        command.env("DM_STATE_DIR", self.dm.state());
        command
    }

    pub fn dm(&self, args: &[&str]) -> Outcome {
        Process::spawn(self.command(args)).wait(PATIENCE)
    }

    /// The answer of a command, whose exit status must tell its `result`.
    #[track_caller]
    pub fn answer(&self, args: &[&str]) -> Value {
        let outcome = self.dm(args);
        let json: Value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|e| panic!("{args:?}: {e}:\n{}{}", outcome.stdout, outcome.stderr));
        let code = outcome.status.code();
        assert_eq!(code == Some(0), json["result"] == true, "{args:?} {code:?}: {json:#}");
        json
    }

    /// The answer of a command that succeeds.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let json = self.answer(args);
        assert_eq!(json["result"], true, "{args:?}: {json:#}");
        json
    }

    /// The answer of a command that is refused; what it says of the whole and of its sources.
    #[track_caller]
    pub fn refused(&self, args: &[&str]) -> String {
        let json = self.answer(args);
        assert_eq!(json["result"], false, "{args:?}: {json:#}");
        let mut said = json["msg"].as_str().unwrap_or_default().to_owned();
        for source in json["sources"].as_array().into_iter().flatten() {
            said.push_str(source["msg"].as_str().unwrap_or_default());
        }
        assert!(!said.is_empty(), "{args:?}: {json:#}");
        said
    }

    /// The `subTaskStatus` of a source.
    #[track_caller]
    pub fn status(&self, source: &str) -> Value {
        let json = self.json(&["query-status", "test", "-s", source]);
        json["sources"][0]["subTaskStatus"][0].clone()
    }

    #[track_caller]
    pub fn stage(&self, source: &str) -> String {
        self.status(source)["stage"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a source is in a stage.
    #[track_caller]
    pub fn wait_stage(&self, source: &str, stage: &str) -> Value {
        let status = wait::poll(PATIENCE, || {
            let status = self.status(source);
            (status["stage"] == stage).then_some(status)
        });
        status.unwrap_or_else(|| {
            panic!("{source} is not {stage}: {:#}\n{}", self.status(source), self.log())
        })
    }

    /// Waits until a source follows the binlog.
    #[track_caller]
    pub fn wait_sync(&self, source: &str) {
        wait::until("it follows the binlog", PATIENCE, || {
            let status = self.status(source);
            status["unit"] == "Sync" && status["stage"] == "Running"
        });
    }

    /// The log of the task's processes.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dm.state().join("test.log")).unwrap_or_default()
    }

    /// The process that runs a task.
    pub fn owner(&self, task: &str) -> Option<u32> {
        let file = self.dm.state().join(format!("{task}.lock"));
        // The lock is the kernel's: a number in the file means nothing when nobody holds it.
        dm_core::state::StateStore::owner(&self.dm.state(), task).ok()??;
        let text = std::fs::read_to_string(file).ok()?;
        text.trim().strip_prefix("pid ")?.parse().ok()
    }

    /// SIGKILL to the process that runs a task, which must be there; waits for its end.
    #[track_caller]
    pub fn kill_owner(&self, task: &str) {
        let pid = self.owner(task).expect("a process runs the task").to_string();
        let killed = Command::new("kill").args(["-KILL", &pid]).status();
        assert!(killed.is_ok_and(|s| s.success()), "kill -KILL {pid}");
        wait::until("the process is gone", PATIENCE, || self.owner(task).is_none());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for task in dm_core::state::list_tasks(&self.dm.state()).unwrap_or_default() {
            if let Some(pid) = self.owner(&task) {
                // Ours: its number was read under the lock that it holds.
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        }
        for entry in std::fs::read_dir(self.dm.state()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(source) = name.strip_suffix(".relay") else { continue };
            let relay = dm_core::relay::find(&self.dm.state(), source);
            let puller = relay.ok().flatten().and_then(|dir| dir.puller().ok().flatten());
            if let Some(pid) = puller.as_deref().and_then(|who| who.strip_prefix("pid ")) {
                // Ours for the same reason.
                let _ = Command::new("kill").args(["-KILL", pid]).status();
            }
        }
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// A source with a table and some rows, and an empty target.
pub fn servers() -> Option<(&'static Server, &'static Server)> {
    let (from, to) = (Server::shared(Flavor::Mysql, "src")?, Server::target(Flavor::Mysql)?);
    from.clear();
    to.clear();
    fill(from, "t");
    Some((from, to))
}

pub fn fill(from: &Server, table: &str) {
    from.run("", &format!("CREATE DATABASE IF NOT EXISTS {DB}"));
    from.run(
        DB,
        &format!(
            "CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(20)); \
             INSERT INTO {table} VALUES (1, 'one'), (2, 'two')"
        ),
    );
}

/// Waits until the target has so many rows.
#[track_caller]
pub fn wait_rows(to: &Server, table: &str, rows: u64) {
    let query = format!("SELECT COUNT(*) FROM {DB}.{table}");
    wait::until(&format!("{table} has {rows} rows"), PATIENCE, || {
        use mysql::prelude::Queryable as _;
        let count: mysql::Result<Option<u64>> = to.conn().query_first(&query);
        matches!(count, Ok(Some(n)) if n == rows)
    });
}
