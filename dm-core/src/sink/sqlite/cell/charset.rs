//! Text in the character set of its column and in UTF-8, where each reads back to the other.

use std::borrow::Cow;

use super::{Cell, utf8_or_blob};

/// Text of another character set as UTF-8, when it reads back to the same bytes; otherwise the
/// bytes themselves. Both are functions of the bytes alone, so equal values stay equal.
pub(super) fn decode<'a>(charset: &str, bytes: &'a [u8]) -> Cell<'a> {
    if bytes.is_ascii() && is_ascii_superset(charset) {
        return utf8_or_blob(bytes);
    }
    match wide_text(charset, bytes).or_else(|| legacy_text(charset, bytes)) {
        Some(text) => Cell::Text(text.into()),
        None => Cell::Blob(bytes.into()),
    }
}

fn is_ascii_superset(charset: &str) -> bool {
    !matches!(charset, "ucs2" | "utf16" | "utf16le" | "utf32" | "swe7" | "binary")
}

/// UCS-2, UTF-16 and UTF-32, which are UTF-8 in other clothes.
fn wide_text(charset: &str, bytes: &[u8]) -> Option<String> {
    let units = |little: bool| -> Option<Vec<u16>> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let unit =
            |&p: &[u8; 2]| if little { u16::from_le_bytes(p) } else { u16::from_be_bytes(p) };
        rest.is_empty().then(|| pairs.iter().map(unit).collect())
    };
    match charset {
        "ucs2" | "utf16" => String::from_utf16(&units(false)?).ok(),
        "utf16le" => String::from_utf16(&units(true)?).ok(),
        "utf32" => {
            let (quads, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return None;
            }
            quads.iter().map(|&q| char::from_u32(u32::from_be_bytes(q))).collect()
        }
        _ => None,
    }
}

fn legacy_text(charset: &str, bytes: &[u8]) -> Option<String> {
    let encoding = encoding(charset)?;
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    let (back, _, unmappable) = encoding.encode(&text);
    (!unmappable && back.as_ref() == bytes).then(|| text.into_owned())
}

/// The decoder of MySQL's name of a character set; `None` where there is none of the same set.
fn encoding(charset: &str) -> Option<&'static encoding_rs::Encoding> {
    match charset {
        // MySQL's latin1 is cp1252 with its five holes filled, as in the web's decoder.
        "latin1" => Some(encoding_rs::WINDOWS_1252),
        other => crate::binlog::charset::legacy(other),
    }
}

/// Text of a column in the bytes of its character set; `None` when there is no exact way.
pub(in crate::sink::sqlite) fn encode<'a>(charset: &str, text: &'a str) -> Option<Cow<'a, [u8]>> {
    if charset.starts_with("utf8") || (text.is_ascii() && is_ascii_superset(charset)) {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let (bytes, _, unmappable) = encoding(charset)?.encode(text);
    (!unmappable).then_some(bytes)
}
