use super::*;

use std::time::Duration;

use super::super::plan::{
    BinlogFiles, CommitOrder, Consistency, MissingRow, OnDuplicate, OnlineDdlTable, Pem,
    SourceKind, StartPoint, TargetPlan,
};
use super::super::raw::{RawInstance, RawPassword, RawServer, RawTarget};
use super::super::{Problem, Secret};
use dm_filter::{Change, EventType, Filter, Verdict};
use dm_router::Router;

fn plan(task: &str, source: &str) -> (TaskPlan, Vec<Warning>) {
    let task = SourceText { name: "task.yaml", text: task };
    let source = SourceText { name: "source.yaml", text: source };
    let env =
        |name: &str| (name == "DM_PASSWORD").then(|| "fCxfQ9XKCezSzuCD0Wf5dUD+LsKegSg=".into());
    TaskPlan::from_yaml(&task, &[source], &env).unwrap_or_else(|p| panic!("{p}"))
}

fn problems(task: &str, source: &str) -> Vec<Problem> {
    let task = SourceText { name: "task.yaml", text: task };
    let source = SourceText { name: "source.yaml", text: source };
    TaskPlan::from_yaml(&task, &[source], &|_| None).unwrap_err().problems
}

const SMALL: &str =
    "name: t\ntask-mode: all\ntarget-database: {host: h}\nmysql-instances: [{source-id: a}]\n";
const SOURCE_A: &str = "source-id: a\nfrom: {host: db, user: u, password: \"${DM_PASSWORD}\"}\n";

fn server(plan: &TaskPlan) -> &crate::config::MysqlSourcePlan {
    match &plan.sources[0].kind {
        SourceKind::Mysql(server) => server,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_filled_in() {
    let (plan, warnings) = plan(SMALL, SOURCE_A);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!((plan.meta_schema.as_str(), plan.mode), ("dm_meta", TaskMode::All));
    assert_eq!(plan.limits.max_memory, 64 << 20);
    assert!(plan.clean_dump_file && plan.timezone.is_none());
    let source = &plan.sources[0];
    assert_eq!((source.dump.threads, source.dump.chunk_rows), (4, 200_000));
    assert_eq!((source.dump.chunk_bytes, source.dump.statement_bytes), (64 << 20, 1_000_000));
    assert_eq!((source.load.workers, source.load.on_duplicate), (16, OnDuplicate::Replace));
    assert_eq!((source.sync.workers, source.sync.batch, source.sync.queue_size), (16, 1000, 1024));
    assert_eq!(source.sync.checkpoint_interval, Duration::from_secs(30));
    assert_eq!(source.sync.safe_mode_duration, Duration::from_secs(60));
    assert_eq!(source.sync.missing_row, MissingRow::Warn);
    assert_eq!(source.sync.commit_order, CommitOrder::Key);
    assert!(source.enabled && source.resume.enabled && !source.sync.allow_at_least_once);
    assert_eq!((server(&plan).conn.port, server(&plan).server_id), (3306, None));
    let rules = plan.online_ddl.as_ref().unwrap();
    assert_eq!(rules.kind("_t_gho"), OnlineDdlTable::Shadow("t"));
    assert_eq!(rules.kind("_t_old"), OnlineDdlTable::Trash("t"));
    assert_eq!(rules.kind("t"), OnlineDdlTable::Real);
}

#[test]
fn passwords_are_decrypted_and_never_printed() {
    let (plan, _) = plan(SMALL, SOURCE_A);
    assert_eq!(server(&plan).conn.password.expose(), "123456");
    assert!(!format!("{plan:?}").contains("123456"));
    let wrong = SOURCE_A.replace("\"${DM_PASSWORD}\"", "enc:topsecret");
    let text = format!("{:?}", problems(SMALL, &wrong));
    assert!(text.contains("20010") && !text.contains("topsecret"), "{text}");
}

#[test]
fn what_an_instance_says_goes_before_what_it_names() {
    let task = "
name: t
task-mode: incremental
target-database: {host: h}
mysql-instances:
- source-id: a
  meta: {binlog-name: mysql-bin|000001.000123, binlog-pos: 1}
  mydumper-config-name: m
  mydumper-thread: 7
  loader: {pool-size: 3, dir: d, on-duplicate-logical: error}
  loader-thread: 5
  syncer-config-name: s
  syncer-thread: 9
mydumpers:
  m: {threads: 2, rows: 10, where: a, extra-args: \"-r 20 --where 'b > 1' --consistency none -T x.y --ca ca.pem\"}
syncers:
  s: {worker-count: 3, checkpoint-flush-interval: 10, safe-mode-duration: \"\", missing-row: stop, commit-order: source, at-least-once: allow}
";
    let (plan, _) = plan(task, SOURCE_A);
    let source = &plan.sources[0];
    assert_eq!(
        source.meta,
        Some(StartPoint { binlog: Some(("mysql-bin.000123".into(), 4)), gtid: None })
    );
    assert_eq!((source.dump.threads, source.dump.chunk_rows), (7, 20));
    assert_eq!(source.dump.where_clause.as_deref(), Some("b > 1"));
    assert_eq!(source.dump.consistency, Consistency::None);
    assert!(
        source.dump.select.as_ref().is_some_and(|s| s.selects("x", "y") && !s.selects("x", "z"))
    );
    assert_eq!((source.load.workers, source.load.dir.as_str()), (5, "d"));
    assert_eq!(source.load.on_duplicate, OnDuplicate::Error);
    assert_eq!((source.sync.workers, source.sync.missing_row), (9, MissingRow::Stop));
    assert_eq!(source.sync.safe_mode_duration, Duration::from_secs(20));
    assert_eq!(source.sync.commit_order, CommitOrder::Source);
    assert!(source.sync.allow_at_least_once);
    let tls = server(&plan).conn.tls.as_ref().unwrap();
    assert_eq!(tls.ca, Some(Pem::Path("ca.pem".into())));
}

#[test]
fn rules_are_compiled_together() {
    let task = "
name: t
task-mode: incremental
target-database: {host: h}
mysql-instances:
- {source-id: a, meta: {binlog-name: b.000001}, block-allow-list: b, filter-rules: [f], route-rules: [r], expression-filters: [e]}
block-allow-list: {b: {do-dbs: [shop]}}
filters: {f: {schema-pattern: shop, events: [drop table], action: Ignore}}
routes: {r: {schema-pattern: shop, table-pattern: \"t_*\", target-schema: s, target-table: t}}
expression-filter: {e: {schema: shop, table: t_1, insert-value-expr: \"id = 1\"}}
";
    let source = format!(
        "{SOURCE_A}case-sensitive: true
filters:
- {{schema-pattern: shop, events: [insert], action: Ignore}}
- {{schema-pattern: \"*\", events: [truncate table], action: Ignore}}
"
    );
    let (plan, warnings) = plan(task, &source);
    // The source's first filter is for the same tables as the task's.
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].to_string().split(": ").nth(1), Some("filters[0]"));
    let source = &plan.sources[0];
    assert!(source.case_sensitive);
    let tables = [TableName::new("shop", "t_1")];
    let verdict = |event| source.filter.decide(&Change::ddl(&tables, Some(event), ""));
    assert_eq!(verdict(EventType::DropTable), Verdict::Drop);
    assert_eq!(verdict(EventType::TruncateTable), Verdict::Drop);
    assert_eq!(verdict(EventType::CreateTable), Verdict::Keep);
    assert!(!source.block_allow.allows(&TableName::new("SHOP", "t")));
    assert_eq!(source.router.route("a", "shop", "t_1").unwrap().table, "t");
    assert_eq!(source.expressions.rules_of(&tables[0]), ["e"]);
}

#[test]
fn recorded_files_are_a_source() {
    let source = "source-id: a\nrecorded: {dump-dir: d, binlog-dir: b}\n";
    let (plan, _) = plan(SMALL, source);
    match &plan.sources[0].kind {
        SourceKind::Recorded(files) => {
            assert_eq!(files.dump_dir.as_deref(), Some(std::path::Path::new("d")));
            assert_eq!(files.binlog, Some(BinlogFiles::Dir("b".into())));
        }
        other => panic!("{other:?}"),
    }
    let (plan, _) = self::plan(&SMALL.replace("all", "load"), SOURCE_A);
    assert_eq!(server(&plan).dump_dir.as_deref(), Some(std::path::Path::new("./dumped_data")));
}

#[test]
fn a_message_names_file_line_and_key() {
    let found = problems(&SMALL.replace("all", "most"), SOURCE_A);
    assert_eq!(
        found[0].to_string(),
        "task.yaml:2:12: task-mode: [code=20020] found `most`; expected one of all, full, \
         incremental, load, load&sync"
    );
    let error = crate::Error::from(Problems { problems: found, warnings: Vec::new() });
    assert_eq!(error.code().number, 20020);
}

#[test]
fn plans_need_no_files() {
    let server = |host: &str| RawServer {
        host: host.into(),
        password: RawPassword { text: Some(Secret::new("plain")), file: None },
        ..RawServer::default()
    };
    let task = RawTask {
        name: "t".into(),
        task_mode: "full".into(),
        target_database: Some(RawTarget { server: server("target"), ..RawTarget::default() }),
        mysql_instances: vec![Some(RawInstance {
            source_id: "a".into(),
            ..RawInstance::default()
        })],
        ..RawTask::default()
    };
    let source =
        RawSource { source_id: "a".into(), from: Some(server("source")), ..RawSource::default() };
    let file = |_: &str| Err(io::ErrorKind::NotFound.into());
    let lookup = Lookup { env: &|_| None, file: &file, key: SecretKey::built_in() };
    let (plan, _) = TaskPlan::from_raw(&task, vec![source.clone()], &lookup).unwrap();
    match &plan.target {
        TargetPlan::Mysql(conn) => assert_eq!(conn.address(), "target:3306"),
        other => panic!("{other:?}"),
    }
    let wrong = RawTask { task_mode: String::new(), ..task };
    let problems = TaskPlan::from_raw(&wrong, vec![source], &lookup).unwrap_err();
    assert_eq!(problems.to_string().split("; ").next(), Some("task-mode: [code=20020] no mode"));
}

#[test]
fn long_lists_are_read_in_one_go() {
    let mut task = String::from(SMALL);
    task = task.replace("{source-id: a}", "{source-id: a, block-allow-list: b, route-rules: [r]}");
    task += "routes: {r: {schema-pattern: s0, target-schema: t}}\nblock-allow-list:\n  b:\n    do-tables:\n";
    for i in 0..3000 {
        task += &format!("    - {{db-name: s{}, tbl-name: t{i}}}\n", i % 50);
    }
    let (plan, warnings) = plan(&task, SOURCE_A);
    assert!(warnings.is_empty(), "{}", warnings.len());
    assert!(plan.sources[0].block_allow.allows(&TableName::new("s1", "t1")));
    // A wrong entry at the end is told at its line.
    let line = task.lines().count() + 1;
    task += "    - {db-name: s, tbl-nam: t}\n";
    let found = problems(&task, SOURCE_A);
    assert!(found.iter().any(|p| p.at.is_some_and(|at| at.line as usize == line)), "{found:?}");
}
