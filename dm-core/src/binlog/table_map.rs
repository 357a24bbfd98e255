//! TABLE_MAP events: what the columns of the rows that follow look like in the binlog.

use std::fmt;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

use super::bytes::{Bytes, bit};
use super::optional;
use super::{Result, malformed};
use crate::position::Flavor;

/// More columns than a table can have.
const MAX_COLUMNS: u64 = 4096;

/// How a column's values are written in rows, with what the type needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Wire {
    /// TINYINT.
    Tiny,
    /// SMALLINT.
    Short,
    /// MEDIUMINT.
    Int24,
    /// INT.
    Long,
    /// BIGINT.
    LongLong,
    /// FLOAT.
    Float,
    /// DOUBLE.
    Double,
    /// DECIMAL.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// BIT.
    Bit {
        /// Bits.
        bits: u16,
    },
    /// YEAR.
    Year,
    /// DATE.
    Date,
    /// TIME of tables made before MySQL 5.6, and MariaDB's own format with fractions.
    OldTime,
    /// DATETIME, likewise.
    OldDateTime,
    /// TIMESTAMP, likewise.
    OldTimestamp,
    /// TIME.
    Time {
        /// Fractional digits.
        decimals: u8,
    },
    /// DATETIME.
    DateTime {
        /// Fractional digits.
        decimals: u8,
    },
    /// TIMESTAMP.
    Timestamp {
        /// Fractional digits.
        decimals: u8,
    },
    /// VARCHAR, VARBINARY.
    VarChar {
        /// Longest value in bytes.
        max: u16,
    },
    /// CHAR, BINARY; also MariaDB's INET4, INET6 and UUID.
    Char {
        /// Longest value in bytes.
        max: u16,
    },
    /// ENUM.
    Enum {
        /// Bytes of a value.
        bytes: u8,
    },
    /// SET.
    Set {
        /// Bytes of a value.
        bytes: u8,
    },
    /// BLOB and TEXT types.
    Blob {
        /// Bytes of the length before a value.
        prefix: u8,
    },
    /// JSON of MySQL, in its binary form.
    Json {
        /// Bytes of the length before a value.
        prefix: u8,
    },
    /// Geometries.
    Geometry {
        /// Bytes of the length before a value.
        prefix: u8,
    },
    /// VECTOR of MySQL.
    Vector {
        /// Bytes of the length before a value.
        prefix: u8,
    },
    /// VARCHAR COMPRESSED of MariaDB.
    VarCharCompressed {
        /// Longest stored value in bytes.
        max: u16,
    },
    /// BLOB COMPRESSED, TEXT COMPRESSED of MariaDB.
    BlobCompressed {
        /// Bytes of the length before a value.
        prefix: u8,
    },
}

/// The type in the words of SQL, as far as a binlog tells it: TEXT and BLOB are written alike.
impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |f: &mut fmt::Formatter<'_>, name: &str, decimals: u8| match decimals {
            0 => f.write_str(name),
            _ => write!(f, "{name}({decimals})"),
        };
        match *self {
            Self::Tiny => f.write_str("tinyint"),
            Self::Short => f.write_str("smallint"),
            Self::Int24 => f.write_str("mediumint"),
            Self::Long => f.write_str("int"),
            Self::LongLong => f.write_str("bigint"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Bit { bits } => write!(f, "bit({bits})"),
            Self::Year => f.write_str("year"),
            Self::Date => f.write_str("date"),
            Self::OldTime => f.write_str("time of the old format"),
            Self::OldDateTime => f.write_str("datetime of the old format"),
            Self::OldTimestamp => f.write_str("timestamp of the old format"),
            Self::Time { decimals } => digits(f, "time", decimals),
            Self::DateTime { decimals } => digits(f, "datetime", decimals),
            Self::Timestamp { decimals } => digits(f, "timestamp", decimals),
            Self::VarChar { max } => write!(f, "varchar of {max} bytes"),
            Self::Char { max } => write!(f, "char of {max} bytes"),
            Self::Enum { bytes } => write!(f, "enum of {bytes} bytes"),
            Self::Set { bytes } => write!(f, "set of {bytes} bytes"),
            Self::Blob { prefix } => f.write_str(text_or_blob(prefix)),
            Self::Json { .. } => f.write_str("json"),
            Self::Geometry { .. } => f.write_str("geometry"),
            Self::Vector { .. } => f.write_str("vector"),
            Self::VarCharCompressed { max } => write!(f, "varchar compressed of {max} bytes"),
            Self::BlobCompressed { prefix } => write!(f, "{} compressed", text_or_blob(prefix)),
        }
    }
}

fn text_or_blob(prefix: u8) -> &'static str {
    match prefix {
        1 => "tinytext/tinyblob",
        2 => "text/blob",
        3 => "mediumtext/mediumblob",
        _ => "longtext/longblob",
    }
}

impl Wire {
    /// Types that the signedness bitmap has a bit for.
    pub(crate) fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Tiny
                | Self::Short
                | Self::Int24
                | Self::Long
                | Self::LongLong
                | Self::Float
                | Self::Double
                | Self::Decimal { .. }
                | Self::Year
        )
    }

    /// Types that the lists of character sets have an entry for: text and bytes, and whatever a
    /// server's code derives from BLOB.
    pub(crate) fn is_character(self, flavor: Flavor) -> bool {
        match self {
            Self::VarChar { .. }
            | Self::Char { .. }
            | Self::Blob { .. }
            | Self::VarCharCompressed { .. }
            | Self::BlobCompressed { .. } => true,
            Self::Vector { .. } => flavor == Flavor::MySql,
            Self::Geometry { .. } => flavor == Flavor::MariaDb,
            _ => false,
        }
    }

    pub(crate) fn is_enum_or_set(self, _: Flavor) -> bool {
        matches!(self, Self::Enum { .. } | Self::Set { .. })
    }
}

/// A column as the binlog describes it. What depends on `binlog_row_metadata` is `None` unless it
/// was logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMeta {
    /// How values are written.
    pub wire: Wire,
    /// True when the column may be NULL.
    pub nullable: bool,
    /// UNSIGNED, for numbers.
    pub unsigned: Option<bool>,
    /// Collation number, for text, ENUM and SET.
    pub collation: Option<u16>,
    /// Column name.
    pub name: Option<String>,
    /// Members of an ENUM or SET.
    pub labels: Option<Vec<String>>,
    /// Number of the geometry type.
    pub geometry: Option<u32>,
    /// False for an INVISIBLE column.
    pub visible: Option<bool>,
    /// Dimensions of a VECTOR.
    pub dimensions: Option<u32>,
}

/// The table that rows belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMap {
    /// The number that rows events refer to.
    pub id: u64,
    /// Its name.
    pub table: TableName,
    /// The family of the server that wrote it.
    pub flavor: Flavor,
    /// Columns in table order.
    pub columns: Vec<ColumnMeta>,
    /// Columns of the primary key with their prefix lengths (0 for none), when logged.
    pub primary_key: Option<Vec<(usize, u32)>>,
}

impl TableMap {
    pub(crate) fn parse(body: &[u8], id_bytes: usize, flavor: Flavor) -> Result<Self> {
        let mut b = Bytes(body);
        let id = b.uint_le(id_bytes)?;
        b.u16()?;
        let schema = name(&mut b)?;
        let table = name(&mut b)?;
        let count = b.lenenc()?;
        if count > MAX_COLUMNS {
            return Err(malformed(format!("a table with {count} columns")));
        }
        let types = b.take_u64(count)?;
        let mut meta = Bytes(b.lenenc_bytes()?);
        let wires: Vec<Wire> = types.iter().map(|t| wire(*t, &mut meta)).collect::<Result<_>>()?;
        let nulls = b.take(types.len().div_ceil(8))?;
        let columns = wires.into_iter().enumerate().map(|(i, wire)| ColumnMeta {
            wire,
            nullable: bit(nulls, i),
            unsigned: None,
            collation: None,
            name: None,
            labels: None,
            geometry: None,
            visible: None,
            dimensions: None,
        });
        let columns = columns.collect();
        let table = TableName::new(schema, table);
        let mut map = Self { id, table, flavor, columns, primary_key: None };
        optional::parse(&mut map, b)?;
        Ok(map)
    }

    /// True when every column has a name: nothing else is needed to decode rows.
    pub fn has_names(&self) -> bool {
        !self.columns.is_empty() && self.columns.iter().all(|c| c.name.is_some())
    }

    /// How many columns are JSON in MySQL's binary form.
    pub(crate) fn json_columns(&self) -> usize {
        self.columns.iter().filter(|c| matches!(c.wire, Wire::Json { .. })).count()
    }
}

/// A length, a name, and a zero byte that the length does not count.
fn name(b: &mut Bytes<'_>) -> Result<String> {
    let text = b.lenenc_bytes()?;
    b.u8()?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// Reads what a type has in the metadata block.
fn wire(ty: u8, meta: &mut Bytes<'_>) -> Result<Wire> {
    Ok(match ty {
        1 => Wire::Tiny,
        2 => Wire::Short,
        3 => Wire::Long,
        4 => {
            meta.u8()?;
            Wire::Float
        }
        5 => {
            meta.u8()?;
            Wire::Double
        }
        7 => Wire::OldTimestamp,
        8 => Wire::LongLong,
        9 => Wire::Int24,
        10 | 14 => Wire::Date,
        11 => Wire::OldTime,
        12 => Wire::OldDateTime,
        13 => Wire::Year,
        15 | 253 => Wire::VarChar { max: meta.u16()? },
        16 => {
            let (bits, bytes) = (meta.u8()?, meta.u8()?);
            let bits = u16::from(bytes) * 8 + u16::from(bits);
            if bits > 64 || bits == 0 {
                return Err(malformed(format!("BIT({bits})")));
            }
            Wire::Bit { bits }
        }
        17 => Wire::Timestamp { decimals: decimals(meta)? },
        18 => Wire::DateTime { decimals: decimals(meta)? },
        19 => Wire::Time { decimals: decimals(meta)? },
        140 => Wire::BlobCompressed { prefix: prefix(meta)? },
        141 => Wire::VarCharCompressed { max: meta.u16()? },
        242 => Wire::Vector { prefix: prefix(meta)? },
        245 => Wire::Json { prefix: prefix(meta)? },
        246 => {
            let (precision, scale) = (meta.u8()?, meta.u8()?);
            if precision > 65 || scale > 38 || scale > precision {
                return Err(malformed(format!("DECIMAL({precision},{scale})")));
            }
            Wire::Decimal { precision, scale }
        }
        247..=248 | 254 => char_like(ty, meta)?,
        249..=252 => Wire::Blob { prefix: prefix(meta)? },
        255 => Wire::Geometry { prefix: prefix(meta)? },
        other => return Err(malformed(format!("unknown column type {other}"))),
    })
}

fn decimals(meta: &mut Bytes<'_>) -> Result<u8> {
    let decimals = meta.u8()?;
    if decimals > 6 {
        return Err(malformed(format!("{decimals} fractional digits of a second")));
    }
    Ok(decimals)
}

fn prefix(meta: &mut Bytes<'_>) -> Result<u8> {
    let prefix = meta.u8()?;
    if !(1..=4).contains(&prefix) {
        return Err(malformed(format!("a length of {prefix} bytes")));
    }
    Ok(prefix)
}

/// CHAR, ENUM and SET share a type; two bytes tell which it is and how long. A CHAR longer than
/// 255 bytes borrows two bits of the first byte, inverted, for its length.
fn char_like(ty: u8, meta: &mut Bytes<'_>) -> Result<Wire> {
    let (first, second) = (meta.u8()?, meta.u8()?);
    let (real, max) = if first & 0x30 == 0x30 {
        (first, u16::from(second))
    } else {
        (first | 0x30, u16::from(second) | (u16::from((first & 0x30) ^ 0x30) << 4))
    };
    Ok(match real {
        247 if matches!(second, 1 | 2) => Wire::Enum { bytes: second },
        248 if matches!(second, 1..=8) => Wire::Set { bytes: second },
        253 | 254 => Wire::Char { max },
        _ => return Err(malformed(format!("column type {ty} of real type {real}, {second}"))),
    })
}
