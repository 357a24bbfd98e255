//! Comments, and those of them that are code: whose server executes which.
//!
//! One that is executed is entered: its inside becomes tokens, and the lexer notes where it began. All others
//! are passed over as trivia.
use super::{Lexer, is_word_byte};
use std::ops::Range;
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
    pub(super) fn quotes_by_dollar(self) -> bool {
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

impl Lexer<'_> {
    pub(super) fn comment(&mut self) {
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

    pub(super) fn close_region(&mut self) {
        self.at += 2;
        if let Some(region) = self.open.pop() {
            self.end_region(region);
        }
    }

    pub(super) fn end_region(&mut self, region: usize) {
        let end = self.at;
        if let Some(region) = self.out.regions.get_mut(region) {
            region.span.end = end;
        }
    }

    /// Two dashes begin a comment only before white space, a control character or the end.
    pub(super) fn ends_dashes(&self) -> bool {
        self.bytes.get(self.at + 2).is_none_or(|b| b.is_ascii_whitespace() || b.is_ascii_control())
    }

    pub(super) fn line_comment(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |n| n + 1);
    }
}
