//! The threads that keep a relay log: one pulls, one looks after everything else.
//!
//! Guarantee: at most one process writes a relay log; whoever stops, is killed or loses its server leaves files
//! that the next one goes on with. Method: a kernel lock is held as long as something is written; a keeper
//! that does not get it waits, and takes over when it is free. Every attempt opens the files anew, which cuts
//! off what is not whole ([`super::recover`]); an attempt that fails is made again after a wait that grows
//! to a minute, or at once when somebody asks for it.
//!
//! The second thread never waits for a server: it obeys commands, writes the status, and removes old files.
//! A third one asks the server where its binlog ends; nobody waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::begin::begin;
use super::desk::{RelayStatus, Wanted};
use super::layout::{RelayDir, SubDir};
use super::meters::Meters;
use super::writer::{Taken, Writer};
use super::{RelayConfig, purge};
use crate::error::{Error, Result, codes};
use crate::meter::Sampler;
use crate::position::{BinlogPos, GtidSet, Position};
use crate::source::mysql::BinlogServer;
use crate::state::{Stage, StoredError};

/// Between two looks at what is wanted.
const LOOK: Duration = Duration::from_millis(100);
/// Between two writes of the status.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// Between two questions to the server.
const ASK: Duration = Duration::from_secs(5);
/// First and longest wait before another attempt.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// An attempt that lasted longer makes the next wait short again.
const LASTED: Duration = Duration::from_secs(60);
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

/// The thread that pulls.
fn pull(shared: &Shared) {
    let mut wait = WAIT_MIN;
    while !shared.is_over() {
        if shared.stage() == Stage::Stopped {
            shared.pause(LOOK);
            continue;
        }
        let lock = match shared.dir.lock() {
            Ok(Some(lock)) => lock,
            // Another process pulls; this one takes over when that ends.
            Ok(None) => {
                shared.pause(5 * LOOK);
                continue;
            }
            Err(error) => {
                failed(shared, &error);
                shared.pause(wait);
                continue;
            }
        };
        shared.lock().pulls = true;
        while !shared.is_over() && shared.stage() != Stage::Stopped {
            if shared.stage() == Stage::Paused {
                shared.pause(LOOK);
                continue;
            }
            let began = Instant::now();
            shared.lock().kicked = false;
            match attempt(shared) {
                Ok(()) => shared.lock().error = None,
                Err(error) => {
                    if began.elapsed() >= LASTED {
                        wait = WAIT_MIN;
                    }
                    failed(shared, &error);
                    wait_again(shared, wait);
                    wait = (wait * 2).min(WAIT_MAX);
                }
            }
        }
        // Written while the lock is held: afterwards the status is another one's to write.
        write_status(shared);
        shared.lock().pulls = false;
        drop(lock);
    }
}

fn failed(shared: &Shared, error: &Error) {
    log::warn!("relay of source {}: {error}", shared.config.source);
    shared.meters.failed(error);
    shared.lock().error = Some(error.clone());
    shared.changed.notify_all();
}

fn wait_again(shared: &Shared, wait: Duration) {
    let deadline = Instant::now() + wait;
    while shared.goes_on() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || shared.lock().kicked {
            return;
        }
        shared.pause(left);
    }
}

/// Pulls until something else is wanted, or it fails.
fn attempt(shared: &Shared) -> Result<()> {
    let config = &shared.config;
    let mut server = BinlogServer::open(&config.conn)?;
    let hint = shared.lock().hint.clone();
    let begun = begin(config, &shared.dir, &mut server, hint.as_ref())?;
    let (mut writer, from) = (begun.writer, begun.from);
    note_progress(shared, &writer);
    let mut binlog = server.dump(&from, config.server_id)?;
    let early = binlog.begins_early();
    drop(server);
    writer.reconnect()?;
    let mut passed = super::writer::FIRST;
    let mut sampler = Sampler::default();
    while shared.goes_on() {
        let weight = sampler.next();
        let asked = (weight > 0).then(Instant::now);
        let event = binlog.next()?;
        if early && skips(event, &from, &mut passed) {
            continue;
        }
        let came = asked.map(|asked| (asked.elapsed(), Instant::now()));
        // Behind it what is told of the last groups would stay as it is until the next one.
        let idle = is_heartbeat(event);
        let taken = writer.event(event)?;
        if let Some((waited, began)) = came {
            shared.meters.event(event.len(), waited, began.elapsed(), taken, weight);
        }
        if taken == Taken::Written || idle || shared.lock().error.is_some() {
            note_progress(shared, &writer);
        }
    }
    let (sub, done, end) = (writer.sub().clone(), writer.done().clone(), writer.whole());
    writer.close()?;
    let mut inner = shared.lock();
    (inner.end, inner.progress) = (end, Some((sub, done)));
    drop(inner);
    shared.grow();
    Ok(())
}

/// The protocol has 32 bits for an offset: a file in which more is here already is read from its start,
/// and what is here is passed over.
fn skips(event: &[u8], from: &BinlogPos, passed: &mut u64) -> bool {
    use crate::binlog::{EventHeader, EventType};
    let Ok(header) = EventHeader::parse(event) else { return false };
    let describes = matches!(
        header.event_type,
        EventType::ROTATE
            | EventType::FORMAT_DESCRIPTION
            | EventType::HEARTBEAT
            | EventType::HEARTBEAT_V2
    );
    if *passed >= from.offset {
        return false;
    }
    *passed = header.end_offset(*passed).unwrap_or(*passed);
    !describes && *passed <= from.offset
}

/// What a server says each second that it has nothing to say in.
fn is_heartbeat(event: &[u8]) -> bool {
    use crate::binlog::{EventHeader, EventType};
    EventHeader::parse(event).is_ok_and(|header| {
        matches!(header.event_type, EventType::HEARTBEAT | EventType::HEARTBEAT_V2)
    })
}

fn note_progress(shared: &Shared, writer: &Writer) {
    let mut inner = shared.lock();
    inner.error = None;
    inner.end = writer.end();
    if inner.due || inner.progress.is_none() {
        inner.due = false;
        inner.progress = Some((writer.sub().clone(), writer.done().clone()));
    }
    drop(inner);
    shared.grow();
}

/// The thread that looks after everything else.
fn attend(shared: &Shared) {
    let mut written: Option<Instant> = None;
    let mut purged = Instant::now();
    let mut told = false;
    while !shared.is_over() {
        match shared.dir.wanted() {
            Ok(wanted) => {
                told = false;
                obey(shared, wanted);
            }
            Err(error) if !told => {
                told = true;
                log::warn!("{error}");
            }
            Err(_) => {}
        }
        if shared.lock().pulls {
            if written.is_none_or(|at| at.elapsed() >= STATUS_INTERVAL) {
                write_status(shared);
                written = Some(Instant::now());
            }
            if purged.elapsed() >= shared.config.plan.purge.interval {
                purged = Instant::now();
                let done = purge::by_rules(&shared.config, &shared.dir);
                let said = done.unwrap_or_else(|error| error.to_string());
                if !said.is_empty() {
                    log::info!("relay of source {}: {said}", shared.config.source);
                    shared.lock().purged = said;
                }
            }
        }
        // Not the condition: it is signalled with every group.
        std::thread::sleep(LOOK);
    }
}

fn obey(shared: &Shared, wanted: Option<Wanted>) {
    let mut inner = shared.lock();
    if inner.wanted == wanted {
        return;
    }
    inner.wanted = wanted;
    inner.kicked = true;
    inner.error = None;
    drop(inner);
    shared.changed.notify_all();
}

/// The thread that asks where the server's binlog ends.
fn ask_end(shared: &Shared) {
    let mut asked: Option<Instant> = None;
    while !shared.is_over() {
        let due = asked.is_none_or(|at| at.elapsed() >= ASK);
        if due && shared.lock().pulls {
            asked = Some(Instant::now());
            let end = BinlogServer::open(&shared.config.conn).and_then(|mut server| server.end());
            shared.lock().master = end.ok();
        }
        std::thread::sleep(LOOK);
    }
}

fn write_status(shared: &Shared) {
    let status = status(shared);
    shared.lock().due = true;
    let written = shared.dir.set_status(&status);
    let told = std::mem::replace(&mut shared.lock().unwritten, written.is_err());
    if let Err(error) = written
        && !told
    {
        log::warn!("the status of the relay is not written: {error}");
    }
}

fn status(shared: &Shared) -> RelayStatus {
    let stage = match shared.stage() {
        _ if shared.is_over() => Stage::Stopped,
        stage => stage,
    };
    let inner = shared.lock();
    let master = inner.master.clone().unwrap_or_default();
    let text = |set: Option<&GtidSet>| set.map(GtidSet::to_string).unwrap_or_default();
    let place = |pos: Option<&BinlogPos>| pos.map(BinlogPos::to_string).unwrap_or_default();
    let (sub, done) = inner.progress.clone().unzip();
    let error = inner.error.clone().filter(|_| stage == Stage::Running);
    let caught_up = match (&inner.end, &master.binlog) {
        (Some(here), Some(there)) => here >= there,
        _ => false,
    };
    RelayStatus {
        source: shared.config.source.clone(),
        master_binlog: place(master.binlog.as_ref()),
        master_binlog_gtid: text(master.gtid.as_ref()),
        relay_sub_dir: sub.as_ref().map(SubDir::to_string).unwrap_or_default(),
        relay_binlog: place(inner.end.as_ref()),
        relay_binlog_gtid: text(done.as_ref()),
        relay_catch_up_master: caught_up,
        stage: if error.is_some() { Stage::Paused } else { stage }.as_str().to_owned(),
        resumable: error.as_ref().is_some_and(Error::is_transient),
        error: error.as_ref().map(StoredError::of),
        purged: inner.purged.clone(),
        meters: shared.meters.told(),
    }
}
