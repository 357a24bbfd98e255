//! Long values as parameters of prepared statements.
//!
//! In a statement's text a binary value takes twice its size, and a text in which much is escaped
//! nearly that: a row that the source has taken might then be larger than the target's
//! `max_allowed_packet`, although both servers have the same. As a parameter a value has its own
//! size, on its way through this process, too.

use dm_filter::{Row, Value};

use crate::event::{CellKind, CellRef};
use crate::schema::TypeKind;

/// From so many bytes on a value is a parameter: then the second round trip does not count.
pub(in crate::sink::mysql) const LONG: usize = 128 << 10;

/// The values that stand as `?` in a statement's text, in order.
#[derive(Debug)]
pub(in crate::sink::mysql) struct Bound {
    /// Values shorter than this stay in the text.
    from: usize,
    /// The values.
    pub values: Vec<Vec<u8>>,
}

impl Bound {
    /// All values stay in the text.
    pub fn none() -> Self {
        Self { from: usize::MAX, values: Vec::new() }
    }

    /// Long values are parameters.
    pub fn long() -> Self {
        Self { from: LONG, values: Vec::new() }
    }

    /// Takes a value of the stream for a column of this type; false when it belongs in the text.
    pub fn take(&mut self, out: &mut String, value: &Value<'_>, at_target: TypeKind) -> bool {
        let bytes = match value {
            Value::Text(text) if is_text(at_target) => text.as_bytes(),
            Value::Json(json) if is_text(at_target) && json.typed.is_empty() => {
                json.text.as_bytes()
            }
            Value::Json(json) if is_text(at_target) && at_target != TypeKind::Json => {
                json.text.as_bytes()
            }
            Value::Bytes(bytes) | Value::Geometry(bytes) if is_binary(at_target) => bytes,
            _ => return false,
        };
        self.push(out, bytes)
    }

    /// Takes a cell of the copy for a column of this type; false when it belongs in the text.
    pub fn take_cell(
        &mut self,
        out: &mut String,
        kind: &CellKind,
        cell: CellRef<'_>,
        at_target: TypeKind,
    ) -> bool {
        let CellRef::Value(bytes) = cell else { return false };
        let fits = match kind {
            CellKind::Text | CellKind::Json => {
                is_text(at_target) && bytes.len() >= self.from && std::str::from_utf8(bytes).is_ok()
            }
            CellKind::Bytes | CellKind::Geometry => is_binary(at_target),
            _ => false,
        };
        fits && self.push(out, bytes)
    }

    fn push(&mut self, out: &mut String, bytes: &[u8]) -> bool {
        if bytes.len() < self.from {
            return false;
        }
        out.push('?');
        self.values.push(bytes.to_vec());
        true
    }
}

/// True when a value of the row is long.
pub(in crate::sink::mysql) fn is_long(row: &Row<'_>) -> bool {
    row.cells().iter().flatten().any(|value| match value {
        Value::Text(text) => text.len() >= LONG,
        Value::Json(json) => json.text.len() >= LONG,
        Value::Bytes(bytes) | Value::Geometry(bytes) => bytes.len() >= LONG,
        _ => false,
    })
}

/// A parameter is a text of the connection's character set.
fn is_text(kind: TypeKind) -> bool {
    use TypeKind as K;
    matches!(
        kind,
        K::Char | K::VarChar | K::TinyText | K::Text | K::MediumText | K::LongText | K::Json
    )
}

/// Whatever the character set of a parameter, these take its bytes.
fn is_binary(kind: TypeKind) -> bool {
    use TypeKind as K;
    matches!(
        kind,
        K::Binary
            | K::VarBinary
            | K::TinyBlob
            | K::Blob
            | K::MediumBlob
            | K::LongBlob
            | K::Geometry
            | K::Point
            | K::LineString
            | K::Polygon
            | K::MultiPoint
            | K::MultiLineString
            | K::MultiPolygon
            | K::GeometryCollection
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_of_the_columns_own_kind_are_bound() {
        let long = vec![b'a'; LONG];
        let text = Value::Text(String::from_utf8(long.clone()).unwrap().into());
        let bytes = Value::Bytes(long.clone().into());
        let mut bound = Bound::long();
        let mut out = String::new();
        assert!(bound.take(&mut out, &text, TypeKind::LongText));
        assert!(bound.take(&mut out, &bytes, TypeKind::LongBlob));
        // The server would convert these.
        assert!(!bound.take(&mut out, &bytes, TypeKind::LongText));
        assert!(!bound.take(&mut out, &text, TypeKind::LongBlob));
        assert!(!bound.take(&mut out, &Value::Bytes(b"short".as_slice().into()), TypeKind::Blob));
        assert!(!Bound::none().take(&mut out, &text, TypeKind::LongText));
        assert_eq!((out.as_str(), bound.values.len()), ("??", 2));

        let cell = CellRef::Value(&long);
        assert!(bound.take_cell(&mut out, &CellKind::Json, cell, TypeKind::Json));
        assert!(!bound.take_cell(&mut out, &CellKind::Encoded("gbk"), cell, TypeKind::LongText));
        let broken = [long.as_slice(), &[0xff]].concat();
        let cell = CellRef::Value(&broken);
        assert!(!bound.take_cell(&mut out, &CellKind::Text, cell, TypeKind::LongText));
        assert!(is_long(&Row::full(vec![Value::Null, bytes])));
    }
}
