//! The compiled plans of all writers of a sink.
//!
//! Each writer meets every table sooner or later. With plans of its own, sixteen writers would hold sixteen
//! times what one needs, for every table of a task: a plan is kept here once, with the state of the target's
//! structures that it was compiled for, and a writer has those at hand that it used last. What the plans of tables with
//! the same columns and keys have in common is there once for all of them ([`super::plan::WritePlan::shared`]).

use std::collections::HashMap;
use std::sync::Arc;

use super::plan::{Parts, WritePlan};
use super::{Shared, lock};
use crate::error::{Error, Result, codes};
use crate::event::TablePlan;

/// Plans that are kept at most; beyond that all are made anew.
const MOST: usize = 30_000;
/// Plans that a writer has at hand.
const AT_HAND: usize = 256;

/// By the address of the table plan, which the write plan keeps alive.
type ByAddress = HashMap<usize, Arc<WritePlan>>;

/// Plans for one state of the target's structures.
#[derive(Default)]
pub(super) struct Plans {
    structure: u64,
    plans: ByAddress,
    /// Of those that were compiled here.
    parts: Parts,
}

impl Plans {
    /// Forgets what was compiled for another state.
    fn keep(&mut self, structure: u64, most: usize) {
        if self.structure != structure || self.plans.len() >= most {
            self.plans.clear();
            self.structure = structure;
        }
    }

    fn get(&self, plan: &Arc<TablePlan>) -> Option<Arc<WritePlan>> {
        self.plans.get(&Arc::as_ptr(plan).addr()).map(Arc::clone)
    }

    fn insert(&mut self, plan: &Arc<TablePlan>, compiled: &Arc<WritePlan>) {
        let key = Arc::as_ptr(plan).addr();
        self.plans.insert(key, Arc::clone(compiled));
    }

    /// The plan for a writer, which has this at hand.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked, lacks the table, or its structure does not take the rows.
    pub fn of(&mut self, shared: &Shared, plan: &Arc<TablePlan>) -> Result<Arc<WritePlan>> {
        let structure = shared.structure();
        self.keep(structure, AT_HAND);
        if let Some(compiled) = self.get(plan) {
            return Ok(compiled);
        }
        let compiled = shared.compiled(plan, structure)?;
        self.insert(plan, &compiled);
        Ok(compiled)
    }
}

impl Shared {
    fn compiled(&self, plan: &Arc<TablePlan>, structure: u64) -> Result<Arc<WritePlan>> {
        let known = {
            let mut plans = lock(&self.plans);
            plans.keep(self.structure(), MOST);
            plans.get(plan)
        };
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        // The target is asked without the lock: two who ask at once get the same.
        let target = self.describe(&plan.target)?.ok_or_else(|| {
            Error::new(
                &codes::SYNC_NO_TARGET_TABLE,
                format!(
                    "source table {} goes to target table {}, which does not exist",
                    plan.source, plan.target
                ),
            )
        })?;
        let compiled = WritePlan::compile(plan, &target)?;
        let mut plans = lock(&self.plans);
        let compiled = Arc::new(compiled.shared(&mut plans.parts));
        // What was asked before a statement may not hold behind it.
        if plans.structure == structure && self.structure() == structure {
            plans.insert(plan, &compiled);
        }
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::SqlMode;
    use crate::event::SourceId;
    use crate::schema::parse_create_table;
    use crate::testing::build;

    fn compiled(parts: &mut Parts, table: &str, columns: &str) -> WritePlan {
        let name = dm_filter::TableName::new("d", table);
        let plan = build::plan(&SourceId::new("s"), &name, &name, &["id", "v"]);
        let create = format!("CREATE TABLE {table} (id INT NOT NULL, {columns}, PRIMARY KEY (id))");
        let target = parse_create_table(&create, SqlMode::default()).unwrap();
        WritePlan::compile(&plan, &target).unwrap().shared(parts)
    }

    #[test]
    fn tables_alike_share_all_but_their_names() {
        let mut parts = Parts::default();
        let one = compiled(&mut parts, "one", "v INT");
        let other = compiled(&mut parts, "other", "v INT");
        assert!(one.shares_shape_with(&other));
        assert_eq!((&*one.table_sql, &*other.table_sql), ("`d`.`one`", "`d`.`other`"));
        assert_eq!((&*one.table().table, &*other.table().table), ("one", "other"));
        let third = compiled(&mut parts, "third", "v INT, UNIQUE KEY (v)");
        assert!(!one.shares_shape_with(&third));
    }
}
