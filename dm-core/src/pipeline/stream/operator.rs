//! What happens instead of a statement, by an operator's word (`dm handle-error`) or by a rule of the
//! task file (`ddl-rules`).
//!
//! Guarantee: a word about the statement at a place is found whenever the place is read again, and each
//! of the statements that it brings runs once, also when the process dies between two of them.
//! Obstacle: they all stand at one place of the source's binlog, and the operator may change his mind
//! half way. Method: each has a record of its own like every statement ([`super::execute`]). When it
//! has run, a commit of the state file notes which statements of which list have run in this group. A
//! restart goes on behind them. Another list for the same place begins behind the statements that both
//! begin with: what has run stays, and is not run again. A group may have several lists (a rule speaks
//! of each statement of an online schema change, an operator of the whole): each has its slot, in their
//! order, and a note about a later slot says that the plain statements before it have run.
//! Such a commit in the middle of a group saves the note alone: what else the group changes goes with its end.
//! Statements of a list may go on beside rows of other tables (`beside`): then too each is noted when it has run,
//! before the next one begins.
//!
//! The tracker follows the source, so it is given the source's own statement, whatever ran at the target.
//! Only when that cannot be read, or does not fit what is tracked, the statements that ran in its place
//! are the best guess of what it did.

use serde::{Deserialize, Serialize};

use super::Stream;
use super::execute::Number;
use super::outcome::short;
use super::statement::Seen;
use super::steps::{OfList, Order};
use crate::config::DdlRuleAction;
use crate::ddl::{ParseContext, SqlMode, Statement, parse, split};
use crate::error::{Class, Error, Result, codes};
use crate::state::{OverrideAction, Skipped};

/// Key of the note in the state file.
const NOTE: &str = "given";

/// The slot of an operator's word; the statements of the group come behind it.
pub(super) const OPERATOR: u64 = 0;
/// The slot of a statement that is all of its group.
pub(super) const ALONE: u64 = 1;

/// How far the statements that were given for a place have come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Given {
    /// The group that they belong to.
    ordinal: u64,
    /// Its GTID, when it has one: that counts then.
    #[serde(default)]
    gtid: Option<String>,
    /// Those that have run and need not run again, in order, each with the slot of its list.
    ran: Vec<(u64, String)>,
    /// How many have run in this group in all, of these lists and of earlier ones.
    count: u64,
}

impl Given {
    /// Goes on with the list of a slot: what both begin with has run. How much that is.
    fn with(&mut self, slot: u64, list: &[String]) -> usize {
        let of_slot = self.ran.iter().filter(|(s, _)| *s == slot);
        let same = of_slot.zip(list).take_while(|((_, a), b)| a == *b).count();
        let mut seen = 0;
        self.ran.retain(|(s, _)| {
            seen += usize::from(*s == slot);
            *s != slot || seen <= same
        });
        same
    }

    fn add(&mut self, slot: u64, sql: &str) {
        self.ran.push((slot, sql.to_owned()));
        self.count += 1;
    }

    /// True when something has run behind a slot.
    fn is_behind(&self, slot: u64) -> bool {
        self.ran.iter().any(|(s, _)| *s > slot)
    }
}

impl Stream<'_> {
    /// What an operator wants instead of the statement at this place: where it begins itself, as errors
    /// tell it, or where the GTID event before it begins, which is what the source shows as its position
    /// before the statement runs.
    pub(super) fn word_of_operator(&self, seen: &Seen<'_>) -> Result<Option<OverrideAction>> {
        let group = self.group.start.as_ref().filter(|_| !seen.in_txn);
        for place in std::iter::once(seen.start).chain(group) {
            let found = self.ctx.state.use_override(&self.ctx.lane.source, place)?;
            if let Some(word) = found {
                return Ok(Some(word.action));
            }
        }
        Ok(None)
    }

    /// Carries out an operator's word.
    pub(super) fn overridden(
        &mut self,
        action: &OverrideAction,
        parsed: Result<Statement>,
        seen: &Seen<'_>,
    ) -> Result {
        log::info!("{} at {} by the operator: {}", action.as_str(), seen.start, short(seen.text));
        if self.group.skip || self.is_copied(seen.end) {
            return self.skip("contained in the copy", seen);
        }
        match action {
            OverrideAction::Skip => self.leave_out("skipped by the operator", &parsed, seen)?,
            OverrideAction::Replace(list) => {
                self.replace("replaced by the operator", list, &parsed, OPERATOR, seen)?;
            }
            OverrideAction::Inject(list) => {
                self.run_given(list, OPERATOR, seen)?;
                return self.as_written(parsed, seen);
            }
        }
        self.end_ddl(seen)
    }

    /// What the task file's rules want instead of this statement.
    pub(super) fn rule_about(&self, seen: &Seen<'_>) -> Option<DdlRuleAction> {
        self.ctx.ddl_rules.find(seen.text)
    }

    /// Carries out what a rule wants of a statement of a group, the `slot`th from 1.
    pub(super) fn ruled(
        &mut self,
        action: &DdlRuleAction,
        parsed: Result<Statement>,
        slot: u64,
        seen: &Seen<'_>,
    ) -> Result {
        match action {
            DdlRuleAction::Skip => self.leave_out("skipped by a ddl-rule", &parsed, seen),
            DdlRuleAction::Replace(text) => {
                // The names of the statement's own default schema may be left out here.
                let list: Vec<String> = split(text).into_iter().map(str::to_owned).collect();
                if list.is_empty() {
                    return Err(Error::new(
                        &codes::SYNC_OPERATOR_EVENT,
                        format!("a ddl-rule replaces the statement by nothing: {text:?}"),
                    ));
                }
                self.replace("replaced by a ddl-rule", &list, &parsed, slot, seen)
            }
            DdlRuleAction::Warn => {
                log::warn!("a ddl-rule points at {}: {}", seen.start, short(seen.text));
                self.run_own(&parsed?, slot, seen)?;
                let kind = "run, with the warning of a ddl-rule";
                self.count_skipped(Skipped::one(kind, seen.start));
                Ok(())
            }
        }
    }

    /// Nothing of the statement goes to the target.
    fn leave_out(&mut self, kind: &str, parsed: &Result<Statement>, seen: &Seen<'_>) -> Result {
        if let Ok(statement) = parsed {
            self.settle(statement)?;
            self.track_instead(statement, seen)?;
        }
        self.count_skipped(Skipped::one(kind, seen.start));
        Ok(())
    }

    fn replace(
        &mut self,
        kind: &str,
        list: &[String],
        parsed: &Result<Statement>,
        slot: u64,
        seen: &Seen<'_>,
    ) -> Result {
        // Of one that cannot be read nobody knows which tables it is about.
        let own = parsed.as_ref().ok();
        self.run_list(list, slot, own.as_slice(), own.is_some(), seen)?;
        if let Some(statement) = own {
            self.settle(statement)?;
        }
        let tracked = match own {
            Some(statement) => self.track_instead(statement, seen)?,
            None => false,
        };
        if !tracked {
            for sql in list {
                self.track_only(&parse(sql, &given_context(seen))?);
            }
        }
        self.count_ddl();
        self.count_skipped(Skipped::one(kind, seen.start));
        Ok(())
    }

    /// Runs statements at the target at this place, those that have not run yet.
    pub(super) fn run_given(&mut self, list: &[String], slot: u64, seen: &Seen<'_>) -> Result {
        self.run_list(list, slot, &[], true, seen)
    }

    /// The same. They may go on beside rows of tables that neither they nor `own`, the source's statements that
    /// they stand for, are about.
    fn run_list(
        &mut self,
        list: &[String],
        slot: u64,
        own: &[&Statement],
        may_go_on: bool,
        seen: &Seen<'_>,
    ) -> Result {
        let mut given = self.given()?;
        let ran = given.with(slot, list);
        for (at, sql) in list.iter().enumerate().skip(ran) {
            let which = format!(
                "statement {} of {} that were given for this place, {:?}",
                at + 1,
                list.len(),
                short(sql)
            );
            let statement = read_given(sql, seen).map_err(|error| error.context(&which))?;
            let about: Vec<&Statement> =
                [&statement].into_iter().chain(own.iter().copied()).collect();
            let number = Number::given(slot, given.count + 1);
            given.add(slot, sql);
            let order = Order {
                statement: &statement,
                number,
                about: may_go_on.then_some(&about),
                of_list: Some(OfList { given: given.clone(), which }),
            };
            self.run_at_target(order, seen)?;
        }
        self.tables.forget();
        Ok(())
    }

    /// True when statements were given behind a slot of this group, and one of them has run.
    pub(super) fn has_gone_on_behind(&self, slot: u64) -> Result<bool> {
        Ok(self.given()?.is_behind(slot))
    }

    /// How far the statements for this place have come.
    fn given(&self) -> Result<Given> {
        if let Some(given) = self.given_so_far() {
            return Ok(given.clone());
        }
        let gtid = self.group.gtid.as_ref().map(ToString::to_string);
        let fresh = Given { ordinal: self.group.ordinal, gtid, ..Given::default() };
        let Some(bytes) = self.ctx.state.reader().note(&self.ctx.lane, NOTE)? else {
            return Ok(fresh);
        };
        let stored: Given = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(&codes::STATE_VALUE, "the state holds a bad list of statements").cause(e)
        })?;
        let same = match (&stored.gtid, &fresh.gtid) {
            (Some(stored), Some(here)) => stored == here,
            _ => stored.ordinal == fresh.ordinal,
        };
        Ok(if same { stored } else { fresh })
    }

    /// Notes that a statement of a list has run. Its record stays until the group ends.
    pub(super) fn note(&mut self, given: Option<Given>) -> Result {
        let Some(given) = given else { return Ok(()) };
        let bytes = serde_json::to_vec(&given).map_err(|e| {
            Error::new(&codes::STATE_VALUE, "a list of statements cannot be written").cause(e)
        })?;
        // It stays until the next one: a later group has another ordinal.
        self.changes.notes.push((NOTE.to_owned(), Some(bytes)));
        self.save()
    }

    /// Adds the statement to an error and the commands that help.
    pub(super) fn with_commands(&self, error: Error, seen: &Seen<'_>) -> Error {
        let about_it = error.code().class != Class::Checkpoint
            && error.code() != &codes::STOPPED
            && error.code() != &codes::TXN_ORDER
            // It may be of a statement before this one.
            && error.statement_place().is_none();
        if !about_it {
            return error;
        }
        let error = error.origin(seen.text).at_statement(seen.start, seen.end);
        if error.is_transient() {
            // It may pass by itself; where it does not, an operator may speak of the statement.
            return error;
        }
        let command = format!(
            "dm handle-error {} -s {}",
            shell_word(&self.ctx.task),
            shell_word(self.ctx.lane.source.as_str())
        );
        let advice = match error.advice() {
            "" => String::new(),
            advice => format!("{advice} "),
        };
        let text = format!(
            "{advice}For this statement: `{command} skip` leaves it out, `{command} replace \"ALTER TABLE \
             ...; ...\"` runs other statements instead of it, `{command} inject \"...\"` runs others before \
             it; the task goes on with that, or with a new start where no process is left."
        );
        error.workaround(text)
    }
}

/// Reads a statement that was given. What a rule gives is complete only now: groups of its expression are in it.
fn read_given(sql: &str, seen: &Seen<'_>) -> Result<Statement> {
    let statement = parse(sql, &given_context(seen))?;
    if statement.is_ddl() {
        return Ok(statement);
    }
    let text = "this is no DDL: only statements that change structures can be given";
    Err(Error::new(&codes::SYNC_EVENT, text)
        .workaround("Change rows at the source, or at the target by hand."))
}

/// Statements that a person gives are read with ordinary quotes, whatever the session of the
/// statement in the stream had set; everything else is as in that session.
fn given_context(seen: &Seen<'_>) -> ParseContext {
    let quoting = SqlMode::ANSI_QUOTES.with(SqlMode::NO_BACKSLASH_ESCAPES).with(SqlMode::ORACLE);
    let bits = seen.query.vars.sql_mode.unwrap_or(0) & !quoting.bits();
    ParseContext {
        sql_mode: SqlMode::from_bits(bits),
        default_schema: seen.query.schema.to_string(),
        server: None,
    }
}

/// A word of a command line, in quotes where a shell would take it apart.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(sqls: &[&str]) -> Vec<String> {
        sqls.iter().map(|&s| s.to_owned()).collect()
    }

    #[test]
    fn another_list_goes_on_behind_what_both_begin_with() {
        let mut given = Given { ordinal: 7, ..Given::default() };
        assert_eq!(given.with(0, &list(&["a", "b"])), 0);
        given.add(0, "a");
        assert_eq!(given.clone().with(0, &list(&["a", "b"])), 1);
        assert_eq!(given.clone().with(0, &list(&["a", "B"])), 1);
        assert_eq!(given.with(0, &list(&["c"])), 0);
        assert_eq!((given.ran.len(), given.count), (0, 1), "what has run is counted all the same");
        given.add(0, "c");
        assert_eq!(given.with(0, &list(&["c"])), 1);
    }

    #[test]
    fn lists_of_one_group_do_not_mix() {
        let mut given = Given { ordinal: 7, ..Given::default() };
        given.add(1, "a");
        assert!(given.is_behind(0) && !given.is_behind(1));
        assert_eq!(given.with(3, &list(&["a"])), 0, "another statement's list");
        given.add(3, "a");
        assert_eq!(given.with(1, &list(&["a"])), 1, "a restart begins with the first list again");
        assert_eq!(given.with(1, &list(&["x"])), 0);
        assert_eq!(given.with(3, &list(&["a"])), 1, "another's change of mind takes nothing away");
    }

    #[test]
    fn words_of_a_command_line_are_quoted_where_needed() {
        assert_eq!(shell_word("mysql-1"), "mysql-1");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
