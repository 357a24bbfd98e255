//! Where groups end: a group is a transaction, or a statement that stands for itself.
//!
//! Pure. A relay log is cut off behind the last whole group when it is opened again, and its GTID set
//! holds whole groups only, so this decides what a restart keeps. Of an event that the rules do not
//! know the group stays open: then too much is fetched again, never too little.

use crate::binlog::{Decoder, EventBody, EventHeader, EventType, MariaDbGtidEvent};
use crate::error::Result;
use crate::position::{Gtid, GtidSet};

/// Follows the events of a file.
#[derive(Debug, Default)]
pub(super) struct Groups {
    open: Open,
    gtid: Option<Gtid>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    /// Between two groups.
    #[default]
    No,
    /// Behind a GTID: the next statement ends the group, unless it is BEGIN.
    Statement,
    /// Inside a transaction, up to its end.
    Transaction,
}

/// What an event meant.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing ends here.
    Inside,
    /// A group ends with the event, or the event stands between groups.
    Whole(Option<Gtid>),
    /// A group ended where the event begins: of its end nothing was to be seen.
    Follows(Option<Gtid>),
    /// The head of a file says what was done before it.
    Before(GtidSet),
}

impl Groups {
    /// Takes the next event of a file, checks it, and says what it means. The decoder has seen the
    /// description of the file's format.
    pub fn event(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<Step> {
        let header = EventHeader::parse(bytes)?;
        if !speaks(header.event_type) {
            // Rows and what belongs to them: most of a binlog.
            decoder.check(bytes)?;
            use EventType as T;
            let prelude = matches!(header.event_type, T::INTVAR | T::RAND | T::USER_VAR);
            if self.open == Open::No {
                self.open = if prelude { Open::Statement } else { Open::Transaction };
            }
            return Ok(Step::Inside);
        }
        let body = decoder.decode(bytes)?.body;
        Ok(self.body(&body))
    }

    fn body(&mut self, body: &EventBody<'_>) -> Step {
        match body {
            EventBody::Gtid(event) => self.begin(event.gtid.clone(), Open::Statement),
            EventBody::MariaDbGtid(event) => {
                let standalone = event.has(MariaDbGtidEvent::FL_STANDALONE);
                let open = if standalone { Open::Statement } else { Open::Transaction };
                self.begin(Some(Gtid::MariaDb(event.gtid)), open)
            }
            EventBody::Query(query) => {
                let xa_start = starts_with(&query.sql, b"XA START");
                let begins = query.is("BEGIN") || xa_start;
                let decides = |words| starts_with(&query.sql, words);
                let ends = query.is("COMMIT")
                    || query.is("ROLLBACK")
                    || decides(b"XA COMMIT")
                    || decides(b"XA ROLLBACK");
                match self.open {
                    Open::Transaction if !ends => Step::Inside,
                    _ if begins => {
                        self.open = Open::Transaction;
                        Step::Inside
                    }
                    _ => self.end(),
                }
            }
            EventBody::Xid(_) | EventBody::XaPrepare(_) | EventBody::TransactionPayload(_) => {
                self.end()
            }
            EventBody::PreviousGtids(set) => Step::Before(GtidSet::MySql(set.clone())),
            EventBody::GtidList(set) => Step::Before(GtidSet::MariaDb(set.clone())),
            // What stands between groups; a file that ends inside of one (the server was killed)
            // leaves the group open.
            _ if self.open == Open::No => Step::Whole(None),
            _ => Step::Inside,
        }
    }

    fn begin(&mut self, gtid: Option<Gtid>, open: Open) -> Step {
        let before = std::mem::replace(&mut self.open, open);
        let gtid = std::mem::replace(&mut self.gtid, gtid);
        if before == Open::No { Step::Inside } else { Step::Follows(gtid) }
    }

    fn end(&mut self) -> Step {
        self.open = Open::No;
        Step::Whole(self.gtid.take())
    }
}

/// True for events that say something about groups, or stand between them.
fn speaks(kind: EventType) -> bool {
    use EventType as T;
    matches!(
        kind,
        T::FORMAT_DESCRIPTION
            | T::PREVIOUS_GTIDS
            | T::MARIADB_GTID_LIST
            | T::MARIADB_BINLOG_CHECKPOINT
            | T::ROTATE
            | T::STOP
            | T::INCIDENT
            | T::IGNORABLE
            | T::GTID
            | T::ANONYMOUS_GTID
            | T::GTID_TAGGED
            | T::MARIADB_GTID
            | T::QUERY
            | T::MARIADB_QUERY_COMPRESSED
            | T::XID
            | T::XA_PREPARE
            | T::TRANSACTION_PAYLOAD
    )
}

fn starts_with(sql: &[u8], words: &[u8]) -> bool {
    sql.trim_ascii_start().get(..words.len()).is_some_and(|s| s.eq_ignore_ascii_case(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::raw;
    use crate::position::Flavor;

    fn event(kind: u8, body: &[u8]) -> Vec<u8> {
        raw::event(kind, 1, 0, body)
    }

    fn query(sql: &str) -> Vec<u8> {
        let mut body = vec![0; 13];
        body.push(0);
        body.extend(sql.as_bytes());
        event(2, &body)
    }

    fn maria(seq: u64, flags: u8) -> Vec<u8> {
        let mut body = seq.to_le_bytes().to_vec();
        body.extend([0, 0, 0, 0, flags, 0, 0, 0, 0, 0, 0]);
        event(162, &body)
    }

    /// `-` inside, `|` at the end of a group, `#` at the end of one with a GTID.
    fn shape(events: &[Vec<u8>]) -> String {
        let (mut groups, mut decoder) = (Groups::default(), Decoder::new(Flavor::MariaDb));
        let step = |bytes: &Vec<u8>| match groups.event(&mut decoder, bytes).unwrap() {
            Step::Inside => '-',
            Step::Whole(None) => '|',
            Step::Whole(Some(_)) => '#',
            Step::Follows(_) => '>',
            Step::Before(_) => 'b',
        };
        events.iter().map(step).collect()
    }

    #[test]
    fn transactions_end_with_their_commit() {
        let (rows, xid) = (event(30, &[0; 10]), event(16, &[0; 8]));
        assert_eq!(shape(&[query("BEGIN"), rows.clone(), xid.clone()]), "--|");
        assert_eq!(shape(&[maria(1, 0), rows.clone(), xid.clone(), maria(2, 0)]), "--#-");
        let savepoint = query("ROLLBACK TO `a`");
        let events = [query("BEGIN"), savepoint, rows.clone(), query("COMMIT")];
        assert_eq!(shape(&events), "---|");
        let select = query("CREATE TABLE t (a INT) START TRANSACTION");
        assert_eq!(shape(&[query("BEGIN"), select, rows, xid]), "---|");
    }

    #[test]
    fn statements_end_with_themselves() {
        assert_eq!(shape(&[query("DROP TABLE a"), query("DROP TABLE b")]), "||");
        assert_eq!(shape(&[maria(1, 1), query("DROP TABLE a"), event(3, b"")]), "-#|");
        // What belongs to a statement in statement format stands before it.
        assert_eq!(shape(&[maria(1, 1), event(5, &[0; 9]), query("INSERT")]), "--#");
        assert_eq!(shape(&[query("xa start X'61'"), query("XA END X'61'")]), "--");
    }

    #[test]
    fn a_group_that_was_begun_stays_open() {
        assert_eq!(shape(&[maria(1, 0), event(3, b"")]), "--");
        assert_eq!(shape(&[event(19, &[0; 20]), event(3, b"")]), "--");
        assert_eq!(shape(&[maria(1, 0), maria(2, 1), query("DROP TABLE a")]), "->#");
    }
}
