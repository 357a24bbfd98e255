//! `relay.meta`: where a sub-directory's relay log stands, in DM's form (TOML with three keys).
//!
//! Pure. DM's own files are read as well: a value may be quoted or bare, keys come in any order, keys
//! that are not known are passed over.

use crate::position::{BinlogFile, BinlogPos, Flavor, GtidSet};

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Meta {
    /// Everything before this place is in the files.
    pub pos: Option<BinlogPos>,
    /// Every transaction of this set is in the files, or was done before the first of them.
    pub gtid: Option<GtidSet>,
}

impl Meta {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        let (name, offset) = match &self.pos {
            Some(pos) => (pos.file.to_string(), pos.offset),
            None => (String::new(), 0),
        };
        let gtid = self.gtid.as_ref().map(GtidSet::to_string).unwrap_or_default();
        format!("binlog-name = {name:?}\nbinlog-pos = {offset}\nbinlog-gtid = {gtid:?}\n")
    }

    /// Reads the text of a file; `None` when it makes no sense.
    pub fn parse(text: &str, flavor: Flavor) -> Option<Self> {
        let (mut name, mut offset, mut gtid) = (String::new(), 0, String::new());
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches(['"', '\'']);
            match key.trim() {
                "binlog-name" => value.clone_into(&mut name),
                "binlog-pos" => offset = value.parse().ok()?,
                "binlog-gtid" => value.clone_into(&mut gtid),
                _ => {}
            }
        }
        let pos = match name.as_str() {
            "" => None,
            name => Some(BinlogPos::new(name.parse::<BinlogFile>().ok()?, offset)),
        };
        let gtid = match gtid.as_str() {
            "" => None,
            set => Some(GtidSet::parse(flavor, set).ok()?),
        };
        Some(Self { pos, gtid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let set = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77";
        let meta = Meta {
            pos: Some("mysql-bin.000003:154".parse().unwrap()),
            gtid: Some(GtidSet::parse(Flavor::MySql, set).unwrap()),
        };
        let text = meta.to_text();
        assert_eq!(
            text,
            format!(
                "binlog-name = \"mysql-bin.000003\"\nbinlog-pos = 154\nbinlog-gtid = \"{set}\"\n"
            )
        );
        assert_eq!(Meta::parse(&text, Flavor::MySql), Some(meta));
        let empty = Meta::default();
        assert_eq!(Meta::parse(&empty.to_text(), Flavor::MariaDb), Some(empty));
    }

    #[test]
    fn files_of_others_are_read_or_refused() {
        let text = "# made by hand\nbinlog-gtid='0-1-5'\nbinlog-pos=4\nbinlog-name='b.000001'\nx=1";
        let meta = Meta::parse(text, Flavor::MariaDb).unwrap();
        assert_eq!(meta.pos.unwrap().to_string(), "(b.000001, 4)");
        assert_eq!(meta.gtid.unwrap().to_string(), "0-1-5");
        for wrong in ["binlog-pos = x", "binlog-name = \"b\"", "binlog-gtid = \"0-1-5\""] {
            assert_eq!(Meta::parse(wrong, Flavor::MySql), None, "{wrong}");
        }
    }
}
