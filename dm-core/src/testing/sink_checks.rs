//! Checks of sinks: rows.

use dm_filter::RowOp;

use super::build::{self, Blocks, chunk_mark, copied, delete, insert, update};
use super::check::{Check, ensure, ensure_eq};
use super::sink_suite::{Bench, Named, ddl, keyed, keyless};
use crate::event::{CellKind, CopyBlock};
use crate::sink::{LoadTarget, OnDuplicate};

pub(super) const ALL: &[Named] = &[
    ("structures are told and change by statements", structures),
    ("a chunk is loaded", chunk),
    ("values come through a load unchanged", load_values),
    ("duplicates of a load are an error, kept or replaced", duplicates),
    ("a route's columns are added", extra_columns),
    ("changes are applied in order", changes),
    ("values come through an apply unchanged", apply_values),
    ("a failed batch leaves nothing", failed_batch),
    ("missing rows are counted, never made", missing),
    ("changes applied twice converge in idempotent mode", idempotent),
    ("rows without a key keep their number", rows_without_key),
    ("keys change within a batch", key_changes),
    ("unique values change hands within a batch", unique_swap),
    ("a large transaction comes in parts", parts),
    ("a part that fails or is dropped leaves nothing", dropped_parts),
    ("a batch of thousands of rows", many_rows),
];

const KEYED: &[(&str, CellKind)] =
    &[("id", CellKind::Number), ("u", CellKind::Text), ("v", CellKind::Text)];

fn to_keyed(b: &Bench, on_duplicate: OnDuplicate) -> LoadTarget {
    LoadTarget { table: b.keyed.clone(), extra: Vec::new(), on_duplicate }
}

fn rows(rows: &[&[Option<&str>]]) -> CopyBlock {
    copied(KEYED, rows)
}

fn structures(b: &Bench) -> Check {
    let nowhere = dm_filter::TableName::new("dm_check", "nowhere");
    ensure!(b.sink().describe(&nowhere)?.is_none(), "a table that is not there has a structure");
    ensure!(b.sink().show_create(&nowhere)?.is_none(), "a table that is not there has a text");
    let schema = b.sink().describe(&b.keyed)?.ok_or("no structure of `keyed`")?;
    let names: Vec<_> = schema.columns.iter().map(|c| c.name.as_str()).collect();
    ensure_eq!(names, ["id", "u", "v"], "columns of `keyed`");
    ensure!(schema.primary_key().is_some(), "`keyed` has lost its primary key");

    let before = b.sink().show_create(&b.keyed)?;
    ensure!(before.is_some(), "no text of `keyed`");
    ensure_eq!(b.sink().show_create(&b.keyed)?, before, "the text changes by itself");
    let alter = "ALTER TABLE `dm_check`.`keyed` ADD COLUMN `w` bigint DEFAULT NULL";
    b.sink().execute_ddl(&ddl(alter, vec![b.keyed.clone()]))?;
    ensure!(b.sink().show_create(&b.keyed)? != before, "the text stays after ALTER TABLE");
    let after = b.sink().describe(&b.keyed)?.ok_or("no structure of `keyed`")?;
    ensure_eq!(after.columns.len(), 4, "columns after ALTER TABLE");
    let again = b.sink().execute_ddl(&ddl(alter, vec![b.keyed.clone()]));
    ensure!(again.is_err(), "a column was added twice");
    Ok(())
}

fn chunk(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let blocks = [
        rows(&[&[Some("1"), Some("a"), Some("x")], &[Some("2"), None, None]]),
        rows(&[&[Some("3"), Some("c"), Some("")]]),
    ];
    let mark = chunk_mark(&b.lane, &b.keyed, 0);
    let target = to_keyed(b, OnDuplicate::Error);
    let stats = writer.load(&target, &mut Blocks::new(blocks), &mark)?;
    ensure_eq!((stats.rows, stats.duplicates), (3, 0), "rows and duplicates of the load");
    ensure!(stats.bytes >= 6, "{} bytes of cell data were counted", stats.bytes);
    b.expect(&b.keyed, &["1|a|x", "2|-|-", "3|c|"])?;
    // A chunk without rows is a chunk.
    let empty = writer.load(&target, &mut Blocks::default(), &chunk_mark(&b.lane, &b.keyed, 1))?;
    ensure_eq!(empty.rows, 0, "rows of an empty chunk");
    b.expect(&b.keyed, &["1|a|x", "2|-|-", "3|c|"])
}

const HARD: &[&str] =
    &["it's", "back\\slash", "\"q\"", "new\nline", "tab\t", "%_", "ünï 🦀", "x'00'", "0", "NULL"];

fn load_values(b: &Bench) -> Check {
    let ids: Vec<String> = (0..HARD.len()).map(|i| i.to_string()).collect();
    let cells: Vec<[Option<&str>; 3]> =
        ids.iter().zip(HARD).map(|(id, v)| [Some(id.as_str()), Some(v), Some(v)]).collect();
    let cells: Vec<&[Option<&str>]> = cells.iter().map(|row| row.as_slice()).collect();
    let mut writer = b.writer()?;
    let mark = chunk_mark(&b.lane, &b.keyed, 0);
    writer.load(&to_keyed(b, OnDuplicate::Error), &mut Blocks::new([rows(&cells)]), &mark)?;
    hard_rows(b)
}

fn apply_values(b: &Bench) -> Check {
    let ops = (0..).zip(HARD).map(|(id, v)| insert(keyed(id, v, v))).collect();
    let mut writer = b.writer()?;
    b.apply(&mut *writer, 1, vec![b.exact(ops)])?;
    hard_rows(b)?;
    // Found again by these values, too.
    let ops = HARD.iter().zip(0..).map(|(v, n)| insert(keyless(n, v))).collect();
    b.apply(&mut *writer, 2, vec![b.without_key(ops)])?;
    let ops = HARD.iter().zip(0..).map(|(v, n)| delete(keyless(n, v))).collect();
    let stats = b.apply(&mut *writer, 3, vec![b.without_key(ops)])?;
    ensure_eq!(stats.deleted, HARD.len() as u64, "rows deleted by their values");
    b.expect(&b.keyless, &[])
}

fn hard_rows(b: &Bench) -> Check {
    let mut expected: Vec<String> =
        HARD.iter().enumerate().map(|(id, v)| format!("{id}|{v}|{v}")).collect();
    expected.sort();
    ensure_eq!(b.rows(&b.keyed), expected, "rows");
    Ok(())
}

fn duplicates(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let first = [rows(&[&[Some("1"), Some("a"), Some("old")]])];
    let target = to_keyed(b, OnDuplicate::Error);
    writer.load(&target, &mut Blocks::new(first), &chunk_mark(&b.lane, &b.keyed, 0))?;
    let again =
        || rows(&[&[Some("2"), Some("b"), Some("new")], &[Some("1"), Some("a"), Some("new")]]);
    let mark = chunk_mark(&b.lane, &b.keyed, 1);
    let refused = writer.load(&target, &mut Blocks::new([again()]), &mark);
    ensure!(refused.is_err(), "a duplicate row was loaded");
    b.expect(&b.keyed, &["1|a|old"])?;

    drop(writer);
    let mut writer = b.writer()?;
    let ignore = to_keyed(b, OnDuplicate::Ignore);
    let stats = writer.load(&ignore, &mut Blocks::new([again()]), &mark)?;
    ensure_eq!(stats.duplicates, 1, "duplicates kept");
    b.expect(&b.keyed, &["1|a|old", "2|b|new"])?;
    let replace = to_keyed(b, OnDuplicate::Replace);
    let mark = chunk_mark(&b.lane, &b.keyed, 2);
    writer.load(&replace, &mut Blocks::new([again()]), &mark)?;
    b.expect(&b.keyed, &["1|a|new", "2|b|new"])
}

fn extra_columns(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let target = LoadTarget {
        extra: vec![("v".to_owned(), "shard '1'".to_owned())],
        ..to_keyed(b, OnDuplicate::Error)
    };
    let columns = &KEYED[..2];
    let block = copied(columns, &[&[Some("1"), Some("a")], &[Some("2"), None]]);
    writer.load(&target, &mut Blocks::new([block]), &chunk_mark(&b.lane, &b.keyed, 0))?;
    b.expect(&b.keyed, &["1|a|shard '1'", "2|-|shard '1'"])
}

fn changes(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let first = b.exact(vec![insert(keyed(1, "a", "x")), insert(keyed(2, "b", "y"))]);
    let second = b.exact(vec![
        update(keyed(1, "a", "x"), keyed(1, "a2", "-")),
        delete(keyed(2, "b", "y")),
        insert(keyed(3, "b", "z")),
    ]);
    let txns = vec![build::txn(1, vec![first]), build::txn(2, vec![second])];
    let mark = build::mark(&b.lane, 1, 0, 0, &[1, 2]);
    let stats = writer.apply(&build::batch(&b.lane, txns), &mark)?;
    b.expect(&b.keyed, &["1|a2|-", "3|b|z"])?;
    ensure!(stats.missing.is_empty(), "missing rows: {:?}", stats.missing);
    // An update that changes nothing finds its row.
    let same = vec![update(keyed(3, "b", "z"), keyed(3, "b", "z"))];
    let stats = b.apply(&mut *writer, 3, vec![b.exact(same)])?;
    ensure!(stats.missing.is_empty(), "an unchanged row counts as missing");
    Ok(())
}

fn failed_batch(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    b.apply(&mut *writer, 1, vec![b.exact(vec![insert(keyed(1, "a", "x"))])])?;
    let good = b.exact(vec![insert(keyed(2, "b", "y")), delete(keyed(1, "a", "x"))]);
    let bad = b.exact(vec![insert(keyed(3, "b", "z"))]);
    ensure!(b.apply(&mut *writer, 2, vec![good, bad]).is_err(), "a duplicate key was taken");
    drop(writer);
    b.expect(&b.keyed, &["1|a|x"])?;
    let mut writer = b.writer()?;
    b.apply(&mut *writer, 2, vec![b.exact(vec![insert(keyed(2, "b", "y"))])])?;
    b.expect(&b.keyed, &["1|a|x", "2|b|y"])
}

fn missing(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let ops = vec![
        insert(keyed(1, "a", "x")),
        update(keyed(7, "g", "x"), keyed(7, "h", "y")),
        delete(keyed(8, "i", "x")),
        update(keyed(1, "a", "x"), keyed(1, "a", "y")),
    ];
    let gone = b.without_key(vec![delete(keyless(1, "a"))]);
    let stats = b.apply(&mut *writer, 1, vec![b.exact(ops), gone])?;
    let of = |table| stats.missing.iter().filter(|(t, _)| t == table).map(|(_, n)| n).sum::<u64>();
    ensure_eq!((of(&b.keyed), of(&b.keyless)), (2, 1), "missing rows of both tables");
    b.expect(&b.keyed, &["1|a|y"])
}

fn idempotent(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let history = || -> Vec<RowOp<'static>> {
        vec![
            insert(keyed(1, "a", "x")),
            insert(keyed(2, "b", "x")),
            update(keyed(1, "a", "x"), keyed(1, "c", "y")),
            update(keyed(2, "b", "x"), keyed(3, "b", "y")),
            insert(keyed(4, "a", "z")),
            delete(keyed(4, "a", "z")),
            insert(keyed(5, "a", "w")),
        ]
    };
    let end = ["1|c|y", "3|b|y", "5|a|w"];
    for (ordinal, from) in (1..).zip([0, 0, 2, 5, 0]) {
        // Whole, again, and from the middle: the later part is always applied again to its end.
        let ops = history().split_off(from);
        b.apply(&mut *writer, ordinal, vec![b.idempotent(ops)])?;
        b.expect(&b.keyed, &end)?;
    }
    b.apply(&mut *writer, 6, vec![b.exact(vec![delete(keyed(3, "b", "y"))])])?;
    b.apply(&mut *writer, 7, vec![b.idempotent(vec![delete(keyed(3, "b", "y"))])])?;
    b.expect(&b.keyed, &["1|c|y", "5|a|w"])
}

fn rows_without_key(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let twins = vec![
        insert(keyless(1, "a")),
        insert(keyless(1, "a")),
        insert(keyless(1, "a")),
        insert(keyless(2, "-")),
        insert(keyless(2, "-")),
    ];
    b.apply(&mut *writer, 1, vec![b.without_key(twins)])?;
    let ops = vec![
        delete(keyless(1, "a")),
        update(keyless(1, "a"), keyless(1, "b")),
        // NULL is found as NULL.
        delete(keyless(2, "-")),
    ];
    let stats = b.apply(&mut *writer, 2, vec![b.without_key(ops)])?;
    ensure!(stats.missing.is_empty(), "missing rows: {:?}", stats.missing);
    b.expect(&b.keyless, &["1|a", "1|b", "2|-"])
}

fn key_changes(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let ops = vec![
        insert(keyed(1, "a", "x")),
        insert(keyed(2, "b", "y")),
        update(keyed(2, "b", "y"), keyed(3, "b", "y")),
        update(keyed(1, "a", "x"), keyed(2, "a", "x")),
        update(keyed(3, "b", "y"), keyed(1, "b", "y2")),
        insert(keyed(3, "c", "z")),
    ];
    b.apply(&mut *writer, 1, vec![b.exact(ops)])?;
    b.expect(&b.keyed, &["1|b|y2", "2|a|x", "3|c|z"])
}

fn unique_swap(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let seed = vec![insert(keyed(1, "a", "x")), insert(keyed(3, "c", "x"))];
    b.apply(&mut *writer, 1, vec![b.exact(seed)])?;
    // Each step is possible only after the one before it.
    let ops = vec![
        update(keyed(1, "a", "x"), keyed(1, "b", "x")),
        insert(keyed(2, "a", "y")),
        update(keyed(3, "c", "x"), keyed(3, "d", "x")),
        update(keyed(1, "b", "x"), keyed(1, "c", "x")),
        delete(keyed(2, "a", "y")),
        insert(keyed(4, "a", "z")),
        insert(keyed(2, "b", "y")),
    ];
    b.apply(&mut *writer, 2, vec![b.exact(ops)])?;
    b.expect(&b.keyed, &["1|c|x", "2|b|y", "3|d|x", "4|a|z"])
}

fn parts(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let half = |from: i64| {
        let ops = (from..from + 1000).map(|n| insert(keyed(n, &format!("u{n}"), "x")));
        b.exact(ops.collect())
    };
    writer.apply_part(&[half(0)])?;
    let change = b.exact(vec![update(keyed(5, "u5", "x"), keyed(5, "u5", "y"))]);
    let stats = writer.apply_part(&[half(1000), change])?;
    ensure!(stats.missing.is_empty(), "a part does not see the one before it");
    writer.commit_part(&build::mark(&b.lane, 1, 0, 0, &[1]))?;
    ensure_eq!(b.rows(&b.keyed).len(), 2000, "rows of both parts");
    ensure!(b.rows(&b.keyed).contains(&"5|u5|y".to_owned()), "the change of the last part is lost");
    b.apply(&mut *writer, 2, vec![b.exact(vec![delete(keyed(5, "u5", "y"))])])?;
    ensure_eq!(b.rows(&b.keyed).len(), 1999, "rows after the next batch");
    Ok(())
}

fn dropped_parts(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let part = |n: i64| b.exact(vec![insert(keyed(n, &format!("u{n}"), "x"))]);
    writer.apply_part(&[part(1)])?;
    writer.rollback()?;
    b.expect(&b.keyed, &[])?;
    writer.apply_part(&[part(2)])?;
    writer.commit_part(&build::mark(&b.lane, 1, 0, 0, &[1]))?;
    b.expect(&b.keyed, &["2|u2|x"])?;
    writer.apply_part(&[part(3)])?;
    ensure!(writer.apply_part(&[part(3)]).is_err(), "a duplicate key was taken");
    drop(writer);
    b.expect(&b.keyed, &["2|u2|x"])?;
    let mut writer = b.writer()?;
    writer.apply_part(&[part(4)])?;
    drop(writer);
    b.expect(&b.keyed, &["2|u2|x"])?;
    let mut writer = b.writer()?;
    b.apply(&mut *writer, 2, vec![part(5)])?;
    b.expect(&b.keyed, &["2|u2|x", "5|u5|x"])
}

fn many_rows(b: &Bench) -> Check {
    let mut writer = b.writer()?;
    let wide = "w".repeat(40);
    let name = |n: i64| format!("{n}-{wide}");
    let inserts = (0..1500).map(|n| insert(keyed(n, &name(n), "x"))).collect();
    b.apply(&mut *writer, 1, vec![b.exact(inserts)])?;
    let updates =
        (0..1000).map(|n| update(keyed(n, &name(n), "x"), keyed(n, &name(n), "y"))).collect();
    let deletes =
        (500..1500).map(|n| delete(keyed(n, &name(n), if n < 1000 { "y" } else { "x" }))).collect();
    let stats = b.apply(&mut *writer, 2, vec![b.exact(updates), b.exact(deletes)])?;
    ensure!(stats.missing.is_empty(), "missing rows: {:?}", stats.missing);
    let rows = b.rows(&b.keyed);
    ensure_eq!(rows.len(), 500, "rows");
    ensure!(rows.iter().all(|row| row.ends_with("|y")), "an update is lost");
    Ok(())
}
