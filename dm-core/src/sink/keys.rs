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

mod canon;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use dm_filter::{Columns, Row, RowOp, Value};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::canon::{Part, canon};
use crate::schema::{Key, KeyPart, Pool, TableSchema};

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

#[cfg(test)]
mod tests;
