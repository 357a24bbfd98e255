//! The binlog of a server as it is, for those who keep its files.

use super::dump::Dump;
use super::start::{Start, free_server_id};
use super::{annotated, position, time};
use crate::config::ConnPlan;
use crate::error::Result;
use crate::mysql::{Connection, Purpose};
use crate::position::{BinlogFile, BinlogPos, Flavor, GtidSet, Position};

/// Questions about a server's binlog.
pub(crate) struct BinlogServer {
    plan: ConnPlan,
    conn: Connection,
}

impl BinlogServer {
    /// Connects.
    pub fn open(plan: &ConnPlan) -> Result<Self> {
        Ok(Self { plan: plan.clone(), conn: Connection::open(plan, Purpose::Control)? })
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.conn.address()
    }

    /// MySQL or MariaDB.
    pub fn flavor(&self) -> Flavor {
        self.conn.version().flavor()
    }

    /// Which server it is, as [`crate::source::SourceInfo::server`] says it.
    pub fn identity(&mut self) -> Result<String> {
        position::identity(&mut self.conn)
    }

    /// True when every transaction has a GTID.
    pub fn gtids_on(&mut self) -> Result<bool> {
        position::gtids_on(&mut self.conn)
    }

    /// The end of its binlog.
    pub fn end(&mut self) -> Result<Position> {
        position::end(&mut self.conn)
    }

    /// What it has executed.
    pub fn executed(&mut self) -> Result<GtidSet> {
        position::executed(&mut self.conn)
    }

    /// What it has executed and no longer has in its binlog.
    pub fn purged(&mut self) -> Result<GtidSet> {
        let flavor = self.flavor();
        Ok(position::purged(&mut self.conn)?.unwrap_or_else(|| GtidSet::empty(flavor)))
    }

    /// Its binlog files, oldest first.
    pub fn files(&mut self) -> Result<Vec<BinlogFile>> {
        let files = position::files(&mut self.conn)?;
        Ok(files.iter().filter_map(|(name, _)| name.parse().ok()).collect())
    }

    /// What was done before a file.
    pub fn before(&mut self, file: &BinlogFile) -> Result<GtidSet> {
        time::set_at(&self.plan, &mut self.conn, &BinlogPos::new(file.clone(), 4))
    }

    /// Fails when the stream cannot go on at this place.
    pub fn check(&mut self, pos: &BinlogPos) -> Result<()> {
        Start::File(pos.clone()).check(&mut self.conn)
    }

    /// The stream from a place on, with everything that stands in the files.
    pub fn dump(&mut self, pos: &BinlogPos, server_id: Option<u32>) -> Result<RawBinlog> {
        let server_id = match server_id {
            Some(id) => id,
            None => free_server_id(&mut self.conn)?,
        };
        let start = Start::File(pos.clone());
        let dump = match (self.flavor(), &self.plan.tls) {
            (Flavor::MariaDb, Some(_)) => {
                Dump::annotated(&self.plan, &start, server_id, &mut self.conn)?
            }
            (Flavor::MariaDb, None) => {
                let way = annotated::through(&self.plan)?;
                Dump::open(&way, &start, server_id, &mut self.conn)?.named(self.plan.address())
            }
            _ => Dump::open(&self.plan, &start, server_id, &mut self.conn)?,
        };
        Ok(RawBinlog { dump, skip: pos.offset > u64::from(u32::MAX) })
    }
}

/// Single events, byte for byte.
pub(crate) struct RawBinlog {
    dump: Dump,
    skip: bool,
}

impl RawBinlog {
    /// True when the stream begins at the start of the file, because the protocol cannot say the
    /// place that was asked for.
    pub fn begins_early(&self) -> bool {
        self.skip
    }

    /// Waits for the next event; a server that has nothing to say sends a heartbeat each second.
    pub fn next(&mut self) -> Result<&[u8]> {
        self.dump.shrink();
        self.dump.next()
    }
}
