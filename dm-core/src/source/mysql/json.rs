//! JSON documents that hold values of SQL types.
//!
//! MySQL keeps DECIMAL, dates, times and binary strings inside a document, but prints them like
//! numbers and strings: their text reads back as another type. The server is asked in the same
//! SELECT which places are such; for those rows the document is rebuilt by an expression.
//!
//! The server names a place by its number among the matches of `$**.*` (members of objects) or
//! `$**[*]` (elements of arrays), which are visited in this order: the members (elements) of a
//! value first, then the same within each of them. The walk here counts in the same order over the
//! text, and a text that does not fit the type the server named is an error, not a guess.

use std::fmt::Write as _;

use crate::error::{Error, Result, codes};
use crate::sql::{push_hex, quote_text};

/// The types whose text reads back as another one, as JSON_TYPE names them.
pub(super) const TYPED: &str =
    "'DECIMAL','DATE','TIME','DATETIME','TIMESTAMP','BLOB','BIT','OPAQUE'";

/// Selects the numbers and types of a document's typed places of one kind: `NULL` when there are
/// none. `path` is `$**.*` or `$**[*]`; `column` is qualified.
pub(super) fn probe(column: &str, path: &str) -> String {
    format!(
        "(SELECT JSON_ARRAYAGG(JSON_ARRAY(dm__n, JSON_TYPE(dm__v))) FROM JSON_TABLE({column}, \
         '{path}' COLUMNS (dm__n FOR ORDINALITY, dm__v JSON PATH '$')) AS dm__t \
         WHERE JSON_TYPE(dm__v) IN ({TYPED}))"
    )
}

/// Selects the type of a document that is itself a typed scalar; `NULL` for others.
pub(super) fn probe_root(column: &str) -> String {
    format!("IF(JSON_TYPE({column}) IN ({TYPED}), JSON_TYPE({column}), NULL)")
}

/// What the probes answered for one document.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probed<'a> {
    /// Type of the document itself.
    pub(super) root: Option<&'a [u8]>,
    /// Members of objects.
    pub(super) members: Option<&'a [u8]>,
    /// Elements of arrays.
    pub(super) elements: Option<&'a [u8]>,
}

impl Probed<'_> {
    /// True when the document's text says everything.
    pub(super) fn is_plain(&self) -> bool {
        self.root.is_none() && self.members.is_none() && self.elements.is_none()
    }
}

/// The expression that makes the document exactly.
pub(super) fn expression(document: &[u8], probed: &Probed<'_>) -> Result<String> {
    let document = std::str::from_utf8(document).map_err(|_| odd("the document is not UTF-8"))?;
    if let Some(root) = probed.root {
        let kind = String::from_utf8_lossy(root);
        return Ok(format!("CAST({} AS JSON)", leaf(&kind, document.trim())?));
    }
    let mut walk = Walk { text: document, at: 0, depth: 0 };
    let tree = walk.value()?;
    let mut places = Vec::new();
    if let Some(found) = probed.members {
        pick(&tree, found, false, &mut places)?;
    }
    if let Some(found) = probed.elements {
        pick(&tree, found, true, &mut places)?;
    }
    let mut sql = format!("JSON_REPLACE(CAST({} AS JSON)", quote_text(document));
    for (path, expression) in places {
        let _ = write!(sql, ", {}, {expression}", quote_text(&path));
    }
    sql.push(')');
    Ok(sql)
}

fn odd(what: &str) -> Error {
    Error::new(&codes::SOURCE_VALUE, format!("a JSON document with SQL types: {what}"))
}

/// A value of the document as it stands in the text.
enum Node<'a> {
    Scalar(&'a str),
    Array(Vec<Node<'a>>),
    Object(Vec<(&'a str, Node<'a>)>),
}

/// Finds the places that the server numbered and the expressions of their values.
fn pick(
    tree: &Node<'_>,
    found: &[u8],
    elements: bool,
    places: &mut Vec<(String, String)>,
) -> Result {
    let found: Vec<(u64, String)> = serde_json::from_slice(found)
        .map_err(|e| odd("the list of places cannot be read").cause(e))?;
    let mut wanted: std::collections::BTreeMap<u64, String> = found.into_iter().collect();
    let mut count = 0;
    visit(tree, "$", elements, &mut |path, node| {
        count += 1;
        let Some(kind) = wanted.remove(&count) else { return Ok(()) };
        let Node::Scalar(token) = node else {
            return Err(odd(&format!("the value at {path} is no {kind}")));
        };
        places.push((path.to_owned(), leaf(&kind, token)?));
        Ok(())
    })?;
    if wanted.is_empty() { Ok(()) } else { Err(odd("the server counts more places")) }
}

fn visit(
    node: &Node<'_>,
    path: &str,
    elements: bool,
    each: &mut dyn FnMut(&str, &Node<'_>) -> Result,
) -> Result {
    let children: Vec<(String, &Node<'_>)> = match node {
        Node::Scalar(_) => return Ok(()),
        // Keys stand in the text as JSON strings, which is how paths quote them.
        Node::Object(members) => {
            members.iter().map(|(key, child)| (format!("{path}.{key}"), child)).collect()
        }
        Node::Array(items) => {
            items.iter().enumerate().map(|(i, child)| (format!("{path}[{i}]"), child)).collect()
        }
    };
    if matches!(node, Node::Array(_)) == elements {
        for (path, child) in &children {
            each(path, child)?;
        }
    }
    for (path, child) in &children {
        visit(child, path, elements, each)?;
    }
    Ok(())
}

/// The SQL expression of a typed scalar's text.
fn leaf(kind: &str, token: &str) -> Result<String> {
    let mismatch = || odd(&format!("a {kind} is printed in an unknown form"));
    if kind == "DECIMAL" {
        let digits = token.trim_start_matches('-');
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all(whole) || !all(fraction) {
            return Err(mismatch());
        }
        let scale = fraction.len();
        let precision = (whole.trim_start_matches('0').len() + scale).max(1);
        return Ok(format!("CAST('{token}' AS DECIMAL({precision},{scale}))"));
    }
    let inner: String = serde_json::from_str(token).map_err(|_| mismatch())?;
    match kind {
        "DATE" => Ok(format!("CAST({} AS DATE)", quote_text(&inner))),
        "TIME" => Ok(format!("CAST({} AS TIME(6))", quote_text(&inner))),
        "DATETIME" => Ok(format!("CAST({} AS DATETIME(6))", quote_text(&inner))),
        // No CAST gives this type, a column of a JSON_TABLE does.
        "TIMESTAMP" => {
            Ok(from_table("TIMESTAMP(6)", &format!("JSON_ARRAY({})", quote_text(&inner))))
        }
        _ => opaque(&inner).ok_or_else(mismatch),
    }
}

/// `base64:typeN:...`: bytes of a column of type N. Literals are of type 15 (VARCHAR).
fn opaque(inner: &str) -> Option<String> {
    use base64::Engine as _;
    let (number, payload) = inner.strip_prefix("base64:type")?.split_once(':')?;
    // The server breaks base64 into lines.
    let payload: String = payload.chars().filter(|c| *c != '\n').collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(payload).ok()?;
    let mut literal = String::new();
    push_hex(&mut literal, &bytes);
    let array = format!("JSON_ARRAY({literal})");
    Some(match number {
        "16" if (1..=8).contains(&bytes.len()) => {
            let value = bytes.iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b));
            from_table(&format!("BIT({})", bytes.len() * 8), &format!("JSON_ARRAY({value})"))
        }
        "249" => from_table("TINYBLOB", &array),
        "250" => from_table("MEDIUMBLOB", &array),
        "251" => from_table("LONGBLOB", &array),
        "252" => from_table("BLOB", &array),
        "254" if (1..=255).contains(&bytes.len()) => {
            from_table(&format!("BINARY({})", bytes.len()), &array)
        }
        _ => literal,
    })
}

fn from_table(ty: &str, array: &str) -> String {
    format!(
        "(SELECT dm__v FROM JSON_TABLE({array}, '$[*]' COLUMNS (dm__v {ty} PATH '$')) AS dm__t)"
    )
}

/// Reads JSON text without changing a character of its scalars.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// The server's own limit is 100.
const MAX_DEPTH: usize = 200;

impl<'a> Walk<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Node<'a>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(odd("it is nested too deeply"));
        }
        let node = match self.peek() {
            Some(b'{') => self.object()?,
            Some(b'[') => self.array()?,
            _ => Node::Scalar(self.scalar()?),
        };
        self.depth -= 1;
        Ok(node)
    }

    fn object(&mut self) -> Result<Node<'a>> {
        self.at += 1;
        let mut members = Vec::new();
        if self.eat(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            let key = self.scalar()?;
            if !self.eat(b':') {
                return Err(odd("its text is not JSON"));
            }
            members.push((key, self.value()?));
            if self.eat(b'}') {
                return Ok(Node::Object(members));
            }
            if !self.eat(b',') {
                return Err(odd("its text is not JSON"));
            }
        }
    }

    fn array(&mut self) -> Result<Node<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Node::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.eat(b']') {
                return Ok(Node::Array(items));
            }
            if !self.eat(b',') {
                return Err(odd("its text is not JSON"));
            }
        }
    }

    /// A string with its quotes, a number or a word, as it stands.
    fn scalar(&mut self) -> Result<&'a str> {
        let string = self.peek() == Some(b'"');
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let mut length = 0;
        if string {
            length = 1;
            while let Some(byte) = rest.get(length) {
                length += if *byte == b'\\' { 2 } else { 1 };
                if *byte == b'"' {
                    break;
                }
            }
        } else {
            while rest.get(length).is_some_and(|b| !b",]}: \t\r\n".contains(b)) {
                length += 1;
            }
        }
        self.at += length;
        match self.text.get(start..self.at) {
            Some(token) if !token.is_empty() => Ok(token),
            _ => Err(odd("its text is not JSON")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rebuild(text: &str, members: Option<&str>, elements: Option<&str>) -> Result<String> {
        let probed = Probed {
            root: None,
            members: members.map(str::as_bytes),
            elements: elements.map(str::as_bytes),
        };
        expression(text.as_bytes(), &probed)
    }

    #[test]
    fn places_are_counted_as_the_server_does() {
        // What MySQL 9.7 answered for this document.
        let text = r#"{"a": 1.50, "b": ["2020-01-01", {"z": "10:00:00.000000"}], "d": "base64:type15:AQI="}"#;
        let sql = rebuild(
            text,
            Some(r#"[[1, "DECIMAL"], [3, "BLOB"], [4, "TIME"]]"#),
            Some(r#"[[1, "DATE"]]"#),
        )
        .unwrap();
        assert_eq!(
            sql,
            format!(
                "JSON_REPLACE(CAST('{text}' AS JSON), '$.\"a\"', CAST('1.50' AS DECIMAL(3,2)), \
                 '$.\"d\"', x'0102', '$.\"b\"[1].\"z\"', CAST('10:00:00.000000' AS TIME(6)), \
                 '$.\"b\"[0]', CAST('2020-01-01' AS DATE))"
            )
        );
    }

    #[test]
    fn a_scalar_document() {
        let probed = Probed { root: Some(b"DECIMAL"), ..Probed::default() };
        assert_eq!(
            expression(b"-0.5", &probed).unwrap(),
            "CAST(CAST('-0.5' AS DECIMAL(1,1)) AS JSON)"
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(rebuild(r#"{"a": [1]}"#, Some(r#"[[1, "DECIMAL"]]"#), None).is_err());
        assert!(rebuild(r#"{"a": 1.0}"#, Some(r#"[[2, "DECIMAL"]]"#), None).is_err());
        assert!(rebuild(r#"{"a": "x"}"#, Some(r#"[[1, "DECIMAL"]]"#), None).is_err());
        assert!(rebuild(r#"{"a": "#, Some(r#"[[1, "DECIMAL"]]"#), None).is_err());
        assert!(rebuild(r#"{"a": "base64:t"}"#, Some(r#"[[1, "BLOB"]]"#), None).is_err());
    }

    #[test]
    fn bytes_keep_their_column_type() {
        let sql = leaf("BLOB", r#""base64:type252:/wE=""#).unwrap();
        assert!(sql.contains("JSON_ARRAY(x'FF01')") && sql.contains("dm__v BLOB PATH"), "{sql}");
        let sql = leaf("BIT", r#""base64:type16:BQ==""#).unwrap();
        assert!(sql.contains("JSON_ARRAY(5)") && sql.contains("BIT(8)"), "{sql}");
    }

    #[test]
    fn odd_keys_stay_quoted() {
        let sql = rebuild(r#"{"a\"b": 1.0}"#, Some(r#"[[1, "DECIMAL"]]"#), None).unwrap();
        // `$."a\"b"` in hex, because of the backslash.
        assert!(sql.contains("_utf8mb4 x'242E22615C226222'"), "{sql}");
    }
}
