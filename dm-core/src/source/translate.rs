//! From decoded binlog events to the events of a stream.
//!
//! One translator follows one stream, from a server or from files: it knows in which file and at
//! which offset it is, unpacks compressed transactions, and lets go of rows that nobody wants
//! before they are copied out of the network buffer.
//!
//! Positions come from the headers alone. An event begins where the one before it ended; sizes are
//! never added up, because servers replace and leave out events on the way.

use std::collections::HashMap;
use std::sync::Arc;

use dm_filter::TableName;

use super::{Body, RowsBody, SourceEvent};
use crate::binlog::{
    AlterHalf, CHECKSUM_LEN, Checksum, Decoder, Event, EventBody, EventHeader, EventType,
    Heartbeat, MariaDbGtidEvent, Rotate,
};
use crate::error::Result;
use crate::position::{BinlogFile, BinlogPos, Flavor, Gtid, GtidSet};

/// Decides by name whether the rows of a table are wanted.
pub type RowChoice = Arc<dyn Fn(&TableName) -> bool + Send + Sync>;

/// Turns the events of one stream into [`SourceEvent`]s.
pub struct Translator {
    decoder: Decoder,
    place: Place,
    wanted: Option<Choice>,
    before_file: Option<GtidSet>,
    /// The open group is an ALTER that begins, or that has failed.
    unfinished_alter: bool,
}

/// Whether rows are wanted, asked once for each table.
struct Choice {
    wanted: RowChoice,
    decided: HashMap<TableName, bool>,
}

/// Tables of which the decision is kept; beyond that all are asked anew.
const DECIDED: usize = 100_000;

impl Choice {
    fn wants(&mut self, table: &TableName) -> bool {
        if let Some(decided) = self.decided.get(table) {
            return *decided;
        }
        if self.decided.len() >= DECIDED {
            self.decided.clear();
        }
        let wanted = (self.wanted)(table);
        self.decided.insert(table.clone(), wanted);
        wanted
    }
}

/// Where the next event begins.
struct Place {
    pos: BinlogPos,
    /// Events that begin before this offset of the first file are not told.
    skip_until: Option<BinlogPos>,
}

impl Translator {
    /// A translator for a stream that begins at `start`. `from_server` says that a server sends it
    /// (which decrypts what it has encrypted).
    pub fn new(flavor: Flavor, start: BinlogPos, from_server: bool) -> Self {
        let decoder = if from_server { Decoder::for_stream(flavor) } else { Decoder::new(flavor) };
        let place = Place { pos: start, skip_until: None };
        Self { decoder, place, wanted: None, before_file: None, unfinished_alter: false }
    }

    /// Rows of other tables are dropped.
    #[must_use]
    pub fn wanting(mut self, wanted: Option<RowChoice>) -> Self {
        self.wanted = wanted.map(|wanted| Choice { wanted, decided: HashMap::new() });
        self
    }

    /// Reads the file from an earlier place, and tells nothing that begins before `pos`.
    #[must_use]
    pub fn skipping_until(mut self, pos: BinlogPos) -> Self {
        self.place.skip_until = Some(pos);
        self
    }

    /// Where the next event begins.
    pub fn position(&self) -> &BinlogPos {
        &self.place.pos
    }

    /// The next event begins here: another file, or another place of this one.
    pub fn move_to(&mut self, pos: BinlogPos) {
        self.place = Place { pos, skip_until: None };
    }

    /// What was executed before the present file, when the file says it.
    pub fn before_file(&self) -> Option<&GtidSet> {
        self.before_file.as_ref()
    }

    /// Translates the bytes of one event, checksum included, and hands what it says to `out`.
    ///
    /// # Errors
    ///
    /// Damaged or unknown events, and what `out` fails with.
    pub fn event(
        &mut self,
        bytes: &[u8],
        out: &mut dyn FnMut(SourceEvent) -> Result<()>,
    ) -> Result<()> {
        let offset = self.place.pos.offset;
        self.translate(bytes, out)
            .map_err(|e| e.at(self.place.pos.with_offset(offset), &self.place.pos))
    }

    fn translate(
        &mut self,
        bytes: &[u8],
        out: &mut dyn FnMut(SourceEvent) -> Result<()>,
    ) -> Result<()> {
        let Event { header, body } = self.decoder.decode(bytes)?;
        let print = self.print(&header, bytes);
        let offset = self.place.pos.offset;
        let body = match body {
            EventBody::Rotate(rotate) if header.is_artificial() => {
                return self.place.enter(&rotate);
            }
            EventBody::Heartbeat(heartbeat) => {
                self.place.heartbeat(&heartbeat);
                EventBody::Heartbeat(heartbeat)
            }
            body => {
                self.place.advance(&header);
                body
            }
        };
        if self.place.skips(offset) {
            if let EventBody::Rotate(rotate) = body {
                self.place.enter(&rotate)?;
            }
            return Ok(());
        }
        // Names of files are shared with the threads behind: made only for what is told.
        let here = &self.place.pos;
        let mut tell = |at: u32, body: Body| {
            let (start, end) = (here.with_offset(offset), here.clone());
            out(SourceEvent { start, end, at, body, print })
        };
        match body {
            EventBody::Rotate(rotate) => {
                tell(header.timestamp, Body::Rotate)?;
                self.place.enter(&rotate)
            }
            EventBody::PreviousGtids(set) => {
                self.before_file = Some(GtidSet::MySql(set));
                Ok(())
            }
            EventBody::GtidList(set) => {
                self.before_file = Some(GtidSet::MariaDb(set));
                Ok(())
            }
            EventBody::TransactionPayload(payload) => {
                let mut events = payload.events()?;
                while let Some(inner) = events.next_event(&mut self.decoder)? {
                    if let Some(body) = body_of(inner.body, self.wanted.as_mut()) {
                        tell(inner.header.timestamp, body)?;
                    }
                }
                Ok(())
            }
            EventBody::Query(_) if std::mem::take(&mut self.unfinished_alter) => {
                tell(header.timestamp, Body::UnfinishedAlter)
            }
            EventBody::MariaDbGtid(event) => {
                self.unfinished_alter =
                    matches!(event.alter, Some(AlterHalf::Begins | AlterHalf::GivenUp));
                body_of(EventBody::MariaDbGtid(event), None)
                    .map_or(Ok(()), |body| tell(header.timestamp, body))
            }
            other => match body_of(other, self.wanted.as_mut()) {
                Some(body) => tell(header.timestamp, body),
                None => Ok(()),
            },
        }
    }

    /// The fingerprint of an event that may end a group.
    fn print(&self, header: &EventHeader, bytes: &[u8]) -> Option<[u8; 16]> {
        use EventType as T;
        let ends = matches!(
            header.event_type,
            T::XID
                | T::QUERY
                | T::MARIADB_QUERY_COMPRESSED
                | T::XA_PREPARE
                | T::TRANSACTION_PAYLOAD
        );
        if !ends || header.is_artificial() {
            return None;
        }
        let checksum = self.decoder.format().map_or(Checksum::None, |format| format.checksum);
        let bare = match checksum {
            Checksum::Crc32 => bytes.len().checked_sub(CHECKSUM_LEN).and_then(|n| bytes.get(..n)),
            Checksum::None => None,
        };
        Some(header.fingerprint(bare.unwrap_or(bytes)))
    }
}

impl Place {
    /// The stream goes on in another file.
    fn enter(&mut self, rotate: &Rotate) -> Result<()> {
        let file: BinlogFile = rotate.file.parse()?;
        // The artificial one at the start of a stream repeats where it starts.
        if file != self.pos.file || rotate.position > self.pos.offset {
            self.pos = BinlogPos::new(file, rotate.position);
        }
        Ok(())
    }

    fn advance(&mut self, header: &EventHeader) {
        if let Some(offset) = header.end_offset(self.pos.offset) {
            self.pos.offset = offset;
        }
    }

    /// The server may have passed events that the stream does not want.
    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        let same = heartbeat.file.parse::<BinlogFile>().is_ok_and(|file| file == self.pos.file);
        if !same {
            return;
        }
        // Old heartbeats have 32 bits; a step of more than half of that is one backwards.
        let step = (heartbeat.position as u32).wrapping_sub(self.pos.offset as u32);
        if step < 1 << 31 {
            self.pos.offset += u64::from(step);
        }
    }

    /// True while the stream has not reached the place that is wanted.
    fn skips(&mut self, offset: u64) -> bool {
        match &self.skip_until {
            Some(until) if self.pos.file == until.file && offset < until.offset => true,
            Some(_) => {
                self.skip_until = None;
                false
            }
            None => false,
        }
    }
}

/// What an event says to a pipeline; `None` for what only readers need.
fn body_of(body: EventBody<'_>, wanted: Option<&mut Choice>) -> Option<Body> {
    Some(match body {
        EventBody::Rows(rows) => {
            if wanted.is_some_and(|wanted| !wanted.wants(&rows.table.table)) {
                return None;
            }
            Body::Rows(RowsBody::Binlog(rows.into_owned()))
        }
        EventBody::Query(query) if query.is("BEGIN") => Body::Begin,
        EventBody::Query(query) => {
            // It may be one that makes another table of the name.
            wanted.into_iter().for_each(|choice| choice.decided.clear());
            Body::Query(Box::new(query.into_owned()))
        }
        EventBody::Xid(_) => Body::Xid,
        EventBody::Gtid(event) => Body::Gtid {
            gtid: event.gtid,
            standalone: false,
            // Told by the `XA START` that follows.
            prepared: false,
            length: Some(event.transaction_length).filter(|n| *n > 0),
        },
        EventBody::MariaDbGtid(event) => Body::Gtid {
            standalone: event.has(MariaDbGtidEvent::FL_STANDALONE),
            prepared: event.has(MariaDbGtidEvent::FL_PREPARED_XA),
            gtid: Some(Gtid::MariaDb(event.gtid)),
            length: None,
        },
        EventBody::RowsQuery(text) => Body::RowsQuery(text.into_owned()),
        EventBody::XaPrepare(prepare) => {
            Body::XaPrepare { xid: prepare.xid.to_string(), one_phase: prepare.one_phase }
        }
        EventBody::Heartbeat(_) => Body::Heartbeat,
        EventBody::Incident(incident) => {
            Body::Incident(format!("{} ({})", incident.message, incident.number))
        }
        EventBody::IntVar => Body::Statement("INTVAR"),
        EventBody::Rand => Body::Statement("RAND"),
        EventBody::UserVar(_) => Body::Statement("USER_VAR"),
        EventBody::LoadBlock { .. } => Body::Statement("LOAD DATA block"),
        EventBody::ExecuteLoadQuery(query) => Body::Query(Box::new(query.into_owned())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::raw::event;

    fn rotate(file: &str, position: u64, log_pos: u32, flags: u16) -> Vec<u8> {
        let mut body = position.to_le_bytes().to_vec();
        body.extend(file.as_bytes());
        event(4, log_pos, flags, &body)
    }

    fn xid(log_pos: u32) -> Vec<u8> {
        event(16, log_pos, 0, &[1, 0, 0, 0, 0, 0, 0, 0])
    }

    fn run(translator: &mut Translator, events: &[Vec<u8>]) -> Vec<String> {
        let mut seen = Vec::new();
        for bytes in events {
            translator
                .event(bytes, &mut |e| {
                    seen.push(format!("{}-{} {:?}", e.start, e.end, e.body));
                    Ok(())
                })
                .unwrap();
        }
        seen
    }

    fn at(offset: u64) -> BinlogPos {
        BinlogPos::new("b.000001".parse().unwrap(), offset)
    }

    #[test]
    fn events_begin_where_the_last_one_ended() {
        let mut t = Translator::new(Flavor::MySql, at(100), true);
        let seen = run(
            &mut t,
            &[
                rotate("b.000001", 100, 0, EventHeader::FLAG_ARTIFICIAL),
                xid(131),
                rotate("b.000002", 4, 170, 0),
                rotate("b.000002", 4, 0, EventHeader::FLAG_ARTIFICIAL),
                xid(40),
            ],
        );
        assert_eq!(
            seen,
            [
                "(b.000001, 100)-(b.000001, 131) Xid",
                "(b.000001, 131)-(b.000001, 170) Rotate",
                "(b.000002, 4)-(b.000002, 40) Xid",
            ]
        );
    }

    #[test]
    fn offsets_pass_four_gibibytes() {
        let start = at(u64::from(u32::MAX) - 10);
        let mut t = Translator::new(Flavor::MySql, start, true);
        let seen = run(&mut t, &[xid(20)]);
        assert_eq!(seen, ["(b.000001, 4294967285)-(b.000001, 4294967316) Xid"]);
    }

    #[test]
    fn what_was_told_before_is_skipped() {
        let mut t = Translator::new(Flavor::MySql, at(4), true).skipping_until(at(35));
        let seen = run(&mut t, &[xid(35), xid(66)]);
        assert_eq!(seen, ["(b.000001, 35)-(b.000001, 66) Xid"]);
    }

    #[test]
    fn only_an_alter_that_has_happened_is_told() {
        let group = |halves: u8| {
            let mut body = 7u64.to_le_bytes().to_vec();
            body.extend([0, 0, 0, 0, MariaDbGtidEvent::FL_STANDALONE, halves]);
            body.extend([0; 8]);
            event(162, 0, 0, &body)
        };
        let query = event(2, 0, 0, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0ALTER TABLE t ADD c INT");
        let told = |halves: u8| {
            let mut t = Translator::new(Flavor::MariaDb, at(100), true);
            let seen = run(&mut t, &[group(halves), query.clone(), group(0), query.clone()]);
            let told: Vec<bool> = seen.iter().map(|e| e.contains("Query")).collect();
            assert_eq!((told[0], told[2], told[3]), (false, false, true), "{seen:?}");
            assert_eq!(told[1], !seen[1].ends_with("UnfinishedAlter"), "{seen:?}");
            told[1]
        };
        // It begins; it has happened; it has failed; an ordinary one.
        assert_eq!([0x02, 0x04, 0x08, 0].map(told), [false, true, false, true]);
    }

    #[test]
    fn heartbeats_move_forward_only() {
        let mut t = Translator::new(Flavor::MySql, at(100), true);
        run(&mut t, &[event(27, 90, 0, b"b.000001"), event(27, 300, 0, b"b.000002")]);
        assert_eq!(*t.position(), at(100));
        run(&mut t, &[event(27, 300, 0, b"b.000001")]);
        assert_eq!(*t.position(), at(300));
    }
}
