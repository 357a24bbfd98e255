//! Values as a dump file writes them, one row at a time. A row's bytes lie in one buffer.

/// What a value of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// NULL.
    Null,
    /// DEFAULT.
    Default,
    /// Digits without quotes.
    Number,
    /// A string; with the character set that stands before it (`_latin1'x'`), if one does.
    Text(Option<&'static str>),
    /// Bytes written as digits: `x'00'`, `0x00`, `b'01'`.
    Digits,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal<'a> {
    pub kind: Kind,
    pub bytes: &'a [u8],
}

/// The values of one row.
#[derive(Debug, Default)]
pub(super) struct RawRow {
    /// Values that are being read are appended here.
    pub data: Vec<u8>,
    ends: Vec<(Kind, usize)>,
}

impl RawRow {
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    /// Ends a value: what was appended since the last one.
    pub fn end(&mut self, kind: Kind) {
        self.ends.push((kind, self.data.len()));
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where the value that is being read begins.
    pub fn begun(&self) -> usize {
        self.ends.last().map_or(0, |(_, end)| *end)
    }

    pub fn get(&self, index: usize) -> Option<Literal<'_>> {
        let &(kind, end) = self.ends.get(index)?;
        let start = match index.checked_sub(1).and_then(|i| self.ends.get(i)) {
            Some((_, end)) => *end,
            None => 0,
        };
        Some(Literal { kind, bytes: self.data.get(start..end)? })
    }
}

/// What the next step through a file of rows gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A statement (or a file with a header) begins: the table and columns that it names. The name
    /// is empty when it names none.
    Insert { table: String, columns: Option<Vec<String>> },
    /// A row of it.
    Row,
    /// Nothing is left.
    End,
}

/// No value of a server is longer than its largest packet.
pub(super) const MAX_VALUE: usize = 1 << 30;

/// The byte that a backslash and this byte stand for, by MySQL's rules; `\%` and `\_` keep their
/// backslash, which matters to LIKE only.
pub(super) fn escaped(byte: u8) -> (Option<u8>, u8) {
    match byte {
        b'0' => (None, 0),
        b'b' => (None, 8),
        b'n' => (None, b'\n'),
        b'r' => (None, b'\r'),
        b't' => (None, b'\t'),
        b'Z' => (None, 0x1A),
        b'%' | b'_' => (Some(b'\\'), byte),
        other => (None, other),
    }
}
