//! Tables that join a task while it follows its sources.
//!
//! Guarantee: an added table holds every row of its source exactly once, its statements included, and
//! the other tables are followed meanwhile; whatever dies in between. Obstacle: the stream is somewhere
//! else than the new table's snapshot. Method: the table gets lanes of its own. It is copied from a
//! snapshot; then a second reading of the binlog, from the snapshot on, carries its changes alone, while
//! the main lane passes over them. When the table's lane has caught up, the main lane stops at a safe
//! point; from then on nothing moves, and the table's lane goes on to where the source ends *then*.
//! That end is behind everything that the main lane has read, handed out or applied, so at it one
//! commit of the state file makes the table one of the main lane's: what lies up to there is contained
//! in its rows, what follows is not. The main lane stands still for that last stretch alone.
//!
//! A restart before that commit finds the table on the list ([`crate::state::Addition`]) and goes on
//! with its copy or its stream by their marks; a restart behind it finds nothing special. A table that
//! the main lane began to carry by itself (it met its CREATE TABLE before it was asked for) is taken off
//! the list.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dm_filter::{Interest, TableName};

use super::command::Verb;
use super::source::{SourceRun, Way};
use super::{Migration, leave};
use crate::error::{Error, Result, codes};
use crate::event::{LaneId, SourceId};
use crate::online_ddl::{Kind, Names};
use crate::pipeline::{Copy, CopyStats, Ended, LanePart, Until, follow};
use crate::source::SourceInfo;
use crate::state::{Addition, StateReader, StateStore};
use crate::whose::carried;

/// How often it is looked whether the attempt was ended.
const LOOK: Duration = Duration::from_millis(50);

/// All marks of a lane.
const ALL_EPOCHS: u64 = u64::MAX;

/// How a stretch of following ended while a table was being added.
pub(super) enum Stretch {
    /// As any following ends.
    Ended(Ended),
    /// A table has joined: the next stretch carries it.
    Joined,
}

impl SourceRun {
    /// The tables that are still to be added.
    pub(super) fn additions(&self) -> Result<Vec<Addition>> {
        let id = &self.creator.source;
        let reader = self.state.reader();
        let mut open = reader.additions(id)?;
        if open.is_empty() {
            return Ok(open);
        }
        let tracked = reader.tracker(&LaneId::main(id))?.tables;
        let mut gone = Vec::new();
        open.retain(|a| {
            let known = tracked.iter().any(|t| t.name == a.table);
            if known {
                gone.push(a.table.clone());
            }
            !known
        });
        for table in gone {
            log::warn!("source {id}: {table} is part of the task already and need not be added");
            self.state.cancel_addition(id, &table)?;
        }
        Ok(open)
    }

    /// Follows the binlog and adds the first table of the list beside it.
    pub(super) fn follow_adding(&self, way: &Way<'_>, open: &[Addition]) -> Result<Stretch> {
        let Some(first) = open.first() else { return Ok(Stretch::Joined) };
        let attempt = self.control.attempt_flag(self.index);
        let held: HashSet<TableName> = open.iter().map(|a| a.table.clone()).collect();
        let (halt, give_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let main = self.creator.of_lane(LanePart::Without(Arc::new(held)));
        let ctx = self.context(way, main, Arc::clone(&halt));
        let over = AtomicBool::new(false);
        let (followed, added) = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    if attempt.load(Ordering::Relaxed) {
                        halt.store(true, Ordering::Relaxed);
                        give_up.store(true, Ordering::Relaxed);
                    }
                    std::thread::sleep(LOOK);
                }
            });
            let adding = scope.spawn(carried(|| {
                let added = self.copy_and_catch_up(way.info, first, &give_up);
                halt.store(true, Ordering::Relaxed);
                added
            }));
            let followed = follow(&ctx);
            if followed.is_err() {
                give_up.store(true, Ordering::Relaxed);
            }
            let added = adding.join().unwrap_or_else(|_| Err(super::panicked()));
            over.store(true, Ordering::Relaxed);
            (followed, added)
        });
        // Where the main lane has come to its own goal the table joins all the same.
        followed?;
        if attempt.load(Ordering::Relaxed) {
            return Ok(Stretch::Ended(Ended::Stopped));
        }
        let named = |e: Error| e.context(format!("adding table {}", first.table));
        added.map_err(named)?;
        if self.join(way.info, first, &attempt).map_err(named)? {
            return Ok(Stretch::Joined);
        }
        Ok(Stretch::Ended(Ended::Stopped))
    }

    /// Copies the table, and follows its changes until there is little left.
    fn copy_and_catch_up(
        &self,
        info: &SourceInfo,
        addition: &Addition,
        stop: &Arc<AtomicBool>,
    ) -> Result {
        let id = &self.creator.source;
        let lane = addition.stream_lane(id);
        let begun = self.state.reader().lane(&lane)?.is_some_and(|l| l.checkpoint.is_some());
        if !begun {
            let position = self.copy_added(info, addition, stop)?;
            let ctx = self.added_context(info, addition, Until::CaughtUp, stop);
            self.begin(&ctx, &addition.copy_lane(id), &position)?;
        }
        let ctx = self.added_context(info, addition, Until::CaughtUp, stop);
        match follow(&ctx)? {
            Ended::Reached => Ok(()),
            Ended::Stopped => Err(Error::new(&codes::STOPPED, "the task was asked to stop")),
        }
    }

    fn copy_added(
        &self,
        info: &SourceInfo,
        addition: &Addition,
        stop: &Arc<AtomicBool>,
    ) -> Result<crate::position::Position> {
        let (id, task) = (&self.creator.source, &self.plan.name);
        let (copy_lane, lane) = (addition.copy_lane(id), addition.stream_lane(id));
        if self.state.reader().copy_totals(&copy_lane)?.is_none() {
            self.check_online(info, &addition.table)?;
            log::info!("source {id}: {} is copied, to join the task", addition.table);
            // A state that was reset counts its additions anew: what those of before left behind
            // must not be taken for this one's.
            for lane in [&copy_lane, &lane] {
                self.sink.recover(task, lane, stop)?;
                self.sink.forget(task, lane, ALL_EPOCHS, true)?;
            }
        }
        let copy = Copy {
            task: task.clone(),
            lane: copy_lane,
            source: Arc::clone(&self.beside),
            sink: Arc::clone(&self.sink),
            state: Arc::clone(&self.state),
            creator: self.creator.of_lane(LanePart::Only(Arc::new(addition.table.clone()))),
            stats: Arc::new(CopyStats::of(self.control.meters(self.index))),
            rate: Arc::clone(&self.rate),
            stop: Arc::clone(stop),
            followed: true,
            settings: self.settings.copy.clone(),
        };
        let position = leave::run(copy)?;
        let there = self.state.reader().copy(&addition.copy_lane(id))?;
        if there.is_none_or(|c| c.tables.iter().all(|t| t.copy.info.schema.columns.is_empty())) {
            return Err(missing(&addition.table, id.as_str()));
        }
        Ok(position)
    }

    /// A schema change that is under way would be seen from its middle.
    fn check_online(&self, info: &SourceInfo, table: &TableName) -> Result {
        let Some(rules) = &self.creator.online else { return Ok(()) };
        let names = Names::new(Arc::clone(rules), info.lower_case_table_names != 0);
        let real = table.clone();
        let helper =
            move |t: &TableName| names.kind(t) != Kind::Real && names.candidates(t).contains(&real);
        let found = self.beside.tables(&helper)?;
        let Some(helper) = found.first() else { return Ok(()) };
        Err(Error::new(
            &codes::ADD_TABLE,
            format!("{helper}: an online schema change of {table} is running, or was left behind"),
        )
        .transient()
        .workaround("The table is added as soon as the tool's tables are gone; drop those that an aborted run left behind."))
    }

    /// The main lane stands still: the added one goes on to where the source ends, and is done. False
    /// when it was stopped.
    fn join(&self, info: &SourceInfo, addition: &Addition, stop: &Arc<AtomicBool>) -> Result<bool> {
        let id = &self.creator.source;
        let lane = addition.stream_lane(id);
        let goal = Until::Position(self.beside.end_position()?);
        let ctx = self.added_context(info, addition, goal, stop);
        if follow(&ctx)? == Ended::Stopped {
            return Ok(false);
        }
        let checkpoint = self.state.reader().lane(&lane)?.and_then(|l| l.checkpoint);
        let checkpoint = checkpoint.ok_or_else(|| {
            Error::new(&codes::CHECKPOINT_MODE, format!("lane {lane} has no position"))
        })?;
        self.state.join_addition(id, addition, &checkpoint.position)?;
        log::info!(
            "source {id}: {} is part of the task from {}",
            addition.table,
            checkpoint.position
        );
        for lane in [&lane, &addition.copy_lane(id)] {
            if let Err(error) = self.sink.forget(&self.plan.name, lane, ALL_EPOCHS, true) {
                // Nothing looks for them any more.
                log::warn!("marks of {lane} stay at the target: {error}");
            }
        }
        Ok(true)
    }

    fn added_context(
        &self,
        info: &SourceInfo,
        addition: &Addition,
        until: Until,
        stop: &Arc<AtomicBool>,
    ) -> crate::pipeline::StreamContext {
        let id = &self.creator.source;
        crate::pipeline::StreamContext {
            task: self.plan.name.clone(),
            lane: addition.stream_lane(id),
            copy_lane: Some(addition.copy_lane(id)),
            source: Arc::clone(&self.beside),
            info: info.clone(),
            sink: Arc::clone(&self.sink),
            state: Arc::clone(&self.state),
            creator: self.creator.of_lane(LanePart::Only(Arc::new(addition.table.clone()))),
            settings: self.settings.stream.clone(),
            ddl_rules: Arc::clone(&self.plan.ddl_rules),
            stats: Arc::default(),
            rate: Arc::clone(&self.rate),
            stop: Arc::clone(stop),
            until,
            split: Arc::default(),
            report: Box::new(|_| {}),
        }
    }
}

/// Writes down what a command says of tables and structures, before the sources' threads hear of it.
/// Who holds the state calls it: the process that runs the task, or a command when none does.
///
/// # Errors
///
/// When the state cannot be written; 66006 when there is nothing to be taken back.
pub fn write_down(state: &StateStore, verb: &Verb, sources: &[SourceId]) -> Result {
    match verb {
        Verb::Add(tables) => {
            let wanted = |(id, tables): (&String, &Vec<TableName>)| {
                let id = SourceId::new(id.as_str());
                sources.contains(&id).then(|| (id, tables.clone()))
            };
            state.request_additions(&tables.iter().filter_map(wanted).collect())
        }
        Verb::CancelAdd(table) => {
            let mut found = false;
            for source in sources {
                found |= state.cancel_addition(source, table)?;
            }
            if found {
                return Ok(());
            }
            Err(Error::new(&codes::ADD_TABLE, format!("{table} is not being added")))
        }
        Verb::Structures(given) => crate::operate::write_structures(state, given),
        _ => Ok(()),
    }
}

/// What is known of tables that are to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addable {
    /// The tables that each source has and that can join its part of the task.
    pub tables: BTreeMap<String, Vec<TableName>>,
}

impl Migration {
    /// Which sources have these tables, so that they can join the task there. `sources` are asked; all
    /// of the plan when none is named. Nothing is changed.
    ///
    /// # Errors
    ///
    /// 66006 when no source has a table, the lists do not let it in, the task does not follow its
    /// sources, or it carries the table already; what a source fails with.
    pub fn can_add(
        &self,
        sources: &[String],
        tables: &[TableName],
        state: &StateReader,
    ) -> Result<Addable> {
        if !self.parts.plan.mode.syncs() {
            let text = "the task copies and does not follow its sources: there is nothing to join";
            return Err(Error::new(&codes::ADD_TABLE, text)
                .workaround("Copy the table with a task of its own."));
        }
        let mut found = Addable::default();
        let mut left: HashSet<&TableName> = tables.iter().collect();
        for (plan, source, creator) in self.parts()? {
            let id = plan.source_id.as_str();
            if !sources.is_empty() && !sources.iter().any(|s| s == id) {
                continue;
            }
            let named: HashSet<TableName> = tables.iter().cloned().collect();
            let there = source.tables(&move |t| named.contains(t))?;
            for table in &there {
                left.remove(table);
                if creator.interest(table) == Interest::Skip {
                    return Err(Error::new(
                        &codes::ADD_TABLE,
                        format!("the rules of the task do not let in {table} of source {id}"),
                    )
                    .workaround("Let it in in the task file (`block-allow-list`): `dm stop-task`, then `dm add-table task.yaml --table ...`, then `dm start-task task.yaml`."));
                }
                refuse_known(state, &creator.source, table)?;
            }
            if !there.is_empty() {
                found.tables.insert(id.to_owned(), there);
            }
        }
        match left.into_iter().next() {
            Some(table) => Err(missing(table, &sources.join(", "))),
            None => Ok(found),
        }
    }
}

fn refuse_known(state: &StateReader, id: &SourceId, table: &TableName) -> Result {
    let followed = state.tracker(&LaneId::main(id))?.tables.iter().any(|t| t.name == *table);
    let copied = state.copy(&LaneId::copy(id))?.filter(|c| c.finished.is_none());
    let copied = copied.is_some_and(|c| c.tables.iter().any(|t| t.copy.info.name == *table));
    if !followed && !copied {
        return Ok(());
    }
    let text = format!("{table} of source {id} is part of the task already");
    Err(Error::new(&codes::ADD_TABLE, text))
}

fn missing(table: &TableName, source: &str) -> Error {
    let at = if source.is_empty() { "at any source".to_owned() } else { format!("at {source}") };
    Error::new(&codes::ADD_TABLE, format!("there is no table {table} {at}"))
        .workaround("Write the name as the source does, `schema.table`.")
}
