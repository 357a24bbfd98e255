//! Columns that rows of the binlog carry and a table's structure does not show.
//!
//! Servers add columns of their own to tables: a key where there is none, start and end of a row
//! for system versioning, hashes for unique keys over long text. A column too many may as well
//! mean that the tracked structure is stale, so each kind is accepted only where the structure
//! gives a reason for it, and only where nothing else could be meant.

use super::table_map::{ColumnMeta, TableMap, Wire};
use crate::position::Flavor;
use crate::schema::{Key, KeyKind, KeyPart, TableSchema, TypeKind};

/// A column that rows carry and the tracked structure does not have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HiddenColumn {
    /// Its place in the rows of the binlog.
    pub index: usize,
    /// What it is.
    pub kind: HiddenKind,
}

/// Columns that a server adds to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HiddenKind {
    /// MySQL's generated invisible primary key `my_row_id`, the first column of a table without a
    /// primary key.
    GeneratedInvisiblePrimaryKey,
    /// The key that some cloud services hide behind the last column, for the same reason.
    CloudRowId,
    /// When a row of a system-versioned table came into being.
    RowStart,
    /// When it ended.
    RowEnd,
    /// MariaDB's hash of a unique key that is too long for an index (`DB_ROW_HASH_1`).
    UniqueHash,
}

/// The shortest key that some engine of MariaDB finds too long, in bytes.
const SHORTEST_LIMIT: u32 = 767;

/// The hidden columns of a table; `None` when map and structure do not fit each other.
///
/// `periods` is the number of columns (0 or 2) that system versioning has put behind the others;
/// hashes come behind these. `fits` tells whether the structure's columns fit those of the map
/// when one of the map is left out.
pub(super) fn find(
    map: &TableMap,
    schema: &TableSchema,
    periods: usize,
    fits_without: impl Fn(usize) -> bool,
) -> Option<Vec<HiddenColumn>> {
    let tracked = schema.columns.len();
    let extra = map.columns.len().checked_sub(tracked + periods)?;
    let kinds = [HiddenKind::RowStart, HiddenKind::RowEnd].into_iter().take(periods);
    let mut hidden: Vec<_> =
        (tracked..).zip(kinds).map(|(index, kind)| HiddenColumn { index, kind }).collect();
    match map.flavor {
        Flavor::MySql if extra == 0 => {}
        Flavor::MySql if extra == 1 && periods == 0 => {
            hidden.push(added_key(map, schema, fits_without)?);
        }
        Flavor::MySql => return None,
        Flavor::MariaDb => {
            let keys = || schema.keys.iter().filter(|key| key.kind == KeyKind::Unique);
            let surely = keys().filter(|key| hash(schema, key) == Some(true)).count();
            let maybe = keys().filter(|key| hash(schema, key).is_some()).count();
            let mut hashes = map.columns.iter().skip(tracked + periods);
            if !(surely..=maybe).contains(&extra) || !hashes.all(|c| is_key(c, "DB_ROW_HASH_")) {
                return None;
            }
            let kind = HiddenKind::UniqueHash;
            let places = tracked + periods..map.columns.len();
            hidden.extend(places.map(|index| HiddenColumn { index, kind }));
        }
    }
    Some(hidden)
}

/// The hidden columns that the names of a map tell, for a table whose structure is not known.
pub(super) fn named(map: &TableMap) -> Vec<HiddenColumn> {
    let hash = |c: &ColumnMeta| c.name.is_some() && is_key(c, "DB_ROW_HASH_");
    let all = map.columns.iter().enumerate().filter(|(_, c)| hash(c));
    let all = all.filter(|_| map.flavor == Flavor::MariaDb);
    all.map(|(index, _)| HiddenColumn { index, kind: HiddenKind::UniqueHash }).collect()
}

/// The key of a table without a primary key: the first or the last column.
fn added_key(
    map: &TableMap,
    schema: &TableSchema,
    fits_without: impl Fn(usize) -> bool,
) -> Option<HiddenColumn> {
    if schema.primary_key().is_some() {
        return None;
    }
    let candidates = [
        (0, HiddenKind::GeneratedInvisiblePrimaryKey, "my_row_id"),
        (schema.columns.len(), HiddenKind::CloudRowId, "__#alibaba_rds_row_id#__"),
    ];
    let fitting = candidates.into_iter().filter(|(index, _, name)| {
        let meta = map.columns.get(*index);
        meta.is_some_and(|c| is_key(c, name) && !c.nullable) && fits_without(*index)
    });
    let mut fitting = fitting.map(|(index, kind, _)| HiddenColumn { index, kind });
    let found = fitting.next()?;
    // In a table of BIGINTs only either end could be the one.
    fitting.next().is_none().then_some(found)
}

/// True for a BIGINT that is not named, or whose name starts so.
fn is_key(column: &ColumnMeta, name: &str) -> bool {
    let named = column.name.as_deref().is_none_or(|n| n.starts_with(name));
    column.wire == Wire::LongLong && named
}

/// Whether MariaDB enforces a unique key by a hash: surely, maybe (that depends on the engine and
/// its row format), or, `None`, certainly not.
fn hash(schema: &TableSchema, key: &Key) -> Option<bool> {
    let mut bytes = 0u32;
    for part in &key.parts {
        let KeyPart::Column { name, prefix, .. } = part else { continue };
        let Some((_, column)) = schema.column(name) else { continue };
        match (column.ty.kind, prefix) {
            (_, Some(length)) => bytes = bytes.saturating_add(length.saturating_mul(4)),
            (kind, None) if kind.is_text_or_blob() || kind == TypeKind::Json => return Some(true),
            (_, None) => {
                let length = column.ty.length.unwrap_or(1).saturating_mul(4);
                bytes = bytes.saturating_add(length);
            }
        }
    }
    (bytes > SHORTEST_LIMIT).then_some(false)
}
