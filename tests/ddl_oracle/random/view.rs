//! What is there before a statement, to choose from.

use std::sync::Arc;

use dm_core::ddl::Flavor;
use dm_core::filter::TableName;
use dm_core::schema::{Column, TableSchema, Tracker};

use super::{Random, written};

/// The tables as they are known, and the dialect of the server.
pub struct View {
    pub tables: Vec<(TableName, Arc<TableSchema>)>,
    pub flavor: Flavor,
}

/// Columns that statements add.
const COLUMNS: [&str; 9] = ["a", "b", "c", "d", "E", "f", "g", "h", "id"];

impl View {
    pub fn of(tracker: &Tracker) -> Self {
        let tables = tracker.tables().map(|(name, t)| (name.clone(), Arc::clone(&t.schema)));
        Self { tables: tables.collect(), flavor: tracker.defaults().server.flavor }
    }

    pub fn table(&self, random: &mut Random) -> (&TableName, &TableSchema) {
        let (name, schema) = &self.tables[random.below(self.tables.len())];
        (name, schema)
    }

    pub fn named(&self, name: &str) -> Option<&(TableName, Arc<TableSchema>)> {
        self.tables.iter().find(|(known, _)| written(known) == name)
    }

    /// True when a foreign key of some table references this one.
    pub fn is_referenced(&self, parent: &TableName) -> bool {
        let refers = |(child, schema): &(TableName, Arc<TableSchema>)| {
            schema.foreign_keys.iter().any(|key| {
                let own = key.parent_schema.is_empty();
                let schema = if own { &child.schema } else { &key.parent_schema };
                key.parent_table == parent.table && *schema == parent.schema
            })
        };
        self.tables.iter().any(refers)
    }

    /// A column of the table; now and then any name.
    pub fn column(&self, random: &mut Random, schema: &TableSchema) -> String {
        self.column_of(random, schema, |_| true)
    }

    /// A column of which this is true, or else any.
    pub fn column_of(
        &self,
        random: &mut Random,
        schema: &TableSchema,
        is: impl Fn(&Column) -> bool,
    ) -> String {
        if random.once_in(25) {
            return random.pick(&COLUMNS).to_owned();
        }
        let mut fit: Vec<&Column> = schema.columns.iter().filter(|c| is(c)).collect();
        if fit.is_empty() {
            fit = schema.columns.iter().collect();
        }
        fit[random.below(fit.len())].name.clone()
    }

    /// A name that no column of the table has, mostly.
    pub fn new_column(&self, random: &mut Random, schema: &TableSchema) -> &'static str {
        let free: Vec<&str> =
            COLUMNS.iter().copied().filter(|name| schema.column(name).is_none()).collect();
        if free.is_empty() || random.once_in(25) {
            return random.pick(&COLUMNS);
        }
        free[random.below(free.len())]
    }

    /// A key of the table, or a name that may be none.
    pub fn key(&self, random: &mut Random, schema: &TableSchema) -> String {
        if schema.keys.is_empty() || random.once_in(25) {
            return random.pick(&["k1", "a", "PRIMARY"]).to_owned();
        }
        let name = &schema.keys[random.below(schema.keys.len())].name;
        format!("`{name}`")
    }
}
