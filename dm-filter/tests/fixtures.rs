//! Runs the truth tables in `fixtures/filter`.
//!
//! A file is a set of rules and the changes that they are asked about; see
//! `fixtures/filter/README.md`. Adding a case needs no Rust.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use dm_filter::{
    BlockAllowList, BlockAllowRules, Chain, Change, ColumnInfo, Columns, CompiledExpr, Date,
    DateTime, EventFilter, EventRule, ExpressionFilter, ExpressionRule, Filter, Interest, Json,
    Row, RowOp, TableName, Time, Timestamp, Value, Verdict, Zone,
};
use serde::Deserialize;
use serde_yaml::Value as Yaml;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fixture {
    /// Where the rules come from and what they show.
    #[serde(rename = "about")]
    _about: String,
    #[serde(default)]
    case_sensitive: bool,
    timezone: Option<String>,
    #[serde(default)]
    block_allow_list: BTreeMap<String, BlockAllowRules>,
    #[serde(default)]
    filters: serde_yaml::Mapping,
    #[serde(default)]
    expression_filter: BTreeMap<String, ExpressionRule>,
    #[serde(default)]
    columns: Vec<Column>,
    #[serde(default)]
    cases: Vec<Case>,
    /// Expressions by themselves, on one row.
    #[serde(default)]
    expressions: Vec<Expression>,
    /// The warnings that the rules deserve, as `kind rule key`.
    lints: Option<Vec<String>>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Column {
    Name(String),
    Full {
        name: String,
        #[serde(default)]
        collation: String,
        #[serde(default)]
        labels: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// `schema.table`, or `[schema, table]` for names with dots.
    table: Option<Name>,
    /// A schema as a whole.
    schema: Option<String>,
    /// For a statement that names several.
    tables: Option<Vec<Name>>,
    /// `insert`, `update`, `delete`, or the name of a DDL event.
    event: Option<String>,
    sql: Option<String>,
    before: Option<Vec<Yaml>>,
    after: Option<Vec<Yaml>>,
    /// `keep`, `drop`, `exclude` or `refuse`.
    verdict: String,
    /// A part of the reason.
    because: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Dotted(String),
    Parts(Vec<String>),
}

impl Name {
    fn table(&self) -> TableName {
        match self {
            Self::Dotted(text) => {
                let (schema, table) = text.split_once('.').expect("schema.table");
                TableName::new(schema, table)
            }
            Self::Parts(parts) => TableName::new(parts[0].as_str(), parts[1].as_str()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expression {
    expr: String,
    #[serde(default)]
    row: Vec<Yaml>,
    /// The value as text; `null` for NULL.
    #[serde(default)]
    is: Option<Yaml>,
    error: Option<String>,
}

/// A cell: a plain scalar, or `{type: value}`.
fn value(yaml: &Yaml) -> Option<Value<'static>> {
    let text = |v: &Yaml| match v {
        Yaml::String(s) => s.clone(),
        other => serde_yaml::to_string(other).unwrap().trim().to_string(),
    };
    Some(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => Value::Int(i64::from(*b)),
        Yaml::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(v), _) => Value::Int(v),
            (None, Some(v)) => Value::UInt(v),
            _ => Value::Double(n.as_f64().unwrap()),
        },
        Yaml::String(s) => Value::Text(s.clone().into()),
        Yaml::Mapping(map) => {
            let (kind, inner) = map.iter().next().unwrap();
            let inner = text(inner);
            match kind.as_str().unwrap() {
                "absent" => return None,
                "uint" => Value::UInt(inner.parse().unwrap()),
                "float" => Value::Float(inner.parse().unwrap()),
                "decimal" => Value::Decimal(inner.into()),
                "bytes" => Value::Bytes(inner.into_bytes().into()),
                "bit" => Value::Bit(inner.parse().unwrap()),
                "year" => Value::Year(inner.parse().unwrap()),
                "enum" => Value::Enum(inner.parse().unwrap()),
                "set" => Value::Set(inner.parse().unwrap()),
                "json" => Value::Json(Json { text: inner.into(), typed: Vec::new() }),
                "timestamp" => Value::Timestamp(Timestamp {
                    seconds: inner.parse().unwrap(),
                    ..Timestamp::default()
                }),
                "date" => Value::Date(date(&inner)),
                "datetime" => {
                    let (day, time) = inner.split_once(' ').unwrap();
                    let t = parts(time, ':');
                    Value::DateTime(DateTime {
                        date: date(day),
                        hour: t[0] as u8,
                        minute: t[1] as u8,
                        second: t[2] as u8,
                        ..DateTime::default()
                    })
                }
                "time" => {
                    let t = parts(inner.trim_start_matches('-'), ':');
                    Value::Time(Time {
                        negative: inner.starts_with('-'),
                        hours: t[0] as u16,
                        minutes: t[1] as u8,
                        seconds: t[2] as u8,
                        ..Time::default()
                    })
                }
                other => panic!("no such type: {other}"),
            }
        }
        other => panic!("no such cell: {other:?}"),
    })
}

fn parts(text: &str, mark: char) -> Vec<u32> {
    text.split(mark).map(|p| p.parse().unwrap()).collect()
}

fn date(text: &str) -> Date {
    let d = parts(text, '-');
    Date { year: d[0] as u16, month: d[1] as u8, day: d[2] as u8 }
}

fn row(cells: &[Yaml]) -> Row<'static> {
    Row::partial(cells.iter().map(value).collect())
}

fn columns(list: &[Column]) -> Columns {
    let info = |column: &Column| match column.clone() {
        Column::Name(name) => ColumnInfo::named(name),
        Column::Full { name, collation, labels } => {
            ColumnInfo { name, collation, labels: Arc::from(labels), ..ColumnInfo::default() }
        }
    };
    Columns::new(list.iter().map(info).collect())
}

fn files() -> Vec<PathBuf> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/filter");
    let entries = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|p| p.extension().is_some_and(|e| e == "yaml") && !p.ends_with("pattern.yaml"))
        .collect();
    files.sort();
    files
}

struct Rules {
    list: Option<BlockAllowList>,
    events: EventFilter,
    expressions: ExpressionFilter,
}

/// `filters` of the fixture, in the order of the file.
fn event_rules(fixture: &Fixture) -> Vec<(String, EventRule)> {
    let rules = fixture.filters.iter();
    rules
        .map(|(name, rule)| {
            let rule = serde_yaml::from_value(rule.clone()).unwrap();
            (name.as_str().unwrap().to_string(), rule)
        })
        .collect()
}

impl Rules {
    fn new(fixture: &Fixture) -> Self {
        let zone = fixture.timezone.as_deref().map_or(Zone::utc(), |z| Zone::parse(z).unwrap());
        let lists = fixture.block_allow_list.iter().next();
        let events = event_rules(fixture);
        let expressions = fixture.expression_filter.iter().map(|(n, r)| (n.as_str(), r));
        Self {
            list: lists
                .map(|(n, r)| BlockAllowList::compile(n, r, fixture.case_sensitive).unwrap()),
            events: EventFilter::compile(
                events.iter().map(|(n, r)| (n.as_str(), r)),
                fixture.case_sensitive,
            )
            .unwrap(),
            expressions: ExpressionFilter::compile(expressions, zone).unwrap(),
        }
    }

    /// The verdict of all filters, and what they say about it.
    fn decide(&self, change: &Change<'_>, name: &TableName) -> (Verdict, String) {
        let mut said = Vec::new();
        let mut verdict = Verdict::Keep;
        if let Some(list) = &self.list {
            said.push(list.explain(name).to_string());
            verdict = verdict.max(list.decide(change));
        }
        if let Change::Ddl(ddl) = change {
            said.push(self.events.judge(name, ddl.event, &ddl.sql).to_string());
        }
        verdict = verdict.max(self.events.decide(change)).max(self.expressions.decide(change));
        if let Verdict::Refuse(refusal) = &verdict {
            said.push(refusal.to_string());
        }
        (verdict, said.join("; "))
    }
}

fn check_case(rules: &Rules, columns: &Columns, case: &Case, at: &str) {
    let names: Vec<TableName> = match (&case.table, &case.schema, &case.tables) {
        (Some(name), None, None) => vec![name.table()],
        (None, Some(schema), None) => vec![TableName::schema_only(schema.as_str())],
        (None, None, Some(names)) => names.iter().map(Name::table).collect(),
        (None, None, None) => Vec::new(),
        _ => panic!("{at}: only one of table, schema and tables"),
    };
    let nameless = TableName::default();
    let first = names.first().unwrap_or(&nameless);
    let image = |cells: &Option<Vec<Yaml>>| cells.as_deref().map(row).unwrap_or_default();
    let (before, after) = (image(&case.before), image(&case.after));
    let change = match case.event.as_deref() {
        Some("insert") => Change::row(first, columns, RowOp::Insert { after }),
        Some("update") => Change::row(first, columns, RowOp::Update { before, after }),
        Some("delete") => Change::row(first, columns, RowOp::Delete { before }),
        event => {
            let event = event.map(|e| e.parse().unwrap());
            Change::ddl(&names, event, case.sql.clone().unwrap_or_default())
        }
    };
    let (verdict, said) = rules.decide(&change, first);
    let word = match verdict {
        Verdict::Keep => "keep",
        Verdict::Drop => "drop",
        Verdict::Exclude => "exclude",
        Verdict::Refuse(_) => "refuse",
    };
    assert_eq!(word, case.verdict, "{at}: {said}");
    if let Some(part) = &case.because {
        assert!(said.contains(part.as_str()), "{at}: `{said}` does not say `{part}`");
    }
    if let (Some(list), Change::Row(_)) = (&rules.list, &change) {
        // What is skipped by interest is what is excluded row by row.
        assert_eq!(list.interest(first) == Interest::Skip, word == "exclude", "{at}");
    }
}

/// What is wrong, if anything is.
fn check_expression(columns: &Columns, zone: &Zone, case: &Expression, at: &str) -> Option<String> {
    let result = CompiledExpr::compile(&case.expr, columns, zone)
        .map_err(|e| e.to_string())
        .and_then(|e| e.value_text(&row(&case.row), columns).map_err(|e| e.to_string()));
    let expected = case.is.as_ref().map(|v| match v {
        Yaml::String(s) => s.clone(),
        other => serde_yaml::to_string(other).unwrap().trim().to_string(),
    });
    let holds = match (&result, &case.error) {
        (Err(error), Some(part)) => error.contains(part.as_str()),
        (Ok(found), None) => *found == expected,
        _ => false,
    };
    let expected = case.error.as_ref().map_or(Ok(expected), |e| Err(e.clone()));
    (!holds).then(|| format!("{at}: found {result:?}, expected {expected:?}"))
}

fn lints(fixture: &Fixture) -> Vec<String> {
    let mut all = Vec::new();
    for (name, rules) in &fixture.block_allow_list {
        all.extend(rules.lint(name, fixture.case_sensitive));
    }
    for (name, rule) in event_rules(fixture) {
        all.extend(rule.lint(&name, fixture.case_sensitive));
    }
    for (name, rule) in &fixture.expression_filter {
        all.extend(rule.lint(name));
    }
    all.iter().map(|l| format!("{:?} {} {}", l.kind, l.rule, l.key).trim().to_string()).collect()
}

#[test]
fn the_truth_tables_hold() {
    let files = files();
    assert!(files.len() >= 8, "only {} fixture files", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let fixture: Fixture =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!fixture.cases.is_empty() || !fixture.expressions.is_empty(), "{name} is empty");
        let rules = Rules::new(&fixture);
        let columns = columns(&fixture.columns);
        for (i, case) in fixture.cases.iter().enumerate() {
            check_case(&rules, &columns, case, &format!("{name}, case {}", i + 1));
        }
        let zone = fixture.timezone.as_deref().map_or(Zone::utc(), |z| Zone::parse(z).unwrap());
        let at = |case: &Expression| format!("{name}, {}", case.expr);
        let wrong = fixture.expressions.iter();
        let wrong: Vec<String> =
            wrong.filter_map(|c| check_expression(&columns, &zone, c, &at(c))).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        if let Some(expected) = &fixture.lints {
            assert_eq!(&lints(&fixture), expected, "{name}");
        }
    }
}

/// The filters of a fixture give the same verdicts in any order.
#[test]
fn the_order_of_filters_does_not_matter() {
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let fixture: Fixture = serde_yaml::from_str(&text).unwrap();
        let Rules { list, events, expressions } = Rules::new(&fixture);
        let list = Arc::new(list.unwrap_or_else(BlockAllowList::allow_all));
        let (events, expressions) = (Arc::new(events), Arc::new(expressions));
        let one = Chain::new()
            .with(Arc::clone(&list))
            .with(Arc::clone(&events))
            .with(Arc::clone(&expressions));
        let other = Chain::new().with(expressions).with(events).with(list);
        let columns = columns(&fixture.columns);
        for case in fixture.cases.iter().filter(|c| c.after.is_some()) {
            let Some(name) = &case.table else { continue };
            let name = name.table();
            let after = row(case.after.as_deref().unwrap_or_default());
            let change = Change::row(&name, &columns, RowOp::Insert { after });
            assert_eq!(one.decide(&change), other.decide(&change));
            assert_eq!(one.interest(&name), other.interest(&name));
        }
    }
}
