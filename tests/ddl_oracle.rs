//! Real servers judge the tracker: after every statement that a server accepts, the tracked
//! structures must equal what `SHOW CREATE TABLE` prints, and what `information_schema` tells of columns and
//! keys: there, what a table hands down to its columns is spelled out.
//!
//! The servers are started by the harness; `DM_TEST_MYSQL` and `DM_TEST_MARIADB` name others instead
//! (`mysql://user:password@host:port`), whose databases `dm_oracle` and `dm_oracle2` are dropped. The
//! sequences are the files of `fixtures/ddl/sequences`: a statement a line, `--` comments; a server
//! that refuses a statement leaves it out, so one file serves all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "ddl_oracle/random.rs"]
mod random;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dm_core::ddl::{self, Flavor, ParseContext, ServerVersion, SqlMode};
use dm_core::filter::TableName;
use dm_core::schema::{
    Column, Defaults, KeyKind, SchemaInfo, TableSchema, Tracker, differences, parse_create_table,
};
use mysql::prelude::Queryable;
use random::{COLUMNS, Random, is_odd, statement};
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
        for schema in SCHEMAS {
            server.query_drop(format!("DROP DATABASE IF EXISTS {schema}")).unwrap();
        }
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
            accepted: 0,
            log: Vec::new(),
        };
        oracle.read_schemas();
        Some(oracle)
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
            .server
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
            .server
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
            .server
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
            .server
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

    /// Runs a statement on both; true when the server took it. Differences are a message.
    fn step(&mut self, sql: &str) -> Result<bool, String> {
        let statement = ddl::parse(sql, &self.context);
        if let Err(error) = self.server.query_drop(sql) {
            if let mysql::Error::MySqlError(e) = &error {
                self.log.push(format!("-- {} {}\n-- {sql}", e.code, e.message));
                return Ok(false);
            }
            return Err(format!("{sql}\n{error}"));
        }
        self.accepted += 1;
        self.log.push(format!("{sql};"));
        let statement = statement.map_err(|e| format!("{sql}\nnot read: {}", e.message()))?;
        let effects =
            self.tracker.apply(&statement).map_err(|e| format!("{sql}\n{}", e.message()))?;
        self.compare(sql, &effects.unknown)?;
        Ok(true)
    }

    /// Names, structures and schemas on both sides.
    fn compare(&mut self, sql: &str, unknown: &[TableName]) -> Result<(), String> {
        let tables = self.server_tables();
        let server: BTreeSet<_> = tables.iter().filter(|t| !unknown.contains(t)).cloned().collect();
        let tracked: BTreeSet<_> = self.tracker.tables().map(|(name, _)| name.clone()).collect();
        if server != tracked {
            return Err(format!("{sql}\ntables: {server:?}\ntracked: {tracked:?}"));
        }
        for name in tables {
            let row: Option<(String, String)> =
                self.printer.query_first(format!("SHOW CREATE TABLE {name}")).unwrap();
            let (_, shown) = row.unwrap();
            let structure = parse_create_table(&shown, SqlMode::ANSI_QUOTES)
                .map_err(|e| format!("{sql}\n{shown}\n{}", e.message()))?;
            let Some(tracked) = self.tracker.table(&name) else {
                self.tracker.set(name, Arc::new(structure), false);
                continue;
            };
            let mut found = differences(&structure, tracked);
            // MariaDB does not sort keys again when a column only changes its NOT NULL.
            let keys = |t: &TableSchema| t.keys.iter().map(|k| k.name.clone()).collect::<Vec<_>>();
            let sorts = self.context.server.is_some_and(|s| s.flavor == Flavor::MySql);
            if sorts && keys(&structure) != keys(tracked) {
                found.push(format!("order of keys: {:?}, {:?}", keys(&structure), keys(tracked)));
            }
            if !found.is_empty() {
                return Err(format!(
                    "{sql}\n{shown}\nserver and tracker: {}",
                    found.join("\n    ")
                ));
            }
        }
        let told = self.told();
        for (name, tracked) in self.tracker.tables() {
            let (mut server, mut tracker) =
                (told.get(name).cloned().unwrap_or_default(), lines(&tracked.schema));
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
fn lines(schema: &TableSchema) -> Vec<String> {
    let column = |c: &Column| {
        column_line(&c.name, c.nullable, &c.ty.charset, &c.ty.collation, c.auto_increment)
    };
    let mut lines: Vec<String> = schema.columns.iter().map(column).collect();
    for key in &schema.keys {
        let unique = matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
        lines.extend(key.parts.iter().map(|p| key_line(&key.name, unique, p.column())));
    }
    lines
}

/// Every file of sequences, under the usual strict mode and under none.
fn sequences(kind: Kind) {
    let _alone = exclusive(kind);
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/sequences");
    let mut failures = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let mode = text.lines().find_map(|l| l.strip_prefix("-- sql_mode: ")).unwrap_or_default();
        let Some(mut oracle) = Oracle::new(kind, mode) else { return };
        for setting in text.lines().filter_map(|l| l.strip_prefix("-- session: ")) {
            oracle.session(setting);
        }
        for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("--")) {
            if let Err(message) = oracle.step(line) {
                failures.push(format!("{}: {message}", path.display()));
                break;
            }
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

/// The names in an error about something that is not there: `'d.t,d.u'`.
fn missing(error: &mysql::MySqlError) -> Vec<String> {
    let known = matches!(error.code, 1049 | 1051 | 1109 | 1146 | 1824 | 4092);
    let quoted = error.message.split('\'').nth(1).filter(|_| known);
    quoted.into_iter().flat_map(|names| names.split(',')).map(str::to_lowercase).collect()
}

/// What a server misses of a statement, or has made of it, must be among the names that were found: its own
/// reading of each statement of `fixtures/ddl/statements.sql` (or of `DM_DDL_CORPUS`) that has to do with tables.
fn names_as_the_server_has_them(kind: Kind) {
    use dm_core::ddl::StatementKind as K;
    let _alone = exclusive(kind);
    let Some(mut server) = connect(kind) else { return };
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/statements.sql");
    let path = std::env::var("DM_DDL_CORPUS").unwrap_or_else(|_| fixture.to_owned());
    let (mut checked, mut empty) = (0, false);
    for line in String::from_utf8_lossy(&fs::read(path).unwrap()).lines() {
        // A corpus also has lines of several statements and of other modes.
        let Ok(statement) = ddl::parse(line, &ParseContext::in_schema("here")) else { continue };
        let of_tables = matches!(
            statement.kind,
            K::CreateTable
                | K::AlterTable
                | K::DropTable
                | K::RenameTable
                | K::TruncateTable
                | K::CreateIndex
                | K::DropIndex
                | K::CreateView
                | K::AlterView
                | K::DropView
                | K::CreateTrigger
                | K::Insert
                | K::Replace
                | K::Update
                | K::Delete
        );
        // What outlives its statement in the session.
        let lasts = statement.is_temporary() || statement.without_start_transaction().is_some();
        if !of_tables || lasts {
            continue;
        }
        let mut found = BTreeSet::new();
        for name in statement.names.iter().map(|n| &n.name) {
            let (schema, table) = (name.schema.to_lowercase(), name.table.to_lowercase());
            found.extend([format!("{schema}.{table}"), schema, table]);
        }
        if !std::mem::replace(&mut empty, true) {
            server.query_drop("DROP DATABASE IF EXISTS here").unwrap();
            server.query_drop("CREATE DATABASE here").unwrap();
            server.query_drop("USE here").unwrap();
        }
        let told: Vec<String> = match server.query_drop(line) {
            Ok(()) => {
                empty = false;
                let made = "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables \
                            WHERE table_schema = 'here'";
                let made: Vec<String> = server.query(made).unwrap();
                made.iter().map(|name| name.to_lowercase()).collect()
            }
            Err(mysql::Error::MySqlError(error)) => missing(&error),
            Err(error) => panic!("{line}: {error}"),
        };
        checked += usize::from(!told.is_empty());
        for name in told {
            assert!(
                found.contains(&name),
                "{kind:?}: {line}\nthe server says {name}; found {found:?}"
            );
        }
    }
    server.query_drop("DROP DATABASE here").unwrap();
    println!("{kind:?}: {checked} statements of which the server says a name");
    assert!(checked > 100, "{checked}");
}

#[test]
fn names_on_mysql() {
    names_as_the_server_has_them(Kind::Mysql);
}

#[test]
fn names_on_new_mariadb() {
    names_as_the_server_has_them(Kind::MariadbNew);
}

/// Random statements: most are refused, those that are taken must have the tracked outcome.
/// `DM_TEST_DDL_STEPS` says how many, `DM_TEST_DDL_SEED` repeats a run.
fn random_statements(kind: Kind) {
    let _alone = exclusive(kind);
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
    };
    let seed = number("DM_TEST_DDL_SEED", 0x5eed);
    let steps = number("DM_TEST_DDL_STEPS", 500);
    for mode in ["STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", ""] {
        let Some(mut oracle) = Oracle::new(kind, mode) else { return };
        let mut random = Random(seed * 2 + 1);
        for _ in 0..steps {
            let sql = statement(&mut random);
            if COLUMNS.iter().any(|c| is_odd(&sql, c)) {
                continue;
            }
            if let Err(message) = oracle.step(&sql) {
                let taken = oracle.log.iter().filter(|l| !l.starts_with("--"));
                let history: Vec<&String> = taken.collect();
                let from = history.len().saturating_sub(30);
                let history: Vec<&str> = history[from..].iter().map(|s| s.as_str()).collect();
                panic!("seed {seed}, sql_mode '{mode}'\n{}\n\n{message}", history.join("\n"));
            }
        }
        println!("{kind:?}: {} of {steps} statements taken", oracle.accepted);
        assert!(oracle.accepted > 0);
    }
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
