//! The text of SHOW CREATE TABLE, as a statement that can be sent again.
//!
//! MariaDB shows the default of a binary column as its bytes between quotes, which need not be a text of any
//! character set. Such a string is written as a hexadecimal literal, which stands for the same bytes.

use std::borrow::Cow;

/// What a server shows of a table, as text.
pub(crate) fn shown(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text: Vec<u8> = Vec::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        let length = match first {
            b'\'' | b'`' | b'"' => quoted(rest),
            _ => 1,
        };
        let (part, next) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        match first == b'\'' && std::str::from_utf8(part).is_err() {
            true => push_hex(&mut text, part),
            false => text.extend_from_slice(part),
        }
        rest = if part.is_empty() { behind } else { next };
    }
    Cow::Owned(String::from_utf8_lossy(&text).into_owned())
}

/// How long what begins with a quote is, both quotes counted.
fn quoted(text: &[u8]) -> usize {
    let Some((&quote, inner)) = text.split_first() else { return 0 };
    let mut bytes = inner.iter().enumerate().peekable();
    while let Some((at, &byte)) = bytes.next() {
        if byte == b'\\' && quote != b'`' {
            bytes.next();
        } else if byte == quote && bytes.next_if(|(_, next)| **next == quote).is_none() {
            return at + 2;
        }
    }
    text.len()
}

/// The bytes that a quoted string stands for, as `x'..'`.
fn push_hex(text: &mut Vec<u8>, quoted: &[u8]) {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    text.extend_from_slice(b"x'");
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        let byte = match byte {
            b'\\' => match bytes.next() {
                Some(b'0') => 0,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'b') => 8,
                Some(b'Z') => 26,
                Some(&other) => other,
                None => b'\\',
            },
            b'\'' => {
                bytes.next();
                b'\''
            }
            other => other,
        };
        text.extend_from_slice(format!("{byte:02X}").as_bytes());
    }
    text.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_is_no_text_is_written_in_hex() {
        let text = "CREATE TABLE `a'b` (v binary(2) DEFAULT 'ü''\\'' COMMENT 'x')";
        assert_eq!(shown(text.as_bytes()), text);
        let mut bytes =
            b"(`\xc3\xbc'` binary(9) DEFAULT '\xff\\0''\\'\\\\\\n', w char(9) DEFAULT 'it''s', "
                .to_vec();
        bytes.extend_from_slice("c varchar(9) DEFAULT 'ü' COMMENT '\\'')".as_bytes());
        let wanted = "(`ü'` binary(9) DEFAULT x'FF0027275C0A', w char(9) DEFAULT 'it''s', \
                      c varchar(9) DEFAULT 'ü' COMMENT '\\'')";
        assert_eq!(shown(&bytes), wanted);
        assert_eq!(shown(b"'\xff"), "x''", "what a server does not write harms nobody");
        assert_eq!(shown(b"\xff'\\"), "\u{fffd}'\\");
    }
}
