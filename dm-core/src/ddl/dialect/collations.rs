//! Collations that one family of servers alone has, and their counterparts at the other one.
//!
//! Where there is no exact counterpart the finer one is taken: rows that the source tells apart must not collide at
//! the target.

/// Languages with tailorings in both families: MariaDB's word and MySQL's of the 0900 family.
const LANGUAGES: &[(&str, &str)] = &[
    ("croatian", "hr"),
    ("czech", "cs"),
    ("danish", "da"),
    ("esperanto", "eo"),
    ("estonian", "et"),
    ("german2", "de_pb"),
    ("hungarian", "hu"),
    ("icelandic", "is"),
    ("latvian", "lv"),
    ("lithuanian", "lt"),
    ("polish", "pl"),
    ("roman", "la"),
    ("romanian", "ro"),
    ("slovak", "sk"),
    ("slovenian", "sl"),
    ("spanish", "es"),
    ("spanish2", "es_trad"),
    ("swedish", "sv"),
    ("turkish", "tr"),
    ("vietnamese", "vi"),
];

/// The counterpart at MySQL of a collation that only MariaDB has.
pub(super) fn to_mysql(name: &str) -> Option<String> {
    let (charset, rest) =
        if name.starts_with("uca1400_") { ("utf8mb4", name) } else { name.split_once('_')? };
    if let Some(rest) = rest.strip_prefix("uca1400_") {
        return Some(uca_at_mysql(charset, rest));
    }
    match rest {
        "nopad_bin" if charset == "utf8mb4" => Some("utf8mb4_0900_bin".to_owned()),
        "croatian_mysql561_ci" => Some(format!("{charset}_croatian_ci")),
        "myanmar_ci" | "thai_520_w2" => Some(format!("{charset}_unicode_520_ci")),
        // Padding makes 'a' and 'a ' equal; two such rows are reported as duplicates.
        _ if rest.contains("nopad_") => Some(format!("{charset}_{}", rest.replace("nopad_", ""))),
        _ => None,
    }
}

fn uca_at_mysql(charset: &str, rest: &str) -> String {
    let rest = rest.replace("nopad_", "");
    let sensitive = rest.ends_with("_cs") || rest.ends_with("as_ci") || rest == "as_cs";
    if charset != "utf8mb4" {
        // The older families ignore accents and case; otherwise bytes decide.
        let kind = if sensitive {
            "bin"
        } else if charset == "utf8mb3" {
            "unicode_ci"
        } else {
            "unicode_520_ci"
        };
        return format!("{charset}_{kind}");
    }
    let (language, accents, case) = {
        let mut parts = rest.rsplitn(3, '_');
        let case = parts.next().unwrap_or("ci");
        let accents = parts.next().unwrap_or("ai");
        (parts.next().unwrap_or_default(), accents, case)
    };
    let known = LANGUAGES.iter().find(|(mariadb, _)| *mariadb == language).map(|(_, mysql)| *mysql);
    match (known, accents, case) {
        (Some(mysql), "ai", "ci") => format!("utf8mb4_{mysql}_0900_ai_ci"),
        (Some(mysql), _, _) => format!("utf8mb4_{mysql}_0900_as_cs"),
        (None, "ai", "ci") => "utf8mb4_0900_ai_ci".to_owned(),
        (None, "as", "ci") => "utf8mb4_0900_as_ci".to_owned(),
        (None, _, _) => "utf8mb4_0900_as_cs".to_owned(),
    }
}

/// The counterpart at MariaDB of a collation of MySQL's 0900 family, which does not pad.
pub(super) fn to_mariadb(name: &str, version: u32) -> Option<String> {
    let rest = name.strip_prefix("utf8mb4_")?;
    if rest == "0900_bin" {
        return Some("utf8mb4_nopad_bin".to_owned());
    }
    let (language, kind) = match rest.strip_prefix("0900_") {
        Some(kind) => ("", kind),
        None => rest.split_once("_0900_")?,
    };
    if version < 101_001 {
        let kind = if kind == "ai_ci" { "unicode_520_nopad_ci" } else { "nopad_bin" };
        return Some(format!("utf8mb4_{kind}"));
    }
    let known = LANGUAGES.iter().find(|(_, mysql)| *mysql == language);
    Some(match known {
        Some((mariadb, _)) => format!("utf8mb4_uca1400_{mariadb}_nopad_{kind}"),
        None => format!("utf8mb4_uca1400_nopad_{kind}"),
    })
}
