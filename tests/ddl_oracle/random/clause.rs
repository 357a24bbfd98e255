//! Random clauses of ALTER TABLE.

use dm_core::ddl::Flavor;
use dm_core::filter::TableName;
use dm_core::schema::{Column, KeyKind, TableSchema, TypeKind};

use super::column::{definition, generated};
use super::{Random, View, written};

fn position(random: &mut Random, view: &View, schema: &TableSchema) -> String {
    match random.below(4) {
        0 => " FIRST".to_owned(),
        1 => format!(" AFTER {}", view.column(random, schema)),
        _ => String::new(),
    }
}

/// IF EXISTS or IF NOT EXISTS, which MariaDB takes in most clauses.
fn condition(random: &mut Random, view: &View, words: &'static str) -> &'static str {
    if view.flavor == Flavor::MariaDb && random.once_in(6) { words } else { "" }
}

/// A key's kind, and its parts in parentheses.
pub fn key(
    random: &mut Random,
    view: &View,
    schema: &TableSchema,
    primary: bool,
) -> (&'static str, String) {
    let text = |c: &Column| c.ty.kind.is_text();
    if random.once_in(12) {
        return ("FULLTEXT", format!("({})", view.column_of(random, schema, text)));
    }
    let kinds = ["KEY", "KEY", "KEY", "UNIQUE", "UNIQUE", "PRIMARY KEY"];
    let kind = random.pick(&kinds[..5 + usize::from(primary)]);
    let mut parts: Vec<String> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let name = view.column(random, schema);
        if parts.iter().any(|p| p.starts_with(&name)) {
            continue;
        }
        let large = schema
            .column(&name)
            .is_some_and(|(_, c)| c.ty.kind.is_text_or_blob() || (text(c) && random.once_in(4)));
        let prefix = if large { random.pick(&["(3)", "(10)", "(2)"]) } else { "" };
        let order = random.pick(&["", "", "", " DESC", " ASC"]);
        let functional = view.flavor == Flavor::MySql && random.once_in(10);
        parts.push(match functional {
            true => format!("({name} IS NULL)"),
            false => format!("{name}{prefix}{order}"),
        });
    }
    let option = match random.below(12) {
        0 => " COMMENT 'k'",
        1 if view.flavor == Flavor::MySql && kind != "PRIMARY KEY" => " INVISIBLE",
        1 if kind != "PRIMARY KEY" => " IGNORED",
        2 => " USING BTREE",
        _ => "",
    };
    (kind, format!("({}){option}", parts.join(", ")))
}

/// A foreign key of an INT column over a unique key of one column, if some table has one.
pub fn foreign_key(random: &mut Random, view: &View, column: &str) -> Option<String> {
    let unique = |s: &TableSchema| -> Option<String> {
        let keys = s.keys.iter().filter(|k| matches!(k.kind, KeyKind::Primary | KeyKind::Unique));
        let mut columns = keys.filter(|k| k.parts.len() == 1).filter_map(|k| k.parts[0].column());
        columns
            .find(|c| s.column(c).is_some_and(|(_, c)| c.ty.kind == TypeKind::Int))
            .map(str::to_owned)
    };
    let parents: Vec<(&TableName, String)> =
        view.tables.iter().filter_map(|(name, s)| Some((name, unique(s)?))).collect();
    if parents.is_empty() {
        return None;
    }
    let (parent, of) = &parents[random.below(parents.len())];
    let name = random.pick(&["", "", "CONSTRAINT fk1 ", "CONSTRAINT `a` "]);
    let index = random.pick(&["", "", "", "k1 "]);
    let action =
        random.pick(&["", "", " ON DELETE CASCADE", " ON UPDATE SET NULL", " ON DELETE RESTRICT"]);
    Some(format!(
        "{name}FOREIGN KEY {index}({column}) REFERENCES {} ({of}){action}",
        written(parent)
    ))
}

/// PARTITION BY, with a space before it.
pub fn partitions(random: &mut Random, column: &str) -> String {
    match random.below(4) {
        0 => format!(" PARTITION BY HASH ({column}) PARTITIONS 3"),
        1 => format!(" PARTITION BY KEY ({column}) PARTITIONS 2"),
        2 => format!(
            " PARTITION BY RANGE ({column}) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))"
        ),
        _ => format!(
            " PARTITION BY LIST COLUMNS ({column}) (PARTITION p0 VALUES IN (1, 2), PARTITION p1 VALUES IN (3))"
        ),
    }
}

/// A clause for a table that looks like this.
pub fn clause(random: &mut Random, view: &View, table: &TableName, schema: &TableSchema) -> String {
    match random.below(10) {
        0..=4 => of_columns(random, view, schema),
        5..=6 => of_keys(random, view, schema),
        7 => of_constraints(random, view, table, schema),
        8 => of_character_sets(random),
        _ => of_the_table(random, view),
    }
}

fn of_columns(random: &mut Random, view: &View, schema: &TableSchema) -> String {
    let old = view.column(random, schema);
    let new = view.new_column(random, schema);
    let exists = condition(random, view, "IF EXISTS ");
    match random.below(16) {
        0..=2 => {
            let not = condition(random, view, "IF NOT EXISTS ");
            format!("ADD {not}{new} {}{}", definition(random, view), position(random, view, schema))
        }
        3 => {
            let other = view.new_column(random, schema);
            format!(
                "ADD ({new} {}, {other} {})",
                definition(random, view),
                definition(random, view)
            )
        }
        4 => {
            let names: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
            format!("ADD {new} {}{}", generated(random, &names), position(random, view, schema))
        }
        5..=6 => format!("DROP {exists}{old}"),
        7 => format!(
            "DROP {old}, ADD {old} {}{}",
            definition(random, view),
            position(random, view, schema)
        ),
        8..=9 => format!(
            "MODIFY {exists}{old} {}{}",
            definition(random, view),
            position(random, view, schema)
        ),
        10..=11 => {
            let name = if random.once_in(3) { old.clone() } else { new.to_owned() };
            format!(
                "CHANGE {exists}{old} {name} {}{}",
                definition(random, view),
                position(random, view, schema)
            )
        }
        12 => {
            let to = if random.once_in(3) { view.column(random, schema) } else { new.to_owned() };
            format!("RENAME COLUMN {exists}{old} TO {to}")
        }
        13 => {
            // MySQL takes an expression for a column of the primary key, and forgets it with the next change.
            let keyed = schema.primary_key().is_some_and(|key| key.has_column(&old));
            if keyed {
                return format!("ALTER {old} SET DEFAULT 5");
            }
            let default = random.pick(&["5", "'x'", "NULL", "'2020-02-03'", "(1 + 1)"]);
            format!("ALTER {old} SET DEFAULT {default}")
        }
        14 => format!("ALTER {old} DROP DEFAULT"),
        _ if view.flavor == Flavor::MySql => {
            format!("ALTER {old} SET {}", random.pick(&["INVISIBLE", "VISIBLE"]))
        }
        _ => format!("MODIFY {old} {}", definition(random, view)),
    }
}

fn of_keys(random: &mut Random, view: &View, schema: &TableSchema) -> String {
    let name = view.key(random, schema);
    let exists = condition(random, view, "IF EXISTS ");
    match random.below(10) {
        0..=3 => {
            let (kind, parts) = key(random, view, schema, true);
            let named = kind != "PRIMARY KEY" && random.once_in(2);
            let not = if named { condition(random, view, "IF NOT EXISTS ") } else { "" };
            let name = if named { random.pick(&["k1 ", "k2 ", "u1 ", "a ", "c_2 "]) } else { "" };
            format!("ADD {kind} {not}{name}{parts}")
        }
        4..=5 => format!("DROP KEY {exists}{name}"),
        6 => "DROP PRIMARY KEY".to_owned(),
        7 => format!("RENAME KEY {name} TO {}", random.pick(&["k1", "k2", "k3"])),
        8 => {
            let mysql = ["VISIBLE", "INVISIBLE"];
            let mariadb = ["IGNORED", "NOT IGNORED"];
            let words = if view.flavor == Flavor::MySql { &mysql } else { &mariadb };
            format!("ALTER INDEX {name} {}", random.pick(words))
        }
        _ => {
            let (kind, parts) = key(random, view, schema, true);
            format!("DROP KEY {name}, ADD {kind} {parts}")
        }
    }
}

fn of_constraints(
    random: &mut Random,
    view: &View,
    table: &TableName,
    schema: &TableSchema,
) -> String {
    let column = view.column_of(random, schema, |c| c.ty.kind == TypeKind::Int);
    let foreign = schema.foreign_keys.first().map_or("fk1", |k| &k.name);
    let check = schema.checks.iter().find(|c| c.column.is_none()).map_or("c1", |c| &c.name);
    let not = condition(random, view, "IF NOT EXISTS ");
    match random.below(8) {
        0..=2 => match foreign_key(random, view, &column) {
            Some(reference) => format!("ADD {reference}"),
            None => format!("ADD FOREIGN KEY ({column}) REFERENCES {} ({column})", written(table)),
        },
        3 => format!("DROP FOREIGN KEY `{foreign}`"),
        4..=5 => {
            let named = random.pick(&["", "CONSTRAINT c1 ", "CONSTRAINT c2 "]);
            let not = if named.is_empty() { "" } else { not };
            let named = named.replacen("CONSTRAINT ", &format!("CONSTRAINT {not}"), 1);
            format!(
                "ADD {named}CHECK ({column} IS NOT NULL OR {} = 1)",
                view.column(random, schema)
            )
        }
        6 if view.flavor == Flavor::MySql && random.once_in(2) => {
            format!("ALTER CHECK `{check}` {}", random.pick(&["ENFORCED", "NOT ENFORCED"]))
        }
        6 => format!("DROP CONSTRAINT `{check}`"),
        _ => format!("DROP CONSTRAINT `{}`", if random.once_in(2) { foreign } else { check }),
    }
}

fn of_character_sets(random: &mut Random) -> String {
    let charset =
        random.pick(&["utf8mb4", "latin1", "gbk", "utf8mb4 COLLATE utf8mb4_bin", "utf8mb3"]);
    match random.below(5) {
        0..=2 => format!("CONVERT TO CHARACTER SET {charset}"),
        3 => format!("DEFAULT CHARACTER SET {charset}"),
        _ => "COLLATE latin1_bin".to_owned(),
    }
}

fn of_the_table(random: &mut Random, view: &View) -> String {
    let versions = random.pick(&["ADD SYSTEM VERSIONING", "DROP SYSTEM VERSIONING"]);
    if view.flavor == Flavor::MariaDb && random.once_in(6) {
        return versions.to_owned();
    }
    let clauses = [
        "FORCE",
        "COMMENT 'y'",
        "ENGINE=InnoDB",
        "ROW_FORMAT=DYNAMIC",
        "AUTO_INCREMENT=50",
        "ALGORITHM=COPY",
        "STATS_PERSISTENT=0",
    ];
    random.pick(&clauses).to_owned()
}
