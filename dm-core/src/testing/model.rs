//! Random changes of a small table and a list of rows that takes them: what a target has to hold.

use dm_filter::{RowOp, Value};
use proptest::prelude::*;

use super::build::{delete, insert, update};

/// A row `(id, u, v)`.
pub(crate) type Cells = (i64, Option<i64>, String);

/// A change that is wanted.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Insert(Cells),
    Update(Cells, Cells),
    /// An update of `v` alone, of a row with this `id`.
    Say(i64, String),
    Delete(Cells),
}

fn cells() -> impl Strategy<Value = Cells> {
    (0i64..5, prop::option::of(0i64..4), "[ab]{0,1}")
}

/// Changes of few rows, so that they meet.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => cells().prop_map(Step::Insert),
        2 => (cells(), cells()).prop_map(|(a, b)| Step::Update(a, b)),
        3 => (0i64..5, "[abc]").prop_map(|(id, v)| Step::Say(id, v)),
        1 => cells().prop_map(Step::Delete),
    ]
}

fn values((id, u, v): &Cells) -> Vec<Value<'static>> {
    vec![Value::Int(*id), u.map_or(Value::Null, Value::Int), Value::Text(v.clone().into())]
}

/// A source with a table: keyed by `id` and unique `u`, or without any key. It takes the steps
/// that it can, and logs them as row events.
pub(crate) struct Model {
    keyed: bool,
    rows: Vec<Cells>,
}

impl Model {
    pub(crate) fn new(keyed: bool) -> Self {
        Self { keyed, rows: Vec::new() }
    }

    fn collides(&self, row: &Cells, except: Option<usize>) -> bool {
        self.keyed
            && self.rows.iter().enumerate().any(|(i, r)| {
                Some(i) != except && (r.0 == row.0 || (r.1.is_some() && r.1 == row.1))
            })
    }

    fn find(&self, like: &Cells) -> Option<usize> {
        self.rows.iter().position(|r| if self.keyed { r.0 == like.0 } else { r == like })
    }

    pub(crate) fn take(&mut self, step: &Step) -> Option<RowOp<'static>> {
        match step {
            Step::Insert(row) if !self.collides(row, None) => {
                self.rows.push(row.clone());
                Some(insert(values(row)))
            }
            Step::Update(from, to) => {
                let at = self.find(from)?;
                if self.collides(to, Some(at)) {
                    return None;
                }
                Some(self.replace(at, to.clone()))
            }
            Step::Say(id, v) => {
                let at = self.rows.iter().position(|r| r.0 == *id)?;
                let row = &self.rows[at];
                Some(self.replace(at, (row.0, row.1, v.clone())))
            }
            Step::Delete(row) => {
                let at = self.find(row)?;
                Some(delete(values(&self.rows.remove(at))))
            }
            Step::Insert(_) => None,
        }
    }

    fn replace(&mut self, at: usize, to: Cells) -> RowOp<'static> {
        let (before, after) = (values(&self.rows[at]), values(&to));
        self.rows[at] = to;
        update(before, after)
    }

    /// The rows as `id,u,'v'`, sorted.
    pub(crate) fn stored(&self) -> Vec<String> {
        let mut rows: Vec<String> = self
            .rows
            .iter()
            .map(|(id, u, v)| {
                format!("{id},{},'{v}'", u.map_or("NULL".to_owned(), |u| u.to_string()))
            })
            .collect();
        rows.sort();
        rows
    }
}

/// So many cases, unless `PROPTEST_CASES` says another number: each of them takes long.
pub(crate) fn few(cases: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    }
}
