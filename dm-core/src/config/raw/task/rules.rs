//! Filters, routes and lists of tables: read into the rules of the crates that apply them.
use dm_filter::{BlockAllowRules, EventRule, ExpressionRule, TablePattern};
use dm_router::{ColumnsRule, ExtractSchema, ExtractSource, ExtractTable, RouteRule};

use crate::config::raw::View;
pub(super) fn block_allow(v: View<'_>) -> BlockAllowRules {
    let tables = |v: View<'_>| {
        v.list(|v| TablePattern {
            db_name: v.get("db-name").text().unwrap_or_default(),
            tbl_name: v.get("tbl-name").text().unwrap_or_default(),
        })
    };
    BlockAllowRules {
        do_dbs: v.get("do-dbs").texts(),
        ignore_dbs: v.get("ignore-dbs").texts(),
        do_tables: tables(v.get("do-tables")),
        ignore_tables: tables(v.get("ignore-tables")),
    }
}

pub(in crate::config::raw) fn event_rule(v: View<'_>) -> EventRule {
    EventRule {
        schema_pattern: v.get("schema-pattern").text().unwrap_or_default(),
        table_pattern: v.get("table-pattern").text().unwrap_or_default(),
        events: v.get("events").texts(),
        sql_pattern: v.get("sql-pattern").texts(),
        action: v.get("action").text().unwrap_or_default(),
    }
}

pub(super) fn expression_rule(v: View<'_>) -> ExpressionRule {
    let text = |key| v.get(key).text().unwrap_or_default();
    ExpressionRule {
        schema: text("schema"),
        table: text("table"),
        insert_value_expr: text("insert-value-expr"),
        update_old_value_expr: text("update-old-value-expr"),
        update_new_value_expr: text("update-new-value-expr"),
        delete_value_expr: text("delete-value-expr"),
    }
}

pub(super) fn route_rule(v: View<'_>) -> RouteRule {
    let text = |key| v.get(key).text().unwrap_or_default();
    let inner = |group, key| v.get(group).get(key).text().unwrap_or_default();
    let names = |v: View<'_>, key| v.get(key).one(View::texts);
    RouteRule {
        schema_pattern: text("schema-pattern"),
        table_pattern: text("table-pattern"),
        target_schema: text("target-schema"),
        target_table: text("target-table"),
        extract_table: v.get("extract-table").one(|_| ExtractTable {
            table_regexp: inner("extract-table", "table-regexp"),
            target_column: inner("extract-table", "target-column"),
        }),
        extract_schema: v.get("extract-schema").one(|_| ExtractSchema {
            schema_regexp: inner("extract-schema", "schema-regexp"),
            target_column: inner("extract-schema", "target-column"),
        }),
        extract_source: v.get("extract-source").one(|_| ExtractSource {
            source_regexp: inner("extract-source", "source-regexp"),
            target_column: inner("extract-source", "target-column"),
        }),
        columns: v
            .get("columns")
            .one(|v| ColumnsRule { include: names(v, "include"), exclude: names(v, "exclude") }),
    }
}
