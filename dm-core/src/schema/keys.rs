//! Names and order of keys and constraints, as servers settle them once a statement is read.

use std::collections::{HashMap, HashSet};

use super::build::{self, settle_default};
use super::table::{
    Check, Column, ColumnType, ForeignKey, Key, KeyKind, KeyPart, TableSchema, TypeKind, same_name,
};
use crate::ddl::Flavor;

impl TableSchema {
    /// Puts keys in the server's order, names those without a name, and makes the columns of the
    /// primary key NOT NULL: for structures that were put together by hand.
    pub fn settle(&mut self) {
        settle_keys(self, Flavor::MariaDb);
    }

    /// The key of a name, without regard to case.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|k| same_name(&k.name, name))
    }
}

/// Names what has no name, makes primary-key columns NOT NULL, drops keys that servers made for
/// foreign keys and that another key makes superfluous, and sorts; as MySQL does, keys over
/// what is not stored behind others of their kind.
pub(super) fn settle_keys(table: &mut TableSchema, flavor: Flavor) {
    let virtual_last = flavor == Flavor::MySql;
    let nullable: HashSet<String> =
        table.columns.iter().filter(|c| c.nullable).map(|c| c.name.to_lowercase()).collect();
    let primary: Vec<String> = table.primary_key().into_iter().flat_map(key_columns).collect();
    for column in &mut table.columns {
        if primary.iter().any(|p| same_name(p, &column.name)) {
            column.nullable = false;
            settle_default(column);
        }
    }
    settle_prefixes(table);
    drop_superfluous(&mut table.keys, flavor);
    name_keys(&mut table.keys);
    let keys = std::mem::take(&mut table.keys);
    let primary_at = keys.iter().position(|k| k.kind == KeyKind::Primary);
    let mut ranked: Vec<_> = keys
        .into_iter()
        .enumerate()
        .map(|(at, key)| {
            // A key that stands before the primary one has been judged before that took NULL from its columns.
            let before = primary_at.is_some_and(|primary| at < primary);
            let rank = key_rank(&key, table, before.then_some(&nullable));
            ((rank, virtual_last && is_virtual(&key, table)), key)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    table.keys = ranked.into_iter().map(|(_, key)| key).collect();
}

/// The ends of a period that the application keeps are never NULL.
pub(super) fn settle_periods(table: &mut TableSchema) {
    let own = table.periods.iter().filter(|p| !same_name(&p.0, "SYSTEM_TIME"));
    let ends: Vec<&String> = own.flat_map(|(_, start, end)| [start, end]).collect();
    for column in &mut table.columns {
        if ends.iter().any(|end| same_name(end, &column.name)) {
            column.nullable = false;
            settle_default(column);
        }
    }
}

fn key_columns(key: &Key) -> Vec<String> {
    key.parts.iter().filter_map(|p| p.column().map(str::to_owned)).collect()
}

/// True when some part of a key is not stored: a virtual column, an expression.
fn is_virtual(key: &Key, table: &TableSchema) -> bool {
    let computed = |c: &Column| c.generated.as_ref().is_some_and(|g| !g.stored);
    key.parts.iter().any(|part| match part.column() {
        Some(name) => table.column(name).is_some_and(|(_, c)| computed(c)),
        None => true,
    })
}

/// Primary, unique without NULL, unique, the others, full text; `were_null` are columns that count as nullable.
fn key_rank(
    key: &Key,
    table: &TableSchema,
    were_null: Option<&HashSet<String>>,
) -> (u8, bool, bool) {
    let nullable = |part: &KeyPart| match part.column() {
        Some(name) => match were_null {
            Some(were_null) => were_null.contains(&name.to_lowercase()),
            None => table.column(name).is_some_and(|(_, c)| c.nullable),
        },
        None => true,
    };
    let prefix = |part: &KeyPart| matches!(part, KeyPart::Column { prefix: Some(_), .. });
    match key.kind {
        KeyKind::Primary => (0, false, false),
        KeyKind::Unique => (1, key.parts.iter().any(nullable), key.parts.iter().any(prefix)),
        KeyKind::Plain | KeyKind::Spatial | KeyKind::Vector | KeyKind::Columnar => {
            (2, false, false)
        }
        KeyKind::FullText => (3, false, false),
    }
}

/// A prefix as long as its column is no prefix, and full-text and spatial keys have none and
/// no order.
fn settle_prefixes(table: &mut TableSchema) {
    let columns = &table.columns;
    let parts = table.keys.iter_mut().flat_map(|k| k.parts.iter_mut().map(|p| (k.kind, p)));
    for (kind, part) in parts {
        let KeyPart::Column { name, prefix, descending } = part else { continue };
        if matches!(kind, KeyKind::FullText | KeyKind::Spatial) {
            (*prefix, *descending) = (None, false);
        }
        let column = columns.iter().find(|c| same_name(&c.name, name));
        let Some(column) = column else { continue };
        // The server prints the column's own spelling.
        name.clone_from(&column.name);
        use TypeKind as T;
        let fixed = matches!(column.ty.kind, T::Char | T::VarChar | T::Binary | T::VarBinary);
        // Other types have no prefixes; a server takes one that is as long as the whole value.
        let can = column.ty.kind.is_text() || build::is_blob(column.ty.kind) || fixed;
        if !can || (fixed && prefix.is_some() && *prefix >= column.ty.length) {
            *prefix = None;
        }
    }
}

/// MariaDB enforces a unique key over whole texts by a hash: such a key has no order.
pub(super) fn settle_hashed_keys(table: &mut TableSchema) {
    let columns = &table.columns;
    let whole_text = |part: &KeyPart| match part {
        KeyPart::Column { name, prefix: None, .. } => {
            let hashed = |c: &Column| build::is_blob(c.ty.kind) && c.ty.kind != TypeKind::Point;
            columns.iter().any(|c| same_name(&c.name, name) && hashed(c))
        }
        _ => false,
    };
    for key in table.keys.iter_mut().filter(|k| k.kind == KeyKind::Unique) {
        if key.parts.iter().any(whole_text) {
            for part in &mut key.parts {
                if let KeyPart::Column { descending, .. } = part {
                    *descending = false;
                }
            }
        }
    }
}

/// Drops generated keys whose columns another key begins with.
fn drop_superfluous(keys: &mut Vec<Key>, flavor: Flavor) {
    let mut at = 0;
    while at < keys.len() {
        let superfluous = keys.get(at).is_some_and(|key| {
            key.generated
                && keys
                    .iter()
                    .enumerate()
                    .any(|(n, other)| n != at && serves(key, other, n < at, flavor))
        });
        if superfluous {
            keys.remove(at);
        } else {
            at += 1;
        }
    }
}

/// True when `other` makes the generated `key` superfluous; of two generated ones over the same
/// columns the later stays. To MySQL one in descending order is of no use.
fn serves(key: &Key, other: &Key, earlier: bool, flavor: Flavor) -> bool {
    if !other.kind.is_ordered() {
        return false;
    }
    if other.generated && other.parts.len() == key.parts.len() && earlier {
        return false;
    }
    key.parts.len() <= other.parts.len()
        && key.parts.iter().zip(&other.parts).all(|(a, b)| match (a, b) {
            (
                KeyPart::Column { name: a, .. },
                KeyPart::Column { name: b, prefix: None, descending },
            ) => same_name(a, b) && !(*descending && flavor == Flavor::MySql),
            _ => false,
        })
}

/// Names the keys without a name: first those over expressions, which keep clear of every name in the
/// statement, then the others, one after the other.
fn name_keys(keys: &mut [Key]) {
    let functional = |key: &Key| key.parts.iter().any(|p| p.column().is_none());
    let folded = |name: &str| name.to_lowercase();
    let mut taken: HashSet<String> = keys.iter().map(|key| folded(&key.name)).collect();
    let mut last = HashMap::new();
    for key in keys.iter_mut().filter(|key| key.name.is_empty() && functional(key)) {
        key.name = made_up_name("functional_index", &taken, &mut last);
        taken.insert(folded(&key.name));
    }
    let functional: Vec<bool> = keys.iter().map(functional).collect();
    let own = keys.iter().zip(functional).filter(|(_, functional)| *functional);
    let mut taken: HashSet<String> = own.map(|(key, _)| folded(&key.name)).collect();
    last.clear();
    for key in keys {
        if key.name.is_empty() {
            let base = key.parts.first().and_then(KeyPart::column).unwrap_or_default();
            key.name = made_up_name(base, &taken, &mut last);
        }
        taken.insert(folded(&key.name));
    }
}

/// `c`, `c_2`, `c_3` for a key over column `c`; `last` holds the number that each base came to, since those
/// below it are taken.
fn made_up_name(base: &str, taken: &HashSet<String>, last: &mut HashMap<String, usize>) -> String {
    let folded = base.to_lowercase();
    if !taken.contains(&folded) && folded != "primary" {
        return base.to_owned();
    }
    let n = last.entry(folded.clone()).or_insert(1);
    loop {
        *n += 1;
        if !taken.contains(&format!("{folded}_{n}")) {
            return format!("{base}_{n}");
        }
    }
}

/// The number behind `<prefix>` in a name, 0 when it has another form.
fn number_of(name: &str, prefix: &str) -> u32 {
    let head = name.get(..prefix.len()).filter(|h| h.eq_ignore_ascii_case(prefix));
    head.and_then(|_| name.get(prefix.len()..)).and_then(|n| n.parse().ok()).unwrap_or(0)
}

pub(super) fn name_foreign_keys(have: &mut Vec<ForeignKey>, added: Vec<ForeignKey>, table: &str) {
    let prefix = format!("{table}_ibfk_");
    let mut last = have.iter().map(|k| number_of(&k.name, &prefix)).max().unwrap_or(0);
    for mut key in added {
        if key.name.is_empty() {
            last += 1;
            key.name = format!("{prefix}{last}");
        }
        have.push(key);
    }
}

pub(super) fn name_checks(have: &mut Vec<Check>, added: Vec<Check>, table: &str, flavor: Flavor) {
    let prefix = match flavor {
        Flavor::MariaDb => "CONSTRAINT_".to_owned(),
        _ => format!("{table}_chk_"),
    };
    let mut last = have.iter().map(|k| number_of(&k.name, &prefix)).max().unwrap_or(0);
    for mut check in added {
        if check.name.is_empty() && check.column.is_none() {
            last += 1;
            check.name = format!("{prefix}{last}");
        }
        have.push(check);
    }
}

/// The primary key that MySQL adds to an InnoDB table when `sql_generate_invisible_primary_key` is on, unless a
/// unique key can stand in for it.
pub(super) fn add_invisible_key(table: &mut TableSchema) {
    let stored = |part: &KeyPart| match part {
        KeyPart::Column { name, prefix: None, .. } => table.column(name).is_some_and(|(_, c)| {
            !c.nullable && c.generated.as_ref().is_none_or(|generated| generated.stored)
        }),
        _ => false,
    };
    let serves = |key: &Key| {
        matches!(key.kind, KeyKind::Primary | KeyKind::Unique) && key.parts.iter().all(stored)
    };
    let innodb = table.engine.is_empty() || table.engine.eq_ignore_ascii_case("InnoDB");
    if !innodb || table.keys.iter().any(serves) {
        return;
    }
    let mut column = Column::new("my_row_id", ColumnType::new(TypeKind::BigInt));
    column.ty.unsigned = true;
    column.nullable = false;
    column.default = None;
    column.auto_increment = true;
    column.invisible = true;
    table.columns.insert(0, column);
    table.keys.insert(0, Key::over("PRIMARY", KeyKind::Primary, ["my_row_id"]));
}
