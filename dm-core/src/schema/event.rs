//! Which kind of event a statement is to the binlog event filter.
//!
//! The first clause of an ALTER TABLE that has a kind of its own decides, as in DM; what MODIFY
//! and CHANGE mean shows only by comparing the column before and after.

use dm_filter::EventType as E;

use super::table::{Column, ColumnType, KeyKind, TableSchema, TypeKind, same_name};
use crate::ddl::{
    AlterSpec, Body, DropKind, PartitionOp, Position, Statement, StatementKind as K, TableOption,
};

/// The kind of event that a statement is; `None` for those that no rule names.
///
/// `before` and `after` are the structure of the statement's table, as far as they are known;
/// without them a change of a column's definition is a plain `alter table`.
pub fn event_type(
    statement: &Statement,
    before: Option<&TableSchema>,
    after: Option<&TableSchema>,
) -> Option<E> {
    if let Body::AlterTable(alter) = &statement.body {
        let special = |spec: &AlterSpec| clause(spec, before, after);
        return Some(alter.clauses.iter().find_map(|c| special(&c.spec)).unwrap_or(E::AlterTable));
    }
    Some(match statement.kind {
        K::CreateDatabase => E::CreateDatabase,
        K::AlterDatabase => E::AlterDatabase,
        K::DropDatabase => E::DropDatabase,
        K::CreateTable => E::CreateTable,
        K::DropTable => E::DropTable,
        K::TruncateTable => E::TruncateTable,
        K::RenameTable => E::RenameTable,
        K::CreateIndex => E::CreateIndex,
        K::DropIndex => E::DropIndex,
        K::CreateView => E::CreateView,
        K::DropView => E::DropView,
        K::TiDbAdmin if statement.sql.trim_start().get(..7)?.eq_ignore_ascii_case("recover") => {
            E::RecoverTable
        }
        _ => return None,
    })
}

fn clause(
    spec: &AlterSpec,
    before: Option<&TableSchema>,
    after: Option<&TableSchema>,
) -> Option<E> {
    Some(match spec {
        AlterSpec::ChangeColumn { old, column, position, .. } => {
            let (_, before_column) = before?.column(old)?;
            let (_, after_column) = after?.column(&column.name)?;
            let moved = *position != Position::Unsaid;
            return changed(before?, after?, before_column, after_column, moved);
        }
        AlterSpec::RenameColumn { .. } => E::RenameColumn,
        AlterSpec::RenameKey { .. } => E::RenameIndex,
        AlterSpec::RenameTable(_) => E::RenameTable,
        AlterSpec::DropColumn { .. } => E::DropColumn,
        AlterSpec::DropPrimaryKey => E::DropPrimaryKey,
        AlterSpec::Drop { kind: DropKind::Key, .. } => E::DropIndex,
        AlterSpec::ColumnDefault { .. } => E::ModifyDefaultValue,
        AlterSpec::Add(_) => E::ModifyConstraint,
        AlterSpec::Option(TableOption::Charset(_)) | AlterSpec::Convert { .. } => E::ModifyCharset,
        AlterSpec::Option(TableOption::Collate(_)) => E::ModifyCollation,
        AlterSpec::Option(TableOption::Engine(_)) => E::ModifyStorageEngine,
        AlterSpec::Partition(op) => match op {
            PartitionOp::Add => E::AddTablePartition,
            PartitionOp::Drop => E::DropTablePartition,
            PartitionOp::Truncate => E::TruncateTablePartition,
            PartitionOp::Reorganize => E::ReorganizeTablePartition,
            PartitionOp::Rebuild => E::RebuildTablePartition,
            PartitionOp::Coalesce => E::CoalesceTablePartition,
            PartitionOp::Exchange => E::ExchangeTablePartition,
            _ => return None,
        },
        _ => return None,
    })
}

/// What MODIFY or CHANGE does, in the order in which DM asks.
fn changed(
    before: &TableSchema,
    after: &TableSchema,
    old: &Column,
    new: &Column,
    moved: bool,
) -> Option<E> {
    if let Some(event) = type_change(&old.ty, &new.ty) {
        return Some(event);
    }
    let has = |t: &TableSchema, kind: KeyKind, name: &str| {
        t.keys.iter().any(|k| k.kind == kind && k.has_column(name))
    };
    let lost = |kind| has(before, kind, &old.name) && !has(after, kind, &new.name);
    if old.auto_increment && !new.auto_increment {
        Some(E::RemoveAutoIncrement)
    } else if lost(KeyKind::Primary) {
        Some(E::DropPrimaryKey)
    } else if lost(KeyKind::Unique) {
        Some(E::DropUniqueKey)
    } else if old.default != new.default {
        Some(E::ModifyDefaultValue)
    } else if old.ty.charset != new.ty.charset {
        Some(E::ModifyCharset)
    } else if old.ty.collation != new.ty.collation {
        Some(E::ModifyCollation)
    } else if moved {
        Some(E::ModifyColumnsOrder)
    } else if !same_name(&old.name, &new.name) {
        Some(E::RenameColumn)
    } else {
        None
    }
}

/// How a change of type limits what a column can hold; `None` when every old value still fits.
fn type_change(old: &ColumnType, new: &ColumnType) -> Option<E> {
    if let (Some(a), Some(b)) = (integer_range(old), integer_range(new)) {
        return (b.0 > a.0 || b.1 < a.1).then_some(E::ValueRangeDecrease);
    }
    if let (Some(a), Some(b)) = (text_capacity(old), text_capacity(new)) {
        let shorter = (b.1 < a.1).then_some(E::ValueRangeDecrease);
        return if a.0 == b.0 { shorter } else { Some(E::ModifyColumn) };
    }
    if old.kind != new.kind {
        let widened = (old.kind, new.kind) == (TypeKind::Float, TypeKind::Double);
        return (!widened).then_some(E::ModifyColumn);
    }
    match old.kind {
        TypeKind::Enum | TypeKind::Set => {
            let kept = new.labels.starts_with(&old.labels);
            (!kept).then_some(E::ValueRangeDecrease)
        }
        TypeKind::Decimal => {
            let digits = |t: &ColumnType| {
                let decimals = t.decimals.unwrap_or(0);
                (t.length.unwrap_or(10).saturating_sub(decimals), decimals)
            };
            let (a, b) = (digits(old), digits(new));
            if b.1 < a.1 {
                Some(E::PrecisionDecrease)
            } else if b.0 < a.0 || (new.unsigned && !old.unsigned) {
                Some(E::ValueRangeDecrease)
            } else {
                None
            }
        }
        TypeKind::Bit | TypeKind::Vector => {
            (new.length < old.length).then_some(E::ValueRangeDecrease)
        }
        _ if new.decimals.unwrap_or(0) < old.decimals.unwrap_or(0) => Some(E::PrecisionDecrease),
        _ if new.unsigned && !old.unsigned => Some(E::ValueRangeDecrease),
        _ => None,
    }
}

/// The least and the greatest value of an integer type.
pub(crate) fn integer_range(ty: &ColumnType) -> Option<(i128, i128)> {
    let bits = match ty.kind {
        TypeKind::TinyInt => 8,
        TypeKind::SmallInt => 16,
        TypeKind::MediumInt => 24,
        TypeKind::Int => 32,
        TypeKind::BigInt => 64,
        _ => return None,
    };
    let values = 1i128 << bits;
    Some(if ty.unsigned { (0, values - 1) } else { (-values / 2, values / 2 - 1) })
}

/// Characters (or bytes) that a text (or binary) type holds, binary types apart from text.
fn text_capacity(ty: &ColumnType) -> Option<(bool, u64)> {
    use TypeKind as T;
    let length = u64::from(ty.length.unwrap_or(1));
    Some(match ty.kind {
        T::Char | T::VarChar => (false, length),
        T::TinyText => (false, 255),
        T::Text => (false, 65_535),
        T::MediumText => (false, 16_777_215),
        T::LongText => (false, 4_294_967_295),
        T::Binary | T::VarBinary => (true, length),
        T::TinyBlob => (true, 255),
        T::Blob => (true, 65_535),
        T::MediumBlob => (true, 16_777_215),
        T::LongBlob => (true, 4_294_967_295),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{ParseContext, parse};
    use crate::schema::{Defaults, Tracker};

    /// Classifies `sql` on table `t` made by `create`.
    fn kind(create: &str, sql: &str) -> Option<E> {
        let context = ParseContext::in_schema("d");
        let mut tracker = Tracker::new(Defaults::default());
        tracker.apply(&parse(create, &context).unwrap()).unwrap();
        let statement = parse(sql, &context).unwrap();
        let effects = tracker.apply(&statement).unwrap();
        let change = effects.tables.first();
        let same = tracker.table(&dm_filter::TableName::new("d", "t")).cloned();
        let before = change.map_or(same.clone(), |c| c.before.clone());
        let after = change.map_or(same, |c| c.after.clone());
        event_type(&statement, before.as_deref(), after.as_deref())
    }

    #[test]
    fn statements() {
        let create = "CREATE TABLE t (a INT, KEY k (a))";
        for (sql, expected) in [
            ("DROP TABLE t", Some(E::DropTable)),
            ("TRUNCATE t", Some(E::TruncateTable)),
            ("RENAME TABLE t TO u", Some(E::RenameTable)),
            ("CREATE INDEX i ON t (a)", Some(E::CreateIndex)),
            ("DROP INDEX k ON t", Some(E::DropIndex)),
            ("CREATE SCHEMA s", Some(E::CreateDatabase)),
            ("DROP SCHEMA s", Some(E::DropDatabase)),
            ("ALTER SCHEMA s CHARSET utf8mb4", Some(E::AlterDatabase)),
            ("CREATE VIEW v AS SELECT 1", Some(E::CreateView)),
            ("DROP TRIGGER x", None),
            ("BEGIN", None),
        ] {
            assert_eq!(kind(create, sql), expected, "{sql}");
        }
    }

    #[test]
    fn clauses() {
        let create = "CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10) DEFAULT 'x', c DECIMAL(10,3), \
                      d INT AUTO_INCREMENT UNIQUE, e ENUM('x','y'), f BIGINT UNSIGNED) CHARSET utf8mb4";
        for (clause, expected) in [
            ("ADD g INT", E::AlterTable),
            ("ADD g INT, DROP f", E::DropColumn),
            ("ADD KEY (f)", E::ModifyConstraint),
            ("RENAME COLUMN f TO g", E::RenameColumn),
            ("RENAME TO u", E::RenameTable),
            ("ALTER b SET DEFAULT 'y'", E::ModifyDefaultValue),
            ("ENGINE=InnoDB", E::ModifyStorageEngine),
            ("COLLATE utf8mb4_bin", E::ModifyCollation),
            ("CONVERT TO CHARACTER SET latin1", E::ModifyCharset),
            ("COMMENT 'x'", E::AlterTable),
            ("MODIFY f BIGINT UNSIGNED", E::AlterTable),
            ("MODIFY f INT UNSIGNED", E::ValueRangeDecrease),
            ("MODIFY f BIGINT", E::ValueRangeDecrease),
            ("MODIFY a BIGINT", E::AlterTable),
            ("MODIFY c DECIMAL(10,2)", E::PrecisionDecrease),
            ("MODIFY c DECIMAL(9,3)", E::ValueRangeDecrease),
            ("MODIFY b VARCHAR(9) DEFAULT 'x'", E::ValueRangeDecrease),
            ("MODIFY b TEXT", E::ModifyDefaultValue),
            ("MODIFY b DATE", E::ModifyColumn),
            ("MODIFY b VARCHAR(10)", E::ModifyDefaultValue),
            ("MODIFY b VARCHAR(10) CHARSET gbk DEFAULT 'x'", E::ModifyCharset),
            ("MODIFY b VARCHAR(10) COLLATE utf8mb4_bin DEFAULT 'x'", E::ModifyCollation),
            ("MODIFY b VARCHAR(10) DEFAULT 'x' FIRST", E::ModifyColumnsOrder),
            ("CHANGE b bb VARCHAR(10) DEFAULT 'x'", E::RenameColumn),
            ("MODIFY d INT NOT NULL", E::RemoveAutoIncrement),
            ("MODIFY e ENUM('x','y','z')", E::AlterTable),
            ("MODIFY e ENUM('y')", E::ValueRangeDecrease),
            ("ADD PARTITION (PARTITION p VALUES LESS THAN (1))", E::AddTablePartition),
            ("EXCHANGE PARTITION p WITH TABLE u", E::ExchangeTablePartition),
        ] {
            assert_eq!(
                kind(create, &format!("ALTER TABLE t {clause}")),
                Some(expected),
                "{clause}"
            );
        }
    }
}
