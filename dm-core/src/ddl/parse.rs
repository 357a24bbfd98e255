//! Finds out what a statement is and reads it.
//!
//! Guarantee: a text is either recognised as one of the classes of [`super::StatementKind`], with every
//! name that routing would have to replace, or it is an error with the place where reading
//! stopped. Nothing is skipped silently: what the structural statements contain must fit the
//! grammar to the end.

use super::ast::{CreateIndex, DatabaseDef, DropIndex, KeyKind};
use super::cursor::Cursor;
use super::lexer::{self, Comments};
use super::server::ServerVersion;
use super::statement::{Body, NameRole, ParseContext, Statement, StatementKind as K};
use crate::error::Result;

/// Reads one statement.
///
/// A semicolon may end it. The text of a trigger, routine or event may hold more of them.
///
/// # Errors
///
/// 36067 when the text is none of the statements of MySQL 5.6-9.7, MariaDB 10.1-11.8 and TiDB.
pub fn parse(sql: &str, context: &ParseContext) -> Result<Statement> {
    let comments = context.server.map_or(Comments::All, ServerVersion::comments);
    let lexed = lexer::lex(sql, context.sql_mode, comments);
    let mut cursor = Cursor::new(sql, &lexed, context);
    let mut found = Found::default();
    let kind = cursor.statement(&mut found)?;
    cursor.own_columns(found.body.as_ref());
    let mut names = std::mem::take(&mut cursor.names);
    names.sort_by_key(|n| n.span.start);
    Ok(Statement {
        sql: sql.to_owned(),
        kind,
        body: found.body.unwrap_or(Body::Other),
        names,
        condition_at: found.condition_at,
        context: context.clone(),
    })
}

/// What reading brings to light besides the class.
#[derive(Default)]
pub(super) struct Found {
    pub body: Option<Body>,
    pub condition_at: Option<usize>,
}

impl Cursor<'_> {
    fn statement(&mut self, found: &mut Found) -> Result<K> {
        if self.at_end() {
            self.expect_end()?;
            return Ok(K::Empty);
        }
        while self.eat_kws(&["SET", "STATEMENT"]) {
            // MariaDB: SET STATEMENT variable = value FOR statement.
            while !self.is_kw("FOR") {
                self.skip_one()?;
            }
            self.advance();
        }
        if self.eat_kw("CREATE") {
            return self.create(found);
        }
        if self.eat_kw("ALTER") {
            return self.alter(found);
        }
        if self.eat_kw("DROP") {
            return self.drop(found);
        }
        if self.eat_kw("RENAME") {
            return self.rename(found);
        }
        if self.eat_kw("TRUNCATE") {
            self.eat_kw("TABLE");
            let name = self.name(NameRole::Table)?;
            self.lock_wait()?;
            self.expect_end()?;
            found.body = Some(Body::TruncateTable(name));
            return Ok(K::TruncateTable);
        }
        self.other_statement()
    }

    /// Notes where IF \[NOT\] EXISTS could stand, and takes it if it stands there.
    fn condition(&mut self, found: &mut Found, not: bool) -> bool {
        let here = self.offset();
        let there = if not { self.if_not_exists() } else { self.if_exists() };
        if !there {
            found.condition_at = Some(here);
        }
        there
    }

    fn create(&mut self, found: &mut Found) -> Result<K> {
        let or_replace = self.eat_kws(&["OR", "REPLACE"]);
        let temporary = self.eat_kw("TEMPORARY") || self.eat_kws(&["GLOBAL", "TEMPORARY"]);
        if self.eat_kw("TABLE") {
            let mark = self.mark();
            let here = self.offset();
            if !self.if_not_exists() {
                found.condition_at = Some(here);
            }
            self.reset(mark);
            let create = self.create_table(or_replace, temporary)?;
            found.body = Some(Body::CreateTable(Box::new(create)));
            return Ok(K::CreateTable);
        }
        if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            let if_not_exists = self.condition(found, true);
            let name = self.schema_name()?;
            let def = DatabaseDef { name, or_replace, if_not_exists, ..DatabaseDef::default() };
            found.body = Some(Body::CreateDatabase(self.database_options(def)?));
            return Ok(K::CreateDatabase);
        }
        if self.eat_kw("HYPO") {
            self.skip_rest()?;
            return Ok(K::TiDbObject);
        }
        if let Some(kind) = self.index_kind() {
            return self.create_index(found, kind, or_replace);
        }
        self.create_other()
    }

    fn index_kind(&mut self) -> Option<KeyKind> {
        self.eat_any(&["ONLINE", "OFFLINE"]);
        let kinds = [
            ("UNIQUE", KeyKind::Unique),
            ("FULLTEXT", KeyKind::FullText),
            ("SPATIAL", KeyKind::Spatial),
            ("VECTOR", KeyKind::Vector),
            ("COLUMNAR", KeyKind::Columnar),
        ];
        for (word, kind) in kinds {
            if self.eat_kws(&[word, "INDEX"]) {
                return Some(kind);
            }
        }
        self.eat_kw("INDEX").then_some(KeyKind::Plain)
    }

    fn create_index(&mut self, found: &mut Found, kind: KeyKind, or_replace: bool) -> Result<K> {
        let if_not_exists = self.condition(found, true);
        let name = self.ident()?;
        let mut options = Vec::new();
        if self.is_any(&["USING", "TYPE"]) {
            options.push(self.using()?);
        }
        self.expect_kw("ON")?;
        let table = self.name(NameRole::Table)?;
        self.lock_wait()?;
        if self.is_any(&["USING", "TYPE"]) {
            options.push(self.using()?);
        }
        let mut key = self.key_body(kind, Some(name))?;
        key.if_not_exists = if_not_exists;
        key.options.splice(0..0, options);
        self.lock_wait()?;
        while self.key_option(&mut key)? || self.algorithm_or_lock()? {}
        self.expect_end()?;
        found.body = Some(Body::CreateIndex(CreateIndex { table, or_replace, key }));
        Ok(K::CreateIndex)
    }

    fn algorithm_or_lock(&mut self) -> Result<bool> {
        if self.eat_option("ALGORITHM") || self.eat_option("LOCK") {
            self.ident()?;
            return Ok(true);
        }
        Ok(false)
    }

    fn database_options(&mut self, mut def: DatabaseDef) -> Result<DatabaseDef> {
        while !self.at_end() {
            self.eat_kw("DEFAULT");
            if self.eat_kw("CHARSET")
                || self.eat_kws(&["CHARACTER", "SET"])
                || self.eat_kws(&["CHAR", "SET"])
            {
                self.eat(b'=');
                def.charset = Some(self.charset_word()?);
            } else if self.eat_option("COLLATE") {
                def.collation = Some(self.collation_word()?);
            } else if self.eat_option("COMMENT") {
                self.string()?;
            } else if self.eat_option("ENCRYPTION") || self.eat_kws(&["READ", "ONLY"]) {
                self.eat(b'=');
                self.skip_one()?;
            } else if self.eat_kws(&["UPGRADE", "DATA", "DIRECTORY", "NAME"]) {
                // Said in full by the words.
            } else if self.eat_kws(&["PLACEMENT", "POLICY"]) || self.eat_kws(&["SET", "TIFLASH"]) {
                self.skip_rest()?;
            } else {
                return Err(self.unexpected("an option of a database"));
            }
            self.eat(b',');
        }
        self.expect_end()?;
        Ok(def)
    }

    fn alter(&mut self, found: &mut Found) -> Result<K> {
        let mark = self.mark();
        while self.eat_any(&["ONLINE", "OFFLINE", "IGNORE"]).is_some() {}
        if self.eat_kw("TABLE") {
            found.body = Some(Body::AlterTable(self.alter_table()?));
            return Ok(K::AlterTable);
        }
        self.reset(mark);
        if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            let name = self.altered_schema()?;
            let def = DatabaseDef { name, ..DatabaseDef::default() };
            found.body = Some(Body::AlterDatabase(self.database_options(def)?));
            return Ok(K::AlterDatabase);
        }
        self.alter_other()
    }

    /// The schema of ALTER DATABASE, which may be left out.
    fn altered_schema(&mut self) -> Result<String> {
        let options =
            ["CHARACTER", "CHARSET", "CHAR", "COLLATE", "DEFAULT", "ENCRYPTION", "COMMENT"];
        let left_out = self.is_any(&options)
            && !(self.is_any(&["ENCRYPTION", "COMMENT"]) && self.is_any_at(1, &options));
        let read_only = self.is_kw("READ") && self.is_kw_at(1, "ONLY");
        let placement = self.is_kw("PLACEMENT") && self.is_kw_at(1, "POLICY");
        if !left_out && !read_only && !placement {
            return self.schema_name();
        }
        self.implied_schema();
        Ok(self.ctx.default_schema.clone())
    }

    fn is_any_at(&self, ahead: usize, words: &[&str]) -> bool {
        words.iter().any(|w| self.is_kw_at(ahead, w))
    }

    fn drop(&mut self, found: &mut Found) -> Result<K> {
        let temporary = self.eat_kw("TEMPORARY") || self.eat_kws(&["GLOBAL", "TEMPORARY"]);
        if self.eat_any(&["TABLE", "TABLES"]).is_some() {
            let if_exists = self.condition(found, false);
            let tables = self.name_list(NameRole::Table)?;
            // MariaDB waits before RESTRICT.
            self.lock_wait()?;
            self.eat_any(&["RESTRICT", "CASCADE"]);
            self.lock_wait()?;
            self.expect_end()?;
            found.body = Some(Body::DropTable { tables, if_exists, temporary });
            return Ok(K::DropTable);
        }
        if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            let if_exists = self.condition(found, false);
            let name = self.schema_name()?;
            self.expect_end()?;
            found.body = Some(Body::DropDatabase { name, if_exists });
            return Ok(K::DropDatabase);
        }
        self.eat_any(&["ONLINE", "OFFLINE"]);
        if self.eat_kw("HYPO") {
            self.skip_rest()?;
            return Ok(K::TiDbObject);
        }
        if self.eat_kw("INDEX") {
            let if_exists = self.condition(found, false);
            let name = self.ident()?;
            self.expect_kw("ON")?;
            let table = self.name(NameRole::Table)?;
            self.lock_wait()?;
            while self.algorithm_or_lock()? {}
            self.expect_end()?;
            found.body = Some(Body::DropIndex(DropIndex { table, if_exists, name }));
            return Ok(K::DropIndex);
        }
        self.drop_other()
    }

    fn rename(&mut self, found: &mut Found) -> Result<K> {
        if self.eat_kw("USER") {
            self.skip_rest()?;
            return Ok(K::User);
        }
        if self.eat_any(&["TABLE", "TABLES"]).is_none() {
            return Err(self.unexpected("TABLE or USER"));
        }
        self.condition(found, false);
        let mut pairs = Vec::new();
        loop {
            let old = self.name(NameRole::Table)?;
            self.lock_wait()?;
            self.expect_kw("TO")?;
            pairs.push((old, self.name(NameRole::NewName)?));
            if !self.eat(b',') {
                break;
            }
        }
        self.expect_end()?;
        found.body = Some(Body::RenameTable(pairs));
        Ok(K::RenameTable)
    }
}
