//! From the events of a server to files that are byte for byte the server's own.
//!
//! Guarantee: a file of the relay log holds exactly what the server's file of this name holds up to the same
//! offset. Obstacles: a server sends events that stand in no file (a ROTATE that names the file, the format
//! description again in the middle of one, heartbeats), and leaves some out. Method: the stream is asked for
//! by file and offset, never by GTID set, so that nothing is passed over; what stands in no file is not
//! written; each event has to begin where the file ends, and what was left out is filled up with an event
//! of the same length ([`super::filler`]). The description of a file that the server still writes has the
//! mark "in use" in the server's file and not here: the server sends it without.
//!
//! Readers see whole events at the end of a group at the latest: that is when the buffer is written.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::filler::filler;
use super::group::{Groups, Step};
use super::layout::{RelayDir, SubDir, failed};
use super::meta::Meta;
use super::recover;
use crate::binlog::{Checksum, Decoder, EventBody, EventHeader, EventType, MAGIC};
use crate::error::{Error, Result, codes};
use crate::position::{BinlogFile, BinlogPos, Flavor, GtidSet};
use crate::state;

/// A group that is longer is written before it is whole.
const BUFFER: usize = 256 << 10;
/// DM's: `relay.meta` is written at least this often while something comes.
const META_INTERVAL: Duration = Duration::from_secs(30);
/// Where the first event of a file stands.
pub(super) const FIRST: u64 = MAGIC.len() as u64;

/// Writes one server's part of a relay log.
#[derive(Debug)]
pub(super) struct Writer {
    dir: RelayDir,
    sub: SubDir,
    flavor: Flavor,
    file: Option<Open>,
    decoder: Decoder,
    groups: Groups,
    /// What the whole groups did, with what was done before.
    done: GtidSet,
    noted: Instant,
}

/// The file that is written.
#[derive(Debug)]
struct Open {
    name: BinlogFile,
    path: PathBuf,
    file: File,
    /// Events that are not written yet.
    buffer: Vec<u8>,
    /// Offset behind the last event, the buffered ones included.
    end: u64,
    /// Offset behind the last whole group.
    whole: u64,
    /// When the server began the file, once that is known.
    begun: Option<u32>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing that readers can see.
    Kept,
    /// Readers can see more.
    Written,
}

impl Writer {
    /// Goes on behind the last whole group of a server's part; a part without files begins with the
    /// first file that the server names. `done` is what was done before the part.
    pub fn open(dir: &RelayDir, sub: &SubDir, flavor: Flavor, done: GtidSet) -> Result<Self> {
        let mut this = Self {
            dir: dir.clone(),
            sub: sub.clone(),
            flavor,
            file: None,
            decoder: Decoder::for_stream(flavor),
            groups: Groups::default(),
            done,
            noted: Instant::now(),
        };
        if let Some(Meta { gtid: Some(set), .. }) = dir.meta(sub, flavor)? {
            this.done.union(&set)?;
        }
        if let Some((name, path)) = dir.files(sub)?.pop() {
            let found = recover::cut(&path, flavor)?;
            this.done.union(&found.done)?;
            this.file = Some(Open::at(name, path, found.whole)?);
        }
        this.note()?;
        Ok(this)
    }

    /// The part that is written.
    pub fn sub(&self) -> &SubDir {
        &self.sub
    }

    /// Where the next event is expected; `None` when nothing was written yet.
    pub fn end(&self) -> Option<BinlogPos> {
        self.file.as_ref().map(|open| BinlogPos::new(open.name.clone(), open.end))
    }

    /// Everything up to here is whole.
    pub fn whole(&self) -> Option<BinlogPos> {
        self.file.as_ref().map(|open| BinlogPos::new(open.name.clone(), open.whole))
    }

    /// The transactions that are whole in the files, or were done before them.
    pub fn done(&self) -> &GtidSet {
        &self.done
    }

    /// A connection begins: it tells the format of its events anew.
    pub fn reconnect(&mut self) -> Result<()> {
        self.decoder = Decoder::for_stream(self.flavor);
        self.groups = Groups::default();
        let Some(open) = &mut self.file else { return Ok(()) };
        open.write()?;
        // A group that is not whole is fetched again: the server may have lost it.
        open.cut_off()
    }

    /// Takes the next event of the server.
    pub fn event(&mut self, bytes: &[u8]) -> Result<Taken> {
        let header = EventHeader::parse(bytes)?;
        match header.event_type {
            EventType::ROTATE if header.is_artificial() || header.log_pos == 0 => {
                if let EventBody::Rotate(rotate) = self.decoder.decode(bytes)?.body {
                    return self.enter(&rotate.file.parse()?);
                }
                return Ok(Taken::Kept);
            }
            EventType::HEARTBEAT | EventType::HEARTBEAT_V2 => {
                let open = self.file.as_mut().map(Open::write).transpose()?;
                return Ok(open.unwrap_or(Taken::Kept));
            }
            EventType::FORMAT_DESCRIPTION => {
                let step = self.groups.event(&mut self.decoder, bytes)?;
                let open = self.current()?;
                // In the middle of a file it is sent again, and has no place there.
                if open.end > FIRST || header.log_pos == 0 {
                    return open.check_begun(header.timestamp).map(|()| Taken::Kept);
                }
                open.begun = Some(header.timestamp);
                return self.append(bytes, &header, step);
            }
            _ if header.is_artificial() || self.stands_nowhere(&header) => return Ok(Taken::Kept),
            EventType::MARIADB_START_ENCRYPTION => {
                // What the server sends is decrypted: a reader must not decrypt it once more.
                let size = u64::from(header.event_size);
                let place = self.current()?.end + size;
                return self.fill(size, place, header.server_id);
            }
            _ => {}
        }
        self.fill_up(&header)?;
        let step = self.groups.event(&mut self.decoder, bytes)?;
        self.append(bytes, &header, step)
    }

    /// MySQL's events know where they stand; MariaDB's in the middle of a group need not.
    fn stands_nowhere(&self, header: &EventHeader) -> bool {
        let head =
            matches!(header.event_type, EventType::PREVIOUS_GTIDS | EventType::MARIADB_GTID_LIST);
        header.log_pos == 0 && (head || self.flavor == Flavor::MySql)
    }

    fn current(&mut self) -> Result<&mut Open> {
        self.file.as_mut().ok_or_else(|| {
            Error::new(&codes::RELAY_READ, "the server sends events before it names their file")
                .transient()
        })
    }

    /// Fills the place of events that the server left out.
    fn fill_up(&mut self, header: &EventHeader) -> Result<()> {
        let open = self.current()?;
        let Some(end) = header.end_offset(open.end) else { return Ok(()) };
        let begin = end.wrapping_sub(u64::from(header.event_size));
        if begin == open.end {
            return Ok(());
        }
        // An event that begins before the end of the file would make it longer by 4 GiB.
        if end - open.end > u64::from(u32::MAX / 2) || begin < open.end {
            let text = format!(
                "{} is at {}, and the server goes on with an event of {} bytes that ends at {}",
                open.name, open.end, header.event_size, header.log_pos
            );
            return Err(Error::new(&codes::RELAY_READ, text).transient());
        }
        let size = begin - open.end;
        self.fill(size, begin, header.server_id).map(|_| ())
    }

    fn fill(&mut self, size: u64, end: u64, server_id: u32) -> Result<Taken> {
        let checksum = self.decoder.format().map_or(Checksum::None, |format| format.checksum);
        let event = filler(size, end, server_id, checksum).ok_or_else(|| {
            let text =
                format!("{size} bytes before offset {end} are missing, too few for an event");
            Error::new(&codes::RELAY_READ, text).transient()
        })?;
        let header = EventHeader::parse(&event)?;
        let step = self.groups.event(&mut self.decoder, &event)?;
        self.append(&event, &header, step)
    }

    fn append(&mut self, bytes: &[u8], header: &EventHeader, step: Step) -> Result<Taken> {
        let open = self.current()?;
        let begin = open.end;
        open.buffer.extend_from_slice(bytes);
        open.end += bytes.len() as u64;
        let (whole, gtid, before) = match step {
            Step::Inside => (None, None, None),
            Step::Whole(gtid) => (Some(open.end), gtid, None),
            Step::Follows(gtid) => (Some(begin), gtid, None),
            Step::Before(set) => (Some(open.end), None, Some(set)),
        };
        open.whole = whole.unwrap_or(open.whole);
        let ends = whole.is_some();
        gtid.map_or(Ok(()), |gtid| self.done.add(&gtid))?;
        before.map_or(Ok(()), |set| self.done.union(&set))?;
        if header.event_type == EventType::ROTATE {
            if let EventBody::Rotate(rotate) = self.decoder.decode(bytes)?.body {
                self.enter(&rotate.file.parse()?)?;
            }
            return Ok(Taken::Written);
        }
        let open = self.current()?;
        if !ends && open.buffer.len() < BUFFER {
            return Ok(Taken::Kept);
        }
        let taken = open.write()?;
        if self.noted.elapsed() >= META_INTERVAL {
            self.note()?;
        }
        Ok(taken)
    }

    /// The server goes on with this file.
    fn enter(&mut self, name: &BinlogFile) -> Result<Taken> {
        match &mut self.file {
            Some(open) if open.name == *name => return Ok(Taken::Kept),
            Some(open) => {
                open.write()?;
                open.file.sync_data().map_err(|e| failed(&open.path, "cannot write", e))?;
            }
            None => {}
        }
        let path = self.dir.sub(&self.sub).join(name.to_string());
        let there = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        if there > FIRST {
            return Err(reset(name, &format!("is here already with {there} bytes")));
        }
        self.groups = Groups::default();
        self.file = Some(Open::at(name.clone(), path, 0)?);
        self.note()?;
        Ok(Taken::Written)
    }

    /// Writes everything down, so that also a crash of the machine leaves it.
    pub fn note(&mut self) -> Result<()> {
        self.noted = Instant::now();
        if let Some(open) = &mut self.file {
            open.write()?;
            open.file.sync_data().map_err(|e| failed(&open.path, "cannot write", e))?;
        }
        let gtid = Some(self.done.clone()).filter(|set| !set.is_empty());
        self.dir.set_meta(&self.sub, &Meta { pos: self.whole(), gtid })
    }

    /// Cuts off what is not whole and ends the part.
    pub fn close(mut self) -> Result<()> {
        if let Some(open) = &mut self.file {
            open.write()?;
            open.cut_off()?;
        }
        self.note()
    }
}

/// A server whose files are others than those of before, under the same names.
fn reset(name: &BinlogFile, why: &str) -> Error {
    let text = format!("the server's {name} {why}: it was reset, and numbers its files anew");
    Error::new(&codes::RELAY_OTHER_SERVER, text).workaround(
        "Stop the tasks of this source, remove its relay log directory, and start them again; \
         positions by file and offset of before mean nothing any more.",
    )
}

impl Open {
    /// Fails when the server began its file of this name at another time than this one.
    fn check_begun(&self, at: u32) -> Result<()> {
        match self.begun {
            Some(begun) if begun != at => {
                Err(reset(&self.name, &format!("was begun at {at}, the one here at {begun}")))
            }
            _ => Ok(()),
        }
    }

    /// Opens a file for what comes behind an offset; one that does not even have its first bytes gets
    /// them.
    fn at(name: BinlogFile, path: PathBuf, offset: u64) -> Result<Self> {
        let cannot = |e| failed(&path, "cannot write", e);
        let mut file = state::private(true).create(true).open(&path).map_err(cannot)?;
        let mut end = offset;
        if offset < FIRST {
            file.set_len(0).and_then(|()| file.write_all(&MAGIC)).map_err(cannot)?;
            end = FIRST;
        }
        let begun = begun_at(&mut file).map_err(cannot)?;
        file.seek(SeekFrom::Start(end)).map_err(cannot)?;
        Ok(Self { name, path, file, buffer: Vec::new(), end, whole: end, begun })
    }

    /// Shows readers what has come.
    fn write(&mut self) -> Result<Taken> {
        if self.buffer.is_empty() {
            return Ok(Taken::Kept);
        }
        self.file.write_all(&self.buffer).map_err(|e| failed(&self.path, "cannot write", e))?;
        if self.buffer.capacity() > 4 * BUFFER {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        Ok(Taken::Written)
    }

    /// Takes back what is not whole.
    fn cut_off(&mut self) -> Result<()> {
        if self.end == self.whole {
            return Ok(());
        }
        let cannot = |e| failed(&self.path, "cannot cut off", e);
        self.file.set_len(self.whole).map_err(cannot)?;
        self.file.seek(SeekFrom::Start(self.whole)).map_err(cannot)?;
        self.end = self.whole;
        Ok(())
    }
}

/// The time in the first event of a file, which is its description.
fn begun_at(file: &mut File) -> std::io::Result<Option<u32>> {
    let mut time = Vec::new();
    file.seek(SeekFrom::Start(FIRST))?;
    file.take(4).read_to_end(&mut time)?;
    Ok(<[u8; 4]>::try_from(time.as_slice()).ok().map(u32::from_le_bytes))
}

#[cfg(test)]
#[path = "tests/writer.rs"]
pub(super) mod tests;
