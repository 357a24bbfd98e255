//! Histories that look harmless: keys that only the target's collation calls equal.

use std::sync::Arc;

use dm_core::sink::MemorySink;
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{delete, insert};
use dm_core::{Outcome, Until};

use crate::script::{int, migration, name, plan, text};

/// A Hungarian collation has rules that nobody computes here: such keys are counted, and plain ones are not.
#[test]
fn the_status_counts_wild_keys() {
    let source = ScriptedSource::new("s");
    source.ddl("", "CREATE DATABASE db").unwrap();
    source
        .ddl("db", "CREATE TABLE hu (k varchar(9) COLLATE utf8mb4_hu_0900_ai_ci PRIMARY KEY)")
        .unwrap();
    source.ddl("db", "CREATE TABLE plain (id int PRIMARY KEY)").unwrap();
    let (target, dir) = (MemorySink::new(), tempfile::tempdir().unwrap());
    let run = || {
        let plan = plan("all", &["s"], "syncer: {worker-count: 16, batch: 1}", "");
        let migration =
            migration(plan, Arc::new(source.clone()), Arc::new(target.clone()), dir.path())
                .until(Until::CaughtUp)
                .build();
        assert_eq!(migration.run().unwrap(), Outcome::Finished);
        let status = migration.control().status();
        (status.sources[0].stream.wild, status.sources[0].to_json()["sync"]["wildKeys"].clone())
    };
    run();
    let k = |k: &str| vec![text(k)];
    for round in 0..5 {
        for change in [insert(k("ccs")), delete(k("ccs")), insert(k("CSCS")), delete(k("CSCS"))] {
            source.commit(vec![(name("hu"), vec![change])]).unwrap();
        }
        source.commit(vec![(name("plain"), vec![insert(vec![int(round)])])]).unwrap();
    }
    source.commit(vec![(name("hu"), vec![insert(k("ccs"))])]).unwrap();
    assert_eq!(run(), (21, 21.into()));
    assert_eq!(target.dump(), source.dump());
}
