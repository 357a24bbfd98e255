//! Statements that rows of other tables go on beside, in their order, and what waits for each (`beside` says why
//! that is right).

use std::collections::VecDeque;

use dm_filter::TableName;

use super::aside::Aside;
use super::group::Group;
use super::operator::Given;
use super::steps::{Running, Step};
use super::waiting::Waiting;
use crate::position::{BinlogPos, GtidSet, Position};
use crate::schema::Tracker;

/// The barriers in their order; the first one runs.
pub(super) struct Beside {
    pub running: Running,
    pub first: Barrier,
    pub behind: VecDeque<Barrier>,
    /// What waits for any of them.
    waiting: Waiting,
}

/// A group of statements that rows of other tables go on beside.
#[derive(Default)]
pub(super) struct Barrier {
    pub ordinal: u64,
    /// Its end, when that has been read; until then its group is the open one.
    pub closed: Option<Closed>,
    /// What runs at the target behind that which runs.
    pub steps: VecDeque<Step>,
    /// What its statements name.
    pub names: Vec<TableName>,
    waiting: Waiting,
    /// How far its lists will have come.
    pub given: Option<Given>,
    /// Statements of the source.
    pub statements: u64,
    /// What waits and stands before the next barrier.
    pub aside: Aside,
}

/// The end of a barrier's group.
pub(super) struct Closed {
    pub group: Group,
    pub position: Position,
    /// What had been executed before it.
    pub executed: Option<GtidSet>,
    pub text: String,
    pub start: BinlogPos,
    pub end: BinlogPos,
}

impl Barrier {
    /// The barrier of a group.
    pub fn new(ordinal: u64) -> Self {
        Self { ordinal, ..Self::default() }
    }

    /// More of its group, about these tables.
    pub fn add(&mut self, steps: VecDeque<Step>, names: Vec<TableName>, tracker: &Tracker) {
        names.iter().for_each(|name| self.waiting.add(name, None));
        // Before and behind it: a key that it drops or makes ties tables as well.
        self.waiting.add_tied(&names, tracker);
        self.names.extend(names);
        self.add_steps(steps);
    }

    /// More of what it is about already.
    pub fn add_steps(&mut self, steps: VecDeque<Step>) {
        for step in steps {
            self.add_targets(&step);
            self.steps.push_back(step);
        }
    }

    /// What a step is about at the target.
    pub fn add_targets(&mut self, step: &Step) {
        step.ddl.tables.iter().for_each(|target| self.waiting.add_target(target));
    }

    /// What foreign keys tie to its tables now.
    pub fn add_tied(&mut self, tracker: &Tracker) {
        self.waiting.add_tied(&self.names, tracker);
    }
}

impl Beside {
    pub fn new(running: Running, first: Barrier, behind: VecDeque<Barrier>) -> Self {
        let mut waiting = Waiting::default();
        [&first].into_iter().chain(&behind).for_each(|barrier| waiting.join(&barrier.waiting));
        Self { running, first, behind, waiting }
    }

    /// What the target runs, and how much waits for that.
    pub fn text(&self) -> String {
        match self.first.steps.len() + self.behind.len() {
            0 => self.running.text(),
            more => format!("{}; and {more} more that wait for it", self.running.text()),
        }
    }

    /// The last barrier.
    pub fn last(&self) -> &Barrier {
        self.behind.back().unwrap_or(&self.first)
    }

    fn last_mut(&mut self) -> &mut Barrier {
        self.behind.back_mut().unwrap_or(&mut self.first)
    }

    /// The barrier of the open group.
    pub fn open(&mut self) -> Option<&mut Barrier> {
        Some(self.last_mut()).filter(|last| last.closed.is_none())
    }

    fn barriers(&self) -> impl Iterator<Item = &Barrier> {
        [&self.first].into_iter().chain(&self.behind)
    }

    /// True where a table has to wait.
    pub fn has(&self, table: &TableName, target: Option<&TableName>) -> bool {
        self.waiting.has(table, target)
    }

    /// Makes a table wait for the last one.
    pub fn add(&mut self, table: &TableName, target: Option<&TableName>) {
        self.last_mut().waiting.add(table, target);
        self.waiting.add(table, target);
    }

    /// More waits for the last one.
    pub fn grown(&mut self) {
        self.waiting.join(&self.behind.back().unwrap_or(&self.first).waiting);
    }

    /// The barrier of the open group, a new one where it was none.
    pub fn of_open_group(&mut self, ordinal: u64) -> &mut Barrier {
        if self.open().is_none() {
            self.behind.push_back(Barrier::new(ordinal));
        }
        self.last_mut()
    }

    /// What is set aside behind the last one.
    pub fn aside(&mut self) -> &mut Aside {
        &mut self.last_mut().aside
    }

    /// Bytes that are set aside, and how much of all kinds waits.
    pub fn weight(&self) -> (usize, usize) {
        let of = |barrier: &Barrier| (barrier.aside.bytes(), barrier.aside.len() + 1);
        self.barriers().map(of).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    }
}
