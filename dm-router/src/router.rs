//! The `Router` trait: where a table goes.

/// Where a source table's rows and statements go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// Target schema.
    pub schema: String,
    /// Target table; empty when a whole schema was asked about.
    pub table: String,
    /// Columns that the route adds to every row, in order: name and value.
    pub extra: Vec<ExtraColumn>,
    /// Which of the source's columns are carried.
    pub columns: ColumnChoice,
    /// The rule that decided; `None` when no rule matched and the name stays as it is.
    pub rule: Option<String>,
}

impl Target {
    /// A target without added columns, carrying every column.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            table: table.into(),
            extra: Vec::new(),
            columns: ColumnChoice::All,
            rule: None,
        }
    }
}

/// A column that a route adds, filled from the source's table, schema or source name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExtraColumn {
    /// Name of the column at the target.
    pub name: String,
    /// Its value for all rows of this source table.
    pub value: String,
}

/// Which columns a route carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColumnChoice {
    /// Every column.
    #[default]
    All,
    /// Only these.
    Include(Vec<String>),
    /// All but these.
    Exclude(Vec<String>),
}

impl ColumnChoice {
    /// True when a column of the source is carried; names compare without regard to case.
    pub fn carries(&self, column: &str) -> bool {
        let lower = column.to_lowercase();
        let listed = |list: &[String]| list.iter().any(|c| c.to_lowercase() == lower);
        match self {
            Self::All => true,
            Self::Include(list) => listed(list),
            Self::Exclude(list) => !listed(list),
        }
    }
}

/// Why a table has no single target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Several rules claim the table; none of them is more right than the others.
    #[error("table `{schema}`.`{table}` matches more than one rule: {}", rules.join(", "))]
    Ambiguous {
        /// Source schema.
        schema: String,
        /// Source table; empty for a schema.
        table: String,
        /// The names of the rules.
        rules: Vec<String>,
    },
}

/// Maps source tables to target tables. Pure: the same question always has the same answer.
pub trait Router: Send + Sync {
    /// Where a table goes; an empty `table` asks about the schema itself (`CREATE DATABASE`).
    ///
    /// # Errors
    ///
    /// [`RouteError::Ambiguous`] when several rules match.
    fn route(&self, source: &str, schema: &str, table: &str) -> Result<Target, RouteError>;
}

/// The router that leaves every name as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrouted;

impl Router for Unrouted {
    fn route(&self, _source: &str, schema: &str, table: &str) -> Result<Target, RouteError> {
        Ok(Target::new(schema, table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_columns_ignores_case() {
        let list = vec!["Id".to_string()];
        assert!(ColumnChoice::Include(list.clone()).carries("ID"));
        assert!(!ColumnChoice::Include(list.clone()).carries("x"));
        assert!(!ColumnChoice::Exclude(list).carries("iD"));
        assert!(ColumnChoice::All.carries("x"));
    }
}
