//! Character sets: their default and binary collations and how many bytes a character takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ddl::{Flavor, ServerVersion};

/// Character sets whose default collation is not `<charset>_general_ci`.
const DEFAULTS: &[(&str, &str)] = &[
    ("big5", "big5_chinese_ci"),
    ("binary", "binary"),
    ("cp932", "cp932_japanese_ci"),
    ("dec8", "dec8_swedish_ci"),
    ("eucjpms", "eucjpms_japanese_ci"),
    ("euckr", "euckr_korean_ci"),
    ("gb18030", "gb18030_chinese_ci"),
    ("gb2312", "gb2312_chinese_ci"),
    ("gbk", "gbk_chinese_ci"),
    ("hp8", "hp8_english_ci"),
    ("latin1", "latin1_swedish_ci"),
    ("latin5", "latin5_turkish_ci"),
    ("sjis", "sjis_japanese_ci"),
    ("swe7", "swe7_swedish_ci"),
    ("tis620", "tis620_thai_ci"),
    ("ujis", "ujis_japanese_ci"),
];

/// Character sets whose default collation TiDB sets otherwise.
const TIDB: &[&str] = &["utf8mb4", "utf8mb3", "latin1", "ascii"];

/// What a server fills in where a statement says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// The server's dialect and version.
    pub server: ServerVersion,
    /// `character_set_server`.
    pub charset: String,
    /// `collation_server`.
    pub collation: String,
    /// `explicit_defaults_for_timestamp`: without it TIMESTAMP columns are NOT NULL and get
    /// defaults of their own.
    pub explicit_defaults_for_timestamp: bool,
    /// Default collations that differ from the compiled ones, by character set
    /// (`default_collation_for_utf8mb4`, MariaDB's `character_set_collations`).
    #[serde(default)]
    pub charset_collations: BTreeMap<String, String>,
    /// MySQL's `sql_generate_invisible_primary_key`.
    #[serde(default)]
    pub generate_invisible_primary_key: bool,
    /// `innodb_default_row_format`; empty where it is not known. It says how long a key's part may be.
    #[serde(default)]
    pub row_format: String,
    /// `lower_case_table_names`: 0 compares names of schemas and tables exactly, 1 and 2 do not.
    #[serde(default)]
    pub lower_case_table_names: u8,
}

impl Default for Defaults {
    fn default() -> Self {
        Self::of(ServerVersion::default())
    }
}

impl Defaults {
    /// The compiled-in defaults of a server.
    pub fn of(server: ServerVersion) -> Self {
        let mut charset_collations = BTreeMap::new();
        let (charset, collation, explicit) = match server.flavor {
            Flavor::MySql if server.number < 80_001 => ("latin1", "latin1_swedish_ci", false),
            Flavor::MySql => ("utf8mb4", "utf8mb4_0900_ai_ci", true),
            Flavor::MariaDb if server.number < 110_600 => {
                ("latin1", "latin1_swedish_ci", server.number >= 101_000)
            }
            Flavor::MariaDb => ("utf8mb4", "utf8mb4_uca1400_ai_ci", true),
            Flavor::TiDb => ("utf8mb4", "utf8mb4_bin", true),
        };
        if server.at_least(Flavor::MariaDb, 110_501) {
            for charset in ["ucs2", "utf16", "utf32", "utf8mb3", "utf8mb4"] {
                charset_collations.insert(charset.to_owned(), format!("{charset}_uca1400_ai_ci"));
            }
        }
        Self {
            server,
            charset: charset.to_owned(),
            collation: collation.to_owned(),
            explicit_defaults_for_timestamp: explicit,
            charset_collations,
            generate_invisible_primary_key: false,
            row_format: String::new(),
            lower_case_table_names: 0,
        }
    }

    /// Takes over MariaDB's `character_set_collations`
    /// (`utf8mb3=utf8mb3_uca1400_ai_ci,utf8mb4=...`): it replaces the compiled-in list.
    pub fn set_charset_collations(&mut self, text: &str) {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        self.charset_collations = pairs
            .map(|(charset, collation)| {
                let collation = collation.trim().to_ascii_lowercase();
                (charset.trim().to_ascii_lowercase(), collation)
            })
            .collect();
    }

    /// The default collation of a character set.
    pub fn collation_of(&self, charset: &str) -> String {
        if let Some(collation) = self.charset_collations.get(charset) {
            return collation.clone();
        }
        self.compiled_collation_of(charset)
    }

    /// The default collation that is compiled in, without what the server's settings say.
    pub(super) fn compiled_collation_of(&self, charset: &str) -> String {
        if self.server.flavor == Flavor::TiDb && TIDB.contains(&charset) {
            return binary_collation(charset);
        }
        if charset == "utf8mb4" && self.server.at_least(Flavor::MySql, 80_001) {
            return "utf8mb4_0900_ai_ci".to_owned();
        }
        match DEFAULTS.iter().find(|(name, _)| *name == charset) {
            Some((_, collation)) => (*collation).to_owned(),
            None if charset.is_empty() => String::new(),
            None => format!("{charset}_general_ci"),
        }
    }

    /// The same as [`Defaults::resolve`] where MariaDB's `CHARACTER SET DEFAULT` may stand: `above` is what a
    /// table's schema has, or a schema's server. Only its character set counts, with the collation that is
    /// compiled in for it.
    pub(super) fn resolve_under(
        &self,
        charset: Option<&str>,
        collation: Option<&str>,
        inherited: (&str, &str),
        above: &str,
    ) -> (String, String) {
        match (charset, collation) {
            (Some("default"), None) => (above.to_owned(), self.compiled_collation_of(above)),
            (Some("default"), collation) => self.resolve(Some(above), collation, inherited),
            (charset, collation) => self.resolve(charset, collation, inherited),
        }
    }

    /// Character set and collation when a statement gives the one, the other, both or none.
    ///
    /// `inherited` stands in when none is given.
    pub fn resolve(
        &self,
        charset: Option<&str>,
        collation: Option<&str>,
        inherited: (&str, &str),
    ) -> (String, String) {
        match (charset, collation) {
            (None, None) => (inherited.0.to_owned(), inherited.1.to_owned()),
            (Some(charset), None) => (charset.to_owned(), self.collation_of(charset)),
            // MariaDB has collations that fit several character sets; they take the one at hand.
            (charset, Some(collation)) if collation.starts_with("uca1400_") => {
                let charset = charset.unwrap_or(inherited.0);
                (charset.to_owned(), format!("{charset}_{collation}"))
            }
            (charset, Some("default")) => {
                let charset = charset.unwrap_or(inherited.0);
                (charset.to_owned(), self.collation_of(charset))
            }
            (Some(charset), Some(collation)) => (charset.to_owned(), collation.to_owned()),
            (None, Some(collation)) => (charset_of(collation).to_owned(), collation.to_owned()),
        }
    }
}

/// The character set that a collation belongs to.
pub fn charset_of(collation: &str) -> &str {
    collation.split('_').next().unwrap_or_default()
}

/// The binary collation of a character set.
pub fn binary_collation(charset: &str) -> String {
    match charset {
        "" => String::new(),
        "binary" => "binary".to_owned(),
        charset => format!("{charset}_bin"),
    }
}

/// The most bytes that a character takes.
pub fn max_bytes(charset: &str) -> u64 {
    match charset {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8mb3" | "utf8" | "ujis" | "eucjpms" => 3,
        "big5" | "cp932" | "euckr" | "gb2312" | "gbk" | "sjis" | "ucs2" => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_by_server() {
        let collation = |text: &str| {
            let defaults = Defaults::of(ServerVersion::parse(text));
            (defaults.collation.clone(), defaults.collation_of("utf8mb4"))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(collation("5.7.44"), pair("latin1_swedish_ci", "utf8mb4_general_ci"));
        assert_eq!(collation("8.0.34"), pair("utf8mb4_0900_ai_ci", "utf8mb4_0900_ai_ci"));
        assert_eq!(collation("10.11.6-MariaDB"), pair("latin1_swedish_ci", "utf8mb4_general_ci"));
        assert_eq!(
            collation("11.8.6-MariaDB"),
            pair("utf8mb4_uca1400_ai_ci", "utf8mb4_uca1400_ai_ci")
        );
        assert_eq!(collation("8.0.11-TiDB-v7.5.0"), pair("utf8mb4_bin", "utf8mb4_bin"));
    }

    #[test]
    fn charset_and_collation_complete_each_other() {
        let defaults = Defaults::of(ServerVersion::parse("8.0.34"));
        let resolve = |charset, collation| defaults.resolve(charset, collation, ("latin1", "x"));
        assert_eq!(resolve(None, None), ("latin1".into(), "x".into()));
        assert_eq!(resolve(Some("gbk"), None), ("gbk".into(), "gbk_chinese_ci".into()));
        assert_eq!(resolve(None, Some("big5_bin")), ("big5".into(), "big5_bin".into()));
        assert_eq!(
            resolve(Some("utf8mb4"), Some("uca1400_ai_ci")),
            ("utf8mb4".into(), "utf8mb4_uca1400_ai_ci".into())
        );
    }
}
