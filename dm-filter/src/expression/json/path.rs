//! Paths into a document (`$.a[0]`): how they are read, and what they lead to.

use std::borrow::Cow;

use super::super::error::EvalError;
use super::quote::unquote;
use super::{Kind, bad, items, kind, string_end};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    Member(String),
    Index(usize),
    /// `last` or `last-n`.
    FromEnd(usize),
    /// `.*` or `[*]`
    Each,
}

/// Reads `$.a[0]."b c"[last-1].*`.
fn path(text: &str) -> Result<Vec<Leg>, EvalError> {
    let mut rest = text.trim().strip_prefix('$').ok_or_else(|| bad(text))?;
    let mut legs = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(legs);
        }
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = after.split_once(']').ok_or_else(|| bad(text))?;
            legs.push(array_leg(inside.trim()).ok_or_else(|| bad(text))?);
            rest = after;
            continue;
        }
        let after = rest.strip_prefix('.').ok_or_else(|| bad(text))?.trim_start();
        if let Some(after) = after.strip_prefix('*') {
            legs.push(Leg::Each);
            rest = after;
        } else if after.starts_with('"') {
            let (key, tail) = after.split_at(string_end(after)?);
            legs.push(Leg::Member(unquote(key).into_owned()));
            rest = tail;
        } else {
            let end = after
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(after.len());
            let (key, tail) = after.split_at(end);
            if key.is_empty() {
                return Err(bad(text));
            }
            legs.push(Leg::Member(key.to_string()));
            rest = tail;
        }
    }
}

fn array_leg(inside: &str) -> Option<Leg> {
    if inside == "*" {
        return Some(Leg::Each);
    }
    match inside.strip_prefix("last") {
        None => inside.parse().ok().map(Leg::Index),
        Some(after) if after.trim().is_empty() => Some(Leg::FromEnd(0)),
        Some(after) => after.trim().strip_prefix('-')?.trim().parse().ok().map(Leg::FromEnd),
    }
}

/// What a path leads to: `None` for nothing. With `*` the places found are gathered in an array.
pub(in crate::expression) fn extract<'a>(
    json: &'a str,
    at: &str,
) -> Result<Option<Cow<'a, str>>, EvalError> {
    let legs = path(at)?;
    let mut found = vec![json.trim()];
    for leg in &legs {
        let mut next = Vec::with_capacity(found.len());
        for value in found {
            step(value, leg, &mut next)?;
        }
        found = next;
    }
    if legs.contains(&Leg::Each) {
        let gathered = || Cow::Owned(format!("[{}]", found.join(", ")));
        return Ok((!found.is_empty()).then(gathered));
    }
    Ok(found.first().map(|v| Cow::Borrowed(*v)))
}

pub(super) fn step<'a>(
    value: &'a str,
    leg: &Leg,
    found: &mut Vec<&'a str>,
) -> Result<(), EvalError> {
    let kind = kind(value)?;
    match leg {
        Leg::Member(name) if kind == Kind::Object => {
            for item in items(value, 0)? {
                let (key, value) = item?;
                if key.is_some_and(|k| unquote(k) == name.as_str()) {
                    found.push(value);
                    break;
                }
            }
        }
        Leg::Each if matches!(kind, Kind::Object | Kind::Array) => {
            for item in items(value, 0)? {
                found.push(item?.1);
            }
        }
        Leg::Index(_) | Leg::FromEnd(_) => {
            // A value that is no array counts as an array of one.
            let all = match kind {
                Kind::Array => {
                    items(value, 0)?.map(|i| Ok(i?.1)).collect::<Result<Vec<_>, EvalError>>()?
                }
                _ => vec![value],
            };
            let index = match leg {
                Leg::FromEnd(n) => all.len().checked_sub(n + 1),
                Leg::Index(n) => Some(*n),
                _ => None,
            };
            found.extend(index.and_then(|i| all.get(i)));
        }
        _ => {}
    }
    Ok(())
}
