//! Snapshots of a scripted source: rows of one instant, cut by their primary key; a table without
//! one is one chunk.

use std::sync::Arc;

use dm_filter::TableName;

use crate::error::{Error, Result, Scope, codes};
use crate::event::{CellKind, CopyBlock, CopyColumn};
use crate::position::Position;
use crate::schema::{Column, TableSchema, TypeKind};
use crate::sink::Cell;
use crate::source::{Chunk, ChunkReader, SchemaInfo, Snapshot, TableCopy, TableInfo};

type Rows = Arc<Vec<(TableName, Vec<Vec<Cell>>)>>;

pub(super) struct ScriptedSnapshot {
    position: Position,
    schemas: Vec<SchemaInfo>,
    tables: Vec<TableCopy>,
    rows: Rows,
}

impl ScriptedSnapshot {
    pub fn new(position: Position, found: Vec<(TableInfo, Vec<Vec<Cell>>)>) -> Self {
        let mut schemas: Vec<String> =
            found.iter().map(|(info, _)| info.name.schema.clone()).collect();
        schemas.dedup();
        let mut tables = Vec::new();
        let mut rows = Vec::new();
        for (info, of_table) in found {
            rows.push((info.name.clone(), of_table.clone()));
            let count = of_table.len() as u64;
            tables.push(TableCopy { info, rows: count, bytes: count * 64 });
        }
        tables.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.info.name.cmp(&b.info.name)));
        let info = |name| SchemaInfo {
            name,
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_0900_ai_ci".to_owned(),
        };
        Self {
            position,
            schemas: schemas.into_iter().map(info).collect(),
            tables,
            rows: Arc::new(rows),
        }
    }
}

impl ScriptedSnapshot {
    /// Indexes of a table's key columns.
    fn key(&self, table: &TableName) -> Vec<usize> {
        let found = self.tables.iter().find(|t| t.info.name == *table);
        found.map(|t| key_columns(&t.info.schema)).unwrap_or_default()
    }
}

fn rows_of<'a>(rows: &'a Rows, table: &TableName) -> Result<&'a [Vec<Cell>]> {
    match rows.iter().find(|(name, _)| name == table) {
        Some((_, rows)) => Ok(rows),
        None => Err(Error::new(&codes::DB_QUERY, format!("table {table} is not in the snapshot"))
            .scope(Scope::Upstream)
            .server_number(1146)),
    }
}

impl Snapshot for ScriptedSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    fn contained_upto(&self) -> Option<&Position> {
        Some(&self.position)
    }

    fn means(&self) -> &str {
        "script"
    }

    fn schemas(&self) -> &[SchemaInfo] {
        &self.schemas
    }

    fn tables(&self) -> &[TableCopy] {
        &self.tables
    }

    fn plan(&self, table: &TableName, rows: u64) -> Result<Vec<Chunk>> {
        let of_table = rows_of(&self.rows, table)?;
        let key = self.key(table);
        if key.is_empty() {
            let all = Bounds::default();
            return Ok(vec![Chunk { id: 0, range: all.to_text(), rows: of_table.len() as u64 }]);
        }
        let mut keys: Vec<_> = of_table.iter().map(|row| key_of(row, &key)).collect();
        keys.sort();
        let size = usize::try_from(rows).unwrap_or(usize::MAX).max(1);
        let mut chunks = Vec::new();
        let mut from = None;
        for part in keys.chunks(size) {
            let to = keys.get((chunks.len() + 1).saturating_mul(size)).cloned();
            let bounds = Bounds { from, to: to.clone() };
            let (id, rows) = (chunks.len() as u32, part.len() as u64);
            chunks.push(Chunk { id, range: bounds.to_text(), rows });
            from = to;
        }
        if chunks.is_empty() {
            chunks.push(Chunk { id: 0, range: Bounds::default().to_text(), rows: 0 });
        }
        Ok(chunks)
    }

    fn cut(&self, table: &TableName, chunk: &Chunk, pieces: u32) -> Result<Vec<Chunk>> {
        let (key, bounds) = (self.key(table), Bounds::parse(&chunk.range).unwrap_or_default());
        if key.is_empty() {
            return Ok(Vec::new());
        }
        let of_table = rows_of(&self.rows, table)?;
        let mut keys: Vec<_> = of_table.iter().map(|row| key_of(row, &key)).collect();
        keys.retain(|key| bounds.hold(key));
        keys.sort();
        let size = keys.len().div_ceil(pieces.max(1) as usize).max(1);
        let mut from = bounds.from;
        let parts: Vec<usize> = keys.chunks(size).map(<[_]>::len).collect();
        let mut cut = Vec::new();
        for (id, rows) in (0..).zip(parts) {
            let next = keys.get((cut.len() + 1) * size).cloned();
            let to = next.clone().or_else(|| bounds.to.clone());
            let range = Bounds { from, to }.to_text();
            cut.push(Chunk { id, range, rows: rows as u64 });
            from = next;
        }
        Ok(cut)
    }

    fn reader(&self) -> Result<Box<dyn ChunkReader>> {
        Ok(Box::new(ScriptedReader { rows: Arc::clone(&self.rows) }))
    }
}

struct ScriptedReader {
    rows: Rows,
}

/// A row's key as texts; rows of every snapshot compare by it.
type KeyText = Vec<String>;

/// The keys of a chunk, from the first one up to the next chunk's first; open where there is none.
/// They mean the same in every snapshot, as those of a server do.
#[derive(Default)]
struct Bounds {
    from: Option<KeyText>,
    to: Option<KeyText>,
}

impl Bounds {
    fn to_text(&self) -> String {
        serde_json::json!([self.from, self.to]).to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, to) = serde_json::from_str(text).ok()?;
        Some(Self { from, to })
    }

    fn hold(&self, key: &KeyText) -> bool {
        self.from.as_ref().is_none_or(|from| key >= from)
            && self.to.as_ref().is_none_or(|to| key < to)
    }
}

/// Indexes of the primary key's columns; none without a primary key.
fn key_columns(schema: &TableSchema) -> Vec<usize> {
    let parts = schema.primary_key().map(|k| k.parts.as_slice()).unwrap_or_default();
    let columns = parts.iter().filter_map(|p| Some(schema.column(p.column()?)?.0));
    columns.collect()
}

fn key_of(row: &[Cell], key: &[usize]) -> KeyText {
    key.iter().map(|i| row.get(*i).unwrap_or(&Cell::Null).to_string()).collect()
}

impl ChunkReader for ScriptedReader {
    fn read(
        &mut self,
        table: &TableCopy,
        chunk: &Chunk,
        block_bytes: usize,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result<()> {
        let rows = rows_of(&self.rows, &table.info.name)?;
        let bounds = Bounds::parse(&chunk.range).ok_or_else(|| {
            let text = format!("{} has no chunk {:?}", table.info.name, chunk.range);
            Error::new(&codes::DB_QUERY, text).scope(Scope::Upstream)
        })?;
        let key = key_columns(&table.info.schema);
        let all = &table.info.schema.columns;
        let carried: Vec<(usize, CellKind)> = all
            .iter()
            .enumerate()
            .filter(|(_, column)| column.generated.is_none())
            .map(|(i, column)| (i, kind(column)))
            .collect();
        let columns: Arc<[CopyColumn]> = carried
            .iter()
            .filter_map(|(i, kind)| {
                Some(CopyColumn { name: all.get(*i)?.name.clone(), kind: kind.clone() })
            })
            .collect();
        let mut block = CopyBlock::new(Arc::clone(&columns));
        for row in rows.iter().filter(|row| bounds.hold(&key_of(row, &key))) {
            for (i, kind) in &carried {
                push(&mut block, kind, row.get(*i).unwrap_or(&Cell::Null));
            }
            if block.bytes() >= block_bytes {
                out(std::mem::replace(&mut block, CopyBlock::new(Arc::clone(&columns))))?;
            }
        }
        if block.is_empty() { Ok(()) } else { out(block) }
    }
}

fn push(block: &mut CopyBlock, kind: &CellKind, cell: &Cell) {
    match cell {
        Cell::Null => block.push_null(),
        Cell::Sql(sql) => block.push_sql(sql),
        Cell::Bytes(bytes) => block.push_value(bytes),
        Cell::Text(text) => match (kind, text.parse::<u64>()) {
            (CellKind::Bit, Ok(bits)) => block.push_value(&bits.to_be_bytes()),
            _ => block.push_value(text.as_bytes()),
        },
    }
}

fn kind(column: &Column) -> CellKind {
    use TypeKind as T;
    match column.ty.kind {
        T::TinyInt
        | T::SmallInt
        | T::MediumInt
        | T::Int
        | T::BigInt
        | T::Decimal
        | T::Float
        | T::Double
        | T::Year => CellKind::Number,
        T::Bit => CellKind::Bit,
        T::Json => CellKind::Json,
        T::Binary | T::VarBinary | T::TinyBlob | T::Blob | T::MediumBlob | T::LongBlob => {
            CellKind::Bytes
        }
        kind if kind.is_geometry() => CellKind::Geometry,
        T::Vector => CellKind::Vector,
        _ => CellKind::Text,
    }
}
