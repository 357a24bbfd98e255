//! Rows of a CSV file in Dumpling's dialect.
//!
//! Fields are separated by commas, text stands in double quotes, in which a backslash escapes and
//! a doubled quote is one; NULL is `\N` without quotes; the first line names the columns. Every
//! line has an end, the last one too: a file without it is cut off.

use super::literal::{Item, Kind, MAX_VALUE, RawRow, escaped};
use super::scan::Scanner;
use crate::error::{Result, codes};

/// Reads a CSV file.
pub(super) struct CsvRows {
    scan: Scanner,
    begun: bool,
}

impl CsvRows {
    pub fn new(scan: Scanner) -> Self {
        Self { scan, begun: false }
    }

    pub fn scan(&self) -> &Scanner {
        &self.scan
    }

    /// The next item; the values of a row go into `row`.
    pub fn next(&mut self, row: &mut RawRow) -> Result<Item> {
        if self.scan.peek()?.is_none() {
            return Ok(Item::End);
        }
        self.record(row)?;
        if self.begun {
            return Ok(Item::Row);
        }
        self.begun = true;
        let names = (0..row.len()).filter_map(|i| row.get(i));
        let names = names.map(|l| String::from_utf8_lossy(l.bytes).into_owned()).collect();
        Ok(Item::Insert { table: String::new(), columns: Some(names) })
    }

    fn record(&mut self, row: &mut RawRow) -> Result {
        row.clear();
        loop {
            let kind = if self.scan.take(b'"')? {
                self.quoted(row)?;
                Kind::Text(None)
            } else {
                self.bare(row)?
            };
            row.end(kind);
            match self.scan.next()? {
                Some(b',') => {}
                Some(b'\n') => return Ok(()),
                Some(b'\r') if self.scan.take(b'\n')? => return Ok(()),
                None => return Err(self.scan.cut_off("a line")),
                Some(other) => {
                    let found = [other];
                    return Err(self.scan.error(
                        &codes::LOAD_SQL_PARSE,
                        format!("found `{}` behind a field", found.escape_ascii()),
                    ));
                }
            }
        }
    }

    fn quoted(&mut self, row: &mut RawRow) -> Result {
        let limit = row.begun().saturating_add(MAX_VALUE);
        loop {
            self.scan.take_until(|b| matches!(b, b'"' | b'\\'), &mut row.data, limit)?;
            match self.scan.next()? {
                None => return Err(self.scan.cut_off("a quoted field")),
                Some(b'\\') => self.escape(row)?,
                Some(_) if self.scan.take(b'"')? => row.data.push(b'"'),
                Some(_) => return Ok(()),
            }
        }
    }

    fn bare(&mut self, row: &mut RawRow) -> Result<Kind> {
        let begun = row.begun();
        let limit = begun.saturating_add(MAX_VALUE);
        let stop = |b| matches!(b, b',' | b'\n' | b'\r' | b'\\' | b'"');
        loop {
            self.scan.take_until(stop, &mut row.data, limit)?;
            if !self.scan.take(b'\\')? {
                return Ok(Kind::Text(None));
            }
            if row.data.len() == begun && self.scan.take(b'N')? {
                return Ok(Kind::Null);
            }
            self.escape(row)?;
        }
    }

    fn escape(&mut self, row: &mut RawRow) -> Result {
        let byte = self.scan.next()?.ok_or_else(|| self.scan.cut_off("a field"))?;
        let (before, byte) = escaped(byte);
        row.data.extend(before);
        row.data.push(byte);
        Ok(())
    }
}
