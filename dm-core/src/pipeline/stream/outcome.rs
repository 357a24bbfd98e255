//! Whether a statement that was under way when the task died has run: told by the structures of
//! its tables before it, after it, and now. Pure.

use dm_filter::TableName;

use super::picture::one_line;
use crate::ddl::{
    AlterSpec, Body, ParseContext, PartitionOp, ServerVersion, SqlMode, Statement, parse,
};
use crate::error::{Error, Result, codes};
use crate::schema::{
    Defaults, TableSchema, Tracker, create_table, differences, parse_create_table,
};
use crate::sql::quote_ident;

/// Tables with their structures; `None` for one that is not there.
pub(super) type Structures = Vec<(TableName, Option<TableSchema>)>;

/// Compared without what moves by itself (the counter of AUTO_INCREMENT) or is printed differently.
pub(super) fn same(left: &Structures, right: &Structures) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|((a, left), (b, right))| {
            a == b
                && match (left, right) {
                    (Some(left), Some(right)) => differences(left, right).is_empty(),
                    (None, None) => true,
                    _ => false,
                }
        })
}

/// True when the target shows tables as it did before, but for the counter of AUTO_INCREMENT.
pub(super) fn same_texts<'t>(
    before: impl Iterator<Item = Option<&'t str>>,
    now: impl Iterator<Item = Option<&'t str>>,
) -> bool {
    let plain = |text: &str| -> String {
        let words = text.split(' ').filter(|w| !w.starts_with("AUTO_INCREMENT="));
        words.collect::<Vec<_>>().join(" ")
    };
    before.map(|t| t.map(plain)).eq(now.map(|t| t.map(plain)))
}

pub(super) fn structures<'t>(
    texts: impl Iterator<Item = (&'t TableName, Option<String>)>,
) -> Result<Structures> {
    texts
        .map(|(table, text)| {
            let schema = text.map(|t| parse_create_table(&t, SqlMode::default())).transpose()?;
            Ok((table.clone(), schema))
        })
        .collect()
}

/// Whether a statement has run, told by the structures; `None` when they do not tell.
pub(super) fn ran(before: &Structures, after: &Structures, now: &Structures) -> Option<bool> {
    // Not told apart by what a server prints in its own words either (`int(11)` for INT).
    if same(before, after) {
        return None;
    }
    if now == before || now == after {
        return Some(now == after);
    }
    // A server prints a structure in its own words and fills in its defaults.
    match (same(now, before), same(now, after)) {
        (true, true) => return None,
        (before, after) if before || after => return Some(after),
        _ => {}
    }
    // A table that the statement makes or takes away tells by being there.
    let exist = |s: &Structures| s.iter().map(|(_, s)| s.is_some()).collect::<Vec<_>>();
    let (before, after, now) = (exist(before), exist(after), exist(now));
    (before != after && (now == before || now == after)).then(|| now == after)
}

/// Servers that fill in other defaults where a statement says nothing (the collation of a character
/// set that it names alone, for one).
const SERVERS: &[&str] =
    &["8.4.0", "5.7.44", "10.11.6-MariaDB", "11.8.2-MariaDB", "8.0.11-TiDB-v7.5.0"];

/// A statement of the target, as it was written: with names of `sql_mode`.
pub(super) fn reread(sql: &str, sql_mode: Option<&str>) -> Result<Statement> {
    let sql_mode = SqlMode::from_names(sql_mode.unwrap_or_default());
    parse(sql, &ParseContext { sql_mode, ..ParseContext::default() })
}

/// True for a statement that leaves the same however much of it has happened before. Rows of its tables wait for
/// it, so there are none that a second run could take.
pub(super) fn may_run_again(statement: &Statement) -> bool {
    match &statement.body {
        Body::TruncateTable(_) | Body::DropTable { if_exists: true, .. } => true,
        // Rows of a query come with it, in one group.
        Body::CreateTable(create) => create.or_replace && create.select.is_none(),
        _ => false,
    }
}

/// True for a statement that gives names to other things, or rows to other tables: a second run would be as good
/// for the server as the first one, and would undo it or do more.
pub(super) fn moves(statement: &Statement) -> bool {
    let swaps = |op: &PartitionOp| {
        use PartitionOp as P;
        matches!(op, P::Exchange | P::ConvertToTable | P::ConvertFromTable)
    };
    match &statement.body {
        Body::RenameTable(_) => true,
        Body::AlterTable(alter) => alter.clauses.iter().any(|clause| match &clause.spec {
            AlterSpec::RenameTable(_) | AlterSpec::RenameColumn { .. } => true,
            AlterSpec::RenameKey { .. } => true,
            AlterSpec::ChangeColumn { old, column, .. } => *old != column.name,
            AlterSpec::Partition(op) => swaps(op),
            _ => false,
        }),
        _ => false,
    }
}

/// How the target's tables look when the statement has run on them: as each of the servers would have
/// it, those that differ.
pub(super) fn expected(before: &Structures, statement: &Statement) -> Result<Vec<Structures>> {
    let mut all: Vec<Structures> = Vec::new();
    for server in SERVERS {
        match expected_at(Defaults::of(ServerVersion::parse(server)), before, statement) {
            Ok(after) if all.contains(&after) => {}
            Ok(after) => all.push(after),
            Err(error) if all.is_empty() => return Err(error),
            // One that the others have is no statement there.
            Err(_) => {}
        }
    }
    Ok(all)
}

/// As [`ran`], where servers would have left different structures. Only one that has run can have left
/// what one of them would; one that changes nothing at the target may be run again.
pub(super) fn ran_at_any(
    before: &Structures,
    after: &[Structures],
    now: &Structures,
) -> Option<bool> {
    let told: Vec<bool> = after.iter().filter_map(|after| ran(before, after, now)).collect();
    if told.contains(&true) { Some(true) } else { told.first().copied() }
}

fn expected_at(
    defaults: Defaults,
    before: &Structures,
    statement: &Statement,
) -> Result<Structures> {
    let mut tracker = Tracker::new(defaults);
    for (table, schema) in before {
        if let Some(schema) = schema {
            tracker.set(table.clone(), std::sync::Arc::new(schema.clone()), false);
        }
    }
    tracker.apply(statement)?;
    Ok(before
        .iter()
        .map(|(table, _)| (table.clone(), tracker.table(table).map(|s| (**s).clone())))
        .collect())
}

/// The stop at a statement of which nobody knows whether it ran, with all that tells a person.
pub(super) fn ambiguous(
    sql: &str,
    before: &Structures,
    after: &Structures,
    now: &Structures,
) -> Error {
    let mut text = format!(
        "the task died while {:?} ran at the target, and the structures do not tell whether it ran",
        short(sql)
    );
    for ((table, now), ((_, before), (_, after))) in now.iter().zip(before.iter().zip(after)) {
        let shown = |structure: &Option<TableSchema>| match structure {
            Some(schema) => one_line(&create_table(table, schema)),
            None => "not there".to_owned(),
        };
        text.push_str(&format!(
            "; {table} before: {}; after it: {}; now: {}",
            shown(before),
            shown(after),
            shown(now)
        ));
        if let (Some(now), Some(before), Some(after)) = (now, before, after) {
            text.push_str(&format!(
                "; now against before [{}], now against after [{}]",
                differences(before, now).join("; "),
                differences(after, now).join("; ")
            ));
        }
    }
    Error::new(&codes::SYNC_DDL_UNKNOWN, text)
}

/// A statement's beginning, for messages.
pub(super) fn short(sql: &str) -> String {
    let mut text: String = sql.chars().take(300).collect();
    if text.len() < sql.len() {
        text.push_str(" ...");
    }
    text
}

/// A key that a statement makes, and rows of the target that it does not allow: told as that.
pub(super) fn over_duplicates(error: Error) -> Error {
    const DUPLICATE: u16 = 1062;
    if error.server_error() != Some(DUPLICATE) {
        return error;
    }
    error
        .context("rows of the target have values twice that a key of the statement wants once; those of the source have not")
        .workaround(
            "Find them at the target (`SELECT key columns, COUNT(*) FROM table GROUP BY key columns HAVING COUNT(*) > 1`), \
             compare with the source and remove those that it does not have, or let the target have a key that is not \
             unique; then start the task again.",
        )
}

/// A schema that the target does not have: told with what makes it. A route may send tables to one of which no
/// statement of the source speaks.
pub(super) fn without_schema(error: Error, tables: &[TableName]) -> Error {
    const UNKNOWN_SCHEMA: u16 = 1049;
    if error.server_error() != Some(UNKNOWN_SCHEMA) {
        return error;
    }
    let mut schemas: Vec<String> = tables.iter().map(|t| quote_ident(&t.schema)).collect();
    schemas.dedup();
    let schemas = schemas.join(", ");
    error.workaround(format!(
        "The task's routes send the statement's tables to the schema {schemas}, which the target does not have (a copy \
         makes the schemas of the tables that it copies; afterwards only CREATE DATABASE of a schema that goes there does). Make it \
         (`CREATE DATABASE ...`, with the character set of the source's schema), or correct `target-schema` of the \
         route; then resume, or start the task again.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(tables: &[(&str, &str)]) -> Structures {
        let schema = |text: &str| {
            let parsed = |t| parse_create_table(t, SqlMode::default()).unwrap();
            (!text.is_empty()).then(|| parsed(text))
        };
        tables.iter().map(|(name, text)| (TableName::new("d", *name), schema(text))).collect()
    }

    fn ran_on(tables: &[(&str, &str)], sql: &str, now: &[(&str, &str)]) -> Option<bool> {
        let before = state(tables);
        let after = expected(&before, &reread(sql, None).unwrap()).unwrap();
        ran_at_any(&before, &after, &state(now))
    }

    const PLAIN: &str = "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))";
    const PRINTED: &str = "CREATE TABLE `t` (`id` int(11) NOT NULL, PRIMARY KEY (`id`)) \
                           ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

    #[test]
    fn a_table_that_is_made_or_dropped_tells_by_being_there() {
        let create = "CREATE TABLE IF NOT EXISTS d.t (id int primary key)";
        assert_eq!(ran_on(&[("t", "")], create, &[("t", PRINTED)]), Some(true));
        assert_eq!(ran_on(&[("t", "")], create, &[("t", "")]), Some(false));
        let drop = "DROP TABLE IF EXISTS d.t";
        assert_eq!(ran_on(&[("t", PRINTED)], drop, &[("t", "")]), Some(true));
        assert_eq!(ran_on(&[("t", PRINTED)], drop, &[("t", PRINTED)]), Some(false));
        let rename = "RENAME TABLE d.t TO d.u";
        let (old, new) = ([("t", PRINTED), ("u", "")], [("t", ""), ("u", PRINTED)]);
        assert_eq!(ran_on(&old, rename, &new), Some(true));
        assert_eq!(ran_on(&old, rename, &old), Some(false));
        assert_eq!(ran_on(&old, rename, &[("t", ""), ("u", "")]), None);
    }

    #[test]
    fn what_a_second_run_would_undo() {
        let moves = |sql: &str| moves(&reread(sql, Some("ANSI_QUOTES")).unwrap());
        for sql in [
            "RENAME TABLE d.a TO d.x, d.b TO d.a, d.x TO d.b",
            "ALTER TABLE d.t CHANGE b a INT AFTER id, CHANGE a b INT AFTER a",
            "ALTER TABLE d.t ADD c INT, RENAME COLUMN \"a\" TO b",
            "ALTER TABLE d.t EXCHANGE PARTITION p WITH TABLE d.u",
        ] {
            assert!(moves(sql), "{sql}");
        }
        for sql in [
            "ALTER TABLE d.t CHANGE a a BIGINT, COMMENT 'to RENAME or EXCHANGE'",
            "ALTER TABLE d.t DROP PARTITION p",
            "DROP TABLE d.a",
        ] {
            assert!(!moves(sql), "{sql}");
        }
    }

    #[test]
    fn what_may_be_finished_by_a_second_run() {
        let again = |sql: &str| may_run_again(&reread(sql, None).unwrap());
        assert!(again("DROP TABLE IF EXISTS d.t, d.u") && again("TRUNCATE d.t"));
        assert!(
            again("CREATE OR REPLACE TABLE d.t (id INT)") && !again("CREATE TABLE d.t (id INT)")
        );
        assert!(!again("CREATE OR REPLACE TABLE d.t SELECT * FROM d.u"));
        assert!(!again("DROP TABLE d.t, d.u") && !again("ALTER TABLE d.t TRUNCATE PARTITION p"));
        let half = ran_on(
            &[("t", PRINTED), ("u", PRINTED)],
            "DROP TABLE IF EXISTS d.t, d.u",
            &[("t", PRINTED), ("u", "")],
        );
        assert_eq!(half, None);
    }

    #[test]
    fn columns_that_change_places_may_look_as_before() {
        let table = "CREATE TABLE `t` (`id` int(11) NOT NULL, `a` int(11) DEFAULT NULL, `b` int(11) DEFAULT NULL, \
                     PRIMARY KEY (`id`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
        let swap = "ALTER TABLE d.t CHANGE b a INT AFTER id, CHANGE a b INT AFTER a";
        assert_eq!(ran_on(&[("t", table)], swap, &[("t", table)]), None);
        let swap = "ALTER TABLE d.t CHANGE a b INT, CHANGE b a INT";
        assert_eq!(ran_on(&[("t", table)], swap, &[("t", table)]), Some(false));
    }

    #[test]
    fn counters_do_not_count() {
        let text = |options: &str| Some(format!("CREATE TABLE `t` (`id` int) {options}"));
        let same = |before: Option<String>, now: Option<String>| {
            same_texts([before.as_deref()].into_iter(), [now.as_deref()].into_iter())
        };
        assert!(same(
            text("ENGINE=InnoDB AUTO_INCREMENT=5"),
            text("ENGINE=InnoDB AUTO_INCREMENT=9")
        ));
        assert!(same(text("ENGINE=InnoDB"), text("ENGINE=InnoDB AUTO_INCREMENT=9")));
        assert!(!same(text("ENGINE=InnoDB"), text("ENGINE=InnoDB PARTITION BY KEY (id)")));
        assert!(!same(text(""), None) && same(None, None));
    }

    #[test]
    fn the_words_of_a_server_do_not_matter() {
        let add = "ALTER TABLE d.t ADD COLUMN v int";
        let added = PRINTED.replace(", PRIMARY", ", `v` int(11) DEFAULT NULL, PRIMARY");
        assert_eq!(ran_on(&[("t", PRINTED)], add, &[("t", &added)]), Some(true));
        assert_eq!(ran_on(&[("t", PLAIN)], add, &[("t", PLAIN)]), Some(false));
        let other = PRINTED.replace(", PRIMARY", ", `w` text, PRIMARY");
        assert_eq!(ran_on(&[("t", PRINTED)], add, &[("t", &other)]), None);
    }

    #[test]
    fn a_server_fills_in_its_own_collation() {
        let convert = "ALTER TABLE d.t CONVERT TO CHARACTER SET utf8mb4";
        let text = |collation: &str| {
            let charset = collation.split('_').next().unwrap();
            format!("CREATE TABLE t (v varchar(9)) DEFAULT CHARSET={charset} COLLATE={collation}")
        };
        let ran = |before: &str, now: &str| {
            ran_on(&[("t", &text(before))], convert, &[("t", &text(now))])
        };
        let servers =
            ["utf8mb4_0900_ai_ci", "utf8mb4_general_ci", "utf8mb4_uca1400_ai_ci", "utf8mb4_bin"];
        for collation in servers {
            assert_eq!(ran("latin1_bin", collation), Some(true), "{collation}");
        }
        assert_eq!(ran("latin1_bin", "latin1_bin"), Some(false));
        assert_eq!(ran("latin1_bin", "utf8mb4_icelandic_ci"), None);
        // Whatever the server: what it left is what it was.
        assert_eq!(ran("utf8mb4_general_ci", "utf8mb4_general_ci"), Some(false));
    }

    #[test]
    fn a_key_into_the_same_schema_may_name_it() {
        let table = |name: &str| {
            let key = format!("CONSTRAINT `{name}` FOREIGN KEY (`p`) REFERENCES `p` (`id`)");
            format!("CREATE TABLE `t` (`p` int(11) DEFAULT NULL, KEY `p` (`p`), {key})")
        };
        let renamed = "ALTER TABLE `d`.`t` DROP FOREIGN KEY `a`, \
                       ADD CONSTRAINT `_a` FOREIGN KEY (`p`) REFERENCES `d`.`p` (`id`)";
        let ran = |now: &str| ran_on(&[("t", &table("a"))], renamed, &[("t", &table(now))]);
        assert_eq!((ran("_a"), ran("a"), ran("b")), (Some(true), Some(false), None));
    }
}
