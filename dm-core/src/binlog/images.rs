//! Rows as SQL text, straight from their images.
//!
//! Guarantee: the literal of a cell is that of the value which decoding it gives. Where nobody asks
//! for values (no filter, no expression, every column carried), making one for each cell costs
//! more than printing it: numbers, plain text, bytes and decimals are printed from the bytes of the
//! image, all else takes the way through its value.

use std::borrow::Cow;

use dm_filter::{ColumnInfo, Value};

use super::Result;
use super::bytes::Bytes;
use super::plan::DecodePlan;
use super::rows::RowsEvent;
use crate::event::{RawCell, RawOp, RawRow};
use crate::sql::push_value;

/// One image of a row.
#[derive(Clone, Copy, Debug)]
pub struct RawImage<'r> {
    plan: &'r DecodePlan,
    cells: &'r [RawCell<'r>],
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
            f(RawOp { kind, first: &image(&first), second: &image(&second) })?;
        }
        Ok(true)
    }
}

impl<'r> RawImage<'r> {
    fn at(&self, index: usize) -> RawCell<'r> {
        self.cells.get(index).copied().unwrap_or(RawCell::Absent)
    }

    /// The value of a column; `None` when the image does not carry it.
    ///
    /// # Errors
    ///
    /// Bytes that are no value of the column.
    pub fn value(&self, index: usize) -> Result<Option<Value<'r>>> {
        match (self.at(index), self.plan.ops().get(index)) {
            (RawCell::Bytes(bytes), Some(op)) => op.read(&mut Bytes(bytes)).map(Some),
            (RawCell::Null, _) => Ok(Some(Value::Null)),
            _ => Ok(None),
        }
    }
}

impl RawRow for RawImage<'_> {
    fn width(&self) -> usize {
        self.cells.len()
    }

    fn cell(&self, index: usize) -> RawCell<'_> {
        self.at(index)
    }

    fn is_json(&self, index: usize) -> crate::error::Result<bool> {
        match self.plan.ops().get(index) {
            Some(op) if op.may_be_json() => Ok(matches!(self.value(index)?, Some(Value::Json(_)))),
            _ => Ok(false),
        }
    }

    fn push_sql(
        &self,
        out: &mut String,
        index: usize,
        column: Option<&ColumnInfo>,
    ) -> crate::error::Result<()> {
        match (self.at(index), self.plan.ops().get(index)) {
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
