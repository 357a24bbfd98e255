//! Which tables are an online schema change tool's, told by their names.

use std::sync::Arc;

use dm_filter::TableName;

use crate::config::{OnlineDdlRules, OnlineDdlTable};

/// What a table is, with the table that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary table.
    Real,
    /// The new structure of this table, being filled.
    Ghost(TableName),
    /// This table's old structure, or a helper of the tool.
    Trash(TableName),
}

/// The naming rules of a task, as one source's server compares names.
#[derive(Clone, Debug)]
pub struct Names {
    rules: Arc<OnlineDdlRules>,
    fold: bool,
}

impl Names {
    /// The rules for a server; `fold` when it compares names without regard to case
    /// (`lower_case_table_names` is not 0).
    pub fn new(rules: Arc<OnlineDdlRules>, fold: bool) -> Self {
        Self { rules, fold }
    }

    /// What a table is. The rules look at the name as it is written; where the server does not
    /// care how it is written, also at its lower case.
    pub fn kind(&self, table: &TableName) -> Kind {
        let named = |real: &str| TableName::new(table.schema.as_str(), real);
        let by = |name: &str| match self.rules.kind(name) {
            OnlineDdlTable::Real => Kind::Real,
            OnlineDdlTable::Shadow(real) => Kind::Ghost(named(real)),
            OnlineDdlTable::Trash(real) => Kind::Trash(named(real)),
        };
        match by(&table.table) {
            Kind::Real if self.fold => by(&table.table.to_lowercase()),
            kind => kind,
        }
    }

    /// True for ghost and trash tables.
    pub fn is_helper(&self, table: &TableName) -> bool {
        self.kind(table) != Kind::Real
    }

    /// The tables that a ghost or trash table may stand for, the likeliest first; the table itself
    /// when it is a real one. pt-online-schema-change puts more underscores before a name that is
    /// taken, so `__t_new` may belong to `_t` or to `t`.
    pub fn candidates(&self, table: &TableName) -> Vec<TableName> {
        let (Kind::Ghost(real) | Kind::Trash(real)) = self.kind(table) else {
            return vec![table.clone()];
        };
        let mut list = vec![real.clone()];
        let mut rest = real.table.as_str();
        while let Some(shorter) = rest.strip_prefix('_').filter(|s| !s.is_empty()) {
            list.push(TableName::new(real.schema.as_str(), shorter));
            rest = shorter;
        }
        list
    }

    /// True when a ghost table may stand for this table. gh-ost cuts off the end of a real table's name where the
    /// ghost's would be longer than a name may be.
    pub fn is_ghost_of(&self, ghost: &TableName, real: &TableName) -> bool {
        const LONGEST: usize = 64;
        let (short, long) = (self.key(ghost), self.key(real));
        let is_cut = || match self.kind(&short) {
            Kind::Ghost(cut) => {
                short.table.len() == LONGEST
                    && cut.schema == long.schema
                    && long.table.starts_with(&cut.table)
            }
            _ => false,
        };
        self.candidates(ghost).iter().any(|one| self.same(one, real)) || is_cut()
    }

    /// True when two names are one table's for the server.
    pub fn same(&self, a: &TableName, b: &TableName) -> bool {
        self.key(a) == self.key(b)
    }

    /// The name that stands for all ways to write it.
    pub(super) fn key(&self, table: &TableName) -> TableName {
        if self.fold {
            return TableName::new(table.schema.to_lowercase(), table.table.to_lowercase());
        }
        table.clone()
    }
}

/// The ghost tables among a source's tables whose real table `carried` names, each with that: online
/// schema changes that are under way, or were left behind. A name that merely looks like a ghost's,
/// without a table that it could be one of, is none.
pub fn running(
    names: &Names,
    tables: &[TableName],
    carried: &dyn Fn(&TableName) -> bool,
) -> Vec<(TableName, TableName)> {
    let exists = |real: &TableName| {
        tables.iter().any(|t| match names.kind(t) {
            Kind::Trash(of) => names.same(&of, real),
            Kind::Real => names.same(t, real),
            Kind::Ghost(_) => false,
        })
    };
    let mut found = Vec::new();
    for ghost in tables.iter().filter(|t| matches!(names.kind(t), Kind::Ghost(_))) {
        let candidates = names.candidates(ghost).into_iter();
        if let Some(real) = candidates.into_iter().find(|real| carried(real) && exists(real)) {
            found.push((ghost.clone(), real));
        }
    }
    found
}
