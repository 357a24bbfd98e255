//! Statements in the stream: what ends a transaction, and what changes structures.
//!
//! A statement that changes structures is a barrier: everything before it is in the target when
//! it runs, nothing behind it is handed out before it is done. Before it runs, the state file
//! records how the target's tables looked. A restart that meets the statement again compares: as
//! before means that it did not run, as after means that it did, anything else stops with the
//! three structures, because only a person can tell.

use dm_filter::{Change, EventType, Filter, TableName, Verdict};

use super::Stream;
use super::group::disorder;
use super::outcome::{ambiguous, expected, ran, same, short, structures};
use crate::binlog::{QueryEvent, charset};
use crate::ddl::{Body, NameRole, ParseContext, SqlMode, Statement, StatementKind as K, parse};
use crate::error::{Error, Result, codes};
use crate::position::{BinlogPos, Position};
use crate::schema::{Effects, Tracker, event_type};
use crate::sink::TargetDdl;
use crate::state::{NewDdl, TrackedTable};

/// Server errors which say that a statement's effect is there already. They count as success
/// only for a target table into which several source tables are merged: each of them brings the
/// same statement.
const ALREADY_SO: &[u16] =
    &[1007, 1008, 1050, 1051, 1054, 1060, 1061, 1068, 1091, 1146, 1176, 1507, 1517];

impl Stream<'_> {
    pub(super) fn query(
        &mut self,
        query: &QueryEvent<'_>,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        if query.is("BEGIN") {
            self.begin(None, at);
            self.group.in_txn = true;
            return Ok(());
        }
        if query.is("COMMIT") {
            return self.commit(end);
        }
        if query.is("ROLLBACK") {
            return self.roll_back(end);
        }
        let text = query.text()?;
        let in_txn = self.group.in_txn;
        self.begin(None, at);
        let context = ParseContext {
            sql_mode: SqlMode::from_bits(query.vars.sql_mode.unwrap_or(0)),
            default_schema: query.schema.to_string(),
            server: Some(self.server),
        };
        let statement = match parse(&text, &context) {
            Ok(statement) => statement,
            Err(error) => {
                // Only rules about texts can speak of a statement that cannot be read.
                return match self.ctx.creator.filter.decide(&Change::ddl(&[], None, text.as_ref()))
                {
                    Verdict::Drop | Verdict::Exclude => self.skip("unreadable", in_txn, end),
                    Verdict::Keep | Verdict::Refuse(_) => Err(error),
                };
            }
        };
        match statement.kind {
            K::Xa => self.xa_statement(&text, end, at),
            K::Savepoint => {
                let name = last_word(&text);
                let held = self.group.xa.as_ref().map(super::xa::Rows::place);
                self.group.savepoints.push((name, held.unwrap_or(self.group.blocks.len())));
                Ok(())
            }
            K::Rollback => self.back_to_savepoint(&text, start),
            kind if kind.is_dml() => self.statement_format(&statement, in_txn, end),
            kind if !kind.is_ddl() || statement.is_skipped_by_default() => {
                self.skip(&format!("{kind:?}"), in_txn, end)
            }
            _ => self.ddl(&statement, query, start, end, at),
        }
    }

    /// A statement of which nothing is carried.
    fn skip(&mut self, what: &str, in_txn: bool, end: &BinlogPos) -> Result {
        self.changes.skipped.push((what.to_owned(), 1));
        if in_txn {
            return Ok(());
        }
        let (group, position) = self.end_group(end)?;
        self.progress.pass(group.ordinal, position, group.at);
        Ok(())
    }

    fn xa_statement(&mut self, text: &str, end: &BinlogPos, at: u32) -> Result {
        let mut words = text.split_whitespace().skip(1);
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let xid: String = words.collect::<Vec<_>>().join(" ");
        match verb.as_str() {
            "START" | "BEGIN" => {
                self.group.in_txn = true;
                self.group.xa = Some(super::xa::Rows::default());
                Ok(())
            }
            "COMMIT" if xid.to_ascii_uppercase().ends_with("ONE PHASE") => self.commit(end),
            "COMMIT" => self.xa_decide(&xid, true, end, at),
            "ROLLBACK" => self.xa_decide(&xid, false, end, at),
            _ => Ok(()),
        }
    }

    /// `ROLLBACK TO name`: what followed the savepoint is undone.
    fn back_to_savepoint(&mut self, text: &str, start: &BinlogPos) -> Result {
        let name = last_word(text);
        let known = self.group.savepoints.iter().rposition(|(n, _)| *n == name);
        let Some(at) = known else {
            return Err(disorder(
                start,
                "a transaction goes back to a savepoint that it does not have",
            ));
        };
        if self.group.large {
            return Err(Error::new(
                &codes::SYNC_UNSUPPORTED,
                "a transaction that is too large to be held goes back to a savepoint",
            ));
        }
        let place = self.group.savepoints.get(at).map_or(0, |(_, place)| *place);
        if let Some(xa) = self.group.xa.as_mut() {
            xa.back_to(place)?;
            self.group.savepoints.truncate(at + 1);
            return Ok(());
        }
        self.group.blocks.truncate(place);
        self.group.savepoints.truncate(at + 1);
        Ok(())
    }

    /// A change of rows that is logged as its statement: it cannot be followed, unless nothing
    /// that it names is carried.
    fn statement_format(&mut self, statement: &Statement, in_txn: bool, end: &BinlogPos) -> Result {
        for table in statement.tables() {
            if self.tables.is_carried(table)? {
                return Err(Error::new(
                    &codes::SYNC_STATEMENT_FORMAT,
                    format!(
                        "rows of {table} were changed by a logged statement: {}",
                        short(&statement.sql)
                    ),
                ));
            }
        }
        self.skip("statement-format change of excluded tables", in_txn, end)
    }

    fn ddl(
        &mut self,
        statement: &Statement,
        query: &QueryEvent<'_>,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        if self.online_ddl(statement, query, start, end, at)? {
            return Ok(());
        }
        let in_txn = self.group.in_txn;
        match self.carry(statement, query, start, end, at)? {
            Some(why) => self.skip(why, in_txn, end),
            None => self.end_ddl(in_txn, end),
        }
    }

    /// Runs a statement at the target, or says why it does not run there.
    pub(super) fn carry(
        &mut self,
        statement: &Statement,
        query: &QueryEvent<'_>,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result<Option<&'static str>> {
        if self.is_copied(end) {
            return Ok(Some("contained in the copy"));
        }
        let tables = judged(statement);
        let change = Change::ddl(&tables, self.kind_of(statement), statement.sql.as_str());
        match self.ctx.creator.filter.decide(&change) {
            Verdict::Exclude => return Ok(Some("excluded")),
            Verdict::Drop => {
                self.track_only(statement);
                return Ok(Some("filtered"));
            }
            Verdict::Refuse(refusal) => {
                return Err(Error::new(&codes::SYNC_EVENT_FILTER, refusal.to_string()));
            }
            Verdict::Keep => {}
        }
        if self.group.skip || self.contained(&tables, end)? {
            return Ok(Some("contained in the copy"));
        }
        self.run_ddl(statement, query, start, at)?;
        self.ctx.stats.ddl();
        Ok(None)
    }

    /// The source has changed although the target does not: rows that follow have the new shape.
    pub(super) fn track_only(&mut self, statement: &Statement) {
        match self.tracker.apply(statement) {
            Ok(effects) => self.track(&effects),
            Err(error) => log::warn!("a filtered statement is not tracked: {error}"),
        }
    }

    /// Ends the group of a statement that was a barrier: its position is saved before anything
    /// later is handed out.
    pub(super) fn end_ddl(&mut self, in_txn: bool, end: &BinlogPos) -> Result {
        if in_txn {
            // CREATE TABLE ... SELECT: its rows follow in the same group, and so does the end.
            return Ok(());
        }
        let (group, position) = self.end_group(end)?;
        self.progress.pass(group.ordinal, position, group.at);
        self.save()
    }

    /// Which event of the binlog event filter a statement is. What an ALTER TABLE does to a column
    /// depends on how the column was.
    pub(super) fn kind_of(&self, statement: &Statement) -> Option<EventType> {
        let table = statement.subject().map(|subject| &subject.name);
        let before = table.and_then(|t| self.tracker.table(t)).map(std::sync::Arc::clone);
        let after = match (&before, table) {
            (Some(before), Some(table)) if statement.kind == K::AlterTable => {
                let mut one = Tracker::new(self.tracker.defaults().clone());
                one.set(table.clone(), std::sync::Arc::clone(before), false);
                // One that does not fit is judged by its text alone, and told when it is applied.
                let applied = one.apply(statement).is_ok();
                applied.then(|| one.table(table).map(std::sync::Arc::clone)).flatten()
            }
            _ => None,
        };
        event_type(statement, before.as_deref(), after.as_deref())
    }

    /// True when all tables of a statement were copied after it had run. A table that was copied
    /// while it ran would hold rows of two shapes.
    pub(super) fn contained(&mut self, tables: &[TableName], end: &BinlogPos) -> Result<bool> {
        use crate::event::ApplyMode;
        use crate::pipeline::windows::Admission;
        let gtid = self.group.gtid.clone();
        let mut contained = 0;
        for table in tables {
            match self.windows.admit(table, end, gtid.as_ref()) {
                Admission::Contained => contained += 1,
                Admission::Apply(ApplyMode::Exact) => {}
                Admission::Apply(ApplyMode::Idempotent) => {
                    return Err(Error::new(
                        &codes::SYNC_DDL_IN_COPY,
                        format!("table {table} was changed by a statement while it was copied"),
                    ));
                }
            }
        }
        if contained > 0 && contained < tables.len() {
            return Err(Error::new(
                &codes::SYNC_DDL_IN_COPY,
                "a statement changes tables of which some were copied before it and some after it",
            ));
        }
        Ok(contained > 0)
    }

    pub(super) fn run_ddl(
        &mut self,
        statement: &Statement,
        query: &QueryEvent<'_>,
        start: &BinlogPos,
        at: u32,
    ) -> Result {
        self.progress.wait_settled(self.group.ordinal - 1, None)?;
        self.settle_prepared(&judged(statement))?;
        let ddl = self.ctx.sink.adapt(self.target_ddl(statement, query, at)?)?;
        let record = match self.take_pending() {
            // What follows in this group has begun: this one has run.
            Some(record) if self.is_pending() => {
                self.group.statements.push(record.id);
                None
            }
            Some(record) => match self.compare(&record, &ddl)? {
                Ran::Yes => None,
                Ran::No => Some(record.id),
            },
            None => Some(self.begin_record(&ddl, start)?),
        };
        if let Some(id) = record {
            self.execute(&ddl, id)?;
        }
        self.forget_what_cannot_be(statement);
        let effects = self.tracker.apply(statement)?;
        self.track(&effects);
        self.tables.forget();
        Ok(())
    }

    /// The source made a table, so it was not there: what is tracked under its name is left over
    /// from a checkpoint that was saved between a CREATE TABLE ... SELECT and its rows.
    fn forget_what_cannot_be(&mut self, statement: &Statement) {
        if let Body::CreateTable(create) = &statement.body
            && !create.if_not_exists
            && !create.or_replace
            && let Some(subject) = statement.subject()
        {
            self.tracker.remove(&subject.name);
        }
    }

    fn begin_record(&self, ddl: &TargetDdl, start: &BinlogPos) -> Result<i64> {
        let mut before = Vec::with_capacity(ddl.tables.len());
        for table in ddl.tables.iter().filter(|t| !t.table.is_empty()) {
            before.push((table.clone(), self.ctx.sink.show_create(table)?));
        }
        self.ctx.state.begin_ddl(
            &self.ctx.lane,
            &NewDdl {
                ordinal: self.group.ordinal,
                position: Position { binlog: Some(start.clone()), gtid: self.executed.clone() },
                sql: ddl.sql.clone(),
                before,
            },
        )
    }

    fn execute(&mut self, ddl: &TargetDdl, record: i64) -> Result {
        let merged = ddl.tables.iter().any(|t| self.ctx.creator.merged.contains(t));
        match self.execute_aside(ddl) {
            Ok(crate::sink::DdlOutcome::Done) => {}
            Ok(crate::sink::DdlOutcome::Skipped(why)) => {
                log::warn!("the target does without {:?}: {why}", short(&ddl.sql));
                self.changes.skipped.push(("not needed by the target".to_owned(), 1));
            }
            Err(error)
                if merged && error.server_error().is_some_and(|n| ALREADY_SO.contains(&n)) =>
            {
                log::info!("merged target: {:?} is so already: {error}", short(&ddl.sql));
            }
            Err(error) => {
                // A refused statement did not run; after a broken connection nobody knows.
                if !error.is_transient() {
                    self.ctx.state.remove_ddl(record)?;
                }
                return Err(error);
            }
        }
        self.group.statements.push(record);
        Ok(())
    }

    /// Runs a statement on a thread of its own: a stop must not wait for hours, and the statement
    /// must not be killed. The next start waits until it has ended and finds out what became of it.
    fn execute_aside(&self, ddl: &TargetDdl) -> Result<crate::sink::DdlOutcome> {
        let (tell, told) = crossbeam_channel::bounded(1);
        let (sink, theirs) = (std::sync::Arc::clone(&self.ctx.sink), ddl.clone());
        std::thread::Builder::new()
            .name("dm-statement".to_owned())
            .spawn(move || {
                // Nobody may listen any more.
                let _ = tell.send(sink.execute_ddl(&theirs));
            })
            .map_err(|e| Error::new(&codes::SYNC_PANIC, "a thread could not start").cause(e))?;
        let mut patience = super::STOP_PATIENCE;
        loop {
            match told.recv_timeout(super::PATIENCE) {
                Ok(result) => return result,
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                    if self.ctx.stop.load(std::sync::atomic::Ordering::Relaxed) {
                        patience = patience.saturating_sub(super::PATIENCE);
                    }
                    if patience.is_zero() {
                        log::warn!(
                            "stopped while the target runs {:?}: it runs on",
                            short(&ddl.sql)
                        );
                        // Transient: its record stays for the next start.
                        return Err(Error::new(
                            &codes::STOPPED,
                            "stopped while a statement runs at the target",
                        )
                        .transient());
                    }
                }
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(
                        &codes::SYNC_PANIC,
                        "the thread of a statement panicked",
                    )
                    .transient());
                }
            }
        }
    }

    fn target_ddl(
        &self,
        statement: &Statement,
        query: &QueryEvent<'_>,
        at: u32,
    ) -> Result<TargetDdl> {
        let reread_or = |text: Option<String>, otherwise: Statement| match text {
            Some(text) => parse(&text, &statement.context),
            None => Ok(otherwise),
        };
        let bare = reread_or(statement.without_start_transaction(), statement.clone())?;
        // As DM does; other statements keep the condition that their author gave them.
        let conditional = match bare.kind {
            K::CreateTable | K::DropTable | K::CreateDatabase | K::DropDatabase => {
                reread_or(bare.with_condition(), bare)?
            }
            _ => bare,
        };
        let mut tables = Vec::new();
        for name in judged(statement) {
            let t = self.ctx.creator.target(&name)?;
            let target = TableName::new(t.schema, t.table);
            if !tables.contains(&target) {
                tables.push(target);
            }
        }
        let vars = &query.vars;
        let collation = vars.charset.and_then(|c| charset::by_id(c.server));
        Ok(TargetDdl {
            sql: self.ctx.creator.splice(&conditional)?,
            lane: Some((self.ctx.task.clone(), self.ctx.lane.clone())),
            once: (conditional.kind == K::RenameTable).then_some(self.group.ordinal),
            schema: String::new(),
            tables,
            at,
            sql_mode: Some(statement.context.sql_mode.to_string()),
            time_zone: vars.time_zone.clone(),
            collation_server: collation.map(|c| c.name(self.ctx.info.flavor).to_owned()),
            from: Some(self.ctx.info.flavor),
        })
    }

    fn take_pending(&mut self) -> Option<crate::state::DdlRecord> {
        let at = self.pending.iter().position(|p| p.ddl.ordinal == self.group.ordinal)?;
        Some(self.pending.remove(at))
    }

    fn is_pending(&self) -> bool {
        self.pending.iter().any(|p| p.ddl.ordinal == self.group.ordinal)
    }

    /// Whether a statement that was under way when the task died has run.
    fn compare(&mut self, record: &crate::state::DdlRecord, ddl: &TargetDdl) -> Result<Ran> {
        if self.ctx.sink.runs_once(ddl) {
            return Ok(Ran::No);
        }
        let before = structures(record.ddl.before.iter().map(|(t, s)| (t, s.clone())))?;
        let mut now = Vec::new();
        for (table, _) in &record.ddl.before {
            now.push((table, self.ctx.sink.show_create(table)?));
        }
        let now = structures(now.into_iter())?;
        let after = expected(&before, &record.ddl.sql)?;
        if record.ddl.before.is_empty() {
            // A schema: its statement says IF [NOT] EXISTS.
            return Ok(Ran::No);
        }
        let sql = ddl.sql.to_ascii_uppercase();
        let swaps = sql.contains("RENAME") || sql.contains("EXCHANGE");
        match ran(&before, &after, &now) {
            Some(true) => {
                self.group.statements.push(record.id);
                Ok(Ran::Yes)
            }
            Some(false) => Ok(Ran::No),
            // It changes nothing that can be seen. Running it twice is harmless, unless tables
            // change places.
            None if same(&before, &after) && !swaps => Ok(Ran::No),
            None => Err(ambiguous(&record.ddl.sql, &before, &after, &now)),
        }
    }

    /// Notes changed structures for the next checkpoint.
    fn track(&mut self, effects: &Effects) {
        for change in &effects.tables {
            match &change.after {
                Some(schema) => self.changes.tables.push(TrackedTable {
                    name: change.name.clone(),
                    schema: std::sync::Arc::clone(schema),
                    version: self.tracker.tracked(&change.name).map_or(0, |t| t.version),
                    assumed: false,
                }),
                None => self.changes.removed_tables.push(change.name.clone()),
            }
        }
        for schema in &effects.schemas {
            match self.tracker.schema(schema) {
                Some(info) => self.changes.schemas.push(crate::schema::SchemaCopy {
                    name: schema.clone(),
                    charset: info.charset.clone(),
                    collation: info.collation.clone(),
                }),
                None => self.changes.removed_schemas.push(schema.clone()),
            }
        }
        for note in &effects.notes {
            log::debug!("{note}");
        }
    }
}

enum Ran {
    Yes,
    No,
}

/// The names that decide whether a statement is carried.
pub(crate) fn judged(statement: &Statement) -> Vec<TableName> {
    let mut tables: Vec<TableName> = Vec::new();
    for name in &statement.names {
        let counts = matches!(
            name.role,
            NameRole::Table
                | NameRole::NewName
                | NameRole::Like
                | NameRole::Exchange
                | NameRole::Schema
                | NameRole::Sequence
        );
        if counts && !tables.contains(&name.name) {
            tables.push(name.name.clone());
        }
    }
    tables
}

fn last_word(text: &str) -> String {
    text.split_whitespace().last().unwrap_or_default().trim_matches('`').to_owned()
}
