//! What each event of the binlog is to the group that is being read. An error says between which
//! positions it lies.

use super::Stream;
use super::group::disorder;
use crate::error::{Error, Result, codes};
use crate::position::{BinlogPos, Gtid};
use crate::source::{Body, SourceEvent};

impl Stream<'_> {
    /// Handles one event.
    pub(super) fn event(&mut self, event: SourceEvent) -> Result {
        let SourceEvent { start, end, at, body, print } = event;
        if let Body::Gtid { gtid, .. } = &body {
            self.history.begins(gtid.as_ref());
        }
        self.body(body, &start, &end, at)
            .map_err(|e| super::located(e, &start, &end, self.executed.as_ref()))?;
        if let Some(print) = print
            && !self.group.open
        {
            self.history.ends(self.ordinal, &start, &end, print, self.progress.low_ordinal());
        }
        if self.group.open && self.group.first.is_none() {
            self.group.first = Some(start);
        }
        self.seen = Some(end);
        Ok(())
    }

    fn body(&mut self, body: Body, start: &BinlogPos, end: &BinlogPos, at: u32) -> Result {
        match body {
            Body::Gtid { gtid, standalone, prepared, .. } => {
                if self.group.open && self.group.in_txn {
                    return Err(disorder(start, "a new group begins inside of a transaction"));
                }
                if self.group.open {
                    // A group of which nothing was to be seen: an event that readers skip.
                    let (group, position) = self.end_group(start)?;
                    self.progress.pass(group.ordinal, position, group.at);
                }
                if prepared {
                    // What is prepared behind a statement must not be kept as if it were before it.
                    self.end_beside()?;
                }
                let mariadb = matches!(gtid, Some(Gtid::MariaDb(_)));
                self.begin(gtid, at);
                self.group.start = Some(start.clone());
                // MariaDB's GTID event stands for BEGIN, too.
                self.group.in_txn = mariadb && !standalone;
                self.group.xa = prepared.then(Default::default);
            }
            Body::Begin => self.begin_transaction(at),
            Body::Query(query) => {
                self.query(&query, start, end, at)
                    .map_err(|e| e.origin(&String::from_utf8_lossy(&query.sql)))?;
            }
            Body::UnfinishedAlter => self.unfinished_alter(start, end, at)?,
            Body::Rows(rows) => {
                self.inject_before(start, end, at)
                    .and_then(|()| self.rows(rows, start, end, at))
                    .map_err(|e| if e.statement_place().is_some() { e } else { e.at_rows(start) })?;
            }
            Body::Xid => self.commit(end)?,
            Body::XaPrepare { xid, one_phase } => {
                self.end_beside()?;
                self.xa_prepare(&xid, one_phase, end)?;
            }
            Body::Incident(message) => {
                return Err(Error::new(
                    &codes::SYNC_EVENT,
                    format!("the source says that its binlog lost events here: {message}"),
                ));
            }
            Body::Statement(_) | Body::RowsQuery(_) | Body::Rotate | Body::Heartbeat => {}
        }
        Ok(())
    }
}
