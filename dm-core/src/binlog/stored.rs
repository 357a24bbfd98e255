//! Rows events as bytes of our own, to be kept longer than the binlog file they came in.
//!
//! A record is the length of its head (4 bytes, little endian), the head as JSON (the table map and
//! what the event says of its images), the length of the rows (8 bytes) and the rows as they are.
//! Records stand one after the other.

use std::borrow::Cow;
use std::sync::Arc;

use dm_filter::RowKind;
use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::rows::RowsEvent;
use super::table_map::TableMap;
use super::{Result, malformed};

#[derive(Serialize, Deserialize)]
struct Head {
    kind: u8,
    flags: u16,
    partial_json: bool,
    first: Vec<u8>,
    second: Vec<u8>,
    table: Arc<TableMap>,
}

const KINDS: [RowKind; 3] = [RowKind::Insert, RowKind::Update, RowKind::Delete];

impl RowsEvent<'_> {
    /// Appends the event to `out`.
    ///
    /// # Errors
    ///
    /// When its head cannot be written, which no event of a server's makes happen.
    pub fn store(&self, out: &mut Vec<u8>) -> Result<()> {
        let kind = KINDS.iter().position(|k| *k == self.kind).unwrap_or(0);
        let head = Head {
            kind: u8::try_from(kind).unwrap_or(0),
            flags: self.flags,
            partial_json: self.partial_json,
            first: self.first.to_vec(),
            second: self.second.to_vec(),
            table: Arc::clone(&self.table),
        };
        let head = serde_json::to_vec(&head).map_err(|e| malformed(format!("a head: {e}")))?;
        let length =
            u32::try_from(head.len()).map_err(|_| malformed("a table map that is too large"))?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(&(self.rows.len() as u64).to_le_bytes());
        out.extend_from_slice(&self.rows);
        Ok(())
    }
}

impl RowsEvent<'static> {
    /// Reads back what [`RowsEvent::store`] has written.
    ///
    /// # Errors
    ///
    /// When the bytes are not such records.
    pub fn load_all(stored: &[u8]) -> Result<Vec<Self>> {
        let mut rest = Bytes(stored);
        let mut events: Vec<Self> = Vec::new();
        while !rest.is_empty() {
            let length = rest.uint_le(4)?;
            let head: Head = serde_json::from_slice(rest.take_u64(length)?)
                .map_err(|e| malformed(format!("the head of stored rows: {e}")))?;
            let length = rest.uint_le(8)?;
            let rows = rest.take_u64(length)?.to_vec();
            let kind = KINDS.get(usize::from(head.kind)).copied();
            // Rows of one table follow each other: they share its map, as they did.
            let table = match events.last() {
                Some(last) if last.table == head.table => Arc::clone(&last.table),
                _ => head.table,
            };
            events.push(Self {
                kind: kind.ok_or_else(|| malformed("stored rows of no kind"))?,
                table,
                flags: head.flags,
                partial_json: head.partial_json,
                first: Cow::Owned(head.first),
                second: Cow::Owned(head.second),
                rows: Cow::Owned(rows),
            });
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use dm_filter::TableName;
    use proptest::prelude::*;

    use super::*;
    use crate::binlog::table_map::{ColumnMeta, Wire};
    use crate::position::Flavor;

    fn event(kind: RowKind, table: &str, rows: Vec<u8>) -> RowsEvent<'static> {
        let column = ColumnMeta {
            wire: Wire::Decimal { precision: 10, scale: 2 },
            nullable: true,
            unsigned: Some(false),
            collation: None,
            name: Some("naïve `column`".to_owned()),
            labels: Some(vec!["a".to_owned()]),
            geometry: None,
            visible: Some(true),
            dimensions: None,
        };
        let map = TableMap {
            id: 7,
            table: TableName::new("d", table),
            flavor: Flavor::MariaDb,
            columns: vec![column],
            primary_key: Some(vec![(0, 0)]),
        };
        RowsEvent {
            kind,
            table: Arc::new(map),
            flags: 1,
            partial_json: true,
            first: Cow::Owned(vec![1]),
            second: Cow::Owned(vec![]),
            rows: Cow::Owned(rows),
        }
    }

    proptest! {
        #[test]
        fn what_is_stored_comes_back(
            rows in prop::collection::vec((0usize..3, 0u8..3, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let events: Vec<_> = rows
                .into_iter()
                .map(|(kind, table, rows)| event(KINDS[kind], &format!("t{table}"), rows))
                .collect();
            let mut stored = Vec::new();
            for event in &events {
                event.store(&mut stored).unwrap();
            }
            prop_assert_eq!(RowsEvent::load_all(&stored).unwrap(), events.clone());
            // A part of it is fewer events or an error, never a panic and never other rows.
            if let Ok(some) = RowsEvent::load_all(&stored[..cut.index(stored.len() + 1)]) {
                prop_assert_eq!(&some[..], &events[..some.len()]);
            }
        }
    }
}
