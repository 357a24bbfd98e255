//! Reads column types, with the aliases of all three dialects.

use super::SqlMode;
use super::ast::{TypeKind, TypeSpec};
use super::cursor::Cursor;
use super::lexer::{TokenKind, unquote_ident};
use super::server::Flavor;
use crate::error::Result;

/// What may stand in parentheses behind a type's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Args {
    None,
    Length,
    LengthAndDecimals,
    Fraction,
    Labels,
}

/// Whose names of types are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TypeDialect {
    MariaDb,
    Oracle,
    MaxDb,
}

impl TypeDialect {
    /// What a name of a type stands for.
    fn meaning(self, kind: TypeKind) -> TypeKind {
        match (self, kind) {
            (Self::Oracle, TypeKind::Date) | (Self::MaxDb, TypeKind::Timestamp) => {
                TypeKind::DateTime
            }
            (Self::Oracle, TypeKind::Blob) => TypeKind::LongBlob,
            _ => kind,
        }
    }
}

/// Types written as one word.
const SIMPLE: &[(&str, TypeKind, Args)] = {
    use Args::{Fraction, Labels, Length, LengthAndDecimals, None};
    use TypeKind::*;
    &[
        ("TINYINT", TinyInt, Length),
        ("INT1", TinyInt, Length),
        ("SMALLINT", SmallInt, Length),
        ("INT2", SmallInt, Length),
        ("MEDIUMINT", MediumInt, Length),
        ("MIDDLEINT", MediumInt, Length),
        ("INT3", MediumInt, Length),
        ("INT", Int, Length),
        ("INTEGER", Int, Length),
        ("INT4", Int, Length),
        ("BIGINT", BigInt, Length),
        ("INT8", BigInt, Length),
        ("DECIMAL", Decimal, LengthAndDecimals),
        ("DEC", Decimal, LengthAndDecimals),
        ("NUMERIC", Decimal, LengthAndDecimals),
        ("FIXED", Decimal, LengthAndDecimals),
        ("FLOAT", Float, LengthAndDecimals),
        ("FLOAT4", Float, LengthAndDecimals),
        ("FLOAT8", Double, LengthAndDecimals),
        ("DOUBLE", Double, LengthAndDecimals),
        ("BIT", Bit, Length),
        ("YEAR", Year, Length),
        ("SQL_TSI_YEAR", Year, Length),
        ("DATE", Date, None),
        ("TIME", Time, Fraction),
        ("DATETIME", DateTime, Fraction),
        ("TIMESTAMP", Timestamp, Fraction),
        ("VARCHARACTER", VarChar, Length),
        ("NVARCHAR", VarChar, Length),
        ("VARCHAR2", VarChar, Length),
        ("TINYTEXT", TinyText, None),
        ("TEXT", Text, Length),
        ("MEDIUMTEXT", MediumText, None),
        ("LONGTEXT", LongText, None),
        ("CLOB", LongText, None),
        ("BINARY", Binary, Length),
        ("VARBINARY", VarBinary, Length),
        ("RAW", VarBinary, Length),
        ("TINYBLOB", TinyBlob, None),
        ("BLOB", Blob, Length),
        ("MEDIUMBLOB", MediumBlob, None),
        ("LONGBLOB", LongBlob, None),
        ("ENUM", Enum, Labels),
        ("SET", Set, Labels),
        ("JSON", Json, None),
        ("GEOMETRY", Geometry, None),
        ("POINT", Point, None),
        ("LINESTRING", LineString, None),
        ("POLYGON", Polygon, None),
        ("MULTIPOINT", MultiPoint, None),
        ("MULTILINESTRING", MultiLineString, None),
        ("MULTIPOLYGON", MultiPolygon, None),
        ("GEOMETRYCOLLECTION", GeometryCollection, None),
        ("GEOMCOLLECTION", GeometryCollection, None),
        ("VECTOR", Vector, Length),
        ("INET4", Inet4, None),
        ("INET6", Inet6, None),
        ("UUID", Uuid, None),
        ("XMLTYPE", Xml, None),
    ]
};

impl Cursor<'_> {
    /// A type with its length and the attributes that belong to it: sign, character set,
    /// collation, SRID, compression.
    pub(super) fn column_type(&mut self) -> Result<TypeSpec> {
        let mut ty = self.type_name()?;
        while self.type_attribute(&mut ty)? {}
        Ok(ty)
    }

    fn type_name(&mut self) -> Result<TypeSpec> {
        let dialect = self.type_dialect();
        if self.kind(0) != Some(TokenKind::Word) {
            return Err(self.unexpected("a type"));
        }
        if let Some(ty) = self.composed_type()? {
            return Ok(ty);
        }
        let known = SIMPLE.iter().find(|(word, _, _)| self.is_kw(word)).copied();
        let (word, kind, args) = known.ok_or_else(|| self.unexpected("a type"))?;
        self.advance();
        // Oracle's has no length.
        let has_length = kind == TypeKind::Blob && self.is_punct_at(0, b'(');
        let mut ty = TypeSpec::new(if has_length { kind } else { dialect.meaning(kind) });
        if word == "NVARCHAR" {
            self.eat_kw("VARYING");
            ty.charset = Some("utf8mb3".to_owned());
        }
        if kind == TypeKind::Double {
            self.eat_kw("PRECISION");
        }
        self.type_args(&mut ty, args)?;
        Ok(ty)
    }

    /// Whose names of types are meant: those of the `sql_mode`, or of the schema that MariaDB writes before
    /// a type which means something else there (`mariadb_schema.date`).
    fn type_dialect(&mut self) -> TypeDialect {
        let own = if self.mode().contains(SqlMode::ORACLE) {
            TypeDialect::Oracle
        } else if self.mode().contains(SqlMode::MAXDB) {
            TypeDialect::MaxDb
        } else {
            TypeDialect::MariaDb
        };
        let schemas = [
            ("mariadb_schema", TypeDialect::MariaDb),
            ("oracle_schema", TypeDialect::Oracle),
            ("maxdb_schema", TypeDialect::MaxDb),
        ];
        let text = self.token(0).map(|t| unquote_ident(self.text_of(t))).unwrap_or_default();
        let said = schemas.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        match said {
            Some((_, dialect)) if self.is_punct_at(1, b'.') => {
                self.advance();
                self.advance();
                dialect
            }
            _ => own,
        }
    }

    /// The types that are written as several words or stand for more than a type.
    fn composed_type(&mut self) -> Result<Option<TypeSpec>> {
        let ty = if self.eat_any(&["BOOL", "BOOLEAN"]).is_some() {
            let mut ty = TypeSpec::new(TypeKind::TinyInt);
            ty.length = Some(1);
            ty
        } else if self.eat_kw("SERIAL") {
            let mut ty = TypeSpec::new(TypeKind::BigInt);
            ty.unsigned = true;
            ty.serial = true;
            ty
        } else if self.eat_kw("REAL") {
            let float = self.mode().contains(SqlMode::REAL_AS_FLOAT);
            let mut ty = TypeSpec::new(if float { TypeKind::Float } else { TypeKind::Double });
            self.type_args(&mut ty, Args::LengthAndDecimals)?;
            ty
        } else if self.eat_kw("NUMBER") {
            let mut ty = TypeSpec::new(TypeKind::Decimal);
            self.type_args(&mut ty, Args::LengthAndDecimals)?;
            if ty.length.is_none() {
                ty.kind = TypeKind::Double;
            }
            ty
        } else if self.eat_kw("LONG") {
            self.long_type()
        } else {
            return self.char_type();
        };
        Ok(Some(ty))
    }

    /// LONG, LONG VARCHAR, LONG VARBINARY and their longer spellings.
    fn long_type(&mut self) -> TypeSpec {
        if self.eat_kw("VARBINARY") {
            return TypeSpec::new(TypeKind::MediumBlob);
        }
        let varying = self.eat_kws(&["CHAR", "VARYING"]) || self.eat_kws(&["CHARACTER", "VARYING"]);
        if !varying && self.eat_any(&["VARCHAR", "VARCHARACTER"]).is_none() && self.eat_kw("BYTE") {
            return TypeSpec::new(TypeKind::MediumBlob);
        }
        TypeSpec::new(TypeKind::MediumText)
    }

    /// CHAR, NCHAR, NATIONAL and VARYING in all their spellings.
    fn char_type(&mut self) -> Result<Option<TypeSpec>> {
        let mark = self.mark();
        let national = self.eat_kw("NATIONAL");
        let varchar = ["VARCHAR", "VARCHARACTER"];
        let kind = if self.eat_any(&["CHAR", "CHARACTER", "NCHAR"]).is_some() {
            let nchar = self.is_nchar_before();
            // NCHAR VARCHAR is a synonym of NVARCHAR.
            let varying = self.eat_kw("VARYING") || (nchar && self.eat_any(&varchar).is_some());
            let kind = if varying { TypeKind::VarChar } else { TypeKind::Char };
            Some((kind, national || nchar))
        } else if (national && self.eat_any(&varchar).is_some()) || self.eat_kw("VARCHAR") {
            Some((TypeKind::VarChar, national))
        } else {
            None
        };
        let Some((kind, national)) = kind else {
            self.reset(mark);
            return Ok(None);
        };
        let mut ty = TypeSpec::new(kind);
        if national {
            ty.charset = Some("utf8mb3".to_owned());
        }
        self.type_args(&mut ty, Args::Length)?;
        Ok(Some(ty))
    }

    fn is_nchar_before(&self) -> bool {
        let end = self.last_end();
        end.checked_sub(5).is_some_and(|start| self.text(start..end).eq_ignore_ascii_case("NCHAR"))
    }

    fn type_args(&mut self, ty: &mut TypeSpec, args: Args) -> Result {
        if args == Args::None || !self.eat(b'(') {
            return Ok(());
        }
        match args {
            Args::Labels => {
                ty.labels.push(self.label()?);
                while self.eat(b',') {
                    ty.labels.push(self.label()?);
                }
            }
            Args::Fraction => ty.decimals = Some(self.small_number()?),
            _ => {
                ty.length = Some(self.number()?);
                if args == Args::LengthAndDecimals && self.eat(b',') {
                    ty.decimals = Some(self.small_number()?);
                }
                // MariaDB's Oracle dialect counts characters or bytes.
                self.eat_any(&["CHAR", "BYTE"]);
            }
        }
        self.expect(b')')
    }

    /// A member of ENUM or SET; the hexadecimal form that old servers print is text, too. Servers cut
    /// spaces at the end.
    fn label(&mut self) -> Result<String> {
        let per_digit = match self.kind(0) {
            Some(TokenKind::Hex) => 4,
            Some(TokenKind::Bit) => 1,
            _ => return Ok(self.string()?.trim_end_matches(' ').to_owned()),
        };
        let text = self.token(0).map(|t| self.text_of(t)).unwrap_or_default();
        self.advance();
        Ok(String::from_utf8_lossy(&literal_bytes(text, per_digit)).into_owned())
    }

    fn type_attribute(&mut self, ty: &mut TypeSpec) -> Result<bool> {
        if self.eat_kw("UNSIGNED") {
            ty.unsigned = true;
        } else if self.eat_kw("ZEROFILL") {
            ty.zerofill = true;
            ty.unsigned = true;
        } else if self.eat_kw("SIGNED") {
            // The default.
        } else if self.eat_any(&["CHARSET"]).is_some()
            || self.eat_kws(&["CHARACTER", "SET"])
            || self.eat_kws(&["CHAR", "SET"])
        {
            self.eat(b'=');
            ty.charset = Some(self.charset_word()?);
        } else if self.eat_kw("ASCII") {
            ty.charset = Some("latin1".to_owned());
        } else if self.eat_kw("UNICODE") {
            ty.charset = Some("ucs2".to_owned());
        } else if self.eat_kw("BYTE") {
            ty.charset = Some("binary".to_owned());
        } else if self.eat_kw("BINARY") {
            ty.binary = true;
        } else if self.eat_kw("COLLATE") {
            self.eat(b'=');
            ty.collation = Some(self.collation_word()?);
        } else if self.eat_kw("SRID") || self.eat_kw("REF_SYSTEM_ID") {
            self.eat(b'=');
            ty.srid = Some(self.small_number()?);
        } else if self.ctx.server.is_none_or(|s| s.flavor == Flavor::MariaDb)
            && self.eat_kw("COMPRESSED")
        {
            ty.compressed = true;
            if self.eat(b'=') {
                self.ident_or_string()?;
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// A character set's name, in lower case and by its newer name.
    pub(super) fn charset_word(&mut self) -> Result<String> {
        Ok(canonical_charset(&self.ident_or_string()?))
    }

    /// A collation's name, in lower case and by its newer name.
    pub(super) fn collation_word(&mut self) -> Result<String> {
        Ok(canonical_collation(&self.ident_or_string()?))
    }
}

/// `utf8` is an old name of `utf8mb3`.
pub(crate) fn canonical_charset(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if lower == "utf8" { "utf8mb3".to_owned() } else { lower }
}

/// `utf8_...` is an old name of `utf8mb3_...`.
pub(crate) fn canonical_collation(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match lower.strip_prefix("utf8_") {
        Some(rest) => format!("utf8mb3_{rest}"),
        None => lower,
    }
}

/// The bytes of a hexadecimal (`0x4142`, `x'4142'`; 4 bits a digit) or bit (`b'01'`; 1 bit a digit) literal.
pub(crate) fn literal_bytes(token: &str, per_digit: u32) -> Vec<u8> {
    let digits: Vec<u8> = token
        .get(2..)
        .unwrap_or_default()
        .bytes()
        .filter_map(|b| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    let per_byte = if per_digit == 4 { 2 } else { 8 };
    digits.rchunks(per_byte).rev().map(|c| c.iter().fold(0, |v, d| v << per_digit | d)).collect()
}
