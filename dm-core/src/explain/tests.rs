use super::*;
use crate::config::{RawTask, SourceText};

const TASK: &str = "
name: t
task-mode: all
target-database: {sqlite: x.db}
mysql-instances:
- {source-id: a, route-rules: [merge, up], filter-rules: [quiet, strict], expression-filters: [even], block-allow-list: main}
- {source-id: b, route-rules: [merge], block-allow-list: main}
routes:
  merge:
    schema-pattern: shop_?
    table-pattern: t_*
    target-schema: shop
    target-table: t
    extract-source: {source-regexp: (.*), target-column: origin}
    columns: {exclude: [note]}
  up: {schema-pattern: up, table-pattern: '*', target-schema: SHOP, target-table: T}
filters:
  quiet: {schema-pattern: shop_?, table-pattern: t_*, events: [all dml, drop table], action: Ignore}
  strict: {schema-pattern: up, table-pattern: '*', events: [all ddl], action: Error}
expression-filter:
  even: {schema: shop_1, table: t_1, insert-value-expr: id % 2 = 0}
block-allow-list:
  main: {ignore-tables: [{db-name: shop_1, tbl-name: log}]}
";

fn plan(task: &str) -> TaskPlan {
    let file = |id: &str| format!("{{source-id: {id}, from: {{host: h, user: u}}}}");
    let (a, b) = (file("a"), file("b"));
    let source = |text| SourceText { name: "source.yaml", text };
    let task = SourceText { name: "task.yaml", text: task };
    TaskPlan::from_yaml(&task, &[source(&a), source(&b)], &|_| None).unwrap().0
}

fn fate(plan: &TaskPlan, source: usize, schema: &str, table: &str) -> TableFate {
    explain_table(plan, &plan.sources[source], &TableName::new(schema, table))
}

#[test]
fn a_table_is_explained_by_every_kind_of_rule() {
    let fate = fate(&plan(TASK), 0, "shop_1", "t_1");
    let expected = "\
`shop_1`.`t_1` of source a
  copied: yes, no list speaks against it
  followed: yes, no list speaks against it
  target: `shop`.`t` (route `merge`)
  added column: `origin` = \"a\"
  without columns: note
  events left out: all dml, drop table (`events` of filter `quiet`)
  filters asked: quiet
  rows left out while following by: even";
    assert_eq!(fate.to_string(), expected);
    assert_eq!(fate.line(), "a `shop_1`.`t_1` -> `shop`.`t` (route `merge`), filtered");
    let json = fate.to_json();
    assert_eq!(json["target"]["leftOutColumns"][0], "note");
    assert_eq!(json["stoppedEvents"][0]["events"][0], "all dml");
    assert_eq!(json["migrated"], true);
}

#[test]
fn what_is_not_migrated_says_by_which_rule() {
    let plan = plan(TASK);
    let log = fate(&plan, 1, "shop_1", "log");
    assert!(!log.is_migrated());
    assert!(log.line().contains("ignore-tables"), "{}", log.line());
    assert!(fate(&plan, 0, "mysql", "user").to_string().contains("system schemas"));
    let errors = fate(&plan, 0, "up", "x");
    assert!(errors.to_string().contains("events stop the task: all ddl"), "{errors}");
}

#[test]
fn the_mode_counts() {
    let incremental = plan(&TASK.replace("task-mode: all", "task-mode: full"));
    let fate = fate(&incremental, 0, "shop_1", "t_2");
    assert!(fate.copied.yes && !fate.followed.yes);
    assert!(fate.line().ends_with("not followed, filtered"), "{}", fate.line());
}

#[test]
fn extra_args_choose_what_is_copied() {
    let task = TASK.replace("source-id: b,", "source-id: b, mydumper: {extra-args: -B other},");
    let plan = plan(&task);
    let fate = fate(&plan, 1, "shop_1", "t_1");
    assert!(!fate.copied.yes && fate.followed.yes);
    assert!(fate.copied.why.contains("extra-args"), "{}", fate.copied.why);
}

#[test]
fn all_tables_together_are_looked_over() {
    let task = TASK.replace(
        "routes:\n",
        "routes:\n  also: {schema-pattern: shop_1, table-pattern: 't_9*', target-schema: x}\n",
    );
    let plan = plan(&task.replace("[merge, up]", "[merge, up, also]"));
    let tables = [
        ("a", "shop_1", "t_1"),
        ("b", "shop_1", "t_1"),
        ("a", "shop_1", "t_99"),
        ("a", "up", "x"),
        ("a", "shop_12", "t_1"),
        ("a", "shop_1", "log"),
    ]
    .map(|(s, d, t)| SourceName::new(s, d, t));
    let survey = look_over(&plan, &tables);
    let said = findings(&survey, &[]).join("\n");
    for part in [
        "error: source a: table `shop_1`.`t_99` matches more than one rule",
        "error: targets that differ only in case",
        "note: 2 tables come together in `shop`.`t`: a `shop_1`.`t_1`, b `shop_1`.`t_1`",
        "Known recipes",
        "warning: no route catches a `shop_12`.`t_1`",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
    // The table that is left out is no part of the task, so it is no sibling either.
    assert!(!said.contains("log"), "{said}");
    let json = findings_to_json(&survey, &[]);
    assert_eq!(json["merges"][0]["sources"].as_array().unwrap().len(), 2);
    assert_eq!(json["unrouted"][0]["rule"], "merge");
}

#[test]
fn keys_that_may_meet_are_told_by_the_structure() {
    use crate::ddl::SqlMode;
    use crate::schema::parse_create_table;
    let advice = |create: &str, added: &[&str]| {
        let schema = parse_create_table(create, SqlMode::default()).unwrap();
        let added: Vec<String> = added.iter().map(|s| (*s).to_owned()).collect();
        MergeAdvice::of(TableName::new("shop", "t"), Some(&schema), &added).to_string()
    };
    let counted = advice("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT)", &[]);
    assert!(counted.contains("key ranges overlap: `id` is AUTO_INCREMENT"), "{counted}");
    let plain = advice("CREATE TABLE t (a INT, b INT, UNIQUE KEY k (a, b))", &[]);
    assert!(plain.contains("Key `k` (a, b) must not"), "{plain}");
    let told = advice("CREATE TABLE t (a INT, o INT, PRIMARY KEY (o, a))", &["O"]);
    assert!(told.contains("no keys can meet"), "{told}");
    assert!(advice("CREATE TABLE t (a INT)", &[]).contains("no unique key"));
}

#[test]
fn rules_are_listed_without_any_source() {
    let raw = RawTask::from_yaml(&SourceText { name: "task.yaml", text: TASK }).unwrap();
    let book = RuleBook::of(&raw);
    let said = book.to_string();
    for part in [
        "source a",
        "block-allow-list `main`: ignore-tables shop_1.log",
        "routes `merge`: shop_?.t_* -> shop.t",
        "filters `quiet`: Ignore shop_?.t_*, events: all dml, drop table",
        "expression-filter `even`: leaves out rows of shop_1.t_1",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
    let named = [TableName::new("shop_1", "log"), TableName::new("shop_1", "t_1")];
    assert_eq!(book.instances[0].named, named);
    assert_eq!(book.to_json()[1]["rules"].as_array().unwrap().len(), 2);
}

#[test]
fn a_tools_table_is_told() {
    let ghost = fate(&plan(TASK), 1, "shop_1", "_t_1_gho");
    assert!(!ghost.copied.yes && !ghost.followed.yes);
    assert!(ghost.followed.why.contains("shadow-table-rules"), "{}", ghost.followed.why);
    assert!(fate(&plan(TASK), 1, "shop_1", "t_1").is_migrated());
    let off = TASK.replace("task-mode: all", "task-mode: all\nonline-ddl: false");
    assert!(fate(&plan(&off), 1, "shop_1", "_t_1_gho").is_migrated());
}
