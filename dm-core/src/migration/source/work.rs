//! One attempt at a source's part: the copy where it is open, then following the binlog from where it ended or
//! from where the source was left.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::SourceRun;
use crate::config::SourceKind;
use crate::error::Result;
use crate::event::LaneId;
use crate::migration::Outcome;
use crate::migration::addition::Stretch;
use crate::migration::leave;
use crate::migration::status::Unit;
use crate::pipeline::{
    Copy, CopyStats, Creator, Ended, START, StreamContext, StreamReport, StreamStats, begin_lane,
    follow,
};
use crate::position::{BinlogPos, GtidSet, Position};
use crate::source::SourceInfo;
use crate::state::{CopyState, SERVER_NOTE};
use crate::whose::carried;
/// How often the status document is written for other processes.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);

impl SourceRun {
    pub(super) fn once(&self) -> Result<Outcome> {
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
    pub(in crate::migration) fn context(
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
    pub(in crate::migration) fn begin(
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
pub(in crate::migration) struct Way<'a> {
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

/// Seconds since a second of the epoch.
fn lag(at: u32) -> u64 {
    if at == 0 {
        return 0;
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs().saturating_sub(u64::from(at)))
}
