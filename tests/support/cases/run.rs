//! Running a case.
//!
//! Prepare the sources and the target, run `dm` until it has caught up, run `during*.sql`, let it
//! catch up again from its state, compare. Each step is the whole of its files for all sources.

use std::path::PathBuf;

use mysql::prelude::Queryable;

use super::super::compare::{self, Options, Target, pairs_of_all};
use super::super::dm::{Dm, Outcome, source_yaml, target_yaml};
use super::super::server::{Address, Server, external_target};
use super::super::sql;
use super::files::{Case, Expect, Line};

/// How a case ended, if it did not panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything was as the files say.
    Passed,
    /// It did not run, and why.
    LeftOut(String),
}

/// The servers of a run.
struct Stage {
    sources: Vec<Address>,
    target: Option<Address>,
    file: Option<PathBuf>,
}

impl Stage {
    fn target(&self) -> Target<'_> {
        match (&self.target, &self.file) {
            (Some(address), _) => Target::Server(address),
            (None, Some(file)) => Target::Sqlite(file),
            (None, None) => unreachable!("a stage has a target"),
        }
    }
}

/// Runs a case with the servers of one line of its `flavors`; panics when something is not as the
/// files say.
pub fn run(case: &Case, line: &Line) -> Ended {
    let external = external_target().is_some() && line.target.is_some();
    if let Some(why) = case.ignored(line, external) {
        return Ended::LeftOut(why.to_owned());
    }
    let mut dm = Dm::new();
    let Some(stage) = set_up(case, line, &mut dm) else {
        return Ended::LeftOut("servers are not installed".to_owned());
    };
    perform(case, &stage, &dm);
    check(case, &stage);
    Ended::Passed
}

/// Runs the scripts of a case without `dm`: are they right for these servers?
pub fn rehearse(case: &Case, line: &Line) -> Ended {
    let mut dm = Dm::new();
    let Some(stage) = set_up(case, line, &mut dm) else {
        return Ended::LeftOut("servers are not installed".to_owned());
    };
    run_scripts(case, &stage, "while");
    run_scripts(case, &stage, "during");
    Ended::Passed
}

/// Servers, what is in them at the beginning, and the files of the task.
fn set_up(case: &Case, line: &Line, dm: &mut Dm) -> Option<Stage> {
    let stage = set_stage(case, line, dm)?;
    run_scripts(case, &stage, "source");
    if let (Some(target), Some(script)) = (&stage.target, case.read("target.sql")) {
        target.run("", &script);
    }
    write_files(case, &stage, dm);
    Some(stage)
}

fn set_stage(case: &Case, line: &Line, dm: &Dm) -> Option<Stage> {
    let mut sources = Vec::new();
    for at in 0..case.sources {
        let flavor = line.sources[at % line.sources.len()];
        let server = Server::shared(flavor, &format!("src{}", at + 1))?;
        server.clear();
        sources.push(server.address.clone());
    }
    let target = match line.target {
        Some(flavor) => Some(Server::target(flavor)?),
        None => None,
    };
    target.inspect(|server| server.clear());
    let file = target.is_none().then(|| dm.path().join("target.db"));
    Some(Stage { sources, target: target.map(|server| server.address.clone()), file })
}

/// Runs `WHAT.sql` at every source and `WHAT-N.sql` at the N-th.
fn run_scripts(case: &Case, stage: &Stage, what: &str) {
    for (at, source) in stage.sources.iter().enumerate() {
        for file in [format!("{what}.sql"), format!("{what}-{}.sql", at + 1)] {
            if let Some(script) = case.read(&file) {
                let result = sql::try_run(&mut source.conn(), &script);
                result.unwrap_or_else(|why| panic!("{}/{file}: {why}", case.name));
            }
        }
    }
}

/// The YAML files with their placeholders filled in.
fn write_files(case: &Case, stage: &Stage, dm: &mut Dm) {
    let words = placeholders(stage);
    let fill = |text: String| {
        words.iter().fold(text, |t, (name, value)| t.replace(&format!("${{{name}}}"), value))
    };
    dm.write("task.yaml", &fill(case.read("task.yaml").expect("a case has a task")));
    for (at, source) in stage.sources.iter().enumerate() {
        let file = format!("source-{}.yaml", at + 1);
        let text = case.read(&file).map_or_else(|| source_yaml(at + 1, source, false), fill);
        dm.add_source(&file, &text);
    }
}

fn placeholders(stage: &Stage) -> Vec<(String, String)> {
    let mut words = vec![("TARGET".to_owned(), target_yaml(stage.target()))];
    let mut add = |prefix: &str, address: &Address| {
        words.push((format!("{prefix}_HOST"), address.host.clone()));
        words.push((format!("{prefix}_PORT"), address.port.to_string()));
        words.push((format!("{prefix}_USER"), address.user.clone()));
        words.push((format!("{prefix}_PASSWORD"), address.password.clone()));
    };
    if let Some(target) = &stage.target {
        add("TARGET", target);
    }
    for (at, source) in stage.sources.iter().enumerate() {
        add(&format!("SRC{}", at + 1), source);
    }
    for (at, source) in stage.sources.iter().enumerate() {
        let position = source.position();
        words.push((format!("SRC{}_BINLOG_NAME", at + 1), position.file));
        words.push((format!("SRC{}_BINLOG_POS", at + 1), position.pos.to_string()));
        words.push((format!("SRC{}_GTID", at + 1), position.gtid));
    }
    words
}

/// The runs of `dm` with the scripts between them.
fn perform(case: &Case, stage: &Stage, dm: &Dm) {
    let has = |what: &str| {
        let numbered =
            (1..=stage.sources.len()).any(|n| case.read(&format!("{what}-{n}.sql")).is_some());
        numbered || case.read(&format!("{what}.sql")).is_some()
    };
    let during = has("during");
    let first = start(case, dm, || {
        if has("while") {
            run_scripts(case, stage, "while");
        }
    });
    if !during && !has("while") {
        return conclude(case, stage, dm, first);
    }
    first.expect_success();
    run_scripts(case, stage, "during");
    let second = start(case, dm, || {});
    conclude(case, stage, dm, second);
}

fn start(case: &Case, dm: &Dm, meanwhile: impl FnOnce()) -> Outcome {
    let more = case.read("args").unwrap_or_default();
    let mut args: Vec<&str> = more.split_whitespace().collect();
    if !args.contains(&"--until") {
        args.extend(["--until", "caught-up"]);
    }
    let process = dm.start(&args);
    meanwhile();
    process.wait(super::super::dm::DEADLINE)
}

/// The last run must end as the case says; after a repair of the target it must go well.
fn conclude(case: &Case, stage: &Stage, dm: &Dm, last: Outcome) {
    if case.failure.is_empty() {
        last.expect_success();
        return;
    }
    let texts: Vec<&str> = case.failure.iter().map(String::as_str).collect();
    last.expect_failure(&texts);
    if let (Some(target), Some(script)) = (&stage.target, case.read("repair.sql")) {
        target.run("", &script);
        start(case, dm, || {}).expect_success();
    }
}

fn check(case: &Case, stage: &Stage) {
    let sources: Vec<&Address> = stage.sources.iter().collect();
    let mut pairs = case.compare.pairs.clone();
    if case.compare.all {
        pairs.extend(pairs_of_all(&sources));
        assert!(!pairs.is_empty(), "{}: nothing to compare", case.name);
    }
    let options =
        Options { structure: !case.compare.rows_only, more_columns: case.compare.more_columns };
    let mut report = compare::compare(&sources, stage.target(), &pairs, options);
    if let Some(target) = &stage.target {
        let there = compare::tables(target);
        for (schema, table) in case.compare.absent.iter().filter(|name| there.contains(name)) {
            report.0.push(format!("{schema}.{table} should not be at the target"));
        }
        for (schema, table) in
            there.iter().filter(|(schema, _)| case.compare.all && schema != "dm_meta")
        {
            if !pairs.iter().any(|p| p.schema == *schema && p.table == *table) {
                report.0.push(format!("{schema}.{table} is only at the target"));
            }
        }
        for expect in &case.expect {
            let rows = answer(target, expect);
            if rows != expect.rows {
                report.0.push(format!(
                    "{}    expected {:?}\n    found    {rows:?}",
                    expect.query, expect.rows
                ));
            }
        }
    }
    assert!(report.0.is_empty(), "{}: {report}", case.name);
}

fn answer(target: &Address, expect: &Expect) -> Vec<String> {
    let mut conn = target.conn();
    let result = conn.query_iter(expect.query.trim_end().trim_end_matches(';'));
    let rows = result.unwrap_or_else(|e| panic!("{e}\nin: {}", expect.query));
    let text = |value: mysql::Value| match value {
        mysql::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        mysql::Value::NULL => "NULL".to_owned(),
        other => other.as_sql(true),
    };
    rows.map(|row| {
        row.expect("a row").unwrap().into_iter().map(text).collect::<Vec<_>>().join("\t")
    })
    .collect()
}
