//! MySQL and MariaDB servers as sources.
//!
//! - `snapshot`: a consistent view over several connections and the position that belongs to it;
//! - `chunks`, `key`: cutting tables; `columns`, `read`, `json`: reading them exactly;
//! - `start`: whether a stored position still means something on the server; `history`: whether what
//!   was read last still stands there;
//! - `dump`: the binlog stream; `time`: positions by time, GTID sets of positions.

mod annotated;
mod chunks;
mod columns;
mod describe;
mod dump;
mod history;
mod json;
mod key;
mod position;
mod prepared;
mod pull;
mod read;
mod snapshot;
mod start;
mod time;

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use dm_filter::TableName;

use self::dump::Dump;
use super::queue::QueuedStream;
use super::translate::{RowChoice, Translator};
use super::{
    EventStream, LastGroup, Prepared, Snapshot, Source, SourceEvent, SourceInfo, TableChoice,
    TableInfo,
};
use crate::config::{ConnPlan, Consistency};
use crate::error::{Error, Result, codes};
use crate::event::SourceId;
use crate::mysql::{Connection, Purpose, cell, offset_question};
use crate::position::{BinlogPos, GtidSet, Position};

pub use self::columns::ReadOptions;
pub(crate) use self::describe::{sizes as table_sizes, table as describe_table};
pub(crate) use self::pull::BinlogServer;
pub use self::time::TimePosition;

/// How a snapshot is taken and read.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// How position and rows are tied together.
    pub consistency: Consistency,
    /// Connections that read at the same time; all are opened with the snapshot.
    pub threads: usize,
    /// A condition that every row has to fulfil.
    pub condition: Option<String>,
    /// Positions may be GTID sets alone.
    pub use_gtid: bool,
    /// The stream is to begin at the snapshot's position. Otherwise a server that writes no binlog,
    /// or does not tell this user about it, can be copied as well; the position is then empty.
    pub position_needed: bool,
    /// Which values, in which form.
    pub read: ReadOptions,
}

impl Default for SnapshotOptions {
    /// The best consistency that there is, four threads (DM's default), all rows.
    fn default() -> Self {
        Self {
            consistency: Consistency::Auto,
            threads: 4,
            condition: None,
            use_gtid: false,
            position_needed: true,
            read: ReadOptions { generated: false, expressions: true },
        }
    }
}

/// How the stream is read.
#[derive(Clone, Default)]
pub struct StreamOptions {
    /// Positions are GTID sets where they have one.
    pub use_gtid: bool,
    /// The id to register with; one that is free is chosen when there is none.
    pub server_id: Option<u32>,
    /// Rows of other tables are dropped as early as possible.
    pub wanted: Option<RowChoice>,
}

impl std::fmt::Debug for StreamOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamOptions")
            .field("use_gtid", &self.use_gtid)
            .field("server_id", &self.server_id)
            .finish_non_exhaustive()
    }
}

/// A MySQL or MariaDB server.
#[derive(Debug)]
pub struct MySqlSource {
    id: SourceId,
    plan: ConnPlan,
    snapshot: SnapshotOptions,
    stream: StreamOptions,
    /// The server that file positions belong to, once it is known.
    server: Mutex<Option<String>>,
}

impl MySqlSource {
    /// A source; nothing is connected yet.
    pub fn new(
        id: SourceId,
        plan: ConnPlan,
        snapshot: SnapshotOptions,
        stream: StreamOptions,
    ) -> Self {
        Self { id, plan, snapshot, stream, server: Mutex::new(None) }
    }

    /// The place of the first transaction that began at or after a time (seconds since the
    /// epoch); where it lies before all files, their beginning.
    ///
    /// # Errors
    ///
    /// 20057 when the time is behind the end of the binlog; when the server cannot be asked.
    pub fn position_at_time(&self, at: u32) -> Result<TimePosition> {
        time::find(&self.plan, at)
    }

    /// The GTID set that belongs to a place in the binlog. It is asked for on MariaDB and read
    /// from the file on MySQL.
    ///
    /// # Errors
    ///
    /// When the file is not there or the server cannot be asked.
    pub fn gtid_at(&self, pos: &BinlogPos) -> Result<GtidSet> {
        time::gtid_at(&self.plan, pos)
    }

    /// Whether a stream could begin at a position, without opening one.
    ///
    /// # Errors
    ///
    /// As [`Source::open`].
    pub(crate) fn can_start(&self, from: &Position) -> Result {
        start::Start::choose(from, self.stream.use_gtid)?.check(&mut self.control()?)
    }

    fn control(&self) -> Result<Connection> {
        Connection::open(&self.plan, Purpose::Control)
    }

    /// File positions hold on one server only: the first one that is seen, or the one expected.
    fn check_identity(&self, conn: &mut Connection) -> Result<()> {
        let now = position::identity(conn)?;
        let mut known = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        match known.as_ref() {
            Some(known) if *known != now => Err(Error::new(
                &codes::SOURCE_IDENTITY,
                format!("{} is the server {now}, the position is one of {known}", conn.address()),
            )),
            Some(_) => Ok(()),
            None => {
                *known = Some(now);
                Ok(())
            }
        }
    }
}

impl Source for MySqlSource {
    fn info(&self) -> Result<SourceInfo> {
        let mut conn = self.control()?;
        let row = conn.row(
            "SELECT @@GLOBAL.lower_case_table_names, @@GLOBAL.sql_mode, \
             @@GLOBAL.character_set_server, @@GLOBAL.collation_server",
        )?;
        // Not every version has all of them.
        let rows = conn.rows(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('explicit_defaults_for_timestamp', \
             'character_set_collations', 'default_collation_for_utf8mb4', 'innodb_default_row_format')",
        )?;
        let setting = |name: &str| {
            let row = rows.iter().find(|row| cell(row, 0).eq_ignore_ascii_case(name));
            row.map(|row| cell(row, 1))
        };
        let of_utf8mb4 = setting("default_collation_for_utf8mb4").map(|c| format!("utf8mb4={c}"));
        Ok(SourceInfo {
            explicit_defaults_for_timestamp: setting("explicit_defaults_for_timestamp")
                .map(|value| value.eq_ignore_ascii_case("ON")),
            row_format: setting("innodb_default_row_format"),
            charset_collations: setting("character_set_collations").or(of_utf8mb4),
            id: self.id.clone(),
            flavor: conn.version().flavor(),
            version: conn.version().text.clone(),
            server: position::identity(&mut conn)?,
            lower_case_table_names: cell(&row, 0).parse().unwrap_or(0),
            sql_mode: cell(&row, 1),
            charset: cell(&row, 2),
            collation: cell(&row, 3),
        })
    }

    /// Streams by file and offset from another one are refused.
    fn expect_server(&self, server: &str) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server.to_owned());
    }

    fn position_at(&self, second: u32) -> Result<Position> {
        let found = self.position_at_time(second)?;
        if found.before_all {
            log::warn!(
                "source {}: the start time lies before its oldest binlog file; following starts \
                 at {}",
                self.id,
                found.position
            );
        }
        Ok(found.position)
    }

    fn end_position(&self) -> Result<Position> {
        match position::end(&mut self.control()?) {
            // A copy alone needs no place to go on from.
            Err(e) if !self.snapshot.position_needed && position::is_untold(&e) => {
                Ok(Position::default())
            }
            other => other,
        }
    }

    fn snapshot(&self, choose: &TableChoice, stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        // The position of the snapshot belongs to this server, unless it is one by GTIDs.
        if !self.stream.use_gtid {
            self.check_identity(&mut self.control()?)?;
        }
        Ok(Box::new(snapshot::open(&self.plan, &self.snapshot, choose, stop)?))
    }

    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        describe::table(&mut self.control()?, table)
    }

    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        describe::tables(&mut self.control()?, choose)
    }

    fn system_offset(&self, at: u32) -> Result<Option<i32>> {
        let mut conn = self.control()?;
        conn.run("SET SESSION time_zone='SYSTEM'")?;
        Ok(cell(&conn.row(&offset_question(at))?, 0).parse().ok())
    }

    fn prepared(&self) -> Result<Option<Prepared>> {
        prepared::prepared(&mut self.control()?)
    }

    fn check_history(&self, last: &LastGroup, from: &Position) -> Result<()> {
        let mut conn = self.control()?;
        let start = start::Start::choose(from, self.stream.use_gtid)?;
        if !start.is_gtid() {
            self.check_identity(&mut conn)?;
        }
        // What these say is said more exactly.
        start.check(&mut conn)?;
        history::check(&self.plan, &mut conn, last, start.is_gtid())
    }

    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        let mut conn = self.control()?;
        let start = start::Start::choose(from, self.stream.use_gtid)?;
        if !start.is_gtid() {
            self.check_identity(&mut conn)?;
        }
        start.check(&mut conn)?;
        let server_id = match self.stream.server_id {
            Some(id) => id,
            None => start::free_server_id(&mut conn)?,
        };
        let first = start.first_place(&mut conn)?;
        let flavor = conn.version().flavor();
        let mut translator =
            Translator::new(flavor, first, true).wanting(self.stream.wanted.clone());
        if let Some(skip) = start.skip_until() {
            translator = translator.skipping_until(skip);
        }
        let server = position::identity(&mut conn)?;
        let mut dump = Dump::open(&self.plan, &start, server_id, &mut conn)?;
        let stream = QueuedStream::spawn(self.id.as_str(), move |out| {
            // A large event is handed out when the buffer that it came in is gone.
            let mut held: Option<SourceEvent> = None;
            translator
                .event(dump.next()?, &mut |event| held.replace(event).map_or(Ok(()), &mut *out))?;
            dump.shrink();
            held.map_or(Ok(()), out).map(|()| true)
        })?;
        Ok(Box::new(stream.of(server, !start.is_gtid())))
    }
}
