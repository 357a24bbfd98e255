//! The values of a row in the text of a statement: what is inserted, and what an update sets.

use dm_filter::{Row, Value};

use super::{Bound, WritePlan};
use crate::schema::TypeKind;
use crate::sql::{push_string, push_value};

impl WritePlan {
    /// Appends `(v1,v2,...)`. Returns true when a strict session would refuse the row although
    /// the source held it: an ENUM's error value.
    pub fn push_tuple(&self, out: &mut String, row: &Row<'_>) -> bool {
        self.push_tuple_bound(out, row, &mut Bound::none())
    }

    /// As [`WritePlan::push_tuple`], with `?` for the values that `bound` takes.
    pub fn push_tuple_bound(&self, out: &mut String, row: &Row<'_>, bound: &mut Bound) -> bool {
        let mut loose = false;
        out.push('(');
        for (n, &i) in self.shape.write.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            match row.get(i) {
                Some(value) => {
                    loose |= needs_loose(value);
                    self.push_or_bind(out, i, value, bound);
                }
                None => out.push_str("DEFAULT"),
            }
        }
        out.push(')');
        loose
    }

    /// Appends `a=1,b=2` of the columns that an update writes, with `?` for the values that `bound`
    /// takes; empty when nothing changes.
    pub fn push_assignments(
        &self,
        out: &mut String,
        before: &Row<'_>,
        after: &Row<'_>,
        bound: &mut Bound,
    ) -> bool {
        let mut loose = false;
        let mut first = true;
        for &i in &self.shape.write {
            let Some(value) = after.get(i) else { continue };
            // ON UPDATE columns must be told, or the target's clock would fill them.
            if self.keeps(i, before, value) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            out.push_str(self.shape.names.get(i).map_or("", |name| name));
            out.push('=');
            loose |= needs_loose(value);
            self.push_or_bind(out, i, value, bound);
        }
        loose
    }

    fn push_or_bind(&self, out: &mut String, i: usize, value: &Value<'_>, bound: &mut Bound) {
        let kind = self.shape.columns.get(i).map(|c| c.kind);
        if !kind.is_some_and(|kind| bound.take(out, value, kind)) {
            self.push_value(out, i, value);
        }
    }

    /// Appends a value for a column. A target that keeps JSON as text gets the text.
    pub fn push_value(&self, out: &mut String, i: usize, value: &Value<'_>) {
        match value {
            Value::Json(json) if !self.is_json(i) => push_string(out, &json.text),
            value => push_value(out, value, self.shape.infos.get(i)),
        }
    }

    pub(super) fn is_json(&self, i: usize) -> bool {
        self.shape.columns.get(i).is_some_and(|c| c.kind == TypeKind::Json)
    }
}

/// Strict sessions refuse an ENUM's error value, which the source holds nevertheless.
fn needs_loose(value: &Value<'_>) -> bool {
    matches!(value, Value::Enum(0))
}
