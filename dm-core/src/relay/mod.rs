//! The relay log: a source's binlog, kept in files here, so that the source may forget its own.
//!
//! Guarantee: the files are byte for byte the server's (`writer`), whatever is killed in between
//! (`recover`); a source that becomes another server goes on in a part of its own or is refused
//! (`begin`); nothing that a task still needs is removed (`purge`).
//!
//! One process pulls for a source, guarded by a kernel lock: the process of a task, or one of its own
//! ([`Keeper`]). Every task of the source reads what it writes ([`RelaySource`]). The layout is DM's
//! (`layout`), so that tools for it, and `mysqlbinlog` of the server's family, read the files.

mod begin;
mod desk;
mod filler;
mod group;
mod history;
mod keeper;
mod layout;
mod locate;
mod meta;
mod meters;
mod needs;
mod purge;
mod reader;
mod recover;
mod writer;

use std::path::PathBuf;

use crate::config::{ConnPlan, RelayPlan};
use crate::error::Result;

pub use self::desk::{RelayStatus, Wanted, find};
pub use self::keeper::Keeper;
pub use self::layout::{RelayDir, SubDir};
pub use self::meters::RelayMeters;
pub use self::purge::before as purge_before;
pub use self::reader::RelaySource;

/// What a relay log needs to know of its source.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// `source-id`.
    pub source: String,
    /// Where the server is.
    pub conn: ConnPlan,
    /// The id to register with at the server; a free one is chosen when there is none.
    pub server_id: Option<u32>,
    /// `enable-gtid`: another server may take over.
    pub use_gtid: bool,
    /// The relay's own settings.
    pub plan: RelayPlan,
    /// The state directory: the tasks in it are those whose needs count.
    pub state_dir: Option<PathBuf>,
}

impl RelayConfig {
    /// Where the relay log lies.
    pub fn directory(&self) -> RelayDir {
        begin::directory(self)
    }

    /// Keeps the relay log until the result is dropped.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give, or what commands said cannot be read.
    pub fn keep(&self) -> Result<Keeper> {
        Keeper::start(self.clone(), None)
    }
}
