//! Tables that come together in one: whether their keys may meet, and what helps.

use std::fmt;

use dm_filter::TableName;

use crate::schema::TableSchema;

/// What is to be said about the keys of tables that come together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeAdvice {
    /// The table at the target.
    pub target: TableName,
    /// Whether keys of different sources may meet there.
    pub danger: KeyDanger,
}

/// Whether rows of different source tables may have the same key at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyDanger {
    /// The structure is not known here.
    Unknown,
    /// There is no unique key that could be violated; rows that are equal are kept apart by count.
    NoKey,
    /// The key is counted up by each source table by itself: the ranges overlap.
    AutoIncrement {
        /// The column.
        column: String,
    },
    /// Values of this key that two source tables both have would meet.
    Key {
        /// The key's name.
        key: String,
        /// Its columns.
        columns: Vec<String>,
    },
    /// Every unique key has a column that the route fills with where the row is from.
    Told,
}

impl MergeAdvice {
    /// Judges by the structure of one of the source tables; `added` are the columns that the route
    /// adds.
    pub fn of(target: TableName, schema: Option<&TableSchema>, added: &[String]) -> Self {
        Self { target, danger: schema.map_or(KeyDanger::Unknown, |s| judge(s, added)) }
    }
}

fn judge(schema: &TableSchema, added: &[String]) -> KeyDanger {
    let told = |key: &crate::schema::Key| added.iter().any(|column| key.has_column(column));
    if schema.unique_keys().next().is_none() {
        return KeyDanger::NoKey;
    }
    let Some(key) = schema.unique_keys().find(|k| !told(k)) else { return KeyDanger::Told };
    let columns: Vec<String> =
        key.parts.iter().filter_map(|p| p.column()).map(str::to_owned).collect();
    let counted =
        columns.iter().find(|c| schema.column(c).is_some_and(|(_, column)| column.auto_increment));
    match counted {
        Some(column) if columns.len() == 1 => KeyDanger::AutoIncrement { column: column.clone() },
        _ => KeyDanger::Key { key: key.name.clone(), columns },
    }
}

/// What is done about keys that meet; every recipe asks for a target table made by hand.
const RECIPES: &str = "Known recipes, each with a target table that you create by hand before the \
     start: (a) the column counts only and means nothing: make its key an ordinary index at the \
     target; (b) it means something: add a column with `extract-table`, `extract-schema` or \
     `extract-source` and put it before the key's columns in the primary key; (c) keep the ranges \
     apart at the sources with auto_increment_increment and auto_increment_offset";

impl fmt::Display for MergeAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.danger {
            KeyDanger::Unknown => write!(
                f,
                "Their keys must not meet: a row whose key is there already stops the copy. {RECIPES}"
            ),
            KeyDanger::NoKey => f.write_str(
                "They have no unique key, so nothing can meet; rows that are equal are kept, each",
            ),
            KeyDanger::AutoIncrement { column } => write!(
                f,
                "Their key ranges overlap: `{column}` is AUTO_INCREMENT, which every table counts up \
                 by itself, and a row whose key is there already stops the copy. {RECIPES}"
            ),
            KeyDanger::Key { key, columns } => write!(
                f,
                "Key `{key}` ({}) must not have a value in two of them: a row whose key is there \
                 already stops the copy. {RECIPES}",
                columns.join(", ")
            ),
            KeyDanger::Told => f.write_str(
                "Every unique key holds a column that the route adds, so that no keys can meet",
            ),
        }
    }
}
