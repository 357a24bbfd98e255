//! DM's name patterns: wildcards and `~` regular expressions.
//!
//! | pattern | matches |
//! |---|---|
//! | `*` | any characters, none included; only as the last character |
//! | `?` | exactly one character |
//! | `[abc]`, `[a-z]` | one character of the set; `-` at an edge is itself |
//! | `[!abc]` | one character that is not in the set; `[!]` is a `!` |
//! | `~regex` | names in which the regular expression finds something, unanchored |
//! | anything else | itself; a `[` without a later `]` too. There is no escape character |
//!
//! Without regard to case both sides are compared in lower case, one character for one character,
//! as the server folds names. A regular expression is compiled with its case-insensitive flag
//! instead: lower-casing its text, as DM does, would turn `\D` into `\d`.
//!
//! Unlike DM, which compares bytes, a pattern here compares whole characters, so that `?` is one
//! letter in any script.
//!
//! This file stands in two crates that share no dependency, the filters' and the router's. A test
//! keeps the two copies equal.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{Regex, RegexBuilder};

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// An empty pattern would match nothing.
    #[error("the pattern is empty")]
    Empty,
    /// A `*` stands before other characters.
    #[error("`{0}` has a `*` that is not the last character")]
    StarNotLast(String),
    /// The text after `~` is no regular expression.
    #[error("`{0}` is not a valid regular expression: {1}")]
    Regex(String, String),
}

/// A pattern of one name: of a schema, or of a table.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    case_sensitive: bool,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Wildcard { atoms: Vec<Atom>, open: bool },
    Regex(Regex),
}

/// What stands for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Atom {
    Char(char),
    Any,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Atom {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::Any => true,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

/// The lower case of a character where that is one character again, else the character itself.
fn fold(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`PatternError`] says what is wrong with the text.
    pub fn new(text: &str, case_sensitive: bool) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let kind = match text.strip_prefix('~') {
            Some(regex) => Kind::Regex(
                RegexBuilder::new(regex)
                    .case_insensitive(!case_sensitive)
                    .build()
                    .map_err(|e| PatternError::Regex(text.to_string(), e.to_string()))?,
            ),
            None => wildcard(text, case_sensitive)?,
        };
        Ok(Self { text: text.to_string(), case_sensitive, kind })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True when the pattern matches the whole name (a regular expression: a part of it).
    pub fn is_match(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Regex(regex) => regex.is_match(name),
            Kind::Wildcard { atoms, open } => {
                let mut chars = name.chars();
                for atom in atoms {
                    let Some(c) = chars.next() else { return false };
                    if !atom.accepts(if self.case_sensitive { c } else { fold(c) }) {
                        return false;
                    }
                }
                *open || chars.next().is_none()
            }
        }
    }

    /// True when the pattern can match nothing but one name (in any case, if case is ignored).
    pub fn is_literal(&self) -> bool {
        match &self.kind {
            Kind::Regex(_) => false,
            Kind::Wildcard { atoms, open } => {
                !open && atoms.iter().all(|a| matches!(a, Atom::Char(_)))
            }
        }
    }

    /// What a reader of the pattern may take for something else.
    pub fn doubts(&self) -> Vec<PatternDoubt> {
        let Kind::Wildcard { atoms, .. } = &self.kind else { return Vec::new() };
        let mut doubts = Vec::new();
        if has_number_range(&self.text) {
            doubts.push(PatternDoubt::NumberRange);
        }
        if self.text.contains(".*") || self.text.starts_with('^') || self.text.ends_with('$') {
            doubts.push(PatternDoubt::LooksLikeRegex);
        }
        let impossible = |atom: &Atom| match atom {
            Atom::Class { negated: false, ranges } => ranges.iter().all(|(low, high)| low > high),
            _ => false,
        };
        if atoms.iter().any(impossible) {
            doubts.push(PatternDoubt::NeverMatches);
        }
        doubts
    }

    /// A glob that matches at least the names that the pattern matches. It is in folded case, also
    /// when the pattern regards case: it only has to find candidates.
    fn push_glob(&self, glob: &mut String) {
        match &self.kind {
            Kind::Regex(_) => push_star(glob),
            Kind::Wildcard { atoms, open } => {
                for atom in atoms {
                    match atom {
                        Atom::Char(c) if "*?[]{}".contains(*c) => glob.extend(['[', *c, ']']),
                        Atom::Char(c) => glob.push(fold(*c)),
                        // A glob's `?` and classes mean bytes, so these are settled afterwards.
                        Atom::Any | Atom::Class { .. } => push_star(glob),
                    }
                }
                if *open {
                    push_star(glob);
                }
            }
        }
    }
}

/// Appends `*`, but never a second one: `**` means directories to a glob.
fn push_star(glob: &mut String) {
    if !glob.ends_with('*') {
        glob.push('*');
    }
}

/// A doubt about a pattern that is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatternDoubt {
    /// `[0-63]` reads like the numbers 0 to 63; it is one character of 0 to 6, or 3.
    NumberRange,
    /// `test.*` is a name that begins with `test.`, dot included; a regex would begin with `~`.
    LooksLikeRegex,
    /// A class without characters (`[]`, `[z-a]`): no name matches.
    NeverMatches,
}

impl PatternDoubt {
    /// What the pattern means, and what may have been meant.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NumberRange => {
                "brackets stand for one character: [0-63] is one of 0 to 6, not the numbers 0 to \
                 63; write `~^name_([0-9]|[1-5][0-9]|6[0-3])$` or several patterns"
            }
            Self::LooksLikeRegex => {
                "this is a wildcard pattern: `.`, `^` and `$` are themselves in it, so `test.*` \
                 matches names that begin with `test.`; write `test*`, or `~` before a regular \
                 expression"
            }
            Self::NeverMatches => "a pair of brackets in it holds no character, so no name matches",
        }
    }
}

/// True when some brackets hold a range of digits beside more digits: `[0-63]`, `[1-10]`.
fn has_number_range(text: &str) -> bool {
    text.split('[').skip(1).filter_map(|rest| rest.split_once(']')).any(|(inside, _)| {
        inside.split_once('-').is_some_and(|(low, high)| {
            let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            digits(low) && digits(high) && low.len() + high.len() > 2
        })
    })
}

fn wildcard(text: &str, case_sensitive: bool) -> Result<Kind, PatternError> {
    let folded = |c: char| if case_sensitive { c } else { fold(c) };
    let chars: Vec<char> = text.chars().map(folded).collect();
    let mut rest = chars.as_slice();
    let mut atoms = Vec::with_capacity(chars.len());
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            '*' if tail.is_empty() => return Ok(Kind::Wildcard { atoms, open: true }),
            '*' => return Err(PatternError::StarNotLast(text.to_string())),
            '?' => atoms.push(Atom::Any),
            '[' => match tail.iter().position(|c| *c == ']') {
                Some(end) => {
                    let (inside, after) = tail.split_at(end);
                    atoms.push(class(inside));
                    rest = after.get(1..).unwrap_or_default();
                }
                None => atoms.push(Atom::Char('[')),
            },
            literal => atoms.push(Atom::Char(literal)),
        }
    }
    Ok(Kind::Wildcard { atoms, open: false })
}

/// The class between brackets.
fn class(inside: &[char]) -> Atom {
    let (negated, mut rest) = match inside {
        ['!'] => return Atom::Char('!'),
        ['!', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            [low, '-', high, tail @ ..] => {
                ranges.push((*low, *high));
                tail
            }
            [single, tail @ ..] => {
                ranges.push((*single, *single));
                tail
            }
            [] => return Atom::Class { negated, ranges },
        };
    }
}

/// A pattern of a schema, with or without one of its tables.
#[derive(Clone, Debug)]
pub struct PairPattern {
    /// The schema's pattern.
    pub schema: NamePattern,
    /// The table's pattern; `None` means the schema and every table in it.
    pub table: Option<NamePattern>,
}

impl PairPattern {
    /// True when both parts match. An empty `table` stands for the schema itself, and `*`
    /// matches it too.
    pub fn is_match(&self, schema: &str, table: &str) -> bool {
        self.schema.is_match(schema) && self.table.as_ref().is_none_or(|t| t.is_match(table))
    }
}

/// Separates schema and table, and ends a name, in the texts that globs see. No name holds them.
const BETWEEN: char = '\u{0}';
const END: char = '\u{1}';

/// Many pair patterns, asked at once.
///
/// Lists of 20,000 literal tables are real. All patterns are therefore widened into one set of
/// globs, which finds the candidates in a single pass (literals by hashing, prefixes by one
/// automaton); each candidate is then settled by its exact pattern.
#[derive(Clone, Debug)]
pub struct PatternIndex {
    pairs: Vec<PairPattern>,
    globs: Option<GlobSet>,
}

impl PatternIndex {
    /// An index over these patterns; results refer to their places in this list.
    pub fn new(pairs: Vec<PairPattern>) -> Self {
        let globs = if pairs.len() < 4 { None } else { glob_set(&pairs) };
        Self { pairs, globs }
    }

    /// True when there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The places of all patterns that match, ascending.
    pub fn matches(&self, schema: &str, table: &str) -> Vec<usize> {
        let exact = |i: &usize| self.pairs.get(*i).is_some_and(|p| p.is_match(schema, table));
        match &self.globs {
            None => (0..self.pairs.len()).filter(exact).collect(),
            Some(globs) => {
                let mut found = globs.matches(candidate(schema, table).as_str());
                found.retain(exact);
                found.sort_unstable();
                found
            }
        }
    }

    /// The place of the first pattern that matches.
    pub fn first(&self, schema: &str, table: &str) -> Option<usize> {
        match &self.globs {
            None => self.pairs.iter().position(|p| p.is_match(schema, table)),
            Some(_) => self.matches(schema, table).first().copied(),
        }
    }

    /// The patterns, in their order.
    pub fn pairs(&self) -> &[PairPattern] {
        &self.pairs
    }
}

/// One glob per pair; `None` when they are too many for an automaton, then each one is asked.
fn glob_set(pairs: &[PairPattern]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pair in pairs {
        let mut glob = String::new();
        pair.schema.push_glob(&mut glob);
        glob.push(BETWEEN);
        match &pair.table {
            Some(table) => table.push_glob(&mut glob),
            None => glob.push('*'),
        }
        // An open pattern takes the mark in by itself, and stays a prefix, which is found faster.
        if !glob.ends_with('*') {
            glob.push(END);
        }
        let mut builder = GlobBuilder::new(&glob);
        // Names are no paths: a slash is a character like others, a backslash escapes nothing.
        builder.literal_separator(false).backslash_escape(false);
        set.add(builder.build().ok()?);
    }
    set.build().ok()
}

fn candidate(schema: &str, table: &str) -> String {
    let mut text = String::with_capacity(schema.len() + table.len() + 2);
    text.extend(schema.chars().map(fold));
    text.push(BETWEEN);
    text.extend(table.chars().map(fold));
    text.push(END);
    text
}
