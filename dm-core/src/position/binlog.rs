//! Binlog files and offsets in them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use super::PositionError;

/// The name of a binlog file: `mysql-bin.000003`.
///
/// Files of one base name are ordered by their number, so `.1000000` follows `.999999`; names of
/// different bases do not compare. The name prints exactly as it was found. DM's relay log puts
/// the number of its sub-directory into the name (`mysql-bin|000001.000003`); it counts before
/// the file's number.
///
/// Every event of a stream carries the name twice: a copy is one counter, not four fields.
#[derive(Clone, Debug)]
pub struct BinlogFile(Arc<Name>);

#[derive(Clone, Debug)]
struct Name {
    base: Arc<str>,
    relay: Option<u32>,
    seq: u64,
    width: u8,
}

impl BinlogFile {
    /// The file of a number, printed with at least `width` digits (servers use 6).
    pub fn new(base: &str, seq: u64, width: u8) -> Self {
        Self(Arc::new(Name { base: base.into(), relay: None, seq, width }))
    }

    /// The name without its number.
    pub fn base(&self) -> &str {
        &self.0.base
    }

    /// The number.
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// The number of the relay log's sub-directory, when the name carries one.
    pub fn relay(&self) -> Option<u32> {
        self.0.relay
    }

    /// The name as the source knows it, without the relay log's number.
    #[must_use]
    pub fn without_relay(self) -> Self {
        match self.0.relay {
            Some(_) => self.changed(|name| name.relay = None),
            None => self,
        }
    }

    /// The same file within a sub-directory of the relay log.
    #[must_use]
    pub fn with_relay(self, number: u32) -> Self {
        self.changed(|name| name.relay = Some(number))
    }

    /// The name of the file that a server writes next.
    #[must_use]
    pub fn next(&self) -> Self {
        self.with_seq(self.0.seq.saturating_add(1))
    }

    /// The file of another number in the same sequence.
    #[must_use]
    pub fn with_seq(&self, seq: u64) -> Self {
        self.changed(|name| name.seq = seq)
    }

    fn changed(&self, change: impl FnOnce(&mut Name)) -> Self {
        let mut name = Name::clone(&self.0);
        change(&mut name);
        Self(Arc::new(name))
    }

    fn key(&self) -> (Option<u32>, u64) {
        (self.0.relay, self.0.seq)
    }
}

impl PartialEq for BinlogFile {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.base == other.0.base && self.key() == other.key())
    }
}

impl Eq for BinlogFile {}

impl Hash for BinlogFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.base.hash(state);
        self.key().hash(state);
    }
}

impl PartialOrd for BinlogFile {
    /// By number; `None` for different base names.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.0.base == other.0.base).then(|| self.key().cmp(&other.key()))
    }
}

impl fmt::Display for BinlogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.base)?;
        if let Some(relay) = self.0.relay {
            write!(f, "|{relay:06}")?;
        }
        write!(f, ".{:0width$}", self.0.seq, width = usize::from(self.0.width))
    }
}

impl FromStr for BinlogFile {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        parse_file(text.trim()).ok_or_else(|| PositionError::FileName(shorten(text)))
    }
}

fn parse_file(text: &str) -> Option<BinlogFile> {
    let (stem, number) = text.rsplit_once('.')?;
    let seq = digits(number)?;
    let width = u8::try_from(number.len()).ok()?;
    let (base, relay) = match stem.rsplit_once('|') {
        Some((base, relay)) => (base, Some(u32::try_from(digits(relay)?).ok()?)),
        None => (stem, None),
    };
    let name = || Name { base: base.into(), relay, seq, width };
    (!base.is_empty()).then(|| BinlogFile(Arc::new(name())))
}

fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

fn shorten(text: &str) -> String {
    text.chars().take(120).collect()
}

/// A place in a binlog file. Ordered by file and offset within one base name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BinlogPos {
    /// The file.
    pub file: BinlogFile,
    /// Bytes from the start of the file; files may be longer than 4 GiB.
    pub offset: u64,
}

impl BinlogPos {
    /// A place in a file.
    pub fn new(file: BinlogFile, offset: u64) -> Self {
        Self { file, offset }
    }

    /// Another place in the same file.
    #[must_use]
    pub fn with_offset(&self, offset: u64) -> Self {
        Self { file: self.file.clone(), offset }
    }

    /// `file:offset`, the form that commands take.
    pub fn to_colon_text(&self) -> String {
        format!("{}:{}", self.file, self.offset)
    }
}

impl PartialOrd for BinlogPos {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.file.partial_cmp(&other.file)?.then(self.offset.cmp(&other.offset)))
    }
}

impl fmt::Display for BinlogPos {
    /// DM's form: `(mysql-bin.000003, 154)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.file, self.offset)
    }
}

impl FromStr for BinlogPos {
    type Err = PositionError;

    /// Takes `file:offset` and `(file, offset)`.
    fn from_str(text: &str) -> Result<Self, PositionError> {
        let bad = || PositionError::Pos(shorten(text));
        let trimmed = text.trim();
        let (file, offset) = match trimmed.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
            Some(inner) => inner.rsplit_once(','),
            None => trimmed.rsplit_once(':'),
        }
        .ok_or_else(bad)?;
        let offset = digits(offset.trim()).ok_or_else(bad)?;
        Ok(Self { file: file.parse()?, offset })
    }
}
