//! A cursor over bytes that come from elsewhere: every read is checked.

use super::{Error, Result, malformed};

/// The rest of what is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

macro_rules! little_endian {
    ($($name:ident $ty:ty, $n:literal;)+) => {$(
        #[doc = concat!("A little-endian number of ", $n, " bytes.")]
        pub(crate) fn $name(&mut self) -> Result<$ty> {
            self.array().map(<$ty>::from_le_bytes)
        }
    )+};
}

impl<'a> Bytes<'a> {
    little_endian! {
        u8 u8, 1;
        u16 u16, 2;
        u32 u32, 4;
        i32 i32, 4;
        u64 u64, 8;
        i64 i64, 8;
        f64 f64, 8;
        f32 f32, 4;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| short(N, self.0.len()))?;
        self.0 = rest;
        Ok(*head)
    }

    /// The next `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n).ok_or_else(|| short(n, self.0.len()))?;
        self.0 = rest;
        Ok(head)
    }

    /// As [`Bytes::take`], for lengths read from the bytes themselves.
    pub(crate) fn take_u64(&mut self, n: u64) -> Result<&'a [u8]> {
        self.take(usize::try_from(n).unwrap_or(usize::MAX))
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// A little-endian number of up to 8 bytes.
    pub(crate) fn uint_le(&mut self, n: usize) -> Result<u64> {
        Ok(uint_le(self.take(n)?))
    }

    /// A length-encoded integer, as in the client protocol.
    pub(crate) fn lenenc(&mut self) -> Result<u64> {
        match self.u8()? {
            0xFC => self.u16().map(u64::from),
            0xFD => self.uint_le(3),
            0xFE => self.u64(),
            0xFB | 0xFF => Err(malformed("a length-encoded integer starts with 0xFB or 0xFF")),
            small => Ok(u64::from(small)),
        }
    }

    /// A length-encoded integer followed by as many bytes.
    pub(crate) fn lenenc_bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.lenenc()?;
        self.take_u64(n)
    }

    /// Bytes up to a zero byte, which is consumed.
    pub(crate) fn until_zero(&mut self) -> Result<&'a [u8]> {
        let n = self.0.iter().position(|b| *b == 0).ok_or_else(|| malformed("no zero byte"))?;
        let text = self.take(n)?;
        self.u8()?;
        Ok(text)
    }
}

fn short(wanted: usize, left: usize) -> Error {
    malformed(format!("{wanted} bytes wanted, {left} left"))
}

/// The number that up to 8 little-endian bytes make.
pub(crate) fn uint_le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| (n << 8) | u64::from(*b))
}

/// The number that up to 8 big-endian bytes make.
pub(crate) fn uint_be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b))
}

/// The bit of a bitmap that counts from the lowest bit of the first byte.
pub(crate) fn bit(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|b| b & (1 << (index % 8)) != 0)
}

/// The bit of a bitmap that counts from the highest bit of the first byte.
pub(crate) fn bit_msb(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|b| b & (0x80 >> (index % 8)) != 0)
}
