//! Keeps the new names of a ghost table's foreign keys, so that the target has them from the rename on:
//! what the source says of them later, by these names, then fits the target as well.

use dm_filter::{TableName, Verdict};

use super::Stream;
use crate::ddl::{Body, Statement};
use crate::error::Result;
use crate::online_ddl::{Change, Follower, renamed_keys};
use crate::schema::Tracker;

impl Stream<'_> {
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
        let Some(before) = self.tracker.table(&real).filter(|t| !t.foreign_keys.is_empty()) else {
            return Ok(());
        };
        let mut own = Tracker::new(self.tracker.defaults().clone());
        if own.apply(statement).is_err() {
            // A structure that cannot be told: the old names stay.
            return Ok(());
        }
        let Some(made) = own.table(&ghost) else { return Ok(()) };
        let target = self.ctx.creator.target(&real)?;
        let target = TableName::new(target.schema, target.table);
        let Some(there) = self.ctx.sink.describe(&target)? else { return Ok(()) };
        let has = |name: &str| there.foreign_keys.iter().any(|key| key.name == name);
        if let Some(sql) = renamed_keys(&ghost, before, made, &has) {
            follower.add(&ghost, Change { sql, ..heard.clone() });
        }
        Ok(())
    }
}
