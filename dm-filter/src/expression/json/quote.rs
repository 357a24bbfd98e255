//! String literals of JSON and what they stand for.

use std::borrow::Cow;

/// The content of a string literal.
pub(in crate::expression) fn unquote(literal: &str) -> Cow<'_, str> {
    let inner = literal.trim();
    let inner = inner.strip_prefix('"').and_then(|s| s.strip_suffix('"')).unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let mut unit = || {
                    let digits: String = chars.by_ref().take(4).collect();
                    u32::from_str_radix(&digits, 16).unwrap_or(0xfffd)
                };
                let high = unit();
                let point = if (0xd800..0xdc00).contains(&high) && chars.as_str().starts_with("\\u")
                {
                    chars.nth(1);
                    let digits: String = chars.by_ref().take(4).collect();
                    let low = u32::from_str_radix(&digits, 16).unwrap_or(0);
                    0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff)
                } else {
                    high
                };
                text.push(char::from_u32(point).unwrap_or('\u{fffd}'));
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    Cow::Owned(text)
}

/// A string as a JSON literal.
pub(in crate::expression) fn quote(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            c if u32::from(c) < 0x20 => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
