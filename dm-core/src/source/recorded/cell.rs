//! Values of a dump file as cells of the copy.
//!
//! Guarantee: a value gives the cell that a SELECT from the server would have given, or an error.
//! The obstacle is text: a file says with `SET NAMES` in which character set its strings are, and
//! `binary` means two things. mydumper reads columns as they are stored, each in its own character
//! set; Dumpling writes the same words above strings that are UTF-8. The two are told apart by the
//! numbers in their file names (see [`super::dir`]).

use std::sync::Arc;

use super::literal::{Kind, Literal};
use crate::binlog::charset::{Text, canonical};
use crate::event::{CellKind, CopyBlock, CopyColumn};
use crate::schema::{Column, ColumnType, TableSchema, TypeKind};

/// In which character set the strings of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strings {
    /// All in this one.
    In(&'static str),
    /// Each in that of its column.
    AsStored,
}

impl Strings {
    /// What `SET NAMES` means; `None` for an unknown character set.
    pub fn of(names: Option<&str>, dumpling: bool) -> Option<Self> {
        match names {
            None | Some("utf8mb4" | "utf8" | "utf8mb3" | "default") => Some(Self::In("utf8mb4")),
            Some("binary") if dumpling => Some(Self::In("utf8mb4")),
            Some("binary") => Some(Self::AsStored),
            Some(other) => canonical(other).map(Self::In),
        }
    }
}

/// What a column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Digits.
    Number,
    /// Digits; a sign before zero counts.
    Float,
    /// Bytes, in this number of them when written as a number.
    Bit(usize),
    /// Bytes.
    Bytes,
    /// UTF-8 in any case: JSON, dates.
    Plain,
    /// Text in the character set of the column; strings without introducer are in the second.
    Text(&'static str, &'static str),
    /// Text, one of the column's labels.
    Enum(&'static str, &'static str),
}

/// A field of a row of the file.
#[derive(Debug)]
struct Field {
    name: String,
    class: Class,
    kind: CellKind,
    ty: ColumnType,
}

/// How the rows of a statement become cells.
#[derive(Debug)]
pub(super) struct Shape {
    columns: Arc<[CopyColumn]>,
    /// For each value of a row; `None` for a generated column, whose value is computed.
    fields: Vec<Option<Field>>,
}

impl Shape {
    /// The shape of rows that name these columns, or all. The error says what does not fit.
    pub fn new(
        schema: &TableSchema,
        names: Option<&[String]>,
        strings: Strings,
    ) -> Result<Self, String> {
        let chosen: Vec<&Column> = match names {
            Some(names) => names
                .iter()
                .map(|name| schema.column(name).map(|(_, c)| c))
                .zip(names)
                .map(|(c, name)| c.ok_or_else(|| format!("the table has no column `{name}`")))
                .collect::<Result<_, _>>()?,
            None => schema.columns.iter().filter(|c| !c.invisible).collect(),
        };
        let mut fields = Vec::with_capacity(chosen.len());
        for column in chosen {
            fields.push(match &column.generated {
                Some(_) => None,
                None => Some(Field::new(column, strings)?),
            });
        }
        let columns = fields
            .iter()
            .flatten()
            .map(|f| CopyColumn { name: f.name.clone(), kind: f.kind.clone() })
            .collect();
        Ok(Self { columns, fields })
    }

    /// The columns of the blocks.
    pub fn columns(&self) -> &Arc<[CopyColumn]> {
        &self.columns
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.fields.len()
    }

    /// Appends the value of a row at `index`. The error says what is wrong with it.
    pub fn push(
        &self,
        block: &mut CopyBlock,
        index: usize,
        literal: Literal<'_>,
    ) -> Result<(), String> {
        match self.fields.get(index) {
            Some(Some(field)) => field
                .push(block, literal)
                .map_err(|why| format!("the value of column `{}` {why}", field.name)),
            Some(None) => Ok(()),
            None => Err("a row has too many values".to_owned()),
        }
    }
}

impl Field {
    fn new(column: &Column, strings: Strings) -> Result<Self, String> {
        use TypeKind as K;
        let ty = &column.ty;
        let (class, kind) = match ty.kind {
            K::TinyInt | K::SmallInt | K::MediumInt | K::Int | K::BigInt | K::Decimal | K::Year => {
                (Class::Number, CellKind::Number)
            }
            K::Float | K::Double => (Class::Float, CellKind::Number),
            K::Bit => {
                let bits = ty.length.unwrap_or(1) as usize;
                (Class::Bit(bits.div_ceil(8)), CellKind::Bit)
            }
            K::Binary | K::VarBinary | K::TinyBlob | K::Blob | K::MediumBlob | K::LongBlob => {
                (Class::Bytes, CellKind::Bytes)
            }
            kind if kind.is_geometry() => (Class::Bytes, CellKind::Geometry),
            K::Vector => (Class::Bytes, CellKind::Vector),
            K::Json => (Class::Plain, CellKind::Json),
            K::Char | K::VarChar | K::TinyText | K::Text | K::MediumText | K::LongText => {
                let (stored, file, kind) = text(column, strings)?;
                (Class::Text(stored, file), kind)
            }
            K::Enum | K::Set => {
                let (stored, file, kind) = text(column, strings)?;
                (Class::Enum(stored, file), kind)
            }
            _ => (Class::Plain, CellKind::Text),
        };
        Ok(Self { name: column.name.clone(), class, kind, ty: ty.clone() })
    }

    fn push(&self, block: &mut CopyBlock, literal: Literal<'_>) -> Result<(), &'static str> {
        let Literal { kind, bytes } = literal;
        match (kind, self.class) {
            (Kind::Null, _) => block.push_null(),
            (Kind::Default, _) => return Err("is DEFAULT, which the file does not tell"),
            (Kind::Number | Kind::Text(_), Class::Number | Class::Float) => {
                if !is_number(bytes) {
                    return Err("is no number");
                }
                let zero = self.class == Class::Float && bytes == b"-0";
                block.push_value(if zero { b"-0e0" } else { bytes });
            }
            (Kind::Digits, Class::Number | Class::Float) => {
                let number = whole(bytes).ok_or("has more than 64 bits")?;
                block.push_value(number.to_string().as_bytes());
            }
            (Kind::Number, Class::Bit(width)) => {
                let number: u64 = std::str::from_utf8(bytes)
                    .ok()
                    .and_then(|t| t.parse().ok())
                    .ok_or("is no number of bits")?;
                let all = number.to_be_bytes();
                let wanted = all.len().checked_sub(width).and_then(|from| all.get(from..));
                block.push_value(wanted.ok_or("has more than 64 bits")?);
            }
            (Kind::Digits | Kind::Text(_), Class::Bit(width)) => {
                let missing = width.saturating_sub(bytes.len());
                let mut padded = vec![0; missing];
                padded.extend_from_slice(bytes);
                block.push_value(&padded);
            }
            (_, Class::Bytes) => block.push_value(bytes),
            (_, Class::Plain) => {
                if std::str::from_utf8(bytes).is_err() {
                    return Err("is no UTF-8");
                }
                block.push_value(bytes);
            }
            (Kind::Number, Class::Enum(..)) => return self.push_label(block, bytes),
            (_, Class::Enum(..)) if bytes.is_empty() && self.lacks_empty_label() => {
                // The error value of an ENUM: no label, so no string says it.
                block.push_sql_text("0", b"");
            }
            (Kind::Number, Class::Text(..)) => block.push_value(bytes),
            (kind, Class::Text(stored, file) | Class::Enum(stored, file)) => {
                let charset = match kind {
                    Kind::Text(Some("binary")) | Kind::Digits => stored,
                    Kind::Text(Some(introduced)) => introduced,
                    _ => file,
                };
                self.push_text(block, charset, bytes)?;
            }
        }
        Ok(())
    }

    fn push_text(
        &self,
        block: &mut CopyBlock,
        charset: &'static str,
        bytes: &[u8],
    ) -> Result<(), &'static str> {
        match &self.kind {
            CellKind::Encoded(kept) if *kept == charset || bytes.is_ascii() => {
                block.push_value(bytes);
            }
            CellKind::Encoded(_) => return Err("is in another character set than its file"),
            _ => match Text::of(charset).to_utf8(bytes) {
                Some(text) => block.push_value(text.as_bytes()),
                // What the server held against its own declaration is kept as it is.
                None if charset.starts_with("utf8") || charset == "ascii" => {
                    block.push_value(bytes);
                }
                None => return Err("is in a character set that its file does not use"),
            },
        }
        Ok(())
    }

    fn lacks_empty_label(&self) -> bool {
        self.ty.kind == TypeKind::Enum && self.ty.labels.iter().all(|l| !l.is_empty())
    }

    /// An ENUM by number.
    fn push_label(&self, block: &mut CopyBlock, bytes: &[u8]) -> Result<(), &'static str> {
        let number: Option<usize> = std::str::from_utf8(bytes).ok().and_then(|t| t.parse().ok());
        let number = number.filter(|_| self.ty.kind == TypeKind::Enum).ok_or("is no label")?;
        match number.checked_sub(1) {
            None => block.push_sql_text("0", b""),
            Some(index) => {
                let label = self.ty.labels.get(index).ok_or("is no label")?;
                block.push_value(label.as_bytes());
            }
        }
        Ok(())
    }
}

/// The column's character set, that of the file's strings, and how cells are handed on.
fn text(
    column: &Column,
    strings: Strings,
) -> Result<(&'static str, &'static str, CellKind), String> {
    let named = column.ty.charset.as_str();
    let stored = if named.is_empty() { Some("utf8mb4") } else { canonical(named) };
    let stored = stored
        .ok_or_else(|| format!("column `{}` is in `{named}`, which is unknown", column.name))?;
    let file = match strings {
        Strings::In(charset) => charset,
        Strings::AsStored => stored,
    };
    let kind = match Text::of(file) {
        Text::Other(kept) => CellKind::Encoded(kept),
        _ => CellKind::Text,
    };
    Ok((stored, file, kind))
}

/// True for digits with sign, point and exponent, as far as they matter.
fn is_number(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let only = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
        text.bytes().all(only) && text.parse::<f64>().is_ok()
    })
}

fn whole(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0u64, |n, b| (n >> 56 == 0).then_some((n << 8) | u64::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::SqlMode;
    use crate::event::CellRef;
    use crate::schema::parse_create_table;

    fn cells(sql: &str, strings: Strings, values: &[(Kind, &[u8])]) -> Result<CopyBlock, String> {
        let schema = parse_create_table(sql, SqlMode::default()).unwrap();
        let shape = Shape::new(&schema, None, strings)?;
        assert_eq!(shape.width(), values.len());
        let mut block = CopyBlock::new(Arc::clone(shape.columns()));
        for (i, (kind, bytes)) in values.iter().enumerate() {
            shape.push(&mut block, i, Literal { kind: *kind, bytes })?;
        }
        Ok(block)
    }

    const UTF8: Strings = Strings::In("utf8mb4");

    #[test]
    fn every_class_in_every_notation() {
        let sql = "CREATE TABLE t (n INT, f FLOAT, b BIT(10), c BIT(10), e ENUM('a','b'), \
                   e0 ENUM('a'), j JSON, g INT AS (n) STORED, x BLOB, h INT) CHARSET utf8mb4";
        let values: [(Kind, &[u8]); 10] = [
            (Kind::Text(None), b"-5"),
            (Kind::Number, b"-0"),
            (Kind::Number, b"513"),
            (Kind::Digits, &[1]),
            (Kind::Number, b"2"),
            (Kind::Text(None), b""),
            (Kind::Text(Some("utf8mb4")), b"{}"),
            (Kind::Default, b""),
            (Kind::Digits, &[0xFF]),
            (Kind::Digits, &[1, 0]),
        ];
        let block = cells(sql, UTF8, &values).unwrap();
        let row: Vec<_> = block.row(0).map(|(_, cell)| cell).collect();
        let value = |b| CellRef::Value(b);
        assert_eq!(
            row,
            [
                value(b"-5"),
                value(b"-0e0"),
                value(&[2, 1]),
                value(&[0, 1]),
                value(b"b"),
                CellRef::Sql("0"),
                value(b"{}"),
                value(&[0xFF]),
                value(b"256"),
            ]
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let one = |ty: &str, kind, bytes: &[u8]| {
            let sql = format!("CREATE TABLE t (a {ty}) CHARSET utf8mb4");
            cells(&sql, UTF8, &[(kind, bytes)]).unwrap_err()
        };
        for bytes in [&b"1-2"[..], b"x", b"", b"1e", b"inf"] {
            assert!(one("INT", Kind::Text(None), bytes).contains("no number"));
        }
        assert!(one("INT", Kind::Digits, &[1; 9]).contains("64 bits"));
        assert!(one("INT", Kind::Default, b"").contains("DEFAULT"));
        assert!(one("ENUM('a')", Kind::Number, b"2").contains("label"));
        assert!(one("JSON", Kind::Text(None), &[0xFF]).contains("UTF-8"));
        assert!(
            one("VARCHAR(5)", Kind::Text(Some("gbk")), &[0xB0, 0xA1]).contains("character set")
        );
        let schema = parse_create_table("CREATE TABLE t (a INT)", SqlMode::default()).unwrap();
        let none = Shape::new(&schema, Some(&["b".to_owned()]), UTF8).unwrap_err();
        assert!(none.contains("no column `b`"), "{none}");
    }

    #[test]
    fn strings_are_read_in_the_right_character_set() {
        let sql =
            "CREATE TABLE t (a VARCHAR(9) CHARACTER SET latin1, b VARCHAR(9) CHARACTER SET gbk)";
        let both = |strings, a: (Kind, &[u8]), b: (Kind, &[u8])| {
            let block = cells(sql, strings, &[a, b]).unwrap();
            let kinds: Vec<_> = block.columns().iter().map(|c| c.kind.clone()).collect();
            let owned = |c| match c {
                CellRef::Value(bytes) => bytes.to_vec(),
                _ => Vec::new(),
            };
            (kinds, owned(block.cell(0, 0)), owned(block.cell(0, 1)))
        };
        let plain = Kind::Text(None);
        let stored = both(Strings::AsStored, (plain, &[0xE9]), (plain, &[0xB0, 0xA1]));
        assert_eq!(stored.0, [CellKind::Text, CellKind::Encoded("gbk")]);
        assert_eq!((stored.1, stored.2), ("é".into(), vec![0xB0, 0xA1]));
        let utf8 = both(UTF8, (plain, "é".as_bytes()), (plain, "啊".as_bytes()));
        assert_eq!((utf8.1, utf8.2), ("é".into(), "啊".into()));
        let hex = both(UTF8, (Kind::Digits, &[0xE9]), (Kind::Text(Some("utf8mb4")), b"x"));
        assert_eq!((hex.1, hex.2), ("é".into(), "x".into()));
    }

    #[test]
    fn what_set_names_means_depends_on_the_tool() {
        assert_eq!(Strings::of(Some("binary"), true), Some(UTF8));
        assert_eq!(Strings::of(Some("binary"), false), Some(Strings::AsStored));
        assert_eq!(Strings::of(Some("latin1"), false), Some(Strings::In("latin1")));
        assert_eq!(Strings::of(Some("nonsense"), false), None);
        assert_eq!(Strings::of(None, false), Some(UTF8));
    }
}
