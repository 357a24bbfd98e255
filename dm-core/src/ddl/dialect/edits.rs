//! Changes of a text over the spans of its tokens.

use std::borrow::Cow;
use std::ops::Range;

use super::super::SqlMode;
use super::super::lexer::{Lexed, Token, TokenKind, unquote_ident, unquote_string};

/// Changes of a text, collected.
pub(super) struct Edits<'a> {
    pub sql: &'a str,
    pub mode: SqlMode,
    pub lexed: Lexed,
    pub list: Vec<(Range<usize>, String)>,
}

impl<'a> Edits<'a> {
    pub fn token(&self, at: usize) -> Option<Token> {
        self.lexed.tokens.get(at).copied()
    }

    pub fn text(&self, at: usize) -> &'a str {
        self.token(at).and_then(|t| self.sql.get(t.span())).unwrap_or_default()
    }

    pub fn is_word(&self, at: usize, word: &str) -> bool {
        self.token(at).is_some_and(|t| t.kind == TokenKind::Word)
            && self.text(at).eq_ignore_ascii_case(word)
    }

    pub fn is_punct(&self, at: usize, punct: u8) -> bool {
        self.token(at).is_some_and(|t| t.kind == TokenKind::Punct(punct))
    }

    /// The name or text of a token, without quotes.
    pub fn name(&self, at: usize) -> Option<String> {
        match self.token(at)?.kind {
            TokenKind::Word => Some(self.text(at).to_owned()),
            TokenKind::QuotedIdent => Some(unquote_ident(self.text(at))),
            TokenKind::String => Some(unquote_string(self.text(at), self.mode)),
            _ => None,
        }
    }

    /// Replaces the tokens from `first` to `last`.
    pub fn replace(&mut self, first: usize, last: usize, text: impl Into<String>) {
        if let (Some(first), Some(last)) = (self.token(first), self.token(last)) {
            self.list.push((first.start..last.end, text.into()));
        }
    }

    pub fn insert(&mut self, at: usize, text: &str) {
        self.list.push((at..at, text.to_owned()));
    }

    pub fn applied(mut self) -> Cow<'a, str> {
        if self.list.is_empty() {
            return Cow::Borrowed(self.sql);
        }
        self.list.sort_by_key(|(span, _)| (span.start, span.end));
        let mut out = String::with_capacity(self.sql.len() + 64);
        let mut done = 0;
        for (span, text) in &self.list {
            // Two rules that meet: the first one has done it.
            if span.start < done {
                continue;
            }
            out.push_str(self.sql.get(done..span.start).unwrap_or_default());
            out.push_str(text);
            done = span.end;
        }
        out.push_str(self.sql.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    pub fn collations(&mut self, map: impl Fn(&str) -> Option<String>) {
        for at in 0..self.lexed.tokens.len() {
            if !self.is_word(at, "COLLATE") {
                continue;
            }
            let value = if self.is_punct(at + 1, b'=') { at + 2 } else { at + 1 };
            if let Some(new) = self.name(value).and_then(|n| map(&n.to_ascii_lowercase())) {
                self.replace(value, value, new);
            }
        }
    }

    /// The token of a column's name in its definition: a word (its type) follows.
    pub fn find_column(&self, from: usize, name: &str) -> Option<usize> {
        (from..self.lexed.tokens.len()).find(|&at| {
            self.token(at + 1).is_some_and(|t| t.kind == TokenKind::Word)
                && self.token(at).is_some_and(|t| t.kind != TokenKind::String)
                && self.name(at).is_some_and(|n| n.eq_ignore_ascii_case(name))
        })
    }

    /// The token behind a definition.
    pub fn element_end(&self, from: usize) -> usize {
        let mut depth = 0_u32;
        let mut at = from;
        while let Some(token) = self.token(at) {
            match token.kind {
                TokenKind::Punct(b'(') => depth += 1,
                TokenKind::Punct(b')') if depth == 0 => break,
                TokenKind::Punct(b')') => depth -= 1,
                TokenKind::Punct(b',') if depth == 0 => break,
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// The parenthesis behind the last of several.
    pub fn list_end(&self, from: usize) -> usize {
        let mut end = self.element_end(from);
        while self.is_punct(end, b',') {
            end = self.element_end(end + 1);
        }
        end
    }

    /// True for the name in ALTER INDEX \[IF EXISTS\] name.
    pub fn alters_index(&self, name: usize) -> bool {
        let before = |back: usize, word: &str| {
            name.checked_sub(back).is_some_and(|at| self.is_word(at, word))
        };
        let back = if before(1, "EXISTS") && before(2, "IF") { 2 } else { 0 };
        (before(back + 1, "INDEX") || before(back + 1, "KEY")) && before(back + 2, "ALTER")
    }
}
