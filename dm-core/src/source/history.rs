//! How a source recognises what was read from it.

use serde::{Deserialize, Serialize};

use crate::position::{BinlogPos, GtidSet, Position};

/// The last group that was read before a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGroup {
    /// The server that it was read from ([`SourceInfo::server`](super::SourceInfo::server)).
    pub server: String,
    /// Where its last event begins, or an earlier place of the same file.
    pub start: BinlogPos,
    /// Where it ends.
    pub end: BinlogPos,
    /// Its own GTID, as a set of one; `None` for an anonymous group.
    pub gtid: Option<GtidSet>,
    /// The fingerprint of its last event
    /// ([`EventHeader::fingerprint`](crate::binlog::EventHeader::fingerprint)).
    pub print: [u8; 16],
}

/// The stored form.
#[derive(Serialize, Deserialize)]
struct Stored {
    server: String,
    start: String,
    end: String,
    print: [u8; 16],
}

impl LastGroup {
    /// The form that is stored beside a checkpoint.
    pub fn to_bytes(&self) -> Vec<u8> {
        let end = Position { binlog: Some(self.end.clone()), gtid: self.gtid.clone() };
        let stored = Stored {
            server: self.server.clone(),
            start: self.start.to_colon_text(),
            end: end.to_text(),
            print: self.print,
        };
        // Texts and numbers always have a form in JSON.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads what [`LastGroup::to_bytes`] wrote; `None` for anything else, of which then nothing is
    /// known.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let end = Position::from_text(&stored.end).ok()?;
        Some(Self {
            server: stored.server,
            start: stored.start.parse().ok()?,
            end: end.binlog?,
            gtid: end.gtid,
            print: stored.print,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Flavor;

    #[test]
    fn the_stored_form_keeps_all() {
        for gtid in [
            None,
            Some(GtidSet::parse(Flavor::MariaDb, "1-7-19").unwrap()),
            Some(
                GtidSet::parse(Flavor::MySql, "3e11fa47-71ca-11e1-9e33-c80aa9429562:x:23").unwrap(),
            ),
        ] {
            let last = LastGroup {
                server: "0-1".to_owned(),
                start: "b.000009:5000000000".parse().unwrap(),
                end: "b.000009:5000000031".parse().unwrap(),
                gtid,
                print: [7; 16],
            };
            assert_eq!(LastGroup::from_bytes(&last.to_bytes()), Some(last));
        }
        assert_eq!(LastGroup::from_bytes(b"{}"), None);
        assert_eq!(LastGroup::from_bytes(&[]), None);
    }
}
