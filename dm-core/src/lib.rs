//! Copies MySQL and MariaDB databases and follows their binlog into MySQL, TiDB, MariaDB or
//! SQLite, from DM's own task files.

pub mod binlog;
pub mod config;
pub mod ddl;
pub mod error;
pub mod event;
pub mod migration;
pub mod mysql;
mod pipeline;
pub mod position;
pub mod schema;
pub mod sink;
pub mod source;
pub mod sql;
pub mod state;
pub mod testing;
#[cfg(test)]
mod testing_docs;

pub use dm_filter as filter;
pub use dm_router as router;
pub use error::{Error, Result};
pub use migration::{
    Control, Migration, MigrationBuilder, Outcome, SourceStatus, TaskStatus, Unit,
};
pub use pipeline::{CopyCounts, StreamCounts, Until};
