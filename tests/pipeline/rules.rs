//! Routes and filters from source to target, and a migration that is stopped after each step.

use std::sync::Arc;

use dm_core::sink::{Cell, MemorySink};
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{delete, insert, update};
use dm_core::{Change, Migration, Outcome, Result, RowKind, TableName, Until, Verdict};

use crate::script::{after, before, during, int, migration, plan, text};

fn shard(id: &str, rows: std::ops::Range<i64>) -> ScriptedSource {
    let source = ScriptedSource::new(id);
    let schema = format!("shop_{id}");
    source.ddl("", &format!("CREATE DATABASE {schema}")).unwrap();
    for table in ["orders_1", "scratch"] {
        source
            .ddl(&schema, &format!("CREATE TABLE {table} (id int primary key, v varchar(9))"))
            .unwrap();
        let rows = rows.clone().map(|i| insert([int(i), text("copied")])).collect();
        source.commit(vec![(TableName::new(schema.as_str(), table), rows)]).unwrap();
    }
    source
}

fn rows(sink: &MemorySink, schema: &str, table: &str) -> Vec<String> {
    let rows = sink.rows(&TableName::new(schema, table)).unwrap_or_default();
    rows.iter().map(|r| r.iter().map(Cell::to_string).collect::<Vec<_>>().join(" ")).collect()
}

const RULES: &str = "
routes:
  merge: {schema-pattern: 'shop_*', table-pattern: 'orders_*', target-schema: shop, target-table: orders}
filters:
  no-deletes: {schema-pattern: 'shop_*', table-pattern: 'orders_*', events: [delete, truncate table], action: Ignore}
expression-filter:
  no-tests: {schema: shop_a, table: orders_1, insert-value-expr: 'id % 10 = 9'}
block-allow-list:
  main: {ignore-tables: [{db-name: 'shop_*', tbl-name: scratch}]}
";
const USES: &str = "route-rules: [merge]\nfilter-rules: [no-deletes]\nexpression-filters: [no-tests]\nblock-allow-list: main";

#[test]
fn two_shards_come_together_under_rules() {
    let (a, b) = (shard("a", 0..3), shard("b", 100..103));
    let sink = MemorySink::new();
    let dir = tempfile::tempdir().unwrap();
    let both = |until| {
        // The expression is about the first shard's table; the second one has none of its name.
        Migration::builder(plan("all", &["a", "b"], USES, RULES))
            .source("a", Arc::new(a.clone()))
            .source("b", Arc::new(b.clone()))
            .sink(Arc::new(sink.clone()))
            .state_dir(dir.path())
            .until(until)
            .build()
    };
    assert_eq!(both(Until::CaughtUp).run().unwrap(), Outcome::Finished);
    assert_eq!(rows(&sink, "shop", "orders").len(), 6);
    for (source, first) in [(&a, 0), (&b, 100)] {
        let table = TableName::new(format!("shop_{}", source.id()), "orders_1");
        source
            .commit(vec![(
                table,
                vec![
                    insert([int(first + 8), text("new")]),
                    insert([int(first + 9), text("test")]),
                    update([int(first), text("copied")], [int(first), text("changed")]),
                    delete([int(first + 1), text("copied")]),
                ],
            )])
            .unwrap();
    }
    let migration = both(Until::CaughtUp);
    assert_eq!(migration.run().unwrap(), Outcome::Finished);
    let expected = [
        "0 changed",
        "1 copied",
        "100 changed",
        "101 copied",
        "102 copied",
        "108 new",
        "109 test",
        "2 copied",
        "8 new",
    ];
    assert_eq!(rows(&sink, "shop", "orders"), expected);
    assert_eq!(sink.tables().len(), 1, "{:?}", sink.tables());
    let filtered: Vec<u64> =
        migration.control().status().sources.iter().map(|s| s.stream.filtered).collect();
    assert_eq!(filtered, [2, 1]);
}

#[test]
fn a_filter_of_the_embedder_goes_with_those_of_the_plan() {
    let source = ScriptedSource::new("s");
    before(&source).unwrap();
    let sink = MemorySink::new();
    let dir = tempfile::tempdir().unwrap();
    let run = || {
        let no_deletes = dm_core::from_fn(|change: &Change<'_>| match change {
            Change::Row(row) if row.op.kind() == RowKind::Delete => Verdict::Drop,
            _ => Verdict::Keep,
        });
        migration(
            plan("all", &["s"], "", ""),
            Arc::new(source.clone()),
            Arc::new(sink.clone()),
            dir.path(),
        )
        .filter(no_deletes)
        .until(Until::CaughtUp)
        .build()
        .run()
    };
    run().unwrap();
    let table = TableName::new("db", "idle");
    source.commit(vec![(table.clone(), vec![delete([int(1), text("copied")])])]).unwrap();
    run().unwrap();
    assert_eq!(sink.count(&table), 4);
}

/// Each step of the script is followed to its end by a run of its own.
#[test]
fn a_migration_is_started_anew_after_each_step() {
    for gtids in [false, true] {
        let source = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
        before(&source).unwrap();
        let sink = MemorySink::new();
        let dir = tempfile::tempdir().unwrap();
        let steps: [fn(&ScriptedSource) -> Result<()>; 3] = [|_| Ok(()), during, after];
        for step in steps {
            step(&source).unwrap();
            let run = migration(
                plan("all", &["s"], "", ""),
                Arc::new(source.clone()),
                Arc::new(sink.clone()),
                dir.path(),
            )
            .until(Until::CaughtUp)
            .build();
            assert_eq!(run.run().unwrap(), Outcome::Finished);
            assert_eq!(sink.dump(), source.dump());
        }
    }
}
