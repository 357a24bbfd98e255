//! One source's part of a migration: copy, then stream, and again after passing troubles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Outcome;
use super::addition::Stretch;
use super::build::Settings;
use super::command::Safety;
use super::control::{Control, Next};
use super::leave;
use super::status::Unit;
use super::watch;
use crate::config::{ResumePlan, SourceKind, StartPoint, TaskPlan};
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::pipeline::{
    Copy, CopyStats, Creator, Ended, Rate, START, StreamContext, StreamReport, StreamStats, Until,
    begin_lane, follow,
};
use crate::position::{BinlogPos, GtidSet, Position};
use crate::sink::Sink;
use crate::source::{Source, SourceInfo};
use crate::state::{CopyState, Override, OverrideAction, SERVER_NOTE, Stage, StateStore};
use crate::whose::{self, carried};

/// The servers' number of a duplicate key.
const DUPLICATE_KEY: u16 = 1062;

/// A server that does not answer is tried again after so long at the latest, however long it has been
/// away: an attempt costs it nothing, and waiting on when it is back would.
const AWAY: Duration = Duration::from_secs(10);

/// How often the status document is written for other processes.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);

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

    fn once(&self) -> Result<Outcome> {
        let exact = self.sink.guarantees().exactly_once;
        self.control.update(self.index, |s| s.at_least_once = !exact);
        let info = self.source.info()?;
        let main = LaneId::main(&self.creator.source);
        self.check_server(&main, &info)?;
        let begun = self.state.reader().lane(&main)?.is_some_and(|l| l.checkpoint.is_some());
        if begun {
            return self.sync(&info, main, None);
        }
        let mut start = None;
        if self.plan.mode.copies() {
            start = Some(self.load()?);
            if self.control.is_stopped(self.index) {
                return Ok(Outcome::Stopped);
            }
        }
        if !self.plan.mode.syncs() {
            return Ok(Outcome::Finished);
        }
        // A copy takes its time: another server may be in charge now, of another version.
        let info = if start.is_some() { self.source.info()? } else { info };
        let start = match start {
            Some(position) => position,
            None => self.start_position(&info)?,
        };
        self.sync(&info, main, Some(start))
    }

    /// A file and offset mean nothing on another server: the one that they were taken from is
    /// remembered with them. GTIDs hold everywhere.
    fn check_server(&self, main: &LaneId, info: &SourceInfo) -> Result<()> {
        let plan = self.plan.sources.iter().find(|s| s.source_id == self.creator.source.as_str());
        let by_gtid =
            matches!(plan.map(|p| &p.kind), Some(SourceKind::Mysql(server)) if server.enable_gtid);
        let known = self.state.reader().note(main, SERVER_NOTE)?;
        match known.map(|known| String::from_utf8_lossy(&known).into_owned()) {
            Some(known) if !by_gtid => {
                self.source.expect_server(&known);
                self.beside.expect_server(&known);
            }
            Some(known) if known == info.server => {}
            _ => self.state.set_note(main, SERVER_NOTE, info.server.as_bytes())?,
        }
        Ok(())
    }

    /// The full copy; the position to follow the binlog from.
    fn load(&self) -> Result<Position> {
        let stats = Arc::new(CopyStats::of(self.control.meters(self.index)));
        self.control.update(self.index, |s| s.unit = Unit::Load);
        self.control.moved(self.index);
        let copy = Copy {
            task: self.plan.name.clone(),
            lane: LaneId::copy(&self.creator.source),
            source: Arc::clone(&self.source),
            sink: Arc::clone(&self.sink),
            state: Arc::clone(&self.state),
            creator: self.creator.clone(),
            stats: Arc::clone(&stats),
            rate: Arc::clone(&self.rate),
            stop: self.control.attempt_flag(self.index),
            followed: self.plan.mode.syncs(),
            settings: self.settings.copy.clone(),
        };
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(carried(|| self.watch_copy(&stats, &done)));
            let result = leave::run(copy);
            done.store(true, Ordering::Relaxed);
            result
        })
    }

    fn watch_copy(&self, stats: &CopyStats, done: &AtomicBool) {
        let mut last = Instant::now();
        loop {
            let finished = done.load(Ordering::Relaxed);
            let counts = stats.counts();
            self.control.update(self.index, |s| s.copy = counts);
            if finished || last.elapsed() >= STATUS_INTERVAL {
                if let Err(error) = self.publish() {
                    log::warn!("the status is not written: {error}");
                }
                last = Instant::now();
            }
            if finished {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where an incremental task starts.
    fn start_position(&self, info: &SourceInfo) -> Result<Position> {
        if let Some(second) = self.start_time {
            return self.source.position_at(second);
        }
        let Some(meta) = &self.meta else {
            let start = self.source.default_start()?;
            log::warn!(
                "source {}: no `meta` is given; following starts at {start}",
                self.creator.source
            );
            return Ok(start);
        };
        let binlog = match &meta.binlog {
            Some((name, pos)) => Some(BinlogPos::new(name.parse()?, *pos)),
            None => None,
        };
        let gtid = match &meta.gtid {
            Some(text) => Some(GtidSet::parse(info.flavor, text)?),
            None => None,
        };
        Ok(Position { binlog, gtid })
    }

    fn sync(&self, info: &SourceInfo, lane: LaneId, start: Option<Position>) -> Result<Outcome> {
        let safe_mode = self.settings.stream.safe_mode;
        self.control.update(self.index, |s| (s.unit, s.safe_mode) = (Unit::Sync, safe_mode));
        let stats = Arc::new(StreamStats::of(self.control.meters(self.index)));
        let way = Way { info, lane: &lane, stats };
        let attempt = self.control.attempt_flag(self.index);
        if let Some(position) = start {
            let ctx = self.context(&way, self.creator.clone(), Arc::clone(&attempt));
            self.begin(&ctx, &LaneId::copy(&self.creator.source), &position)?;
        }
        loop {
            let open = self.additions()?;
            let ended = if open.is_empty() {
                follow(&self.context(&way, self.creator.clone(), Arc::clone(&attempt)))?
            } else {
                match self.follow_adding(&way, &open)? {
                    Stretch::Ended(ended) => ended,
                    Stretch::Joined => continue,
                }
            };
            return Ok(match ended {
                Ended::Stopped => Outcome::Stopped,
                Ended::Reached => Outcome::Finished,
            });
        }
    }

    /// What a stretch of following the main lane works with.
    pub(super) fn context(
        &self,
        way: &Way<'_>,
        creator: Creator,
        stop: Arc<AtomicBool>,
    ) -> StreamContext {
        StreamContext {
            task: self.plan.name.clone(),
            lane: way.lane.clone(),
            copy_lane: None,
            source: Arc::clone(&self.source),
            info: way.info.clone(),
            sink: Arc::clone(&self.sink),
            state: Arc::clone(&self.state),
            creator,
            settings: self.settings.stream.clone(),
            ddl_rules: Arc::clone(&self.plan.ddl_rules),
            stats: Arc::clone(&way.stats),
            rate: Arc::clone(&self.rate),
            split: Arc::default(),
            stop,
            until: self.until.clone(),
            report: self.reporter(&way.stats),
        }
    }

    fn reporter(&self, stats: &Arc<StreamStats>) -> Box<dyn Fn(&StreamReport) + Send + Sync> {
        let (control, index) = (self.control.clone(), self.index);
        let (state, id) = (Arc::clone(&self.state), self.creator.source.clone());
        let counts = Arc::clone(stats);
        Box::new(move |r: &StreamReport| {
            let now = counts.counts();
            // The first report comes when source and target have been reached.
            control.moved(index);
            control.update(index, |s| {
                s.stream = now;
                s.position = r.low.position.clone();
                s.bytes_under_way = r.bytes_under_way;
                s.txns_under_way = r.txns_under_way;
                s.waiting_for.clone_from(&r.statement);
                s.queues = r.queues;
                s.lag_seconds = r.oldest_at.map_or(0, lag);
                s.meters.lag.took(Duration::from_secs(s.lag_seconds), 1);
            });
            let document = control.status().sources.get(index).map(|s| s.to_json());
            if let Some(Err(error)) = document.map(|d| state.save_status(&id, &d)) {
                log::warn!("the status is not written: {error}");
            }
        })
    }

    /// Begins a lane at a position, with what its copy found.
    pub(super) fn begin(
        &self,
        ctx: &StreamContext,
        copy_lane: &LaneId,
        position: &Position,
    ) -> Result {
        let copy = self.state.reader().copy(copy_lane)?;
        let copy = copy.unwrap_or_else(|| nothing_copied(position));
        let tables: Vec<_> = copy
            .tables
            .iter()
            // A table that was dropped while it was copied.
            .filter(|t| !t.copy.info.schema.columns.is_empty())
            .map(|t| (t.copy.info.name.clone(), Arc::clone(&t.copy.info.schema)))
            .collect();
        let earlier = self.state.reader().note(copy_lane, START)?;
        let earlier =
            earlier.map(|text| Position::from_text(&String::from_utf8_lossy(&text))).transpose()?;
        let (start, copied) = match &earlier {
            Some(earlier) => (earlier, Some(position)),
            None => (position, None),
        };
        begin_lane(ctx, start, copied, &copy.schemas, &tables)
    }
}

/// What stays the same over all stretches of following in one attempt.
pub(super) struct Way<'a> {
    pub info: &'a SourceInfo,
    pub lane: &'a LaneId,
    pub stats: Arc<StreamStats>,
}

fn nothing_copied(position: &Position) -> CopyState {
    CopyState {
        position: position.clone(),
        contained_upto: None,
        means: String::new(),
        started: 0,
        finished: None,
        schemas: Vec::new(),
        tables: Vec::new(),
    }
}

/// How long to wait after this error, where `wait` is the turn of the growing wait.
pub(super) fn this_wait(wait: Duration, error: &Error) -> Duration {
    match error.is_transient() && error.server_error().is_none() {
        true => wait.min(AWAY),
        false => wait,
    }
}

/// Seconds since a second of the epoch.
fn lag(at: u32) -> u64 {
    if at == 0 {
        return 0;
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs().saturating_sub(u64::from(at)))
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
