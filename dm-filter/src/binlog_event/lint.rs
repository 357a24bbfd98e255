//! Warnings about event filter rules that work, but may mean something else than they seem to.

use crate::binlog_event::{EventSelector, EventType};
use crate::config::{EventRule, Lint, LintKind, pattern_lints};
use crate::pattern::NamePattern;

/// Words of statements that name no table, so that a rule with patterns of names never sees them.
const NAMELESS: [&str; 5] = ["procedure", "function", "trigger", "tablespace", "user"];

impl EventRule {
    /// What works, but may mean something else than it seems to.
    pub fn lint(&self, name: &str, case_sensitive: bool) -> Vec<Lint> {
        let mut lints = Vec::new();
        pattern_lints(name, "schema-pattern", &self.schema_pattern, case_sensitive, &mut lints);
        if !self.table_pattern.is_empty() {
            pattern_lints(name, "table-pattern", &self.table_pattern, case_sensitive, &mut lints);
        }
        self.lint_events(name, &mut lints);
        self.lint_nameless(name, &mut lints);
        lints
    }

    fn add(&self, lints: &mut Vec<Lint>, kind: LintKind, at: (&str, &str, &str), message: &str) {
        let (rule, key, found) = (at.0.to_string(), at.1.to_string(), at.2.to_string());
        lints.push(Lint { kind, rule, key, found, message: message.to_string() });
    }

    fn lint_events(&self, name: &str, lints: &mut Vec<Lint>) {
        let selectors: Vec<EventSelector> =
            self.events.iter().filter_map(|e| e.parse().ok()).collect();
        let meant =
            |events: &[EventSelector], kind: EventType| events.iter().find_map(|s| s.judge(kind));
        let lets_pass = |kind: &EventType| meant(&selectors, *kind) == Some(true);
        if self.action == "Do" && !EventType::ALL.iter().any(lets_pass) {
            let advice = "a Do rule lets pass what its events name and nothing else, so this one \
                          lets nothing pass";
            self.add(lints, LintKind::BlocksAll, (name, "events", &self.events.join(", ")), advice);
        }
        for (i, selector) in selectors.iter().enumerate() {
            let earlier = selectors.get(..i).unwrap_or_default();
            let speaks_anew = EventType::ALL
                .iter()
                .any(|kind| selector.judge(*kind).is_some() && meant(earlier, *kind).is_none());
            let key = format!("events[{i}]");
            let found = selector.to_string();
            if !speaks_anew {
                let advice = "entries before it have already decided about all that it names";
                self.add(lints, LintKind::Hidden, (name, &key, &found), advice);
            } else if self.about_schemas_only(*selector) {
                let advice = "this event is about a schema, but the rule is about tables; put it \
                              into a rule without table-pattern";
                self.add(lints, LintKind::NeverMatches, (name, &key, &found), advice);
            }
        }
    }

    /// True for a database event in a rule that can match no schema as a whole.
    fn about_schemas_only(&self, selector: EventSelector) -> bool {
        use EventType::{
            AlterDatabase, CreateDatabase, DropDatabase, ModifySchemaCharsetAndCollate,
        };
        let EventSelector::Only(
            CreateDatabase | DropDatabase | AlterDatabase | ModifySchemaCharsetAndCollate,
        ) = selector
        else {
            return false;
        };
        NamePattern::new(&self.table_pattern, true).is_ok_and(|p| !p.is_match(""))
    }

    /// A text pattern for statements without tables, in a rule that needs the name of one.
    fn lint_nameless(&self, name: &str, lints: &mut Vec<Lint>) {
        let empty = |text: &str| {
            text.is_empty() || NamePattern::new(text, true).is_ok_and(|p| p.is_match(""))
        };
        let nameless_too = NamePattern::new(&self.schema_pattern, true)
            .is_ok_and(|p| p.is_match(""))
            && empty(&self.table_pattern);
        if nameless_too || self.action == "Do" {
            return;
        }
        for (i, text) in self.sql_pattern.iter().enumerate() {
            let lower = text.to_lowercase();
            if NAMELESS.iter().any(|word| lower.contains(word)) {
                let advice = "such a statement names no table, so a rule about tables is never \
                              asked; it is skipped by default, and a rule that looks at text alone \
                              needs schema-pattern `*` and no table-pattern";
                let key = format!("sql-pattern[{i}]");
                self.add(lints, LintKind::NeverMatches, (name, &key, text), advice);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lints(schema: &str, table: &str, events: &[&str], sql: &str, action: &str) -> Vec<String> {
        let rule = EventRule {
            schema_pattern: schema.into(),
            table_pattern: table.into(),
            events: events.iter().map(ToString::to_string).collect(),
            sql_pattern: if sql.is_empty() { Vec::new() } else { vec![sql.into()] },
            action: action.into(),
        };
        rule.lint("r", false).into_iter().map(|l| format!("{:?} {}", l.kind, l.key)).collect()
    }

    #[test]
    fn a_procedure_rule_on_tables_never_matches() {
        let found = lints("test_*", "t_*", &[], r"^DROP\s+PROCEDURE", "Ignore");
        assert_eq!(found, ["NeverMatches sql-pattern[0]"]);
        assert!(lints("*", "", &[], r"^DROP\s+PROCEDURE", "Ignore").is_empty());
    }

    #[test]
    fn database_events_in_a_table_rule_never_match() {
        let found = lints("s", "t_*", &["drop table", "drop database"], "", "Ignore");
        assert_eq!(found, ["NeverMatches events[1]"]);
        assert!(lints("s", "", &["drop database"], "", "Ignore").is_empty());
        assert!(lints("s", "*", &["drop database"], "", "Ignore").is_empty());
    }

    #[test]
    fn a_do_rule_without_events_lets_nothing_pass() {
        assert_eq!(lints("s", "", &[], "x", "Do"), ["BlocksAll events"]);
        assert_eq!(lints("s", "", &["none"], "", "Do"), ["BlocksAll events"]);
    }

    #[test]
    fn entries_after_their_group_say_nothing() {
        let found = lints("s", "", &["all dml", "insert", "alter table", "drop column"], "", "Do");
        assert_eq!(found, ["Hidden events[1]", "Hidden events[3]"]);
        assert!(lints("s", "", &["none ddl", "all"], "", "Do").is_empty());
    }
}
