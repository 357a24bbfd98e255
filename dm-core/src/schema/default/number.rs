//! Defaults of columns of numbers: as many digits as the column holds, rounded as the servers round.
use super::Literal;
use crate::ddl::{Flavor, ServerVersion};
use crate::schema::table::{ColumnType, TypeKind};

impl Literal {
    pub(super) fn whole(&self) -> Option<u64> {
        match self {
            Self::Number(n) => n.parse().ok(),
            Self::Text(t) => {
                Some(t.bytes().rev().take(8).rev().fold(0, |v, b| v << 8 | u64::from(b)))
            }
            Self::Bytes(b) => Some(b.iter().fold(0, |v, b| v << 8 | u64::from(*b))),
        }
    }

    /// FLOAT shows six digits; a number of digits behind the point is met by rounding the binary value.
    pub(super) fn approximate(self, ty: &ColumnType, server: ServerVersion) -> String {
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
    pub(super) fn year(self) -> String {
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

    /// A number with this many digits behind the point, as the column would hold it.
    pub(super) fn numeric(self, decimals: Option<u32>) -> String {
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
/// A number as the text that servers make of it: 7 of 007, 1000 of 1e3, 1.50 of 1.50.
pub(super) fn number_text(number: &str) -> String {
    if number.contains(['e', 'E']) {
        return number.parse::<f64>().map_or_else(|_| number.to_owned(), |value| value.to_string());
    }
    let decimals = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    rounded(number, decimals).unwrap_or_else(|| number.to_owned())
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
