//! Tells in what two structures of a table differ, in words.

use super::table::{Column, ForeignKey, Key, KeyPart, TableSchema, TypeKind, same_name};

/// The differences between two structures, as sentences; empty when they are equal.
///
/// Compared is what decides about rows and keys: columns in order with type, nullability, default,
/// generation, character set; keys, foreign keys and checks by name. Not compared
/// is what does not: table options, engine, partitions, comments on how keys are stored, and
/// display widths of integers, which servers print or not by version. Expressions are compared
/// only as "there" or "not there": servers rewrite them when they print them.
pub fn differences(left: &TableSchema, right: &TableSchema) -> Vec<String> {
    let mut out = Vec::new();
    columns(left, right, &mut out);
    keys(left, right, &mut out);
    foreign_keys(left, right, &mut out);
    let names = |t: &TableSchema| {
        let mut names: Vec<String> = t
            .checks
            .iter()
            .map(|c| match &c.column {
                Some(column) => format!("of column {}", column.to_lowercase()),
                None => format!("{} enforced: {}", c.name.to_lowercase(), c.enforced),
            })
            .collect();
        names.sort();
        names
    };
    differ(&mut out, "checks", &names(left), &names(right));
    differ(&mut out, "character set", &left.charset, &right.charset);
    differ(&mut out, "collation", &left.collation, &right.collation);
    differ(&mut out, "comment", &left.comment, &right.comment);
    out
}

fn differ<T: PartialEq + std::fmt::Debug>(out: &mut Vec<String>, what: &str, left: &T, right: &T) {
    if left != right {
        out.push(format!("{what}: {left:?} and {right:?}"));
    }
}

fn columns(left: &TableSchema, right: &TableSchema, out: &mut Vec<String>) {
    let names = |t: &TableSchema| -> Vec<String> {
        t.columns.iter().map(|c| c.name.to_lowercase()).collect()
    };
    differ(out, "columns", &names(left), &names(right));
    for column in &left.columns {
        if let Some((_, other)) = right.column(&column.name) {
            compare_column(column, other, out);
        }
    }
}

fn compare_column(left: &Column, right: &Column, out: &mut Vec<String>) {
    let name = &left.name;
    let what = |part: &str| format!("column `{name}`: {part}");
    let (a, b) = (&left.ty, &right.ty);
    differ(out, &what("type"), &a.kind, &b.kind);
    differ(out, &what("length"), &significant_length(left), &significant_length(right));
    differ(out, &what("decimals"), &a.decimals.unwrap_or(0), &b.decimals.unwrap_or(0));
    differ(out, &what("unsigned"), &a.unsigned, &b.unsigned);
    differ(out, &what("zerofill"), &a.zerofill, &b.zerofill);
    differ(out, &what("character set"), &a.charset, &b.charset);
    differ(out, &what("collation"), &a.collation, &b.collation);
    differ(out, &what("members"), &a.labels, &b.labels);
    differ(out, &what("SRID"), &a.srid, &b.srid);
    differ(out, &what("compressed"), &a.compressed, &b.compressed);
    differ(out, &what("nullable"), &left.nullable, &right.nullable);
    differ(out, &what("default"), &opaque(&left.default), &opaque(&right.default));
    differ(out, &what("on update"), &left.on_update, &right.on_update);
    let generated = |c: &Column| c.generated.as_ref().map(|g| g.stored);
    differ(out, &what("generated (stored)"), &generated(left), &generated(right));
    differ(out, &what("auto_increment"), &left.auto_increment, &right.auto_increment);
    differ(out, &what("invisible"), &left.invisible, &right.invisible);
    differ(out, &what("comment"), &left.comment, &right.comment);
}

/// An expression as a default is printed in the server's own words.
fn opaque(default: &Option<String>) -> Option<&str> {
    default.as_deref().map(|d| if d.starts_with('(') { "(expression)" } else { d })
}

/// The length, where it limits or pads values.
fn significant_length(column: &Column) -> Option<u32> {
    use TypeKind as T;
    match column.ty.kind {
        T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt if !column.ty.zerofill => None,
        _ => column.ty.length,
    }
}

fn keys(left: &TableSchema, right: &TableSchema, out: &mut Vec<String>) {
    let list = |t: &TableSchema| {
        let mut list: Vec<String> = t.keys.iter().map(describe_key).collect();
        list.sort();
        list
    };
    differ(out, "keys", &list(left), &list(right));
}

fn describe_key(key: &Key) -> String {
    let parts: Vec<String> = key
        .parts
        .iter()
        .map(|p| match p {
            KeyPart::Column { name, prefix, descending } => {
                let prefix = prefix.map(|p| format!("({p})")).unwrap_or_default();
                let order = if *descending { " DESC" } else { "" };
                format!("{}{prefix}{order}", name.to_lowercase())
            }
            KeyPart::Expression { descending, .. } => {
                format!("(expression){}", if *descending { " DESC" } else { "" })
            }
        })
        .collect();
    let invisible = if key.invisible { " invisible" } else { "" };
    let (name, parts) = (key.name.to_lowercase(), parts.join(","));
    format!("{:?} {name} ({parts}){invisible} {}", key.kind, key.comment).trim_end().to_owned()
}

fn foreign_keys(left: &TableSchema, right: &TableSchema, out: &mut Vec<String>) {
    let list = |t: &TableSchema| {
        let mut list: Vec<String> = t.foreign_keys.iter().map(describe_foreign_key).collect();
        list.sort();
        list
    };
    differ(out, "foreign keys", &list(left), &list(right));
}

fn describe_foreign_key(key: &ForeignKey) -> String {
    // RESTRICT and NO ACTION are the default and are left out when printed, by version.
    let action = |a: &str| match a {
        "RESTRICT" | "NO ACTION" => String::new(),
        other => other.to_owned(),
    };
    format!(
        "{} ({}) to `{}`.`{}` ({}) on delete {} on update {}",
        key.name.to_lowercase(),
        key.columns.join(",").to_lowercase(),
        key.parent_schema,
        key.parent_table,
        key.parent_columns.join(",").to_lowercase(),
        action(&key.on_delete),
        action(&key.on_update),
    )
}

/// True when both structures have the same columns, by name and in the same order.
pub fn same_columns(left: &TableSchema, right: &TableSchema) -> bool {
    left.columns.len() == right.columns.len()
        && left.columns.iter().zip(&right.columns).all(|(a, b)| same_name(&a.name, &b.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::SqlMode;
    use crate::schema::parse_create_table;

    #[test]
    fn differences_are_said_in_words() {
        let parse = |sql| parse_create_table(sql, SqlMode::default()).unwrap();
        let a =
            parse("CREATE TABLE t (id int(11) NOT NULL DEFAULT '0', v varchar(10), KEY k (v(3)))");
        let b = parse("CREATE TABLE t (id int NOT NULL DEFAULT 0, v varchar(11), KEY k (v))");
        let found = differences(&a, &b);
        assert_eq!(
            found,
            [
                "column `v`: length: Some(10) and Some(11)",
                "keys: [\"Plain k (v(3))\"] and [\"Plain k (v)\"]"
            ]
        );
        assert!(differences(&a, &a).is_empty());
        assert!(same_columns(&a, &b));
    }
}
