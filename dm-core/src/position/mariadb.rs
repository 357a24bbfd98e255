//! MariaDB's GTIDs: `domain-server-sequence`.
//!
//! A MariaDB server keeps no list of everything executed. Its position is the *last* GTID of each
//! domain, and within a domain the sequence numbers ascend (always in strict mode, and in any sane
//! topology otherwise). So a set is, per domain, the last GTID; whatever has a smaller number is
//! in it. Where several servers have written into one domain and their numbers did not ascend
//! together, the last number of each of these servers decides instead: that is why they are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::PositionError;

/// A transaction's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MariaDbGtid {
    /// Replication domain: an independent stream.
    pub domain: u32,
    /// The server that wrote it first.
    pub server: u32,
    /// Number within the domain.
    pub seq: u64,
}

impl MariaDbGtid {
    /// A GTID of its three numbers.
    pub fn new(domain: u32, server: u32, seq: u64) -> Self {
        Self { domain, server, seq }
    }
}

impl fmt::Display for MariaDbGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.seq)
    }
}

impl FromStr for MariaDbGtid {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let bad = || PositionError::gtid(text, "expected domain-server-sequence");
        let mut parts = text.trim().split('-');
        let mut next = || {
            let part = parts.next().filter(|p| p.bytes().all(|b| b.is_ascii_digit()));
            part.and_then(|p| p.parse::<u64>().ok()).ok_or_else(bad)
        };
        let (domain, server, seq) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(bad());
        }
        let narrow = |v: u64| u32::try_from(v).map_err(|_| bad());
        Ok(Self { domain: narrow(domain)?, server: narrow(server)?, seq })
    }
}

/// What one domain has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Domain {
    /// Server and number of the last transaction.
    last: (u32, u64),
    /// Highest number of each server that is known, the last one's included.
    servers: BTreeMap<u32, u64>,
}

impl Domain {
    fn contains(&self, server: u32, seq: u64) -> bool {
        seq <= self.servers.get(&server).copied().unwrap_or(self.last.1)
    }

    /// The GTIDs that stand for everything in the domain.
    fn marks(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.servers.iter().map(|(server, seq)| (*server, *seq))
    }
}

/// What has happened, per domain.
#[derive(Clone, Debug, Default)]
pub struct MariaDbGtidSet {
    domains: BTreeMap<u32, Domain>,
}

impl PartialEq for MariaDbGtidSet {
    /// Equal when each holds the other: a server's name in a domain's past may be known to one
    /// side only.
    fn eq(&self, other: &Self) -> bool {
        self.is_subset(other) && other.is_subset(self)
    }
}

impl Eq for MariaDbGtidSet {}

impl MariaDbGtidSet {
    /// True when nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    /// The last GTID of each domain, ordered by domain: what a replica asks a server to continue
    /// after.
    pub fn last(&self) -> impl Iterator<Item = MariaDbGtid> + '_ {
        self.domains.iter().map(|(d, state)| MariaDbGtid::new(*d, state.last.0, state.last.1))
    }

    /// True when the transaction is in the set.
    pub fn contains(&self, gtid: &MariaDbGtid) -> bool {
        self.domains.get(&gtid.domain).is_some_and(|d| d.contains(gtid.server, gtid.seq))
    }

    /// Puts a transaction in and makes it the last of its domain, unless it was in already.
    pub fn add(&mut self, gtid: MariaDbGtid) {
        if !self.contains(&gtid) {
            self.push_state(gtid);
        }
    }

    /// Puts everything of another set in; the higher last number becomes the last.
    pub fn union(&mut self, other: &Self) {
        for (number, theirs) in &other.domains {
            let Some(ours) = self.domains.get_mut(number) else {
                self.domains.insert(*number, theirs.clone());
                continue;
            };
            for (server, seq) in theirs.marks() {
                let known = ours.servers.entry(server).or_insert(seq);
                *known = seq.max(*known);
            }
            if (theirs.last.1, theirs.last.0) > (ours.last.1, ours.last.0) {
                ours.last = theirs.last;
            }
        }
    }

    /// The last GTIDs of this set that the other does not hold. The past of a domain cannot be
    /// told apart, so the result says *that* something is missing rather than all that is.
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (number, state) in &self.domains {
            let missing = state
                .marks()
                .filter(|(server, seq)| !other.contains(&MariaDbGtid::new(*number, *server, *seq)));
            let servers: BTreeMap<_, _> = missing.collect();
            let highest = servers.iter().max_by_key(|(_, seq)| **seq).map(|(s, q)| (*s, *q));
            let last = if servers.contains_key(&state.last.0) { Some(state.last) } else { highest };
            if let Some(last) = last {
                left.domains.insert(*number, Domain { last, servers });
            }
        }
        left
    }

    /// True when the other set holds everything of this one.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.domains.iter().all(|(number, state)| {
            let mut marks = state.marks();
            marks.all(|(server, seq)| other.contains(&MariaDbGtid::new(*number, server, seq)))
        })
    }

    /// True when both have seen the same domain.
    pub fn intersects(&self, other: &Self) -> bool {
        self.domains.keys().any(|d| other.domains.contains_key(d))
    }

    /// Every server of every domain, the last one last within its domain: the form of
    /// `gtid_binlog_state`.
    pub fn to_state_text(&self) -> String {
        let mut parts = Vec::new();
        for (number, state) in &self.domains {
            let others = state.marks().filter(|(server, _)| *server != state.last.0);
            let all = others.chain([state.last]);
            parts.extend(all.map(|(s, q)| MariaDbGtid::new(*number, s, q).to_string()));
        }
        parts.join(",")
    }

    /// Takes an entry of a list in which the last entry of a domain is its last transaction
    /// (GTID_LIST events, `gtid_binlog_state`), whatever the numbers.
    pub fn push_state(&mut self, gtid: MariaDbGtid) {
        let last = (gtid.server, gtid.seq);
        let domain = self
            .domains
            .entry(gtid.domain)
            .or_insert_with(|| Domain { last, servers: BTreeMap::new() });
        domain.last = last;
        domain.servers.insert(gtid.server, gtid.seq);
    }
}

impl fmt::Display for MariaDbGtidSet {
    /// One GTID a domain, ordered by domain: the form of `gtid_slave_pos`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, gtid) in self.last().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{gtid}")?;
        }
        Ok(())
    }
}

impl FromStr for MariaDbGtidSet {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            set.push_state(part.parse()?);
        }
        Ok(set)
    }
}
