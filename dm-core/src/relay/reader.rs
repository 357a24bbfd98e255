//! The binlog of a server out of its relay log.
//!
//! [`RelaySource`] is the server with another stream: everything but the stream is asked of the server itself.
//! The stream follows the files while they are written, from file to file. At the end of a part, when the
//! source is another server from there on, it ends with an error that passes by itself, as a lost connection
//! does: whoever reads opens it again, by GTID, and goes on in the next part. The same happens when the
//! writer takes back a group of which the stream has given a part already.
//!
//! Where the relay log does not have what is needed (it begins later, or is not wanted), the stream is the
//! server's own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dm_filter::TableName;

use super::RelayConfig;
use super::begin::directory;
use super::history;
use super::keeper::{Keeper, Shared};
use super::layout::SubDir;
use super::locate::{Located, Place, locate};
use crate::binlog::Framed;
use crate::error::{Error, Result, codes};
use crate::position::{BinlogFile, BinlogPos, Flavor, GtidSet, Position};
use crate::source::binlog_file::{FIRST_EVENT, Reader, head_of, open_at, passes_over, reader_at};
use crate::source::queue::{Out, QueuedStream};
use crate::source::{
    Body, EventStream, LastGroup, Prepared, RowChoice, Snapshot, Source, SourceEvent, SourceInfo,
    TableChoice, TableInfo, Translator,
};
use crate::state::Stage;

/// DM's: how long the relay log may take to reach the place where following begins.
const BEHIND_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks while nothing is heard of the writer: it may be another process.
const LOOK: Duration = Duration::from_millis(5);
/// Between two looks whether another server's part follows.
const PART_LOOK: Duration = Duration::from_millis(100);
/// A stream that has nothing to say says so this often, as a server does.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A server whose binlog is read from its relay log.
pub struct RelaySource {
    live: Arc<dyn Source>,
    config: RelayConfig,
    wanted: Option<RowChoice>,
    keeper: Mutex<Option<Keeper>>,
    /// The server that positions by file and offset are of.
    server: Mutex<Option<String>>,
}

impl RelaySource {
    /// Wraps a server. Nothing is fetched before a copy or a stream begins.
    pub fn new(live: Arc<dyn Source>, config: RelayConfig, wanted: Option<RowChoice>) -> Self {
        Self { live, config, wanted, keeper: Mutex::default(), server: Mutex::default() }
    }

    /// Whether the binlog is to be read from the relay log.
    fn is_wanted(&self) -> bool {
        let said = directory(&self.config).wanted().ok().flatten();
        said.map_or(self.config.plan.enabled, |wanted| wanted.stage != Stage::Stopped)
    }

    /// Starts to keep the relay log, unless this process does already.
    fn keep(&self, hint: Option<&Position>) -> Result<Arc<Shared>> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = keeper.as_ref() {
            keeper.shared.kick();
            return Ok(Arc::clone(&keeper.shared));
        }
        let started = Keeper::start(self.config.clone(), hint.cloned())?;
        let shared = Arc::clone(&started.shared);
        *keeper = Some(started);
        Ok(shared)
    }

    fn expected(&self) -> Option<String> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the relay log has the place; `None` when it never will.
    fn place(&self, shared: &Shared, from: &Position) -> Result<Option<Place>> {
        let deadline = Instant::now() + BEHIND_PATIENCE;
        let server = self.expected();
        let mut seen = 0;
        loop {
            match locate(&shared.dir, from, self.config.use_gtid, server.as_deref())? {
                Located::At(place) => return Ok(Some(place)),
                Located::Before => return Ok(None),
                Located::Behind | Located::Nothing => {}
            }
            if let Some(error) = shared.failure() {
                return Err(error);
            }
            if shared.wanted() == Stage::Stopped {
                return Ok(None);
            }
            if Instant::now() >= deadline {
                let text = format!(
                    "the relay log {} has not reached {from} in {} s",
                    shared.dir.path().display(),
                    BEHIND_PATIENCE.as_secs()
                );
                return Err(Error::new(&codes::RELAY_BEHIND, text).transient());
            }
            seen = shared.wait_grown(seen, 20 * LOOK);
        }
    }
}

impl Source for RelaySource {
    fn info(&self) -> Result<SourceInfo> {
        self.live.info()
    }

    fn expect_server(&self, server: &str) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server.to_owned());
        self.live.expect_server(server);
    }

    fn end_position(&self) -> Result<Position> {
        self.live.end_position()
    }

    fn default_start(&self) -> Result<Position> {
        self.live.default_start()
    }

    fn position_at(&self, second: u32) -> Result<Position> {
        self.live.position_at(second)
    }

    /// The relay log begins before the copy does, so that it has everything behind the copy's
    /// position however long the copy takes.
    fn snapshot(&self, choose: &TableChoice, stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        if self.is_wanted() {
            let shared = self.keep(None)?;
            let deadline = Instant::now() + BEHIND_PATIENCE;
            while !shared.has_begun()
                && shared.failure().is_none()
                && !stop.load(Ordering::Relaxed)
                && Instant::now() < deadline
            {
                shared.wait_grown(0, LOOK);
            }
        }
        self.live.snapshot(choose, stop)
    }

    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.live.describe(table)
    }

    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        self.live.tables(choose)
    }

    fn system_offset(&self, at: u32) -> Result<Option<i32>> {
        self.live.system_offset(at)
    }

    fn prepared(&self) -> Result<Option<Prepared>> {
        self.live.prepared()
    }

    /// What is here is compared here: the server may have forgotten it.
    fn check_history(&self, last: &LastGroup, from: &Position) -> Result<()> {
        if self.is_wanted() {
            let (dir, server) = (directory(&self.config), self.expected());
            let here = locate(&dir, from, self.config.use_gtid, server.as_deref())?;
            if matches!(here, Located::At(_)) {
                return history::check(&dir, last);
            }
        }
        self.live.check_history(last, from)
    }

    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        if !self.is_wanted() {
            return self.live.open(from);
        }
        let shared = self.keep(Some(from))?;
        let Some(place) = self.place(&shared, from)? else {
            log::warn!(
                "source {}: the relay log {} does not have what lies behind {from}: it is read from \
                 the server itself",
                self.config.source,
                shared.dir.path().display()
            );
            return self.live.open(from);
        };
        let source = self.config.source.clone();
        let server = place.sub.server.clone();
        let mut stream = Follower::open(shared, place, self.wanted.clone())?;
        let queued = QueuedStream::spawn(&source, move |out| stream.step(out).map(|()| true))?;
        Ok(Box::new(queued.of(server, !self.config.use_gtid)))
    }
}

/// Reads files that are being written.
struct Follower {
    shared: Arc<Shared>,
    sub: SubDir,
    name: BinlogFile,
    reader: Option<Reader>,
    translator: Translator,
    contained: Option<GtidSet>,
    skipping: bool,
    /// What was seen of the writer's work.
    seen: u64,
    /// When something was last said.
    said: Instant,
    /// When it was last looked for another part.
    parted: Instant,
}

impl Follower {
    fn open(shared: Arc<Shared>, place: Place, wanted: Option<RowChoice>) -> Result<Self> {
        let flavor: Flavor = head_of(&place.path, None)?.flavor;
        let start = BinlogPos::new(place.file.clone(), FIRST_EVENT);
        let mut translator = Translator::new(flavor, start, true).wanting(wanted);
        let reader = open_at(&place.file, &place.path, place.offset, &mut translator)?;
        Ok(Self {
            seen: shared.seen(),
            shared,
            sub: place.sub,
            name: place.file,
            reader,
            translator,
            contained: place.contained,
            skipping: false,
            said: Instant::now(),
            parted: Instant::now(),
        })
    }

    /// Tells the next event; waits for it, and says at least each second that nothing came.
    fn step(&mut self, out: Out<'_>) -> Result<()> {
        loop {
            // Asked before the file is read: when a file follows, this one is whole.
            let seen = self.shared.seen();
            if self.event(out)? {
                self.said = Instant::now();
                return Ok(());
            }
            let next = self.next_file();
            let ended = next.is_some() || self.next_part()?;
            if ended && self.event(out)? {
                return Ok(());
            }
            match next {
                Some(name) => self.enter(name)?,
                None if ended => return Err(self.switched()),
                None => {
                    self.look()?;
                    self.seen = self.shared.wait_grown(seen, LOOK);
                    if self.said.elapsed() >= HEARTBEAT {
                        self.said = Instant::now();
                        self.ask()?;
                        return self.heartbeat(out);
                    }
                }
            }
        }
    }

    /// Tells the next event that is whole; false when there is none.
    fn event(&mut self, out: Out<'_>) -> Result<bool> {
        let Some(reader) = &mut self.reader else {
            let path = self.shared.dir.sub(&self.sub).join(self.name.to_string());
            self.reader = open_at(&self.name, &path, FIRST_EVENT, &mut self.translator)?;
            return match self.reader {
                Some(_) => self.event(out),
                None => Ok(false),
            };
        };
        let framed = reader.next_event()?;
        let torn = matches!(framed, Framed::Torn { .. });
        if let Framed::Event { bytes, .. } = framed {
            let (contained, skipping) = (self.contained.as_ref(), &mut self.skipping);
            self.translator.event(bytes, &mut |event| match contained {
                Some(set) if passes_over(&event, set, skipping) => Ok(()),
                _ => out(event),
            })?;
            return Ok(true);
        }
        let (offset, path) =
            (reader.offset(), self.shared.dir.sub(&self.sub).join(self.name.to_string()));
        let there = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        if there < offset {
            let text = format!("{} was cut off at {there}, {offset} was read", path.display());
            return Err(Error::new(&codes::SYNC_READ, text).transient());
        }
        if torn {
            // A part of the event is in the reader already.
            self.reader = Some(reader_at(&path, offset)?);
        }
        Ok(false)
    }

    fn next_file(&self) -> Option<BinlogFile> {
        let next = self.name.next();
        let path = self.shared.dir.sub(&self.sub).join(next.to_string());
        path.exists().then_some(next)
    }

    /// True when another server's part follows.
    fn next_part(&mut self) -> Result<bool> {
        // Seldom, and it costs reading a file.
        if self.parted.elapsed() < PART_LOOK {
            return Ok(false);
        }
        self.parted = Instant::now();
        let last = self.shared.dir.subdirs()?.pop();
        Ok(last.is_some_and(|last| last != self.sub))
    }

    fn enter(&mut self, name: BinlogFile) -> Result<()> {
        let path = self.shared.dir.sub(&self.sub).join(name.to_string());
        self.reader = open_at(&name, &path, FIRST_EVENT, &mut self.translator)?;
        self.translator.move_to(BinlogPos::new(name.clone(), FIRST_EVENT));
        self.name = name;
        Ok(())
    }

    fn switched(&self) -> Error {
        let text = format!(
            "the relay log goes on with another server behind {} of {}",
            self.translator.position(),
            self.sub
        );
        Error::new(&codes::SYNC_READ, text).transient()
    }

    /// What may keep the writer from going on for ever.
    fn look(&self) -> Result<()> {
        self.shared.failure_here().map_or(Ok(()), Err)
    }

    /// The same, where files have to be read.
    fn ask(&self) -> Result<()> {
        if self.shared.wanted() == Stage::Stopped {
            let text = "the relay was stopped: the binlog is read from the server itself";
            return Err(Error::new(&codes::SYNC_READ, text).transient());
        }
        self.shared.failure().map_or(Ok(()), Err)
    }

    fn heartbeat(&mut self, out: Out<'_>) -> Result<()> {
        let pos = self.translator.position().clone();
        out(SourceEvent { start: pos.clone(), end: pos, at: 0, body: Body::Heartbeat, print: None })
    }
}
