//! An exact comparison of source and target: every row, every column.
//!
//! Guarantee: two tables that compare equal hold the same rows the same number of times, down to
//! the bytes of strings, the bits of floats and (between MySQL servers) the types inside JSON.
//! Obstacle: servers print values in ways that lose something (FLOAT with six digits, an ENUM's
//! empty label for number 0, JSON without its types) and sort by collations of their own. Method:
//! each side turns every value into plain ASCII by an expression (`columns.rs`) that loses nothing;
//! rows come as one string each, are sorted here, and are compared as multisets, so that a doubled
//! row of a table without a key shows. Columns are matched by name; generated columns count.
//!
//! Values longer than [`columns::LONG`] bytes are compared by length and SHA-256.

pub mod columns;
pub mod json;
pub mod sqlite;

use std::fmt;
use std::path::Path;

use mysql::prelude::Queryable;

use super::server::{Address, external_target};
use super::sql::{name, text};
use columns::{Column, Way};

/// Differences that are printed per table.
const SHOWN: usize = 8;
/// Lines of a report that are printed.
const LINES: usize = 60;
/// Between the values of a row; no value's text has it.
const BETWEEN: char = '|';

/// Where the copy is.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A server.
    Server(&'a Address),
    /// A SQLite file.
    Sqlite(&'a Path),
}

/// A table of one of the sources, by its place in the list of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTable {
    /// Index into the list of sources.
    pub source: usize,
    /// Database.
    pub schema: String,
    /// Table.
    pub table: String,
}

/// What must be equal: the rows of the source tables together, and those of the target table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// One table, or the shards of one.
    pub sources: Vec<SourceTable>,
    /// Database of the target.
    pub schema: String,
    /// Table of the target.
    pub table: String,
}

/// What to look at besides the rows.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Columns' definitions and indexes of tables that have one source of the same flavor.
    pub structure: bool,
    /// The target may have columns that the source lacks.
    pub more_columns: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { structure: true, more_columns: false }
    }
}

/// The differences found, one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(pub Vec<String>);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "source and target differ:")?;
        self.0.iter().take(LINES).try_for_each(|line| writeln!(f, "  {line}"))?;
        if self.0.len() > LINES {
            writeln!(f, "  ... and {} more lines", self.0.len() - LINES)?;
        }
        Ok(())
    }
}

/// Panics with the differences, if there are any.
pub fn assert_equal(sources: &[&Address], target: Target<'_>, pairs: &[Pair]) {
    let report = compare(sources, target, pairs, Options::default());
    assert!(report.0.is_empty(), "{report}");
}

/// Compares all tables of the given databases, the same names on both sides.
pub fn assert_databases_equal(source: &Address, target: Target<'_>, databases: &[&str]) {
    let pairs: Vec<Pair> = pairs_of_all(&[source])
        .into_iter()
        .filter(|pair| databases.contains(&pair.schema.as_str()))
        .collect();
    assert!(!pairs.is_empty(), "no tables in {databases:?}: nothing was compared");
    assert_equal(&[source], target, &pairs);
}

/// Every table of every source against the table of the same name.
pub fn pairs_of_all(sources: &[&Address]) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for (source, address) in sources.iter().enumerate() {
        for (schema, table) in tables(address) {
            let one = SourceTable { source, schema: schema.clone(), table: table.clone() };
            match pairs.iter_mut().find(|p| p.schema == schema && p.table == table) {
                Some(pair) => pair.sources.push(one),
                None => pairs.push(Pair { sources: vec![one], schema, table }),
            }
        }
    }
    pairs
}

/// The base tables of the databases that are not the server's own.
pub fn tables(address: &Address) -> Vec<(String, String)> {
    let databases = address.databases();
    if databases.is_empty() {
        return Vec::new();
    }
    let list: Vec<String> = databases.iter().map(|d| text(d)).collect();
    address.rows(&format!(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ({}) \
         AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1, 2",
        list.join(", ")
    ))
}

/// Compares the pairs; the report is empty when everything is equal.
pub fn compare(
    sources: &[&Address],
    target: Target<'_>,
    pairs: &[Pair],
    options: Options,
) -> Report {
    let mut report = Report::default();
    for pair in pairs {
        compare_pair(sources, target, pair, options, &mut report);
    }
    report
}

fn compare_pair(
    sources: &[&Address],
    target: Target<'_>,
    pair: &Pair,
    options: Options,
    report: &mut Report,
) {
    let title = format!("{}.{}", pair.schema, pair.table);
    let first = &pair.sources[0];
    let source = sources[first.source];
    let ours = columns::fetch(source, &first.schema, &first.table);
    let theirs = match target {
        Target::Server(address) => columns::fetch(address, &pair.schema, &pair.table),
        Target::Sqlite(file) => sqlite::columns(file, &pair.schema, &pair.table),
    };
    if ours.is_empty() || theirs.is_empty() {
        let side = if ours.is_empty() { "source" } else { "target" };
        report.0.push(format!("{title}: the table is missing at the {side}"));
        return;
    }
    let before = report.0.len();
    columns::compare_names(&title, &ours, &theirs, options.more_columns, report);
    if let Target::Server(address) = target
        && options.structure
        && pair.sources.len() == 1
        && source.flavor == address.flavor
        && external_target().is_none()
    {
        columns::compare_structure(&title, (source, first), (address, pair), report);
    }
    if report.0.len() > before {
        return;
    }
    let plan = Plan::new(source, first, &ours, &theirs, target);
    let mut left: Vec<String> = Vec::new();
    for one in &pair.sources {
        left.extend(plan.read(sources[one.source], &one.schema, &one.table, true));
    }
    let right = match target {
        Target::Server(address) => plan.read(address, &pair.schema, &pair.table, false),
        Target::Sqlite(file) => sqlite::read(file, &pair.schema, &pair.table, &plan.parts),
    };
    compare_rows(&title, &plan, left, right, report);
}

/// One value of a compared row.
#[derive(Clone, Debug)]
pub struct Part {
    /// How it is called in a report.
    pub label: String,
    /// The column it is of.
    pub column: String,
    /// How it is compared.
    pub way: Way,
    /// Names of the values between commas that it is made of, if it is.
    inner: Vec<String>,
    source: String,
    target: String,
}

impl Part {
    /// Lines that show what is not the same.
    fn show(&self, ours: &str, theirs: &str) -> Vec<String> {
        let line = |what: &str, ours: &str, theirs: &str| {
            [
                format!("    {what}: source {}", shorten(ours)),
                format!("    {what}: target {}", shorten(theirs)),
            ]
        };
        let pieces = self.inner.iter().zip(ours.split(',').zip(theirs.split(',')));
        let different = pieces.filter(|(_, (a, b))| a != b).take(SHOWN);
        let lines: Vec<String> = different
            .flat_map(|(at, (a, b))| line(&format!("{} {at}", self.label), a, b))
            .collect();
        if lines.is_empty() { line(&self.label, ours, theirs).to_vec() } else { lines }
    }
}

/// How the rows of a pair are read on both sides.
struct Plan {
    parts: Vec<Part>,
    /// The first parts, by which a row is known; zero for a table without a key.
    keys: usize,
}

impl Plan {
    fn new(
        source: &Address,
        table: &SourceTable,
        ours: &[Column],
        theirs: &[Column],
        target: Target<'_>,
    ) -> Self {
        let key = columns::key(source, &table.schema, &table.table);
        let mut sorted: Vec<&Column> = ours.iter().collect();
        sorted.sort_by_key(|c| key.iter().position(|k| *k == c.name).unwrap_or(usize::MAX));
        let sqlite = matches!(target, Target::Sqlite(_));
        let mut parts = Vec::new();
        for column in sorted {
            let other = theirs.iter().find(|t| t.name.eq_ignore_ascii_case(&column.name));
            let Some(other) = other else { continue };
            let way = Way::of(column, other, sqlite);
            parts.push(Part {
                label: column.name.clone(),
                column: other.name.clone(),
                way,
                inner: Vec::new(),
                source: column.expression(way, sqlite),
                target: other.expression(way, sqlite),
            });
        }
        if let Target::Server(address) = target
            && json::types_are_comparable(source, address)
        {
            for column in ours.iter().filter(|c| c.data_type == "json") {
                parts.extend(json::leaf_types(source, table, &column.name));
            }
        }
        Self { parts, keys: key.len() }
    }

    /// The rows of a table, one string each.
    fn read(&self, address: &Address, schema: &str, table: &str, source: bool) -> Vec<String> {
        let values: Vec<String> = self
            .parts
            .iter()
            .map(|p| format!("IFNULL({}, 'NULL')", if source { &p.source } else { &p.target }))
            .collect();
        let query = format!(
            "SELECT CONCAT_WS('{BETWEEN}', {}) FROM {}.{}",
            values.join(", "),
            name(schema),
            name(table)
        );
        let mut rows: Vec<String> = Vec::new();
        let mut conn = address.conn();
        let result = conn.query_iter(&query).unwrap_or_else(|e| panic!("{e}\nin: {query}"));
        for row in result {
            let row = row.unwrap_or_else(|e| panic!("{e}\nin: {query}"));
            let bytes: Option<Vec<u8>> = mysql::from_row(row);
            let bytes =
                bytes.unwrap_or_else(|| panic!("a row of {schema}.{table} is too long to compare"));
            rows.push(self.normalised(String::from_utf8(bytes).expect("ASCII")));
        }
        rows
    }

    fn normalised(&self, row: String) -> String {
        if self.parts.iter().all(|p| !p.way.needs_work()) {
            return row;
        }
        let values = row.split(BETWEEN).zip(&self.parts).map(|(v, p)| p.way.normalised(v));
        values.collect::<Vec<_>>().join(&BETWEEN.to_string())
    }

    /// The key's values of a row; the whole row when there is no key.
    fn key_of<'a>(&self, row: &'a str) -> &'a str {
        if self.keys == 0 {
            return row;
        }
        row.match_indices(BETWEEN).nth(self.keys - 1).map_or(row, |(at, _)| &row[..at])
    }

    fn show(&self, row: &str, count: usize) -> String {
        let values = row.split(BETWEEN).zip(&self.parts).take(count);
        let shown: Vec<String> =
            values.map(|(v, p)| format!("{}={}", p.label, shorten(v))).collect();
        shown.join(" ")
    }
}

fn shorten(value: &str) -> String {
    if value.len() <= 160 {
        return value.to_owned();
    }
    format!("{}...({} characters)", &value[..160], value.len())
}

fn compare_rows(
    title: &str,
    plan: &Plan,
    mut left: Vec<String>,
    mut right: Vec<String>,
    report: &mut Report,
) {
    left.sort_unstable();
    right.sort_unstable();
    if left == right {
        return;
    }
    let (only_left, only_right) = differences(&left, &right);
    report.0.push(format!(
        "{title}: {} rows at the source, {} at the target; {} only at the source, {} only at the target",
        left.len(),
        right.len(),
        only_left.len(),
        only_right.len()
    ));
    let mut shown = 0;
    let keys = if plan.keys == 0 { plan.parts.len() } else { plan.keys };
    for row in &only_left {
        let key = plan.key_of(row);
        let other = only_right.iter().find(|other| plan.keys > 0 && plan.key_of(other) == key);
        if shown == SHOWN {
            return;
        }
        shown += 1;
        match other {
            None => report.0.push(format!("  only at the source: {}", plan.show(row, keys))),
            Some(other) => {
                report.0.push(format!("  {}", plan.show(row, keys)));
                for ((part, ours), theirs) in
                    plan.parts.iter().zip(row.split(BETWEEN)).zip(other.split(BETWEEN))
                {
                    if ours != theirs {
                        report.0.extend(part.show(ours, theirs));
                    }
                }
            }
        }
    }
    for row in &only_right {
        let known = plan.keys > 0 && only_left.iter().any(|l| plan.key_of(l) == plan.key_of(row));
        if !known && shown < SHOWN {
            shown += 1;
            report.0.push(format!("  only at the target: {}", plan.show(row, keys)));
        }
    }
}

/// What each of two sorted lists has more of.
fn differences<'a>(left: &'a [String], right: &'a [String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut only_left, mut only_right) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        let order = match (left.get(i), right.get(j)) {
            (Some(l), Some(r)) => l.cmp(r),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, _) => std::cmp::Ordering::Greater,
        };
        match order {
            std::cmp::Ordering::Equal => (i, j) = (i + 1, j + 1),
            std::cmp::Ordering::Less => {
                only_left.push(left[i].as_str());
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                only_right.push(right[j].as_str());
                j += 1;
            }
        }
    }
    (only_left, only_right)
}
