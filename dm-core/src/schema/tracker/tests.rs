use proptest::prelude::*;

use super::*;
use crate::ddl::{ParseContext, SqlMode, parse};
use crate::schema::same_name;
use crate::schema::{create_table, differences, parse_create_table};

fn name(table: &str) -> TableName {
    TableName::new("d", table)
}

fn apply(tracker: &mut Tracker, sql: &str) -> Result<Effects> {
    tracker.apply(&parse(sql, &ParseContext::in_schema("d")).unwrap())
}

fn tracker(statements: &[&str]) -> Tracker {
    let mut tracker = Tracker::new(Defaults::default());
    for sql in statements {
        apply(&mut tracker, sql).unwrap();
    }
    tracker
}

fn columns(tracker: &Tracker, table: &str) -> Vec<String> {
    let table = tracker.table(&name(table)).unwrap();
    table.columns.iter().map(|c| c.name.clone()).collect()
}

#[test]
fn names_are_swapped_in_one_statement() {
    let create = ["CREATE TABLE a (x INT)", "CREATE TABLE b (y INT)"];
    let mut t = tracker(&create);
    let effects = apply(&mut t, "RENAME TABLE a TO x, b TO a, x TO b").unwrap();
    assert_eq!((columns(&t, "a"), columns(&t, "b")), (vec!["y".into()], vec!["x".into()]));
    assert_eq!(effects.tables.len(), 2, "the name in between is gone again");
    let mut t = tracker(&["CREATE TABLE t (a INT, b TEXT, KEY k (a))"]);
    apply(&mut t, "ALTER TABLE t CHANGE a b INT, CHANGE b a TEXT").unwrap();
    assert_eq!(columns(&t, "t"), ["b", "a"]);
    let table = t.table(&name("t")).unwrap();
    assert_eq!(table.key("k").unwrap().parts[0].column(), Some("b"));
}

#[test]
fn what_cannot_be_applied_changes_nothing() {
    let mut t = tracker(&["CREATE TABLE t (a INT)", "CREATE TABLE u (a INT)"]);
    let before = t.clone();
    for sql in [
        "ALTER TABLE t ADD b INT, ADD a INT",
        "ALTER TABLE t MODIFY z INT",
        "ALTER TABLE t ADD b INT AFTER z",
        "ALTER TABLE t DROP a",
        "ALTER TABLE t ADD KEY (z)",
        "ALTER TABLE t ADD KEY k (a), ADD UNIQUE K (a)",
        "CREATE TABLE t (b INT)",
        "RENAME TABLE t TO v, u TO v",
    ] {
        assert_eq!(apply(&mut t, sql).unwrap_err().code().number, 44_006, "{sql}");
        assert_eq!(t, before, "{sql}");
    }
}

#[test]
fn what_is_not_tracked_is_told() {
    let mut t = tracker(&[]);
    for (sql, unknown) in [
        ("ALTER TABLE t ADD b INT", "t"),
        ("RENAME TABLE t TO u", "u"),
        ("CREATE TABLE l LIKE t", "l"),
        ("CREATE TABLE s AS SELECT 1", "s"),
    ] {
        assert_eq!(apply(&mut t, sql).unwrap().unknown, [name(unknown)], "{sql}");
    }
    assert_eq!(apply(&mut t, "DROP TABLE nope").unwrap().notes.len(), 1);
    assert_eq!(t.tables().count(), 0);
}

#[test]
fn a_guess_gives_way_to_the_statement() {
    let mut t = tracker(&[]);
    t.set(name("t"), Arc::new(TableSchema::default()), true);
    assert!(t.tracked(&name("t")).unwrap().assumed);
    apply(&mut t, "CREATE TABLE IF NOT EXISTS t (a INT)").unwrap();
    assert!(!t.tracked(&name("t")).unwrap().assumed);
    assert_eq!(columns(&t, "t"), ["a"]);
    apply(&mut t, "CREATE TABLE IF NOT EXISTS t (b INT)").unwrap();
    assert_eq!(columns(&t, "t"), ["a"]);
}

#[test]
fn names_compare_as_the_server_is_set() {
    let defaults = Defaults { lower_case_table_names: 1, ..Defaults::default() };
    let mut t = Tracker::new(defaults);
    apply(&mut t, "CREATE TABLE T (a INT)").unwrap();
    apply(&mut t, "ALTER TABLE t ADD b INT").unwrap();
    assert_eq!(t.table(&TableName::new("D", "t")).unwrap().columns.len(), 2);
    apply(&mut t, "DROP DATABASE D").unwrap();
    assert_eq!(t.tables().count(), 0);
}

#[test]
fn it_is_saved_and_restored() {
    let mut t = tracker(&[
        "CREATE DATABASE d CHARACTER SET gbk",
        "CREATE TABLE t (a VARCHAR(5), KEY (a), CHECK (a <> ''))",
        "CREATE TABLE `a.b` (id SERIAL)",
    ]);
    let text = serde_json::to_string(&t).unwrap();
    let mut again: Tracker = serde_json::from_str(&text).unwrap();
    assert_eq!(again, t);
    for tracker in [&mut t, &mut again] {
        apply(tracker, "ALTER TABLE t ADD b TEXT").unwrap();
    }
    assert_eq!(again, t);
    assert_eq!(t.table(&name("t")).unwrap().columns[1].ty.charset, "gbk");
}

fn clause() -> impl Strategy<Value = String> {
    let column = || proptest::sample::select(vec!["a", "b", "c", "d", "e", "f"]);
    let ty = proptest::sample::select(vec![
        "INT",
        "VARCHAR(10)",
        "TEXT",
        "BIGINT UNSIGNED NOT NULL",
        "DECIMAL(8,2) DEFAULT 1.5",
        "DATETIME DEFAULT CURRENT_TIMESTAMP",
        "ENUM('x','y')",
        "VARCHAR(5) CHARACTER SET latin1",
    ]);
    (0..11usize, column(), column(), ty).prop_map(|(n, x, y, ty)| match n {
        0..=2 => format!("ADD {x} {ty} AFTER {y}"),
        3 => format!("ADD {x} {ty} FIRST"),
        4 => format!("DROP {x}"),
        5 => format!("CHANGE {x} {y} {ty}"),
        6 => format!("MODIFY {x} {ty} FIRST"),
        7 => format!("RENAME COLUMN {x} TO {y}"),
        8 => format!("ADD KEY ({x}, {y})"),
        9 => format!("ADD UNIQUE ({x})"),
        _ => "CONVERT TO CHARACTER SET latin1".to_owned(),
    })
}

proptest! {
    /// Whatever is applied: keys name columns that exist, names are unique, the primary key comes
    /// first, and the structure survives being printed and read.
    #[test]
    fn invariants(statements in proptest::collection::vec(
        proptest::collection::vec(clause(), 1..4), 0..12)) {
        let mut t = tracker(&["CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20), c TEXT, KEY (b, a))"]);
        for clauses in statements {
            let _ = apply(&mut t, &format!("ALTER TABLE t {}", clauses.join(", ")));
            let table = t.table(&name("t")).unwrap();
            for (n, key) in table.keys.iter().enumerate() {
                prop_assert!(!key.parts.is_empty() && !key.name.is_empty());
                prop_assert!(!table.keys[..n].iter().any(|k| same_name(&k.name, &key.name)));
                for part in &key.parts {
                    prop_assert!(part.column().is_some_and(|c| table.column(c).is_some()));
                }
            }
            for (n, column) in table.columns.iter().enumerate() {
                prop_assert_eq!(table.column(&column.name).map(|(at, _)| at), Some(n));
            }
            let printed = create_table(&name("t"), table);
            let again = parse_create_table(&printed, SqlMode::default()).unwrap();
            prop_assert_eq!(differences(table, &again), Vec::<String>::new(), "{}", printed);
        }
    }
}
