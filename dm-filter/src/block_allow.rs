//! The block and allow lists: which schemas and tables are part of the migration.
//!
//! The order of questions is DM's, and the first one that decides ends it:
//!
//! 1. System schemas are never migrated.
//! 2. With `do-dbs`, the schema must match one of them. Without, it must match no `ignore-dbs`.
//! 3. A schema as a whole (`CREATE DATABASE`) has passed now.
//! 4. A table that matches `do-tables` is migrated; one that matches `ignore-tables` is not; any
//!    other one only if there are no `do-tables`.
//!
//! Each entry of a table list is one pair of patterns. DM looks the table part up among the
//! entries of the whole list once some entry has a regular expression for its schema, so that the
//! schema of one entry and the table of another can meet; here they never do.

use std::collections::HashSet;
use std::fmt;

use crate::change::{Change, TableName};
use crate::config::{
    BlockAllowRules, Lint, LintKind, RuleError, RuleErrorKind, TablePattern, pattern_error,
    pattern_lints,
};
use crate::filter::{Filter, Interest, Verdict};
use crate::pattern::{NamePattern, PairPattern, PatternIndex};

/// Schemas of the servers themselves and of TiDB's tools; DM never migrates them.
pub const SYSTEM_SCHEMAS: [&str; 7] = [
    "dm_heartbeat",
    "sys",
    "mysql",
    "information_schema",
    "inspection_schema",
    "performance_schema",
    "metrics_schema",
];

/// True for a schema that belongs to the server, in whatever case it is written.
pub fn is_system_schema(schema: &str) -> bool {
    SYSTEM_SCHEMAS.iter().any(|s| s.eq_ignore_ascii_case(schema))
}

/// A compiled `block-allow-list` entry.
///
/// ```
/// use dm_filter::{BlockAllowList, BlockAllowRules, TableName};
///
/// let rules = BlockAllowRules { do_dbs: vec!["shop_*".into()], ..Default::default() };
/// let list = BlockAllowList::compile("bw-rule", &rules, false).unwrap();
/// assert!(list.allows(&TableName::new("shop_1", "orders")));
/// assert!(!list.allows(&TableName::new("blog", "posts")));
/// ```
#[derive(Clone, Debug)]
pub struct BlockAllowList {
    do_dbs: PatternIndex,
    ignore_dbs: PatternIndex,
    do_tables: PatternIndex,
    ignore_tables: PatternIndex,
}

/// Why a table is, or is not, part of the migration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockAllowReason {
    /// The schema belongs to the server.
    SystemSchema,
    /// There are `do-dbs`, and none of them matches.
    NotInDoDbs,
    /// This entry of `ignore-dbs` matches.
    IgnoredDb(String),
    /// Asked about a schema, which passed the schema lists.
    SchemaPassed,
    /// This entry of `do-tables` matches: patterns of schema and table.
    DoTable(String, String),
    /// This entry of `ignore-tables` matches: patterns of schema and table.
    IgnoredTable(String, String),
    /// There are `do-tables`, and none of them matches.
    NotInDoTables,
    /// No list speaks against it.
    NothingAgainst,
}

impl BlockAllowReason {
    /// True when the table is migrated.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::SchemaPassed | Self::DoTable(..) | Self::NothingAgainst)
    }
}

impl fmt::Display for BlockAllowReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemSchema => f.write_str("system schemas are never migrated"),
            Self::NotInDoDbs => f.write_str("the schema matches none of do-dbs"),
            Self::IgnoredDb(p) => write!(f, "the schema matches `{p}` of ignore-dbs"),
            Self::SchemaPassed => f.write_str("the schema passes do-dbs and ignore-dbs"),
            Self::DoTable(d, t) => write!(f, "the table matches `{d}`.`{t}` of do-tables"),
            Self::IgnoredTable(d, t) => write!(f, "the table matches `{d}`.`{t}` of ignore-tables"),
            Self::NotInDoTables => f.write_str("the table matches none of do-tables"),
            Self::NothingAgainst => f.write_str("no list speaks against it"),
        }
    }
}

impl BlockAllowList {
    /// The list without entries: everything but the system schemas.
    pub fn allow_all() -> Self {
        let none = || PatternIndex::new(Vec::new());
        Self { do_dbs: none(), ignore_dbs: none(), do_tables: none(), ignore_tables: none() }
    }

    /// Compiles a list; `name` is the key it stands under.
    ///
    /// # Errors
    ///
    /// All entries that are empty or no pattern.
    pub fn compile(
        name: &str,
        rules: &BlockAllowRules,
        case_sensitive: bool,
    ) -> Result<Self, Vec<RuleError>> {
        let mut compiler = Compiler { name, case_sensitive, errors: Vec::new() };
        let list = Self {
            do_dbs: compiler.schemas("do-dbs", &rules.do_dbs),
            ignore_dbs: compiler.schemas("ignore-dbs", &rules.ignore_dbs),
            do_tables: compiler.tables("do-tables", &rules.do_tables),
            ignore_tables: compiler.tables("ignore-tables", &rules.ignore_tables),
        };
        if compiler.errors.is_empty() { Ok(list) } else { Err(compiler.errors) }
    }

    /// True when the table, or the schema if `table` is empty, is part of the migration.
    pub fn allows(&self, table: &TableName) -> bool {
        self.explain(table).is_allowed()
    }

    /// The answer of [`BlockAllowList::allows`] and why it is so.
    pub fn explain(&self, name: &TableName) -> BlockAllowReason {
        let TableName { schema, table } = name;
        if is_system_schema(schema) {
            return BlockAllowReason::SystemSchema;
        }
        if !self.do_dbs.is_empty() {
            if self.do_dbs.first(schema, "").is_none() {
                return BlockAllowReason::NotInDoDbs;
            }
        } else if let Some((pattern, _)) = hit(&self.ignore_dbs, schema, "") {
            return BlockAllowReason::IgnoredDb(pattern);
        }
        if table.is_empty() {
            return BlockAllowReason::SchemaPassed;
        }
        if let Some((d, t)) = hit(&self.do_tables, schema, table) {
            return BlockAllowReason::DoTable(d, t);
        }
        if let Some((d, t)) = hit(&self.ignore_tables, schema, table) {
            return BlockAllowReason::IgnoredTable(d, t);
        }
        if self.do_tables.is_empty() {
            BlockAllowReason::NothingAgainst
        } else {
            BlockAllowReason::NotInDoTables
        }
    }
}

/// The texts of the first pattern pair that matches.
fn hit(index: &PatternIndex, schema: &str, table: &str) -> Option<(String, String)> {
    let pair = index.pairs().get(index.first(schema, table)?)?;
    let text = |p: &NamePattern| p.as_str().to_string();
    Some((text(&pair.schema), pair.table.as_ref().map(text).unwrap_or_default()))
}

impl Filter for BlockAllowList {
    /// Rows of a table that is in need no further question. Statements do: they may name another
    /// table that is not.
    fn interest(&self, table: &TableName) -> Interest {
        if self.allows(table) { Interest::Ddl } else { Interest::Skip }
    }

    /// A statement is out as soon as one of the tables that it names is out.
    fn decide(&self, change: &Change<'_>) -> Verdict {
        let allowed = match change {
            Change::Row(row) => self.allows(row.table),
            Change::Ddl(ddl) => ddl.tables.iter().all(|t| self.allows(t)),
        };
        if allowed { Verdict::Keep } else { Verdict::Exclude }
    }
}

/// Collects the errors of all entries.
struct Compiler<'a> {
    name: &'a str,
    case_sensitive: bool,
    errors: Vec<RuleError>,
}

impl Compiler<'_> {
    fn pattern(&mut self, key: String, text: &str) -> Option<NamePattern> {
        match NamePattern::new(text, self.case_sensitive) {
            Ok(pattern) => Some(pattern),
            Err(e) => {
                let kind = RuleErrorKind::BlockAllowList;
                self.errors.push(pattern_error(kind, self.name, &key, text, &e));
                None
            }
        }
    }

    fn schemas(&mut self, key: &str, entries: &[String]) -> PatternIndex {
        let mut pairs = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            if let Some(schema) = self.pattern(format!("{key}[{i}]"), entry) {
                pairs.push(PairPattern { schema, table: None });
            }
        }
        PatternIndex::new(pairs)
    }

    fn tables(&mut self, key: &str, entries: &[TablePattern]) -> PatternIndex {
        let mut pairs = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            let schema = self.pattern(format!("{key}[{i}].db-name"), &entry.db_name);
            let table = self.pattern(format!("{key}[{i}].tbl-name"), &entry.tbl_name);
            if let (Some(schema), Some(table)) = (schema, table) {
                pairs.push(PairPattern { schema, table: Some(table) });
            }
        }
        PatternIndex::new(pairs)
    }
}

impl BlockAllowRules {
    /// What is wrong with the entries; the same as [`BlockAllowList::compile`] reports.
    pub fn validate(&self, name: &str) -> Vec<RuleError> {
        BlockAllowList::compile(name, self, true).err().unwrap_or_default()
    }

    /// What works, but may mean something else than it seems to.
    pub fn lint(&self, name: &str, case_sensitive: bool) -> Vec<Lint> {
        let mut lints = Vec::new();
        for (key, list) in [("do-dbs", &self.do_dbs), ("ignore-dbs", &self.ignore_dbs)] {
            for (i, text) in list.iter().enumerate() {
                let key = format!("{key}[{i}]");
                pattern_lints(name, &key, text, case_sensitive, &mut lints);
                if list.iter().take(i).any(|earlier| earlier == text) {
                    lints.push(duplicate(name, key, text));
                }
            }
        }
        let tables = [("do-tables", &self.do_tables), ("ignore-tables", &self.ignore_tables)];
        for (key, list) in tables {
            let mut seen = HashSet::new();
            for (i, entry) in list.iter().enumerate() {
                let place = |part: &str| format!("{key}[{i}].{part}");
                let (db, tbl) = (&entry.db_name, &entry.tbl_name);
                pattern_lints(name, &place("db-name"), db, case_sensitive, &mut lints);
                pattern_lints(name, &place("tbl-name"), tbl, case_sensitive, &mut lints);
                if !seen.insert(entry) {
                    lints.push(duplicate(name, format!("{key}[{i}]"), &format!("{db}.{tbl}")));
                }
            }
        }
        self.lint_hidden(name, &mut lints);
        self.lint_unreachable(name, case_sensitive, &mut lints);
        lints
    }

    /// Lists that are not looked at because of another list.
    fn lint_hidden(&self, name: &str, lints: &mut Vec<Lint>) {
        let mut hidden = |key: &str, by: &str| {
            lints.push(Lint {
                kind: LintKind::Hidden,
                rule: name.to_string(),
                key: key.to_string(),
                found: format!("{key} beside {by}"),
                message: format!("with {by}, everything that it does not match is left out; {key} changes nothing"),
            });
        };
        if !self.do_dbs.is_empty() && !self.ignore_dbs.is_empty() {
            hidden("ignore-dbs", "do-dbs");
        }
        if !self.do_tables.is_empty() && !self.ignore_tables.is_empty() {
            hidden("ignore-tables", "do-tables");
        }
    }

    /// Entries about schemas that an earlier question has already left out.
    fn lint_unreachable(&self, name: &str, case_sensitive: bool, lints: &mut Vec<Lint>) {
        let schemas_only = Self {
            do_dbs: self.do_dbs.clone(),
            ignore_dbs: self.ignore_dbs.clone(),
            ..Self::default()
        };
        let Ok(schemas) = BlockAllowList::compile(name, &schemas_only, case_sensitive) else {
            return;
        };
        let literal = |text: &str| NamePattern::new(text, true).is_ok_and(|p| p.is_literal());
        let mut never = |key: String, found: &str, reason: &BlockAllowReason| {
            lints.push(Lint {
                kind: LintKind::NeverMatches,
                rule: name.to_string(),
                key,
                found: found.to_string(),
                message: format!("this entry can never match: {reason}"),
            });
        };
        for (i, text) in self.do_dbs.iter().enumerate() {
            if is_system_schema(text) {
                never(format!("do-dbs[{i}]"), text, &BlockAllowReason::SystemSchema);
            }
        }
        for (key, list) in [("do-tables", &self.do_tables), ("ignore-tables", &self.ignore_tables)]
        {
            for (i, entry) in list.iter().enumerate().filter(|(_, e)| literal(&e.db_name)) {
                let reason = schemas.explain(&TableName::schema_only(entry.db_name.as_str()));
                if !reason.is_allowed() {
                    never(format!("{key}[{i}].db-name"), &entry.db_name, &reason);
                }
            }
        }
    }
}

fn duplicate(rule: &str, key: String, found: &str) -> Lint {
    Lint {
        kind: LintKind::Duplicate,
        rule: rule.to_string(),
        key,
        found: found.to_string(),
        message: "the same entry stands there already".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TablePattern;

    fn pair(db: &str, tbl: &str) -> TablePattern {
        TablePattern { db_name: db.into(), tbl_name: tbl.into() }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_errors_are_reported_with_their_place() {
        let rules = BlockAllowRules {
            do_dbs: strings(&["", "ok"]),
            ignore_dbs: strings(&["a*b"]),
            do_tables: vec![pair("x", ""), pair("~(", "y")],
            ..Default::default()
        };
        let errors = rules.validate("r");
        let places: Vec<_> = errors.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(
            places,
            ["do-dbs[0]", "ignore-dbs[0]", "do-tables[0].tbl-name", "do-tables[1].db-name"]
        );
        assert!(errors.iter().all(|e| e.kind == RuleErrorKind::BlockAllowList && e.rule == "r"));
    }

    #[test]
    fn a_schema_of_one_entry_never_meets_the_table_of_another() {
        let rules = BlockAllowRules {
            do_tables: vec![pair("~^a$", "x"), pair("~^b$", "y")],
            ..Default::default()
        };
        let list = BlockAllowList::compile("r", &rules, false).unwrap();
        assert!(list.allows(&TableName::new("a", "x")));
        assert!(!list.allows(&TableName::new("a", "y")));
    }

    #[test]
    fn a_statement_is_out_with_one_of_its_tables() {
        let rules = BlockAllowRules { ignore_dbs: strings(&["tmp"]), ..Default::default() };
        let list = BlockAllowList::compile("r", &rules, false).unwrap();
        let tables = [TableName::new("a", "t"), TableName::new("tmp", "t")];
        assert_eq!(list.decide(&Change::ddl(&tables, None, "DROP TABLE ...")), Verdict::Exclude);
        assert_eq!(list.decide(&Change::ddl(&tables[..1], None, "DROP ...")), Verdict::Keep);
        assert_eq!(list.interest(&tables[0]), Interest::Ddl);
        assert_eq!(list.interest(&tables[1]), Interest::Skip);
    }

    #[test]
    fn doubtful_lists_are_pointed_out() {
        let rules = BlockAllowRules {
            do_dbs: strings(&["forum", "test.*", "forum", "MySQL"]),
            ignore_dbs: strings(&["x"]),
            do_tables: vec![pair("logs", "a"), pair("forum", "t[0-63]")],
            ignore_tables: vec![pair("forum", "b")],
        };
        let found: Vec<_> = rules.lint("r", false).into_iter().map(|l| (l.kind, l.key)).collect();
        let expected = [
            (LintKind::LooksLikeRegex, "do-dbs[1]"),
            (LintKind::Duplicate, "do-dbs[2]"),
            (LintKind::NumberRange, "do-tables[1].tbl-name"),
            (LintKind::Hidden, "ignore-dbs"),
            (LintKind::Hidden, "ignore-tables"),
            (LintKind::NeverMatches, "do-dbs[3]"),
            (LintKind::NeverMatches, "do-tables[0].db-name"),
        ];
        assert_eq!(found, expected.map(|(k, p)| (k, p.to_string())));
        assert!(BlockAllowRules::default().lint("r", false).is_empty());
    }
}
