//! How text compares: the part of the servers' collations that filters meet.
//!
//! A collation is read from its name. Case and accents are handled for the letters of European
//! languages; other letters compare by their folded code points. What the endings mean is the
//! servers' rule: `_bin` compares code points, `_ci` ignores case, `_ai`/`_as` say whether accents
//! count, and only the collations of Unicode 9 and later (and MariaDB's `nopad` ones) count
//! trailing spaces.

use std::borrow::Cow;
use std::cmp::Ordering;

/// What two letters must share to be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    /// Everything: code points.
    Exact,
    /// Case is ignored.
    Accents,
    /// Case and accents are ignored.
    Base,
}

/// Which table of letters a collation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// One weight per character, the upper case: `_general_ci` and the old 8-bit collations.
    General,
    /// As `General`, but å, ä and ö are letters of their own.
    Swedish,
    /// The Unicode collation algorithm: `ß` equals `ss`, marks stand before digits before letters.
    Unicode,
}

/// A collation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Collation {
    strength: Strength,
    family: Family,
    /// True when trailing spaces do not count.
    pad: bool,
}

impl Collation {
    /// Code points, trailing spaces count: `binary`, and columns whose collation is not known.
    pub(super) const BINARY: Self =
        Self { strength: Strength::Exact, family: Family::General, pad: false };

    /// Of literals and results of functions: `utf8mb4_0900_ai_ci`, the default of current MySQL.
    pub(super) const DEFAULT: Self =
        Self { strength: Strength::Base, family: Family::Unicode, pad: false };

    pub(super) fn named(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if name.is_empty() || name == "binary" {
            return Self::BINARY;
        }
        let modern = name.contains("_0900_") || name.contains("nopad");
        let pad = !modern;
        if name.ends_with("_bin") {
            return Self { pad, ..Self::BINARY };
        }
        let family =
            if name.contains("_unicode_") || name.contains("_0900_") || name.contains("uca1400") {
                Family::Unicode
            } else if name.contains("swedish") || name.contains("danish") {
                Family::Swedish
            } else {
                Family::General
            };
        let strength = if name.ends_with("_cs") {
            Strength::Exact
        } else if name.contains("_as_") || name == "latin1_general_ci" {
            Strength::Accents
        } else {
            Strength::Base
        };
        Self { strength, family, pad }
    }

    pub(super) fn ignores_case(self) -> bool {
        self.strength != Strength::Exact
    }

    /// The collation of two texts together, when neither has a better claim.
    pub(super) fn merge(self, other: Self) -> Self {
        if other.strength == Strength::Exact && self.strength != Strength::Exact {
            other
        } else {
            self
        }
    }

    /// Compares two texts.
    pub(super) fn compare(self, a: &str, b: &str) -> Ordering {
        let trim = |s: &'_ str| -> usize {
            if self.pad { s.trim_end_matches(' ').len() } else { s.len() }
        };
        let a = a.get(..trim(a)).unwrap_or(a);
        let b = b.get(..trim(b)).unwrap_or(b);
        if self.strength == Strength::Exact || a == b {
            return self.compare_exact(a, b);
        }
        let mut left = Weights::new(self, a);
        let mut right = Weights::new(self, b);
        loop {
            let order = match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                // With padding the shorter text goes on with spaces.
                (None, Some(w)) if self.pad => self.weight(' ').cmp(&w),
                (Some(w), None) if self.pad => w.cmp(&self.weight(' ')),
                (x, y) => x.cmp(&y),
            };
            if order.is_ne() {
                return order;
            }
        }
    }

    fn compare_exact(self, a: &str, b: &str) -> Ordering {
        if !self.pad {
            return a.cmp(b);
        }
        let longest = a.chars().count().max(b.chars().count());
        let pad = || std::iter::repeat(' ');
        let (a, b) = (a.chars().chain(pad()), b.chars().chain(pad()));
        a.take(longest).cmp(b.take(longest))
    }

    /// True when two single characters are equal; LIKE compares one by one, without expansion.
    pub(super) fn same_char(self, a: char, b: char) -> bool {
        a == b || (self.ignores_case() && self.weight(self.fold(a)) == self.weight(self.fold(b)))
    }

    /// A letter without the differences that do not count.
    fn fold(self, c: char) -> char {
        if c.is_ascii() {
            return c.to_ascii_lowercase();
        }
        let mut lower = c.to_lowercase();
        let c = match (lower.next(), lower.next()) {
            (Some(single), None) => single,
            _ => c,
        };
        let own_letter = self.family == Family::Swedish && matches!(c, 'å' | 'ä' | 'ö');
        if self.strength != Strength::Base || own_letter {
            c
        } else {
            without_accent(c, self.family)
        }
    }

    fn weight(self, c: char) -> (u8, char) {
        match self.family {
            // These order by the upper case, which puts `_` behind the letters.
            Family::General | Family::Swedish => (0, c.to_ascii_uppercase()),
            Family::Unicode if c.is_alphabetic() => (2, c),
            Family::Unicode if c.is_numeric() => (1, c),
            Family::Unicode => (0, c),
        }
    }

    /// Text such that equal texts, and only these, become equal: for FIND_IN_SET, LOCATE and the
    /// like. Trailing spaces stay.
    pub(super) fn key(self, text: &str) -> Cow<'_, str> {
        if self.strength == Strength::Exact {
            return Cow::Borrowed(text);
        }
        Cow::Owned(Weights::new(self, text).map(|(_, c)| c).collect())
    }
}

/// The weights of a text, one after the other.
struct Weights<'a> {
    collation: Collation,
    chars: std::str::Chars<'a>,
    pending: Option<char>,
}

impl<'a> Weights<'a> {
    fn new(collation: Collation, text: &'a str) -> Self {
        Self { collation, chars: text.chars(), pending: None }
    }
}

impl Iterator for Weights<'_> {
    type Item = (u8, char);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(second) = self.pending.take() {
            return Some(self.collation.weight(second));
        }
        let c = self.collation.fold(self.chars.next()?);
        if self.collation.family == Family::Unicode {
            let expanded = match c {
                'ß' => Some(('s', 's')),
                'æ' => Some(('a', 'e')),
                'œ' => Some(('o', 'e')),
                _ => None,
            };
            if let Some((first, second)) = expanded {
                self.pending = Some(second);
                return Some(self.collation.weight(first));
            }
        }
        Some(self.collation.weight(c))
    }
}

/// The letter under the accent, for lower-case letters.
fn without_accent(c: char, family: Family) -> char {
    const TABLE: &[(char, &str)] = &[
        ('a', "àáâãäåāăąǎ"),
        ('c', "çćĉċč"),
        ('d', "ď"),
        ('e', "èéêëēĕėęě"),
        ('g', "ĝğġģ"),
        ('h', "ĥ"),
        ('i', "ìíîïĩīĭįǐ"),
        ('j', "ĵ"),
        ('k', "ķ"),
        ('l', "ĺļľ"),
        ('n', "ñńņň"),
        ('o', "òóôõöōŏőǒ"),
        ('r', "ŕŗř"),
        ('s', "śŝşšș"),
        ('t', "ţťț"),
        ('u', "ùúûüũūŭůűųǔ"),
        ('w', "ŵ"),
        ('y', "ýÿŷ"),
        ('z', "źżž"),
        ('е', "ёѐ"),
        ('и', "йѝ"),
        ('α', "ά"),
        ('ε', "έ"),
        ('η', "ή"),
        ('ι', "ίϊΐ"),
        ('ο', "ό"),
        ('υ', "ύϋΰ"),
        ('ω', "ώ"),
        ('σ', "ς"),
    ];
    match (c, family) {
        ('ß', Family::General | Family::Swedish) => return 's',
        ('ø', Family::Unicode) => return 'o',
        // The Unicode tables keep this Cyrillic letter apart.
        ('й', Family::Unicode) => return c,
        _ => {}
    }
    TABLE.iter().find(|(_, with)| with.contains(c)).map_or(c, |(base, _)| *base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(collation: &str, a: &str, b: &str) -> bool {
        Collation::named(collation).compare(a, b).is_eq()
    }

    #[test]
    fn names_say_what_counts() {
        for ci in
            ["utf8mb4_general_ci", "utf8mb4_0900_ai_ci", "utf8_unicode_ci", "latin1_swedish_ci"]
        {
            assert!(equal(ci, "Été", "ete"), "{ci}");
        }
        assert!(!equal("utf8mb4_0900_as_ci", "Été", "ete"));
        assert!(equal("utf8mb4_0900_as_ci", "Été", "été"));
        assert!(!equal("utf8mb4_0900_as_cs", "a", "A"));
        assert!(!equal("utf8mb4_bin", "a", "A"));
        assert!(!equal("latin1_swedish_ci", "ä", "a"));
        assert!(!equal("", "a", "A"));
    }

    #[test]
    fn sharp_s_depends_on_the_table() {
        assert!(equal("utf8mb4_general_ci", "ß", "s"));
        assert!(equal("utf8mb4_unicode_ci", "straße", "STRASSE"));
        assert!(equal("utf8mb4_0900_ai_ci", "Œuvre", "oeuvre"));
        assert!(!equal("utf8mb4_general_ci", "Œuvre", "oeuvre"));
    }

    #[test]
    fn trailing_spaces_count_in_new_collations_only() {
        assert!(equal("utf8mb4_general_ci", "a", "a  "));
        assert!(equal("utf8mb4_bin", "a", "a  "));
        assert!(!equal("utf8mb4_0900_ai_ci", "a", "a "));
        assert!(!equal("utf8mb4_0900_bin", "a", "a "));
        assert!(!equal("utf8mb4_nopad_bin", "a", "a "));
        assert!(!equal("binary", "a", "a "));
        // With padding, a control character stands before the space that is not there.
        assert_eq!(Collation::named("utf8mb4_bin").compare("a\t", "a"), Ordering::Less);
    }

    #[test]
    fn order() {
        let general = Collation::named("utf8mb4_general_ci");
        assert_eq!(general.compare("abc", "ABD"), Ordering::Less);
        assert_eq!(general.compare("_", "a"), Ordering::Greater);
        let unicode = Collation::named("utf8mb4_0900_ai_ci");
        assert_eq!(unicode.compare("_", "a"), Ordering::Less);
        assert_eq!(unicode.compare("9", "a"), Ordering::Less);
        assert_eq!(unicode.compare("a", "ab"), Ordering::Less);
    }
}
