//! One source's part of a migration: attempt after attempt, until it is done, stopped or failed for good.

mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) use self::work::Way;
use super::Outcome;
use super::build::Settings;
use super::command::Safety;
use super::control::{Control, Next};
use super::watch;
use crate::config::{ResumePlan, StartPoint, TaskPlan};
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::pipeline::{Creator, Rate, Until};
use crate::sink::Sink;
use crate::source::Source;
use crate::state::{Override, OverrideAction, Stage, StateStore};
use crate::whose;

/// The servers' number of a duplicate key.
const DUPLICATE_KEY: u16 = 1062;

/// A server that does not answer is tried again after so long at the latest, however long it has been
/// away: an attempt costs it nothing, and waiting on when it is back would.
const AWAY: Duration = Duration::from_secs(10);

/// One source's part of a migration.
pub(super) struct SourceRun {
    pub index: usize,
    pub plan: Arc<TaskPlan>,
    pub settings: Settings,
    pub meta: Option<StartPoint>,
    pub resume: ResumePlan,
    pub source: Arc<dyn Source>,
    /// The same source for what is read beside the main stream.
    pub beside: Arc<dyn Source>,
    pub sink: Arc<dyn Sink>,
    pub state: Arc<StateStore>,
    pub creator: Creator,
    pub rate: Arc<Rate>,
    pub control: Control,
    /// The flag of this run.
    pub stop: Arc<AtomicBool>,
    pub until: Until,
    /// Where following begins in place of `meta`: a second of the epoch.
    pub start_time: Option<u32>,
    /// An error that needs a person pauses the source rather than ending the run.
    pub stays: bool,
    /// Other processes ask how it stands.
    pub watched: bool,
}

impl SourceRun {
    /// Runs on a thread whose lines in the log name the source.
    pub fn named(&self) -> Result<Outcome> {
        whose::of(self.creator.source.as_str(), || self.run())
    }

    /// Runs until all is done, it is stopped, or it failed for good. What passes by itself
    /// (a server that restarts, a broken connection) is waited for; a pause waits for its resume.
    fn run(&self) -> Result<Outcome> {
        let mut wait = self.resume.backoff_min;
        let mut waited = false;
        let mut at_once = false;
        loop {
            let Next::Attempt(resume) = self.control.next(self.index) else {
                if waited {
                    // What it waited to get over was to pass by itself: that is not what it ended at.
                    self.rest(None)?;
                }
                return Ok(Outcome::Stopped);
            };
            waited = false;
            if resume.is_some() {
                // Somebody has acted.
                wait = self.resume.backoff_min;
            }
            let began = Instant::now();
            let ended = self.attempt(resume);
            if self.is_stale() {
                return Ok(Outcome::Stopped);
            }
            let error = match ended {
                Ok(Outcome::Finished) => {
                    self.stage(Stage::Finished, None)?;
                    return Ok(Outcome::Finished);
                }
                Ok(Outcome::Stopped) => {
                    self.rest(None)?;
                    continue;
                }
                Err(error) => error,
            };
            if self.control.is_stopped(self.index)
                && (self.stays || error.code() == &codes::STOPPED || error.is_transient())
            {
                self.rest(Some(error).filter(|e| e.code() != &codes::STOPPED))?;
                continue;
            }
            at_once = !at_once && self.is_spoken_of(&error);
            if at_once {
                log::info!("source {}: goes on with the operator's word", self.creator.source);
                self.control.stopped(self.index);
                continue;
            }
            if began.elapsed() >= self.resume.backoff_rollback {
                wait = (wait / 2).max(self.resume.backoff_min);
            }
            let again = self.tries_again(&error).then(|| this_wait(wait, &error));
            self.control.update(self.index, |s| s.failed(again));
            if let Some(this) = again {
                let source = &self.creator.source;
                let seconds = this.as_secs_f64();
                log::warn!("source {source}: goes on in {seconds:.1} s after: {error}");
                self.stage(Stage::Paused, Some(&error))?;
                self.control.wait_again(self.index, this);
                waited = true;
                wait = (wait * 2).min(self.resume.backoff_max);
                continue;
            }
            self.stage(Stage::Paused, Some(&error))?;
            if !self.stays {
                return Err(error.context(format!("source {}", self.creator.source)));
            }
            log::error!("source {} is paused: {error}", self.creator.source);
            self.control.failed(self.index);
        }
    }

    /// True for a thread that was left behind by a run that has ended: nothing that it says counts.
    fn is_stale(&self) -> bool {
        !Arc::ptr_eq(&self.stop, &self.control.stop_flag())
    }

    /// The thread of the source has ended.
    pub fn over(&self) {
        if !self.is_stale() {
            self.control.over(self.index);
        }
    }

    /// This source cannot go on, and the others are not to either.
    pub fn stop_others(&self) {
        if !self.is_stale() {
            self.control.stop();
        }
    }

    fn attempt(&self, resume: Option<Safety>) -> Result<Outcome> {
        self.control.begin_attempt(self.index);
        if let Some(safety) = resume {
            let note = self.make_safe(&safety)?;
            self.control.note(self.index, note);
        }
        self.stage(Stage::Running, None)?;
        let _watch = self.watched.then(|| watch::watch(&self.source, &self.control, self.index));
        self.once()
    }

    /// True when an operator has spoken of where an attempt has failed while it was under way, so that it did not
    /// hear of it.
    fn is_spoken_of(&self, error: &Error) -> bool {
        let statement = error.statement_place().map(|(start, _)| start);
        let Some(place) = statement.or(error.rows_place()) else { return false };
        // Where they cannot be read the next attempt says so.
        let reader = self.state.reader();
        let lane = reader.lane(&LaneId::main(&self.creator.source)).ok().flatten();
        let stands = lane.and_then(|lane| lane.checkpoint?.position.binlog);
        let is_about = |word: &Override| {
            let fits = statement.is_some() || matches!(word.action, OverrideAction::Inject(_));
            // It may be about the GTID event before.
            let here = word.position <= *place && stands.iter().all(|s| word.position >= *s);
            fits && here && word.used.is_none()
        };
        let words = reader.overrides().unwrap_or_default();
        words.iter().any(|word| word.source == self.creator.source && is_about(word))
    }

    /// Whether an error is worth another attempt without anybody's help. A wrong address or password
    /// has shown itself before.
    fn tries_again(&self, error: &Error) -> bool {
        let passes = if self.stays { !error.needs_person() } else { error.is_transient() };
        passes && self.resume.enabled && !self.control.is_stopped(self.index)
    }

    /// The attempt was ended by a command, or with the whole run.
    fn rest(&self, error: Option<Error>) -> Result {
        if let Some(error) = &error {
            log::warn!("source {}: while stopping: {error}", self.creator.source);
        }
        let stage = match self.control.desired(self.index) {
            Stage::Paused => Stage::Paused,
            // It begins anew at once, because something was asked of it.
            Stage::Running if !self.control.is_ending() => Stage::Running,
            _ => Stage::Stopped,
        };
        self.stage(stage, None)?;
        self.control.stopped(self.index);
        Ok(())
    }

    /// Sees to it that what a resume meets first is applied as was asked for; says what was done.
    fn make_safe(&self, safety: &Safety) -> Result<String> {
        let id = &self.creator.source;
        let lane = LaneId::main(id);
        let reader = self.state.reader();
        let checkpoint = reader.lane(&lane)?.and_then(|l| l.checkpoint);
        if checkpoint.is_none() && *safety == Safety::Auto {
            // The copy has a way of its own with rows that are there: `on-duplicate`.
            return Ok(String::new());
        }
        let (until, why) = match safety {
            Safety::Off => return Ok(String::new()),
            Safety::Auto => {
                let sources = reader.sources()?;
                let error = sources.into_iter().find(|s| s.source == *id).and_then(|s| s.error);
                if error.and_then(|e| e.server) != Some(DUPLICATE_KEY) {
                    return Ok(String::new());
                }
                (self.source.end_position()?, "it stopped at a duplicate key: ")
            }
            Safety::Upto(position) => (position.clone(), ""),
            Safety::For(span) => {
                let from = match checkpoint.map_or(0, |c| c.event_at) {
                    0 => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
                    at => u64::from(at),
                };
                let second = u32::try_from(from + span.as_secs()).unwrap_or(u32::MAX);
                self.state.set_idempotent_second(&lane, second)?;
                let seconds = span.as_secs();
                return Ok(format!(
                    "what was written in the next {seconds} s of the source's binlog is applied \
                     idempotently"
                ));
            }
        };
        let until = self.state.raise_idempotent(&lane, &until)?;
        Ok(format!("{why}everything up to {until} is applied idempotently"))
    }

    fn stage(&self, stage: Stage, error: Option<&Error>) -> Result {
        self.control.update(self.index, |s| {
            s.stage = stage;
            s.error = error.map(ToString::to_string);
            s.waiting_for = None;
            if error.is_none() {
                s.next_attempt = None;
            }
        });
        let id = &self.creator.source;
        // Whoever reads in between finds no pause without its error.
        if error.is_some() {
            self.state.set_error(id, error)?;
        }
        self.state.set_source_actual(id, stage)?;
        if error.is_none() {
            self.state.set_error(id, None)?;
        }
        self.publish()
    }

    fn publish(&self) -> Result {
        let status = self.control.status();
        match status.sources.get(self.index) {
            Some(s) => self.state.save_status(&self.creator.source, &s.to_json()),
            None => Ok(()),
        }
    }
}

/// How long to wait after this error, where `wait` is the turn of the growing wait.
pub(super) fn this_wait(wait: Duration, error: &Error) -> Duration {
    match error.is_transient() && error.server_error().is_none() {
        true => wait.min(AWAY),
        false => wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_not_waited_for_long() {
        let (long, short) = (Duration::from_secs(300), Duration::from_secs(4));
        let away = Error::new(&codes::DB_QUERY, "connection refused").transient();
        assert_eq!(this_wait(long, &away), AWAY);
        assert_eq!(this_wait(short, &away), short);
        // It answers: what it says may need its time.
        let locked = Error::new(&codes::DB_QUERY, "deadlock").server_number(1213);
        assert_eq!(this_wait(long, &locked), long);
    }
}
