//! Relay logs of sources: where they are, the process in the background that keeps one, and how they stand.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dm_core::error::codes;
use dm_core::migration::{Reply, relay_config};
use dm_core::relay::{self, RelayConfig, RelayDir, RelayStatus};
use dm_core::state::{Registry, Stage, StateReader, list_tasks};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::launch;
use super::status::process_error;
use super::texts::{Text, Texts};
use crate::files::Failure;
use crate::logger;

/// Between two looks at what is wanted of the process.
const LOOK: Duration = Duration::from_millis(50);
/// How long a relay may take to do what a command wants.
const PATIENCE: Duration = Duration::from_secs(60);

/// A source as it is registered, or as a task of the state directory knows it.
pub fn texts(dir: &Path, source: &str, key: Option<&Path>) -> Result<Texts, Failure> {
    if let Some(registered) = Registry::new(dir).sources()?.remove(source) {
        let name = format!("registered source {source}");
        return Ok(Texts::of_source(Text { name, text: registered.text }, key));
    }
    for task in list_tasks(dir)? {
        let Ok(kept) = StateReader::open(dir, &task).and_then(|reader| reader.task()) else {
            continue;
        };
        let Ok(texts) = Texts::from_kept(&kept.config) else { continue };
        if let Some(one) = texts.only(source) {
            return Ok(one);
        }
    }
    let text = format!("no source {source} is registered, and no task has a part for it");
    Err(dm_core::Error::new(&codes::SOURCE_MISSING_OPERATE, text)
        .workaround("Register it with `dm operate-source create`.")
        .into())
}

/// What the relay log of a source needs to know.
pub fn config(dir: &Path, texts: &Texts) -> Result<RelayConfig, Failure> {
    let (plan, _) = texts.plan()?;
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let config = plan.sources.first().and_then(|source| relay_config(source, Some(&absolute)));
    config.ok_or_else(|| {
        Failure::Usage("the source is one of recorded files, which have no relay log".to_owned())
    })
}

/// The name that the process of a relay log logs under.
fn log_name(source: &str) -> String {
    format!("{source}.relay")
}

/// Starts a process that keeps the relay log of a source.
pub fn launch(dir: &Path, source: &str, texts: &Texts) -> Result<(), Failure> {
    let letter = json!({"relay": texts.to_kept()?}).to_string();
    let name = log_name(source);
    let mut child = launch::spawn(dir, &name, &letter)?;
    let reply = launch::first_word(dir, &name, &mut child)?;
    match reply.refused.as_str() {
        "" => Ok(()),
        refused => Err(Failure::Usage(refused.to_owned())),
    }
}

/// What a letter says about a relay log, when it is about one.
pub fn in_letter(letter: &str) -> Option<String> {
    let letter: Value = serde_json::from_str(letter).ok()?;
    letter.get("relay")?.as_str().map(str::to_owned)
}

/// Keeps a relay log until it is stopped by a command or a signal.
pub fn own(dir: &Path, kept: &str) -> Result<ExitCode, Failure> {
    logger::with_time();
    let begun = Texts::from_kept(kept).and_then(|texts| {
        std::env::set_current_dir(texts.cwd())
            .map_err(|e| Failure::Usage(format!("cannot go to {}: {e}", texts.cwd().display())))?;
        Ok(config(dir, &texts)?.keep()?)
    });
    let keeper = match begun {
        Ok(keeper) => keeper,
        Err(failure) => {
            launch::say(&Reply::refuse(failure.to_string()));
            return Err(failure);
        }
    };
    let ended = watch_signals()?;
    launch::say(&Reply::default());
    log::info!("a relay log is kept by process {}", std::process::id());
    while !ended.load(Ordering::Relaxed) && !keeper.is_stopped() {
        std::thread::sleep(LOOK);
    }
    drop(keeper);
    Ok(ExitCode::SUCCESS)
}

fn watch_signals() -> Result<Arc<AtomicBool>, Failure> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|e| Failure::Usage(format!("cannot watch signals: {e}")))?;
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // The terminal that started it may close.
            if signal != SIGHUP {
                flag.store(true, Ordering::Relaxed);
            }
        }
    });
    Ok(ended)
}

/// Waits until a relay log stands as a command wants it; what keeps it from that otherwise.
pub fn wait_for(dir: &RelayDir, stage: Stage) -> Result<Option<String>, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pulled = dir.puller()?.is_some();
        let status = dir.status()?.unwrap_or_default();
        let reached = match stage {
            Stage::Stopped => !pulled,
            _ => pulled && status.stage == stage.as_str(),
        };
        if reached && (stage != Stage::Running || !status.relay_binlog.is_empty()) {
            return Ok(None);
        }
        if let Some(error) = status.error.filter(|_| pulled && stage == Stage::Running) {
            return Ok(Some(format!("{} {}", error.message, error.workaround)));
        }
        if Instant::now() >= deadline {
            return Ok(Some(format!("it is not {stage} yet: ask query-status")));
        }
        std::thread::sleep(LOOK);
    }
}

/// How a relay log stands for those who ask.
#[derive(Clone, Debug)]
pub struct View {
    status: RelayStatus,
    /// `Running`, `Paused` or `Stopped`.
    pub stage: String,
}

impl View {
    /// The relay log of a source; `None` when it has none, or it was stopped by a command.
    pub fn read(state_dir: &Path, source: &str) -> Option<Self> {
        let dir = relay::find(state_dir, source).ok().flatten()?;
        if dir.wanted().ok().flatten().is_some_and(|wanted| wanted.stage == Stage::Stopped) {
            return None;
        }
        let status = dir.status().ok().flatten()?;
        let pulled = dir.puller().ok().flatten().is_some();
        let stage = if pulled { status.stage.clone() } else { Stage::Stopped.to_string() };
        Some(Self { status, stage })
    }

    /// True while files are kept.
    pub fn runs(&self) -> bool {
        self.stage == Stage::Running.as_str()
    }

    /// DM's word for a task whose relay does not run.
    pub fn trouble(&self) -> Option<&str> {
        match self.runs() {
            true => None,
            false if self.status.error.is_some() => Some("Error"),
            false => Some(&self.stage),
        }
    }

    /// DM's `RelayStatus`.
    pub fn json(&self) -> Value {
        let s = &self.status;
        let errors: Vec<Value> = s.error.iter().map(process_error).collect();
        let result = match self.runs() {
            true => Value::Null,
            false => json!({"isCanceled": errors.is_empty(), "errors": errors, "detail": null}),
        };
        json!({
            "masterBinlog": s.master_binlog,
            "masterBinlogGtid": s.master_binlog_gtid,
            "relaySubDir": s.relay_sub_dir,
            "relayBinlog": s.relay_binlog,
            "relayBinlogGtid": s.relay_binlog_gtid,
            "relayCatchUpMaster": s.relay_catch_up_master,
            "stage": self.stage,
            "result": result,
        })
    }

    /// The same as DM's OpenAPI has it.
    pub fn open_api(&self) -> Value {
        let s = &self.status;
        json!({
            "master_binlog": s.master_binlog,
            "master_binlog_gtid": s.master_binlog_gtid,
            "relay_dir": s.relay_sub_dir,
            "relay_binlog_gtid": s.relay_binlog_gtid,
            "relay_catch_up_master": s.relay_catch_up_master,
            "stage": self.stage,
        })
    }

    /// What it stopped at, empty while all is well.
    pub fn error_text(&self) -> &str {
        self.status.error.as_ref().map(|e| e.message.as_str()).unwrap_or_default()
    }

    /// One line for people.
    pub fn words(&self) -> String {
        let s = &self.status;
        let up = if s.relay_catch_up_master { ", caught up" } else { "" };
        let mut text =
            format!("    relay log: {}, {} {}{up}", self.stage, s.relay_sub_dir, s.relay_binlog);
        if let Some(error) = &s.error {
            text.push_str(&format!(
                "\n    relay error {}: {} {}",
                error.code, error.message, error.workaround
            ));
        }
        text
    }
}
