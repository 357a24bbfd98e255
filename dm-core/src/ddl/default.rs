//! Reads the text behind DEFAULT, and finds the sequences that it names.

use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::NameRole;
use crate::error::Result;

impl Cursor<'_> {
    /// The text behind DEFAULT: a literal, a function call, or an expression in parentheses; in MariaDB also
    /// a column, a variable of the server, a CASE.
    pub(super) fn default_value(&mut self) -> Result<String> {
        let mark = self.offset();
        if !self.sequence_value()? {
            while self.eat(b'-') || self.eat(b'+') {}
            self.default_operand()?;
        }
        Ok(self.text(mark..self.last_end()).to_owned())
    }

    fn default_operand(&mut self) -> Result {
        match self.kind(0) {
            Some(TokenKind::Punct(b'(')) => self.default_expression(),
            Some(TokenKind::String) => self.string().map(|_| ()),
            Some(TokenKind::Number | TokenKind::Hex | TokenKind::Bit) => self.skip_one(),
            // `{d '2020-01-01'}`
            Some(TokenKind::Punct(b'{')) => self.skip_behind(|c| c.eat(b'}')),
            Some(TokenKind::Punct(b'@')) => {
                while self.eat(b'@') {}
                self.column_path()
            }
            Some(TokenKind::Word) if self.is_kw("CASE") => self.case(),
            Some(TokenKind::Word) => self.default_word(),
            Some(TokenKind::QuotedIdent) => self.column_path(),
            _ => Err(self.unexpected("a default value")),
        }
    }

    /// A character set introducer or DATE, TIME, TIMESTAMP before a string; a function; a column.
    fn default_word(&mut self) -> Result {
        let word = self.token(0).map(|t| self.text_of(t)).unwrap_or_default();
        let announces = word.starts_with('_') || is_temporal(word);
        match self.kind(1) {
            Some(TokenKind::String) if announces => {
                self.advance();
                self.string().map(|_| ())
            }
            Some(TokenKind::Hex | TokenKind::Bit) if announces => {
                self.advance();
                self.skip_one()
            }
            _ => {
                self.column_path()?;
                if self.is(b'(') {
                    self.parens()?;
                }
                Ok(())
            }
        }
    }

    /// `[[schema.]table.]column`.
    fn column_path(&mut self) -> Result {
        self.ident()?;
        while self.is(b'.') && self.is_ident_at(1) {
            self.advance();
            self.advance();
        }
        Ok(())
    }

    /// `CASE ... END`, others inside of it included.
    fn case(&mut self) -> Result {
        let mut depth = 0usize;
        loop {
            if self.is_kw("CASE") {
                depth += 1;
            } else if self.is_kw("END") {
                depth = depth.saturating_sub(1);
            }
            self.skip_one()?;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_behind(&mut self, end: impl Fn(&mut Self) -> bool) -> Result {
        while !end(self) {
            self.skip_one()?;
        }
        Ok(())
    }

    /// `( expression )`; sequences that it names are recorded.
    fn default_expression(&mut self) -> Result {
        let open = self.mark();
        self.parens()?;
        let close = self.mark();
        self.reset(open);
        while self.mark() < close {
            if !self.sequence_value()? {
                self.advance();
            }
        }
        Ok(())
    }

    /// The next or last value of a sequence, if one begins here: `NEXT VALUE FOR s`, `nextval(s)`, and
    /// `s.nextval` in MariaDB's Oracle dialect.
    fn sequence_value(&mut self) -> Result<bool> {
        if self.eat_kws(&["NEXT", "VALUE", "FOR"]) || self.eat_kws(&["PREVIOUS", "VALUE", "FOR"]) {
            self.name(NameRole::Sequence)?;
            return Ok(true);
        }
        if self.is_any(&["NEXTVAL", "LASTVAL"]) && self.is_punct_at(1, b'(') {
            self.advance();
            self.advance();
            self.name(NameRole::Sequence)?;
            self.expect(b')')?;
            return Ok(true);
        }
        let value = |at: usize| {
            self.is_punct_at(at, b'.')
                && (self.is_kw_at(at + 1, "NEXTVAL") || self.is_kw_at(at + 1, "CURRVAL"))
        };
        if !self.is_ident_at(0) {
            return Ok(false);
        }
        if value(1) {
            self.name_without_schema(NameRole::Sequence)?;
        } else if self.is_punct_at(1, b'.') && self.is_ident_at(2) && value(3) {
            self.name(NameRole::Sequence)?;
        } else {
            return Ok(false);
        }
        self.advance();
        self.advance();
        Ok(true)
    }
}

fn is_temporal(word: &str) -> bool {
    ["DATE", "TIME", "TIMESTAMP"].iter().any(|w| word.eq_ignore_ascii_case(w))
}
