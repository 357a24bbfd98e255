//! The scripts of `fixtures/online-ddl`, and laws.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use dm_filter::{TableName, Verdict};
use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::binlog::QueryEvent;
use crate::config::OnlineDdlRules;
use crate::ddl::{ParseContext, Statement, parse};
use crate::error::Result;

fn default_rules() -> OnlineDdlRules {
    let rule = |text| vec![Regex::new(text).unwrap()];
    OnlineDdlRules { shadow: rule("^_(.+)_(?:new|gho)$"), trash: rule("^_(.+)_(?:ghc|del|old)$") }
}

fn read_sql(sql: &str) -> Statement {
    parse(sql, &ParseContext::in_schema("shop")).unwrap()
}

fn heard(sql: &str, position: usize) -> Change {
    let query = QueryEvent::of("shop", sql.as_bytes());
    Change::new(sql, &query, 0, position.to_string())
}

/// What a script says before its first statement.
struct Script {
    rules: OnlineDdlRules,
    fold: bool,
    carried: Option<Vec<String>>,
    filtered: Option<String>,
    earlier: Vec<(u32, String)>,
}

impl Script {
    fn new() -> Self {
        Self {
            rules: default_rules(),
            fold: false,
            carried: None,
            filtered: None,
            earlier: Vec::new(),
        }
    }

    fn word(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "shadow" => self.rules.shadow = vec![Regex::new(rest).unwrap()],
            "trash" => self.rules.trash = vec![Regex::new(rest).unwrap()],
            "fold" => self.fold = true,
            "carried" => self.carried = Some(rest.split(' ').map(str::to_owned).collect()),
            "filtered" => self.filtered = Some(rest.to_owned()),
            "earlier" => {
                let (file, sql) = rest.split_once(' ').unwrap();
                self.earlier.push((file.parse().unwrap(), sql.to_owned()));
            }
            other => panic!("a script has no word {other:?}"),
        }
    }

    fn judge(&self, table: &TableName, sql: &str) -> Verdict {
        let carried = self
            .carried
            .as_ref()
            .is_none_or(|list| list.contains(&table.to_string().replace('`', "")));
        match &self.filtered {
            _ if !carried => Verdict::Exclude,
            Some(text) if sql.contains(text.as_str()) => Verdict::Drop,
            _ => Verdict::Keep,
        }
    }

    fn look_back(&self, names: &Names, ghost: &TableName) -> Option<Vec<Change>> {
        let mut files: Vec<u32> = self.earlier.iter().map(|(file, _)| *file).collect();
        files.dedup();
        let mut trace = Trace::new(ghost.clone());
        for file in files.iter().rev() {
            for (at, (_, sql)) in self.earlier.iter().enumerate().filter(|(_, (f, _))| f == file) {
                assert!(trace.may_concern(sql) || !sql.contains(&ghost.table));
                trace.statement(names, &read_sql(sql), heard(sql, 1_000 + at)).unwrap();
            }
            if trace.is_complete() {
                return Some(trace.into_changes());
            }
            trace.next_file();
        }
        None
    }
}

fn shown(action: &Action) -> String {
    match action {
        Action::Change { statement, change, .. } if change.filtered => {
            format!("track {}", statement.sql)
        }
        Action::Change { statement, .. } => format!("run {}", statement.sql),
        Action::Rest(statement) => format!("rest {}", statement.sql),
    }
}

fn kept(record: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(record).unwrap();
    if let Some(ghost) = value.get("Ghost") {
        let list: Vec<&str> = ghost["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["sql"].as_str().unwrap())
            .collect();
        let whole = if ghost["complete"] == true { "from its beginning" } else { "in part" };
        return format!("{whole}: {}", list.join("; ")).trim_end().to_owned();
    }
    match value["Away"]["trash"].as_array() {
        Some(name) => format!("away as {}", name[1].as_str().unwrap()),
        None => "away, dropped".to_owned(),
    }
}

fn run_one(
    script: &Script,
    follower: &mut Follower,
    sql: &str,
    at: usize,
    out: &mut String,
) -> Result {
    let statement = read_sql(sql);
    let judge = |table: &TableName| script.judge(table, sql);
    for ghost in follower.unknown(&statement, &judge)? {
        let names = follower.names().clone();
        match script.look_back(&names, &ghost) {
            Some(changes) => {
                let _ = writeln!(out, "  found {} earlier", changes.len());
                follower.adopt(&ghost, changes);
            }
            None => {
                let _ = writeln!(out, "  not found");
            }
        }
    }
    match follower.statement(&statement, &heard(sql, at), &judge)? {
        None => out.push_str("  as it is\n"),
        Some(actions) if actions.is_empty() => out.push_str("  nothing\n"),
        Some(actions) => {
            for action in actions {
                let _ = writeln!(out, "  {}", shown(&action));
            }
        }
    }
    let (gone, saved) = follower.take_changes()?;
    for table in gone {
        let _ = writeln!(out, "  forget {}", table.to_string().replace('`', ""));
    }
    for one in saved {
        let name = one.table.to_string().replace('`', "");
        let _ = writeln!(out, "  keep {name} {}", kept(&one.record));
    }
    Ok(())
}

/// A script with what comes out written behind each statement. After every statement the follower
/// is made anew of what it saved, as by a restart.
fn transcript(text: &str) -> String {
    let mut script = Script::new();
    let mut out = String::new();
    let mut follower: Option<Follower> = None;
    let mut state = std::collections::BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("  ") {
            continue;
        }
        let _ = writeln!(out, "{line}");
        let Some(sql) = line.strip_prefix("> ") else {
            if !line.is_empty() && !line.starts_with('#') {
                script.word(line);
            }
            continue;
        };
        let names = Names::new(Arc::new(script.rules.clone()), script.fold);
        let saved: Vec<_> = state.values().cloned().collect();
        let mut now = Follower::new(names, None, &saved).unwrap();
        if let Err(error) = run_one(&script, &mut now, sql, at, &mut out) {
            let _ = writeln!(out, "  error {}", error.code().number);
            continue;
        }
        // What run_one has written of the changes is what a checkpoint would hold.
        let all = now.all_records().unwrap();
        state = all.into_iter().map(|one| (one.table.clone(), one)).collect();
        follower = Some(now);
    }
    assert!(follower.is_some(), "a script without a statement that is taken");
    out
}

#[test]
fn scripts_come_out_as_written() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/online-ddl");
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let found = transcript(&text);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(&path, &found).unwrap();
            count += 1;
            continue;
        }
        assert_eq!(found, text, "{}: what comes out (left) is not what is written", path.display());
        count += 1;
    }
    assert!(count >= 5, "the scripts are not found");
}

fn names() -> Names {
    Names::new(Arc::new(default_rules()), false)
}

#[test]
fn a_ghost_beside_its_table_is_running() {
    let t = |table: &str| TableName::new("shop", table);
    let tables = [
        t("t"),
        t("_t_gho"),
        t("_lonely_new"),
        t("_cut_del"),
        t("_cut_gho"),
        t("_no_gho"),
        t("no"),
    ];
    let found = running(&names(), &tables, &|real| real.table != "no");
    assert_eq!(found, [(t("_t_gho"), t("t")), (t("_cut_gho"), t("cut"))]);
}

/// Statements of a tool and of an application on a few names.
fn any_statement() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "t", "u", "_t_gho", "_t_new", "__t_new", "_t_del", "_t_old", "_u_new", "_u_old", "_t_ghc",
    ]);
    (0..7_u8, name.clone(), name.clone(), name.clone(), name).prop_map(|(what, a, b, c, d)| {
        match what {
            0 => format!("CREATE TABLE {a} (id INT)"),
            1 => format!("ALTER TABLE {a} ADD COLUMN c INT"),
            2 => format!("ALTER TABLE {a} RENAME TO {b}"),
            3 => format!("RENAME TABLE {a} TO {b}, {c} TO {d}"),
            4 => format!("DROP TABLE IF EXISTS {a}, {b}"),
            5 => format!("DROP TABLE {a}"),
            _ => format!("TRUNCATE TABLE {a}"),
        }
    })
}

proptest! {
    /// Whatever comes, no statement for the target names a ghost or trash table, and no panic.
    #[test]
    fn no_helper_table_comes_out(script in prop::collection::vec(any_statement(), 1..24)) {
        let names = names();
        let mut follower = Follower::new(names.clone(), None, &[]).unwrap();
        for (at, sql) in script.iter().enumerate() {
            let statement = read_sql(sql);
            let judge = |_: &TableName| Verdict::Keep;
            let Ok(actions) = follower.statement(&statement, &heard(sql, at), &judge) else { continue };
            let out: Vec<Statement> = match actions {
                None => vec![statement],
                Some(actions) => actions.into_iter().map(|a| match a {
                    Action::Change { statement, .. } | Action::Rest(statement) => *statement,
                }).collect(),
            };
            for statement in out {
                for name in &statement.names {
                    prop_assert!(!names.is_helper(&name.name), "{} of {sql}", statement.sql);
                }
            }
        }
    }

    /// Reading the same statements again from an earlier place changes nothing: the marks of a
    /// target may be behind what is saved.
    #[test]
    fn reading_again_is_harmless(alters in prop::collection::vec("[a-d]", 1..6), again in 0..6_usize) {
        let mut log = vec!["CREATE TABLE _t_gho LIKE t".to_owned()];
        log.extend(alters.iter().map(|c| format!("ALTER TABLE _t_gho ADD COLUMN {c} INT")));
        let end = "RENAME TABLE t TO _t_del, _t_gho TO t";
        let judge = |_: &TableName| Verdict::Keep;
        let run = |from: Option<usize>| {
            let mut follower = Follower::new(names(), None, &[]).unwrap();
            let all = log.iter().enumerate();
            let repeated = from.into_iter().flat_map(|from| log.iter().enumerate().skip(from));
            for (at, sql) in all.chain(repeated) {
                follower.statement(&read_sql(sql), &heard(sql, at), &judge).unwrap();
            }
            let actions = follower.statement(&read_sql(end), &heard(end, 99), &judge).unwrap();
            actions.unwrap().iter().map(shown).collect::<Vec<_>>()
        };
        let once = run(None);
        prop_assert_eq!(once.len(), alters.len());
        prop_assert_eq!(run(Some(again.min(log.len()))), once);
    }
}
