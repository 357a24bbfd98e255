//! The serialised form of a tracker.

use std::collections::BTreeMap;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

use super::{SchemaInfo, Tracked, Tracker};
use crate::schema::Defaults;

/// The serialised form.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Saved {
    defaults: Defaults,
    schemas: BTreeMap<String, SchemaInfo>,
    tables: Vec<SavedTable>,
    version: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct SavedTable {
    schema: String,
    table: String,
    tracked: Tracked,
}

impl From<Saved> for Tracker {
    fn from(saved: Saved) -> Self {
        let mut tracker = Self::new(saved.defaults);
        tracker.schemas = saved.schemas;
        tracker.version = saved.version;
        for t in saved.tables {
            let name = TableName::new(t.schema, t.table);
            tracker.tables.insert(tracker.key(&name), (name, t.tracked));
        }
        tracker
    }
}

impl From<Tracker> for Saved {
    fn from(tracker: Tracker) -> Self {
        let tables = tracker.tables.into_values();
        Self {
            defaults: tracker.defaults,
            schemas: tracker.schemas,
            version: tracker.version,
            tables: tables
                .map(|(name, tracked)| SavedTable {
                    schema: name.schema,
                    table: name.table,
                    tracked,
                })
                .collect(),
        }
    }
}
