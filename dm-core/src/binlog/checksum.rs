//! The checksum at the end of each event.

use super::header::{EventHeader, HEADER_LEN};
use super::{Error, Result, codes};

/// How the events of a file are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Nothing follows the body.
    #[default]
    None,
    /// Four bytes of CRC-32 follow the body.
    Crc32,
}

/// Bytes of a checksum.
pub(crate) const CHECKSUM_LEN: usize = 4;

/// Splits the checksum from an event; `None` when there is no room for one.
pub(crate) fn split(event: &[u8]) -> Option<(&[u8], u32)> {
    let (rest, crc) = event.split_last_chunk::<CHECKSUM_LEN>()?;
    (rest.len() >= HEADER_LEN).then(|| (rest, u32::from_le_bytes(*crc)))
}

/// True when the last four bytes are the checksum of what is before them.
pub(crate) fn matches(event: &[u8]) -> bool {
    split(event).is_some_and(|(rest, crc)| crc32fast::hash(rest) == crc)
}

/// Checks the last four bytes and cuts them off.
pub(crate) fn verify<'a>(event: &'a [u8], header: &EventHeader) -> Result<&'a [u8]> {
    let wrong = |computed: u32, found: u32| {
        Error::new(
            &codes::BINLOG_CHECKSUM,
            format!(
                "binlog checksum mismatch, data may be corrupted: event {} of {} bytes that ends \
                 at {} has {found:08x}, its bytes make {computed:08x}",
                header.event_type, header.event_size, header.log_pos
            ),
        )
    };
    let (rest, crc) = split(event).ok_or_else(|| wrong(0, 0))?;
    let computed = crc32fast::hash(rest);
    if computed == crc { Ok(rest) } else { Err(wrong(computed, crc)) }
}

/// As [`verify`], for a FORMAT_DESCRIPTION event: its checksum was made before the server set the
/// flag that says the file is in use.
pub(crate) fn verify_format_description(event: &[u8], header: &EventHeader) -> Result<()> {
    if header.flags & EventHeader::FLAG_IN_USE == 0 {
        return verify(event, header).map(drop);
    }
    let mut copy = event.to_vec();
    let cleared = (header.flags & !EventHeader::FLAG_IN_USE).to_le_bytes();
    if let Some(flags) = copy.get_mut(HEADER_LEN - 2..HEADER_LEN) {
        flags.copy_from_slice(&cleared);
    }
    verify(&copy, header).map(drop)
}
