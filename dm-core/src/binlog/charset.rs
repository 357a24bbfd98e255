//! Character sets: which one a collation number means, and how its bytes become UTF-8.
//!
//! Text that converts without loss and back to the same bytes becomes UTF-8: the Unicode
//! encodings, ASCII and latin1 (MySQL's is Windows-1252 with control characters in the five
//! places that it leaves open). Other character sets have bytes that several tables read
//! differently, so their text keeps its bytes and the target's server converts it.

use std::borrow::Cow;
use std::sync::LazyLock;

use dm_filter::{Encoded, Value};

use crate::position::Flavor;

/// A collation and its character set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collation {
    /// Character set: `utf8mb4`.
    pub charset: &'static str,
    /// Name in MySQL.
    pub mysql: Cow<'static, str>,
    /// Name in MariaDB.
    pub mariadb: Cow<'static, str>,
}

impl Collation {
    /// The name that a flavor's servers give it.
    pub fn name(&self, flavor: Flavor) -> &str {
        match flavor {
            Flavor::MySql => &self.mysql,
            Flavor::MariaDb => &self.mariadb,
        }
    }
}

/// Number of the collation that means bytes.
pub const BINARY: u16 = 63;
/// MariaDB's UCA 14.0.0 collations start here; their numbers are made of parts.
const UCA1400: u16 = 2048;
const UCA1400_CHARSETS: [&str; 5] = ["utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32"];
/// Languages by number; two numbers are not in use.
const UCA1400_LANGUAGES: [&str; 25] = [
    "",
    "icelandic",
    "latvian",
    "romanian",
    "slovenian",
    "polish",
    "estonian",
    "spanish",
    "swedish",
    "turkish",
    "czech",
    "danish",
    "lithuanian",
    "slovak",
    "spanish2",
    "roman",
    "persian",
    "esperanto",
    "hungarian",
    "sinhala",
    "german2",
    "?",
    "?",
    "vietnamese",
    "croatian",
];

static COLLATIONS: LazyLock<Vec<Option<Collation>>> = LazyLock::new(|| {
    let mut all = vec![None; usize::from(UCA1400) + 5 * 256];
    for line in include_str!("collations.tsv").lines().filter(|l| !l.starts_with('#')) {
        let mut fields = line.split('\t');
        let (Some(id), Some(charset), Some(name)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let mariadb = fields.next().unwrap_or(name);
        let slot = id.parse().ok().and_then(|id: usize| all.get_mut(id));
        if let Some(slot) = slot {
            *slot = Some(Collation { charset, mysql: name.into(), mariadb: mariadb.into() });
        }
    }
    for (number, slot) in (0u16..).zip(all.iter_mut().skip(usize::from(UCA1400))) {
        *slot = uca1400(number);
    }
    all
});

/// The collation of a number from 2048: character set, language, padding, accents and case.
fn uca1400(number: u16) -> Option<Collation> {
    let charset = *UCA1400_CHARSETS.get(usize::from(number >> 8))?;
    let language = *UCA1400_LANGUAGES.get(usize::from(number >> 3) & 0x1F)?;
    if language == "?" {
        return None;
    }
    let underscore = if language.is_empty() { "" } else { "_" };
    let nopad = if number & 4 == 0 { "" } else { "_nopad" };
    let accents = if number & 2 == 0 { "ai" } else { "as" };
    let case = if number & 1 == 0 { "ci" } else { "cs" };
    let name = format!("{charset}_uca1400{underscore}{language}{nopad}_{accents}_{case}");
    Some(Collation { charset, mysql: name.clone().into(), mariadb: name.into() })
}

/// The collation of a number, of whichever flavor.
pub fn by_id(id: u16) -> Option<&'static Collation> {
    COLLATIONS.get(usize::from(id))?.as_ref()
}

/// The static name of a character set; `utf8` is `utf8mb3`. `None` for an unknown one.
pub fn canonical(name: &str) -> Option<&'static str> {
    let name = if name.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { name };
    let mut all = COLLATIONS.iter().flatten().map(|c| c.charset);
    all.find(|charset| charset.eq_ignore_ascii_case(name))
}

/// How the bytes of a character set are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Text {
    /// No text at all.
    Binary,
    /// utf8mb4, utf8mb3.
    Utf8,
    Ascii,
    Latin1,
    /// Two or four bytes a character; `big` says which comes first.
    Utf16 {
        charset: &'static str,
        big: bool,
    },
    Utf32,
    /// Kept as it is.
    Other(&'static str),
}

impl Text {
    pub(crate) fn of(charset: &'static str) -> Self {
        match charset {
            "binary" => Self::Binary,
            "utf8mb4" | "utf8mb3" => Self::Utf8,
            "ascii" => Self::Ascii,
            "latin1" => Self::Latin1,
            "ucs2" | "utf16" => Self::Utf16 { charset, big: true },
            "utf16le" => Self::Utf16 { charset, big: false },
            "utf32" => Self::Utf32,
            other => Self::Other(other),
        }
    }

    fn charset(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Utf8 => "utf8mb4",
            Self::Ascii => "ascii",
            Self::Latin1 => "latin1",
            Self::Utf16 { charset, .. } | Self::Other(charset) => charset,
            Self::Utf32 => "utf32",
        }
    }

    /// The bytes as UTF-8; `None` when they are not valid, or are to be kept.
    pub(crate) fn to_utf8(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Binary | Self::Other(_) => None,
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Ascii => bytes
                .is_ascii()
                .then(|| std::str::from_utf8(bytes).ok().map(Cow::Borrowed))
                .flatten(),
            Self::Latin1 => Some(match std::str::from_utf8(bytes) {
                Ok(text) if bytes.is_ascii() => Cow::Borrowed(text),
                _ => Cow::Owned(bytes.iter().copied().map(latin1).collect()),
            }),
            Self::Utf16 { big, .. } => utf16(bytes, big).map(Cow::Owned),
            Self::Utf32 => utf32(bytes).map(Cow::Owned),
        }
    }

    /// A value of a column of this character set.
    pub(crate) fn value(self, bytes: &[u8]) -> Value<'_> {
        if self == Self::Binary {
            return Value::Bytes(Cow::Borrowed(bytes));
        }
        match self.to_utf8(bytes) {
            Some(text) => Value::Text(text),
            None => {
                Value::Encoded(Encoded { charset: self.charset(), bytes: Cow::Borrowed(bytes) })
            }
        }
    }

    /// As [`Text::value`], for bytes that were made here.
    pub(crate) fn owned_value(self, bytes: Vec<u8>) -> Value<'static> {
        match self {
            Self::Binary => Value::Bytes(Cow::Owned(bytes)),
            _ => self.value(&bytes).into_owned(),
        }
    }
}

/// A byte of latin1: Windows-1252, and control characters where that has nothing.
fn latin1(byte: u8) -> char {
    const HIGH: [u16; 32] = [
        0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
    ];
    let high = byte.checked_sub(0x80).and_then(|i| HIGH.get(usize::from(i)));
    high.and_then(|code| char::from_u32(u32::from(*code))).unwrap_or(char::from(byte))
}

fn utf16(bytes: &[u8], big: bool) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units =
        pairs.iter().map(|p| if big { u16::from_be_bytes(*p) } else { u16::from_le_bytes(*p) });
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok().filter(|_| rest.is_empty())
}

fn utf32(bytes: &[u8]) -> Option<String> {
    let (chars, rest) = bytes.as_chunks::<4>();
    let text: Option<String> =
        chars.iter().map(|c| char::from_u32(u32::from_be_bytes(*c))).collect();
    text.filter(|_| rest.is_empty())
}

/// A statement, or a label, in a character set as UTF-8. Here, unlike for values, the character
/// sets of other scripts are converted too: the text is read, not carried.
pub fn statement_to_utf8<'a>(charset: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    match canonical(charset)? {
        "binary" => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        known => match legacy(known) {
            Some(encoding) => encoding.decode_without_bom_handling_and_without_replacement(bytes),
            None => Text::of(known).to_utf8(bytes),
        },
    }
}

/// The other way; `None` for a text that the character set does not have.
pub(crate) fn statement_from_utf8(charset: &str, text: &str) -> Option<Vec<u8>> {
    let known = canonical(charset)?;
    match Text::of(known) {
        Text::Utf8 | Text::Binary => Some(text.as_bytes().to_vec()),
        Text::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
        Text::Latin1 => text.chars().map(|c| (0..=255).find(|byte| latin1(*byte) == c)).collect(),
        Text::Utf16 { big, .. } => {
            let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            Some(text.encode_utf16().flat_map(bytes).collect())
        }
        Text::Utf32 => Some(text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
        Text::Other(_) => {
            let (bytes, _, lost) = legacy(known)?.encode(text);
            (!lost).then(|| bytes.into_owned())
        }
    }
}

/// The decoder of a character set that is neither Unicode, ASCII nor latin1; `None` where there
/// is none of the same set.
pub fn legacy(charset: &str) -> Option<&'static encoding_rs::Encoding> {
    Some(match charset {
        "gbk" | "gb2312" => encoding_rs::GBK,
        "gb18030" => encoding_rs::GB18030,
        "big5" => encoding_rs::BIG5,
        "sjis" | "cp932" => encoding_rs::SHIFT_JIS,
        "ujis" | "eucjpms" => encoding_rs::EUC_JP,
        "euckr" => encoding_rs::EUC_KR,
        "latin2" => encoding_rs::ISO_8859_2,
        "latin5" => encoding_rs::WINDOWS_1254,
        "latin7" => encoding_rs::ISO_8859_13,
        "greek" => encoding_rs::ISO_8859_7,
        "hebrew" => encoding_rs::ISO_8859_8,
        "cp1250" => encoding_rs::WINDOWS_1250,
        "cp1251" => encoding_rs::WINDOWS_1251,
        "cp1256" => encoding_rs::WINDOWS_1256,
        "cp1257" => encoding_rs::WINDOWS_1257,
        "cp866" => encoding_rs::IBM866,
        "koi8r" => encoding_rs::KOI8_R,
        "koi8u" => encoding_rs::KOI8_U,
        "macroman" => encoding_rs::MACINTOSH,
        "tis620" => encoding_rs::WINDOWS_874,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_both_flavors() {
        let name = |id, flavor| by_id(id).map(|c| c.name(flavor).to_owned());
        assert_eq!(name(8, Flavor::MySql).as_deref(), Some("latin1_swedish_ci"));
        assert_eq!(name(255, Flavor::MySql).as_deref(), Some("utf8mb4_0900_ai_ci"));
        assert_eq!(name(245, Flavor::MariaDb).as_deref(), Some("utf8mb4_croatian_mysql561_ci"));
        assert_eq!(name(2048, Flavor::MariaDb).as_deref(), Some("utf8mb3_uca1400_ai_ci"));
        assert_eq!(name(2308, Flavor::MariaDb).as_deref(), Some("utf8mb4_uca1400_nopad_ai_ci"));
        assert_eq!(
            name(3271, Flavor::MariaDb).as_deref(),
            Some("utf32_uca1400_croatian_nopad_as_cs")
        );
        assert_eq!(name(2048 + 21 * 8, Flavor::MariaDb), None);
        assert_eq!(name(u16::MAX, Flavor::MariaDb), None);
        assert_eq!(by_id(BINARY).unwrap().charset, "binary");
        assert_eq!((canonical("UTF8"), canonical("nope")), (Some("utf8mb3"), None));
    }

    #[test]
    fn text_is_converted_without_loss_or_kept() {
        let text = |charset, bytes: &'static [u8]| Text::of(charset).value(bytes);
        assert_eq!(text("latin1", b"caf\xe9 \x80\x81"), Value::Text("café €\u{81}".into()));
        assert_eq!(text("ucs2", &[0, 0x41, 0x65, 0xE5]), Value::Text("A日".into()));
        assert_eq!(text("utf16", &[0xD8, 0x3D, 0xDE, 0x00]), Value::Text("😀".into()));
        assert_eq!(text("utf16le", &[0x3D, 0xD8, 0x00, 0xDE]), Value::Text("😀".into()));
        assert_eq!(text("utf32", &[0, 1, 0xF6, 0]), Value::Text("😀".into()));
        for (charset, bytes) in [
            ("utf8mb4", &b"\xff"[..]),
            ("ascii", b"\xc3\xa9"),
            ("utf16", b"\xd8\x3d"),
            ("ucs2", b"\x00"),
            ("utf32", b"\0\0\0"),
            ("gbk", b"\xd6\xd0"),
        ] {
            let kept = Encoded { charset, bytes: Cow::Borrowed(bytes) };
            assert_eq!(text(charset, bytes), Value::Encoded(kept));
        }
        assert_eq!(statement_to_utf8("gbk", b"\xd6\xd0").as_deref(), Some("中"));
        assert_eq!(statement_to_utf8("cp1251", b"\xcf").as_deref(), Some("П"));
        assert_eq!(statement_to_utf8("utf8mb4", b"\xcf"), None);
        let back = |charset, text| statement_from_utf8(charset, text);
        assert_eq!(back("gbk", "中").as_deref(), Some(&b"\xd6\xd0"[..]));
        assert_eq!(back("latin1", "€é").as_deref(), Some(&b"\x80\xe9"[..]));
        assert_eq!(back("utf16le", "A").as_deref(), Some(&b"A\0"[..]));
        assert_eq!((back("latin1", "中"), back("cp1251", "中")), (None, None));
    }

    #[test]
    fn latin1_is_reversible() {
        let all: Vec<char> = (0..=255).map(latin1).collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 256);
    }
}
