//! Watching and steering a running migration.
//!
//! Guarantee: a command is answered at any time, and a source does what was wanted of it last.
//! Obstacle: the sources' threads wait for servers (a lock, a long ALTER, a network that swallows
//! packets). Method: a command only notes what is wanted and raises the flag of the source's present
//! attempt; it never waits for a server. Each attempt has a flag of its own, so that a thread that
//! was left behind by an earlier one never takes itself for the present one. What is wanted
//! (*desired*) and what is (*actual*) are two columns of the state file; only the desired one is
//! written here, only the actual one by the source's thread.

mod starting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::addition;
use super::command::{Answer, Checked, Command, Reply, Safety, Verb};
use super::lot::{Doing, Lot};
use super::refusal;
use super::status::{SourceStatus, TaskStatus, Unit};
use crate::config::TaskPlan;
use crate::event::SourceId;
use crate::pipeline::{Meters, covers};
use crate::position::Position;
use crate::state::{Stage, StateStore};
use crate::whose;

/// A handle to a migration; clones share it.
///
/// It may be asked before, during and after a run, from any thread, and never waits for a server.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    status: TaskStatus,
    phase: Phase,
    /// The run as a whole was asked to stop.
    stopping: bool,
    /// Of the present run or the next one. Each has a flag of its own: a thread that outlives its
    /// run must not find it taken back.
    stop: Arc<AtomicBool>,
    lots: Vec<Lot>,
    /// Where wishes are written down; only while it runs, as it holds the owner's lock.
    state: Option<Arc<StateStore>>,
    /// What the checks before the present run said.
    checked: Checked,
}

/// Where the migration is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not run yet.
    New,
    Running,
    Ended,
}

/// How [`Control::wait_for`] came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// Everything up to the position is in the target.
    Reached,
    /// The run ended before it got there.
    Ended,
    /// Patience ran out first.
    TimedOut,
}

/// What the thread of a source does next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// An attempt; after a resume with what was said about it.
    Attempt(Option<Safety>),
    /// Nothing more in this run.
    End,
}

/// A command that was taken in and is being carried out.
pub(super) struct Pending {
    verb: Verb,
    /// The sources that it waits for.
    waits: Vec<usize>,
    /// What is known already.
    reply: Reply,
}

impl Control {
    pub(super) fn new(
        plan: &TaskPlan,
        desired: impl Fn(&str) -> Stage,
        resume: Option<&Safety>,
    ) -> Self {
        let sources = || plan.sources.iter().filter(|s| s.enabled);
        let lot = |source| Lot { resume: resume.cloned(), ..Lot::new(desired(source)) };
        let lots = sources().map(|s| lot(&s.source_id)).collect();
        let sources = sources().map(|s| SourceStatus::new(&s.source_id)).collect();
        let status = TaskStatus { task: plan.name.clone(), sources };
        let inner = Inner {
            status,
            phase: Phase::New,
            stopping: false,
            lots,
            state: None,
            stop: Arc::default(),
            checked: Checked::default(),
        };
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner), changed: Condvar::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the whole migration to stop at the next safe point. Returns at once; `run` returns when
    /// it has stopped. Asked before a run, that run stops as soon as it begins. What is wanted of
    /// the sources stays as it is: this ends the process's part, [`Verb::Stop`] the task's.
    pub fn stop(&self) {
        let mut inner = self.lock();
        inner.stop_all();
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// True when nothing is wanted any more: it was asked to stop, or every source was.
    pub fn is_ending(&self) -> bool {
        self.lock().is_ending()
    }

    /// How every source stands.
    pub fn status(&self) -> TaskStatus {
        self.lock().status.clone()
    }

    /// Waits until everything that `source` wrote up to `position` is in the target, but no longer
    /// than `patience`. Before the migration runs it waits for the run to begin.
    ///
    /// What arrived is known when the position is saved, so the answer may come up to a second
    /// late. A source that is not part of the migration is never waited for: that is
    /// [`Waited::Ended`].
    pub fn wait_for(&self, source: &str, position: &Position, patience: Duration) -> Waited {
        let deadline = Instant::now().checked_add(patience);
        let mut inner = self.lock();
        loop {
            let Some(status) = inner.status.sources.iter().find(|s| s.source == source) else {
                return Waited::Ended;
            };
            if covers(&status.position, position) {
                return Waited::Reached;
            }
            if inner.phase == Phase::Ended {
                return Waited::Ended;
            }
            let left = match deadline {
                None => patience,
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return Waited::TimedOut;
            }
            inner = self.wait(inner, left);
        }
    }

    /// Carries out a command and waits until it is done, but no longer than `patience`.
    ///
    /// Before and after a run only what is wanted of the sources changes, which the next run obeys.
    pub fn command(&self, command: &Command, patience: Duration) -> Reply {
        let pending = self.begin_command(command);
        let deadline = Instant::now().checked_add(patience);
        let mut inner = self.lock();
        loop {
            let told = if inner.phase == Phase::New { None } else { inner.answer(&pending, false) };
            if let Some(reply) = told {
                return reply;
            }
            let left = deadline.map_or(patience, |d| d.saturating_duration_since(Instant::now()));
            if inner.phase != Phase::Running {
                return inner.noted(&pending);
            }
            if left.is_zero() {
                return inner.answer(&pending, true).unwrap_or_default();
            }
            inner = self.wait(inner, left);
        }
    }

    /// Waits until every source that is wanted to run works or says why it does not, but no longer
    /// than `patience`; before a run it waits for the run to begin. `None` when the run ended before.
    pub fn wait_begun(&self, patience: Duration) -> Option<Reply> {
        let deadline = Instant::now().checked_add(patience);
        let mut inner = self.lock();
        loop {
            let lots = inner.lots.iter().enumerate();
            let waits = lots.filter(|(_, l)| l.desired == Stage::Running).map(|(at, _)| at);
            let pending =
                Pending { verb: Verb::Start, waits: waits.collect(), reply: Reply::default() };
            let left = deadline.map_or(patience, |d| d.saturating_duration_since(Instant::now()));
            match (inner.phase, inner.answer(&pending, left.is_zero())) {
                (Phase::Ended, reply) => return reply,
                (Phase::Running, Some(reply)) => {
                    return Some(Reply { checked: inner.checked.clone(), ..reply });
                }
                (Phase::New, _) if left.is_zero() => return None,
                _ => inner = self.wait(inner, left),
            }
        }
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, patience: Duration) -> MutexGuard<'a, Inner> {
        match self.shared.changed.wait_timeout(inner, patience) {
            Ok((inner, _)) => inner,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    /// Notes what a command wants. Never waits.
    pub(super) fn begin_command(&self, command: &Command) -> Pending {
        let mut inner = self.lock();
        let pending = match inner.write_down(command) {
            Ok(()) => inner.take_in(command),
            Err(why) => {
                let reply = Reply::refuse(why);
                Pending { verb: command.verb.clone(), waits: Vec::new(), reply }
            }
        };
        let written = match &inner.state {
            Some(state) => inner.write_desired(&Arc::clone(state), &pending.waits),
            None => Ok(()),
        };
        if let Err(error) = written {
            log::warn!("what is wanted of the task is not written down: {error}");
        }
        drop(inner);
        self.shared.changed.notify_all();
        pending
    }

    /// The answer to a command when it is done; with `last` in any case.
    pub(super) fn answer(&self, pending: &Pending, last: bool) -> Option<Reply> {
        self.lock().answer(pending, last)
    }

    /// Waits until something has changed, at most so long.
    pub(super) fn wait_changed(&self, patience: Duration) {
        drop(self.wait(self.lock(), patience));
    }

    /// Keeps what the checks before the run said, for whoever started it.
    pub(super) fn checked(&self, checked: Checked) {
        self.lock().checked = checked;
    }

    /// A run begins; from now on wishes are written into the state.
    pub(super) fn begin(&self, state: &Arc<StateStore>) -> crate::error::Result {
        let mut inner = self.lock();
        inner.phase = Phase::Running;
        inner.state = Some(Arc::clone(state));
        for lot in &mut inner.lots {
            // What finished or failed in an earlier run is looked at again.
            lot.doing = if lot.desired == Stage::Running { Doing::Due } else { Doing::Rest };
            lot.moved = false;
        }
        let all: Vec<usize> = (0..inner.lots.len()).collect();
        inner.write_desired(state, &all)
    }

    /// The run is over; the next one is not stopped by what stopped this one.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.phase = Phase::Ended;
        inner.stopping = false;
        inner.stop = Arc::default();
        inner.state = None;
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// What the thread of a source does next; waits for a command when there is nothing.
    pub(super) fn next(&self, source: usize) -> Next {
        let mut inner = self.lock();
        loop {
            let open = inner.lots.iter().any(Lot::is_open);
            let stopping = inner.stopping;
            let Some(lot) = inner.lots.get_mut(source) else { return Next::End };
            if stopping || (lot.desired == Stage::Stopped && !open) {
                lot.doing = Doing::Over;
                drop(inner);
                self.shared.changed.notify_all();
                return Next::End;
            }
            if lot.doing == Doing::Due && lot.desired == Stage::Running {
                return Next::Attempt(lot.resume.take());
            }
            inner = self.wait(inner, Duration::from_secs(60));
        }
    }

    /// An attempt begins; what stopped the one before is over.
    pub(super) fn begin_attempt(&self, source: usize) {
        let mut inner = self.lock();
        let stopping = inner.stopping;
        if let Some(status) = inner.status.sources.get_mut(source) {
            (status.stage, status.error) = (Stage::Running, None);
        }
        if let Some(lot) = inner.lots.get_mut(source) {
            lot.doing = Doing::Working;
            lot.moved = false;
            // A wish that came since the last look holds for this attempt too.
            let stop = stopping || lot.desired != Stage::Running;
            lot.stop = Arc::new(AtomicBool::new(stop));
        }
    }

    /// The attempt has reached its servers and works.
    pub(super) fn moved(&self, source: usize) {
        if let Some(lot) = self.lock().lots.get_mut(source) {
            lot.moved = true;
        }
        self.shared.changed.notify_all();
    }

    /// An attempt was ended by its flag; what comes next is told by what is wanted.
    pub(super) fn stopped(&self, source: usize) {
        self.settle(
            source,
            |lot| {
                if lot.desired == Stage::Running { Doing::Due } else { Doing::Rest }
            },
        );
    }

    /// An attempt failed, and a person has to act; a wish that came meanwhile holds.
    pub(super) fn failed(&self, source: usize) {
        self.settle(source, |lot| if lot.resume.is_some() { Doing::Due } else { Doing::Rest });
    }

    /// The source has nothing more to do in this run.
    pub(super) fn over(&self, source: usize) {
        self.settle(source, |_| Doing::Over);
    }

    fn settle(&self, source: usize, doing: impl FnOnce(&Lot) -> Doing) {
        if let Some(lot) = self.lock().lots.get_mut(source) {
            lot.doing = doing(lot);
        }
        self.shared.changed.notify_all();
    }

    /// The run has ended; what a server keeps from ending is left behind, and counts as ended.
    pub(super) fn leave(&self, state: &StateStore) {
        let mut inner = self.lock();
        let mut left = Vec::new();
        let Inner { lots, status, .. } = &mut *inner;
        for (lot, status) in lots.iter_mut().zip(&mut status.sources) {
            if !matches!(lot.doing, Doing::Working | Doing::Waiting) {
                continue;
            }
            lot.doing = Doing::Over;
            let stage = if lot.desired == Stage::Paused { Stage::Paused } else { Stage::Stopped };
            if status.stage == Stage::Running {
                status.stage = stage;
                left.push((SourceId::new(status.source.as_str()), stage));
            }
        }
        drop(inner);
        for (source, stage) in left {
            if let Err(error) = state.set_source_actual(&source, stage) {
                let told = || log::warn!("the stage of source {source} is not written: {error}");
                whose::of(source.as_str(), told);
            }
        }
        self.shared.changed.notify_all();
    }

    /// What a resume has to say to whoever asked for it.
    pub(super) fn note(&self, source: usize, note: String) {
        if let Some(lot) = self.lock().lots.get_mut(source) {
            lot.note = note;
        }
    }

    /// The stage that is wanted of a source.
    pub(super) fn desired(&self, source: usize) -> Stage {
        self.lock().lots.get(source).map_or(Stage::Stopped, |lot| lot.desired)
    }

    /// Waits before the next attempt of a source; a command ends the wait.
    pub(super) fn wait_again(&self, source: usize, wait: Duration) {
        let deadline = Instant::now() + wait;
        let mut inner = self.lock();
        if let Some(lot) = inner.lots.get_mut(source) {
            lot.doing = Doing::Waiting;
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(lot) = inner.lots.get_mut(source) else { return };
            if lot.doing != Doing::Waiting {
                return;
            }
            if left.is_zero() || lot.stop.load(Ordering::Relaxed) {
                lot.doing = if lot.desired == Stage::Running { Doing::Due } else { Doing::Rest };
                break;
            }
            inner = self.wait(inner, left);
        }
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// The flag of the present run or the next one.
    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lock().stop)
    }

    /// The flag of the present attempt of a source.
    pub(super) fn attempt_flag(&self, source: usize) -> Arc<AtomicBool> {
        self.lock().lots.get(source).map(|lot| Arc::clone(&lot.stop)).unwrap_or_default()
    }

    pub(super) fn is_stopped(&self, source: usize) -> bool {
        self.lock().lots.get(source).is_none_or(|lot| lot.stop.load(Ordering::Relaxed))
    }

    /// What is measured of a source.
    pub(super) fn meters(&self, source: usize) -> Arc<Meters> {
        let status = self.lock().status.sources.get(source).map(|s| Arc::clone(&s.meters));
        status.unwrap_or_default()
    }

    pub(super) fn update(&self, source: usize, f: impl FnOnce(&mut SourceStatus)) {
        if let Some(status) = self.lock().status.sources.get_mut(source) {
            f(status);
        }
        self.shared.changed.notify_all();
    }
}

impl Inner {
    fn is_ending(&self) -> bool {
        self.stopping || self.lots.iter().all(|lot| lot.desired == Stage::Stopped)
    }

    fn stop_all(&mut self) {
        self.stopping = true;
        self.stop.store(true, Ordering::Relaxed);
        self.lots.iter().for_each(Lot::raise);
    }

    /// The sources of a command, or which of them do not exist.
    fn choose(&self, names: &[String]) -> Result<Vec<usize>, String> {
        if names.is_empty() {
            return Ok((0..self.lots.len()).collect());
        }
        let find = |name: &String| self.status.sources.iter().position(|s| s.source == *name);
        let unknown: Vec<&str> =
            names.iter().filter(|n| find(n).is_none()).map(String::as_str).collect();
        if unknown.is_empty() {
            return Ok(names.iter().filter_map(find).collect());
        }
        Err(refusal::no_part(&self.status.task, &unknown).to_string())
    }

    fn take_in(&mut self, command: &Command) -> Pending {
        let verb = command.verb.clone();
        let chosen = match self.choose(&command.sources) {
            Ok(chosen) => chosen,
            Err(why) => return Pending { verb, waits: Vec::new(), reply: Reply::refuse(why) },
        };
        if self.stopping && matches!(verb, Verb::Resume(_) | Verb::Start) {
            let why = refusal::ending().to_string();
            return Pending { verb, waits: Vec::new(), reply: Reply::refuse(why) };
        }
        // A source that a command to all cannot mean is no reason to refuse the command.
        let named = !command.sources.is_empty();
        let mut reply = Reply::default();
        let mut waits = Vec::new();
        let mut passed_over = Vec::new();
        for at in chosen {
            let (Some(lot), Some(status)) = (self.lots.get_mut(at), self.status.sources.get(at))
            else {
                continue;
            };
            match lot.wish(&verb) {
                Ok(()) => {
                    let anew = matches!(verb, Verb::Add(_) | Verb::CancelAdd(_));
                    // A copy of the whole comes to the list by itself when it is done.
                    if anew && lot.doing == Doing::Working && status.unit == Unit::Sync {
                        lot.raise();
                    }
                    waits.push(at);
                }
                Err(why) => {
                    let source = status.source.clone();
                    passed_over.push(Answer { source, ok: false, message: why.to_string() });
                }
            }
        }
        if named || waits.is_empty() {
            reply.answers = passed_over;
        }
        let running = self.phase == Phase::Running;
        if running && self.lots.iter().all(|lot| lot.desired == Stage::Stopped) {
            // Nothing is left to run; from here on the end comes in bounded time.
            self.stop_all();
        }
        Pending { verb, waits, reply }
    }

    /// What the state has to know before the sources' threads hear of a command.
    fn write_down(&self, command: &Command) -> Result<(), String> {
        if !matches!(command.verb, Verb::Add(_) | Verb::CancelAdd(_) | Verb::Structures(_)) {
            return Ok(());
        }
        let Some(state) = &self.state else { return Err("the task does not run".to_owned()) };
        let chosen = self.choose(&command.sources)?;
        let resting = |at: &usize| {
            self.lots.get(*at).is_some_and(|l| matches!(l.doing, Doing::Rest | Doing::Over))
        };
        if matches!(command.verb, Verb::Structures(_)) && !chosen.iter().all(resting) {
            return Err("it is running".to_owned());
        }
        let named = chosen.iter().filter_map(|at| self.status.sources.get(*at));
        let ids: Vec<SourceId> = named.map(|s| SourceId::new(s.source.as_str())).collect();
        addition::write_down(state, &command.verb, &ids).map_err(|e| e.to_string())
    }

    fn write_desired(&self, state: &StateStore, sources: &[usize]) -> crate::error::Result {
        for at in sources {
            if let (Some(lot), Some(status)) = (self.lots.get(*at), self.status.sources.get(*at)) {
                let id = SourceId::new(status.source.as_str());
                state.set_source_desired(&id, lot.desired)?;
                let rests = matches!(lot.doing, Doing::Rest | Doing::Over);
                if rests && lot.desired == Stage::Stopped {
                    // Its thread has nothing to do, so nobody else says so.
                    state.set_source_actual(&id, Stage::Stopped)?;
                }
            }
        }
        let all = |stage| self.lots.iter().all(|lot| lot.desired == stage);
        let whole = if all(Stage::Stopped) {
            Stage::Stopped
        } else if all(Stage::Paused) {
            Stage::Paused
        } else {
            Stage::Running
        };
        state.set_desired(whole)
    }

    /// The answer when nothing runs: what is wanted is noted, and that is all there is to do.
    fn noted(&self, pending: &Pending) -> Reply {
        let mut reply = pending.reply.clone();
        let sources = pending.waits.iter().filter_map(|at| self.status.sources.get(*at));
        reply.answers.extend(sources.map(|status| Answer {
            source: status.source.clone(),
            ok: true,
            message: String::new(),
        }));
        reply
    }

    fn answer(&self, pending: &Pending, last: bool) -> Option<Reply> {
        let mut reply = pending.reply.clone();
        for at in &pending.waits {
            let (Some(lot), Some(status)) = (self.lots.get(*at), self.status.sources.get(*at))
            else {
                continue;
            };
            let (ok, message) = match (lot.outcome(&pending.verb, status), last) {
                (Some(told), _) => told,
                (None, false) => return None,
                (None, true) => (false, lot.unfinished(&pending.verb).to_owned()),
            };
            reply.answers.push(Answer { source: status.source.clone(), ok, message });
        }
        reply.answers.sort_by(|a, b| a.source.cmp(&b.source));
        Some(reply)
    }
}
