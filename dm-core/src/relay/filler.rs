//! Events in the place of those that a server does not send.
//!
//! Pure. MariaDB leaves events out of the stream (`ANNOTATE_ROWS`, unless it is asked for them in a way
//! that not every client can; the header of an encrypted file). The relay log puts an event of the
//! same length there that every reader passes over, so that all offsets are those of the server.

use crate::binlog::{Checksum, EventHeader, EventType, HEADER_LEN};

/// The checksum at the end of an event.
const CHECKSUM_LEN: usize = 4;

/// An event of `size` bytes that ends at `end`; `None` when no event is so short or so long.
pub(super) fn filler(size: u64, end: u64, server_id: u32, checksum: Checksum) -> Option<Vec<u8>> {
    let extra = if checksum == Checksum::Crc32 { CHECKSUM_LEN } else { 0 };
    let length = u32::try_from(size).ok()?;
    let body = usize::try_from(size).ok()?.checked_sub(HEADER_LEN + extra)?;
    let mut bytes = Vec::with_capacity(HEADER_LEN + body + extra);
    bytes.extend(0_u32.to_le_bytes());
    bytes.push(EventType::IGNORABLE.0);
    bytes.extend(server_id.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend((end as u32).to_le_bytes());
    bytes.extend(EventHeader::FLAG_IGNORABLE.to_le_bytes());
    bytes.resize(HEADER_LEN + body, 0);
    if checksum == Checksum::Crc32 {
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filler_is_as_long_as_what_it_stands_for() {
        for (size, checksum) in [(19, Checksum::None), (23, Checksum::Crc32), (70, Checksum::Crc32)]
        {
            let bytes = filler(size, 500, 7, checksum).unwrap();
            assert_eq!(bytes.len() as u64, size);
            let header = EventHeader::parse(&bytes).unwrap();
            assert_eq!((u64::from(header.event_size), header.log_pos), (size, 500));
            assert_eq!(header.event_type, EventType::IGNORABLE);
        }
        assert_eq!(filler(22, 500, 7, Checksum::Crc32), None);
        assert_eq!(filler(u64::MAX, 500, 7, Checksum::None), None);
    }
}
