//! The optional part of TABLE_MAP events: a list of (type, length, value), each about the columns
//! of certain types in table order. Which are there depends on `binlog_row_metadata`.

use super::bytes::{Bytes, bit_msb};
use super::charset;
use super::table_map::{ColumnMeta, TableMap, Wire};
use super::{Result, malformed};
use crate::position::Flavor;

/// Which columns a list is about, at the servers of a flavor.
type Wanted = (fn(Wire, Flavor) -> bool, Flavor);

pub(crate) fn parse(map: &mut TableMap, mut b: Bytes<'_>) -> Result<()> {
    // Labels can only be read once the character sets are known, which come later.
    let (mut enum_labels, mut set_labels) = (None, None);
    let flavor = map.flavor;
    while !b.is_empty() {
        let field = b.u8()?;
        let value = Bytes(b.lenenc_bytes()?);
        let columns = &mut map.columns;
        match field {
            1 => signedness(columns, value),
            2 => default_charset(columns, value, (Wire::is_character, flavor))?,
            3 => column_charsets(columns, value, (Wire::is_character, flavor))?,
            4 => names(columns, value)?,
            5 => set_labels = Some(value),
            6 => enum_labels = Some(value),
            7 => numbers(
                columns,
                value,
                |w| matches!(w, Wire::Geometry { .. }),
                |c, n| {
                    c.geometry = Some(n);
                },
            )?,
            8 => map.primary_key = Some(primary_key(value, columns.len(), false)?),
            9 => map.primary_key = Some(primary_key(value, columns.len(), true)?),
            10 => default_charset(columns, value, (Wire::is_enum_or_set, flavor))?,
            11 => column_charsets(columns, value, (Wire::is_enum_or_set, flavor))?,
            12 => {
                for (i, column) in columns.iter_mut().enumerate() {
                    column.visible = Some(bit_msb(value.0, i));
                }
            }
            13 => numbers(
                columns,
                value,
                |w| matches!(w, Wire::Vector { .. }),
                |c, n| {
                    c.dimensions = Some(n);
                },
            )?,
            // Newer servers may tell more; nothing here depends on it.
            _ => {}
        }
    }
    labels(&mut map.columns, set_labels, |w| matches!(w, Wire::Set { .. }))?;
    labels(&mut map.columns, enum_labels, |w| matches!(w, Wire::Enum { .. }))
}

fn signedness(columns: &mut [ColumnMeta], value: Bytes<'_>) {
    let numeric = columns.iter_mut().filter(|c| c.wire.is_numeric());
    for (i, column) in numeric.enumerate() {
        // A year has a bit, and is unsigned to the server, but never says so.
        if column.wire != Wire::Year {
            column.unsigned = Some(bit_msb(value.0, i));
        }
    }
}

fn collation(b: &mut Bytes<'_>) -> Result<u16> {
    u16::try_from(b.lenenc()?).map_err(|_| malformed("a collation number is too large"))
}

/// One collation for all columns of a kind, and the exceptions as pairs of number among these
/// columns and collation.
fn default_charset(columns: &mut [ColumnMeta], mut b: Bytes<'_>, wanted: Wanted) -> Result<()> {
    let default = collation(&mut b)?;
    let mut of_kind: Vec<_> = columns.iter_mut().filter(|c| wanted.0(c.wire, wanted.1)).collect();
    of_kind.iter_mut().for_each(|c| c.collation = Some(default));
    while !b.is_empty() {
        let (index, collation) = (b.lenenc()?, collation(&mut b)?);
        let column = usize::try_from(index).ok().and_then(|i| of_kind.get_mut(i));
        let column = column.ok_or_else(|| malformed("a collation of no column"))?;
        column.collation = Some(collation);
    }
    Ok(())
}

fn column_charsets(columns: &mut [ColumnMeta], mut b: Bytes<'_>, wanted: Wanted) -> Result<()> {
    for column in columns.iter_mut().filter(|c| wanted.0(c.wire, wanted.1)) {
        if b.is_empty() {
            break;
        }
        column.collation = Some(collation(&mut b)?);
    }
    Ok(())
}

fn names(columns: &mut [ColumnMeta], mut b: Bytes<'_>) -> Result<()> {
    for column in columns {
        column.name = Some(String::from_utf8_lossy(b.lenenc_bytes()?).into_owned());
    }
    Ok(())
}

/// One number for each column of a kind.
fn numbers(
    columns: &mut [ColumnMeta],
    mut b: Bytes<'_>,
    wanted: fn(Wire) -> bool,
    put: fn(&mut ColumnMeta, u32),
) -> Result<()> {
    for column in columns.iter_mut().filter(|c| wanted(c.wire)) {
        if b.is_empty() {
            break;
        }
        let number = b.lenenc()?;
        put(column, u32::try_from(number).map_err(|_| malformed("a number is too large"))?);
    }
    Ok(())
}

fn primary_key(mut b: Bytes<'_>, columns: usize, prefixes: bool) -> Result<Vec<(usize, u32)>> {
    let mut key = Vec::new();
    while !b.is_empty() {
        let column = usize::try_from(b.lenenc()?).ok().filter(|c| *c < columns);
        let column = column.ok_or_else(|| malformed("a primary key of a missing column"))?;
        let prefix = if prefixes { b.lenenc()? } else { 0 };
        key.push((column, u32::try_from(prefix).unwrap_or(u32::MAX)));
    }
    Ok(key)
}

/// For each column of a kind a count and that many labels, in the column's character set.
fn labels(
    columns: &mut [ColumnMeta],
    value: Option<Bytes<'_>>,
    wanted: fn(Wire) -> bool,
) -> Result<()> {
    let Some(mut b) = value else { return Ok(()) };
    for column in columns.iter_mut().filter(|c| wanted(c.wire)) {
        let charset = column.collation.and_then(charset::by_id).map_or("utf8mb4", |c| c.charset);
        let mut all = Vec::new();
        for _ in 0..b.lenenc()? {
            let bytes = b.lenenc_bytes()?;
            let label = charset::statement_to_utf8(charset, bytes);
            all.push(label.unwrap_or_else(|| String::from_utf8_lossy(bytes)).into_owned());
        }
        column.labels = Some(all);
    }
    Ok(())
}
