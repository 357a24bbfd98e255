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

mod event_type;
mod lint;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

use regex::{RegexBuilder, RegexSet, RegexSetBuilder};

use crate::change::{Change, DdlChange, RowKind, TableName};
use crate::config::{EventRule, RuleError, RuleErrorKind, pattern_error};
use crate::filter::{Filter, Interest, Refusal, Verdict};
use crate::pattern::{NamePattern, PairPattern, PatternError, PatternIndex};

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
    /// Compiles rules, given with their names in the order of the task's `filter-rules`.
    ///
    /// Patterns are those of [`NamePattern`], `~` regular expressions included, which DM does not
    /// know here.
    ///
    /// # Errors
    ///
    /// Every wrong pattern, event name and action, and pairs of patterns that stand there twice.
    pub fn compile<'a>(
        rules: impl IntoIterator<Item = (&'a str, &'a EventRule)>,
        case_sensitive: bool,
    ) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut compiled = Vec::new();
        let mut seen: HashMap<(String, String), &str> = HashMap::new();
        for (name, rule) in rules {
            let fold = |s: &str| if case_sensitive { s.to_string() } else { s.to_lowercase() };
            let key = (fold(&rule.schema_pattern), fold(&rule.table_pattern));
            if let Some(first) = seen.insert(key, name) {
                errors.push(same_patterns(name, rule, first));
            }
            compiled.extend(compile_rule(name, rule, case_sensitive, &mut errors));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        compiled.sort_by_key(|(pair, _)| pair.table.is_some());
        let (pairs, rules) = compiled.into_iter().unzip();
        Ok(Self { index: PatternIndex::new(pairs), rules, rows: RwLock::default() })
    }

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

impl EventRule {
    /// What is wrong with this rule alone; `name` is the key that it stands under.
    pub fn validate(&self, name: &str) -> Vec<RuleError> {
        let mut errors = Vec::new();
        compile_rule(name, self, true, &mut errors);
        errors
    }
}

fn error(rule: &str, key: &str, found: &str, expected: impl Into<String>) -> RuleError {
    RuleError {
        kind: RuleErrorKind::EventFilter,
        rule: rule.to_string(),
        key: key.to_string(),
        found: format!("`{found}`"),
        expected: expected.into(),
    }
}

fn same_patterns(name: &str, rule: &EventRule, first: &str) -> RuleError {
    let found = format!("{}.{}", rule.schema_pattern, rule.table_pattern);
    let expected =
        format!("patterns that no other rule has; rule `{first}` has the same, so join the two");
    error(name, "schema-pattern, table-pattern", &found, expected)
}

fn compile_rule(
    name: &str,
    rule: &EventRule,
    case_sensitive: bool,
    errors: &mut Vec<RuleError>,
) -> Option<(PairPattern, Rule)> {
    let before = errors.len();
    let mut pattern = |key: &str, text: &str| {
        NamePattern::new(text, case_sensitive)
            .map_err(|e: PatternError| {
                errors.push(pattern_error(RuleErrorKind::EventFilter, name, key, text, &e));
            })
            .ok()
    };
    let schema = pattern("schema-pattern", &rule.schema_pattern);
    let table = match rule.table_pattern.as_str() {
        "" => None,
        text => pattern("table-pattern", text),
    };
    let mut events = Vec::with_capacity(rule.events.len());
    for (i, word) in rule.events.iter().enumerate() {
        match word.parse() {
            Ok(selector) => events.push(selector),
            Err(UnknownEvent(word)) => {
                let expected = format!("the name of an event{}", did_you_mean(&word));
                errors.push(error(name, &format!("events[{i}]"), &word, expected));
            }
        }
    }
    let sql = compile_sql(name, &rule.sql_pattern, errors);
    let action = rule.action.parse::<EventAction>();
    if action.is_err() {
        errors.push(error(name, "action", &rule.action, "`Do`, `Ignore` or `Error`"));
    }
    match (schema, action) {
        (Some(schema), Ok(action)) if errors.len() == before => {
            let name = name.to_string();
            let about_tables = table.is_some();
            Some((PairPattern { schema, table }, Rule { name, about_tables, events, sql, action }))
        }
        _ => None,
    }
}

fn compile_sql(name: &str, patterns: &[String], errors: &mut Vec<RuleError>) -> Option<RegexSet> {
    if patterns.is_empty() {
        return None;
    }
    let before = errors.len();
    for (i, text) in patterns.iter().enumerate() {
        if let Err(e) = RegexBuilder::new(text).case_insensitive(true).build() {
            let expected = format!("a regular expression ({e})");
            errors.push(error(name, &format!("sql-pattern[{i}]"), text, expected));
        }
    }
    match RegexSetBuilder::new(patterns).case_insensitive(true).build() {
        Ok(set) => Some(set),
        Err(_) if errors.len() > before => None,
        Err(e) => {
            let expected = format!("patterns that are not too large together ({e})");
            errors.push(error(name, "sql-pattern", &patterns.join("|"), expected));
            None
        }
    }
}

/// The known name that is nearest to a mistyped one, if one is near.
fn did_you_mean(word: &str) -> String {
    let word = word.trim().to_lowercase().replace(['_', '-'], " ");
    let nearest = EventType::ALL
        .iter()
        .map(|e| (distance(&word, e.as_str()), e.as_str()))
        .min()
        .filter(|(d, _)| *d <= 2);
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// How many characters must be changed, added or removed to make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            *cell = (corner + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            corner = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(schema: &str, table: &str, events: &[&str], sql: &[&str], action: &str) -> EventRule {
        EventRule {
            schema_pattern: schema.into(),
            table_pattern: table.into(),
            events: events.iter().map(ToString::to_string).collect(),
            sql_pattern: sql.iter().map(ToString::to_string).collect(),
            action: action.into(),
        }
    }

    #[test]
    fn every_error_of_a_rule_is_reported() {
        let bad = rule("", "a*b", &["insert", "truncat table", "x"], &["("], "ignore");
        let errors = bad.validate("r");
        let keys: Vec<_> = errors.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "schema-pattern",
                "table-pattern",
                "events[1]",
                "events[2]",
                "sql-pattern[0]",
                "action"
            ]
        );
        assert_eq!(
            errors[2].to_string(),
            "`r`, key `events[1]`: found `truncat table`, expected the name of an event; \
             did you mean `truncate table`?"
        );
        assert_eq!(errors[3].expected, "the name of an event");
    }

    #[test]
    fn the_same_patterns_twice_are_an_error() {
        let a = rule("test_*", "t", &["insert"], &[], "Ignore");
        let b = rule("TEST_*", "t", &["delete"], &[], "Ignore");
        let errors = EventFilter::compile([("a", &a), ("b", &b)], false).unwrap_err();
        assert!(errors[0].expected.contains("rule `a` has the same"), "{}", errors[0]);
        assert!(EventFilter::compile([("a", &a), ("b", &b)], true).is_ok());
    }

    #[test]
    fn schema_rules_are_asked_before_table_rules() {
        let table = rule("s", "t", &["drop table"], &[], "Error");
        let schema = rule("s", "", &["drop table"], &[], "Ignore");
        let filter = EventFilter::compile([("table", &table), ("schema", &schema)], false).unwrap();
        let name = TableName::new("S", "T");
        assert_eq!(filter.rules_of(&name), ["schema", "table"]);
        let judgement = filter.judge(&name, Some(EventType::DropTable), "DROP TABLE s.t");
        assert_eq!(judgement.by, Some(("schema", Trigger::Event)));
        assert_eq!(judgement.action, EventAction::Ignore);
    }

    #[test]
    fn an_error_rule_refuses_and_says_why() {
        let r = rule("s", "t", &["drop table"], &["secret"], "Error");
        let filter = EventFilter::compile([("keep-out", &r)], false).unwrap();
        let tables = [TableName::new("s", "t")];
        let drop = Change::ddl(&tables, Some(EventType::DropTable), "DROP TABLE t");
        let Verdict::Refuse(refusal) = filter.decide(&drop) else { panic!("not refused") };
        assert_eq!(refusal.to_string(), "keep-out: `drop table` on `s`.`t` must not be migrated");
        let alter = Change::ddl(&tables, Some(EventType::AlterTable), "ALTER .. SECRET");
        assert!(matches!(filter.decide(&alter), Verdict::Refuse(_)));
    }

    #[test]
    fn interest_says_whether_rows_must_be_looked_at() {
        let ddl = rule("a", "", &["all ddl"], &[], "Ignore");
        let dml = rule("b", "", &["delete"], &[], "Ignore");
        let filter = EventFilter::compile([("x", &ddl), ("y", &dml)], false).unwrap();
        assert_eq!(filter.interest(&TableName::new("a", "t")), Interest::Ddl);
        assert_eq!(filter.interest(&TableName::new("b", "t")), Interest::Rows);
        let none = EventFilter::compile([], false).unwrap();
        assert_eq!(none.interest(&TableName::new("a", "t")), Interest::All);
    }

    #[test]
    fn explain_lists_what_does_not_pass() {
        let r = rule("s", "t", &["all dml", "create table"], &[], "Do");
        let filter = EventFilter::compile([("r", &r)], false).unwrap();
        let stopped = filter.explain(&TableName::new("s", "t"));
        assert_eq!(stopped.len(), EventType::ALL.len() - 4);
        assert!(stopped.iter().all(|(_, j)| j.to_string() == "events of rule `r`"));
    }
}
