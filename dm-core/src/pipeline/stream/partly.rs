//! Statements of which a part is about tables that are carried.
//!
//! Guarantee: of a statement that names carried tables and others, what it does to the carried ones happens at
//! the target, and nothing else; a table whose rows were not followed never takes the place of one whose rows
//! were. Method: tables of a DROP and pairs of a RENAME are judged one by one and cut out of the text; a table
//! that has a name of its own at the beginning and at the end is followed through the names in between. What is
//! left stops the task: rows would be missing at the target, or be those of another table.

use dm_filter::{Change, Filter, TableName, Verdict};

use super::Stream;
use super::outcome::short;
use super::statement::judged;
use crate::config::DdlRuleAction;
use crate::ddl::{Body, NameRole, Statement, parse};
use crate::error::{Error, Result, codes};
use crate::position::BinlogPos;
use crate::sql::quote_table;

impl Stream<'_> {
    /// The part of a statement that is about carried tables. The whole of it where that is all or nothing: what
    /// follows judges it.
    pub(super) fn carried_part(&mut self, statement: Statement) -> Result<Statement> {
        let end = self.group.statement.as_ref().map(|(_, end)| end.clone());
        let Some(end) = end.filter(|end| !self.group.skip && !self.is_copied(end)) else {
            return Ok(statement);
        };
        let tables = judged(&statement);
        let kind = self.kind_of(&statement);
        let left_out = match &statement.body {
            Body::DropTable { .. } if self.ctx.creator.merged.is_sharded() => {
                let merged = |t: &&TableName| self.is_merged(t).unwrap_or(false);
                tables.iter().filter(merged).collect()
            }
            _ => Vec::new(),
        };
        let verdict = |table: &TableName| {
            let tables = std::slice::from_ref(table);
            match self.ctx.creator.filter.decide(&Change::ddl(tables, kind, &statement.sql)) {
                Verdict::Keep if left_out.contains(&table) => Verdict::Drop,
                verdict => verdict,
            }
        };
        let out = tables.iter().filter(|t| verdict(t) == Verdict::Exclude).count();
        let dropped = tables.iter().filter(|t| verdict(t) == Verdict::Drop).count();
        if tables.len() < 2 || out + dropped == 0 || out + dropped == tables.len() {
            return Ok(statement);
        }
        if matches!(self.ctx.ddl_rules.find(&statement.sql), Some(DdlRuleAction::Skip)) {
            return Ok(statement);
        }
        let carried = |table: &TableName| verdict(table) != Verdict::Exclude;
        let text = match &statement.body {
            Body::DropTable { tables, temporary: false, .. } => {
                let kept: Vec<String> = tables
                    .iter()
                    .filter(|t| !matches!(verdict(t), Verdict::Exclude | Verdict::Drop))
                    .map(quote_table)
                    .collect();
                let stay: Vec<TableName> =
                    tables.iter().filter(|t| verdict(t) == Verdict::Drop).cloned().collect();
                self.gone_at_source(&stay, &statement)?;
                format!("DROP TABLE IF EXISTS {}", kept.join(", "))
            }
            _ if out == 0 => return Ok(statement),
            Body::RenameTable(pairs) => {
                let Moves { kept, left, entered } = moves(pairs, &carried, self.folds());
                for pair in entered {
                    self.must_be_copied(pair, &end, &statement)?;
                }
                if let Some(taken) = taken(&kept, &left) {
                    return Err(unfollowed(
                        &statement,
                        &format!(
                            "{taken} gets a name that is not carried and stays at the target, where another table is \
                         to take its place"
                        ),
                    ));
                }
                left.iter().for_each(|(from, to)| says_left(from, to));
                if kept.is_empty() {
                    return Ok(statement);
                }
                let pair =
                    |(from, to): &Pair| format!("{} TO {}", quote_table(from), quote_table(to));
                let condition = if statement.is_lenient_rename() { "IF EXISTS " } else { "" };
                let kept = kept.iter().map(pair).collect::<Vec<_>>().join(", ");
                format!("RENAME TABLE {condition}{kept}")
            }
            _ => {
                self.of_one_table(&statement, &carried, &end)?;
                return Ok(statement);
            }
        };
        let mut part = parse(&text, &statement.context)?;
        let on_the_way = part.names.iter_mut().filter(|n| !carried(&n.name));
        on_the_way.for_each(|name| name.role = NameRole::Passing);
        Ok(part)
    }

    /// Tables that a statement has dropped, and that are to stay at the target.
    fn gone_at_source(&mut self, tables: &[TableName], statement: &Statement) -> Result {
        if tables.is_empty() {
            return Ok(());
        }
        self.settle(statement)?;
        let stands = self.stands();
        for table in tables {
            self.tracker.remove(table, self.group.ordinal, stands.until.as_ref());
        }
        Ok(())
    }

    /// A statement about one table that names another one: both are carried, or neither is.
    fn of_one_table(
        &mut self,
        statement: &Statement,
        carried: &dyn Fn(&TableName) -> bool,
        end: &BinlogPos,
    ) -> Result {
        let named = |role: NameRole| statement.names.iter().filter(move |n| n.role == role);
        let subject = statement.subject().map(|s| s.name.clone());
        if let (Some(like), Some(subject)) = (named(NameRole::Like).next(), &subject)
            && carried(subject)
        {
            return Err(unfollowed(
                statement,
                &format!("{subject} is made like {}, which is not carried", like.name),
            ));
        }
        if let Some(other) = named(NameRole::Exchange).next() {
            return Err(unfollowed(
                statement,
                &format!(
                    "rows move from or to {}, and not all of its tables are carried",
                    other.name
                ),
            ));
        }
        if let (Some(new), Some(subject)) = (named(NameRole::NewName).next(), &subject) {
            match carried(subject) {
                true => says_left(subject, &new.name),
                false => {
                    self.must_be_copied((subject.clone(), new.name.clone()), end, statement)?
                }
            }
        }
        Ok(())
    }

    /// A table is made whose name is tracked: the one before it went by a statement that was not followed (it got a
    /// name that is not carried), and is at the target still. Rows of both would come together there.
    pub(super) fn must_be_free(&self, statement: &Statement) -> Result {
        let Body::CreateTable(create) = &statement.body else { return Ok(()) };
        let Some(subject) = statement.subject().map(|subject| &subject.name) else { return Ok(()) };
        let seen = self.tracker.newest().tracked(subject).is_some_and(|known| !known.assumed);
        // After a restart it may be there because this statement has run.
        if create.if_not_exists || create.or_replace || !seen || self.is_pending() {
            return Ok(());
        }
        let target = self.ctx.creator.place(subject)?;
        if self.ctx.sink.describe(&target)?.is_none() {
            return Ok(());
        }
        Err(unfollowed(
            statement,
            &format!(
                "{subject} is made anew, and the target has the one before it still, which got a name that is not \
                 carried, with its rows"
            ),
        )
        .workaround(format!(
            "Give the target's table {target} another name, or drop it; where rows of other tables are in it as \
             well, delete those of the table that has gone and skip this statement with `dm binlog skip`. Then \
             resume, or start the task again."
        )))
    }

    /// A table whose rows were not followed gets a carried name: its rows are at the target only if it was copied
    /// later.
    fn must_be_copied(
        &mut self,
        (from, to): Pair,
        end: &BinlogPos,
        statement: &Statement,
    ) -> Result {
        if self.contained(std::slice::from_ref(&to), end)? {
            return Ok(());
        }
        Err(unfollowed(
            statement,
            &format!(
                "{from} is not carried and becomes {to}, which is: its rows are not at the target"
            ),
        ))
    }
}

pub(super) type Pair = (TableName, TableName);

/// What a RENAME TABLE does to the tables that are carried.
#[derive(Debug, Default, PartialEq)]
struct Moves {
    /// Pairs of tables that were carried and are, in their order.
    kept: Vec<Pair>,
    /// Tables that were carried and are not any more, with their last names.
    left: Vec<Pair>,
    /// Tables that were not carried and are now.
    entered: Vec<Pair>,
}

/// A table on its way through a statement.
pub(super) struct Way {
    pub first: TableName,
    pub now: TableName,
    pub steps: Vec<usize>,
}

/// Follows the tables of a RENAME TABLE through its names.
pub(super) fn ways(pairs: &[Pair], fold: bool) -> Vec<Way> {
    let same = |a: &TableName, b: &TableName| {
        let eq = |a: &str, b: &str| a == b || (fold && a.to_lowercase() == b.to_lowercase());
        eq(&a.schema, &b.schema) && eq(&a.table, &b.table)
    };
    let mut ways: Vec<Way> = Vec::new();
    for (at, (from, to)) in pairs.iter().enumerate() {
        match ways.iter_mut().find(|way| same(&way.now, from)) {
            Some(way) => {
                way.now = to.clone();
                way.steps.push(at);
            }
            None => ways.push(Way { first: from.clone(), now: to.clone(), steps: vec![at] }),
        }
    }
    ways
}

fn moves(pairs: &[Pair], carried: &dyn Fn(&TableName) -> bool, fold: bool) -> Moves {
    let (mut moves, mut kept) = (Moves::default(), Vec::new());
    for way in ways(pairs, fold) {
        match (carried(&way.first), carried(&way.now)) {
            (true, true) => kept.extend(way.steps),
            (true, false) => moves.left.push((way.first, way.now)),
            (false, true) => moves.entered.push((way.first, way.now)),
            (false, false) => {}
        }
    }
    kept.sort_unstable();
    moves.kept = kept.into_iter().filter_map(|at| pairs.get(at).cloned()).collect();
    moves
}

/// A table that stays at the target under a name that another one is to have.
fn taken<'m>(kept: &[Pair], left: &'m [Pair]) -> Option<&'m TableName> {
    left.iter().map(|(from, _)| from).find(|from| kept.iter().any(|(_, to)| to == *from))
}

fn says_left(from: &TableName, to: &TableName) {
    log::warn!(
        "{from} is renamed to {to}, which is not carried: at the target it stays as it is, and what happens to it \
         from here on does not come there; rename or drop it there if that is not meant"
    );
}

fn unfollowed(statement: &Statement, why: &str) -> Error {
    Error::new(&codes::SYNC_PARTLY_CARRIED, format!("{why}: {:?}", short(&statement.sql)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[(&str, &str)]) -> Vec<Pair> {
        let name = |n: &str| TableName::new("d", n);
        text.iter().map(|(from, to)| (name(from), name(to))).collect()
    }

    /// Tables whose names begin with `no` are not carried.
    fn moved(text: &[(&str, &str)]) -> Moves {
        moves(&pairs(text), &|t| !t.table.to_lowercase().starts_with("no"), true)
    }

    #[test]
    fn a_table_is_followed_through_names_that_are_not_carried() {
        let swap = [("a", "no"), ("b", "a"), ("NO", "b")];
        assert_eq!(moved(&swap), Moves { kept: pairs(&swap), ..Moves::default() });
        let mixed = moved(&[("a", "b"), ("no1", "no2"), ("c", "no3"), ("no4", "d")]);
        assert_eq!(mixed.kept, pairs(&[("a", "b")]));
        assert_eq!(mixed.left, pairs(&[("c", "no3")]));
        assert_eq!(mixed.entered, pairs(&[("no4", "d")]));
    }

    #[test]
    fn a_place_that_is_not_free() {
        let moves = moved(&[("a", "no1"), ("b", "a")]);
        assert_eq!(taken(&moves.kept, &moves.left), Some(&TableName::new("d", "a")));
        let moves = moved(&[("a", "no1"), ("b", "c")]);
        assert_eq!(taken(&moves.kept, &moves.left), None);
    }
}
