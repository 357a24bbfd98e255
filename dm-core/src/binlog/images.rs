//! Rows as SQL text, straight from their images.
//!
//! Guarantee: the literal of a cell is that of the value which decoding it gives. Where nobody asks
//! for values (no filter, no expression, every column carried), making one for each cell costs
//! more than printing it: numbers, plain text, bytes and decimals are printed from the bytes of the
//! image, all else takes the way through its value.

use std::borrow::Cow;

use dm_filter::{ColumnInfo, RowKind, Value};

use super::Result;
use super::bytes::Bytes;
use super::plan::DecodePlan;
use super::rows::RowsEvent;
use crate::sql::push_value;

/// A cell of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawCell<'e> {
    /// The image does not carry it.
    Absent,
    /// SQL NULL.
    Null,
    /// Its bytes, a length in front of them included.
    Bytes(&'e [u8]),
}

/// One image of a row.
#[derive(Clone, Copy, Debug)]
pub struct RawImage<'r> {
    plan: &'r DecodePlan,
    cells: &'r [RawCell<'r>],
}

/// A row change as its images.
#[derive(Clone, Copy, Debug)]
pub struct RawOp<'r> {
    /// What happened.
    pub kind: RowKind,
    /// The new row of an insert, the old one of an update and a delete.
    pub first: RawImage<'r>,
    /// The new row of an update; empty for others.
    pub second: RawImage<'r>,
}

impl RowsEvent<'_> {
    /// Calls `f` with each row change as its images, until it fails; false, with nothing called, for
    /// rows that only decoding makes what they are: changes within documents, hidden columns, rows of
    /// the past.
    ///
    /// # Errors
    ///
    /// Damaged rows, a plan that is not one for this event's table map, and what `f` fails with.
    pub fn each_raw(
        &self,
        plan: &DecodePlan,
        f: &mut dyn FnMut(RawOp<'_>) -> Result<()>,
    ) -> Result<bool> {
        if !plan.is_plain() || self.partial_json {
            return Ok(false);
        }
        let context =
            |e: super::Error| e.context(format!("a row of {} in a binlog event", self.table.table));
        let mut rows = self.rows_with(plan, &[])?;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        while let Some(kind) = rows.next_raw(&mut first, &mut second).map_err(context)? {
            let image = |cells| RawImage { plan, cells };
            f(RawOp { kind, first: image(&first), second: image(&second) })?;
        }
        Ok(true)
    }
}

impl<'r> RawImage<'r> {
    /// Number of columns, carried or not.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// True for an image without columns.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell of a column.
    pub fn cell(&self, index: usize) -> RawCell<'r> {
        self.cells.get(index).copied().unwrap_or(RawCell::Absent)
    }

    /// True when every column is carried.
    pub fn is_full(&self) -> bool {
        self.cells.iter().all(|cell| *cell != RawCell::Absent)
    }

    /// The value of a column; `None` when the image does not carry it.
    ///
    /// # Errors
    ///
    /// Bytes that are no value of the column.
    pub fn value(&self, index: usize) -> Result<Option<Value<'r>>> {
        match (self.cell(index), self.plan.ops().get(index)) {
            (RawCell::Bytes(bytes), Some(op)) => op.read(&mut Bytes(bytes)).map(Some),
            (RawCell::Null, _) => Ok(Some(Value::Null)),
            _ => Ok(None),
        }
    }

    /// True for a document that is not NULL.
    ///
    /// # Errors
    ///
    /// As [`RawImage::value`].
    pub fn is_json(&self, index: usize) -> Result<bool> {
        match self.plan.ops().get(index) {
            Some(op) if op.may_be_json() => Ok(matches!(self.value(index)?, Some(Value::Json(_)))),
            _ => Ok(false),
        }
    }

    /// Appends the literal of a column's value; `column` gives the labels of ENUM and SET. Nothing for
    /// a column that the image does not carry.
    ///
    /// # Errors
    ///
    /// As [`RawImage::value`].
    pub fn push_sql(
        &self,
        out: &mut String,
        index: usize,
        column: Option<&ColumnInfo>,
    ) -> Result<()> {
        match (self.cell(index), self.plan.ops().get(index)) {
            (RawCell::Null, _) => out.push_str("NULL"),
            (RawCell::Bytes(bytes), Some(op)) => op.push_sql(out, bytes, column)?,
            _ => {}
        }
        Ok(())
    }
}

impl super::op::Op {
    fn push_sql(&self, out: &mut String, cell: &[u8], column: Option<&ColumnInfo>) -> Result<()> {
        use super::op::How;
        let mut b = Bytes(cell);
        let value = match *self {
            Self::Decimal { precision, scale } => {
                return super::value::decimal::push(out, &mut b, precision, scale);
            }
            Self::Bytes { prefix, how: How::Text(text) } => {
                let bytes = cell.get(usize::from(prefix)..).unwrap_or_default();
                match text.to_utf8(bytes) {
                    Some(text) => Value::Text(text),
                    None => text.value(bytes),
                }
            }
            Self::Bytes { prefix, how: How::Geometry | How::Vector } => {
                Value::Bytes(Cow::Borrowed(cell.get(usize::from(prefix)..).unwrap_or_default()))
            }
            _ => self.read(&mut b)?,
        };
        push_value(out, &value, column);
        Ok(())
    }
}
