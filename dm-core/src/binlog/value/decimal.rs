//! DECIMAL: groups of nine decimal digits in four bytes each, high ones first; shorter groups at
//! both outer ends take fewer bytes. Negative numbers have all bits inverted, and the first bit
//! of the whole is inverted once more, so that the bytes sort like the numbers.

use super::super::bytes::{Bytes, uint_be};
use super::super::{Result, malformed};

/// Bytes for so many digits of an incomplete group.
const BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
/// More bytes than 65 digits need.
const MAX_BYTES: usize = 40;
/// More digits than so many bytes hold.
const MAX_TEXT: usize = 96;

/// Reads a number and gives it as [`push`] prints it.
pub(crate) fn read(b: &mut Bytes<'_>, precision: u8, scale: u8) -> Result<String> {
    let mut out = String::with_capacity(usize::from(precision) + 3);
    push(&mut out, b, precision, scale)?;
    Ok(out)
}

/// Reads a number and prints it as the server does: at least one digit before the point, all
/// digits of the scale after it.
pub(crate) fn push(out: &mut String, b: &mut Bytes<'_>, precision: u8, scale: u8) -> Result<()> {
    let (precision, scale) = (usize::from(precision), usize::from(scale));
    let whole = precision.checked_sub(scale).ok_or_else(|| malformed("DECIMAL's scale"))?;
    let (head, tail) = (bytes_for(whole % 9), bytes_for(scale % 9));
    let length = head + whole / 9 * 4 + scale / 9 * 4 + tail;
    let mut buffer = [0u8; MAX_BYTES];
    let raw = buffer.get_mut(..length).ok_or_else(|| malformed("DECIMAL's precision"))?;
    raw.copy_from_slice(b.take(length)?);
    let Some(first) = raw.first_mut() else {
        out.push('0');
        return Ok(());
    };
    let negative = *first & 0x80 == 0;
    *first ^= 0x80;
    if negative {
        raw.iter_mut().for_each(|byte| *byte = !*byte);
    }

    let mut text = Digits { bytes: [b'0'; MAX_TEXT], length: 0 };
    let mut groups = Bytes(raw);
    group(&mut groups, head, whole % 9, &mut text)?;
    for _ in 0..whole / 9 {
        group(&mut groups, 4, 9, &mut text)?;
    }
    let whole = text.length;
    for _ in 0..scale / 9 {
        group(&mut groups, 4, 9, &mut text)?;
    }
    group(&mut groups, tail, scale % 9, &mut text)?;
    let digits = text.bytes.get(..text.length).unwrap_or_default();
    // Digits are UTF-8.
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    let (whole, fraction) = digits.split_at_checked(whole).unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    if negative {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    Ok(())
}

/// Bytes that a number takes in a row; `None` for digits that no column has.
pub(crate) fn length(precision: u8, scale: u8) -> Option<usize> {
    let (whole, scale) = (usize::from(precision.checked_sub(scale)?), usize::from(scale));
    let length = bytes_for(whole % 9) + whole / 9 * 4 + scale / 9 * 4 + bytes_for(scale % 9);
    (length <= MAX_BYTES).then_some(length)
}

/// Digits, one after the other.
struct Digits {
    bytes: [u8; MAX_TEXT],
    length: usize,
}

fn bytes_for(digits: usize) -> usize {
    BYTES.get(digits).copied().unwrap_or(4)
}

/// Appends a group's digits, leading zeros included.
fn group(groups: &mut Bytes<'_>, bytes: usize, digits: usize, out: &mut Digits) -> Result<()> {
    let mut number = uint_be(groups.take(bytes)?);
    let slots = out.bytes.get_mut(out.length..out.length + digits);
    for slot in slots.ok_or_else(|| malformed("DECIMAL's precision"))?.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
    }
    if number != 0 {
        return Err(malformed("a group of DECIMAL has too many digits"));
    }
    out.length += digits;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_hex(hex: &str, precision: u8, scale: u8) -> Result<String> {
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let mut b = Bytes(&bytes);
        let text = read(&mut b, precision, scale)?;
        assert!(b.is_empty());
        Ok(text)
    }

    #[test]
    fn the_manuals_example() {
        assert_eq!(read_hex("810dfb38d204d2", 14, 4).unwrap(), "1234567890.1234");
        assert_eq!(read_hex("7ef204c72dfb2d", 14, 4).unwrap(), "-1234567890.1234");
    }

    #[test]
    fn zeros_and_missing_parts() {
        assert_eq!(read_hex("80000000", 9, 0).unwrap(), "0");
        assert_eq!(read_hex("8000000000", 10, 2).unwrap(), "0.00");
        assert_eq!(read_hex("85", 1, 1).unwrap(), "0.5");
        assert_eq!(read_hex("7a", 1, 1).unwrap(), "-0.5");
        assert!(read_hex("ff", 1, 1).is_err());
        assert!(read_hex("80", 9, 0).is_err());
    }
}
