//! The answers that the documents print (`fixtures/seeds/*.json`): key names and value types.

use serde_json::Value;

use super::workspace;

/// An answer that the documents print.
pub fn sample(file: &str) -> Value {
    let path = workspace().join("fixtures/seeds").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What of the sample is missing or of another type; more may be there.
fn differences(sample: &Value, found: &Value, path: &str, out: &mut Vec<String>) {
    match (sample, found) {
        (Value::Object(sample), Value::Object(found)) => {
            for (key, value) in sample {
                match found.get(key) {
                    Some(found) => differences(value, found, &format!("{path}.{key}"), out),
                    None => out.push(format!("{path}.{key} is missing")),
                }
            }
        }
        (Value::Array(sample), Value::Array(found)) => {
            if let (Some(sample), false) = (sample.first(), found.is_empty()) {
                for value in found {
                    differences(sample, value, &format!("{path}[]"), out);
                }
            }
        }
        (sample, found) if kind(sample) == kind(found) => {}
        (sample, found) => out.push(format!("{path}: {} for {}", kind(found), kind(sample))),
    }
}

/// Panics when something of the sample is missing or of another type.
#[track_caller]
pub fn assert_like(file: &str, found: &Value) {
    assert_like_value(file, &sample(file), found);
}

/// The same for a part of a sample.
#[track_caller]
pub fn assert_like_value(file: &str, sample: &Value, found: &Value) {
    let mut out = Vec::new();
    differences(sample, found, "", &mut out);
    assert!(out.is_empty(), "{file}: {out:#?}\n{found:#}");
}
