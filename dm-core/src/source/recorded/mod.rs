//! Files that were taken from a server, as a source: a dump directory, binlog files, or both.
//!
//! - `dir`, `metadata`: what a dump directory holds, and the position it belongs to;
//! - `scan`, `sql`, `csv`, `literal`, `cell`: rows out of its files;
//! - `dump`: the directory as a snapshot;
//! - `binlog`: binlog files as a stream.
//!
//! A server with a dump directory beside it is [`DumpedSource`]: the copy comes from the files,
//! and the stream from the server, behind the position in the metadata.

mod binlog;
mod cell;
mod csv;
mod dir;
mod dump;
mod literal;
mod metadata;
mod scan;
mod sql;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use dm_filter::TableName;

use self::binlog::Files;
use self::dir::DumpDir;
use self::dump::DumpSnapshot;
use super::queue::QueuedStream;
use super::translate::RowChoice;
use super::{EventStream, LastGroup, Snapshot, Source, SourceInfo, TableChoice, TableInfo};
use crate::config::BinlogFiles;
use crate::error::{Error, Result, codes};
use crate::event::SourceId;
use crate::position::{Flavor, GtidSet, Position};

/// Which files there are, and how they are read.
#[derive(Clone, Default)]
pub struct RecordedOptions {
    /// A directory in the layout of Dumpling or mydumper.
    pub dump_dir: Option<PathBuf>,
    /// Binlog files.
    pub binlog: Option<BinlogFiles>,
    /// Whose files they are; told from the files when it is not given.
    pub flavor: Option<Flavor>,
    /// Positions are GTID sets where they have one.
    pub use_gtid: bool,
    /// The stream will be followed after the copy: the dump has to name a position.
    pub follow: bool,
    /// Rows of other tables are dropped as early as possible.
    pub wanted: Option<RowChoice>,
}

impl std::fmt::Debug for RecordedOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordedOptions")
            .field("dump_dir", &self.dump_dir)
            .field("binlog", &self.binlog)
            .field("flavor", &self.flavor)
            .field("use_gtid", &self.use_gtid)
            .field("follow", &self.follow)
            .finish_non_exhaustive()
    }
}

/// A dump directory that is read when it is first needed.
#[derive(Debug)]
struct LazyDump {
    path: PathBuf,
    dir: Mutex<Option<Arc<DumpDir>>>,
}

impl LazyDump {
    fn new(path: PathBuf) -> Self {
        Self { path, dir: Mutex::new(None) }
    }

    fn get(&self) -> Result<Arc<DumpDir>> {
        let mut known = self.dir.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dir) = known.as_ref() {
            return Ok(Arc::clone(dir));
        }
        let dir = Arc::new(DumpDir::open(&self.path)?);
        *known = Some(Arc::clone(&dir));
        Ok(dir)
    }

    fn snapshot(&self, choose: &TableChoice, follow: bool) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(DumpSnapshot::new(self.get()?, choose, follow)?))
    }

    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        dump::tables(&*self.get()?, choose)
    }

    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.get()?.tables.get(table).map(dump::info).transpose()
    }
}

/// Recorded files. Nothing is read before it is asked for.
#[derive(Debug)]
pub struct RecordedSource {
    id: SourceId,
    options: RecordedOptions,
    dump: Option<LazyDump>,
}

impl RecordedSource {
    /// A source of these files.
    pub fn new(id: SourceId, options: RecordedOptions) -> Self {
        let dump = options.dump_dir.clone().map(LazyDump::new);
        Self { id, options, dump }
    }

    fn files(&self) -> Result<Files> {
        match &self.options.binlog {
            Some(files) => Files::open(files, self.options.flavor),
            None => Err(Error::new(
                &codes::SOURCE_UNSUPPORTED,
                format!("source {} has no recorded binlog files", self.id),
            )
            .workaround("Name them with `recorded.binlog-files` or `recorded.binlog-dir`.")),
        }
    }

    fn dump(&self) -> Result<&LazyDump> {
        self.dump.as_ref().ok_or_else(|| {
            Error::new(
                &codes::SOURCE_UNSUPPORTED,
                format!("source {} has no dump directory", self.id),
            )
            .workaround("Name it with `recorded.dump-dir`.")
        })
    }
}

impl Source for RecordedSource {
    fn info(&self) -> Result<SourceInfo> {
        let head = match &self.options.binlog {
            Some(_) => Some(self.files()?.head()?),
            None => None,
        };
        let (flavor, version, server) = match head {
            Some(head) => {
                (head.flavor, head.version, format!("files of server {}", head.server_id))
            }
            None => {
                let position = self.dump()?.get()?.metadata.position.clone();
                let told = position.and_then(|p| p.gtid).map(|set| GtidSet::flavor(&set));
                let flavor = self.options.flavor.or(told).unwrap_or_default();
                (flavor, String::new(), "files of a dump".to_owned())
            }
        };
        Ok(SourceInfo {
            id: self.id.clone(),
            flavor,
            version,
            server,
            lower_case_table_names: 0,
            sql_mode: String::new(),
            charset: String::new(),
            collation: String::new(),
            explicit_defaults_for_timestamp: None,
            row_format: None,
            charset_collations: None,
        })
    }

    fn end_position(&self) -> Result<Position> {
        self.files()?.last()
    }

    fn default_start(&self) -> Result<Position> {
        self.files()?.first(self.options.use_gtid)
    }

    fn snapshot(&self, choose: &TableChoice, _stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        self.dump()?.snapshot(choose, self.options.follow)
    }

    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.dump()?.describe(table)
    }

    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        match &self.dump {
            Some(dump) => dump.tables(choose),
            // A binlog alone does not list what there was.
            None => Ok(Vec::new()),
        }
    }

    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        let wanted = self.options.wanted.clone();
        let mut stream = self.files()?.stream(from, self.options.use_gtid, wanted)?;
        let step = move |out: super::queue::Out<'_>| stream.step(out);
        Ok(Box::new(QueuedStream::spawn(self.id.as_str(), step)?))
    }
}

/// A server whose copy exists already as a dump directory.
pub struct DumpedSource {
    dump: LazyDump,
    follow: bool,
    server: Arc<dyn Source>,
}

impl DumpedSource {
    /// Copies from the directory, follows the server. With `follow` the dump has to name the
    /// position that following begins at.
    pub fn new(dump_dir: PathBuf, follow: bool, server: Arc<dyn Source>) -> Self {
        Self { dump: LazyDump::new(dump_dir), follow, server }
    }
}

impl Source for DumpedSource {
    fn info(&self) -> Result<SourceInfo> {
        self.server.info()
    }

    fn expect_server(&self, server: &str) {
        self.server.expect_server(server);
    }

    fn end_position(&self) -> Result<Position> {
        self.server.end_position()
    }

    fn position_at(&self, second: u32) -> Result<Position> {
        self.server.position_at(second)
    }

    fn check_history(&self, last: &LastGroup, from: &Position) -> Result<()> {
        self.server.check_history(last, from)
    }

    fn default_start(&self) -> Result<Position> {
        self.server.default_start()
    }

    fn snapshot(&self, choose: &TableChoice, _stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        self.dump.snapshot(choose, self.follow)
    }

    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.server.describe(table)
    }

    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        self.dump.tables(choose)
    }

    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        self.server.open(from)
    }
}
