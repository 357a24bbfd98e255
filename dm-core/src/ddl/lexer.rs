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

use std::ops::Range;

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

/// A comment whose inside was read as code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// From `/*` to behind `*/` (or the end of the text).
    pub span: Range<usize>,
    /// Whose comment it is.
    pub kind: RegionKind,
}

/// Who executes an executable comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// `/*!` or `/*!NNNNN`: MySQL from this version on, MariaDB by its own rule.
    Versioned(Option<u32>),
    /// `/*M!` or `/*M!NNNNNN`: MariaDB from this version on.
    MariaDb(Option<u32>),
    /// `/*T!` or `/*T![feature]`: TiDB.
    TiDb,
}

/// Which executable comments are code: those that the server which wrote the text executes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Comments {
    /// All of them.
    #[default]
    All,
    /// Those of a MySQL server of this version (80034).
    MySql(u32),
    /// Those of a MariaDB server of this version (101119).
    MariaDb(u32),
    /// Those of TiDB, which takes every versioned comment.
    TiDb,
}

impl Comments {
    /// True when the server takes such a comment for an executable one, if perhaps of another version.
    fn knows(self, kind: RegionKind) -> bool {
        match (self, kind) {
            (_, RegionKind::Versioned(_)) | (Self::All, _) => true,
            (Self::MariaDb(_), RegionKind::MariaDb(_)) | (Self::TiDb, RegionKind::TiDb) => true,
            (Self::MySql(_) | Self::MariaDb(_) | Self::TiDb, _) => false,
        }
    }

    /// True when `$$ ... $$` and `$tag$ ... $tag$` are strings: from MySQL 9 on, where functions and
    /// libraries of other languages are written so.
    fn quotes_by_dollar(self) -> bool {
        matches!(self, Self::All) || matches!(self, Self::MySql(have) if have >= 90_000)
    }

    fn executes(self, kind: RegionKind) -> bool {
        match (self, kind) {
            (Self::All, _) | (Self::TiDb, RegionKind::Versioned(_) | RegionKind::TiDb) => true,
            (Self::MySql(have), RegionKind::Versioned(want)) => want.is_none_or(|w| w <= have),
            // MariaDB leaves out what is meant for the MySQL versions that it does not follow.
            (Self::MariaDb(have), RegionKind::Versioned(want)) => {
                want.is_none_or(|w| w <= have && !(50_700..=99_999).contains(&w))
            }
            (Self::MariaDb(have), RegionKind::MariaDb(want)) => want.is_none_or(|w| w <= have),
            _ => false,
        }
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

    /// Two dashes begin a comment only before white space, a control character or the end.
    fn ends_dashes(&self) -> bool {
        self.bytes.get(self.at + 2).is_none_or(|b| b.is_ascii_whitespace() || b.is_ascii_control())
    }

    fn line_comment(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |n| n + 1);
    }

    fn comment(&mut self) {
        let start = self.at;
        let (kind, head) = self.comment_head();
        match kind {
            Some(kind) if self.comments.executes(kind) => {
                self.at += head;
                self.open.push(self.out.regions.len());
                self.out.regions.push(Region { span: start..start, kind });
            }
            Some(kind) => self.skip_comment(self.comments.knows(kind)),
            None => self.skip_comment(false),
        }
    }

    /// The kind of an executable comment, and the length of what announces it.
    fn comment_head(&self) -> (Option<RegionKind>, usize) {
        match (self.peek(2), self.peek(3)) {
            (b'!', _) => {
                let (version, digits) = self.version(3);
                (Some(RegionKind::Versioned(version)), 3 + digits)
            }
            (b'M', b'!') => {
                let (version, digits) = self.version(4);
                (Some(RegionKind::MariaDb(version)), 4 + digits)
            }
            (b'T', b'!') => (Some(RegionKind::TiDb), 4 + self.features(4)),
            _ => (None, 2),
        }
    }

    /// Five or six digits are a version; fewer belong to the code.
    fn version(&self, from: usize) -> (Option<u32>, usize) {
        let digits = (0..6).take_while(|&n| self.peek(from + n).is_ascii_digit()).count();
        if digits < 5 {
            return (None, 0);
        }
        let value = (0..digits).fold(0, |v, n| v * 10 + u32::from(self.peek(from + n) - b'0'));
        (Some(value), digits)
    }

    /// Length of `[feature,feature]`, 0 when there is none.
    fn features(&self, from: usize) -> usize {
        if self.peek(from) != b'[' {
            return 0;
        }
        let rest = self.bytes.get(self.at + from..).unwrap_or_default();
        let inside = |b: &u8| is_word_byte(*b) || matches!(b, b',' | b' ' | b'-');
        let len = 1 + rest.iter().skip(1).take_while(|b| inside(b)).count();
        if rest.get(len) == Some(&b']') { len + 1 } else { 0 }
    }

    /// Moves behind the end of a comment; a comment without an end reaches to the end of the text.
    /// The servers let a plain comment stand inside an executable one that they leave out, and no third one
    /// in that.
    fn skip_comment(&mut self, nested: bool) {
        self.at += 2;
        let mut depth = 1;
        while self.at < self.bytes.len() && depth > 0 {
            match (self.peek(0), self.peek(1)) {
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                }
                (b'/', b'*') if nested && depth == 1 => {
                    depth += 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
    }

    fn close_region(&mut self) {
        self.at += 2;
        if let Some(region) = self.open.pop() {
            self.end_region(region);
        }
    }

    fn end_region(&mut self, region: usize) {
        let end = self.at;
        if let Some(region) = self.out.regions.get_mut(region) {
            region.span.end = end;
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

/// The name that an identifier token stands for.
pub fn unquote_ident(text: &str) -> String {
    for quote in ['`', '"'] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    text.to_owned()
}

/// The value of a string token (with `N` before it or not).
pub fn unquote_string(text: &str, mode: SqlMode) -> String {
    if let Some(rest) = text.strip_prefix('$') {
        let quote = rest.find('$').map_or(0, |tag| tag + 2);
        return text.get(quote..text.len().saturating_sub(quote)).unwrap_or_default().to_owned();
    }
    let text = text.strip_prefix(['n', 'N']).unwrap_or(text);
    let quote = text.chars().next().unwrap_or('\'');
    let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)).unwrap_or_default();
    let escapes = !mode.contains(SqlMode::NO_BACKSLASH_ESCAPES);
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            // The second of a doubled quote; the lexer lets no single one stand inside.
            chars.next();
            out.push(quote);
        } else if c == '\\' && escapes {
            match chars.next() {
                Some('0') => out.push('\0'),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('b') => out.push('\x08'),
                Some('Z') => out.push('\x1a'),
                // LIKE patterns keep the backslash of these two.
                Some(c @ ('%' | '_')) => out.extend(['\\', c]),
                Some(c) => out.push(c),
                None => out.push('\\'),
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A string literal for the default `sql_mode`.
pub fn quote_string(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\x1a' => out.push_str("\\Z"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests;
