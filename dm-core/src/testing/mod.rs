//! What tests of a migration need, for this crate and for those that build on it.
//!
//! - [`build`]: transactions, batches, marks and copied blocks without a source.
//! - [`ScriptedSource`]: a source that says what a test tells it to, with snapshots and streams.
//! - [`crate::sink::MemorySink`]: a target whose rows a test can look at.
//! - [`FaultSink`]: any sink, until its k-th call.
//! - [`sink_conformance`] and [`source_conformance`]: what every implementation of the two traits
//!   must do; run them on your own.
//!
//! Together they test a pipeline without a server: script a source, run, kill at every k, run
//! again, compare [`ScriptedSource::dump`] with [`crate::sink::MemorySink::dump`].

pub mod build;
mod check;
mod fault;
#[cfg(test)]
pub(crate) mod model;
mod scripted;
mod scripted_snapshot;
mod sink_checks;
mod sink_marks;
mod sink_suite;
mod source_suite;

pub use fault::{Fault, FaultSink, When};
pub use scripted::{ScriptedSource, TableRows};
pub use sink_suite::{ReadRows, SinkUnderTest, TextRow, sink_conformance};
pub use source_suite::source_conformance;

#[cfg(test)]
mod tests;
