//! What every event starts with.

use std::fmt;

use super::bytes::Bytes;
use super::{Result, malformed};

/// Bytes of a header in binlog format 4.
pub const HEADER_LEN: usize = 19;
/// The largest event that is accepted: servers cap a packet at 1 GiB, headers included some more.
pub const MAX_EVENT_LEN: u32 = (1 << 30) + (1 << 20);

/// The number of an event's type. Numbers that are not known keep their number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(pub u8);

macro_rules! event_types {
    ($($name:ident = $number:literal;)+) => {
        #[allow(missing_docs)] // the names are the servers'
        impl EventType {
            $(pub const $name: Self = Self($number);)+

            /// The server's name for it; `UNKNOWN` for a number without one.
            pub fn name(self) -> &'static str {
                match self.0 { $($number => stringify!($name),)+ _ => "UNKNOWN" }
            }
        }
    };
}

event_types! {
    START_V3 = 1;
    QUERY = 2;
    STOP = 3;
    ROTATE = 4;
    INTVAR = 5;
    LOAD = 6;
    SLAVE = 7;
    CREATE_FILE = 8;
    APPEND_BLOCK = 9;
    EXEC_LOAD = 10;
    DELETE_FILE = 11;
    NEW_LOAD = 12;
    RAND = 13;
    USER_VAR = 14;
    FORMAT_DESCRIPTION = 15;
    XID = 16;
    BEGIN_LOAD_QUERY = 17;
    EXECUTE_LOAD_QUERY = 18;
    TABLE_MAP = 19;
    WRITE_ROWS_V0 = 20;
    UPDATE_ROWS_V0 = 21;
    DELETE_ROWS_V0 = 22;
    WRITE_ROWS_V1 = 23;
    UPDATE_ROWS_V1 = 24;
    DELETE_ROWS_V1 = 25;
    INCIDENT = 26;
    HEARTBEAT = 27;
    IGNORABLE = 28;
    ROWS_QUERY = 29;
    WRITE_ROWS = 30;
    UPDATE_ROWS = 31;
    DELETE_ROWS = 32;
    GTID = 33;
    ANONYMOUS_GTID = 34;
    PREVIOUS_GTIDS = 35;
    TRANSACTION_CONTEXT = 36;
    VIEW_CHANGE = 37;
    XA_PREPARE = 38;
    PARTIAL_UPDATE_ROWS = 39;
    TRANSACTION_PAYLOAD = 40;
    HEARTBEAT_V2 = 41;
    GTID_TAGGED = 42;
    MARIADB_ANNOTATE_ROWS = 160;
    MARIADB_BINLOG_CHECKPOINT = 161;
    MARIADB_GTID = 162;
    MARIADB_GTID_LIST = 163;
    MARIADB_START_ENCRYPTION = 164;
    MARIADB_QUERY_COMPRESSED = 165;
    MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166;
    MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167;
    MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168;
    MARIADB_WRITE_ROWS_COMPRESSED = 169;
    MARIADB_UPDATE_ROWS_COMPRESSED = 170;
    MARIADB_DELETE_ROWS_COMPRESSED = 171;
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

/// The header of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHeader {
    /// Seconds since the epoch when the statement began at the server that wrote it first.
    pub timestamp: u32,
    /// What the event is.
    pub event_type: EventType,
    /// The server that wrote it first.
    pub server_id: u32,
    /// Bytes of the whole event, header and checksum included.
    pub event_size: u32,
    /// The low 32 bits of the offset after the event; 0 when it stands in no file, and in the
    /// middle of a group of MariaDB 11.8 and later, which knows offsets at ends of groups only.
    pub log_pos: u32,
    /// LOG_EVENT_*_F flags.
    pub flags: u16,
}

impl EventHeader {
    /// The file is open for writing (in the FORMAT_DESCRIPTION event).
    pub const FLAG_IN_USE: u16 = 0x1;
    /// The statement of a QUERY event uses temporary tables of its thread.
    pub const FLAG_THREAD_SPECIFIC: u16 = 0x4;
    /// The default schema of a QUERY event does not matter.
    pub const FLAG_SUPPRESS_USE: u16 = 0x8;
    /// Made up by the server for this stream: stands in no file.
    pub const FLAG_ARTIFICIAL: u16 = 0x20;
    /// Readers that do not know the type may skip the event.
    pub const FLAG_IGNORABLE: u16 = 0x80;

    /// Reads the first 19 bytes of an event.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut b = Bytes(bytes);
        Ok(Self {
            timestamp: b.u32()?,
            event_type: EventType(b.u8()?),
            server_id: b.u32()?,
            event_size: b.u32()?,
            log_pos: b.u32()?,
            flags: b.u16()?,
        })
    }

    /// The size, when it is one that an event can have.
    pub(crate) fn checked_size(&self) -> Result<usize> {
        let size = self.event_size;
        if size < HEADER_LEN as u32 || size > MAX_EVENT_LEN {
            return Err(malformed(format!(
                "an event of type {} claims to be {size} bytes long",
                self.event_type
            )));
        }
        Ok(size as usize)
    }

    /// True for an event that the server made up for this stream.
    pub fn is_artificial(&self) -> bool {
        self.flags & Self::FLAG_ARTIFICIAL != 0
    }

    /// Sixteen bytes that tell an event from any other that could stand in its place: when it was
    /// written, by which server, its type, the length of its body and a CRC-32 of that. `event` has
    /// no checksum any more: whether one is sent depends on more than what is in the file.
    ///
    /// Kept with a position, they show after a reconnect whether the server still has the same
    /// history.
    pub fn fingerprint(&self, event: &[u8]) -> [u8; 16] {
        let body = event.get(HEADER_LEN..).unwrap_or_default();
        let kind = ((body.len() as u32) << 8) | u32::from(self.event_type.0);
        let words = [self.timestamp, self.server_id, kind, crc32fast::hash(body)];
        let mut bytes = [0; 16];
        for (slot, word) in bytes.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The full offset after this event, given that of the event before it in the same file.
    ///
    /// The header has 32 bits, files may be longer than 4 GiB. An event that stands in no file
    /// (artificial), or does not know where, does not move the position: `None`. Sizes are never
    /// added up: in a stream they need not match (MariaDB replaces events by shorter ones).
    pub fn end_offset(&self, last: u64) -> Option<u64> {
        if self.is_artificial() || self.log_pos == 0 {
            return None;
        }
        let step = self.log_pos.wrapping_sub(last as u32);
        Some(last + u64::from(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(log_pos: u32, flags: u16) -> EventHeader {
        let event_type = EventType::QUERY;
        EventHeader { timestamp: 1, event_type, server_id: 1, event_size: 40, log_pos, flags }
    }

    #[test]
    fn offsets_pass_four_gibibytes() {
        assert_eq!(header(154, 0).end_offset(4), Some(154));
        assert_eq!(header(10, 0).end_offset(0xFFFF_FFF0), Some(0x1_0000_000A));
        assert_eq!(header(10, 0).end_offset(0x3_0000_0004), Some(0x3_0000_000A));
        assert_eq!(header(10, 0).end_offset(10), Some(10));
        assert_eq!(header(0, 0).end_offset(10), None);
        assert_eq!(header(99, EventHeader::FLAG_ARTIFICIAL).end_offset(10), None);
    }

    #[test]
    fn fingerprints_tell_events_apart() {
        let print = |event: &[u8]| EventHeader::parse(event).unwrap().fingerprint(event);
        let event: Vec<u8> = (1..60).collect();
        for at in 0..event.len() {
            let mut other = event.clone();
            other[at] ^= 1;
            // The size, which counts the checksum, the offset and the flags do not belong to it.
            let same = print(&other) == print(&event);
            assert_eq!(same, (9..19).contains(&at), "byte {at}");
        }
        assert_ne!(print(&event[..58]), print(&event));
    }

    #[test]
    fn types_have_names_and_keep_numbers() {
        assert_eq!(EventType(42).to_string(), "GTID_TAGGED(42)");
        assert_eq!(EventType(200).to_string(), "UNKNOWN(200)");
    }
}
