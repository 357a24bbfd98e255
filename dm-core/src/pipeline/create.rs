//! Which tables of a source are carried, where they go, and how they come to be at the target.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use dm_filter::{Chain, Filter, Interest, TableName};
use dm_router::{ColumnChoice, Router, Target};

use super::merged::MergedTargets;
use crate::config::{OnlineDdlRules, OnlineDdlTable, TableSelector};
use crate::ddl::{NameRole, ParseContext, Statement, parse, without_tail};
use crate::error::{Error, Result, codes};
use crate::event::SourceId;
use crate::schema::{Defaults, SchemaCopy, TableInfo, TableSchema};
use crate::sink::{LoadTarget, OnDuplicate, Sink, TargetDdl};
use crate::sql::{push_ident, quote_ident};

/// Filter, routes and what they mean for creating tables.
#[derive(Clone)]
pub(crate) struct Creator {
    pub source: SourceId,
    pub filter: Arc<Chain>,
    pub router: Arc<dyn Router>,
    /// Tables of the copy, where the dump's arguments choose them.
    pub select: Option<TableSelector>,
    pub merged: Arc<MergedTargets>,
    /// What the source fills in, where collations are written out (`collation_compatible: strict`).
    pub collations: Option<Arc<Defaults>>,
    /// How online schema change tools name their tables, of which no row is carried; `None` when
    /// they are tables like any other.
    pub online: Option<Arc<OnlineDdlRules>>,
    /// Which of these tables the lane is about.
    pub part: LanePart,
}

/// Which of the carried tables a lane is about.
#[derive(Clone, Debug, Default)]
pub(crate) enum LanePart {
    /// All of them.
    #[default]
    All,
    /// All but those that are being added, which have lanes of their own.
    Without(Arc<HashSet<TableName>>),
    /// The one that is being added.
    Only(Arc<TableName>),
}

impl LanePart {
    /// The same text for the same tables.
    pub fn name(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Only(table) => format!("only {table}"),
            Self::Without(tables) => {
                let mut names: Vec<String> = tables.iter().map(ToString::to_string).collect();
                names.sort();
                format!("without {}", names.join(", "))
            }
        }
    }
}

impl Creator {
    /// The same for a lane that is about some of the tables.
    pub fn of_lane(&self, part: LanePart) -> Self {
        Self { part, ..self.clone() }
    }

    /// What is carried of a table.
    pub fn interest(&self, table: &TableName) -> Interest {
        let other = matches!(&self.part, LanePart::Only(one) if **one != *table);
        if other || self.is_helper(table) {
            return Interest::Skip;
        }
        self.filter.interest(table)
    }

    /// True for a table that has a lane of its own at the moment.
    pub fn is_elsewhere(&self, table: &TableName) -> bool {
        matches!(&self.part, LanePart::Without(tables) if tables.contains(table))
    }

    /// True for ghost and trash tables of online schema change tools.
    fn is_helper(&self, table: &TableName) -> bool {
        self.online.as_ref().is_some_and(|r| r.kind(&table.table) != OnlineDdlTable::Real)
    }

    /// True when a table is copied.
    pub fn wants(&self, table: &TableName) -> bool {
        match &self.select {
            _ if self.is_elsewhere(table) => false,
            Some(select) if !matches!(self.part, LanePart::Only(_)) => {
                !dm_filter::is_system_schema(&table.schema)
                    && !self.is_helper(table)
                    && select.selects(&table.schema, &table.table)
            }
            _ => self.interest(table) != Interest::Skip,
        }
    }

    /// Where a table (or, with an empty table name, a schema) goes.
    ///
    /// # Errors
    ///
    /// When several routes claim it.
    pub fn target(&self, table: &TableName) -> Result<Target> {
        self.router
            .route(self.source.as_str(), &table.schema, &table.table)
            .map_err(|e| Error::new(&codes::ROUTE_AMBIGUOUS, e.to_string()))
    }

    /// The target table that a table goes to.
    ///
    /// # Errors
    ///
    /// When several routes claim it.
    pub fn place(&self, table: &TableName) -> Result<TableName> {
        self.target(table).map(|t| TableName::new(t.schema, t.table))
    }

    /// The structure of a table's target as a guess of its own: columns that the route adds are the
    /// target's alone.
    ///
    /// # Errors
    ///
    /// When several routes claim it.
    pub fn without_extra(
        &self,
        table: &TableName,
        schema: Arc<TableSchema>,
    ) -> Result<Arc<TableSchema>> {
        let route = self.target(table)?;
        if route.extra.is_empty() {
            return Ok(schema);
        }
        let mut own = (*schema).clone();
        own.columns.retain(|c| !route.extra.iter().any(|e| e.name.eq_ignore_ascii_case(&c.name)));
        Ok(Arc::new(own))
    }

    /// True when other source tables go to the same target table.
    pub fn is_merged(&self, table: &TableName) -> bool {
        self.place(table).is_ok_and(|target| self.merged.contains(&target))
    }

    /// Where the copy of a table goes.
    ///
    /// # Errors
    ///
    /// When several routes claim it.
    pub fn load_target(&self, table: &TableName, on_duplicate: OnDuplicate) -> Result<LoadTarget> {
        let target = self.target(table)?;
        let name = TableName::new(target.schema, target.table);
        // Two shards with the same key must not silently eat each other's rows.
        let on_duplicate =
            if self.merged.contains(&name) { OnDuplicate::Error } else { on_duplicate };
        let extra = target.extra.into_iter().map(|e| (e.name, e.value)).collect();
        Ok(LoadTarget { table: name, extra, on_duplicate })
    }

    /// Creates the target schemas of source schemas.
    ///
    /// # Errors
    ///
    /// What the target answers.
    pub fn schemas(&self, sink: &dyn Sink, schemas: &[SchemaCopy]) -> Result {
        for schema in schemas {
            let target = self.target(&TableName::schema_only(&schema.name))?;
            let mut sql = String::from("CREATE DATABASE IF NOT EXISTS ");
            push_ident(&mut sql, &target.schema);
            if !schema.charset.is_empty() {
                sql.push_str(" DEFAULT CHARACTER SET ");
                sql.push_str(&schema.charset);
            }
            let collation = match (&self.collations, schema.collation.as_str()) {
                (Some(defaults), "") => defaults.collation_of(&schema.charset),
                (_, told) => told.to_owned(),
            };
            if !collation.is_empty() {
                sql.push_str(" COLLATE ");
                sql.push_str(&collation);
            }
            create(sink, sql, TableName::schema_only(target.schema))?;
        }
        Ok(())
    }

    /// Creates the target table of a source table, if it is not there; true when it was created.
    ///
    /// # Errors
    ///
    /// What the target answers, or a structure that cannot be understood.
    pub fn table(&self, sink: &dyn Sink, info: &TableInfo, there: &There) -> Result<bool> {
        let target = self.target(&info.name)?;
        let name = TableName::new(target.schema.clone(), target.table.clone());
        if there.has(sink, &name)? {
            return Ok(false);
        }
        if target.columns != ColumnChoice::All || !target.extra.is_empty() {
            return Err(Error::new(
                &codes::SYNC_NO_TARGET_TABLE,
                format!(
                    "table {} goes to {name} with added or left out columns, and {name} does not exist",
                    info.name
                ),
            )
            .workaround(
                "Create the target table by hand with the columns that it should have: the \
                 carried ones of the source, then the added ones.",
            ));
        }
        let routed_schema = self.target(&TableName::schema_only(&info.name.schema))?.schema;
        if routed_schema != target.schema {
            there.with_schema(&target.schema, || {
                let sql = format!("CREATE DATABASE IF NOT EXISTS {}", quote_ident(&target.schema));
                create(sink, sql, TableName::schema_only(&target.schema))
            })?;
        }
        let context = ParseContext::in_schema(&info.name.schema);
        let statement = parse(&info.create_sql, &context)?;
        let statement = match statement.with_condition() {
            Some(text) => parse(&text, &context)?,
            None => statement,
        };
        let collated = self.collations.as_ref().and_then(|defaults| {
            statement.with_collations(|charset| defaults.collation_of(charset), &defaults.collation)
        });
        let statement = match collated {
            Some(text) => parse(&text, &context)?,
            None => statement,
        };
        create(sink, self.splice(&statement)?, name).map(|()| true)
    }

    /// The statement with target names in the places of source names, up to its end.
    ///
    /// # Errors
    ///
    /// When several routes claim one of its tables.
    pub fn splice(&self, statement: &Statement) -> Result<String> {
        let mut failure = None;
        let text = statement.splice(|name| {
            if name.role == NameRole::GrantedSchema {
                return None;
            }
            match self.target(&name.name) {
                Ok(t) => Some(TableName::new(t.schema, t.table)),
                Err(error) => {
                    failure = Some(error);
                    None
                }
            }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(without_tail(&text, statement.context.sql_mode).to_owned()),
        }
    }
}

/// What the target is known to have, while many tables are made.
pub(crate) struct There {
    tables: Option<Names>,
    schemas: Mutex<HashSet<String>>,
}

struct Names {
    exact: HashSet<TableName>,
    /// In small letters: whether a target tells them apart is for it to say.
    folded: HashSet<TableName>,
}

/// In small letters, where upper and lower case do not matter.
pub(super) fn folded(table: &TableName) -> TableName {
    TableName::new(table.schema.to_lowercase(), table.table.to_lowercase())
}

impl There {
    /// Asks the target.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub fn ask(sink: &dyn Sink) -> Result<Self> {
        let tables =
            sink.tables()?.map(|exact| Names { folded: exact.iter().map(folded).collect(), exact });
        Ok(Self { tables, schemas: Mutex::default() })
    }

    fn has(&self, sink: &dyn Sink, table: &TableName) -> Result<bool> {
        match &self.tables {
            Some(names) if names.exact.contains(table) => Ok(true),
            Some(names) if !names.folded.contains(&folded(table)) => Ok(false),
            _ => Ok(sink.describe(table)?.is_some()),
        }
    }

    /// Makes a schema unless somebody has made it. Others who need one wait meanwhile: their tables
    /// would not find it.
    fn with_schema(&self, schema: &str, make: impl FnOnce() -> Result) -> Result {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if !schemas.contains(schema) {
            make()?;
            schemas.insert(schema.to_owned());
        }
        Ok(())
    }
}

fn create(sink: &dyn Sink, sql: String, table: TableName) -> Result {
    let ddl = TargetDdl {
        // Whatever the source took once is taken again.
        sql_mode: Some(String::new()),
        ..TargetDdl::new(sql, vec![table])
    };
    sink.execute_ddl(&sink.adapt(ddl)?).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::ddl::{ServerVersion, SqlMode};
    use crate::schema::parse_create_table;
    use crate::sink::MemorySink;

    /// The collations of what a copy from MySQL 8 makes of a table whose collations the source does not show,
    /// because they are its defaults: of its columns, and its options.
    fn collations_of_copy(strict: bool) -> (String, String) {
        let sink = MemorySink::new();
        let source = Defaults::of(ServerVersion::parse("8.4.0"));
        let creator = Creator {
            source: SourceId::new("s"),
            filter: Arc::default(),
            router: Arc::new(dm_router::Unrouted),
            select: None,
            merged: Arc::default(),
            collations: strict.then(|| Arc::new(source)),
            online: None,
            part: LanePart::All,
        };
        sink.run("", ["CREATE DATABASE d"]).unwrap();
        let create_sql = "CREATE TABLE `t` (`a` char(1), `b` char(1) CHARACTER SET latin1, \
                          `c` char(1) COLLATE utf8mb4_bin) DEFAULT CHARSET=utf8mb4";
        let info = TableInfo {
            name: TableName::new("d", "t"),
            create_sql: create_sql.into(),
            schema: Arc::new(parse_create_table(create_sql, SqlMode::default()).unwrap()),
        };
        assert!(creator.table(&sink, &info, &There::ask(&sink).unwrap()).unwrap());
        let made = sink.describe(&info.name).unwrap().unwrap();
        let columns: Vec<&str> = made.columns.iter().map(|c| c.ty.collation.as_str()).collect();
        let text = sink.show_create(&info.name).unwrap().unwrap();
        let options = text.rsplit(')').next().unwrap_or_default().to_owned();
        (columns.join(" "), options)
    }

    #[test]
    fn a_copy_writes_out_the_collations_of_its_source() {
        let (columns, options) = collations_of_copy(true);
        assert_eq!(columns, "utf8mb4_0900_ai_ci latin1_swedish_ci utf8mb4_bin");
        assert!(options.contains("utf8mb4_0900_ai_ci"), "{options}");
        let (columns, options) = collations_of_copy(false);
        assert_eq!(
            columns, "utf8mb4_general_ci latin1_swedish_ci utf8mb4_bin",
            "this target's own"
        );
        assert!(!options.contains("0900"), "{options}");
    }

    #[test]
    fn nothing_behind_the_end_of_a_statement_is_sent() {
        let creator = Creator {
            source: SourceId::new("s"),
            filter: Arc::default(),
            router: Arc::new(dm_router::Unrouted),
            select: None,
            merged: Arc::default(),
            collations: None,
            online: None,
            part: LanePart::All,
        };
        let context = ParseContext::in_schema("d");
        let spliced = |sql: &str| creator.splice(&parse(sql, &context).unwrap()).unwrap();
        let wanted = "RENAME TABLE `d`.`a` TO `d`.`;`";
        assert_eq!(spliced("RENAME TABLE a TO `;` ; -- and on;"), wanted);
        assert_eq!(spliced("RENAME TABLE a TO `;`"), wanted);
        let commented = "DROP TABLE `d`.`a` /* ; */ -- to the end; ";
        assert_eq!(spliced(commented), commented);
    }

    #[test]
    fn who_needs_a_schema_waits_until_it_is_made() {
        let there = There::ask(&MemorySink::new()).unwrap();
        let failed = there.with_schema("a", || Err(Error::new(&codes::DB_EXECUTE, "not now")));
        assert!(failed.is_err());
        let (begun, wait_begun) = std::sync::mpsc::channel();
        let (go, wait_go) = std::sync::mpsc::channel::<()>();
        let made = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (there, made) = (&there, &made);
            scope.spawn(move || {
                there.with_schema("a", || {
                    begun.send(()).unwrap();
                    wait_go.recv().unwrap();
                    made.store(true, Ordering::SeqCst);
                    Ok(())
                })
            });
            wait_begun.recv().unwrap();
            let second = scope.spawn(move || {
                there.with_schema("a", || panic!("it is made twice")).unwrap();
                assert!(made.load(Ordering::SeqCst), "it is not made yet");
            });
            go.send(()).unwrap();
            second.join().unwrap();
        });
    }
}
