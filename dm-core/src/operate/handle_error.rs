//! `dm handle-error` and `dm binlog`: what happens instead of a statement.
//!
//! A word is about a place in the binlog of a source: that of the statement at which the source has
//! stopped, or a later one. It is kept in the state file until it is taken back, so it holds for a task
//! that runs, for one that is stopped, and after any restart.

use std::cmp::Ordering;
use std::path::Path;

use serde_json::{Value, json};

use super::place::{behind_the_end, check_file, checkpoint, parse_place};
use super::{Answer, Known, all_or_none, all_went_well};
use crate::ddl::parse_given;
use crate::error::{Error, Result, codes};
use crate::event::SourceId;
use crate::position::BinlogPos;
use crate::state::{Mailbox, Override, OverrideAction, StateReader, StateStore};

/// What to do at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Leave the statement out.
    Skip,
    /// Run other statements instead of it: their text, semicolons between them.
    Replace(String),
    /// Run other statements before it, or before the rows that stand there.
    Inject(String),
    /// Take the word about the place back.
    Revert,
    /// List the words about the place and what is behind it.
    List,
}

/// The command.
#[derive(Clone, Debug)]
pub struct HandleError {
    /// Ids of the sources; all of the task (without a place: all that have stopped at a statement)
    /// when empty.
    pub sources: Vec<String>,
    /// Where the statement begins; the one that each source has stopped at without it.
    pub position: Option<BinlogPos>,
    /// What to do.
    pub operation: Operation,
}

/// What is to be written to the state file.
enum Change {
    Set(OverrideAction),
    Revert,
}

impl HandleError {
    /// Carries the command out, for all of its sources or, when one of the answers is an error, for
    /// none.
    ///
    /// # Errors
    ///
    /// When the task or a source is not known, the statements cannot be used, or the state cannot be
    /// read or written.
    pub fn run(&self, dir: &Path, task: &str) -> Result<Vec<Answer>> {
        let reader = super::reader(dir, task)?;
        let change = match &self.operation {
            Operation::Skip => Some(Change::Set(OverrideAction::Skip)),
            Operation::Replace(text) => {
                Some(Change::Set(OverrideAction::Replace(statements(text)?)))
            }
            Operation::Inject(text) => Some(Change::Set(OverrideAction::Inject(statements(text)?))),
            Operation::Revert => Some(Change::Revert),
            Operation::List => None,
        };
        let mut known = super::sources(&reader, task, &self.sources)?;
        let Some(change) = change else { return self.list(&reader, task, &known) };
        if self.sources.is_empty() && self.position.is_none() && known.len() > 1 {
            // The sources that go on have nothing to be handled.
            let inject = matches!(self.operation, Operation::Inject(_));
            let stopped = |k: &Known| stopped_at(k, inject).is_ok();
            if known.iter().any(stopped) {
                known.retain(stopped);
            }
        }
        let words = reader.overrides()?;
        let runs = StateStore::owner(dir, task)?.is_some();
        let mut answers = Vec::new();
        let mut places = Vec::new();
        for one in &known {
            let said = self.place(one).and_then(|place| {
                let said = change.said(one, &words, &place)?;
                places.push((one.source.clone(), place));
                Ok(if runs { said } else { format!("{said}; start the task again") })
            });
            answers.push(Answer::new(&one.source, said));
        }
        if all_went_well(&answers) {
            let mailbox = Mailbox::open(dir, task)?;
            match &change {
                Change::Set(action) => mailbox.set_overrides(&places, action)?,
                Change::Revert => {
                    mailbox.remove_overrides(&places)?;
                }
            }
        }
        Ok(all_or_none(answers))
    }

    /// Where the statement of a source is that is spoken of.
    fn place(&self, known: &Known) -> Result<BinlogPos> {
        let stands = checkpoint(known)?;
        let place = match &self.position {
            Some(place) => place.clone(),
            None => stopped_at(known, matches!(self.operation, Operation::Inject(_)))?,
        };
        match stands {
            Some(stands) if place < stands => Err(Error::new(
                &codes::OPERATOR_PASSED,
                format!(
                    "source {} has passed {}: it stands at {}",
                    known.source,
                    place.to_colon_text(),
                    stands.to_colon_text()
                ),
            )),
            _ => Ok(place),
        }
    }

    fn list(&self, reader: &StateReader, task: &str, known: &[Known]) -> Result<Vec<Answer>> {
        let words = reader.overrides()?;
        Ok(known
            .iter()
            .map(|one| {
                let stands = checkpoint(one).ok().flatten();
                let from = self.position.clone().or_else(|| stands.clone());
                let behind = |w: &&Override| {
                    w.source == one.source
                        && from
                            .as_ref()
                            .is_none_or(|from| w.position.partial_cmp(from) != Some(Ordering::Less))
                };
                let mut list: Vec<&Override> = words.iter().filter(behind).collect();
                list.sort_by(|a, b| a.position.partial_cmp(&b.position).unwrap_or(Ordering::Equal));
                let list: Vec<Value> =
                    list.into_iter().map(|w| shown(task, w, stands.as_ref())).collect();
                Answer::new(&one.source, Ok(Value::Array(list).to_string()))
            })
            .collect())
    }
}

impl Change {
    /// What is told when it is carried out for a place of a source; an error where it cannot be.
    fn said(&self, known: &Known, words: &[Override], place: &BinlogPos) -> Result<String> {
        let word = words.iter().find(|w| w.source == known.source && w.position == *place);
        let at = place.to_colon_text();
        match (self, word) {
            (Self::Set(action), _) => {
                check_file(known, place)?;
                Ok(format!("{} at {at}{}", action.as_str(), behind_the_end(known, place)))
            }
            (Self::Revert, None) => Err(nothing_noted(&known.source, place)),
            (Self::Revert, Some(word)) => {
                let ran = word.used.is_some() && !word.action.statements().is_empty();
                let ran = if ran { "; those of its statements that have run stay" } else { "" };
                Ok(format!("the word about {at} is taken back{ran}"))
            }
        }
    }
}

/// The entry of a list, in DM's words.
fn shown(task: &str, word: &Override, stands: Option<&BinlogPos>) -> Value {
    json!({
        "op": word.action.as_str(),
        "task": task,
        "binlogPos": word.position.to_colon_text(),
        "sqls": word.action.statements(),
        "used": word.used.is_some(),
        "passed": stands.is_some_and(|stands| word.position < *stands),
    })
}

fn statements(text: &str) -> Result<Vec<String>> {
    Ok(parse_given(text)?.into_iter().map(|s| s.sql).collect())
}

/// The place of the statement that a source has stopped at; with `inject` also that of rows.
fn stopped_at(known: &Known, inject: bool) -> Result<BinlogPos> {
    let source = &known.source;
    let told = known.row.as_ref().and_then(|row| row.error.as_ref());
    // While it is tried again it is at no error, and may be at the same one a moment later.
    let Some(error) = told.or(known.stopped.as_ref()) else {
        return Err(Error::new(&codes::OPERATOR_NOTHING, format!("source {source} has no error")));
    };
    if error.start.is_empty() && inject && !error.rows.is_empty() {
        return parse_place(&error.rows);
    }
    if error.start.is_empty() {
        return Err(Error::new(
            &codes::OPERATOR_NOTHING,
            format!(
                "source {source} has stopped with error {}, which is not about a statement",
                error.code
            ),
        )
        .workaround(format!(
            "Look at the error's own advice: `dm explain-error {}`.",
            error.code
        )));
    }
    parse_place(&error.start)
}

fn nothing_noted(source: &SourceId, place: &BinlogPos) -> Error {
    Error::new(
        &codes::SYNC_OPERATOR_MISSING,
        format!("nothing is noted for {} of source {source}", place.to_colon_text()),
    )
    .workaround("List what is noted with `dm handle-error TASK list`.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LaneId;
    use crate::position::Position;
    use crate::state::{Checkpoint, LaneChanges, Stage};

    const DDL: &str = "ALTER TABLE d.t ADD c INT";

    fn place(text: &str) -> BinlogPos {
        parse_place(text).unwrap()
    }

    /// Two sources that stand at 1000; the first has stopped at a statement at 1200.
    fn state(dir: &Path) {
        let store = StateStore::open(dir, "t").unwrap();
        for name in ["s1", "s2"] {
            let source = SourceId::new(name);
            let lane = LaneId::main(&source);
            store.set_source_stage(&source, None, Stage::Paused).unwrap();
            let epoch = store.begin_run(&lane, 0).unwrap().epoch;
            let position = Position::at(place("bin.000003:1000"));
            let checkpoint = Checkpoint { ordinal: 1, position, epoch, event_at: 0 };
            store.save_checkpoint(&lane, &checkpoint, &LaneChanges::default()).unwrap();
        }
        let error = Error::new(&codes::SYNC_DDL_JOB, "no")
            .at_statement(&place("bin.000003:1200"), &place("bin.000003:1300"))
            .origin(DDL);
        store.set_error(&SourceId::new("s1"), Some(&error)).unwrap();
    }

    fn run(dir: &Path, sources: &[&str], at: Option<&str>, operation: Operation) -> Vec<Answer> {
        let sources = sources.iter().map(|&s| s.to_owned()).collect();
        let command = HandleError { sources, position: at.map(place), operation };
        command.run(dir, "t").unwrap()
    }

    fn numbers(answers: &[Answer]) -> Vec<u32> {
        answers.iter().map(|a| a.result.as_ref().err().map_or(0, |e| e.code().number)).collect()
    }

    fn noted(dir: &Path) -> usize {
        StateReader::open(dir, "t").unwrap().overrides().unwrap().len()
    }

    #[test]
    fn the_statement_that_failed_is_meant_without_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        state(dir);
        let answers = run(dir, &[], None, Operation::Skip);
        assert_eq!((numbers(&answers), answers[0].source.as_str()), (vec![0], "s1"));
        let words = StateReader::open(dir, "t").unwrap().overrides().unwrap();
        assert_eq!(words[0].position, place("bin.000003:1200"));
        assert_eq!(numbers(&run(dir, &["s1", "s2"], None, Operation::Skip)), [36_221, 36_221]);
        assert_eq!(numbers(&run(dir, &["s1"], None, Operation::Revert)), [0]);
        assert_eq!(numbers(&run(dir, &["s1"], None, Operation::Revert)), [36_065]);
        assert_eq!(noted(dir), 0);
    }

    /// Each attempt begins without an error; the statement may be spoken of all the same, until it is passed.
    #[test]
    fn a_statement_is_known_while_it_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        state(dir);
        let store = StateStore::open(dir, "t").unwrap();
        let source = SourceId::new("s1");
        store.set_error(&source, None).unwrap();
        store.set_source_stage(&source, None, Stage::Running).unwrap();
        assert_eq!(numbers(&run(dir, &["s1"], None, Operation::Skip)), [0]);
        assert_eq!(noted(dir), 1);
        assert_eq!(numbers(&run(dir, &["s1"], None, Operation::Revert)), [0]);
        // An error about something else has no statement, and takes nothing away.
        store.set_error(&source, Some(&Error::new(&codes::DB_DRIVER, "it is away"))).unwrap();
        assert_eq!(numbers(&run(dir, &["s1"], None, Operation::Skip)), [36_221]);
        store.set_error(&source, None).unwrap();
        assert_eq!(numbers(&run(dir, &["s1"], None, Operation::Skip)), [0]);
        let position = Position::at(place("bin.000003:1300"));
        let behind = Checkpoint { ordinal: 2, position, epoch: 1, event_at: 0 };
        store.save_checkpoint(&LaneId::main(&source), &behind, &LaneChanges::default()).unwrap();
        assert_eq!(numbers(&run(dir, &["s1"], None, Operation::Skip)), [36_221]);
        assert_eq!(numbers(&run(dir, &["s2"], None, Operation::Skip)), [36_221]);
    }

    #[test]
    fn a_later_place_is_for_all_sources_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        state(dir);
        assert_eq!(
            numbers(&run(dir, &[], Some("bin.000003:999"), Operation::Skip)),
            [36_222, 36_222]
        );
        let later = Some("'bin|000001.000003:4000'");
        assert_eq!(numbers(&run(dir, &["s2"], later, Operation::Inject(DDL.into()))), [0]);
        // One of the two has nothing to be taken back: nothing happens to the other.
        assert_eq!(numbers(&run(dir, &[], later, Operation::Revert)), [36_065, 36_221]);
        assert_eq!(noted(dir), 1);
        assert_eq!(numbers(&run(dir, &[], later, Operation::Replace(DDL.into()))), [0, 0]);
        let answers = run(dir, &["s2"], None, Operation::List);
        let list: Value = serde_json::from_str(answers[0].result.as_ref().unwrap()).unwrap();
        assert_eq!(list[0]["op"], "replace");
        assert_eq!(list[0]["binlogPos"], "bin.000003:4000");
        assert_eq!(list[0]["sqls"], json!([DDL]));
        let behind = run(dir, &["s2"], Some("bin.000004:4"), Operation::List);
        assert_eq!(behind[0].result.as_deref().unwrap(), "[]");
    }

    /// A name that is typed wrong is refused, and what is far away is told to be so.
    #[test]
    fn a_place_is_compared_with_what_the_task_has_heard_of() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        state(dir);
        let said = |at: &str| run(dir, &["s1"], Some(at), Operation::Skip).remove(0).result;
        for wrong in ["bim.000003:1200", "bin.000004:3"] {
            let error = said(wrong).unwrap_err();
            assert_eq!(error.code().number, 36_223, "{error}");
        }
        let error = said("bim.000003:1200").unwrap_err().to_string();
        assert!(error.contains("no binlog file bim.000003") && error.contains("bin.000003:1000"));
        assert_eq!(
            said("bin.000003:1250").unwrap(),
            "skip at bin.000003:1250; start the task again"
        );
        let waits = "ended at bin.000003:1300 when it was last asked";
        assert!(said("bin.000003:1301").unwrap().contains(waits));
        let end = json!({"sync": {"masterBinlog": "(bin.000005, 900)"}});
        StateStore::open(dir, "t").unwrap().save_status(&SourceId::new("s1"), &end).unwrap();
        assert!(!said("bin.000005:900").unwrap().contains("last asked"));
        assert!(said("bin.000099:4").unwrap().contains("ended at bin.000005:900"));
        // What is noted for a place that was passed since is told to be so.
        let list = |at| {
            let answers = run(dir, &["s1"], Some(at), Operation::List);
            let list: Value = serde_json::from_str(answers[0].result.as_ref().unwrap()).unwrap();
            list[0]["passed"].clone()
        };
        assert_eq!(list("bin.000003:1250"), json!(false));
        let store = StateStore::open(dir, "t").unwrap();
        let lane = LaneId::main(&SourceId::new("s1"));
        store.move_checkpoint(&lane, &Position::at(place("bin.000003:1260"))).unwrap();
        assert_eq!(list("bin.000003:1250"), json!(true));
    }

    #[test]
    fn wrong_commands_are_refused_before_anything_happens() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        state(dir);
        let wrong = |task: &str, source: &str, operation: Operation| {
            let sources = vec![source.to_owned()];
            let command = HandleError { sources, position: None, operation };
            command.run(dir, task).unwrap_err().code().number
        };
        assert_eq!(wrong("u", "s1", Operation::Skip), 46_018);
        assert_eq!(wrong("t", "s9", Operation::Skip), 46_034);
        assert_eq!(
            wrong("t", "s1", Operation::Replace("INSERT INTO d.t VALUES (1)".into())),
            36_064
        );
        assert_eq!(wrong("t", "s1", Operation::Replace(" ; ".into())), 36_066);
        assert_eq!(wrong("t", "s1", Operation::Inject("ALTER TABLE t ADD c INT".into())), 36_024);
        for text in ["1200", "bin.000003", "bin:12", "bin.000003:", "bin.000003:-1"] {
            assert_eq!(parse_place(text).unwrap_err().code().number, 36_223, "{text}");
        }
        assert_eq!(noted(dir), 0);
    }
}
