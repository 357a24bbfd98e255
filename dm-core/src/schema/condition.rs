//! Which clauses of an ALTER TABLE do nothing, by their IF \[NOT\] EXISTS.

use super::table::{KeyKind, KeyPart, TableSchema, same_name};
use crate::ddl::{AlterSpec, ColumnDef, DropKind, KeyDef, TableElement};

/// True for a clause whose IF \[NOT\] EXISTS makes it do nothing.
pub(super) fn is_void(table: &TableSchema, spec: &AlterSpec) -> bool {
    let column = |name: &str| table.column(name).is_some();
    let key = |name: &str| table.keys.iter().any(|k| same_name(&k.name, name));
    let foreign = |name: &str| table.foreign_keys.iter().any(|k| same_name(&k.name, name));
    let check = |name: &str| table.checks.iter().any(|c| same_name(&c.name, name));
    match spec {
        // The keys of a column are added, whether it is or not.
        AlterSpec::AddColumns { if_not_exists: true, elements, .. } => {
            elements.iter().all(|e| match e {
                TableElement::Column(def) => column(&def.name) && !is_keyed(def),
                _ => false,
            })
        }
        AlterSpec::ChangeColumn { if_exists: true, old, .. }
        | AlterSpec::RenameColumn { if_exists: true, old, .. } => !column(old),
        AlterSpec::DropColumn { if_exists: true, name }
        | AlterSpec::ColumnDefault { if_exists: true, name, .. } => !column(name),
        AlterSpec::Add(TableElement::Key(def)) if def.if_not_exists => match def.kind {
            KeyKind::Primary => table.primary_key().is_some(),
            _ => key(key_name(def)),
        },
        AlterSpec::Add(TableElement::ForeignKey(def)) if def.if_not_exists => {
            let name = def.name.as_ref().or(def.index_name.as_ref());
            name.is_some_and(|n| foreign(n))
        }
        AlterSpec::Add(TableElement::Check(def)) if def.if_not_exists => {
            def.name.as_deref().is_some_and(check)
        }
        AlterSpec::Drop { if_exists: true, kind, name } => match kind {
            DropKind::Key => !key(name),
            DropKind::ForeignKey => !foreign(name),
            DropKind::Check => !check(name),
            DropKind::Constraint => !key(name) && !foreign(name) && !check(name),
        },
        AlterSpec::RenameKey { if_exists: true, old, .. } => !key(old),
        _ => false,
    }
}

fn is_keyed(def: &ColumnDef) -> bool {
    def.primary || def.unique || def.references.is_some()
}

fn key_name(def: &KeyDef) -> &str {
    let first = def.parts.first().and_then(KeyPart::column);
    def.name.as_deref().or(first).unwrap_or_default()
}
