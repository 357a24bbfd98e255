//! MySQL's types in SQLite. Pure.
//!
//! SQLite has five storage classes and columns with an *affinity* that changes values on their
//! way in; a copy must choose both so that nothing changes.
//!
//! | MySQL | declared | stored as |
//! |---|---|---|
//! | integers up to BIGINT, YEAR, BIT(1) to BIT(63) | `INTEGER` | integer |
//! | BIGINT UNSIGNED, BIT(64) | nothing | integer up to 2^63-1; above, text of 20 digits |
//! | FLOAT, DOUBLE | `REAL` | the exact double |
//! | DECIMAL | `TEXT` | as MySQL prints it, all digits of its scale |
//! | DATE, TIME, DATETIME, TIMESTAMP | `TEXT` | MySQL's form; TIMESTAMP in UTC |
//! | CHAR, VARCHAR, TEXT | `TEXT` | UTF-8; bytes without an exact UTF-8 form as blob |
//! | ENUM, SET | `TEXT` | labels |
//! | JSON, UUID, INET, XML | `TEXT` | text |
//! | BINARY, VARBINARY, BLOB, VECTOR | `BLOB` | bytes |
//! | geometries | `BLOB` | SRID (4 bytes, little endian), then WKB |
//!
//! Unsigned integers above 2^63-1 do not fit SQLite's integers. SQLite orders integers before
//! text and text of equal length by its digits, so in a column without affinity the text of 20
//! digits sorts, compares and is unique exactly like the number.

use crate::schema::{Column, ColumnType, TypeKind};

use super::cell::Cell;

/// How the values of a column are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// 64-bit signed integers.
    Integer,
    /// Integers up to 2^64-1.
    Wide,
    /// Doubles.
    Real,
    /// FLOAT: doubles that came from 32 bits.
    Single,
    /// Decimal text.
    Decimal,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

impl Storage {
    /// How a type is stored.
    pub fn of(ty: &ColumnType) -> Self {
        use TypeKind as T;
        match ty.kind {
            T::BigInt if ty.unsigned => Self::Wide,
            T::Bit if ty.length.unwrap_or(1) > 63 => Self::Wide,
            T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt | T::Bit | T::Year => {
                Self::Integer
            }
            T::Decimal => Self::Decimal,
            // FLOAT(p) with p above 24 is a DOUBLE.
            T::Float if ty.decimals.is_none() && ty.length.is_some_and(|p| p > 24) => Self::Real,
            T::Float => Self::Single,
            T::Double => Self::Real,
            T::Binary | T::VarBinary | T::TinyBlob | T::Blob | T::MediumBlob | T::LongBlob => {
                Self::Blob
            }
            T::Vector => Self::Blob,
            kind if kind.is_geometry() => Self::Blob,
            _ if ty.charset.eq_ignore_ascii_case("binary") => Self::Blob,
            _ => Self::Text,
        }
    }

    /// The type to declare; empty for a column without affinity.
    pub fn declared(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Wide => "",
            Self::Real | Self::Single => "REAL",
            Self::Decimal | Self::Text => "TEXT",
            Self::Blob => "BLOB",
        }
    }
}

/// True for types whose values compare under a collation.
pub fn is_collated(ty: &ColumnType) -> bool {
    use TypeKind as T;
    matches!(ty.kind, T::Char | T::VarChar | T::TinyText | T::Text | T::MediumText | T::LongText)
        && Storage::of(ty) == Storage::Text
}

/// The value that MySQL gives to a NOT NULL column for which none is given: existing rows when a
/// column is added, and absent columns outside of strict mode. `None` where MySQL has none.
pub fn implicit_default(column: &Column) -> Option<Cell<'static>> {
    use TypeKind as T;
    let ty = &column.ty;
    let fraction = |text: &str| {
        let mut text = text.to_owned();
        if let Some(digits) = ty.decimals.filter(|d| *d > 0) {
            text.push('.');
            text.extend(std::iter::repeat_n('0', digits.min(6) as usize));
        }
        Some(Cell::text(text))
    };
    match ty.kind {
        T::Enum => Some(Cell::text(ty.labels.first().cloned().unwrap_or_default())),
        T::Date => Some(Cell::text("0000-00-00".to_owned())),
        T::DateTime | T::Timestamp => fraction("0000-00-00 00:00:00"),
        T::Time => fraction("00:00:00"),
        T::Json => Some(Cell::text("null".to_owned())),
        T::Inet4 => Some(Cell::text("0.0.0.0".to_owned())),
        T::Inet6 => Some(Cell::text("::".to_owned())),
        T::Uuid => Some(Cell::text("00000000-0000-0000-0000-000000000000".to_owned())),
        T::Binary => Some(Cell::blob(vec![0; ty.length.unwrap_or(1) as usize])),
        T::Decimal => fraction("0"),
        _ => match Storage::of(ty) {
            Storage::Integer | Storage::Wide => Some(Cell::Int(0)),
            Storage::Real | Storage::Single => Some(Cell::Real(0.0)),
            Storage::Text | Storage::Decimal => Some(Cell::text(String::new())),
            Storage::Blob => match ty.kind {
                T::VarBinary | T::TinyBlob | T::Blob | T::MediumBlob | T::LongBlob => {
                    Some(Cell::blob(Vec::new()))
                }
                // A geometry or a vector has no empty value.
                _ if ty.charset.eq_ignore_ascii_case("binary") => Some(Cell::blob(Vec::new())),
                _ => None,
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_of_the_hard_ones() {
        let mut ty = ColumnType::new(TypeKind::BigInt);
        assert_eq!(Storage::of(&ty), Storage::Integer);
        ty.unsigned = true;
        assert_eq!(Storage::of(&ty), Storage::Wide);
        let mut bit = ColumnType::new(TypeKind::Bit);
        bit.length = Some(63);
        assert_eq!(Storage::of(&bit), Storage::Integer);
        bit.length = Some(64);
        assert_eq!(Storage::of(&bit), Storage::Wide);
        let mut float = ColumnType::new(TypeKind::Float);
        assert_eq!(Storage::of(&float), Storage::Single);
        float.length = Some(30);
        assert_eq!(Storage::of(&float), Storage::Real);
        let mut text = ColumnType::new(TypeKind::VarChar);
        text.charset = "binary".into();
        assert_eq!(Storage::of(&text), Storage::Blob);
    }
}
