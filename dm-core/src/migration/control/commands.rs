//! Commands: taken in at once, answered when every source that they mean has done its part.
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Control, Inner, Phase};
use crate::event::SourceId;
use crate::migration::addition;
use crate::migration::command::{Answer, Command, Reply, Verb};
use crate::migration::lot::Doing;
use crate::migration::refusal;
use crate::migration::status::Unit;
use crate::state::{Stage, StateStore};
/// A command that was taken in and is being carried out.
pub(in crate::migration) struct Pending {
    verb: Verb,
    /// The sources that it waits for.
    waits: Vec<usize>,
    /// What is known already.
    reply: Reply,
}

impl Control {
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

    /// Notes what a command wants. Never waits.
    pub(in crate::migration) fn begin_command(&self, command: &Command) -> Pending {
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
    pub(in crate::migration) fn answer(&self, pending: &Pending, last: bool) -> Option<Reply> {
        self.lock().answer(pending, last)
    }
}
impl Inner {
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

    pub(super) fn write_desired(
        &self,
        state: &StateStore,
        sources: &[usize],
    ) -> crate::error::Result {
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
