//! MariaDB's GTIDs one by one.
//!
//! A set of MariaDB's GTIDs says how far each domain is, not which transactions are in it: workers
//! commit out of order, so a mark cannot use one. Numbers do not name them either where there are several
//! domains: their order among each other is another one on each server. So here each domain and
//! server of MariaDB gets a UUID that says so, and the exact sets of MySQL serve for both.

use std::borrow::Cow;

use crate::position::{Gtid, GtidSet, MariaDbGtid, Sid};

/// The last bytes of a UUID that stands for a domain and a server; no version of UUIDs has them.
const MARIADB: [u8; 8] = *b"mariadb\0";

/// The GTID as a member of an exact set.
pub(crate) fn exact(gtid: &Gtid) -> Cow<'_, Gtid> {
    match gtid {
        Gtid::MySql { .. } => Cow::Borrowed(gtid),
        Gtid::MariaDb(gtid) => {
            let mut uuid = [0; 16];
            let domain = gtid.domain.to_be_bytes();
            let bytes = domain.into_iter().chain(gtid.server.to_be_bytes()).chain(MARIADB);
            uuid.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
            Cow::Owned(Gtid::MySql { sid: Sid::untagged(uuid), gno: gtid.seq })
        }
    }
}

/// True when a position's set holds all of an exact one.
pub(crate) fn is_passed(exact: &GtidSet, position: &GtidSet) -> bool {
    let (GtidSet::MySql(members), GtidSet::MariaDb(position)) = (exact, position) else {
        return exact.is_subset(position);
    };
    members.iter().all(|(sid, numbers)| {
        let last = numbers.iter().map(|(_, to)| to).max().unwrap_or_default();
        let Some((domain, server)) = names(&sid.uuid) else { return false };
        position.contains(&MariaDbGtid::new(domain, server, last))
    })
}

fn names(uuid: &[u8; 16]) -> Option<(u32, u32)> {
    let (domain, rest) = uuid.split_first_chunk::<4>()?;
    let (server, rest) = rest.split_first_chunk::<4>()?;
    (*rest == MARIADB).then(|| (u32::from_be_bytes(*domain), u32::from_be_bytes(*server)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Flavor;

    fn mariadb(text: &str) -> Gtid {
        Gtid::parse(Flavor::MariaDb, text).unwrap()
    }

    #[test]
    fn members_are_told_apart_and_known_again() {
        let mut set = GtidSet::empty(Flavor::MySql);
        for text in ["0-1-5", "0-1-7", "3-1-6", "4294967295-4294967295-9"] {
            set.add(&exact(&mariadb(text))).unwrap();
        }
        let has = |text| set.contains(&exact(&mariadb(text)));
        assert!(has("0-1-5") && has("0-1-7") && has("3-1-6") && has("4294967295-4294967295-9"));
        assert!(!has("0-1-6") && !has("3-1-5") && !has("1-0-5") && !has("0-2-7"));
        // The form in which marks are stored.
        let text = crate::position::Position::of_gtid(set.clone()).to_text();
        assert_eq!(crate::position::Position::from_text(&text).unwrap().gtid, Some(set));
    }

    #[test]
    fn a_position_passes_them_by_domain() {
        let mut set = GtidSet::empty(Flavor::MySql);
        ["0-1-5", "0-1-7", "3-1-6"].iter().for_each(|t| set.add(&exact(&mariadb(t))).unwrap());
        let at = |text| GtidSet::parse(Flavor::MariaDb, text).unwrap();
        assert!(is_passed(&set, &at("0-1-7,3-1-6")));
        assert!(is_passed(&set, &at("0-1-8,3-1-9,4-1-1")));
        assert!(!is_passed(&set, &at("0-1-6,3-1-6")) && !is_passed(&set, &at("0-1-7")));
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let mysql = |text: &str| GtidSet::parse(Flavor::MySql, &format!("{uuid}:{text}")).unwrap();
        assert!(
            is_passed(&mysql("3-5"), &mysql("1-7")) && !is_passed(&mysql("3-9"), &mysql("1-7"))
        );
        assert!(!is_passed(&mysql("3"), &at("0-1-7")));
    }
}
