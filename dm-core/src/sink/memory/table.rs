//! A table in memory: rows, unique keys, and the undo of what a transaction did to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cell::{Cell, of_text};
use crate::ddl::{SqlMode, unquote_string};
use crate::error::{Error, Result, Scope, codes};
use crate::event::SourceId;
use crate::schema::{Column, KeyKind, KeyPart, TableSchema};

/// What the target answers, with the number that MySQL gives it.
pub(super) fn refused(number: u16, message: impl Into<String>) -> Error {
    Error::new(&codes::DB_EXECUTE, message).scope(Scope::Downstream).server_number(number)
}

/// How to take back one change.
#[derive(Debug)]
pub(super) enum Undo {
    Inserted(u64),
    Removed(u64, Vec<Cell>),
}

#[derive(Clone, Debug)]
struct Unique {
    name: String,
    /// Column and prefix length in characters.
    parts: Vec<(usize, Option<u32>)>,
    rows: BTreeMap<Vec<Cell>, u64>,
}

impl Unique {
    /// The key of a row; `None` when a part is NULL: such rows are never equal.
    fn of<'a>(&self, cell: impl Fn(usize) -> Option<&'a Cell>) -> Option<Vec<Cell>> {
        let part = |&(column, prefix): &(usize, Option<u32>)| match (cell(column)?, prefix) {
            (Cell::Null, _) => None,
            (Cell::Text(text), Some(n)) => {
                Some(Cell::Text(text.chars().take(n as usize).collect()))
            }
            (Cell::Bytes(bytes), Some(n)) => {
                Some(Cell::Bytes(bytes.iter().take(n as usize).copied().collect()))
            }
            (whole, _) => Some(whole.clone()),
        };
        self.parts.iter().map(part).collect()
    }
}

/// The cells of a row image by the table's columns; `None` where the image has none.
pub(super) type Image = Vec<Option<Cell>>;

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub schema: Arc<TableSchema>,
    /// The text that made it.
    pub create_sql: String,
    /// Who has written here.
    pub sources: BTreeSet<SourceId>,
    rows: BTreeMap<u64, Vec<Cell>>,
    uniques: Vec<Unique>,
    /// Index in `uniques` of the key that names a row: the primary key, or else the first unique
    /// key of NOT NULL columns.
    identity: Option<usize>,
    /// Rows by all their cells, only without an identity.
    whole: BTreeMap<Vec<Cell>, BTreeSet<u64>>,
    next_row: u64,
    auto_increment: u64,
}

impl Table {
    pub fn new(schema: Arc<TableSchema>, create_sql: String) -> Self {
        let mut uniques = Vec::new();
        let mut identity = None;
        for key in schema.unique_keys() {
            let part = |part: &KeyPart| match part {
                KeyPart::Column { name, prefix, .. } => Some((schema.column(name)?.0, *prefix)),
                KeyPart::Expression { .. } => None,
            };
            // Keys over expressions are not computed here, so they enforce nothing.
            let Some(parts) = key.parts.iter().map(part).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let names_rows = key.kind == KeyKind::Primary
                || parts.iter().all(|&(c, prefix)| {
                    prefix.is_none() && schema.columns.get(c).is_some_and(|c| !c.nullable)
                });
            if names_rows && (identity.is_none() || key.kind == KeyKind::Primary) {
                identity = Some(uniques.len());
            }
            uniques.push(Unique { name: key.name.clone(), parts, rows: BTreeMap::new() });
        }
        Self {
            schema,
            create_sql,
            sources: BTreeSet::new(),
            rows: BTreeMap::new(),
            uniques,
            identity,
            whole: BTreeMap::new(),
            next_row: 0,
            auto_increment: 0,
        }
    }

    /// The rows, sorted.
    pub fn sorted_rows(&self) -> Vec<Vec<Cell>> {
        let mut rows: Vec<_> = self.rows.values().cloned().collect();
        rows.sort();
        rows
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    pub fn clear(&mut self) {
        *self = Self::new(Arc::clone(&self.schema), std::mem::take(&mut self.create_sql));
    }

    /// The same rows under another structure: columns are found again by `from`, which gives the
    /// name so far of a new column.
    pub fn restructured(
        &self,
        schema: Arc<TableSchema>,
        create_sql: String,
        from: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut table = Self::new(Arc::clone(&schema), create_sql);
        table.sources.clone_from(&self.sources);
        table.auto_increment = self.auto_increment;
        let old: Vec<Option<usize>> =
            schema.columns.iter().map(|c| Some(self.schema.column(&from(&c.name)?)?.0)).collect();
        let mut undo = Vec::new();
        for row in self.rows.values() {
            let image = old.iter().map(|i| row.get((*i)?).cloned()).collect();
            table.insert(image, &mut undo)?;
        }
        Ok(table)
    }

    /// The row that an image names: by the identity if the image carries it, else by all cells
    /// that it carries.
    pub fn find(&self, image: &Image) -> Option<u64> {
        if let Some(unique) = self.identity.and_then(|i| self.uniques.get(i)) {
            let carried = |c: usize| image.get(c).and_then(Option::as_ref);
            if let Some(key) = unique.of(carried) {
                return unique.rows.get(&key).copied();
            }
        } else if let Some(row) = image.iter().cloned().collect::<Option<Vec<_>>>() {
            return self.whole.get(&row).and_then(|ids| ids.first().copied());
        }
        let fits = |row: &Vec<Cell>| {
            row.iter().zip(image).all(|(have, want)| want.as_ref().is_none_or(|w| w == have))
        };
        self.rows.iter().find(|(_, row)| fits(row)).map(|(id, _)| *id)
    }

    /// Rows other than `but` that have a unique key in common with this one, and the key's name.
    pub fn conflicts(&self, row: &[Cell], but: Option<u64>) -> Vec<(u64, &str)> {
        let mut found = Vec::new();
        for unique in &self.uniques {
            let id = unique.of(|c| row.get(c)).and_then(|key| unique.rows.get(&key)).copied();
            if let Some(id) = id.filter(|id| Some(*id) != but) {
                found.push((id, unique.name.as_str()));
            }
        }
        found
    }

    /// Adds a row; absent columns get their defaults.
    pub fn insert(&mut self, image: Image, undo: &mut Vec<Undo>) -> Result<()> {
        let row = self.complete(image)?;
        if let Some((_, key)) = self.conflicts(&row, None).first() {
            return Err(refused(1062, format!("Duplicate entry for key '{key}'")));
        }
        self.next_row += 1;
        let id = self.next_row;
        self.put(id, row);
        undo.push(Undo::Inserted(id));
        Ok(())
    }

    /// Changes the carried cells of a row.
    pub fn update(&mut self, id: u64, image: Image, undo: &mut Vec<Undo>) -> Result<()> {
        let row = self.changed(id, image)?;
        if let Some((_, key)) = self.conflicts(&row, Some(id)).first() {
            return Err(refused(1062, format!("Duplicate entry for key '{key}'")));
        }
        self.remove(id, undo);
        self.put(id, row);
        undo.push(Undo::Inserted(id));
        Ok(())
    }

    /// The row as it would be with the carried cells of an image.
    pub fn changed(&self, id: u64, image: Image) -> Result<Vec<Cell>> {
        let mut row = self.rows.get(&id).cloned().unwrap_or_default();
        for (i, (have, new)) in row.iter_mut().zip(image).enumerate() {
            if let Some(new) = new {
                self.check_null(i, &new)?;
                *have = new;
            }
        }
        Ok(row)
    }

    pub fn remove(&mut self, id: u64, undo: &mut Vec<Undo>) {
        if let Some(row) = self.take(id) {
            undo.push(Undo::Removed(id, row));
        }
    }

    pub fn undo(&mut self, change: Undo) {
        match change {
            Undo::Inserted(id) => {
                self.take(id);
            }
            Undo::Removed(id, row) => self.put(id, row),
        }
    }

    fn put(&mut self, id: u64, row: Vec<Cell>) {
        for unique in &mut self.uniques {
            if let Some(key) = unique.of(|c| row.get(c)) {
                unique.rows.insert(key, id);
            }
        }
        if self.identity.is_none() {
            self.whole.entry(row.clone()).or_default().insert(id);
        }
        self.rows.insert(id, row);
    }

    fn take(&mut self, id: u64) -> Option<Vec<Cell>> {
        let row = self.rows.remove(&id)?;
        for unique in &mut self.uniques {
            if let Some(key) = unique.of(|c| row.get(c)) {
                unique.rows.remove(&key);
            }
        }
        if self.identity.is_none()
            && let Some(ids) = self.whole.get_mut(&row)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.whole.remove(&row);
            }
        }
        Some(row)
    }

    /// Fills in what an image does not carry.
    pub fn complete(&mut self, image: Image) -> Result<Vec<Cell>> {
        let mut row = Vec::with_capacity(self.schema.columns.len());
        let schema = Arc::clone(&self.schema);
        let mut cells = image.into_iter();
        for (i, column) in schema.columns.iter().enumerate() {
            let cell = match cells.next().flatten() {
                Some(cell) => {
                    self.check_null(i, &cell)?;
                    cell
                }
                None => self.default(column)?,
            };
            if column.auto_increment
                && let Cell::Text(text) = &cell
                && let Ok(number) = text.parse::<u64>()
            {
                self.auto_increment = self.auto_increment.max(number);
            }
            row.push(cell);
        }
        Ok(row)
    }

    fn default(&mut self, column: &Column) -> Result<Cell> {
        if column.auto_increment {
            self.auto_increment += 1;
            return Ok(Cell::Text(self.auto_increment.to_string()));
        }
        match column.default.as_deref() {
            _ if column.generated.is_some() => Ok(Cell::Null),
            Some("NULL") | None if column.nullable => Ok(Cell::Null),
            Some(text) if text.starts_with('\'') => {
                Ok(of_text(unquote_string(text, SqlMode::default()), column))
            }
            Some(text) if text.parse::<f64>().is_ok() => Ok(of_text(text.to_owned(), column)),
            Some(text) => Ok(Cell::Sql(text.to_owned())),
            None => {
                let text = format!("Field '{}' doesn't have a default value", column.name);
                Err(refused(1364, text))
            }
        }
    }

    fn check_null(&self, index: usize, cell: &Cell) -> Result<()> {
        match self.schema.columns.get(index) {
            Some(c) if *cell == Cell::Null && !c.nullable && c.generated.is_none() => {
                Err(refused(1048, format!("Column '{}' cannot be null", c.name)))
            }
            _ => Ok(()),
        }
    }
}
