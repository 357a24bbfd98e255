//! Reads column definitions.

use super::ast::{CheckDef, ColumnDef, ForeignKeyDef, Generated};
use super::cursor::Cursor;
use super::lexer;
use crate::error::Result;

const NOW: &[&str] = &["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];

impl Cursor<'_> {
    /// `name type attributes`.
    pub(super) fn column_def(&mut self) -> Result<ColumnDef> {
        let name = self.ident()?;
        self.column_body(name)
    }

    /// `type attributes` of a column whose name has been read.
    pub(super) fn column_body(&mut self, name: String) -> Result<ColumnDef> {
        let ty = self.column_type()?;
        let mut column = ColumnDef {
            name,
            ty,
            nullable: None,
            default: None,
            on_update: None,
            generated: None,
            auto_increment: false,
            primary: false,
            unique: false,
            invisible: false,
            comment: String::new(),
            references: None,
            checks: Vec::new(),
            attributes: Vec::new(),
        };
        if column.ty.serial {
            column.serial();
        }
        while self.column_value(&mut column)?
            || self.column_key(&mut column)?
            || self.column_extra(&mut column)?
        {}
        Ok(column)
    }

    /// Attributes about the value: NULL, DEFAULT, ON UPDATE, AS, character set.
    fn column_value(&mut self, column: &mut ColumnDef) -> Result<bool> {
        if self.eat_kws(&["NOT", "NULL"]) {
            column.nullable = Some(false);
            // A word of MariaDB's and MySQL's grammar without any meaning.
            self.eat_kw("ENABLE");
        } else if self.eat_kw("NULL") {
            column.nullable = Some(true);
        } else if self.eat_kw("DEFAULT") {
            column.default = Some(self.default_value()?);
        } else if self.eat_kws(&["ON", "UPDATE"]) {
            column.on_update = Some(self.now()?);
        } else if self.eat_kws(&["GENERATED", "ALWAYS", "AS"]) || self.eat_kw("AS") {
            column.generated = Some(self.generated()?);
        } else if self.eat_kw("AUTO_INCREMENT") {
            column.auto_increment = true;
            // It is NOT NULL unless NULL follows; what was said before does not count.
            column.nullable = column.nullable.filter(|nullable| !nullable);
        } else if self.eat_kw("COLLATE") {
            self.eat(b'=');
            column.ty.collation = Some(self.collation_word()?);
        } else if self.eat_kws(&["CHARACTER", "SET"]) || self.eat_kw("CHARSET") {
            column.ty.charset = Some(self.charset_word()?);
        } else if self.eat_kw("SRID") || self.eat_kw("REF_SYSTEM_ID") {
            self.eat(b'=');
            column.ty.srid = Some(self.small_number()?);
        } else if self.eat_kws(&["SERIAL", "DEFAULT", "VALUE"]) {
            column.serial();
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Attributes that make keys and constraints.
    fn column_key(&mut self, column: &mut ColumnDef) -> Result<bool> {
        if self.eat_kws(&["PRIMARY", "KEY"]) || self.eat_kw("KEY") {
            column.primary = true;
        } else if self.eat_kws(&["UNIQUE", "KEY"]) || self.eat_kw("UNIQUE") {
            column.unique = true;
        } else if self.is_any(&["CLUSTERED", "NONCLUSTERED", "GLOBAL", "LOCAL"]) {
            column.attributes.push(self.attribute(1)?);
        } else if self.is_kw("REFERENCES") {
            column.references = Some(self.references()?);
        } else if self.is_kw("CHECK") || self.is_kw("CONSTRAINT") {
            let mut name = None;
            if self.eat_kw("CONSTRAINT") && !self.is_any(&["CHECK", "REFERENCES"]) {
                name = Some(self.ident()?);
            }
            if self.is_kw("REFERENCES") {
                column.references = Some(ForeignKeyDef { name, ..self.references()? });
                return Ok(true);
            }
            self.expect_kw("CHECK")?;
            column.checks.push(self.check_body(name)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Everything else.
    fn column_extra(&mut self, column: &mut ColumnDef) -> Result<bool> {
        if self.eat_kw("COMMENT") {
            self.eat(b'=');
            column.comment = self.string()?;
        } else if self.eat_kw("INVISIBLE") {
            column.invisible = true;
        } else if self.eat_kw("VISIBLE") {
            column.invisible = false;
        } else if self.is_any(&["COLUMN_FORMAT", "STORAGE"])
            || (self.is_kw("NOT") && self.is_kw_at(1, "SECONDARY"))
        {
            column.attributes.push(self.attribute(2)?);
        } else if self.is_kw("SECONDARY") {
            column.attributes.push(self.attribute(1)?);
        } else if self.is_any(&["WITH", "WITHOUT"]) && self.is_kw_at(1, "SYSTEM") {
            column.attributes.push(self.attribute(3)?);
        } else if self.is_kw("AUTO_RANDOM") {
            let mark = self.offset();
            self.advance();
            if self.is(b'(') {
                self.parens()?;
            }
            column.attributes.push(self.text(mark..self.last_end()).to_owned());
        } else if self.is_any(&["ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE"])
            || (self.is_ident_at(0) && self.is_punct_at(1, b'='))
        {
            // Engines of MariaDB bring attributes of their own: `name = value`.
            let mark = self.offset();
            self.advance();
            self.eat(b'=');
            self.skip_one()?;
            column.attributes.push(self.text(mark..self.last_end()).to_owned());
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The text of the next `tokens` tokens.
    fn attribute(&mut self, tokens: usize) -> Result<String> {
        let mark = self.offset();
        for _ in 0..tokens {
            self.skip_one()?;
        }
        Ok(self.text(mark..self.last_end()).to_owned())
    }

    /// `CHECK` has been read: `(condition) [[NOT] ENFORCED]`.
    pub(super) fn check_body(&mut self, name: Option<String>) -> Result<CheckDef> {
        let expr = self.parens_text()?;
        let enforced = !self.eat_kws(&["NOT", "ENFORCED"]);
        if enforced {
            self.eat_kw("ENFORCED");
        }
        Ok(CheckDef { name, expr, enforced, if_not_exists: false })
    }

    fn generated(&mut self) -> Result<Generated> {
        if self.is_kw("ROW") {
            let mark = self.offset();
            self.advance();
            if self.eat_any(&["START", "END"]).is_none() {
                return Err(self.unexpected("START or END"));
            }
            let expr = self.text(mark..self.last_end()).to_ascii_uppercase();
            return Ok(Generated { expr, stored: true });
        }
        let expr = self.parens_text()?;
        let stored = self.eat_any(&["STORED", "PERSISTENT"]).is_some();
        if !stored {
            self.eat_kw("VIRTUAL");
        }
        Ok(Generated { expr, stored })
    }

    /// `NOW`, its synonyms and its fractional digits.
    fn now(&mut self) -> Result<String> {
        let mark = self.offset();
        if self.eat_any(NOW).is_none() {
            return Err(self.unexpected("CURRENT_TIMESTAMP"));
        }
        if self.is(b'(') {
            self.parens()?;
        }
        Ok(self.text(mark..self.last_end()).to_owned())
    }
}

impl ColumnDef {
    /// What SERIAL and SERIAL DEFAULT VALUE stand for.
    fn serial(&mut self) {
        self.nullable = Some(false);
        self.auto_increment = true;
        self.unique = true;
    }

    /// The DEFAULT clause read as NOW: its fractional digits.
    pub(crate) fn now_digits(text: &str) -> Option<u32> {
        let lexed = lexer::lex(text, super::SqlMode::default(), lexer::Comments::All);
        let mut words = lexed.tokens.iter().map(|t| text.get(t.span()).unwrap_or_default());
        let first = words.next()?;
        if !NOW.iter().any(|n| first.eq_ignore_ascii_case(n)) {
            return None;
        }
        let rest: Vec<_> = words.collect();
        match rest.as_slice() {
            [] | ["(", ")"] => Some(0),
            ["(", digits, ")"] => digits.parse().ok(),
            _ => None,
        }
    }
}
