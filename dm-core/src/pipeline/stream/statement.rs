//! Statements in the stream: what ends a transaction, and what changes structures.
//!
//! A statement that changes structures is a barrier: everything before it is in the target when
//! it runs, nothing behind it is handed out before it is done (except rows of other tables when it
//! takes long: `beside`). Before it runs, the state file
//! records how the target's tables looked. A restart that meets the statement again compares: as
//! before means that it did not run, as after means that it did, anything else stops with the
//! three structures, because only a person can tell.

use std::sync::Arc;

use dm_filter::{Change, EventType, Filter, TableName, Verdict};

use super::Stream;
use super::group::disorder;
use super::logged::is_of_temporary;
use super::operator::ALONE;
use crate::binlog::QueryEvent;
use crate::config::DdlRuleAction;
use crate::ddl::{NameRole, ParseContext, SqlMode, Statement, StatementKind as K, parse};
use crate::error::{Error, Result, codes};
use crate::pipeline::defaults::of_session;
use crate::position::BinlogPos;
use crate::schema::{Tracker, event_type};
use crate::state::Skipped;

/// Why a statement does not run that an event filter drops.
const FILTERED: &str = "filtered";
/// And one that would take rows of other source tables from the target.
const SHARED: &str = "of one of several merged tables";

/// A statement as it stands in the stream.
#[derive(Clone, Copy)]
pub(super) struct Seen<'e> {
    pub query: &'e QueryEvent<'e>,
    /// Its text.
    pub text: &'e str,
    pub start: &'e BinlogPos,
    pub end: &'e BinlogPos,
    /// When it ran, seconds since the epoch.
    pub at: u32,
    /// It stands between BEGIN and its end.
    pub in_txn: bool,
}

impl Stream<'_> {
    pub(super) fn query(
        &mut self,
        query: &QueryEvent<'_>,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        if query.is("BEGIN") {
            self.begin_transaction(at);
            return Ok(());
        }
        if query.is("COMMIT") {
            return self.commit(end);
        }
        if query.is("ROLLBACK") {
            return self.roll_back(end);
        }
        let (text, unreadable) = match query.text() {
            Ok(text) => (text, None),
            Err(error) => (String::from_utf8_lossy(&query.sql), Some(error)),
        };
        let context = self.context_of(query);
        let parsed = match unreadable {
            Some(error) => Err(error),
            None => parse(&text, &context),
        };
        let failed = parsed.as_ref().ok().filter(|_| query.error_code != 0);
        let (text, parsed) = match failed.and_then(Statement::done_by_failure) {
            Some(done) => {
                let parsed = parse(&done, &context);
                (done.into(), parsed)
            }
            None => (text, parsed),
        };
        if !self.may_stand_behind(&parsed, end) {
            self.end_beside()?;
        }
        let in_txn = self.group.in_txn;
        self.begin(None, at);
        self.group.statement = Some((start.clone(), end.clone()));
        let seen = Seen { query, text: &text, start, end, at, in_txn };
        self.take_session(query);
        self.statement(parsed, &seen)
            .map_err(|e| self.leave_open(e))
            .map_err(|e| self.with_commands(e, &seen))
    }

    /// What the text of a statement is read with.
    fn context_of(&self, query: &QueryEvent<'_>) -> ParseContext {
        ParseContext {
            sql_mode: SqlMode::from_bits(query.vars.sql_mode.unwrap_or(0)),
            default_schema: query.schema.to_string(),
            server: Some(self.server),
        }
    }

    /// What is tracked from here on goes by the session of this statement.
    pub(super) fn take_session(&mut self, query: &QueryEvent<'_>) {
        let defaults = of_session(&self.defaults, &query.vars, &self.ctx.info);
        if defaults != *self.tracker.newest().defaults() {
            self.tracker.set_defaults(defaults);
        }
    }

    fn statement(&mut self, parsed: Result<Statement>, seen: &Seen<'_>) -> Result {
        match parsed.as_ref().map(|statement| statement.kind) {
            Ok(K::Xa) => return self.xa_statement(seen.text, seen.end, seen.at),
            Ok(K::Savepoint) => {
                let name = last_word(seen.text);
                let savepoint = self.group.savepoint(name);
                self.group.savepoints.push(savepoint);
                return Ok(());
            }
            Ok(K::Rollback) => return self.back_to_savepoint(seen.text, seen.start),
            _ => {}
        }
        match self.word_of_operator(seen)? {
            Some(_) if self.is_elsewhere(&parsed) => self.skip("of another lane", seen),
            Some(action) => self.overridden(&action, parsed, seen),
            None => self.as_written(parsed, seen),
        }
    }

    /// A statement about which no operator has said anything.
    pub(super) fn as_written(&mut self, parsed: Result<Statement>, seen: &Seen<'_>) -> Result {
        let statement = match parsed {
            Ok(statement) => statement,
            Err(error) => {
                // Only rules about texts can speak of a statement that cannot be read.
                return match self.ctx.creator.filter.decide(&Change::ddl(&[], None, seen.text)) {
                    Verdict::Drop | Verdict::Exclude => self.skip("unreadable", seen),
                    Verdict::Keep | Verdict::Refuse(_) => match self.rule_about(seen) {
                        Some(action) => {
                            self.ruled(&action, Err(error), ALONE, seen)?;
                            self.end_ddl(seen)
                        }
                        None => Err(error),
                    },
                };
            }
        };
        match statement.kind {
            kind if kind.is_dml() => self.statement_format(&statement, seen),
            K::Select => self.logged_query(&statement, seen),
            _ if is_of_temporary(&statement, seen.query) => self.skip("temporary table", seen),
            kind if !kind.is_ddl() || statement.is_skipped_by_default() => {
                self.skip(&format!("{kind:?}"), seen)
            }
            _ => self.ddl(statement, seen),
        }
    }

    /// A statement of which nothing is carried.
    pub(super) fn skip(&mut self, what: &str, seen: &Seen<'_>) -> Result {
        self.count_skipped(Skipped::one(what, seen.start));
        if seen.in_txn {
            return Ok(());
        }
        if self.is_beside() {
            return self.close_barrier(seen);
        }
        let (group, position) = self.end_group(seen.end)?;
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
        let known = self.group.savepoints.iter().rposition(|s| s.name == name);
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
        self.group.savepoints.truncate(at + 1);
        self.group.back_to_last_savepoint()
    }

    fn ddl(&mut self, statement: Statement, seen: &Seen<'_>) -> Result {
        if self.online_ddl(&statement, seen)? {
            return Ok(());
        }
        let rule = self.rule_about(seen);
        let replaced = rule.as_ref().filter(|rule| matches!(rule, DdlRuleAction::Replace(_)));
        let whole = replaced.map(|rule| (rule, statement.clone()));
        let statement = match (self.beyond_ghosts(statement), whole) {
            // What runs in its place was written by somebody who knows which tables are carried.
            (Err(error), Some((rule, whole))) if error.code() == &codes::SYNC_PARTLY_CARRIED => {
                self.ruled(rule, Ok(whole), ALONE, seen)?;
                return self.end_ddl(seen);
            }
            (part, _) => part?,
        };
        match self.not_admitted(&statement, seen)? {
            // It has changed what is tracked: the position behind it is saved with that.
            Some(why @ (FILTERED | SHARED)) => self.count_skipped(Skipped::one(why, seen.start)),
            Some(why) => return self.skip(why, seen),
            None => match &rule {
                Some(rule) => self.ruled(rule, Ok(statement), ALONE, seen)?,
                None => {
                    self.must_be_whole(&statement, seen)?;
                    self.must_be_free(&statement)?;
                    self.run_own(&statement, ALONE, seen)?;
                }
            },
        }
        self.end_ddl(seen)
    }

    /// Waits until nothing is under way that was read before a structure changes: no checkpoint may
    /// have the new structure with a position before it.
    pub(super) fn settle(&mut self, statement: &Statement) -> Result {
        self.progress.wait_settled(self.group.ordinal - 1, None)?;
        // Prepared rows are read in the structure of their time.
        self.settle_prepared(&rebuilt(statement))?;
        self.save_before_statement()
    }

    /// Why a statement does not run at the target, when it does not. One that a filter drops is
    /// tracked.
    pub(super) fn not_admitted(
        &mut self,
        statement: &Statement,
        seen: &Seen<'_>,
    ) -> Result<Option<&'static str>> {
        if self.is_copied(seen.end) {
            self.known_from_here(&judged(statement));
            return Ok(Some("contained in the copy"));
        }
        if let Some(why) = self.elsewhere(statement)? {
            return Ok(Some(why));
        }
        let tables = judged(statement);
        let change = Change::ddl(&tables, self.kind_of(statement), statement.sql.as_str());
        match self.ctx.creator.filter.decide(&change) {
            Verdict::Exclude => return Ok(Some("excluded")),
            Verdict::Drop => {
                // The source has changed all the same: rows that follow have the new shape.
                self.settle(statement)?;
                self.track_only(statement);
                return Ok(Some(FILTERED));
            }
            Verdict::Refuse(refusal) => {
                return Err(Error::new(&codes::SYNC_EVENT_FILTER, refusal.to_string()));
            }
            Verdict::Keep => {}
        }
        let contained = self.group.skip || self.contained(&tables, seen.end)?;
        if contained {
            self.known_from_here(&tables);
            return Ok(Some("contained in the copy"));
        }
        if self.is_of_others_too(statement)? {
            log::warn!("left out, as the target has rows of other tables there: {}", statement.sql);
            self.settle(statement)?;
            self.track_only(statement);
            return Ok(Some(SHARED));
        }
        Ok(None)
    }

    /// Ends the group of a statement that was a barrier: its position is saved before anything later is handed
    /// out, because marks of the target may run ahead of what is saved, and structures must not stay behind
    /// them. Where it goes on beside rows, or behind one that does, that comes with its turn.
    pub(super) fn end_ddl(&mut self, seen: &Seen<'_>) -> Result {
        if self.goes_on() {
            return self.close_barrier(seen);
        }
        // All that was to happen here has happened: what is still noted is of an earlier word.
        self.drop_pending()?;
        if seen.in_txn {
            // CREATE TABLE ... SELECT: its rows follow in the same group, and so does the end.
            return Ok(());
        }
        let (group, position) = self.end_group(seen.end)?;
        self.progress.pass(group.ordinal, position, group.at);
        if self.ctx.sink.guarantees().remembers_statements {
            // Another statement may follow: none of them leaves a mark that could run ahead.
            self.unsaved = true;
            return Ok(());
        }
        self.save()
    }

    /// Tracks a statement that does not run at the target; true when it could be tracked.
    pub(super) fn track_only(&mut self, statement: &Statement) -> bool {
        match self.track(statement) {
            Ok(()) => true,
            Err(error) => {
                log::warn!("a statement that is left out is not tracked: {error}");
                false
            }
        }
    }

    /// Which event of the binlog event filter a statement is. What an ALTER TABLE does to a column
    /// depends on how the column was.
    pub(super) fn kind_of(&self, statement: &Statement) -> Option<EventType> {
        let table = statement.subject().map(|subject| &subject.name);
        let before = table.and_then(|t| self.tracker.newest().table(t)).map(Arc::clone);
        let after = match (&before, table) {
            (Some(before), Some(table)) if statement.kind == K::AlterTable => {
                let mut one = Tracker::new(self.tracker.newest().defaults().clone());
                one.set(table.clone(), Arc::clone(before), false);
                // One that does not fit is judged by its text alone, and told when it is applied.
                let applied = one.apply(statement).is_ok();
                applied.then(|| one.table(table).map(Arc::clone)).flatten()
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

    /// Tracks what a statement of the open group did.
    pub(super) fn track(&mut self, statement: &Statement) -> Result {
        let stands = self.stands();
        self.forget_what_cannot_be(statement, &stands);
        self.note_tables(statement)?;
        let effects = self.tracker.apply(statement, self.group.ordinal, stands)?;
        for note in &effects.notes {
            log::debug!("{note}");
        }
        self.tables.forget();
        Ok(())
    }

    /// A place in the open group, for people: as commands take it, and the GTID, by which another server has it.
    pub(super) fn place_of(&self, start: &BinlogPos) -> Arc<str> {
        let place = start.to_colon_text();
        match &self.group.gtid {
            Some(gtid) => format!("{place} (GTID {gtid})").into(),
            None => place.into(),
        }
    }
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

/// The tables, and schemas with all of their tables, that a statement leaves in another structure, under another
/// name or not at all. A schema's own settings are those of tables to come.
fn rebuilt(statement: &Statement) -> Vec<TableName> {
    use NameRole::{Exchange, NewName, Schema, Sequence, Table};
    if matches!(statement.kind, K::CreateDatabase | K::AlterDatabase) {
        return Vec::new();
    }
    let names = statement.names.iter();
    let names = names.filter(|n| matches!(n.role, Table | NewName | Exchange | Schema | Sequence));
    names.map(|n| n.name.clone()).collect()
}

fn last_word(text: &str) -> String {
    text.split_whitespace().last().unwrap_or_default().trim_matches('`').to_owned()
}
