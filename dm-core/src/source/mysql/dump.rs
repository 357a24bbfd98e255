//! A binlog dump connection: single events, byte for byte as the server has them.
//!
//! The client crate speaks the protocol and cuts packets into events. It takes checksums off
//! without looking at them, so the event is put together again and verified by our own decoder.
//! The server is told to send a heartbeat each second; several missing ones mean that the
//! connection is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ::mysql::{BinlogRequest, BinlogStream};
use mysql_common::packets::{GnoInterval, Sid, Tag};
use mysql_common::proto::MySerialize;

use super::position;
use super::start::Start;
use crate::config::ConnPlan;
use crate::error::During;
use crate::error::{Error, Result, Scope, codes};
use crate::mysql::{Connection, Purpose, numbers, translate};
use crate::position::{GtidSet, MySqlGtidSet};
use crate::sql::quote_text;

const HEARTBEAT: Duration = Duration::from_secs(1);
/// Silence for this long is a lost connection. A server that looks for its place in large files
/// is silent too, so it is not too short.
const SILENCE: Duration = Duration::from_secs(30);

/// Room that is kept from one event to the next.
const KEPT: usize = 1 << 20;

/// A dump connection.
pub(super) struct Dump {
    stream: BinlogStream,
    address: String,
    event: Vec<u8>,
    begun: bool,
}

impl Dump {
    /// Registers at the server and asks for the stream. `asked` is the connection that was asked
    /// about the place: when the address leads to another server by now, what it said means nothing.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, is another one (worth another attempt), or refuses.
    pub(super) fn open(
        plan: &ConnPlan,
        start: &Start,
        server_id: u32,
        asked: &mut Connection,
    ) -> Result<Self> {
        Self::open_for(plan, Purpose::Stream(SILENCE), start, server_id, asked)
    }

    /// The same of a MariaDB whose connection is encrypted, with its ANNOTATE_ROWS events.
    pub(super) fn annotated(
        plan: &ConnPlan,
        start: &Start,
        server_id: u32,
        asked: &mut Connection,
    ) -> Result<Self> {
        Self::open_for(plan, Purpose::Annotated(SILENCE), start, server_id, asked)
    }

    fn open_for(
        plan: &ConnPlan,
        purpose: Purpose,
        start: &Start,
        server_id: u32,
        asked: &mut Connection,
    ) -> Result<Self> {
        let mut conn = Connection::open(plan, purpose)?;
        let address = conn.address().to_owned();
        let (server, now) = (position::identity(asked)?, position::identity(&mut conn)?);
        if server != now {
            let text = format!("{address} leads to the server {now}, a moment ago to {server}");
            return Err(Error::new(&codes::SYNC_READ, text).transient());
        }
        let nanos = HEARTBEAT.as_nanos();
        conn.run(&format!(
            "SET @master_heartbeat_period = {nanos}, @source_heartbeat_period = {nanos}"
        ))?;
        if conn.version().is_mariadb() {
            // 4: understands GTIDs; without it MariaDB hides events behind made-up ones.
            conn.run("SET @mariadb_slave_capability = 4")?;
        }
        let request = request(&mut conn, start, server_id)?;
        let stream = conn
            .into_raw()
            .get_binlog_stream(request)
            .map_err(|e| failed(e, &address, "asking for the binlog"))?;
        Ok(Self { stream, address, event: Vec::new(), begun: false })
    }

    /// Says another address in messages: the one that people know.
    pub(super) fn named(self, address: String) -> Self {
        Self { address, ..self }
    }

    /// Waits for the next event: its header, body and checksum.
    pub(super) fn next(&mut self) -> Result<&[u8]> {
        // The crate trusts lengths inside packets; a broken one must not end the program.
        let stream = &mut self.stream;
        let next = catch_unwind(AssertUnwindSafe(|| stream.next())).map_err(|_| {
            Error::new(
                &codes::SYNC_READ,
                format!("{}: an event does not have the length it says", self.address),
            )
            .transient()
        })?;
        let event = match next {
            Some(Ok(event)) => event,
            Some(Err(e)) => return Err(self.failed(e)),
            None => {
                return Err(Error::new(
                    &codes::SYNC_READ,
                    format!("{}: the server ended the stream", self.address),
                )
                .transient());
            }
        };
        self.begun = true;
        self.event.clear();
        event.header().serialize(&mut self.event);
        self.event.extend_from_slice(event.data());
        if let Some(checksum) = event.checksum() {
            if event.header().event_type_raw() == FORMAT_DESCRIPTION {
                self.event.push(algorithm(&event));
            }
            self.event.extend_from_slice(&checksum);
        }
        Ok(&self.event)
    }

    /// Gives the memory of a large event back.
    pub(super) fn shrink(&mut self) {
        if self.event.capacity() > KEPT {
            self.event = Vec::new();
        }
    }

    /// The place was checked before. When the server refuses it all the same, trying again is
    /// useless; when it gives up in the middle (a dump thread ended for another one with its id,
    /// a purged file), opening again tells why.
    fn failed(&self, error: ::mysql::Error) -> Error {
        let number = match &error {
            ::mysql::Error::MySqlError(e) => Some(e.code),
            _ => None,
        };
        let plain = failed(error, &self.address, "reading the binlog");
        if number != Some(numbers::MASTER_FATAL_READING_BINLOG) {
            return plain;
        }
        let ended = Error::new(&codes::SYNC_READ, plain.message())
            .server_number(numbers::MASTER_FATAL_READING_BINLOG);
        if self.begun { ended.transient() } else { ended }
    }
}

fn failed(error: ::mysql::Error, address: &str, doing: &str) -> Error {
    translate(error, &format!("{address}: {doing}"), During::Query, Scope::Upstream)
}

const FORMAT_DESCRIPTION: u8 = 15;

fn algorithm(event: &::mysql::binlog::events::Event) -> u8 {
    match event.footer().get_checksum_alg() {
        Ok(Some(algorithm)) => algorithm as u8,
        Ok(None) => 0,
        Err(unknown) => unknown.0,
    }
}

fn request(conn: &mut Connection, start: &Start, server_id: u32) -> Result<BinlogRequest<'static>> {
    let request = BinlogRequest::new(server_id);
    Ok(match start {
        Start::File(pos) => {
            let offset = if start.skip_until().is_some() { 4 } else { pos.offset.max(4) };
            request.with_filename(pos.file.to_string().into_bytes()).with_pos(offset)
        }
        Start::Gtid(GtidSet::MySql(set)) => request.with_use_gtid(true).with_sids(sids(set)?),
        Start::Gtid(set @ GtidSet::MariaDb(_)) => {
            conn.run(&format!(
                "SET @slave_connect_state = {}, @slave_gtid_strict_mode = 1, \
                 @slave_gtid_ignore_duplicates = 0",
                quote_text(&set.to_string())
            ))?;
            request
        }
    })
}

fn sids(set: &MySqlGtidSet) -> Result<Vec<Sid<'static>>> {
    set.iter()
        .map(|(sid, intervals)| {
            let numbers = intervals
                .iter()
                // The protocol's intervals end before their second number.
                .map(|(from, to)| GnoInterval::new(from, to + 1))
                .collect();
            let entry = Sid::new(sid.uuid).with_intervals(numbers);
            if sid.tag.is_empty() {
                return Ok(entry);
            }
            let tag = Tag::new(sid.tag.to_string()).map_err(|e| {
                Error::new(&codes::SOURCE_UNSUPPORTED, "a GTID's tag is not valid").cause(e)
            })?;
            Ok(entry.with_tag(tag))
        })
        .collect()
}
