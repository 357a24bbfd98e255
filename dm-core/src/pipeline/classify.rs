//! Which event of the binlog event filter a statement is.

use dm_filter::EventType as E;

use crate::ddl::{AlterSpec, Body, PartitionOp, Statement, StatementKind as K};

/// The event type; `None` for statements that the filter has no name for.
pub(super) fn event_type(statement: &Statement) -> Option<E> {
    Some(match statement.kind {
        K::CreateTable => E::CreateTable,
        K::DropTable => E::DropTable,
        K::RenameTable => E::RenameTable,
        K::TruncateTable => E::TruncateTable,
        K::CreateIndex => E::CreateIndex,
        K::DropIndex => E::DropIndex,
        K::CreateDatabase => E::CreateDatabase,
        K::AlterDatabase => E::AlterDatabase,
        K::DropDatabase => E::DropDatabase,
        K::CreateView => E::CreateView,
        K::DropView => E::DropView,
        K::AlterTable => alter(statement),
        _ => return None,
    })
}

/// The first clause that has a name of its own decides, as in newer DM; those names refine
/// `alter table`, so that rules written for older versions still match.
fn alter(statement: &Statement) -> E {
    let Body::AlterTable(alter) = &statement.body else { return E::AlterTable };
    let named = alter.clauses.iter().find_map(|clause| {
        Some(match &clause.spec {
            AlterSpec::Partition(PartitionOp::Add) => E::AddTablePartition,
            AlterSpec::Partition(PartitionOp::Drop) => E::DropTablePartition,
            AlterSpec::Partition(PartitionOp::Truncate) => E::TruncateTablePartition,
            AlterSpec::Partition(PartitionOp::Reorganize) => E::ReorganizeTablePartition,
            AlterSpec::Partition(PartitionOp::Rebuild) => E::RebuildTablePartition,
            AlterSpec::Partition(PartitionOp::Coalesce) => E::CoalesceTablePartition,
            AlterSpec::Partition(PartitionOp::Exchange) => E::ExchangeTablePartition,
            AlterSpec::DropPrimaryKey => E::DropPrimaryKey,
            AlterSpec::DropColumn { .. } => E::DropColumn,
            AlterSpec::RenameColumn { .. } => E::RenameColumn,
            AlterSpec::RenameKey { .. } => E::RenameIndex,
            AlterSpec::RenameTable(_) => E::RenameTable,
            _ => return None,
        })
    });
    named.unwrap_or(E::AlterTable)
}
