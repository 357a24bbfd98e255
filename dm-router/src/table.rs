//! Routes as DM means them: rules with patterns, of which exactly one decides.
//!
//! A table is asked of the rules about tables (those with a `table-pattern`) first; if none
//! matches, or a schema is asked about, the rules about schemas answer. More than one match on the
//! level that answers is an error: order and specificity decide nothing, so that a task file
//! cannot change its meaning by being sorted. Without a match the name stays as it is.

use crate::config::{ColumnsRule, RouteLint, RouteLintKind, RouteRule, RouteRuleError};
use crate::extract::{Extractor, Subject};
use crate::pattern::{NamePattern, PairPattern, PatternDoubt, PatternError, PatternIndex};
use crate::router::{ColumnChoice, ExtraColumn, RouteError, Router, Target};

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    target_schema: String,
    target_table: String,
    extractors: Vec<Extractor>,
    columns: ColumnChoice,
}

/// The compiled `routes` of one source.
///
/// ```
/// use dm_router::{RouteRule, Router, TableRouter};
///
/// let rule = RouteRule {
///     schema_pattern: "shop_*".into(),
///     table_pattern: "orders_*".into(),
///     target_schema: "shop".into(),
///     target_table: "orders".into(),
///     ..RouteRule::default()
/// };
/// let router = TableRouter::compile([("merge", &rule)], false).unwrap();
/// let target = router.route("source-1", "shop_1", "orders_17").unwrap();
/// assert_eq!((target.schema.as_str(), target.table.as_str()), ("shop", "orders"));
/// assert_eq!(target.rule.as_deref(), Some("merge"));
/// ```
#[derive(Clone, Debug)]
pub struct TableRouter {
    table_index: PatternIndex,
    table_rules: Vec<Rule>,
    schema_index: PatternIndex,
    schema_rules: Vec<Rule>,
}

impl TableRouter {
    /// Compiles routes, given with their names.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them.
    pub fn compile<'a>(
        rules: impl IntoIterator<Item = (&'a str, &'a RouteRule)>,
        case_sensitive: bool,
    ) -> Result<Self, Vec<RouteRuleError>> {
        let mut errors = Vec::new();
        let mut tables = (Vec::new(), Vec::new());
        let mut schemas = (Vec::new(), Vec::new());
        for (name, rule) in rules {
            if let Some((pair, rule)) = compile_rule(name, rule, case_sensitive, &mut errors) {
                let level = if pair.table.is_some() { &mut tables } else { &mut schemas };
                level.0.push(pair);
                level.1.push(rule);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            table_index: PatternIndex::new(tables.0),
            table_rules: tables.1,
            schema_index: PatternIndex::new(schemas.0),
            schema_rules: schemas.1,
        })
    }

    /// The names of all rules that match on the level that answers: none when the name stays, one
    /// when the route is clear, more when it is not.
    pub fn explain(&self, schema: &str, table: &str) -> Vec<&str> {
        self.answering(schema, table).iter().map(|r| r.name.as_str()).collect()
    }

    fn answering(&self, schema: &str, table: &str) -> Vec<&Rule> {
        if !table.is_empty() {
            let found = self.table_index.matches(schema, table);
            if !found.is_empty() {
                return found.iter().filter_map(|i| self.table_rules.get(*i)).collect();
            }
        }
        let found = self.schema_index.matches(schema, "");
        found.iter().filter_map(|i| self.schema_rules.get(*i)).collect()
    }
}

impl Router for TableRouter {
    fn route(&self, source: &str, schema: &str, table: &str) -> Result<Target, RouteError> {
        let rules = self.answering(schema, table);
        let rule = match rules.as_slice() {
            [] => return Ok(Target::new(schema, table)),
            [single] => single,
            several => {
                return Err(RouteError::Ambiguous {
                    schema: schema.to_string(),
                    table: table.to_string(),
                    rules: several.iter().map(|r| r.name.clone()).collect(),
                });
            }
        };
        let mut target = Target::new(rule.target_schema.as_str(), table);
        target.rule = Some(rule.name.clone());
        if !table.is_empty() {
            if !rule.target_table.is_empty() {
                target.table.clone_from(&rule.target_table);
            }
            target.columns = rule.columns.clone();
            target.extra = rule
                .extractors
                .iter()
                .map(|e| ExtraColumn {
                    name: e.column.clone(),
                    value: e.value(source, schema, table),
                })
                .collect();
        }
        Ok(target)
    }
}

impl RouteRule {
    /// What is wrong with this route; `name` is the key that it stands under.
    pub fn validate(&self, name: &str) -> Vec<RouteRuleError> {
        let mut errors = Vec::new();
        compile_rule(name, self, true, &mut errors);
        errors
    }

    /// What works, but may mean something else than it seems to.
    pub fn lint(&self, name: &str, case_sensitive: bool) -> Vec<RouteLint> {
        let mut lints = Vec::new();
        let mut add = |kind, key: &str, found: &str, message: &str| {
            let (rule, key, found) = (name.to_string(), key.to_string(), found.to_string());
            lints.push(RouteLint { kind, rule, key, found, message: message.to_string() });
        };
        let patterns =
            [("schema-pattern", &self.schema_pattern), ("table-pattern", &self.table_pattern)];
        for (key, text) in patterns {
            let Ok(pattern) = NamePattern::new(text, case_sensitive) else { continue };
            for doubt in pattern.doubts() {
                let kind = match doubt {
                    PatternDoubt::NumberRange => RouteLintKind::NumberRange,
                    PatternDoubt::LooksLikeRegex => RouteLintKind::LooksLikeRegex,
                    PatternDoubt::NeverMatches => RouteLintKind::NeverMatches,
                };
                add(kind, key, text, doubt.advice());
            }
        }
        for (key, text) in self.extracted_from() {
            if regex::Regex::new(text).is_ok_and(|r| r.captures_len() < 2) {
                let advice = "the column is filled from the groups in (parentheses), and there is \
                              none, so it is always empty";
                add(RouteLintKind::EmptyExtract, key, text, advice);
            }
        }
        if self.table_pattern.is_empty() && !self.target_table.is_empty() {
            let advice = "the rule is about schemas and names one target table, so every table of \
                          the schema that no other rule catches goes into it";
            add(RouteLintKind::SchemaIntoTable, "target-table", &self.target_table, advice);
        }
        lints
    }

    fn extracted_from(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let table = self.extract_table.as_ref();
        let schema = self.extract_schema.as_ref();
        let source = self.extract_source.as_ref();
        [
            table.map(|e| ("extract-table.table-regexp", e.table_regexp.as_str())),
            schema.map(|e| ("extract-schema.schema-regexp", e.schema_regexp.as_str())),
            source.map(|e| ("extract-source.source-regexp", e.source_regexp.as_str())),
        ]
        .into_iter()
        .flatten()
    }
}

/// Warnings about routes beside each other: the same patterns twice.
pub fn lint_routes<'a>(
    rules: impl IntoIterator<Item = (&'a str, &'a RouteRule)>,
    case_sensitive: bool,
) -> Vec<RouteLint> {
    let mut lints = Vec::new();
    let mut seen: std::collections::HashMap<(String, String), &str> = Default::default();
    for (name, rule) in rules {
        lints.extend(rule.lint(name, case_sensitive));
        let fold = |s: &str| if case_sensitive { s.to_string() } else { s.to_lowercase() };
        let key = (fold(&rule.schema_pattern), fold(&rule.table_pattern));
        if let Some(first) = seen.insert(key, name) {
            lints.push(RouteLint {
                kind: RouteLintKind::Duplicate,
                rule: name.to_string(),
                key: "schema-pattern, table-pattern".to_string(),
                found: format!("{}.{}", rule.schema_pattern, rule.table_pattern),
                message: format!(
                    "route `{first}` has the same patterns, so whatever one matches both match, \
                     which is an error"
                ),
            });
        }
    }
    lints
}

/// Collects the errors of one route.
struct Checker<'a> {
    rule: &'a str,
    errors: &'a mut Vec<RouteRuleError>,
}

impl Checker<'_> {
    fn error(&mut self, key: &str, found: &str, expected: impl Into<String>) {
        self.errors.push(RouteRuleError {
            rule: self.rule.to_string(),
            key: key.to_string(),
            found: format!("`{found}`"),
            expected: expected.into(),
        });
    }

    fn pattern(&mut self, key: &str, text: &str, case_sensitive: bool) -> Option<NamePattern> {
        let expected = match NamePattern::new(text, case_sensitive) {
            Ok(pattern) => return Some(pattern),
            Err(PatternError::Empty) => "a name or a pattern".to_string(),
            Err(PatternError::StarNotLast(_)) => {
                "a pattern with `*` as its last character only, or `~` and a regular expression"
                    .to_string()
            }
            Err(PatternError::Regex(_, why)) => format!("a regular expression after `~` ({why})"),
        };
        self.error(key, text, expected);
        None
    }

    fn extractor(
        &mut self,
        subject: Subject,
        (regex_key, regex): (&str, &str),
        (column_key, column): (&str, &str),
    ) -> Option<Extractor> {
        if column.is_empty() {
            self.error(column_key, column, "the name of a column at the target");
        }
        match Extractor::new(subject, regex, column) {
            Ok(extractor) => Some(extractor),
            Err(e) => {
                self.error(regex_key, regex, format!("a regular expression ({e})"));
                None
            }
        }
    }

    fn extractors(&mut self, rule: &RouteRule) -> Vec<Extractor> {
        let mut found = Vec::new();
        if let Some(e) = &rule.extract_table {
            found.extend(self.extractor(
                Subject::Table,
                ("extract-table.table-regexp", &e.table_regexp),
                ("extract-table.target-column", &e.target_column),
            ));
        }
        if let Some(e) = &rule.extract_schema {
            found.extend(self.extractor(
                Subject::Schema,
                ("extract-schema.schema-regexp", &e.schema_regexp),
                ("extract-schema.target-column", &e.target_column),
            ));
        }
        if let Some(e) = &rule.extract_source {
            found.extend(self.extractor(
                Subject::Source,
                ("extract-source.source-regexp", &e.source_regexp),
                ("extract-source.target-column", &e.target_column),
            ));
        }
        for (i, e) in found.iter().enumerate() {
            let same = |other: &Extractor| other.column.to_lowercase() == e.column.to_lowercase();
            if !e.column.is_empty() && found.iter().take(i).any(same) {
                self.error("target-column", &e.column, "a different column for each extract rule");
            }
        }
        found
    }

    fn columns(&mut self, rule: &ColumnsRule, extractors: &[Extractor]) -> ColumnChoice {
        let (key, list, include) = match (&rule.include, &rule.exclude) {
            (Some(list), None) => ("columns.include", list, true),
            (None, Some(list)) => ("columns.exclude", list, false),
            (Some(_), Some(_)) => {
                self.error("columns", "include and exclude", "only one of the two");
                return ColumnChoice::All;
            }
            (None, None) => {
                self.error("columns", "neither", "`include` or `exclude`");
                return ColumnChoice::All;
            }
        };
        if list.is_empty() {
            self.error(key, "[]", "at least one column");
        }
        for (i, column) in list.iter().enumerate() {
            let place = format!("{key}[{i}]");
            let lower = column.to_lowercase();
            if column.is_empty() {
                self.error(&place, column, "the name of a column");
            } else if list.iter().take(i).any(|c| c.to_lowercase() == lower) {
                self.error(&place, column, "each column only once");
            } else if include && extractors.iter().any(|e| e.column.to_lowercase() == lower) {
                self.error(&place, column, "no column that an extract rule of the route fills");
            }
        }
        if include {
            ColumnChoice::Include(list.clone())
        } else {
            ColumnChoice::Exclude(list.clone())
        }
    }
}

fn compile_rule(
    name: &str,
    rule: &RouteRule,
    case_sensitive: bool,
    errors: &mut Vec<RouteRuleError>,
) -> Option<(PairPattern, Rule)> {
    let before = errors.len();
    let mut checker = Checker { rule: name, errors };
    let schema = checker.pattern("schema-pattern", &rule.schema_pattern, case_sensitive);
    let table = match rule.table_pattern.as_str() {
        "" => None,
        text => checker.pattern("table-pattern", text, case_sensitive),
    };
    if rule.target_schema.is_empty() {
        checker.error("target-schema", "", "the name of a schema at the target");
    }
    let extractors = checker.extractors(rule);
    let columns = match &rule.columns {
        Some(columns) => checker.columns(columns, &extractors),
        None => ColumnChoice::All,
    };
    let schema = schema.filter(|_| errors.len() == before)?;
    let rule = Rule {
        name: name.to_string(),
        target_schema: rule.target_schema.clone(),
        target_table: rule.target_table.clone(),
        extractors,
        columns,
    };
    Some((PairPattern { schema, table }, rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ExtractSchema, ExtractSource, ExtractTable};

    fn rule(schema: &str, table: &str, to_schema: &str, to_table: &str) -> RouteRule {
        RouteRule {
            schema_pattern: schema.into(),
            table_pattern: table.into(),
            target_schema: to_schema.into(),
            target_table: to_table.into(),
            ..RouteRule::default()
        }
    }

    #[test]
    fn every_error_of_a_route_is_reported() {
        let bad = RouteRule {
            schema_pattern: String::new(),
            table_pattern: "a*b".into(),
            extract_table: Some(ExtractTable::default()),
            extract_source: Some(ExtractSource {
                source_regexp: "(".into(),
                target_column: "c".into(),
            }),
            columns: Some(ColumnsRule::default()),
            ..RouteRule::default()
        };
        let keys: Vec<_> = bad.validate("r").into_iter().map(|e| e.key).collect();
        assert_eq!(
            keys,
            [
                "schema-pattern",
                "table-pattern",
                "target-schema",
                "extract-table.target-column",
                "extract-source.source-regexp",
                "columns"
            ]
        );
    }

    #[test]
    fn columns_are_checked_against_extracted_ones() {
        let mut r = rule("s", "t", "x", "y");
        r.extract_table =
            Some(ExtractTable { table_regexp: "(.*)".into(), target_column: "Shard".into() });
        r.columns = Some(ColumnsRule {
            include: Some(vec!["id".into(), "ID".into(), "shard".into()]),
            exclude: None,
        });
        let keys: Vec<_> = r.validate("r").into_iter().map(|e| e.key).collect();
        assert_eq!(keys, ["columns.include[1]", "columns.include[2]"]);
    }

    #[test]
    fn extracted_columns_come_in_dms_order() {
        let mut r = rule("shop_*", "o_*", "shop", "o");
        r.extract_source =
            Some(ExtractSource { source_regexp: "(.*)-(.*)".into(), target_column: "src".into() });
        r.extract_schema =
            Some(ExtractSchema { schema_regexp: "shop_(.*)".into(), target_column: "sch".into() });
        r.extract_table =
            Some(ExtractTable { table_regexp: "x_(.*)".into(), target_column: "tbl".into() });
        let router = TableRouter::compile([("r", &r)], false).unwrap();
        let target = router.route("dc-7", "shop_A", "o_1").unwrap();
        let extra: Vec<_> =
            target.extra.iter().map(|e| (e.name.as_str(), e.value.as_str())).collect();
        assert_eq!(extra, [("tbl", ""), ("sch", "A"), ("src", "dc7")]);
        assert!(router.route("dc-7", "shop_A", "").unwrap().extra.is_empty());
    }

    #[test]
    fn doubtful_routes_are_pointed_out() {
        let mut a = rule("test.*", "t[0-63]", "s", "t");
        a.extract_table =
            Some(ExtractTable { table_regexp: "t_.*".into(), target_column: "c".into() });
        let b = rule("x", "", "y", "z");
        let c = rule("X", "", "w", "");
        let kinds: Vec<_> = lint_routes([("a", &a), ("b", &b), ("c", &c)], false)
            .into_iter()
            .map(|l| (l.rule, l.kind))
            .collect();
        let expected = [
            ("a", RouteLintKind::LooksLikeRegex),
            ("a", RouteLintKind::NumberRange),
            ("a", RouteLintKind::EmptyExtract),
            ("b", RouteLintKind::SchemaIntoTable),
            ("c", RouteLintKind::Duplicate),
        ];
        assert_eq!(kinds, expected.map(|(r, k)| (r.to_string(), k)));
    }

    #[test]
    fn the_two_crates_read_patterns_alike() {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pattern.rs");
        let other = concat!(env!("CARGO_MANIFEST_DIR"), "/../dm-filter/src/pattern.rs");
        // Outside the workspace there is no second copy to differ from.
        if let Ok(other) = std::fs::read_to_string(other) {
            assert_eq!(std::fs::read_to_string(own).unwrap(), other, "copy the newer one");
        }
    }
}
