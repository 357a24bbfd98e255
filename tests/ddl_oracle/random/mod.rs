//! Random statements about a few tables: most of them are about what is there, so that a server takes them.

mod clause;
mod column;
mod view;

use dm_core::ddl::Flavor;
use dm_core::filter::TableName;
use dm_core::schema::{Column, TableSchema, TypeKind};

use clause::{clause, foreign_key, key, partitions};
use column::{definition, generated};
pub use view::View;

/// A small generator of random numbers, so that a failure is repeated by its seed alone.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    /// True once in so many times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// What is done next.
pub enum Step {
    /// A statement, which a server may well refuse.
    Sql(String),
    /// The session gets another `sql_mode`.
    Mode(&'static str),
    /// The session gets another value of a variable that decides about structures.
    Setting(&'static str),
}

const TABLES: [&str; 6] = ["t1", "t2", "t3", "T4", "dm_oracle2.t1", "dm_oracle2.t5"];

const MODES: [&str; 6] = [
    "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
    "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
    "",
    "STRICT_ALL_TABLES,ANSI_QUOTES",
    "STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES",
    "NO_AUTO_VALUE_ON_ZERO,PIPES_AS_CONCAT",
];

/// A name for a new table, mostly a free one.
fn new_table(random: &mut Random, view: &View) -> &'static str {
    let name = random.pick(&TABLES);
    let taken = |name: &str| view.tables.iter().any(|(known, _)| written(known) == name);
    match TABLES.iter().find(|t| !taken(t)) {
        Some(free) if taken(name) && !random.once_in(10) => free,
        _ => name,
    }
}

/// A table's name as statements write it.
fn written(name: &TableName) -> String {
    match name.schema.as_str() {
        "dm_oracle" => name.table.clone(),
        schema => format!("{schema}.{}", name.table),
    }
}

/// The next step for tables that look like this.
pub fn step(random: &mut Random, view: &View) -> Step {
    match random.below(80) {
        0 => return Step::Mode(random.pick(&MODES)),
        1 if view.flavor == Flavor::MySql => {
            let on = "sql_generate_invisible_primary_key=ON";
            return Step::Setting(random.pick(&[on, "sql_generate_invisible_primary_key=OFF"]));
        }
        _ => {}
    }
    if view.tables.is_empty() && random.once_in(3) {
        // Only before there are tables: whether a later ALTER sets the clock of a column that was made under the
        // other setting is chance at MariaDB (FORCE does, COMMENT does not, MODIFY does by the type it names).
        let off = "explicit_defaults_for_timestamp=OFF";
        return Step::Setting(random.pick(&["explicit_defaults_for_timestamp=ON", off]));
    }
    if view.tables.len() < 2 || random.once_in(8) {
        return Step::Sql(create(random, view));
    }
    let (name, schema) = view.table(random);
    let table = written(name);
    let sql = match random.below(40) {
        0 => drop_table(random, view),
        1..=2 => rename(random, view),
        3 => create_like(random, view),
        4 if is_logged_in_full(schema) => {
            format!("CREATE TABLE {} AS SELECT * FROM {table}", new_table(random, view))
        }
        5..=7 => {
            let (kind, parts) = key(random, view, schema, false);
            let kind = if kind == "KEY" { "" } else { kind };
            format!("CREATE {kind} INDEX k{} ON {table} {parts}", random.below(3))
        }
        8 => format!("DROP INDEX {} ON {table}", view.key(random, schema)),
        9 => {
            let charset = random.pick(&["utf8mb4", "latin1", "utf8mb4 COLLATE utf8mb4_bin", "gbk"]);
            let schema = random.pick(&["dm_oracle", "dm_oracle2", "dm_oracle2"]);
            format!("ALTER DATABASE {schema} CHARACTER SET {charset}")
        }
        10 => partition_statement(random, view, &table),
        // MariaDB shows foreign keys then or does not, as its caches are.
        11 if view.flavor == Flavor::MySql => {
            random.pick(&["SET foreign_key_checks = 0", "SET foreign_key_checks = 1"]).to_owned()
        }
        12 => temporary(random, view),
        13 if view.flavor == Flavor::MariaDb => sequence(random, &table, view, schema),
        14 => format!("TRUNCATE TABLE {table}"),
        _ => {
            let mut clauses: Vec<String> =
                (0..1 + random.below(3)).map(|_| clause(random, view, name, schema)).collect();
            // MariaDB forgets the foreign keys of a table that it copies and renames in one statement, and does not
            // tell those that reference it.
            let forgets = view.flavor == Flavor::MariaDb
                && (view.is_referenced(name)
                    || !schema.foreign_keys.is_empty()
                    || clauses.iter().any(|c| c.contains("FOREIGN KEY")));
            // MariaDB keeps a foreign key that DROP CONSTRAINT names where the statement adds another one.
            let adds = |c: &String| c.starts_with("ADD ") && c.contains("FOREIGN KEY");
            if view.flavor == Flavor::MariaDb && clauses.iter().any(adds) {
                clauses.retain(|c| !c.starts_with("DROP CONSTRAINT"));
            }
            // What is dropped and added is named by no other clause.
            if let Some(again) =
                clauses.iter().position(|c| c.starts_with("DROP ") && c.contains(", ADD "))
            {
                clauses = vec![clauses.swap_remove(again)];
            }
            if random.once_in(15) && !forgets {
                let at = random.below(clauses.len() + 1);
                clauses.insert(at, format!("RENAME TO {}", new_table(random, view)));
            }
            let exists = view.flavor == Flavor::MariaDb && random.once_in(20);
            let exists = if exists { "IF EXISTS " } else { "" };
            format!("ALTER TABLE {exists}{table} {}", clauses.join(", "))
        }
    };
    Step::Sql(sql)
}

/// True where the statement that a server logs for a copy of a table makes the same table as it has made itself:
/// defaults that columns have been without are left out of it.
fn is_logged_in_full(schema: &TableSchema) -> bool {
    let escaped = |c: &Column| c.default.as_deref().is_some_and(|d| d.contains('\\'));
    let implied = |c: &Column| c.ty.kind == TypeKind::Timestamp || c.ty.compressed || escaped(c);
    !schema.columns.iter().any(implied)
}

fn create(random: &mut Random, view: &View) -> String {
    let table = new_table(random, view);
    let mut names = vec!["a", "b", "c", "d", "E", "f"];
    names.truncate(2 + random.below(5));
    let mut elements: Vec<String> =
        names.iter().map(|name| format!("{name} {}", definition(random, view))).collect();
    if random.once_in(2) {
        elements
            .insert(0, format!("id {}", random.pick(&["INT", "BIGINT UNSIGNED", "INT NOT NULL"])));
        if !random.once_in(6) {
            let key = random.pick(&["PRIMARY KEY (id)", "UNIQUE (id)", "PRIMARY KEY (id DESC)"]);
            elements.push(key.to_owned());
        }
        if let Some(reference) = foreign_key(random, view, "id") {
            elements.push(reference);
        }
    }
    if random.once_in(4) {
        elements.push(format!("g {}", generated(random, &names)));
    }
    for _ in 0..random.below(3) {
        let name = random.pick(&names);
        let prefix = random.pick(&["", "", "", "(3)", " DESC"]);
        let kind = random.pick(&["KEY", "UNIQUE", "KEY k1", "UNIQUE u1", "FULLTEXT"]);
        elements.push(format!("{kind} ({name}{prefix})"));
    }
    if random.once_in(6) {
        let name = random.pick(&["", "CONSTRAINT c1 "]);
        elements.push(format!("{name}CHECK ({} IS NOT NULL)", random.pick(&names)));
    }
    let mut options = random
        .pick(&[
            "",
            "",
            " CHARSET latin1",
            " COLLATE utf8mb4_bin",
            " COMMENT 'c' CHARACTER SET gbk",
            " ROW_FORMAT=COMPACT",
            " AUTO_INCREMENT=5",
            " ENGINE=MyISAM",
        ])
        .to_owned();
    if view.flavor == Flavor::MariaDb && random.once_in(12) {
        options.push_str(" WITH SYSTEM VERSIONING");
    }
    if random.once_in(8) {
        let column = random.pick(&names);
        options.push_str(&partitions(random, column));
    }
    let replace = view.flavor == Flavor::MariaDb && random.once_in(10);
    let verb = match replace {
        true => "CREATE OR REPLACE TABLE",
        false => random.pick(&["CREATE TABLE", "CREATE TABLE", "CREATE TABLE IF NOT EXISTS"]),
    };
    format!("{verb} {table} ({}){options}", elements.join(", "))
}

fn drop_table(random: &mut Random, view: &View) -> String {
    let (one, other) = (written(view.table(random).0), random.pick(&TABLES));
    match random.below(4) {
        0 => format!("DROP TABLE IF EXISTS {one}, {other}"),
        1 if view.tables.len() > 4 => "DROP DATABASE dm_oracle2".to_owned(),
        2 => "CREATE DATABASE IF NOT EXISTS dm_oracle2 CHARACTER SET latin1".to_owned(),
        _ => format!("DROP TABLE {one}"),
    }
}

/// One or more tables get other names; two or three swap theirs.
fn rename(random: &mut Random, view: &View) -> String {
    let one = written(view.table(random).0);
    let other = written(view.table(random).0);
    match random.below(4) {
        0 => format!("RENAME TABLE {one} TO x, {other} TO {one}, x TO {other}"),
        1 => {
            let (free, third) = (new_table(random, view), new_table(random, view));
            format!("RENAME TABLE {one} TO {free}, {other} TO {one}, {free} TO {third}")
        }
        2 => format!("ALTER TABLE {one} RENAME {}", new_table(random, view)),
        _ => format!("RENAME TABLE {one} TO {}", new_table(random, view)),
    }
}

fn create_like(random: &mut Random, view: &View) -> String {
    let (like, new) = (written(view.table(random).0), new_table(random, view));
    match random.below(3) {
        0 => format!("CREATE TABLE {new} (LIKE {like})"),
        1 => format!("CREATE TABLE IF NOT EXISTS {new} LIKE {like}"),
        _ => format!("CREATE TABLE {new} LIKE {like}"),
    }
}

/// A temporary table, which hides another one of its name, and tables made like it.
fn temporary(random: &mut Random, view: &View) -> String {
    match random.below(4) {
        0 => format!("CREATE TEMPORARY TABLE tmp (a {}, b INT, KEY (b))", definition(random, view)),
        // MySQL logs it as the table that it makes, but for its character set: a replica has another table then.
        1 if view.flavor == Flavor::MariaDb => {
            format!("CREATE TABLE {} LIKE tmp", new_table(random, view))
        }
        2 => format!("CREATE TABLE {} AS SELECT * FROM tmp", new_table(random, view)),
        _ => "DROP TEMPORARY TABLE IF EXISTS tmp".to_owned(),
    }
}

fn sequence(random: &mut Random, table: &str, view: &View, schema: &TableSchema) -> String {
    match random.below(4) {
        0 => "CREATE SEQUENCE IF NOT EXISTS s1 START WITH 5".to_owned(),
        // A table whose defaults use a sequence that is gone is shown no more: it stays.
        1 => "CREATE OR REPLACE SEQUENCE s1 INCREMENT 2".to_owned(),
        2 => "ALTER SEQUENCE s1 RESTART 7".to_owned(),
        _ => {
            let integer = |c: &Column| c.ty.kind == TypeKind::Int && c.generated.is_none();
            if !schema.columns.iter().any(integer) {
                return "CREATE SEQUENCE IF NOT EXISTS s1".to_owned();
            }
            let column = view.column_of(random, schema, integer);
            format!("ALTER TABLE {table} ALTER {column} SET DEFAULT (NEXT VALUE FOR s1)")
        }
    }
}

fn partition_statement(random: &mut Random, view: &View, table: &str) -> String {
    let column = {
        let schema = view.named(table).map(|(_, schema)| schema);
        schema.map_or("a".to_owned(), |s| view.column(random, s))
    };
    let partitioned = view.tables.iter().filter(|(_, s)| s.partitioning.is_some());
    let of = partitioned.map(|(name, _)| written(name)).next().unwrap_or_else(|| table.to_owned());
    match random.below(7) {
        0..=1 => format!("ALTER TABLE {table}{}", partitions(random, &column)),
        2 => format!("ALTER TABLE {of} REMOVE PARTITIONING"),
        3 => format!("ALTER TABLE {of} ADD PARTITION PARTITIONS 2"),
        4 => format!("ALTER TABLE {of} COALESCE PARTITION 1"),
        5 => format!("ALTER TABLE {of} DROP PARTITION p0"),
        _ => format!("ALTER TABLE {of} ADD PARTITION (PARTITION p9 VALUES LESS THAN (1000))"),
    }
}
