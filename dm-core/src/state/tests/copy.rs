//! The progress of a copy.

use proptest::prelude::*;

use super::*;
use crate::error::codes;
#[test]
fn a_copy_is_resumed_where_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    let lane = LaneId::copy(&source());
    let name = |t: &str| TableName::new("db", t);
    {
        let store = StateStore::open(dir.path(), "t").unwrap();
        begin(&store, &lane, &[table("big"), table("empty"), table("late")]);
        let plans = [(name("big"), (0..3).map(chunk).collect()), (name("empty"), vec![])];
        store.plan_chunks(&lane, &plans).unwrap();
        assert_eq!(
            store.chunks_done(&lane, &[done("big", 1, 1), done("big", 1, 1)]).unwrap(),
            Vec::<TableName>::new()
        );
        // Neither a chunk that was never planned nor one of another generation counts.
        store.chunks_done(&lane, &[done("big", 1, 9), done("big", 2, 0)]).unwrap();
    }
    let store = StateStore::open(dir.path(), "t").unwrap();
    let copy = store.reader().copy(&lane).unwrap().unwrap();
    assert_eq!((copy.position, copy.contained_upto, copy.means.as_str()), (at(100), None, "none"));
    assert_eq!(copy.schemas[0].charset, "utf8mb4");
    let flags: Vec<_> = copy
        .tables
        .iter()
        .map(|t| (t.copy.info.name.table.as_str(), t.planned, t.is_finished(), t.chunks_done))
        .collect();
    assert_eq!(
        flags,
        [("big", true, false, 1), ("empty", true, true, 0), ("late", false, false, 0)]
    );
    assert_eq!(copy.tables[0].copy, table("big"));
    assert_eq!((copy.tables[0].rows_done, copy.tables[0].bytes_done), (10, 50));
    let chunks = store.reader().chunks(&lane, &name("big")).unwrap();
    assert_eq!(chunks.iter().map(|c| c.done).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(chunks[2].chunk, chunk(2));

    let early = store.finish_copy(&lane, &at(200)).unwrap_err();
    assert_eq!(early.code(), &codes::STATE_MISUSE);
    let finished = store.chunks_done(&lane, &[done("big", 1, 0), done("big", 1, 2)]).unwrap();
    assert_eq!(finished, [name("big")]);
}

#[test]
fn pieces_take_the_place_of_a_chunk() {
    let store = StateStore::in_memory("t").unwrap();
    let lane = LaneId::copy(&source());
    begin(&store, &lane, &[table("a")]);
    let a = TableName::new("db", "a");
    store.plan_chunks(&lane, &[(a.clone(), vec![chunk(0), chunk(1)])]).unwrap();
    let pieces = store.replace_chunk(&lane, &a, 0, &[chunk(0), chunk(1), chunk(2)]).unwrap();
    assert_eq!(pieces.iter().map(|c| c.id).collect::<Vec<_>>(), [2, 3, 4]);
    // The chunk is gone, and its number with it.
    let gone = store.replace_chunk(&lane, &a, 0, &[chunk(0)]).unwrap_err();
    assert_eq!(gone.code(), &codes::STATE_MISUSE);
    let before_the_last = [1, 2, 3].map(|id| done("a", 1, id));
    assert!(store.chunks_done(&lane, &before_the_last).unwrap().is_empty());
    assert!(store.replace_chunk(&lane, &a, 1, &[chunk(0)]).is_err(), "it is done");
    assert_eq!(store.chunks_done(&lane, &[done("a", 1, 4)]).unwrap(), [a]);
    store.finish_copy(&lane, &at(200)).unwrap();
}

#[test]
fn a_table_started_anew_has_a_snapshot_of_its_own() {
    let store = StateStore::in_memory("t").unwrap();
    let lane = LaneId::copy(&source());
    begin(&store, &lane, &[table("a"), table("b")]);
    let plan = |t: &str| (TableName::new("db", t), vec![chunk(0)]);
    store.plan_chunks(&lane, &[plan("a"), plan("b")]).unwrap();
    store.chunks_done(&lane, &[done("a", 1, 0), done("b", 1, 0)]).unwrap();

    let mut wider = table("a");
    wider.info.schema = structure(&["a", "b"]);
    assert_eq!(store.restart_table(&lane, &wider, &at(150), Some(&at(150))).unwrap(), 2);
    store.chunks_done(&lane, &[done("a", 1, 0)]).unwrap();
    assert!(store.finish_copy(&lane, &at(200)).is_err());
    store.plan_chunks(&lane, &[plan("a")]).unwrap();
    store.chunks_done(&lane, &[done("a", 2, 0)]).unwrap();
    store.finish_copy(&lane, &at(200)).unwrap();

    let copy = store.reader().copy(&lane).unwrap().unwrap();
    assert_eq!(copy.tables[0].copy, wider);
    assert!(copy.finished.is_some());
    assert_eq!(copy.contained_upto, Some(at(200)));
    let mut contained = store.reader().contained(&source()).unwrap();
    contained.sort_by(|a, b| a.table.cmp(&b.table));
    let spans: Vec<_> = contained.iter().map(|c| ((*c.from).clone(), (*c.upto).clone())).collect();
    assert_eq!(spans, [(at(150), at(150)), (at(100), at(200))]);
    assert!(store.reader().chunks(&lane, &TableName::new("db", "a")).unwrap().is_empty());

    let main = LaneId::main(&source());
    let run = store.begin_run(&main, 0).unwrap();
    let passed = LaneChanges { passed: vec![TableName::new("db", "a")], ..LaneChanges::default() };
    store.save_checkpoint(&main, &checkpoint(1, run.epoch), &passed).unwrap();
    assert_eq!(store.reader().contained(&source()).unwrap().len(), 1);
}

#[test]
fn many_tables_and_chunks_stay_quick() {
    let store = StateStore::in_memory("t").unwrap();
    let lane = LaneId::copy(&source());
    let tables: Vec<_> = (0..2000).map(|i| table(&format!("t{i}"))).collect();
    begin(&store, &lane, &tables);
    let plans: Vec<_> =
        tables.iter().map(|t| (t.info.name.clone(), (0..5).map(chunk).collect())).collect();
    store.plan_chunks(&lane, &plans).unwrap();
    let all: Vec<_> =
        (0..2000).flat_map(|t| (0..5).map(move |c| done(&format!("t{t}"), 1, c))).collect();
    assert_eq!(store.chunks_done(&lane, &all).unwrap().len(), 2000);
    store.finish_copy(&lane, &at(300)).unwrap();
    assert_eq!(store.reader().contained(&source()).unwrap().len(), 2000);
    assert_eq!(store.reader().copy(&lane).unwrap().unwrap().tables.len(), 2000);
}

proptest! {
    #![proptest_config(crate::testing::model::few(32))]

    /// Whatever order chunks arrive in, and however often: counts are those of the set.
    #[test]
    fn chunks_count_once(arrivals in prop::collection::vec(0u32..8, 0..30)) {
        let store = StateStore::in_memory("t").unwrap();
        let lane = LaneId::copy(&source());
        begin(&store, &lane, &[table("a")]);
        let plan = (TableName::new("db", "a"), (0..6).map(chunk).collect());
        store.plan_chunks(&lane, &[plan]).unwrap();
        let mut finished = 0;
        let mut model = std::collections::BTreeSet::new();
        for &c in &arrivals {
            finished += store.chunks_done(&lane, &[done("a", 1, c)]).unwrap().len();
            if c < 6 {
                model.insert(c);
            }
        }
        let state = store.reader().copy(&lane).unwrap().unwrap();
        prop_assert_eq!(state.tables[0].chunks_done, model.len() as u64);
        prop_assert_eq!(state.tables[0].rows_done, 10 * model.len() as u64);
        prop_assert_eq!(finished, usize::from(model.len() == 6));
    }
}
