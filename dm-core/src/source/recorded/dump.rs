//! A dump directory as a snapshot: a file of rows is a chunk.
//!
//! Guarantee: the rows of a table are those of its files, each once. Files do not change, so a
//! chunk that is read again after a crash has the same rows, and chunks need no instant in common
//! beyond that of the dump. A file that is gone, cut off or not understood is an error.

use std::path::PathBuf;
use std::sync::Arc;

use dm_filter::TableName;

use super::cell::{Shape, Strings};
use super::csv::CsvRows;
use super::dir::{DumpDir, DumpTable, Format, RowFile, complain};
use super::literal::{Item, RawRow};
use super::scan::Scanner;
use super::sql::SqlRows;
use crate::ddl::SqlMode;
use crate::error::{Error, Result, codes};
use crate::event::CopyBlock;
use crate::position::Position;
use crate::schema::{TypeKind, parse_create_table, same_name};
use crate::source::{Chunk, ChunkReader, SchemaInfo, Snapshot, TableChoice, TableCopy, TableInfo};

/// More rows than this are never in one block.
const BLOCK_ROWS: usize = 65_536;
/// For estimates only: nobody counts rows of a dump beforehand.
const BYTES_PER_ROW: u64 = 100;

/// The structure of a table of a dump.
pub(super) fn info(table: &DumpTable) -> Result<TableInfo> {
    let schema = parse_create_table(&table.create_sql, SqlMode::default())
        .map_err(|e| e.context(format!("the structure of {}", table.name)))?;
    Ok(TableInfo {
        name: table.name.clone(),
        create_sql: table.create_sql.as_str().into(),
        schema: schema.shared(),
    })
}

/// The tables of a dump that are wanted; files that lack a partner are an error.
pub(super) fn tables(dir: &DumpDir, choose: &TableChoice) -> Result<Vec<TableName>> {
    complain(&dir.loose, choose, &codes::LOAD_NAME_NO_TABLE, "whose structure is not there")?;
    complain(&dir.homeless, choose, &codes::LOAD_NAME_NO_SCHEMA, "whose schema has no file")?;
    let wanted = |name: &&TableName| !dm_filter::is_system_schema(&name.schema) && choose(name);
    Ok(dir.tables.keys().filter(wanted).cloned().collect())
}

/// A view of a dump directory.
#[derive(Debug)]
pub(super) struct DumpSnapshot {
    dir: Arc<DumpDir>,
    position: Position,
    upto: Position,
    schemas: Vec<SchemaInfo>,
    tables: Vec<TableCopy>,
}

impl DumpSnapshot {
    /// Opens the wanted tables. With `follow` there has to be a position to follow from.
    pub fn new(dir: Arc<DumpDir>, choose: &TableChoice, follow: bool) -> Result<Self> {
        let mut copies = Vec::new();
        for name in tables(&dir, choose)? {
            let Some(table) = dir.tables.get(&name) else { continue };
            let bytes = table.files.iter().map(|f| f.bytes).sum();
            copies.push(TableCopy { info: info(table)?, rows: bytes / BYTES_PER_ROW, bytes });
        }
        copies.sort_by(|a, b| (b.bytes, &a.info.name).cmp(&(a.bytes, &b.info.name)));
        let position = match &dir.metadata.position {
            Some(position) => position.clone(),
            None if follow => return Err(no_position(&dir)),
            None => Position::default(),
        };
        let upto = dir.metadata.contained_upto.clone().unwrap_or_else(|| position.clone());
        let has_table = |s: &&SchemaInfo| copies.iter().any(|t| t.info.name.schema == s.name);
        let schemas = dir.schemas.iter().filter(has_table).cloned().collect();
        Ok(Self { dir, position, upto, schemas, tables: copies })
    }
}

fn no_position(dir: &DumpDir) -> Error {
    let file = dir.path.join("metadata");
    if dir.has_metadata {
        return Error::new(
            &codes::METADATA_NO_POSITION,
            format!("{} names no binlog position to follow from", file.display()),
        );
    }
    Error::new(
        &codes::DUMP_METADATA,
        format!("{} is not there: from which position is the binlog followed?", file.display()),
    )
}

impl Snapshot for DumpSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    fn contained_upto(&self) -> Option<&Position> {
        Some(&self.upto)
    }

    fn means(&self) -> &str {
        "dump directory"
    }

    fn schemas(&self) -> &[SchemaInfo] {
        &self.schemas
    }

    fn tables(&self) -> &[TableCopy] {
        &self.tables
    }

    fn plan(&self, table: &TableName, _rows: u64) -> Result<Vec<Chunk>> {
        let files = self.dir.tables.get(table).map(|t| t.files.as_slice()).unwrap_or_default();
        if files.is_empty() {
            return Ok(vec![Chunk { id: 0, range: String::new(), rows: 0 }]);
        }
        let chunk = |(id, f): (u32, &RowFile)| Chunk {
            id,
            range: f.name.clone(),
            rows: f.bytes / BYTES_PER_ROW,
        };
        Ok((0..).zip(files).map(chunk).collect())
    }

    fn reader(&self) -> Result<Box<dyn ChunkReader>> {
        Ok(Box::new(DumpReader { dir: Arc::clone(&self.dir) }))
    }
}

/// Reads files of rows.
struct DumpReader {
    dir: Arc<DumpDir>,
}

impl ChunkReader for DumpReader {
    fn read(
        &mut self,
        table: &TableCopy,
        chunk: &Chunk,
        block_bytes: usize,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result<()> {
        if chunk.range.is_empty() {
            return Ok(());
        }
        let files = self.dir.tables.get(&table.info.name).map(|t| t.files.as_slice());
        let file = files.unwrap_or_default().iter().find(|f| f.name == chunk.range);
        let file = file.ok_or_else(|| {
            Error::new(
                &codes::LOAD_CHECKPOINT,
                format!("{} is not in the dump directory any more", chunk.range),
            )
        })?;
        let path: PathBuf = self.dir.path.join(&file.name);
        let reader = file.packing.open(&path).map_err(|e| {
            Error::new(&codes::LOAD_DISPATCH, format!("opening {}", path.display())).cause(e)
        })?;
        let scan = Scanner::new(&file.name, reader);
        let rows = match file.format {
            Format::Sql => Rows::Sql(SqlRows::new(scan)),
            Format::Csv => Rows::Csv(CsvRows::new(scan)),
        };
        let mut copy = FileCopy { table: &table.info, file, rows, shape: None };
        copy.run(block_bytes, out)
    }
}

enum Rows {
    Sql(SqlRows),
    Csv(CsvRows),
}

impl Rows {
    fn next(&mut self, row: &mut RawRow) -> Result<Item> {
        match self {
            Self::Sql(rows) => rows.next(row),
            Self::Csv(rows) => rows.next(row),
        }
    }

    fn error(&self, what: &str) -> Error {
        let scan = match self {
            Self::Sql(rows) => rows.scan(),
            Self::Csv(rows) => rows.scan(),
        };
        scan.error(&codes::LOAD_SQL_PARSE, what)
            .workaround("The file is damaged or belongs to another table: take the dump again.")
    }
}

/// One file on its way into blocks.
struct FileCopy<'a> {
    table: &'a TableInfo,
    file: &'a RowFile,
    rows: Rows,
    shape: Option<Shape>,
}

impl FileCopy<'_> {
    fn run(
        &mut self,
        block_bytes: usize,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result<()> {
        let mut row = RawRow::default();
        let mut block: Option<CopyBlock> = None;
        loop {
            match self.rows.next(&mut row)? {
                Item::End => break,
                Item::Insert { table, columns } => {
                    self.begin(&table, columns.as_deref())?;
                }
                Item::Row => {
                    let full =
                        block.take_if(|b| b.bytes() >= block_bytes || b.rows() >= BLOCK_ROWS);
                    if let Some(full) = full {
                        out(full)?;
                    }
                    self.push(&mut block, &row)?;
                }
            }
        }
        match block.filter(|b| !b.is_empty()) {
            Some(block) => out(block),
            None => Ok(()),
        }
    }

    /// A statement begins: all of a file have the same columns.
    fn begin(&mut self, table: &str, columns: Option<&[String]>) -> Result {
        if !table.is_empty() && !same_name(table, &self.table.name.table) {
            return Err(self.rows.error(&format!(
                "rows of table `{table}` stand in a file of {}",
                self.table.name
            )));
        }
        let strings = match &self.rows {
            Rows::Csv(_) => Strings::In("utf8mb4"),
            Rows::Sql(rows) => Strings::of(rows.names(), self.file.dumpling)
                .ok_or_else(|| self.rows.error("SET NAMES names an unknown character set"))?,
        };
        self.check_zone()?;
        let shape = Shape::new(&self.table.schema, columns, strings)
            .map_err(|why| self.rows.error(&why))?;
        match &self.shape {
            Some(before) if before.columns() != shape.columns() => {
                Err(self.rows.error("the statements of the file name different columns"))
            }
            _ => {
                self.shape = Some(shape);
                Ok(())
            }
        }
    }

    /// TIMESTAMP values are read as UTC, as the tools write them.
    fn check_zone(&self) -> Result {
        let Rows::Sql(rows) = &self.rows else { return Ok(()) };
        let utc = |zone: &str| matches!(zone, "+00:00" | "-00:00" | "UTC" | "utc" | "GMT");
        let zone = rows.zone().filter(|zone| !utc(zone));
        let timed = self.table.schema.columns.iter().any(|c| c.ty.kind == TypeKind::Timestamp);
        match zone {
            Some(zone) if timed => Err(self
                .rows
                .error(&format!("its TIMESTAMP values are in the time zone {zone}, not in UTC"))
                .workaround("Take the dump again with UTC as its time zone (`+00:00`).")),
            _ => Ok(()),
        }
    }

    fn push(&self, block: &mut Option<CopyBlock>, row: &RawRow) -> Result {
        let Some(shape) = &self.shape else {
            return Err(self.rows.error("a row stands before its statement"));
        };
        if row.len() != shape.width() {
            let (found, wanted) = (row.len(), shape.width());
            return Err(self
                .rows
                .error(&format!("a row has {found} values where {wanted} columns are")));
        }
        let block = block.get_or_insert_with(|| CopyBlock::new(Arc::clone(shape.columns())));
        for index in 0..row.len() {
            if let Some(literal) = row.get(index) {
                shape.push(block, index, literal).map_err(|why| self.rows.error(&why))?;
            }
        }
        Ok(())
    }
}
