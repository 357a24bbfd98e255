//! Functions on JSON documents.

use std::borrow::Cow;

use super::{ANY, Args, Function, lenient, strict};
use crate::expression::error::EvalError;
use crate::expression::json;
use crate::expression::value::Val;

type Result = std::result::Result<Val<'static>, EvalError>;

pub(super) const FUNCTIONS: &[Function] = &[
    strict("JSON_EXTRACT", 2, ANY, extract),
    strict("JSON_UNQUOTE", 1, 1, |a| Ok(unquoted(a.get(0)))),
    strict("JSON_VALUE", 2, 2, value),
    strict("JSON_CONTAINS", 2, 3, contains),
    strict("JSON_CONTAINS_PATH", 3, ANY, contains_path),
    strict("JSON_LENGTH", 1, 2, length),
    strict("JSON_TYPE", 1, 1, |a| json::type_name(&document(a, 0)?).map(Val::text)),
    lenient("JSON_VALID", 1, 1, valid),
    strict("JSON_QUOTE", 1, 1, |a| Ok(Val::text(json::quote(&a.str(0))))),
];

/// The document that an argument is: JSON, or text that must be JSON.
fn document<'a>(args: &'a Args<'_>, index: usize) -> std::result::Result<Cow<'a, str>, EvalError> {
    let text = args.str(index);
    if !matches!(args.get(index), Val::Json(_)) && !json::is_valid(&text) {
        return Err(EvalError::Json(text.chars().take(60).collect()));
    }
    Ok(text)
}

/// What one path leads to, or an array of what several lead to.
fn extract(args: &Args<'_>) -> Result {
    let document = document(args, 0)?;
    let mut found = Vec::new();
    for i in 1..args.len() {
        found.extend(json::extract(&document, &args.str(i))?);
    }
    Ok(match (args.len(), found.as_slice()) {
        (_, []) => Val::Null,
        (2, [single]) => Val::Json(Cow::Owned(single.clone().into_owned())),
        (_, several) => Val::Json(Cow::Owned(format!("[{}]", several.join(", ")))),
    })
}

/// Text out of a JSON string; other values as their text.
fn unquoted(value: &Val<'_>) -> Val<'static> {
    let text = value.to_text().unwrap_or_default();
    let is_string = text.trim_start().starts_with('"') && json::is_valid(&text);
    Val::text(if is_string { json::unquote(&text).into_owned() } else { text.into_owned() })
}

/// A scalar as text; NULL for JSON's null and for what is no scalar.
fn value(args: &Args<'_>) -> Result {
    let document = document(args, 0)?;
    let Some(found) = json::extract(&document, &args.str(1))? else { return Ok(Val::Null) };
    Ok(match json::kind(&found)? {
        json::Kind::Null | json::Kind::Array | json::Kind::Object => Val::Null,
        _ => unquoted(&Val::Json(found)),
    })
}

fn contains(args: &Args<'_>) -> Result {
    let (target, candidate) = (document(args, 0)?, document(args, 1)?);
    if args.len() < 3 {
        return json::contains(&target, &candidate).map(Val::from);
    }
    match json::extract(&target, &args.str(2))? {
        Some(part) => json::contains(&part, &candidate).map(Val::from),
        None => Ok(Val::Null),
    }
}

fn contains_path(args: &Args<'_>) -> Result {
    let document = document(args, 0)?;
    let all = match args.str(1).to_ascii_lowercase().as_str() {
        "one" => false,
        "all" => true,
        other => return Err(EvalError::Json(format!("`{other}` instead of 'one' or 'all'"))),
    };
    for i in 2..args.len() {
        if json::extract(&document, &args.str(i))?.is_some() != all {
            return Ok(Val::from(!all));
        }
    }
    Ok(Val::from(all))
}

fn length(args: &Args<'_>) -> Result {
    let document = document(args, 0)?;
    let part = match args.len() {
        2 => json::extract(&document, &args.str(1))?,
        _ => Some(document),
    };
    let Some(part) = part else { return Ok(Val::Null) };
    Ok(Val::Int(i64::try_from(json::length(&part)?).unwrap_or(i64::MAX)))
}

fn valid(args: &Args<'_>) -> Result {
    Ok(match args.get(0) {
        Val::Null => Val::Null,
        Val::Json(_) => Val::from(true),
        other => Val::from(other.to_text().is_some_and(|t| json::is_valid(&t))),
    })
}
