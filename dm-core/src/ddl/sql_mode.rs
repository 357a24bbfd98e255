//! The `sql_mode` that a statement was written under, as the bits that binlog events carry.

use std::fmt;

/// A set of SQL modes, bit for bit as in the status variables of a QUERY event.
///
/// Only the modes that change how text is read or what it means for a table have constants; the
/// others are kept, so that a session can be given the very same set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SqlMode(u64);

/// Names by bit, as both servers print them; the names of removed modes are left out.
const NAMES: &[(u32, &str)] = &[
    (0, "REAL_AS_FLOAT"),
    (1, "PIPES_AS_CONCAT"),
    (2, "ANSI_QUOTES"),
    (3, "IGNORE_SPACE"),
    (5, "ONLY_FULL_GROUP_BY"),
    (6, "NO_UNSIGNED_SUBTRACTION"),
    (7, "NO_DIR_IN_CREATE"),
    (8, "POSTGRESQL"),
    (9, "ORACLE"),
    (10, "MSSQL"),
    (11, "DB2"),
    (12, "MAXDB"),
    (13, "NO_KEY_OPTIONS"),
    (14, "NO_TABLE_OPTIONS"),
    (15, "NO_FIELD_OPTIONS"),
    (18, "ANSI"),
    (19, "NO_AUTO_VALUE_ON_ZERO"),
    (20, "NO_BACKSLASH_ESCAPES"),
    (21, "STRICT_TRANS_TABLES"),
    (22, "STRICT_ALL_TABLES"),
    (23, "NO_ZERO_IN_DATE"),
    (24, "NO_ZERO_DATE"),
    (25, "ALLOW_INVALID_DATES"),
    (26, "ERROR_FOR_DIVISION_BY_ZERO"),
    (27, "TRADITIONAL"),
    (28, "NO_AUTO_CREATE_USER"),
    (29, "HIGH_NOT_PRECEDENCE"),
    (30, "NO_ENGINE_SUBSTITUTION"),
    (31, "PAD_CHAR_TO_FULL_LENGTH"),
    // MariaDB has EMPTY_STRING_IS_NULL there.
    (32, "TIME_TRUNCATE_FRACTIONAL"),
    // MariaDB alone.
    (34, "TIME_ROUND_FRACTIONAL"),
];

impl SqlMode {
    /// REAL means FLOAT.
    pub const REAL_AS_FLOAT: Self = Self(1);
    /// Double quotes enclose identifiers.
    pub const ANSI_QUOTES: Self = Self(1 << 2);
    /// MariaDB reads its Oracle dialect.
    pub const ORACLE: Self = Self(1 << 9);
    /// TIMESTAMP means DATETIME (MariaDB).
    pub const MAXDB: Self = Self(1 << 12);
    /// A backslash in a string is an ordinary character.
    pub const NO_BACKSLASH_ESCAPES: Self = Self(1 << 20);
    /// Values that do not fit are errors (transactional tables).
    pub const STRICT_TRANS_TABLES: Self = Self(1 << 21);
    /// Values that do not fit are errors (all tables).
    pub const STRICT_ALL_TABLES: Self = Self(1 << 22);

    /// The set with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits, as a binlog carries them.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// True when every mode of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set with the modes of `other` added.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when a value that does not fit is an error.
    pub const fn is_strict(self) -> bool {
        self.0 & (Self::STRICT_TRANS_TABLES.0 | Self::STRICT_ALL_TABLES.0) != 0
    }

    /// Reads the text of the variable `sql_mode` (`STRICT_TRANS_TABLES,ANSI_QUOTES`).
    ///
    /// Names that change nothing about DDL, or that are not known, are left out. The combination
    /// modes (ANSI, the names of other products) contribute the modes that they stand for.
    pub fn from_names(names: &str) -> Self {
        let mut bits = 0;
        for name in names.split(',').map(str::trim) {
            let Some((bit, _)) = NAMES.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)) else {
                continue;
            };
            bits |= 1u64 << bit;
            bits |= match bit {
                18 => Self::REAL_AS_FLOAT.0 | 0b1110,
                8..=12 => 0b1110,
                27 => Self::STRICT_TRANS_TABLES.0 | Self::STRICT_ALL_TABLES.0,
                _ => 0,
            };
        }
        Self(bits)
    }
}

impl fmt::Display for SqlMode {
    /// The names in the order of bits, joined by commas, as `SET sql_mode` takes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (bit, name) in NAMES {
            if self.0 & (1 << bit) == 0 {
                continue;
            }
            if !first {
                f.write_str(",")?;
            }
            f.write_str(name)?;
            first = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits() {
        let mode = SqlMode::from_names("strict_trans_tables, ANSI_QUOTES,NO_SUCH_MODE");
        assert!(mode.contains(SqlMode::ANSI_QUOTES) && mode.is_strict());
        assert_eq!(mode.to_string(), "ANSI_QUOTES,STRICT_TRANS_TABLES");
        assert!(SqlMode::from_names("ANSI").contains(SqlMode::ANSI_QUOTES));
        assert_eq!(SqlMode::from_bits(mode.bits()), mode);
    }
}
