//! What to do with the bytes of one column: settled once per table version, run per cell.

use std::borrow::Cow;

use dm_filter::Value;

use super::bytes::{Bytes, uint_be};
use super::charset::Text;
use super::compressed;
use super::value::{decimal, network, temporal};
use super::{Result, json};

/// How a column's cells are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// An integer of this many bytes.
    Int(u8),
    UInt(u8),
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Bit {
        bytes: u8,
    },
    Year,
    Date,
    OldTime,
    OldDateTime,
    OldTimestamp,
    /// MariaDB's own formats with fractions.
    HiresTime {
        decimals: u8,
    },
    HiresDateTime {
        decimals: u8,
    },
    HiresTimestamp {
        decimals: u8,
    },
    Time {
        decimals: u8,
    },
    DateTime {
        decimals: u8,
    },
    Timestamp {
        decimals: u8,
    },
    Enum {
        bytes: u8,
    },
    Set {
        bytes: u8,
    },
    /// A length of this many bytes and as many bytes.
    Bytes {
        prefix: u8,
        how: How,
    },
    /// As `Bytes`, compressed by MariaDB.
    Compressed {
        prefix: u8,
        how: Text,
    },
}

/// What the bytes behind a length are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Text(Text),
    /// BINARY(n): the server leaves zero bytes at the end out.
    Padded(u16),
    Uuid,
    Inet6,
    Inet4,
    Json,
    /// JSON of MariaDB is text.
    JsonText,
    Geometry,
    Vector,
}

impl Op {
    pub(crate) fn is_json(&self) -> bool {
        matches!(self, Self::Bytes { how: How::Json, .. })
    }

    /// True for columns whose values may be documents.
    pub(crate) fn may_be_json(&self) -> bool {
        matches!(self, Self::Bytes { how: How::Json | How::JsonText, .. })
    }

    /// The document of a JSON column; `None`, with nothing read, for other columns.
    pub(crate) fn json_bytes<'a>(&self, b: &mut Bytes<'a>) -> Result<Option<&'a [u8]>> {
        match self {
            Self::Bytes { prefix, how: How::Json } => prefixed(b, *prefix).map(Some),
            _ => Ok(None),
        }
    }

    /// Steps over a cell that is not NULL: what it holds is not looked at.
    pub(crate) fn pass(&self, b: &mut Bytes<'_>) -> Result<()> {
        match *self {
            Self::Bytes { prefix, .. } | Self::Compressed { prefix, .. } => {
                prefixed(b, prefix).map(drop)
            }
            op => match op.width() {
                Some(width) => b.take(width).map(drop),
                None => op.read(b).map(drop),
            },
        }
    }

    /// Bytes of a cell that is not NULL, where these are always as many.
    fn width(&self) -> Option<usize> {
        Some(match *self {
            Self::Int(n) | Self::UInt(n) => usize::from(n),
            Self::Enum { bytes } | Self::Set { bytes } | Self::Bit { bytes } => usize::from(bytes),
            Self::Float | Self::OldTimestamp => 4,
            Self::Double | Self::OldDateTime => 8,
            Self::Decimal { precision, scale } => return decimal::length(precision, scale),
            Self::Year => 1,
            Self::Date | Self::OldTime => 3,
            Self::Time { decimals } => 3 + temporal::fraction_bytes(decimals),
            Self::DateTime { decimals } => 5 + temporal::fraction_bytes(decimals),
            Self::Timestamp { decimals } => 4 + temporal::fraction_bytes(decimals),
            Self::HiresTime { .. }
            | Self::HiresDateTime { .. }
            | Self::HiresTimestamp { .. }
            | Self::Bytes { .. }
            | Self::Compressed { .. } => return None,
        })
    }

    /// Reads a cell that is not NULL.
    pub(crate) fn read<'a>(&self, b: &mut Bytes<'a>) -> Result<Value<'a>> {
        Ok(match *self {
            Self::Int(n) => Value::Int(signed(b.uint_le(usize::from(n))?, n)),
            Self::UInt(n) => Value::UInt(b.uint_le(usize::from(n))?),
            Self::Float => Value::Float(b.f32()?),
            Self::Double => Value::Double(b.f64()?),
            Self::Decimal { precision, scale } => {
                Value::Decimal(Cow::Owned(decimal::read(b, precision, scale)?))
            }
            Self::Bit { bytes } => Value::Bit(uint_be(b.take(usize::from(bytes))?)),
            Self::Year => Value::Year(match b.u8()? {
                0 => 0,
                n => 1900 + u16::from(n),
            }),
            Self::Date => Value::Date(temporal::date(b.uint_le(3)?)?),
            Self::OldTime => Value::Time(temporal::old_time(signed(b.uint_le(3)?, 3))?),
            Self::OldDateTime => Value::DateTime(temporal::old_datetime(b.u64()?)?),
            Self::OldTimestamp => Value::Timestamp(temporal::old_timestamp(b.u32()?)),
            Self::HiresTime { decimals } => Value::Time(temporal::hires_time(b, decimals)?),
            Self::HiresDateTime { decimals } => {
                Value::DateTime(temporal::hires_datetime(b, decimals)?)
            }
            Self::HiresTimestamp { decimals } => {
                Value::Timestamp(temporal::hires_timestamp(b, decimals)?)
            }
            Self::Time { decimals } => Value::Time(temporal::time(b, decimals)?),
            Self::DateTime { decimals } => Value::DateTime(temporal::datetime(b, decimals)?),
            Self::Timestamp { decimals } => Value::Timestamp(temporal::timestamp(b, decimals)?),
            Self::Enum { bytes } => Value::Enum(b.uint_le(usize::from(bytes))? as u32),
            Self::Set { bytes } => Value::Set(b.uint_le(usize::from(bytes))?),
            Self::Bytes { prefix, how } => how.value(prefixed(b, prefix)?)?,
            Self::Compressed { prefix, how } => match compressed::column(prefixed(b, prefix)?)? {
                Cow::Borrowed(bytes) => how.value(bytes),
                Cow::Owned(bytes) => how.owned_value(bytes),
            },
        })
    }
}

impl How {
    fn value(self, bytes: &[u8]) -> Result<Value<'_>> {
        Ok(match self {
            Self::Text(text) => text.value(bytes),
            Self::Padded(length) => Value::Bytes(padded(bytes, usize::from(length))),
            Self::Uuid => Value::Text(Cow::Owned(network::uuid(&padded(bytes, 16))?)),
            Self::Inet6 => Value::Text(Cow::Owned(network::inet6(&padded(bytes, 16))?)),
            Self::Inet4 => Value::Text(Cow::Owned(network::inet4(&padded(bytes, 4))?)),
            Self::Json => Value::Json(json::json_text(bytes)?),
            Self::JsonText => match Text::Utf8.to_utf8(bytes) {
                Some(text) => Value::Json(dm_filter::Json { text, typed: Vec::new() }),
                None => Text::Utf8.value(bytes),
            },
            Self::Geometry => Value::Geometry(Cow::Borrowed(bytes)),
            Self::Vector => Value::Vector(Cow::Borrowed(bytes)),
        })
    }
}

fn padded(bytes: &[u8], length: usize) -> Cow<'_, [u8]> {
    if bytes.len() >= length {
        return Cow::Borrowed(bytes);
    }
    let mut whole = bytes.to_vec();
    whole.resize(length, 0);
    Cow::Owned(whole)
}

fn prefixed<'a>(b: &mut Bytes<'a>, prefix: u8) -> Result<&'a [u8]> {
    let length = b.uint_le(usize::from(prefix))?;
    b.take_u64(length)
}

/// The number that the lowest `n` bytes mean with a sign.
fn signed(raw: u64, n: u8) -> i64 {
    let shift = 64 - 8 * u32::from(n);
    ((raw << shift) as i64) >> shift
}
