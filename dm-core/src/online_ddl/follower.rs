//! The state machine: what to do at the target for the statements of a stream, in its order.

use std::collections::{BTreeMap, BTreeSet};

use dm_filter::{TableName, Verdict};

use super::names::Names;
use super::record::{Change, Record};
use super::steps::{Step, drop_of, read};
use crate::ddl::{Body, ServerVersion, Statement};
use crate::error::{Error, Result, codes};
use crate::state::OnlineDdl;

/// Something to do at the target.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A statement that changed a ghost table is to change the real one.
    Change {
        /// The statement, with the real table's name.
        statement: Box<Statement>,
        /// How it stood in the binlog.
        change: Box<Change>,
    },
    /// A statement on real tables goes its ordinary way.
    Rest(Box<Statement>),
}

/// What a filter says of a statement for one of its tables.
pub type Judge<'j> = dyn Fn(&TableName) -> Verdict + 'j;

/// Follows the online schema changes of one source.
#[derive(Clone, Debug)]
pub struct Follower {
    names: Names,
    server: Option<ServerVersion>,
    records: BTreeMap<TableName, Record>,
    touched: BTreeSet<TableName>,
}

impl Follower {
    /// A follower that knows what was saved with the position it begins at.
    ///
    /// # Errors
    ///
    /// When what was saved cannot be read.
    pub fn new(names: Names, server: Option<ServerVersion>, saved: &[OnlineDdl]) -> Result<Self> {
        let mut records = BTreeMap::new();
        for one in saved {
            let record = serde_json::from_str(&one.record).map_err(|e| {
                let text = format!("the record of the online schema change of {}", one.table);
                Error::new(&codes::STATE_VALUE, text).cause(e)
            })?;
            records.insert(one.table.clone(), record);
        }
        Ok(Self { names, server, records, touched: BTreeSet::new() })
    }

    /// The naming rules.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What changed since this was last asked: tables whose record is gone, and records to save.
    ///
    /// # Errors
    ///
    /// Never for records that this type made.
    pub fn take_changes(&mut self) -> Result<(Vec<TableName>, Vec<OnlineDdl>)> {
        let (mut gone, mut saved) = (Vec::new(), Vec::new());
        for table in std::mem::take(&mut self.touched) {
            match self.records.get(&table) {
                None => gone.push(table),
                Some(record) => {
                    let record = serde_json::to_string(record).map_err(|e| {
                        Error::new(&codes::STATE_VALUE, "a record cannot be saved").cause(e)
                    })?;
                    saved.push(OnlineDdl { table, record });
                }
            }
        }
        Ok((gone, saved))
    }

    /// All records, as they would be saved.
    #[cfg(test)]
    pub(super) fn all_records(&mut self) -> Result<Vec<OnlineDdl>> {
        self.touched.extend(self.records.keys().cloned());
        self.take_changes().map(|(_, saved)| saved)
    }

    /// True when a statement may have to do with an online schema change: if not,
    /// [`Follower::statement`] would say nothing.
    pub fn concerns(&self, statement: &Statement) -> bool {
        let named = |name: &TableName| {
            self.names.is_helper(name) || self.records.contains_key(&self.names.key(name))
        };
        statement.names.iter().any(|n| named(&n.name))
            || self.dropped_under(statement).is_some()
            || dropped_schema(statement).is_some()
    }

    /// The tables whose place a ghost table takes by a statement.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn finishing(&self, statement: &Statement) -> Result<Vec<TableName>> {
        let steps = read(&self.names, statement)?.unwrap_or_default().into_iter();
        let reals = steps.filter_map(|step| match step {
            Step::Finish { real, .. } => Some(real),
            _ => None,
        });
        Ok(reals.collect())
    }

    /// The ghost tables that a statement gives their real names and of which it is not known what
    /// changed them: their beginning lies before the place where following began.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn unknown(&self, statement: &Statement, judge: &Judge<'_>) -> Result<Vec<TableName>> {
        let mut list = Vec::new();
        for step in read(&self.names, statement)?.unwrap_or_default() {
            if let Step::Finish { ghost, real, .. } = step
                && judge(&real) != Verdict::Exclude
                && !self.is_complete(&ghost)
            {
                list.push(ghost);
            }
        }
        Ok(list)
    }

    fn is_complete(&self, ghost: &TableName) -> bool {
        let record = self.records.get(&self.names.key(ghost));
        matches!(record, Some(Record::Ghost { complete: true, .. }))
    }

    /// Puts statements that were read out of the earlier binlog before those that are known.
    pub fn adopt(&mut self, ghost: &TableName, mut earlier: Vec<Change>) {
        let key = self.names.key(ghost);
        if let Some(Record::Ghost { changes, .. }) = self.records.remove(&key) {
            for change in changes {
                push(&mut earlier, change);
            }
        }
        self.set(key, Record::Ghost { complete: true, changes: earlier });
    }

    /// True when the statements of a ghost table are kept from its beginning on.
    pub fn is_followed(&self, ghost: &TableName) -> bool {
        self.is_complete(ghost)
    }

    /// Keeps a further change of a ghost table.
    pub fn add(&mut self, ghost: &TableName, change: Change) {
        self.remember(ghost, change);
    }

    /// What a statement of the stream means for the target, in order; `None` when it has nothing to
    /// do with online schema changes. `heard` is the statement as it stands in the binlog.
    ///
    /// # Errors
    ///
    /// 36044, 36045, 20049: a rename that no tool makes. 36046: a ghost table takes its place of
    /// which nothing is known. 36030: the filter refuses the statement.
    pub fn statement(
        &mut self,
        statement: &Statement,
        heard: &Change,
        judge: &Judge<'_>,
    ) -> Result<Option<Vec<Action>>> {
        let Some(steps) = read(&self.names, statement)? else {
            return self.ordinary(statement, judge);
        };
        let mut actions = Vec::new();
        for step in steps {
            self.step(step, statement, heard, judge, &mut actions)?;
        }
        Ok(Some(actions))
    }

    fn step(
        &mut self,
        step: Step,
        whole: &Statement,
        heard: &Change,
        judge: &Judge<'_>,
        actions: &mut Vec<Action>,
    ) -> Result {
        match step {
            Step::Rest(statement) => {
                if let Some(more) = self.ordinary(&statement, judge)? {
                    actions.extend(more);
                } else {
                    actions.push(Action::Rest(statement));
                }
            }
            Step::Begin(ghost) => {
                if let Some((real, _)) = self.carried(&ghost, judge)? {
                    self.let_go(&real, None, whole, actions)?;
                    let none = Record::Ghost { complete: true, changes: Vec::new() };
                    self.set(self.names.key(&ghost), none);
                }
            }
            Step::Forget(ghost) => {
                if let Some((real, _)) = self.carried(&ghost, judge)? {
                    self.let_go(&real, None, whole, actions)?;
                }
                self.remove(&ghost);
            }
            Step::Remember(ghost) => {
                if let Some((_, verdict)) = self.carried(&ghost, judge)? {
                    let filtered = verdict == Verdict::Drop;
                    self.remember(&ghost, Change { filtered, ..heard.clone() });
                }
            }
            Step::Finish { ghost, real, changes } => {
                self.finish(&ghost, &real, changes, heard, judge, actions)?;
            }
            Step::Leave { real, trash } => match judge(&real) {
                // The filter wants the table to stay whatever the source does to its name.
                Verdict::Exclude | Verdict::Drop => {}
                Verdict::Refuse(refusal) => return Err(refused(&refusal)),
                Verdict::Keep => {
                    let trash = Some((trash.schema, trash.table));
                    self.set(self.names.key(&real), Record::Away { trash });
                }
            },
            Step::Return { trash, real } => self.back(&trash, &real, judge)?,
            Step::Gone(trash) => {
                let all: Vec<TableName> = self.records.keys().cloned().collect();
                for real in all {
                    self.let_go(&real, Some(&trash), whole, actions)?;
                }
            }
            Step::Nothing(_) => {}
            Step::Wrong { table, code, text } => {
                if judge(&table) != Verdict::Exclude {
                    return Err(Error::new(code, text));
                }
            }
        }
        Ok(())
    }

    fn finish(
        &mut self,
        ghost: &TableName,
        real: &TableName,
        last: Option<String>,
        heard: &Change,
        judge: &Judge<'_>,
        actions: &mut Vec<Action>,
    ) -> Result {
        let verdict = judge(real);
        if let Verdict::Refuse(refusal) = &verdict {
            return Err(refused(refusal));
        }
        let record = self.records.get(&self.names.key(ghost)).cloned();
        self.remove(ghost);
        self.remove(real);
        if verdict == Verdict::Exclude {
            return Ok(());
        }
        let mut changes = match record {
            Some(Record::Ghost { complete: true, changes }) => changes,
            _ => Vec::new(),
        };
        if let Some(sql) = last {
            changes.push(Change { sql, ..heard.clone() });
        }
        if changes.is_empty() {
            return Err(Error::new(
                &codes::SYNC_ONLINE_NO_DDL,
                format!(
                    "{ghost} takes the place of {real}, and no statement that changed it was seen"
                ),
            ));
        }
        for change in changes {
            let statement = change.on(real, self.server, |name| self.names.same(name, ghost))?;
            actions
                .push(Action::Change { statement: Box::new(statement), change: Box::new(change) });
        }
        Ok(())
    }

    /// A table comes back out of the trash: it is as it was when it left.
    fn back(&mut self, trash: &TableName, real: &TableName, judge: &Judge<'_>) -> Result {
        let key = self.names.key(real);
        if let Some(Record::Away { trash: Some(name) }) = self.records.get(&key)
            && self.names.same(&TableName::new(name.0.as_str(), name.1.as_str()), trash)
        {
            self.remove(real);
            return Ok(());
        }
        if judge(real) == Verdict::Exclude {
            return Ok(());
        }
        Err(Error::new(
            &codes::SYNC_ONLINE_RENAME_GHOST,
            format!("{trash} is renamed to {real}: the rows of a trash table were not followed"),
        ))
    }

    /// A statement without helper tables may concern one that is away.
    fn ordinary(
        &mut self,
        statement: &Statement,
        judge: &Judge<'_>,
    ) -> Result<Option<Vec<Action>>> {
        if let Some(schema) = dropped_schema(statement) {
            let schema = self.names.key(&TableName::schema_only(schema)).schema;
            let under: Vec<_> =
                self.records.keys().filter(|t| t.schema == schema).cloned().collect();
            under.iter().for_each(|t| self.remove(t));
            return Ok(None);
        }
        if let Some(real) = self.dropped_under(statement) {
            if judge(&real) == Verdict::Keep {
                self.set(self.names.key(&real), Record::Away { trash: None });
                return Ok(Some(Vec::new()));
            }
            return Ok(None);
        }
        let mut actions = Vec::new();
        match &statement.body {
            Body::CreateTable(create) if !create.temporary => {
                if let Some(subject) = statement.subject() {
                    self.let_go_for_good(&subject.name, statement, &mut actions)?;
                }
            }
            Body::RenameTable(pairs) => {
                for (_, to) in pairs {
                    self.let_go_for_good(to, statement, &mut actions)?;
                }
            }
            // It is not there at the source; at the target it is, until it is clear why.
            Body::DropTable { tables, .. } if tables.len() == 1 => {
                let is_away = tables.iter().any(|t| self.is_away(t));
                return Ok(is_away.then(Vec::new));
            }
            _ => {}
        }
        if actions.is_empty() {
            return Ok(None);
        }
        actions.push(Action::Rest(Box::new(statement.clone())));
        Ok(Some(actions))
    }

    /// The table of a DROP TABLE whose ghost is ready to take its place: the cut-over of
    /// pt-online-schema-change with `--alter-foreign-keys-method drop_swap`.
    fn dropped_under(&self, statement: &Statement) -> Option<TableName> {
        let Body::DropTable { tables, temporary: false, .. } = &statement.body else { return None };
        let [real] = tables.as_slice() else { return None };
        let ready = self.records.iter().any(|(ghost, record)| {
            matches!(record, Record::Ghost { changes, .. } if !changes.is_empty())
                && self.names.candidates(ghost).iter().any(|r| self.names.same(r, real))
        });
        (ready && !self.is_away(real)).then(|| real.clone())
    }

    fn is_away(&self, real: &TableName) -> bool {
        matches!(self.records.get(&self.names.key(real)), Some(Record::Away { .. }))
    }

    /// What was held back of a table happens: nothing will take its place. `None` for one that was
    /// dropped, else the trash name that is gone.
    fn let_go(
        &mut self,
        real: &TableName,
        gone: Option<&TableName>,
        whole: &Statement,
        actions: &mut Vec<Action>,
    ) -> Result {
        let Some(Record::Away { trash }) = self.records.get(&self.names.key(real)) else {
            return Ok(());
        };
        let is_it = match (trash, gone) {
            (None, None) => true,
            (Some((schema, table)), Some(gone)) => {
                self.names.same(&TableName::new(schema.as_str(), table.as_str()), gone)
            }
            _ => false,
        };
        if is_it { self.let_go_for_good(real, whole, actions) } else { Ok(()) }
    }

    fn let_go_for_good(
        &mut self,
        real: &TableName,
        whole: &Statement,
        actions: &mut Vec<Action>,
    ) -> Result {
        if self.is_away(real) {
            self.remove(real);
            actions.push(Action::Rest(Box::new(drop_of(real, whole)?)));
        }
        Ok(())
    }

    /// The real table that a helper table stands for, when it is carried, and the verdict on it.
    fn carried(
        &self,
        helper: &TableName,
        judge: &Judge<'_>,
    ) -> Result<Option<(TableName, Verdict)>> {
        for real in self.names.candidates(helper) {
            match judge(&real) {
                Verdict::Exclude => {}
                Verdict::Refuse(refusal) => return Err(refused(&refusal)),
                verdict => return Ok(Some((real, verdict))),
            }
        }
        Ok(None)
    }

    fn remember(&mut self, ghost: &TableName, change: Change) {
        let key = self.names.key(ghost);
        let (complete, mut changes) = match self.records.remove(&key) {
            Some(Record::Ghost { complete, changes }) => (complete, changes),
            _ => (false, Vec::new()),
        };
        push(&mut changes, change);
        self.set(key, Record::Ghost { complete, changes });
    }

    fn set(&mut self, key: TableName, record: Record) {
        self.records.insert(key.clone(), record);
        self.touched.insert(key);
    }

    fn remove(&mut self, table: &TableName) {
        let key = self.names.key(table);
        if self.records.remove(&key).is_some() {
            self.touched.insert(key);
        }
    }
}

/// Adds a statement, unless it is one that is read again.
pub(super) fn push(changes: &mut Vec<Change>, change: Change) {
    if !changes.iter().any(|c| c.position == change.position) {
        changes.push(change);
    }
}

fn dropped_schema(statement: &Statement) -> Option<&str> {
    match &statement.body {
        Body::DropDatabase { name, .. } => Some(name),
        _ => None,
    }
}

fn refused(refusal: &dm_filter::Refusal) -> Error {
    Error::new(&codes::SYNC_EVENT_FILTER, refusal.to_string())
}
