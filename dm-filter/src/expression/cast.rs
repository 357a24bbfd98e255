//! CAST and CONVERT. What cannot be converted becomes what the server makes of it with a warning.

use std::borrow::Cow;

use super::ast::CastType;
use super::collation::Collation;
use super::decimal::Decimal;
use super::error::EvalError;
use super::eval::{bits_of, out_of_range};
use super::json;
use super::temporal::{self, Zone, day_number, time_from_micros};
use super::value::{Num, Text, Val, real_text};
use crate::value::DateTime;

type Result<T> = std::result::Result<T, EvalError>;

pub(super) fn cast<'v>(value: Val<'_>, to: CastType, zone: &Zone) -> Result<Val<'v>> {
    if value.is_null() {
        return Ok(Val::Null);
    }
    Ok(match to {
        CastType::Signed => match &value {
            Val::UInt(v) => Val::Int(*v as i64),
            Val::Text(t) if t.ordinal.is_none() => Val::Int(integer_prefix(&t.text) as i64),
            _ => Val::Int(number(&value).to_i64()),
        },
        CastType::Unsigned => match &value {
            Val::Text(t) if t.ordinal.is_none() => Val::UInt(integer_prefix(&t.text) as u64),
            _ => Val::UInt(bits_of(&value).unwrap_or(0)),
        },
        CastType::Char(length) => text(&value, length),
        CastType::Binary(length) => {
            let mut bytes = value.to_bytes().unwrap_or_default().into_owned();
            if let Some(length) = length.filter(|l| *l < 1 << 26) {
                bytes.resize(length, 0);
            }
            Val::Bytes(Cow::Owned(bytes))
        }
        CastType::Date => value.to_datetime(zone)?.map_or(Val::Null, |v| Val::Date(v.date)),
        CastType::DateTime(places) => match value.to_datetime(zone)? {
            Some(v) => rounded_datetime(v, places).map_or(Val::Null, Val::DateTime),
            None => Val::Null,
        },
        CastType::Time(places) => match value.to_time(zone) {
            Some(t) => {
                let micros = round_micros(temporal::time_micros(t), places);
                Val::Time(time_from_micros(micros, places))
            }
            None => Val::Null,
        },
        CastType::Decimal(places) => Val::Dec(decimal(&value)?.rounded(places)),
        CastType::Double => Val::Real(number(&value).to_f64()),
        CastType::Json => to_json(&value)?,
        CastType::Year => match &value {
            Val::Date(_) | Val::DateTime(_) => {
                value.to_datetime(zone)?.map_or(Val::Null, |v| Val::UInt(u64::from(v.date.year)))
            }
            _ => Val::UInt(bits_of(&value).filter(|y| (1901..=2155).contains(y)).unwrap_or(0)),
        },
    })
}

fn number(value: &Val<'_>) -> Num {
    value.to_num().unwrap_or(Num::Int(0))
}

fn text<'v>(value: &Val<'_>, length: Option<usize>) -> Val<'v> {
    let text = value.as_text().unwrap_or_else(|| Text::literal(""));
    let cut: String = text.text.chars().take(length.unwrap_or(usize::MAX)).collect();
    Val::Text(Text {
        text: Cow::Owned(cut),
        // Bytes that become text compare as text does.
        collation: match value {
            Val::Text(_) => text.collation,
            _ => Collation::DEFAULT,
        },
        claim: text.claim,
        ordinal: None,
    })
}

/// Text that is a plain number exactly; other text as the double that it begins with.
fn decimal(value: &Val<'_>) -> Result<Decimal> {
    let exact = match value {
        Val::Text(t) => Decimal::parse(t.text.trim()),
        _ => None,
    };
    let number = number(value);
    exact
        .or_else(|| number.to_decimal())
        .or_else(|| Decimal::parse(&real_text(number.to_f64())))
        .ok_or_else(|| out_of_range("CAST"))
}

fn to_json<'v>(value: &Val<'_>) -> Result<Val<'v>> {
    let text = value.to_text().unwrap_or_default();
    let json = match value {
        Val::Text(_) if !json::is_valid(&text) => {
            return Err(EvalError::Json(text.chars().take(60).collect()));
        }
        Val::Text(_) | Val::Json(_) => text.into_owned(),
        Val::Int(_) | Val::UInt(_) | Val::Dec(_) | Val::Real(_) => text.into_owned(),
        _ => json::quote(&text),
    };
    Ok(Val::Json(Cow::Owned(json)))
}

/// The integer that a text begins with, cut to 64 bits with or without sign.
fn integer_prefix(text: &str) -> i128 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.bytes().take_while(u8::is_ascii_digit).count().min(30);
    let size: i128 = digits.get(..end).and_then(|d| d.parse().ok()).unwrap_or(0);
    (sign * size).clamp(i128::from(i64::MIN), i128::from(u64::MAX))
}

/// Rounded to a number of places after the second.
fn round_micros(micros: i64, places: u8) -> i64 {
    let unit = 10i64.pow(u32::from(6 - places.min(6)));
    let half = if micros < 0 { -(unit / 2) } else { unit / 2 };
    (micros + half) / unit * unit
}

fn rounded_datetime(value: DateTime, places: u8) -> Option<DateTime> {
    match day_number(value.date) {
        // A zero date keeps its parts; there is nothing to carry into.
        None => Some(DateTime { decimals: places, ..value }),
        Some(_) => temporal::from_micros(round_micros(temporal::to_micros(value)?, places), places),
    }
}
