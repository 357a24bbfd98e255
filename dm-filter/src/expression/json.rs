//! JSON documents as slices of their text.
//!
//! Filters look at a few places of a document, so nothing is built: a path is followed through the
//! text, and what it leads to is a slice of it.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::decimal::Decimal;
use super::error::EvalError;

/// How deep a document may be nested; the server's own limit.
const DEPTH: usize = 100;

fn bad(what: &str) -> EvalError {
    EvalError::Json(what.chars().take(60).collect())
}

/// What kind of value a slice holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

pub(super) fn kind(json: &str) -> Result<Kind, EvalError> {
    match json.trim_start().as_bytes().first() {
        Some(b'n') => Ok(Kind::Null),
        Some(b't' | b'f') => Ok(Kind::Bool),
        Some(b'"') => Ok(Kind::Text),
        Some(b'[') => Ok(Kind::Array),
        Some(b'{') => Ok(Kind::Object),
        Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
        _ => Err(bad(json)),
    }
}

/// True when the text is one whole JSON document.
pub(super) fn is_valid(text: &str) -> bool {
    split_value(text.trim_start(), 0).is_ok_and(|(_, rest)| rest.trim_start().is_empty())
}

/// Splits off the value that the text begins with.
fn split_value(text: &str, depth: usize) -> Result<(&str, &str), EvalError> {
    let end = match kind(text)? {
        _ if depth > DEPTH => return Err(bad(text)),
        Kind::Text => string_end(text)?,
        Kind::Array | Kind::Object => {
            let mut rest = items(text, depth)?;
            for item in rest.by_ref() {
                item?;
            }
            text.len() - rest.rest.len()
        }
        Kind::Null | Kind::Bool | Kind::Number => {
            let end = text.find([',', ']', '}', ' ', '\n', '\r', '\t']).unwrap_or(text.len());
            let word = text.get(..end).unwrap_or_default();
            let known = matches!(word, "null" | "true" | "false")
                || (!matches!(kind(text)?, Kind::Null | Kind::Bool) && word.parse::<f64>().is_ok());
            if !known {
                return Err(bad(text));
            }
            end
        }
    };
    Ok(text.split_at(end))
}

/// The length of the string literal that the text begins with.
fn string_end(text: &str) -> Result<usize, EvalError> {
    let mut escaped = false;
    for (i, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(i + 1),
            _ => {}
        }
    }
    Err(bad(text))
}

/// The members of an array (without keys) or an object.
struct Items<'a> {
    rest: &'a str,
    close: char,
    first: bool,
    done: bool,
    depth: usize,
}

/// A member: its key as a string literal, in objects, and its value.
type Item<'a> = (Option<&'a str>, &'a str);

fn items(text: &str, depth: usize) -> Result<Items<'_>, EvalError> {
    let close = if kind(text)? == Kind::Object { '}' } else { ']' };
    let rest = text.trim_start().get(1..).unwrap_or_default();
    Ok(Items { rest, close, first: true, done: false, depth: depth + 1 })
}

impl<'a> Items<'a> {
    fn item(&mut self) -> Result<Option<Item<'a>>, EvalError> {
        let rest = self.rest.trim_start();
        if let Some(after) = rest.strip_prefix(self.close) {
            self.rest = after;
            return Ok(None);
        }
        let rest = if self.first {
            rest
        } else {
            rest.strip_prefix(',').ok_or_else(|| bad(rest))?.trim_start()
        };
        self.first = false;
        let (key, rest) = if self.close == '}' {
            if !rest.starts_with('"') {
                return Err(bad(rest));
            }
            let (key, after) = rest.split_at(string_end(rest)?);
            let value = after.trim_start().strip_prefix(':').ok_or_else(|| bad(after))?;
            (Some(key), value.trim_start())
        } else {
            (None, rest)
        };
        let (value, after) = split_value(rest, self.depth)?;
        self.rest = after;
        Ok(Some((key, value)))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.item().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// The content of a string literal.
pub(super) fn unquote(literal: &str) -> Cow<'_, str> {
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
pub(super) fn quote(text: &str) -> String {
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

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Leg {
    Member(String),
    Index(usize),
    /// `last` or `last-n`.
    FromEnd(usize),
    /// `.*` or `[*]`
    Each,
}

/// Reads `$.a[0]."b c"[last-1].*`.
fn path(text: &str) -> Result<Vec<Leg>, EvalError> {
    let mut rest = text.trim().strip_prefix('$').ok_or_else(|| bad(text))?;
    let mut legs = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(legs);
        }
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = after.split_once(']').ok_or_else(|| bad(text))?;
            legs.push(array_leg(inside.trim()).ok_or_else(|| bad(text))?);
            rest = after;
            continue;
        }
        let after = rest.strip_prefix('.').ok_or_else(|| bad(text))?.trim_start();
        if let Some(after) = after.strip_prefix('*') {
            legs.push(Leg::Each);
            rest = after;
        } else if after.starts_with('"') {
            let (key, tail) = after.split_at(string_end(after)?);
            legs.push(Leg::Member(unquote(key).into_owned()));
            rest = tail;
        } else {
            let end = after
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(after.len());
            let (key, tail) = after.split_at(end);
            if key.is_empty() {
                return Err(bad(text));
            }
            legs.push(Leg::Member(key.to_string()));
            rest = tail;
        }
    }
}

fn array_leg(inside: &str) -> Option<Leg> {
    if inside == "*" {
        return Some(Leg::Each);
    }
    match inside.strip_prefix("last") {
        None => inside.parse().ok().map(Leg::Index),
        Some(after) if after.trim().is_empty() => Some(Leg::FromEnd(0)),
        Some(after) => after.trim().strip_prefix('-')?.trim().parse().ok().map(Leg::FromEnd),
    }
}

/// What a path leads to: `None` for nothing. With `*` the places found are gathered in an array.
pub(super) fn extract<'a>(json: &'a str, at: &str) -> Result<Option<Cow<'a, str>>, EvalError> {
    let legs = path(at)?;
    let mut found = vec![json.trim()];
    for leg in &legs {
        let mut next = Vec::with_capacity(found.len());
        for value in found {
            step(value, leg, &mut next)?;
        }
        found = next;
    }
    if legs.contains(&Leg::Each) {
        let gathered = || Cow::Owned(format!("[{}]", found.join(", ")));
        return Ok((!found.is_empty()).then(gathered));
    }
    Ok(found.first().map(|v| Cow::Borrowed(*v)))
}

fn step<'a>(value: &'a str, leg: &Leg, found: &mut Vec<&'a str>) -> Result<(), EvalError> {
    let kind = kind(value)?;
    match leg {
        Leg::Member(name) if kind == Kind::Object => {
            for item in items(value, 0)? {
                let (key, value) = item?;
                if key.is_some_and(|k| unquote(k) == name.as_str()) {
                    found.push(value);
                    break;
                }
            }
        }
        Leg::Each if matches!(kind, Kind::Object | Kind::Array) => {
            for item in items(value, 0)? {
                found.push(item?.1);
            }
        }
        Leg::Index(_) | Leg::FromEnd(_) => {
            // A value that is no array counts as an array of one.
            let all = match kind {
                Kind::Array => {
                    items(value, 0)?.map(|i| Ok(i?.1)).collect::<Result<Vec<_>, EvalError>>()?
                }
                _ => vec![value],
            };
            let index = match leg {
                Leg::FromEnd(n) => all.len().checked_sub(n + 1),
                Leg::Index(n) => Some(*n),
                _ => None,
            };
            found.extend(index.and_then(|i| all.get(i)));
        }
        _ => {}
    }
    Ok(())
}

/// The number of members of an array or object; 1 for anything else.
pub(super) fn length(json: &str) -> Result<usize, EvalError> {
    match kind(json)? {
        Kind::Array | Kind::Object => {
            let mut count = 0;
            for item in items(json, 0)? {
                item?;
                count += 1;
            }
            Ok(count)
        }
        _ => Ok(1),
    }
}

/// JSON_TYPE's name of a value.
pub(super) fn type_name(json: &str) -> Result<&'static str, EvalError> {
    Ok(match kind(json)? {
        Kind::Null => "NULL",
        Kind::Bool => "BOOLEAN",
        Kind::Text => "STRING",
        Kind::Array => "ARRAY",
        Kind::Object => "OBJECT",
        Kind::Number => {
            let text = json.trim();
            if text.contains(['.', 'e', 'E']) {
                "DOUBLE"
            } else if text.parse::<i64>().is_ok() {
                "INTEGER"
            } else {
                "UNSIGNED INTEGER"
            }
        }
    })
}

/// Compares two values; `None` when they are of kinds that have no order between them.
pub(super) fn compare(a: &str, b: &str) -> Result<Option<Ordering>, EvalError> {
    let (a, b) = (a.trim(), b.trim());
    Ok(match (kind(a)?, kind(b)?) {
        (Kind::Number, Kind::Number) => compare_numbers(a, b),
        (Kind::Text, Kind::Text) => Some(unquote(a).cmp(&unquote(b))),
        (Kind::Array, Kind::Array) => {
            let (mut x, mut y) = (items(a, 0)?, items(b, 0)?);
            loop {
                match (x.next().transpose()?, y.next().transpose()?) {
                    (None, None) => break Some(Ordering::Equal),
                    (None, Some(_)) => break Some(Ordering::Less),
                    (Some(_), None) => break Some(Ordering::Greater),
                    (Some((_, v)), Some((_, w))) => match compare(v, w)? {
                        Some(Ordering::Equal) => {}
                        other => break other,
                    },
                }
            }
        }
        (Kind::Object, Kind::Object) => objects_equal(a, b)?.then_some(Ordering::Equal),
        (Kind::Bool, Kind::Bool) => Some((a == "true").cmp(&(b == "true"))),
        (Kind::Null, Kind::Null) => Some(Ordering::Equal),
        _ => None,
    })
}

fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    match (Decimal::parse(a), Decimal::parse(b)) {
        (Some(x), Some(y)) => Some(x.cmp(&y)),
        _ => a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?),
    }
}

fn objects_equal(a: &str, b: &str) -> Result<bool, EvalError> {
    if length(a)? != length(b)? {
        return Ok(false);
    }
    for item in items(a, 0)? {
        let (Some(key), value) = item? else { return Ok(false) };
        let mut other = Vec::new();
        step(b, &Leg::Member(unquote(key).into_owned()), &mut other)?;
        match other.first() {
            Some(other) if compare(value, other)? == Some(Ordering::Equal) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// JSON_CONTAINS: every part of the candidate is found in the target.
pub(super) fn contains(target: &str, candidate: &str) -> Result<bool, EvalError> {
    match (kind(target)?, kind(candidate)?) {
        (Kind::Array, Kind::Array) => {
            for item in items(candidate, 0)? {
                if !contains(target, item?.1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Array, _) => {
            for item in items(target, 0)? {
                if contains(item?.1, candidate)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Kind::Object, Kind::Object) => {
            for item in items(candidate, 0)? {
                let (Some(key), value) = item? else { return Ok(false) };
                let mut own = Vec::new();
                step(target, &Leg::Member(unquote(key).into_owned()), &mut own)?;
                match own.first() {
                    Some(own) if contains(own, value)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        _ => Ok(compare(target, candidate)? == Some(Ordering::Equal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = r#"{"a": [1, {"b": "x\"]y"}, null], "b c": {"d": -1.5e2}, "é": true, "u": "\u00e9\ud83d\ude00"}"#;

    fn get(path: &str) -> Option<String> {
        extract(DOC, path).unwrap().map(Cow::into_owned)
    }

    #[test]
    fn paths_lead_to_slices() {
        let some = |s: &str| Some(s.to_string());
        assert_eq!(get("$.a[0]"), some("1"));
        assert_eq!(get("$.a[1].b"), some(r#""x\"]y""#));
        assert_eq!(get("$.a[last]"), some("null"));
        assert_eq!(get("$.a[last-2]"), some("1"));
        assert_eq!(get(r#"$."b c".d"#), some("-1.5e2"));
        assert_eq!(get("$.é"), some("true"));
        assert_eq!(get("$.é[0]"), some("true"));
        assert_eq!(get("$.none"), None);
        assert_eq!(get("$.a[7]"), None);
        assert_eq!(get("$.a[*].b"), some(r#"["x\"]y"]"#));
        assert_eq!(unquote(&get("$.u").unwrap()), "é😀");
        assert!(extract(DOC, "a").is_err() && extract(DOC, "$.").is_err());
    }

    #[test]
    fn validity_and_kinds() {
        for good in [DOC, "1", " \"x\" ", "[]", "{}", "[1 , 2]", "null"] {
            assert!(is_valid(good), "{good}");
        }
        let nested = "[".repeat(200);
        for bad in ["", "x", "[1 2]", "{1:2}", "{\"a\"}", "[1", "\"x", "nul", "1 2", &nested] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert_eq!(length(DOC), Ok(4));
        assert_eq!(type_name("18446744073709551615"), Ok("UNSIGNED INTEGER"));
    }

    #[test]
    fn values_compare_by_what_they_say() {
        let order = |a: &str, b: &str| compare(a, b).unwrap();
        assert_eq!(order("1.0", "1"), Some(Ordering::Equal));
        assert_eq!(order("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
        assert_eq!(order(r#""a""#, r#""A""#), Some(Ordering::Greater));
        assert_eq!(order(r#"{"a":1,"b":2}"#, r#"{"b": 2, "a": 1.0}"#), Some(Ordering::Equal));
        assert_eq!(order("[1,2]", "[1]"), Some(Ordering::Greater));
        assert_eq!(order("1", "true"), None);
    }

    #[test]
    fn containment() {
        let has = |a: &str, b: &str| contains(a, b).unwrap();
        assert!(has("[1,2,3]", "[3,1]") && has("[1,2]", "2") && !has("[1]", "[1,2]"));
        assert!(has(r#"{"a":{"b":1},"c":2}"#, r#"{"a":{}}"#));
        assert!(!has(r#"{"a":1}"#, r#"{"b":1}"#));
    }
}
