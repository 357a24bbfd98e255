use dm_filter::{Date, DateTime, Encoded, Json, Time, Timestamp};

use super::*;

const EVERYTHING: &str = "CREATE TABLE d.e (
  i bigint NOT NULL PRIMARY KEY, u bigint unsigned, f float, dd double, n decimal(10,2) zerofill,
  v varchar(20) CHARACTER SET gbk, b varbinary(9), da date, dt datetime(3), ts timestamp(1) NULL,
  ti time, y year, bi bit(64), en enum('x','y'), se set('p','q','r'), j json, g point, bl blob)";

fn everything() -> Vec<Value<'static>> {
    let date = Date { year: 2020, month: 0, day: 31 };
    let micro = 500_000;
    let gbk = Encoded { charset: "gbk", bytes: vec![0xb0, 0xa1].into() };
    vec![
        Value::Int(-1),
        Value::UInt(u64::MAX),
        Value::Float(0.5),
        Value::Double(-1.25),
        Value::Decimal("1.50".into()),
        Value::Encoded(gbk),
        Value::Bytes(vec![0, 255].into()),
        Value::Date(date),
        Value::DateTime(DateTime { date, hour: 1, micro, decimals: 3, ..DateTime::default() }),
        Value::Timestamp(Timestamp { seconds: 1, micro, decimals: 1 }),
        Value::Time(Time { negative: true, hours: 838, ..Time::default() }),
        Value::Year(0),
        Value::Bit(u64::MAX),
        Value::Enum(2),
        Value::Set(5),
        Value::Json(Json { text: "[1]".into(), typed: Vec::new() }),
        Value::Geometry(vec![1, 2].into()),
        Value::Null,
    ]
}

const EVERYTHING_STORED: &str = "-1,'18446744073709551615',0.5,-1.25,'1.50','啊',X'00FF',\
    '2020-00-31','2020-00-31 01:00:00.500','1970-01-01 00:00:01.5','-838:00:00',0,\
    '18446744073709551615','y','p,r','[1]',X'0102',NULL";

#[test]
fn every_kind_of_value_comes_in_by_stream_and_copy_alike() {
    let mut bed = Bed::new();
    bed.ddl(EVERYTHING);
    bed.exact("d.e", vec![insert(everything())]);
    assert_eq!(bed.rows("d.e"), [EVERYTHING_STORED]);

    use CellKind as K;
    let cells: Vec<(&str, K, Option<&[u8]>)> = vec![
        ("i", K::Number, Some(b"-2")),
        ("u", K::Number, Some(b"18446744073709551615")),
        ("f", K::Number, Some(b"0.5")),
        ("dd", K::Number, Some(b"-1.25")),
        ("n", K::Number, Some(b"00000001.50")),
        ("v", K::Encoded("gbk"), Some(&[0xb0, 0xa1])),
        ("b", K::Bytes, Some(&[0, 255])),
        ("da", K::Text, Some(b"2020-00-31")),
        ("dt", K::Text, Some(b"2020-00-31 01:00:00.500")),
        ("ts", K::Text, Some(b"1970-01-01 00:00:01.5")),
        ("ti", K::Text, Some(b"-838:00:00")),
        ("y", K::Number, Some(b"0000")),
        ("bi", K::Bit, Some(&[255; 8])),
        ("en", K::Text, Some(b"y")),
        ("se", K::Text, Some(b"p,r")),
        ("j", K::Json, Some(b"[1]")),
        ("g", K::Geometry, Some(&[1, 2])),
        ("bl", K::Bytes, None),
    ];
    let columns: Vec<(&str, K)> = cells.iter().map(|(n, k, _)| (*n, k.clone())).collect();
    let row: Vec<Option<&[u8]>> = cells.iter().map(|(_, _, v)| *v).collect();
    let mut blocks = Blocks(vec![Ok(block(&columns, &[&row]))]);
    let stats = bed
        .writer(1)
        .load(&target("d.e", OnDuplicate::Error), &mut blocks, &chunk_mark(0))
        .unwrap();
    assert_eq!(stats.rows, 1);
    assert_eq!(bed.rows("d.e")[1], EVERYTHING_STORED.replacen("-1", "-2", 1));

    // What the copy wrote is found by what the stream says, without a key too.
    bed.ddl("ALTER TABLE d.e DROP PRIMARY KEY");
    let mut row = everything();
    row[0] = Value::Int(-2);
    let stats = bed.exact("d.e", vec![delete(row), delete(everything())]);
    assert_eq!((stats.deleted, stats.missing.len()), (2, 0));
}

#[test]
fn wide_integers_sort_and_are_unique() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id bigint unsigned PRIMARY KEY)");
    let ids = [u64::MAX, 9_999_999_999_999_999_999, 1 << 63, i64::MAX as u64, 0, 10, 9];
    bed.exact("d.t", ids.iter().map(|id| insert(vec![Value::UInt(*id)])).collect());
    let conn = Connection::open(&bed.path).unwrap();
    let sorted: Vec<String> = conn
        .prepare("SELECT CAST(id AS TEXT) FROM \"d.t\" ORDER BY id")
        .unwrap()
        .query_map([], |r| r.get(0))
        .unwrap()
        .map(|r: rusqlite::Result<String>| r.unwrap())
        .collect();
    let sorted: Vec<u64> = sorted.iter().map(|t| t.parse().unwrap()).collect();
    let mut want = ids;
    want.sort();
    assert_eq!(sorted, want);
    let error = bed.apply("d.t", vec![insert(vec![Value::UInt(u64::MAX)])], ApplyMode::Exact);
    assert_eq!(error.unwrap_err().server_error(), Some(1062));
}

#[test]
fn exact_changes_count_what_is_missing() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY, v varchar(9))");
    let row = |id: i64, v: &str| vec![Value::Int(id), text(v)];
    let stats = bed.exact(
        "d.t",
        vec![
            insert(row(1, "a")),
            insert(row(2, "b")),
            update(row(1, "a"), row(3, "c")),
            update(row(9, "a"), row(9, "c")),
            delete(row(2, "b")),
            delete(row(8, "b")),
        ],
    );
    assert_eq!((stats.inserted, stats.updated, stats.deleted), (2, 1, 1));
    assert_eq!(stats.missing, [(name("d.t"), 2)]);
    assert_eq!(bed.rows("d.t"), ["3,'c'"]);
    let error = bed.apply("d.t", vec![insert(row(3, "x"))], ApplyMode::Exact).unwrap_err();
    assert_eq!(error.server_error(), Some(1062));
    let block = bed.block("d.t", vec![insert(row(4, "x"))], ApplyMode::Exact);
    bed.ddl("DROP TABLE d.t");
    assert_eq!(bed.apply_blocks(vec![block]).unwrap_err().server_error(), Some(1146));
}

#[test]
fn tables_without_keys_change_one_of_equal_rows() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (a int, b varchar(9), rowid int)");
    let row = |a: Value<'static>| vec![a, text("x"), Value::Null];
    let ops = vec![
        insert(row(Value::Int(1))),
        insert(row(Value::Int(1))),
        insert(row(Value::Null)),
        update(row(Value::Int(1)), row(Value::Int(2))),
        delete(row(Value::Null)),
    ];
    let stats = bed.exact("d.t", ops);
    assert!(stats.missing.is_empty());
    assert_eq!(bed.rows("d.t"), ["1,'x',NULL", "2,'x',NULL"]);
    let error = bed.apply("d.t", vec![insert(row(Value::Int(1)))], ApplyMode::Idempotent);
    assert_eq!(error.unwrap_err().code().number, 36_201);
}

#[test]
fn a_row_is_found_by_the_key_that_has_values() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (a int, b int, c int, UNIQUE KEY u (a), UNIQUE KEY w (b, c))");
    let row = |a: Option<i64>, b: i64, c: i64| {
        vec![a.map_or(Value::Null, Value::Int), Value::Int(b), Value::Int(c)]
    };
    bed.exact(
        "d.t",
        vec![insert(row(None, 1, 1)), insert(row(None, 1, 2)), insert(row(Some(1), 2, 1))],
    );
    bed.exact("d.t", vec![update(row(None, 1, 2), row(Some(7), 1, 2)), delete(row(Some(1), 2, 1))]);
    assert_eq!(bed.rows("d.t"), ["7,1,2", "NULL,1,1"]);
}

#[test]
fn partial_images() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY, v varchar(9) DEFAULT 'dd', w int)");
    let partial = |id: Option<i64>, v: Option<&str>, w: Option<i64>| {
        Row::partial(vec![id.map(Value::Int), v.map(text), w.map(Value::Int)])
    };
    let ops = vec![
        RowOp::Insert { after: partial(Some(1), None, Some(5)) },
        RowOp::Insert { after: partial(Some(2), Some("x"), None) },
        RowOp::Update { before: partial(Some(1), None, None), after: partial(None, None, Some(6)) },
        RowOp::Delete { before: partial(Some(2), None, None) },
    ];
    for mode in [ApplyMode::Exact, ApplyMode::Idempotent] {
        bed.apply("d.t", ops.clone(), mode).unwrap();
        assert_eq!(bed.rows("d.t"), ["1,'dd',6"]);
        bed.ddl("TRUNCATE TABLE d.t");
    }
    bed.ddl("ALTER TABLE d.t DROP PRIMARY KEY");
    let error = bed.apply("d.t", ops, ApplyMode::Exact).unwrap_err();
    assert_eq!(error.code().number, crate::error::codes::ROW_IMAGE.number);
}

#[test]
fn idempotent_changes_converge_from_any_prefix() {
    let row = |id: i64, u: i64, v: &str| vec![Value::Int(id), Value::Int(u), text(v)];
    let ops = vec![
        insert(row(1, 10, "a")),
        insert(row(2, 20, "b")),
        update(row(1, 10, "a"), row(3, 10, "c")),
        delete(row(2, 20, "b")),
        insert(row(1, 20, "d")),
        update(row(3, 10, "c"), row(3, 30, "e")),
        insert(row(4, 10, "f")),
        delete(row(1, 20, "d")),
    ];
    let want = ["3,30,'e'", "4,10,'f'"];
    for done in 0..=ops.len() {
        let mut bed = Bed::new();
        bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY, u int NOT NULL, v varchar(9), UNIQUE (u))");
        bed.exact("d.t", ops[..done].to_vec());
        bed.apply("d.t", ops.clone(), ApplyMode::Idempotent).unwrap();
        assert_eq!(bed.rows("d.t"), want, "after {done}");
    }
}

#[test]
fn merged_tables_evict_nothing() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY, u int NOT NULL, UNIQUE (u))");
    let row = |id: i64, u: i64| vec![Value::Int(id), Value::Int(u)];
    bed.exact("d.t", vec![insert(row(1, 10))]);
    let other = bed.block_from("s2", "d.t", vec![insert(row(2, 10))], ApplyMode::Idempotent);
    let error = bed.apply_blocks(vec![other]).unwrap_err();
    assert_eq!(error.server_error(), Some(1062));
    assert_eq!(bed.rows("d.t"), ["1,10"]);
}

#[test]
fn a_batch_is_all_or_nothing() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY)");
    let ops = vec![insert(vec![Value::Int(1)]), insert(vec![Value::Int(1)])];
    bed.apply("d.t", ops, ApplyMode::Exact).unwrap_err();
    assert!(bed.rows("d.t").is_empty());
    assert!(bed.writer(1).applied().unwrap().is_empty());
}

#[test]
fn duplicates_of_the_copy() {
    let bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY, u int, UNIQUE (u))");
    let columns = [("id", CellKind::Number), ("u", CellKind::Number)];
    let load = |chunk: u32, rows: &[&[Option<&[u8]>]], mode: OnDuplicate| {
        let mut blocks = Blocks(vec![Ok(block(&columns, rows))]);
        bed.writer(1).load(&target("d.t", mode), &mut blocks, &chunk_mark(chunk))
    };
    load(0, &[&[Some(b"1"), Some(b"1")], &[Some(b"2"), Some(b"2")]], OnDuplicate::Error).unwrap();
    let again: &[&[Option<&[u8]>]] = &[&[Some(b"1"), Some(b"2")], &[Some(b"3"), None]];
    let error = load(1, again, OnDuplicate::Error).unwrap_err();
    assert_eq!(error.server_error(), Some(1062));
    let stats = load(1, again, OnDuplicate::Ignore).unwrap();
    assert_eq!((stats.rows, stats.duplicates), (1, 1));
    let stats = load(2, &[&[Some(b"1"), Some(b"2")]], OnDuplicate::Replace).unwrap();
    assert_eq!((stats.rows, stats.duplicates), (1, 2));
    assert_eq!(bed.rows("d.t"), ["1,2", "3,NULL"]);
    // A chunk comes once.
    let error = load(2, &[], OnDuplicate::Replace).unwrap_err();
    assert_eq!(error.code().number, 10_218);
    assert!(bed.writer(1).is_loaded(&chunk_mark(2)).unwrap());
    assert!(!bed.writer(1).is_loaded(&chunk_mark(3)).unwrap());
}

#[test]
fn extra_columns_of_the_copy() {
    let bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY, src varchar(9), n int)");
    let mut to = target("d.t", OnDuplicate::Error);
    to.extra = vec![("src".into(), "s1".into()), ("n".into(), "7".into())];
    let mut blocks = Blocks(vec![Ok(block(&[("id", CellKind::Number)], &[&[Some(b"1")]]))]);
    bed.writer(1).load(&to, &mut blocks, &chunk_mark(0)).unwrap();
    assert_eq!(bed.rows("d.t"), ["1,'s1',7"]);
}

#[test]
fn values_that_would_change_are_refused() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY, n bigint)");
    let ops = vec![insert(vec![Value::Int(1), Value::UInt(u64::MAX)])];
    let error = bed.apply("d.t", ops, ApplyMode::Exact).unwrap_err();
    assert_eq!(error.code().number, 10_215);
    assert!(error.message().contains("column n"), "{error}");
}

#[test]
fn generated_columns_hold_what_rows_say() {
    let mut bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (a int, g int AS (a + 1) STORED)");
    bed.exact("d.t", vec![insert(vec![Value::Int(1), Value::Int(2)])]);
    let mut blocks = Blocks(vec![Ok(block(&[("a", CellKind::Number)], &[&[Some(b"5")]]))]);
    bed.writer(1).load(&target("d.t", OnDuplicate::Error), &mut blocks, &chunk_mark(0)).unwrap();
    assert_eq!(bed.rows("d.t"), ["1,2", "5,NULL"]);
    let notes = bed.sink.notes().unwrap();
    assert!(notes[0].1.iter().any(|n| n.contains("NULL in copied rows")), "{notes:?}");
    // Such a row is found all the same.
    let stats = bed.exact("d.t", vec![delete(vec![Value::Int(5), Value::Int(6)])]);
    assert_eq!(stats.deleted, 1);
}
