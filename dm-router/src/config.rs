//! Routes as they are written in a task file, the errors of a wrong route, and its warnings.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// YAML's empty value (`target-table:`) counts as the key's default, as DM reads it.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// `routes.<name>`: where the tables that match go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct RouteRule {
    /// `schema-pattern`: pattern of the source schema, required.
    #[serde(deserialize_with = "or_default")]
    pub schema_pattern: String,
    /// `table-pattern`: pattern of the source table; empty for a rule about whole schemas.
    #[serde(deserialize_with = "or_default")]
    pub table_pattern: String,
    /// `target-schema`: required.
    #[serde(deserialize_with = "or_default")]
    pub target_schema: String,
    /// `target-table`: empty to keep the table's own name.
    #[serde(deserialize_with = "or_default")]
    pub target_table: String,
    /// `extract-table`: a column filled from the source table's name.
    pub extract_table: Option<ExtractTable>,
    /// `extract-schema`: a column filled from the source schema's name.
    pub extract_schema: Option<ExtractSchema>,
    /// `extract-source`: a column filled from the source's id.
    pub extract_source: Option<ExtractSource>,
    /// `columns`: which columns are carried; an extension that DM does not have.
    pub columns: Option<ColumnsRule>,
}

/// `extract-table`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ExtractTable {
    /// `table-regexp`: its capture groups, joined, are the value.
    #[serde(deserialize_with = "or_default")]
    pub table_regexp: String,
    /// `target-column`: the column at the target, required.
    #[serde(deserialize_with = "or_default")]
    pub target_column: String,
}

/// `extract-schema`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ExtractSchema {
    /// `schema-regexp`: its capture groups, joined, are the value.
    #[serde(deserialize_with = "or_default")]
    pub schema_regexp: String,
    /// `target-column`: the column at the target, required.
    #[serde(deserialize_with = "or_default")]
    pub target_column: String,
}

/// `extract-source`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ExtractSource {
    /// `source-regexp`: its capture groups, joined, are the value.
    #[serde(deserialize_with = "or_default")]
    pub source_regexp: String,
    /// `target-column`: the column at the target, required.
    #[serde(deserialize_with = "or_default")]
    pub target_column: String,
}

/// `columns`: exactly one of `include` and `exclude`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ColumnsRule {
    /// `include`: only these columns are carried.
    pub include: Option<Vec<String>>,
    /// `exclude`: all but these columns are carried.
    pub exclude: Option<Vec<String>>,
}

/// A route that cannot be used (DM's 20045), with what was found and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("route `{rule}`, key `{key}`: found {found}, expected {expected}")]
pub struct RouteRuleError {
    /// The route's name in the task file.
    pub rule: String,
    /// The key inside the route: `extract-table.table-regexp`.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

/// Why a route deserves a second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteLintKind {
    /// A number range inside brackets: `[0-63]` means one of the characters 0 to 6, or 3.
    NumberRange,
    /// A pattern ends with `.*` as if it were a regular expression.
    LooksLikeRegex,
    /// The route can never match.
    NeverMatches,
    /// Another route has the same patterns, so that both always match together.
    Duplicate,
    /// An extract rule without a capture group: its column is always empty.
    EmptyExtract,
    /// A rule about schemas that sends all their tables into one.
    SchemaIntoTable,
}

/// A warning about a route that works but may not mean what its author meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteLint {
    /// What kind of doubt this is.
    pub kind: RouteLintKind,
    /// The route's name in the task file.
    pub rule: String,
    /// The key inside the route.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What it means, and what may have been meant.
    pub message: String,
}

impl fmt::Display for RouteLint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route `{}`, key `{}`, `{}`: {}", self.rule, self.key, self.found, self.message)
    }
}
