//! What is selected for each column, and how the answer becomes a cell.
//!
//! The server's text of a value is taken where it is exact. It is not for FLOAT (six digits), for
//! texts in character sets that UTF-8 does not hold one to one, for ENUM's error value, and for
//! JSON documents with values of SQL types.

use std::fmt::Write as _;
use std::sync::Arc;

use dm_filter::TableName;

use super::json::{self, Probed};
use crate::error::{Error, Result, codes};
use crate::event::{CellKind, CopyBlock, CopyColumn};
use crate::mysql::ServerVersion;
use crate::schema::{Column, ColumnType, TableSchema, TypeKind};
use crate::sql::{quote_ident, quote_table};

/// What the reader of a copy wants to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Read generated columns too, for targets that do not compute them.
    pub generated: bool,
    /// Give values that have no exact text as MySQL expressions beside their text; for targets
    /// that speak SQL of MySQL's kind. Costs the server a look into each JSON document.
    pub expressions: bool,
}

/// How the answer to one column's question becomes a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    AsIs,
    Float,
    /// An empty text is the error value.
    Enum,
    /// An empty text may be a label: the number is in this extra column.
    EnumWithEmptyLabel(usize),
    /// The probes are in three extra columns from this one.
    Json(usize),
}

/// The SELECT of a table, compiled.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    columns: Arc<[CopyColumn]>,
    answers: Vec<Answer>,
    list: String,
    width: usize,
    /// Where values may be long: the list that gives NULL for long ones and says at its end
    /// whether the row has one, and the condition for rows that have.
    long: Option<(String, String)>,
}

/// Rows are told apart by whether one of their values is longer than this in bytes. It bounds what
/// is in memory of an ordinary row, of which many are read at a time.
pub(super) const LONG_VALUE: u64 = 256 << 10;

/// Which rows of a chunk are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// All.
    Whole,
    /// All, but of those with long values only that they are there.
    Short,
    /// Those with long values.
    Long,
}

impl Selection {
    pub(super) fn new(
        name: &TableName,
        schema: &TableSchema,
        version: &ServerVersion,
        options: ReadOptions,
    ) -> Self {
        let wanted: Vec<&Column> =
            schema.columns.iter().filter(|c| c.generated.is_none() || options.generated).collect();
        let mut columns = Vec::new();
        let mut answers = Vec::new();
        let mut list = Vec::new();
        let mut extra = Vec::new();
        let can_probe = options.expressions && version.is_mysql_from(8, 0, 4);
        for column in &wanted {
            let (kind, select) = question(column);
            list.push(select);
            columns.push(CopyColumn { name: column.name.clone(), kind });
            let next = wanted.len() + extra.len();
            answers.push(match column.ty.kind {
                TypeKind::Float | TypeKind::Double => Answer::Float,
                TypeKind::Enum if !options.expressions => Answer::AsIs,
                TypeKind::Enum if column.ty.labels.iter().all(|l| !l.is_empty()) => Answer::Enum,
                TypeKind::Enum => {
                    extra.push(format!("{} + 0", quote_ident(&column.name)));
                    Answer::EnumWithEmptyLabel(next)
                }
                TypeKind::Json if can_probe => {
                    let qualified = format!("{}.{}", quote_table(name), quote_ident(&column.name));
                    extra.push(json::probe_root(&qualified));
                    extra.push(json::probe(&qualified, "$**.*"));
                    extra.push(json::probe(&qualified, "$**[*]"));
                    Answer::Json(next)
                }
                _ => Answer::AsIs,
            });
        }
        list.append(&mut extra);
        let long = long_values(&wanted, &list, &answers, version);
        let width = list.len();
        Self { columns: columns.into(), answers, list: list.join(", "), width, long }
    }

    /// True when a value of the table may be longer than [`LONG_VALUE`].
    pub(super) fn may_be_long(&self) -> bool {
        self.long.is_some()
    }

    /// What is answered behind the columns in [`Pass::Short`]: whether the row has a long value.
    pub(super) fn flag(&self) -> usize {
        self.width
    }

    /// The columns of the blocks.
    pub(super) fn columns(&self) -> &Arc<[CopyColumn]> {
        &self.columns
    }

    /// The statement for the rows that fulfil all of the conditions.
    pub(super) fn sql(
        &self,
        name: &TableName,
        hint: &str,
        conditions: &[&str],
        pass: Pass,
    ) -> String {
        let list = match (&self.long, pass) {
            (Some((short, _)), Pass::Short) => short,
            _ if self.list.is_empty() => "1",
            _ => &self.list,
        };
        let long = self.long.as_ref().filter(|_| pass == Pass::Long).map(|(_, long)| long.as_str());
        let mut sql = format!("SELECT {list} FROM {}", quote_table(name));
        if !hint.is_empty() {
            let _ = write!(sql, " {hint}");
        }
        let mut word = "WHERE";
        for condition in conditions.iter().copied().chain(long).filter(|c| !c.trim().is_empty()) {
            // A condition of the user's may end in a comment; the line break ends it.
            let _ = write!(sql, " {word} ({condition}\n)");
            word = "AND";
        }
        sql
    }

    /// Appends a row of answers to a block.
    pub(super) fn push_row<'a>(
        &self,
        block: &mut CopyBlock,
        cell: impl Fn(usize) -> Option<&'a [u8]>,
        cells: usize,
    ) -> Result {
        if cells < self.width {
            return Err(Error::new(
                &codes::SOURCE_VALUE,
                format!("{cells} columns came instead of {}", self.width),
            ));
        }
        for (i, answer) in self.answers.iter().enumerate() {
            match cell(i) {
                None => block.push_null(),
                Some(value) => push(block, answer, value, &cell)?,
            }
        }
        Ok(())
    }
}

/// See [`Selection::long`]. Where several columns may be long each has a part of the length.
fn long_values(
    columns: &[&Column],
    list: &[String],
    answers: &[Answer],
    version: &ServerVersion,
) -> Option<(String, String)> {
    let long: Vec<Option<String>> = columns.iter().map(|column| length(column, version)).collect();
    let most = match long.iter().flatten().count() {
        0 => return None,
        n => (2 * LONG_VALUE / n as u64).clamp(32 << 10, LONG_VALUE),
    };
    let is_long = |i: usize| {
        let length = long.get(i)?.as_ref()?;
        Some(format!("{length} > {most}"))
    };
    // A probe belongs to the column whose document it looks into.
    let owner = |at: usize| {
        answers
            .iter()
            .position(|a| matches!(a, Answer::Json(first) if (*first..first + 3).contains(&at)))
    };
    let mut short: Vec<String> = Vec::with_capacity(list.len() + 1);
    for (at, question) in list.iter().enumerate() {
        short.push(match is_long(owner(at).unwrap_or(at)) {
            Some(condition) => format!("IF({condition}, NULL, {question})"),
            None => question.clone(),
        });
    }
    let any: Vec<String> = (0..columns.len()).filter_map(is_long).collect();
    let any = any.join(" OR ");
    short.push(format!("({any})"));
    Some((short.join(", "), any))
}

/// How many bytes the value of a column has, for columns that can hold long ones.
fn length(column: &Column, version: &ServerVersion) -> Option<String> {
    use TypeKind as K;
    let name = quote_ident(&column.name);
    match column.ty.kind {
        // Without printing the document.
        K::Json if version.is_mysql_from(5, 7, 22) => Some(format!("JSON_STORAGE_SIZE({name})")),
        K::Json
        | K::MediumBlob
        | K::LongBlob
        | K::MediumText
        | K::LongText
        | K::Geometry
        | K::LineString
        | K::Polygon
        | K::MultiPoint
        | K::MultiLineString
        | K::MultiPolygon
        | K::GeometryCollection => Some(format!("LENGTH({name})")),
        _ => None,
    }
}

fn push<'a>(
    block: &mut CopyBlock,
    answer: &Answer,
    value: &'a [u8],
    cell: &impl Fn(usize) -> Option<&'a [u8]>,
) -> Result {
    match answer {
        Answer::AsIs => block.push_value(value),
        // As a literal, `-0` is an integer and loses its sign.
        Answer::Float if value == b"-0" => block.push_value(b"-0e0"),
        Answer::Float => block.push_value(value),
        Answer::Enum if value.is_empty() => block.push_sql_text("0", value),
        Answer::Enum => block.push_value(value),
        Answer::EnumWithEmptyLabel(number) => {
            if value.is_empty() && cell(*number) == Some(b"0") {
                block.push_sql_text("0", value);
            } else {
                block.push_value(value);
            }
        }
        Answer::Json(first) => {
            let probed =
                Probed { root: cell(*first), members: cell(first + 1), elements: cell(first + 2) };
            if probed.is_plain() {
                block.push_value(value);
            } else {
                block.push_sql_text(&json::expression(value, &probed)?, value);
            }
        }
    }
    Ok(())
}

/// What to select for a column, and what its answer is.
fn question(column: &Column) -> (CellKind, String) {
    use TypeKind as K;
    let name = quote_ident(&column.name);
    match column.ty.kind {
        K::TinyInt | K::SmallInt | K::MediumInt | K::Int | K::BigInt | K::Decimal | K::Year => {
            (CellKind::Number, name)
        }
        // The product has the digits that read back as the same number, whatever the column's
        // display width; a sum would lose the sign of zero.
        K::Float | K::Double => (CellKind::Number, format!("{name} * 1e0")),
        K::Bit => (CellKind::Bit, name),
        K::Binary | K::VarBinary | K::TinyBlob | K::Blob | K::MediumBlob | K::LongBlob => {
            (CellKind::Bytes, name)
        }
        K::Json => (CellKind::Json, name),
        kind if kind.is_geometry() => (CellKind::Geometry, name),
        K::Vector => (CellKind::Vector, name),
        K::Char | K::VarChar | K::TinyText | K::Text | K::MediumText | K::LongText => {
            text_question(&column.ty, name)
        }
        _ => (CellKind::Text, name),
    }
}

fn text_question(ty: &ColumnType, name: String) -> (CellKind, String) {
    match encoded_charset(&ty.charset) {
        Some(charset) => (CellKind::Encoded(charset), format!("CAST({name} AS BINARY)")),
        None => (CellKind::Text, name),
    }
}

/// The character sets whose texts keep their bytes, because the way to UTF-8 and back may change
/// them. ASCII, latin1 and the UTF-8 sets convert exactly.
fn encoded_charset(charset: &str) -> Option<&'static str> {
    const KEPT: &[&str] = &[
        "armscii8", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866",
        "cp932", "dec8", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8", "greek",
        "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin2", "latin5", "latin7", "macce",
        "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le", "utf32",
    ];
    KEPT.iter().copied().find(|kept| kept.eq_ignore_ascii_case(charset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CellRef;

    fn column(name: &str, kind: TypeKind) -> Column {
        Column::new(name, ColumnType::new(kind))
    }

    fn select(columns: Vec<Column>, options: ReadOptions) -> Selection {
        let schema = TableSchema { columns: columns.into(), ..TableSchema::default() };
        let name = TableName::new("s", "t");
        Selection::new(&name, &schema, &ServerVersion::parse("9.7.4", ""), options)
    }

    #[test]
    fn float_enum_and_json_are_asked_exactly() {
        let mut e = column("e", TypeKind::Enum);
        e.ty.labels = vec!["a".into(), String::new()];
        let exact = ReadOptions { generated: false, expressions: true };
        let s = select(vec![column("f", TypeKind::Float), e, column("j", TypeKind::Json)], exact);
        assert!(s.list.starts_with("`f` * 1e0, `e`, `j`, `e` + 0, IF(JSON_TYPE(`s`.`t`.`j`)"));
        let row: [Option<&[u8]>; 7] = [
            Some(b"-0"),
            Some(b""),
            Some(b"[1.0]"),
            Some(b"0"),
            None,
            None,
            Some(b"[[1,\"DECIMAL\"]]"),
        ];
        let mut block = CopyBlock::new(Arc::clone(s.columns()));
        s.push_row(&mut block, |i| row[i], 7).unwrap();
        assert_eq!(block.cell(0, 0), CellRef::Value(b"-0e0"));
        assert_eq!(block.cell(0, 1), CellRef::Sql("0"));
        let json = "JSON_REPLACE(CAST('[1.0]' AS JSON), '$[0]', CAST('1.0' AS DECIMAL(2,1)))";
        assert_eq!(block.cell(0, 2), CellRef::Sql(json));
        assert!(s.push_row(&mut block, |_| None, 3).is_err());
    }

    #[test]
    fn conditions_cannot_break_out() {
        let s = select(vec![column("a", TypeKind::Int)], ReadOptions::default());
        let conditions = ["", "a > 1 -- all", "a < 5"];
        let sql = s.sql(&TableName::new("s", "t"), "", &conditions, Pass::Whole);
        assert!(sql.ends_with("FROM `s`.`t` WHERE (a > 1 -- all\n) AND (a < 5\n)"), "{sql}");
    }

    #[test]
    fn rows_with_long_values_are_asked_for_apart() {
        let columns = || {
            vec![
                column("a", TypeKind::Int),
                column("b", TypeKind::LongBlob),
                column("t", TypeKind::Text),
            ]
        };
        let s = select(columns(), ReadOptions::default());
        let name = TableName::new("s", "t");
        assert_eq!(
            s.sql(&name, "", &["a < 5"], Pass::Short),
            "SELECT `a`, IF(LENGTH(`b`) > 262144, NULL, `b`), `t`, (LENGTH(`b`) > 262144) FROM `s`.`t` \
             WHERE (a < 5\n)"
        );
        assert_eq!(
            s.sql(&name, "", &["a < 5"], Pass::Long),
            "SELECT `a`, `b`, `t` FROM `s`.`t` WHERE (a < 5\n) AND (LENGTH(`b`) > 262144\n)"
        );
        assert_eq!(s.flag(), 3);
        let none = select(vec![column("a", TypeKind::Text)], ReadOptions::default());
        assert!(!none.may_be_long());
        // Many long columns share the length; a probe is asked where its document is.
        let exact = ReadOptions { generated: false, expressions: true };
        let many = (0..4).map(|i| column(&format!("j{i}"), TypeKind::Json)).collect();
        let sql = select(many, exact).sql(&name, "", &[], Pass::Short);
        assert_eq!(sql.matches("IF(JSON_STORAGE_SIZE(`j2`) > 131072, NULL, ").count(), 4, "{sql}");
    }

    #[test]
    fn odd_charsets_keep_their_bytes() {
        let mut c = column("c", TypeKind::VarChar);
        c.ty.charset = "gbk".into();
        assert_eq!(question(&c), (CellKind::Encoded("gbk"), "CAST(`c` AS BINARY)".into()));
        c.ty.charset = "utf8mb3".into();
        assert_eq!(question(&c).0, CellKind::Text);
    }
}
