//! Copies MySQL and MariaDB databases and follows their binlog into MySQL, TiDB, MariaDB or
//! SQLite, from DM's own task files.
//!
//! A service builds a [`TaskPlan`](config::TaskPlan) from the two files that DM's users have, makes
//! a [`Migration`] of it, runs it in a thread of its own, watches it through a [`Control`] and
//! stops it. Whatever happens in between, the next run goes on where this one stood, without
//! losing or doubling a row.
//!
//! ```
//! use std::sync::Arc;
//!
//! use dm_core::config::{SourceText, TaskPlan};
//! use dm_core::sink::MemorySink;
//! use dm_core::testing::ScriptedSource;
//! use dm_core::{Migration, Outcome, Until};
//!
//! let task = "
//! name: shop
//! task-mode: all
//! target-database: {sqlite: shop.db}
//! mysql-instances: [{source-id: live}]";
//! let source = "{source-id: live, from: {host: 127.0.0.1, user: dm}}";
//! let (plan, warnings) = TaskPlan::from_yaml(
//!     &SourceText { name: "task.yaml", text: task },
//!     &[SourceText { name: "source.yaml", text: source }],
//!     &|_variable| None,
//! )?;
//! assert!(warnings.is_empty());
//!
//! // Here both ends are ones that need no server.
//! let live = ScriptedSource::new("live");
//! live.ddl("", "CREATE DATABASE shop")?;
//! live.ddl("shop", "CREATE TABLE customer (id INT PRIMARY KEY, name TEXT)")?;
//! let target = MemorySink::new();
//! let migration = Migration::builder(plan)
//!     .source("live", Arc::new(live.clone()))
//!     .sink(Arc::new(target.clone()))
//!     .until(Until::CaughtUp)
//!     .build();
//! assert_eq!(migration.run()?, Outcome::Finished);
//! assert_eq!(target.tables(), live.dump().into_keys().collect::<Vec<_>>());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go on
//!
//! | to do this | look at |
//! |---|---|
//! | read or make a configuration | [`config`]: [`TaskPlan`](config::TaskPlan), and the `Raw` structs for services without files |
//! | run, watch, stop | [`migration`]: [`Migration`], [`Control`], [`Running`] |
//! | say what a task does to a table before it runs | [`explain`] |
//! | decide which changes are carried | [`Filter`], with a test that needs no pipeline: [`filter::testing`] |
//! | decide where tables go | [`Router`], [`router`] |
//! | write to a target of one's own | [`sink::Sink`], checked by [`testing::sink_conformance`] |
//! | read from a source of one's own | [`source::Source`], checked by [`testing::source_conformance`] |
//! | test a whole pipeline without a server | [`testing`] |
//! | know what an error means | [`Error`], and the table in [`error::codes`] |
//! | look at a task that runs in another process | [`state::StateReader`] |
//!
//! The parts that need no pipeline are there for themselves: [`binlog`] decodes events, [`ddl`]
//! reads statements, [`schema`] follows what they do to tables, [`position`] compares positions,
//! [`sql`] prints values.
//!
//! The library never prints, exits, installs a signal handler or a logger, and never reads the
//! environment. It logs by the `log` crate.

pub mod binlog;
pub mod check;
pub mod config;
pub mod ddl;
pub mod error;
pub mod event;
pub mod explain;
pub mod meter;
pub mod metrics;
pub mod migration;
pub mod mysql;
pub mod online_ddl;
pub mod operate;
mod pipeline;
pub mod position;
pub mod relay;
pub mod schema;
pub mod sink;
pub mod source;
pub mod sql;
pub mod state;
pub mod testing;
#[cfg(test)]
mod testing_docs;
pub mod whose;

pub use dm_filter as filter;
pub use dm_filter::{
    Change, Columns, Filter, Interest, Refusal, Row, RowKind, RowOp, TableName, Value, Verdict,
    from_fn,
};
pub use dm_router as router;
pub use dm_router::{Router, Target};
pub use error::{Error, Result};
pub use migration::{
    Control, Migration, MigrationBuilder, Outcome, Running, SourceStatus, TaskStatus, Unit, Waited,
};
pub use pipeline::{Bottleneck, CopyCounts, Queues, StreamCounts, Until};

/// The README's code runs as a test of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
