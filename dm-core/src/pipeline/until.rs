//! How far a stream is to run.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use super::stream::Stream;
use crate::error::Result;
use crate::position::{BinlogPos, GtidSet, Position};
use crate::source::Source;

/// How far to run.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Until {
    /// Until it is stopped.
    #[default]
    Stopped,
    /// Until the target has everything that the source has. A source that is written all the time
    /// moves on meanwhile: its end is asked anew as long as the distance shrinks.
    CaughtUp,
    /// Until this position is reached or passed.
    Position(Position),
    /// Up to the end of the first transaction or statement that was written at or after this second
    /// (since the epoch).
    Time(u32),
}

/// Rounds of asking a busy source anew where it ends.
const ROUNDS: u32 = 5;

/// The point that a run is to reach.
pub(super) struct Goal {
    until: Until,
    target: Option<Position>,
    rounds: u32,
    asked: Instant,
    /// How long the last round took.
    took: Duration,
}

impl Until {
    pub(super) fn goal(&self, source: &dyn Source) -> Result<Goal> {
        let target = match self {
            Self::CaughtUp => Some(source.end_position()?),
            Self::Position(position) => Some(position.clone()),
            Self::Stopped | Self::Time(_) => None,
        };
        let (asked, took) = (Instant::now(), Duration::MAX);
        Ok(Goal { until: self.clone(), target, rounds: ROUNDS, asked, took })
    }
}

impl Goal {
    /// A cheap look: false when the goal is certainly not reached.
    pub fn may_be_reached(&self, stream: &Stream<'_>) -> bool {
        match (&self.until, &self.target) {
            (Until::Stopped, _) => false,
            (Until::Time(second), _) => stream.read_at >= *second,
            (_, Some(target)) => has_passed(stream, target),
            (_, None) => false,
        }
    }

    /// The whole question; asks the source anew when it is to be caught up with.
    pub fn is_reached(&mut self, stream: &Stream<'_>, source: &dyn Source) -> Result<bool> {
        if self.until != Until::CaughtUp {
            return Ok(true);
        }
        self.rounds = self.rounds.saturating_sub(1);
        let took = self.asked.elapsed();
        let nearer = took < self.took / 2;
        (self.asked, self.took) = (Instant::now(), took);
        let end = source.end_position()?;
        let reached = has_passed(stream, &end);
        self.target = Some(end);
        Ok(reached || self.rounds == 0 || !nearer)
    }
}

/// True when the stream has read everything in `target`. Asked at the end of every group.
fn has_passed(stream: &Stream<'_>, target: &Position) -> bool {
    if stream.ends.is_by_file()
        && let (Some(have), Some(want)) = (&stream.seen, &target.binlog)
    {
        return have >= want;
    }
    contains(stream.seen.as_ref(), stream.executed.as_ref(), target)
}

/// True when everything in `target` is in `position`.
pub(crate) fn covers(position: &Position, target: &Position) -> bool {
    contains(position.binlog.as_ref(), position.gtid.as_ref(), target)
}

fn contains(binlog: Option<&BinlogPos>, gtid: Option<&GtidSet>, target: &Position) -> bool {
    if let (Some(have), Some(want)) = (gtid, &target.gtid) {
        return want.is_subset(have);
    }
    match (binlog, &target.binlog) {
        (Some(have), Some(want)) => {
            matches!(have.partial_cmp(want), Some(Ordering::Equal | Ordering::Greater))
        }
        _ => false,
    }
}
