//! CREATE, ALTER and DROP of what is no table: views, triggers, routines, events, sequences, and what lives
//! outside of schemas. Their names are found; their insides are passed over.
use dm_filter::TableName;

use super::cursor::Cursor;
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
}
