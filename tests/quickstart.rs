//! The README's first command, run as it stands there, and what it makes compared with the rows
//! that the recorded servers had in the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The arguments of `dm` in the first command of the README.
fn arguments() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let command = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let command = command.replace("\\\n", " ");
    let words: Vec<&str> = command.split_whitespace().collect();
    let program = ["cargo", "run", "-q", "-p", "dm-cli", "--"];
    assert_eq!(words.get(..program.len()), Some(&program[..]), "{command}");
    words[program.len()..].iter().map(|w| (*w).to_owned()).collect()
}

/// Runs the command in a directory that sees the fixtures as the workspace does.
fn migrate(dir: &Path) -> String {
    let fixtures = dir.join("fixtures");
    if !fixtures.exists() {
        copy(&root().join("fixtures/quickstart"), &fixtures.join("quickstart"));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_dm"))
        .args(arguments())
        .current_dir(dir)
        .output()
        .expect("dm runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}:\n{stdout}{stderr}", output.status);
    stdout
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A value as the servers' client prints it.
fn print(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(v) => v.to_string(),
        ValueRef::Real(v) => v.to_string(),
        ValueRef::Text(v) => String::from_utf8_lossy(v)
            .replace('\\', "\\\\")
            .replace('\t', "\\t")
            .replace('\n', "\\n"),
        ValueRef::Blob(v) => v.iter().map(|b| format!("{b:02X}")).collect(),
    }
}

fn rows(db: &Connection, table: &str, columns: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("SELECT {columns} FROM \"shop.{table}\"")).unwrap();
    let width = statement.column_count();
    let mut rows: Vec<String> = statement
        .query_map([], |row| {
            let cells: Vec<String> =
                (0..width).map(|i| row.get_ref(i).map(print)).collect::<Result<_, _>>()?;
            Ok(cells.join("\t"))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    rows.sort();
    rows
}

/// Compares every table with what the servers had.
fn compare(dir: &Path) {
    let db =
        Connection::open_with_flags(dir.join("quickstart.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    let tables = [
        ("customers", "id, name, email, born, balance, vip, note, created"),
        ("orders", "id, customer, status, wrapping, total, placed, details"),
        ("products", "sku, name, price, stock, weight, flags, picture, barcode, preparation"),
        ("vouchers", "code, percent, until"),
        ("visits", "page, at, address, seconds"),
    ];
    for (table, columns) in tables {
        let file = root().join(format!("fixtures/quickstart/expected/{table}.tsv"));
        let expected = std::fs::read_to_string(file).unwrap();
        let mut expected: Vec<&str> = expected.lines().collect();
        expected.sort_unstable();
        let found = rows(&db, table, columns);
        assert_eq!(found.len(), expected.len(), "rows of {table}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found, expected, "a row of {table}");
        }
    }
}

#[test]
fn the_quick_start_migrates_what_the_servers_had() {
    let dir = tempfile::tempdir().unwrap();
    let stdout = migrate(dir.path());
    compare(dir.path());
    for table in ["customers", "orders", "products", "visits", "vouchers"] {
        assert!(stdout.contains(&format!("`shop`.`{table}`")), "{stdout}");
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    migrate(dir.path());
    migrate(dir.path());
    compare(dir.path());
}
