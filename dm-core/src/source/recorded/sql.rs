//! INSERT statements of a dump file, row by row.
//!
//! Only literals are read: a dump holds values, not computations. Whatever else stands in the
//! place of a value, or between statements, is an error that names file and offset, never passed
//! over. Memory is bounded by one row. A file that ends before a statement does is cut off.

use super::literal::{Item, Kind, MAX_VALUE, RawRow, escaped};
use super::scan::Scanner;
use crate::binlog::charset;
use crate::error::{Result, codes};

/// Statements other than INSERT are short.
const MAX_OTHER: usize = 64 << 10;
const MAX_NAME: usize = 1 << 10;

/// Where the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Statement,
    /// Behind VALUES: a row has to follow.
    Values,
    /// Behind a row.
    Row,
}

/// Reads a file of INSERT statements.
pub(super) struct SqlRows {
    scan: Scanner,
    at: At,
    /// The character set that `SET NAMES` named last, in lower case.
    names: Option<String>,
    /// The zone that `SET TIME_ZONE` named last.
    zone: Option<String>,
}

impl SqlRows {
    pub fn new(scan: Scanner) -> Self {
        Self { scan, at: At::Statement, names: None, zone: None }
    }

    pub fn names(&self) -> Option<&str> {
        self.names.as_deref()
    }

    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    pub fn scan(&self) -> &Scanner {
        &self.scan
    }

    /// The next item; the values of a row go into `row`.
    pub fn next(&mut self, row: &mut RawRow) -> Result<Item> {
        match self.at {
            At::Statement => self.statement(),
            At::Values => self.row(row).map(|()| Item::Row),
            At::Row => {
                self.scan.skip_space()?;
                match self.scan.next()? {
                    Some(b',') => self.row(row).map(|()| Item::Row),
                    Some(b';') => {
                        self.at = At::Statement;
                        self.statement()
                    }
                    None => Err(self.scan.cut_off("an INSERT")),
                    Some(other) => Err(self.unexpected(other, "`,` or `;` behind a row")),
                }
            }
        }
    }

    fn unexpected(&self, byte: u8, wanted: &str) -> crate::error::Error {
        let byte = [byte];
        let found = byte.escape_ascii();
        self.scan.error(&codes::LOAD_SQL_PARSE, format!("found `{found}` instead of {wanted}"))
    }

    /// The next INSERT; statements that only set up a session are passed.
    fn statement(&mut self) -> Result<Item> {
        loop {
            self.scan.skip_space()?;
            match self.scan.peek()? {
                None => return Ok(Item::End),
                Some(b';') => {
                    self.scan.next()?;
                }
                Some(b'#') => self.line()?,
                Some(b'-') => {
                    self.scan.next()?;
                    if !self.scan.take(b'-')? {
                        return Err(self.unexpected(b'-', "a statement"));
                    }
                    self.line()?;
                }
                Some(b'/') => self.comment()?,
                Some(_) => {
                    let word = self.word()?;
                    if word.eq_ignore_ascii_case("INSERT") || word.eq_ignore_ascii_case("REPLACE") {
                        return self.insert();
                    }
                    self.other(word.into_bytes())?;
                }
            }
        }
    }

    fn line(&mut self) -> Result {
        while self.scan.next()?.is_some_and(|b| b != b'\n') {}
        Ok(())
    }

    /// A comment; an executable one holds a statement.
    fn comment(&mut self) -> Result {
        self.scan.next()?;
        if !self.scan.take(b'*')? {
            return Err(self.unexpected(b'/', "a statement"));
        }
        let mut inside = Vec::new();
        let executable = matches!(self.scan.peek()?, Some(b'!' | b'M'));
        loop {
            self.scan.take_until(|b| b == b'*', &mut inside, MAX_OTHER)?;
            if self.scan.next()?.is_none() {
                return Err(self.scan.cut_off("a comment"));
            }
            if self.scan.take(b'/')? {
                break;
            }
            inside.push(b'*');
        }
        if executable {
            let text = String::from_utf8_lossy(&inside);
            let bare = text.trim_start_matches(|c: char| "!M".contains(c) || c.is_ascii_digit());
            self.session(bare.trim())?;
        }
        Ok(())
    }

    /// The rest of a statement that begins with some words.
    fn other(&mut self, mut text: Vec<u8>) -> Result {
        loop {
            let stop = |b| matches!(b, b';' | b'\'' | b'"' | b'`');
            self.scan.take_until(stop, &mut text, MAX_OTHER)?;
            match self.scan.next()? {
                None => return Err(self.scan.cut_off("a statement")),
                Some(b';') => break,
                Some(quote) => {
                    text.push(quote);
                    self.quoted(quote, quote != b'`', &mut text, MAX_OTHER)?;
                    text.push(quote);
                }
            }
        }
        self.session(String::from_utf8_lossy(&text).trim())
    }

    /// What a statement means that is no INSERT.
    fn session(&mut self, text: &str) -> Result {
        let upper = text.to_ascii_uppercase();
        if upper.starts_with("SET ") {
            self.set(text, &upper);
            return Ok(());
        }
        let harmless =
            ["LOCK TABLES", "UNLOCK TABLES", "USE ", "BEGIN", "COMMIT", "START TRANSACTION"];
        let keys = upper.starts_with("ALTER TABLE ")
            && (upper.ends_with("DISABLE KEYS") || upper.ends_with("ENABLE KEYS"));
        let sandbox = upper.starts_with("\\-");
        if keys || sandbox || harmless.iter().any(|h| upper.starts_with(h)) {
            return Ok(());
        }
        let head: String = text.chars().take(60).collect();
        Err(self.scan.error(
            &codes::LOAD_SQL_PARSE,
            format!("a file of rows holds another statement than INSERT: `{head}`"),
        ))
    }

    fn set(&mut self, text: &str, upper: &str) {
        let rest = upper.strip_prefix("SET ").unwrap_or_default().trim_start();
        if let Some(names) = rest.strip_prefix("NAMES ") {
            let name = names.split_whitespace().next().unwrap_or_default();
            self.names = Some(name.trim_matches(['\'', '"']).to_ascii_lowercase());
        }
        let rest = rest.strip_prefix("SESSION ").unwrap_or(rest);
        let is_zone = rest.strip_prefix("TIME_ZONE").map(str::trim_start);
        if is_zone.is_some_and(|r| r.starts_with('=')) {
            let value = text.split_once('=').map_or("", |(_, v)| v.trim());
            // A variable puts back what was before.
            if !value.starts_with('@') {
                self.zone = Some(value.trim_matches(['\'', '"']).to_owned());
            }
        }
    }

    fn word(&mut self) -> Result<String> {
        self.scan.skip_space()?;
        let mut word = Vec::new();
        let stop = |b: u8| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || b >= 0x80);
        self.scan.take_until(stop, &mut word, MAX_NAME)?;
        if word.is_empty() {
            return match self.scan.peek()? {
                Some(byte) => Err(self.unexpected(byte, "a word")),
                None => Err(self.scan.cut_off("a statement")),
            };
        }
        Ok(String::from_utf8_lossy(&word).into_owned())
    }

    fn name(&mut self) -> Result<String> {
        self.scan.skip_space()?;
        match self.scan.peek()? {
            Some(quote @ (b'`' | b'"')) => {
                self.scan.next()?;
                let mut name = Vec::new();
                self.quoted(quote, false, &mut name, MAX_NAME)?;
                Ok(String::from_utf8_lossy(&name).into_owned())
            }
            _ => self.word(),
        }
    }

    /// The header of an INSERT, behind its first word.
    fn insert(&mut self) -> Result<Item> {
        self.at = At::Values;
        let mut table = self.name()?;
        let words = ["INTO", "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"];
        while words.iter().any(|w| table.eq_ignore_ascii_case(w)) {
            table = self.name()?;
        }
        self.scan.skip_space()?;
        if self.scan.take(b'.')? {
            table = self.name()?;
            self.scan.skip_space()?;
        }
        let mut columns = None;
        if self.scan.take(b'(')? {
            columns = Some(self.column_list()?);
        }
        let word = self.word()?;
        if !word.eq_ignore_ascii_case("VALUES") && !word.eq_ignore_ascii_case("VALUE") {
            return Err(self.scan.error(
                &codes::LOAD_SQL_PARSE,
                format!("found `{word}` instead of VALUES in an INSERT"),
            ));
        }
        Ok(Item::Insert { table, columns })
    }

    fn column_list(&mut self) -> Result<Vec<String>> {
        let mut names = vec![self.name()?];
        loop {
            self.scan.skip_space()?;
            match self.scan.next()? {
                Some(b',') => names.push(self.name()?),
                Some(b')') => return Ok(names),
                Some(other) => return Err(self.unexpected(other, "`,` or `)` in a column list")),
                None => return Err(self.scan.cut_off("a column list")),
            }
        }
    }

    fn row(&mut self, row: &mut RawRow) -> Result {
        row.clear();
        self.scan.skip_space()?;
        match self.scan.next()? {
            Some(b'(') => {}
            Some(other) => return Err(self.unexpected(other, "`(` before a row")),
            None => return Err(self.scan.cut_off("an INSERT")),
        }
        loop {
            self.value(row)?;
            self.scan.skip_space()?;
            match self.scan.next()? {
                Some(b',') => {}
                Some(b')') => break,
                Some(other) => return Err(self.unexpected(other, "`,` or `)` behind a value")),
                None => return Err(self.scan.cut_off("a row")),
            }
        }
        self.at = At::Row;
        Ok(())
    }

    fn value(&mut self, row: &mut RawRow) -> Result {
        let kind = self.literal(row)?;
        row.end(kind);
        Ok(())
    }

    fn literal(&mut self, row: &mut RawRow) -> Result<Kind> {
        self.scan.skip_space()?;
        match self.scan.peek()? {
            None => Err(self.scan.cut_off("a row")),
            Some(quote @ (b'\'' | b'"')) => {
                self.scan.next()?;
                self.quoted(quote, true, &mut row.data, MAX_VALUE)?;
                Ok(Kind::Text(None))
            }
            Some(b'0') => {
                self.scan.next()?;
                match self.scan.peek()? {
                    Some(b'x' | b'X') => self.bare_digits(row, 16),
                    Some(b'b' | b'B') => self.bare_digits(row, 2),
                    _ => {
                        row.data.push(b'0');
                        self.number(row)
                    }
                }
            }
            Some(b'0'..=b'9' | b'.' | b'-' | b'+') => self.number(row),
            Some(_) => {
                let word = self.word()?;
                self.worded(&word, row)
            }
        }
    }

    fn number(&mut self, row: &mut RawRow) -> Result<Kind> {
        let stop = |b: u8| !(b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
        self.scan.take_until(stop, &mut row.data, MAX_VALUE)?;
        Ok(Kind::Number)
    }

    /// A value that begins with a word.
    fn worded(&mut self, word: &str, row: &mut RawRow) -> Result<Kind> {
        let quote = match self.scan.peek()? {
            Some(quote @ (b'\'' | b'"')) => Some(quote),
            _ => None,
        };
        let upper = word.to_ascii_uppercase();
        match (upper.as_str(), quote) {
            ("NULL", None) => Ok(Kind::Null),
            ("DEFAULT", None) => Ok(Kind::Default),
            ("TRUE" | "FALSE", None) => {
                row.data.push(if upper == "TRUE" { b'1' } else { b'0' });
                Ok(Kind::Number)
            }
            ("X", Some(quote)) => self.quoted_digits(row, quote, 16),
            ("B", Some(quote)) => self.quoted_digits(row, quote, 2),
            ("N", Some(quote)) => {
                self.scan.next()?;
                self.quoted(quote, true, &mut row.data, MAX_VALUE)?;
                Ok(Kind::Text(Some("utf8mb4")))
            }
            ("CONVERT", None) => self.convert(row),
            _ if word.starts_with('_') => {
                let charset = self.charset(word.trim_start_matches('_'))?;
                self.with_charset(row, charset)
            }
            _ => Err(self.scan.error(
                &codes::LOAD_SQL_PARSE,
                format!("`{word}` is no literal: a dump holds values only"),
            )),
        }
    }

    fn charset(&self, name: &str) -> Result<&'static str> {
        charset::canonical(name).ok_or_else(|| {
            self.scan.error(&codes::LOAD_SQL_PARSE, format!("`{name}` is no known character set"))
        })
    }

    /// The string or digits behind an introducer.
    fn with_charset(&mut self, row: &mut RawRow, charset: &'static str) -> Result<Kind> {
        match self.literal(row)? {
            Kind::Text(_) | Kind::Digits => Ok(Kind::Text(Some(charset))),
            _ => Err(self
                .scan
                .error(&codes::LOAD_SQL_PARSE, format!("no string stands behind `_{charset}`"))),
        }
    }

    /// `CONVERT('..' USING utf8mb4)`: how mydumper writes JSON, whose bytes it has as UTF-8.
    fn convert(&mut self, row: &mut RawRow) -> Result<Kind> {
        self.scan.skip_space()?;
        let open = self.scan.take(b'(')?;
        let inner = if open { self.literal(row)? } else { Kind::Default };
        let word = if inner == Kind::Null || matches!(inner, Kind::Text(_) | Kind::Digits) {
            self.word()?
        } else {
            String::new()
        };
        if !word.eq_ignore_ascii_case("USING") {
            return Err(self.scan.error(
                &codes::LOAD_SQL_PARSE,
                "CONVERT is only understood as CONVERT('..' USING character set)",
            ));
        }
        let name = self.word()?;
        let charset = self.charset(&name)?;
        self.scan.skip_space()?;
        if !self.scan.take(b')')? {
            return Err(self.scan.error(&codes::LOAD_SQL_PARSE, "`)` lacks behind CONVERT"));
        }
        Ok(if inner == Kind::Null { Kind::Null } else { Kind::Text(Some(charset)) })
    }

    /// `0x1F` behind its first `0`.
    fn bare_digits(&mut self, row: &mut RawRow, base: u32) -> Result<Kind> {
        self.scan.next()?;
        let mut digits = Vec::new();
        self.scan.take_until(|b| !b.is_ascii_hexdigit(), &mut digits, MAX_VALUE)?;
        if digits.is_empty() {
            return Err(self.scan.error(&codes::LOAD_SQL_PARSE, "no digits stand behind `0x`"));
        }
        self.digits(row, &digits, base)
    }

    /// `x'1F'` behind its word.
    fn quoted_digits(&mut self, row: &mut RawRow, quote: u8, base: u32) -> Result<Kind> {
        self.scan.next()?;
        let mut digits = Vec::new();
        self.scan.take_until(|b| b == quote, &mut digits, MAX_VALUE)?;
        if self.scan.next()?.is_none() {
            return Err(self.scan.cut_off("a value"));
        }
        self.digits(row, &digits, base)
    }

    fn digits(&mut self, row: &mut RawRow, digits: &[u8], base: u32) -> Result<Kind> {
        let (per_byte, shift) = if base == 16 { (2, 4) } else { (8, 1) };
        let mut pending = 0u32;
        // Digits that do not fill their first byte are as if zeros stood before them.
        let mut left = match digits.len() % per_byte {
            0 => per_byte,
            some => some,
        };
        for digit in digits {
            let value = char::from(*digit).to_digit(base).ok_or_else(|| {
                self.scan.error(&codes::LOAD_SQL_PARSE, "a digit of a value is none")
            })?;
            pending = (pending << shift) | value;
            left -= 1;
            if left == 0 {
                row.data.push(pending as u8);
                (pending, left) = (0, per_byte);
            }
        }
        Ok(Kind::Digits)
    }

    /// What stands in quotes, behind the first of them.
    fn quoted(&mut self, quote: u8, escapes: bool, into: &mut Vec<u8>, limit: usize) -> Result {
        let limit = into.len().saturating_add(limit);
        loop {
            self.scan.take_until(|b| b == quote || (escapes && b == b'\\'), into, limit)?;
            let stopped = self.scan.next()?;
            let next = self.scan.peek()?;
            match (stopped, next) {
                (None, _) | (Some(b'\\'), None) => return Err(self.scan.cut_off("a string")),
                (Some(b'\\'), Some(byte)) if escapes => {
                    self.scan.next()?;
                    let (before, byte) = escaped(byte);
                    into.extend(before);
                    into.push(byte);
                }
                (Some(_), Some(byte)) if byte == quote => {
                    self.scan.next()?;
                    into.push(quote);
                }
                _ => return Ok(()),
            }
        }
    }
}
