//! Types: which there are, and one with all that may be written behind it.
use serde::{Deserialize, Serialize};
/// The types of MySQL, MariaDB and TiDB; aliases (BOOL, INTEGER, NUMERIC) are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(missing_docs)] // the variants are the SQL names
pub enum TypeKind {
    TinyInt,
    SmallInt,
    MediumInt,
    Int,
    BigInt,
    Decimal,
    Float,
    Double,
    Bit,
    Year,
    Date,
    Time,
    DateTime,
    Timestamp,
    Char,
    VarChar,
    TinyText,
    Text,
    MediumText,
    LongText,
    Binary,
    VarBinary,
    TinyBlob,
    Blob,
    MediumBlob,
    LongBlob,
    Enum,
    Set,
    Json,
    Geometry,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    GeometryCollection,
    Vector,
    Inet4,
    Inet6,
    Uuid,
    Xml,
}

impl TypeKind {
    /// Types whose values are characters: CHAR, VARCHAR, the TEXT types, ENUM and SET.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Self::Char
                | Self::VarChar
                | Self::TinyText
                | Self::Text
                | Self::MediumText
                | Self::LongText
                | Self::Enum
                | Self::Set
        )
    }

    /// The TEXT and BLOB types.
    pub fn is_text_or_blob(self) -> bool {
        matches!(
            self,
            Self::TinyText
                | Self::Text
                | Self::MediumText
                | Self::LongText
                | Self::TinyBlob
                | Self::Blob
                | Self::MediumBlob
                | Self::LongBlob
        )
    }

    /// GEOMETRY and the types of single shapes.
    pub fn is_geometry(self) -> bool {
        matches!(
            self,
            Self::Geometry
                | Self::Point
                | Self::LineString
                | Self::Polygon
                | Self::MultiPoint
                | Self::MultiLineString
                | Self::MultiPolygon
                | Self::GeometryCollection
        )
    }
}

/// A type as written: what is left out is filled in from table, schema and server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSpec {
    /// The type itself.
    pub kind: TypeKind,
    /// Length or precision in parentheses.
    pub length: Option<u64>,
    /// Digits after the point, or fractional digits of temporal types.
    pub decimals: Option<u32>,
    /// UNSIGNED.
    pub unsigned: bool,
    /// ZEROFILL.
    pub zerofill: bool,
    /// CHARACTER SET, in lower case.
    pub charset: Option<String>,
    /// COLLATE, in lower case.
    pub collation: Option<String>,
    /// The BINARY attribute of text: the binary collation of the character set.
    pub binary: bool,
    /// Members of ENUM and SET.
    pub labels: Vec<String>,
    /// SRID.
    pub srid: Option<u32>,
    /// MariaDB's COMPRESSED.
    pub compressed: bool,
    /// SERIAL: NOT NULL AUTO_INCREMENT UNIQUE besides.
    pub serial: bool,
}

impl TypeSpec {
    /// A type without attributes.
    pub fn new(kind: TypeKind) -> Self {
        Self {
            kind,
            length: None,
            decimals: None,
            unsigned: false,
            zerofill: false,
            charset: None,
            collation: None,
            binary: false,
            labels: Vec::new(),
            srid: None,
            compressed: false,
            serial: false,
        }
    }
}
