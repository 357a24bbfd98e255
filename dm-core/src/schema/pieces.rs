//! Whether statements one after the other do what one statement does.

use dm_filter::TableName;

use super::compare::differences;
use super::tracker::Tracker;
use crate::ddl::Statement;

impl Tracker {
    /// True when statements on one table, one after the other, leave what `whole` leaves. It is asked of the
    /// structure as it is tracked now; of a table that is not tracked nothing can be said.
    ///
    /// Equal structures mean equal rows here: a column that gets its values from another one in `whole`
    /// (a change of name or type) is the same one in the pieces, because a name that is taken twice or not
    /// there makes one of the pieces fail.
    pub fn comes_to_the_same(&self, whole: &Statement, pieces: &[Statement]) -> bool {
        let Some(name) = whole.subject().map(|subject| &subject.name) else { return false };
        let (Some(mut at_once), Some(mut one_by_one)) = (self.alone(name), self.alone(name)) else {
            return false;
        };
        if at_once.apply(whole).is_err() || pieces.iter().any(|p| one_by_one.apply(p).is_err()) {
            return false;
        }
        let (mut left, mut right) = (at_once.tables(), one_by_one.tables());
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some((a, left)), Some((b, right))) if a == b => {
                    if !differences(&left.schema, &right.schema).is_empty() {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }

    /// A tracker that knows this table and its schema.
    fn alone(&self, name: &TableName) -> Option<Self> {
        let tracked = self.tracked(name)?;
        let mut one = Self::new(self.defaults().clone());
        if let Some(info) = self.schema(&name.schema) {
            one.set_schema(&name.schema, info.clone());
        }
        one.set(name.clone(), std::sync::Arc::clone(&tracked.schema), false);
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{ParseContext, parse};

    fn same(sql: &str) -> bool {
        let context = ParseContext::in_schema("d");
        let mut tracker = Tracker::default();
        let create =
            "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c VARCHAR(9), KEY ab (a, b))";
        tracker.apply(&parse(create, &context).unwrap()).unwrap();
        let whole = parse(sql, &context).unwrap();
        let pieces = whole.pieces().unwrap();
        tracker.comes_to_the_same(&whole, &pieces)
    }

    #[test]
    fn changes_that_follow_one_another() {
        for sql in [
            "ALTER TABLE t ADD d INT, ADD KEY (d)",
            "ALTER TABLE t DROP a, RENAME COLUMN b TO a",
            "ALTER TABLE t ADD d INT AFTER a, ADD e INT AFTER d, DROP c",
            "ALTER TABLE t MODIFY a BIGINT, MODIFY b BIGINT, COMMENT 'x'",
            "ALTER TABLE t RENAME TO u, ADD d INT",
            "ALTER TABLE t DROP KEY ab, ADD UNIQUE ab (a)",
            "ALTER TABLE t CHANGE a x INT, ADD a INT",
        ] {
            assert!(same(sql), "{sql}");
        }
    }

    #[test]
    fn names_that_change_places_cannot_be_taken_apart() {
        for sql in [
            "ALTER TABLE t CHANGE a b INT, CHANGE b a INT",
            "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO x",
            "ALTER TABLE t RENAME COLUMN b TO a, DROP a",
            "ALTER TABLE t ADD d INT AFTER e, ADD e INT",
        ] {
            assert!(!same(sql), "{sql}");
        }
    }
}
