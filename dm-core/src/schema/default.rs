//! One spelling for default values, so that a structure read from a statement equals the one read
//! from `SHOW CREATE TABLE`, whoever printed it.
//!
//! MySQL prints numbers in quotes, MariaDB without; one prints `CURRENT_TIMESTAMP`, the other
//! `current_timestamp()`. The spelling used here: numbers plain (with the digits that the type
//! keeps), everything else in single quotes for the default `sql_mode`, `CURRENT_TIMESTAMP(n)`,
//! `b'101'` for BIT, `x'0A'` for binary strings that are no text, expressions in parentheses.

mod number;
mod time;

use self::number::number_text;
use self::time::{date, date_time, time};
use super::table::{ColumnType, TypeKind, same_name};
use crate::ddl::{
    ColumnDef, Comments, Flavor, Lexed, ServerVersion, SqlMode, TokenKind, lex, literal_bytes,
    quote_string, unquote_string,
};

/// The canonical spelling of a DEFAULT clause's text for a column of this type.
///
/// Servers differ in what a word means and in what becomes of digits that the column does not hold.
pub(super) fn canonical(
    text: &str,
    ty: &ColumnType,
    mode: SqlMode,
    server: ServerVersion,
) -> String {
    let text = text.trim();
    if text.eq_ignore_ascii_case("NULL") {
        return "NULL".to_owned();
    }
    if let Some(now) = now(text, ty, server) {
        return now;
    }
    let lexed = lex(text, mode, Comments::All);
    match literal(text, &lexed, mode) {
        Some(literal) => literal.for_type(ty, server),
        None if text.starts_with('(') => text.to_owned(),
        None => format!("({text})"),
    }
}

/// MariaDB takes an expression that is a literal as the literal.
pub(super) fn without_parens(
    default: String,
    ty: &ColumnType,
    mode: SqlMode,
    server: ServerVersion,
) -> String {
    let inner = default.strip_prefix('(').and_then(|d| d.strip_suffix(')')).map(str::trim);
    let Some(inner) = inner else { return default };
    if let Some(now) = now(inner, ty, server) {
        return now;
    }
    match literal(inner, &lex(inner, mode, Comments::All), mode) {
        Some(literal) => literal.for_type(ty, server),
        None => default,
    }
}

/// `CURRENT_TIMESTAMP` with its digits, for any of its synonyms. MariaDB fits the digits to the
/// column, MySQL refuses others. To MariaDB 11.8 LOCALTIME is a time without a date.
fn now(text: &str, ty: &ColumnType, server: ServerVersion) -> Option<String> {
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if word.eq_ignore_ascii_case("LOCALTIME") && server.at_least(Flavor::MariaDb, 110_800) {
        return None;
    }
    let written = ColumnDef::now_digits(text)?;
    let digits = match ty.kind {
        TypeKind::DateTime | TypeKind::Timestamp => ty.decimals.unwrap_or(0),
        _ => written,
    };
    Some(match digits {
        0 => "CURRENT_TIMESTAMP".to_owned(),
        digits => format!("CURRENT_TIMESTAMP({digits})"),
    })
}

/// A literal, whatever its notation.
enum Literal {
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
}

fn literal(text: &str, lexed: &Lexed, mode: SqlMode) -> Option<Literal> {
    let mut tokens = lexed.tokens.iter().peekable();
    let word = |t: &crate::ddl::Token| text.get(t.span()).unwrap_or_default();
    let mut sign = "";
    while let Some(t) = tokens.next_if(|t| matches!(t.kind, TokenKind::Punct(b'-' | b'+'))) {
        if t.kind == TokenKind::Punct(b'-') {
            sign = if sign.is_empty() { "-" } else { "" };
        }
    }
    // `{d '2020-01-01'}` is the literal inside of it.
    let braced = tokens.next_if(|t| t.kind == TokenKind::Punct(b'{')).is_some();
    if braced {
        tokens.next_if(|t| t.kind == TokenKind::Word);
    }
    // A character set introducer, or DATE, TIME, TIMESTAMP, says nothing that the type does not.
    tokens.next_if(|t| {
        t.kind == TokenKind::Word
            && (word(t).starts_with('_')
                || ["DATE", "TIME", "TIMESTAMP"].iter().any(|w| w.eq_ignore_ascii_case(word(t))))
    });
    let first = tokens.next()?;
    let value = match first.kind {
        TokenKind::Number => Literal::Number(format!("{sign}{}", word(first))),
        TokenKind::String => {
            let mut value = unquote_string(word(first), mode);
            while let Some(t) = tokens.next_if(|t| t.kind == TokenKind::String) {
                value.push_str(&unquote_string(word(t), mode));
            }
            Literal::Text(value)
        }
        TokenKind::Hex => Literal::Bytes(literal_bytes(word(first), 4)),
        TokenKind::Bit => Literal::Bytes(literal_bytes(word(first), 1)),
        TokenKind::Word if word(first).eq_ignore_ascii_case("TRUE") => Literal::Number("1".into()),
        TokenKind::Word if word(first).eq_ignore_ascii_case("FALSE") => Literal::Number("0".into()),
        _ => return None,
    };
    let closed = !braced || tokens.next_if(|t| t.kind == TokenKind::Punct(b'}')).is_some();
    (closed && tokens.next().is_none()).then_some(value)
}

impl Literal {
    fn for_type(self, ty: &ColumnType, server: ServerVersion) -> String {
        use TypeKind as T;
        let rounds = server.flavor == Flavor::MySql;
        match ty.kind {
            T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt => self.numeric(Some(0)),
            T::Year => self.year(),
            T::Enum => self.member(ty, server),
            T::Set => self.members(ty, server),
            T::Decimal => self.numeric(Some(ty.decimals.unwrap_or(0))),
            T::Float | T::Double => self.approximate(ty, server),
            T::Bit => {
                let value = self.whole();
                value.map_or_else(|| self.text(), |v| format!("b'{v:b}'"))
            }
            T::Date => quote_string(&date(&self.plain())),
            T::DateTime | T::Timestamp => {
                quote_string(&date_time(&self.plain(), ty.decimals.unwrap_or(0), rounds))
            }
            T::Binary | T::VarBinary => self.binary(ty),
            T::Time => quote_string(&time(&self.plain(), ty.decimals.unwrap_or(0), rounds)),
            // Spaces at the end are no part of the value.
            T::Char => match self {
                Self::Text(text) => quote_string(text.trim_end_matches(' ')),
                other => other.text(),
            },
            _ => self.text(),
        }
    }

    fn plain(self) -> String {
        match self {
            Self::Number(n) => n,
            Self::Text(t) => t,
            Self::Bytes(b) => String::from_utf8_lossy(&b).into_owned(),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Bytes(bytes) => match String::from_utf8(bytes) {
                Ok(text) if !text.chars().any(char::is_control) => quote_string(&text),
                Ok(text) => hex(text.as_bytes()),
                Err(error) => hex(error.as_bytes()),
            },
            Self::Number(number) => quote_string(&number_text(&number)),
            other => quote_string(&other.plain()),
        }
    }

    /// A member of an ENUM in its own spelling, by name or number.
    fn member(self, ty: &ColumnType, server: ServerVersion) -> String {
        let at = self.number_of_member();
        let text = self.plain();
        let text = text.trim_end_matches(' ');
        let by_name = at.is_none() || names_by_number(ty, server);
        let named = ty.labels.iter().find(|l| by_name && same_name(l, text));
        let at = at.and_then(|n| usize::try_from(n).ok()?.checked_sub(1));
        let label = named.or_else(|| ty.labels.get(at?));
        quote_string(label.map_or(text, String::as_str))
    }

    /// Members of a SET in their own spelling and order, by name or as bits.
    fn members(self, ty: &ColumnType, server: ServerVersion) -> String {
        let bits = self.number_of_member();
        let text = self.plain();
        let names =
            |label: &String| text.split(',').any(|t| same_name(t.trim_end_matches(' '), label));
        let by_name = names_by_number(ty, server) && ty.labels.iter().any(names);
        let bits = bits.filter(|_| !by_name);
        let chosen = |(n, label): &(usize, &String)| match bits {
            Some(bits) => *n < 64 && bits >> n & 1 == 1,
            None => names(label),
        };
        let labels = ty.labels.iter().enumerate().filter(chosen).map(|(_, l)| l.as_str());
        quote_string(&labels.collect::<Vec<_>>().join(","))
    }

    /// The number that a default without quotes is.
    fn number_of_member(&self) -> Option<u64> {
        match self {
            Self::Number(n) => n.parse().ok(),
            _ => None,
        }
    }

    /// Bytes; BINARY pads them with zeros.
    fn binary(self, ty: &ColumnType) -> String {
        let mut bytes = match self {
            Self::Bytes(bytes) => bytes,
            other => other.plain().into_bytes(),
        };
        if ty.kind == TypeKind::Binary {
            let length = usize::try_from(ty.length.unwrap_or(1)).unwrap_or(1);
            bytes.resize(bytes.len().max(length.min(255)), 0);
        }
        Self::Bytes(bytes).text()
    }
}

/// True where a number may name a member: MySQL makes it a text of the column's character set, unless that is the one
/// that numbers are in.
fn names_by_number(ty: &ColumnType, server: ServerVersion) -> bool {
    server.flavor != Flavor::MariaDb && ty.charset != "latin1"
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
    format!("x'{digits}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, kind: TypeKind, decimals: Option<u32>) -> String {
        let mut ty = ColumnType::new(kind);
        ty.decimals = decimals;
        canonical(text, &ty, SqlMode::default(), ServerVersion::default())
    }

    #[test]
    fn spellings_meet() {
        use TypeKind::{
            BigInt, Bit, Char, Date, DateTime, Decimal, Double, Float, Int, Time, VarBinary,
            VarChar, Year,
        };
        for (text, kind, decimals, expected) in [
            ("'0'", Int, None, "0"),
            ("-1", Int, None, "-1"),
            ("0x1F", Int, None, "31"),
            ("1.5", BigInt, None, "2"),
            ("TRUE", Int, None, "1"),
            ("'0.0'", Decimal, Some(3), "0.000"),
            ("99.995", Decimal, Some(2), "100.00"),
            ("1e3", Double, None, "1000"),
            ("b'0101'", Bit, None, "b'101'"),
            ("_utf8mb4'x' 'y'", VarChar, None, "'xy'"),
            ("5", VarChar, None, "'5'"),
            ("x'414200'", VarBinary, None, "x'414200'"),
            ("20200102", Date, None, "'2020-01-02'"),
            ("'2020-1-2'", DateTime, Some(3), "'2020-01-02 00:00:00.000'"),
            ("0", DateTime, None, "'0000-00-00 00:00:00'"),
            ("'1:2'", Time, None, "'01:02:00'"),
            ("'1 10:11:12.56'", Time, Some(1), "'34:11:12.6'"),
            ("'-1:2:59.96'", Time, Some(1), "'-01:03:00.0'"),
            ("'20-1-2 1:2'", DateTime, None, "'2020-01-02 01:02:00'"),
            ("700102", Date, None, "'1970-01-02'"),
            ("3.14159265", Float, None, "3.14159"),
            ("16777217", Float, None, "16777200"),
            ("1.005", Double, Some(2), "1.00"),
            ("'0000'", Year, None, "0"),
            ("'0'", Year, None, "2000"),
            ("'a  '", Char, None, "'a'"),
            ("current_timestamp()", DateTime, None, "CURRENT_TIMESTAMP"),
            ("NOW(3)", DateTime, Some(3), "CURRENT_TIMESTAMP(3)"),
            ("uuid()", VarChar, None, "(uuid())"),
            ("(1 + 1)", Int, None, "(1 + 1)"),
            ("null", Int, None, "NULL"),
        ] {
            assert_eq!(value(text, kind, decimals), expected, "{text}");
        }
    }
}
