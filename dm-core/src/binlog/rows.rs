//! Rows events: which rows of a table changed, and how.
//!
//! A rows event keeps its rows as bytes and shares its table map, so it can be stored and decoded
//! by another thread. Columns that the server left out of an image (`binlog_row_image` MINIMAL or
//! NOBLOB, or changed within the transaction) are told by two bitmaps of the event itself.

mod decode;
mod partial;

use std::borrow::Cow;
use std::sync::Arc;

use dm_filter::RowKind;

pub use self::decode::Rows;
use super::bytes::{Bytes, bit};
use super::compressed;
use super::header::EventType;
use super::plan::DecodePlan;
use super::table_map::TableMap;
use super::{Result, malformed};

/// Which of the rows events it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowsFormat {
    pub(crate) event_type: EventType,
    pub(crate) kind: RowKind,
    /// 2 has a list of extra data.
    pub(crate) version: u8,
    pub(crate) compressed: bool,
    /// Images after an update may hold changes of JSON documents instead of documents.
    pub(crate) partial_json: bool,
}

/// Changed rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsEvent<'a> {
    /// What happened to the rows.
    pub kind: RowKind,
    /// The table.
    pub table: Arc<TableMap>,
    pub(super) flags: u16,
    pub(super) partial_json: bool,
    /// Length of each of the bitmaps that `data` begins with.
    bitmap: usize,
    /// One bit a column: carried by the image (of an update: before the change); of an update the
    /// same of the image after the change; then the rows. One piece, because it is copied for
    /// every event.
    data: Cow<'a, [u8]>,
}

impl<'a> RowsEvent<'a> {
    /// The last rows event of a statement: the numbers of tables end here.
    const STATEMENT_END: u16 = 0x1;

    pub(crate) fn parse(
        body: &'a [u8],
        id_bytes: usize,
        format: RowsFormat,
        table: Arc<TableMap>,
    ) -> Result<Self> {
        let mut b = Bytes(body);
        b.take(id_bytes)?;
        let flags = b.u16()?;
        if format.version >= 2 {
            // The length counts itself.
            let extra = usize::from(b.u16()?);
            b.take(extra.checked_sub(2).ok_or_else(|| malformed("extra data of a rows event"))?)?;
        }
        let width = b.lenenc()?;
        if width != table.columns.len() as u64 {
            return Err(malformed(format!(
                "rows of {width} columns for {}, whose table map has {}",
                table.table,
                table.columns.len()
            )));
        }
        let bitmap = table.columns.len().div_ceil(8);
        let mut rows = b;
        let whole = b.rest();
        let bits = rows.take(bitmaps(format.kind) * bitmap)?;
        let data = match format.compressed {
            true => {
                let mut data = bits.to_vec();
                data.extend(compressed::inflate(rows.rest())?);
                Cow::Owned(data)
            }
            false => Cow::Borrowed(whole),
        };
        let (kind, partial_json) = (format.kind, format.partial_json);
        Ok(Self { kind, table, flags, partial_json, bitmap, data })
    }

    pub(super) fn first(&self) -> &[u8] {
        self.data.get(..self.bitmap).unwrap_or_default()
    }

    pub(super) fn second(&self) -> &[u8] {
        match self.kind {
            RowKind::Update => self.data.get(self.bitmap..2 * self.bitmap).unwrap_or_default(),
            _ => &[],
        }
    }

    pub(super) fn images(&self) -> &[u8] {
        self.data.get(bitmaps(self.kind) * self.bitmap..).unwrap_or_default()
    }

    /// True for the last rows event of a statement.
    pub fn is_statement_end(&self) -> bool {
        self.flags & Self::STATEMENT_END != 0
    }

    /// Bytes of the rows: what the event costs to keep.
    pub fn byte_len(&self) -> usize {
        self.images().len()
    }

    /// The same event, owning its data.
    pub fn into_owned(self) -> RowsEvent<'static> {
        RowsEvent {
            kind: self.kind,
            table: self.table,
            flags: self.flags,
            partial_json: self.partial_json,
            bitmap: self.bitmap,
            data: Cow::Owned(self.data.into_owned()),
        }
    }

    /// Decodes the rows one after the other; values borrow from this event where they can.
    ///
    /// The plan has to be one for this event's table map (or one that looks the same).
    pub fn rows<'e>(&'e self, plan: &'e DecodePlan) -> Result<Rows<'e>> {
        self.rows_with(plan, &[])
    }

    /// As [`RowsEvent::rows`], but the values of columns for which `passed` says true may be left
    /// out, as if the image did not carry them. By columns of the binlog.
    pub(crate) fn rows_with<'e>(
        &'e self,
        plan: &'e DecodePlan,
        passed: &'e [bool],
    ) -> Result<Rows<'e>> {
        if !plan.fits(&self.table) {
            return Err(malformed(format!(
                "{} changed its columns within a plan",
                self.table.table
            )));
        }
        let carried = |bitmap: &[u8]| (0..plan.ops().len()).filter(|i| bit(bitmap, *i)).count();
        let carried = [carried(self.first()), carried(self.second())];
        Ok(Rows { event: self, plan, carried, rest: Bytes(self.images()), passed, failed: false })
    }
}

impl RowsEvent<'_> {
    /// How many rows change, without a look at what they hold; `None` where only decoding tells
    /// (rows of the past, changes within documents).
    ///
    /// # Errors
    ///
    /// Rows that end too soon, and a plan that is not one for this event's table map.
    pub(crate) fn count(&self, plan: &DecodePlan) -> Result<Option<usize>> {
        if plan.row_end().is_some() || self.partial_json {
            return Ok(None);
        }
        let mut rows = self.rows_with(plan, &[])?;
        let mut count = 0;
        while !rows.rest.is_empty() {
            let before = rows.rest.len();
            rows.pass(self.first(), rows.carried[0])?;
            if self.kind == RowKind::Update {
                rows.pass(self.second(), rows.carried[1])?;
            }
            if rows.rest.len() == before {
                return Err(malformed("a row without a single byte"));
            }
            count += 1;
        }
        Ok(Some(count))
    }
}

impl RowsEvent<'static> {
    /// An event of these bitmaps and rows; there is a `second` of an update only.
    pub(super) fn from_parts(
        (kind, table): (RowKind, Arc<TableMap>),
        (flags, partial_json): (u16, bool),
        (first, second): (Vec<u8>, &[u8]),
        rows: &[u8],
    ) -> Self {
        let bitmap = first.len();
        let mut data = first;
        data.extend_from_slice(second);
        data.extend_from_slice(rows);
        Self { kind, table, flags, partial_json, bitmap, data: Cow::Owned(data) }
    }
}

/// How many bitmaps an event has.
fn bitmaps(kind: RowKind) -> usize {
    if kind == RowKind::Update { 2 } else { 1 }
}
