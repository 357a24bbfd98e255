//! Names and strings.

use dm_filter::TableName;

/// Appends a name in back quotes.
pub fn push_ident(out: &mut String, name: &str) {
    out.push('`');
    for part in name.split_inclusive('`') {
        out.push_str(part);
        if part.ends_with('`') {
            out.push('`');
        }
    }
    out.push('`');
}

/// A name in back quotes.
pub fn quote_ident(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    push_ident(&mut out, name);
    out
}

/// Appends `` `schema`.`table` ``, or one of them when the other is empty.
pub fn push_table(out: &mut String, table: &TableName) {
    if !table.schema.is_empty() {
        push_ident(out, &table.schema);
        if !table.table.is_empty() {
            out.push('.');
        }
    }
    if !table.table.is_empty() {
        push_ident(out, &table.table);
    }
}

/// `` `schema`.`table` ``.
pub fn quote_table(table: &TableName) -> String {
    let mut out = String::with_capacity(table.schema.len() + table.table.len() + 5);
    push_table(&mut out, table);
    out
}

/// From here on room is made in one step.
const LARGE_TEXT: usize = 64 << 10;

/// Appends a string literal. The session must not have NO_BACKSLASH_ESCAPES.
pub fn push_string(out: &mut String, text: &str) {
    if text.len() > LARGE_TEXT {
        out.reserve(text.len() + text.len() / 16 + 4_096);
    }
    out.push('\'');
    let mut rest = text;
    // Runs without special characters are copied whole: this is the hot path of copy and script.
    while let Some(at) = special(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push('\\');
        out.push(match rest.as_bytes()[at] {
            0 => '0',
            b'\n' => 'n',
            b'\r' => 'r',
            0x1a => 'Z',
            quote => char::from(quote),
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('\'');
}

/// Where the first byte stands that is escaped.
fn special(bytes: &[u8]) -> Option<usize> {
    const WORD: usize = 8;
    let is_special = |b: &u8| matches!(*b, b'\'' | b'\\' | 0 | b'\n' | b'\r' | 0x1a);
    let mut from = 0;
    // Eight bytes at a time; a word that may hold one, or a control character, is looked at.
    for word in bytes.chunks_exact(WORD) {
        let mut text = [0; WORD];
        text.copy_from_slice(word);
        if may_be_special(u64::from_le_bytes(text))
            && let Some(at) = word.iter().position(is_special)
        {
            return Some(from + at);
        }
        from += WORD;
    }
    bytes.get(from..)?.iter().position(is_special).map(|at| from + at)
}

/// True when a byte of the word is below 0x20, a quote or a backslash. The highest bit of each byte
/// tells; a borrow can only make one say so that follows one that does.
fn may_be_special(word: u64) -> bool {
    const EACH: u64 = u64::MAX / 0xFF;
    let below = |x: u64, n: u8| x.wrapping_sub(EACH * u64::from(n)) & !x & (EACH * 0x80);
    let quote = word ^ (EACH * u64::from(b'\''));
    let backslash = word ^ (EACH * u64::from(b'\\'));
    below(word, 0x20) | below(quote, 1) | below(backslash, 1) != 0
}

/// A utf8mb4 string literal for any session: it reads the same with and without
/// NO_BACKSLASH_ESCAPES. Texts with a backslash are given in hexadecimal.
pub fn quote_text(text: &str) -> String {
    if text.contains('\\') || text.contains('\0') {
        let mut out = "_utf8mb4 ".to_owned();
        push_hex(&mut out, text.as_bytes());
        return out;
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Appends a hexadecimal literal, `x'..'`.
pub fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    /// Bytes that are brought into text at a time.
    const PIECE: usize = 64;
    // Room in one step: growing by a byte would copy a large row once more.
    let more = if bytes.len() > LARGE_TEXT { 4_096 } else { 3 };
    out.reserve(bytes.len() * 2 + more);
    out.push_str("x'");
    let mut text = [0u8; 2 * PIECE];
    for piece in bytes.chunks(PIECE) {
        for (pair, b) in text.chunks_exact_mut(2).zip(piece) {
            pair.copy_from_slice(&[DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
        }
        // Digits are UTF-8.
        let text = text.get(..2 * piece.len()).unwrap_or_default();
        out.push_str(std::str::from_utf8(text).unwrap_or_default());
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_double_the_quote() {
        assert_eq!(quote_ident("a`b``"), "`a``b`````");
        assert_eq!(quote_table(&TableName::new("s.1", "t")), "`s.1`.`t`");
        assert_eq!(quote_table(&TableName::schema_only("s")), "`s`");
    }

    #[test]
    fn strings_escape_what_the_server_reads_as_more() {
        let mut out = String::new();
        push_string(&mut out, "it's \\ a\nb\r\0\u{1a}é\"");
        assert_eq!(out, "'it\\'s \\\\ a\\nb\\r\\0\\Zé\"'");
    }

    proptest::proptest! {
        /// Wherever in the text they stand.
        #[test]
        fn every_special_character_is_found(
            text in proptest::collection::vec(
                proptest::sample::select(vec!['a', 'é', '東', ' ', '\t', '\u{7f}', '\'', '\\', '\0', '\n', '\r', '\u{1a}']),
                0..40,
            ),
            plain in "[ -~]{0,30}",
        ) {
            let text: String = plain.chars().chain(text).chain(plain.chars()).collect();
            let mut expected = "'".to_owned();
            for c in text.chars() {
                match c {
                    '\0' => expected.push_str("\\0"),
                    '\n' => expected.push_str("\\n"),
                    '\r' => expected.push_str("\\r"),
                    '\u{1a}' => expected.push_str("\\Z"),
                    '\'' | '\\' => expected.extend(['\\', c]),
                    c => expected.push(c),
                }
            }
            expected.push('\'');
            let mut out = String::new();
            push_string(&mut out, &text);
            proptest::prop_assert_eq!(out, expected);
        }
    }

    #[test]
    fn texts_for_any_session_have_no_escapes() {
        assert_eq!(quote_text("it's"), "'it''s'");
        assert_eq!(quote_text("a\\b"), "_utf8mb4 x'615C62'");
        assert_eq!(quote_text(""), "''");
    }

    #[test]
    fn hex() {
        let mut out = String::new();
        push_hex(&mut out, &[0, 0x7f, 0xff]);
        assert_eq!(out, "x'007FFF'");
        let long: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        let mut out = String::new();
        push_hex(&mut out, &long);
        let digits: String = long.iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(out, format!("x'{digits}'"));
    }
}
