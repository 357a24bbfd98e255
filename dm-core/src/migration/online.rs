//! Tables that are left out because of their names are told when a task begins.

use std::sync::Arc;

use crate::config::TaskPlan;
use crate::error::Result;
use crate::event::LaneId;
use crate::online_ddl::{Kind, Names};
use crate::pipeline::Creator;
use crate::source::Source;
use crate::state::StateStore;

/// Says which tables are taken for helpers of an online schema change tool: a table may have such
/// a name by chance. A task that has begun has said it.
///
/// # Errors
///
/// When the source cannot be asked.
pub(super) fn tell_left_out(
    plan: &TaskPlan,
    source: &dyn Source,
    creator: &Creator,
    state: &StateStore,
) -> Result {
    let Some(rules) = creator.online.as_ref().filter(|_| plan.mode.dumps()) else { return Ok(()) };
    let reader = state.reader();
    let begun = reader.lane(&LaneId::main(&creator.source))?.is_some()
        || reader.copy(&LaneId::copy(&creator.source))?.is_some();
    if begun {
        return Ok(());
    }
    let fold = source.info()?.lower_case_table_names != 0;
    let names = Names::new(Arc::clone(rules), fold);
    let (chosen, wanted) = (names.clone(), creator.clone());
    let helpers = source.tables(&move |table| {
        chosen.kind(table) != Kind::Real
            && chosen.candidates(table).iter().any(|real| wanted.wants(real))
    })?;
    let list: Vec<String> = helpers.iter().map(ToString::to_string).collect();
    if !list.is_empty() {
        log::warn!(
            "not carried, because their names are those of an online schema change tool's tables: {} \
             (`shadow-table-rules`, `trash-table-rules`, `online-ddl`)",
            list.join(", ")
        );
    }
    Ok(())
}
