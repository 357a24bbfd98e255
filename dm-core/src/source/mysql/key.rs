//! The key that cuts a table in chunks, and the conditions that say where a chunk begins and ends.
//!
//! Guarantee: the chunks of a table do not overlap and together hold every row, whatever is
//! written to the table between planning and reading, and whoever evaluates the conditions later.
//! Method: the comparison in WHERE is the one that ORDER BY uses. Texts are compared under the
//! column's collation, given explicitly, with literals in the column's own character set; ENUM,
//! SET, BIT and YEAR, whose literals compare otherwise than their values, through a number;
//! floats, whose text is not their value, never. Ranges are half open, the first and the last one
//! have no outer end, and rows whose key is NULL are a chunk of their own.

use crate::schema::{Column, Key, KeyKind, KeyPart, TableSchema, TypeKind};
use crate::sql::{quote_ident, quote_text};

/// How a column compares, and how its values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Integers and decimals: digits.
    Number,
    /// Through `+0`.
    AsNumber,
    /// In this character set, under this collation.
    Text { charset: String, collation: String },
    /// Byte by byte.
    Bytes,
    /// As quoted text: temporal values, UUID, network addresses.
    Quoted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyColumn {
    name: String,
    form: Form,
}

/// The key, as far as it cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChunkKey {
    index: String,
    columns: Vec<KeyColumn>,
    /// A short column that the index does not hold, where there is one.
    outside: Option<String>,
    nullable: bool,
    integer: bool,
}

/// The literals of a key's columns at a border.
pub(super) type Border = Vec<String>;

impl ChunkKey {
    /// The best key of a table; `None` when it has none that cuts exactly.
    pub(super) fn choose(schema: &TableSchema) -> Option<Self> {
        let mut keys: Vec<Self> =
            schema.unique_keys().filter_map(|key| Self::of(schema, key)).collect();
        // The clustered key costs no second lookup; after it, keys that every row has.
        keys.sort_by_key(|k| (k.index != "PRIMARY", k.nullable, !k.integer));
        keys.into_iter().next()
    }

    fn of(schema: &TableSchema, key: &Key) -> Option<Self> {
        let mut columns = Vec::new();
        let mut nullable = false;
        let mut integer = false;
        for part in &key.parts {
            let KeyPart::Column { name, prefix: None, .. } = part else { break };
            let (_, column) = schema.column(name)?;
            let Some(form) = form(column) else { break };
            let null = column.nullable && key.kind != KeyKind::Primary;
            // NULL has no place in an order of tuples: such a column cuts alone or not at all.
            if null && !columns.is_empty() {
                break;
            }
            integer = columns.is_empty() && is_integer(column.ty.kind);
            columns.push(KeyColumn { name: column.name.clone(), form });
            if null {
                nullable = true;
                break;
            }
        }
        // Part of a key has more rows than values, so a span of numbers says nothing of it.
        let integer = integer && columns.len() == 1 && key.parts.len() == 1;
        let (index, outside) = (key.name.clone(), outside(schema, key));
        (!columns.is_empty()).then_some(Self { index, columns, outside, nullable, integer })
    }

    /// True when the key is one integer column.
    pub(super) fn is_integer(&self) -> bool {
        self.integer
    }

    /// `FORCE INDEX (..)`: with it the optimizer does not read the whole table for one chunk.
    pub(super) fn hint(&self) -> String {
        format!("FORCE INDEX ({})", quote_ident(&self.index))
    }

    /// `USE INDEX (..)`, for estimates: with FORCE MySQL does not look into the index.
    pub(super) fn soft_hint(&self) -> String {
        format!("USE INDEX ({})", quote_ident(&self.index))
    }

    /// The columns as they are compared.
    pub(super) fn order(&self) -> String {
        self.columns.iter().map(KeyColumn::compared).collect::<Vec<_>>().join(", ")
    }

    /// What to select so that [`ChunkKey::border`] can write it as literals.
    pub(super) fn fetch(&self) -> String {
        self.columns.iter().map(KeyColumn::fetched).collect::<Vec<_>>().join(", ")
    }

    /// The same for a search that begins within the table. Where an index holds all that is selected and
    /// the statistics say that the table is small, MySQL reads that index from its beginning, whatever the
    /// hint and the condition say: with old statistics each border would cost the whole table before it.
    /// A table whose short columns are all in the key is left with that.
    pub(super) fn fetch_within(&self) -> String {
        match &self.outside {
            Some(outside) => format!("{}, {}", self.fetch(), quote_ident(outside)),
            None => self.fetch(),
        }
    }

    /// The literals of fetched values; `None` when one is NULL.
    pub(super) fn border(&self, values: &[Option<String>]) -> Option<Border> {
        self.columns.iter().zip(values).map(|(c, v)| Some(c.literal(v.as_deref()?))).collect()
    }

    /// The condition for rows that have a key value; empty when all have.
    pub(super) fn present(&self) -> String {
        if self.nullable { format!("{} IS NOT NULL", self.first()) } else { String::new() }
    }

    /// Rows without a key value.
    pub(super) fn absent(&self) -> String {
        format!("{} IS NULL", self.first())
    }

    fn first(&self) -> String {
        self.columns.first().map(|c| quote_ident(&c.name)).unwrap_or_default()
    }

    /// Rows at the border and behind it.
    pub(super) fn from(&self, border: &[String]) -> String {
        self.compare(border, ">", ">=")
    }

    /// Rows behind the border.
    pub(super) fn behind(&self, border: &[String]) -> String {
        self.compare(border, ">", ">")
    }

    /// Rows before the border.
    pub(super) fn before(&self, border: &[String]) -> String {
        self.compare(border, "<", "<")
    }

    /// `(a, b) < (x, y)` written out, because servers before MySQL 8 read the whole index for row
    /// constructors.
    fn compare(&self, border: &[String], outer: &str, last: &str) -> String {
        let mut pairs: Vec<(String, &str)> = self
            .columns
            .iter()
            .map(KeyColumn::compared)
            .zip(border.iter().map(String::as_str))
            .collect();
        let Some((column, literal)) = pairs.pop() else { return "TRUE".to_owned() };
        let mut condition = format!("{column} {last} {literal}");
        while let Some((column, literal)) = pairs.pop() {
            condition = format!(
                "({column} {outer}= {literal} AND ({column} {outer} {literal} OR {condition}))"
            );
        }
        condition
    }

    /// The conditions of the chunks between borders in ascending order; one that is empty stands
    /// for the whole table.
    pub(super) fn ranges(&self, borders: &[Border]) -> Vec<String> {
        let mut ranges = Vec::new();
        let mut start: Option<&Border> = None;
        for end in borders {
            let below = self.before(end);
            ranges.push(match start {
                None => below,
                Some(start) => format!("{} AND {below}", self.from(start)),
            });
            start = Some(end);
        }
        match start {
            None => return vec![String::new()],
            Some(start) => ranges.push(self.from(start)),
        }
        if self.nullable {
            ranges.push(self.absent());
        }
        ranges
    }
}

/// A column that an index does not hold, neither by itself nor as the place of its rows: one of those
/// whose values are short, as each row that is passed is read with it.
fn outside(schema: &TableSchema, key: &Key) -> Option<String> {
    let held: Vec<&str> = std::iter::once(key)
        .chain(schema.keys.iter().filter(|k| k.kind == KeyKind::Primary))
        .flat_map(|k| &k.parts)
        .filter_map(|part| match part {
            KeyPart::Column { name, .. } => Some(name.as_str()),
            KeyPart::Expression { .. } => None,
        })
        .collect();
    let is_held = |c: &&Column| held.iter().any(|name| name.eq_ignore_ascii_case(&c.name));
    let mut rest: Vec<&Column> = schema
        .columns
        .iter()
        .filter(|c| !is_held(c) && c.generated.is_none() && !is_long(c.ty.kind))
        .collect();
    let may_be_wide =
        |kind: TypeKind| kind.is_text() || matches!(kind, TypeKind::Binary | TypeKind::VarBinary);
    rest.sort_by_key(|c| may_be_wide(c.ty.kind));
    rest.first().map(|c| c.name.clone())
}

/// Types whose values may stand outside of their row's page.
fn is_long(kind: TypeKind) -> bool {
    use TypeKind as T;
    kind.is_text_or_blob()
        || matches!(kind, T::Json | T::Geometry | T::Point | T::LineString | T::Polygon)
        || matches!(kind, T::MultiPoint | T::MultiLineString | T::MultiPolygon)
        || matches!(kind, T::GeometryCollection | T::Vector | T::Xml)
}

impl KeyColumn {
    fn compared(&self) -> String {
        match self.form {
            Form::AsNumber => format!("({} + 0)", quote_ident(&self.name)),
            _ => quote_ident(&self.name),
        }
    }

    fn fetched(&self) -> String {
        match self.form {
            Form::Text { .. } | Form::Bytes => format!("HEX({})", quote_ident(&self.name)),
            _ => self.compared(),
        }
    }

    fn literal(&self, fetched: &str) -> String {
        match &self.form {
            Form::Number | Form::AsNumber => fetched.to_owned(),
            Form::Quoted => quote_text(fetched),
            Form::Bytes => format!("X'{fetched}'"),
            Form::Text { charset, collation } => {
                let mut literal = String::new();
                if !charset.is_empty() {
                    literal.push('_');
                    literal.push_str(charset);
                    literal.push(' ');
                }
                literal.push_str("X'");
                literal.push_str(fetched);
                literal.push('\'');
                if !collation.is_empty() {
                    literal.push_str(" COLLATE ");
                    literal.push_str(collation);
                }
                literal
            }
        }
    }
}

fn is_integer(kind: TypeKind) -> bool {
    use TypeKind as K;
    matches!(kind, K::TinyInt | K::SmallInt | K::MediumInt | K::Int | K::BigInt)
}

/// How a column compares; `None` when it cannot cut.
fn form(column: &Column) -> Option<Form> {
    use TypeKind as K;
    let ty = &column.ty;
    Some(match ty.kind {
        kind if is_integer(kind) => Form::Number,
        K::Decimal => Form::Number,
        K::Bit | K::Year | K::Enum | K::Set => Form::AsNumber,
        K::Date | K::Time | K::DateTime | K::Timestamp => Form::Quoted,
        K::Inet4 | K::Inet6 | K::Uuid => Form::Quoted,
        K::Char | K::VarChar | K::TinyText | K::Text | K::MediumText | K::LongText => {
            Form::Text { charset: ty.charset.clone(), collation: ty.collation.clone() }
        }
        K::Binary | K::VarBinary | K::TinyBlob | K::Blob | K::MediumBlob | K::LongBlob => {
            Form::Bytes
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ColumnType;

    fn column(name: &str, kind: TypeKind, nullable: bool) -> Column {
        let mut ty = ColumnType::new(kind);
        if kind == TypeKind::VarChar {
            ty.charset = "gbk".into();
            ty.collation = "gbk_chinese_ci".into();
        }
        let mut column = Column::new(name, ty);
        column.nullable = nullable;
        column
    }

    fn schema(
        columns: &[(&str, TypeKind, bool)],
        keys: &[(&str, KeyKind, &[&str])],
    ) -> TableSchema {
        TableSchema {
            columns: columns.iter().map(|(n, k, null)| column(n, *k, *null)).collect(),
            keys: keys
                .iter()
                .map(|(name, kind, parts)| {
                    let part = |p: &&str| KeyPart::Column {
                        name: (*p).into(),
                        prefix: None,
                        descending: false,
                    };
                    Key::new(*name, *kind, parts.iter().map(part).collect())
                })
                .collect(),
            ..TableSchema::default()
        }
    }

    #[test]
    fn a_search_within_the_table_asks_for_more_than_the_index_holds() {
        let columns = [
            ("id", TypeKind::Int, false),
            ("doc", TypeKind::Json, true),
            ("name", TypeKind::VarChar, true),
            ("n", TypeKind::BigInt, false),
        ];
        let primary: (&str, KeyKind, &[&str]) = ("PRIMARY", KeyKind::Primary, &["id"]);
        let asked = |columns: &[(&str, TypeKind, bool)], keys: &[(&str, KeyKind, &[&str])]| {
            ChunkKey::choose(&schema(columns, keys)).unwrap().fetch_within()
        };
        assert_eq!(asked(&columns, &[primary]), "`id`, `n`");
        assert_eq!(asked(&columns[..3], &[primary]), "`id`, `name`");
        assert_eq!(asked(&columns[..2], &[primary]), "`id`", "a long value is not read for that");
        // A secondary key holds the primary one as well, here one of a text that does not cut.
        let text: (&str, KeyKind, &[&str]) = ("PRIMARY", KeyKind::Primary, &["name"]);
        let unique: (&str, KeyKind, &[&str]) = ("n", KeyKind::Unique, &["n"]);
        let both = asked(&columns, &[text, unique]);
        assert!(both.ends_with(", `id`"), "{both}");
    }

    #[test]
    fn composite_ranges_are_half_open_and_complete() {
        let s = schema(
            &[("a", TypeKind::Int, false), ("b", TypeKind::VarChar, false)],
            &[("PRIMARY", KeyKind::Primary, &["a", "b"])],
        );
        let key = ChunkKey::choose(&s).unwrap();
        let border = key.border(&[Some("5".into()), Some("78".into())]).unwrap();
        let ranges = key.ranges(&[border]);
        let lit = "_gbk X'78' COLLATE gbk_chinese_ci";
        assert_eq!(
            ranges,
            [
                format!("(`a` <= 5 AND (`a` < 5 OR `b` < {lit}))"),
                format!("(`a` >= 5 AND (`a` > 5 OR `b` >= {lit}))"),
            ]
        );
    }

    #[test]
    fn nullable_keys_cut_alone_and_keep_their_nulls() {
        let s = schema(
            &[("a", TypeKind::Int, true), ("b", TypeKind::Int, false)],
            &[("u", KeyKind::Unique, &["a", "b"])],
        );
        let key = ChunkKey::choose(&s).unwrap();
        assert_eq!(key.ranges(&[vec!["3".into()]]), ["`a` < 3", "`a` >= 3", "`a` IS NULL"]);
        assert_eq!(key.ranges(&[]), [""]);
    }

    #[test]
    fn floats_and_plain_keys_never_cut() {
        let s = schema(
            &[("a", TypeKind::Float, false), ("b", TypeKind::Int, false)],
            &[("PRIMARY", KeyKind::Primary, &["a"]), ("k", KeyKind::Plain, &["b"])],
        );
        assert_eq!(ChunkKey::choose(&s), None);
        let s = schema(
            &[("a", TypeKind::Double, false), ("b", TypeKind::Int, false)],
            &[("PRIMARY", KeyKind::Primary, &["b", "a"])],
        );
        assert_eq!(ChunkKey::choose(&s).unwrap().order(), "`b`");
    }

    #[test]
    fn enums_compare_as_numbers() {
        let s = schema(&[("e", TypeKind::Enum, false)], &[("PRIMARY", KeyKind::Primary, &["e"])]);
        let key = ChunkKey::choose(&s).unwrap();
        assert_eq!((key.order(), key.fetch()), ("(`e` + 0)".into(), "(`e` + 0)".into()));
    }
}
