//! Lists that equal structures hold together.
//!
//! Guarantee: a list is what it is, whoever else holds it: a change makes a copy of its own first. Obstacle: a
//! task may have 20,000 tables, of which most have the columns and keys of another one (shards, tenants, one table for
//! each month), and each structure is held at the source's side and at the target's. Method: columns and keys
//! lie in counted lists, which whoever changes one copies (`Arc::make_mut`), and a structure that is complete is
//! looked up among those that are held already ([`TableSchema::shared`]): of equal lists and equal structures one
//! is kept. What nobody else holds any more is let go from time to time, so that what is kept follows what is in use.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::table::{Column, Key, TableSchema};

/// A list that is copied when it is changed while others hold it; otherwise a `Vec`.
#[derive(Debug, Eq)]
pub struct List<T>(Arc<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<T: Hash> Hash for List<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> Deref for List<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Clone> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(list: Vec<T>) -> Self {
        Self(Arc::new(list))
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        Vec::from_iter(all).into()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a, T: Clone> IntoIterator for &'a mut List<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T: Clone> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

/// Values of which one is kept for all that are equal.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    all: HashSet<Arc<T>>,
    /// With so many it is looked which of them nobody holds any more.
    sweep_at: usize,
}

/// So many may lie unused.
const UNUSED: usize = 256;

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { all: HashSet::new(), sweep_at: UNUSED }
    }
}

impl<T: Eq + Hash> Pool<T> {
    /// The one that is kept of all that are equal to this.
    pub fn share(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(kept) = self.all.get(&value) {
            return Arc::clone(kept);
        }
        if self.all.len() >= self.sweep_at {
            self.all.retain(|kept| Arc::strong_count(kept) > 1);
            // Looking at all of them costs as much as adding them has.
            self.sweep_at = self.all.len() * 2 + UNUSED;
        }
        self.all.insert(Arc::clone(&value));
        value
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.all.len()
    }
}

/// What all structures of the process share.
#[derive(Default)]
struct Shared {
    tables: Pool<TableSchema>,
    columns: Pool<Vec<Column>>,
    keys: Pool<Vec<Key>>,
}

static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(Mutex::default);

impl TableSchema {
    /// The structure to be held for as long as its table is known: one for all that are equal, without room to grow.
    pub fn shared(mut self) -> Arc<Self> {
        self.shrink();
        // Whoever panicked has left a set of whole values.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        self.columns.0 = shared.columns.share(self.columns.0);
        self.keys.0 = shared.keys.share(self.keys.0);
        shared.tables.share(Arc::new(self))
    }

    /// Gives back what grew while it was read.
    fn shrink(&mut self) {
        self.columns.shrink_to_fit();
        for column in &mut self.columns {
            column.name.shrink_to_fit();
            column.ty.charset.shrink_to_fit();
            column.ty.collation.shrink_to_fit();
            column.ty.labels.shrink_to_fit();
            column.default.as_mut().map(String::shrink_to_fit).unwrap_or_default();
            column.attributes.shrink_to_fit();
        }
        self.keys.shrink_to_fit();
        for key in &mut self.keys {
            key.name.shrink_to_fit();
            key.parts.shrink_to_fit();
            key.options.shrink_to_fit();
        }
        self.options.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::SqlMode;
    use crate::schema::parse_create_table;

    fn read(columns: &str, next: u32) -> Arc<TableSchema> {
        let sql = format!("CREATE TABLE t ({columns}, PRIMARY KEY (id)) AUTO_INCREMENT={next}");
        parse_create_table(&sql, SqlMode::default()).unwrap().shared()
    }

    #[test]
    fn equal_structures_are_held_once() {
        let columns = "id INT NOT NULL, only_of_this_test VARCHAR(10) DEFAULT 'x'";
        let one = read(columns, 1);
        assert!(Arc::ptr_eq(&one, &read(columns, 1)));
        let other = read(columns, 2);
        assert_ne!(one, other);
        assert!(Arc::ptr_eq(&one.columns.0, &other.columns.0), "all but an option is the same");
        assert!(Arc::ptr_eq(&one.keys.0, &other.keys.0));
        let third = read("id INT NOT NULL, only_of_this_test VARCHAR(11)", 1);
        assert!(!Arc::ptr_eq(&one.columns.0, &third.columns.0));
        assert!(Arc::ptr_eq(&one.keys.0, &third.keys.0));
    }

    #[test]
    fn a_change_is_its_own() {
        let one = read("id INT NOT NULL, changed_in_this_test INT", 1);
        let mut other = (*one).clone();
        other.columns[1].comment.push('!');
        other.keys.clear();
        assert_eq!((one.columns[1].comment.as_str(), one.keys.len()), ("", 1));
        let text = serde_json::to_string(&*one).unwrap();
        assert_eq!(serde_json::from_str::<TableSchema>(&text).unwrap(), *one);
    }

    #[test]
    fn what_nobody_holds_is_let_go() {
        let mut pool = Pool::default();
        let held = pool.share(Arc::new(0));
        for n in 1..10_000 {
            pool.share(Arc::new(n));
        }
        assert!(pool.len() < 2 * UNUSED + 2, "{}", pool.len());
        assert!(Arc::ptr_eq(&held, &pool.share(Arc::new(0))));
    }
}
