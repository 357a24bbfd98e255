//! Row changes as images of the binlog, for who needs the text of all values and no value.

use dm_filter::{ColumnInfo, RowKind};

use crate::error::Result;

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
pub trait RawRow {
    /// Number of columns, carried or not.
    fn width(&self) -> usize;

    /// The cell of a column. Equal cells of one column are equal values.
    fn cell(&self, index: usize) -> RawCell<'_>;

    /// True for a document that is not NULL.
    ///
    /// # Errors
    ///
    /// Bytes that are no value of the column.
    fn is_json(&self, index: usize) -> Result<bool>;

    /// Appends the literal of a column's value; `column` gives the labels of ENUM and SET. Nothing for
    /// a column that the image does not carry.
    ///
    /// # Errors
    ///
    /// Bytes that are no value of the column.
    fn push_sql(&self, out: &mut String, index: usize, column: Option<&ColumnInfo>) -> Result<()>;
}

/// A row change as its images.
#[derive(Clone, Copy)]
pub struct RawOp<'r> {
    /// What happened.
    pub kind: RowKind,
    /// The new row of an insert, the old one of an update and a delete.
    pub first: &'r dyn RawRow,
    /// The new row of an update; empty for others.
    pub second: &'r dyn RawRow,
}

impl std::fmt::Debug for RawOp<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawOp").field("kind", &self.kind).finish_non_exhaustive()
    }
}
