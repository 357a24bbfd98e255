//! How much of a column stands in a key: prefixes that statements give, that servers cut, and that remain of an
//! old column.

use super::build;
use super::charset::{self, Defaults};
use super::table::{Column, Key, KeyKind, KeyPart, TableSchema, TypeKind, same_name};
use crate::ddl::Flavor;

/// MariaDB keys a POINT by all of its bytes, and a unique key over another shape by what it has in the row.
const POINT_BYTES: u32 = 25;
const SHAPE_BYTES: u32 = 8;

/// The prefix of an old key's part over the changed column. It goes when the column is no longer one that can
/// have one, or no longer than it.
pub(super) fn kept(prefix: Option<u32>, before: Option<&Column>, after: &Column) -> Option<u32> {
    let stays = |prefix: &u32| {
        before.is_none_or(can_be_cut)
            && can_be_cut(after)
            && !(is_sized(after) && after.ty.length.is_some_and(|l| l <= *prefix))
    };
    prefix.filter(stays)
}

/// The prefix of an old key's part whose column was dropped and added again by the same statement: the new column
/// stands in the key with as many bytes as the old one took, counted as characters of the old one.
pub(super) fn inherited(prefix: Option<u32>, before: &Column, after: &Column) -> Option<u32> {
    let characters = match prefix {
        Some(prefix) => prefix,
        None => {
            let per_character = charset::max_bytes(&before.ty.charset);
            u32::try_from(u64::from(key_bytes(before)?) / per_character).ok()?
        }
    };
    let tiny = matches!(after.ty.kind, TypeKind::TinyText | TypeKind::TinyBlob);
    let characters = if tiny { characters.min(255) } else { characters };
    let whole = is_sized(after) && after.ty.length == Some(characters);
    (characters > 0 && can_be_cut(after) && !whole).then_some(characters)
}

/// CHAR, VARCHAR and their binary kinds.
fn is_sized(column: &Column) -> bool {
    use TypeKind as T;
    matches!(column.ty.kind, T::Char | T::VarChar | T::Binary | T::VarBinary)
}

fn can_be_cut(column: &Column) -> bool {
    is_sized(column) || column.ty.kind.is_text_or_blob() || column.ty.kind.is_geometry()
}

/// How many bytes of a column a key holds that has all of it; `None` for what a key cannot have all of.
fn key_bytes(column: &Column) -> Option<u32> {
    use TypeKind as T;
    let ty = &column.ty;
    let fraction = ty.decimals.unwrap_or(0).div_ceil(2);
    Some(match ty.kind {
        T::TinyInt | T::Year => 1,
        T::SmallInt => 2,
        T::MediumInt | T::Date => 3,
        T::Int | T::Float | T::Inet4 => 4,
        T::BigInt | T::Double => 8,
        T::Time => 3 + fraction,
        T::Timestamp => 4 + fraction,
        T::DateTime => 5 + fraction,
        T::Inet6 | T::Uuid => 16,
        T::Bit => ty.length.unwrap_or(1).div_ceil(8),
        T::Decimal => {
            let scale = ty.decimals.unwrap_or(0);
            decimal_bytes(ty.length.unwrap_or(10).saturating_sub(scale)) + decimal_bytes(scale)
        }
        T::Enum => {
            if ty.labels.len() < 256 {
                1
            } else {
                2
            }
        }
        T::Set => match ty.labels.len().div_ceil(8) {
            bytes @ 0..=4 => u32::try_from(bytes).ok()?,
            _ => 8,
        },
        _ if is_sized(column) => {
            let characters = u64::from(ty.length.unwrap_or(1));
            u32::try_from(characters * charset::max_bytes(&ty.charset)).ok()?
        }
        _ => return None,
    })
}

/// Nine digits of a DECIMAL take four bytes, fewer take what they need.
fn decimal_bytes(digits: u32) -> u32 {
    digits / 9 * 4 + (digits % 9).div_ceil(2)
}

/// A part of a key that is not unique and is too long for its engine is cut with a warning; MariaDB gives keys
/// over shapes their lengths.
pub(super) fn cut(table: &mut TableSchema, defaults: &Defaults) {
    let Some(most) = most_bytes(table, defaults) else { return };
    let mariadb = defaults.server.flavor == Flavor::MariaDb;
    let columns = &table.columns;
    for key in &mut table.keys {
        let kind = key.kind;
        for part in &mut key.parts {
            let KeyPart::Column { name, prefix, .. } = part else { continue };
            let Some(column) = columns.iter().find(|c| same_name(&c.name, name)) else { continue };
            if mariadb && column.ty.kind.is_geometry() {
                cut_shape(kind, column.ty.kind, prefix);
            }
            if kind == KeyKind::Plain {
                cut_part(column, prefix, most, mariadb);
            }
        }
    }
}

fn cut_shape(key: KeyKind, shape: TypeKind, prefix: &mut Option<u32>) {
    match (key, shape) {
        (KeyKind::Plain | KeyKind::Unique | KeyKind::Primary, TypeKind::Point) => {
            *prefix = Some(POINT_BYTES)
        }
        (KeyKind::Unique, _) if prefix.is_none() => *prefix = Some(SHAPE_BYTES),
        _ => {}
    }
}

fn cut_part(column: &Column, prefix: &mut Option<u32>, most: u64, mariadb: bool) {
    let kind = column.ty.kind;
    let width = if is_sized(column) {
        prefix.or(column.ty.length)
    } else if kind.is_text() || build::is_blob(kind) {
        // MariaDB takes a text without a prefix; the others want one.
        let enumerated = matches!(kind, TypeKind::Enum | TypeKind::Set);
        prefix.or((!enumerated && mariadb).then_some(u32::MAX))
    } else {
        *prefix
    };
    let per_character = charset::max_bytes(&column.ty.charset);
    if width.is_some_and(|w| u64::from(w) * per_character > most) {
        let tiny = matches!(kind, TypeKind::TinyText | TypeKind::TinyBlob);
        let most = most / per_character;
        *prefix = u32::try_from(if tiny { most.min(255) } else { most }).ok();
    }
}

/// So many bytes of a column a key may hold: by the engine, and in InnoDB by the row format, of which COMPACT was
/// the default before MySQL 5.7 and MariaDB 10.2. `None` where nothing is cut.
fn most_bytes(table: &TableSchema, defaults: &Defaults) -> Option<u64> {
    let server = defaults.server;
    let by_version = match server.flavor {
        Flavor::MySql => server.number < 50_700,
        Flavor::MariaDb => server.number < 100_200,
        Flavor::TiDb => return None,
    };
    match table.engine.to_ascii_uppercase().as_str() {
        "MYISAM" => return Some(1_000),
        "ARIA" => return Some(2_300),
        _ => {}
    }
    let own = table.options.iter().find(|(name, _)| name == "ROW_FORMAT").map(|(_, value)| value);
    let own = own.filter(|format| !format.eq_ignore_ascii_case("DEFAULT"));
    let small = match own.unwrap_or(&defaults.row_format).to_ascii_uppercase().as_str() {
        "COMPACT" | "REDUNDANT" => true,
        "DYNAMIC" | "COMPRESSED" => false,
        _ => by_version,
    };
    Some(if small { 767 } else { 3_072 })
}

/// MySQL makes a key over a shape a spatial one.
pub(super) fn settle_spatial(table: &mut TableSchema, defaults: &Defaults) {
    if !defaults.server.at_least(Flavor::MySql, 80_000) {
        return;
    }
    let columns = &table.columns;
    let shape = |key: &Key| {
        let column = key.parts.first().and_then(KeyPart::column);
        let is = |c: &Column| column.is_some_and(|name| same_name(&c.name, name));
        columns.iter().any(|c| is(c) && c.ty.kind.is_geometry())
    };
    for key in table.keys.iter_mut().filter(|key| key.kind == KeyKind::Plain) {
        if shape(key) {
            key.kind = KeyKind::Spatial;
        }
    }
}
