//! Values that are typed as texts.

use std::str::FromStr;

use dm_core::TableName;

/// A table as people write it: `schema.table`, names with dots in back quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableArg(pub TableName);

impl FromStr for TableArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected schema.table, such as shop.orders or '`a.b`.c'; found {text:?}");
        let (schema, rest) = name(text).ok_or_else(wrong)?;
        let (table, rest) = rest.strip_prefix('.').and_then(name).ok_or_else(wrong)?;
        if !rest.is_empty() {
            return Err(wrong());
        }
        Ok(Self(TableName::new(schema, table)))
    }
}

/// A name at the beginning of a text, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find('.').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '`' {
            name.push(c);
        } else if chars.next_if(|(_, c)| *c == '`').is_some() {
            name.push('`');
        } else {
            return (!name.is_empty()).then(|| (name, quoted.get(at + 1..).unwrap_or_default()));
        }
    }
    None
}

/// A number of bytes: `1048576`, `1024KiB`, `1MiB`; units are of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: Option<u64> = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1 << 30),
        _ => None,
    };
    let bytes = factor.and_then(|f| number.parse::<u64>().ok()?.checked_mul(f));
    bytes.filter(|n| *n > 0).ok_or_else(|| "expected a size above 0, such as 10MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let parse = |text: &str| text.parse::<TableArg>().map(|t| (t.0.schema, t.0.table)).ok();
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(parse("shop.orders"), pair("shop", "orders"));
        assert_eq!(parse("`a.b`.`c``d`"), pair("a.b", "c`d"));
        assert_eq!(parse("`a`.b"), pair("a", "b"));
        for wrong in ["shop", "shop.", ".orders", "a.b.c", "`a.b", "", "`a`b.c"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("10MiB"), Ok(10 << 20));
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("1g"), Ok(1 << 30));
        for wrong in ["", "0", "MiB", "-1", "1TB", "99999999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
