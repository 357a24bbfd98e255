//! Rows events: which rows of a table changed, and how.
//!
//! A rows event keeps its rows as bytes and shares its table map, so it can be stored and decoded
//! by another thread. Columns that the server left out of an image (`binlog_row_image` MINIMAL or
//! NOBLOB, or changed within the transaction) are told by two bitmaps of the event itself. Where
//! the image before an update is whole, the one after it comes out whole too.

use std::borrow::Cow;
use std::sync::Arc;

use dm_filter::{Row, RowKind, RowOp};

use super::bytes::{Bytes, bit};
use super::compressed;
use super::header::EventType;
use super::json::{self, JsonDiffs};
use super::plan::DecodePlan;
use super::table_map::TableMap;
use super::versioning::{self, Image};
use super::{Error, Result, codes, malformed};
use crate::event::RawCell;

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

/// An image that leaves out what did not change (`binlog_row_image=FULL_NODUP`), with what the
/// whole image before the change says of it.
fn completed<'e>(after: Row<'e>, before: &Row<'e>) -> Row<'e> {
    let cells = after.cells().iter().zip(before.cells());
    Row::partial(cells.map(|(new, old)| new.as_ref().or(old.as_ref()).cloned()).collect())
}

/// The rows of an event.
#[derive(Debug)]
pub struct Rows<'e> {
    event: &'e RowsEvent<'e>,
    plan: &'e DecodePlan,
    /// How many columns each of the two images carries.
    carried: [usize; 2],
    rest: Bytes<'e>,
    /// Columns whose values nobody asks for.
    passed: &'e [bool],
    failed: bool,
}

impl<'e> Iterator for Rows<'e> {
    type Item = Result<RowOp<'e>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed && !self.rest.is_empty() {
            let before = self.rest.len();
            let row = self.row();
            // A row without a single byte would repeat for ever.
            self.failed = row.is_err() || self.rest.len() == before;
            match row {
                // A row of the past of a system-versioned table.
                Ok(None) => {}
                Ok(Some(op)) => return Some(Ok(op)),
                Err(e) => {
                    let table = &self.event.table.table;
                    return Some(Err(e.context(format!("a row of {table} in a binlog event"))));
                }
            }
        }
        None
    }
}

impl<'e> Rows<'e> {
    fn row(&mut self) -> Result<Option<RowOp<'e>>> {
        Ok(match self.event.kind {
            RowKind::Insert => versioning::single(self.first()?, |after| RowOp::Insert { after }),
            RowKind::Delete => versioning::single(self.first()?, |before| RowOp::Delete { before }),
            RowKind::Update if self.event.partial_json => Some(self.partial_update()?),
            RowKind::Update => {
                let before = self.first()?;
                let mut after = self.image(self.event.second(), self.carried[1])?;
                let columns = self.plan.ops().len();
                if self.carried[0] == columns && self.carried[1] < columns {
                    after.row = completed(after.row, &before.row);
                }
                versioning::update(before, after)
            }
        })
    }

    fn first(&mut self) -> Result<Image<'e>> {
        self.image(self.event.first(), self.carried[0])
    }

    /// The next change as its images, which the two lists take in; `None` behind the last one.
    pub(super) fn next_raw(
        &mut self,
        first: &mut Vec<RawCell<'e>>,
        second: &mut Vec<RawCell<'e>>,
    ) -> Result<Option<RowKind>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let before = self.rest.len();
        self.raw_image(self.event.first(), self.carried[0], first)?;
        if self.event.kind == RowKind::Update {
            self.raw_image(self.event.second(), self.carried[1], second)?;
            if self.carried[0] == self.plan.ops().len() {
                // What the second image leaves out did not change.
                for (after, before) in second.iter_mut().zip(&*first) {
                    if *after == RawCell::Absent {
                        *after = *before;
                    }
                }
            }
        }
        if self.rest.len() == before {
            return Err(malformed("a row without a single byte"));
        }
        Ok(Some(self.event.kind))
    }

    fn raw_image(
        &mut self,
        present: &[u8],
        carried: usize,
        cells: &mut Vec<RawCell<'e>>,
    ) -> Result<()> {
        cells.clear();
        let ops = self.plan.ops();
        let nulls = self.rest.take(carried.div_ceil(8))?;
        let mut seen = 0;
        for (i, op) in ops.iter().enumerate() {
            if carried < ops.len() && !bit(present, i) {
                cells.push(RawCell::Absent);
                continue;
            }
            let null = bit(nulls, seen);
            seen += 1;
            if null {
                cells.push(RawCell::Null);
                continue;
            }
            let start = self.rest;
            op.pass(&mut self.rest)?;
            let length = start.len() - self.rest.len();
            cells.push(RawCell::Bytes(start.0.get(..length).unwrap_or_default()));
        }
        Ok(())
    }

    /// Steps over an image.
    fn pass(&mut self, present: &[u8], carried: usize) -> Result<()> {
        let nulls = self.rest.take(carried.div_ceil(8))?;
        let mut seen = 0;
        for (i, op) in self.plan.ops().iter().enumerate() {
            if carried < self.plan.ops().len() && !bit(present, i) {
                continue;
            }
            if !bit(nulls, seen) {
                op.pass(&mut self.rest)?;
            }
            seen += 1;
        }
        Ok(())
    }

    /// The image of a row of which all columns are carried and wanted.
    fn whole_image(&mut self) -> Result<Image<'e>> {
        let ops = self.plan.ops();
        let nulls = self.rest.take(ops.len().div_ceil(8))?;
        let mut cells = Vec::with_capacity(ops.len());
        for (i, op) in ops.iter().enumerate() {
            let null = bit(nulls, i);
            cells.push(Some(match null {
                true => dm_filter::Value::Null,
                false => op.read(&mut self.rest)?,
            }));
        }
        Ok(Image { row: Row::partial(cells), present: None })
    }

    /// Starts with one bit for each column that is carried: whether it is NULL.
    fn image(&mut self, present: &'e [u8], carried: usize) -> Result<Image<'e>> {
        if carried == self.plan.ops().len() && self.passed.is_empty() && self.plan.is_plain() {
            return self.whole_image();
        }
        let nulls = self.rest.take(carried.div_ceil(8))?;
        let mut cells = Vec::with_capacity(self.plan.width());
        let mut seen = 0;
        let mut is_present = None;
        for (i, op) in self.plan.ops().iter().enumerate() {
            if !bit(present, i) {
                self.plan.push(&mut cells, i, None);
                continue;
            }
            let null = bit(nulls, seen);
            seen += 1;
            if self.passed.get(i) == Some(&true) {
                if !null {
                    op.pass(&mut self.rest)?;
                }
                self.plan.push(&mut cells, i, None);
                continue;
            }
            let value = if null { dm_filter::Value::Null } else { op.read(&mut self.rest)? };
            if self.plan.row_end() == Some(i) {
                is_present = Some(versioning::is_end_of_time(&value));
            }
            self.plan.push(&mut cells, i, Some(value));
        }
        Ok(Image { row: Row::partial(cells), present: is_present })
    }

    /// An update whose second image may hold changes of JSON documents: they are applied to the
    /// documents of the first.
    fn partial_update(&mut self) -> Result<RowOp<'e>> {
        let mut documents = vec![None; self.plan.ops().len()];
        let start = self.rest;
        let before = self.first()?.row;
        self.documents(start, &mut documents)?;

        let options = self.rest.lenenc()?;
        if options & !1 != 0 {
            return Err(malformed(format!("unknown row value options {options}")));
        }
        // One bit for every JSON column of the table, carried or not.
        let partial = match options & 1 {
            0 => &[][..],
            _ => self.rest.take(self.event.table.json_columns().div_ceil(8))?,
        };
        let nulls = self.rest.take(self.carried[1].div_ceil(8))?;
        let mut cells = Vec::with_capacity(self.plan.width());
        let (mut carried, mut jsons) = (0, 0);
        for (i, op) in self.plan.ops().iter().enumerate() {
            let is_diff = op.is_json() && {
                jsons += 1;
                bit(partial, jsons - 1)
            };
            if !bit(self.event.second(), i) {
                self.plan.push(&mut cells, i, None);
                continue;
            }
            let null = bit(nulls, carried);
            carried += 1;
            let value = match (null, is_diff) {
                (true, _) => dm_filter::Value::Null,
                (false, false) => op.read(&mut self.rest)?,
                (false, true) => {
                    let document = documents.get(i).copied().flatten();
                    self.apply_diffs(i, document)?
                }
            };
            self.plan.push(&mut cells, i, Some(value));
        }
        Ok(RowOp::Update { before, after: Row::partial(cells) })
    }

    /// The bytes of the JSON documents of an image.
    fn documents(&self, start: Bytes<'e>, into: &mut [Option<&'e [u8]>]) -> Result<()> {
        let present = self.event.first();
        let mut b = start;
        let nulls = b.take(self.carried[0].div_ceil(8))?;
        let mut seen = 0;
        for ((i, op), slot) in self.plan.ops().iter().enumerate().zip(into) {
            if !bit(present, i) {
                continue;
            }
            seen += 1;
            if bit(nulls, seen - 1) {
                continue;
            }
            match op.json_bytes(&mut b)? {
                Some(document) => *slot = Some(document),
                None => drop(op.read(&mut b)?),
            }
        }
        Ok(())
    }

    fn apply_diffs(
        &mut self,
        column: usize,
        document: Option<&'e [u8]>,
    ) -> Result<dm_filter::Value<'e>> {
        let length = self.rest.u32()?;
        let diffs = JsonDiffs::parse(self.rest.take_u64(u64::from(length))?)?;
        let document = document.ok_or_else(|| {
            Error::new(
                &codes::BINLOG_PARTIAL_JSON,
                format!(
                    "column {} is changed in part, but the row before the change does not carry it",
                    column + 1
                ),
            )
        })?;
        json::apply(document, &diffs).map(dm_filter::Value::Json)
    }
}
