//! Real servers judge the tracker: after every statement that a server accepts, the tracked
//! structures must equal what `SHOW CREATE TABLE` prints, and what `information_schema` tells of columns and
//! keys: there, what a table hands down to its columns is spelled out.
//!
//! The servers are started by the harness; `DM_TEST_MYSQL` and `DM_TEST_MARIADB` name others instead
//! (`mysql://user:password@host:port`), whose databases `dm_oracle` and `dm_oracle2` are dropped. The
//! sequences are the files of `fixtures/ddl/sequences`: a statement a line, `--` comments; a server
//! that refuses a statement leaves it out, so one file serves all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "ddl_oracle/names.rs"]
mod names;
#[path = "ddl_oracle/random/mod.rs"]
mod random;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dm_core::ddl::{self, Flavor, ParseContext, ServerVersion, SqlMode};
use dm_core::filter::TableName;
use dm_core::schema::{
    Column, Defaults, Key, KeyKind, SchemaInfo, TableSchema, Tracker, differences,
    parse_create_table,
};
use mysql::prelude::Queryable;
use random::{Random, Step, View};
use support::server::{Flavor as Kind, Server, parse_url};

/// A setting that sessions do not have.
const ROW_FORMAT: &str = "innodb_default_row_format";
const SCHEMAS: [&str; 2] = ["dm_oracle", "dm_oracle2"];

/// One test at a time on a server: they use the same databases.
fn exclusive(kind: Kind) -> MutexGuard<'static, ()> {
    static LOCKS: [Mutex<()>; 3] = [const { Mutex::new(()) }; 3];
    let lock = &LOCKS[kind as usize];
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Oracle {
    server: mysql::Conn,
    /// Another session, under the default escapes, for what the server prints.
    printer: mysql::Conn,
    tracker: Tracker,
    context: ParseContext,
    /// What was shown of each table when it was compared last, and the structure that it was found equal to.
    compared: BTreeMap<TableName, (String, Arc<TableSchema>)>,
    accepted: usize,
    log: Vec<String>,
}

/// A session on a server; `None`, said aloud, when there is none.
fn connect(kind: Kind) -> Option<mysql::Conn> {
    let variable = match kind {
        Kind::Mysql => "DM_TEST_MYSQL",
        Kind::Mariadb => "DM_TEST_MARIADB",
        Kind::MariadbNew => "DM_TEST_MARIADB_NEW",
    };
    let address = match std::env::var(variable) {
        Ok(url) => parse_url(&url).expect("a URL"),
        Err(_) => Server::shared(kind, "ddl")?.address.clone(),
    };
    Some(address.conn())
}

impl Oracle {
    fn new(kind: Kind, sql_mode: &str) -> Option<Self> {
        let (mut server, mut printer) = (connect(kind)?, connect(kind)?);
        printer.query_drop("SET sql_mode = 'ANSI_QUOTES'").unwrap();
        let text: String = server.query_first("SELECT VERSION()").unwrap().unwrap();
        let version = ServerVersion::parse(&text);
        let mut defaults = Defaults::of(version);
        let mut variable = |name: &str| -> Option<String> {
            let row: Option<(String, String)> =
                server.query_first(format!("SHOW VARIABLES LIKE '{name}'")).unwrap();
            row.map(|r| r.1)
        };
        defaults.charset = variable("character_set_server").unwrap();
        defaults.collation = variable("collation_server").unwrap();
        defaults.explicit_defaults_for_timestamp =
            variable("explicit_defaults_for_timestamp").as_deref() == Some("ON");
        if let Some(collations) = variable("character_set_collations") {
            defaults.set_charset_collations(&collations);
        }
        defaults.lower_case_table_names =
            variable("lower_case_table_names").unwrap().parse().unwrap();
        // Tables of the one may reference those of the other.
        server.query_drop("SET foreign_key_checks = 0").unwrap();
        for schema in SCHEMAS {
            server.query_drop(format!("DROP DATABASE IF EXISTS {schema}")).unwrap();
        }
        server.query_drop("SET foreign_key_checks = 1").unwrap();
        for schema in SCHEMAS {
            server.query_drop(format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4")).unwrap();
        }
        server.query_drop(format!("USE {}", SCHEMAS[0])).unwrap();
        server.query_drop(format!("SET sql_mode = '{sql_mode}'")).unwrap();
        let mut context = ParseContext::in_schema(SCHEMAS[0]);
        context.sql_mode = SqlMode::from_names(sql_mode);
        context.server = Some(version);
        let mut oracle = Self {
            server,
            printer,
            tracker: Tracker::new(defaults),
            context,
            compared: BTreeMap::new(),
            accepted: 0,
            log: Vec::new(),
        };
        oracle.read_schemas();
        Some(oracle)
    }

    fn set_mode(&mut self, sql_mode: &str) {
        self.server.query_drop(format!("SET sql_mode = '{sql_mode}'")).unwrap();
        self.context.sql_mode = SqlMode::from_names(sql_mode);
        self.log.push(format!("-- sql_mode: {sql_mode}"));
    }

    /// Sets a session variable on the server, and the tracker's default that goes with it. A
    /// server that does not know the variable goes without.
    fn session(&mut self, setting: &str) {
        if let Some((ROW_FORMAT, value)) = setting.split_once('=') {
            // The server has it for all sessions; it goes back when the file is through.
            self.server.query_drop(format!("SET GLOBAL {setting}")).unwrap();
            let mut defaults = self.tracker.defaults().clone();
            value.clone_into(&mut defaults.row_format);
            self.tracker.set_defaults(defaults);
            return;
        }
        if self.server.query_drop(format!("SET SESSION {setting}")).is_err() {
            return;
        }
        self.log.push(format!("-- session: {setting}"));
        let mut defaults = self.tracker.defaults().clone();
        let (name, value) = setting.split_once('=').unwrap();
        match name {
            "explicit_defaults_for_timestamp" => {
                defaults.explicit_defaults_for_timestamp = value == "ON";
            }
            "sql_generate_invisible_primary_key" => {
                defaults.generate_invisible_primary_key = value == "ON";
            }
            other => panic!("no default goes with {other}"),
        }
        self.tracker.set_defaults(defaults);
    }

    fn read_schemas(&mut self) {
        for (name, info) in self.schemas() {
            self.tracker.set_schema(&name, info);
        }
    }

    fn schemas(&mut self) -> Vec<(String, SchemaInfo)> {
        let rows: Vec<(String, String, String)> = self
            .printer
            .query(
                "SELECT schema_name, default_character_set_name, default_collation_name \
                 FROM information_schema.schemata WHERE schema_name LIKE 'dm_oracle%'",
            )
            .unwrap();
        rows.into_iter()
            .map(|(name, charset, collation)| (name, SchemaInfo { charset, collation }))
            .collect()
    }

    fn server_tables(&mut self) -> Vec<TableName> {
        let rows: Vec<(String, String)> = self
            .printer
            .query(
                "SELECT table_schema, table_name FROM information_schema.tables \
                 WHERE table_schema LIKE 'dm_oracle%' AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')",
            )
            .unwrap();
        rows.into_iter().map(|(schema, table)| TableName::new(schema, table)).collect()
    }

    /// Columns and parts of keys as the server tells them, in order.
    fn told(&mut self) -> BTreeMap<TableName, Vec<String>> {
        let columns: Vec<(String, String, String, bool, String, String, bool)> = self
            .printer
            .query(
                "SELECT table_schema, table_name, column_name, is_nullable = 'YES', \
                 COALESCE(character_set_name, ''), COALESCE(collation_name, ''), \
                 extra LIKE '%auto_increment%' FROM information_schema.columns \
                 WHERE table_schema LIKE 'dm_oracle%' ORDER BY table_schema, table_name, ordinal_position",
            )
            .unwrap();
        let mut told: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
        for (schema, table, name, nullable, charset, collation, counts) in columns {
            let line = column_line(&name, nullable, &charset, &collation, counts);
            told.entry(TableName::new(schema, table)).or_default().push(line);
        }
        let parts: Vec<(String, String, String, bool, Option<String>)> = self
            .printer
            .query(
                "SELECT table_schema, table_name, index_name, non_unique = 0, column_name \
                 FROM information_schema.statistics WHERE table_schema LIKE 'dm_oracle%' \
                 ORDER BY table_schema, table_name, index_name, seq_in_index",
            )
            .unwrap();
        for (schema, table, key, unique, column) in parts {
            let line = key_line(&key, unique, column.as_deref());
            told.entry(TableName::new(schema, table)).or_default().push(line);
        }
        told
    }

    /// The end of the binlog: file and position. `None` on a server without one.
    fn end_of_binlog(&mut self) -> Option<(String, u64)> {
        let status = match self.context.server.map(|s| s.flavor) {
            Some(Flavor::MySql) => "SHOW BINARY LOG STATUS",
            _ => "SHOW MASTER STATUS",
        };
        let row: mysql::Row = self.printer.query_first(status).unwrap()?;
        Some((row.get(0)?, row.get(1)?))
    }

    /// The texts that a server has written into its binlog from a place on, with the schema of each.
    fn logged_from(&mut self, place: &(String, u64)) -> Vec<(String, String)> {
        let (file, position) = place;
        let rows: Vec<mysql::Row> =
            self.printer.query(format!("SHOW BINLOG EVENTS IN '{file}' FROM {position}")).unwrap();
        let queries = rows.iter().filter(|r| r.get::<String, _>(2).as_deref() == Some("Query"));
        let texts = queries.filter_map(|r| r.get_opt::<Vec<u8>, _>(5)?.ok());
        let text = |bytes: Vec<u8>| {
            let info = String::from_utf8_lossy(&bytes).into_owned();
            // use "schema"; text. MariaDB also shows the setting of foreign keys.
            let (mut schema, mut text) = (SCHEMAS[0].to_owned(), info.as_str());
            if let Some((used, rest)) = text.strip_prefix("use ").and_then(|t| t.split_once("; ")) {
                (schema, text) = (used.trim_matches(['`', '"']).to_owned(), rest);
            }
            let setting = text.strip_prefix("set foreign_key_checks=");
            text = setting.and_then(|t| t.split_once("; ")).map_or(text, |(_, rest)| rest);
            (schema, text.to_owned())
        };
        let ends = ["BEGIN", "COMMIT", "ROLLBACK"];
        texts.map(text).filter(|(_, text)| !ends.contains(&text.as_str())).collect()
    }

    /// Runs a statement on both; true when the server took it. Differences are a message.
    ///
    /// What the tracker is given is the text that the server has put into its binlog: servers rewrite some.
    fn step(&mut self, sql: &str) -> Result<bool, String> {
        let place = self.end_of_binlog();
        let taken = self.server.query_drop(sql);
        let logged = place.map(|place| self.logged_from(&place));
        let texts = match taken {
            // What the client wrote is read, too: an operator may give it.
            Ok(()) => {
                self.read(SCHEMAS[0], sql)?;
                logged.unwrap_or_else(|| vec![(SCHEMAS[0].to_owned(), sql.to_owned())])
            }
            Err(mysql::Error::MySqlError(e)) => {
                self.log.push(format!("-- {} {}\n-- {sql}", e.code, e.message));
                let mut texts = logged.unwrap_or_default();
                if texts.is_empty() {
                    return Ok(false);
                }
                for (schema, text) in texts.iter_mut().filter(|(_, text)| text == sql) {
                    let done = self.read(schema, sql)?.done_by_failure();
                    *text = done.ok_or_else(|| format!("{sql}\nlogged though it failed"))?;
                }
                texts
            }
            Err(error) => return Err(format!("{sql}\n{error}")),
        };
        self.accepted += 1;
        self.log.push(format!("{sql};"));
        let mut unknown = Vec::new();
        for (schema, text) in &texts {
            let statement = self.read(schema, text)?;
            let effects = self.tracker.apply(&statement);
            let effects = effects.map_err(|e| format!("{text}\n{}", e.message()))?;
            unknown.extend(effects.unknown);
        }
        self.compare(sql, &unknown)?;
        Ok(true)
    }

    /// Reads a statement; spliced with its own names it is the same, byte for byte.
    fn read(&self, schema: &str, sql: &str) -> Result<ddl::Statement, String> {
        let context = ParseContext { default_schema: schema.to_owned(), ..self.context.clone() };
        let statement =
            ddl::parse(sql, &context).map_err(|e| format!("{sql}\nnot read: {}", e.message()))?;
        if statement.splice(|_| None) != sql {
            return Err(format!("{sql}\nspliced with nothing it is another text"));
        }
        Ok(statement)
    }

    /// What somebody needs to repeat a statement: the settings of the session, and the tables as they were.
    fn history(
        &self,
        sql: &str,
        before: &BTreeMap<TableName, (String, Arc<TableSchema>)>,
    ) -> String {
        let mut out = String::new();
        for what in ["-- sql_mode", "-- session: e", "-- session: s"] {
            let last = self.log.iter().rfind(|line| line.starts_with(what));
            out.extend(last.map(|line| format!("{line}\n")));
        }
        let named = ddl::parse(sql, &self.context).map(|s| s.names).unwrap_or_default();
        for (name, (shown, _)) in before.iter().filter(|(t, _)| named.iter().any(|n| n.name == **t))
        {
            out.push_str(&format!("-- {name} before:\n{shown};\n"));
        }
        out
    }

    /// Takes over what the server has, so that one difference does not hide the next.
    fn begin_again(&mut self) {
        self.tracker = Tracker::new(self.tracker.defaults().clone());
        self.compared.clear();
        self.read_schemas();
        self.log.push("-- tracked anew".to_owned());
        for name in self.server_tables() {
            let shown: Option<(String, String)> =
                self.printer.query_first(format!("SHOW CREATE TABLE {name}")).unwrap();
            let (_, shown) = shown.unwrap();
            if let Ok(structure) = parse_create_table(&shown, SqlMode::ANSI_QUOTES) {
                self.tracker.set(name, Arc::new(structure), false);
            }
        }
    }

    /// What `SHOW CREATE TABLE` prints and the tracked structure. Where neither has changed since they were found
    /// equal, they are.
    fn compare_shown(&mut self, sql: &str, name: TableName) -> Result<(), String> {
        let row: Option<(String, String)> =
            self.printer.query_first(format!("SHOW CREATE TABLE {name}")).unwrap();
        let (_, shown) = row.unwrap();
        if let Some((text, structure)) = self.compared.get(&name)
            && *text == shown
            && self.tracker.table(&name).is_some_and(|tracked| Arc::ptr_eq(tracked, structure))
        {
            return Ok(());
        }
        let structure = parse_create_table(&shown, SqlMode::ANSI_QUOTES)
            .map_err(|e| format!("{sql}\n{shown}\n{}", e.message()))?;
        let Some(tracked) = self.tracker.table(&name) else {
            self.tracker.set(name, Arc::new(structure), false);
            return Ok(());
        };
        let mut found = differences(&structure, tracked);
        // MariaDB does not sort keys again when a column only changes its NOT NULL.
        // Whether an expression may be NULL, which decides about the place of its key, only the server knows.
        let plain = |k: &&Key| k.parts.iter().all(|part| part.column().is_some());
        let keys = |t: &TableSchema| -> Vec<String> {
            t.keys.iter().filter(plain).map(|k| k.name.clone()).collect()
        };
        let sorts = self.context.server.is_some_and(|s| s.flavor == Flavor::MySql)
            && structure.engine == "InnoDB";
        if sorts && keys(&structure) != keys(tracked) {
            found.push(format!("order of keys: {:?}, {:?}", keys(&structure), keys(tracked)));
        }
        let more =
            |t: &TableSchema| (t.partitioning.is_some(), t.system_versioned, t.periods.clone());
        if more(&structure) != more(tracked) {
            found.push(format!("partitions, periods: {:?}, {:?}", more(&structure), more(tracked)));
        }
        if !found.is_empty() {
            return Err(format!("{sql}\n{shown}\nserver and tracker: {}", found.join("\n    ")));
        }
        let tracked = Arc::clone(tracked);
        self.compared.insert(name, (shown, tracked));
        Ok(())
    }

    /// True for a table that the server has and cannot open any more, which it lets statements bring about: a
    /// generated column whose type its expression fits no longer. Nothing is asked of it.
    fn is_broken(&mut self, name: &TableName) -> bool {
        let shown = self.printer.query_drop(format!("SHOW CREATE TABLE {name}"));
        let broken = matches!(&shown, Err(mysql::Error::MySqlError(e)) if e.code != 1146);
        if broken {
            self.server.query_drop(format!("DROP TABLE {name}")).unwrap();
            self.tracker.remove(name);
        }
        broken
    }

    /// Names, structures and schemas on both sides.
    fn compare(&mut self, sql: &str, unknown: &[TableName]) -> Result<(), String> {
        let tables = self.server_tables();
        let server: BTreeSet<_> = tables.iter().filter(|t| !unknown.contains(t)).cloned().collect();
        let tracked: BTreeSet<_> = self.tracker.tables().map(|(name, _)| name.clone()).collect();
        let missed: Vec<_> = server.difference(&tracked).collect();
        let mut made_up: Vec<_> = tracked.difference(&server).collect();
        made_up.retain(|name| !self.is_broken(name));
        if !missed.is_empty() || !made_up.is_empty() {
            return Err(format!("{sql}\nnot tracked: {missed:?}\nnot there: {made_up:?}"));
        }
        self.compared.retain(|name, _| server.contains(name));
        for name in tables {
            self.compare_shown(sql, name)?;
        }
        let told = self.told();
        let flavor = self.tracker.defaults().server.flavor;
        for (name, tracked) in self.tracker.tables() {
            let (mut server, mut tracker) =
                (told.get(name).cloned().unwrap_or_default(), lines(&tracked.schema, flavor));
            // Index names are sorted by rules of the server's own.
            server.sort();
            tracker.sort();
            if server != tracker {
                return Err(format!(
                    "{sql}\n{name} at the server: {server:#?}\ntracked: {tracker:#?}"
                ));
            }
        }
        let schemas = self.schemas();
        for (name, info) in schemas {
            if self.tracker.schema(&name) != Some(&info) {
                let tracked = self.tracker.schema(&name);
                return Err(format!("{sql}\nschema {name}: {info:?}, tracked {tracked:?}"));
            }
        }
        Ok(())
    }
}

fn column_line(name: &str, nullable: bool, charset: &str, collation: &str, counts: bool) -> String {
    format!("column {name}, nullable {nullable}, {charset} {collation}, counts {counts}")
}

fn key_line(key: &str, unique: bool, column: Option<&str>) -> String {
    format!("key {key}, unique {unique}, of {}", column.unwrap_or("an expression"))
}

/// A tracked structure in the words of [`Oracle::told`].
fn lines(schema: &TableSchema, flavor: Flavor) -> Vec<String> {
    let column = |c: &Column| {
        // Of an ENUM of bytes MySQL tells no character set.
        let untold = |name: &str| name == "binary" && flavor == Flavor::MySql;
        let told = |name: &str| if untold(name) { String::new() } else { name.to_owned() };
        let (charset, collation) = (told(&c.ty.charset), told(&c.ty.collation));
        column_line(&c.name, c.nullable, &charset, &collation, c.auto_increment)
    };
    let mut lines: Vec<String> = schema.columns.iter().map(column).collect();
    for key in &schema.keys {
        let unique = matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
        for part in &key.parts {
            // A period is told by its ends.
            let period = schema.periods.iter().find(|p| part.column() == Some(p.0.as_str()));
            match period {
                Some((_, start, end)) => lines.extend(
                    [start, end].map(|column| key_line(&key.name, unique, Some(column.as_str()))),
                ),
                None => lines.push(key_line(&key.name, unique, part.column())),
            }
        }
    }
    lines
}

/// Every file of sequences, under the usual strict mode and under none.
fn sequences(kind: Kind) {
    let _alone = exclusive(kind);
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/sequences");
    let directory = std::env::var("DM_TEST_DDL_SEQUENCES").unwrap_or_else(|_| fixture.to_owned());
    let mut failures = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let mode = text.lines().find_map(|l| l.strip_prefix("-- sql_mode: ")).unwrap_or_default();
        if mode.contains("ORACLE") && kind == Kind::Mysql {
            continue;
        }
        let Some(mut oracle) = Oracle::new(kind, mode) else { return };
        for setting in text.lines().filter_map(|l| l.strip_prefix("-- session: ")) {
            oracle.session(setting);
        }
        for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("--")) {
            if let Err(message) = oracle.step(line) {
                failures.push(format!("{}: {message}", path.display()));
                oracle.begin_again();
            }
        }
        if let Err(message) = oracle.compare("at the end", &[]) {
            failures.push(format!("{}: {message}", path.display()));
        }
        oracle.server.query_drop(format!("SET GLOBAL {ROW_FORMAT} = DEFAULT")).unwrap();
        assert!(oracle.accepted > 0, "{}: the server took no statement", path.display());
        if std::env::var_os("DM_TEST_VERBOSE").is_some() {
            println!("{}:\n{}", path.display(), oracle.log.join("\n"));
        }
    }
    assert!(failures.is_empty(), "{} sequences differ:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn sequences_on_mysql() {
    sequences(Kind::Mysql);
}

#[test]
fn sequences_on_new_mariadb() {
    sequences(Kind::MariadbNew);
}

#[test]
fn sequences_on_mariadb() {
    sequences(Kind::Mariadb);
}

/// Random statements: those that are taken must have the tracked outcome. `DM_TEST_DDL_SEED` is the first seed,
/// `DM_TEST_DDL_ROUNDS` says how many, `DM_TEST_DDL_STEPS` how many steps are taken from each.
fn random_statements(kind: Kind) {
    let _alone = exclusive(kind);
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
    };
    let (first, steps) = (number("DM_TEST_DDL_SEED", 0x5eed), number("DM_TEST_DDL_STEPS", 60));
    let (mut taken, mut failures) = (0, Vec::new());
    for seed in first..first + number("DM_TEST_DDL_ROUNDS", 8) {
        let mode = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION";
        let Some(mut oracle) = Oracle::new(kind, mode) else { return };
        if let Err(message) = random_sequence(&mut oracle, seed, steps) {
            failures.push(format!("seed {seed}:\n{message}"));
        }
        taken += oracle.accepted;
        if std::env::var_os("DM_TEST_VERBOSE").is_some() {
            println!("{}", oracle.log.join("\n"));
        }
    }
    println!("{kind:?}: {taken} statements taken");
    assert!(failures.is_empty(), "{} seeds:\n{}", failures.len(), failures.join("\n\n"));
    assert!(taken > 0);
}

/// The statements of one seed, up to the first difference.
fn random_sequence(oracle: &mut Oracle, seed: u64, steps: u64) -> Result<(), String> {
    // The first numbers of the generator are alike for seeds that are near each other.
    let mut random = Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..steps {
        match random::step(&mut random, &View::of(&oracle.tracker)) {
            Step::Mode(mode) => oracle.set_mode(mode),
            Step::Setting(setting) => oracle.session(setting),
            Step::Sql(sql) => {
                let before = oracle.compared.clone();
                oracle.step(&sql).map_err(|m| format!("{}{m}", oracle.history(&sql, &before)))?;
            }
        }
    }
    Ok(())
}

#[test]
fn random_statements_on_mysql() {
    random_statements(Kind::Mysql);
}

#[test]
fn random_statements_on_new_mariadb() {
    random_statements(Kind::MariadbNew);
}

#[test]
fn random_statements_on_mariadb() {
    random_statements(Kind::Mariadb);
}
