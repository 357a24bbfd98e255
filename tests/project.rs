//! Rules that hold for every file of the project.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use std::path::{Path, PathBuf};

/// The longest that a source file may be, its tests not counted.
const LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The files of the project: all but what is built, recorded or hidden by version control.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    files.sort();
    assert!(files.len() > 20, "where is the project?");
    files
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", ".git", "dm-state"].contains(&name.as_str()) {
                collect(&path, files);
            }
        } else if name != ".git" {
            files.push(path);
        }
    }
}

fn text_of(path: &Path) -> Option<String> {
    String::from_utf8(std::fs::read(path).expect("a file")).ok()
}

#[test]
fn no_file_names_a_machine() {
    // Put together here, so that this file does not name them itself.
    let words = ["/home/", "/root/", "/Users/"].map(str::to_owned);
    let more = [["/wo", "rk/"], ["/tmp/", "wt"], ["/tmp/", "sv"]].map(|parts| parts.concat());
    for file in files().iter().filter(|f| !f.ends_with("tests/project.rs")) {
        let Some(text) = text_of(file) else { continue };
        for word in words.iter().chain(&more) {
            let found =
                text.match_indices(word.as_str()).find(|(at, _)| begins_a_path(&text[..*at]));
            let line = found.map(|(at, _)| text[..at].lines().count());
            assert!(line.is_none(), "{}:{line:?} contains {word}", file.display());
        }
    }
}

/// True when a path can begin here: `$CACHE/root/x` is none of the machine's.
fn begins_a_path(before: &str) -> bool {
    before.chars().next_back().is_none_or(|c| c.is_whitespace() || "\"'=(`:,[{<>".contains(c))
}

#[test]
fn source_files_are_of_a_size_that_can_be_read() {
    for file in files().iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        let text = text_of(file).expect("source is UTF-8");
        let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = product.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", file.display());
    }
}

#[test]
fn nothing_is_left_to_do() {
    for file in files().iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        if file.ends_with("tests/project.rs") {
            continue;
        }
        let text = text_of(file).expect("source is UTF-8");
        for word in ["todo!(", "unimplemented!(", "FIXME", "XXX:"] {
            assert!(!text.contains(word), "{} contains {word}", file.display());
        }
    }
}

/// What docs/reliability.md says is tested: each name in the table of scenarios is a test function or a
/// directory of tests/cases.
#[test]
fn tests_that_the_documentation_names_are_there() {
    let page = std::fs::read_to_string(root().join("docs/reliability.md")).expect("the page");
    let table = page.split("## Scenario by scenario").nth(1).and_then(|s| s.split("\n## ").next());
    let rows = table.expect("the table").lines().filter(|line| line.starts_with("| "));
    let tests: Vec<&str> = rows.filter_map(|row| row.split('|').nth(2)).collect();
    let names: Vec<&str> = tests.iter().flat_map(|t| t.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 60, "{names:?}");
    let sources: String = files()
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .filter_map(|path| text_of(path))
        .collect();
    for name in names {
        let is_case = root().join("tests/cases").join(name).is_dir();
        let is_test = sources.contains(&format!("fn {name}("));
        assert!(is_case || is_test, "docs/reliability.md names the test `{name}`");
    }
}

#[test]
fn every_test_file_is_declared() {
    let declared = std::fs::read_to_string(root().join("dm-cli/Cargo.toml")).unwrap()
        + &std::fs::read_to_string(root().join("dm-core/Cargo.toml")).unwrap();
    for entry in std::fs::read_dir(root().join("tests")).expect("tests") {
        let name = entry.expect("entry").file_name().to_string_lossy().into_owned();
        if name.ends_with(".rs") {
            let path = format!("path = \"../tests/{name}\"");
            assert!(declared.contains(&path), "tests/{name} is compiled by no crate: add {path}");
        }
    }
}

#[test]
fn every_crate_keeps_the_rules_of_the_workspace() {
    for member in ["dm-filter", "dm-router", "dm-core", "dm-cli"] {
        let text = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        for line in [
            "[lints]\nworkspace = true",
            "license.workspace = true",
            "rust-version.workspace = true",
        ] {
            assert!(text.contains(line), "{member}/Cargo.toml lacks {line:?}");
        }
    }
}
