//! Cuts the text of a statement into tokens, by the rules of the servers' own lexers.
//!
//! Guarantee: every byte of the text is either inside exactly one token or trivia (white space
//! and comments), tokens come in order, and no input makes it fail, panic or take more than
//! linear time. What cannot be a token (an unterminated quote, a stray control character) is one
//! token of kind [`TokenKind::Invalid`], which no grammar rule accepts.
//!
//! Obstacles: the meaning of `"` and `\` depends on the `sql_mode`; comments may be code
//! (`/*!50100 ... */`, `/*M! ... */`, `/*T![feature] ... */`), which is entered as code when the
//! server in question would ([`Comments`]); a word may begin with a digit; behind a dot every word
//! is a name. Method: one pass over the bytes; the tokens are spans only.

mod comment;
mod quoting;

use std::ops::Range;

pub use comment::{Comments, Region, RegionKind};
pub use quoting::{quote_string, unquote_ident, unquote_string};

use super::SqlMode;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An identifier without quotes, or a keyword.
    Word,
    /// An identifier in back quotes, or in double quotes under ANSI_QUOTES.
    QuotedIdent,
    /// A string in single or double quotes, or between two `$tag$`.
    String,
    /// An integer, decimal or floating-point number.
    Number,
    /// `0x1F`, `x'1F'`.
    Hex,
    /// `0b01`, `b'01'`.
    Bit,
    /// One character of punctuation.
    Punct(u8),
    /// Something that is no token: an unterminated quote, a control character.
    Invalid,
}

/// A token: its kind and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset behind its last byte.
    pub end: usize,
    /// The executable comment that it stands in: index into [`Lexed::regions`].
    pub region: Option<usize>,
}

impl Token {
    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// The tokens of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexed {
    /// Tokens in the order of the text.
    pub tokens: Vec<Token>,
    /// Executable comments that were entered.
    pub regions: Vec<Region>,
    /// True when the last of them has no end: no server takes such a text.
    pub unclosed: bool,
}

/// Cuts a text into tokens.
pub fn lex(sql: &str, mode: SqlMode, comments: Comments) -> Lexed {
    let mut lexer = Lexer {
        sql,
        bytes: sql.as_bytes(),
        at: 0,
        ansi: mode.contains(SqlMode::ANSI_QUOTES),
        escapes: !mode.contains(SqlMode::NO_BACKSLASH_ESCAPES),
        comments,
        dollars: comments.quotes_by_dollar(),
        out: Lexed::default(),
        open: Vec::new(),
    };
    lexer.run();
    lexer.out
}

struct Lexer<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    at: usize,
    ansi: bool,
    escapes: bool,
    comments: Comments,
    dollars: bool,
    out: Lexed,
    open: Vec<usize>,
}

/// True for a byte that may stand in an identifier without quotes.
pub(crate) fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        let region = self.open.last().copied();
        self.out.tokens.push(Token { kind, start, end: self.at, region });
    }

    fn run(&mut self) {
        while self.at < self.bytes.len() {
            let start = self.at;
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'#' => self.line_comment(),
                b'-' if self.peek(1) == b'-' && self.ends_dashes() => self.line_comment(),
                b'/' if self.peek(1) == b'*' => self.comment(),
                b'*' if self.peek(1) == b'/' && !self.open.is_empty() => self.close_region(),
                b'`' => self.quoted(b'`', TokenKind::QuotedIdent, start),
                b'"' if self.ansi => self.quoted(b'"', TokenKind::QuotedIdent, start),
                quote @ (b'"' | b'\'') => self.quoted(quote, TokenKind::String, start),
                b'$' if self.dollars && self.dollar_quoted(start) => {}
                b if is_word_byte(b) => self.word(start),
                b'.' if self.peek(1).is_ascii_digit() && !self.after_name() => self.number(start),
                b if b.is_ascii_graphic() => {
                    self.at += 1;
                    self.push(TokenKind::Punct(b), start);
                }
                _ => {
                    self.at += 1;
                    self.push(TokenKind::Invalid, start);
                }
            }
        }
        self.out.unclosed = !self.open.is_empty();
        while let Some(region) = self.open.pop() {
            self.end_region(region);
        }
    }

    fn quoted(&mut self, quote: u8, kind: TokenKind, start: usize) {
        let escapes = self.escapes && kind == TokenKind::String;
        self.at += 1;
        while let Some(&b) = self.bytes.get(self.at) {
            if b == b'\\' && escapes {
                self.at = (self.at + 2).min(self.bytes.len());
            } else if b != quote {
                self.at += 1;
            } else if self.peek(1) == quote {
                self.at += 2;
            } else {
                self.at += 1;
                return self.push(kind, start);
            }
        }
        self.push(TokenKind::Invalid, start);
    }

    /// Takes `$tag$ ... $tag$`, if it stands here; the tag may be empty.
    fn dollar_quoted(&mut self, start: usize) -> bool {
        let rest = self.sql.get(self.at..).unwrap_or_default();
        let inside = |b: &u8| is_word_byte(*b) && *b != b'$';
        let tag = rest.bytes().skip(1).take_while(inside).count();
        let Some((quote, text)) = rest.split_at_checked(tag + 2).filter(|q| q.0.ends_with('$'))
        else {
            return false;
        };
        let Some(end) = text.find(quote) else {
            // Names then, as other servers have them: the text is not searched again for each of them.
            self.dollars = false;
            return false;
        };
        self.at += 2 * quote.len() + end;
        self.push(TokenKind::String, start);
        true
    }

    /// True when the token just before, without a gap, is a name: then a dot separates names.
    fn after_name(&self) -> bool {
        self.out.tokens.last().is_some_and(|t| {
            t.end == self.at && matches!(t.kind, TokenKind::Word | TokenKind::QuotedIdent)
        })
    }

    /// True when the token just before is the dot between two names.
    fn after_dot(&self) -> bool {
        let mut last = self.out.tokens.iter().rev();
        let dot = last.next().is_some_and(|t| t.kind == TokenKind::Punct(b'.') && t.end == self.at);
        dot && last
            .next()
            .is_some_and(|t| matches!(t.kind, TokenKind::Word | TokenKind::QuotedIdent))
    }

    fn word(&mut self, start: usize) {
        let first = self.peek(0);
        if !self.after_dot() {
            if self.peek(1) == b'\'' && matches!(first, b'x' | b'X' | b'b' | b'B') {
                let kind =
                    if matches!(first, b'x' | b'X') { TokenKind::Hex } else { TokenKind::Bit };
                self.at += 1;
                return self.quoted(b'\'', kind, start);
            }
            if self.peek(1) == b'\'' && matches!(first, b'n' | b'N') {
                self.at += 1;
                return self.quoted(b'\'', TokenKind::String, start);
            }
            if first.is_ascii_digit() && self.starts_number() {
                return self.number(start);
            }
        }
        self.take_word();
        self.push(TokenKind::Word, start);
    }

    fn take_word(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|b| is_word_byte(**b)).count();
    }

    /// A word of digits is a number, so are `0x..`, `0b..` and `1e5`; `1abc` is a name.
    fn starts_number(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().take_while(|b| is_word_byte(**b)).count();
        let word = rest.get(..len).unwrap_or_default();
        let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
        let tail = word.get(digits..).unwrap_or_default();
        match (word, tail) {
            (_, []) => true,
            ([b'0', b'x', hex @ ..], _) if !hex.is_empty() => hex.iter().all(u8::is_ascii_hexdigit),
            ([b'0', b'b', bits @ ..], _) if !bits.is_empty() => {
                bits.iter().all(|b| matches!(b, b'0' | b'1'))
            }
            (_, [b'e' | b'E']) => {
                let sign = usize::from(matches!(rest.get(len), Some(b'+' | b'-')));
                sign == 1 && rest.get(len + 1).is_some_and(u8::is_ascii_digit)
            }
            (_, [b'e' | b'E', exponent @ ..]) => exponent.iter().all(u8::is_ascii_digit),
            _ => false,
        }
    }

    fn digits(&mut self) {
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    fn number(&mut self, start: usize) {
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'b') {
            let kind = if self.peek(1) == b'x' { TokenKind::Hex } else { TokenKind::Bit };
            self.take_word();
            return self.push(kind, start);
        }
        self.digits();
        if self.peek(0) == b'.' {
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.digits();
            }
        }
        self.push(TokenKind::Number, start);
    }
}

#[cfg(test)]
mod tests;
