//! Statements that a target does not take as a whole.
//!
//! Statements stay whole wherever a target takes them: half of an ALTER TABLE is a structure that the
//! source never had. A TiDB does not take every one of them: before 6.2 one change in each statement, later
//! all but some combinations (8200), and no DROP COLUMN of a column that has a key. There a statement runs in
//! pieces, when the pieces come to the same as the whole by what is tracked. Each piece has a record of its
//! own, so a restart goes on behind those that have run: a record of a later one says that the earlier ones
//! are done, and a record of any of them says that the whole was refused before.
//!
//! Pieces are steps like all others (`steps`): rows of other tables go on beside each that takes long (`beside`).
//! They are told before the statement is tracked, as that changes what they are compared with; only what the
//! target's own keys ask for is looked up when it has refused a piece.
//!
//! MariaDB has conditions (IF \[NOT\] EXISTS of clauses, OR REPLACE) for which other targets have no words. What
//! they decide follows from what is tracked ([`crate::schema::Tracker::decided`]), so what is left of the
//! statement runs there; where that cannot be said it goes as it is, and the target tells.

use super::Stream;
use super::execute::Number;
use super::outcome::short;
use super::statement::Seen;
use crate::ddl::{AlterSpec, Body, Flavor as Dialect, Statement, parse, partition_names};
use crate::error::Result;
use crate::position::Flavor;
use crate::schema::KeyKind;
use crate::sink::Clauses;
use crate::sql::{quote_ident, quote_table};

/// TiDB's number for what it does not carry out.
pub(super) const UNSUPPORTED: u16 = 8200;

impl Stream<'_> {
    /// What runs in place of a statement of MariaDB's with conditions that the target has no words for; `None`
    /// where it goes as it is.
    pub(super) fn without_conditions(
        &self,
        statement: &Statement,
    ) -> Result<Option<Vec<Statement>>> {
        if self.has_words_for(statement)? {
            return Ok(None);
        }
        let partitions = match &statement.body {
            Body::AlterTable(alter) if statement.asks_for_partitions() => {
                let shown = self.ctx.sink.show_create(&self.ctx.creator.place(&alter.name)?)?;
                shown.map(|text| partition_names(&text))
            }
            _ => None,
        };
        let decided = self.tracker.newest().decided(statement, partitions.as_deref());
        if decided.as_ref().is_some_and(Vec::is_empty) {
            log::info!("does nothing by its conditions: {:?}", short(&statement.sql));
        }
        Ok(decided)
    }

    /// True when the target reads the statement's conditions, where it has some.
    fn has_words_for(&self, statement: &Statement) -> Result<bool> {
        if self.ctx.info.flavor != Flavor::MariaDb {
            return Ok(true);
        }
        Ok(match self.ctx.sink.family()? {
            None | Some(Dialect::MariaDb) => true,
            Some(Dialect::TiDb) => statement.conditions_are_known_to_tidb(),
            Some(Dialect::MySql) => false,
        })
    }

    /// True when the target's table decides about a statement: all before it has to be there then.
    pub(super) fn asks_the_target(&self, statement: &Statement) -> Result<bool> {
        Ok(statement.asks_for_partitions() && !self.has_words_for(statement)?)
    }

    /// The pieces of a statement that need not be tried as a whole: the target takes one change at a time,
    /// or the whole was refused before the task died.
    pub(super) fn pieces_at_once(
        &self,
        statement: &Statement,
        number: Number,
        seen: &Seen<'_>,
    ) -> Result<Option<Vec<Statement>>> {
        let one_by_one = self.ctx.sink.clauses()? == Clauses::OneByOne;
        if !one_by_one && !self.is_pending() {
            return Ok(None);
        }
        let Some(pieces) = self.equal_pieces(statement) else { return Ok(None) };
        if one_by_one {
            return Ok(Some(pieces));
        }
        for piece in &pieces {
            if self.is_noted(&self.target_ddl(piece, number, seen)?.sql) {
                return Ok(Some(pieces));
            }
        }
        Ok(None)
    }

    /// True for a statement that a target may refuse as a whole and take in pieces. Its version does not tell: a
    /// TiDB may be configured to call itself a MySQL.
    pub(super) fn may_need_pieces(statement: &Statement) -> bool {
        let Body::AlterTable(alter) = &statement.body else { return false };
        match alter.clauses.as_slice() {
            [clause] => matches!(clause.spec, AlterSpec::DropColumn { .. }),
            several => !several.is_empty(),
        }
    }

    /// The pieces, where they come to the same as the whole.
    pub(super) fn equal_pieces(&self, statement: &Statement) -> Option<Vec<Statement>> {
        let pieces = statement.pieces()?;
        self.tracker.newest().comes_to_the_same(statement, &pieces).then_some(pieces)
    }

    /// DROP COLUMN of a column that the target has keys of, which a TiDB refuses: the keys first, as MySQL
    /// would drop them with the column. Nothing for a key that has other columns as well: what MySQL leaves of
    /// it is for a person to make.
    pub(super) fn without_its_keys(&self, statement: &Statement) -> Result<Option<Vec<Statement>>> {
        let Body::AlterTable(alter) = &statement.body else { return Ok(None) };
        let [clause] = alter.clauses.as_slice() else { return Ok(None) };
        let AlterSpec::DropColumn { name, .. } = &clause.spec else { return Ok(None) };
        let target = self.ctx.creator.place(&alter.name)?;
        let Some(schema) = self.ctx.sink.describe(&target)? else { return Ok(None) };
        let mut pieces = Vec::new();
        for key in &schema.keys {
            if !key.has_column(name) {
                continue;
            }
            if key.parts.len() > 1 || key.kind == KeyKind::Primary {
                return Ok(None);
            }
            let text = format!(
                "ALTER TABLE {} DROP INDEX {}",
                quote_table(&alter.name),
                quote_ident(&key.name)
            );
            pieces.push(parse(&text, &statement.context)?);
        }
        if pieces.is_empty() {
            return Ok(None);
        }
        pieces.push(statement.clone());
        Ok(Some(pieces))
    }
}
