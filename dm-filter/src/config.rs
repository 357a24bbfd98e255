//! The rules as they are written in a task file, the errors of a wrong rule, and its warnings.
//!
//! The structs carry what was typed and nothing more; `compile` of each filter turns them into
//! something that can judge. A rule's name is the key it stands under, so callers pass it along.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::pattern::{NamePattern, PatternDoubt, PatternError};

/// YAML's empty value (`do-dbs:`) counts as the key's default, as DM reads it.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// `block-allow-list.<name>`: which schemas and tables take part in the migration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct BlockAllowRules {
    /// `do-dbs`: patterns of the schemas that are migrated; when empty, all are.
    #[serde(deserialize_with = "or_default")]
    pub do_dbs: Vec<String>,
    /// `ignore-dbs`: patterns of the schemas that are not; looked at only without `do-dbs`.
    #[serde(deserialize_with = "or_default")]
    pub ignore_dbs: Vec<String>,
    /// `do-tables`: patterns of the tables that are migrated; when empty, all are.
    #[serde(deserialize_with = "or_default")]
    pub do_tables: Vec<TablePattern>,
    /// `ignore-tables`: patterns of the tables that are not.
    #[serde(deserialize_with = "or_default")]
    pub ignore_tables: Vec<TablePattern>,
}

/// An entry of `do-tables` or `ignore-tables`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct TablePattern {
    /// `db-name`: pattern of the schema, required.
    #[serde(deserialize_with = "or_default")]
    pub db_name: String,
    /// `tbl-name`: pattern of the table, required.
    #[serde(deserialize_with = "or_default")]
    pub tbl_name: String,
}

/// `filters.<name>`: which kinds of events of a table are migrated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct EventRule {
    /// `schema-pattern`: pattern of the schema, required.
    #[serde(deserialize_with = "or_default")]
    pub schema_pattern: String,
    /// `table-pattern`: pattern of the table; empty for the whole schema.
    #[serde(deserialize_with = "or_default")]
    pub table_pattern: String,
    /// `events`: names of events and groups, in order; the first that fits decides.
    #[serde(deserialize_with = "or_default")]
    pub events: Vec<String>,
    /// `sql-pattern`: regular expressions that are searched for in the statement's text.
    #[serde(deserialize_with = "or_default")]
    pub sql_pattern: Vec<String>,
    /// `action`: `Do`, `Ignore` or `Error`.
    #[serde(deserialize_with = "or_default")]
    pub action: String,
}

/// `expression-filter.<name>`: rows of one table that are not migrated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ExpressionRule {
    /// `schema`: the schema, a name and no pattern; required.
    #[serde(deserialize_with = "or_default")]
    pub schema: String,
    /// `table`: the table, a name and no pattern; required.
    #[serde(deserialize_with = "or_default")]
    pub table: String,
    /// `insert-value-expr`: true for inserted rows to leave out.
    #[serde(deserialize_with = "or_default")]
    pub insert_value_expr: String,
    /// `update-old-value-expr`: about the row before an update.
    #[serde(deserialize_with = "or_default")]
    pub update_old_value_expr: String,
    /// `update-new-value-expr`: about the row after an update.
    #[serde(deserialize_with = "or_default")]
    pub update_new_value_expr: String,
    /// `delete-value-expr`: true for deleted rows to leave at the target.
    #[serde(deserialize_with = "or_default")]
    pub delete_value_expr: String,
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuleErrorKind {
    /// A block-allow-list cannot be built (DM's 20044).
    BlockAllowList,
    /// A binlog event filter cannot be built (DM's 20037).
    EventFilter,
    /// An expression filter mixes insert, update and delete (DM's 20039).
    MixedExpressions,
    /// An expression cannot be read (DM's 20041).
    ExpressionGrammar,
    /// An expression filter names no schema or no table (DM's 20042).
    ExpressionTable,
}

/// A rule that cannot be used, with what was found and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{rule}`, key `{key}`: found {found}, expected {expected}")]
pub struct RuleError {
    /// What kind of error this is.
    pub kind: RuleErrorKind,
    /// The rule's name in the task file.
    pub rule: String,
    /// The key inside the rule, with an index in lists: `do-tables[1].tbl-name`.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

/// Why a rule deserves a second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LintKind {
    /// A number range inside brackets: `[0-63]` means one of the characters 0 to 6, or 3.
    NumberRange,
    /// A pattern ends with `.*` as if it were a regular expression.
    LooksLikeRegex,
    /// The rule, or a part of it, can never match.
    NeverMatches,
    /// The same entry stands there twice.
    Duplicate,
    /// A key or entry is not looked at because another one decides before it.
    Hidden,
    /// The rule lets nothing pass.
    BlocksAll,
}

/// A warning about a rule that works but may not mean what its author meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// What kind of doubt this is.
    pub kind: LintKind,
    /// The rule's name in the task file.
    pub rule: String,
    /// The key inside the rule.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What it means, and what may have been meant.
    pub message: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, key `{}`, `{}`: {}", self.rule, self.key, self.found, self.message)
    }
}

/// The error of a text that is no pattern.
pub(crate) fn pattern_error(
    kind: RuleErrorKind,
    rule: &str,
    key: &str,
    text: &str,
    error: &PatternError,
) -> RuleError {
    let expected = match error {
        PatternError::Empty => "a name or a pattern".to_string(),
        PatternError::StarNotLast(_) => {
            "a pattern with `*` as its last character only, or `~` and a regular expression"
                .to_string()
        }
        PatternError::Regex(_, why) => format!("a regular expression after `~` ({why})"),
    };
    RuleError {
        kind,
        rule: rule.to_string(),
        key: key.to_string(),
        found: format!("`{text}`"),
        expected,
    }
}

/// Adds the warnings that a pattern deserves.
pub(crate) fn pattern_lints(
    rule: &str,
    key: &str,
    text: &str,
    case_sensitive: bool,
    lints: &mut Vec<Lint>,
) {
    let Ok(pattern) = NamePattern::new(text, case_sensitive) else { return };
    lints.extend(pattern.doubts().into_iter().map(|doubt| Lint {
        kind: match doubt {
            PatternDoubt::NumberRange => LintKind::NumberRange,
            PatternDoubt::LooksLikeRegex => LintKind::LooksLikeRegex,
            PatternDoubt::NeverMatches => LintKind::NeverMatches,
        },
        rule: rule.to_string(),
        key: key.to_string(),
        found: text.to_string(),
        message: doubt.advice().to_string(),
    }));
}
