//! The conditions that find a row again: by a key, or by all that it holds.

use std::fmt::Write as _;

use dm_filter::{Row, Value};

use super::WritePlan;
use crate::sql::push_hex;

impl WritePlan {
    /// The identity's column where it is a single one, which entries of [`Self::push_entry`] are
    /// values of; empty where they are conditions.
    pub fn key_name(&self) -> &str {
        match self.shape.identity.as_deref() {
            Some([only]) => self.name(*only),
            _ => "",
        }
    }

    /// What stands between two entries.
    pub fn key_separator(&self) -> &'static str {
        if self.key_name().is_empty() { " OR " } else { "," }
    }

    /// Appends what names a row among others: the value of its key, or a condition.
    pub fn push_entry(&self, out: &mut String, row: &Row<'_>) {
        match self.shape.identity.as_deref() {
            Some([only]) => {
                if let Some(value) = row.get(*only) {
                    self.push_value(out, *only, value);
                }
            }
            Some(columns) => {
                out.push('(');
                self.push_key(out, columns, row);
                out.push(')');
            }
            None => {}
        }
    }

    /// Appends the condition that finds the rows of these entries.
    pub fn push_entries(&self, out: &mut String, entries: &str) {
        let name = self.key_name();
        if name.is_empty() {
            out.push_str(entries);
        } else {
            out.push_str(name);
            out.push_str(" IN (");
            out.push_str(entries);
            out.push(')');
        }
    }

    /// Appends the condition that finds a row. Returns true when the condition may match several
    /// equal rows, so that the statement needs a LIMIT.
    pub fn push_where(&self, out: &mut String, row: &Row<'_>) -> bool {
        let told =
            |columns: &[usize]| columns.iter().all(|&i| row.get(i).is_some_and(|v| !v.is_null()));
        let key = self
            .shape
            .identity
            .iter()
            .chain(&self.shape.nullable_keys)
            .find(|columns| told(columns));
        match key {
            Some(columns) => {
                self.push_key(out, columns, row);
                false
            }
            None => {
                let mut first = true;
                for i in 0..self.shape.columns.len() {
                    let Some(value) = row.get(i) else { continue };
                    if !std::mem::take(&mut first) {
                        out.push_str(" AND ");
                    }
                    self.push_exact(out, i, value);
                }
                true
            }
        }
    }

    /// Appends the condition on the identity.
    pub fn push_identity(&self, out: &mut String, row: &Row<'_>) -> bool {
        match &self.shape.identity {
            Some(columns) => {
                self.push_key(out, columns, row);
                true
            }
            None => false,
        }
    }

    /// For each key beside the identity whose value the row tells: the condition that finds
    /// another row with that value.
    pub fn evictions(&self, row: &Row<'_>) -> Vec<String> {
        let mut all = Vec::new();
        for columns in &self.shape.others {
            if columns.iter().any(|&i| row.get(i).is_none_or(Value::is_null)) {
                continue;
            }
            let mut text = String::new();
            self.push_key(&mut text, columns, row);
            text.push_str(" AND NOT (");
            self.push_identity(&mut text, row);
            text.push(')');
            all.push(text);
        }
        all
    }

    fn push_key(&self, out: &mut String, columns: &[usize], row: &Row<'_>) {
        for (n, &i) in columns.iter().enumerate() {
            if n > 0 {
                out.push_str(" AND ");
            }
            let Some(value) = row.get(i) else { continue };
            out.push_str(self.shape.names.get(i).map_or("", |name| name));
            match value {
                Value::Null => out.push_str(" IS NULL"),
                // By number: two labels may be equal under the column's collation.
                Value::Enum(v) => {
                    let _ = write!(out, "+0={v}");
                }
                Value::Set(v) => {
                    let _ = write!(out, "+0={v}");
                }
                value => {
                    out.push('=');
                    self.push_value(out, i, value);
                }
            }
        }
    }

    /// Appends a condition that is true for this value and no other that a collation, a padding
    /// rule or a rounding calls equal.
    fn push_exact(&self, out: &mut String, i: usize, value: &Value<'_>) {
        let name = self.shape.names.get(i).map_or("", |name| name);
        match value {
            Value::Null => {
                let _ = write!(out, "{name} IS NULL");
            }
            Value::Json(json) if self.is_json(i) => {
                let _ = write!(out, "{name}=CAST(");
                crate::sql::push_json(out, json);
                out.push_str(" AS JSON)");
            }
            Value::Text(_) | Value::Encoded(_) | Value::Json(_) => {
                let _ = write!(out, "CAST(CONVERT({name} USING utf8mb4) AS BINARY)=CAST(CONVERT(");
                self.push_value(out, i, value);
                out.push_str(" USING utf8mb4) AS BINARY)");
            }
            Value::Bytes(bytes) => {
                let _ = write!(out, "CAST({name} AS BINARY)=");
                push_hex(out, bytes);
            }
            Value::Geometry(bytes) | Value::Vector(bytes) => {
                let _ = write!(out, "HEX({name})=HEX(");
                push_hex(out, bytes);
                out.push(')');
            }
            Value::Enum(v) => {
                let _ = write!(out, "{name}+0={v}");
            }
            Value::Set(v) | Value::Bit(v) => {
                let _ = write!(out, "{name}+0={v}");
            }
            value => {
                out.push_str(name);
                out.push('=');
                self.push_value(out, i, value);
            }
        }
    }
}
