//! One chunk of a copy on its way from a reader to a writer, again where the target fails in
//! passing. Before it is written again its mark is asked for: it may have arrived.

use std::borrow::Cow;

use crossbeam_channel::bounded;

use super::copy::{ATTEMPTS, Copy, Table};
use super::copy_work::Blocks;
use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, CopyBlock};
use crate::schema::Chunk;
use crate::sink::{LoadStats, LoadTarget, OnDuplicate, Slot, Writer};
use crate::source::ChunkReader;
use crate::whose::carried;

impl Copy {
    pub(super) fn chunk(
        &self,
        slot: &Slot,
        writer: &mut Option<Box<dyn Writer>>,
        reader: &mut dyn ChunkReader,
        table: &Table,
        chunk: &Chunk,
    ) -> Result<LoadStats> {
        let mark = ChunkMark {
            lane: self.lane.clone(),
            schema: table.copy.info.name.schema.clone(),
            table: table.copy.info.name.table.clone(),
            generation: table.generation,
            chunk: chunk.id,
        };
        let mut attempt = 0;
        loop {
            self.check_stop()?;
            let w = match writer.take() {
                Some(w) => w,
                None => {
                    let mut w = self.sink.writer(slot, &self.stop)?;
                    if attempt > 0 && w.is_loaded(&mark)? {
                        *writer = Some(w);
                        return Ok(LoadStats::default());
                    }
                    w
                }
            };
            let w = writer.insert(w);
            let target = self.aim(table, attempt);
            let error = match self.transfer(w.as_mut(), reader, table, &target, chunk, &mark) {
                Ok(stats) => return Ok(stats),
                Err(Failure::Source(error)) => return Err(error),
                Err(Failure::Target(error)) => error,
            };
            attempt += 1;
            // A duplicate key may be our own mark, committed by a connection that outlived its
            // process.
            if error.server_error() == Some(1062) && w.is_loaded(&mark)? {
                return Ok(LoadStats::default());
            }
            if !error.is_transient() || attempt >= ATTEMPTS {
                return Err(error);
            }
            log::warn!("a chunk of {} is written again after: {error}", table.copy.info.name);
            *writer = None;
        }
    }

    /// Where a chunk goes: one that may be there already, of which no mark tells, replaces its like.
    fn aim<'t>(&self, table: &'t Table, attempt: u32) -> Cow<'t, LoadTarget> {
        let mut target = Cow::Borrowed(&table.target);
        let again = attempt > 0 && !self.sink.guarantees().exactly_once;
        if again && target.on_duplicate == OnDuplicate::Error {
            target.to_mut().on_duplicate = OnDuplicate::Replace;
        }
        target
    }

    /// Reads and writes a chunk at the same time.
    fn transfer(
        &self,
        writer: &mut dyn Writer,
        reader: &mut dyn ChunkReader,
        table: &Table,
        target: &LoadTarget,
        chunk: &Chunk,
        mark: &ChunkMark,
    ) -> Result<LoadStats, Failure> {
        let (blocks_in, blocks_out) = bounded::<CopyBlock>(0);
        let block_bytes = self.settings.block_bytes;
        std::thread::scope(|scope| {
            let reading = scope.spawn(carried(move || {
                reader.read(&table.copy, chunk, block_bytes, &mut |block| {
                    blocks_in.send(block).map_err(|_| hung_up())
                })
            }));
            let mut stream = Blocks {
                blocks: blocks_out,
                rate: &self.rate,
                stop: &self.stop,
                reading: Some(reading),
                source: None,
            };
            let load = || writer.load(target, &mut stream, mark);
            let written = self.stats.meters.load_txn.time(load);
            let source = stream.end();
            match (written, source) {
                (Ok(stats), None) => Ok(stats),
                (_, Some(error)) => Err(Failure::Source(error)),
                (Err(error), None) => Err(Failure::Target(error)),
            }
        })
    }
}

enum Failure {
    Source(Error),
    Target(Error),
}

fn hung_up() -> Error {
    Error::new(&codes::STOPPED, "the writer of this chunk has ended")
}
