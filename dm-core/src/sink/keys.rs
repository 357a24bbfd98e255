//! Which changes depend on each other: hashes over the unique keys of a row.
//!
//! Guarantee: two row changes whose order matters at the target share a hash, or one of them is
//! *wild* on an index that the other one touches. Obstacle: whether two key values are equal is
//! decided by the column's collation (`'ß' = 'ss'`, `'a' = 'a '`), of which there are hundreds,
//! with weights that differ by version. Method: only "equal implies same hash" is needed. Values
//! whose equality is plain (numbers, binary strings, dates, `_bin` text) hash by a canonical form;
//! text under a well-known collation hashes by folded printable ASCII; everything else is wild and
//! takes its index alone. Being wild costs parallelism, never order.
//!
//! The keys are the unique keys of the source and of the target together: a key that only the
//! target has orders rows that the source never had to order.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use dm_filter::{Columns, Row, RowOp, Value};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::schema::{Column, Key, KeyPart, Pool, TableSchema, TypeKind};

/// One key of a changed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHash {
    /// Rows with an equal value of this key have this hash.
    Plain {
        /// Which index of which target table.
        index: u64,
        /// Hash of the value.
        hash: u64,
    },
    /// May be equal to any value of this index.
    Wild {
        /// Which index of which target table.
        index: u64,
    },
}

/// A map by keys of rows.
pub(crate) type KeyMap<V> = HashMap<KeyHash, V, BuildHasherDefault<Hashed>>;

/// Takes what is a hash already as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, n: u64) {
        self.0 ^= n;
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match *self {
            // Seeded with the index.
            Self::Plain { hash, .. } => state.write_u64(hash),
            Self::Wild { index } => index.to_le_bytes().hash(state),
        }
    }
}

impl KeyHash {
    /// Which index of which target table.
    pub fn index(self) -> u64 {
        match self {
            Self::Plain { index, .. } | Self::Wild { index } => index,
        }
    }
}

/// How a column's values are brought into a form in which equal values are equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Canon {
    /// Numbers, dates, ENUM, SET, BIT, binary strings: by value.
    Plain,
    /// Text under a `_bin` collation: its bytes without trailing spaces.
    Binary,
    /// Text under a known collation: printable ASCII in lower case without trailing spaces.
    Fold,
    /// Not told.
    Wild,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Part {
    column: usize,
    prefix: Option<usize>,
    canon: Canon,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Index {
    parts: Vec<Part>,
    /// A functional or multi-valued key: its values are not in the row.
    opaque: bool,
}

/// What the keys of tables with the same columns and keys have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyShape {
    indexes: Vec<Index>,
    /// No usable key: all changes of the table share one thing.
    serial: bool,
}

/// The keys of one table version, compiled for hashing rows.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// Stands for the target table; its indexes are the numbers behind it.
    seed: u64,
    shape: Arc<KeyShape>,
}

impl KeyPlan {
    /// Compiles the keys of a target table for rows of these columns. `source` is the structure
    /// at the source, when known; its keys count too.
    pub fn new(
        target_name: &str,
        target: &TableSchema,
        source: Option<&TableSchema>,
        columns: &Columns,
    ) -> Self {
        let seed = xxh3_64_with_seed(target_name.as_bytes(), 0);
        let mut indexes = Vec::new();
        let mut seen: Vec<Vec<String>> = Vec::new();
        let mut has_not_null_key = false;
        for (schema, other) in [(Some(target), source), (source, Some(target))]
            .into_iter()
            .filter_map(|(s, o)| Some((s?, o)))
        {
            for key in schema.unique_keys() {
                let names = part_names(key);
                if seen.contains(&names) {
                    continue;
                }
                has_not_null_key |= usable(key, schema, columns);
                indexes.push(compile(key, schema, other, columns));
                seen.push(names);
            }
        }
        // Rows that no key tells apart are matched by all their columns: one at a time.
        let shape = KeyShape { indexes, serial: !has_not_null_key };
        Self { seed, shape: Arc::new(shape) }
    }

    /// The same, with what other tables have in common with it held once.
    pub(crate) fn shared(mut self, pool: &mut Pool<KeyShape>) -> Self {
        self.shape = pool.share(self.shape);
        self
    }

    /// The indexes with their numbers.
    fn indexes(&self) -> impl Iterator<Item = (u64, &Index)> {
        (1..).map(|n| self.seed.wrapping_add(n)).zip(&self.shape.indexes)
    }

    /// True when no key tells the rows apart, so that all changes of the table follow each other.
    pub fn is_serial(&self) -> bool {
        self.shape.serial
    }

    /// The columns that hashes are made of, as indexes of the rows' columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.shape.indexes.iter().flat_map(|index| &index.parts).map(|part| part.column)
    }

    /// Appends the keys that a change touches, before and after.
    pub fn hashes(&self, op: &RowOp<'_>, out: &mut Vec<KeyHash>) {
        if self.is_serial() {
            out.push(KeyHash::Plain { index: self.seed, hash: 0 });
        }
        // Repetitions are looked for among the keys of this row alone: `out` may hold those of a
        // whole transaction.
        let own = out.len();
        match op {
            RowOp::Insert { after } => self.row(after, None, own, out),
            RowOp::Delete { before } => self.row(before, None, own, out),
            RowOp::Update { before, after } => {
                self.row(before, None, own, out);
                self.row(after, Some(before), own, out);
            }
        }
    }

    /// True when an update changes the value of some unique key, or may do so.
    pub fn changes_key(&self, before: &Row<'_>, after: &Row<'_>) -> bool {
        self.shape.indexes.iter().any(|index| {
            index.opaque
                || index.parts.iter().any(|p| match (before.get(p.column), after.get(p.column)) {
                    (Some(a), Some(b)) => a != b,
                    (None, Some(_)) => true,
                    (_, None) => false,
                })
        })
    }

    fn row(&self, row: &Row<'_>, fallback: Option<&Row<'_>>, own: usize, out: &mut Vec<KeyHash>) {
        let mut buffer = Vec::with_capacity(64);
        for (id, index) in self.indexes() {
            buffer.clear();
            let key = match index.encode(row, fallback, &mut buffer) {
                Encoded::Null => continue,
                Encoded::Wild => KeyHash::Wild { index: id },
                Encoded::Plain => {
                    KeyHash::Plain { index: id, hash: xxh3_64_with_seed(&buffer, id) }
                }
            };
            if !out.iter().skip(own).any(|k| *k == key) {
                out.push(key);
            }
        }
    }
}

fn part_names(key: &Key) -> Vec<String> {
    key.parts
        .iter()
        .map(|p| match p {
            KeyPart::Column { name, prefix, .. } => {
                format!("{}({})", name.to_lowercase(), prefix.unwrap_or(0))
            }
            KeyPart::Expression { expr, .. } => format!("({expr})"),
        })
        .collect()
}

/// A key that tells every row apart: whole columns that are carried and never NULL.
fn usable(key: &Key, schema: &TableSchema, columns: &Columns) -> bool {
    key.parts.iter().all(|part| match part {
        KeyPart::Column { name, prefix: None, .. } => {
            columns.index_of(name).is_some()
                && schema.column(name).is_some_and(|(_, c)| !c.nullable)
        }
        _ => false,
    })
}

fn compile(
    key: &Key,
    schema: &TableSchema,
    other: Option<&TableSchema>,
    columns: &Columns,
) -> Index {
    let mut parts = Vec::with_capacity(key.parts.len());
    let mut opaque = false;
    for part in &key.parts {
        let (name, prefix) = match part {
            KeyPart::Column { name, prefix, .. } => (name, *prefix),
            KeyPart::Expression { .. } => {
                opaque = true;
                continue;
            }
        };
        let Some(column) = columns.index_of(name) else {
            opaque = true;
            continue;
        };
        let mine = schema.column(name).map(|(_, c)| c);
        let theirs = other.and_then(|o| o.column(name)).map(|(_, c)| c);
        parts.push(Part { column, prefix: prefix.map(|p| p as usize), canon: canon(mine, theirs) });
    }
    Index { parts, opaque }
}

fn canon(mine: Option<&Column>, theirs: Option<&Column>) -> Canon {
    let Some(mine) = mine else { return Canon::Wild };
    let own = canon_of(mine);
    let Some(theirs) = theirs else { return own };
    match (own, canon_of(theirs)) {
        (Canon::Plain, Canon::Plain) => {
            let same_form = mine.ty.kind == theirs.ty.kind || (integer(mine) && integer(theirs));
            let same_scale = mine.ty.decimals.unwrap_or(0) == theirs.ty.decimals.unwrap_or(0);
            if same_form && same_scale && mine.ty.labels == theirs.ty.labels {
                Canon::Plain
            } else {
                Canon::Wild
            }
        }
        (Canon::Binary, Canon::Binary) => Canon::Binary,
        (Canon::Fold | Canon::Binary, Canon::Fold | Canon::Binary) => Canon::Fold,
        _ => Canon::Wild,
    }
}

fn integer(column: &Column) -> bool {
    use TypeKind::{BigInt, Int, MediumInt, SmallInt, TinyInt};
    matches!(column.ty.kind, TinyInt | SmallInt | MediumInt | Int | BigInt)
}

fn canon_of(column: &Column) -> Canon {
    use TypeKind as T;
    match column.ty.kind {
        T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt => Canon::Plain,
        T::Decimal | T::Float | T::Double | T::Bit | T::Year => Canon::Plain,
        T::Date | T::Time | T::DateTime | T::Timestamp => Canon::Plain,
        T::Binary | T::VarBinary | T::TinyBlob | T::Blob | T::MediumBlob | T::LongBlob => {
            Canon::Plain
        }
        T::Enum | T::Set => Canon::Plain,
        T::Char | T::VarChar | T::TinyText | T::Text | T::MediumText | T::LongText => {
            text_canon(&column.ty.collation)
        }
        _ => Canon::Wild,
    }
}

/// Collations under which two strings of printable ASCII are equal exactly when they differ in
/// case and trailing spaces at most (finer ones, like `_as_cs`, are covered: equal still implies
/// the same folded form). Language-specific ones are left out: Hungarian has `ccs` = `cscs`.
fn text_canon(collation: &str) -> Canon {
    if collation.ends_with("_bin") {
        return Canon::Binary;
    }
    let Some((charset, rest)) = collation.split_once('_') else { return Canon::Wild };
    let unicode =
        matches!(charset, "utf8mb4" | "utf8mb3" | "utf8" | "ascii" | "latin1" | "uca1400");
    let rest = rest.strip_prefix("nopad_").unwrap_or(rest);
    let known = matches!(
        rest,
        "general_ci"
            | "general_cs"
            | "unicode_ci"
            | "unicode_520_ci"
            | "unicode_nopad_ci"
            | "unicode_520_nopad_ci"
            | "general_nopad_ci"
            | "general_mysql500_ci"
            | "swedish_ci"
            | "swedish_nopad_ci"
            | "0900_ai_ci"
            | "0900_as_ci"
            | "0900_as_cs"
            | "uca1400_ai_ci"
            | "uca1400_as_ci"
            | "uca1400_as_cs"
            | "ai_ci"
            | "as_ci"
            | "as_cs"
    );
    // `utf8mb4_swedish_ci` tailors Unicode; only latin1's own default is the plain one.
    let swedish = rest.starts_with("swedish") && charset != "latin1";
    if unicode && known && !swedish { Canon::Fold } else { Canon::Wild }
}

enum Encoded {
    Null,
    Wild,
    Plain,
}

impl Index {
    fn encode(&self, row: &Row<'_>, fallback: Option<&Row<'_>>, out: &mut Vec<u8>) -> Encoded {
        let mut wild = self.opaque;
        for part in &self.parts {
            // A column that the after image leaves out has the before image's value.
            let value = row.get(part.column).or_else(|| fallback.and_then(|f| f.get(part.column)));
            match value {
                // Two rows with NULL in a unique key never collide on it.
                Some(Value::Null) => return Encoded::Null,
                Some(value) => wild |= !part.encode(value, out),
                None => wild = true,
            }
        }
        if wild { Encoded::Wild } else { Encoded::Plain }
    }
}

impl Part {
    /// Appends the canonical form; false when there is none.
    fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let told = match self.canon {
            Canon::Wild => false,
            Canon::Plain => self.plain(value, out),
            Canon::Binary => match value {
                Value::Text(text) => {
                    let text = match self.prefix {
                        Some(n) => text.char_indices().nth(n).map_or(&**text, |(i, _)| &text[..i]),
                        None => text,
                    };
                    out.extend_from_slice(text.trim_end_matches(' ').as_bytes());
                    true
                }
                _ => false,
            },
            Canon::Fold => match value {
                Value::Text(text) if text.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
                    let text = text.get(..self.prefix.unwrap_or(text.len())).unwrap_or(text);
                    out.extend(text.trim_end_matches(' ').bytes().map(|b| b.to_ascii_lowercase()));
                    true
                }
                _ => false,
            },
        };
        // Each part begins with its length, so that ("ab","c") is not ("a","bc").
        let length = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        told
    }

    fn plain(&self, value: &Value<'_>, out: &mut Vec<u8>) -> bool {
        match value {
            Value::Int(v) => out.extend_from_slice(&i128::from(*v).to_le_bytes()),
            Value::UInt(v) | Value::Bit(v) | Value::Set(v) => {
                out.extend_from_slice(&i128::from(*v).to_le_bytes());
            }
            Value::Enum(v) => out.extend_from_slice(&i128::from(*v).to_le_bytes()),
            Value::Year(v) => out.extend_from_slice(&i128::from(*v).to_le_bytes()),
            Value::Float(v) => push_double(f64::from(*v), out),
            Value::Double(v) => push_double(*v, out),
            Value::Decimal(v) => push_decimal(v, out),
            Value::Bytes(v) => {
                let cut = self.prefix.unwrap_or(v.len()).min(v.len());
                out.extend_from_slice(&v[..cut]);
            }
            Value::Date(v) => out.extend_from_slice(format!("{v:?}").as_bytes()),
            Value::DateTime(v) => {
                out.extend_from_slice(
                    format!("{:?} {} {} {} {}", v.date, v.hour, v.minute, v.second, v.micro)
                        .as_bytes(),
                );
            }
            Value::Timestamp(v) => {
                out.extend_from_slice(&v.seconds.to_le_bytes());
                out.extend_from_slice(&v.micro.to_le_bytes());
            }
            Value::Time(v) => {
                let micros =
                    (u64::from(v.hours) * 3600 + u64::from(v.minutes) * 60 + u64::from(v.seconds))
                        * 1_000_000
                        + u64::from(v.micro);
                out.push(u8::from(v.negative && micros > 0));
                out.extend_from_slice(&micros.to_le_bytes());
            }
            _ => return false,
        }
        true
    }
}

fn push_double(v: f64, out: &mut Vec<u8>) {
    // Both zeros are equal.
    let v = if v == 0.0 { 0.0 } else { v };
    out.extend_from_slice(&v.to_bits().to_le_bytes());
}

fn push_decimal(text: &str, out: &mut Vec<u8>) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if !(whole.is_empty() && fraction.is_empty()) {
        out.extend_from_slice(sign.as_bytes());
        out.extend_from_slice(whole.as_bytes());
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

#[cfg(test)]
mod tests;
