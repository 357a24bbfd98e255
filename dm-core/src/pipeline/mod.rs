//! The loops: full copy, stream, and what they share.

mod classify;
mod copy;
mod copy_stats;
mod create;
mod dispatch;
mod progress;
mod stats;
mod stream;
mod tables;
mod until;
mod windows;
mod worker;

pub use copy_stats::CopyCounts;
pub use stats::StreamCounts;
pub use until::Until;
