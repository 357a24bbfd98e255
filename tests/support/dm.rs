//! The `dm` process: a directory with its files, runs with captured output, kills and deadlines.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::compare::Target;
use super::server::{Address, Server};
use super::wait;

/// After so long a run is killed and the test fails.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// A directory with task file, source files and state, and the commands that use it. Kept for
/// inspection when the test fails.
#[derive(Debug)]
pub struct Dm {
    dir: Option<tempfile::TempDir>,
    path: PathBuf,
    sources: Vec<String>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The process's status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it said of its progress and errors.
    pub stderr: String,
}

impl Outcome {
    /// Panics when the run failed.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(
            self.status.success(),
            "dm failed ({}):\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics when the run went well, died of a signal or a panic, or did not say each text.
    #[track_caller]
    pub fn expect_failure(self, texts: &[&str]) -> Self {
        assert!(!self.status.success(), "dm should have failed:\n{}{}", self.stdout, self.stderr);
        let died = self.status.code().is_none() || self.stderr.contains("panicked at");
        assert!(!died, "dm did not fail in order ({}):\n{}", self.status, self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "the error lacks {text:?}:\n{}", self.stderr);
        }
        self
    }

    /// As [`Outcome::expect_failure`] with a code in DM's format; also that it says what to do.
    #[track_caller]
    pub fn expect_code(self, code: u32) -> Self {
        let outcome = self.expect_failure(&[&format!("[code={code}:class=")]);
        assert!(outcome.stderr.contains("Workaround:"), "no advice:\n{}", outcome.stderr);
        outcome
    }
}

impl Default for Dm {
    fn default() -> Self {
        Self::new()
    }
}

impl Dm {
    /// An empty directory.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("dm-test-").tempdir().expect("a directory");
        Self { path: dir.path().to_owned(), dir: Some(dir), sources: Vec::new() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state directory that the runs use.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Writes a file.
    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path.join(file), text).expect("a file in our own directory");
    }

    /// Adds a source file of this text.
    pub fn add_source(&mut self, file: &str, text: &str) {
        self.write(file, text);
        self.sources.push(file.to_owned());
    }

    /// The files of the quick start, which need no server.
    pub fn quickstart() -> Self {
        let fixtures = super::workspace().join("fixtures/quickstart");
        let read = |name: &str| std::fs::read_to_string(fixtures.join(name)).expect("a fixture");
        let mut dm = Self::new();
        dm.write("task.yaml", &read("task.yaml"));
        let root = format!("{}/fixtures/", super::workspace().display());
        for name in ["source-1.yaml", "source-2.yaml"] {
            dm.add_source(name, &read(name).replace("fixtures/", &root));
        }
        dm
    }

    /// Writes task and source files of a [`Task`].
    pub fn set_up(task: &Task<'_>) -> Self {
        let mut dm = Self::new();
        dm.write("task.yaml", &task.yaml());
        for (at, source) in task.sources.iter().enumerate() {
            dm.add_source(
                &format!("source-{}.yaml", at + 1),
                &source_yaml(at + 1, source, task.gtid),
            );
        }
        dm
    }

    /// A command of `dm` in this directory: the one just built, or the one that `DM_TEST_BINARY` names.
    pub fn command(&self, args: &[&str]) -> Command {
        let built = || env!("CARGO_BIN_EXE_dm").to_owned();
        let mut command = Command::new(std::env::var("DM_TEST_BINARY").unwrap_or_else(|_| built()));
        command.args(args).current_dir(&self.path).stdin(Stdio::null());
        command
    }

    /// The arguments of `dm run` for these files.
    pub fn run_args(&self, more: &[&str]) -> Vec<String> {
        let mut args = vec!["run".to_owned(), "task.yaml".to_owned()];
        for source in &self.sources {
            args.extend(["--source".to_owned(), source.clone()]);
        }
        args.extend(["--state-dir".to_owned(), "state".to_owned()]);
        args.extend(more.iter().map(|&a| a.to_owned()));
        args
    }

    /// `dm run ... --until caught-up`, to its end.
    pub fn catch_up(&self) -> Outcome {
        self.run(&["--until", "caught-up"])
    }

    /// `dm run` with more arguments, to its end.
    pub fn run(&self, more: &[&str]) -> Outcome {
        self.start(more).wait(DEADLINE)
    }

    /// `dm run` with more arguments, in the background.
    pub fn start(&self, more: &[&str]) -> Process {
        let args = self.run_args(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Process::spawn(self.command(&args))
    }

    /// Another command of `dm`, to its end.
    pub fn other(&self, args: &[&str]) -> Outcome {
        Process::spawn(self.command(args)).wait(DEADLINE)
    }
}

impl Drop for Dm {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("the files of the failed run are in {}", dir.keep().display());
        }
    }
}

/// A running `dm`; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// A statement waits for a table: for [`Process::until_seen_at`].
pub const WAITS_FOR_TABLE: &str = "state LIKE '%metadata lock%'";
/// A writer waits until its predecessor has ended.
pub const WAITS_FOR_FENCE: &str = "info LIKE 'SELECT GET_LOCK(%'";

impl Process {
    /// Starts a command with both outputs captured.
    pub fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("dm starts");
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("stdout"), &stdout),
            collect(child.stderr.take().expect("stderr"), &stderr),
        ];
        Self { child, stdout, stderr, readers }
    }

    /// What it has said so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// True as long as it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    /// Panics with what it said when it has ended.
    pub fn must_run(&mut self) {
        assert!(self.is_running(), "dm ended by itself:\n{}", self.stderr());
    }

    /// Waits until this running process, or what a killed one left behind, is seen at a server
    /// with a statement that the condition over the process list describes.
    pub fn until_seen_at(&mut self, server: &Server, condition: &str) {
        // Not innodb_trx: asked often, it shows what it showed before.
        let asked = format!(
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE id <> CONNECTION_ID() AND ({condition})"
        );
        wait::until(&format!("the server shows {condition}"), DEADLINE, || {
            self.must_run();
            server.value::<u64>(&asked) > 0
        });
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGINT, as Ctrl-C sends it.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// A signal by its name without SIG.
    pub fn signal(&self, name: &str) {
        let (id, flag) = (self.child.id().to_string(), format!("-{name}"));
        let status = Command::new("kill").args([&flag, &id]).status();
        assert!(status.is_ok_and(|s| s.success()), "kill {flag} {id}");
    }

    /// Peak resident memory so far, in KiB.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// As [`Process::wait`]; gives also the peak resident memory in KiB.
    pub fn wait_measuring(mut self, deadline: Duration) -> (Outcome, u64) {
        let mut peak = 0;
        let ended = wait::poll(deadline, || {
            peak = self.peak_memory_kib().map_or(peak, |now| now.max(peak));
            (!self.is_running()).then_some(())
        });
        assert!(ended.is_some(), "dm did not end in {} s:\n{}", deadline.as_secs(), self.stderr());
        (self.wait(deadline), peak)
    }

    /// Waits for the end; kills it and panics after the deadline.
    pub fn wait(mut self, deadline: Duration) -> Outcome {
        let status = wait::poll(deadline, || self.child.try_wait().expect("our child"));
        let Some(status) = status else {
            self.kill();
            panic!("dm did not end in {} s:\n{}", deadline.as_secs(), self.stderr());
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Outcome { status, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn collect(mut from: impl Read + Send + 'static, into: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut block = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut block) {
            let text = String::from_utf8_lossy(&block[..count]);
            into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    })
}

/// A task file in a few words.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// `name`.
    pub name: &'a str,
    /// `task-mode`.
    pub mode: &'a str,
    /// The sources, `source-1` and so on.
    pub sources: &'a [&'a Address],
    /// Where to.
    pub target: Target<'a>,
    /// The databases of `do-dbs`.
    pub databases: &'a [&'a str],
    /// `enable-gtid` of the sources.
    pub gtid: bool,
    /// More lines of each entry of `mysql-instances`, indented by four.
    pub instance: &'a str,
    /// More lines at the top level.
    pub more: &'a str,
}

impl<'a> Task<'a> {
    /// A task that migrates these databases.
    pub fn new(
        mode: &'a str,
        sources: &'a [&'a Address],
        target: Target<'a>,
        databases: &'a [&'a str],
    ) -> Self {
        Self { name: "test", mode, sources, target, databases, gtid: false, instance: "", more: "" }
    }

    /// The text of the task file.
    pub fn yaml(&self) -> String {
        let mut text = format!(
            "name: {}\ntask-mode: {}\ntarget-database: {}\nmysql-instances:\n",
            self.name,
            self.mode,
            target_yaml(self.target)
        );
        for at in 1..=self.sources.len() {
            text += &format!(
                "  - source-id: source-{at}\n    block-allow-list: these\n{}",
                self.instance
            );
        }
        let databases: Vec<String> = self.databases.iter().map(|d| quoted(d)).collect();
        text += &format!(
            "block-allow-list:\n  these:\n    do-dbs: [{}]\n{}",
            databases.join(", "),
            self.more
        );
        text
    }
}

/// The text of a source file.
pub fn source_yaml(number: usize, source: &Address, gtid: bool) -> String {
    format!("source-id: source-{number}\nenable-gtid: {gtid}\nfrom: {}\n", login(source))
}

/// The value of `target-database`, on one line.
pub fn target_yaml(target: Target<'_>) -> String {
    match target {
        Target::Server(address) => login(address),
        Target::Sqlite(file) => {
            format!("{{sqlite: {}}}", quoted(&file.to_string_lossy()))
        }
    }
}

fn login(address: &Address) -> String {
    format!(
        "{{host: {}, port: {}, user: {}, password: {}}}",
        quoted(&address.host),
        address.port,
        quoted(&address.user),
        quoted(&address.password)
    )
}

/// A YAML scalar that means exactly this text.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
