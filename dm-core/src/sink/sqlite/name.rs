//! How MySQL's names become names in one SQLite file, and back. Pure.
//!
//! A table `orders` of the schema `shop` is the SQLite table `"shop.orders"`. The obstacle: names
//! may hold dots themselves, SQLite reserves the beginning `sqlite_`, and compares names without
//! regard to ASCII case while `T` and `t` are two tables in MySQL on Linux. The method: `%` begins
//! an escape, so the first plain dot always parts schema and table; and of two names that SQLite
//! cannot tell apart the later one gets a number behind `%~`. Every name can be read back.
//! Tables of our own (`_dm_...`) hold no dot, so no table of a migration can meet them.

use std::fmt::Write as _;

use dm_filter::TableName;

/// The SQLite name of a table; `twin` is 0 unless another table has that name already.
pub fn table_ident(name: &TableName, twin: u32) -> String {
    let mut out = String::with_capacity(name.schema.len() + name.table.len() + 4);
    push_part(&mut out, &name.schema, true);
    out.push('.');
    push_part(&mut out, &name.table, false);
    if out.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_")) {
        let first = out.remove(0);
        out.insert_str(0, &format!("%{:02X}", first as u32));
    }
    if twin > 0 {
        let _ = write!(out, "%~{twin}");
    }
    out
}

/// The table that a SQLite name stands for; `None` for names that are not ours.
pub fn table_name(ident: &str) -> Option<TableName> {
    let plain = match ident.rsplit_once("%~") {
        Some((before, twin)) if twin.bytes().all(|b| b.is_ascii_digit()) => before,
        _ => ident,
    };
    let (schema, table) = plain.split_once('.')?;
    Some(TableName::new(unescape(schema)?, unescape(table)?))
}

/// The SQLite name of an index: it shares the name space of tables.
pub fn index_ident(table_ident: &str, key: &str) -> String {
    let mut out = format!("{table_ident}%#");
    push_part(&mut out, key, false);
    out
}

fn push_part(out: &mut String, part: &str, dots: bool) {
    for c in part.chars() {
        match c {
            '%' => out.push_str("%25"),
            '.' if dots => out.push_str("%2E"),
            c => out.push(c),
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        out.push(char::from(code));
        out.push_str(part.get(2..)?);
    }
    Some(out)
}

/// A name in double quotes.
pub fn quote(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    push_quoted(&mut out, name);
    out
}

/// Appends a name in double quotes.
pub fn push_quoted(out: &mut String, name: &str) {
    out.push('"');
    for c in name.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_readable() {
        assert_eq!(table_ident(&TableName::new("shop", "orders"), 0), "shop.orders");
        assert_eq!(table_ident(&TableName::new("a.b", "c.d%"), 0), "a%2Eb.c.d%25");
        assert_eq!(table_ident(&TableName::new("SQLite_x", "t"), 0), "%53QLite_x.t");
        assert_eq!(table_ident(&TableName::new("shop", "Orders"), 1), "shop.Orders%~1");
        assert_eq!(table_name("_dm_table"), None);
        assert_eq!(index_ident("shop.orders", "by%name"), "shop.orders%#by%25name");
    }

    proptest! {
        #[test]
        fn every_name_reads_back(schema in "[a-zA-Z.%~#_\"é]{1,8}", table in "[a-zA-Z.%~0-9#_\"é]{1,8}", twin in 0u32..3) {
            let name = TableName::new(schema, table);
            let ident = table_ident(&name, twin);
            prop_assert_eq!(table_name(&ident), Some(name));
            prop_assert!(!ident.to_lowercase().starts_with("sqlite_"));
        }

        #[test]
        fn no_two_names_meet(a in "[a.%~1]{1,4}", b in "[a.%~1]{1,4}", c in "[a.%~1]{1,4}", d in "[a.%~1]{1,4}") {
            let (one, other) = (TableName::new(a, b), TableName::new(c, d));
            prop_assert_eq!(table_ident(&one, 0) == table_ident(&other, 0), one == other);
        }
    }
}
