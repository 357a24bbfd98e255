//! Runs the truth tables in `fixtures/router`.
//!
//! A file is a set of routes and the tables that they are asked about; see
//! `fixtures/router/README.md`. Adding a case needs no Rust.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use dm_router::{
    ColumnChoice, NamePattern, RouteError, RouteRule, Router, TableRouter, lint_routes,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fixture {
    /// Where the routes come from and what they show.
    #[serde(rename = "about")]
    _about: String,
    #[serde(default)]
    case_sensitive: bool,
    routes: BTreeMap<String, RouteRule>,
    #[serde(default)]
    cases: Vec<Case>,
    /// What is wrong with the routes, as `rule key`.
    #[serde(default)]
    errors: Vec<String>,
    /// The warnings that the routes deserve, as `Kind rule key`.
    lints: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// `schema.table`.
    table: Option<String>,
    /// A schema as a whole.
    schema: Option<String>,
    #[serde(default)]
    source: String,
    /// The target: `schema.table`, or a schema.
    to: Option<String>,
    /// The rule that decides.
    rule: Option<String>,
    /// The rules that claim the table together.
    ambiguous: Option<Vec<String>>,
    /// Added columns, in order: `name=value`.
    #[serde(default)]
    extra: Vec<String>,
    /// `include a b` or `exclude a b`.
    columns: Option<String>,
}

fn check(router: &TableRouter, case: &Case, at: &str) {
    let (schema, table) = match (&case.table, &case.schema) {
        (Some(name), None) => name.split_once('.').expect("schema.table"),
        (None, Some(schema)) => (schema.as_str(), ""),
        _ => panic!("{at}: either table or schema"),
    };
    match (router.route(&case.source, schema, table), &case.ambiguous) {
        (Err(RouteError::Ambiguous { rules, .. }), Some(expected)) => {
            assert_eq!(&rules, expected, "{at}");
            assert_eq!(router.explain(schema, table).len(), expected.len(), "{at}");
        }
        (Ok(target), None) => {
            let name = if target.table.is_empty() {
                target.schema.clone()
            } else {
                format!("{}.{}", target.schema, target.table)
            };
            assert_eq!(Some(&name), case.to.as_ref(), "{at}");
            assert_eq!(target.rule, case.rule, "{at}");
            let extra: Vec<String> =
                target.extra.iter().map(|e| format!("{}={}", e.name, e.value)).collect();
            assert_eq!(extra, case.extra, "{at}");
            let columns = match target.columns {
                ColumnChoice::All => None,
                ColumnChoice::Include(list) => Some(format!("include {}", list.join(" "))),
                ColumnChoice::Exclude(list) => Some(format!("exclude {}", list.join(" "))),
            };
            assert_eq!(columns, case.columns, "{at}");
        }
        (found, expected) => panic!("{at}: {found:?}, expected ambiguous {expected:?}"),
    }
}

#[test]
fn the_truth_tables_hold() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/router");
    let entries = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    let files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    assert!(files.len() >= 5, "only {} fixture files", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let fixture: Fixture =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let rules = || fixture.routes.iter().map(|(n, r)| (n.as_str(), r));
        match TableRouter::compile(rules(), fixture.case_sensitive) {
            Ok(router) => {
                assert!(fixture.errors.is_empty(), "{name}: no error found");
                assert!(!fixture.cases.is_empty(), "{name} is empty");
                for (i, case) in fixture.cases.iter().enumerate() {
                    check(&router, case, &format!("{name}, case {}", i + 1));
                }
            }
            Err(errors) => {
                let found: Vec<String> =
                    errors.iter().map(|e| format!("{} {}", e.rule, e.key)).collect();
                assert_eq!(found, fixture.errors, "{name}");
            }
        }
        if let Some(expected) = &fixture.lints {
            let found: Vec<String> = lint_routes(rules(), fixture.case_sensitive)
                .iter()
                .map(|l| format!("{:?} {} {}", l.kind, l.rule, l.key))
                .collect();
            assert_eq!(&found, expected, "{name}");
        }
    }
}

#[derive(Deserialize)]
struct PatternCase {
    pattern: String,
    #[serde(default)]
    case_sensitive: bool,
    #[serde(default)]
    matches: Vec<String>,
    #[serde(default)]
    misses: Vec<String>,
    error: Option<String>,
}

/// The filters' fixture of patterns holds for routes too.
#[test]
fn patterns_are_those_of_the_filters() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/filter/pattern.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<PatternCase> = serde_yaml::from_str(&text).unwrap();
    for case in cases {
        let pattern = NamePattern::new(&case.pattern, case.case_sensitive);
        assert_eq!(pattern.is_err(), case.error.is_some(), "{}", case.pattern);
        let Ok(pattern) = pattern else { continue };
        assert!(case.matches.iter().all(|n| pattern.is_match(n)), "{}", case.pattern);
        assert!(!case.misses.iter().any(|n| pattern.is_match(n)), "{}", case.pattern);
    }
}
