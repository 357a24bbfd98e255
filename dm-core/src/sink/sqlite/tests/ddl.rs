use super::*;

fn with_rows() -> Bed {
    let mut bed = Bed::new();
    bed.ddl("CREATE DATABASE d DEFAULT CHARSET utf8mb4");
    bed.ddl(
        "CREATE TABLE d.t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, v varchar(9), KEY kv (v))",
    );
    bed.exact(
        "d.t",
        vec![insert(vec![Value::Int(1), text("5")]), insert(vec![Value::Int(2), Value::Null])],
    );
    bed
}

fn number(bed: &Bed, sql: &str) -> Option<u16> {
    bed.try_ddl(sql).err().and_then(|e| e.server_error())
}

fn skipped(bed: &Bed, sql: &str) -> bool {
    matches!(bed.ddl(sql), DdlOutcome::Skipped(_))
}

#[test]
fn alter_keeps_rows_and_fills_in_what_the_server_would() {
    let bed = with_rows();
    for (sql, want) in [
        ("ALTER TABLE t ADD n int NOT NULL", vec!["1,'5',0", "2,NULL,0"]),
        (
            "ALTER TABLE t ADD d decimal(5,2) DEFAULT 1.5 FIRST",
            vec!["'1.50',1,'5',0", "'1.50',2,NULL,0"],
        ),
        (
            "ALTER TABLE t RENAME COLUMN v TO n, RENAME COLUMN n TO v",
            vec!["'1.50',1,'5',0", "'1.50',2,NULL,0"],
        ),
        ("ALTER TABLE t DROP COLUMN v", vec!["'1.50',1,'5'", "'1.50',2,NULL"]),
        ("ALTER TABLE t CHANGE n m bigint", vec!["'1.50',1,5", "'1.50',2,NULL"]),
        (
            "ALTER TABLE t MODIFY m varchar(20) NOT NULL AFTER id",
            vec!["'1.50',1,'5'", "'1.50',2,''"],
        ),
        (
            "ALTER TABLE t ADD ts timestamp NOT NULL DEFAULT now(), DROP d",
            vec!["1,'5','1970-01-02 00:00:00'", "2,'','1970-01-02 00:00:00'"],
        ),
        (
            "ALTER TABLE t DROP COLUMN m, ADD COLUMN m int DEFAULT 3",
            vec!["1,'1970-01-02 00:00:00',3", "2,'1970-01-02 00:00:00',3"],
        ),
    ] {
        assert_eq!(bed.ddl(sql), DdlOutcome::Done, "{sql}");
        assert_eq!(bed.rows("d.t"), want, "{sql}");
    }
    let schema = bed.sink.describe(&name("d.t")).unwrap().unwrap();
    assert_eq!(schema.columns.len(), 3);
}

#[test]
fn what_only_the_source_knows_is_refused_and_changes_nothing() {
    let bed = with_rows();
    let before = (bed.rows("d.t"), bed.sink.show_create(&name("d.t")).unwrap());
    for sql in [
        "ALTER TABLE t ADD r varchar(36) DEFAULT (uuid())",
        "ALTER TABLE t MODIFY v json",
        "ALTER TABLE t DROP PRIMARY KEY, DROP id, ADD n int NOT NULL AUTO_INCREMENT PRIMARY KEY",
        "ALTER TABLE t DROP PARTITION p0",
        "ALTER TABLE t TRUNCATE PARTITION p0",
    ] {
        let error = bed.try_ddl(sql).unwrap_err();
        assert_eq!(error.code().number, 10_217, "{sql}: {error}");
        assert!(!error.advice().is_empty());
    }
    assert!(bed.try_ddl("ALTER TABLE t ADD v int").is_err());
    assert!(bed.try_ddl("ALTER TABLE t NONSENSE").is_err());
    assert_eq!((bed.rows("d.t"), bed.sink.show_create(&name("d.t")).unwrap()), before);
    // An empty table has no values to know.
    bed.ddl("TRUNCATE t");
    bed.ddl("ALTER TABLE t ADD r varchar(36) DEFAULT (uuid())");
    bed.ddl("ALTER TABLE t MODIFY v json");
}

#[test]
fn keys_come_and_go() {
    let mut bed = with_rows();
    bed.ddl("CREATE UNIQUE INDEX u ON t (v)");
    let two = |v: &str| vec![insert(vec![Value::Int(3), text(v)])];
    assert_eq!(
        bed.apply("d.t", two("5"), ApplyMode::Exact).unwrap_err().server_error(),
        Some(1062)
    );
    bed.ddl("DROP INDEX u ON t");
    bed.exact("d.t", two("5"));
    let error = bed.try_ddl("ALTER TABLE t ADD UNIQUE KEY w (v)").unwrap_err();
    assert_eq!(error.server_error(), Some(1062));
    bed.ddl("ALTER TABLE t DROP PRIMARY KEY, MODIFY id int, ADD UNIQUE KEY w (v, id)");
    bed.exact(
        "d.t",
        vec![update(vec![Value::Int(2), Value::Null], vec![Value::Int(9), Value::Null])],
    );
    assert_eq!(bed.rows("d.t"), ["1,'5'", "3,'5'", "9,NULL"]);
    // Only the described structure tells a longer text apart.
    let before = bed.sink.show_create(&name("d.t")).unwrap();
    bed.ddl("ALTER TABLE t MODIFY v varchar(200)");
    assert_ne!(bed.sink.show_create(&name("d.t")).unwrap(), before);
}

#[test]
fn tables_come_go_and_change_names() {
    let bed = with_rows();
    assert_eq!(number(&bed, "CREATE TABLE t (a int)"), Some(1050));
    assert!(skipped(&bed, "CREATE TABLE IF NOT EXISTS t (a int)"));
    assert_eq!(number(&bed, "DROP TABLE x"), Some(1051));
    assert!(skipped(&bed, "DROP TABLE IF EXISTS x"));
    assert_eq!(number(&bed, "ALTER TABLE x ADD a int"), Some(1146));
    assert_eq!(number(&bed, "CREATE DATABASE d"), Some(1007));
    assert!(skipped(&bed, "CREATE DATABASE IF NOT EXISTS d"));
    assert_eq!(number(&bed, "DROP DATABASE e"), Some(1008));
    assert!(skipped(&bed, "CREATE TEMPORARY TABLE tmp (a int)"));
    assert!(skipped(&bed, "CREATE VIEW w AS SELECT 1"));
    assert!(skipped(&bed, "ANALYZE TABLE t"));

    // What online schema change tools do at their end.
    bed.ddl("CREATE TABLE _t_new LIKE t");
    bed.ddl("RENAME TABLE t TO _t_old, _t_new TO t");
    assert!(bed.rows("d.t").is_empty());
    assert_eq!(bed.rows("d._t_old").len(), 2);
    bed.ddl("RENAME TABLE t TO x, _t_old TO t, x TO _t_old");
    assert_eq!(bed.rows("d.t").len(), 2);
    assert_eq!(number(&bed, "RENAME TABLE t TO _t_old"), Some(1050));
    bed.ddl("ALTER TABLE t RENAME TO e.t2, ADD c int DEFAULT 1");
    assert_eq!(bed.rows("e.t2"), ["1,'5',1", "2,NULL,1"]);
    assert!(bed.sink.describe(&name("d.t")).unwrap().is_none());
    bed.ddl("DROP DATABASE d");
    assert!(bed.sink.describe(&name("d._t_old")).unwrap().is_none());
    assert_eq!(bed.rows("e.t2").len(), 2);
}

#[test]
fn names_that_sqlite_takes_for_one() {
    let mut bed = Bed::new();
    for sql in [
        "CREATE TABLE d.T (a int, KEY k (a))",
        "CREATE TABLE d.t (a int, KEY k (a))",
        "CREATE TABLE `d.t`.`t\"x` (a int)",
        "CREATE TABLE `sqlite_d`.`t` (a int)",
    ] {
        bed.ddl(sql);
    }
    bed.exact("d.T", vec![insert(vec![Value::Int(1)])]);
    bed.exact("d.t", vec![insert(vec![Value::Int(2)])]);
    assert_eq!(bed.rows("d.T"), ["1"]);
    assert_eq!(bed.rows("d.t"), ["2"]);
    let ident = bed.sink.ident(&name("d.t")).unwrap().unwrap();
    assert_eq!(super::super::table_name(&ident), Some(name("d.t")));
    bed.ddl("RENAME TABLE d.t TO d.u, d.T TO d.t");
    assert_eq!(bed.rows("d.t"), ["1"]);
    let conn = Connection::open(&bed.path).unwrap();
    assert_eq!(
        conn.query_row("SELECT count(*) FROM \"d%2Et.t\"\"x\"", [], |r| r.get::<_, i64>(0))
            .unwrap(),
        0
    );
}

#[test]
fn what_others_put_on_a_table_stays() {
    let bed = with_rows();
    let conn = Connection::open(&bed.path).unwrap();
    conn.execute_batch(
        "CREATE TABLE seen (id); CREATE INDEX mine ON \"d.t\" (v, id);
         CREATE TRIGGER tr AFTER INSERT ON \"d.t\" BEGIN INSERT INTO seen VALUES (new.id); END;
         CREATE VIEW look AS SELECT v FROM \"d.t\";",
    )
    .unwrap();
    bed.ddl("ALTER TABLE t ADD first int FIRST");
    let count = |sql: &str| conn.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name IN ('mine', 'tr')"), 2);
    assert_eq!(count("SELECT count(*) FROM look"), 2);
    // Without its column the index cannot stay: nothing happens.
    assert!(bed.try_ddl("ALTER TABLE t DROP COLUMN v").is_err());
    assert_eq!(bed.rows("d.t").len(), 2);
}

#[test]
fn structures_changed_by_another_process_are_noticed() {
    let mut bed = with_rows();
    bed.ordinal = 5;
    let mut writer = bed.writer(1);
    let row = |n: i64| insert(vec![Value::Int(n), text("x")]);
    let first = bed.block("d.t", vec![row(10)], ApplyMode::Exact);
    let again = RowBlock { data: RowData::Owned(vec![row(11)].into()), ..first.clone() };
    writer.apply(&bed.batch(vec![first]), &bed.mark(0)).unwrap();
    let there = bed.reopen();
    let ddl = TargetDdl {
        schema: "d".into(),
        ..TargetDdl::new("ALTER TABLE t CHANGE v v2 varchar(9)", Vec::new())
    };
    there.execute_ddl(&ddl).unwrap();
    let error = writer.apply(&bed.batch(vec![again]), &bed.mark(0)).unwrap_err();
    assert_eq!(error.server_error(), Some(1054));
}
