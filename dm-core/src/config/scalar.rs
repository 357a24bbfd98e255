//! What scalars mean: the words of YAML 1.1 that DM's files use, durations, sizes.

use std::time::Duration;

use super::yaml::{Data, Node};

impl Node {
    /// True for YAML's empty value: DM then takes the default, as if the key were absent.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn plain(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    /// A boolean in any spelling of YAML 1.1; a quoted word is none.
    pub(super) fn as_bool(&self) -> Option<bool> {
        let text = self.plain()?;
        let spelled = |words: &[&str]| {
            words.iter().any(|w| {
                let mut capital = w.chars();
                let first = capital.next().map(|c| c.to_ascii_uppercase());
                text == *w
                    || text == w.to_ascii_uppercase()
                    || first.is_some_and(|f| text.strip_prefix(f) == Some(capital.as_str()))
            })
        };
        if spelled(&["true", "yes", "on", "y"]) {
            Some(true)
        } else if spelled(&["false", "no", "off", "n"]) {
            Some(false)
        } else {
            None
        }
    }

    /// A whole number: decimal, `0x`, `0o`, `0b`, octal with a leading 0, `_` between digits.
    pub(super) fn as_int(&self) -> Option<i128> {
        let text = self.plain()?.replace('_', "");
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(&text)),
        };
        let (radix, digits) = match (digits.get(..2), digits.get(2..)) {
            (Some("0x"), Some(rest)) => (16, rest),
            (Some("0o"), Some(rest)) => (8, rest),
            (Some("0b"), Some(rest)) => (2, rest),
            _ if digits.len() > 1 && digits.starts_with('0') => (8, digits),
            _ => (10, digits),
        };
        if digits.starts_with(['+', '-']) {
            return None;
        }
        Some(sign * i128::from(u64::from_str_radix(digits, radix).ok()?))
    }

    /// Bytes: a text's, or a list of numbers.
    pub(super) fn as_bytes(&self) -> Option<Vec<u8>> {
        match &self.data {
            Data::Scalar { text, .. } => Some(text.clone().into_bytes()),
            Data::Seq(items) => items.iter().map(|n| u8::try_from(n.as_int()?).ok()).collect(),
            _ => None,
        }
    }

    /// What stands there, for a message about a value that should be a number or a boolean. No
    /// secret has such a type, so the text may be shown.
    pub(super) fn describe(&self) -> String {
        match &self.data {
            Data::Scalar { text, plain: true } => format!("found `{text}`"),
            Data::Scalar { text, plain: false } => format!("found the text \"{text}\""),
            _ => self.describe_kind().to_owned(),
        }
    }

    /// What kind of thing stands there.
    pub(super) fn describe_kind(&self) -> &'static str {
        match &self.data {
            Data::Scalar { .. } => "found a single value",
            Data::Seq(_) => "found a list",
            Data::Map(_) => "found a mapping",
            Data::Foreign => "found a value with a tag",
        }
    }
}

/// A duration as Go writes them: `300ms`, `1.5h`, `2h45m`. A sign is refused.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(end)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let nanos: f64 = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        let part = number.parse::<f64>().ok()? * nanos / 1e9;
        total = total.checked_add(Duration::try_from_secs_f64(part).ok()?)?;
        rest = tail;
    }
    Some(total)
}

/// A number of bytes: with a unit, or in `plain` units when it has none. `K` and `KB` are 1024 bytes
/// here as in DM (units of 1000 exist nowhere in its files).
pub(super) fn bytes(text: &str, plain: u64) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" => plain,
        "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let product = number.parse::<f64>().ok()? * factor as f64;
    // Below 2^53 the product is exact enough to be cut off to a whole number of bytes.
    (product.is_finite() && product < 9e15).then_some(product as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::parse;

    fn node(text: &str) -> Node {
        parse(text).unwrap().root
    }

    #[test]
    fn booleans_of_yaml_1_1() {
        for yes in ["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"] {
            assert_eq!(node(yes).as_bool(), Some(true), "{yes}");
        }
        for no in ["false", "no", "No", "off", "OFF", "n"] {
            assert_eq!(node(no).as_bool(), Some(false), "{no}");
        }
        for neither in ["\"true\"", "tRue", "1", "~", "oN"] {
            assert_eq!(node(neither).as_bool(), None, "{neither}");
        }
    }

    #[test]
    fn whole_numbers() {
        let cases = [("10", 10), ("-3", -3), ("+4", 4), ("0x1F", 31), ("010", 8), ("1_000", 1000)];
        for (text, number) in cases {
            assert_eq!(node(text).as_int(), Some(number), "{text}");
        }
        for wrong in ["\"10\"", "1.5", "ten", "~", "0x-1", "09"] {
            assert_eq!(node(wrong).as_int(), None, "{wrong}");
        }
    }

    #[test]
    fn durations_of_go() {
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("300ms"), Some(Duration::from_millis(300)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        for wrong in ["", "10", "1x", "s", "-1s", "1..2s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("64", 1 << 20), Some(64 << 20));
        assert_eq!(bytes("1.5 GiB", 1), Some(3 << 29));
        assert_eq!(bytes("500m", 1), Some(500 << 20));
        assert_eq!(bytes("10B", 1 << 20), Some(10));
        for wrong in ["", "x", "1 2", "5 parsecs", "99999999999999999999"] {
            assert_eq!(bytes(wrong, 1), None, "{wrong}");
        }
    }
}
