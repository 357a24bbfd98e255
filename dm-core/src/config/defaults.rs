//! What holds when a key is absent, each with its reason.
//!
//! Values that DM's manual names are DM's, since files are written with them in mind.

use std::time::Duration;

/// MySQL's own port. DM has 0 here, which no server listens on.
pub(super) const PORT: u16 = 3306;
/// DM's; task files that name it in privileges rely on it.
pub(super) const META_SCHEMA: &str = "dm_meta";
/// DM's since 5.4. A source without such tools is not touched by it, and one with them would otherwise send every row
/// of a changed table a second time.
pub(super) const ONLINE_DDL: bool = true;
/// DM's: what gh-ost and pt-online-schema-change name the table they fill.
pub(super) const SHADOW_RULE: &str = "^_(.+)_(?:new|gho)$";
/// DM's: what they leave behind.
pub(super) const TRASH_RULE: &str = "^_(.+)_(?:ghc|del|old)$";
/// Dumpling's under DM. Few enough not to be felt by the source.
pub(super) const DUMP_THREADS: u64 = 4;
/// DM's: 64 MiB, so that a chunk is done in seconds and little is repeated after a crash.
pub(super) const CHUNK_BYTES: u64 = 64 << 20;
/// Dumpling's: long enough that the round trip does not count, short enough for every target.
pub(super) const STATEMENT_BYTES: u64 = 1_000_000;
/// DM's under Dumpling.
pub(super) const CHUNK_ROWS: u64 = 200_000;
/// DM's; the copy is bounded by the target, which takes more at a time than a source gives.
pub(super) const LOAD_WORKERS: u64 = 16;
/// DM's.
pub(super) const LOAD_DIR: &str = "./dumped_data";
/// DM's.
pub(super) const SYNC_WORKERS: u64 = 16;
/// Ours (DM's is 100): the most rows of a target transaction. Only what waits already is taken into one, so that
/// this counts under load alone, where fewer and larger transactions are what makes up the time.
pub(super) const SYNC_BATCH: u64 = 1000;
/// DM's.
pub(super) const QUEUE_SIZE: u64 = 1024;
/// DM's: seconds.
pub(super) const CHECKPOINT_INTERVAL: u64 = 30;
/// DM's: twice the interval above.
pub(super) const SAFE_MODE_DURATION: Duration = Duration::from_secs(60);
/// DM's; each source has a directory of its own in it.
pub(super) const RELAY_DIR: &str = "relay-dir";
/// DM's: seconds between two looks at the relay log.
pub(super) const PURGE_INTERVAL: i64 = 3600;
/// DM's: GiB to keep free.
pub(super) const PURGE_REMAIN_SPACE: i64 = 15;
/// DM's constant: a task that failed is tried again after a second at first.
pub(super) const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// DM's: a server that has been down for long is asked every five minutes.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// DM's.
pub(super) const BACKOFF_ROLLBACK: Duration = Duration::from_secs(300);
/// Ours: with what is around it, the process stays below 150 MB.
pub(super) const MAX_MEMORY: u64 = 64 << 20;
/// Ours: one row of the largest packet that is common (16 MiB) has to fit.
pub(super) const MIN_MEMORY: u64 = 16 << 20;
