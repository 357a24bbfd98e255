//! Reads a structure from the text that a server prints.

use super::build::Builder;
use super::charset::Defaults;
use super::table::TableSchema;
use crate::ddl::{
    self, Body, CreateTable, Flavor, ParseContext, ServerVersion, SqlMode, Statement,
};
use crate::error::{Error, Result, codes};

/// The CREATE TABLE with columns that a statement is.
///
/// # Errors
///
/// 44009 when it is something else.
pub(crate) fn created<'s>(statement: &'s Statement, sql: &str) -> Result<&'s CreateTable> {
    match &statement.body {
        Body::CreateTable(create) if !create.elements.is_empty() => Ok(create),
        _ => {
            let head: String = sql.chars().take(60).collect();
            let text = format!("not a CREATE TABLE with columns: `{head}`");
            Err(Error::new(&codes::SCHEMA_NOT_CREATE, text))
        }
    }
}

/// Reads the structure in the answer of `SHOW CREATE TABLE`, of any server and version.
///
/// `mode` is the `sql_mode` of the session that asked: under ANSI_QUOTES servers print names in
/// double quotes. Ask without NO_BACKSLASH_ESCAPES: MySQL doubles backslashes in its answer even
/// then, and the text would be taken by its word. Such a text leaves nothing to server settings except the collation of a
/// character set that is printed alone, which is then the one compiled in.
///
/// # Errors
///
/// 44009 when the text is no CREATE TABLE with columns, 36067 when it cannot be read.
pub fn parse_create_table(sql: &str, mode: SqlMode) -> Result<TableSchema> {
    let context = ParseContext { sql_mode: mode, ..ParseContext::default() };
    let statement = ddl::parse(sql, &context)?;
    let create = created(&statement, sql)?;
    let mut defaults = Defaults::of(ServerVersion::new(Flavor::MySql, 8, 0, 36));
    // Servers that print utf8mb4 without its collation are those where this is the default.
    defaults.charset_collations.insert("utf8mb4".to_owned(), "utf8mb4_general_ci".to_owned());
    // Nothing may be added or promoted: strict, whatever the session's mode.
    let mode = mode.with(SqlMode::STRICT_ALL_TABLES);
    let mut builder = Builder::new(&defaults, mode, &create.name.table, ("", ""));
    builder.shown = true;
    Ok(builder.table(create))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{KeyKind, TypeKind};

    fn parse(sql: &str) -> TableSchema {
        parse_create_table(sql, SqlMode::default()).unwrap()
    }

    #[test]
    fn mysql_print() {
        let table = parse(
            "CREATE TABLE `t` (\n  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  \
             `name` varchar(255) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'it''s' COMMENT 'x',\n  \
             `n` decimal(10,2) DEFAULT '0.00',\n  `g` int GENERATED ALWAYS AS ((`n` + 1)) STORED,\n  \
             `ts` timestamp(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),\n  \
             `txt` mediumtext,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`name`(10),`n` DESC),\n  \
             KEY `k` ((lower(`name`))),\n  CONSTRAINT `fk` FOREIGN KEY (`n`) REFERENCES `o`.`p` (`x`) ON DELETE CASCADE\n\
             ) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='c'",
        );
        assert_eq!(table.columns.len(), 6);
        assert_eq!(table.collation, "utf8mb4_0900_ai_ci");
        let name = &table.columns[1];
        assert_eq!(
            (name.ty.charset.as_str(), name.ty.collation.as_str()),
            ("latin1", "latin1_bin")
        );
        assert_eq!(name.default.as_deref(), Some("'it''s'"));
        assert_eq!(table.columns[2].default.as_deref(), Some("0.00"));
        assert!(table.columns[3].generated.as_ref().is_some_and(|g| g.stored));
        assert_eq!(table.columns[4].ty.decimals, Some(3));
        assert_eq!(table.columns[5].ty.kind, TypeKind::MediumText);
        assert_eq!(table.columns[5].ty.collation, "utf8mb4_0900_ai_ci");
        let kinds: Vec<_> = table.keys.iter().map(|k| (k.name.as_str(), k.kind)).collect();
        assert_eq!(
            kinds,
            [("PRIMARY", KeyKind::Primary), ("u", KeyKind::Unique), ("k", KeyKind::Plain)]
        );
        assert_eq!(table.foreign_keys[0].parent_schema, "o");
        assert_eq!(table.comment, "c");
    }

    #[test]
    fn mariadb_and_tidb_print() {
        let table = parse(
            "CREATE TABLE `t` (`j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL \
             CHECK (json_valid(`j`)), `d` datetime DEFAULT current_timestamp(), `u` uuid DEFAULT uuid()) \
             ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci",
        );
        assert_eq!(table.checks[0].column.as_deref(), Some("j"));
        assert_eq!(table.columns[1].default.as_deref(), Some("CURRENT_TIMESTAMP"));
        assert_eq!(table.columns[2].default.as_deref(), Some("(uuid())"));
        let table = parse(
            "CREATE TABLE `t` (\n  `id` bigint(20) NOT NULL /*T![auto_rand] AUTO_RANDOM(5) */,\n  \
             PRIMARY KEY (`id`) /*T![clustered_index] CLUSTERED */\n) ENGINE=InnoDB DEFAULT \
             CHARSET=utf8mb4 COLLATE=utf8mb4_bin /*T![auto_rand_base] AUTO_RANDOM_BASE=30001 */",
        );
        assert_eq!(table.primary_key().unwrap().options, ["CLUSTERED"]);
        assert_eq!(table.columns[0].attributes, ["AUTO_RANDOM(5)"]);
    }

    #[test]
    fn other_texts_are_refused() {
        let number = |sql| parse_create_table(sql, SqlMode::default()).unwrap_err().code().number;
        assert_eq!(number("DROP TABLE t"), 44_009);
        assert_eq!(number("CREATE TABLE t LIKE u"), 44_009);
        assert_eq!(number("CREATE TABLE t (a FOO)"), 36_067);
    }
}
