//! From the bytes of a row to values: settled once per version of a table.
//!
//! Guarantee: rows that come out have the columns of the tracked structure, in its order, and
//! every value has the type that the column had on the source when the row was written. Obstacle:
//! the binlog says how bytes are laid out, but usually not names, often not signs and character
//! sets; the structure says all that, but may belong to another moment. Method: where both say
//! something it has to be the same, otherwise an error shows both sides.

use std::sync::Arc;

use dm_filter::{ColumnInfo, Columns, Value};

use super::charset::{self, Text};
use super::hidden::{self, HiddenColumn};
use super::op::{How, Op};
use super::table_map::{ColumnMeta, TableMap, Wire};
use super::versioning::SystemVersioning;
use super::{Error, Result, codes};
use crate::schema::{Column, ColumnType, TableSchema, TypeKind};

/// How the rows of one version of a table are decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecodePlan {
    columns: Arc<Columns>,
    ops: Vec<Op>,
    wires: Vec<Wire>,
    hidden: Vec<HiddenColumn>,
    /// The column that says when a row of a system-versioned table ended.
    row_end: Option<usize>,
}

impl DecodePlan {
    /// Settles how to decode rows of `map`, given what is known of the table.
    ///
    /// Without a structure the binlog has to carry the columns' names
    /// (`binlog_row_metadata=FULL`).
    ///
    /// # Errors
    ///
    /// 36027 when map and structure do not fit each other, or when neither says enough.
    pub fn compile(map: &TableMap, schema: Option<&TableSchema>) -> Result<Self> {
        match schema {
            Some(schema) => Compiler { map, schema, periods: 0 }.compile(),
            None => Self::from_metadata(map),
        }
    }

    /// As [`DecodePlan::compile`], for a system-versioned table of MariaDB: the rows that come out
    /// are the present ones, and what happens to them.
    ///
    /// # Errors
    ///
    /// 36027 as for any table, and when the columns of the period are not there.
    pub fn compile_versioned(
        map: &TableMap,
        schema: &TableSchema,
        period: SystemVersioning<'_>,
    ) -> Result<Self> {
        let periods = if period == SystemVersioning::Hidden { 2 } else { 0 };
        let compiler = Compiler { map, schema, periods };
        let row_end = match period {
            SystemVersioning::Hidden => Some(schema.columns.len() + 1),
            SystemVersioning::EndColumn(name) => schema.column(name).map(|(index, _)| index),
        };
        let meta = row_end.and_then(|index| map.columns.get(index));
        let end = Wire::Timestamp { decimals: 6 };
        if !meta.is_some_and(|c| c.wire == end && !c.nullable) {
            return Err(compiler.mismatch("the period of its system versioning is missing"));
        }
        Ok(Self { row_end, ..compiler.compile()? })
    }

    /// The columns of the rows that come out.
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// The columns that the rows of the binlog carry and the rows that come out do not.
    pub fn hidden(&self) -> &[HiddenColumn] {
        &self.hidden
    }

    /// True when rows come out with the columns of the binlog, one for one.
    pub(crate) fn is_plain(&self) -> bool {
        self.hidden.is_empty() && self.row_end.is_none()
    }

    /// The column of the binlog that says when a row ended, of a system-versioned table.
    pub(crate) fn row_end(&self) -> Option<usize> {
        self.row_end
    }

    /// True when rows of this table map can be decoded with the plan.
    pub fn fits(&self, map: &TableMap) -> bool {
        self.wires.len() == map.columns.len()
            && self.wires.iter().zip(&map.columns).all(|(wire, column)| *wire == column.wire)
    }

    pub(crate) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Columns of a row that comes out.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Appends the value of a column of the binlog, unless it is hidden.
    pub(crate) fn push<'a>(
        &self,
        cells: &mut Vec<Option<Value<'a>>>,
        index: usize,
        value: Option<Value<'a>>,
    ) {
        if self.hidden.iter().all(|hidden| hidden.index != index) {
            cells.push(value);
        }
    }

    fn from_metadata(map: &TableMap) -> Result<Self> {
        if !map.has_names() {
            return Err(Error::new(
                &codes::SYNC_COLUMN_COUNT,
                format!(
                    "the structure of {} is not known, and its binlog does not carry the names of \
                     columns",
                    map.table
                ),
            ));
        }
        let mut infos = Vec::new();
        let mut ops = Vec::new();
        let hidden = hidden::named(map);
        for (i, column) in map.columns.iter().enumerate() {
            if hidden.iter().any(|h| h.index == i) {
                ops.push(op(column, true, Text::Binary));
                continue;
            }
            let collation = column.collation.and_then(charset::by_id);
            infos.push(ColumnInfo {
                name: column.name.clone().unwrap_or_default(),
                collation: collation.map(|c| c.name(map.flavor).to_owned()).unwrap_or_default(),
                labels: column.labels.clone().unwrap_or_default().into(),
                unsigned: column.unsigned.unwrap_or(false),
            });
            let text = collation.map(|c| Text::of(c.charset));
            ops.push(op(column, column.unsigned.unwrap_or(false), text.unwrap_or(Text::Binary)));
        }
        let wires = map.columns.iter().map(|c| c.wire).collect();
        let columns = Arc::new(Columns::new(infos));
        Ok(Self { columns, ops, wires, hidden, row_end: None })
    }
}

/// The operation for a column of which only the binlog is known, or whose type says no more.
fn op(column: &ColumnMeta, unsigned: bool, text: Text) -> Op {
    let int = |n| if unsigned { Op::UInt(n) } else { Op::Int(n) };
    let bytes = |prefix, how| Op::Bytes { prefix, how };
    let by_max = |max| if max > 255 { 2 } else { 1 };
    match column.wire {
        Wire::Tiny => int(1),
        Wire::Short => int(2),
        Wire::Int24 => int(3),
        Wire::Long => int(4),
        Wire::LongLong => int(8),
        Wire::Float => Op::Float,
        Wire::Double => Op::Double,
        Wire::Decimal { precision, scale } => Op::Decimal { precision, scale },
        Wire::Bit { bits } => Op::Bit { bytes: bits.div_ceil(8) as u8 },
        Wire::Year => Op::Year,
        Wire::Date => Op::Date,
        Wire::OldTime => Op::OldTime,
        Wire::OldDateTime => Op::OldDateTime,
        Wire::OldTimestamp => Op::OldTimestamp,
        Wire::Time { decimals } => Op::Time { decimals },
        Wire::DateTime { decimals } => Op::DateTime { decimals },
        Wire::Timestamp { decimals } => Op::Timestamp { decimals },
        Wire::VarChar { max } => bytes(by_max(max), How::Text(text)),
        Wire::Char { max } => match text {
            Text::Binary => bytes(by_max(max), How::Padded(max)),
            text => bytes(by_max(max), How::Text(text)),
        },
        Wire::Enum { bytes } => Op::Enum { bytes },
        Wire::Set { bytes } => Op::Set { bytes },
        Wire::Blob { prefix } => bytes(prefix, How::Text(text)),
        Wire::Json { prefix } => bytes(prefix, How::Json),
        Wire::Geometry { prefix } => bytes(prefix, How::Geometry),
        Wire::Vector { prefix } => bytes(prefix, How::Vector),
        Wire::VarCharCompressed { max } => Op::Compressed { prefix: by_max(max), how: text },
        Wire::BlobCompressed { prefix } => Op::Compressed { prefix, how: text },
    }
}

/// Compares a table map with a structure.
struct Compiler<'m> {
    map: &'m TableMap,
    schema: &'m TableSchema,
    /// How many columns system versioning has put behind those of the structure.
    periods: usize,
}

impl Compiler<'_> {
    fn compile(self) -> Result<DecodePlan> {
        let hidden = self.find_hidden()?;
        let mut infos = Vec::with_capacity(self.schema.columns.len());
        let mut ops = Vec::with_capacity(self.map.columns.len());
        let mut tracked = self.schema.columns.iter();
        for (i, meta) in self.map.columns.iter().enumerate() {
            if hidden.iter().any(|h| h.index == i) {
                ops.push(op(meta, true, Text::Binary));
                continue;
            }
            let column = tracked.next().ok_or_else(|| self.mismatch("the columns differ"))?;
            let (op, info) = self.column(i, meta, column)?;
            ops.push(op);
            infos.push(info);
        }
        let wires = self.map.columns.iter().map(|c| c.wire).collect();
        let columns = Arc::new(Columns::new(infos));
        Ok(DecodePlan { columns, ops, wires, hidden, row_end: None })
    }

    fn find_hidden(&self) -> Result<Vec<HiddenColumn>> {
        let fits = |hidden| self.fits_without(hidden);
        hidden::find(self.map, self.schema, self.periods, fits).ok_or_else(|| {
            let (logged, tracked) = (self.map.columns.len(), self.schema.columns.len());
            self.mismatch(&format!("{logged} columns against {tracked}"))
        })
    }

    fn fits_without(&self, hidden: usize) -> bool {
        let logged = self.map.columns.iter().enumerate().filter(|(i, _)| *i != hidden);
        logged.zip(&self.schema.columns).all(|((_, meta), column)| fits(meta.wire, &column.ty))
    }

    fn column(&self, index: usize, meta: &ColumnMeta, column: &Column) -> Result<(Op, ColumnInfo)> {
        let ty = &column.ty;
        let at = |what: &str| {
            self.mismatch(&format!("column {} (`{}`) differs in {what}", index + 1, column.name))
        };
        if !fits(meta.wire, ty) {
            return Err(at("type"));
        }
        let named = meta.name.as_deref();
        if named.is_some_and(|n| n.to_lowercase() != column.name.to_lowercase()) {
            return Err(at("name"));
        }
        let unsigned = meta.unsigned.unwrap_or(ty.unsigned || ty.zerofill);
        if unsigned != (ty.unsigned || ty.zerofill) {
            return Err(at("sign"));
        }
        let logged = meta.collation.and_then(charset::by_id);
        let charset = match logged {
            Some(collation) => collation.charset,
            None => self.charset(ty).ok_or_else(|| at("character set, which is not known"))?,
        };
        let collation = match logged {
            Some(collation) if charset != "binary" => collation.name(self.map.flavor).to_owned(),
            _ if ty.kind.is_text() && ty.charset.is_empty() && ty.collation.is_empty() => {
                self.schema.collation.clone()
            }
            _ => ty.collation.clone(),
        };
        let labels = meta.labels.clone().unwrap_or_else(|| ty.labels.clone());
        let op = typed_op(meta, ty, unsigned, Text::of(charset));
        let name = column.name.clone();
        Ok((op, ColumnInfo { name, collation, labels: labels.into(), unsigned }))
    }

    /// The character set of a column: its own, that of its collation, or the table's.
    fn charset(&self, ty: &ColumnType) -> Option<&'static str> {
        if !ty.kind.is_text() {
            return Some("binary");
        }
        let own = [ty.charset.as_str(), charset_of(&ty.collation)];
        let table = [self.schema.charset.as_str(), charset_of(&self.schema.collation)];
        // MariaDB has collations without a character set in their name: they say nothing.
        own.into_iter().chain(table).find_map(charset::canonical)
    }

    fn mismatch(&self, what: &str) -> Error {
        let logged = self.map.columns.iter().map(|column| match column.name.as_deref() {
            Some(name) => format!("{name} {}", column.wire),
            None => column.wire.to_string(),
        });
        let logged: Vec<String> = logged.collect();
        let tracked = self.schema.columns.iter().map(|c| format!("{} {}", c.name, c.ty.shape()));
        let tracked: Vec<String> = tracked.collect();
        Error::new(
            &codes::SYNC_COLUMN_COUNT,
            format!(
                "rows of {} do not fit its tracked structure: {what}; the binlog has: {}; the \
                 tracked structure has: {}",
                self.map.table,
                logged.join(", "),
                tracked.join(", ")
            ),
        )
    }
}

/// `utf8mb4` of `utf8mb4_bin`.
fn charset_of(collation: &str) -> &str {
    collation.split('_').next().unwrap_or_default()
}

/// True when a column of this type can be written so.
fn fits(wire: Wire, ty: &ColumnType) -> bool {
    use TypeKind as K;
    let fraction = ty.decimals.unwrap_or(0);
    let exactly = |decimals: u8| u32::from(decimals) == fraction;
    match ty.kind {
        K::TinyInt => wire == Wire::Tiny,
        K::SmallInt => wire == Wire::Short,
        K::MediumInt => wire == Wire::Int24,
        K::Int => wire == Wire::Long,
        K::BigInt => wire == Wire::LongLong,
        K::Float => matches!(wire, Wire::Float | Wire::Double),
        K::Double => wire == Wire::Double,
        K::Decimal => match wire {
            Wire::Decimal { precision, scale } => {
                u32::from(precision) == ty.length.unwrap_or(10) && exactly(scale)
            }
            _ => false,
        },
        K::Bit => matches!(wire, Wire::Bit { bits } if u32::from(bits) == ty.length.unwrap_or(1)),
        K::Year => wire == Wire::Year,
        K::Date => wire == Wire::Date,
        K::Time => {
            matches!(wire, Wire::Time { decimals } if exactly(decimals)) || wire == Wire::OldTime
        }
        K::DateTime => {
            matches!(wire, Wire::DateTime { decimals } if exactly(decimals))
                || wire == Wire::OldDateTime
        }
        K::Timestamp => {
            matches!(wire, Wire::Timestamp { decimals } if exactly(decimals))
                || wire == Wire::OldTimestamp
        }
        K::Enum => matches!(wire, Wire::Enum { .. }),
        K::Set => matches!(wire, Wire::Set { .. }),
        K::Json => matches!(wire, Wire::Json { .. } | Wire::Blob { .. }),
        K::Vector => matches!(wire, Wire::Vector { .. } | Wire::VarChar { .. } | Wire::Blob { .. }),
        K::Char | K::Binary | K::Inet4 | K::Inet6 | K::Uuid => {
            matches!(wire, Wire::Char { .. } | Wire::VarChar { .. })
        }
        K::VarChar | K::VarBinary => matches!(
            wire,
            Wire::VarChar { .. } | Wire::VarCharCompressed { .. } | Wire::Blob { .. }
        ),
        K::TinyText
        | K::Text
        | K::MediumText
        | K::LongText
        | K::TinyBlob
        | K::Blob
        | K::MediumBlob
        | K::LongBlob
        | K::Xml => {
            matches!(wire, Wire::Blob { .. } | Wire::BlobCompressed { .. })
        }
        K::Geometry
        | K::Point
        | K::LineString
        | K::Polygon
        | K::MultiPoint
        | K::MultiLineString
        | K::MultiPolygon
        | K::GeometryCollection => {
            matches!(wire, Wire::Geometry { .. })
        }
    }
}

/// The operation for a column whose type is known.
fn typed_op(meta: &ColumnMeta, ty: &ColumnType, unsigned: bool, text: Text) -> Op {
    let decimals = ty.decimals.unwrap_or(0).min(6) as u8;
    let plain = op(meta, unsigned, text);
    match (ty.kind, plain) {
        // MySQL before 5.6 had no fractions: a column with some is MariaDB's own format.
        (_, Op::OldTime) if decimals > 0 => Op::HiresTime { decimals },
        (_, Op::OldDateTime) if decimals > 0 => Op::HiresDateTime { decimals },
        (_, Op::OldTimestamp) if decimals > 0 => Op::HiresTimestamp { decimals },
        (TypeKind::Uuid, Op::Bytes { prefix, .. }) => Op::Bytes { prefix, how: How::Uuid },
        (TypeKind::Inet6, Op::Bytes { prefix, .. }) => Op::Bytes { prefix, how: How::Inet6 },
        (TypeKind::Inet4, Op::Bytes { prefix, .. }) => Op::Bytes { prefix, how: How::Inet4 },
        (TypeKind::Vector, Op::Bytes { prefix, .. }) => Op::Bytes { prefix, how: How::Vector },
        (TypeKind::Json, Op::Bytes { prefix, how: How::Text(_) }) => {
            Op::Bytes { prefix, how: How::JsonText }
        }
        (_, plain) => plain,
    }
}
