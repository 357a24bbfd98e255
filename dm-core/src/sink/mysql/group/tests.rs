//! Random changes against a model: SQLite runs the statements, in the words that it has for them.

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::ddl::SqlMode;
use crate::event::SourceId;
use crate::schema::parse_create_table;
use crate::testing::build;
use crate::testing::model::{Model, few, step};

const KEYED: &str =
    "CREATE TABLE t (id int NOT NULL PRIMARY KEY, u int, v varchar(3), UNIQUE KEY (u))";
/// Two keys, the first of which is of two columns: conditions stand where a list of values would.
const PAIRED: &str = "CREATE TABLE t (id int NOT NULL, u int, v varchar(3) NOT NULL, \
    PRIMARY KEY (id, v), UNIQUE KEY (id), UNIQUE KEY (u))";
const KEYLESS: &str = "CREATE TABLE t (id int, u int, v varchar(3))";

fn plan(create: &str) -> Arc<WritePlan> {
    let name = TableName::new("main", "t");
    let rows = build::plan(&SourceId::new("s"), &name, &name, &["id", "u", "v"]);
    let target = parse_create_table(create, SqlMode::default()).unwrap();
    Arc::new(WritePlan::compile(&rows, &target).unwrap())
}

/// A target of its own words for the table.
struct Target {
    conn: Connection,
    plan: Arc<WritePlan>,
}

impl Target {
    fn new(create: &str) -> Self {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(&create.replace("UNIQUE KEY", "UNIQUE")).unwrap();
        Self { conn, plan: plan(create) }
    }

    /// What MySQL alone understands, said otherwise.
    fn reworded(&self, sql: &str) -> String {
        let mut sql = match sql.strip_suffix(self.plan.upsert_tail()) {
            Some(start) => {
                let set: Vec<_> =
                    ["id", "u", "v"].iter().map(|c| format!("{c}=excluded.{c}")).collect();
                let by = self.plan.identity().unwrap().iter().map(|&i| self.plan.name(i));
                let by: Vec<_> = by.collect();
                format!("{start} ON CONFLICT ({}) DO UPDATE SET {}", by.join(","), set.join(","))
            }
            None => sql.to_owned(),
        };
        // A text is compared byte by byte anyway.
        sql = sql.replace("CAST(CONVERT(", "((").replace(" USING utf8mb4) AS BINARY)", "))");
        if let Some(start) = sql.strip_suffix(" LIMIT 1") {
            let (head, condition) = start.split_once(" WHERE ").unwrap();
            let table = &*self.plan.table_sql;
            sql = format!(
                "{head} WHERE rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT 1)"
            );
        }
        sql
    }

    /// Runs changes as one batch; true when every statement found as many rows as it expects.
    fn apply(&self, ops: &[RowOp<'static>], mode: ApplyMode, max_text: usize) -> bool {
        let mut grouper = Grouper::new(max_text);
        for op in ops {
            grouper.push(&self.plan, op, mode).unwrap();
        }
        grouper.finish().into_iter().all(|s| {
            assert!(s.params.is_empty() && !s.loose, "{s:?}");
            let sql = self.reworded(&s.sql);
            let found =
                self.conn.execute(&sql, []).unwrap_or_else(|e| panic!("{sql}: {e}, of {ops:?}"));
            let found = u64::try_from(found).unwrap();
            match s.expect {
                Expect::Nothing => true,
                Expect::Inserted(n)
                | Expect::Updated(n)
                | Expect::Deleted(n)
                | Expect::Upserted(n) => n == found,
            }
        })
    }

    fn rows(&self) -> Vec<String> {
        let mut select = self.conn.prepare_cached("SELECT id, u, v FROM t").unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            let u: Option<i64> = row.get(1)?;
            let u = u.map_or("NULL".to_owned(), |u| u.to_string());
            Ok(format!("{},{u},'{}'", row.get::<_, i64>(0)?, row.get::<_, String>(2)?))
        };
        let mut rows: Vec<String> =
            select.query_map([], row).unwrap().map(Result::unwrap).collect();
        rows.sort();
        rows
    }
}

proptest! {
    #![proptest_config(few(96))]

    /// However many changes a batch has, and wherever texts are cut: the source's rows, and every row
    /// found.
    #[test]
    fn grouped_changes_give_the_sources_rows(
        form in 0usize..3,
        steps in prop::collection::vec(step(), 1..40),
        batch in 1usize..40,
        max_text in 1usize..2_000,
    ) {
        let create = [KEYED, PAIRED, KEYLESS][form];
        let mut model = Model::new(form < 2);
        let ops: Vec<_> = steps.iter().filter_map(|s| model.take(s)).collect();
        let target = Target::new(create);
        for part in ops.chunks(batch) {
            prop_assert!(target.apply(part, ApplyMode::Exact, max_text));
        }
        prop_assert_eq!(target.rows(), model.stored());
    }

    /// Applied up to a place, then again from an earlier one.
    #[test]
    fn grouped_changes_that_come_again_converge(
        paired: bool,
        steps in prop::collection::vec(step(), 1..40),
        from in 0usize..40,
        to in 0usize..40,
        batch in 1usize..40,
        max_text in 1usize..2_000,
    ) {
        let mut model = Model::new(true);
        let ops: Vec<_> = steps.iter().filter_map(|s| model.take(s)).collect();
        let to = to.min(ops.len());
        let from = from.min(to);
        let target = Target::new(if paired { PAIRED } else { KEYED });
        prop_assert!(target.apply(&ops[..to], ApplyMode::Exact, max_text));
        for part in ops[from..].chunks(batch) {
            target.apply(part, ApplyMode::Idempotent, max_text);
        }
        prop_assert_eq!(target.rows(), model.stored());
    }
}
