//! Which server wrote a statement: its dialect and version.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::lexer::Comments;

/// A dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)] // the variants are product names
pub enum Flavor {
    #[default]
    MySql,
    MariaDb,
    TiDb,
}

/// A server's dialect and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerVersion {
    /// The dialect.
    pub flavor: Flavor,
    /// Major, minor and patch as `MMmmpp`: 8.0.34 is 80034, 10.11.19 is 101119.
    pub number: u32,
}

impl Default for ServerVersion {
    /// MySQL 8.0.
    fn default() -> Self {
        Self { flavor: Flavor::MySql, number: 80_036 }
    }
}

impl ServerVersion {
    /// A version by its three numbers.
    pub const fn new(flavor: Flavor, major: u32, minor: u32, patch: u32) -> Self {
        Self { flavor, number: major * 10_000 + minor * 100 + patch }
    }

    /// Reads the text of `SELECT VERSION()`: `8.0.34-log`, `5.5.5-10.11.6-MariaDB-1`,
    /// `8.0.11-TiDB-v7.5.0`. Parts that are no number count as zero.
    pub fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let (flavor, digits) = if let Some((_, version)) = lower.split_once("tidb-v") {
            (Flavor::TiDb, version)
        } else if lower.contains("mariadb") {
            // Replicas once refused two-digit majors, so the text may begin with a fake version.
            (Flavor::MariaDb, lower.strip_prefix("5.5.5-").unwrap_or(&lower))
        } else if lower.contains("tidb") {
            (Flavor::TiDb, "")
        } else {
            (Flavor::MySql, lower.as_str())
        };
        let mut parts = digits.split(|c: char| !c.is_ascii_digit());
        let mut next = || parts.next().and_then(|p| p.parse::<u32>().ok()).unwrap_or(0).min(9_999);
        let (major, minor, patch) = (next(), next(), next());
        Self::new(flavor, major, minor.min(99), patch.min(99))
    }

    /// Which executable comments this server executes.
    pub fn comments(self) -> Comments {
        match self.flavor {
            Flavor::MySql => Comments::MySql(self.number),
            Flavor::MariaDb => Comments::MariaDb(self.number),
            Flavor::TiDb => Comments::TiDb,
        }
    }

    /// True for this dialect from this version on.
    pub fn at_least(self, flavor: Flavor, number: u32) -> bool {
        self.flavor == flavor && self.number >= number
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.flavor {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb => "MariaDB",
            Flavor::TiDb => "TiDB",
        };
        let n = self.number;
        write!(f, "{name} {}.{}.{}", n / 10_000, n / 100 % 100, n % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_texts() {
        let parsed = |text: &str| ServerVersion::parse(text).to_string();
        assert_eq!(parsed("8.0.34-log"), "MySQL 8.0.34");
        assert_eq!(parsed("9.7.4"), "MySQL 9.7.4");
        assert_eq!(parsed("5.5.5-10.11.6-MariaDB-log"), "MariaDB 10.11.6");
        assert_eq!(parsed("11.8.6-MariaDB"), "MariaDB 11.8.6");
        assert_eq!(parsed("8.0.11-TiDB-v7.5.0"), "TiDB 7.5.0");
        assert_eq!(parsed(""), "MySQL 0.0.0");
        assert!(ServerVersion::parse("8.0.19").at_least(Flavor::MySql, 80_019));
    }
}
