//! Events that name transactions.

use std::sync::Arc;

use super::bytes::Bytes;
use super::event::{AlterHalf, GtidEvent, MariaDbGtidEvent, Xid};
use super::{Result, malformed};
use crate::position::{Gtid, MariaDbGtid, MariaDbGtidSet, Sid};

impl GtidEvent {
    fn new(gtid: Option<Gtid>, flags: u64) -> Self {
        Self {
            gtid,
            may_have_sbr: flags & 1 != 0,
            last_committed: 0,
            sequence_number: 0,
            immediate_commit_timestamp: 0,
            original_commit_timestamp: 0,
            transaction_length: 0,
            immediate_server_version: 0,
            original_server_version: 0,
        }
    }

    /// GTID (33) and ANONYMOUS_GTID (34). Everything after the number was added by later
    /// versions, so the event may end after any of the parts.
    pub(crate) fn parse(body: &[u8], anonymous: bool) -> Result<Self> {
        let mut b = Bytes(body);
        let flags = b.u8()?;
        let sid = Sid::untagged(b.array()?);
        let gno = b.i64()?;
        let gtid = match (anonymous, u64::try_from(gno)) {
            (true, _) => None,
            (false, Ok(gno)) if gno > 0 => Some(Gtid::MySql { sid, gno }),
            _ => return Err(malformed(format!("a GTID has the number {gno}"))),
        };
        let mut event = Self::new(gtid, u64::from(flags));
        // 2 says that the logical clock follows.
        if b.is_empty() || b.u8()? != 2 {
            return Ok(event);
        }
        (event.last_committed, event.sequence_number) = (b.i64()?, b.i64()?);
        if b.is_empty() {
            return Ok(event);
        }
        // The highest of the 56 bits says that the original's time follows.
        let own = b.uint_le(7)?;
        event.immediate_commit_timestamp = own & !(1 << 55);
        event.original_commit_timestamp = match own & (1 << 55) {
            0 => event.immediate_commit_timestamp,
            _ => b.uint_le(7)?,
        };
        if b.is_empty() {
            return Ok(event);
        }
        event.transaction_length = b.lenenc()?;
        if b.is_empty() {
            return Ok(event);
        }
        let own = b.u32()?;
        event.immediate_server_version = own & !(1 << 31);
        event.original_server_version = match own & (1 << 31) {
            0 => event.immediate_server_version,
            _ => b.u32()?,
        };
        Ok(event)
    }

    /// GTID_TAGGED (42): numbered fields in MySQL's serialization format.
    ///
    /// Version, size of the whole and the last field that may not be ignored, then fields; every
    /// number is of variable length ([`varint`]). Fields ascend, so at the first unknown number
    /// that may be ignored nothing known can follow.
    pub(crate) fn parse_tagged(body: &[u8]) -> Result<Self> {
        let mut b = Bytes(body);
        let version = varint(&mut b)?;
        let size = varint(&mut b)?;
        let last_required = varint(&mut b)?;
        if version != 1 || size > body.len() as u64 {
            return Err(malformed(format!("a tagged GTID has version {version}, size {size}")));
        }
        let mut event = Self::new(None, 0);
        let (mut uuid, mut tag, mut gno) = (None, Arc::from(""), 0);
        let (mut original_time, mut original_version) = (None, None);
        while !b.is_empty() {
            match varint(&mut b)? {
                0 => event.may_have_sbr = varint(&mut b)? & 1 != 0,
                1 => uuid = Some(uuid_bytes(&mut b)?),
                2 => gno = signed_varint(&mut b)?,
                3 => {
                    let length = varint(&mut b)?;
                    tag = std::str::from_utf8(b.take_u64(length)?)
                        .map_err(|_| malformed("a GTID tag is not text"))?
                        .into();
                }
                4 => event.last_committed = signed_varint(&mut b)?,
                5 => event.sequence_number = signed_varint(&mut b)?,
                6 => event.immediate_commit_timestamp = varint(&mut b)?,
                7 => original_time = Some(varint(&mut b)?),
                8 => event.transaction_length = varint(&mut b)?,
                9 => event.immediate_server_version = varint(&mut b)? as u32,
                10 => original_version = Some(varint(&mut b)? as u32),
                11 => drop(varint(&mut b)?),
                unknown if unknown <= last_required => {
                    return Err(malformed(format!(
                        "a tagged GTID needs the unknown field {unknown}"
                    )));
                }
                _ => break,
            }
        }
        event.original_commit_timestamp = original_time.unwrap_or(event.immediate_commit_timestamp);
        event.original_server_version = original_version.unwrap_or(event.immediate_server_version);
        let (Some(uuid), Ok(gno)) = (uuid, u64::try_from(gno)) else {
            return Err(malformed("a tagged GTID lacks its UUID or number"));
        };
        event.gtid = Some(Gtid::MySql { sid: Sid { uuid, tag }, gno });
        Ok(event)
    }
}

/// A number whose first byte says by its trailing ones how many bytes follow.
fn varint(b: &mut Bytes<'_>) -> Result<u64> {
    let first = b.u8()?;
    let more = first.trailing_ones() as usize;
    let high = b.uint_le(more)?;
    if more >= 7 {
        // Nothing of the number is left in the first byte (of 8 or 9).
        return Ok(high);
    }
    let low_bits = 7 - more as u32;
    Ok(u64::from(first >> (more + 1)) | (high << low_bits))
}

/// The sign is in the lowest bit.
fn signed_varint(b: &mut Bytes<'_>) -> Result<i64> {
    let raw = varint(b)?;
    let magnitude = (raw >> 1) as i64;
    Ok(if raw & 1 == 0 { magnitude } else { -magnitude - 1 })
}

fn uuid_bytes(b: &mut Bytes<'_>) -> Result<[u8; 16]> {
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = u8::try_from(varint(b)?).map_err(|_| malformed("a byte of a UUID is too large"))?;
    }
    Ok(uuid)
}

impl MariaDbGtidEvent {
    /// Halves of an ALTER in the second byte of flags: FL_START_ALTER, FL_COMMIT_ALTER and
    /// FL_ROLLBACK_ALTER. A number follows the last two.
    const EXTRA_ALTER: [(u8, AlterHalf); 3] =
        [(0x02, AlterHalf::Begins), (0x04, AlterHalf::Happened), (0x08, AlterHalf::GivenUp)];
    /// The number of further engines is there.
    const EXTRA_ENGINES: u8 = 0x01;

    /// GTID (162); the server is in the event's header.
    pub(crate) fn parse(body: &[u8], server: u32) -> Result<Self> {
        let mut b = Bytes(body);
        let seq = b.u64()?;
        let domain = b.u32()?;
        let flags = b.u8()?;
        let mut event = Self {
            gtid: MariaDbGtid { domain, server, seq },
            flags,
            commit_id: None,
            xid: None,
            alter: None,
            alter_start: None,
        };
        if event.has(Self::FL_GROUP_COMMIT_ID) {
            event.commit_id = Some(b.u64()?);
        }
        if flags & (Self::FL_PREPARED_XA | Self::FL_COMPLETED_XA) != 0 {
            let format = b.i32()?;
            let (global, branch) = (usize::from(b.u8()?), usize::from(b.u8()?));
            let (global, branch) = (b.take(global)?.to_vec(), b.take(branch)?.to_vec());
            event.xid = Some(Xid { format, global, branch });
        }
        // Short bodies are padded with zeros, which read as "no extra flags".
        let extra = if b.is_empty() { 0 } else { b.u8()? };
        if extra & Self::EXTRA_ENGINES != 0 {
            b.u8()?;
        }
        let halves = Self::EXTRA_ALTER.into_iter();
        event.alter = halves.filter(|(bit, _)| extra & bit != 0).map(|(_, half)| half).next();
        if matches!(event.alter, Some(AlterHalf::Happened | AlterHalf::GivenUp)) {
            event.alter_start = Some(b.u64()?);
        }
        Ok(event)
    }
}

/// GTID_LIST (163): the last GTID of each server, the last one of a domain last.
pub(crate) fn gtid_list(body: &[u8]) -> Result<MariaDbGtidSet> {
    let mut b = Bytes(body);
    let count = b.u32()? & 0x0FFF_FFFF;
    let mut set = MariaDbGtidSet::default();
    for _ in 0..count {
        let (domain, server, seq) = (b.u32()?, b.u32()?, b.u64()?);
        set.push_state(MariaDbGtid { domain, server, seq });
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_length_numbers() {
        let cases: [(&[u8], u64); 7] = [
            (&[0x00], 0),
            (&[0x0A], 5),
            (&[0xFE], 127),
            (&[0x01, 0x02], 128),
            (&[0xC9, 0x03], 242),
            (&[0xFF, 1, 0, 0, 0, 0, 0, 0, 0x80], 0x8000_0000_0000_0001),
            (&[0x7F, 0xA5, 0xB2, 0x54, 0x9A, 0xBF, 0x60, 0x00], 0x60BF_9A54_B2A5),
        ];
        for (bytes, expected) in cases {
            let mut b = Bytes(bytes);
            assert_eq!(varint(&mut b).unwrap(), expected, "{bytes:02x?}");
            assert!(b.is_empty());
        }
        assert_eq!(signed_varint(&mut Bytes(&[0x02])).unwrap(), -1);
    }
}
