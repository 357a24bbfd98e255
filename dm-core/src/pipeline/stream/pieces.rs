//! Statements that a target does not take as a whole.
//!
//! Statements stay whole wherever a target takes them: half of an ALTER TABLE is a structure that the
//! source never had. A TiDB does not take every one of them: before 6.2 one change in each statement, later
//! all but some combinations (8200), and no DROP COLUMN of a column that has a key. There a statement runs in
//! pieces, when the pieces come to the same as the whole by what is tracked. Each piece has a record of its
//! own, so a restart goes on behind those that have run: a record of a later one says that the earlier ones
//! are done, and a record of any of them says that the whole was refused before.
//!
//! A TiDB that may take the whole is given it, and rows of other tables go on beside it (`beside`) as beside any
//! other: it refuses before it begins to work, so nearly always while the statement is still waited for. Where
//! the refusal comes late all the same, the reader stands still from then on and the pieces run, in the place
//! and the session of their statement: in its group, by what was tracked when it was given ([`Apart`]). A restart
//! in the middle reads the statement again and finds their records, as if nothing had gone on; what of the
//! transactions behind is in, the marks name.

use super::Stream;
use super::beside::Place;
use super::execute::Number;
use super::group::Group;
use super::statement::Seen;
use crate::ddl::{AlterSpec, Body, Statement, parse};
use crate::error::{Error, Result};
use crate::online_ddl::Change;
use crate::position::Gtid;
use crate::schema::KeyKind;
use crate::sink::Clauses;
use crate::sql::{quote_ident, quote_table};

/// TiDB's number for what it does not carry out.
const UNSUPPORTED: u16 = 8200;

/// A statement that runs beside rows, and may have to run in pieces when it is refused.
pub(super) struct Apart {
    statement: Statement,
    number: Number,
    /// The session of its event.
    heard: Change,
    /// The pieces, by what was tracked before it; `None` where they would not come to the same.
    pieces: Option<Vec<Statement>>,
    ordinal: u64,
    gtid: Option<Gtid>,
}

impl Stream<'_> {
    /// What is needed to run a statement in pieces that has not been tracked yet and goes on; `None` where it
    /// will not be taken apart.
    pub(super) fn apart(
        &self,
        statement: &Statement,
        number: Number,
        seen: &Seen<'_>,
    ) -> Result<Option<Apart>> {
        if !self.may_need_pieces(statement)? {
            return Ok(None);
        }
        Ok(Some(Apart {
            statement: statement.clone(),
            number,
            heard: Change::new(seen.text, seen.query, seen.at, seen.start.to_string()),
            pieces: self.equal_pieces(statement),
            ordinal: self.group.ordinal,
            gtid: self.group.gtid.clone(),
        }))
    }

    /// Runs the pieces of a statement that went on and was refused, where that helps; their records. Nothing is
    /// read meanwhile.
    pub(super) fn pieces_beside(
        &mut self,
        error: Error,
        apart: Option<Apart>,
        place: &Place,
    ) -> Result<Vec<i64>> {
        let Some(apart) = apart.filter(|_| error.server_error() == Some(UNSUPPORTED)) else {
            return Err(error);
        };
        let Apart { statement, number, heard, pieces, ordinal, gtid } = apart;
        let pieces = match pieces {
            Some(pieces) => pieces,
            None => self.without_its_keys(&statement)?.ok_or_else(|| error.clone())?,
        };
        log::info!("the target takes {:?} in pieces only: {error}", statement.sql);
        let query = heard.query();
        let seen = place.seen(&query, heard.at);
        let open = std::mem::replace(&mut self.group, Group::again(ordinal, gtid));
        let executed = std::mem::replace(&mut self.executed, place.executed.clone());
        let ran = self.run_pieces(pieces, number, &seen);
        self.executed = executed;
        let group = std::mem::replace(&mut self.group, open);
        ran.map(|()| group.statements)
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

    /// True for a statement that the target may refuse as a whole and take in pieces.
    fn may_need_pieces(&self, statement: &Statement) -> Result<bool> {
        let Body::AlterTable(alter) = &statement.body else { return Ok(false) };
        let may = match alter.clauses.as_slice() {
            [clause] => matches!(clause.spec, AlterSpec::DropColumn { .. }),
            several => !several.is_empty(),
        };
        Ok(may && self.ctx.sink.clauses()? != Clauses::Together)
    }

    /// What may run in place of a statement that the target has refused.
    fn pieces_after(&self, error: &Error, statement: &Statement) -> Result<Option<Vec<Statement>>> {
        if error.server_error() != Some(UNSUPPORTED) {
            return Ok(None);
        }
        let pieces = match self.equal_pieces(statement) {
            Some(pieces) => Some(pieces),
            None => self.without_its_keys(statement)?,
        };
        if pieces.is_some() {
            log::info!("the target takes {:?} in pieces only: {error}", statement.sql);
        }
        Ok(pieces)
    }

    /// Runs a statement in pieces that the target has refused as a whole, when that helps.
    pub(super) fn in_pieces_after(
        &mut self,
        error: Error,
        statement: &Statement,
        number: Number,
        seen: &Seen<'_>,
    ) -> Result {
        match self.pieces_after(&error, statement)? {
            Some(pieces) => self.run_pieces(pieces, number, seen),
            None => Err(error),
        }
    }

    /// Runs pieces in their order. A piece may have to be taken apart itself.
    pub(super) fn run_pieces(
        &mut self,
        pieces: Vec<Statement>,
        number: Number,
        seen: &Seen<'_>,
    ) -> Result {
        for piece in &pieces {
            let ddl = self.target_ddl(piece, number, seen)?;
            let Err(error) = self.run_recorded(&ddl, number, seen) else { continue };
            let refused = error.server_error() == Some(UNSUPPORTED);
            let Some(parts) = (if refused { self.without_its_keys(piece)? } else { None }) else {
                let which = format!("one of {} pieces of the statement", pieces.len());
                return Err(error.context(which));
            };
            for part in &parts {
                let ddl = self.target_ddl(part, number, seen)?;
                self.run_recorded(&ddl, number, seen)?;
            }
        }
        Ok(())
    }

    /// The pieces, where they come to the same as the whole.
    fn equal_pieces(&self, statement: &Statement) -> Option<Vec<Statement>> {
        let pieces = statement.pieces()?;
        self.tracker.newest().comes_to_the_same(statement, &pieces).then_some(pieces)
    }

    /// DROP COLUMN of a column that the target has keys of, which a TiDB refuses: the keys first, as MySQL
    /// would drop them with the column. Nothing for a key that has other columns as well: what MySQL leaves of
    /// it is for a person to make.
    fn without_its_keys(&self, statement: &Statement) -> Result<Option<Vec<Statement>>> {
        let Body::AlterTable(alter) = &statement.body else { return Ok(None) };
        let [clause] = alter.clauses.as_slice() else { return Ok(None) };
        let AlterSpec::DropColumn { name, .. } = &clause.spec else { return Ok(None) };
        let target = self.ctx.creator.target(&alter.name)?;
        let target = dm_filter::TableName::new(target.schema, target.table);
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
