//! Checks of sinks: marks, fences, identity.

use std::sync::atomic::AtomicBool;

use super::build::{self, Blocks, chunk_mark, copied, insert, mark};
use super::check::{Check, ensure, ensure_eq};
use super::sink_suite::{Bench, Named, TASK, keyed};
use crate::error::{Error, codes};
use crate::event::{CellKind, ChunkMark, LaneId, SourceId};
use crate::sink::{LoadTarget, OnDuplicate, Writer};

pub(super) const ALL: &[Named] = &[
    ("a target belongs to one state file", identity),
    ("chunk marks tell what is loaded", chunk_marks),
    ("a chunk that fails leaves neither rows nor mark", failed_chunk),
    ("stream marks of all workers tell what is applied", stream_marks),
    ("a batch that fails leaves no mark", failed_batch),
    ("batches that go together are applied up to the one that fails", together),
    ("a writer tells what its slot has applied", applied),
    ("marks of parts come with their commit", part_marks),
    ("old marks are forgotten, others stay", forgotten),
    ("an emptied table loses its rows and chunk marks", emptied),
    ("two writers of a slot exclude each other", slot_fence),
    ("after recovery no earlier writer writes", recovery_fence),
    ("lanes and tasks do not see each other's marks", separate_lanes),
];

fn running() -> AtomicBool {
    AtomicBool::new(false)
}

fn load(b: &Bench, writer: &mut dyn Writer, chunk: &ChunkMark, id: &str) -> Check {
    let columns = [("id", CellKind::Number), ("u", CellKind::Text)];
    let block = copied(&columns, &[&[Some(id), Some(id)]]);
    let target =
        LoadTarget { table: b.keyed.clone(), extra: Vec::new(), on_duplicate: OnDuplicate::Error };
    writer.load(&target, &mut Blocks::new([block]), chunk)?;
    Ok(())
}

fn identity(b: &Bench) -> Check {
    b.sink().prepare(TASK, "identity-1")?;
    b.sink().prepare("another task", "identity-2")?;
    if b.sink().guarantees().exactly_once {
        let other = b.sink().prepare(TASK, "identity-2");
        ensure!(other.is_err(), "marks of another state file were taken for one's own");
        b.sink().prepare(TASK, "identity-1")?;
    }
    Ok(())
}

fn chunk_marks(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let marks = [chunk_mark(&b.lane, &b.keyed, 0), chunk_mark(&b.lane, &b.keyed, 7)];
    load(b, &mut *writer, &marks[0], "1")?;
    load(b, &mut *writer, &marks[1], "2")?;
    b.expect(&b.keyed, &["1|1|-", "2|2|-"])?;
    if !b.sink().guarantees().exactly_once {
        return Ok(());
    }
    let mut loaded = b.sink().loaded_chunks(TASK, &b.lane)?;
    loaded.sort_by_key(|m| m.chunk);
    ensure_eq!(loaded, marks, "loaded chunks");
    ensure!(writer.is_loaded(&marks[1])?, "a loaded chunk is not told");
    let next = ChunkMark { generation: 2, ..marks[1].clone() };
    ensure!(!writer.is_loaded(&next)?, "a chunk of another generation counts as loaded");
    ensure!(!writer.is_loaded(&chunk_mark(&b.lane, &b.keyed, 1))?, "an open chunk is loaded");
    Ok(())
}

fn failed_chunk(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let columns = [("id", CellKind::Number), ("u", CellKind::Text)];
    let block = copied(&columns, &[&[Some("1"), Some("a")]]);
    let mut rows = Blocks::new([block]).then_fail(Error::new(&codes::DB_QUERY, "source is gone"));
    let chunk = chunk_mark(&b.lane, &b.keyed, 0);
    let target =
        LoadTarget { table: b.keyed.clone(), extra: Vec::new(), on_duplicate: OnDuplicate::Error };
    let error = writer.load(&target, &mut rows, &chunk).err().ok_or("a broken chunk was loaded")?;
    ensure!(error.code() == &codes::DB_QUERY, "the reader's error was replaced: {error}");
    drop(writer);
    b.expect(&b.keyed, &[])?;
    let mut writer = b.writer()?;
    ensure!(!writer.is_loaded(&chunk)?, "a failed chunk has a mark");
    ensure!(b.sink().loaded_chunks(TASK, &b.lane)?.is_empty(), "a failed chunk has a mark");
    load(b, &mut *writer, &chunk, "1")?;
    b.expect(&b.keyed, &["1|1|-"])
}

fn stream_marks(b: &Bench) -> Check {
    let nothing = b.sink().recover(TASK, &b.lane, &running())?;
    ensure!(nothing.low.is_none() && nothing.applied.is_empty(), "marks out of nothing");
    let mut first = b.sink().writer(&b.slot(0, 3), &running())?;
    let mut second = b.sink().writer(&b.slot(1, 3), &running())?;
    let apply = |writer: &mut dyn Writer, worker, ordinal: i64, low, applied: &[u64]| -> Check {
        let block = b.exact(vec![insert(keyed(ordinal, "-", "x"))]);
        let batch = build::batch(&b.lane, vec![build::txn(ordinal as u64, vec![block])]);
        writer.apply(&batch, &mark(&b.lane, 3, worker, low, applied))?;
        Ok(())
    };
    apply(&mut *first, 0, 2, 0, &[2])?;
    apply(&mut *second, 1, 1, 0, &[1])?;
    apply(&mut *second, 1, 5, 2, &[5])?;
    apply(&mut *first, 0, 4, 2, &[4])?;
    apply(&mut *second, 1, 7, 2, &[5, 7])?;
    drop((first, second));
    if !b.sink().guarantees().exactly_once {
        return Ok(());
    }
    let told = b.sink().recover(TASK, &b.lane, &running())?;
    ensure_eq!(told.epoch, 3, "epoch");
    ensure_eq!(told.low, Some((2, "at 2".to_owned())), "low water");
    let applied: Vec<u64> = (3..10).filter(|n| told.applied.contains(*n)).collect();
    ensure_eq!(applied, [4, 5, 7], "applied beyond low water");
    Ok(())
}

fn failed_batch(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    b.apply(&mut *writer, 1, vec![b.exact(vec![insert(keyed(1, "a", "x"))])])?;
    let twice = b.exact(vec![insert(keyed(1, "b", "x"))]);
    ensure!(b.apply(&mut *writer, 2, vec![twice]).is_err(), "a duplicate key was taken");
    drop(writer);
    if b.sink().guarantees().exactly_once {
        let told = b.sink().recover(TASK, &b.lane, &running())?;
        ensure!(told.applied.contains(1), "the mark before the failed batch is lost");
        ensure!(!told.applied.contains(2), "a failed batch has a mark");
    }
    Ok(())
}

fn together(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let batch = |ordinal: u64, id: i64, v: &str| {
        let block = b.exact(vec![insert(keyed(id, "-", v))]);
        let applied: Vec<u64> = (1..=ordinal).collect();
        let batch = build::batch(&b.lane, vec![build::txn(ordinal, vec![block])]);
        (batch, mark(&b.lane, 1, 0, 0, &applied))
    };
    let mut told = Vec::new();
    writer.apply_each(&[batch(1, 1, "x")], &mut |stats| told.push(stats.inserted))?;
    let two = [batch(2, 2, "x"), batch(3, 3, "x")];
    writer.apply_each(&two, &mut |stats| told.push(stats.inserted))?;
    ensure_eq!(told, [1, 1, 1], "what each of them did");
    let third_fails = [batch(4, 4, "x"), batch(5, 5, "x"), batch(6, 1, "y"), batch(7, 7, "x")];
    told.clear();
    let result = writer.apply_each(&third_fails, &mut |stats| told.push(stats.inserted));
    ensure!(result.is_err(), "a duplicate key was taken");
    ensure_eq!(told, [1, 1], "what those in front of it did");
    drop(writer);
    b.expect(&b.keyed, &["1|-|x", "2|-|x", "3|-|x", "4|-|x", "5|-|x"])?;
    if b.sink().guarantees().exactly_once {
        let mut next = b.writer()?;
        let set = next.applied()?;
        ensure!(set.contains(5) && set.len() == 5, "the slot tells {set:?}");
        next.apply_each(&[batch(6, 6, "x"), batch(7, 7, "x")], &mut |_| {})?;
    }
    Ok(())
}

fn applied(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    ensure!(writer.applied()?.is_empty(), "a fresh slot has applied something");
    b.apply(&mut *writer, 1, vec![b.exact(vec![insert(keyed(1, "-", "x"))])])?;
    b.apply(&mut *writer, 2, vec![b.exact(vec![insert(keyed(2, "-", "x"))])])?;
    drop(writer);
    if !b.sink().guarantees().exactly_once {
        return Ok(());
    }
    let set = b.writer()?.applied()?;
    ensure!(set.contains(1) && set.contains(2) && set.len() == 2, "the slot tells {set:?}");
    let other = b.sink().writer(&b.slot(1, 1), &running())?.applied()?;
    ensure!(other.is_empty(), "another slot tells {other:?}");
    let later = b.sink().writer(&b.slot(0, 2), &running())?.applied()?;
    ensure!(later.is_empty(), "a later run of the slot tells {later:?}");
    Ok(())
}

fn part_marks(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    writer.apply_part(&[b.exact(vec![insert(keyed(1, "-", "x"))])])?;
    writer.rollback()?;
    writer.apply_part(&[b.exact(vec![insert(keyed(2, "-", "x"))])])?;
    writer.commit_part(&mark(&b.lane, 1, 0, 0, &[2]))?;
    drop(writer);
    if b.sink().guarantees().exactly_once {
        let told = b.sink().recover(TASK, &b.lane, &running())?;
        ensure!(!told.applied.contains(1) && told.applied.contains(2), "marks {:?}", told.applied);
    }
    b.expect(&b.keyed, &["2|-|x"])
}

fn forgotten(b: &Bench) -> Check {
    if !b.sink().guarantees().exactly_once {
        return Ok(());
    }
    for (epoch, ordinal) in [(1, 5), (2, 6)] {
        let mut writer = b.sink().writer(&b.slot(0, epoch), &running())?;
        let block = b.exact(vec![insert(keyed(ordinal, "-", "x"))]);
        let batch = build::batch(&b.lane, vec![build::txn(ordinal as u64, vec![block])]);
        writer.apply(&batch, &mark(&b.lane, epoch, 0, 4, &[ordinal as u64]))?;
    }
    let mut writer = b.sink().writer(&b.slot(0, 2), &running())?;
    load(b, &mut *writer, &chunk_mark(&b.lane, &b.keyed, 0), "1")?;
    drop(writer);
    b.sink().forget(TASK, &b.lane, 2, false)?;
    let told = b.sink().recover(TASK, &b.lane, &running())?;
    ensure!(!told.applied.contains(5) && told.applied.contains(6), "marks {:?}", told.applied);
    ensure_eq!(b.sink().loaded_chunks(TASK, &b.lane)?.len(), 1, "chunk marks");
    b.sink().forget(TASK, &b.lane, 2, true)?;
    ensure_eq!(b.sink().loaded_chunks(TASK, &b.lane)?.len(), 0, "chunk marks after all");
    b.expect(&b.keyed, &["1|1|-", "5|-|x", "6|-|x"])
}

fn emptied(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    load(b, &mut *writer, &chunk_mark(&b.lane, &b.keyed, 0), "1")?;
    let target = LoadTarget {
        table: b.keyless.clone(),
        extra: Vec::new(),
        on_duplicate: OnDuplicate::Error,
    };
    let block = copied(&[("a", CellKind::Number)], &[&[Some("1")]]);
    let other = chunk_mark(&b.lane, &b.keyless, 0);
    writer.load(&target, &mut Blocks::new([block]), &other)?;
    drop(writer);
    b.sink().empty_table(TASK, &b.lane, &b.keyed)?;
    b.expect(&b.keyed, &[])?;
    b.expect(&b.keyless, &["1|-"])?;
    if b.sink().guarantees().exactly_once {
        ensure_eq!(b.sink().loaded_chunks(TASK, &b.lane)?, [other], "chunk marks");
    }
    let mut writer = b.writer()?;
    let next = ChunkMark { generation: 2, ..chunk_mark(&b.lane, &b.keyed, 0) };
    load(b, &mut *writer, &next, "1")?;
    b.expect(&b.keyed, &["1|1|-"])
}

/// The successor either waits (and says so when it is told to stop waiting) or ends its
/// predecessor; in no case can both write.
fn slot_fence(b: &Bench) -> Check {
    if !b.sink().guarantees().fenced {
        return Ok(());
    }
    let mut old = b.writer()?;
    let stop = AtomicBool::new(true);
    let written = |n: i64| vec![b.exact(vec![insert(keyed(n, "-", "x"))])];
    match b.sink().writer(&b.slot(0, 1), &stop) {
        Ok(mut new) => {
            b.apply(&mut *new, 1, written(1))?;
            ensure!(b.apply(&mut *old, 2, written(2)).is_err(), "both writers of a slot write");
        }
        Err(_) => {
            b.apply(&mut *old, 1, written(1))?;
        }
    }
    b.expect(&b.keyed, &["1|-|x"])?;
    drop(old);
    let mut new = b.writer()?;
    b.apply(&mut *new, 2, written(2))?;
    // Another slot is free all the time.
    let mut other = b.sink().writer(&b.slot(1, 1), &running())?;
    b.apply_as(1, &mut *other, 3, written(3))?;
    b.apply(&mut *new, 4, written(4))?;
    b.expect(&b.keyed, &["1|-|x", "2|-|x", "3|-|x", "4|-|x"])
}

fn recovery_fence(b: &Bench) -> Check {
    if !b.sink().guarantees().fenced {
        return Ok(());
    }
    let mut old = b.sink().writer(&b.slot(5, 1), &running())?;
    let told = b.sink().recover(TASK, &b.lane, &AtomicBool::new(true));
    let block = b.exact(vec![insert(keyed(1, "-", "x"))]);
    let write = b.apply_as(5, &mut *old, 1, vec![block]);
    ensure!(told.is_err() || write.is_err(), "a writer of an earlier run writes after recovery");
    drop(old);
    b.sink().recover(TASK, &b.lane, &running())?;
    Ok(())
}

fn separate_lanes(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    b.apply(&mut *writer, 1, vec![b.exact(vec![insert(keyed(1, "-", "x"))])])?;
    load(b, &mut *writer, &chunk_mark(&b.lane, &b.keyed, 0), "2")?;
    drop(writer);
    let lanes = [LaneId::copy(&b.lane.source), LaneId::main(&SourceId::new("s2"))];
    for (task, lane) in [(TASK, &lanes[0]), (TASK, &lanes[1]), ("other", &b.lane)] {
        let told = b.sink().recover(task, lane, &running())?;
        ensure!(told.low.is_none() && told.applied.is_empty(), "{task} {lane} has marks");
        ensure!(b.sink().loaded_chunks(task, lane)?.is_empty(), "{task} {lane} has chunks");
        b.sink().forget(task, lane, u64::MAX, true)?;
    }
    if b.sink().guarantees().exactly_once {
        let told = b.sink().recover(TASK, &b.lane, &running())?;
        ensure!(told.applied.contains(1), "another lane's marks were forgotten");
        ensure_eq!(b.sink().loaded_chunks(TASK, &b.lane)?.len(), 1, "chunk marks");
    }
    Ok(())
}
