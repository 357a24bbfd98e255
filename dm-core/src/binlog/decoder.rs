//! From the bytes of one event to what it says.
//!
//! Guarantee: an event that comes out had the right checksum, if its file has checksums, and all
//! parts inside its bounds. Obstacles: whether there is a checksum is only known from the
//! FORMAT_DESCRIPTION event, and servers send artificial events before it (MariaDB's first ROTATE
//! carries a checksum, MySQL's need not) and of their own current setting between files. Method:
//! artificial ROTATEs, and whatever comes before the format is known, are looked at: a trailing
//! CRC-32 that fits is one (a body that ends so by chance is one in four thousand million).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use dm_filter::RowKind;

use super::bytes::Bytes;
use super::checksum::{self, Checksum};
use super::event::{
    Event, EventBody, FormatDescription, GtidEvent, Heartbeat, Incident, MariaDbGtidEvent, Rotate,
    XaPrepare, Xid,
};
use super::gtid_event::gtid_list;
use super::header::{EventHeader, EventType, HEADER_LEN};
use super::payload::TransactionPayload;
use super::query::QueryEvent;
use super::rows::{RowsEvent, RowsFormat};
use super::table_map::TableMap;
use super::{Error, Result, codes, malformed};
use crate::position::{Flavor, MySqlGtidSet};

/// More table maps than this are forgotten at the end of a statement: servers number a table anew
/// whenever they open it, so a long file has many.
const MAX_TABLES: usize = 4096;

/// Decodes the events of one stream, in order.
#[derive(Debug)]
pub struct Decoder {
    flavor: Flavor,
    decrypted: bool,
    format: Option<FormatDescription>,
    tables: HashMap<u64, KnownTable>,
}

#[derive(Debug)]
struct KnownTable {
    /// The event's body: a map that comes again unchanged keeps its value, and its plan.
    raw: Box<[u8]>,
    map: Arc<TableMap>,
}

impl Decoder {
    /// A decoder for the files of a server.
    pub fn new(flavor: Flavor) -> Self {
        Self { flavor, decrypted: false, format: None, tables: HashMap::new() }
    }

    /// A decoder for what a server sends: it decrypts its binlog before.
    pub fn for_stream(flavor: Flavor) -> Self {
        Self { decrypted: true, ..Self::new(flavor) }
    }

    /// The format of the current file, once it is known.
    pub fn format(&self) -> Option<&FormatDescription> {
        self.format.as_ref()
    }

    /// The table that a number stands for now.
    pub fn table(&self, id: u64) -> Option<&Arc<TableMap>> {
        self.tables.get(&id).map(|known| &known.map)
    }

    /// Decodes an event: header, body and, where the stream has them, checksum.
    pub fn decode<'a>(&mut self, event: &'a [u8]) -> Result<Event<'a>> {
        let header = EventHeader::parse(event)?;
        if header.checked_size()? != event.len() && !header.is_artificial() {
            return Err(malformed(format!(
                "event {} of {} bytes comes in {} bytes",
                header.event_type,
                header.event_size,
                event.len()
            )));
        }
        if header.event_type == EventType::FORMAT_DESCRIPTION {
            let format = self.format_description(event, &header)?;
            return Ok(Event { header, body: EventBody::FormatDescription(format) });
        }
        let made_up = header.event_type == EventType::ROTATE && header.is_artificial();
        let bare = match &self.format {
            Some(format) if !made_up => match format.checksum {
                Checksum::None => event,
                Checksum::Crc32 => checksum::verify(event, &header)?,
            },
            _ if checksum::matches(event) => checksum::split(event).map_or(event, |(e, _)| e),
            _ => event,
        };
        self.decode_inner(header, bare)
    }

    /// Checks an event's length and checksum, and does not look at what it says.
    pub(crate) fn check(&self, event: &[u8]) -> Result<EventHeader> {
        let header = EventHeader::parse(event)?;
        if header.checked_size()? != event.len() {
            return Err(malformed(format!("event {} has another length", header.event_type)));
        }
        match self.format.as_ref().map(|format| format.checksum) {
            Some(Checksum::Crc32) => checksum::verify(event, &header).map(|_| header),
            _ => Ok(header),
        }
    }

    /// Decodes an event without its checksum.
    pub(crate) fn decode_inner<'a>(
        &mut self,
        header: EventHeader,
        event: &'a [u8],
    ) -> Result<Event<'a>> {
        let body = event.get(HEADER_LEN..).unwrap_or_default();
        let body = self.body(&header, body).map_err(|e| {
            e.context(format!("event {} that ends at {}", header.event_type, header.log_pos))
        })?;
        Ok(Event { header, body })
    }

    fn body<'a>(&mut self, header: &EventHeader, body: &'a [u8]) -> Result<EventBody<'a>> {
        use EventType as T;
        Ok(match header.event_type {
            T::TABLE_MAP => EventBody::TableMap(self.table_map(body)?),
            T::QUERY => EventBody::Query(QueryEvent::parse(body, false)?.with(header)),
            T::MARIADB_QUERY_COMPRESSED => {
                EventBody::Query(QueryEvent::parse(body, true)?.with(header))
            }
            T::XID => EventBody::Xid(Bytes(body).u64()?),
            T::GTID => EventBody::Gtid(GtidEvent::parse(body, false)?),
            T::ANONYMOUS_GTID => EventBody::Gtid(GtidEvent::parse(body, true)?),
            T::GTID_TAGGED => EventBody::Gtid(GtidEvent::parse_tagged(body)?),
            T::MARIADB_GTID => {
                EventBody::MariaDbGtid(MariaDbGtidEvent::parse(body, header.server_id)?)
            }
            T::PREVIOUS_GTIDS => EventBody::PreviousGtids(MySqlGtidSet::decode(body)?),
            T::MARIADB_GTID_LIST => EventBody::GtidList(gtid_list(body)?),
            T::ROTATE => self.rotate(body)?,
            T::STOP => EventBody::Stop,
            T::MARIADB_ANNOTATE_ROWS => EventBody::RowsQuery(String::from_utf8_lossy(body)),
            // The first byte is a length that is too short to be of use.
            T::ROWS_QUERY => EventBody::RowsQuery(lossy(body.get(1..).unwrap_or_default())),
            T::TRANSACTION_PAYLOAD => {
                EventBody::TransactionPayload(TransactionPayload::parse(body)?)
            }
            T::XA_PREPARE => EventBody::XaPrepare(xa_prepare(body)?),
            T::HEARTBEAT => EventBody::Heartbeat(Heartbeat {
                file: lossy(body).into_owned(),
                position: u64::from(header.log_pos),
            }),
            T::HEARTBEAT_V2 => EventBody::Heartbeat(heartbeat_v2(body)?),
            T::INCIDENT => EventBody::Incident(incident(body)?),
            _ => return self.rare(header, body),
        })
    }

    /// Rows, which come under many numbers, and what hardly ever comes.
    fn rare<'a>(&mut self, header: &EventHeader, body: &'a [u8]) -> Result<EventBody<'a>> {
        use EventType as T;
        if let Some(format) = rows_format(header.event_type) {
            return self.rows(format, body);
        }
        Ok(match header.event_type {
            T::INTVAR => EventBody::IntVar,
            T::RAND => EventBody::Rand,
            T::USER_VAR => {
                let mut b = Bytes(body);
                let length = b.u32()?;
                EventBody::UserVar(lossy(b.take_u64(u64::from(length))?))
            }
            T::BEGIN_LOAD_QUERY | T::APPEND_BLOCK => {
                EventBody::LoadBlock { file_id: Bytes(body).u32()? }
            }
            T::EXECUTE_LOAD_QUERY => {
                // Number of the file, where its name stands in the text, and what to do about
                // duplicates.
                EventBody::ExecuteLoadQuery(QueryEvent::parse_after(Bytes(body), 13, false)?)
            }
            T::MARIADB_BINLOG_CHECKPOINT => {
                let mut b = Bytes(body);
                let length = b.u32()?;
                EventBody::Checkpoint(lossy(b.take_u64(u64::from(length))?))
            }
            T::MARIADB_START_ENCRYPTION if !self.decrypted => {
                return Err(Error::new(
                    &codes::BINLOG_ENCRYPTED,
                    "the binlog file is encrypted by its server (encrypt_binlog)",
                ));
            }
            T::MARIADB_START_ENCRYPTION
            | T::IGNORABLE
            | T::SLAVE
            | T::TRANSACTION_CONTEXT
            | T::VIEW_CHANGE => EventBody::Ignored,
            _ if header.flags & EventHeader::FLAG_IGNORABLE != 0 => EventBody::Ignored,
            unknown => {
                return Err(Error::new(
                    &codes::SYNC_EVENT_TYPE,
                    format!("unknown binlog event type {unknown}"),
                ));
            }
        })
    }

    fn rotate<'a>(&mut self, body: &[u8]) -> Result<EventBody<'a>> {
        let mut b = Bytes(body);
        let position = b.u64()?;
        self.tables.clear();
        Ok(EventBody::Rotate(Rotate { file: lossy(b.rest()).into_owned(), position }))
    }

    fn table_map(&mut self, body: &[u8]) -> Result<Arc<TableMap>> {
        let id_bytes = self.table_id_bytes(EventType::TABLE_MAP);
        let id = Bytes(body).uint_le(id_bytes)?;
        if let Some(known) = self.tables.get(&id)
            && *known.raw == *body
        {
            return Ok(Arc::clone(&known.map));
        }
        let map = Arc::new(TableMap::parse(body, id_bytes, self.flavor)?);
        self.tables.insert(id, KnownTable { raw: body.into(), map: Arc::clone(&map) });
        Ok(map)
    }

    fn rows<'a>(&mut self, format: RowsFormat, body: &'a [u8]) -> Result<EventBody<'a>> {
        let id_bytes = self.table_id_bytes(format.event_type);
        let id = Bytes(body).uint_le(id_bytes)?;
        let Some(known) = self.tables.get(&id) else {
            // An update that changed nothing on the server ends its statement with this number.
            let dummy = id == 0x00FF_FFFF || id == 0xFFFF_FFFF_FFFF;
            return match dummy {
                true => Ok(EventBody::Ignored),
                false => Err(malformed(format!("rows of the table number {id}, which is unknown"))),
            };
        };
        let rows = RowsEvent::parse(body, id_bytes, format, Arc::clone(&known.map))?;
        if rows.is_statement_end() && self.tables.len() > MAX_TABLES {
            self.tables.clear();
        }
        Ok(EventBody::Rows(rows))
    }

    /// Very old servers write table numbers in 4 bytes.
    fn table_id_bytes(&self, event_type: EventType) -> usize {
        let length = self.format.as_ref().and_then(|f| f.post_header_length(event_type));
        if length == Some(6) { 4 } else { 6 }
    }

    fn format_description(
        &mut self,
        event: &[u8],
        header: &EventHeader,
    ) -> Result<FormatDescription> {
        let mut b = Bytes(event.get(HEADER_LEN..).unwrap_or_default());
        let version = b.u16()?;
        let text = b.take(50)?;
        let created = b.u32()?;
        let header_length = b.u8()?;
        if version != 4 || usize::from(header_length) != HEADER_LEN {
            return Err(malformed(format!(
                "binlog format {version} with headers of {header_length} bytes: only format 4 is \
                 supported"
            )));
        }
        let server_version = lossy(text.split(|c| *c == 0).next().unwrap_or_default()).into_owned();
        let mut checksum = Checksum::None;
        let mut lengths = b.rest();
        if has_checksum_byte(&server_version) {
            // One byte says which checksum the events have; the room for this event's own is
            // there in any case.
            let (rest, [algorithm, ..]) =
                lengths.split_last_chunk::<5>().ok_or_else(|| malformed("cut short"))?;
            lengths = rest;
            checksum = match algorithm {
                0 | 255 => Checksum::None,
                1 => Checksum::Crc32,
                other => return Err(malformed(format!("unknown checksum algorithm {other}"))),
            };
        }
        if checksum == Checksum::Crc32 {
            checksum::verify_format_description(event, header)?;
        }
        let post_header_lengths = lengths.to_vec();
        let format = FormatDescription { server_version, created, post_header_lengths, checksum };
        self.tables.clear();
        self.format = Some(format.clone());
        Ok(format)
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Checksums came with MySQL 5.6.1 and MariaDB 5.3.
fn has_checksum_byte(server_version: &str) -> bool {
    let mut numbers = server_version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(|n| n.ok()).unwrap_or(0);
    let version = (next(), next(), next());
    let first = if server_version.contains("MariaDB") { (5, 3, 0) } else { (5, 6, 1) };
    version >= first
}

fn rows_format(event_type: EventType) -> Option<RowsFormat> {
    use EventType as T;
    let (kind, version, compressed) = match event_type {
        T::WRITE_ROWS => (RowKind::Insert, 2, false),
        T::UPDATE_ROWS | T::PARTIAL_UPDATE_ROWS => (RowKind::Update, 2, false),
        T::DELETE_ROWS => (RowKind::Delete, 2, false),
        T::WRITE_ROWS_V1 => (RowKind::Insert, 1, false),
        T::UPDATE_ROWS_V1 => (RowKind::Update, 1, false),
        T::DELETE_ROWS_V1 => (RowKind::Delete, 1, false),
        T::MARIADB_WRITE_ROWS_COMPRESSED_V1 => (RowKind::Insert, 1, true),
        T::MARIADB_UPDATE_ROWS_COMPRESSED_V1 => (RowKind::Update, 1, true),
        T::MARIADB_DELETE_ROWS_COMPRESSED_V1 => (RowKind::Delete, 1, true),
        T::MARIADB_WRITE_ROWS_COMPRESSED => (RowKind::Insert, 2, true),
        T::MARIADB_UPDATE_ROWS_COMPRESSED => (RowKind::Update, 2, true),
        T::MARIADB_DELETE_ROWS_COMPRESSED => (RowKind::Delete, 2, true),
        _ => return None,
    };
    let partial_json = event_type == T::PARTIAL_UPDATE_ROWS;
    Some(RowsFormat { event_type, kind, version, compressed, partial_json })
}

fn xa_prepare(body: &[u8]) -> Result<XaPrepare> {
    let mut b = Bytes(body);
    let one_phase = b.u8()? != 0;
    let format = b.i32()?;
    let (global, branch) = (b.u32()?, b.u32()?);
    let global = b.take_u64(u64::from(global))?.to_vec();
    let branch = b.take_u64(u64::from(branch))?.to_vec();
    Ok(XaPrepare { xid: Xid { format, global, branch }, one_phase })
}

/// Numbered fields: 1 the file's name, 2 the offset; 0 ends.
fn heartbeat_v2(body: &[u8]) -> Result<Heartbeat> {
    let mut b = Bytes(body);
    let mut heartbeat = Heartbeat { file: String::new(), position: 0 };
    while !b.is_empty() {
        let field = b.lenenc()?;
        if field == 0 {
            break;
        }
        let mut value = Bytes(b.lenenc_bytes()?);
        match field {
            1 => heartbeat.file = lossy(value.rest()).into_owned(),
            2 => heartbeat.position = value.lenenc()?,
            _ => {}
        }
    }
    Ok(heartbeat)
}

fn incident(body: &[u8]) -> Result<Incident<'_>> {
    let mut b = Bytes(body);
    let number = b.u16()?;
    let length = if b.is_empty() { 0 } else { usize::from(b.u8()?) };
    Ok(Incident { number, message: lossy(b.take(length)?) })
}
