//! What was typed: task and source files as plain structs.
//!
//! These structs say what a file says and nothing more. A value that is absent here is filled in by
//! [`TaskPlan::from_raw`](crate::config::TaskPlan::from_raw), which also judges what is there. They can be
//! filled by hand, by a service that has no files; `Default` is an empty file.

mod read;
mod source;
mod task;

pub(super) use read::View;
pub use source::{RawChecker, RawPurge, RawRecorded, RawSource};
pub use task::{
    RawDdlRule, RawDump, RawInstance, RawLoad, RawMeta, RawPassword, RawSecurity, RawServer,
    RawSync, RawTarget, RawTask, RawValidator,
};
