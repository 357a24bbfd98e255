//! What is in the file when a writer ends in the middle, and who may write afterwards.

use super::*;

fn ids(from: i64, to: i64) -> Vec<RowOp<'static>> {
    (from..to).map(|id| insert(vec![Value::Int(id)])).collect()
}

fn with_table() -> Bed {
    let bed = Bed::new();
    bed.ddl("CREATE TABLE d.t (id int PRIMARY KEY)");
    bed
}

/// The files as they are at this moment, as a killed process would leave them, opened anew.
fn as_after_a_kill(bed: &Bed) -> (tempfile::TempDir, PathBuf, SqliteSink) {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(bed.path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        // The shared memory of a dead process is not there any more either.
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
    }
    let path = dir.path().join("copy.db");
    let sink = SqliteSink::with_patience(&path, Duration::from_millis(50)).unwrap();
    (dir, path, sink)
}

#[test]
fn a_kill_in_mid_transaction_leaves_what_was_committed() {
    let mut bed = with_table();
    bed.exact("d.t", ids(0, 3));
    let mut writer = bed.writer(1);
    // Enough rows that pages have been written out before the commit.
    writer.apply_part(&[bed.block("d.t", ids(10, 20_000), ApplyMode::Exact)]).unwrap();
    let (_dir, path, sink) = as_after_a_kill(&bed);
    assert_eq!(rows_of(&sink, &path, "d.t"), ["0", "1", "2"]);
    let found = sink.recover("t", &lane(), &AtomicBool::new(false)).unwrap();
    assert_eq!(found.applied.to_text(), "1");

    bed.ordinal = 2;
    let mut applied = OrdinalSet::new();
    applied.insert(1);
    applied.insert(2);
    writer.commit_part(&StreamMark { applied, ..bed.mark(0) }).unwrap();
    let (_dir, path, sink) = as_after_a_kill(&bed);
    assert_eq!(rows_of(&sink, &path, "d.t").len(), 3 + 19_990);
    let found = sink.recover("t", &lane(), &AtomicBool::new(false)).unwrap();
    assert_eq!(found.applied.to_text(), "1+1");
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let bed = with_table();
    let mut writer = bed.writer(1);
    writer.apply_part(&[bed.block("d.t", ids(0, 5), ApplyMode::Exact)]).unwrap();
    drop(writer);
    assert!(bed.rows("d.t").is_empty());
    let mut writer = bed.writer(1);
    writer.apply_part(&[bed.block("d.t", ids(0, 5), ApplyMode::Exact)]).unwrap();
    writer.rollback().unwrap();
    assert!(bed.rows("d.t").is_empty());
    writer.apply_part(&[bed.block("d.t", ids(0, 1), ApplyMode::Exact)]).unwrap();
    let failed = writer.apply_part(&[bed.block("d.t", ids(0, 1), ApplyMode::Exact)]);
    assert_eq!(failed.unwrap_err().server_error(), Some(1062));
    writer.commit_part(&bed.mark(0)).unwrap();
    assert!(bed.rows("d.t").is_empty(), "a failed part takes the earlier parts along");
}

#[test]
fn a_chunk_that_cannot_be_read_to_its_end_leaves_nothing() {
    let bed = with_table();
    let good = block(&[("id", CellKind::Number)], &[&[Some(b"1")]]);
    let lost = Error::new(&crate::error::codes::DB_DRIVER, "gone");
    let mut blocks = Blocks(vec![Ok(good), Err(lost)]);
    let mut writer = bed.writer(1);
    let to = target("d.t", OnDuplicate::Error);
    assert!(writer.load(&to, &mut blocks, &chunk_mark(0)).is_err());
    assert!(bed.rows("d.t").is_empty());
    assert!(bed.sink.loaded_chunks("t", &lane()).unwrap().is_empty());
    let good = block(&[("id", CellKind::Number)], &[&[Some(b"1")]]);
    writer.load(&to, &mut Blocks(vec![Ok(good)]), &chunk_mark(0)).unwrap();
    assert_eq!(bed.sink.loaded_chunks("t", &lane()).unwrap(), [chunk_mark(0)]);
}

#[test]
fn a_replaced_writer_is_shut_out() {
    let mut bed = with_table();
    bed.ordinal = 1;
    let mut old = bed.writer(1);
    let mut new = bed.writer(1);
    let batch = bed.batch(vec![bed.block("d.t", ids(0, 1), ApplyMode::Exact)]);
    let error = old.apply(&batch, &bed.mark(0)).unwrap_err();
    assert_eq!(error.code().number, 10_213);
    new.apply(&batch, &bed.mark(0)).unwrap();

    // A new run shuts out all writers of the lane, whichever slot they have.
    bed.sink.recover("t", &lane(), &AtomicBool::new(false)).unwrap();
    assert_eq!(new.apply(&batch, &bed.mark(0)).unwrap_err().code().number, 10_213);
    let mut newest = bed.writer(2);
    let late = bed.sink.writer(&bed.slot(1), &AtomicBool::new(false));
    assert_eq!(late.err().unwrap().code().number, 10_213);
    let next = bed.batch(vec![bed.block("d.t", ids(1, 2), ApplyMode::Exact)]);
    newest.apply(&next, &StreamMark { epoch: 2, ..bed.mark(0) }).unwrap();
    assert_eq!(bed.rows("d.t"), ["0", "1"]);
}

#[test]
fn the_fence_holds_between_processes() {
    let mut bed = with_table();
    bed.ordinal = 1;
    let mut here = bed.writer(1);
    let there = bed.reopen();
    // While one writes, the other waits, and gives up in time.
    here.apply_part(&[bed.block("d.t", ids(0, 1), ApplyMode::Exact)]).unwrap();
    let error = there.recover("t", &lane(), &AtomicBool::new(false)).unwrap_err();
    assert!(error.is_transient());
    let stopped = there.recover("t", &lane(), &AtomicBool::new(true)).unwrap_err();
    assert_eq!(stopped.code().number, 36_204);
    here.commit_part(&bed.mark(0)).unwrap();
    let found = there.recover("t", &lane(), &AtomicBool::new(false)).unwrap();
    assert!(found.applied.contains(1));
    let batch = bed.batch(vec![bed.block("d.t", ids(1, 2), ApplyMode::Exact)]);
    assert_eq!(here.apply(&batch, &bed.mark(0)).unwrap_err().code().number, 10_213);
}

#[test]
fn marks_add_up() {
    let mut bed = with_table();
    let put = |bed: &mut Bed, worker: u32, epoch: u64, low: u64, applied: &[u64]| {
        let mut set = OrdinalSet::new();
        applied.iter().for_each(|o| set.insert(*o));
        let slot = Slot { worker, epoch, ..bed.slot(epoch) };
        let mark = StreamMark {
            worker,
            epoch,
            low,
            low_position: format!("p{low}"),
            applied: set,
            lane: lane(),
        };
        let mut writer = bed.sink.writer(&slot, &AtomicBool::new(false)).unwrap();
        writer.apply(&bed.batch(Vec::new()), &mark).unwrap();
        writer.applied().unwrap().to_text()
    };
    assert_eq!(put(&mut bed, 0, 1, 3, &[5, 7]), "5,2");
    assert_eq!(put(&mut bed, 1, 1, 4, &[6]), "6");
    assert_eq!(put(&mut bed, 0, 2, 5, &[9]), "9");
    let stop = AtomicBool::new(false);
    let found = bed.sink.recover("t", &lane(), &stop).unwrap();
    assert_eq!(found.low, Some((5, "p5".into())));
    assert_eq!(found.applied.to_text(), "6+1,2");
    assert_eq!(found.epoch, 2);
    bed.sink.forget("t", &lane(), 2, false).unwrap();
    assert_eq!(bed.sink.recover("t", &lane(), &stop).unwrap().applied.to_text(), "9");
    let other = LaneId::copy(&SourceId::new("s1"));
    assert_eq!(bed.sink.recover("t", &other, &stop).unwrap(), Default::default());
    assert_eq!(bed.sink.recover("u", &lane(), &stop).unwrap(), Default::default());
}

#[test]
fn an_emptied_table_forgets_its_chunks_only() {
    let bed = with_table();
    bed.ddl("CREATE TABLE d.u (id int PRIMARY KEY)");
    let mut writer = bed.writer(1);
    for (chunk, table) in [(0, "d.t"), (1, "d.u")] {
        let rows = block(&[("id", CellKind::Number)], &[&[Some(b"1")]]);
        writer
            .load(
                &target(table, OnDuplicate::Error),
                &mut Blocks(vec![Ok(rows)]),
                &chunk_mark(chunk),
            )
            .unwrap();
    }
    bed.sink.empty_table("t", &lane(), &name("d.t")).unwrap();
    assert!(bed.rows("d.t").is_empty());
    assert_eq!(bed.sink.loaded_chunks("t", &lane()).unwrap(), [chunk_mark(1)]);
    assert!(bed.sink.empty_table("t", &lane(), &name("d.x")).is_err());
    bed.sink.forget("t", &lane(), 0, true).unwrap();
    assert!(bed.sink.loaded_chunks("t", &lane()).unwrap().is_empty());
}

#[test]
fn writers_of_one_process_take_turns() {
    let bed = with_table();
    let mut one = bed.writer(1);
    let mut other =
        bed.sink.writer(&Slot { worker: 1, ..bed.slot(1) }, &AtomicBool::new(false)).unwrap();
    one.apply_part(&[bed.block("d.t", ids(0, 1), ApplyMode::Exact)]).unwrap();
    let batch = bed.batch(vec![bed.block("d.t", ids(5, 6), ApplyMode::Exact)]);
    assert!(other.apply(&batch, &bed.mark(0)).unwrap_err().is_transient());
    // Questions are answered meanwhile.
    assert!(bed.sink.describe(&name("d.t")).unwrap().is_some());
    one.commit_part(&bed.mark(0)).unwrap();
    other.apply(&batch, &StreamMark { worker: 1, ..bed.mark(0) }).unwrap();
    assert_eq!(bed.rows("d.t"), ["0", "5"]);
}

#[test]
fn a_statement_with_a_number_runs_once() {
    let bed = with_table();
    let ddl = |sink: &SqliteSink, number: u64, sql: &str| {
        let numbered = TargetDdl {
            lane: Some(("t".into(), lane())),
            once: Some(number),
            schema: "d".into(),
            ..TargetDdl::new(sql, Vec::new())
        };
        assert!(sink.runs_once(&numbered));
        sink.execute_ddl(&numbered)
    };
    let columns = || bed.sink.describe(&name("d.t")).unwrap().unwrap().columns.len();
    let (was, add) = (columns(), "ALTER TABLE t ADD COLUMN extra int");
    ddl(&bed.sink, 4, add).unwrap();
    // As after a kill: nobody knows whether it ran.
    ddl(&bed.reopen(), 4, add).unwrap();
    assert_eq!(columns(), was + 1);
    // A refused statement leaves no mark, and another one in its place is another one.
    assert!(ddl(&bed.sink, 5, "ALTER TABLE t NONSENSE").is_err());
    assert!(ddl(&bed.sink, 5, "ALTER TABLE t NONSENSE").is_err());
    ddl(&bed.sink, 5, "ALTER TABLE t DROP COLUMN extra").unwrap();
    assert_eq!(columns(), was);
    ddl(&bed.sink, 6, add).unwrap();
    assert_eq!(columns(), was + 1);
}
