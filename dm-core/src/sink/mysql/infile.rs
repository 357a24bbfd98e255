//! Rows of the copy by LOAD DATA LOCAL INFILE, where it says the same as an INSERT.
//!
//! Guarantee: a row that arrives this way is the row that a strict INSERT would have left, and none
//! is left out. Obstacle: with LOCAL a server does not refuse what does not fit: a value that is
//! too long is cut, a row whose key is there is passed over, and all that is told is a number of
//! warnings. Method: only tables and cells are sent whose text means the same in a file as in a
//! statement (numbers, text that the server keeps as UTF-8, times, labels, bytes). Each statement
//! stands behind a savepoint of the chunk's transaction, and counts only if the server tells no
//! warning at all and as many rows as were sent; else it is undone, and the same rows go as an
//! INSERT, which says exactly what is wrong, or takes what was a mere note. The file is a buffer of
//! ours: whatever name a server asks for, it gets these rows and nothing else.
//!
//! A server that does not allow it (`local_infile`, off by default in MySQL since 8.0) is asked
//! once; from then on everything goes by INSERT.

use super::plan::LONG;
use super::session::Session;
use crate::error::{Error, Result};
use crate::event::{CellKind, CellRef, CopyBlock, CopyColumn};
use crate::schema::{Column, TableSchema, TypeKind};
use crate::sink::{LoadTarget, OnDuplicate};
use crate::sql::{push_ident, push_string, push_table};

/// Fewer rows are not worth a savepoint.
const LEAST_ROWS: usize = 64;

/// What servers answer that do not allow LOCAL: 1148 until MySQL 5.7, 3948 and 3950 since 8.0, 4166
/// MariaDB since 10.5; 2068 where the file was refused on the way.
const NOT_ALLOWED: &[u16] = &[1148, 2068, 3948, 3950, 4166];

/// How a cell of a column is written and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// The target computes it: not part of the file.
    Left,
    /// Digits; `nullable` as below.
    Number { nullable: bool },
    /// UTF-8.
    Text { nullable: bool },
    /// Any bytes.
    Bytes { nullable: bool },
}

/// How the rows of one table are written.
pub(super) struct Layout {
    fields: Vec<Field>,
    sql: String,
}

/// What became of the rows of a block.
pub(super) enum Sent {
    /// These many arrived; the others, by number, are to be inserted.
    Some {
        /// Rows that were sent.
        rows: u64,
        /// Rows that the server counted: a replaced one counts twice.
        affected: u64,
        /// Those that were not sent.
        rest: Vec<usize>,
    },
    /// None arrived, and the next block need not try.
    None,
    /// The server does not allow it.
    NotAllowed(Error),
}

impl Layout {
    /// The layout for blocks of these columns; `None` when a column's text would mean something
    /// else in a file, or the table could not undo a statement.
    pub(super) fn new(
        target: &LoadTarget,
        columns: &[CopyColumn],
        table: &TableSchema,
    ) -> Option<Self> {
        if target.on_duplicate == OnDuplicate::Ignore
            || !table.engine.eq_ignore_ascii_case("InnoDB")
            || table.system_versioned
        {
            return None;
        }
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| field(&column.kind, table.column(&column.name)?.1))
            .collect::<Option<_>>()?;
        let mut sql = String::from("LOAD DATA LOCAL INFILE 'rows' ");
        if target.on_duplicate == OnDuplicate::Replace {
            sql.push_str("REPLACE ");
        }
        sql.push_str("INTO TABLE ");
        push_table(&mut sql, &target.table);
        sql.push_str(
            " CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (",
        );
        let sent = columns.iter().zip(&fields).filter(|(_, f)| **f != Field::Left);
        for (i, (column, _)) in sent.enumerate() {
            if i > 0 {
                sql.push(',');
            }
            push_ident(&mut sql, &column.name);
        }
        sql.push(')');
        for (i, (name, value)) in target.extra.iter().enumerate() {
            sql.push_str(if i == 0 { " SET " } else { "," });
            push_ident(&mut sql, name);
            sql.push('=');
            push_string(&mut sql, value);
        }
        fields.iter().any(|f| *f != Field::Left).then_some(Self { fields, sql })
    }

    /// Sends the rows of a block. The session's transaction is as before when none arrived.
    ///
    /// # Errors
    ///
    /// A connection that broke, a transaction that the server has rolled back.
    pub(super) fn send(&self, session: &mut Session, block: &CopyBlock) -> Result<Sent> {
        let mut file = Vec::with_capacity(block.bytes() + block.bytes() / 8);
        let mut rest = Vec::new();
        for row in 0..block.rows() {
            if !self.push_row(&mut file, block, row) {
                rest.push(row);
            }
        }
        let rows = block.rows() - rest.len();
        if rows < LEAST_ROWS {
            return Ok(Sent::Some { rows: 0, affected: 0, rest: (0..block.rows()).collect() });
        }
        session.exec("SAVEPOINT dm_rows")?;
        let rows = rows as u64;
        let failed = match session.load_file(&self.sql, file) {
            Ok(loaded) if loaded.warnings == 0 && loaded.rows >= rows => {
                return Ok(Sent::Some { rows, affected: loaded.rows, rest });
            }
            Ok(_) => None,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => Some(error),
        };
        session.exec("ROLLBACK TO SAVEPOINT dm_rows").map_err(|e| match &failed {
            // The server has undone the whole transaction: its first answer tells why.
            Some(error) if !e.is_transient() => error.clone(),
            _ => e,
        })?;
        match failed {
            Some(e) if e.server_error().is_some_and(|n| NOT_ALLOWED.contains(&n)) => {
                Ok(Sent::NotAllowed(e))
            }
            _ => Ok(Sent::None),
        }
    }

    /// Appends a row; false, and nothing is appended, for one that only an INSERT can say.
    fn push_row(&self, file: &mut Vec<u8>, block: &CopyBlock, row: usize) -> bool {
        let start = file.len();
        let mut first = true;
        for (i, field) in self.fields.iter().enumerate() {
            if *field == Field::Left {
                continue;
            }
            if !std::mem::take(&mut first) {
                file.push(b'\t');
            }
            if !push_field(file, *field, block.cell(row, i)) {
                file.truncate(start);
                return false;
            }
        }
        file.push(b'\n');
        true
    }
}

fn push_field(file: &mut Vec<u8>, field: Field, cell: CellRef<'_>) -> bool {
    let (Field::Number { nullable } | Field::Text { nullable } | Field::Bytes { nullable }) = field
    else {
        return true;
    };
    let bytes = match cell {
        CellRef::Null if nullable => {
            file.extend_from_slice(b"\\N");
            return true;
        }
        CellRef::Null | CellRef::Sql(_) => return false,
        CellRef::Value(bytes) if bytes.len() >= LONG => return false,
        CellRef::Value(bytes) => bytes,
    };
    match field {
        Field::Number { .. } => {
            let plain =
                |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
            if bytes.is_empty() || !bytes.iter().all(plain) {
                return false;
            }
            file.extend_from_slice(bytes);
        }
        Field::Text { .. } if std::str::from_utf8(bytes).is_err() => return false,
        _ => push_escaped(file, bytes),
    }
    true
}

fn push_escaped(file: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    let special = |b: &u8| matches!(b, 0 | b'\t' | b'\n' | b'\\');
    while let Some(at) = rest.iter().position(special) {
        let (plain, tail) = rest.split_at(at);
        file.extend_from_slice(plain);
        let Some((special, tail)) = tail.split_first() else { break };
        file.extend_from_slice(match special {
            0 => b"\\0",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            _ => b"\\\\",
        });
        rest = tail;
    }
    file.extend_from_slice(rest);
}

/// How a column of the copy is written for a column of the target; `None` when it cannot be.
fn field(kind: &CellKind, at_target: &Column) -> Option<Field> {
    use TypeKind as K;
    if at_target.generated.is_some() {
        return Some(Field::Left);
    }
    let ty = &at_target.ty;
    let nullable = at_target.nullable;
    // Bytes are taken as they are into text of these character sets.
    let utf8 = matches!(ty.charset.as_str(), "utf8mb4" | "utf8mb3" | "utf8");
    match (kind, ty.kind) {
        (
            CellKind::Number,
            K::TinyInt
            | K::SmallInt
            | K::MediumInt
            | K::Int
            | K::BigInt
            | K::Decimal
            | K::Float
            | K::Double,
        ) => Some(Field::Number { nullable }),
        (CellKind::Text, kind) if kind.is_text() && utf8 => Some(Field::Text { nullable }),
        (CellKind::Text, K::Date | K::Time | K::DateTime | K::Timestamp) => {
            Some(Field::Text { nullable })
        }
        (
            CellKind::Bytes,
            K::Binary | K::VarBinary | K::TinyBlob | K::Blob | K::MediumBlob | K::LongBlob,
        ) => Some(Field::Bytes { nullable }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use dm_filter::TableName;
    use proptest::prelude::*;

    use super::*;
    use crate::ddl::SqlMode;
    use crate::schema::parse_create_table;

    fn columns(of: &[(&str, CellKind)]) -> Vec<CopyColumn> {
        of.iter().map(|(n, k)| CopyColumn { name: (*n).into(), kind: k.clone() }).collect()
    }

    fn layout(create: &str, of: &[(&str, CellKind)]) -> Option<Layout> {
        let table = parse_create_table(create, SqlMode::default()).unwrap();
        let target = LoadTarget {
            table: TableName::new("d", "t"),
            extra: vec![("src".to_owned(), "it's".to_owned())],
            on_duplicate: OnDuplicate::Error,
        };
        Layout::new(&target, &columns(of), &table)
    }

    const CREATE: &str = "CREATE TABLE t (id int NOT NULL, v varchar(10), b blob, g int AS (id + 1), src \
                          varchar(9), PRIMARY KEY (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

    fn block(of: &[(&str, CellKind)], rows: &[&[CellRef<'_>]]) -> CopyBlock {
        let mut block = CopyBlock::new(columns(of).into());
        for cell in rows.iter().flat_map(|row| row.iter()) {
            match cell {
                CellRef::Null => block.push_null(),
                CellRef::Value(bytes) => block.push_value(bytes),
                CellRef::Sql(sql) => block.push_sql(sql),
            }
        }
        block
    }

    /// The fields of a file as a server reads them: LOAD DATA's rules for these terminators.
    fn read(file: &[u8]) -> Vec<Vec<Option<Vec<u8>>>> {
        let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), Vec::new());
        let mut null = false;
        let mut bytes = file.iter();
        while let Some(b) = bytes.next() {
            match b {
                b'\\' => match bytes.next().unwrap() {
                    b'N' if field.is_empty() => null = true,
                    b'0' => field.push(0),
                    b't' => field.push(b'\t'),
                    b'n' => field.push(b'\n'),
                    other => field.push(*other),
                },
                b'\t' | b'\n' => {
                    let text = std::mem::take(&mut field);
                    row.push((!std::mem::take(&mut null)).then_some(text));
                    if *b == b'\n' {
                        rows.push(std::mem::take(&mut row));
                    }
                }
                other => field.push(*other),
            }
        }
        rows
    }

    #[test]
    fn only_what_means_the_same_in_a_file_is_sent() {
        let of = [
            ("id", CellKind::Number),
            ("v", CellKind::Text),
            ("b", CellKind::Bytes),
            ("g", CellKind::Number),
        ];
        let layout = layout(CREATE, &of).unwrap();
        assert_eq!(
            layout.sql,
            "LOAD DATA LOCAL INFILE 'rows' INTO TABLE `d`.`t` CHARACTER SET binary FIELDS TERMINATED BY '\\t' \
             ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (`id`,`v`,`b`) SET `src`='it\\'s'"
        );
        let value = |b: &'static [u8]| CellRef::Value(b);
        let cases: &[(&[CellRef<'_>], bool)] = &[
            (&[value(b"-1"), value(b"a\tb"), CellRef::Null, value(b"0")], true),
            // NULL for a column that takes none, an expression, no number, no UTF-8.
            (&[CellRef::Null, value(b"a"), CellRef::Null, value(b"0")], false),
            (&[value(b"1"), CellRef::Sql("0"), CellRef::Null, value(b"0")], false),
            (&[value(b"1\t2"), value(b"a"), CellRef::Null, value(b"0")], false),
            (&[value(b"1"), value(b"\xff"), CellRef::Null, value(b"0")], false),
            (&[value(b"1"), CellRef::Null, value(b"\xff\x00\\"), value(b"0")], true),
        ];
        for (row, sent) in cases {
            let mut file = Vec::new();
            assert_eq!(layout.push_row(&mut file, &block(&of, &[row]), 0), *sent, "{row:?}");
            assert_eq!(file.is_empty(), !sent);
        }
    }

    #[test]
    fn tables_whose_text_means_something_else_are_inserted() {
        let sent = |create: &str, kind| layout(create, &[("a", kind)]).is_some();
        let table =
            |ty: &str| format!("CREATE TABLE t (a {ty}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4");
        assert!(sent(&table("decimal(9,2)"), CellKind::Number));
        assert!(sent(&table("enum('a','b')"), CellKind::Text));
        // '0' would be the year 2000, '1' the bits of its letter.
        assert!(!sent(&table("year"), CellKind::Number));
        assert!(!sent(&table("bit(8)"), CellKind::Bit));
        assert!(!sent(&table("json"), CellKind::Json));
        assert!(!sent(&table("varchar(9) CHARACTER SET latin1"), CellKind::Text));
        assert!(!sent(&table("varchar(9) CHARACTER SET gbk"), CellKind::Encoded("gbk")));
        assert!(!sent(&table("varbinary(9)"), CellKind::Text));
        // A statement that cannot be undone.
        let other = table("int").replace("InnoDB", "MyISAM");
        assert!(!sent(&other, CellKind::Number));
    }

    proptest! {
        #[test]
        fn a_server_reads_what_was_meant(
            rows in prop::collection::vec(
                (any::<i64>(), any::<Option<String>>(), any::<Option<Vec<u8>>>()), 1..20),
        ) {
            let of = [("id", CellKind::Number), ("v", CellKind::Text), ("b", CellKind::Bytes)];
            let layout = layout(CREATE, &of).unwrap();
            let mut file = Vec::new();
            let mut meant = Vec::new();
            for (id, text, bytes) in &rows {
                let id = id.to_string();
                let text = text.as_ref().map(|t| t.as_bytes().to_vec());
                let cell = |v: &'_ Option<Vec<u8>>| v.clone();
                let cells: Vec<Option<Vec<u8>>> =
                    vec![Some(id.into_bytes()), cell(&text), cell(bytes)];
                let refs: Vec<CellRef<'_>> = cells
                    .iter()
                    .map(|c| c.as_ref().map_or(CellRef::Null, |b| CellRef::Value(b)))
                    .collect();
                prop_assert!(layout.push_row(&mut file, &block(&of, &[&refs]), 0));
                meant.push(cells);
            }
            prop_assert_eq!(read(&file), meant);
        }
    }
}
