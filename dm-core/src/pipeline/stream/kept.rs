//! What the checkpoint keeps of structures that statements have changed ([`crate::schema::SchemaHistory`]).
//!
//! A statement's place is told behind it: by the end of its event, which no event before it has passed, and by its
//! own GTID. Of what a copied table looked like before a statement that the copy contains, nothing is known.

use std::sync::Arc;

use dm_filter::TableName;

use super::Stream;
use crate::position::{GtidSet, Position};
use crate::schema::{Older, OlderIs, Place, Stands, fold};
use crate::source::LastGroup;

impl Stream<'_> {
    /// Where the last statement of the open group stands.
    pub(super) fn stands(&self) -> Stands {
        let Some((start, end)) = &self.group.statement else { return Stands::default() };
        let gtid = self.group.gtid.as_ref().map(GtidSet::of);
        let position = Position { binlog: Some(end.clone()), gtid };
        let until = Place { server: self.history.server().to_owned(), position };
        Stands { since: Some(self.place_of(start)), until: Some(Arc::new(until)) }
    }

    /// What the tracker has of tables holds behind the last statement of the open group only.
    pub(super) fn known_from_here(&mut self, tables: &[TableName]) {
        let Some(until) = self.stands().until else { return };
        let folded = self.folds();
        self.group.changes().older.extend(tables.iter().map(|table| Older {
            table: fold(table, folded),
            was: OlderIs::Forgotten,
            until: Arc::clone(&until),
        }));
    }

    /// By file the history begins where this server was read first: with the first statement that changed
    /// something, else with the last group that the checkpoint has passed.
    pub(super) fn history_is_of_this_server(&mut self, last: Option<&LastGroup>) {
        let (server, folded) = (self.history.server(), self.folds());
        if self.history_of.as_ref().is_some_and(|(known, f)| known == server && *f == folded) {
            return;
        }
        let first =
            self.changes.older.first().and_then(|older| older.until.position.binlog.clone());
        let Some(at) = first.or_else(|| last.map(|last| last.start.clone())) else { return };
        let server = server.to_owned();
        self.changes.history_server = Some((server.clone(), at, folded));
        self.history_of = Some((server, folded));
    }

    pub(super) fn folds(&self) -> bool {
        self.defaults.lower_case_table_names != 0
    }
}
