//! The `metadata` file of a dump directory. Pure: text in, positions out.
//!
//! Three forms are in use: the text of Dumpling and of older mydumper, in which the position
//! stands below `SHOW MASTER STATUS:` (`SHOW BINARY LOG STATUS:` for MySQL 8.4), and the sections
//! `[master]` or `[source]` of newer mydumper. Dumpling without any consistency writes a second
//! block, taken when its connections were open: rows contain no change beyond that one.
//! Positions of the server's own source (`SHOW SLAVE STATUS`) mean nothing to our stream.

use crate::error::{Error, Result, codes};
use crate::position::{BinlogPos, Flavor, GtidSet, Position};

/// What a metadata file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// All rows contain the changes up to here; `None` when the file names no position.
    pub position: Option<Position>,
    /// No row contains a change beyond this, where that is another place.
    pub contained_upto: Option<Position>,
}

/// Reads the text of a metadata file.
pub(super) fn parse(text: &str) -> Result<Metadata> {
    if text.lines().any(|line| section(line).is_some()) { sections(text) } else { blocks(text) }
}

/// The parts of a position, as they are met.
#[derive(Debug, Default)]
struct Parts {
    file: Option<String>,
    offset: Option<String>,
    gtid: Option<String>,
}

impl Parts {
    fn finish(self) -> Result<Option<Position>> {
        let some = |text: Option<String>| text.filter(|t| !t.is_empty());
        let binlog = match (some(self.file), some(self.offset)) {
            (Some(file), Some(offset)) => {
                let offset: u64 = offset
                    .parse()
                    .map_err(|_| broken(format!("the offset `{offset}` is no number")))?;
                Some(BinlogPos::new(file.parse().map_err(|e| broken(format!("{e}")))?, offset))
            }
            (Some(file), None) => return Err(broken(format!("no offset belongs to file {file}"))),
            // An offset alone is what servers without a binlog are given.
            (None, _) => None,
        };
        let gtid = match some(self.gtid) {
            Some(text) => {
                // A MySQL GTID names a UUID and its numbers; MariaDB's has no colon.
                let flavor = if text.contains(':') { Flavor::MySql } else { Flavor::MariaDb };
                Some(GtidSet::parse(flavor, &text).map_err(|e| broken(format!("{e}")))?)
            }
            None => None,
        };
        let position = Position { binlog, gtid };
        Ok(Some(position).filter(|p| !p.is_empty()))
    }
}

fn broken(what: String) -> Error {
    Error::new(&codes::DUMP_METADATA, format!("the metadata of the dump cannot be read: {what}"))
}

/// Which block of the text form a line stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Outside,
    Position,
    After,
}

/// The block that a line begins.
fn block(line: &str) -> Option<Block> {
    let upper = line.trim().to_ascii_uppercase();
    if upper.starts_with("SHOW MASTER STATUS") || upper.starts_with("SHOW BINARY LOG STATUS") {
        return Some(match upper.contains("AFTER CONNECTION POOL") {
            true => Block::After,
            false => Block::Position,
        });
    }
    let other = upper.starts_with("SHOW ")
        || upper.starts_with("STARTED DUMP AT")
        || upper.starts_with("FINISHED DUMP AT");
    other.then_some(Block::Outside)
}

fn blocks(text: &str) -> Result<Metadata> {
    let (mut first, mut second) = (Parts::default(), Parts::default());
    let mut at = Block::Outside;
    let mut in_gtid = false;
    for line in text.lines() {
        if let Some(begun) = block(line) {
            (at, in_gtid) = (begun, false);
            continue;
        }
        let parts = match at {
            Block::Outside => continue,
            Block::Position => &mut first,
            Block::After => &mut second,
        };
        let line = line.trim();
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "" => in_gtid = false,
            "log" => parts.file = Some(value.trim().to_owned()),
            "pos" => parts.offset = Some(value.trim().to_owned()),
            "gtid" => {
                in_gtid = true;
                parts.gtid = Some(value.trim().to_owned());
            }
            // A set goes on over as many lines as it has servers.
            _ if in_gtid => parts.gtid.get_or_insert_default().push_str(line),
            _ => {}
        }
    }
    Ok(Metadata { position: first.finish()?, contained_upto: second.finish()? })
}

fn section(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.strip_suffix(']')
}

fn sections(text: &str) -> Result<Metadata> {
    let mut parts = Parts::default();
    let mut wanted = false;
    for line in text.lines() {
        if let Some(name) = section(line) {
            wanted = matches!(name.to_ascii_lowercase().as_str(), "master" | "source");
            continue;
        }
        // Values for a statement that a person may want to run are commented out.
        let line = line.trim().trim_start_matches('#');
        let Some((key, value)) = line.split_once('=').filter(|_| wanted) else { continue };
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        match key.trim().to_ascii_lowercase().as_str() {
            "file" | "source_log_file" | "master_log_file" => parts.file = Some(value),
            "position" | "source_log_pos" | "master_log_pos" => parts.offset = Some(value),
            "executed_gtid_set" | "gtid" => parts.gtid = Some(value),
            _ => {}
        }
    }
    Ok(Metadata { position: parts.finish()?, contained_upto: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> String {
        parse(text).unwrap().position.map(|p| p.to_text()).unwrap_or_default()
    }

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn text_form_of_every_server() {
        for header in ["SHOW MASTER STATUS:", "SHOW BINARY LOG STATUS:"] {
            let text = format!(
                "Started dump at: 2020-03-10 15:53:25\n{header}\n\tLog: mysql-bin.000003\n\t\
                 Pos: 3295817\n\tGTID:{A}:1-10,\n{B}:1-5\n\nSHOW SLAVE STATUS:\n\tHost: 10.0.0.1\n\t\
                 Log: other.000001\n\tPos: 7\n\tGTID:{A}:1\n\nFinished dump at: 2020-03-10 15:53:26\n"
            );
            assert_eq!(position(&text), format!("mysql-bin.000003:3295817;mysql:{A}:1-10,{B}:1-5"));
        }
        let maria = "SHOW MASTER STATUS:\n\tLog: bin.000001\n\tPos: 4\n\tGTID:0-1-17,1-2-3\n";
        assert_eq!(position(maria), "bin.000001:4;mariadb:0-1-17,1-2-3");
        let plain = "SHOW MASTER STATUS:\r\n\tLog: bin.000001\r\n\tPos: 4\r\n\tGTID:\r\n";
        assert_eq!(position(plain), "bin.000001:4;");
    }

    #[test]
    fn a_second_block_says_what_is_contained() {
        let text = "SHOW MASTER STATUS:\n\tLog: b.000001\n\tPos: 100\n\tGTID:\n\nSHOW MASTER STATUS: \
                    /* AFTER CONNECTION POOL ESTABLISHED */\n\tLog: b.000001\n\tPos: 300\n\tGTID:\n";
        let upto = parse(text).unwrap().contained_upto.map(|p| p.to_text());
        assert_eq!(upto.as_deref(), Some("b.000001:300;"));
        assert_eq!(position(text), "b.000001:100;");
    }

    #[test]
    fn sections_of_newer_mydumper() {
        let text = format!(
            "# Started dump at: 2023-08-15 19:37:02\n[config]\nquote_character = BACKTICK\n\n[source]\n\
             # Channel_Name = '' # It can be use\n#SOURCE_LOG_FILE = \"binlog.000010\"\n\
             #SOURCE_LOG_POS = 157\nexecuted_gtid_set = \"{A}:1-5\"\n\n[replication]\n\
             File = x.000001\n[`d`.`t`]\nrows = 5\n"
        );
        assert_eq!(position(&text), format!("binlog.000010:157;mysql:{A}:1-5"));
        let text = "[master]\nFile = b.000002\nPosition = 8\nExecuted_Gtid_Set = \n";
        assert_eq!(position(text), "b.000002:8;");
        assert_eq!(position("[config]\nx=1\n"), "");
    }

    #[test]
    fn no_position_is_no_error_but_half_a_one_is() {
        assert_eq!(
            parse("Started dump at: x\nFinished dump at: y\n").unwrap(),
            Metadata::default()
        );
        assert_eq!(parse("").unwrap(), Metadata::default());
        for text in [
            "SHOW MASTER STATUS:\n\tLog: b.000001\n",
            "SHOW MASTER STATUS:\n\tLog: b.000001\n\tPos: x\n",
            "SHOW MASTER STATUS:\n\tLog: nonsense\n\tPos: 4\n",
            "SHOW MASTER STATUS:\n\tLog: b.000001\n\tPos: 4\n\tGTID:zz:1\n",
        ] {
            assert_eq!(parse(text).unwrap_err().code().number, 11_001, "{text}");
        }
    }
}
