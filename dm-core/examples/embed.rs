//! A migration inside of a service: built from the texts of DM's files, run in a thread of its
//! own, watched, stopped, started again. It needs no server.
//!
//! ```sh
//! cargo run -p dm-core --example embed
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use dm_core::config::{SourceText, TaskPlan};
use dm_core::sink::MemorySink;
use dm_core::source::Source;
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::insert;
use dm_core::{Change, Migration, Outcome, RowKind, TableName, Value, Verdict, Waited, from_fn};

const TASK: &str = "
name: shop
task-mode: all
target-database: {host: 127.0.0.1, user: root}
routes: {merge: {schema-pattern: shop_?, target-schema: shop}}
mysql-instances: [{source-id: live, route-rules: [merge]}]
";
const SOURCE: &str = "
source-id: live
from: {host: 127.0.0.1, user: dm, password: '${SHOP_PASSWORD}'}
";

fn plan() -> Result<TaskPlan, Box<dyn Error>> {
    // The library does not look at the environment: the service says what a variable holds.
    let variable = |name: &str| (name == "SHOP_PASSWORD").then(|| "secret".to_owned());
    let task = SourceText { name: "task.yaml", text: TASK };
    let source = SourceText { name: "source.yaml", text: SOURCE };
    let (plan, warnings) = TaskPlan::from_yaml(&task, &[source], &variable)?;
    warnings.iter().for_each(|warning| eprintln!("{warning}"));
    Ok(plan)
}

/// A migration of `source` into `target`, in place of the servers that the files name.
fn migration(
    source: &ScriptedSource,
    target: &MemorySink,
    state: &std::path::Path,
) -> Result<Migration, Box<dyn Error>> {
    let no_deletes = from_fn(|change: &Change<'_>| match change {
        Change::Row(row) if row.op.kind() == RowKind::Delete => Verdict::Drop,
        _ => Verdict::Keep,
    });
    Ok(Migration::builder(plan()?)
        .source("live", Arc::new(source.clone()))
        .sink(Arc::new(target.clone()))
        .filter(no_deletes)
        .state_dir(state)
        .build())
}

fn main() -> Result<(), Box<dyn Error>> {
    let state = tempfile::tempdir()?;
    let (source, target) = (ScriptedSource::new("live"), MemorySink::new());
    let customers = TableName::new("shop_1", "customer");
    let row = |id: i64| insert([Value::Int(id), Value::Text(format!("customer {id}").into())]);
    source.ddl("", "CREATE DATABASE shop_1")?;
    source.ddl("shop_1", "CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(40))")?;
    source.commit(vec![(customers.clone(), (1..=3).map(row).collect())])?;

    let running = migration(&source, &target, state.path())?.spawn()?;
    let control = running.control();
    // What is written while it runs arrives, too.
    source.commit(vec![(customers.clone(), vec![row(4)])])?;
    let patience = Duration::from_secs(60);
    assert_eq!(control.wait_for("live", &source.end_position()?, patience), Waited::Reached);
    for status in control.status().sources {
        println!("{}: {} at {}", status.source, status.unit.as_str(), status.position);
    }
    assert_eq!(running.stop()?, Outcome::Stopped);

    // The next run goes on where this one stood.
    source.commit(vec![(customers, vec![row(5)])])?;
    source.finish();
    assert_eq!(migration(&source, &target, state.path())?.run()?, Outcome::Finished);
    let arrived = target.count(&TableName::new("shop", "customer"));
    println!("{arrived} customers arrived");
    assert_eq!(arrived, 5);
    Ok(())
}

#[test]
fn it_runs() {
    main().unwrap();
}
