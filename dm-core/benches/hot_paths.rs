//! What happens to every event and every row, on recorded files: `cargo bench -p dm-core`.

#![allow(missing_docs)] // criterion's macros
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken fixture ends a bench

use std::collections::HashMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dm_core::binlog::{DecodePlan, Decoder, EventBody, FileReader, Framed, QueryEvent, RowsEvent};
use dm_core::config::{SourceText, TaskPlan};
use dm_core::ddl::{Comments, ParseContext, SqlMode, lex, parse};
use dm_core::filter::{Filter, TableName};
use dm_core::position::Flavor;
use dm_core::schema::{Tracker, parse_create_table};
use dm_core::sink::keys::{KeyHash, KeyPlan};
use dm_core::sql::push_value;
use dm_core::{Router, RowOp};
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::EventData;

fn fixture(path: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    std::fs::read(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A file whose events tell the names of columns, so that rows need no structure.
fn file() -> Vec<u8> {
    fixture("binlogs/mysql97-full-fullmeta/binlog.000001")
}

fn each_event(bytes: &[u8], f: &mut dyn FnMut(&[u8])) {
    let mut reader = FileReader::open(bytes).unwrap().unwrap();
    while let Framed::Event { bytes, .. } = reader.next_event().unwrap() {
        f(bytes);
    }
}

/// Every rows event of the file, with its plan.
fn each_rows(
    bytes: &[u8],
    plans: &mut HashMap<String, Arc<DecodePlan>>,
    f: &mut dyn FnMut(&RowsEvent<'_>, &DecodePlan),
) {
    let mut decoder = Decoder::new(Flavor::MySql);
    each_event(bytes, &mut |event| {
        if let EventBody::Rows(rows) = decoder.decode(event).unwrap().body {
            let name = rows.table.table.to_string();
            let fits = plans.get(&name).is_some_and(|p| p.fits(&rows.table));
            if !fits {
                let plan = DecodePlan::compile(&rows.table, None).unwrap();
                plans.insert(name.clone(), Arc::new(plan));
            }
            f(&rows, &plans[&name]);
        }
    });
}

fn framing(c: &mut Criterion) {
    let bytes = file();
    let mut group = c.benchmark_group("events");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("framed", |b| {
        b.iter(|| {
            each_event(&bytes, &mut |event| {
                black_box(event.len());
            })
        });
    });
    group.bench_function("decoded, checksums verified", |b| {
        b.iter(|| {
            let mut decoder = Decoder::new(Flavor::MySql);
            each_event(&bytes, &mut |event| drop(black_box(decoder.decode(event).unwrap())));
        });
    });
    group.finish();
}

fn rows(c: &mut Criterion) {
    let bytes = file();
    let mut plans = HashMap::new();
    let mut count = 0;
    each_rows(&bytes, &mut plans, &mut |rows, plan| count += rows.rows(plan).unwrap().count());
    let mut group = c.benchmark_group("rows");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("all cells, checksums verified", |b| {
        b.iter(|| {
            each_rows(&bytes, &mut plans, &mut |rows, plan| {
                rows.rows(plan).unwrap().for_each(|op| drop(black_box(op.unwrap())));
            });
        });
    });
    group.bench_function("all cells, by the client crate, no checksums", |b| {
        b.iter(|| client_crate(&bytes));
    });
    group.bench_function("as tuples of literals", |b| {
        let mut text = String::new();
        b.iter(|| {
            each_rows(&bytes, &mut plans, &mut |rows, plan| {
                for op in rows.rows(plan).unwrap() {
                    text.clear();
                    tuple(&op.unwrap(), plan, &mut text);
                    black_box(text.len());
                }
            });
        });
    });
    group.finish();
}

fn tuple(op: &RowOp<'_>, plan: &DecodePlan, out: &mut String) {
    let row = match op {
        RowOp::Insert { after } | RowOp::Update { after, .. } => after,
        RowOp::Delete { before } => before,
    };
    for (i, column) in plan.columns().iter().enumerate() {
        if let Some(value) = row.get(i) {
            push_value(out, value, Some(column));
            out.push(',');
        }
    }
}

fn client_crate(bytes: &[u8]) {
    let mut file = mysql_common::binlog::BinlogFile::new(BinlogVersion::Version4, bytes).unwrap();
    while let Some(event) = file.next() {
        let event = event.unwrap();
        if let Ok(Some(EventData::RowsEvent(rows))) = event.read_data()
            && let Some(map) = file.reader().get_tme(rows.table_id())
        {
            rows.rows(map).for_each(|row| drop(black_box(row)));
        }
    }
}

fn hashing(c: &mut Criterion) {
    let sql = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(40), code INT, note TEXT, \
               UNIQUE KEY n (name), UNIQUE KEY c (code)) DEFAULT CHARSET=utf8mb4";
    let schema = parse_create_table(sql, SqlMode::default()).unwrap();
    let columns = dm_core::filter::Columns::named(["id", "name", "code", "note"]);
    let plan = KeyPlan::new("`d`.`t`", &schema, None, &columns);
    let op = dm_core::testing::build::insert([
        dm_core::Value::Int(7),
        dm_core::Value::Text("Somebody's name".into()),
        dm_core::Value::Int(99),
        dm_core::Value::Text("what is not in a key".into()),
    ]);
    let mut keys: Vec<KeyHash> = Vec::new();
    c.bench_function("three keys of a row, hashed", |b| {
        b.iter(|| {
            keys.clear();
            plan.hashes(black_box(&op), &mut keys);
            keys.len()
        });
    });
}

fn statements(c: &mut Criterion) {
    let text = String::from_utf8(fixture("ddl/statements.sql")).unwrap();
    let mut group = c.benchmark_group("statements");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("lexed", |b| {
        b.iter(|| {
            for line in text.lines() {
                black_box(lex(line, SqlMode::default(), Comments::default()));
            }
        });
    });
    let context = ParseContext::in_schema("db");
    group.bench_function("parsed", |b| {
        b.iter(|| text.lines().filter_map(|line| parse(line, &context).ok()).count());
    });
    group.finish();
}

/// What statements cost: each of the corpus is read, and followed where it changes a known table; and what they
/// cost a stream of rows that has none: a BEGIN is told from a statement, and the table's structure is looked up
/// and compared for every rows event. The second is to be held against "all cells" of the rows above.
fn tracking(c: &mut Criterion) {
    let context = ParseContext::in_schema("db");
    let read = |sql: &str| parse(sql, &context).unwrap();
    let mut columns: Vec<String> = (0..40).map(|n| format!("c{n} VARCHAR(40) NOT NULL")).collect();
    columns.extend((0..8).map(|n| format!("KEY k{n} (c{n}, c{})", n + 1)));
    let mut tracker = Tracker::default();
    let create = format!("CREATE TABLE t (id BIGINT PRIMARY KEY, {})", columns.join(", "));
    tracker.apply(&read(&create)).unwrap();
    let mut group = c.benchmark_group("a statement");
    for (name, sql) in [
        ("ALTER TABLE of one column", "ALTER TABLE t ADD COLUMN more INT DEFAULT 5 AFTER c7"),
        (
            "ALTER TABLE of four clauses",
            "ALTER TABLE t ADD COLUMN (x INT, y INT), DROP COLUMN c3, ADD UNIQUE KEY u (c1), RENAME COLUMN c2 TO z",
        ),
    ] {
        group.bench_function(format!("{name}, read, names replaced, read again, tracked"), |b| {
            b.iter_batched(
                || tracker.clone(),
                |mut tracker| {
                    let statement = read(sql);
                    let text = statement.splice(|_| Some(TableName::new("other", "t")));
                    let target = parse(&text, &context).unwrap();
                    tracker.apply(&statement).unwrap();
                    (tracker, target)
                },
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    let (mut plans, mut maps, mut count) = (HashMap::new(), Vec::new(), 0);
    each_rows(&file(), &mut plans, &mut |rows, plan| {
        count += rows.rows(plan).unwrap().count();
        let name = rows.table.table.clone();
        tracker.set(
            name.clone(),
            Arc::clone(tracker.table(&TableName::new("db", "t")).unwrap()),
            false,
        );
        maps.push((Arc::clone(&rows.table), plan.clone()));
    });
    let begin = QueryEvent::of("", b"BEGIN".to_vec());
    let mut group = c.benchmark_group("rows");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(
        "what structures cost them: BEGIN told, table looked up and compared",
        |b| {
            b.iter(|| {
                let mut fitting = 0;
                for (map, plan) in &maps {
                    let statement = black_box(&begin).is("BEGIN");
                    let known = tracker.tracked(&map.table).is_some();
                    fitting += usize::from(statement && known && plan.fits(map));
                }
                assert_eq!(fitting, maps.len());
            });
        },
    );
    group.finish();
}

fn rules(c: &mut Criterion) {
    let mut task = String::from(
        "name: t\ntask-mode: all\ntarget-database: {sqlite: x.db}\n\
         block-allow-list: {l: {do-dbs: [\"~^shop_[0-9]+$\"], ignore-tables: [{db-name: \"~^.*$\", \
         tbl-name: \"~^tmp_\"}]}}\nmysql-instances: [{source-id: s, block-allow-list: l, route-rules: [",
    );
    for i in 0..50 {
        task.push_str(&format!("r{i},"));
    }
    task.push_str("]}]\nroutes:\n");
    for i in 0..50 {
        task.push_str(&format!(
            "  r{i}: {{schema-pattern: \"shop_{i}\", table-pattern: \"order*\", target-schema: shop, \
             target-table: orders}}\n"
        ));
    }
    let source = "{source-id: s, from: {host: h, user: u}}";
    let (plan, _) = TaskPlan::from_yaml(
        &SourceText { name: "task.yaml", text: &task },
        &[SourceText { name: "source.yaml", text: source }],
        &|_| None,
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let source = &plan.sources[0];
    let table = TableName::new("shop_17", "orders_3");
    c.bench_function("a table judged by its name", |b| {
        b.iter(|| source.filter.interest(black_box(&table)));
    });
    c.bench_function("a table routed by one of 50 routes", |b| {
        b.iter(|| source.router.route("s", black_box("shop_17"), black_box("orders_3")));
    });
}

criterion_group!(hot_paths, framing, rows, hashing, statements, tracking, rules);
criterion_main!(hot_paths);
