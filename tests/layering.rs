//! The arrows of the house, read from the `Cargo.toml`s and the `use` lines:
//! `dm-cli -> dm-core -> { dm-filter, dm-router }`, no arrow between the leaves, and inside dm-core
//! lower modules know nothing of higher ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules of dm-core from low to high. A module may use those of lower rows; modules of one row
/// do not know each other. Modules that are not named here may be used by nobody below `pipeline`.
const ROWS: &[&[&str]] = &[
    &["meter", "position", "whose"],
    &["error"],
    &["event"],
    &["sql"],
    &["ddl"],
    &["schema"],
    &["binlog"],
    &["config"],
    &["mysql"],
    &["state"],
    &["source", "sink", "shard", "online_ddl"],
    &["relay"],
    &["pipeline"],
    &["explain", "operate"],
    &["check"],
    &["status", "migration"],
];

/// What every module may use: the leaves' words under their names in dm-core.
const WORDS: &[&str] = &["filter", "router", "Error", "Result"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The crates of the workspace that a crate depends on, outside of its tests.
fn arrows(name: &str) -> Vec<String> {
    let text = read(&root().join(name).join("Cargo.toml"));
    let section = text.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|l| l.split(['.', ' ', '=']).next());
    names.filter(|n| n.starts_with("dm-")).map(str::to_owned).collect()
}

/// Every Rust file under a directory.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = product.lines().filter(|l| !l.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of the own crate that a piece of code names as `crate::x`, also in `crate::{x, y}`.
fn crate_words(code: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => words.extend(first_words(list)),
            None => words.push(word(rest)),
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first words of the items of a `use` list, up to its closing brace.
fn first_words(list: &str) -> Vec<String> {
    let (mut depth, mut fresh, mut words) = (1, true, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            _ if c.is_whitespace() => {}
            _ if fresh && depth == 1 => {
                words.push(word(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    words
}

#[test]
fn crates_depend_downwards_only() {
    assert_eq!(arrows("dm-cli"), ["dm-core"]);
    let mut core = arrows("dm-core");
    core.sort();
    assert_eq!(core, ["dm-filter", "dm-router"]);
    assert!(arrows("dm-filter").is_empty() && arrows("dm-router").is_empty());
}

#[test]
fn the_command_names_no_leaf() {
    for file in rust_files(&root().join("dm-cli/src")) {
        let code = code(&read(&file));
        for leaf in ["dm_filter", "dm_router"] {
            assert!(!code.contains(leaf), "{} names {leaf}", file.display());
        }
    }
}

#[test]
fn lower_modules_of_the_core_do_not_look_up() {
    let rank: BTreeMap<&str, usize> =
        ROWS.iter().enumerate().flat_map(|(at, row)| row.iter().map(move |m| (*m, at))).collect();
    let src = root().join("dm-core/src");
    let mut wrong = Vec::new();
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).expect("under src");
        // Tests may use whatever helps them.
        if inside.components().any(|c| c.as_os_str().to_string_lossy().starts_with("tests")) {
            continue;
        }
        let first = inside
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .replace(".rs", "");
        let Some(own) = rank.get(first.as_str()) else { continue };
        for used in crate_words(&code(&read(&file))) {
            if used == first || WORDS.contains(&used.as_str()) {
                continue;
            }
            match rank.get(used.as_str()) {
                Some(other) if other < own => {}
                Some(_) => wrong.push(format!("{}: {first} uses {used}", inside.display())),
                None if *own >= rank["pipeline"] => {}
                None => {
                    wrong.push(format!("{}: {used} has no place in the order", inside.display()))
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that look up:\n{}", wrong.join("\n"));
}

#[test]
fn use_lists_are_read() {
    let text = "use crate::{a::{b, c}, d, e as f}; mycrate::x; fn g() { crate::h::i() }";
    assert_eq!(crate_words(text), ["a", "d", "e", "h"]);
}
