//! Knows what every table of a source looks like at one position of its binlog.
//!
//! Guarantee: after [`Tracker::apply`] the structures are those that the server had after it ran
//! the statement; when the statement cannot be applied nothing has changed. Obstacle: a binlog
//! carries the statement, not its result, and the result depends on the table before, on the
//! schema, and on server settings ([`Defaults`]). Method: the same steps as the server's, compared
//! with real servers in the tests.
//!
//! Structures are immutable and shared (`Arc`): a row that is still on its way keeps the one that
//! it was decoded with. Each has a version number, so that several of one table can be told apart.
//! The whole tracker serialises, and is saved in the same transaction as the position that it
//! stands for: a restart continues with exactly this state.
//!
//! A tracker by itself stands at one position, the reader's. For positions between the last checkpoint and
//! the reader a [`Timeline`] answers, which keeps what each statement has changed until a checkpoint has it; for
//! those before the checkpoint the [`SchemaHistory`] that is saved with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

use super::charset::Defaults;
use super::table::TableSchema;
use crate::ddl::{AlterSpec, Body, DatabaseDef, DropKind, Statement, TableElement};
use crate::error::Result;
use work::{Changed, Work, synthetic};

/// A tracked table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// Its structure.
    pub schema: Arc<TableSchema>,
    /// Rises with every change of any table of the tracker.
    pub version: u64,
    /// The structure was guessed from the target, not read from the source.
    pub assumed: bool,
    /// Where it came to be, for people: the place of the statement that made it so, or where it was taken
    /// from elsewhere. `None` when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Arc<str>>,
}

/// Character set and collation of a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaInfo {
    /// Default character set.
    pub charset: String,
    /// Default collation.
    pub collation: String,
}

/// What a statement did to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChange {
    /// The table.
    pub name: TableName,
    /// Its structure before; `None` when it was not there or not known.
    pub before: Option<Arc<TableSchema>>,
    /// Its structure after; `None` when it is gone or not known.
    pub after: Option<Arc<TableSchema>>,
}

/// What a statement did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Tables whose structure changed, came or went, in the order of names.
    pub tables: Vec<TableChange>,
    /// Schemas that came, went or got other defaults.
    pub schemas: Vec<String>,
    /// Tables that the statement made or changed without their structure being known: it was not
    /// tracked, or it depends on a query. Whoever needs it has to fetch it.
    pub unknown: Vec<TableName>,
    /// What the statement dropped or renamed and the tracker did not have.
    pub notes: Vec<String>,
}

/// The structures of a source's tables; see the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "saved::Saved", into = "saved::Saved")]
pub struct Tracker {
    defaults: Defaults,
    schemas: BTreeMap<String, SchemaInfo>,
    tables: BTreeMap<TableName, (TableName, Tracked)>,
    version: u64,
}

/// What stood under a name, by the name's key, before it was changed.
#[derive(Clone, Debug)]
enum Was {
    Table(TableName, Option<(TableName, Tracked)>),
    Schema(String, Option<SchemaInfo>),
}

/// Where a statement stands, and what it has changed.
#[derive(Default)]
struct Noting {
    since: Option<Arc<str>>,
    was: Vec<Was>,
}

impl Tracker {
    /// A tracker that knows no table yet.
    pub fn new(defaults: Defaults) -> Self {
        Self { defaults, schemas: BTreeMap::new(), tables: BTreeMap::new(), version: 0 }
    }

    /// What the server fills in where a statement says nothing.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// Changes what the server fills in; tracked structures stay as they are. A QUERY event
    /// carries some of these settings: set them before the statement is applied.
    pub fn set_defaults(&mut self, defaults: Defaults) {
        self.defaults = defaults;
    }

    fn key(&self, name: &TableName) -> TableName {
        if self.defaults.lower_case_table_names == 0 {
            return name.clone();
        }
        TableName::new(name.schema.to_lowercase(), name.table.to_lowercase())
    }

    fn schema_key(&self, name: &str) -> String {
        self.key(&TableName::schema_only(name)).schema
    }

    /// A table's structure; `None` when it is not known.
    pub fn table(&self, name: &TableName) -> Option<&Arc<TableSchema>> {
        self.tracked(name).map(|t| &t.schema)
    }

    /// A table's structure with its version and whether it is a guess.
    pub fn tracked(&self, name: &TableName) -> Option<&Tracked> {
        // Asked for every event of rows: the key is copied only where it is another one.
        let found = match self.defaults.lower_case_table_names {
            0 => self.tables.get(name),
            _ => self.tables.get(&self.key(name)),
        };
        found.map(|(_, tracked)| tracked)
    }

    /// All tracked tables, in the order of names.
    pub fn tables(&self) -> impl Iterator<Item = (&TableName, &Tracked)> {
        self.tables.values().map(|(name, tracked)| (name, tracked))
    }

    /// Character set and collation of a schema, when known.
    pub fn schema(&self, name: &str) -> Option<&SchemaInfo> {
        self.schemas.get(&self.schema_key(name))
    }

    /// Sets character set and collation of a schema.
    pub fn set_schema(&mut self, name: &str, info: SchemaInfo) {
        self.schemas.insert(self.schema_key(name), info);
    }

    /// Sets a table's structure. `assumed` marks one that was guessed from the target.
    pub fn set(&mut self, name: TableName, schema: Arc<TableSchema>, assumed: bool) {
        self.set_since(name, schema, assumed, None);
    }

    /// The same, with where the structure came to be.
    pub fn set_since(
        &mut self,
        name: TableName,
        schema: Arc<TableSchema>,
        assumed: bool,
        since: Option<Arc<str>>,
    ) {
        let tracked = self.new_version(schema, assumed, since);
        self.tables.insert(self.key(&name), (name, tracked));
    }

    fn new_version(
        &mut self,
        schema: Arc<TableSchema>,
        assumed: bool,
        since: Option<Arc<str>>,
    ) -> Tracked {
        self.version += 1;
        Tracked { schema, version: self.version, assumed, since }
    }

    fn put(&mut self, key: TableName, tracked: Option<(TableName, Tracked)>, noting: &mut Noting) {
        let was = match tracked {
            Some(tracked) => self.tables.insert(key.clone(), tracked),
            None => self.tables.remove(&key),
        };
        noting.was.push(Was::Table(key, was));
    }

    fn put_schema(&mut self, name: &str, info: Option<SchemaInfo>, noting: &mut Noting) {
        let key = self.schema_key(name);
        let was = match info {
            Some(info) => self.schemas.insert(key.clone(), info),
            None => self.schemas.remove(&key),
        };
        noting.was.push(Was::Schema(key, was));
    }

    /// Forgets a table; its structure, if it was known.
    pub fn remove(&mut self, name: &TableName) -> Option<Arc<TableSchema>> {
        let key = self.key(name);
        self.tables.remove(&key).map(|(_, tracked)| tracked.schema)
    }

    /// Applies a statement.
    ///
    /// Statements that change no structure have no effect. A table that is not tracked is no
    /// error: it is listed in [`Effects::unknown`].
    ///
    /// # Errors
    ///
    /// 44006 when the statement does not fit the tracked structure (a column added twice, one
    /// changed that is not there, a table made that exists). Nothing has changed then.
    pub fn apply(&mut self, statement: &Statement) -> Result<Effects> {
        self.apply_noting(statement, &mut Noting::default())
    }

    fn apply_noting(&mut self, statement: &Statement, noting: &mut Noting) -> Result<Effects> {
        let mut work =
            Work { tracker: self, changed: BTreeMap::new(), effects: Effects::default() };
        match &statement.body {
            Body::CreateTable(create) => work.create(create, statement)?,
            Body::AlterTable(alter) => work.alter(alter, statement)?,
            Body::CreateIndex(index) => {
                let add = AlterSpec::Add(TableElement::Key(index.key.clone()));
                let mut specs = vec![add];
                let name = index.key.name.clone().unwrap_or_default();
                if index.or_replace && work.has_key(&index.table, &name) {
                    specs.insert(0, AlterSpec::Drop { kind: DropKind::Key, if_exists: true, name });
                }
                work.alter(&synthetic(&index.table, specs), statement)?;
            }
            Body::DropIndex(index) => {
                let (name, if_exists) = (index.name.clone(), index.if_exists);
                let spec = if name.eq_ignore_ascii_case("PRIMARY") {
                    AlterSpec::DropPrimaryKey
                } else {
                    AlterSpec::Drop { kind: DropKind::Key, if_exists, name }
                };
                work.alter(&synthetic(&index.table, vec![spec]), statement)?;
            }
            Body::DropTable { tables, temporary: false, .. } => {
                for table in tables {
                    work.drop_table(table);
                }
            }
            Body::RenameTable(pairs) => {
                let lenient = statement.is_lenient_rename();
                for (old, new) in pairs {
                    // The statement ran: a name that is taken was not to be given to a table that is there.
                    if !(lenient && work.is_away(old) && !work.is_away(new)) {
                        work.rename(old, new)?;
                    }
                }
            }
            Body::CreateDatabase(def) => return Ok(self.create_schema(def, noting)),
            Body::AlterDatabase(def) => return Ok(self.alter_schema(def, noting)),
            Body::DropDatabase { name, .. } => return Ok(self.drop_schema(name, noting)),
            Body::DropTable { .. } | Body::TruncateTable(_) | Body::Other => {}
        }
        let Work { changed, effects, .. } = work;
        Ok(self.commit(changed, effects, noting))
    }

    fn commit(&mut self, changed: Changed, mut effects: Effects, noting: &mut Noting) -> Effects {
        for (key, (name, after)) in changed {
            let before = self.tables.get(&key).map(|(_, t)| (t.schema.clone(), t.since.clone()));
            let tracked = after.map(|(schema, assumed)| {
                let same = before.as_ref().filter(|(before, _)| *before == schema);
                let since = same.map_or_else(|| noting.since.clone(), |(_, since)| since.clone());
                self.new_version(schema, assumed, since)
            });
            let (before, after) =
                (before.map(|(b, _)| b), tracked.as_ref().map(|t| t.schema.clone()));
            self.put(key, tracked.map(|tracked| (name.clone(), tracked)), noting);
            if before != after {
                effects.tables.push(TableChange { name, before, after });
            }
        }
        effects
    }

    fn create_schema(&mut self, def: &DatabaseDef, noting: &mut Noting) -> Effects {
        if def.if_not_exists && self.schema(&def.name).is_some() {
            return Effects::default();
        }
        let mut effects = match def.or_replace {
            true => self.drop_schema(&def.name, noting),
            false => Effects::default(),
        };
        let inherited = (self.defaults.charset.as_str(), self.defaults.collation.as_str());
        let (charset, collation) = self.schema_charset(def, inherited);
        self.put_schema(&def.name, Some(SchemaInfo { charset, collation }), noting);
        effects.schemas = vec![def.name.clone()];
        effects
    }

    fn alter_schema(&mut self, def: &DatabaseDef, noting: &mut Noting) -> Effects {
        if def.charset.is_none() && def.collation.is_none() {
            return Effects::default();
        }
        let now = self.schema_info(&def.name);
        let inherited = (now.charset.as_str(), now.collation.as_str());
        let (charset, collation) = self.schema_charset(def, inherited);
        self.put_schema(&def.name, Some(SchemaInfo { charset, collation }), noting);
        Effects { schemas: vec![def.name.clone()], ..Effects::default() }
    }

    fn schema_charset(&self, def: &DatabaseDef, inherited: (&str, &str)) -> (String, String) {
        let (charset, collation) = (def.charset.as_deref(), def.collation.as_deref());
        self.defaults.resolve_under(charset, collation, inherited, &self.defaults.charset)
    }

    fn drop_schema(&mut self, name: &str, noting: &mut Noting) -> Effects {
        let key = self.schema_key(name);
        self.put_schema(name, None, noting);
        let gone: Vec<TableName> =
            self.tables.keys().filter(|k| k.schema == key).cloned().collect();
        let mut effects = Effects { schemas: vec![name.to_owned()], ..Effects::default() };
        for key in gone {
            if let Some((name, tracked)) = self.tables.get(&key).cloned() {
                let before = Some(tracked.schema);
                effects.tables.push(TableChange { name, before, after: None });
            }
            self.put(key, None, noting);
        }
        effects
    }

    /// What a schema's tables inherit; the server's settings when the schema is not known.
    fn schema_info(&self, name: &str) -> SchemaInfo {
        self.schema(name).cloned().unwrap_or_else(|| SchemaInfo {
            charset: self.defaults.charset.clone(),
            collation: self.defaults.collation.clone(),
        })
    }
}

mod history;
mod saved;
mod timeline;
mod work;

pub(crate) use history::fold;
pub use history::{HistoryStart, Older, OlderIs, Place, SchemaHistory, Stood};
pub use timeline::{Settled, Stands, Timeline};

#[cfg(test)]
mod tests;
