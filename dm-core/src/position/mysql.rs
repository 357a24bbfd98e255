//! MySQL's GTID sets: intervals of numbers per UUID and tag.
//!
//! The text is `uuid:1-5:7:tag:1-3,uuid:...`; a tag (since 8.3) applies to the intervals after it
//! until the next tag. The binary form is that of PREVIOUS_GTIDS events and of the
//! COM_BINLOG_DUMP_GTID command, see [`MySqlGtidSet::encode`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::PositionError;

/// The highest number that a server gives out.
pub(super) const MAX_GNO: u64 = i64::MAX as u64 - 1;
/// The longest tag.
const MAX_TAG: usize = 32;

/// Who numbered a transaction: a server's UUID and, since MySQL 8.3, a tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    /// The UUID's bytes in the order that they are written.
    pub uuid: [u8; 16],
    /// The tag in lower case; empty without one.
    pub tag: Arc<str>,
}

impl Sid {
    /// A UUID without a tag.
    pub fn untagged(uuid: [u8; 16]) -> Self {
        Self { uuid, tag: Arc::from("") }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(f, &self.uuid)?;
        if self.tag.is_empty() { Ok(()) } else { write!(f, ":{}", self.tag) }
    }
}

impl FromStr for Sid {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (uuid, tag) = match text.trim().split_once(':') {
            Some((uuid, tag)) => (uuid, Some(tag)),
            None => (text.trim(), None),
        };
        let uuid =
            parse_uuid(uuid).ok_or_else(|| PositionError::gtid(text, "the UUID is not valid"))?;
        let tag = match tag {
            None => Arc::from(""),
            Some(tag) => parse_tag(tag.trim())
                .ok_or_else(|| PositionError::gtid(text, "the tag is not valid"))?,
        };
        Ok(Self { uuid, tag })
    }
}

fn write_uuid(f: &mut fmt::Formatter<'_>, uuid: &[u8; 16]) -> fmt::Result {
    for (i, byte) in uuid.iter().enumerate() {
        let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
        write!(f, "{dash}{byte:02x}")?;
    }
    Ok(())
}

/// Takes the three forms that servers take: with dashes, without, and in braces.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let mut uuid = [0u8; 16];
    let mut nibbles = 0usize;
    for (i, byte) in text.bytes().enumerate() {
        if byte == b'-' && matches!(i, 8 | 13 | 18 | 23) && text.len() == 36 {
            continue;
        }
        let digit = u8::try_from(char::from(byte).to_digit(16)?).ok()?;
        let slot = uuid.get_mut(nibbles / 2)?;
        *slot = (*slot << 4) | digit;
        nibbles += 1;
    }
    (nibbles == 32).then_some(uuid)
}

pub(super) fn parse_tag(text: &str) -> Option<Arc<str>> {
    let mut bytes = text.bytes();
    let first = bytes.next()?;
    let ok = (first.is_ascii_alphabetic() || first == b'_')
        && text.len() <= MAX_TAG
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    ok.then(|| text.to_ascii_lowercase().into())
}

pub(super) fn parse_gno(text: &str) -> Option<u64> {
    let text = text.trim();
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|gno| all && (1..=MAX_GNO).contains(gno))
}

/// Numbers as sorted, disjoint, non-adjacent intervals; both ends are included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(Vec<(u64, u64)>);

impl Intervals {
    /// The intervals in ascending order, ends included.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    fn contains(&self, gno: u64) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= gno);
        after > 0 && self.0.get(after - 1).is_some_and(|(_, end)| gno <= *end)
    }

    fn add(&mut self, start: u64, end: u64) {
        // Everything that overlaps or touches [start, end] melts into one interval.
        let first = self.0.partition_point(|(_, e)| e.saturating_add(1) < start);
        let after = self.0.partition_point(|(s, _)| *s <= end.saturating_add(1));
        let melted = self.0.get(first..after).unwrap_or_default();
        let start = melted.first().map_or(start, |(s, _)| start.min(*s));
        let end = melted.last().map_or(end, |(_, e)| end.max(*e));
        self.0.splice(first..after.max(first), [(start, end)]);
    }

    fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut cuts = other.0.iter().peekable();
        for (mut start, end) in self.iter() {
            while cuts.peek().is_some_and(|(_, e)| *e < start) {
                cuts.next();
            }
            let mut open = true;
            let mut here = cuts.clone();
            while let Some((cut_start, cut_end)) = here.next_if(|(s, _)| *s <= end) {
                if start < *cut_start {
                    left.push((start, cut_start - 1));
                }
                if *cut_end >= end {
                    open = false;
                    break;
                }
                start = start.max(cut_end + 1);
            }
            if open {
                left.push((start, end));
            }
        }
        Self(left)
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|(start, end)| {
            let after = other.0.partition_point(|(s, _)| *s <= start);
            after > 0 && other.0.get(after - 1).is_some_and(|(_, e)| end <= *e)
        })
    }

    fn intersects(&self, other: &Self) -> bool {
        self.iter().any(|(start, end)| {
            let after = other.0.partition_point(|(s, _)| *s <= end);
            after > 0 && other.0.get(after - 1).is_some_and(|(_, e)| *e >= start)
        })
    }
}

/// A set of MySQL GTIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MySqlGtidSet {
    sids: BTreeMap<Sid, Intervals>,
}

impl MySqlGtidSet {
    /// True when nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.sids.is_empty()
    }

    /// The intervals of each UUID and tag, in the order that servers print them.
    pub fn iter(&self) -> impl Iterator<Item = (&Sid, &Intervals)> {
        self.sids.iter()
    }

    /// True when the transaction is in the set.
    pub fn contains(&self, sid: &Sid, gno: u64) -> bool {
        self.sids.get(sid).is_some_and(|i| i.contains(gno))
    }

    /// Puts the numbers from `start` to `end`, both included, in.
    pub fn add(&mut self, sid: &Sid, start: u64, end: u64) {
        if start > end {
            return;
        }
        // Not `entry`: that would copy the key once per transaction.
        match self.sids.get_mut(sid) {
            Some(intervals) => intervals.add(start, end),
            None => {
                self.sids.insert(sid.clone(), Intervals(vec![(start, end)]));
            }
        }
    }

    /// Puts everything of another set in.
    pub fn union(&mut self, other: &Self) {
        for (sid, intervals) in &other.sids {
            for (start, end) in intervals.iter() {
                self.add(sid, start, end);
            }
        }
    }

    /// What is in this set and not in the other.
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (sid, intervals) in &self.sids {
            let rest = match other.sids.get(sid) {
                Some(cut) => intervals.minus(cut),
                None => intervals.clone(),
            };
            if !rest.0.is_empty() {
                left.sids.insert(sid.clone(), rest);
            }
        }
        left
    }

    /// True when the other set holds everything of this one.
    pub fn is_subset(&self, other: &Self) -> bool {
        let within = |sid: &Sid, i: &Intervals| other.sids.get(sid).is_some_and(|o| i.is_subset(o));
        self.sids.iter().all(|(sid, intervals)| within(sid, intervals))
    }

    /// True when some transaction is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        self.sids.iter().any(|(sid, i)| other.sids.get(sid).is_some_and(|o| i.intersects(o)))
    }

    /// True when some GTID carries a tag; servers before 8.3 do not understand such a set.
    pub fn has_tags(&self) -> bool {
        self.sids.keys().any(|sid| !sid.tag.is_empty())
    }
}

impl fmt::Display for MySqlGtidSet {
    /// As servers print it, but on one line: UUIDs ascending in lower case, untagged numbers
    /// before the tags, which ascend too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous: Option<&[u8; 16]> = None;
        for (sid, intervals) in &self.sids {
            if previous != Some(&sid.uuid) {
                if previous.is_some() {
                    f.write_str(",")?;
                }
                write_uuid(f, &sid.uuid)?;
            }
            previous = Some(&sid.uuid);
            if !sid.tag.is_empty() {
                write!(f, ":{}", sid.tag)?;
            }
            for (start, end) in intervals.iter() {
                if start == end { write!(f, ":{start}")? } else { write!(f, ":{start}-{end}")? }
            }
        }
        Ok(())
    }
}

impl FromStr for MySqlGtidSet {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            parse_part(part, &mut set)?;
        }
        Ok(set)
    }
}

/// Reads `uuid:1-5:tag:7:...` into the set.
fn parse_part(part: &str, set: &mut MySqlGtidSet) -> Result<(), PositionError> {
    let mut fields = part.split(':').map(str::trim);
    let uuid = fields
        .next()
        .and_then(parse_uuid)
        .ok_or_else(|| PositionError::gtid(part, "the UUID is not valid"))?;
    let mut sid = Sid::untagged(uuid);
    let mut dangling = true;
    for field in fields {
        if field.starts_with(|c: char| c.is_ascii_digit()) {
            let (start, end) = field.split_once('-').unwrap_or((field, field));
            let (Some(start), Some(end)) = (parse_gno(start), parse_gno(end)) else {
                return Err(PositionError::gtid(part, "an interval is not valid"));
            };
            // Servers read a descending interval as an empty one.
            set.add(&sid, start, end);
            dangling = false;
        } else {
            sid.tag = parse_tag(field)
                .ok_or_else(|| PositionError::gtid(part, "a tag or interval is not valid"))?;
            dangling = true;
        }
    }
    if dangling {
        return Err(PositionError::gtid(part, "a UUID or tag has no interval"));
    }
    Ok(())
}
