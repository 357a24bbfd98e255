//! Online schema changes before a task starts: what a copy leaves out is told.

use std::sync::Arc;

use dm_filter::TableName;

use crate::config::TaskPlan;
use crate::error::Result;
use crate::event::LaneId;
use crate::online_ddl::{Kind, Names};
use crate::pipeline::Creator;
use crate::source::Source;
use crate::state::StateStore;

/// Tells which tables a copy leaves out because a tool's tables have such names. A copy does not
/// begin while such a tool is at work: that is the check `online_ddl`.
///
/// # Errors
///
/// When the source cannot be asked.
pub(super) fn tell(
    plan: &TaskPlan,
    source: &dyn Source,
    creator: &Creator,
    state: &StateStore,
) -> Result {
    let Some(rules) = creator.online.as_ref().filter(|_| plan.mode.dumps()) else { return Ok(()) };
    let reader = state.reader();
    let begun = reader.lane(&LaneId::main(&creator.source))?.is_some()
        || reader.copy_totals(&LaneId::copy(&creator.source))?.is_some();
    if begun {
        return Ok(());
    }
    let fold = source.info()?.lower_case_table_names != 0;
    let names = Names::new(Arc::clone(rules), fold);
    let (chosen, wanted) = (names.clone(), creator.clone());
    let tables = source
        .tables(&move |table| chosen.candidates(table).iter().any(|real| wanted.wants(real)))?;
    tell_left_out(&names, &tables);
    Ok(())
}

/// A table may have such a name by chance.
fn tell_left_out(names: &Names, tables: &[TableName]) {
    let helpers = tables.iter().filter(|t| names.kind(t) != Kind::Real);
    let list: Vec<String> = helpers.map(ToString::to_string).collect();
    if !list.is_empty() {
        log::warn!(
            "not carried, because their names are those of an online schema change tool's tables: {} \
             (`shadow-table-rules`, `trash-table-rules`, `online-ddl`)",
            list.join(", ")
        );
    }
}
