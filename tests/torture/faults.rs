//! What is broken on purpose, and the book that is kept of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::support::random::Random;

/// A fault, with how long it lasts where it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of `dm`, which is started again after this time.
    KillDm(Duration),
    /// SIGINT: it has to end in order, and soon.
    StopDm,
    /// SIGSTOP and SIGCONT.
    FreezeDm(Duration),
    /// SIGKILL of a server, started again at once.
    Kill(Side),
    /// A clean restart.
    Restart(Side),
    /// SIGSTOP and SIGCONT of a server.
    Freeze(Side, Duration),
    /// All connections through the proxy end.
    Cut(Side),
    /// Nobody gets through.
    Refuse(Side, Duration),
    /// Packets are lost; then the connections end, or go on.
    BlackHole(Side, Duration, bool),
    /// Each packet is late.
    Delay(Side, Duration),
    /// Few bytes a second.
    Throttle(Side, Duration),
    /// Somebody holds locks on rows of the target.
    LockTarget(Duration),
    /// A large transaction at the source.
    Large(u64),
    /// A new binlog file at the source.
    Rotate,
    /// `dm` is killed, and a server at the same moment.
    KillBoth(Side),
    /// A source dies, and its replica takes its place.
    FailOver(usize),
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A source, by number.
    Source(usize),
    /// The target.
    Target,
}

impl Fault {
    /// The next one of a seed; sources fail over where they have replicas.
    pub fn next(random: &mut Random, sources: usize, replicas: bool) -> Self {
        let side = if random.one_in(2) {
            Side::Target
        } else {
            Side::Source(usize::try_from(random.below(sources as u64)).unwrap_or(0))
        };
        let time = Duration::from_millis(200 + random.below(3_500));
        match random.below(if replicas { 52 } else { 40 }) {
            0..=9 => Self::KillDm(if random.one_in(2) { Duration::ZERO } else { time / 4 }),
            10 | 11 => Self::StopDm,
            12 => Self::FreezeDm(time),
            13..=15 => Self::Kill(side),
            16 => Self::Restart(side),
            17 | 18 => Self::Freeze(side, time),
            19..=22 => Self::Cut(side),
            23 | 24 => Self::Refuse(side, time),
            25..=27 => Self::BlackHole(side, time, random.one_in(2)),
            28 => Self::Delay(side, time),
            29 => Self::Throttle(side, time),
            30..=32 => Self::LockTarget(time),
            33 => Self::Large(2_000 + random.below(98_000)),
            34 => Self::Large(500 + random.below(5_000)),
            35 | 36 => Self::Rotate,
            37..=39 => Self::KillBoth(side),
            at => Self::FailOver(usize::try_from((at - 40) % sources as u64).unwrap_or(0)),
        }
    }

    /// True when servers are not reachable for a while, so that a `dm` that starts may end.
    pub fn disturbs(self) -> bool {
        !matches!(
            self,
            Self::KillDm(_)
                | Self::StopDm
                | Self::FreezeDm(_)
                | Self::LockTarget(_)
                | Self::Large(_)
                | Self::Rotate
        )
    }

    /// Its name in the book.
    pub fn name(self) -> String {
        let side = |s: Side| if s == Side::Target { "target" } else { "source" };
        match self {
            Self::KillDm(_) => "kill dm".to_owned(),
            Self::StopDm => "stop dm".to_owned(),
            Self::FreezeDm(_) => "freeze dm".to_owned(),
            Self::Kill(s) => format!("kill {}", side(s)),
            Self::Restart(s) => format!("restart {}", side(s)),
            Self::Freeze(s, _) => format!("freeze {}", side(s)),
            Self::Cut(s) => format!("cut {}", side(s)),
            Self::Refuse(s, _) => format!("refuse {}", side(s)),
            Self::BlackHole(s, _, _) => format!("black hole {}", side(s)),
            Self::Delay(s, _) => format!("delay {}", side(s)),
            Self::Throttle(s, _) => format!("throttle {}", side(s)),
            Self::LockTarget(_) => "lock rows".to_owned(),
            Self::Large(_) => "large transaction".to_owned(),
            Self::Rotate => "rotate".to_owned(),
            Self::KillBoth(s) => format!("kill dm and {}", side(s)),
            Self::FailOver(_) => "failover to a replica".to_owned(),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Faults by name.
    pub faults: BTreeMap<String, u64>,
    /// Transactions of the load.
    pub transactions: u64,
    /// Statements that changed tables.
    pub statements: u64,
    /// Prepared transactions that were decided.
    pub xa: u64,
    /// Starts of `dm`.
    pub starts: u64,
    /// Times that `dm` ended by itself because a server was away when it started.
    pub ended: u64,
    /// Rows compared.
    pub rows: u64,
    /// Tables compared.
    pub tables: u64,
}

impl Tally {
    /// Notes a fault.
    pub fn note(&mut self, fault: Fault) {
        *self.faults.entry(fault.name()).or_default() += 1;
    }

    /// A fault that did not happen.
    pub fn undone(&mut self, fault: Fault) {
        self.faults.entry(fault.name()).and_modify(|n| *n -= 1);
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.faults {
            *self.faults.entry(name.clone()).or_default() += count;
        }
        self.transactions += other.transactions;
        self.statements += other.statements;
        self.xa += other.xa;
        self.starts += other.starts;
        self.ended += other.ended;
        self.rows += other.rows;
        self.tables += other.tables;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} transactions, {} statements, {} XA, {} starts ({} ended because a server was away), {} rows in {} tables compared; {} faults:",
            self.transactions,
            self.statements,
            self.xa,
            self.starts,
            self.ended,
            self.rows,
            self.tables,
            self.faults.values().sum::<u64>()
        )?;
        self.faults.iter().try_for_each(|(name, count)| write!(f, " {name} {count},"))
    }
}
