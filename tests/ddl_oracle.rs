//! Real servers judge the tracker: after every statement that a server accepts, the tracked
//! structures must equal what `SHOW CREATE TABLE` prints.
//!
//! `DM_TEST_MYSQL` and `DM_TEST_MARIADB` hold the URLs of servers whose databases `dm_oracle` and
//! `dm_oracle2` may be dropped (`mysql://user:password@host:port`). Without them the tests say
//! SKIPPED. The sequences are the files of `fixtures/ddl/sequences`: a statement a line, `--`
//! comments; a server that refuses a statement leaves it out, so one file serves all of them.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use dm_core::ddl::{self, Flavor, ParseContext, ServerVersion, SqlMode};
use dm_core::filter::TableName;
use dm_core::schema::{
    Defaults, SchemaInfo, TableSchema, Tracker, differences, parse_create_table,
};
use mysql::prelude::Queryable;

const SCHEMAS: [&str; 2] = ["dm_oracle", "dm_oracle2"];

struct Oracle {
    server: mysql::Conn,
    /// Another session, under the default escapes, for what the server prints.
    printer: mysql::Conn,
    tracker: Tracker,
    context: ParseContext,
    accepted: usize,
    log: Vec<String>,
}

/// The server that a variable names; `None`, said aloud, without it.
fn connect(variable: &str) -> Option<mysql::Conn> {
    let Ok(url) = std::env::var(variable) else {
        println!("SKIPPED: {variable} is not set");
        return None;
    };
    let opts = mysql::Opts::from_url(&url).unwrap();
    let opts = mysql::OptsBuilder::from_opts(opts).prefer_socket(false);
    Some(mysql::Conn::new(opts).unwrap())
}

impl Oracle {
    fn new(variable: &str, sql_mode: &str) -> Option<Self> {
        let (mut server, mut printer) = (connect(variable)?, connect(variable)?);
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

/// Every file of sequences, under the usual strict mode and under none.
fn sequences(variable: &str) {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/sequences");
    let mut failures = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let mode = text.lines().find_map(|l| l.strip_prefix("-- sql_mode: ")).unwrap_or_default();
        let Some(mut oracle) = Oracle::new(variable, mode) else { return };
        for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("--")) {
            if let Err(message) = oracle.step(line) {
                failures.push(format!("{}: {message}", path.display()));
                break;
            }
        }
        assert!(oracle.accepted > 0, "{}: the server took no statement", path.display());
        if std::env::var_os("DM_TEST_VERBOSE").is_some() {
            println!("{}:\n{}", path.display(), oracle.log.join("\n"));
        }
    }
    assert!(failures.is_empty(), "{} sequences differ:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn sequences_on_mysql() {
    sequences("DM_TEST_MYSQL");
}

#[test]
fn sequences_on_mariadb() {
    sequences("DM_TEST_MARIADB");
}
