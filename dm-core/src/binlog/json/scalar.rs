//! How the server prints the scalars of a document.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::bytes::Bytes;
use super::super::value::decimal;
use super::{Result, malformed};

/// Fixed notation is used for so many digits before the point, and one zero less after it.
const FIXED_DIGITS: i32 = 15;

/// The server breaks base64 after 76 characters, which are 57 bytes.
const BASE64_LINE: usize = 57;

/// A double: the shortest digits that read back to the same number, always with a point or an
/// exponent.
pub(super) fn double(value: f64, out: &mut String) -> Result<()> {
    if !value.is_finite() {
        return Err(malformed("a JSON number is not finite"));
    }
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    out.push_str(sign);
    // Digits before the point when there are no zeros between.
    let point = exponent + 1;
    if !(1 - FIXED_DIGITS..=FIXED_DIGITS).contains(&point) {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "e{exponent}");
        return Ok(());
    }
    let before = usize::try_from(point).unwrap_or(0);
    if before == 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
        out.push_str(&digits);
    } else if digits.len() <= before {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', before - digits.len()));
        out.push_str(".0");
    } else {
        let (whole, fraction) = digits.split_at(before);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    }
    Ok(())
}

/// A string in quotes.
pub(super) fn quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (i, c) in text.bytes().enumerate() {
        let escape = match c {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x0C => "\\f",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(text.get(plain..i).unwrap_or_default());
        plain = i + 1;
        if escape.is_empty() {
            let _ = write!(out, "\\u{c:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(text.get(plain..).unwrap_or_default());
    out.push('"');
}

/// A value of an SQL type: prints it, and returns the expression that makes it.
pub(super) fn opaque(sql_type: u8, data: &[u8], out: &mut String) -> Result<String> {
    match sql_type {
        246 => {
            let mut b = Bytes(data);
            let (precision, scale) = (b.u8()?, b.u8()?);
            let text = decimal::read(&mut b, precision, scale)?;
            out.push_str(&text);
            // Whole groups of nine digits count as precision, which may pass the maximum.
            let precision = precision.min(65);
            Ok(format!("CAST('{text}' AS DECIMAL({precision},{scale}))"))
        }
        7 | 10 | 11 | 12 => {
            let packed = Bytes(data).i64()?;
            let (text, ty) = match sql_type {
                10 => (datetime(packed).0, "DATE"),
                11 => (time(packed), "TIME(6)"),
                _ => (datetime(packed).1, "DATETIME(6)"),
            };
            let _ = write!(out, "\"{text}\"");
            Ok(format!("CAST('{text}' AS {ty})"))
        }
        _ => {
            let _ = write!(out, "\"base64:type{sql_type}:");
            for (i, line) in data.chunks(BASE64_LINE).enumerate() {
                if i > 0 {
                    out.push_str("\\n");
                }
                STANDARD.encode_string(line, out);
            }
            out.push('"');
            let mut sql = String::with_capacity(2 * data.len() + 20);
            sql.push_str("CAST(x'");
            for byte in data {
                let _ = write!(sql, "{byte:02x}");
            }
            sql.push_str("' AS BINARY)");
            Ok(sql)
        }
    }
}

/// The day, and day and time, of the packed form: 24 bits of micros below the bit fields.
fn datetime(packed: i64) -> (String, String) {
    let whole = packed.unsigned_abs() >> 24;
    let months = whole >> 22;
    let day = format!("{:04}-{:02}-{:02}", months / 13, months % 13, (whole >> 17) & 0x1F);
    let time = clock((whole >> 12) & 0x1F, whole, packed.unsigned_abs());
    let both = format!("{day} {time}");
    (day, both)
}

fn time(packed: i64) -> String {
    let n = packed.unsigned_abs();
    let sign = if packed < 0 { "-" } else { "" };
    format!("{sign}{}", clock((n >> 36) & 0x3FF, n >> 24, n))
}

fn clock(hours: u64, whole: u64, packed: u64) -> String {
    let (minutes, seconds) = ((whole >> 6) & 0x3F, whole & 0x3F);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:06}", packed & 0xFF_FFFF)
}
