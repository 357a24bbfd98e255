//! Where in the files of a relay log a position lies.
//!
//! By GTID set: in the newest file before which nothing was done that the set lacks; what the set holds of
//! the file is passed over. By file and offset: in the newest part of the server that the position is of. Files
//! of one name on two servers have nothing to do with each other, so a position by file counts only for
//! the newest part, unless the server is known.

use std::path::PathBuf;

use super::layout::{RelayDir, SubDir};
use crate::error::Result;
use crate::position::{BinlogFile, GtidSet, Position};
use crate::source::binlog_file::{FIRST_EVENT, head_of};

/// A place in the files.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub sub: SubDir,
    pub file: BinlogFile,
    pub path: PathBuf,
    pub offset: u64,
    /// Groups that are to be passed over.
    pub contained: Option<GtidSet>,
}

/// Where a position lies.
#[derive(Clone, Debug)]
pub(super) enum Located {
    At(Place),
    /// The relay log begins behind it.
    Before,
    /// It lies behind what is here.
    Behind,
    /// Nothing is here.
    Nothing,
}

/// Looks for a position. `server` is the one that a file and offset are of, when that is known.
pub(super) fn locate(
    dir: &RelayDir,
    from: &Position,
    use_gtid: bool,
    server: Option<&str>,
) -> Result<Located> {
    match (&from.gtid, &from.binlog) {
        (Some(set), _) if use_gtid => by_gtid(dir, set),
        (_, Some(_)) => by_file(dir, from, server),
        (Some(set), None) => by_gtid(dir, set),
        (None, None) => Ok(Located::Nothing),
    }
}

fn by_gtid(dir: &RelayDir, set: &GtidSet) -> Result<Located> {
    let mut some = false;
    for sub in dir.subdirs()?.into_iter().rev() {
        for (file, path) in dir.files(&sub)?.into_iter().rev() {
            // A file whose head is not written yet: what is before it is known.
            let Ok(head) = head_of(&path, Some(set.flavor())) else { continue };
            let Some(before) = head.before else { continue };
            some = true;
            if before.is_subset(set) {
                let contained = Some(set.clone());
                let offset = FIRST_EVENT;
                return Ok(Located::At(Place { sub, file, path, offset, contained }));
            }
        }
    }
    Ok(if some { Located::Before } else { Located::Nothing })
}

fn by_file(dir: &RelayDir, from: &Position, server: Option<&str>) -> Result<Located> {
    let Some(pos) = &from.binlog else { return Ok(Located::Nothing) };
    let Some(sub) = dir.subdirs()?.pop() else { return Ok(Located::Nothing) };
    if server.is_some_and(|server| server != sub.server) {
        return Ok(Located::Nothing);
    }
    let files = dir.files(&sub)?;
    let (Some((first, _)), Some((last, _))) = (files.first(), files.last()) else {
        return Ok(Located::Nothing);
    };
    let name = pos.file.clone().without_relay();
    if name < *first {
        return Ok(Located::Before);
    }
    let behind = name > *last;
    let Some((file, path)) = files.into_iter().find(|(file, _)| *file == name) else {
        return Ok(if behind { Located::Behind } else { Located::Nothing });
    };
    let offset = pos.offset.max(FIRST_EVENT);
    let there = std::fs::metadata(&path).map_or(0, |meta| meta.len());
    if offset > there {
        return Ok(Located::Behind);
    }
    Ok(Located::At(Place { sub, file, path, offset, contained: None }))
}

#[cfg(test)]
mod tests {
    use super::super::writer::tests::{FILES, recorded};
    use super::*;
    use crate::position::{BinlogPos, Flavor};

    /// A relay log of these recorded files.
    fn relay(names: &[(&str, &str)]) -> (tempfile::TempDir, RelayDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = RelayDir::new(temp.path().join("relay"));
        let sub = dir.begin("one").unwrap();
        for (place, name) in names {
            std::fs::write(dir.sub(&sub).join(name), recorded(place, name)).unwrap();
        }
        (temp, dir)
    }

    fn at(text: &str) -> Position {
        Position::at(text.parse::<BinlogPos>().unwrap())
    }

    #[test]
    fn by_file_and_offset() {
        let (_temp, dir) = relay(&[("us/binlog", "shop.000002"), ("us/binlog", "shop.000003")]);
        let find = |text: &str, server| locate(&dir, &at(text), false, server).unwrap();
        assert!(matches!(find("shop.000001:4", None), Located::Before));
        assert!(matches!(find("shop.000004:4", None), Located::Behind));
        assert!(matches!(find("shop.000003:99999999", None), Located::Behind));
        assert!(matches!(find("shop.000003:4", Some("two")), Located::Nothing));
        assert!(matches!(find("other.000003:4", None), Located::Nothing));
        let Located::At(place) = find("shop.000003:0", Some("one")) else { panic!() };
        assert_eq!((place.file.to_string().as_str(), place.offset), ("shop.000003", 4));
    }

    #[test]
    fn by_gtid_set_in_the_newest_file_that_does() {
        let (_temp, dir) = relay(&[("us/binlog", "shop.000002"), ("us/binlog", "shop.000003")]);
        let path = |name: &str| dir.sub(&dir.subdirs().unwrap()[0]).join(name);
        let before = |name: &str| head_of(&path(name), None).unwrap().before.unwrap();
        let found = |set: GtidSet| locate(&dir, &Position::of_gtid(set), true, None).unwrap();
        for name in ["shop.000002", "shop.000003"] {
            let Located::At(place) = found(before(name)) else { panic!("{name}") };
            assert_eq!(place.file.to_string(), name);
        }
        assert!(matches!(found(GtidSet::empty(Flavor::MariaDb)), Located::Before));
        // The next part of another server, whose files begin earlier.
        let two = dir.begin("two").unwrap();
        std::fs::write(dir.sub(&two).join("x.000001"), recorded("us/binlog", "shop.000003"))
            .unwrap();
        let Located::At(place) = found(before("shop.000003")) else { panic!() };
        assert_eq!(place.sub, two);
        let Located::At(place) = found(before("shop.000002")) else { panic!() };
        assert_eq!(place.sub.number, 1);
        assert_eq!(FILES.len(), 3);
    }
}
