//! A cursor over tokens: the small reading steps that every grammar rule is made of.

use std::ops::Range;

use dm_filter::TableName;

use super::lexer::{self, Lexed, Region, Token, TokenKind};
use super::statement::{NameRef, NameRole};
use super::{Flavor, ParseContext, SqlMode};
use crate::error::{Error, Result, codes};

/// The reading position in a statement, and the names found so far.
pub(super) struct Cursor<'a> {
    pub sql: &'a str,
    tokens: &'a [Token],
    regions: &'a [Region],
    at: usize,
    pub ctx: &'a ParseContext,
    pub names: Vec<NameRef>,
}

impl<'a> Cursor<'a> {
    pub fn new(sql: &'a str, lexed: &'a Lexed, ctx: &'a ParseContext) -> Self {
        let (tokens, regions) = (&lexed.tokens, &lexed.regions);
        Self { sql, tokens, regions, at: 0, ctx, names: Vec::new() }
    }

    pub fn mode(&self) -> SqlMode {
        self.ctx.sql_mode
    }

    pub fn token(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead)
    }

    pub fn text_of(&self, token: &Token) -> &'a str {
        self.sql.get(token.span()).unwrap_or_default()
    }

    /// Text of a span, as written.
    pub fn text(&self, span: Range<usize>) -> &'a str {
        self.sql.get(span).unwrap_or_default()
    }

    pub fn kind(&self, ahead: usize) -> Option<TokenKind> {
        self.token(ahead).map(|t| t.kind)
    }

    /// Index of the next token, to return to with [`Cursor::reset`].
    pub fn mark(&self) -> usize {
        self.at
    }

    pub fn reset(&mut self, mark: usize) {
        self.at = mark;
    }

    pub fn advance(&mut self) {
        self.at += 1;
    }

    /// Offset where the next token begins (the end of the text behind the last one).
    pub fn offset(&self) -> usize {
        self.token(0).map_or(self.sql.len(), |t| t.start)
    }

    /// Offset behind the token read last.
    pub fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |t| t.end)
    }

    /// Where what began at `start` ends: an executable comment that began in it and holds nothing further
    /// is part of it to its end.
    pub fn end_of(&self, start: usize) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let region = last.and_then(|t| t.region);
        let goes_on = self.token(0).is_some_and(|next| next.region == region);
        match region.and_then(|region| self.regions.get(region)) {
            Some(region) if region.span.start >= start && !goes_on => region.span.end,
            _ => self.last_end(),
        }
    }

    /// True at the end of the statement: no token, or a semicolon.
    pub fn at_end(&self) -> bool {
        matches!(self.kind(0), None | Some(TokenKind::Punct(b';')))
    }

    /// Succeeds at the end of the statement, when nothing but semicolons follow.
    pub fn expect_end(&mut self) -> Result {
        while self.eat(b';') {}
        if self.token(0).is_none() {
            Ok(())
        } else {
            Err(self.unexpected("the end of the statement"))
        }
    }

    /// The error for text that no rule takes.
    pub fn unexpected(&self, expected: &str) -> Error {
        let at = self.offset();
        let near: String = self.sql.get(at..).unwrap_or_default().chars().take(60).collect();
        let near =
            if near.is_empty() { "the end of the text".to_owned() } else { format!("`{near}`") };
        Error::new(
            &codes::SYNC_DDL_PARSE,
            format!("cannot read the statement: at byte {at}, near {near}, expected {expected}"),
        )
    }

    /// True when the token is this word, without quotes and regardless of case.
    pub fn is_kw_at(&self, ahead: usize, word: &str) -> bool {
        self.token(ahead).is_some_and(|t| {
            t.kind == TokenKind::Word && self.text_of(t).eq_ignore_ascii_case(word)
        })
    }

    pub fn is_kw(&self, word: &str) -> bool {
        self.is_kw_at(0, word)
    }

    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.is_kw(w))
    }

    pub fn eat_kw(&mut self, word: &str) -> bool {
        let found = self.is_kw(word);
        self.at += usize::from(found);
        found
    }

    /// True when the token before is this word.
    pub fn follows_kw(&self, word: &str) -> bool {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.is_some_and(|t| {
            t.kind == TokenKind::Word && self.text_of(t).eq_ignore_ascii_case(word)
        })
    }

    /// Takes one of these words; tells which.
    pub fn eat_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let found = words.iter().find(|w| self.is_kw(w)).copied();
        self.at += usize::from(found.is_some());
        found
    }

    /// Takes all of these words, or nothing.
    pub fn eat_kws(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(n, w)| self.is_kw_at(n, w));
        if found {
            self.at += words.len();
        }
        found
    }

    pub fn expect_kw(&mut self, word: &str) -> Result {
        if self.eat_kw(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    pub fn is_punct_at(&self, ahead: usize, byte: u8) -> bool {
        self.kind(ahead) == Some(TokenKind::Punct(byte))
    }

    pub fn is(&self, byte: u8) -> bool {
        self.is_punct_at(0, byte)
    }

    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.is(byte);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, byte: u8) -> Result {
        if self.eat(byte) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{}`", char::from(byte))))
    }

    pub fn if_exists(&mut self) -> bool {
        self.eat_kws(&["IF", "EXISTS"])
    }

    pub fn if_not_exists(&mut self) -> bool {
        self.eat_kws(&["IF", "NOT", "EXISTS"])
    }

    pub fn is_ident_at(&self, ahead: usize) -> bool {
        matches!(self.kind(ahead), Some(TokenKind::Word | TokenKind::QuotedIdent))
    }

    /// A name: quoted or not.
    pub fn ident(&mut self) -> Result<String> {
        if !self.is_ident_at(0) {
            return Err(self.unexpected("a name"));
        }
        let token = self.token(0).map(|t| self.text_of(t)).unwrap_or_default();
        self.at += 1;
        let name = lexer::unquote_ident(token);
        let mysql = self.ctx.server.is_some_and(|server| server.flavor == Flavor::MySql);
        // MySQL has names of the basic plane only, and puts a question mark for each character beyond it.
        let beyond = |c: char| c > '\u{ffff}';
        Ok(if mysql && name.contains(beyond) { name.replace(beyond, "?") } else { name })
    }

    /// A name or a string, as character sets, users and option values are written.
    pub fn ident_or_string(&mut self) -> Result<String> {
        if self.kind(0) == Some(TokenKind::String) { self.string() } else { self.ident() }
    }

    /// A string; neighbouring ones count as one.
    pub fn string(&mut self) -> Result<String> {
        let mut value = String::new();
        let start = self.at;
        while let Some(token) = self.token(0).filter(|t| t.kind == TokenKind::String) {
            value.push_str(&lexer::unquote_string(self.text_of(token), self.mode()));
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected("a string")) } else { Ok(value) }
    }

    /// A whole number.
    pub fn number(&mut self) -> Result<u64> {
        let token = self.token(0).filter(|t| t.kind == TokenKind::Number);
        let value = token.and_then(|t| self.text_of(t).parse().ok());
        let value = value.ok_or_else(|| self.unexpected("a whole number"))?;
        self.at += 1;
        Ok(value)
    }

    pub fn small_number(&mut self) -> Result<u32> {
        let mark = self.at;
        u32::try_from(self.number()?).map_err(|_| {
            self.at = mark;
            self.unexpected("a smaller number")
        })
    }

    /// Passes over `( ... )` and gives the span of what is inside.
    pub fn parens(&mut self) -> Result<Range<usize>> {
        let open = self.offset() + 1;
        self.expect(b'(')?;
        let mut depth = 1usize;
        loop {
            match self.kind(0) {
                None | Some(TokenKind::Invalid) => return Err(self.unexpected("`)`")),
                Some(TokenKind::Punct(b'(')) => depth += 1,
                Some(TokenKind::Punct(b')')) => depth -= 1,
                Some(_) => {}
            }
            let start = self.offset();
            self.at += 1;
            if depth == 0 {
                return Ok(open..start);
            }
        }
    }

    /// The trimmed text inside `( ... )`.
    pub fn parens_text(&mut self) -> Result<String> {
        let span = self.parens()?;
        Ok(self.text(span).trim().to_owned())
    }

    /// A list of names in parentheses.
    pub fn ident_list(&mut self) -> Result<Vec<String>> {
        self.expect(b'(')?;
        let mut list = vec![self.ident()?];
        while self.eat(b',') {
            list.push(self.ident()?);
        }
        self.expect(b')')?;
        Ok(list)
    }

    /// Passes over one token, or a whole parenthesis.
    pub fn skip_one(&mut self) -> Result {
        match self.kind(0) {
            Some(TokenKind::Punct(b'(')) => self.parens().map(|_| ()),
            None | Some(TokenKind::Invalid) => Err(self.unexpected("more text")),
            Some(_) => {
                self.at += 1;
                Ok(())
            }
        }
    }

    /// Passes over everything up to the end of the statement; an invalid token is an error.
    pub fn skip_rest(&mut self) -> Result {
        while !self.at_end() {
            if self.kind(0) == Some(TokenKind::Invalid) {
                return Err(self.unexpected("valid text"));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Passes over everything that is left, semicolons of compound statements included.
    pub fn skip_all(&mut self) -> Result {
        while let Some(kind) = self.kind(0) {
            if kind == TokenKind::Invalid {
                return Err(self.unexpected("valid text"));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// A name `[schema.]name`, recorded with its role; the resolved name.
    pub fn name(&mut self, role: NameRole) -> Result<TableName> {
        let start = self.offset();
        // `.t` is an old way to write a table of the default schema.
        let dotted = self.is(b'.') && self.is_ident_at(1);
        self.at += usize::from(dotted);
        let first_token = self.token(0);
        let mut first = self.ident()?;
        let (mut schema, mut apart) = (None, None);
        if !dotted && self.is(b'.') && self.is_ident_at(1) {
            self.at += 1;
            let of_regions = first_token.zip(self.token(0)).filter(|(a, b)| a.region != b.region);
            apart = of_regions.map(|(schema, table)| (schema.span(), table.span()));
            schema = Some(std::mem::replace(&mut first, self.ident()?));
        }
        let qualified = schema.is_some();
        let name = TableName {
            schema: schema.unwrap_or_else(|| self.ctx.default_schema.clone()),
            table: first,
        };
        let span = start..self.last_end();
        let found = NameRef { span, role, name: name.clone(), qualified, apart, alias: false };
        self.names.push(found);
        Ok(name)
    }

    /// A name behind which a dot is no part of it.
    pub fn name_without_schema(&mut self, role: NameRole) -> Result {
        let start = self.offset();
        let table = self.ident()?;
        let name = TableName { schema: self.ctx.default_schema.clone(), table };
        let span = start..self.last_end();
        self.names.push(NameRef { span, role, name, qualified: false, apart: None, alias: false });
        Ok(())
    }

    /// Names separated by commas.
    pub fn name_list(&mut self, role: NameRole) -> Result<Vec<TableName>> {
        let mut list = vec![self.name(role)?];
        while self.eat(b',') {
            list.push(self.name(role)?);
        }
        Ok(list)
    }

    /// The name of a schema, recorded with its role.
    pub fn schema_name(&mut self) -> Result<String> {
        let start = self.offset();
        let name = self.ident()?;
        self.names.push(NameRef {
            span: start..self.last_end(),
            role: NameRole::Schema,
            name: TableName::schema_only(name.clone()),
            qualified: true,
            apart: None,
            alias: false,
        });
        Ok(name)
    }

    /// `name [=]`, the beginning of an option.
    pub fn eat_option(&mut self, word: &str) -> bool {
        let found = self.eat_kw(word);
        if found {
            self.eat(b'=');
        }
        found
    }
}
