//! `dm operate-schema` and `dm binlog-schema`: the tracked structures of a task's tables.
//!
//! Reading works at any time: what is shown is what stood at the last checkpoint. Writing is for a task that
//! does not run, or is paused (its process then takes the structure for it): one that runs has them in memory.

use std::path::Path;
use std::sync::Arc;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

use super::{Answer, Known, all_or_none, all_went_well, structure_at};
use crate::ddl::{Flavor, ParseContext, ServerVersion, parse, split};
use crate::error::{Error, Result, codes};
use crate::event::{LaneId, SourceId};
use crate::schema::{
    Defaults, KeyPart, SchemaCopy, SchemaInfo, TableSchema, Tracker, create_table, created,
};
use crate::state::{StateReader, StateStore, TrackedTable};

/// A structure that a table is given.
#[derive(Clone, Debug)]
pub struct NewStructure {
    /// The structure.
    pub schema: Arc<TableSchema>,
    /// It is the target's: the binlog may turn out to know better.
    pub assumed: bool,
}

/// A structure for a table of one source, on its way to whoever owns the task's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenStructure {
    /// `source-id`.
    pub source: String,
    /// The table, as named at the source.
    pub table: TableName,
    /// The structure; `None` forgets the one that is tracked.
    pub schema: Option<Arc<TableSchema>>,
    /// It is the target's.
    pub assumed: bool,
}

/// Hands structures to the process that owns the state of a task.
pub type Deliver<'a> = dyn Fn(Vec<GivenStructure>) -> Result<()> + 'a;

/// Gives tables their structures.
///
/// # Errors
///
/// When the state cannot be written.
pub fn write_structures(store: &StateStore, given: &[GivenStructure]) -> Result<()> {
    let lane = |g: &GivenStructure| LaneId::main(&SourceId::new(g.source.as_str()));
    let mut tables = Vec::new();
    for one in given {
        match &one.schema {
            Some(schema) => tables.push((
                lane(one),
                TrackedTable {
                    name: one.table.clone(),
                    schema: Arc::clone(schema),
                    version: 0,
                    assumed: one.assumed,
                    since: None,
                },
            )),
            None => {
                store.remove_tracked(&[lane(one)], &one.table)?;
            }
        }
    }
    store.set_tracked(&tables)
}

/// The command: which table, of which sources.
#[derive(Clone, Debug)]
pub struct StructureCommand {
    /// Ids of the sources; all of the task when empty.
    pub sources: Vec<String>,
    /// The table, as named at the source.
    pub table: TableName,
    /// For [`Self::get`]: what it looked like at this position, `file:offset` or a set of GTIDs; as it is at the
    /// checkpoint without it.
    pub at: Option<String>,
}

impl StructureCommand {
    /// Shows the tracked structure, on one line. `otherwise` is asked for a source that does not track
    /// the table: the target's structure, when the caller can tell it.
    ///
    /// # Errors
    ///
    /// When the task or a source is not known, or the state cannot be read.
    pub fn get(
        &self,
        dir: &Path,
        task: &str,
        otherwise: &dyn Fn(&str) -> Result<Option<NewStructure>>,
    ) -> Result<Vec<Answer>> {
        let reader = super::reader(dir, task)?;
        let known = super::sources(&reader, task, &self.sources)?;
        let get = |one| match &self.at {
            Some(at) => structure_at::get(&reader, one, &self.table, at),
            None => self.get_one(&reader, one, otherwise),
        };
        known.iter().map(get).collect()
    }

    fn get_one(
        &self,
        reader: &StateReader,
        known: &Known,
        otherwise: &dyn Fn(&str) -> Result<Option<NewStructure>>,
    ) -> Result<Answer> {
        let tracker = reader.tracker(&LaneId::main(&known.source))?;
        let tracked = tracker.tables.iter().find(|t| t.name == self.table);
        let (found, assumed, since) = match tracked {
            Some(t) => {
                let since = t.since.as_ref().map(ToString::to_string);
                (Some(Arc::clone(&t.schema)), t.assumed, since)
            }
            // Before it follows its binlog it reads no rows by any structure.
            None if begun(known).is_err() => (None, false, None),
            None => match otherwise(known.source.as_str()) {
                Ok(guess) => (guess.map(|g| g.schema), true, None),
                Err(e) => return Ok(Answer::new(&known.source, Err(e))),
            },
        };
        let said = found.map(|schema| one_line(&create_table(&self.table, &schema))).ok_or_else(|| {
            Error::new(
                &codes::SCHEMA_MISSING,
                format!("source {} does not track {} yet", known.source, self.table),
            )
            .workaround("The task takes the target's structure when it meets the table; where the target has it, that is shown here (of a task that runs in the foreground alone with its file in place of its name, and `--source-file`). Another one is given with `dm operate-schema set`.")
        });
        Ok(Answer { assumed: assumed && said.is_ok(), since, ..Answer::new(&known.source, said) })
    }

    /// Gives the table a structure, for all sources or, when one of the answers is an error, for none.
    /// `choose` gives the structure for a source, knowing the defaults of its schemas; `deliver` hands
    /// it to the process that owns the task, when there is one: a paused task has it.
    ///
    /// # Errors
    ///
    /// When the task or a source is not known, the task runs, or the state cannot be written.
    pub fn set(
        &self,
        dir: &Path,
        task: &str,
        choose: &dyn Fn(&str, &[SchemaCopy]) -> Result<NewStructure>,
        deliver: &Deliver<'_>,
    ) -> Result<Vec<Answer>> {
        let reader = super::reader(dir, task)?;
        let known = super::sources(&reader, task, &self.sources)?;
        let mut answers = Vec::new();
        let mut given = Vec::new();
        for one in &known {
            let chosen = begun(one).and_then(|()| {
                let schemas = reader.tracker(&LaneId::main(&one.source))?.schemas;
                choose(one.source.as_str(), &schemas)
            });
            let said = chosen.map(|new| {
                let said = one_line(&create_table(&self.table, &new.schema));
                given.push(self.given(one, Some(new.schema), new.assumed));
                said
            });
            answers.push(Answer::new(&one.source, said));
        }
        if all_went_well(&answers) {
            Self::write(dir, task, given, deliver)?;
        }
        Ok(all_or_none(answers))
    }

    /// Forgets the tracked structure: the task takes the target's when it meets the table again.
    ///
    /// # Errors
    ///
    /// When the task or a source is not known, the task runs, or the state cannot be written.
    pub fn remove(&self, dir: &Path, task: &str, deliver: &Deliver<'_>) -> Result<Vec<Answer>> {
        let reader = super::reader(dir, task)?;
        let known = super::sources(&reader, task, &self.sources)?;
        let mut answers = Vec::new();
        for one in &known {
            let tables = reader.tracker(&LaneId::main(&one.source))?.tables;
            let tracked = tables.iter().any(|t| t.name == self.table);
            let said = if tracked { "removed" } else { "it was not tracked" };
            answers.push(Answer::new(&one.source, Ok(said.to_owned())));
        }
        let given = known.iter().map(|one| self.given(one, None, false)).collect();
        Self::write(dir, task, given, deliver)?;
        Ok(answers)
    }

    fn given(
        &self,
        known: &Known,
        schema: Option<Arc<TableSchema>>,
        assumed: bool,
    ) -> GivenStructure {
        let source = known.source.as_str().to_owned();
        GivenStructure { source, table: self.table.clone(), schema, assumed }
    }

    /// Into the state of a task that nobody runs, or to the process that has it.
    fn write(
        dir: &Path,
        task: &str,
        given: Vec<GivenStructure>,
        deliver: &Deliver<'_>,
    ) -> Result<()> {
        match StateStore::open(dir, task) {
            Ok(store) => write_structures(&store, &given),
            Err(e) if e.code() == &codes::STATE_OWNED => deliver(given).map_err(|why| {
                Error::new(&codes::TASK_NOT_PAUSED, format!("task {task:?} is not paused"))
                    .cause(why.message())
                    .workaround("Pause the task with `dm pause-task`, give the command again, and resume it.")
            }),
            Err(e) => Err(e),
        }
    }
}

fn begun(known: &Known) -> Result {
    if known.lane.as_ref().is_some_and(|lane| lane.checkpoint.is_some()) {
        return Ok(());
    }
    Err(Error::new(
        &codes::TASK_SYNC_ONLY,
        format!("source {} does not follow its binlog yet", known.source),
    )
    .workaround("Wait until the copy is done."))
}

/// Reads the one CREATE TABLE of a file; whatever name it has there, it is meant for `table`. What it
/// leaves out comes from its schema's defaults, and else from those of MySQL 8.
///
/// # Errors
///
/// 44009 when the text is not exactly one CREATE TABLE with columns, 36067 when it cannot be read.
pub fn structure_of(
    text: &str,
    table: &TableName,
    schemas: &[SchemaCopy],
) -> Result<Arc<TableSchema>> {
    let parts = split(text);
    let [sql] = parts.as_slice() else {
        return Err(Error::new(
            &codes::SCHEMA_NOT_CREATE,
            format!("there are {} statements, and one CREATE TABLE is wanted", parts.len()),
        )
        .workaround("Put one CREATE TABLE into the file."));
    };
    let statement = parse(sql, &ParseContext::in_schema(&table.schema)).map_err(|e| {
        e.workaround("Put one CREATE TABLE into the file, as the source would show it.")
    })?;
    let create = created(&statement, sql).map_err(|e| {
        e.workaround("Put one CREATE TABLE into the file, as the source would show it.")
    })?;
    let mut tracker = Tracker::new(Defaults::of(ServerVersion::new(Flavor::MySql, 8, 0, 36)));
    for schema in schemas.iter().filter(|s| s.name == table.schema) {
        let info =
            SchemaInfo { charset: schema.charset.clone(), collation: schema.collation.clone() };
        tracker.set_schema(&create.name.schema, info);
    }
    tracker.apply(&statement)?;
    let schema = tracker.table(&create.name).map(Arc::clone).ok_or_else(|| {
        Error::new(&codes::SCHEMA_NOT_CREATE, "the structure cannot be told from this statement alone")
            .workaround("Put one CREATE TABLE into the file that lists the columns, as the source would show it.")
    })?;
    sound(&schema).map(|()| schema)
}

/// A statement of the binlog was taken by a server; this one was typed.
fn sound(schema: &TableSchema) -> Result<()> {
    let refused = |what: String| {
        let text = format!("no server takes this CREATE TABLE: {what}");
        Err(Error::new(&codes::SCHEMA_NOT_CREATE, text)
            .workaround("Put the CREATE TABLE into the file as the source would show it."))
    };
    for (at, column) in schema.columns.iter().enumerate() {
        if schema.column(&column.name).is_some_and(|(first, _)| first < at) {
            return refused(format!("it has column `{}` twice", column.name));
        }
    }
    // MariaDB does not list the columns of a period that it has made itself.
    let hidden = schema.system_versioned && schema.periods.is_empty();
    for key in &schema.keys {
        for part in &key.parts {
            if let KeyPart::Column { name, .. } = part
                && schema.column(name).is_none()
                && !hidden
            {
                return refused(format!(
                    "key `{}` is on column `{name}`, which it has not",
                    key.name
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;
    use crate::state::{Checkpoint, LaneChanges};

    fn name() -> TableName {
        TableName::new("d", "t")
    }

    fn schema(text: &str) -> Result<Arc<TableSchema>> {
        structure_of(text, &name(), &[])
    }

    #[test]
    fn exactly_one_create_table_is_taken() {
        let number = |text| schema(text).unwrap_err().code().number;
        assert_eq!(number(""), 44_009);
        assert_eq!(number("CREATE TABLE t (a INT); CREATE TABLE t (a INT)"), 44_009);
        assert_eq!(number("ALTER TABLE t ADD a INT"), 44_009);
        assert_eq!(number("CREATE TABLE t LIKE u"), 44_009);
        assert_eq!(number("CREATE TABLE t (a"), 36_067);
        assert_eq!(number("CREATE TABLE t (a INT, A INT)"), 44_009);
        assert_eq!(number("CREATE TABLE t (a INT, KEY k (b))"), 44_009);
        let read =
            schema("CREATE TABLE IF NOT EXISTS x.y (a INT PRIMARY KEY, b VARCHAR(9));").unwrap();
        assert_eq!(read.columns.len(), 2);
        let shown = one_line(&create_table(&name(), &read));
        assert!(shown.starts_with("CREATE TABLE `d`.`t` ("), "{shown}");
        assert!(!shown.contains('\n'), "{shown}");
    }

    #[test]
    fn the_schemas_character_set_is_inherited() {
        let schemas = [SchemaCopy {
            name: "d".into(),
            charset: "latin1".into(),
            collation: "latin1_bin".into(),
        }];
        let read = structure_of("CREATE TABLE t (a CHAR(1))", &name(), &schemas).unwrap();
        assert_eq!(read.columns[0].ty.collation, "latin1_bin");
    }

    #[test]
    fn structures_are_set_shown_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let store = StateStore::open(dir, "t").unwrap();
        let lane = LaneId::main(&SourceId::new("s"));
        let epoch = store.begin_run(&lane, 0).unwrap().epoch;
        let command = StructureCommand { sources: Vec::new(), table: name(), at: None };
        let new = |text: &str, assumed| NewStructure { schema: schema(text).unwrap(), assumed };
        let a = |_: &str, _: &[SchemaCopy]| Ok(new("CREATE TABLE t (a INT)", false));
        let none = |_: &str| Ok(None);
        let number = |e: Error| e.code().number;
        let runs = |_: Vec<GivenStructure>| Err(Error::new(&codes::NOT_SET, "it runs"));
        assert_eq!(number(command.set(dir, "u", &a, &runs).unwrap_err()), 46_018);
        assert_eq!(number(command.remove(dir, "t", &runs).unwrap_err()), 40_051, "it runs");
        drop(store);
        let early = command.set(dir, "t", &a, &runs).unwrap();
        assert_eq!(number(early[0].result.clone().unwrap_err()), 40_056);
        let store = StateStore::open(dir, "t").unwrap();
        let place = "bin.000002:77".parse().unwrap();
        let checkpoint =
            Checkpoint { ordinal: 1, position: Position::at(place), epoch, event_at: 0 };
        store.save_checkpoint(&lane, &checkpoint, &LaneChanges::default()).unwrap();
        drop(store);
        let owned = StateStore::open(dir, "t").unwrap();
        assert_eq!(number(command.set(dir, "t", &a, &runs).unwrap_err()), 40_051, "it runs");
        let paused = |given: Vec<GivenStructure>| write_structures(&owned, &given);
        command.set(dir, "t", &a, &paused).unwrap();
        assert_eq!(
            command.remove(dir, "t", &paused).unwrap()[0].result.as_deref().unwrap(),
            "removed"
        );
        drop(owned);
        let missing = command.get(dir, "t", &none).unwrap();
        assert_eq!(number(missing[0].result.clone().unwrap_err()), 44_005);
        let guess = |_: &str| Ok(Some(new("CREATE TABLE t (z INT)", true)));
        let guessed = command.get(dir, "t", &guess).unwrap();
        assert!(guessed[0].assumed && guessed[0].result.as_ref().unwrap().contains("`z`"));
        command.set(dir, "t", &a, &runs).unwrap();
        let set = command.get(dir, "t", &none).unwrap();
        assert!(!set[0].assumed && set[0].result.as_ref().unwrap().contains("`a` int"));
        assert_eq!(set[0].since.as_deref(), Some("bin.000002:77"), "from where the source stands");
        let b = |_: &str, _: &[SchemaCopy]| Ok(new("CREATE TABLE t (b INT)", true));
        command.set(dir, "t", &b, &runs).unwrap();
        let tracked = StateReader::open(dir, "t").unwrap().tracker(&lane).unwrap().tables;
        assert_eq!((tracked.len(), tracked[0].assumed, tracked[0].version), (1, true, 2));
        assert_eq!(
            command.remove(dir, "t", &runs).unwrap()[0].result.as_deref().unwrap(),
            "removed"
        );
        let again = command.remove(dir, "t", &runs).unwrap();
        assert_eq!(again[0].result.as_deref().unwrap(), "it was not tracked");
    }

    #[test]
    fn a_source_that_refuses_keeps_the_others_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let store = StateStore::open(dir, "t").unwrap();
        for source in ["r", "s"] {
            let lane = LaneId::main(&SourceId::new(source));
            let epoch = store.begin_run(&lane, 0).unwrap().epoch;
            let position = Position::at("bin.000002:77".parse().unwrap());
            let checkpoint = Checkpoint { ordinal: 1, position, epoch, event_at: 0 };
            store.save_checkpoint(&lane, &checkpoint, &LaneChanges::default()).unwrap();
        }
        drop(store);
        let command = StructureCommand { sources: Vec::new(), table: name(), at: None };
        let nobody = |_: Vec<GivenStructure>| panic!("no process runs it");
        let of_one = |source: &str, _: &[SchemaCopy]| match source {
            "r" => Ok(NewStructure { schema: schema("CREATE TABLE t (a INT)")?, assumed: false }),
            _ => Err(Error::new(&codes::SCHEMA_NOT_FOUND, "it has none")),
        };
        let answers = command.set(dir, "t", &of_one, &nobody).unwrap();
        let numbers = answers.iter().map(|a| a.result.clone().unwrap_err().code().number);
        assert_eq!(numbers.collect::<Vec<_>>(), [36_221, 44_015], "nothing was done for `r`");
        let lane = LaneId::main(&SourceId::new("r"));
        assert!(StateReader::open(dir, "t").unwrap().tracker(&lane).unwrap().tables.is_empty());
    }
}
