//! Foreign keys that get another name with the ghost table.
//!
//! Names of foreign keys are unique in a schema, so a ghost table cannot have those of the real one:
//! pt-online-schema-change gives them an underscore more (or takes two away), and the real table has the
//! new names from the rename on. They stand in the text that makes the ghost, and nowhere else.

use dm_filter::TableName;

use crate::schema::{ForeignKey, TableSchema, foreign_key_clause, same_name};
use crate::sql::{quote_ident, quote_table};

/// The ALTER TABLE of a ghost table that gives the foreign keys of `real` the names that they have in
/// `ghost`; `None` when they have these names. Keys are told by what they refer to. One that `has` does
/// not know (the target may lack it) is left alone.
pub fn renamed_keys(
    table: &TableName,
    real: &TableSchema,
    ghost: &TableSchema,
    has: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let mut left: Vec<&ForeignKey> = ghost.foreign_keys.iter().collect();
    let mut clauses = Vec::new();
    for old in &real.foreign_keys {
        let Some(at) = left.iter().position(|new| is_same(old, new, &table.schema)) else {
            continue;
        };
        let new = left.remove(at);
        let named = !old.name.is_empty() && !new.name.is_empty();
        if named && !same_name(&old.name, &new.name) && has(&old.name) {
            clauses.push(format!("DROP FOREIGN KEY {}", quote_ident(&old.name)));
            clauses.push(format!("ADD {}", foreign_key_clause(new)));
        }
    }
    let text = || format!("ALTER TABLE {} {}", quote_table(table), clauses.join(", "));
    (!clauses.is_empty()).then(text)
}

fn is_same(a: &ForeignKey, b: &ForeignKey, schema: &str) -> bool {
    let names = |a: &[String], b: &[String]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_name(a, b))
    };
    let parent = |key: &ForeignKey| match key.parent_schema.as_str() {
        "" => schema.to_owned(),
        named => named.to_owned(),
    };
    names(&a.columns, &b.columns)
        && names(&a.parent_columns, &b.parent_columns)
        && parent(a) == parent(b)
        && a.parent_table == b.parent_table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::SqlMode;
    use crate::schema::parse_create_table;

    fn table(keys: &str) -> TableSchema {
        let text = format!("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT{keys})");
        parse_create_table(&text, SqlMode::default()).unwrap()
    }

    fn renamed(real: &str, ghost: &str) -> Option<String> {
        let has = |name: &str| name != "lost";
        renamed_keys(&TableName::new("d", "_t_new"), &table(real), &table(ghost), &has)
    }

    #[test]
    fn names_of_the_ghost_are_taken_over() {
        let key = |name: &str, column: &str, more: &str| {
            format!(", CONSTRAINT `{name}` FOREIGN KEY ({column}) REFERENCES p (id){more}")
        };
        assert_eq!(renamed(&key("f", "a", ""), &key("f", "a", "")), None);
        assert_eq!(renamed(&key("lost", "a", ""), &key("_lost", "a", "")), None);
        assert_eq!(renamed(&key("f", "a", ""), &key("_f", "b", "")), None, "another key");
        let two = key("f", "a", " ON DELETE CASCADE") + &key("_g", "b", "");
        let wanted = "ALTER TABLE `d`.`_t_new` DROP FOREIGN KEY `f`, ADD CONSTRAINT `_f` FOREIGN KEY (`a`) REFERENCES \
                      `p` (`id`) ON DELETE CASCADE, DROP FOREIGN KEY `_g`, ADD CONSTRAINT `g` FOREIGN KEY (`b`) \
                      REFERENCES `p` (`id`)";
        let ghost = key("_f", "a", " ON DELETE CASCADE") + &key("g", "b", "");
        assert_eq!(renamed(&two, &ghost).as_deref(), Some(wanted));
    }
}
