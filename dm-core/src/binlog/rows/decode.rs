//! The rows of an event, one after the other: what each image carries, decoded or as it is.
//! Where the image before an update is whole, the one after it comes out whole too.

use dm_filter::{Row, RowKind, RowOp};

use super::super::bytes::{Bytes, bit};
use super::super::plan::DecodePlan;
use super::super::versioning::{self, Image};
use super::super::{Result, malformed};
use super::RowsEvent;
use crate::event::RawCell;

/// The rows of an event.
#[derive(Debug)]
pub struct Rows<'e> {
    pub(super) event: &'e RowsEvent<'e>,
    pub(super) plan: &'e DecodePlan,
    /// How many columns each of the two images carries.
    pub(super) carried: [usize; 2],
    pub(super) rest: Bytes<'e>,
    /// Columns whose values nobody asks for.
    pub(super) passed: &'e [bool],
    pub(super) failed: bool,
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

    pub(super) fn first(&mut self) -> Result<Image<'e>> {
        self.image(self.event.first(), self.carried[0])
    }

    /// The next change as its images, which the two lists take in; `None` behind the last one.
    pub(in crate::binlog) fn next_raw(
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
    pub(super) fn pass(&mut self, present: &[u8], carried: usize) -> Result<()> {
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
}

/// An image that leaves out what did not change (`binlog_row_image=FULL_NODUP`), with what the
/// whole image before the change says of it.
fn completed<'e>(after: Row<'e>, before: &Row<'e>) -> Row<'e> {
    let cells = after.cells().iter().zip(before.cells());
    Row::partial(cells.map(|(new, old)| new.as_ref().or(old.as_ref()).cloned()).collect())
}
