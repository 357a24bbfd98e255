//! Binlog files that lie here: their heads, and readers in the middle of them.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use super::Translator;
use crate::binlog::{Decoder, EventBody, FileReader, Framed};
use crate::error::{Error, Result, codes};
use crate::position::{BinlogFile, BinlogPos, Flavor, GtidSet};

/// Reads events out of a file.
pub(crate) type Reader = FileReader<BufReader<File>>;

/// Where the first event of a file stands.
pub(crate) const FIRST_EVENT: u64 = 4;
/// Events at the start of a file that describe it.
const HEAD_EVENTS: usize = 4;
/// Bytes that are read at a time.
const BUFFER: usize = 1 << 18;

/// What the head of a file says.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Version text of the server.
    pub version: String,
    pub flavor: Flavor,
    pub server_id: u32,
    /// What was executed before the file.
    pub before: Option<GtidSet>,
}

/// The head of a file; the flavor is told from it unless it is given.
pub(crate) fn head_of(path: &Path, flavor: Option<Flavor>) -> Result<Head> {
    let damaged =
        |what: &str| Error::new(&codes::BINLOG_FILE_PARSE, format!("{}: {what}", path.display()));
    let mut reader = open(path)?.ok_or_else(|| damaged("the file is empty"))?;
    let mut decoder = Decoder::new(flavor.unwrap_or_default());
    let mut head: Option<Head> = None;
    for _ in 0..HEAD_EVENTS {
        let Framed::Event { header, bytes, .. } = reader.next_event()? else { break };
        match (decoder.decode(bytes)?.body, &mut head) {
            (EventBody::FormatDescription(format), _) => {
                let version = format.server_version;
                let told = match version.contains("MariaDB") {
                    true => Flavor::MariaDb,
                    false => Flavor::MySql,
                };
                let flavor = flavor.unwrap_or(told);
                head = Some(Head { version, flavor, server_id: header.server_id, before: None });
            }
            (EventBody::PreviousGtids(set), Some(head)) => {
                head.before = Some(GtidSet::MySql(set));
            }
            (EventBody::GtidList(set), Some(head)) => {
                head.before = Some(GtidSet::MariaDb(set));
            }
            (EventBody::Ignored, Some(_)) => {}
            _ => break,
        }
    }
    head.ok_or_else(|| damaged("it does not begin with a description of its format"))
}

/// What a file that cannot be read means.
pub(crate) fn unreadable(path: &Path, cause: std::io::Error) -> Error {
    Error::new(&codes::BINLOG_FILE_PARSE, format!("{} cannot be read", path.display()))
        .cause(cause)
        .workaround("Check that the file is there, and the rights to it.")
}

/// A reader behind the magic number; `None` for a file that is too short to have one.
pub(crate) fn open(path: &Path) -> Result<Option<Reader>> {
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    FileReader::open(BufReader::with_capacity(BUFFER, file)).map_err(|e| e.context(path.display()))
}

/// A reader at an offset at which an event begins.
pub(crate) fn reader_at(path: &Path, offset: u64) -> Result<Reader> {
    let mut file = File::open(path).map_err(|e| unreadable(path, e))?;
    file.seek(SeekFrom::Start(offset)).map_err(|e| unreadable(path, e))?;
    Ok(FileReader::resume(BufReader::with_capacity(BUFFER, file), offset))
}

/// A reader at an offset. The translator has seen the head of the file and stands there too.
pub(crate) fn open_at(
    name: &BinlogFile,
    path: &Path,
    offset: u64,
    translator: &mut Translator,
) -> Result<Option<Reader>> {
    let pos = BinlogPos::new(name.clone(), offset);
    let Some(mut reader) = open(path)? else { return Ok(None) };
    if offset > FIRST_EVENT {
        let bytes = std::fs::metadata(path).map_err(|e| unreadable(path, e))?.len();
        if offset > bytes {
            return Err(Error::new(
                &codes::SOURCE_POSITION_BEYOND,
                format!("{pos} is beyond the end of {}: {bytes}", path.display()),
            )
            .workaround(
                "Take the whole file: it was cut off, or the position is another file's.",
            ));
        }
        for _ in 0..HEAD_EVENTS {
            if reader.offset() >= offset {
                break;
            }
            let Framed::Event { bytes, .. } = reader.next_event()? else { break };
            translator.event(bytes, &mut |_| Ok(()))?;
        }
        reader = reader_at(path, offset)?;
    }
    translator.move_to(pos);
    Ok(Some(reader))
}

/// True for the events of groups that a set contains.
pub(crate) fn passes_over(event: &super::SourceEvent, set: &GtidSet, skipping: &mut bool) -> bool {
    use super::Body;
    match &event.body {
        Body::Gtid { gtid, .. } => *skipping = gtid.as_ref().is_some_and(|g| set.contains(g)),
        Body::Rotate | Body::Heartbeat => return false,
        _ => {}
    }
    *skipping
}
