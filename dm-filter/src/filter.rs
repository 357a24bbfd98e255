//! The `Filter` trait: who decides whether a change is carried.
//!
//! The pipeline drives a filter. For each table version it first asks [`Filter::interest`], and
//! caches the answer: a table that nobody wants is never decoded. Then it asks
//! [`Filter::decide`] for each change of the tables that remain.
//!
//! A filter judges, it never edits, and it must be pure: the same change gets the same verdict
//! when it is read again after a restart. A filter that looks at a clock or counts calls would
//! make a replay differ from the first run.

use std::fmt;

use crate::change::{Change, TableName};

/// What a filter wants to see of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Nothing of this table is carried; its rows need not be decoded.
    Skip,
    /// Everything of this table is carried; `decide` need not be asked.
    All,
    /// Ask about every row and statement.
    Rows,
    /// Rows are carried without asking; ask about statements only.
    Ddl,
}

/// The verdict on one change. A later one in this list beats an earlier one, so that the order
/// of several filters does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Carry it.
    Keep,
    /// Do not apply it; a dropped statement still updates the tracked structure.
    Drop,
    /// It is no part of the task: not applied, not tracked.
    Exclude,
    /// Stop the task and say why.
    Refuse(Refusal),
}

/// Why a filter stops the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {reason}")]
pub struct Refusal {
    /// The rule that refuses, as named in the configuration.
    pub rule: String,
    /// What is wrong with the change, for the operator.
    pub reason: String,
}

impl Verdict {
    fn rank(&self) -> u8 {
        match self {
            Self::Keep => 0,
            Self::Drop => 1,
            Self::Exclude => 2,
            Self::Refuse(_) => 3,
        }
    }

    /// The stronger of two verdicts.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }
}

/// Decides about changes. See the module documentation for who calls what, when.
pub trait Filter: Send + Sync {
    /// What this filter wants to see of a table; asked once per table version and cached.
    fn interest(&self, table: &TableName) -> Interest;

    /// The verdict on one change. Called for tables of which [`Filter::interest`] asked for it.
    fn decide(&self, change: &Change<'_>) -> Verdict;
}

impl<F: Filter + ?Sized> Filter for Box<F> {
    fn interest(&self, table: &TableName) -> Interest {
        (**self).interest(table)
    }
    fn decide(&self, change: &Change<'_>) -> Verdict {
        (**self).decide(change)
    }
}

impl<F: Filter + ?Sized> Filter for std::sync::Arc<F> {
    fn interest(&self, table: &TableName) -> Interest {
        (**self).interest(table)
    }
    fn decide(&self, change: &Change<'_>) -> Verdict {
        (**self).decide(change)
    }
}

/// Several filters as one: the strongest verdict wins.
#[derive(Default)]
pub struct Chain {
    filters: Vec<Box<dyn Filter>>,
}

impl Chain {
    /// A chain without filters; it keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a filter.
    pub fn push(&mut self, filter: impl Filter + 'static) {
        self.filters.push(Box::new(filter));
    }

    /// Adds a filter.
    #[must_use]
    pub fn with(mut self, filter: impl Filter + 'static) -> Self {
        self.push(filter);
        self
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({} filters)", self.filters.len())
    }
}

impl Filter for Chain {
    fn interest(&self, table: &TableName) -> Interest {
        let mut rows = false;
        let mut ddl = false;
        for filter in &self.filters {
            match filter.interest(table) {
                Interest::Skip => return Interest::Skip,
                Interest::All => {}
                Interest::Rows => rows = true,
                Interest::Ddl => ddl = true,
            }
        }
        match (rows, ddl) {
            (true, _) => Interest::Rows,
            (false, true) => Interest::Ddl,
            (false, false) => Interest::All,
        }
    }

    fn decide(&self, change: &Change<'_>) -> Verdict {
        self.filters.iter().fold(Verdict::Keep, |v, f| v.max(f.decide(change)))
    }
}

/// A filter made of a closure; it is asked about every change of every table.
///
/// ```
/// use dm_filter::{Change, Filter, RowKind, Verdict, from_fn};
///
/// let no_deletes = from_fn(|change: &Change<'_>| match change {
///     Change::Row(row) if row.op.kind() == RowKind::Delete => Verdict::Drop,
///     _ => Verdict::Keep,
/// });
/// # let _ = no_deletes;
/// ```
pub fn from_fn<F>(decide: F) -> FromFn<F>
where
    F: Fn(&Change<'_>) -> Verdict + Send + Sync,
{
    FromFn(decide)
}

/// The filter that [`from_fn`] makes.
pub struct FromFn<F>(F);

impl<F> Filter for FromFn<F>
where
    F: Fn(&Change<'_>) -> Verdict + Send + Sync,
{
    fn interest(&self, _table: &TableName) -> Interest {
        Interest::Rows
    }
    fn decide(&self, change: &Change<'_>) -> Verdict {
        (self.0)(change)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Table;

    fn verdicts() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            Just(Verdict::Keep),
            Just(Verdict::Drop),
            Just(Verdict::Exclude),
            Just(Verdict::Refuse(Refusal { rule: "r".into(), reason: "no".into() })),
        ]
    }

    fn interests() -> impl Strategy<Value = Interest> {
        prop_oneof![
            Just(Interest::Skip),
            Just(Interest::All),
            Just(Interest::Rows),
            Just(Interest::Ddl)
        ]
    }

    struct Fixed(Interest, Verdict);

    impl Filter for Fixed {
        fn interest(&self, _: &TableName) -> Interest {
            self.0.clone()
        }
        fn decide(&self, _: &Change<'_>) -> Verdict {
            self.1.clone()
        }
    }

    proptest! {
        #[test]
        fn the_order_of_a_chain_does_not_matter(
            filters in prop::collection::vec((interests(), verdicts()), 0..6),
            turn in 0usize..6,
        ) {
            let chain = |list: &[(Interest, Verdict)]| {
                let mut chain = Chain::new();
                for (interest, verdict) in list {
                    chain.push(Fixed(interest.clone(), verdict.clone()));
                }
                chain
            };
            let mut turned = filters.clone();
            turned.rotate_left(turn % filters.len().max(1));
            let (one, other) = (chain(&filters), chain(&turned));
            let table = Table::new("s", "t", ["id"]);
            let change = table.insert([1]);
            prop_assert_eq!(one.decide(&change), other.decide(&change));
            prop_assert_eq!(one.interest(&table.name), other.interest(&table.name));
            let strongest = filters.iter().fold(Verdict::Keep, |v, (_, w)| v.max(w.clone()));
            prop_assert_eq!(one.decide(&change), strongest);
        }
    }
}
