//! Makes the changes that a test of a filter needs.
//!
//! A custom filter and its test, with this crate as the only dependency:
//!
//! ```
//! use dm_filter::testing::Table;
//! use dm_filter::{Change, Filter, Interest, RowOp, TableName, Value, Verdict};
//!
//! /// Leaves out orders of test customers, whose ids are below 100.
//! struct NoTestOrders;
//!
//! impl Filter for NoTestOrders {
//!     fn interest(&self, table: &TableName) -> Interest {
//!         if table.table == "orders" { Interest::Rows } else { Interest::All }
//!     }
//!     fn decide(&self, change: &Change<'_>) -> Verdict {
//!         let Change::Row(row) = change else { return Verdict::Keep };
//!         let RowOp::Insert { after } = &row.op else { return Verdict::Keep };
//!         let customer = row.columns.index_of("customer").and_then(|i| after.get(i));
//!         if matches!(customer, Some(Value::Int(0..100))) { Verdict::Drop } else { Verdict::Keep }
//!     }
//! }
//!
//! let orders = Table::new("shop", "orders", ["id", "customer"]);
//! assert_eq!(NoTestOrders.decide(&orders.insert([1, 42])), Verdict::Drop);
//! assert_eq!(NoTestOrders.decide(&orders.insert([2, 4200])), Verdict::Keep);
//! assert_eq!(NoTestOrders.decide(&orders.delete([1, 42])), Verdict::Keep);
//! ```

use crate::binlog_event::EventType;
use crate::change::{Change, ColumnInfo, Columns, Row, RowOp, TableName};
use crate::value::Value;

/// A table that changes are made of.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// Its columns.
    pub columns: Columns,
}

impl Table {
    /// A table with columns of which only the names matter.
    pub fn new<S: Into<String>>(
        schema: &str,
        table: &str,
        columns: impl IntoIterator<Item = S>,
    ) -> Self {
        Self { name: TableName::new(schema, table), columns: Columns::named(columns) }
    }

    /// A table with columns described in full.
    pub fn with_columns(schema: &str, table: &str, columns: Vec<ColumnInfo>) -> Self {
        Self { name: TableName::new(schema, table), columns: Columns::new(columns) }
    }

    /// A row that came into being.
    pub fn insert<'a, V: Into<Value<'a>>>(
        &'a self,
        after: impl IntoIterator<Item = V>,
    ) -> Change<'a> {
        self.change(RowOp::Insert { after: row(after) })
    }

    /// A row that was changed.
    pub fn update<'a, V: Into<Value<'a>>>(
        &'a self,
        before: impl IntoIterator<Item = V>,
        after: impl IntoIterator<Item = V>,
    ) -> Change<'a> {
        self.change(RowOp::Update { before: row(before), after: row(after) })
    }

    /// A row that was removed.
    pub fn delete<'a, V: Into<Value<'a>>>(
        &'a self,
        before: impl IntoIterator<Item = V>,
    ) -> Change<'a> {
        self.change(RowOp::Delete { before: row(before) })
    }

    /// A statement about this table.
    pub fn ddl<'a>(&'a self, event: EventType, sql: &'a str) -> Change<'a> {
        Change::ddl(std::slice::from_ref(&self.name), Some(event), sql)
    }

    /// Any change of a row, also with partial images.
    pub fn change<'a>(&'a self, op: RowOp<'a>) -> Change<'a> {
        Change::row(&self.name, &self.columns, op)
    }
}

/// A row in which every column is present.
pub fn row<'a, V: Into<Value<'a>>>(values: impl IntoIterator<Item = V>) -> Row<'a> {
    Row::full(values.into_iter().map(Into::into))
}
