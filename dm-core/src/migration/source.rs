//! One source's part of a migration: copy, then stream, and again after passing troubles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Outcome;
use super::build::Settings;
use super::control::Control;
use super::status::Unit;
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
use crate::state::{CopyState, SERVER_NOTE, Stage, StateStore};

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
    pub sink: Arc<dyn Sink>,
    pub state: Arc<StateStore>,
    pub creator: Creator,
    pub rate: Arc<Rate>,
    pub control: Control,
    /// The flag of this run.
    pub stop: Arc<AtomicBool>,
    pub until: Until,
}

impl SourceRun {
    /// Runs until all is done, it is stopped, or it failed for good. What passes by itself
    /// (a server that restarts, a broken connection) is waited for.
    pub fn run(&self) -> Result<Outcome> {
        let mut wait = self.resume.backoff_min;
        loop {
            let began = Instant::now();
            self.stage(Stage::Running, None)?;
            let error = match self.once() {
                Ok(outcome) => {
                    let stage = match outcome {
                        Outcome::Finished => Stage::Finished,
                        Outcome::Stopped => Stage::Stopped,
                    };
                    self.stage(stage, None)?;
                    return Ok(outcome);
                }
                Err(error) => error,
            };
            if self.is_stopped() && error.code() == &codes::STOPPED {
                self.stage(Stage::Stopped, None)?;
                return Ok(Outcome::Stopped);
            }
            // A wrong address or password has shown itself before.
            let again = error.is_transient() && self.resume.enabled;
            self.control.update(self.index, |s| s.failed(again));
            if !again || self.is_stopped() {
                self.stage(Stage::Paused, Some(&error))?;
                return Err(error.context(format!("source {}", self.creator.source)));
            }
            if began.elapsed() >= self.resume.backoff_rollback {
                wait = (wait / 2).max(self.resume.backoff_min);
            }
            log::warn!(
                "source {}: goes on in {:.1} s after: {error}",
                self.creator.source,
                wait.as_secs_f64()
            );
            self.stage(Stage::Paused, Some(&error))?;
            pause(wait, &self.stop);
            wait = (wait * 2).min(self.resume.backoff_max);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stage(&self, stage: Stage, error: Option<&Error>) -> Result {
        self.control.update(self.index, |s| {
            s.stage = stage;
            s.error = error.map(ToString::to_string);
        });
        let id = &self.creator.source;
        self.state.set_source_stage(id, None, stage)?;
        self.state.set_error(id, error)?;
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
            if self.is_stopped() {
                return Ok(Outcome::Stopped);
            }
        }
        if !self.plan.mode.syncs() {
            return Ok(Outcome::Finished);
        }
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
            Some(known) if !by_gtid => self.source.expect_server(&known),
            Some(known) if known == info.server => {}
            _ => self.state.set_note(main, SERVER_NOTE, info.server.as_bytes())?,
        }
        Ok(())
    }

    /// The full copy; the position to follow the binlog from.
    fn load(&self) -> Result<Position> {
        let stats = Arc::new(CopyStats::default());
        self.control.update(self.index, |s| s.unit = Unit::Load);
        let copy = Copy {
            task: self.plan.name.clone(),
            lane: LaneId::copy(&self.creator.source),
            source: Arc::clone(&self.source),
            sink: Arc::clone(&self.sink),
            state: Arc::clone(&self.state),
            creator: self.creator.clone(),
            stats: Arc::clone(&stats),
            rate: Arc::clone(&self.rate),
            stop: Arc::clone(&self.stop),
            followed: self.plan.mode.syncs(),
            settings: self.settings.copy.clone(),
        };
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| self.watch_copy(&stats, &done));
            let result = copy.run();
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
        let stats = Arc::new(StreamStats::default());
        self.control.update(self.index, |s| s.unit = Unit::Sync);
        let (control, index) = (self.control.clone(), self.index);
        let (state, id) = (Arc::clone(&self.state), self.creator.source.clone());
        let counts = Arc::clone(&stats);
        let report = move |r: &StreamReport| {
            let now = counts.counts();
            control.update(index, |s| {
                s.stream = now;
                s.position = r.low.position.clone();
                s.bytes_under_way = r.bytes_under_way;
                s.txns_under_way = r.txns_under_way;
                s.lag_seconds = r.oldest_at.map_or(0, lag);
            });
            let document = control.status().sources.get(index).map(|s| s.to_json());
            if let Some(Err(error)) = document.map(|d| state.save_status(&id, &d)) {
                log::warn!("the status is not written: {error}");
            }
        };
        let ctx = StreamContext {
            task: self.plan.name.clone(),
            lane,
            source: Arc::clone(&self.source),
            info: info.clone(),
            sink: Arc::clone(&self.sink),
            state: Arc::clone(&self.state),
            creator: self.creator.clone(),
            settings: self.settings.stream.clone(),
            ddl_rules: Arc::clone(&self.plan.ddl_rules),
            stats,
            rate: Arc::clone(&self.rate),
            stop: Arc::clone(&self.stop),
            until: self.until.clone(),
            report: Box::new(report),
        };
        if let Some(position) = start {
            let copy = self.state.reader().copy(&LaneId::copy(&self.creator.source))?;
            let copy = copy.unwrap_or_else(|| nothing_copied(&position));
            let tables: Vec<_> = copy
                .tables
                .iter()
                // A table that was dropped while it was copied.
                .filter(|t| !t.copy.info.schema.columns.is_empty())
                .map(|t| (t.copy.info.name.clone(), Arc::clone(&t.copy.info.schema)))
                .collect();
            let earlier = self.state.reader().note(&LaneId::copy(&self.creator.source), START)?;
            let earlier = earlier
                .map(|text| Position::from_text(&String::from_utf8_lossy(&text)))
                .transpose()?;
            let (start, copied) = match &earlier {
                Some(earlier) => (earlier, Some(&position)),
                None => (&position, None),
            };
            begin_lane(&ctx, start, copied, &copy.schemas, &tables)?;
        }
        match follow(&ctx)? {
            Ended::Stopped => Ok(Outcome::Stopped),
            Ended::Reached => Ok(Outcome::Finished),
        }
    }
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

/// Lets time pass, but ends with the run.
pub(super) fn pause(wait: Duration, stop: &AtomicBool) {
    let until = Instant::now() + wait;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50).min(wait));
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
