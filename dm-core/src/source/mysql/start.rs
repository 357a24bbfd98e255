//! Where a stream starts, and whether the server can start it there.
//!
//! Guarantee: a stream that opens continues exactly what was read before, or opening fails with
//! what is wrong. Obstacle: a server that lost its last transactions, was restored, or is another
//! one behind the same address answers a file and offset with whatever now lies there, and a GTID
//! set by leaving out what it never had. So each opening compares: file positions with the
//! server's identity and the files' sizes; GTID sets with what the server has executed (it must
//! know all of ours) and what it has purged (ours must hold all of that).

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::position;
use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, cell};
use crate::position::{BinlogFile, BinlogPos, GtidSet, Position};

/// DM's: the middle of the range, out of the way of ids that people give.
const FIRST_SERVER_ID: u32 = 429_496_729;
const SERVER_IDS: u64 = 100_000;

/// Where a stream starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Behind these transactions.
    Gtid(GtidSet),
    /// At this place.
    File(BinlogPos),
}

impl Start {
    pub(super) fn choose(from: &Position, use_gtid: bool) -> Result<Self> {
        match (&from.gtid, &from.binlog) {
            (Some(gtid), _) if use_gtid => Ok(Self::Gtid(gtid.clone())),
            (_, Some(pos)) => Ok(Self::File(pos.clone())),
            (Some(gtid), None) => Ok(Self::Gtid(gtid.clone())),
            (None, None) => Err(Error::new(
                &codes::SOURCE_UNSUPPORTED,
                "a stream cannot start at an empty position",
            )),
        }
    }

    pub(super) fn is_gtid(&self) -> bool {
        matches!(self, Self::Gtid(_))
    }

    /// Verifies that the server can continue from here.
    pub(super) fn check(&self, conn: &mut Connection) -> Result {
        match self {
            Self::Gtid(set) => check_gtid(conn, set),
            Self::File(pos) => check_file(conn, pos),
        }
    }

    /// Where the translator begins to count. By GTID the server tells with its first event; until
    /// then it is the beginning of its oldest file.
    pub(super) fn first_place(&self, conn: &mut Connection) -> Result<BinlogPos> {
        match self {
            Self::File(pos) if self.skip_until().is_some() => {
                Ok(BinlogPos::new(pos.file.clone(), 4))
            }
            Self::File(pos) => Ok(pos.clone()),
            Self::Gtid(_) => {
                let files = position::files(conn)?;
                let (name, _) = files.first().ok_or_else(|| {
                    Error::new(&codes::NO_MASTER_STATUS, "the server has no binlog files")
                })?;
                // An offset of 0 lets the first event move it forward in any case.
                Ok(BinlogPos::new(name.parse()?, 0))
            }
        }
    }

    /// The protocol has 32 bits for an offset. Only the last transaction of a file can lie beyond
    /// them; such a file is read from its start and the rest passed over.
    pub(super) fn skip_until(&self) -> Option<BinlogPos> {
        match self {
            Self::File(pos) if pos.offset > u64::from(u32::MAX) => Some(pos.clone()),
            _ => None,
        }
    }
}

fn check_gtid(conn: &mut Connection, stored: &GtidSet) -> Result {
    if stored.flavor() != conn.version().flavor() {
        return Err(Error::new(
            &codes::SOURCE_IDENTITY,
            format!(
                "the position {stored} is one of {}, {} is {}",
                stored.flavor(),
                conn.address(),
                conn.version().flavor()
            ),
        ));
    }
    if !position::gtids_on(conn)? {
        return Err(Error::new(
            &codes::SOURCE_UNSUPPORTED,
            format!("{} gives no GTIDs to its transactions (gtid_mode)", conn.address()),
        )
        .workaround("Set gtid_mode=ON on the source, or `enable-gtid: false`."));
    }
    let executed = position::executed(conn)?;
    if !stored.is_subset(&executed) {
        let missing = stored.minus(&executed)?;
        return Err(Error::new(
            &codes::SOURCE_GTID_MISSING,
            format!(
                "{} does not have the transactions {missing}: stored [{stored}], executed there \
                 [{executed}]",
                conn.address()
            ),
        ));
    }
    if let Some(purged) = position::purged(conn)?
        && !purged.is_subset(stored)
    {
        let needed = purged.minus(stored)?;
        return Err(Error::new(
            &codes::SOURCE_PURGED,
            format!(
                "{} has purged the transactions {needed}: stored [{stored}], purged there \
                 [{purged}], executed [{executed}]",
                conn.address()
            ),
        ));
    }
    Ok(())
}

fn check_file(conn: &mut Connection, pos: &BinlogPos) -> Result {
    let files = position::files(conn)?;
    let parsed: Vec<(BinlogFile, u64)> =
        files.iter().filter_map(|(name, size)| Some((name.parse().ok()?, *size))).collect();
    match parsed.iter().find(|(file, _)| *file == pos.file) {
        Some((_, size)) if pos.offset <= *size => Ok(()),
        Some((_, size)) => Err(Error::new(
            &codes::SOURCE_POSITION_BEYOND,
            format!("{pos} is beyond the end of that file on {}: {size}", conn.address()),
        )),
        None => Err(missing_file(conn, pos, &parsed)),
    }
}

fn missing_file(conn: &Connection, pos: &BinlogPos, files: &[(BinlogFile, u64)]) -> Error {
    let name = |f: Option<&(BinlogFile, u64)>| f.map(|(f, _)| f.to_string()).unwrap_or_default();
    let range = format!("it has {} to {}", name(files.first()), name(files.last()));
    let older = files.first().is_some_and(|(first, _)| pos.file < *first);
    let code = if older { &codes::SOURCE_PURGED } else { &codes::SOURCE_POSITION_BEYOND };
    Error::new(code, format!("{} does not have the file of {pos}: {range}", conn.address()))
}

/// A server id that no replica of the source uses.
pub(super) fn free_server_id(conn: &mut Connection) -> Result<u32> {
    let mut taken = BTreeSet::new();
    let own = conn.global("server_id")?;
    taken.extend(own.and_then(|id| id.parse::<u32>().ok()));
    let statement =
        if conn.version().is_mysql_from(8, 0, 22) { "SHOW REPLICAS" } else { "SHOW SLAVE HOSTS" };
    match conn.rows(statement) {
        Ok(rows) => taken.extend(rows.iter().filter_map(|row| cell(row, 0).parse::<u32>().ok())),
        Err(e) if e.is_transient() => return Err(e),
        // Without the right to look, chance has to do.
        Err(_) => {}
    }
    // Hash keys are the standard library's source of chance; none of it guards a secret.
    for _ in 0..100 {
        let chance = RandomState::new().build_hasher().finish() % SERVER_IDS;
        let id = FIRST_SERVER_ID + u32::try_from(chance).unwrap_or(0);
        if !taken.contains(&id) {
            return Ok(id);
        }
    }
    Err(Error::new(&codes::SERVER_ID_TAKEN, "no free server id was found for the stream")
        .workaround("Give one with `server-id` in the source's configuration."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Flavor;

    #[test]
    fn gtid_only_when_wanted_or_alone() {
        let pos: BinlogPos = "b.000001:4".parse().unwrap();
        let set = GtidSet::empty(Flavor::MySql);
        let both = Position { binlog: Some(pos.clone()), gtid: Some(set.clone()) };
        assert_eq!(Start::choose(&both, false).unwrap(), Start::File(pos));
        assert_eq!(Start::choose(&both, true).unwrap(), Start::Gtid(set.clone()));
        let alone = Position { binlog: None, gtid: Some(set.clone()) };
        assert_eq!(Start::choose(&alone, false).unwrap(), Start::Gtid(set));
        assert!(Start::choose(&Position::default(), true).is_err());
    }

    #[test]
    fn offsets_beyond_the_protocol_are_skipped_to() {
        let start = Start::File("b.000001:5000000000".parse().unwrap());
        assert_eq!(start.skip_until().map(|p| p.offset), Some(5_000_000_000));
        assert_eq!(Start::File("b.000001:4".parse().unwrap()).skip_until(), None);
    }
}
