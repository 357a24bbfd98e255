//! JSON documents as slices of their text.
//!
//! Filters look at a few places of a document, so nothing is built: a path is followed through the
//! text, and what it leads to is a slice of it.

mod compare;
mod path;
mod quote;

pub(super) use self::compare::{compare, contains};
pub(super) use self::path::extract;
pub(super) use self::quote::{quote, unquote};
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::cmp::Ordering;

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
