//! Recognises the statements that change no table: views, triggers, routines, events, accounts,
//! maintenance, transactions, rows. Their names are found; their insides are passed over.

use dm_filter::TableName;

use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::{NameRef, NameRole, StatementKind as K};
use crate::error::Result;

impl Cursor<'_> {
    /// The schema of the session, where the statement leaves it out.
    pub(super) fn implied_schema(&mut self) {
        let at = self.last_end();
        self.names.push(NameRef {
            span: at..at,
            role: NameRole::Schema,
            name: TableName::schema_only(self.ctx.default_schema.clone()),
            qualified: false,
            apart: None,
            alias: false,
        });
    }

    /// `DEFINER = user`, `ALGORITHM = x`, `SQL SECURITY x`, `AGGREGATE` before the object's kind.
    fn object_prefix(&mut self) -> Result {
        loop {
            if self.eat_option("DEFINER") {
                self.account()?;
            } else if self.eat_option("ALGORITHM") || self.eat_kws(&["SQL", "SECURITY"]) {
                self.ident()?;
            } else if !self.eat_kw("AGGREGATE") {
                return Ok(());
            }
        }
    }

    /// `'u'@'h'`, `u@h`, CURRENT_USER, CURRENT_ROLE, with or without parentheses.
    fn account(&mut self) -> Result {
        self.ident_or_string()?;
        if self.is(b'(') {
            self.parens()?;
        }
        if self.eat(b'@') {
            self.ident_or_host()?;
        }
        Ok(())
    }

    /// A host name without quotes may hold dots and dashes: tokens without a gap belong to it.
    fn ident_or_host(&mut self) -> Result {
        let mut end = self.offset();
        while self.token(0).is_some_and(|t| t.start == end) && !self.is(b'(') {
            end = self.token(0).map_or(end, |t| t.end);
            self.skip_one()?;
        }
        Ok(())
    }

    pub(super) fn create_other(&mut self) -> Result<K> {
        self.object_prefix()?;
        self.view_kind();
        if self.eat_kw("VIEW") {
            self.if_not_exists();
            return self.view().map(|()| K::CreateView);
        }
        if self.eat_kw("TRIGGER") {
            return self.create_trigger();
        }
        if let Some(kind) = self.routine_kind([
            K::CreateProcedure,
            K::CreateFunction,
            K::CreatePackage,
            K::CreateEvent,
        ]) {
            self.if_not_exists();
            return self.named_rest(kind);
        }
        if self.eat_kw("SEQUENCE") {
            self.if_not_exists();
            self.name(NameRole::Sequence)?;
            self.skip_rest()?;
            return Ok(K::CreateSequence);
        }
        self.object_rest()
    }

    pub(super) fn alter_other(&mut self) -> Result<K> {
        self.object_prefix()?;
        self.view_kind();
        if self.eat_kw("VIEW") {
            self.if_exists();
            return self.view().map(|()| K::AlterView);
        }
        if let Some(kind) = self.routine_kind([
            K::AlterProcedure,
            K::AlterFunction,
            K::CreatePackage,
            K::AlterEvent,
        ]) {
            self.if_exists();
            if kind == K::AlterEvent {
                return self.alter_event();
            }
            return self.named_rest(kind);
        }
        if self.eat_kw("SEQUENCE") {
            self.if_exists();
            self.name(NameRole::Sequence)?;
            self.skip_rest()?;
            return Ok(K::AlterSequence);
        }
        if self.eat_kw("INSTANCE") {
            self.skip_rest()?;
            return Ok(K::AlterInstance);
        }
        self.object_rest()
    }

    pub(super) fn drop_other(&mut self) -> Result<K> {
        let list = [
            ("VIEW", K::DropView, NameRole::View),
            ("TRIGGER", K::DropTrigger, NameRole::Trigger),
            ("PROCEDURE", K::DropProcedure, NameRole::Routine),
            ("FUNCTION", K::DropFunction, NameRole::Routine),
            ("EVENT", K::DropEvent, NameRole::Event),
            ("SEQUENCE", K::DropSequence, NameRole::Sequence),
            ("PACKAGE", K::DropPackage, NameRole::Routine),
        ];
        for (word, kind, role) in list {
            if self.eat_kw(word) {
                if kind == K::DropPackage {
                    self.eat_kw("BODY");
                }
                self.if_exists();
                self.name_list(role)?;
                self.eat_any(&["RESTRICT", "CASCADE"]);
                self.expect_end()?;
                return Ok(kind);
            }
        }
        if self.eat_kw("PREPARE") {
            self.skip_rest()?;
            return Ok(K::Prepare);
        }
        self.object_rest()
    }

    /// MySQL 9: the words before VIEW that make it another kind of one.
    fn view_kind(&mut self) {
        let kinds: [&[&str]; 3] = [
            &["JSON", "RELATIONAL", "DUALITY", "VIEW"],
            &["JSON", "DUALITY", "VIEW"],
            &["MATERIALIZED", "VIEW"],
        ];
        for words in kinds {
            let there = words.iter().enumerate().all(|(n, word)| self.is_kw_at(n, word));
            for _ in words.iter().skip(1).filter(|_| there) {
                self.advance();
            }
        }
    }

    /// Which of procedure, function, package, event begins here.
    fn routine_kind(&mut self, kinds: [K; 4]) -> Option<K> {
        let [procedure, function, package, event] = kinds;
        if self.eat_kw("PROCEDURE") {
            Some(procedure)
        } else if self.eat_kw("FUNCTION") {
            Some(function)
        } else if self.eat_kw("PACKAGE") {
            self.eat_kw("BODY");
            Some(package)
        } else if self.eat_kw("EVENT") {
            Some(event)
        } else {
            None
        }
    }

    fn named_rest(&mut self, kind: K) -> Result<K> {
        let event = matches!(kind, K::CreateEvent);
        self.name(if event { NameRole::Event } else { NameRole::Routine })?;
        self.skip_all()?;
        Ok(kind)
    }

    fn alter_event(&mut self) -> Result<K> {
        self.name(NameRole::Event)?;
        while self.token(0).is_some() && !self.is_kw("DO") {
            if self.eat_kws(&["RENAME", "TO"]) {
                self.name(NameRole::Event)?;
            } else {
                self.skip_one()?;
            }
        }
        self.skip_all()?;
        Ok(K::AlterEvent)
    }

    fn view(&mut self) -> Result {
        self.name(NameRole::View)?;
        if self.is(b'(') {
            self.ident_list()?;
        }
        self.expect_kw("AS")?;
        self.query(NameRole::ViewSource)?;
        self.expect_end()
    }

    fn create_trigger(&mut self) -> Result<K> {
        self.if_not_exists();
        self.name(NameRole::Trigger)?;
        if self.eat_any(&["BEFORE", "AFTER"]).is_none() {
            return Err(self.unexpected("BEFORE or AFTER"));
        }
        while !self.is_kw("ON") {
            self.skip_one()?;
        }
        self.advance();
        self.name(NameRole::TriggerTable)?;
        // A trigger lies where its table does: a table without a schema is looked for in the trigger's.
        if let [.., trigger, table] = self.names.as_mut_slice()
            && trigger.role == NameRole::Trigger
            && !table.qualified
        {
            trigger.name.schema.clone_into(&mut table.name.schema);
        }
        self.skip_all()?;
        Ok(K::CreateTrigger)
    }

    /// CREATE, ALTER, DROP of everything that lives outside of schemas.
    fn object_rest(&mut self) -> Result<K> {
        let two = |c: &Self, a: &str, b: &str| c.is_kw(a) && c.is_kw_at(1, b);
        let kind = if self.is_kw("USER") {
            K::User
        } else if self.is_kw("ROLE") {
            K::Role
        } else if self.is_kw("SERVER") {
            K::Server
        } else if self.is_kw("TABLESPACE")
            || two(self, "UNDO", "TABLESPACE")
            || two(self, "LOGFILE", "GROUP")
        {
            K::Tablespace
        } else if two(self, "RESOURCE", "GROUP") {
            K::ResourceGroup
        } else if two(self, "SPATIAL", "REFERENCE") {
            K::SpatialReferenceSystem
        } else if self.is_kw("LIBRARY") {
            K::Library
        } else if two(self, "PLACEMENT", "POLICY")
            || self.is_any(&["BINDING", "STATISTICS", "STATS", "MASKING"])
            || (self.is_any(&["GLOBAL", "SESSION"]) && self.is_kw_at(1, "BINDING"))
            || self.is_kw("RANGE")
        {
            K::TiDbObject
        } else {
            return Err(self.unexpected("the kind of an object"));
        };
        if kind == K::Library {
            self.advance();
            let _ = self.if_not_exists() || self.if_exists();
            self.name(NameRole::Routine)?;
            self.skip_all()?;
        } else {
            self.skip_rest()?;
        }
        Ok(kind)
    }

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
