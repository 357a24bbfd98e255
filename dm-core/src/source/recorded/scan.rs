//! Bytes of a dump file, a buffer at a time, with the offset for messages.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{Code, Error, Result, codes};

const BUFFER: usize = 128 << 10;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// Splits the ending that tells the packing off a file name.
    pub fn split(name: &str) -> (&str, Self) {
        let endings = [(".gz", Self::Gzip), (".zst", Self::Zstd)];
        let found = endings.iter().find_map(|(end, p)| Some((name.strip_suffix(end)?, *p)));
        found.unwrap_or((name, Self::Plain))
    }

    /// Opens a file for reading what was packed.
    pub fn open(self, path: &Path) -> std::io::Result<Box<dyn Read + Send>> {
        let file = File::open(path)?;
        Ok(match self {
            Self::Plain => Box::new(file),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
        })
    }
}

/// Reads a file byte by byte, or up to the next of some bytes.
pub(super) struct Scanner {
    reader: Box<dyn Read + Send>,
    name: String,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    /// Offset of the buffer's first byte.
    base: u64,
}

impl Scanner {
    pub fn new(name: &str, reader: Box<dyn Read + Send>) -> Self {
        let buffer = vec![0; BUFFER];
        Self { reader, name: name.to_owned(), buffer, at: 0, filled: 0, base: 0 }
    }

    /// An error at the present place.
    pub fn error(&self, code: &'static Code, what: impl std::fmt::Display) -> Error {
        let offset = self.base + self.at as u64;
        Error::new(code, format!("dump file {}, offset {offset}: {what}", self.name))
    }

    /// The file ends where it must not.
    pub fn cut_off(&self, what: &str) -> Error {
        self.error(&codes::LOAD_INSERT_END, format!("the file ends inside of {what}"))
    }

    fn fill(&mut self) -> Result<bool> {
        if self.at < self.filled {
            return Ok(true);
        }
        self.base += self.filled as u64;
        (self.at, self.filled) = (0, 0);
        loop {
            match self.reader.read(&mut self.buffer) {
                Ok(n) => {
                    self.filled = n;
                    return Ok(n > 0);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                    return Err(self.cut_off("its compressed data").cause(e));
                }
                Err(e) => {
                    return Err(self.error(&codes::LOAD_DISPATCH, "it cannot be read").cause(e));
                }
            }
        }
    }

    /// The next byte, left where it is; `None` at the end.
    pub fn peek(&mut self) -> Result<Option<u8>> {
        Ok(if self.fill()? { self.buffer.get(self.at).copied() } else { None })
    }

    /// The next byte; `None` at the end.
    pub fn next(&mut self) -> Result<Option<u8>> {
        let byte = self.peek()?;
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Takes the next byte if it is this one.
    pub fn take(&mut self, byte: u8) -> Result<bool> {
        let there = self.peek()? == Some(byte);
        self.at += usize::from(there);
        Ok(there)
    }

    /// Appends everything up to, not including, the first byte that `stop` names. At most `limit`
    /// bytes may be in `into` afterwards.
    pub fn take_until(
        &mut self,
        stop: impl Fn(u8) -> bool,
        into: &mut Vec<u8>,
        limit: usize,
    ) -> Result {
        while self.fill()? {
            let rest = self.buffer.get(self.at..self.filled).unwrap_or_default();
            let end = rest.iter().position(|b| stop(*b));
            let part = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            if into.len() + part.len() > limit {
                return Err(self.error(
                    &codes::LOAD_SQL_PARSE,
                    format!("something here is longer than {limit} bytes"),
                ));
            }
            into.extend_from_slice(part);
            self.at += part.len();
            if end.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Passes white space.
    pub fn skip_space(&mut self) -> Result {
        while self.peek()?.is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn endings_tell_the_packing() {
        assert_eq!(Packing::split("a.b.sql.gz"), ("a.b.sql", Packing::Gzip));
        assert_eq!(Packing::split("a.b.csv.zst"), ("a.b.csv", Packing::Zstd));
        assert_eq!(Packing::split("a.b.sql"), ("a.b.sql", Packing::Plain));
    }

    #[test]
    fn offsets_go_on_from_buffer_to_buffer() {
        let mut s = Scanner::new("f", Box::new(Cursor::new(vec![b'x'; BUFFER + 10])));
        let mut all = Vec::new();
        s.take_until(|b| b == b'y', &mut all, usize::MAX).unwrap();
        assert_eq!(all.len(), BUFFER + 10);
        let error = s.cut_off("a row");
        assert!(error.message().contains(&format!("offset {}", BUFFER + 10)), "{error}");
        assert_eq!(s.next().unwrap(), None);
        let mut s = Scanner::new("f", Box::new(Cursor::new(vec![b'x'; 100])));
        let error = s.take_until(|_| false, &mut Vec::new(), 50).unwrap_err();
        assert_eq!(error.code().number, 34_006);
    }
}
