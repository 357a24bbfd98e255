//! Names and texts inside statements.

use dm_filter::TableName;

/// A name in backticks.
pub(crate) fn ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `` `schema`.`table` ``.
pub(crate) fn table_name(table: &TableName) -> String {
    format!("{}.{}", ident(&table.schema), ident(&table.table))
}

/// A text literal that reads the same with and without NO_BACKSLASH_ESCAPES: texts with a
/// backslash are given in hex.
pub(crate) fn text(value: &str) -> String {
    if value.contains('\\') || value.contains('\0') {
        let mut out = String::with_capacity(value.len() * 2 + 12);
        out.push_str("_utf8mb4 X'");
        push_hex(&mut out, value.as_bytes());
        out.push('\'');
        return out;
    }
    format!("'{}'", value.replace('\'', "''"))
}

/// Appends bytes as hexadecimal digits.
pub(crate) fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts() {
        assert_eq!(ident("a`b"), "`a``b`");
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text("a\\b"), "_utf8mb4 X'615C62'");
        assert_eq!(text(""), "''");
    }
}
