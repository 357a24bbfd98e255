//! Writes a structure as CREATE TABLE.

use std::fmt::Write as _;

use dm_filter::TableName;

use super::table::{
    Check, Column, ForeignKey, Key, KeyKind, KeyPart, TableSchema, TypeKind, same_name,
};
use crate::ddl::quote_string;
use crate::sql::quote_ident;

/// The CREATE TABLE statement of a structure, for the default `sql_mode`.
///
/// Everything that the structure holds is written out, so that the text does not depend on any
/// server's settings. The schema is written unless it is empty.
pub fn create_table(name: &TableName, table: &TableSchema) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(|c| column_clause(c, table)).collect();
    for (period, start, end) in &table.periods {
        let period = if period.eq_ignore_ascii_case("SYSTEM_TIME") {
            period.clone()
        } else {
            quote_ident(period)
        };
        lines.push(format!("PERIOD FOR {period} ({}, {})", quote_ident(start), quote_ident(end)));
    }
    lines.extend(table.keys.iter().map(|key| of_key(key, &table.periods)));
    lines.extend(table.foreign_keys.iter().map(foreign_key_clause));
    lines.extend(table.checks.iter().filter(|c| c.column.is_none()).map(check));
    let name = if name.schema.is_empty() { quote_ident(&name.table) } else { name.to_string() };
    let mut sql = format!("CREATE TABLE {name} (\n  {}\n)", lines.join(",\n  "));
    options(table, &mut sql);
    sql
}

fn options(table: &TableSchema, sql: &mut String) {
    let mut push = |text: String| {
        sql.push(' ');
        sql.push_str(&text);
    };
    if !table.engine.is_empty() {
        push(format!("ENGINE={}", table.engine));
    }
    if !table.charset.is_empty() {
        push(format!("DEFAULT CHARSET={}", table.charset));
    }
    if !table.collation.is_empty() {
        push(format!("COLLATE={}", table.collation));
    }
    for (name, value) in &table.options {
        push(format!("{name}={value}"));
    }
    if !table.comment.is_empty() {
        push(format!("COMMENT={}", quote_string(&table.comment)));
    }
    if table.system_versioned {
        push("WITH SYSTEM VERSIONING".to_owned());
    }
    if let Some(partitioning) = &table.partitioning {
        push(partitioning.clone());
    }
}

/// The SQL name of a type.
fn type_name(kind: TypeKind) -> &'static str {
    use TypeKind as T;
    match kind {
        T::TinyInt => "tinyint",
        T::SmallInt => "smallint",
        T::MediumInt => "mediumint",
        T::Int => "int",
        T::BigInt => "bigint",
        T::Decimal => "decimal",
        T::Float => "float",
        T::Double => "double",
        T::Bit => "bit",
        T::Year => "year",
        T::Date => "date",
        T::Time => "time",
        T::DateTime => "datetime",
        T::Timestamp => "timestamp",
        T::Char => "char",
        T::VarChar => "varchar",
        T::TinyText => "tinytext",
        T::Text => "text",
        T::MediumText => "mediumtext",
        T::LongText => "longtext",
        T::Binary => "binary",
        T::VarBinary => "varbinary",
        T::TinyBlob => "tinyblob",
        T::Blob => "blob",
        T::MediumBlob => "mediumblob",
        T::LongBlob => "longblob",
        T::Enum => "enum",
        T::Set => "set",
        T::Json => "json",
        T::Geometry => "geometry",
        T::Point => "point",
        T::LineString => "linestring",
        T::Polygon => "polygon",
        T::MultiPoint => "multipoint",
        T::MultiLineString => "multilinestring",
        T::MultiPolygon => "multipolygon",
        T::GeometryCollection => "geometrycollection",
        T::Vector => "vector",
        T::Inet4 => "inet4",
        T::Inet6 => "inet6",
        T::Uuid => "uuid",
        T::Xml => "xmltype",
    }
}

impl super::ColumnType {
    /// The type as SQL, with length, sign, character set and collation.
    pub fn to_sql(&self) -> String {
        let mut sql = self.shape();
        // Writing to a String cannot fail.
        if !self.charset.is_empty() {
            let _ = write!(sql, " CHARACTER SET {}", self.charset);
        }
        if !self.collation.is_empty() {
            let _ = write!(sql, " COLLATE {}", self.collation);
        }
        sql
    }

    /// The type as SQL, but for character set and collation.
    pub(crate) fn shape(&self) -> String {
        let mut sql = type_name(self.kind).to_owned();
        let temporal =
            matches!(self.kind, TypeKind::Time | TypeKind::DateTime | TypeKind::Timestamp);
        let length = if temporal { self.decimals } else { self.length };
        // Writing to a String cannot fail.
        let _ = match (length, self.decimals) {
            (Some(length), Some(decimals)) if !temporal => write!(sql, "({length},{decimals})"),
            (Some(length), _) => write!(sql, "({length})"),
            (None, _) => Ok(()),
        };
        if !self.labels.is_empty() {
            let labels: Vec<String> = self.labels.iter().map(|l| quote_string(l)).collect();
            let _ = write!(sql, "({})", labels.join(","));
        }
        if self.unsigned {
            sql.push_str(" unsigned");
        }
        if self.zerofill {
            sql.push_str(" zerofill");
        }
        if self.compressed {
            sql.push_str(" COMPRESSED");
        }
        sql
    }
}

/// A column as it stands in CREATE TABLE and behind ADD COLUMN.
pub(crate) fn column_clause(column: &Column, table: &TableSchema) -> String {
    let mut sql = format!("{} {}", quote_ident(&column.name), column.ty.to_sql());
    let period = column.generated.as_ref().filter(|g| g.is_of_period());
    if let Some(period) = period {
        let _ = write!(sql, " GENERATED ALWAYS AS {}", period.expr);
    } else if let Some(generated) = &column.generated {
        let stored = if generated.stored { "STORED" } else { "VIRTUAL" };
        let _ = write!(sql, " GENERATED ALWAYS AS ({}) {stored}", generated.expr);
    }
    if period.is_some() {
        // It is NOT NULL, and says so in no server's words.
    } else if !column.nullable {
        sql.push_str(" NOT NULL");
    } else if column.ty.kind == TypeKind::Timestamp {
        // Without explicit_defaults_for_timestamp it would be NOT NULL.
        sql.push_str(" NULL");
    }
    if let Some(srid) = column.ty.srid {
        let _ = write!(sql, " /*!80003 SRID {srid} */");
    }
    if let Some(default) = &column.default {
        let _ = write!(sql, " DEFAULT {default}");
    }
    if let Some(on_update) = &column.on_update {
        let _ = write!(sql, " ON UPDATE {on_update}");
    }
    if column.auto_increment {
        sql.push_str(" AUTO_INCREMENT");
    }
    for attribute in &column.attributes {
        let _ = write!(sql, " {attribute}");
    }
    if column.invisible {
        sql.push_str(" INVISIBLE");
    }
    if !column.comment.is_empty() {
        let _ = write!(sql, " COMMENT {}", quote_string(&column.comment));
    }
    let own = |c: &&Check| c.column.as_deref() == Some(&column.name);
    for check in table.checks.iter().filter(own) {
        let _ = write!(sql, " CHECK ({})", check.expr);
    }
    sql
}

/// A key as it stands in CREATE TABLE and behind ADD: `` KEY `a` (`a`(3),`b` DESC) ``.
pub(crate) fn key_clause(key: &Key) -> String {
    of_key(key, &[])
}

/// A key of a table with these periods: where one is part of the key, it may not overlap.
fn of_key(key: &Key, periods: &[(String, String, String)]) -> String {
    let kind = match key.kind {
        KeyKind::Primary => "PRIMARY KEY".to_owned(),
        KeyKind::Unique => format!("UNIQUE KEY {}", quote_ident(&key.name)),
        KeyKind::Plain => format!("KEY {}", quote_ident(&key.name)),
        KeyKind::FullText => format!("FULLTEXT KEY {}", quote_ident(&key.name)),
        KeyKind::Spatial => format!("SPATIAL KEY {}", quote_ident(&key.name)),
        KeyKind::Vector => format!("VECTOR KEY {}", quote_ident(&key.name)),
        KeyKind::Columnar => format!("COLUMNAR INDEX {}", quote_ident(&key.name)),
    };
    let is_period = |name: &str| periods.iter().any(|(period, _, _)| same_name(period, name));
    let written = |p: &KeyPart| match p.column() {
        Some(name) if is_period(name) => format!("{} WITHOUT OVERLAPS", part(p)),
        _ => part(p),
    };
    let parts: Vec<String> = key.parts.iter().map(written).collect();
    let mut sql = format!("{kind} ({})", parts.join(","));
    for option in &key.options {
        let _ = write!(sql, " {option}");
    }
    if !key.comment.is_empty() {
        let _ = write!(sql, " COMMENT {}", quote_string(&key.comment));
    }
    if key.invisible {
        sql.push_str(" INVISIBLE");
    }
    sql
}

fn part(part: &KeyPart) -> String {
    let (mut sql, descending) = match part {
        KeyPart::Column { name, prefix, descending } => {
            let prefix = prefix.map(|p| format!("({p})")).unwrap_or_default();
            (format!("{}{prefix}", quote_ident(name)), *descending)
        }
        KeyPart::Expression { expr, descending } => (format!("({expr})"), *descending),
    };
    if descending {
        sql.push_str(" DESC");
    }
    sql
}

fn names(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|c| quote_ident(c)).collect();
    quoted.join(", ")
}

/// A foreign key as it stands in CREATE TABLE.
pub(crate) fn foreign_key_clause(key: &ForeignKey) -> String {
    let parent = if key.parent_schema.is_empty() {
        quote_ident(&key.parent_table)
    } else {
        TableName::new(key.parent_schema.clone(), key.parent_table.clone()).to_string()
    };
    let mut sql = String::new();
    if !key.name.is_empty() {
        let _ = write!(sql, "CONSTRAINT {} ", quote_ident(&key.name));
    }
    let _ = write!(sql, "FOREIGN KEY ({}) REFERENCES {parent}", names(&key.columns));
    if !key.parent_columns.is_empty() {
        let _ = write!(sql, " ({})", names(&key.parent_columns));
    }
    if !key.on_delete.is_empty() {
        let _ = write!(sql, " ON DELETE {}", key.on_delete);
    }
    if !key.on_update.is_empty() {
        let _ = write!(sql, " ON UPDATE {}", key.on_update);
    }
    sql
}

fn check(check: &Check) -> String {
    let enforced = if check.enforced { "" } else { " NOT ENFORCED" };
    let name = quote_ident(&check.name);
    format!("CONSTRAINT {name} CHECK ({}){enforced}", check.expr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::SqlMode;
    use crate::schema::{differences, parse_create_table};

    #[test]
    fn printed_structures_read_back() {
        for sql in [
            "CREATE TABLE t (id bigint unsigned NOT NULL AUTO_INCREMENT, v varchar(5) COLLATE latin1_bin \
             DEFAULT 'a''b\\\\', e enum('x','y''z'), d decimal(5,2) DEFAULT '1.00', ts timestamp(3) NULL, \
             g int GENERATED ALWAYS AS (id + 1) VIRTUAL COMMENT 'c', PRIMARY KEY (id), UNIQUE KEY u (v(2) DESC), \
             KEY f ((lower(v))) INVISIBLE, CONSTRAINT fk FOREIGN KEY (d) REFERENCES o.p (x) ON DELETE SET NULL, \
             CONSTRAINT c CHECK (id > 0) NOT ENFORCED) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='x\\'y' \
             ROW_FORMAT=DYNAMIC PARTITION BY HASH (id) PARTITIONS 4",
            "CREATE TABLE t (s timestamp(6) GENERATED ALWAYS AS ROW START, e timestamp(6) GENERATED ALWAYS AS ROW END, \
             j longtext CHECK (json_valid(j)), PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
            "CREATE TABLE t (id int NOT NULL, s date NOT NULL, e date NOT NULL, PERIOD FOR `p q` (s, e), \
             PRIMARY KEY (id, `p q` WITHOUT OVERLAPS))",
        ] {
            let table = parse_create_table(sql, SqlMode::default()).unwrap();
            let printed = create_table(&TableName::new("a`b", "t"), &table);
            let again = parse_create_table(&printed, SqlMode::default()).unwrap();
            assert_eq!(differences(&table, &again), Vec::<String>::new(), "{printed}");
            assert_eq!(table, again, "{printed}");
        }
    }
}
