//! One spelling for default values, so that a structure read from a statement equals the one read
//! from `SHOW CREATE TABLE`, whoever printed it.
//!
//! MySQL prints numbers in quotes, MariaDB without; one prints `CURRENT_TIMESTAMP`, the other
//! `current_timestamp()`. The spelling used here: numbers plain (with the digits that the type
//! keeps), everything else in single quotes for the default `sql_mode`, `CURRENT_TIMESTAMP(n)`,
//! `b'101'` for BIT, `x'0A'` for binary strings that are no text, expressions in parentheses.

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

    fn whole(&self) -> Option<u64> {
        match self {
            Self::Number(n) => n.parse().ok(),
            Self::Text(t) => {
                Some(t.bytes().rev().take(8).rev().fold(0, |v, b| v << 8 | u64::from(b)))
            }
            Self::Bytes(b) => Some(b.iter().fold(0, |v, b| v << 8 | u64::from(*b))),
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

    /// FLOAT shows six digits; a number of digits behind the point is met by rounding the binary value.
    fn approximate(self, ty: &ColumnType, server: ServerVersion) -> String {
        let negative_zero = self.may_be_negative_zero(server);
        let text = self.numeric(None);
        if text == "-0" && !negative_zero {
            return "0".to_owned();
        }
        let Ok(value) = text.parse::<f64>() else { return text };
        match (ty.kind, ty.decimals) {
            (_, Some(decimals)) => {
                // As the servers round: times a power of ten, to the nearest whole number.
                let power = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
                let rounded = (value * power).round_ties_even() / power;
                let decimals = usize::try_from(decimals).unwrap_or(0);
                let text = format!("{rounded:.decimals$}");
                // There is no zero below zero.
                if text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
                    text
                } else {
                    text.trim_start_matches('-').to_owned()
                }
            }
            (TypeKind::Float, None) => match format!("{value:.5e}").parse::<f64>() {
                Ok(shown) => shown.to_string(),
                Err(_) => text,
            },
            _ => text,
        }
    }

    /// A zero has a sign where it is read as a binary number: a text or a number with an exponent, and not by
    /// MariaDB before 11.
    fn may_be_negative_zero(&self, server: ServerVersion) -> bool {
        let exact = matches!(self, Self::Number(n) if !n.contains(['e', 'E']));
        !exact && (server.flavor != Flavor::MariaDb || server.number >= 110_000)
    }

    /// A year: numbers and texts of two digits lie between 1970 and 2069.
    fn year(self) -> String {
        // The text of one digit is a year of this century; `0000` is no year.
        let short = matches!(&self, Self::Text(text) if text.trim().len() < 4);
        let year = self.numeric(Some(0));
        match year.parse::<u32>() {
            Ok(0) if !short => "0".to_owned(),
            Ok(year @ 0..=69) => (2000 + year).to_string(),
            Ok(year @ 70..=99) => (1900 + year).to_string(),
            _ => year,
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

    /// A number with this many digits behind the point, as the column would hold it.
    fn numeric(self, decimals: Option<u32>) -> String {
        let text = match &self {
            Self::Bytes(_) => self.whole().map(|v| v.to_string()).unwrap_or_default(),
            _ => self.plain(),
        };
        let text = text.trim();
        let number = |text: &str| match decimals {
            Some(decimals) => rounded(text, usize::try_from(decimals).unwrap_or(0)),
            None => text.parse::<f64>().ok().map(|v| v.to_string()),
        };
        // Without strict mode the number that a text begins with counts, 0 if there is none.
        let sign = text.starts_with(['-', '+']);
        let digits = text.get(usize::from(sign)..).unwrap_or_default();
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        let head = text.get(..end + usize::from(sign)).unwrap_or_default();
        number(text).or_else(|| number(head)).or_else(|| number("0")).unwrap_or_default()
    }
}

/// True where a number may name a member: MySQL makes it a text of the column's character set, unless that is the one
/// that numbers are in.
fn names_by_number(ty: &ColumnType, server: ServerVersion) -> bool {
    server.flavor != Flavor::MariaDb && ty.charset != "latin1"
}

/// A number as the text that servers make of it: 7 of 007, 1000 of 1e3, 1.50 of 1.50.
fn number_text(number: &str) -> String {
    if number.contains(['e', 'E']) {
        return number.parse::<f64>().map_or_else(|_| number.to_owned(), |value| value.to_string());
    }
    let decimals = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    rounded(number, decimals).unwrap_or_else(|| number.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
    format!("x'{digits}'")
}

/// Rounds decimal text half away from zero, as the servers round exact values.
fn rounded(text: &str, decimals: usize) -> Option<String> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().ok().filter(|e| e.abs() < 400)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = Vec::new();
    for b in whole.bytes().chain(fraction.bytes()) {
        digits.push(b.is_ascii_digit().then(|| b - b'0')?);
    }
    if digits.is_empty() {
        return None;
    }
    // The point stands behind `point` digits; shift it by the exponent.
    let mut point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    while point <= 0 {
        digits.insert(0, 0);
        point += 1;
    }
    let point = usize::try_from(point).ok()?;
    let keep = point + decimals;
    digits.resize(digits.len().max(keep + 1), 0);
    let up = digits.get(keep).is_some_and(|d| *d >= 5);
    digits.truncate(keep);
    let mut carry = up;
    for digit in digits.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == 9;
        *digit = if carry { 0 } else { *digit + 1 };
    }
    let (whole, fraction) = digits.split_at(point.min(digits.len()));
    let word = |digits: &[u8]| digits.iter().map(|d| char::from(b'0' + d)).collect::<String>();
    let whole = format!("{}{}", if carry { "1" } else { "" }, word(whole));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let zero = digits.iter().all(|d| *d == 0) && !carry;
    let sign = if negative && !zero { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{}", word(fraction)))
}

/// Splits `2020-1-2`, `20200102`, `20-1-2` and the like into the date and what follows.
fn date_parts(text: &str) -> Option<(String, &str)> {
    let text = text.trim();
    let end = text.find([' ', 'T']).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let rest = rest.trim_start_matches([' ', 'T']);
    let parts: Vec<&str> = date.split(|c: char| !c.is_ascii_digit()).collect();
    match parts.as_slice() {
        [y, m, d] => Some((format!("{}-{m:0>2}-{d:0>2}", whole_year(y)?), rest)),
        [digits] if matches!(digits.len(), 6 | 8 | 12 | 14) => {
            let year = if matches!(digits.len(), 6 | 12) { 2 } else { 4 };
            let (y, rest) = digits.split_at(year);
            let (m, rest) = rest.split_at(2);
            let (d, rest) = rest.split_at(2);
            Some((format!("{}-{m}-{d}", whole_year(y)?), rest))
        }
        ["0"] => Some(("0000-00-00".to_owned(), "")),
        _ => None,
    }
}

/// A year of two digits lies between 1970 and 2069.
fn whole_year(year: &str) -> Option<String> {
    match (year.len(), year.parse::<u32>().ok()?) {
        (4, _) => Some(year.to_owned()),
        (2, short) => Some((if short < 70 { 2000 + short } else { 1900 + short }).to_string()),
        _ => None,
    }
}

fn date(text: &str) -> String {
    date_parts(text).map_or_else(|| text.to_owned(), |(date, _)| date)
}

fn date_time(text: &str, decimals: u32, rounds: bool) -> String {
    match date_parts(text) {
        Some((date, rest)) => {
            let clock = time(rest, decimals, rounds);
            let tomorrow = || date.parse::<jiff::civil::Date>().ok()?.tomorrow().ok();
            match (clock.strip_prefix("24:"), tomorrow()) {
                // Rounded up over midnight.
                (Some(rest), Some(tomorrow)) => format!("{tomorrow} 00:{rest}"),
                _ => format!("{date} {clock}"),
            }
        }
        None => text.to_owned(),
    }
}

/// A time with so many digits behind the point.
fn time(text: &str, decimals: u32, rounds: bool) -> String {
    time_parts(text, decimals, rounds).unwrap_or_else(|| text.to_owned())
}

/// Reads `[-][days ]h:m[:s][.fraction]` and `hms[.fraction]`.
fn time_parts(text: &str, decimals: u32, rounds: bool) -> Option<String> {
    let (sign, body) = match text.trim().strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.trim()),
    };
    let (clock, fraction) = body.split_once('.').unwrap_or((body, ""));
    let (days, clock) = clock.split_once(' ').unwrap_or(("0", clock));
    let parts: Vec<&str> = clock.trim().split(':').collect();
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let (h, m, s) = match parts.as_slice() {
        [h, m, s] => (number(h)?, number(m)?, number(s)?),
        [h, m] => (number(h)?, number(m)?, 0),
        [hours] if days != "0" => (number(hours)?, 0, 0),
        [digits] if digits.len() <= 6 => {
            let all = number(digits)?;
            (all / 10_000, all / 100 % 100, all % 100)
        }
        _ => return None,
    };
    let seconds =
        ((number(days)?.checked_mul(24)?.checked_add(h)?).checked_mul(60)?.checked_add(m)?)
            .checked_mul(60)?
            .checked_add(s)?;
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let unit = 10_u64.pow(6_u32.saturating_sub(decimals));
    let micros = seconds.checked_mul(1_000_000)?.checked_add(number(&digits)?)?;
    let micros = if rounds { micros.checked_add(unit / 2)? } else { micros } / unit * unit;
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000 / unit);
    let (h, m, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let clock = format!("{sign}{h:02}:{m:02}:{s:02}");
    let width = usize::try_from(decimals).unwrap_or(0);
    Some(if width == 0 { clock } else { format!("{clock}.{fraction:0width$}") })
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
