//! The GTID set of a stream that is read by file and offset.
//!
//! Guarantee: it becomes, and stays, exactly what the source has executed in front of the place. Obstacle: MySQL
//! says both at once but not of one instant: a transaction is in the file before it counts as executed, for as
//! long as a replica's word is waited for. A start that was taken in between has transactions in front of its
//! offset that its set lacks; they are never read, so the set would lack them for ever, and who compares it
//! with the server's would wait for ever. Method: what the server says of its end is a lower bound, too: its
//! set was taken before its offset. Once everything in front of that offset has been read, all of that set is
//! in. It is asked for at the start and at each checkpoint; a restart begins anew.

use std::time::{Duration, Instant};

use super::Stream;
use crate::error::Result;
use crate::position::{BinlogPos, Flavor, GtidSet, Position};

/// How often the source is asked.
const ASK: Duration = Duration::from_secs(30);

/// What the source said of its end.
#[derive(Default)]
pub(in crate::pipeline) struct Ends {
    by_file: bool,
    said: Option<(BinlogPos, GtidSet)>,
    asked: Option<Instant>,
}

impl Ends {
    /// Of a stream that was opened by file and offset, or by GTID.
    pub fn new(by_file: bool) -> Self {
        Self { by_file, ..Self::default() }
    }

    /// True when the place in the file tells what has been read.
    pub fn is_by_file(&self) -> bool {
        self.by_file
    }

    /// True when it is time to ask where the source ends.
    pub fn asks(&self, executed: Option<&GtidSet>) -> bool {
        self.by_file
            && self.said.is_none()
            && executed.is_some_and(|set| set.flavor() == Flavor::MySql)
            && self.asked.is_none_or(|at| at.elapsed() >= ASK)
    }

    /// Takes what the source said. One that cannot be asked is not asked again: the stream will
    /// say what is wrong with it, and a relay log goes on without it.
    pub fn said(&mut self, end: Result<Position>) {
        self.asked = Some(Instant::now());
        match end {
            Ok(Position { binlog: Some(pos), gtid: Some(set) }) => self.said = Some((pos, set)),
            Ok(_) => {}
            Err(error) => {
                self.by_file = false;
                log::debug!("the source does not say where it ends: {error}");
            }
        }
    }

    /// What the source said, once everything up to there has been read.
    pub fn reached(&mut self, seen: Option<&BinlogPos>) -> Option<(BinlogPos, GtidSet)> {
        self.said.take_if(|(pos, _)| seen.is_some_and(|seen| *seen >= *pos))
    }
}

impl Stream<'_> {
    /// Between groups: asks the source where it ends, and takes over what it said before.
    pub(super) fn look_at_end(&mut self) -> Result {
        if self.group.is_open() {
            return Ok(());
        }
        if self.ends.asks(self.executed.as_ref()) {
            let source = &*self.ctx.source;
            self.ends.said(source.info().and_then(|info| match self.history.is_of(&info.server) {
                true => source.end_position(),
                false => Ok(Position::default()),
            }));
        }
        if let Some((place, set)) = self.ends.reached(self.seen.as_ref()) {
            self.progress.has_executed(&place, &set)?;
            self.executed.as_mut().map_or(Ok(()), |executed| executed.union(&set))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, codes};

    fn pos(offset: u64) -> BinlogPos {
        BinlogPos::new("bin.000002".parse().unwrap(), offset)
    }

    fn set(text: &str) -> GtidSet {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        GtidSet::parse(Flavor::MySql, &format!("{uuid}:{text}")).unwrap()
    }

    #[test]
    fn what_the_source_said_counts_once_all_before_it_is_read() {
        let mut ends = Ends::new(true);
        assert!(ends.asks(Some(&set("1-3"))) && !ends.asks(None));
        ends.said(Ok(Position { binlog: Some(pos(500)), gtid: Some(set("1-9")) }));
        assert!(!ends.asks(Some(&set("1-3"))), "one answer at a time");
        assert_eq!(ends.reached(None), None);
        assert_eq!(ends.reached(Some(&pos(499))), None);
        assert_eq!(ends.reached(Some(&pos(500))), Some((pos(500), set("1-9"))));
        assert_eq!(ends.reached(Some(&pos(501))), None);
    }

    #[test]
    fn by_gtid_and_at_mariadb_nobody_asks() {
        assert!(!Ends::new(false).asks(Some(&set("1"))));
        let mariadb = GtidSet::parse(Flavor::MariaDb, "0-1-9").unwrap();
        assert!(!Ends::new(true).asks(Some(&mariadb)));
    }

    #[test]
    fn a_source_that_does_not_say_is_left_in_peace() {
        let mut ends = Ends::new(true);
        ends.said(Err(Error::new(&codes::DB_DRIVER, "away")));
        assert!(!ends.asks(Some(&set("1-3"))));
        assert!(!ends.is_by_file());
    }
}
