//! Events out of binlog files.
//!
//! Guarantee: every event that comes out is whole, as far as its own length says; a file that
//! ends in the middle of an event (the server is writing, or crashed) ends the reading cleanly
//! with the offset after the last whole event, so that reading can go on from there later. A
//! length that no event can have is an error. Checksums are the decoder's business.

use std::io::{ErrorKind, Read};

use super::header::{EventHeader, HEADER_LEN};
use super::{Error, Result, codes};

/// The first four bytes of a binlog file.
pub const MAGIC: [u8; 4] = [0xFE, b'b', b'i', b'n'];
/// The first four bytes of a file that MySQL has encrypted.
const ENCRYPTED_MAGIC: [u8; 4] = [0xFD, b'b', b'i', b'n'];

/// What came next in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed<'a> {
    /// A whole event.
    Event {
        /// Its header.
        header: EventHeader,
        /// All its bytes, header and checksum included.
        bytes: &'a [u8],
        /// Offset of its first byte.
        start: u64,
    },
    /// The file ends after a whole event.
    End,
    /// The file ends in the middle of an event.
    Torn {
        /// Offset after the last whole event.
        good: u64,
    },
}

/// Reads events one after the other.
#[derive(Debug)]
pub struct FileReader<R> {
    reader: R,
    offset: u64,
    event: Vec<u8>,
}

impl<R: Read> FileReader<R> {
    /// Reads the magic bytes of a file from its start. A file shorter than them is `None`.
    pub fn open(mut reader: R) -> Result<Option<Self>> {
        let mut magic = Vec::with_capacity(4);
        read_up_to(&mut reader, 4, &mut magic)?;
        match <[u8; 4]>::try_from(magic.as_slice()) {
            Err(_) => Ok(None),
            Ok(MAGIC) => Ok(Some(Self::resume(reader, 4))),
            Ok(ENCRYPTED_MAGIC) => Err(Error::new(
                &codes::BINLOG_ENCRYPTED,
                "the binlog file is encrypted by its server (binlog_encryption)",
            )),
            Ok(other) => Err(Error::new(
                &codes::SYNC_EVENT,
                format!("not a binlog file: it starts with {other:02x?}"),
            )),
        }
    }

    /// Goes on at an offset at which an event starts; the reader has to stand there.
    pub fn resume(reader: R, offset: u64) -> Self {
        Self { reader, offset, event: Vec::new() }
    }

    /// The offset after the last whole event.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next event. After anything but an event the reader is spent.
    pub fn next_event(&mut self) -> Result<Framed<'_>> {
        self.event.clear();
        read_up_to(&mut self.reader, HEADER_LEN, &mut self.event)?;
        if self.event.is_empty() {
            return Ok(Framed::End);
        }
        if self.event.len() < HEADER_LEN {
            return Ok(Framed::Torn { good: self.offset });
        }
        let header = EventHeader::parse(&self.event)?;
        let place = |e: Error| e.context(format!("at offset {}", self.offset));
        let size = header.checked_size().map_err(place)?;
        read_up_to(&mut self.reader, size - HEADER_LEN, &mut self.event)?;
        if self.event.len() < size {
            return Ok(Framed::Torn { good: self.offset });
        }
        let start = self.offset;
        self.offset += size as u64;
        Ok(Framed::Event { header, bytes: &self.event, start })
    }
}

/// Room for an event of at most this size is made before it is read.
const SMALL: usize = 64 << 10;

/// Appends up to `n` bytes; fewer only at the end.
fn fill(reader: &mut impl Read, n: usize, into: &mut Vec<u8>) -> std::io::Result<()> {
    let mut have = into.len();
    into.resize(have + n, 0);
    while let Some(room) = into.get_mut(have..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                into.truncate(have);
                return Err(e);
            }
        }
    }
    into.truncate(have);
    Ok(())
}

/// Appends up to `n` bytes; fewer only at the end. The buffer grows with what is really there, so
/// a wrong length costs no memory.
fn read_up_to(reader: &mut impl Read, n: usize, into: &mut Vec<u8>) -> Result<()> {
    let got = match n <= SMALL {
        true => fill(reader, n, into),
        false => reader.take(n as u64).read_to_end(into).map(drop),
    };
    match got {
        Ok(()) => Ok(()),
        // A file that is being compressed or piped may end abruptly: torn, not broken.
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(()),
        Err(e) => Err(Error::new(&codes::SYNC_EVENT, "reading the binlog failed").cause(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::raw;

    fn event(kind: u8, body: &[u8]) -> Vec<u8> {
        raw::event(kind, 0, 0, body)
    }

    fn file() -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend(event(3, b""));
        file.extend(event(2, b"some body"));
        file
    }

    #[test]
    fn every_cut_is_a_clean_end() {
        let file = file();
        for cut in 0..=file.len() {
            let Some(mut reader) = FileReader::open(&file[..cut]).unwrap() else {
                assert!(cut < 4);
                continue;
            };
            let mut events = 0;
            let last = loop {
                match reader.next_event().unwrap() {
                    Framed::Event { .. } => events += 1,
                    Framed::End => break None,
                    Framed::Torn { good } => break Some(good),
                }
            };
            let expected = match cut {
                4 => (0, None),
                5..23 => (0, Some(4)),
                23 => (1, None),
                24..51 => (1, Some(23)),
                _ => (2, None),
            };
            assert_eq!((events, last), expected, "cut at {cut}");
        }
    }

    #[test]
    fn impossible_lengths_and_other_files_are_errors() {
        for size in [0u32, 18, 0x7FFF_FFFF, u32::MAX] {
            let mut file = file();
            file[13..17].copy_from_slice(&size.to_le_bytes());
            let mut reader = FileReader::open(&file[..]).unwrap().unwrap();
            let error = reader.next_event().unwrap_err();
            assert!(error.message().contains("at offset 4"), "{error}");
        }
        assert!(FileReader::open(&b"SQLite format 3"[..]).is_err());
        let encrypted = FileReader::open(&[0xFD, b'b', b'i', b'n', 0][..]).unwrap_err();
        assert_eq!(encrypted.code().number, codes::BINLOG_ENCRYPTED.number);
    }
}
