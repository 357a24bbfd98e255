//! The structures of a source's tables at every position from the last checkpoint up to the reader.
//!
//! Guarantee: a checkpoint saves the structures that stood at its position, whatever the reader has met since, so
//! a restart begins with exactly these; and rows are read in the structure of the place where they stand, however
//! late that is done. Obstacle: the tracker goes with the reader. It is ahead of what is at the target while a
//! statement runs beside rows of other tables, inside of a group that is not over (CREATE TABLE ... SELECT, several
//! statements at one place), and where a sink remembers statements, so that they are saved some at a time. Method:
//! the newest structures are a [`Tracker`]; for each change behind the last checkpoint it is kept what stood there
//! before, with the number of the group that changed it. What stood at a place is what the first change behind
//! that place found, or what stands there now. A checkpoint takes all changes up to its place, the net of them,
//! by name, and they are dropped here: what lies before a checkpoint is not asked for again.
//!
//! What is kept is bounded by what is under way: statements behind the last checkpoint. Without such, which is
//! nearly always, nothing is kept, and a question costs what it costs the tracker.
//!
//! A structure that is guessed from the target says nothing of a place: it holds from the last change of its
//! table that is known, or from the checkpoint on, and may be saved before the rows are in that asked for it.
//! Guessing it again would come to the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use dm_filter::TableName;

use super::history::{Older, OlderIs, Place};
use super::{Effects, Noting, SchemaInfo, Tracked, Tracker, Was};
use crate::ddl::Statement;
use crate::error::Result;
use crate::schema::{Defaults, TableSchema};

/// A change behind the last checkpoint.
#[derive(Clone, Debug)]
struct Step {
    /// The group that made it.
    group: u64,
    was: Was,
    /// Up to where it was so, where that is kept.
    until: Option<Arc<Place>>,
}

/// Where a statement stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stands {
    /// For people: where it begins, which is since where what it makes is so ([`Tracked::since`]).
    pub since: Option<Arc<str>>,
    /// Behind it: up to there stood what it changes. `None` keeps nothing of that.
    pub until: Option<Arc<Place>>,
}

/// See the module. Places are the numbers of groups in their lane ([`crate::event::StreamMark`]): a place is the
/// end of its group.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    tracker: Tracker,
    /// In the order of groups.
    steps: VecDeque<Step>,
}

/// How structures have changed between two checkpoints. What is removed may be there again under the same name:
/// removals come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Tables that are gone, or that are called otherwise.
    pub removed_tables: Vec<TableName>,
    /// Tables that are new or changed.
    pub tables: Vec<(TableName, Tracked)>,
    /// Schemas that are gone.
    pub removed_schemas: Vec<String>,
    /// Schemas that are new or changed.
    pub schemas: Vec<(String, SchemaInfo)>,
    /// What tables looked like before each statement that changed them, the oldest first.
    pub older: Vec<Older>,
}

impl Timeline {
    /// One that begins at a checkpoint.
    pub fn new(tracker: Tracker) -> Self {
        Self { tracker, steps: VecDeque::new() }
    }

    /// The newest structures: those at the reader's place.
    pub fn newest(&self) -> &Tracker {
        &self.tracker
    }

    /// Changes what the server fills in where a later statement says nothing.
    pub fn set_defaults(&mut self, defaults: Defaults) {
        self.tracker.set_defaults(defaults);
    }

    /// The structure that a table has at a place; `None` when it is not there, or not known. Of places before the
    /// last checkpoint nothing is known any more: what is told is how it stood at the checkpoint.
    pub fn schema(&self, table: &TableName, at: u64) -> Option<&Tracked> {
        // Asked for every event of rows, and nearly always of the newest.
        if self.steps.back().is_none_or(|step| step.group <= at) {
            return self.tracker.tracked(table);
        }
        let key = self.tracker.key(table);
        let found = self.behind(at).find_map(|step| match &step.was {
            Was::Table(changed, was) if *changed == key => Some(was.as_ref()),
            _ => None,
        });
        match found {
            Some(was) => was.map(|(_, tracked)| tracked),
            None => self.tracker.tracked(table),
        }
    }

    /// Applies a statement of a group, the last one so far.
    ///
    /// # Errors
    ///
    /// As [`Tracker::apply`]. Nothing has changed then.
    pub fn apply(&mut self, statement: &Statement, group: u64, stands: Stands) -> Result<Effects> {
        let Stands { since, until } = stands;
        let mut noting = Noting { since, was: Vec::new() };
        let effects = self.tracker.apply_noting(statement, &mut noting)?;
        noting.was.into_iter().for_each(|was| self.add(group, was, until.clone()));
        Ok(effects)
    }

    /// Forgets a table in a group, the last one so far. `until` is up to where it was tracked.
    pub fn remove(&mut self, table: &TableName, group: u64, until: Option<&Arc<Place>>) {
        let mut noting = Noting::default();
        self.tracker.put(self.tracker.key(table), None, &mut noting);
        noting.was.into_iter().for_each(|was| self.add(group, was, until.cloned()));
    }

    /// Takes a structure from elsewhere for one that is not known.
    pub fn guess(&mut self, table: TableName, schema: Arc<TableSchema>, since: Option<Arc<str>>) {
        let key = self.tracker.key(&table);
        let of_table =
            |step: &&Step| matches!(&step.was, Was::Table(changed, _) if *changed == key);
        let from = self.steps.iter().rev().find(of_table).map_or(0, |step| step.group);
        let mut noting = Noting::default();
        let tracked = self.tracker.new_version(schema, true, since);
        self.tracker.put(key, Some((table, tracked)), &mut noting);
        noting.was.into_iter().for_each(|was| self.add(from, was, None));
    }

    /// Knows a structure without having it saved: it is asked for again.
    pub fn know(&mut self, table: TableName, schema: Arc<TableSchema>) {
        self.tracker.set(table, schema, true);
    }

    /// What the checkpoint at a place saves. It is kept no longer.
    pub fn take_upto(&mut self, place: u64) -> Settled {
        let behind = self.steps.split_off(self.steps.partition_point(|step| step.group <= place));
        let taken = std::mem::replace(&mut self.steps, behind);
        let older = self.older(&taken, place);
        // The first change of each name tells under which it has been saved.
        let (mut tables, mut schemas) = (BTreeMap::new(), BTreeMap::new());
        for step in taken {
            match step.was {
                Was::Table(key, was) => {
                    tables.entry(key).or_insert_with(|| was.map(|(name, _)| name));
                }
                Was::Schema(key, was) => {
                    schemas.entry(key).or_insert(was.is_some());
                }
            }
        }
        let mut settled = Settled { older, ..Settled::default() };
        for (key, saved) in tables {
            let now = self.table_at(&key, place);
            if let Some(saved) = saved.filter(|s| now.as_ref().is_none_or(|(name, _)| s != name)) {
                settled.removed_tables.push(saved);
            }
            settled.tables.extend(now);
        }
        for (key, saved) in schemas {
            match self.schema_at(&key, place) {
                Some(info) => settled.schemas.push((key, info)),
                None if saved => settled.removed_schemas.push(key),
                None => {}
            }
        }
        settled
    }

    /// What statements have changed, with what stood there before each.
    fn older(&self, taken: &VecDeque<Step>, place: u64) -> Vec<Older> {
        let mut next: BTreeMap<&TableName, Option<&Tracked>> = BTreeMap::new();
        let mut older = Vec::new();
        for step in taken.iter().rev() {
            let Was::Table(key, was) = &step.was else { continue };
            let was = was.as_ref().map(|(_, tracked)| tracked);
            let same = match next.insert(key, was) {
                Some(next) => same(was, next),
                None => same(was, self.table_at(key, place).as_ref().map(|(_, tracked)| tracked)),
            };
            if let Some(until) = step.until.as_ref().filter(|_| !same) {
                let was = was.map_or(OlderIs::Untracked, |was| OlderIs::Tracked(was.clone()));
                older.push(Older { table: key.clone(), was, until: Arc::clone(until) });
            }
        }
        older.reverse();
        older
    }

    /// In the order of groups: a guess may belong before what has come since.
    fn add(&mut self, group: u64, was: Was, until: Option<Arc<Place>>) {
        let at = self.steps.partition_point(|step| step.group <= group);
        self.steps.insert(at, Step { group, was, until });
    }

    fn behind(&self, place: u64) -> impl Iterator<Item = &Step> {
        self.steps.iter().skip(self.steps.partition_point(|step| step.group <= place))
    }

    fn table_at(&self, key: &TableName, place: u64) -> Option<(TableName, Tracked)> {
        let found = self.behind(place).find_map(|step| match &step.was {
            Was::Table(changed, was) if changed == key => Some(was.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| self.tracker.tables.get(key).cloned())
    }

    fn schema_at(&self, key: &str, place: u64) -> Option<SchemaInfo> {
        let found = self.behind(place).find_map(|step| match &step.was {
            Was::Schema(changed, was) if changed == key => Some(was.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| self.tracker.schemas.get(key).cloned())
    }
}

/// True when a table looks the same before and after.
fn same(before: Option<&Tracked>, after: Option<&Tracked>) -> bool {
    match (before, after) {
        (Some(a), Some(b)) => Arc::ptr_eq(&a.schema, &b.schema) || a.schema == b.schema,
        (a, b) => a.is_none() && b.is_none(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ddl::{ParseContext, parse};

    /// What a checkpoint keeps, as the state file does: by the names that it is given.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Kept {
        tables: BTreeMap<TableName, (Arc<TableSchema>, bool)>,
        schemas: BTreeMap<String, SchemaInfo>,
    }

    impl Kept {
        fn save(&mut self, settled: Settled) {
            for name in settled.removed_tables {
                self.tables.remove(&name);
            }
            for name in settled.removed_schemas {
                self.schemas.remove(&name);
                self.tables.retain(|table, _| table.schema != name);
            }
            self.schemas.extend(settled.schemas);
            for (name, tracked) in settled.tables {
                self.tables.insert(name, (tracked.schema, tracked.assumed));
            }
        }

        fn of(tracker: &Tracker) -> Self {
            let tables =
                tracker.tables().map(|(name, t)| (name.clone(), (t.schema.clone(), t.assumed)));
            Self { tables: tables.collect(), schemas: tracker.schemas.clone() }
        }
    }

    fn name(table: &str) -> TableName {
        TableName::new("d", table)
    }

    pub fn read(sql: &str) -> Statement {
        parse(sql, &ParseContext::in_schema("d")).unwrap()
    }

    fn timeline(statements: &[&str]) -> Timeline {
        let mut timeline = Timeline::default();
        for (group, sql) in (1..).zip(statements) {
            let since = Some(format!("b:{group}").into());
            timeline.apply(&read(sql), group, Stands { since, until: None }).unwrap();
        }
        timeline
    }

    fn columns(timeline: &Timeline, table: &str, at: u64) -> Option<String> {
        let tracked = timeline.schema(&name(table), at)?;
        let names: Vec<&str> = tracked.schema.columns.iter().map(|c| c.name.as_str()).collect();
        Some(names.join(" "))
    }

    #[test]
    fn each_place_has_its_structure() {
        let mut t = timeline(&[
            "CREATE TABLE t (a INT)",
            "ALTER TABLE t ADD b INT",
            "RENAME TABLE t TO u",
            "CREATE TABLE t (z INT)",
            "DROP TABLE u",
        ]);
        let told = |t: &Timeline, table: &str| {
            (0..7).map(|at| columns(t, table, at).unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(told(&t, "t"), ["", "a", "a b", "", "z", "z", "z"]);
        assert_eq!(told(&t, "u"), ["", "", "", "a b", "a b", "", ""]);
        let settled = t.take_upto(2);
        assert_eq!(settled.tables.len(), 1);
        assert_eq!(settled.tables[0].1.since.as_deref(), Some("b:2"));
        assert_eq!(told(&t, "t"), ["a b", "a b", "a b", "", "z", "z", "z"], "the last stays");
        let settled = t.take_upto(5);
        assert_eq!(settled.tables.iter().map(|(n, _)| n).collect::<Vec<_>>(), [&name("t")]);
        assert!(settled.removed_tables.is_empty(), "what came and went was never saved");
        assert!(t.steps.is_empty());
        assert_eq!(t.take_upto(9), Settled::default());
    }

    #[test]
    fn a_guess_holds_from_the_last_change_on() {
        let guess = || Arc::new(TableSchema::default());
        let mut t = timeline(&["CREATE TABLE t (a INT)", "ALTER TABLE v ADD b INT"]);
        t.guess(name("u"), guess(), None);
        t.guess(name("v"), guess(), Some("b:9".into()));
        assert!(t.schema(&name("u"), 0).is_some() && t.schema(&name("v"), 1).is_none());
        let first = t.take_upto(0);
        assert_eq!(first.tables.len(), 1);
        assert!(first.tables[0].0 == name("u") && first.tables[0].1.assumed);
        let rest: Vec<TableName> = t.take_upto(2).tables.into_iter().map(|(n, _)| n).collect();
        assert_eq!(rest, [name("t"), name("v")]);
    }

    #[test]
    fn what_a_statement_leaves_alone_is_as_old_as_it_was() {
        let mut t =
            timeline(&["CREATE TABLE t (a INT)", "ALTER TABLE t FORCE", "ALTER TABLE t ADD b INT"]);
        assert_eq!(t.schema(&name("t"), 2).unwrap().since.as_deref(), Some("b:1"));
        assert_eq!(t.schema(&name("t"), 3).unwrap().since.as_deref(), Some("b:3"));
        t.know(name("s"), Arc::new(TableSchema::default()));
        assert!(t.schema(&name("s"), 3).is_some());
        t.remove(&name("t"), 4, None);
        assert_eq!(t.take_upto(9).tables, [], "it was never saved, and what is known alone is not");
    }

    #[test]
    fn a_name_may_be_written_otherwise() {
        let mut tracker =
            Tracker::new(Defaults { lower_case_table_names: 1, ..Defaults::default() });
        tracker.apply(&read("CREATE TABLE t (a INT)")).unwrap();
        let mut t = Timeline::new(tracker);
        t.apply(&read("ALTER TABLE T ADD b INT"), 1, Stands::default()).unwrap();
        let settled = t.take_upto(1);
        assert_eq!(settled.removed_tables, [name("t")]);
        assert_eq!(settled.tables[0].0, name("T"));
        t.apply(&read("DROP TABLE t"), 2, Stands::default()).unwrap();
        assert_eq!(t.take_upto(2).removed_tables, [name("T")]);
    }

    pub fn statement() -> impl Strategy<Value = String> {
        let table = || proptest::sample::select(vec!["t", "u", "v", "e.t", "e.w", "T"]);
        let column = proptest::sample::select(vec!["a", "b", "c"]);
        (0..12usize, table(), table(), column).prop_map(|(n, x, y, c)| match n {
            0..=2 => format!("CREATE TABLE {x} ({c} INT)"),
            3 => format!("CREATE TABLE {x} LIKE {y}"),
            4 => format!("ALTER TABLE {x} ADD {c} INT"),
            5 => format!("ALTER TABLE {x} DROP {c}"),
            6 => format!("RENAME TABLE {x} TO {y}"),
            7 => format!("RENAME TABLE {x} TO d.tmp, {y} TO {x}, d.tmp TO {y}"),
            8 => format!("DROP TABLE IF EXISTS {x}, {y}"),
            9 => "DROP DATABASE e".to_owned(),
            10 => "CREATE DATABASE e CHARACTER SET latin1".to_owned(),
            _ => "ALTER DATABASE e CHARACTER SET gbk".to_owned(),
        })
    }

    proptest! {
        /// However many statements are behind a checkpoint: what is kept is what a tracker has that has met
        /// nothing behind it, and every place between it and the reader is told as that place had it.
        #[test]
        fn a_checkpoint_has_what_stood_there(
            lower in 0..2u8,
            statements in proptest::collection::vec((statement(), 0..3u64, proptest::option::of(0..4u64)), 1..30),
        ) {
            let start = Tracker::new(Defaults { lower_case_table_names: lower, ..Defaults::default() });
            let mut timeline = Timeline::new(start.clone());
            let (mut group, mut low, mut kept) = (1, 0, Kept::default());
            // How the tracker stood at the end of each group.
            let mut stood = vec![start.clone(), start];
            for (sql, later, saved) in statements {
                // Several statements may be of one group.
                for _ in 0..later {
                    group += 1;
                    stood.push(timeline.newest().clone());
                }
                let _ = timeline.apply(&read(&sql), group, Stands::default());
                stood[group as usize] = timeline.newest().clone();
                if let Some(back) = saved {
                    // A group that is not over is not saved.
                    low = group.saturating_sub(back + 1).max(low);
                    kept.save(timeline.take_upto(low));
                    prop_assert_eq!(&kept, &Kept::of(&stood[low as usize]), "up to {}", low);
                }
                for at in low..=group {
                    let then = &stood[at as usize];
                    for (table, tracked) in then.tables() {
                        prop_assert_eq!(timeline.schema(table, at), Some(tracked));
                    }
                    let there = timeline.newest().tables().filter(|(t, _)| timeline.schema(t, at).is_some());
                    prop_assert!(there.count() <= then.tables().count());
                }
            }
            kept.save(timeline.take_upto(group));
            prop_assert_eq!(kept, Kept::of(timeline.newest()));
            prop_assert!(timeline.steps.is_empty());
        }
    }
}
