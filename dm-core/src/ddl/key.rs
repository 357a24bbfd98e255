//! Reads keys, foreign keys and constraints of tables.

use super::ast::{CheckDef, ForeignKeyDef, KeyDef, KeyKind, KeyPart, TableElement};
use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::NameRole;
use crate::error::Result;

impl KeyKind {
    /// True for keys that find rows by the values of their columns, one after the other.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::Primary | Self::Unique | Self::Plain)
    }
}

impl Cursor<'_> {
    /// A column, key or constraint, as it stands between the parentheses of CREATE TABLE.
    pub(super) fn table_element(&mut self) -> Result<TableElement> {
        match self.key_element()? {
            Some(element) => Ok(element),
            None => Ok(TableElement::Column(self.column_def()?)),
        }
    }

    /// A key, constraint or period, if one begins here.
    pub(super) fn key_element(&mut self) -> Result<Option<TableElement>> {
        if self.eat_kw("CONSTRAINT") {
            let if_not_exists = self.if_not_exists();
            let begins = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"];
            let name = if self.is_any(&begins) { None } else { Some(self.ident()?) };
            let element = self.constraint(name)?;
            let element = element.ok_or_else(|| self.unexpected("a constraint"))?;
            return Ok(Some(with_if_not_exists(element, if_not_exists)));
        }
        if let Some(element) = self.constraint(None)? {
            return Ok(Some(element));
        }
        if self.is_kw("PERIOD") && self.is_kw_at(1, "FOR") {
            self.advance();
            self.advance();
            return self.period().map(Some);
        }
        let kind = if self.eat_any(&["KEY", "INDEX"]).is_some() {
            KeyKind::Plain
        } else if self.eat_kw("FULLTEXT") {
            self.eat_any(&["KEY", "INDEX"]);
            KeyKind::FullText
        } else if self.eat_kw("SPATIAL") {
            self.eat_any(&["KEY", "INDEX"]);
            KeyKind::Spatial
        } else if self.is_kw("VECTOR")
            && (self.is_kw_at(1, "KEY") || self.is_kw_at(1, "INDEX") || self.is_punct_at(1, b'('))
        {
            self.advance();
            self.eat_any(&["KEY", "INDEX"]);
            KeyKind::Vector
        } else if self.eat_kws(&["COLUMNAR", "INDEX"]) || self.eat_kws(&["COLUMNAR", "KEY"]) {
            KeyKind::Columnar
        } else {
            return Ok(None);
        };
        self.key_body(kind, None).map(|key| Some(TableElement::Key(key)))
    }

    fn constraint(&mut self, name: Option<String>) -> Result<Option<TableElement>> {
        let element = if self.eat_kws(&["PRIMARY", "KEY"]) {
            let mut key = self.key_body(KeyKind::Primary, None)?;
            key.name = None;
            TableElement::Key(key)
        } else if self.eat_kw("UNIQUE") {
            self.eat_any(&["KEY", "INDEX"]);
            TableElement::Key(self.key_body(KeyKind::Unique, name)?)
        } else if self.eat_kws(&["FOREIGN", "KEY"]) {
            TableElement::ForeignKey(self.foreign_key(name)?)
        } else if self.eat_kw("CHECK") {
            TableElement::Check(self.check_body(name)?)
        } else {
            return Ok(None);
        };
        Ok(Some(element))
    }

    pub(super) fn period(&mut self) -> Result<TableElement> {
        let name = self.ident()?;
        self.expect(b'(')?;
        let start = self.ident()?;
        self.expect(b',')?;
        let end = self.ident()?;
        self.expect(b')')?;
        Ok(TableElement::Period { name, start, end })
    }

    /// `[IF NOT EXISTS] [name] [USING type] (parts) options`; the word KEY has been read.
    /// An own name goes before the constraint's.
    pub(super) fn key_body(&mut self, kind: KeyKind, constraint: Option<String>) -> Result<KeyDef> {
        let if_not_exists = self.if_not_exists();
        let mut options = Vec::new();
        let mut name = constraint;
        // TYPE and USING may be names of keys, too: then what follows is the list of parts.
        let using = |c: &Self| c.is_any(&["USING", "TYPE"]) && !c.is_punct_at(1, b'(');
        if !using(self) && self.is_ident_at(0) {
            name = Some(self.ident()?);
        }
        if using(self) {
            options.push(self.using()?);
        }
        let parts = self.key_parts()?;
        let mut key = KeyDef {
            name,
            kind,
            parts,
            invisible: false,
            comment: String::new(),
            options,
            if_not_exists,
        };
        while self.key_option(&mut key)? {}
        Ok(key)
    }

    /// `USING BTREE`.
    pub(super) fn using(&mut self) -> Result<String> {
        self.advance();
        Ok(format!("USING {}", self.ident()?.to_ascii_uppercase()))
    }

    /// The parts of a key in parentheses.
    pub(super) fn key_parts(&mut self) -> Result<Vec<KeyPart>> {
        self.expect(b'(')?;
        let mut parts = Vec::new();
        // `PARTITION BY KEY ()` aside, TiDB's and MySQL's keys have at least one part.
        loop {
            parts.push(self.key_part()?);
            if !self.eat(b',') {
                break;
            }
        }
        self.expect(b')')?;
        Ok(parts)
    }

    fn key_part(&mut self) -> Result<KeyPart> {
        if self.is(b'(') {
            let expr = self.parens_text()?;
            return Ok(KeyPart::Expression { expr, descending: self.descending() });
        }
        let name = self.ident()?;
        let mut prefix = None;
        if self.eat(b'(') {
            prefix = Some(self.small_number()?);
            self.expect(b')')?;
        }
        // MariaDB: a period that may not overlap.
        self.eat_kws(&["WITHOUT", "OVERLAPS"]);
        Ok(KeyPart::Column { name, prefix, descending: self.descending() })
    }

    fn descending(&mut self) -> bool {
        self.eat_any(&["ASC", "DESC"]) == Some("DESC")
    }

    /// One option behind the parts of a key.
    pub(super) fn key_option(&mut self, key: &mut KeyDef) -> Result<bool> {
        if self.is_any(&["USING", "TYPE"]) {
            let using = self.using()?;
            key.options.push(using);
        } else if self.eat_option("COMMENT") {
            key.comment = self.string()?;
        } else if self.eat_kws(&["NOT", "IGNORED"]) || self.eat_kw("VISIBLE") {
            key.invisible = false;
        } else if self.eat_kw("INVISIBLE") || self.eat_kw("IGNORED") {
            key.invisible = true;
        } else if self.is_kw("WITH") && self.is_kw_at(1, "PARSER") {
            self.advance();
            self.advance();
            key.options.push(format!("WITH PARSER {}", self.ident()?));
        } else if self.is_any(&["CLUSTERED", "NONCLUSTERED", "GLOBAL", "LOCAL"])
            || self.is_kw("ADD_COLUMNAR_REPLICA_ON_DEMAND")
        {
            let start = self.offset();
            self.advance();
            key.options.push(self.text(start..self.last_end()).to_ascii_uppercase());
        } else if self.is_kw("WHERE") {
            // TiDB: a partial index.
            let start = self.offset();
            self.advance();
            while !self.at_end() && !self.is(b',') && !self.is(b')') {
                self.skip_one()?;
            }
            key.options.push(self.text(start..self.last_end()).to_owned());
        } else if self.is_any(&[
            "KEY_BLOCK_SIZE",
            "ENGINE_ATTRIBUTE",
            "SECONDARY_ENGINE_ATTRIBUTE",
            "PRE_SPLIT_REGIONS",
        ]) || (self.kind(0) == Some(TokenKind::Word)
            && self.is_punct_at(1, b'=')
            && !self.is_any(&["ALGORITHM", "LOCK"]))
            || (self.kind(0) == Some(TokenKind::QuotedIdent) && self.is_punct_at(1, b'='))
        {
            let start = self.offset();
            self.advance();
            self.eat(b'=');
            self.skip_one()?;
            key.options.push(self.text(start..self.last_end()).to_owned());
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// `[IF NOT EXISTS] [index name] (columns) REFERENCES ...`; FOREIGN KEY has been read.
    fn foreign_key(&mut self, name: Option<String>) -> Result<ForeignKeyDef> {
        let if_not_exists = self.if_not_exists();
        let index_name = if self.is(b'(') { None } else { Some(self.ident()?) };
        let parts = self.key_parts()?;
        let columns = parts.iter().filter_map(|p| p.column().map(str::to_owned)).collect();
        let reference = self.references()?;
        Ok(ForeignKeyDef { name, index_name, columns, if_not_exists, ..reference })
    }

    /// `REFERENCES table [(columns)] [MATCH ...] [ON DELETE ...] [ON UPDATE ...]`.
    pub(super) fn references(&mut self) -> Result<ForeignKeyDef> {
        self.expect_kw("REFERENCES")?;
        let mut parent = self.name(NameRole::Parent)?;
        // Without a schema the servers look in the schema of the table, not in the session's.
        let own =
            self.names.iter().find(|n| n.role == NameRole::Table).map(|n| n.name.schema.clone());
        if let Some(name) = self.names.last_mut().filter(|n| !n.qualified) {
            parent.schema.clear();
            name.name.schema = own.unwrap_or_default();
        }
        let mut parent_columns = Vec::new();
        if self.is(b'(') {
            let parts = self.key_parts()?;
            parent_columns.extend(parts.iter().filter_map(|p| p.column().map(str::to_owned)));
        }
        let mut key = ForeignKeyDef {
            name: None,
            index_name: None,
            columns: Vec::new(),
            parent,
            parent_columns,
            on_delete: String::new(),
            on_update: String::new(),
            if_not_exists: false,
        };
        loop {
            if self.eat_kw("MATCH") {
                self.ident()?;
            } else if self.eat_kws(&["ON", "DELETE"]) {
                key.on_delete = self.referential_action()?;
            } else if self.is_kw("ON") && self.is_kw_at(1, "UPDATE") && self.is_action_at(2) {
                self.advance();
                self.advance();
                key.on_update = self.referential_action()?;
            } else {
                return Ok(key);
            }
        }
    }

    fn is_action_at(&self, ahead: usize) -> bool {
        ["RESTRICT", "CASCADE", "SET", "NO"].iter().any(|w| self.is_kw_at(ahead, w))
    }

    fn referential_action(&mut self) -> Result<String> {
        for words in [&["SET", "NULL"][..], &["SET", "DEFAULT"], &["NO", "ACTION"]] {
            if self.eat_kws(words) {
                return Ok(words.join(" "));
            }
        }
        match self.eat_any(&["RESTRICT", "CASCADE"]) {
            Some(word) => Ok(word.to_owned()),
            None => Err(self.unexpected("a referential action")),
        }
    }
}

fn with_if_not_exists(mut element: TableElement, flag: bool) -> TableElement {
    match &mut element {
        TableElement::Key(KeyDef { if_not_exists, .. })
        | TableElement::ForeignKey(ForeignKeyDef { if_not_exists, .. })
        | TableElement::Check(CheckDef { if_not_exists, .. }) => *if_not_exists |= flag,
        TableElement::Column(_) | TableElement::Period { .. } => {}
    }
    element
}
