//! Online schema changes in the stream: `online_ddl` says what a statement means, here it happens.
//!
//! Guarantee: what is kept of a ghost table belongs to exactly the position that is saved with it,
//! and the statements at the rename run once each, whatever dies in between. Method: a statement on
//! a helper table is a barrier as every structural one, although nothing runs: all before it is in,
//! and the record is saved with the position behind it before anything later is handed out, so that
//! marks of the target cannot run ahead of it. The rename's statements run one after the other, each
//! with a record of its own; a record of a later one says that the earlier ones have run. They may go
//! on beside rows of other tables (`beside`): what is kept of the ghost table is saved when all have ended. `ddl-rules`
//! are asked about each of them, by the text with the real table's name.

use dm_filter::{Change as Judged, EventType, Filter, TableName, Verdict};

use super::Stream;
use super::lookback::look_back;
use super::operator::ALONE;
use super::statement::Seen;
use crate::ddl::{Statement, StatementKind};
use crate::error::{Error, Result, codes};
use crate::online_ddl::{Action, Change, Follower};
use crate::position::BinlogPos;
use crate::state::Skipped;

impl Stream<'_> {
    /// Handles a statement that has to do with an online schema change; false for any other.
    pub(super) fn online_ddl(&mut self, statement: &Statement, seen: &Seen<'_>) -> Result<bool> {
        let concerns = |f: &Follower| f.concerns(statement) && self.is_own_change(statement, f);
        if self.group.skip || !self.online.as_ref().is_some_and(concerns) {
            return Ok(false);
        }
        let Some(mut follower) = self.online.take() else { return Ok(false) };
        if self.asks_for_key_names(&follower, statement) {
            self.end_beside()?;
        }
        self.progress.wait_settled(self.group.ordinal - 1, None)?;
        self.save()?;
        let done = self.online_steps(&mut follower, statement, seen);
        self.online = Some(follower);
        match done? {
            true => self.end_ddl(seen).map(|()| true),
            false => Ok(false),
        }
    }

    /// True when all of the statement is done.
    fn online_steps(
        &mut self,
        follower: &mut Follower,
        statement: &Statement,
        seen: &Seen<'_>,
    ) -> Result<bool> {
        let heard = Change::new(&statement.sql, seen.query, seen.at, seen.start.to_string());
        // What the copy has read behind the rename needs nothing more.
        let mut contained = Vec::new();
        for real in follower.finishing(statement)? {
            if self.is_copied(seen.end) || self.contained(std::slice::from_ref(&real), seen.end)? {
                contained.push(real);
            }
        }
        let actions = {
            let kind = self.kind_behind(follower, statement);
            let judge = |real: &TableName| {
                let is_in = contained.contains(real);
                if is_in { Verdict::Exclude } else { self.judge(real, kind, &statement.sql) }
            };
            for ghost in follower.unknown(statement, &judge)? {
                let earlier =
                    look_back(self, follower.names(), &ghost, seen.start, &judge_text(self))?;
                follower.adopt(&ghost, earlier);
            }
            let actions = follower.statement(statement, &heard, &judge)?;
            self.keep_key_names(follower, statement, &heard, &judge)?;
            actions
        };
        let done = actions.is_some();
        for (slot, action) in (ALONE..).zip(actions.into_iter().flatten()) {
            self.act(action, slot, seen)?;
        }
        let (gone, kept) = follower.take_changes()?;
        let changes = self.group.changes();
        changes.removed_online_ddl.extend(gone);
        changes.online_ddl.extend(kept);
        if done {
            self.count_skipped(Skipped::one("online schema change", seen.start));
        }
        Ok(done)
    }

    /// Tracks a statement of which an operator has said what happens instead, as the source has carried it out; true
    /// when it fits. At the rename of an online schema change what changed the ghost table has changed the real one,
    /// and the change is over.
    pub(super) fn track_instead(&mut self, statement: &Statement, seen: &Seen<'_>) -> Result<bool> {
        let finishes = |f: &Follower| f.finishing(statement).is_ok_and(|reals| !reals.is_empty());
        let Some(mut follower) = self.online.clone().filter(finishes) else {
            return Ok(self.track_only(statement));
        };
        let heard = Change::new(&statement.sql, seen.query, seen.at, seen.start.to_string());
        let actions = {
            let kind = self.kind_behind(&follower, statement);
            let judge = |real: &TableName| self.judge(real, kind, &statement.sql);
            follower.statement(statement, &heard, &judge)
        };
        // Of a ghost table whose beginning is not known its structure is not known either.
        let Ok(Some(actions)) = actions else { return Ok(self.track_only(statement)) };
        let mut tracked = true;
        for action in actions {
            let (Action::Rest(own) | Action::Change { statement: own, .. }) = action;
            tracked &= self.track_only(&own);
        }
        let (gone, kept) = follower.take_changes()?;
        let changes = self.group.changes();
        changes.removed_online_ddl.extend(gone);
        changes.online_ddl.extend(kept);
        self.online = Some(follower);
        Ok(tracked)
    }

    fn act(&mut self, action: Action, slot: u64, seen: &Seen<'_>) -> Result {
        match action {
            Action::Rest(statement) => {
                let statement = self.carried_part(*statement)?;
                if let Some(why) = self.not_admitted(&statement, seen)? {
                    log::debug!("{why}: {}", statement.sql);
                    return Ok(());
                }
                self.take_session(seen.query);
                self.one_of_several(statement, slot, seen)
            }
            Action::Change { statement, change } if change.filtered => {
                self.take_session(&change.query());
                self.track_only(&statement);
                Ok(())
            }
            Action::Change { statement, change } => {
                if self.elsewhere(&statement)?.is_some() {
                    return Ok(());
                }
                self.is_of_others_too(&statement)?;
                let query = change.query();
                self.take_session(&query);
                self.one_of_several(
                    *statement,
                    slot,
                    &Seen { query: &query, at: change.at, ..*seen },
                )
            }
        }
    }

    /// Runs one of the statements of a rename, or does what a rule of the task file wants of it.
    fn one_of_several(&mut self, statement: Statement, slot: u64, seen: &Seen<'_>) -> Result {
        let text = statement.sql.clone();
        let seen = Seen { text: &text, ..*seen };
        match self.rule_about(&seen) {
            Some(action) => self.ruled(&action, Ok(statement), slot, &seen),
            None => {
                self.must_be_whole(&statement, &seen)?;
                self.run_own(&statement, slot, &seen)
            }
        }
    }

    /// The verdict on a statement, as if it stood in it for one table alone.
    fn judge(&self, real: &TableName, kind: Option<EventType>, sql: &str) -> Verdict {
        let tables = [real.clone()];
        self.ctx.creator.filter.decide(&Judged::ddl(&tables, kind, sql))
    }

    /// Which event a statement is: on a ghost table, what it would be on the real one.
    fn kind_behind(&self, follower: &Follower, statement: &Statement) -> Option<EventType> {
        if statement.kind == StatementKind::RenameTable {
            return self.kind_of(statement);
        }
        let names = follower.names();
        let text = statement.splice(|name| {
            names.is_helper(&name.name).then(|| names.candidates(&name.name).into_iter().next())?
        });
        match crate::ddl::parse(&text, &statement.context) {
            Ok(real) => self.kind_of(&real),
            Err(_) => self.kind_of(statement),
        }
    }
}

/// Whether the filter leaves out a statement that is read out of the earlier binlog.
fn judge_text<'s>(stream: &'s Stream<'_>) -> impl Fn(&TableName, &Statement) -> Verdict + 's {
    |real, statement| {
        let kind = crate::schema::event_type(statement, None, None);
        stream.judge(real, kind, &statement.sql)
    }
}

/// 36046 with all that helps to go on.
pub(super) fn beginning_unknown(ghost: &TableName, start: &BinlogPos, looked: &str) -> Error {
    Error::new(
        &codes::SYNC_ONLINE_NO_DDL,
        format!(
            "{ghost} takes the place of its real table at {start}; the statements that changed it stand \
             before the place where following began, and {looked}"
        ),
    )
    .workaround(
        "Start the task from a position before the tool made the ghost table. Or look up the tool's ALTER, \
         run it at the target on the real table, and skip this event with `dm binlog skip`.",
    )
}
