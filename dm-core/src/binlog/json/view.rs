//! The binary form, read in place.
//!
//! A type byte and a value. Containers hold the count of their members, their size, the places
//! and lengths of keys (objects), the types and places of values, and then keys and values;
//! places count from the start of the container. Small ones have numbers of 2 bytes, large ones
//! of 4; what fits into a place stands there itself.

use super::super::bytes::Bytes;
use super::{Result, malformed};

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum View<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Str(&'a str),
    /// A value of an SQL type by its number.
    Opaque(u8, &'a [u8]),
    Array(Container<'a>),
    Object(Container<'a>),
}

/// An array or object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container<'a> {
    bytes: &'a [u8],
    large: bool,
    object: bool,
    count: usize,
}

const LITERAL: u8 = 4;
const INT16: u8 = 5;
const UINT16: u8 = 6;
const INT32: u8 = 7;
const UINT32: u8 = 8;

impl<'a> View<'a> {
    pub(super) fn document(bytes: &'a [u8]) -> Result<Self> {
        match bytes.split_first() {
            None => Ok(Self::Null),
            Some((ty, value)) => Self::parse(*ty, value),
        }
    }

    fn parse(ty: u8, value: &'a [u8]) -> Result<Self> {
        let mut b = Bytes(value);
        Ok(match ty {
            0 | 1 => Self::Object(Container::parse(value, ty == 1, true)?),
            2 | 3 => Self::Array(Container::parse(value, ty == 3, false)?),
            LITERAL => match b.u8()? {
                0 => Self::Null,
                1 => Self::Bool(true),
                2 => Self::Bool(false),
                other => return Err(malformed(format!("a JSON literal {other}"))),
            },
            INT16 => Self::Int(i64::from(b.u16()? as i16)),
            UINT16 => Self::UInt(u64::from(b.u16()?)),
            INT32 => Self::Int(i64::from(b.i32()?)),
            UINT32 => Self::UInt(u64::from(b.u32()?)),
            9 => Self::Int(b.i64()?),
            10 => Self::UInt(b.u64()?),
            11 => Self::Double(b.f64()?),
            12 => Self::Str(text(variable(&mut b)?)?),
            15 => {
                let sql_type = b.u8()?;
                Self::Opaque(sql_type, variable(&mut b)?)
            }
            other => return Err(malformed(format!("a JSON value of type {other}"))),
        })
    }
}

impl<'a> Container<'a> {
    fn parse(bytes: &'a [u8], large: bool, object: bool) -> Result<Self> {
        let width = if large { 4 } else { 2 };
        let mut b = Bytes(bytes);
        let (count, size) = (b.uint_le(width)?, b.uint_le(width)?);
        let whole = usize::try_from(size).ok().and_then(|size| bytes.get(..size));
        let bytes = whole.ok_or_else(|| malformed("a JSON container is cut short"))?;
        let entry = if object { 2 * width + 3 } else { width + 1 };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let fits = count.checked_mul(entry).and_then(|n| n.checked_add(2 * width));
        if fits.is_none_or(|n| n > bytes.len()) {
            return Err(malformed("a JSON container has too many members"));
        }
        Ok(Self { bytes, large, object, count })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn width(&self) -> usize {
        if self.large { 4 } else { 2 }
    }

    fn at(&self, offset: usize) -> Result<Bytes<'a>> {
        self.bytes.get(offset..).map(Bytes).ok_or_else(|| malformed("a JSON offset leads outside"))
    }

    /// The key of a member of an object.
    pub(super) fn key(&self, index: usize) -> Result<&'a str> {
        let width = self.width();
        let mut entry = self.at(2 * width + index * (width + 2))?;
        let (offset, length) = (entry.uint_le(width)? as usize, usize::from(entry.u16()?));
        text(self.at(offset)?.take(length)?)
    }

    /// A member's value.
    pub(super) fn value(&self, index: usize) -> Result<View<'a>> {
        let width = self.width();
        let keys = if self.object { self.count * (width + 2) } else { 0 };
        let mut entry = self.at(2 * width + keys + index * (width + 1))?;
        let ty = entry.u8()?;
        let inline =
            matches!(ty, LITERAL | INT16 | UINT16) || self.large && matches!(ty, INT32 | UINT32);
        if inline {
            return View::parse(ty, entry.take(width)?);
        }
        let offset = entry.uint_le(width)? as usize;
        View::parse(ty, self.at(offset)?.rest())
    }
}

/// A length of seven bits a byte, low ones first, and as many bytes.
fn variable<'a>(b: &mut Bytes<'a>) -> Result<&'a [u8]> {
    let mut length = 0u64;
    for shift in 0..5 {
        let byte = b.u8()?;
        length |= u64::from(byte & 0x7F) << (7 * shift);
        if byte & 0x80 == 0 {
            return b.take_u64(length);
        }
    }
    Err(malformed("a length within JSON is too long"))
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| malformed("text within JSON is not UTF-8"))
}
