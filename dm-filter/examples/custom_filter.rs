//! A filter of one's own and its test, with dm-filter as the only dependency.
//!
//! ```sh
//! cargo test -p dm-filter --example custom_filter
//! ```

use dm_filter::{Change, Filter, Interest, RowOp, TableName, Value, Verdict};

/// Leaves out orders of test customers, whose ids are below 100.
struct NoTestOrders;

impl Filter for NoTestOrders {
    fn interest(&self, table: &TableName) -> Interest {
        if table.table == "orders" { Interest::Rows } else { Interest::All }
    }
    fn decide(&self, change: &Change<'_>) -> Verdict {
        let Change::Row(row) = change else { return Verdict::Keep };
        let RowOp::Insert { after } = &row.op else { return Verdict::Keep };
        let customer = row.columns.index_of("customer").and_then(|i| after.get(i));
        if matches!(customer, Some(Value::Int(0..100))) { Verdict::Drop } else { Verdict::Keep }
    }
}

#[test]
fn orders_of_test_customers_are_left_out() {
    let orders = dm_filter::testing::Table::new("shop", "orders", ["id", "customer"]);
    assert_eq!(NoTestOrders.decide(&orders.insert([1, 42])), Verdict::Drop);
    assert_eq!(NoTestOrders.decide(&orders.insert([2, 4200])), Verdict::Keep);
}

fn main() {
    let orders = dm_filter::testing::Table::new("shop", "orders", ["id", "customer"]);
    println!("an order of customer 42: {:?}", NoTestOrders.decide(&orders.insert([1, 42])));
    println!("an order of customer 4200: {:?}", NoTestOrders.decide(&orders.insert([2, 4200])));
}
