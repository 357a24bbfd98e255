//! How two values compare: by the server's rules of what each turns into beside the other.

use std::cmp::Ordering;

use super::super::decimal::Decimal;
use super::super::error::EvalError;
use super::super::json;
use super::super::temporal::{self, Zone};
use super::number::Num;
use super::{Claim, Text, Val};

impl Val<'_> {
    /// Compares by the server's rules of conversion; `None` when a NULL takes part, or something
    /// that cannot be brought to a common type.
    pub(in crate::expression) fn compare(
        &self,
        other: &Val<'_>,
        zone: &Zone,
    ) -> Result<Option<Ordering>, EvalError> {
        match (self, other) {
            (Val::Null, _) | (_, Val::Null) => Ok(None),
            (Val::Json(_), _) | (_, Val::Json(_)) => compare_json(self, other),
            _ if self.is_temporal() || other.is_temporal() => compare_temporal(self, other, zone),
            (Val::Text(a), Val::Text(b)) => Ok(Some(a.common(b).0.compare(&a.text, &b.text))),
            (
                Val::Text(_) | Val::Bytes(_) | Val::Hex(_),
                Val::Text(_) | Val::Bytes(_) | Val::Hex(_),
            ) => Ok(self.to_bytes().zip(other.to_bytes()).map(|(a, b)| a.cmp(&b))),
            _ => Ok(compare_numbers(self, other)),
        }
    }

    fn is_temporal(&self) -> bool {
        matches!(self, Self::Date(_) | Self::DateTime(_) | Self::Time(_))
    }

    fn is_numeric(&self) -> bool {
        matches!(self, Val::Int(_) | Val::UInt(_) | Val::Dec(_) | Val::Real(_))
    }

    fn is_json_bool(&self) -> bool {
        matches!(self, Val::Json(j) if json::kind(j) == Ok(json::Kind::Bool))
    }
}

/// A number, at least one side being one. Text that is a plain number is compared exactly, so that
/// large integers in quotes mean what they say.
fn compare_numbers(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    let number = |v: &Val<'_>, beside: &Val<'_>| match v {
        Val::Text(t) if t.ordinal.is_none() && !matches!(beside, Val::Real(_)) => {
            Decimal::parse(t.text.trim()).map(Num::Dec).or_else(|| v.to_num())
        }
        _ => v.to_num(),
    };
    number(a, b)?.compare(number(b, a)?)
}

fn compare_temporal(a: &Val<'_>, b: &Val<'_>, zone: &Zone) -> Result<Option<Ordering>, EvalError> {
    if matches!(a, Val::Time(_)) || matches!(b, Val::Time(_)) {
        let dated = |v: &Val<'_>| matches!(v, Val::Date(_) | Val::DateTime(_));
        if dated(a) || dated(b) {
            return Err(EvalError::NeedsToday);
        }
        let (Some(x), Some(y)) = (a.to_time(zone), b.to_time(zone)) else {
            return unreadable(a, b);
        };
        return Ok(Some(temporal::time_micros(x).cmp(&temporal::time_micros(y))));
    }
    match (a.to_datetime(zone)?, b.to_datetime(zone)?) {
        (Some(x), Some(y)) => Ok(Some(temporal::compare(x, y))),
        _ if a.is_numeric() || b.is_numeric() => Ok(compare_numbers(a, b)),
        _ => unreadable(a, b),
    }
}

/// A literal that should be a date and is none is a mistake of the filter's author; a column that
/// holds such text is just not comparable.
fn unreadable(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, EvalError> {
    for side in [a, b] {
        if let Val::Text(Text { claim: Claim::Literal, text, .. }) = side {
            return Err(EvalError::NotATime(text.to_string()));
        }
    }
    Ok(None)
}

/// JSON beside an SQL value: the value counts as the JSON scalar that it would become.
fn compare_json(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, EvalError> {
    let as_json = |v: &Val<'_>, beside: &Val<'_>| -> Option<String> {
        Some(match v {
            Val::Json(j) => j.to_string(),
            // TRUE and FALSE are the numbers 1 and 0 in SQL.
            Val::Int(n @ (0 | 1)) if beside.is_json_bool() => (*n == 1).to_string(),
            Val::Int(_) | Val::UInt(_) | Val::Dec(_) | Val::Real(_) => v.to_text()?.into_owned(),
            _ => json::quote(&v.to_text()?),
        })
    };
    match (as_json(a, b), as_json(b, a)) {
        (Some(x), Some(y)) => json::compare(&x, &y),
        _ => Ok(None),
    }
}
