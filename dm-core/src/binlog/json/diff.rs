//! Partial updates: what changed in a document.

use std::borrow::Cow;

use dm_filter::Json;

use super::super::bytes::Bytes;
use super::print::Printer;
use super::view::View;
use super::{Error, MAX_DEPTH, Result, codes, malformed};

/// The changes of one document, in order.
pub(crate) struct JsonDiffs<'a> {
    diffs: Vec<Diff<'a>>,
    bytes: usize,
}

struct Diff<'a> {
    operation: Operation<'a>,
    path: Vec<Leg>,
    text: &'a str,
}

enum Operation<'a> {
    /// Puts a value where one is.
    Replace(View<'a>),
    /// Puts a member into an object, or a value before a cell of an array.
    Insert(View<'a>),
    /// Takes a value out.
    Remove,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Leg {
    Key(String),
    Index(usize),
}

/// A document, taken apart where changes need it.
pub(super) enum Tree<'a> {
    Leaf(View<'a>),
    Array(Vec<Tree<'a>>),
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

impl<'a> JsonDiffs<'a> {
    /// Reads a list of: operation, path, and for all but a removal a value in binary form.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut b = Bytes(bytes);
        let mut diffs = Vec::new();
        while !b.is_empty() {
            let operation = b.u8()?;
            let text = std::str::from_utf8(b.lenenc_bytes()?)
                .map_err(|_| malformed("a JSON path is not UTF-8"))?;
            let operation = match operation {
                0 => Operation::Replace(View::document(b.lenenc_bytes()?)?),
                1 => Operation::Insert(View::document(b.lenenc_bytes()?)?),
                2 => Operation::Remove,
                other => return Err(malformed(format!("unknown JSON change {other}"))),
            };
            diffs.push(Diff { operation, path: parse_path(text)?, text });
        }
        Ok(Self { diffs, bytes: bytes.len() })
    }
}

/// The document after the changes.
pub(crate) fn apply(document: &[u8], diffs: &JsonDiffs<'_>) -> Result<Json<'static>> {
    let mut root = Tree::Leaf(View::document(document)?);
    for diff in &diffs.diffs {
        apply_one(&mut root, diff).ok_or_else(|| {
            Error::new(
                &codes::BINLOG_PARTIAL_JSON,
                format!("the document before the change has no place {}", diff.text),
            )
        })??;
    }
    let mut printer = Printer::new(document.len() + diffs.bytes);
    printer.tree(&root)?;
    Ok(printer.finish())
}

/// `None` when the place is not there.
fn apply_one<'a>(root: &mut Tree<'a>, diff: &Diff<'a>) -> Option<Result<()>> {
    let Some((last, parents)) = diff.path.split_last() else {
        let Operation::Replace(value) = &diff.operation else { return None };
        *root = Tree::Leaf(*value);
        return Some(Ok(()));
    };
    let mut place = root;
    for leg in parents {
        if let Err(e) = place.open() {
            return Some(Err(e));
        }
        place = place.member(leg)?;
    }
    if let Err(e) = place.open() {
        return Some(Err(e));
    }
    match &diff.operation {
        Operation::Replace(value) => *place.member(last)? = Tree::Leaf(*value),
        Operation::Insert(value) => place.insert(last, Tree::Leaf(*value))?,
        Operation::Remove => place.remove(last)?,
    }
    Some(Ok(()))
}

impl<'a> Tree<'a> {
    /// Takes a container apart, one level deep.
    fn open(&mut self) -> Result<()> {
        match self {
            Self::Leaf(View::Array(array)) => {
                let members = (0..array.count()).map(|i| array.value(i).map(Self::Leaf));
                *self = Self::Array(members.collect::<Result<_>>()?);
            }
            Self::Leaf(View::Object(object)) => {
                let members = (0..object.count())
                    .map(|i| Ok((Cow::Borrowed(object.key(i)?), Self::Leaf(object.value(i)?))));
                *self = Self::Object(members.collect::<Result<_>>()?);
            }
            _ => {}
        }
        Ok(())
    }

    fn member(&mut self, leg: &Leg) -> Option<&mut Self> {
        match (self, leg) {
            (Self::Array(members), Leg::Index(i)) => members.get_mut(*i),
            (Self::Object(members), Leg::Key(key)) => {
                members.iter_mut().find(|(k, _)| k == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn insert(&mut self, leg: &Leg, value: Self) -> Option<()> {
        match (self, leg) {
            (Self::Array(members), Leg::Index(i)) => members.insert(*i.min(&members.len()), value),
            (Self::Object(members), Leg::Key(key)) => {
                // Objects are kept in the order of their keys: short ones first, then by bytes.
                let order = |k: &str| (k.len(), k.as_bytes().to_vec());
                let at = members.partition_point(|(k, _)| order(k) < order(key));
                if members.get(at).is_some_and(|(k, _)| k == key) {
                    return None;
                }
                members.insert(at, (Cow::Owned(key.clone()), value));
            }
            _ => return None,
        }
        Some(())
    }

    fn remove(&mut self, leg: &Leg) -> Option<()> {
        match (self, leg) {
            (Self::Array(members), Leg::Index(i)) if *i < members.len() => {
                members.remove(*i);
            }
            (Self::Object(members), Leg::Key(key)) => {
                let at = members.iter().position(|(k, _)| k == key)?;
                members.remove(at);
            }
            _ => return None,
        }
        Some(())
    }
}

/// Reads `$.key."other key"[3]`.
fn parse_path(text: &str) -> Result<Vec<Leg>> {
    let bad = || malformed(format!("a JSON path {text:?}"));
    let mut rest = text.strip_prefix('$').ok_or_else(bad)?;
    let mut legs = Vec::new();
    while let Some(head) = rest.chars().next() {
        rest = rest.get(1..).ok_or_else(bad)?;
        let leg = match head {
            '[' => {
                let (index, after) = rest.split_once(']').ok_or_else(bad)?;
                rest = after;
                Leg::Index(index.trim().parse().map_err(|_| bad())?)
            }
            '.' if rest.starts_with('"') => {
                let end = closing_quote(rest).ok_or_else(bad)?;
                let (quoted, after) = rest.split_at(end);
                rest = after;
                Leg::Key(serde_json::from_str(quoted).map_err(|_| bad())?)
            }
            '.' => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (key, after) = rest.split_at(end);
                rest = after;
                Leg::Key(key.to_owned())
            }
            _ => return Err(bad()),
        };
        legs.push(leg);
        if legs.len() > MAX_DEPTH {
            return Err(bad());
        }
    }
    Ok(legs)
}

/// The place after the quote that ends the string at the start of the text.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.bytes().enumerate().skip(1) {
        match c {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(i + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let key = |k: &str| Leg::Key(k.to_owned());
        assert_eq!(parse_path("$").unwrap(), []);
        assert_eq!(
            parse_path(r#"$.a[3]."b \"c\".d".e"#).unwrap(),
            [key("a"), Leg::Index(3), key("b \"c\".d"), key("e")]
        );
        for bad in ["", "a", "$x", "$[", "$[x]", "$.\"a", "$é"] {
            assert!(parse_path(bad).is_err(), "{bad:?}");
        }
    }
}
