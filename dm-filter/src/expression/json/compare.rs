//! How two documents compare, and whether one contains another.

use std::cmp::Ordering;

use super::super::decimal::Decimal;
use super::super::error::EvalError;
use super::path::{Leg, step};
use super::quote::unquote;
use super::{Kind, items, kind, length};

/// Compares two values; `None` when they are of kinds that have no order between them.
pub(in crate::expression) fn compare(a: &str, b: &str) -> Result<Option<Ordering>, EvalError> {
    let (a, b) = (a.trim(), b.trim());
    Ok(match (kind(a)?, kind(b)?) {
        (Kind::Number, Kind::Number) => compare_numbers(a, b),
        (Kind::Text, Kind::Text) => Some(unquote(a).cmp(&unquote(b))),
        (Kind::Array, Kind::Array) => {
            let (mut x, mut y) = (items(a, 0)?, items(b, 0)?);
            loop {
                match (x.next().transpose()?, y.next().transpose()?) {
                    (None, None) => break Some(Ordering::Equal),
                    (None, Some(_)) => break Some(Ordering::Less),
                    (Some(_), None) => break Some(Ordering::Greater),
                    (Some((_, v)), Some((_, w))) => match compare(v, w)? {
                        Some(Ordering::Equal) => {}
                        other => break other,
                    },
                }
            }
        }
        (Kind::Object, Kind::Object) => objects_equal(a, b)?.then_some(Ordering::Equal),
        (Kind::Bool, Kind::Bool) => Some((a == "true").cmp(&(b == "true"))),
        (Kind::Null, Kind::Null) => Some(Ordering::Equal),
        _ => None,
    })
}

fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    match (Decimal::parse(a), Decimal::parse(b)) {
        (Some(x), Some(y)) => Some(x.cmp(&y)),
        _ => a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?),
    }
}

fn objects_equal(a: &str, b: &str) -> Result<bool, EvalError> {
    if length(a)? != length(b)? {
        return Ok(false);
    }
    for item in items(a, 0)? {
        let (Some(key), value) = item? else { return Ok(false) };
        let mut other = Vec::new();
        step(b, &Leg::Member(unquote(key).into_owned()), &mut other)?;
        match other.first() {
            Some(other) if compare(value, other)? == Some(Ordering::Equal) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// JSON_CONTAINS: every part of the candidate is found in the target.
pub(in crate::expression) fn contains(target: &str, candidate: &str) -> Result<bool, EvalError> {
    match (kind(target)?, kind(candidate)?) {
        (Kind::Array, Kind::Array) => {
            for item in items(candidate, 0)? {
                if !contains(target, item?.1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Array, _) => {
            for item in items(target, 0)? {
                if contains(item?.1, candidate)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Kind::Object, Kind::Object) => {
            for item in items(candidate, 0)? {
                let (Some(key), value) = item? else { return Ok(false) };
                let mut own = Vec::new();
                step(target, &Leg::Member(unquote(key).into_owned()), &mut own)?;
                match own.first() {
                    Some(own) if contains(own, value)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        _ => Ok(compare(target, candidate)? == Some(Ordering::Equal)),
    }
}
