//! Values that the target cannot hold.

use dm_filter::TableName;

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};
use crate::schema::{Column, ColumnType, TypeKind};

pub(super) const CHECK: Check = Check {
    name: "target_values",
    reported: "target values check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "column types: those that the target does not have at all; columns of target tables that are there already and hold less than the source's (length, sign, digits, members, character set, NULL)",
    repair: "widen the target column",
    ours: true,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &facts.sources {
        for table in &source.tables {
            if let Some(error) = &table.refused {
                found.push(Finding::failure(
                    format!("{} of source {}: {}", table.name, source.id, error.message()),
                    "types that the target has",
                    error.advice(),
                ));
            }
            let (Some(schema), Some(name)) = (table.schema(), table.target_name()) else { continue };
            let there = facts.target.tables.get(&name).and_then(|t| t.schema.as_deref());
            let Some(there) = there else { continue };
            for column in schema.columns.iter().filter(|c| c.generated.is_none()) {
                let Some((_, to)) = there.column(&column.name) else { continue };
                if to.generated.is_none()
                    && let Some(why) = narrower(column, to)
                {
                    found.push(narrow(&name, column, &why));
                }
            }
        }
    }
    found
}

fn narrow(name: &TableName, column: &Column, why: &str) -> Finding {
    Finding::warning(
        format!("{name} column `{}` holds less than the source's: {why}", column.name),
        "a column that holds every value of the source's",
        format!(
            "A value that does not fit stops the task. ALTER TABLE {name} MODIFY `{}` to the \
             source's type",
            column.name
        ),
    )
}

/// Why a target column may not hold a value of the source's; `None` when it holds all.
pub(super) fn narrower(from: &Column, to: &Column) -> Option<String> {
    if from.nullable && !to.nullable {
        return Some("NULL is not allowed".to_owned());
    }
    let (a, b) = (&from.ty, &to.ty);
    if let (Some((low, high)), Some((low2, high2))) = (integer(a), integer(b)) {
        let fits = low2 <= low && high <= high2;
        return (!fits).then(|| format!("{low} to {high} into {low2} to {high2}"));
    }
    if let (Some(long), Some(short)) = (bytes_or_chars(a), bytes_or_chars(b)) {
        if long > short {
            return Some(format!("a length of {long} into {short}"));
        }
        return charset(a, b);
    }
    match (a.kind, b.kind) {
        (TypeKind::Enum, TypeKind::Enum) | (TypeKind::Set, TypeKind::Set) => {
            let lacking: Vec<&str> =
                a.labels.iter().filter(|l| !b.labels.contains(l)).map(String::as_str).collect();
            (!lacking.is_empty()).then(|| format!("members {} are missing", lacking.join(", ")))
        }
        (TypeKind::Decimal, TypeKind::Decimal) => decimal(a, b),
        (
            TypeKind::Time | TypeKind::DateTime | TypeKind::Timestamp,
            TypeKind::Time | TypeKind::DateTime | TypeKind::Timestamp,
        ) => temporal(a, b),
        _ => None,
    }
}

fn integer(ty: &ColumnType) -> Option<(i128, i128)> {
    let bits = match ty.kind {
        TypeKind::TinyInt => 8,
        TypeKind::SmallInt => 16,
        TypeKind::MediumInt => 24,
        TypeKind::Int => 32,
        TypeKind::BigInt => 64,
        _ => return None,
    };
    let all = 1_i128 << bits;
    Some(if ty.unsigned { (0, all - 1) } else { (-all / 2, all / 2 - 1) })
}

/// The greatest length of texts and bytes; of TEXT types in bytes, which never counts less than
/// characters.
fn bytes_or_chars(ty: &ColumnType) -> Option<u64> {
    Some(match ty.kind {
        TypeKind::Char | TypeKind::VarChar | TypeKind::Binary | TypeKind::VarBinary => {
            u64::from(ty.length.unwrap_or(1))
        }
        TypeKind::TinyText | TypeKind::TinyBlob => 255,
        TypeKind::Text | TypeKind::Blob => 65_535,
        TypeKind::MediumText | TypeKind::MediumBlob => 16_777_215,
        TypeKind::LongText | TypeKind::LongBlob => 4_294_967_295,
        _ => return None,
    })
}

fn charset(from: &ColumnType, to: &ColumnType) -> Option<String> {
    let (a, b) = (from.charset.as_str(), to.charset.as_str());
    let rank = |c: &str| match c {
        "" => None,
        "ascii" => Some(0),
        "utf8" | "utf8mb3" | "ucs2" => Some(2),
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => Some(3),
        _ => Some(1),
    };
    let less = match (rank(a)?, rank(b)?) {
        (1, 1) => a != b,
        (from, to) => from > to,
    };
    less.then(|| format!("character set {a} into {b}"))
}

fn decimal(from: &ColumnType, to: &ColumnType) -> Option<String> {
    let digits = |t: &ColumnType| {
        let (all, after) = (t.length.unwrap_or(10), t.decimals.unwrap_or(0));
        (all.saturating_sub(after), after)
    };
    let ((a, b), (c, d)) = (digits(from), digits(to));
    (a > c || b > d).then(|| format!("{a} digits before and {b} behind the point into {c} and {d}"))
}

fn temporal(from: &ColumnType, to: &ColumnType) -> Option<String> {
    if from.kind == TypeKind::DateTime && to.kind == TypeKind::Timestamp {
        return Some("DATETIME into TIMESTAMP, which ends in 2038".to_owned());
    }
    let (a, b) = (from.decimals.unwrap_or(0), to.decimals.unwrap_or(0));
    (a > b).then(|| format!("{a} digits of a second into {b}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::SqlMode;
    use crate::schema::parse_create_table;

    fn column(definition: &str) -> Column {
        let sql = format!("CREATE TABLE t (c {definition}) DEFAULT CHARSET=utf8mb4");
        parse_create_table(&sql, SqlMode::default()).unwrap().columns.remove(0)
    }

    #[test]
    fn narrower_columns_are_found() {
        for (from, to) in [
            ("INT", "INT UNSIGNED"),
            ("BIGINT", "INT"),
            ("INT UNSIGNED", "INT"),
            ("VARCHAR(20)", "VARCHAR(19)"),
            ("TEXT", "VARCHAR(100)"),
            ("VARCHAR(9)", "VARCHAR(9) CHARACTER SET latin1"),
            ("DECIMAL(10,2)", "DECIMAL(10,3)"),
            ("DATETIME(6)", "DATETIME(3)"),
            ("DATETIME", "TIMESTAMP NULL"),
            ("ENUM('a','b')", "ENUM('a')"),
            ("INT", "INT NOT NULL"),
        ] {
            assert!(narrower(&column(from), &column(to)).is_some(), "{from} into {to}");
        }
        for (from, to) in [
            ("INT", "BIGINT"),
            ("INT NOT NULL", "INT"),
            ("TINYINT UNSIGNED", "SMALLINT"),
            ("VARCHAR(20)", "TEXT"),
            ("VARCHAR(9) CHARACTER SET latin1", "VARCHAR(9)"),
            ("DECIMAL(10,2)", "DECIMAL(12,4)"),
            ("ENUM('a')", "ENUM('a','b')"),
            ("DATE", "DATETIME"),
        ] {
            assert_eq!(narrower(&column(from), &column(to)), None, "{from} into {to}");
        }
    }
}
