//! The binary form of MySQL's GTID sets.
//!
//! Little-endian throughout: the number of sources (8 bytes); per source 16 bytes of UUID, the
//! number of intervals (8), and per interval its start and the number after its end (8 each).
//! Servers since 8.3 write a set that holds tags with the byte 1 both first and last in the
//! leading word, the number of sources between them, and after each UUID the tag: its length
//! doubled (a one-byte variable-length integer) and its bytes.

use super::mysql::{MAX_GNO, parse_tag};
use super::{MySqlGtidSet, PositionError, Sid};

/// The format number of sets with tags.
const TAGGED: u64 = 1;

impl MySqlGtidSet {
    /// The binary form, with tags only when the set has some.
    pub fn encode(&self) -> Vec<u8> {
        let tagged = self.has_tags();
        let count = self.iter().count() as u64;
        let head = if tagged { (TAGGED << 56) | (count << 8) | TAGGED } else { count };
        let mut out = head.to_le_bytes().to_vec();
        for (sid, intervals) in self.iter() {
            out.extend_from_slice(&sid.uuid);
            if tagged {
                // A tag has at most 32 bytes.
                out.push((sid.tag.len() as u8) << 1);
                out.extend_from_slice(sid.tag.as_bytes());
            }
            out.extend_from_slice(&(intervals.iter().count() as u64).to_le_bytes());
            for (start, end) in intervals.iter() {
                out.extend_from_slice(&start.to_le_bytes());
                out.extend_from_slice(&end.saturating_add(1).to_le_bytes());
            }
        }
        out
    }

    /// Reads the binary form; `bytes` has to end where the set ends.
    pub fn decode(bytes: &[u8]) -> Result<Self, PositionError> {
        let mut rest = bytes;
        let head = word(&mut rest)?;
        let (tagged, count) = match head >> 56 {
            0 => (false, head),
            TAGGED => (true, (head << 8) >> 16),
            _ => return Err(PositionError::Bytes("unknown format number")),
        };
        let mut set = Self::default();
        for _ in 0..count {
            // Each source takes bytes, so a wrong count ends at the end of the bytes.
            let sid = source(&mut rest, tagged)?;
            for _ in 0..word(&mut rest)? {
                let (start, after) = (word(&mut rest)?, word(&mut rest)?);
                if start == 0 || after <= start || after - 1 > MAX_GNO {
                    return Err(PositionError::Bytes("impossible interval"));
                }
                set.add(&sid, start, after - 1);
            }
        }
        if rest.is_empty() { Ok(set) } else { Err(PositionError::Bytes("bytes after the end")) }
    }
}

fn source(rest: &mut &[u8], tagged: bool) -> Result<Sid, PositionError> {
    let mut sid = Sid::untagged(take::<16>(rest)?);
    if tagged {
        let [length] = take::<1>(rest)?;
        let length = usize::from(length >> 1);
        let (tag, after) =
            rest.split_at_checked(length).ok_or(PositionError::Bytes("cut short"))?;
        *rest = after;
        if !tag.is_empty() {
            sid.tag = std::str::from_utf8(tag)
                .ok()
                .and_then(parse_tag)
                .ok_or(PositionError::Bytes("a tag is not valid"))?;
        }
    }
    Ok(sid)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PositionError> {
    let (head, after) = rest.split_first_chunk::<N>().ok_or(PositionError::Bytes("cut short"))?;
    *rest = after;
    Ok(*head)
}

fn word(rest: &mut &[u8]) -> Result<u64, PositionError> {
    take::<8>(rest).map(u64::from_le_bytes)
}
