//! MariaDB's compression of statements, rows and columns: a zlib stream behind a length.

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};

use super::bytes::{Bytes, uint_be};
use super::header::MAX_EVENT_LEN;
use super::{Error, Result, codes, malformed};

/// Unpacks an event's part: a byte `0x80 | algorithm << 4 | n`, n big-endian bytes of the
/// original length, and a zlib stream (algorithm 0).
pub(crate) fn inflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut b = Bytes(bytes);
    let head = b.u8()?;
    if head & 0x80 == 0 || (head >> 4) & 0x7 != 0 {
        return Err(malformed(format!("unknown compression {head:#04x}")));
    }
    let length = uint_be(b.take(usize::from(head & 0x7))?);
    if length > u64::from(MAX_EVENT_LEN) {
        return Err(malformed(format!("compressed data claims to be {length} bytes long")));
    }
    read_exactly(ZlibDecoder::new(b.rest()), length)
}

/// Unpacks a value of a COMPRESSED column: a byte `method << 4 | n`, n big-endian bytes of the
/// original length, and the data. Method 0 is no compression, 8 is zlib; bit 3 of the first byte
/// says that the zlib stream has no header.
pub(crate) fn column(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>> {
    let mut b = Bytes(bytes);
    if b.is_empty() {
        return Ok(std::borrow::Cow::Borrowed(bytes));
    }
    let head = b.u8()?;
    match head >> 4 {
        0 => Ok(std::borrow::Cow::Borrowed(b.rest())),
        8 => {
            let length = uint_be(b.take(usize::from(head & 0x7))?);
            if length > u64::from(u32::MAX) {
                return Err(malformed("a compressed column is too long"));
            }
            let bare = head & 0x8 != 0;
            let data = match bare {
                true => read_exactly(DeflateDecoder::new(b.rest()), length),
                false => read_exactly(ZlibDecoder::new(b.rest()), length),
            };
            data.map(std::borrow::Cow::Owned)
        }
        method => Err(malformed(format!("unknown column compression {method}"))),
    }
}

/// Reads a stream that has to have this length; memory grows with what is really there.
fn read_exactly(reader: impl Read, length: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    reader
        .take(length + 1)
        .read_to_end(&mut out)
        .map_err(|e| Error::new(&codes::SYNC_EVENT, "compressed data is broken").cause(e))?;
    if out.len() as u64 == length {
        Ok(out)
    } else {
        Err(malformed(format!("compressed data has {} bytes, not {length}", out.len())))
    }
}
