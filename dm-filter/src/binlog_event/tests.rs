//! Mistakes in rules, the order in which rules are asked, and what they answer.

use super::*;
use crate::config::EventRule;

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
        ["schema-pattern", "table-pattern", "events[1]", "events[2]", "sql-pattern[0]", "action"]
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
