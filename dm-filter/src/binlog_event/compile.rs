//! How rules of a task file become rules that are asked: every mistake in them is told at once,
//! with the name that was probably meant.

use std::collections::HashMap;
use std::sync::RwLock;

use regex::{RegexBuilder, RegexSet, RegexSetBuilder};

use super::{EventAction, EventFilter, EventType, Rule, UnknownEvent};
use crate::config::{EventRule, RuleError, RuleErrorKind, pattern_error};
use crate::pattern::{NamePattern, PairPattern, PatternError, PatternIndex};

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
