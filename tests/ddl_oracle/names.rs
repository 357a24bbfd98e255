//! The names that are found in statements against those that a server looks for.

use std::collections::BTreeSet;
use std::fs;

use dm_core::ddl::{self, ParseContext, ServerVersion};
use mysql::prelude::Queryable;

use super::support::server::Flavor as Kind;
use super::{connect, exclusive};

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

/// The tables that a server looks for, one after the other: each that it misses is made. `None` for what it does
/// not read at all.
fn looked_for(server: &mut mysql::Conn, sql: &str) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for _ in 0..30 {
        let Err(mysql::Error::MySqlError(error)) = server.query_drop(sql) else { break };
        let quoted = error.message.split('\'').nth(1).unwrap_or_default();
        match error.code {
            1064 => return None,
            1049 => server.query_drop(format!("CREATE DATABASE `{quoted}`")).unwrap(),
            1146 => {
                let (schema, table) = quoted.split_once('.').unwrap();
                server.query_drop(format!("CREATE DATABASE IF NOT EXISTS `{schema}`")).unwrap();
                server.query_drop(format!("CREATE TABLE `{schema}`.`{table}` (id INT)")).unwrap();
                names.insert(quoted.to_lowercase());
            }
            _ => break,
        }
    }
    Some(names)
}

/// The tables that a statement reads or changes are those that a server looks for: none is missed, and no column,
/// alias or common table is taken for one. Statements: `fixtures/ddl/queries.sql`.
fn tables_of_queries(kind: Kind) {
    use dm_core::ddl::NameRole as R;
    let _alone = exclusive(kind);
    let Some(mut server) = connect(kind) else { return };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/queries.sql");
    let text = fs::read_to_string(path).unwrap();
    let (mut checked, mut failures) = (0, Vec::new());
    for line in text.lines().filter(|l| !l.starts_with("--")) {
        for schema in ["here", "other"] {
            server.query_drop(format!("DROP DATABASE IF EXISTS {schema}")).unwrap();
        }
        server.query_drop("CREATE DATABASE here").unwrap();
        server.query_drop("USE here").unwrap();
        let Some(told) = looked_for(&mut server, line) else { continue };
        let mut context = ParseContext::in_schema("here");
        let version: String = server.query_first("SELECT VERSION()").unwrap().unwrap();
        context.server = Some(ServerVersion::parse(&version));
        let statement = ddl::parse(line, &context).unwrap();
        let made = matches!(statement.kind, ddl::StatementKind::CreateTable);
        let names = statement.names.iter().filter(|n| matches!(n.role, R::Table | R::ViewSource));
        let names = names.skip(usize::from(made)).map(|n| &n.name);
        let found: BTreeSet<String> =
            names.map(|n| format!("{}.{}", n.schema, n.table).to_lowercase()).collect();
        checked += 1;
        if found != told {
            failures.push(format!("{line}\nthe server looks for {told:?}; found {found:?}"));
        }
    }
    server.query_drop("DROP DATABASE IF EXISTS here").unwrap();
    server.query_drop("DROP DATABASE IF EXISTS other").unwrap();
    assert!(failures.is_empty(), "{kind:?}:\n{}", failures.join("\n"));
    assert!(checked > 20, "{checked}");
}

#[test]
fn tables_of_queries_on_mysql() {
    tables_of_queries(Kind::Mysql);
}

#[test]
fn tables_of_queries_on_new_mariadb() {
    tables_of_queries(Kind::MariadbNew);
}
