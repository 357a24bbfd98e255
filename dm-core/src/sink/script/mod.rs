//! The script sink: the SQL that a MySQL or TiDB target would be told, as text.
//!
//! For dry runs and for targets that cannot be reached from here. Every chunk, every source
//! transaction and every statement stands in the order in which it was committed here, with a
//! comment that says where it comes from; nothing in the text depends on the clock or on chance.
//!
//! Guarantee: a *file* gets everything exactly once. Marks are comment lines in the file itself
//! (`journal`): the unit that a crash cut off is removed when the file is opened again, and what
//! the marks name is skipped. The file is locked while it is open, so that there is one process to
//! write it; within the process a replaced writer is refused. Any other output (a pipe, a
//! terminal) cannot be read back: there the sink is at-least-once and says so.
//!
//! When the machine itself dies, what the file system had not written is lost. So a chunk is on the
//! disk when it counts as done, and the batches and statements of the stream are before a checkpoint
//! says that it lies behind them ([`Sink::make_durable`]): syncing each of them would take longer than
//! writing them. What was lost behind the last sync leaves no text or zeros: the
//! script ends before these when it is opened again, and its marks say from where to go on.
//!
//! Structures come from the statements that pass through; a table that none of them made is
//! written with all columns in its conditions. A statement stands in the session that it ran in (`session`).

mod journal;
mod session;
mod text;
mod writer;

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_filter::TableName;

use super::sqlite::gate::Gate;
use super::{DdlOutcome, Guarantees, Recovered, Sink, Slot, TargetDdl, Writer};
use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, LaneId};
use crate::schema::{TableSchema, create_table};
use journal::{Journal, Line, ddl_unit};
use writer::ScriptWriter;

/// How long another writer may do nothing before one that waits gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every script begins with: the session that its literals are written for.
const HEAD: &str = "SET NAMES utf8mb4;\nSET time_zone='+00:00';\nSET foreign_key_checks=0;\n\
    SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,STRICT_ALL_TABLES';\n";

enum Output {
    File(Arc<File>),
    Stream(Box<dyn Write + Send>),
}

struct State {
    out: Output,
    journal: Journal,
    /// Who may write: the last writer of each slot.
    holders: HashMap<(String, LaneId, u32), u64>,
    opened: u64,
    /// An earlier write failed half way: what follows would stand behind rubbish.
    broken: bool,
    /// There is text that no sync has been begun for.
    unsynced: bool,
}

struct Shared {
    gate: Arc<Gate>,
    state: Mutex<State>,
    /// Held by who syncs while others write: that text is on the disk holds when it is free.
    syncing: Mutex<()>,
    is_file: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that everything written before is on the disk; nobody who writes meanwhile waits.
    fn sync(&self) -> Result<()> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        let Output::File(file) = &state.out else { return Ok(()) };
        let file = Arc::clone(file);
        if !std::mem::take(&mut state.unsynced) {
            return state.whole();
        }
        drop(state);
        file.sync_data().map_err(|e| self.state().fails(e))
    }
}

impl State {
    /// Writes text as it is.
    fn write(&mut self, text: &str) -> Result<()> {
        self.whole()?;
        self.unsynced = true;
        let done = match &mut self.out {
            Output::File(file) => (&**file).write_all(text.as_bytes()),
            Output::Stream(stream) => {
                stream.write_all(text.as_bytes()).and_then(|()| stream.flush())
            }
        };
        done.map_err(|e| self.fails(e))
    }

    /// # Errors
    ///
    /// When an earlier write or sync failed.
    fn whole(&self) -> Result<()> {
        match self.broken {
            true => Err(Error::new(&codes::DB_EXECUTE, "the script ended in an earlier failure")),
            false => Ok(()),
        }
    }

    fn fails(&mut self, e: std::io::Error) -> Error {
        self.broken = true;
        Error::new(&codes::DB_EXECUTE, "the script could not be written").cause(e)
    }

    /// Ends a unit: what the line says holds from here on, if this process dies as well.
    fn end(&mut self, line: &Line) -> Result<()> {
        self.write(&line.text())?;
        self.journal.add(line)
    }

    /// Ends a unit, and everything up to here: it holds if the machine dies as well.
    fn end_durable(&mut self, line: &Line) -> Result<()> {
        self.end(line)?;
        if let Output::File(file) = &self.out {
            let done = file.sync_data();
            done.map_err(|e| self.fails(e))?;
        }
        self.unsynced = false;
        Ok(())
    }
}

/// A SQL script as a target.
pub struct ScriptSink {
    shared: Arc<Shared>,
}

impl ScriptSink {
    /// Appends to a file, or makes it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, another process writes it, or its marks are damaged.
    pub fn file(path: &Path) -> Result<Self> {
        let fail = |e: std::io::Error| {
            Error::new(&codes::TARGET_OPEN, format!("{} could not be opened", path.display()))
                .cause(e)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    &codes::TARGET_BUSY,
                    format!("another process writes {}", path.display()),
                ));
            }
            Err(TryLockError::Error(e)) => return Err(fail(e)),
        }
        let mut journal = Journal::default();
        let whole = journal.read(&mut BufReader::new(&mut file))?;
        let length = file.metadata().map_err(fail)?.len();
        if whole == 0 && length > 0 && !is_cut_head(&mut file).map_err(fail)? {
            return Err(Error::new(
                &codes::TARGET_OPEN,
                format!("{} is not a script of this program", path.display()),
            ));
        }
        file.set_len(whole).map_err(fail)?;
        file.seek(SeekFrom::Start(whole)).map_err(fail)?;
        Self::new(Output::File(Arc::new(file)), journal, whole == 0)
    }

    /// Writes to a pipe, a terminal or memory.
    ///
    /// # Errors
    ///
    /// When the first lines cannot be written.
    pub fn stream(out: Box<dyn Write + Send>) -> Result<Self> {
        Self::new(Output::Stream(out), Journal::default(), true)
    }

    fn new(out: Output, journal: Journal, fresh: bool) -> Result<Self> {
        let is_file = matches!(out, Output::File(_));
        let mut state = State {
            out,
            journal,
            holders: HashMap::new(),
            opened: 0,
            broken: false,
            unsynced: false,
        };
        if fresh {
            state.write(HEAD)?;
            state.end_durable(&Line::Done)?;
        }
        let (state, syncing) = (Mutex::new(state), Mutex::default());
        let shared = Shared { gate: Gate::new(PATIENCE), state, syncing, is_file };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Tells the structure of a table that is at the target already.
    pub fn know(&self, table: TableName, schema: Arc<TableSchema>) {
        self.shared.state().journal.tracker.set(table, schema, true);
    }

    fn unit(&self, text: &str, line: &Line) -> Result<()> {
        let _turn = self.shared.gate.enter(None)?;
        let mut state = self.shared.state();
        state.write(text)?;
        state.end_durable(line)
    }
}

/// True for a file that was cut within its first lines.
fn is_cut_head(file: &mut File) -> std::io::Result<bool> {
    use std::io::Read as _;
    let mut have = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(HEAD.len() as u64 + 64).read_to_end(&mut have)?;
    let want = format!("{HEAD}{}", Line::Done.text());
    Ok(want.as_bytes().starts_with(&have))
}

impl Sink for ScriptSink {
    fn guarantees(&self) -> Guarantees {
        let exact = if self.shared.is_file { Guarantees::exact() } else { Guarantees::none() };
        Guarantees {
            transactional_ddl: self.shared.is_file,
            remembers_statements: self.shared.is_file,
            one_writer: true,
            ..exact
        }
    }

    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        let line = Line::Task { task: task.to_owned(), identity: identity.to_owned() };
        let _turn = self.shared.gate.enter(None)?;
        let mut state = self.shared.state();
        // First the comparison: a foreign line must not get into the file.
        state.journal.add(&line)?;
        state.end_durable(&line)
    }

    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        Ok(self.shared.state().journal.tracker.table(table).cloned())
    }

    fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        let state = self.shared.state();
        let found = state.journal.tracker.table(table);
        Ok(found.map(|schema| create_table(table, schema)))
    }

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        let (line, text) = ddl_unit(ddl);
        let _turn = self.shared.gate.enter(None)?;
        let mut state = self.shared.state();
        if state.journal.has_run(&line) {
            return Ok(DdlOutcome::Done);
        }
        // A statement that does not fit fails before anything is written.
        state.journal.add(&line)?;
        state.write(&line.text())?;
        state.write(&text)?;
        match self.runs_once(ddl) {
            // If it is lost with the machine it is given again.
            true => state.end(&Line::Done)?,
            false => state.end_durable(&Line::Done)?,
        }
        Ok(DdlOutcome::Done)
    }

    /// A statement and its number are in the script together or not at all.
    fn runs_once(&self, ddl: &TargetDdl) -> bool {
        self.shared.is_file && ddl.once.is_some() && ddl.lane.is_some()
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        let _turn = self.shared.gate.enter(Some(stop))?;
        let mut state = self.shared.state();
        state.holders.retain(|(t, l, _), _| t != task || l != lane);
        Ok(state.journal.recovered(task, lane))
    }

    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        Ok(self.shared.state().journal.chunks(task, lane))
    }

    fn make_durable(&self) -> Result<()> {
        // Not behind the gate: a transaction in parts would hold a checkpoint up.
        self.shared.sync()
    }

    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        let line = Line::Forget { task: task.to_owned(), lane: lane.clone(), epoch, chunks };
        self.unit("", &line)
    }

    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        let target = (table.schema.clone(), table.table.clone());
        let line = Line::Empty { task: task.to_owned(), lane: lane.clone(), target };
        self.unit(&format!("DELETE FROM {};\n", crate::sql::quote_table(table)), &line)
    }

    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        let _turn = self.shared.gate.enter(Some(stop))?;
        let mut state = self.shared.state();
        state.opened += 1;
        let number = state.opened;
        state.holders.insert((slot.task.clone(), slot.lane.clone(), slot.worker), number);
        drop(state);
        Ok(Box::new(ScriptWriter::new(Arc::clone(&self.shared), slot.clone(), number)))
    }
}

#[cfg(test)]
mod tests;
