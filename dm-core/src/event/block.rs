//! Copied rows on their way from a source's SELECT (or dump file) to a sink.
//!
//! The copy never turns text into typed values: a cell is the text that the server sent, and a
//! column says how to read it. All cells of a block lie in one buffer.

use std::sync::Arc;

/// How the bytes of a column's cells are to be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CellKind {
    /// A number as text; can stand in SQL without quotes. Unsigned integers, decimals, floats.
    Number,
    /// UTF-8 text: strings, temporal values, ENUM and SET by label.
    Text,
    /// Bytes of a string in this character set (MySQL's name of it).
    Encoded(&'static str),
    /// Bytes of a binary string.
    Bytes,
    /// BIT(n): the bytes, big endian.
    Bit,
    /// A JSON document as UTF-8 text.
    Json,
    /// A geometry as the server stores it: SRID (4 bytes, little endian), then WKB.
    Geometry,
    /// VECTOR: 32-bit little endian floats.
    Vector,
}

/// A column of a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CopyColumn {
    /// Column name.
    pub name: String,
    /// How its cells are to be read.
    pub kind: CellKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Null,
    Value,
    Sql,
    /// An expression with its text before it, so many bytes long.
    SqlText(u32),
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellRef<'a> {
    /// SQL NULL.
    Null,
    /// The bytes; their meaning is the column's [`CellKind`].
    Value(&'a [u8]),
    /// An SQL expression that gives the value exactly. Used where text cannot say it: a JSON
    /// document that holds decimals or dates, an ENUM's error value.
    Sql(&'a str),
}

/// Some rows of one table.
#[derive(Clone, Debug)]
pub struct CopyBlock {
    columns: Arc<[CopyColumn]>,
    data: Vec<u8>,
    cells: Vec<(Tag, u32)>,
}

impl CopyBlock {
    /// An empty block for these columns.
    pub fn new(columns: Arc<[CopyColumn]>) -> Self {
        Self { columns, data: Vec::new(), cells: Vec::new() }
    }

    /// Makes room for so many more bytes of cell data.
    pub fn reserve(&mut self, bytes: usize) {
        self.data.reserve(bytes);
    }

    /// The columns, in the order of the cells.
    pub fn columns(&self) -> &Arc<[CopyColumn]> {
        &self.columns
    }

    /// Appends a NULL.
    pub fn push_null(&mut self) {
        self.end_cell(Tag::Null);
    }

    /// Appends a value.
    pub fn push_value(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.end_cell(Tag::Value);
    }

    /// Appends an SQL expression.
    pub fn push_sql(&mut self, sql: &str) {
        self.data.extend_from_slice(sql.as_bytes());
        self.end_cell(Tag::Sql);
    }

    /// Appends an SQL expression together with the value as text, in the form of the column's
    /// [`CellKind`]: for targets that cannot compute MySQL's expressions.
    pub fn push_sql_text(&mut self, sql: &str, text: &[u8]) {
        self.data.extend_from_slice(text);
        self.data.extend_from_slice(sql.as_bytes());
        self.end_cell(Tag::SqlText(u32::try_from(text.len()).unwrap_or(u32::MAX)));
    }

    fn end_cell(&mut self, tag: Tag) {
        // Blocks are cut far below 4 GiB (a row is at most 1 GiB); saturation would only
        // make a later slice empty, never wrap around.
        self.cells.push((tag, u32::try_from(self.data.len()).unwrap_or(u32::MAX)));
    }

    /// Number of whole rows.
    pub fn rows(&self) -> usize {
        if self.columns.is_empty() { 0 } else { self.cells.len() / self.columns.len() }
    }

    /// Bytes of cell data.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// True when no row is in it.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell of a row and column; NULL outside of the block.
    pub fn cell(&self, row: usize, column: usize) -> CellRef<'_> {
        let index = row * self.columns.len() + column;
        let Some((tag, bytes)) = self.stored(index) else { return CellRef::Null };
        match tag {
            Tag::Null => CellRef::Null,
            Tag::Value => CellRef::Value(bytes),
            Tag::Sql => CellRef::Sql(std::str::from_utf8(bytes).unwrap_or_default()),
            Tag::SqlText(text) => {
                let sql = bytes.get(text as usize..).unwrap_or_default();
                CellRef::Sql(std::str::from_utf8(sql).unwrap_or_default())
            }
        }
    }

    /// The value as text of a cell that is an SQL expression, if it was given.
    pub fn sql_text(&self, row: usize, column: usize) -> Option<&[u8]> {
        match self.stored(row * self.columns.len() + column)? {
            (Tag::SqlText(text), bytes) => bytes.get(..text as usize),
            _ => None,
        }
    }

    fn stored(&self, index: usize) -> Option<(Tag, &[u8])> {
        let &(tag, end) = self.cells.get(index)?;
        let start = match index.checked_sub(1).and_then(|i| self.cells.get(i)) {
            Some(&(_, start)) => start as usize,
            None => 0,
        };
        Some((tag, self.data.get(start..end as usize).unwrap_or_default()))
    }

    /// The cells of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (&CopyColumn, CellRef<'_>)> {
        self.columns.iter().enumerate().map(move |(i, c)| (c, self.cell(row, i)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_went_in() {
        let columns: Arc<[CopyColumn]> = [("a", CellKind::Number), ("b", CellKind::Text)]
            .into_iter()
            .map(|(name, kind)| CopyColumn { name: name.into(), kind })
            .collect();
        let mut block = CopyBlock::new(columns);
        block.push_value(b"1");
        block.push_null();
        block.push_sql("CAST(1 AS JSON)");
        block.push_value(b"");
        block.push_sql_text("CAST(1.5 AS JSON)", b"1.5");
        block.push_null();
        assert_eq!(block.rows(), 3);
        assert_eq!(block.cell(2, 0), CellRef::Sql("CAST(1.5 AS JSON)"));
        assert_eq!(block.sql_text(2, 0), Some(&b"1.5"[..]));
        assert_eq!(block.sql_text(1, 0), None);
        assert_eq!(block.cell(0, 0), CellRef::Value(b"1"));
        assert_eq!(block.cell(0, 1), CellRef::Null);
        assert_eq!(block.cell(1, 0), CellRef::Sql("CAST(1 AS JSON)"));
        assert_eq!(block.cell(1, 1), CellRef::Value(b""));
        assert_eq!(block.cell(3, 0), CellRef::Null);
    }
}
