//! The binlog event filter: which kinds of statements and row changes pass.
//!
//! All rules whose patterns match the table are asked, rules about whole schemas first, then rules
//! about tables, each group in the order of the task file. The first that stops the event decides;
//! an event that none stops passes. A rule is asked two questions, each only if there is something
//! to ask about:
//!
//! * Is the kind of event in `events`? The list is read in order, and the first entry that speaks
//!   about this kind decides; an empty list means no kind at all.
//! * Is one of `sql-pattern` found in the statement's text? Rows have no text.
//!
//! With `Ignore` or `Error`, a yes to either question stops the event. With `Do`, a no to either
//! one does: such a rule is an allow-list, so one without `events` lets nothing pass.
//!
//! Where `Do` rules of both levels match, those of the level that is asked about stand for all:
//! the rules about tables when it is a table, the rules about schemas when it is a schema. DM's
//! manual pairs a `Do` rule for the statements of a schema with one for its tables, and means it
//! so; DM itself asks both rules and then drops every row of the manual's own example.

mod compile;
mod event_type;
mod lint;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

use regex::RegexSet;

use crate::change::{Change, DdlChange, RowKind, TableName};
use crate::filter::{Filter, Interest, Refusal, Verdict};
use crate::pattern::PatternIndex;

pub use event_type::{EventSelector, EventType, UnknownEvent};

/// What a rule does with the events that it speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventAction {
    /// `Do`: only these events pass.
    Do,
    /// `Ignore`: these events are left out.
    Ignore,
    /// `Error`: these events stop the task.
    Error,
}

impl FromStr for EventAction {
    type Err = ();

    /// DM reads exactly these spellings.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "Do" => Ok(Self::Do),
            "Ignore" => Ok(Self::Ignore),
            "Error" => Ok(Self::Error),
            _ => Err(()),
        }
    }
}

impl fmt::Display for EventAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What about an event made a rule stop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Its kind is in `events` (or, for a `Do` rule, is not).
    Event,
    /// Its text matches `sql-pattern` (or, for a `Do` rule, does not).
    SqlPattern,
}

/// The answer of the rules about one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// `Do`: it passes. `Ignore`: it is left out. `Error`: it stops the task.
    pub action: EventAction,
    /// The rule that decided and what made it; `None` when no rule stops the event.
    pub by: Option<(&'a str, Trigger)>,
}

impl fmt::Display for Judgement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            None => f.write_str("no rule stops it"),
            Some((rule, Trigger::Event)) => write!(f, "events of rule `{rule}`"),
            Some((rule, Trigger::SqlPattern)) => write!(f, "sql-pattern of rule `{rule}`"),
        }
    }
}

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    about_tables: bool,
    events: Vec<EventSelector>,
    sql: Option<RegexSet>,
    action: EventAction,
}

impl Rule {
    /// What stops the event, if this rule does.
    fn stops(&self, event: Option<EventType>, sql: &str) -> Option<Trigger> {
        let wanted = self.action != EventAction::Do;
        if let Some(event) = event {
            let listed = self.events.iter().find_map(|e| e.judge(event)).unwrap_or(false);
            if listed == wanted {
                return Some(Trigger::Event);
            }
        }
        match &self.sql {
            Some(set) if !sql.is_empty() && set.is_match(sql) == wanted => {
                Some(Trigger::SqlPattern)
            }
            _ => None,
        }
    }

    fn outcome(&self) -> EventAction {
        if self.action == EventAction::Error { EventAction::Error } else { EventAction::Ignore }
    }
}

/// The answers for the three kinds of row changes: the rule that stops each, if any.
type RowAnswers = [Option<usize>; 3];

/// Tables whose row answers are kept; more than this and the memory starts anew.
const MEMORY: usize = 100_000;

/// The compiled `filters` of one source.
#[derive(Debug)]
pub struct EventFilter {
    index: PatternIndex,
    rules: Vec<Rule>,
    rows: RwLock<HashMap<TableName, RowAnswers>>,
}

impl EventFilter {
    /// Asks the rules about an event of a table, or of a schema if `table` is empty.
    ///
    /// `sql` is the full original statement; empty for row changes.
    pub fn judge(&self, name: &TableName, event: Option<EventType>, sql: &str) -> Judgement<'_> {
        self.judge_by(&self.asked(name), event, sql)
    }

    /// Asks the rules about a statement that could not be read, so that neither its tables nor its
    /// kind are known: rules whose patterns match empty names (`*`) look at its text. `Ignore`
    /// means that the error of reading it may be passed over.
    pub fn judge_unreadable(&self, sql: &str) -> Judgement<'_> {
        self.judge(&TableName::default(), None, sql)
    }

    /// The names of the rules that are asked about a table, in their order.
    pub fn rules_of(&self, name: &TableName) -> Vec<&str> {
        let asked = self.asked(name);
        asked.iter().filter_map(|i| self.rules.get(*i)).map(|r| r.name.as_str()).collect()
    }

    /// Every kind of event that does not pass for a table, whatever its text, with the judgement.
    pub fn explain(&self, name: &TableName) -> Vec<(EventType, Judgement<'_>)> {
        let asked = self.asked(name);
        let judged = EventType::ALL.iter().map(|e| (*e, self.judge_by(&asked, Some(*e), "")));
        judged.filter(|(_, j)| j.action != EventAction::Do).collect()
    }

    /// The rules that are asked about a name, in their order: all that match, but of the `Do`
    /// rules only those of the right level, if it has any.
    fn asked(&self, name: &TableName) -> Vec<usize> {
        let mut matching = self.index.matches(&name.schema, &name.table);
        let is_do = |i: &usize, about_tables: bool| {
            self.rules
                .get(*i)
                .is_some_and(|r| r.action == EventAction::Do && r.about_tables == about_tables)
        };
        let about_tables = !name.table.is_empty();
        if !name.schema.is_empty() && matching.iter().any(|i| is_do(i, about_tables)) {
            matching.retain(|i| !is_do(i, !about_tables));
        }
        matching
    }

    fn judge_by(&self, matching: &[usize], event: Option<EventType>, sql: &str) -> Judgement<'_> {
        for rule in matching.iter().filter_map(|i| self.rules.get(*i)) {
            if let Some(trigger) = rule.stops(event, sql) {
                return Judgement { action: rule.outcome(), by: Some((&rule.name, trigger)) };
            }
        }
        Judgement { action: EventAction::Do, by: None }
    }

    /// The rules that stop inserts, updates and deletes of a table, remembered per table.
    fn row_answers(&self, name: &TableName) -> RowAnswers {
        if let Some(known) = self.rows.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return *known;
        }
        let matching = self.asked(name);
        let answers = [EventType::Insert, EventType::Update, EventType::Delete].map(|event| {
            let stops = |i: &&usize| {
                self.rules.get(**i).is_some_and(|r| r.stops(Some(event), "").is_some())
            };
            matching.iter().find(stops).copied()
        });
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= MEMORY {
            rows.clear();
        }
        rows.insert(name.clone(), answers);
        answers
    }

    fn decide_ddl(&self, ddl: &DdlChange<'_>) -> Verdict {
        let nameless = [TableName::default()];
        let tables = if ddl.tables.is_empty() { &nameless } else { ddl.tables };
        for table in tables {
            let judgement = self.judge(table, ddl.event, &ddl.sql);
            let Some((rule, trigger)) = judgement.by else { continue };
            if judgement.action == EventAction::Error {
                let event = ddl.event.map_or("a statement of unknown kind", EventType::as_str);
                let reason = match trigger {
                    Trigger::Event => format!("`{event}` on {table} must not be migrated"),
                    Trigger::SqlPattern => {
                        format!(
                            "a statement on {table} matches sql-pattern and must not be migrated"
                        )
                    }
                };
                return Verdict::Refuse(Refusal { rule: rule.to_string(), reason });
            }
            return Verdict::Drop;
        }
        Verdict::Keep
    }
}

impl Filter for EventFilter {
    fn interest(&self, table: &TableName) -> Interest {
        if self.index.first(&table.schema, &table.table).is_none() {
            // A statement may name this table beside one that a rule speaks about.
            return if self.rules.is_empty() { Interest::All } else { Interest::Ddl };
        }
        let stops_rows = self.row_answers(table).iter().any(Option::is_some);
        if stops_rows { Interest::Rows } else { Interest::Ddl }
    }

    /// `Ignore` drops, `Error` refuses. Of a statement that names several tables the first one
    /// with an answer decides, as in DM.
    fn decide(&self, change: &Change<'_>) -> Verdict {
        let row = match change {
            Change::Row(row) => row,
            Change::Ddl(ddl) => return self.decide_ddl(ddl),
        };
        let [insert, update, delete] = self.row_answers(row.table);
        let (answer, event) = match row.op.kind() {
            RowKind::Insert => (insert, EventType::Insert),
            RowKind::Update => (update, EventType::Update),
            RowKind::Delete => (delete, EventType::Delete),
        };
        match answer.and_then(|i| self.rules.get(i)) {
            None => Verdict::Keep,
            Some(rule) if rule.action == EventAction::Error => Verdict::Refuse(Refusal {
                rule: rule.name.clone(),
                reason: format!("`{event}` on {} must not be migrated", row.table),
            }),
            Some(_) => Verdict::Drop,
        }
    }
}

#[cfg(test)]
mod tests;
