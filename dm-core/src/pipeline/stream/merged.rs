//! Statements on tables that stand among others at the target.
//!
//! Guarantee: what goes at the source and stands among rows or tables of others at the target does not take
//! these with it, and a table comes among others with all its rows or not at all. Method: the tables that
//! lose rows, or change places, are asked for whether others go to the same target table. A table whose old
//! name and new name go to one target table is there already.

use dm_filter::TableName;

use super::Stream;
use super::execute::Number;
use super::partly::{Pair, ways};
use super::statement::Seen;
use super::steps::Order;
use crate::ddl::{Body, NameRole, PartitionOp, Statement, parse};
use crate::error::{Error, Result, codes};
use crate::pipeline::Of;
use crate::sql::quote_table;

/// What a statement does to others, and whether DM leaves it out with a `shard-mode`.
type Harm = (String, bool);

impl Stream<'_> {
    /// True for a statement that would take rows of others from the target, and is left out for that: a schema, or a
    /// table that is dropped or emptied, goes where others go as well. With a `shard-mode` that is what DM does.
    ///
    /// # Errors
    ///
    /// Without one DM runs it, and the others' rows are lost: somebody has to say what is meant.
    pub(super) fn is_of_others_too(&self, statement: &Statement) -> Result<bool> {
        let Some((text, left_out)) = self.harm(statement)? else { return Ok(false) };
        if left_out && self.ctx.creator.merged.is_sharded() {
            return Ok(true);
        }
        match self.ctx.ddl_rules.find(&statement.sql) {
            Some(_) => Ok(false),
            None => Err(Error::new(&codes::SYNC_TARGET_SHARED, text)),
        }
    }

    fn harm(&self, statement: &Statement) -> Result<Option<Harm>> {
        let whole = |found: Option<String>| found.map(|text| (text, true));
        match &statement.body {
            Body::DropDatabase { name, .. } => self.shared_schema(name).map(whole),
            Body::DropTable { tables, temporary: false, .. } => self.shared(tables).map(whole),
            Body::TruncateTable(table) => self.shared(std::slice::from_ref(table)).map(whole),
            Body::CreateTable(create) if create.or_replace && !create.temporary => {
                let own = statement.subject().map(|subject| subject.name.clone());
                match own {
                    Some(own) if self.ctx.sink.describe(&self.place(&own)?)?.is_some() => {
                        self.shared(&[own]).map(whole)
                    }
                    _ => Ok(None),
                }
            }
            Body::RenameTable(pairs) => self.moved(pairs),
            Body::AlterTable(alter) => {
                let renamed = statement.new_name().map(|new| (alter.name.clone(), new.clone()));
                match self.partitions(&alter.name, &statement.partition_ops())? {
                    None => self.moved(renamed.as_slice()),
                    found => Ok(found),
                }
            }
            _ => Ok(None),
        }
    }

    fn shared_schema(&self, name: &str) -> Result<Option<String>> {
        let creator = &self.ctx.creator;
        let target = self.place(&TableName::schema_only(name))?.schema;
        let other = creator.merged.other_in(&target, &creator.source, name);
        Ok(other.map(|(source, other)| {
            format!(
                "schema `{name}` is dropped; the target schema `{target}`, where its tables are, has \
                 tables of `{other}` of source {source} as well"
            )
        }))
    }

    /// Says of tables that lose all rows that others go to the same target table.
    fn shared(&self, tables: &[TableName]) -> Result<Option<String>> {
        for table in tables {
            if self.has_others(&[table], &self.place(table)?) {
                return Ok(Some(format!(
                    "{table} loses all its rows; those of other tables are in the same table of the target"
                )));
            }
        }
        Ok(None)
    }

    fn partitions(&self, table: &TableName, ops: &[PartitionOp]) -> Result<Option<Harm>> {
        use PartitionOp as P;
        let takes = |op: &PartitionOp| {
            matches!(op, P::Drop | P::Truncate | P::Exchange | P::ConvertToTable | P::Discard)
        };
        if !ops.iter().any(takes) || !self.has_others(&[table], &self.place(table)?) {
            return Ok(None);
        }
        let text = format!(
            "{table} loses rows of partitions; those of other tables are in the same partitions of the target's table"
        );
        Ok(Some((text, false)))
    }

    /// Tables that leave a target table where others stay, or come to one where others are.
    fn moved(&self, pairs: &[Pair]) -> Result<Option<Harm>> {
        let ways = ways(pairs, self.folds());
        let own: Vec<&TableName> = ways.iter().flat_map(|way| [&way.first, &way.now]).collect();
        for way in &ways {
            let (from, to) = (self.place(&way.first)?, self.place(&way.now)?);
            let others = |target: &TableName| from != to && self.has_others(&own, target);
            let why = match (others(&from), others(&to)) {
                (true, _) => format!("the target's {from} has rows of other tables as well"),
                (_, true) => format!("at the target that is {to}, where rows of other tables are"),
                _ => continue,
            };
            return Ok(Some((format!("{} is renamed to {}: {why}", way.first, way.now), false)));
        }
        Ok(None)
    }

    /// Runs a statement of the source, in its slot of the group, and tracks what it did.
    pub(super) fn run_own(&mut self, statement: &Statement, slot: u64, seen: &Seen<'_>) -> Result {
        match self.left_for_target(statement)? {
            Some(at_target) => {
                let about = [statement];
                let order = Order {
                    statement: at_target.as_ref().unwrap_or(statement),
                    number: Number::own(slot),
                    about: Some(&about),
                    of_list: None,
                };
                self.run_at_target(order, seen)?;
            }
            None => {
                self.end_beside()?;
                self.settle(statement)?;
            }
        }
        self.track(statement)?;
        self.count_ddl();
        Ok(())
    }

    /// What of a statement is left for the target: all of it (`Some(None)`), a part, or nothing, where tables get
    /// names that go to the table where they are, or a table is made like one that it is there.
    fn left_for_target(&self, statement: &Statement) -> Result<Option<Option<Statement>>> {
        let stays = |from: &TableName, to: &TableName| -> Result<bool> {
            Ok(from != to && self.place(from)? == self.place(to)?)
        };
        let part = match &statement.body {
            Body::RenameTable(pairs) => {
                let mut left: Vec<usize> = Vec::new();
                for way in ways(pairs, self.folds()) {
                    if !stays(&way.first, &way.now)? {
                        left.extend(way.steps);
                    }
                }
                if left.len() == pairs.len() {
                    return Ok(Some(None));
                }
                left.sort_unstable();
                let pair =
                    |(from, to): &Pair| format!("{} TO {}", quote_table(from), quote_table(to));
                let texts: Vec<String> =
                    left.iter().filter_map(|at| pairs.get(*at)).map(pair).collect();
                let condition = if statement.is_lenient_rename() { "IF EXISTS " } else { "" };
                (!texts.is_empty()).then(|| format!("RENAME TABLE {condition}{}", texts.join(", ")))
            }
            Body::AlterTable(alter) => match statement.new_name() {
                Some(new) if stays(&alter.name, new)? => statement.without_rename(),
                _ => return Ok(Some(None)),
            },
            Body::CreateTable(_) => {
                let like = statement.names.iter().find(|name| name.role == NameRole::Like);
                match (statement.subject(), like) {
                    (Some(made), Some(like)) if stays(&like.name, &made.name)? => None,
                    _ => return Ok(Some(None)),
                }
            }
            _ => return Ok(Some(None)),
        };
        let part = part.map(|text| parse(&text, &statement.context)).transpose()?;
        Ok(part.map(Some))
    }

    /// Notes which tables a statement has made, and which names have changed.
    pub(super) fn note_tables(&self, statement: &Statement) -> Result {
        let creator = &self.ctx.creator;
        let of = Of { source: &creator.source, folds: self.folds() };
        let come = |table: &TableName| -> Result {
            if creator.wants(table) {
                creator.merged.add(of, table, self.place(table)?);
            }
            Ok(())
        };
        let gone = |table: &TableName| -> Result {
            creator.merged.leave(of, table, &self.place(table)?);
            Ok(())
        };
        match &statement.body {
            Body::CreateTable(create) if !create.temporary => {
                statement.subject().map_or(Ok(()), |subject| come(&subject.name))
            }
            Body::RenameTable(pairs) => {
                pairs.iter().try_for_each(|(from, to)| gone(from).and_then(|()| come(to)))
            }
            Body::AlterTable(alter) => match statement.new_name() {
                Some(new) => gone(&alter.name).and_then(|()| come(new)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn is_merged(&self, table: &TableName) -> Result<bool> {
        Ok(self.has_others(&[table], &self.place(table)?))
    }

    fn place(&self, table: &TableName) -> Result<TableName> {
        self.ctx.creator.place(table)
    }

    fn has_others(&self, own: &[&TableName], target: &TableName) -> bool {
        let creator = &self.ctx.creator;
        let of = Of { source: &creator.source, folds: self.folds() };
        creator.merged.has_others(of, own, target)
    }
}
