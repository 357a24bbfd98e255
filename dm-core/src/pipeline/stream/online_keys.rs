//! Foreign keys and ghost tables.
//!
//! Keys of a ghost table have other names than those of the real one. These names are kept, so that the
//! target has them from the rename on: what the source says of them later fits the target as well. Keys
//! of other tables may refer to a ghost table shortly before it gets its real name, and to the real one from
//! then on (pt-online-schema-change with `rebuild_constraints`). The target never has the ghost, and would take
//! the reference all the same: there they refer to the real table at once.

use dm_filter::{TableName, Verdict};

use super::Stream;
use crate::ddl::{Body, NameRef, NameRole, Statement, parse};
use crate::error::Result;
use crate::online_ddl::{Change, Follower, Kind, renamed_keys};
use crate::schema::Tracker;

impl Stream<'_> {
    /// The part of a statement that is carried, with the real table wherever one of its foreign keys refers to a
    /// ghost table.
    pub(super) fn beyond_ghosts(&mut self, statement: Statement) -> Result<Statement> {
        let statement = self.carried_part(statement)?;
        let Some(follower) = &self.online else { return Ok(statement) };
        let names = follower.names();
        let is_ghost = |name: &NameRef| {
            name.role == NameRole::Parent && matches!(names.kind(&name.name), Kind::Ghost(_))
        };
        if !statement.names.iter().any(is_ghost) {
            return Ok(statement);
        }
        let real = |ghost: &TableName| {
            let all = names.candidates(ghost);
            let known = all.iter().find(|table| self.tracker.newest().table(table).is_some());
            known.or(all.first()).cloned()
        };
        let text = statement.splice(|name| if is_ghost(name) { real(&name.name) } else { None });
        parse(&text, &statement.context)
    }

    /// True where that asks the target, which must be as it is at this place.
    pub(super) fn asks_for_key_names(&self, follower: &Follower, statement: &Statement) -> bool {
        let Body::CreateTable(create) = &statement.body else { return false };
        let Some(ghost) = statement.subject().filter(|_| !create.elements.is_empty()) else {
            return false;
        };
        let tracked = |real: &TableName| self.tracker.newest().table(real);
        let names = follower.names().candidates(&ghost.name);
        names.iter().filter_map(tracked).any(|real| !real.foreign_keys.is_empty())
    }

    /// A ghost table is made: when its foreign keys have other names than those of the real table, that is
    /// the first of its changes. `judge` says which tables are carried.
    pub(super) fn keep_key_names(
        &self,
        follower: &mut Follower,
        statement: &Statement,
        heard: &Change,
        judge: &dyn Fn(&TableName) -> Verdict,
    ) -> Result {
        let Body::CreateTable(create) = &statement.body else { return Ok(()) };
        let Some(ghost) = statement.subject().map(|s| s.name.clone()) else { return Ok(()) };
        if create.elements.is_empty() || !follower.is_followed(&ghost) {
            return Ok(());
        }
        let names = follower.names().candidates(&ghost).into_iter();
        let Some(real) = names.into_iter().find(|real| judge(real) == Verdict::Keep) else {
            return Ok(());
        };
        let Some(before) =
            self.tracker.newest().table(&real).filter(|t| !t.foreign_keys.is_empty())
        else {
            return Ok(());
        };
        let mut own = Tracker::new(self.tracker.newest().defaults().clone());
        if own.apply(statement).is_err() {
            // A structure that cannot be told: the old names stay.
            return Ok(());
        }
        let Some(made) = own.table(&ghost) else { return Ok(()) };
        let Some(there) = self.ctx.sink.describe(&self.ctx.creator.place(&real)?)? else {
            return Ok(());
        };
        let has = |name: &str| there.foreign_keys.iter().any(|key| key.name == name);
        if let Some(sql) = renamed_keys(&ghost, before, made, &has) {
            follower.add(&ghost, Change { sql, ..heard.clone() });
        }
        Ok(())
    }
}
