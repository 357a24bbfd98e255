use std::sync::atomic::AtomicBool;

use dm_filter::{ColumnInfo, Columns, Row, RowOp, Value};

use super::*;
use crate::event::{
    ApplyMode, Batch, CellKind, CopyBlock, CopyColumn, OrdinalSet, RowBlock, RowData, SourceId,
    SourceTable, StreamMark, TablePlan, Txn,
};
use crate::position::Position;
use crate::sink::{BlockStream, LoadTarget, OnDuplicate};

fn lane() -> LaneId {
    LaneId::main(&SourceId::new("s1"))
}

fn name() -> TableName {
    TableName::new("d", "t")
}

fn ddl(sql: &str) -> TargetDdl {
    TargetDdl { schema: "d".into(), ..TargetDdl::new(sql, vec![name()]) }
}

fn row(id: i64, v: &'static str) -> Row<'static> {
    Row::full([Value::Int(id), Value::Text(v.into())])
}

fn rows(ops: Vec<RowOp<'static>>, mode: ApplyMode) -> RowBlock {
    let columns = Columns::new(vec![ColumnInfo::named("id"), ColumnInfo::named("v")]);
    let plan = TablePlan {
        source: SourceTable { source: SourceId::new("s1"), table: name() },
        target: name(),
        columns,
        pick: None,
        extra: Vec::new(),
        version: 1,
    };
    RowBlock {
        plan: Arc::new(plan),
        data: RowData::Owned(ops.into()),
        mode,
        no_foreign_key_checks: false,
    }
}

fn batch(ordinal: u64, blocks: Vec<RowBlock>) -> Batch {
    let end = Position::default();
    let txn = Txn { ordinal, gtid: None, start: None, end, at: 0, blocks, rows: 0, bytes: 0 };
    Batch { lane: lane(), txns: vec![Arc::new(txn)] }
}

fn mark(upto: u64) -> StreamMark {
    let mut applied = OrdinalSet::new();
    (1..=upto).for_each(|o| applied.insert(o));
    StreamMark { lane: lane(), epoch: 1, worker: 0, low: 0, low_position: String::new(), applied }
}

fn slot() -> Slot {
    Slot { task: "t".into(), lane: lane(), worker: 0, epoch: 1 }
}

fn writer(sink: &ScriptSink) -> Box<dyn Writer> {
    sink.writer(&slot(), &AtomicBool::new(false)).unwrap()
}

struct One(Option<CopyBlock>);

impl BlockStream for One {
    fn next_block(&mut self) -> Result<Option<CopyBlock>> {
        Ok(self.0.take())
    }
}

/// What a person reads: without our own lines.
fn plain(text: &str) -> String {
    let skip = HEAD.lines().count();
    let lines = text.lines().skip(skip).filter(|l| !l.starts_with("-- dm:"));
    lines.map(|l| format!("{l}\n")).collect()
}

#[test]
fn a_script_says_what_would_be_done() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.sql");
    let sink = ScriptSink::file(&path).unwrap();
    sink.prepare("t", "state").unwrap();
    sink.execute_ddl(&ddl("CREATE TABLE t (id int PRIMARY KEY, v text)")).unwrap();
    let columns: Arc<[CopyColumn]> = [("id", CellKind::Number), ("v", CellKind::Text)]
        .into_iter()
        .map(|(name, kind)| CopyColumn { name: name.into(), kind })
        .collect();
    let mut block = CopyBlock::new(columns);
    for cell in ["1", "it's", "2", "b"] {
        block.push_value(cell.as_bytes());
    }
    let chunk =
        ChunkMark { lane: lane(), schema: "d".into(), table: "t".into(), generation: 1, chunk: 0 };
    let to = LoadTarget { table: name(), extra: Vec::new(), on_duplicate: OnDuplicate::Error };
    let mut w = writer(&sink);
    assert_eq!(w.load(&to, &mut One(Some(block)), &chunk).unwrap().rows, 2);
    assert!(w.load(&to, &mut One(None), &chunk).is_err(), "a chunk comes once");
    let ops = vec![
        RowOp::Insert { after: row(3, "c") },
        RowOp::Update { before: row(3, "c"), after: row(3, "d") },
        RowOp::Delete { before: row(1, "it's") },
    ];
    w.apply(&batch(1, vec![rows(ops, ApplyMode::Exact)]), &mark(1)).unwrap();
    let again = vec![RowOp::Update { before: row(3, "d"), after: row(4, "d") }];
    w.apply(&batch(2, vec![rows(again, ApplyMode::Idempotent)]), &mark(2)).unwrap();
    assert_eq!(
        plain(&std::fs::read_to_string(&path).unwrap()),
        "USE `d`;\n\
         CREATE TABLE t (id int PRIMARY KEY, v text);\n\
         -- chunk 0 of `d`.`t`, s1/main\n\
         BEGIN;\n\
         INSERT INTO `d`.`t` (`id`,`v`) VALUES\n\
         (1,'it\\'s'),\n\
         (2,'b');\n\
         COMMIT;\n\
         -- transaction 1 of s1/main: position: (, 0), gtid-set: \n\
         BEGIN;\n\
         INSERT INTO `d`.`t` (`id`,`v`) VALUES (3,'c');\n\
         UPDATE `d`.`t` SET `v`='d' WHERE `id`=3;\n\
         DELETE FROM `d`.`t` WHERE `id`=1;\n\
         COMMIT;\n\
         -- transaction 2 of s1/main: position: (, 0), gtid-set: \n\
         BEGIN;\n\
         DELETE FROM `d`.`t` WHERE `id`=3;\n\
         REPLACE INTO `d`.`t` (`id`,`v`) VALUES (4,'d');\n\
         COMMIT;\n"
    );
}

#[test]
fn a_file_cut_anywhere_goes_on_from_its_last_whole_unit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.sql");
    let sink = ScriptSink::file(&path).unwrap();
    assert!(ScriptSink::file(&path).is_err(), "locked");
    sink.execute_ddl(&ddl("CREATE TABLE t (id int PRIMARY KEY, v text /*\n-- dm:\"done\"\n*/)"))
        .unwrap();
    let mut ends = vec![std::fs::metadata(&path).unwrap().len()];
    let mut w = writer(&sink);
    for n in 1..=3 {
        let op = RowOp::Insert { after: row(n as i64, "x") };
        w.apply(&batch(n, vec![rows(vec![op], ApplyMode::Exact)]), &mark(n)).unwrap();
        ends.push(std::fs::metadata(&path).unwrap().len());
    }
    drop((w, sink));
    let whole = std::fs::read(&path).unwrap();
    for cut in (0..=whole.len()).step_by(11) {
        let path = dir.path().join("cut.sql");
        std::fs::write(&path, &whole[..cut]).unwrap();
        let sink = ScriptSink::file(&path).unwrap();
        let applied = ends[1..].iter().filter(|e| **e <= cut as u64).count() as u64;
        let found = sink.recover("t", &lane(), &AtomicBool::new(false)).unwrap();
        assert_eq!(found.applied.len(), applied, "cut at {cut}");
        let known = sink.describe(&name()).unwrap().is_some();
        assert_eq!(known, ends[0] <= cut as u64, "cut at {cut}");
        // What is missing is written again, and the script is the whole one.
        if !known {
            sink.execute_ddl(&ddl(
                "CREATE TABLE t (id int PRIMARY KEY, v text /*\n-- dm:\"done\"\n*/)",
            ))
            .unwrap();
        }
        let mut w = writer(&sink);
        for n in applied + 1..=3 {
            let op = RowOp::Insert { after: row(n as i64, "x") };
            w.apply(&batch(n, vec![rows(vec![op], ApplyMode::Exact)]), &mark(n)).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at {cut}");
        drop((w, sink));
        // A machine that died may have written what is behind, and not what is here.
        if known {
            let mut holed = whole.clone();
            holed.iter_mut().skip(cut).take(64).for_each(|byte| *byte = 0);
            std::fs::write(&path, &holed).unwrap();
            let sink = ScriptSink::file(&path).unwrap();
            let found = sink.recover("t", &lane(), &AtomicBool::new(false)).unwrap();
            assert_eq!(found.applied.len(), applied, "a hole at {cut}");
        }
    }
}

#[test]
fn unfinished_parts_are_rolled_back_and_replaced_writers_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.sql");
    let sink = ScriptSink::file(&path).unwrap();
    let op = || rows(vec![RowOp::Insert { after: row(1, "x") }], ApplyMode::Exact);
    let mut old = writer(&sink);
    old.apply_part(&[op()]).unwrap();
    drop(old);
    assert!(plain(&std::fs::read_to_string(&path).unwrap()).ends_with("'x');\nROLLBACK;\n"));
    let mut old = writer(&sink);
    let mut new = writer(&sink);
    assert_eq!(old.apply_part(&[op()]).unwrap_err().code().number, 10_213);
    new.apply_part(&[op()]).unwrap();
    new.commit_part(&mark(1)).unwrap();
    assert!(new.applied().unwrap().contains(1));
    // Without a structure all columns tell a row.
    let gone = rows(vec![RowOp::Delete { before: row(1, "x") }], ApplyMode::Exact);
    new.apply(&batch(2, vec![gone]), &mark(2)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("DELETE FROM `d`.`t` WHERE `id`<=>1 AND `v`<=>'x' LIMIT 1;"));
    sink.recover("t", &lane(), &AtomicBool::new(false)).unwrap();
    assert!(new.apply(&batch(3, vec![]), &mark(3)).is_err());
}

#[test]
fn other_files_and_pipes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.sql");
    std::fs::write(&path, "SELECT 1;\n").unwrap();
    assert_eq!(ScriptSink::file(&path).err().unwrap().code().number, 10_211);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "SELECT 1;\n");
    let pipe = ScriptSink::stream(Box::new(std::io::sink())).unwrap();
    assert!(!pipe.guarantees().exactly_once);
    pipe.prepare("t", "one").unwrap();
    assert!(pipe.prepare("t", "two").is_err());
}
