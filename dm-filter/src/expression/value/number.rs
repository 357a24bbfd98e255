//! Numbers of an expression: what kinds there are, how they compare, and how text becomes one.

use std::cmp::Ordering;

use super::super::decimal::Decimal;
use super::Val;

/// A number.
#[derive(Clone, Copy, Debug)]
pub(in crate::expression) enum Num {
    Int(i64),
    UInt(u64),
    Dec(Decimal),
    Real(f64),
}

impl Num {
    pub(in crate::expression) fn to_f64(self) -> f64 {
        match self {
            Self::Int(v) => v as f64,
            Self::UInt(v) => v as f64,
            Self::Dec(v) => v.to_f64(),
            Self::Real(v) => v,
        }
    }

    /// The exact value; `None` for a floating-point number.
    pub(in crate::expression) fn to_decimal(self) -> Option<Decimal> {
        match self {
            Self::Int(v) => Some(Decimal::from(v)),
            Self::UInt(v) => Some(Decimal::from(v)),
            Self::Dec(v) => Some(v),
            Self::Real(_) => None,
        }
    }

    pub(in crate::expression) fn is_zero(self) -> bool {
        match self {
            Self::Int(v) => v == 0,
            Self::UInt(v) => v == 0,
            Self::Dec(v) => v.is_zero(),
            Self::Real(v) => v == 0.0,
        }
    }

    /// Rounded to a signed integer; a number too large becomes the nearest one.
    pub(in crate::expression) fn to_i64(self) -> i64 {
        match self {
            Self::Int(v) => v,
            Self::UInt(v) => i64::try_from(v).unwrap_or(i64::MAX),
            Self::Dec(v) => v.to_i64().unwrap_or(if v.is_negative() { i64::MIN } else { i64::MAX }),
            Self::Real(v) => v.round_ties_even() as i64,
        }
    }

    pub(in crate::expression) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::UInt(a), Self::UInt(b)) => Some(a.cmp(&b)),
            (Self::Real(_), _) | (_, Self::Real(_)) => self.to_f64().partial_cmp(&other.to_f64()),
            _ => Some(self.to_decimal()?.cmp(&other.to_decimal()?)),
        }
    }
}

impl<'a> From<Num> for Val<'a> {
    fn from(number: Num) -> Self {
        match number {
            Num::Int(v) => Self::Int(v),
            Num::UInt(v) => Self::UInt(v),
            Num::Dec(v) => Self::Dec(v),
            Num::Real(v) => Self::Real(v),
        }
    }
}

/// The number that a text begins with, 0 if none, as the server casts text.
pub(in crate::expression) fn number_prefix(text: &str) -> f64 {
    let text = text.trim_start();
    let mut end = 0;
    let mut seen_digit = false;
    let mut seen_point = false;
    let bytes = text.as_bytes();
    while let Some(b) = bytes.get(end) {
        match b {
            b'+' | b'-' if end == 0 => {}
            b'.' if !seen_point => seen_point = true,
            b'0'..=b'9' => seen_digit = true,
            b'e' | b'E' if seen_digit => {
                let after = bytes.get(end + 1..).unwrap_or_default();
                let sign = usize::from(matches!(after.first(), Some(b'+' | b'-')));
                let digits = after.iter().skip(sign).take_while(|b| b.is_ascii_digit()).count();
                if digits > 0 {
                    end += 1 + sign + digits;
                }
                break;
            }
            _ => break,
        }
        end += 1;
    }
    if !seen_digit {
        return 0.0;
    }
    text.get(..end).and_then(|t| t.trim_end_matches('.').parse().ok()).unwrap_or(0.0)
}

/// An integer where the number has no fraction.
pub(super) fn whole_or_decimal(number: Decimal) -> Num {
    match number.to_i64() {
        Some(v) if number.scale() == 0 => Num::Int(v),
        _ => Num::Dec(number),
    }
}

/// A floating-point number as the server prints it, near enough: without exponent up to 15 digits.
pub(in crate::expression) fn real_text(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-15..1e15).contains(&size) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}
