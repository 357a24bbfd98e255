//! The process in the background that runs a task.
//!
//! It is this program again, in a process group of its own, so that neither Ctrl-C nor the end of
//! the terminal reaches it. What to do comes through its standard input (a command line can be
//! read by everybody), what it says goes to the task's log file, and one line on its standard output
//! tells the command that started it how it began. It ends when all sources are finished or stopped.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use dm_core::config::{ScriptTarget, TargetPlan};
use dm_core::error::codes;
use dm_core::migration::{Reply, Safety, Verb};
use dm_core::state::{Stage, log_file, open_log};
use dm_core::{Control, Error, Migration};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::relay;
use super::texts::Texts;
use crate::files::Failure;
use crate::{http, logger, out};

/// How long a task may take until its sources work or say why they do not.
const BEGIN_PATIENCE: Duration = Duration::from_secs(60);
/// A process whose sources have been stopped, and which a server keeps from ending, ends itself: the
/// marks at the target make that safe.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// What a process in the background is to do.
pub struct Launch<'a> {
    pub texts: &'a Texts,
    /// The task's name.
    pub task: &'a str,
    /// The stage that each source begins in; those that are not named run.
    pub stages: Vec<(String, Stage)>,
    /// How what is met first is applied, after a resume.
    pub resume: Option<Safety>,
    /// Where following begins when there is no position yet: a second of the epoch.
    pub start_time: Option<u32>,
    /// The command names the HTTP interface that the texts have: where it cannot be served, nothing begins.
    /// One that was kept from an earlier start is worth less than the task, which then goes on without it.
    pub http_wanted: bool,
}

impl Launch<'_> {
    /// Starts the process and waits until its sources work or say why they do not.
    pub fn start(&self, dir: &Path) -> Result<Reply, Failure> {
        let mut child = spawn(dir, self.task, &self.letter()?)?;
        first_word(dir, self.task, &mut child)
    }

    fn letter(&self) -> Result<String, Failure> {
        let stages: Vec<Value> = self.stages.iter().map(|(s, stage)| json!([s, stage])).collect();
        let resume = self
            .resume
            .clone()
            .map(|safety| dm_core::migration::Command::to_all(Verb::Resume(safety)).args());
        let letter = json!({
            "kept": self.texts.to_kept()?, "stages": stages, "resume": resume,
            "startTime": self.start_time, "httpWanted": self.http_wanted,
        });
        Ok(letter.to_string())
    }
}

/// Starts this program again in the background, with a letter on its standard input; it logs under the
/// name.
pub(super) fn spawn(dir: &Path, name: &str, letter: &str) -> Result<Child, Failure> {
    let log = open_log(dir, name)?;
    let cannot = |e: std::io::Error| failed(dir, name, &e.to_string());
    let program = std::env::current_exe().map_err(cannot)?;
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let mut command = Command::new(program);
    command
        .arg("owner")
        .arg("--state-dir")
        .arg(&dir)
        .arg("--log-level")
        .arg(log::max_level().max(log::LevelFilter::Info).to_string())
        .args(logger::handed_on(&log_file(&dir, name)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that has ended already says so in its first word.
        let _ = stdin.write_all(letter.as_bytes());
    }
    Ok(child)
}

/// What the process says of how it began.
pub(super) fn first_word(dir: &Path, name: &str, child: &mut Child) -> Result<Reply, Failure> {
    let Some(stdout) = child.stdout.take() else {
        return Err(failed(dir, name, "it has no output"));
    };
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Whoever waited may have given up.
        let _ = tell.send(read.map(|_| line));
    });
    let patience = BEGIN_PATIENCE + Duration::from_secs(10);
    match told.recv_timeout(patience) {
        Ok(Ok(line)) if !line.is_empty() => {
            let word: Value =
                serde_json::from_str(&line).map_err(|e| failed(dir, name, &e.to_string()))?;
            if let Some(text) = word.get("told").and_then(Value::as_str) {
                out::tell(text);
            }
            Ok(Reply::from_json(&word))
        }
        Ok(_) => {
            let status = child.wait().map(|s| s.to_string()).unwrap_or_default();
            Err(failed(dir, name, &format!("it ended at once ({status})")))
        }
        Err(_) => Err(failed(dir, name, "it has not said how it began")),
    }
}

fn failed(dir: &Path, task: &str, why: &str) -> Failure {
    let log = log_file(dir, task);
    Error::new(
        &codes::OWNER_FAILED,
        format!("the process for {task:?} did not come up, its log is {}", log.display()),
    )
    .cause(why)
    .into()
}

/// `dm owner`: runs the task that standard input describes.
pub fn own(dir: &Path) -> Result<ExitCode, Failure> {
    logger::with_time();
    let mut letter = String::new();
    std::io::stdin()
        .read_to_string(&mut letter)
        .map_err(|e| Failure::Usage(format!("cannot read standard input: {e}")))?;
    if let Some(kept) = relay::in_letter(&letter) {
        return relay::own(dir, &kept);
    }
    match prepare(dir, &letter) {
        Ok(prepared) => run(&prepared),
        Err(failure) => {
            say(&Reply::refuse(failure.to_string()));
            Err(failure)
        }
    }
}

/// A migration that is about to run.
struct Prepared {
    migration: Migration,
    /// Ends with the run.
    _http: Option<http::Server>,
    /// What the person who started it is told of the HTTP interface.
    told: Option<String>,
}

impl Prepared {
    fn of(
        migration: Migration,
        texts: &Texts,
        dir: &Path,
        http_wanted: bool,
    ) -> Result<Self, Failure> {
        let raw = texts.task.raw().unwrap_or_default();
        match http::serve(&texts.http, &migration, &raw, dir) {
            Ok(server) => {
                let told = server.as_ref().map(http::Server::words);
                told.iter().for_each(|words| log::info!("{words}"));
                Ok(Self { migration, _http: server, told })
            }
            Err(failure) if http_wanted => Err(failure),
            Err(failure) => {
                let told = format!("the task goes on without its HTTP interface: {failure}");
                log::warn!("{told}");
                Ok(Self { migration, _http: None, told: Some(format!("warning: {told}")) })
            }
        }
    }
}

fn prepare(dir: &Path, letter: &str) -> Result<Prepared, Failure> {
    let unreadable = || {
        Failure::Usage(
            "this command belongs to start-task and resume-task, which start it with a task on \
             its standard input"
                .to_owned(),
        )
    };
    let letter: Value = serde_json::from_str(letter).map_err(|_| unreadable())?;
    let kept = letter.get("kept").and_then(Value::as_str).ok_or_else(unreadable)?;
    let texts = Texts::from_kept(kept)?;
    // Relative paths in the files mean the same as at the first start.
    std::env::set_current_dir(texts.cwd())
        .map_err(|e| Failure::Usage(format!("cannot go to {}: {e}", texts.cwd().display())))?;
    let (plan, warnings) = texts.plan()?;
    for warning in warnings {
        log::warn!("{warning}");
    }
    if matches!(plan.target, TargetPlan::Script(ScriptTarget::Stdout)) {
        return Err(Failure::Usage(
            "a task in the background has no standard output: give `script` a file, or use \
             `dm run`"
                .to_owned(),
        ));
    }
    let stages: Vec<(String, Stage)> = letter
        .get("stages")
        .cloned()
        .and_then(|stages| serde_json::from_value(stages).ok())
        .ok_or_else(unreadable)?;
    let mut builder = Migration::builder(plan).state_dir(dir).stays(true).keep_config(kept);
    if let Some(args) = letter.get("resume").filter(|args| !args.is_null())
        && let Verb::Resume(safety) =
            dm_core::migration::Command::from_letter("resume-task", args)?.verb
    {
        builder = builder.resume(safety);
    }
    let second = letter.get("startTime").and_then(Value::as_u64);
    if let Some(second) = second.and_then(|s| u32::try_from(s).ok()) {
        builder = builder.start_time(second);
    }
    for (source, stage) in stages {
        builder = builder.begin_as(source, stage);
    }
    let wanted = letter.get("httpWanted").and_then(Value::as_bool).unwrap_or_default();
    Prepared::of(builder.build(), &texts, dir, wanted)
}

fn run(prepared: &Prepared) -> Result<ExitCode, Failure> {
    let Prepared { migration, told, .. } = prepared;
    let control = migration.control();
    watch_signals(&control)?;
    let (reporter, words) = (control.clone(), told.clone());
    std::thread::spawn(move || {
        // Of a run that ended before, its end is told.
        if let Some(reply) = reporter.wait_begun(BEGIN_PATIENCE) {
            say_with(&reply, words.as_deref());
        }
    });
    let ending = control.clone();
    std::thread::spawn(move || end_in_time(&ending));
    logger::of_task(&migration.plan().name);
    log::info!("task {:?} begins, process {}", migration.plan().name, std::process::id());
    match migration.run() {
        Ok(outcome) => {
            say_with(&control.wait_begun(Duration::ZERO).unwrap_or_default(), told.as_deref());
            log::info!("task {:?} ends: {outcome:?}", migration.plan().name);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say(&Reply::refuse(error.to_string()));
            Err(Failure::Task(error))
        }
    }
}

/// The one line to whoever started this process; only the first one counts.
pub(super) fn say(reply: &Reply) {
    say_with(reply, None);
}

/// The same with a sentence for the person there.
fn say_with(reply: &Reply, told: Option<&str>) {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        let mut out = std::io::stdout().lock();
        // The command may have been ended meanwhile; the task goes on.
        let mut word = reply.to_json();
        if let (Some(told), Some(fields)) = (told, word.as_object_mut()) {
            fields.insert("told".to_owned(), told.into());
        }
        let _ = writeln!(out, "{word}").and_then(|()| out.flush());
    });
}

fn watch_signals(control: &Control) -> Result<(), Failure> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|e| Failure::Usage(format!("cannot watch signals: {e}")))?;
    let control = control.clone();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // The terminal that started the task may close.
            if signal != SIGHUP {
                log::info!("stops on signal {signal}");
                control.stop();
            }
        }
    });
    Ok(())
}

/// Ends the process when it was to end and a server does not let it.
fn end_in_time(control: &Control) {
    let mut since: Option<Instant> = None;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        since = if control.is_ending() { since.or_else(|| Some(Instant::now())) } else { None };
        if since.is_some_and(|at| at.elapsed() >= END_PATIENCE) {
            log::warn!("a server keeps the process from ending; it ends at once, nothing is lost");
            std::process::exit(0);
        }
    }
}
