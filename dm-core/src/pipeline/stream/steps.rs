//! What a group of statements runs at the target, one after the other.
//!
//! Guarantee: each step begins when the one before it has ended, has a record of its own (`execute`), and is noted
//! where it belongs to a list that was given; so a restart goes on behind those that have run. Obstacle: one may
//! take long, and by the time of the next one the reader is elsewhere (`beside`): with another group, in another
//! session, with structures of a later place. Method: all that a step needs is made when it is read, in the
//! words of its own session and by what was tracked then; what is left to its turn is to record and to give it.
//! One that the target does not take as a whole makes room for its pieces (`pieces`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use super::Stream;
use super::execute::{Number, Told, panicked};
use super::operator::Given;
use super::outcome::short;
use super::pieces::UNSUPPORTED;
use super::statement::Seen;
use crate::ddl::Statement;
use crate::error::{Error, Result};
use crate::online_ddl::Change;
use crate::position::BinlogPos;
use crate::sink::{DdlOutcome, TargetDdl};

/// A statement that ends within this time is waited for.
const SOON: Duration = super::PATIENCE;

/// A statement that is to run at this place.
pub(super) struct Order<'s> {
    pub statement: &'s Statement,
    pub number: Number,
    /// The statements whose tables wait while it runs beside rows of others: itself, and the source's when it
    /// runs in place of that. `None` where everything waits.
    pub about: Option<&'s [&'s Statement]>,
    /// It is of a list that was given.
    pub of_list: Option<OfList>,
}

/// The place of a statement in a list that was given.
#[derive(Clone)]
pub(super) struct OfList {
    /// How far the list has come when it has run.
    pub given: Given,
    /// Which one it is, for errors.
    pub which: String,
}

/// One statement on its way to the target.
pub(super) struct Step {
    statement: Statement,
    pub ddl: TargetDdl,
    number: Number,
    /// The session of its event.
    heard: Change,
    start: BinlogPos,
    end: BinlogPos,
    apart: Apart,
    /// Noted when it has run.
    given: Option<Given>,
    which: Option<String>,
}

/// What becomes of a step that the target refuses because it has too much in one.
enum Apart {
    /// It stays refused.
    Never,
    /// These run, where they come to the same; else what the target's own keys ask for.
    Into(Option<VecDeque<Step>>),
    /// It is one of so many pieces; the target's keys may ask for more.
    Further(usize),
}

/// A step that the target has been given.
pub(super) struct Running {
    pub step: Step,
    record: i64,
    pub told: Told,
    began: Instant,
}

impl Running {
    /// The beginning of its text.
    pub fn text(&self) -> String {
        short(&self.step.ddl.sql)
    }
}

impl Stream<'_> {
    /// The steps of a statement, by what is tracked now.
    pub(super) fn steps(&self, order: Order<'_>, seen: &Seen<'_>) -> Result<VecDeque<Step>> {
        let Order { statement, number, of_list, .. } = order;
        // What a person has given is in the target's words.
        let decided = match of_list {
            Some(_) => None,
            None => self.without_conditions(statement)?,
        };
        let mut steps = match decided.as_deref() {
            None => self.steps_of_one(statement, number, seen)?,
            Some([one]) => self.steps_of_one(one, number, seen)?,
            Some(several) => self.piece_steps(several.to_vec(), number, seen)?,
        };
        if let Some(OfList { given, which }) = of_list {
            let mark = |step: &mut Step| step.which = Some(which.clone());
            steps.iter_mut().for_each(|step| {
                mark(step);
                if let Apart::Into(Some(pieces)) = &mut step.apart {
                    pieces.iter_mut().for_each(mark);
                }
            });
            if let Some(last) = steps.back_mut() {
                last.given = Some(given);
            }
        }
        Ok(steps)
    }

    /// The steps of a statement that the target has the words for.
    fn steps_of_one(
        &self,
        statement: &Statement,
        number: Number,
        seen: &Seen<'_>,
    ) -> Result<VecDeque<Step>> {
        if let Some(pieces) = self.pieces_at_once(statement, number, seen)? {
            return self.piece_steps(pieces, number, seen);
        }
        let apart = match Self::may_need_pieces(statement) {
            true => Apart::Into(
                self.equal_pieces(statement)
                    .map(|pieces| self.piece_steps(pieces, number, seen))
                    .transpose()?,
            ),
            false => Apart::Never,
        };
        Ok([self.step(statement.clone(), number, apart, seen)?].into())
    }

    fn step(
        &self,
        statement: Statement,
        number: Number,
        apart: Apart,
        seen: &Seen<'_>,
    ) -> Result<Step> {
        Ok(Step {
            ddl: self.target_ddl(&statement, number, seen)?,
            heard: Change::new("", seen.query, seen.at, String::new()),
            start: seen.start.clone(),
            end: seen.end.clone(),
            statement,
            number,
            apart,
            given: None,
            which: None,
        })
    }

    fn piece_steps(
        &self,
        pieces: Vec<Statement>,
        number: Number,
        seen: &Seen<'_>,
    ) -> Result<VecDeque<Step>> {
        let count = pieces.len();
        let step = |piece| self.step(piece, number, Apart::Further(count), seen);
        pieces.into_iter().map(step).collect()
    }

    /// Runs steps in their order, those that have not run yet. One that has not ended soon is handed back, when
    /// it may go on; else it is waited for.
    pub(super) fn go_through(
        &mut self,
        steps: &mut VecDeque<Step>,
        may_go_on: bool,
    ) -> Result<Option<Running>> {
        while let Some(step) = steps.pop_front() {
            let Some(running) = self.begin_step(step)? else { continue };
            let result = match may_go_on {
                true => match running.told.recv_timeout(SOON) {
                    Ok(result) => result,
                    Err(RecvTimeoutError::Disconnected) => Err(panicked()),
                    Err(RecvTimeoutError::Timeout) => return Ok(Some(running)),
                },
                false => self.await_told(&running.told, &running.step.ddl)?,
            };
            self.step_over(running, result, steps)?;
        }
        Ok(None)
    }

    /// Gives a step to the target, unless it has run.
    fn begin_step(&mut self, step: Step) -> Result<Option<Running>> {
        match self.record_to_run(&step.ddl, step.number, &step.start)? {
            Some(record) => {
                let (began, told) = (Instant::now(), self.give(&step.ddl)?);
                Ok(Some(Running { step, record, told, began }))
            }
            None => self.note(step.given).map(|()| None),
        }
    }

    /// A step has ended. What is to run in its place, when it was refused and that helps, comes first then.
    pub(super) fn step_over(
        &mut self,
        running: Running,
        result: Result<DdlOutcome>,
        steps: &mut VecDeque<Step>,
    ) -> Result {
        let Running { step, record, began, .. } = running;
        match self.answered(&step.ddl, record, &step.start, result, began) {
            Ok(()) => {
                self.group.statements.push(record);
                self.note(step.given)
            }
            Err(error) => {
                let instead = self.instead_of(step, error)?;
                instead.into_iter().rev().for_each(|step| steps.push_front(step));
                Ok(())
            }
        }
    }

    /// What runs in place of a step that the target has refused.
    fn instead_of(&self, step: Step, error: Error) -> Result<VecDeque<Step>> {
        let Step { statement, number, heard, start, end, apart, given, which, ddl } = step;
        let query = heard.query();
        let seen =
            Seen { query: &query, text: "", start: &start, end: &end, at: heard.at, in_txn: false };
        let (pieces, of) = match apart {
            _ if error.server_error() != Some(UNSUPPORTED) => (None, apart.count()),
            Apart::Never => (None, None),
            Apart::Into(Some(pieces)) => (Some(pieces), None),
            Apart::Into(None) | Apart::Further(_) => {
                let of = apart.count();
                let step = |piece| {
                    let step = self.step(piece, number, Apart::Never, &seen)?;
                    Ok(Step { which: which.clone(), ..step })
                };
                let pieces = self
                    .without_its_keys(&statement)?
                    .map(|pieces| pieces.into_iter().map(step).collect::<Result<VecDeque<_>>>());
                (pieces.transpose()?, of)
            }
        };
        let Some(mut pieces) = pieces else {
            let error = match of {
                Some(count) => error.context(format!("one of {count} pieces of the statement")),
                None => error,
            };
            return Err(which.map_or(error.clone(), |which| error.context(which)));
        };
        log::info!("the target takes {:?} in pieces only: {error}", short(&ddl.sql));
        if let Some(last) = pieces.back_mut() {
            last.given = given;
        }
        Ok(pieces)
    }
}

impl Apart {
    /// Of how many pieces it is one.
    fn count(&self) -> Option<usize> {
        match self {
            Self::Further(count) => Some(*count),
            Self::Never | Self::Into(_) => None,
        }
    }
}
