//! From a quoted name or string to what it stands for, and back.
use crate::ddl::SqlMode;
/// The name that an identifier token stands for.
pub fn unquote_ident(text: &str) -> String {
    for quote in ['`', '"'] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    text.to_owned()
}

/// The value of a string token (with `N` before it or not).
pub fn unquote_string(text: &str, mode: SqlMode) -> String {
    if let Some(rest) = text.strip_prefix('$') {
        let quote = rest.find('$').map_or(0, |tag| tag + 2);
        return text.get(quote..text.len().saturating_sub(quote)).unwrap_or_default().to_owned();
    }
    let text = text.strip_prefix(['n', 'N']).unwrap_or(text);
    let quote = text.chars().next().unwrap_or('\'');
    let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)).unwrap_or_default();
    let escapes = !mode.contains(SqlMode::NO_BACKSLASH_ESCAPES);
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            // The second of a doubled quote; the lexer lets no single one stand inside.
            chars.next();
            out.push(quote);
        } else if c == '\\' && escapes {
            match chars.next() {
                Some('0') => out.push('\0'),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('b') => out.push('\x08'),
                Some('Z') => out.push('\x1a'),
                // LIKE patterns keep the backslash of these two.
                Some(c @ ('%' | '_')) => out.extend(['\\', c]),
                Some(c) => out.push(c),
                None => out.push('\\'),
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A string literal for the default `sql_mode`.
pub fn quote_string(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\x1a' => out.push_str("\\Z"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}
