//! The threads that keep a relay log: one pulls (`pull`), two look after everything else (`attend`).
//!
//! Guarantee: at most one process writes a relay log; whoever stops, is killed or loses its server leaves files
//! that the next one goes on with. Method: a kernel lock is held as long as something is written; a keeper
//! that does not get it waits, and takes over when it is free. Every attempt opens the files anew, which cuts
//! off what is not whole ([`super::recover`]); an attempt that fails is made again after a wait that grows
//! to a minute, or at once when somebody asks for it.

mod attend;
mod pull;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::attend::{ask_end, attend};
use self::pull::pull;
use super::RelayConfig;
use super::desk::Wanted;
use super::layout::{RelayDir, SubDir};
use super::meters::Meters;
use crate::error::{Error, Result, codes};
use crate::position::{BinlogPos, GtidSet, Position};
use crate::state::Stage;

/// Between two looks at what is wanted.
const LOOK: Duration = Duration::from_millis(100);
/// How long the end of a keeper is waited for: a server that does not answer is left behind.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// What the threads of a keeper and the readers of this process share.
#[derive(Debug)]
pub(super) struct Shared {
    pub config: RelayConfig,
    pub dir: RelayDir,
    inner: Mutex<Inner>,
    meters: Meters,
    changed: Condvar,
    stop: AtomicBool,
    /// Counts what readers can see.
    grown: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    /// What is wanted.
    wanted: Option<Wanted>,
    /// This process pulls.
    pulls: bool,
    /// What the last attempt failed with.
    error: Option<Error>,
    /// Another attempt is to be made at once.
    kicked: bool,
    /// Where the files end.
    end: Option<BinlogPos>,
    /// The part that is written, and what is whole in it.
    progress: Option<(SubDir, GtidSet)>,
    /// The status is written next: what is whole is to be told. A set may be large, and is not copied
    /// for each group.
    due: bool,
    /// Where the server's binlog ended when it was asked last.
    master: Option<Position>,
    /// What the last purge did.
    purged: String,
    /// The status could not be written.
    unwritten: bool,
    /// What the task of this process needs, and has not written down.
    hint: Option<Position>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stage that is wanted: what a command said last, else what the source file says.
    pub fn wanted(&self) -> Stage {
        let file = if self.config.plan.enabled { Stage::Running } else { Stage::Stopped };
        match self.dir.wanted() {
            Ok(wanted) => wanted.map_or(file, |wanted| wanted.stage),
            Err(error) => {
                log::warn!("{error}");
                file
            }
        }
    }

    /// True when something is there to read.
    pub fn has_begun(&self) -> bool {
        let inner = self.lock();
        inner.progress.is_some() || (!inner.pulls && matches!(self.dir.puller(), Ok(Some(_))))
    }

    /// An error that this process's puller has stopped at, and that does not pass by itself.
    pub fn failure_here(&self) -> Option<Error> {
        self.lock().error.clone().filter(|error| !error.is_transient())
    }

    /// The same; of another process's puller what its status says.
    pub fn failure(&self) -> Option<Error> {
        if self.lock().pulls {
            return self.failure_here();
        }
        // Without a process that pulls, what was written last is of before.
        self.dir.puller().ok().flatten()?;
        let status = self.dir.status().ok().flatten()?;
        let error = status.error.filter(|_| !status.resumable && status.stage == "Paused")?;
        let text = format!("the relay log of this source has stopped: {}", error.message);
        Some(Error::new(&codes::RELAY_READ, text).workaround(error.workaround))
    }

    /// Makes a puller that waits try again at once.
    pub fn kick(&self) {
        let mut inner = self.lock();
        inner.kicked = true;
        // Of before; the attempt that follows has its own.
        inner.error = None;
        drop(inner);
        self.changed.notify_all();
    }

    /// Waits until readers can see more than they did at `seen`, at most so long; what they see then.
    pub fn wait_grown(&self, seen: u64, patience: Duration) -> u64 {
        let inner = self.lock();
        if self.grown.load(Ordering::Acquire) == seen {
            drop(self.changed.wait_timeout(inner, patience));
        }
        self.grown.load(Ordering::Acquire)
    }

    pub fn seen(&self) -> u64 {
        self.grown.load(Ordering::Acquire)
    }

    fn grow(&self) {
        self.grown.fetch_add(1, Ordering::Release);
        // Taken, so that nobody who has just looked misses it.
        drop(self.lock());
        self.changed.notify_all();
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn pause(&self, patience: Duration) {
        let inner = self.lock();
        if !self.is_over() {
            drop(self.changed.wait_timeout(inner, patience));
        }
    }

    /// True as long as pulling is wanted.
    fn goes_on(&self) -> bool {
        !self.is_over() && self.stage() == Stage::Running
    }

    fn stage(&self) -> Stage {
        let enabled = self.config.plan.enabled;
        let file = if enabled { Stage::Running } else { Stage::Stopped };
        self.lock().wanted.as_ref().map_or(file, |wanted| wanted.stage)
    }
}

/// Keeps a relay log as long as it lives.
#[derive(Debug)]
pub struct Keeper {
    pub(super) shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the threads. `hint` is a position that is needed and that no state file holds yet.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give.
    pub(super) fn start(config: RelayConfig, hint: Option<Position>) -> Result<Self> {
        let dir = super::begin::directory(&config);
        let wanted = dir.wanted()?;
        let shared = Arc::new(Shared {
            dir,
            inner: Mutex::new(Inner { wanted, hint, ..Inner::default() }),
            meters: Meters::default(),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            grown: AtomicU64::new(0),
            config,
        });
        let mut this = Self { shared, threads: Vec::new() };
        // A failure ends those that were started.
        this.spawn("dm-relay", pull)?;
        this.spawn("dm-relay-desk", attend)?;
        this.spawn("dm-relay-end", ask_end)?;
        // Nobody waits for the one that asks a server.
        this.threads.truncate(2);
        Ok(this)
    }

    fn spawn(&mut self, name: &str, work: fn(&Shared)) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let source = shared.config.source.clone();
                crate::whose::of(&source, || work(&shared));
            })
            .map_err(|e| Error::new(&codes::SYNC_PANIC, "a thread could not start").cause(e))?;
        self.threads.push(thread);
        Ok(())
    }

    /// True when a command has said that the relay is to stop.
    pub fn is_stopped(&self) -> bool {
        self.shared.stage() == Stage::Stopped && !self.shared.lock().pulls
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
        let deadline = Instant::now() + END_PATIENCE;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                self.shared.changed.notify_all();
                std::thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}
