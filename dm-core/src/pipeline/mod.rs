//! The loops: full copy, stream, and what they share.

mod busy;
mod climb;
mod copy;
mod copy_cut;
mod copy_make;
mod copy_moved;
mod copy_resume;
mod copy_stats;
mod copy_work;
mod create;
pub(crate) mod defaults;
mod dispatch;
mod merged;
mod meters;
mod parts;
mod prepared;
mod progress;
mod rate;
mod slow;
mod split;
mod spread;
mod stages;
mod stats;
mod stream;
mod tables;
mod unmarked;
mod until;
mod windows;
mod worker;

pub use copy_stats::CopyCounts;
pub use stages::{Bottleneck, Queues};
pub use stats::StreamCounts;
pub use until::Until;

pub(crate) use copy::{Copy, CopySettings, START};
pub(crate) use copy_stats::CopyStats;
pub(crate) use create::{Creator, LanePart};
pub(crate) use merged::{MergedTargets, Of};
pub(crate) use meters::{EventKind, Meters, QUEUES, queue_name};
pub(crate) use rate::Rate;
pub(crate) use stats::StreamStats;
pub(crate) use stream::{Ended, StreamContext, StreamReport, StreamSettings, begin_lane, follow};
pub(crate) use unmarked::unsafe_without_marks;
pub(crate) use until::covers;
pub(crate) use worker::BatchLimit;
