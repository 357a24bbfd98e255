//! Recognises the statements that define nothing: rows, maintenance, transactions, grants, and what is told by
//! its first words alone. Their names are found; their insides are passed over.

use dm_filter::TableName;

use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::{NameRef, NameRole, StatementKind as K};
use crate::error::Result;

impl Cursor<'_> {
    /// Statements that begin with another word than CREATE, ALTER, DROP, RENAME, TRUNCATE.
    pub(super) fn other_statement(&mut self) -> Result<K> {
        if self.is_any(&["GRANT", "REVOKE"]) {
            return self.grant();
        }
        if let Some(kind) = self.maintenance()? {
            self.skip_rest()?;
            self.expect_end()?;
            return Ok(kind);
        }
        if let Some(kind) = self.row_statement()? {
            return Ok(kind);
        }
        let kind = self.simple_kind().ok_or_else(|| self.unexpected("a statement"))?;
        if kind == K::Use {
            self.advance();
            self.schema_name()?;
        }
        if matches!(kind, K::Begin | K::Prepare) && self.is_kw_at(1, "NOT") {
            // MariaDB: BEGIN NOT ATOMIC ... END.
            self.skip_all()?;
        }
        self.skip_rest()?;
        self.expect_end()?;
        Ok(kind)
    }

    /// Statements told by their first words alone.
    fn simple_kind(&self) -> Option<K> {
        let second = |w: &str| self.is_kw_at(1, w);
        let first = [
            ("BEGIN", K::Begin),
            ("COMMIT", K::Commit),
            ("ROLLBACK", K::Rollback),
            ("SAVEPOINT", K::Savepoint),
            ("XA", K::Xa),
            ("UNLOCK", K::UnlockTables),
            ("USE", K::Use),
            ("FLUSH", K::Flush),
            ("RESET", K::Reset),
            ("KILL", K::Kill),
            ("CALL", K::Call),
            ("DO", K::Do),
            ("HANDLER", K::Handler),
            ("PREPARE", K::Prepare),
            ("EXECUTE", K::Prepare),
            ("DEALLOCATE", K::Prepare),
            ("SHOW", K::Show),
            ("EXPLAIN", K::Show),
            ("DESCRIBE", K::Show),
            ("DESC", K::Show),
            ("HELP", K::Show),
            ("INSTALL", K::Plugin),
            ("UNINSTALL", K::Plugin),
            ("CHANGE", K::Admin),
            ("START", K::Admin),
            ("STOP", K::Admin),
            ("PURGE", K::Admin),
            ("BINLOG", K::Admin),
            ("CLONE", K::Admin),
            ("SHUTDOWN", K::Admin),
            ("RESTART", K::Admin),
            ("IMPORT", K::Admin),
            ("BACKUP", K::Admin),
            ("SIGNAL", K::Admin),
            ("RESIGNAL", K::Admin),
            ("GET", K::Admin),
            ("FLASHBACK", K::TiDbAdmin),
            ("RECOVER", K::TiDbAdmin),
            ("SPLIT", K::TiDbAdmin),
            ("BATCH", K::TiDbAdmin),
            ("ADMIN", K::TiDbAdmin),
            ("DISTRIBUTE", K::TiDbAdmin),
            ("CANCEL", K::TiDbAdmin),
            ("TRAFFIC", K::TiDbAdmin),
            ("CALIBRATE", K::TiDbAdmin),
            ("QUERY", K::TiDbAdmin),
            ("PLAN", K::TiDbAdmin),
            ("RECOMMEND", K::TiDbAdmin),
            ("RESTORE", K::TiDbAdmin),
            ("REFRESH", K::TiDbAdmin),
        ];
        if self.is_kw("START") && second("TRANSACTION") {
            return Some(K::Begin);
        }
        if self.is_kw("RELEASE") && second("SAVEPOINT") {
            return Some(K::ReleaseSavepoint);
        }
        if self.is_kw("LOCK") && (second("TABLES") || second("TABLE")) {
            return Some(K::LockTables);
        }
        if self.is_kw("CACHE") && second("INDEX") {
            return Some(K::CacheIndex);
        }
        if self.is_kw("LOAD") && second("INDEX") {
            return Some(K::CacheIndex);
        }
        if self.is_any(&["LOAD", "LOCK", "UNLOCK"]) && second("STATS") {
            return Some(K::TiDbAdmin);
        }
        if self.is_kw("SET") {
            return Some(self.set_kind());
        }
        first.into_iter().find(|(word, _)| self.is_kw(word)).map(|(_, kind)| kind)
    }

    fn set_kind(&self) -> K {
        let second = |w: &str| self.is_kw_at(1, w);
        if second("PASSWORD") {
            K::SetPassword
        } else if second("ROLE") || (second("DEFAULT") && self.is_kw_at(2, "ROLE")) {
            K::Role
        } else if second("RESOURCE") {
            K::ResourceGroup
        } else {
            K::Set
        }
    }

    /// ANALYZE, OPTIMIZE, REPAIR, CHECK, CHECKSUM, with their tables.
    fn maintenance(&mut self) -> Result<Option<K>> {
        let words = [
            ("ANALYZE", K::Analyze),
            ("OPTIMIZE", K::Optimize),
            ("REPAIR", K::Repair),
            ("CHECK", K::Check),
            ("CHECKSUM", K::Checksum),
        ];
        for (word, kind) in words {
            if !self.eat_kw(word) {
                continue;
            }
            self.eat_any(&["NO_WRITE_TO_BINLOG", "LOCAL", "INCREMENTAL"]);
            if self.eat_any(&["TABLE", "TABLES"]).is_some() {
                self.name_list(NameRole::Table)?;
            } else if self.eat_any(&["VIEW", "VIEWS"]).is_some() {
                self.name_list(NameRole::View)?;
            } else if kind == K::Analyze {
                // MariaDB and TiDB: ANALYZE in front of a statement of rows.
                return Ok(Some(K::Show));
            } else {
                return Err(self.unexpected("TABLE"));
            }
            return Ok(Some(kind));
        }
        Ok(None)
    }

    /// Statements of rows. With row-based logging they are shown for information only.
    fn row_statement(&mut self) -> Result<Option<K>> {
        let kind = if self.is(b'(') || self.is_any(&["SELECT", "WITH", "VALUES", "TABLE"]) {
            K::Select
        } else if self.eat_kw("INSERT") {
            K::Insert
        } else if self.eat_kw("REPLACE") {
            K::Replace
        } else if self.eat_kw("UPDATE") {
            K::Update
        } else if self.eat_kw("DELETE") {
            K::Delete
        } else if (self.is_kw("LOAD") && (self.is_kw_at(1, "DATA") || self.is_kw_at(1, "XML")))
            || (self.is_kw("IMPORT") && self.is_kw_at(1, "INTO"))
        {
            K::LoadData
        } else {
            return Ok(None);
        };
        if kind == K::LoadData {
            while !self.at_end() && !self.eat_kw("INTO") {
                self.skip_one()?;
            }
            self.eat_kw("TABLE");
            self.name(NameRole::Table)?;
            self.skip_rest()?;
        } else if matches!(kind, K::Select | K::Delete) {
            let in_list = kind == K::Delete && self.deleted_by_alias();
            self.query_from(NameRole::Table, in_list)?;
        } else {
            while self
                .eat_any(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE", "INTO"])
                .is_some()
            {}
            if kind == K::Update {
                self.query_from(NameRole::Table, true)?;
            } else {
                if self.is_ident_at(0) {
                    self.name(NameRole::Table)?;
                }
                self.query(NameRole::Table)?;
            }
        }
        self.expect_end()?;
        Ok(Some(kind))
    }

    /// Passes over `FROM a, b USING` of a DELETE: what stands before USING are names of the list behind it.
    fn deleted_by_alias(&mut self) -> bool {
        let mark = self.mark();
        while self.eat_any(&["LOW_PRIORITY", "QUICK", "IGNORE"]).is_some() {}
        if self.eat_kw("FROM") {
            let joins = |c: &Self| [b',', b'.', b'*'].iter().any(|p| c.is(*p));
            while joins(self) || (self.is_ident_at(0) && !self.is_kw("USING")) {
                self.advance();
            }
            if self.eat_kw("USING") {
                return true;
            }
        }
        self.reset(mark);
        false
    }

    /// GRANT and REVOKE: the object behind ON.
    fn grant(&mut self) -> Result<K> {
        let kind = if self.is_kw("GRANT") { K::Grant } else { K::Revoke };
        self.advance();
        self.if_exists();
        // PROXY is given on a user.
        let on_user = self.is_kw("PROXY") && self.is_kw_at(1, "ON");
        while !self.at_end() && !self.is_any(&["ON", "TO", "FROM"]) {
            self.skip_one()?;
        }
        if !on_user && self.eat_kw("ON") {
            self.grant_object()?;
        }
        self.skip_rest()?;
        self.expect_end()?;
        Ok(kind)
    }

    fn grant_object(&mut self) -> Result {
        if self.is_any(&["TABLE", "PROCEDURE", "FUNCTION", "PACKAGE", "LIBRARY"])
            && !self.is_punct_at(1, b'.')
        {
            self.advance();
            self.eat_kw("BODY");
        }
        if self.is(b'*') {
            return Ok(());
        }
        // A user: proxy privileges.
        if self.is_punct_at(1, b'@') || self.kind(0) == Some(TokenKind::String) {
            return Ok(());
        }
        if self.is_punct_at(1, b'.') && self.is_punct_at(2, b'*') {
            let start = self.offset();
            let name = self.ident()?;
            self.names.push(NameRef {
                span: start..self.last_end(),
                role: NameRole::GrantedSchema,
                name: TableName::schema_only(name),
                qualified: true,
                apart: None,
                alias: false,
            });
            return Ok(());
        }
        self.name(NameRole::Granted).map(|_| ())
    }
}
